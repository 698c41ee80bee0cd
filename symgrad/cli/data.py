"""`symgrad data`: what a table holds, and how one would train on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from symgrad.training.data.survey import Survey


def data_command(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Samples: .csv, .csv.gz (several of them are one table), .parquet or .npy.",
            show_default=False,
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="A target column; repeat it for several.", show_default="the last column"
        ),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(
            help="What separates cells of CSV files: ',', ';', tab, …", show_default="guessed"
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(help="What decimals stand after: '.' or ','.", show_default="guessed"),
    ] = None,
) -> None:
    """Show what would be read of data: each column, what it holds, and a command to train on it.

    A column of numbers is an input as it is, a category (few words) is one with --categories, and
    timestamps and text are none.
    """
    from symgrad.training.data.survey import survey

    show(survey(data, tuple(target or ()), separator, decimal))


def show(found: "Survey") -> None:
    """A line a column, then what to type."""
    from rich.console import Console
    from rich.table import Table

    from symgrad.cli.results import short

    for note in found.notes:
        typer.echo(note, err=True)
    table = Table("column", "kind", "missing", "values", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for each in found.columns:
        missing = f"{each.missing:,}" if each.missing else "–"
        table.add_row(short(each.name, 32), each.kind, missing, short(each.shown, 60))
    Console(soft_wrap=True, highlight=False, markup=False, emoji=False).print(table)
    typer.echo(f"{found.rows:,} rows")
    typer.echo(found.advice)
