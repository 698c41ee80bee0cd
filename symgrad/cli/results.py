"""What a training has come to, as tables on the terminal."""

from typing import TYPE_CHECKING

import typer

from symgrad.shell import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from symgrad.training.metrics import Figures
    from symgrad.training.run import Folds, Run
    from symgrad.training.trained import Label

_CLASSES_SHOWN = 12
_OUTPUTS_SHOWN = 12
_LABEL_SHOWN = 12
_OUTPUT_SHOWN = 32

# What the figures are called, and how each is written.
_NAMES = {
    "loss": ("loss", "{:.6g}"),
    "accuracy": ("accuracy", "{:.2%}"),
    "log_loss": ("log loss", "{:.6g}"),
    "rmse": ("RMSE", "{:.6g}"),
    "mae": ("MAE", "{:.6g}"),
    "r2": ("R²", "{:.4f}"),
    "largest": ("largest error", "{:.6g}"),
}
_BY_OUTPUT = ("rmse", "mae", "r2", "largest")
_OF_FOLDS = ("rmse", "r2", "largest")  # each with its deviation: of more, lines are too long
_NONE = "–"


def show_run(run: "Run", seconds: float | None, shown: tuple[str, ...]) -> None:
    """The notes not `shown` before, the figures of each part, the confusion matrix of what was held
    out, and what to do next."""
    for note in run.notes:
        if note not in shown:
            typer.echo(note)
    epochs = len(run.history)
    took = "" if seconds is None else f", {seconds:.1f} s"
    kept = "" if run.kept == epochs else f"; kept are the weights of epoch {run.kept:,}"
    typer.echo(f"{run.ending}: {epochs:,} epochs{took}{kept}")
    show_figures(run.figures, run.trained.outputs)
    part, figures = list(run.figures.items())[-1]
    show_classes(part, figures, run.trained.columns.labels)
    if run.folder is not None:
        folder = word(run.folder)
        typer.echo(f"run: {run.folder}")
        typer.echo(f"next: symgrad predict {folder} DATA, or symgrad freeze {folder}")


def show_folds(folds: "Folds") -> None:
    """The figures of what was held out, fold by fold, then mean and standard deviation; of several
    outputs, each its own over the folds."""
    from symgrad.training.dataset import VALIDATION
    from symgrad.training.run import over_folds

    held_out = [run.figures[VALIDATION] for run in folds.runs]
    rows = [_numbers(each) for each in held_out]
    summary = over_folds(rows)
    table = _table(["held out", "samples", *(_NAMES[name][0] for name in summary)])
    for number, (figures, row) in enumerate(zip(held_out, rows, strict=True), 1):
        values = [_written(name, row[name]) for name in summary]
        table.add_row(f"fold {number}", f"{figures.samples:,}", *values)
    for title, place in (("mean", 0), ("deviation", 1)):
        table.add_row(title, "", *(_written(name, pair[place]) for name, pair in summary.items()))
    _print(table)
    if held_out[0].several:
        _show_outputs_of_folds(held_out, folds.runs[0].trained.outputs)
    if folds.folder is not None:
        typer.echo(f"run: {folds.folder}, each fold in a folder of its own")
    typer.echo("next: this was an estimate; for weights to use, train without --folds")


def _show_outputs_of_folds(held_out: "Sequence[Figures]", outputs: "Sequence[str]") -> None:
    """Mean and deviation over the folds for each output."""
    from symgrad.training.run import over_folds

    header = [each for name in _OF_FOLDS for each in (_NAMES[name][0], "deviation")]
    table = _table(["held out", *header])
    each_fold = [_of_outputs(figures) for figures in held_out]
    for name, *rows in list(zip(outputs, *each_fold, strict=False))[:_OUTPUTS_SHOWN]:
        found = over_folds(rows)
        cells = [_written(k, v) for k in _OF_FOLDS for v in found.get(k, (None, None))]
        table.add_row(short(name, _OUTPUT_SHOWN), *cells)
    _more(table, len(each_fold[0]))
    _print(table)


