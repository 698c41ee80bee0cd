"""What a training has come to, as tables on the terminal."""

from typing import TYPE_CHECKING

import typer

from symgrad.shell import word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from symgrad.training.metrics import Figures
    from symgrad.training.run import Folds, Run
    from symgrad.training.trained import Label

_CLASSES_SHOWN = 12
_LABEL_SHOWN = 12

# What the figures are called, and how each is written.
_NAMES = {
    "loss": ("loss", "{:.6g}"),
    "accuracy": ("accuracy", "{:.2%}"),
    "log_loss": ("log loss", "{:.6g}"),
    "rmse": ("RMSE", "{:.6g}"),
    "r2": ("R²", "{:.4f}"),
}


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
    show_figures(run.figures)
    part, figures = list(run.figures.items())[-1]
    show_confusion(part, figures, run.trained.columns.labels)
    if run.folder is not None:
        folder = word(run.folder)
        typer.echo(f"run: {run.folder}")
        typer.echo(f"next: symgrad predict {folder} DATA, or symgrad freeze {folder}")


def show_folds(folds: "Folds") -> None:
    """The figures of what was held out, fold by fold, then mean and standard deviation."""
    from symgrad.training.dataset import VALIDATION
    from symgrad.training.run import numbers_of

    rows = [numbers_of(run.figures[VALIDATION]) for run in folds.runs]
    summary = folds.table()
    table = _table(["held out", "samples", *(_NAMES[name][0] for name in summary)])
    for number, (run, row) in enumerate(zip(folds.runs, rows, strict=True), 1):
        samples = f"{run.figures[VALIDATION].samples:,}"
        values = [_NAMES[name][1].format(row[name]) for name in summary]
        table.add_row(f"fold {number}", samples, *values)
    for title, place in (("mean", 0), ("deviation", 1)):
        values = [_NAMES[name][1].format(pair[place]) for name, pair in summary.items()]
        table.add_row(title, "", *values)
    _print(table)
    if folds.folder is not None:
        typer.echo(f"run: {folds.folder}, each fold in a folder of its own")
    typer.echo("next: this was an estimate; for weights to use, train without --folds")


def show_figures(figures: "Mapping[str, Figures]", err: bool = False) -> None:
    """One line a part."""
    from symgrad.training.run import numbers_of

    rows = {part: numbers_of(each) for part, each in figures.items()}
    names = [name for name in _NAMES if any(name in row for row in rows.values())]
    table = _table(["", "samples", *(_NAMES[name][0] for name in names)])
    for part, row in rows.items():
        values = [_NAMES[name][1].format(row[name]) if name in row else "–" for name in names]
        table.add_row(part, f"{figures[part].samples:,}", *values)
        for term, value in (figures[part].terms or {}).items():
            table.add_row(f"  {term}", "", _NAMES["loss"][1].format(value))
    _print(table, err)


def show_confusion(
    part: str, figures: "Figures", labels: "tuple[Label, ...] | None", err: bool = False
) -> None:
    """Counts of the true class by the predicted one, if there are classes and not too many."""
    if figures.confusion is None or labels is None or len(labels) > _CLASSES_SHOWN:
        return
    names = [short(str(label)) for label in labels]
    table = _table([f"{part}: true ↓ predicted →", *names])
    for name, row in zip(names, figures.confusion, strict=True):
        table.add_row(name, *(str(count) if count else "·" for count in row))
    _print(table, err)


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
