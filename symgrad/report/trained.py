"""What was trained on what, how its losses went, and the network in equations."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from symgrad.axes import by_powers
from symgrad.language import latex, unicode
from symgrad.language.program import prune
from symgrad.passes.expand import expand, outputs_of
from symgrad.report.judged import thinned
from symgrad.showing.pages.blocks import (
    Block,
    Cell,
    Equations,
    Lines,
    Section,
    Series,
    Table,
    Words,
)
from symgrad.showing.pages.text import name
from symgrad.spec.spec import Spec
from symgrad.training.dataset import TRAINING, VALIDATION
from symgrad.training.record import Record
from symgrad.training.run import Run

_PARTS = {TRAINING: "trained on", VALIDATION: "held out"}
_OF_STEPS = ("schedule", "warmup", "batch")  # which SciPy's methods know nothing of
_POINTS = 200  # of a curve
_MARKED = 40  # a curve of more points has no markers
_ROWS = 100  # of a table of columns


def facts(run: Run, record: Record) -> dict[str, str]:
    """Which run it is, in words."""
    spec, data = Spec.recorded(run.trained.spec), record["data"]
    samples = {part: run.figures[part].samples for part in _PARTS if part in run.figures}
    made = [f"{each} {record[each]}" for each in ("symgrad", "python", "numpy") if each in record]
    return {
        "network": "-".join(map(str, spec.widths)),
        "weights": f"{spec.weights:,}",
        "spec": name(record["spec_file"] or spec.name, 200),
        "data": ", ".join(_places(data["path"])) or "given in memory",
        "samples": ", ".join(f"{count:,} {_PARTS[part]}" for part, count in samples.items()),
        **({} if record.get("fold") is None else {"held out": f"fold {record['fold']}"}),
        "begun": record["started"],
        **({} if record.get("id") is None else {"run": name(record["id"])}),
        "made with": ", ".join(made),
    }


def _places(path: Any) -> Iterator[str]:
    match path:
        case Mapping():
            for term, files in path.items():
                yield f"{name(term)}: {', '.join(_places(files))}"
        case str():
            yield name(path, 200)
        case list():
            yield from (name(each, 200) for each in path)


def what(run: Run) -> Section:
    """The columns and their scaling, the training, and what there was to note."""
    columns, spec = run.trained.columns, Spec.recorded(run.trained.spec)
    blocks: list[Block] = [_inputs(run)]
    if columns.labels is None:
        blocks.append(_outputs(run))
    else:
        classes = ", ".join(name(str(label)) for label in columns.labels[:_ROWS])
        blocks.append(Words(f"Classes of {name(', '.join(columns.targets))}: {classes}."))
    blocks.append(_training(spec))
    if spec.of_terms:
        blocks.append(Words(f"The loss is a sum of terms: {', '.join(spec.of_terms)}."))
    blocks += [Words(name(note, 1000)) for note in run.notes]
    return Section("trained", "What was trained", tuple(blocks), {})


def _inputs(run: Run) -> Table:
    scaling, names = run.trained.scaling, run.trained.columns.network_inputs
    fill = [None] * len(names) if scaling.fill is None else scaling.fill.tolist()
    rows = zip(names, scaling.mean.tolist(), scaling.scale.tolist(), fill, strict=True)
    return _table(
        ("input", "mean", "scale", "filled in"),
        tuple((name(each), *numbers) for each, *numbers in rows),
        "Inputs: the network takes (x − mean)/scale",
    )


def _outputs(run: Run) -> Table:
    scaling, names = run.trained.scaling, run.trained.outputs
    rows = zip(names, scaling.target_mean.tolist(), scaling.target_scale.tolist(), strict=True)
    return _table(
        ("output", "mean", "scale"),
        tuple((name(each), *numbers) for each, *numbers in rows),
        "Outputs: what the network gives, times scale, plus mean",
    )


def _table(columns: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...], title: str) -> Table:
    """The first rows, and without a last column that is empty."""
    note = "" if len(rows) <= _ROWS else f"The first {_ROWS} of {len(rows):,}."
    if all(row[-1] is None for row in rows):
        columns, rows = columns[:-1], tuple(row[:-1] for row in rows)
    return Table(columns, rows[:_ROWS], title, note)


def _training(spec: Spec) -> Table:
    """All settings, those that were left to their defaults too."""
    training = spec.training
    assert training is not None
    given = {**training.settings(), **training.normalised()}
    of_others = {"constants", *(_OF_STEPS if training.whole_batch else ())}
    rows = tuple((key, str(value)) for key, value in given.items() if key not in of_others)
    return Table(("setting", "value"), rows, "How it was trained")


def losses(run: Run) -> Section:
    """The losses, epoch by epoch."""
    history = run.history
    series, seen = [], []
    for field, part in (("loss", TRAINING), ("validation_loss", VALIDATION)):
        points = [
            (row + 1.0, loss)
            for row in thinned(len(history), _POINTS).tolist()
            if math.isfinite(loss := float(getattr(history[row], field)))
        ]
        if points:
            series.append(Series(part, tuple(points), marked=len(points) <= _MARKED))
            seen += [loss for _, loss in points]
    kept = f"epoch {run.kept:,}" if run.kept else "the beginning"
    words = (
        f"The training {run.ending} after {len(history):,} epochs; kept are the weights of {kept}."
    )
    blocks: tuple[Block, ...] = (Words(words),)
    if seen:
        log = by_powers(seen)
        curves = Lines("Loss by epoch", "epoch", "loss", tuple(series), log_x=False, log_y=log)
        blocks += (curves,)
    return Section("losses", "Losses", blocks, {})


def equations(run: Run) -> Section:
    """The network as equations, in the units of training."""
    spec = Spec.recorded(run.trained.spec)
    # what is predicted is the same in all terms of a loss
    program = prune(expand(next(iter(spec.of_terms.values()), spec)), outputs_of(spec))
    outputs = ", ".join(f"`{name}`" for name in program.outputs)
    rows = tuple((unicode.equation(each), latex.equation(each)) for each in program.definitions)
    gives = (
        f"{outputs}, which the table of outputs brings back to the units of the data"
        if run.trained.columns.labels is None
        else "`y`, by which the class is chosen"
    )
    words = Words(
        f"From inputs `x`, scaled as the table of inputs says, to outputs {gives}; `n` counts"
        " samples."
    )
    return Section("equations", "The network", (words, Equations(rows)), {})
