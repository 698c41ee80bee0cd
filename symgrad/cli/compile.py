"""`symgrad compile`: spec files into modules, all or none of them."""

from pathlib import Path
from typing import Annotated

import typer

from symgrad.cli.options import Order, OrderOption
from symgrad.errors import SpecError


def compile_command(
    specs: Annotated[
        list[Path],
        typer.Argument(metavar="SPEC", help="Spec files, .toml or .json.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the modules go.")
    ] = Path("."),
    order: OrderOption = Order.LOSS_FIRST,
    single_file: Annotated[
        bool,
        typer.Option("--single-file", help="Each module with all that it needs in one file."),
    ] = False,
) -> None:
    """Compile specs into modules, NAME.py for each.

    A module holds the network's prediction, loss, gradient and update step. What all modules have
    in common is a file beside them, which they import. When one spec of several is wrong, nothing
    is written.
    """
    import symgrad
    from symgrad.compiler import write_all
    from symgrad.spec.spec import Spec
    from symgrad.targets.numba.emit import runtime_name

    refuse_duplicates([(path, Spec.load(path).name) for path in specs])
    compiled = [symgrad.compile(path, order=order.value) for path in specs]
    paths = write_all(compiled, output, single_file)
    for path in paths:
        typer.echo(f"wrote {path}")
    if not single_file:
        them = "it" if len(paths) == 1 else "them"
        typer.echo(f"and beside {them} {runtime_name()}.py, to be copied along")


def refuse_duplicates(specs: list[tuple[Path, str]]) -> None:
    """Two specs of one name would overwrite each other's module; case may not tell files apart."""
    seen: dict[str, Path] = {}
    for path, name in specs:
        if name.casefold() in seen:
            raise SpecError(
                f"{seen[name.casefold()]} and {path} would both become {name}.py; give one of them "
                "another name"
            )
        seen[name.casefold()] = path