def show_figures(
    figures: "Mapping[str, Figures]", outputs: "Sequence[str]", err: bool = False
) -> None:
    """One line a part, and one for each of several outputs, in its own units: what errors in
    different units come to together would mean nothing."""
    rows = {part: _numbers(each) for part, each in figures.items()}
    known = {name for row in rows.values() for name in row}
    if any(each.several for each in figures.values()):
        known |= {*_BY_OUTPUT}
    names = [name for name in _NAMES if name in known]
    table = _table(["", "samples", *(_NAMES[name][0] for name in names)])
    for part, row in rows.items():
        each = figures[part]
        blank = "" if each.several else _NONE
        values = [_written(name, row[name]) if name in row else blank for name in names]
        table.add_row(part, f"{each.samples:,}", *values)
        for term, value in (each.terms or {}).items():
            table.add_row(f"  {term}", "", _written("loss", value))
        if each.several:
            own = _of_outputs(each)
            for name, found in list(zip(outputs, own, strict=False))[:_OUTPUTS_SHOWN]:
                cells = [_written(k, found.get(k)) if k in _BY_OUTPUT else "" for k in names]
                table.add_row(f"  {short(name, _OUTPUT_SHOWN)}", "", *cells)
            _more(table, len(own))
    _print(table, err)


def _numbers(figures: "Figures") -> dict[str, float]:
    """Those that are one number each, and mean something."""
    from symgrad.training.run import numbers_of

    found = numbers_of(figures)
    if figures.several:
        return {name: value for name, value in found.items() if name not in _BY_OUTPUT}
    return found | _of_outputs(figures)[0] if figures.rmse_by_output else found


def _of_outputs(figures: "Figures") -> "list[dict[str, float]]":
    """The figures of each output, without what is not there: records of older versions have no
    largest error."""
    found = {name: getattr(figures, f"{name}_by_output") for name in _BY_OUTPUT}
    known = {name: each for name, each in found.items() if each}
    return [
        {name: value for name, each in known.items() if (value := each[place]) is not None}
        for place in range(len(figures.rmse_by_output or ()))
    ]


def _more(table: "Table", outputs: int) -> None:
    if outputs > _OUTPUTS_SHOWN:
        table.add_row(f"  … {outputs - _OUTPUTS_SHOWN:,} more")


def show_classes(
    part: str, figures: "Figures", labels: "tuple[Label, ...] | None", err: bool = False
) -> None:
    """Counts of the true class by the predicted one, and what they say of each class, if there are
    classes and not too many."""
    if figures.confusion is None or labels is None or len(labels) > _CLASSES_SHOWN:
        return
    names = [short(str(label)) for label in labels]
    table = _table([f"{part}: true ↓ predicted →", *names])
    for name, row in zip(names, figures.confusion, strict=True):
        table.add_row(name, *(str(count) if count else "·" for count in row))
    _print(table, err)
    assert figures.by_class is not None
    areas = figures.roc_area_by_class
    header = [f"{part}: by class", "samples", "precision", "recall", "F1"]
    table = _table([*header, *(() if areas is None else ["ROC area"])])
    for place, (name, found) in enumerate(zip(names, figures.by_class, strict=True)):
        shares = [found.precision, found.recall, found.f1, *(areas or ())[place : place + 1]]
        cells = [_NONE if share is None else f"{share:.4f}" for share in shares]
        table.add_row(name, f"{found.samples:,}", *cells)
    _print(table, err)


def _written(name: str, value: float | None) -> str:
    return _NONE if value is None else _NAMES[name][1].format(value)


def _table(header: list[str]) -> "Table":
    from rich.table import Table

    table = Table(*header, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _print(table: "Table", err: bool = False) -> None:
    from rich.console import Console

    Console(stderr=err, soft_wrap=True, highlight=False, markup=False, emoji=False).print(table)


def short(name: str, most: int = _LABEL_SHOWN) -> str:
    """A user's text as a terminal may show it: nothing is acted on, and it is not too long."""
    name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
