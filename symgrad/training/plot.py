"""A picture of a training: its loss curves, and what came out against what should have, and what
is left over, of each output.

matplotlib is an optional extra, and imported when it is asked for.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.axes import by_powers
from symgrad.errors import SymgradError
from symgrad.training import atomic
from symgrad.training.checkpoint import Epoch
from symgrad.training.metrics import confusion, predicted_classes
from symgrad.training.module import Array
from symgrad.training.regions import Regions
from symgrad.training.trained import Label

FORMATS = ("png", "svg", "pdf")

# Colours that are told apart by all eyes: Okabe and Ito 2008.
_COLOURS = {"training": "#0072B2", "validation": "#D55E00"}
# Of up to six classes.
_OF_CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_POINTS = 2000  # of each part: more would only cover one another
_CELLS_WITH_NUMBERS = 12
_CLASSES_NAMED = 30
_OUTPUTS_DRAWN = 4


# For words of the user's, in which a dollar begins no formula.
_AS_IT_IS: Mapping[str, Any] = {"parse_math": False}


class PlotError(SymgradError):
    """A picture that cannot be drawn or written."""


@dataclass(frozen=True)
class Compared:
    """Targets and outputs of a part, in raw units, both of shape (samples, outputs), and inputs
    where they are drawn."""

    t: Array
    y: Array
    x: Array | None = None


def check(path: Path) -> None:
    """Raises PlotError, before hours of training, for a picture that could not be drawn after."""
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise PlotError(f"{path}: a plot is a file that ends in .png, .svg or .pdf")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise PlotError("plots need matplotlib: pip install 'symgrad[plot]'") from error
    if path.is_dir():
        raise PlotError(f"{path} is a folder; name the file for the plot")
    if not path.parent.is_dir():
        raise PlotError(f"{path}: there is no folder {path.parent}")


def plot(
    path: Path,
    title: str,
    histories: Sequence[Sequence[Epoch]],
    compared: Mapping[str, Compared],
    labels: tuple[Label, ...] | None,
    targets: tuple[str, ...],
    regions: Regions | None = None,
) -> None:
    """Draws and writes a picture, whole or not at all.

    `histories` are those of one run, or of each fold; `compared` is by part, "training" or
    "validation". With `labels` a confusion matrix is drawn, of what was held out if anything was,
    and the `regions` of the classes if they are given.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, **_AS_IT_IS)
    if labels is not None:
        part = "validation" if "validation" in compared else "training"
        widths = (1.15, 1) if regions is None else (1.15, 1, 1.15)
        figure.set_size_inches(5.1 * sum(widths), 4.6)
        left, middle, *more = figure.subplots(1, len(widths), width_ratios=widths)
        _draw_confusion(figure, middle, compared[part], labels, part)
        if regions is not None:
            _draw_regions(more[0], regions, compared, labels)
    else:
        left = _draw_outputs(figure, compared, targets)
    _draw_losses(left, histories)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter that no font here has
        figure.savefig(content, format=path.suffix.lower().removeprefix("."), dpi=150)
    atomic.write(path, content.getvalue())


def _draw_losses(axes: Any, histories: Sequence[Sequence[Epoch]]) -> None:
    several = len(histories) > 1
    drawn = []
    for field, part in (("loss", "training"), ("validation_loss", "validation")):
        for number, history in enumerate(histories):
            losses = np.array([getattr(epoch, field) for epoch in history])
            if not np.isfinite(losses).any():
                continue
            drawn.append(losses[np.isfinite(losses)])
            axes.plot(
                np.arange(1, len(losses) + 1),
                losses,
                color=_COLOURS[part],
                alpha=0.6 if several else 1.0,
                linewidth=1.0 if several else 1.6,
                marker="o" if len(losses) == 1 else None,
                label=part if number == 0 else None,
            )
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_title("loss, a curve for each fold" if several else "loss")
    axes.grid(alpha=0.25)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if drawn:
        if by_powers(np.concatenate(drawn)):
            axes.set_yscale("log")
        axes.legend(frameon=False)
    else:
        axes.text(0.5, 0.5, "no epoch", ha="center", va="center", transform=axes.transAxes)


def _draw_confusion(
    figure: Any, axes: Any, compared: Compared, labels: tuple[Label, ...], part: str
) -> None:
    true, predicted = predicted_classes(compared.t), predicted_classes(compared.y)
    count = len(labels)
    counts = confusion(true, predicted, count)
    # Shares of each true class: a rare class has as clear a row as a common one.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    if count <= _CELLS_WITH_NUMBERS:
        for (row, column), number in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{number}", ha="center", va="center", color=colour, fontsize=9)
    if count <= _CLASSES_NAMED:
        names = [_short(str(label)) for label in labels]
        turned = 90 if max(map(len, names)) * count > 40 else 0
        axes.set_xticks(range(count), names, rotation=turned, **_AS_IT_IS)
        axes.set_yticks(range(count), names, **_AS_IT_IS)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    accuracy = float(np.mean(true == predicted))
    axes.set_title(f"{part}: {accuracy:.1%} of {len(true):,} right")


