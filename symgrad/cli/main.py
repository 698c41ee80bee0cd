"""The `symgrad` command: its list of commands, and what becomes of their errors.

Exit codes: 0 done; 1 the check failed, or training broke off; 2 wrong usage or input, with one
message on stderr; 130 interrupted.
"""

import os
import sys
from typing import Annotated, Any

import typer
import typer.core

import symgrad
from symgrad.cli.check import check_command
from symgrad.cli.compile import compile_command
from symgrad.cli.data import data_command
from symgrad.cli.explain import explain_command
from symgrad.cli.export import export_command
from symgrad.cli.freeze import freeze_command
from symgrad.cli.import_ import import_command
from symgrad.cli.inspect import inspect_command
from symgrad.cli.new import new_command
from symgrad.cli.predict import predict_command
from symgrad.cli.report import report_command
from symgrad.cli.schema import schema_command
from symgrad.cli.train import train_command
from symgrad.cli.waiting import Waiting
from symgrad.errors import SymgradError
from symgrad.targets.waiting import shown
from symgrad.training.caller import command_line


class Commands(typer.core.TyperGroup):
    """A group of commands that reports what a user can put right in one message, no traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with shown(Waiting()), command_line():
                return super().invoke(ctx)
        except SymgradError as error:
            typer.echo(f"error: {error}", err=True)
        except OSError as error:
            # A file that cannot be read or written; one who left early (`| head`) is Typer's.
            if error.filename is None:
                raise
            typer.echo(f"error: {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Commands,
    help="A neural network as one symbolic expression: differentiated, shared, and written out as "
    "a Numba module that a person can read.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compile")(compile_command)
app.command("inspect")(inspect_command)
app.command("check")(check_command)
app.command("data")(data_command)
app.command("train")(train_command)
app.command("predict")(predict_command)
app.command("report")(report_command)
app.command("freeze")(freeze_command)
app.command("export")(export_command)
app.command("import")(import_command)
app.command("explain")(explain_command)
app.command("new")(new_command)
app.command("schema")(schema_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"symgrad {symgrad.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point: runs the command line and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # An equation on a terminal without Σ is still readable with \\u03a3 in its place.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
            if os.name == "nt" and not stream.isatty():  # predictions go into a file as UTF-8
                stream.reconfigure(encoding="utf-8")
    app(prog_name="symgrad")


if __name__ == "__main__":
    main()
