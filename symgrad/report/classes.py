"""Errors of classes: which are taken for which, and how far their probabilities can be trusted."""

import functools
from collections.abc import Iterator

import numpy as np

from symgrad.report.judged import Judged, Part, thinned
from symgrad.showing.pages.blocks import (
    Block,
    Cell,
    Lines,
    Regions,
    Section,
    Series,
    Table,
    Words,
)
from symgrad.showing.pages.text import name
from symgrad.training import roc
from symgrad.training.metrics import Figures, class_probabilities, predicted_classes
from symgrad.training.module import Array, gives_probabilities
from symgrad.training.regions import have_regions, raw_inputs, regions
from symgrad.training.run import Run
from symgrad.training.trained import Label

BINS = 10

_MATRIX = 30  # classes
_CURVES = 5  # classes, as there is a colour for each, and one for the diagonal
_POINTS = 200  # of a curve
_ROWS = 100
_CELLS = 100  # of the plane of two inputs, each way
_SAMPLES = 250  # drawn there


def classes(
    run: Run, judged: Judged, labels: tuple[Label, ...], probabilities: bool
) -> Section:
    """How many of each class are found, and with which probabilities; of two inputs, where."""
    names = [name(str(label)) for label in labels]
    part = judged.decisive
    figures = judged.figures[part]
    blocks: list[Block] = [_summary(judged), _by_class(part, figures, names)]
    if figures.confusion is not None and len(names) <= _MATRIX:
        matrix = zip(names, figures.confusion.tolist(), strict=False)
        rows = tuple((f"{each}", *counts) for each, counts in matrix)
        blocks.append(Table(("true ↓ predicted →", *names), rows, f"Confusion matrix, {part}"))
    if have_regions(run.trained.columns) and part in judged.parts:
        blocks.append(_regions(run, judged.parts[part], part, names))
    if not probabilities:
        blocks.append(Words("The outputs are no probabilities: there is no ROC, nor calibration."))
    elif part in judged.parts:
        blocks += _curves(judged.parts[part], part, names)
    return Section("errors", "Errors by class", tuple(blocks), {}, judged.missing)


def _regions(run: Run, part: Part, called: str, names: list[str]) -> Regions:
    """The plane of both inputs, and some of the samples."""
    scaling, columns = run.trained.scaling, run.trained.columns
    raw = raw_inputs(scaling, part.x)
    probabilities = gives_probabilities(run.trained.spec)
    network = functools.partial(run.module.predict, run.theta)
    found = regions(network, scaling, columns, probabilities, raw, _CELLS)
    cells = zip(found.classes.tolist(), found.shade.tolist(), strict=True)
    rows = thinned(len(raw), _SAMPLES)
    true = predicted_classes(part.t[rows]).tolist()
    shades = ", the more colour the likelier," if probabilities else ""
    return Regions(
        f"Regions of the classes{shades} and {len(rows):,} samples of {called} by their own class",
        name(found.names[0]), name(found.names[1]), found.ends,
        tuple(tuple(zip(*each, strict=True)) for each in cells),
        tuple((x, y, kind) for (x, y), kind in zip(raw[rows].tolist(), true, strict=True)),
        tuple(names),
    )  # fmt: skip


def _summary(judged: Judged) -> Table:
    rows = tuple(
        (part, each.samples, each.loss, each.accuracy, each.log_loss)
        for part, each in judged.figures.items()
    )
    return Table(("part", "samples", "loss", "accuracy", "log loss"), rows, "All classes")


def _by_class(part: str, figures: Figures, names: list[str]) -> Table:
    areas = figures.roc_area_by_class or (None,) * len(names)
    found = zip(names, figures.by_class or (), areas, strict=False)
    rows: tuple[tuple[Cell, ...], ...] = tuple((each, *of, area) for each, of, area in found)
    header = ("class", "samples", "precision", "recall", "F1", "ROC area")
    note = (
        "Precision: of those predicted to be of the class, the share that are. Recall: of its own,"
        " the share that are found. F1: the harmonic mean of both. ROC area: of pairs of one of the"
        " class and one of another, the share in which the former has the larger probability."
    )
    return Table(header, rows[:_ROWS], f"By class, {part}", note)


def _curves(part: Part, called: str, names: list[str]) -> Iterator[Block]:
    """ROC and calibration, of each class against the others; of two classes one says all."""
    p, true = class_probabilities(part.y), class_probabilities(part.t).argmax(axis=1)
    known = np.isfinite(p).all(axis=1)
    p, true = p[known], true[known]
    own = [k for k in range(len(names)) if 0 < np.count_nonzero(true == k) < len(true)]
    shown = own[-1:] if len(names) == 2 else own[:_CURVES]
    if not shown:
        yield Words("The samples are of one class: there is no ROC, nor calibration.")
        return
    less = f"; the first {_CURVES} classes" if len(shown) < len(own) and len(names) > 2 else ""
    diagonal = ((0.0, 0.0), (1.0, 1.0))
    curves = [
        Series(names[k], _points(*roc.curve(p[:, k], true == k)), marked=False) for k in shown
    ]
    yield Lines(
        f"ROC: receiver operating characteristic, {called}{less}",
        "share of others that are taken for the class",
        "share of the class that is found, by threshold",
        (*curves, Series("by chance", diagonal, marked=False)), log_x=False, log_y=False,
    )  # fmt: skip
    curves = []
    for k in shown:
        mean, share, _ = calibration(p[:, k], true == k)
        curves.append(Series(names[k], tuple(zip(mean.tolist(), share.tolist(), strict=True))))
    yield Lines(
        f"Calibration, {called}{less}",
        f"mean probability, in {BINS} bins of equal width",
        "share of samples that are of the class",
        (*curves, Series("exact", diagonal, marked=False)), log_x=False, log_y=False,
    )  # fmt: skip


def calibration(p: Array, positive: Array, bins: int = BINS) -> tuple[Array, Array, Array]:
    """Of each bin of equal width that any probability p lies in: their mean, the share of positive
    samples, and how many there are. `p` and the bools `positive` are of shape (samples,)."""
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    used = count > 0
    mean = np.bincount(place, p, bins)[used] / count[used]
    share = np.bincount(place, positive, bins)[used] / count[used]
    return mean, share, count[used]


def _points(x: Array, y: Array) -> tuple[tuple[float, float], ...]:
    rows = thinned(len(x), _POINTS)
    return tuple(zip(x[rows].tolist(), y[rows].tolist(), strict=True))