def _draw_regions(
    axes: Any, regions: Regions, compared: Mapping[str, Compared], labels: tuple[Label, ...]
) -> None:
    """The class that is given where, the more colour the likelier, and the samples' own classes."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(colour) for colour in _OF_CLASSES[: len(labels)]])
    depth = (0.12 + 0.5 * regions.shade)[..., None]
    (left, right), (low, high) = regions.ends
    axes.imshow(
        1 - depth + depth * colours[regions.classes], origin="lower", aspect="auto",
        extent=(left, right, low, high), interpolation="nearest",
    )  # fmt: skip
    for part, each in compared.items():
        assert each.x is not None
        rows = np.unique(np.linspace(0, len(each.t) - 1, _POINTS).astype(np.int64))
        true = predicted_classes(each.t[rows])
        for number, label in enumerate(labels):
            x, y = each.x[rows][true == number].T
            axes.scatter(
                x, y, s=18, color=colours[number], edgecolors="white", linewidths=0.5,
                marker="o" if part == "training" else "^",
                label=_short(str(label)) if part == next(iter(compared)) else None,
            )  # fmt: skip
    axes.set_xlabel(_short(regions.names[0], 40), **_AS_IT_IS)
    axes.set_ylabel(_short(regions.names[1], 40), **_AS_IT_IS)
    parts = ": ○ training, △ validation" if len(compared) > 1 else ""
    axes.set_title(f"regions of the classes{parts}")
    for text in axes.legend(fontsize=9).get_texts():
        text.set(**_AS_IT_IS)


def _draw_outputs(figure: Any, compared: Mapping[str, Compared], targets: tuple[str, ...]) -> Any:
    """Two panels for each of the first outputs, in its own unit; gives the axes left for losses."""
    outputs = max((each.t.shape[1] for each in compared.values()), default=0)
    shown = min(outputs, _OUTPUTS_DRAWN)
    figure.set_size_inches(5.5 + 3.6 * shown, 7.2 if shown else 4.6)
    if not shown:
        return figure.subplots()
    grid = figure.add_gridspec(2, 1 + shown, width_ratios=(1.4, *[1] * shown))
    for output in range(shown):
        above, below = (figure.add_subplot(grid[row, 1 + output]) for row in (0, 1))
        name = _short(targets[output] if output < len(targets) else f"y[{output}]")
        _draw_output(above, below, compared, output, name)
        if output == shown - 1 and outputs > shown:
            above.set_title(f"{shown} of {outputs:,} outputs", loc="right", fontsize=9)
    return figure.add_subplot(grid[:, 0])


def _draw_output(
    above: Any, below: Any, compared: Mapping[str, Compared], output: int, name: str
) -> None:
    """What was predicted against the truth, and the residuals over what was predicted."""
    values = []
    for part, each in compared.items():
        # Evenly over all samples, the same ones every time.
        rows = np.unique(np.linspace(0, len(each.t) - 1, _POINTS).astype(np.int64))
        t, y = each.t[rows, output], each.y[rows, output]
        values += [t, y[np.isfinite(y)]]
        look: dict[str, Any] = {
            "s": 14, "alpha": 0.55, "linewidths": 0, "color": _COLOURS[part],
            "marker": "o" if part == "training" else "^", "label": part,
        }  # fmt: skip
        above.scatter(t, y, **look)
        below.scatter(y, y - t, **look)
    every = np.concatenate(values)
    low, high = float(every.min()), float(every.max())
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    above.plot(ends, ends, color="0.5", linewidth=1, linestyle="--", zorder=0, label="exact")
    above.set_xlim(ends)
    above.set_ylim(ends)
    above.set_xlabel(f"true {name}", **_AS_IT_IS)
    above.set_ylabel(f"predicted {name}", **_AS_IT_IS)
    above.set_aspect("equal")
    below.axhline(0, color="0.5", linewidth=1, linestyle="--", zorder=0)
    below.set_xlabel(f"predicted {name}", **_AS_IT_IS)
    below.set_ylabel("predicted − true")
    for axes in (above, below):
        axes.grid(alpha=0.25)
    if output == 0:
        above.legend(frameon=False)


def _short(name: str, most: int = 16) -> str:
    """A user's text in one line, without characters that no picture has, and not too long."""
    name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
