"""`symgrad report`: a run told on one page."""

from pathlib import Path
from typing import Annotated

import typer

from symgrad.cli.train_options import files_of
from symgrad.errors import SymgradError

_PAGE = "report.html"


def report_command(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="The folder of a training run.", show_default=False),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DATA]",
            help="Samples with targets to judge by, or the run's own where they have moved; "
            "NAME=FILE for each term of a loss.",
            show_default="the run's own",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The page to write.",
            show_default=f"RUN/{_PAGE}",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Write all there is to say of a run as one page for a browser.

    What was trained on what, the losses, errors of each output or class, which inputs matter, and
    the equations of the network; by the samples that were held out, if the data is still there.
    The page loads nothing: it can be sent as it is.
    """
    place = run / _PAGE if output is None else output
    if place.is_dir():
        raise SymgradError(f"{place} is a folder; -o names the file for the page")
    if place.exists() and place.suffix.lower() not in (".html", ".htm"):
        raise SymgradError(f"{place} is there already, and no .html file; name another one")

    from symgrad.report.report import report
    from symgrad.showing.pages.page import page
    from symgrad.targets.write import write

    text = page(report(run, files_of(data)))
    typer.echo(f"wrote {write({place.name: text}, place.parent)[0]}")
