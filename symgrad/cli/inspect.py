"""`symgrad inspect`: what the compiler makes of a spec, stage by stage."""

from enum import StrEnum
from typing import Annotated

import typer

from symgrad.cli.options import Order, OrderOption, SpecArgument


class Stage(StrEnum):
    """The passes of the compiler, in their order; `gradient` is what they come to."""

    SPEC = "spec"
    EXPAND = "expand"
    STABILIZE = "stabilize"
    SHARE = "share"
    DIFFERENTIATE = "differentiate"
    FACTOR = "factor"
    GRADIENT = "gradient"
    SCHEDULE = "schedule"
    UPDATE = "update"
    SOURCE = "source"


class Format(StrEnum):
    """How equations are written."""

    UNICODE = "unicode"
    LATEX = "latex"
    SYMPY = "sympy"
    JSON = "json"


def inspect_command(
    spec: SpecArgument,
    stage: Annotated[
        Stage, typer.Option("--stage", help="After which pass of the compiler to look.")
    ] = Stage.GRADIENT,
    format: Annotated[
        Format, typer.Option("--format", help="How to write the equations.")
    ] = Format.UNICODE,
    order: OrderOption = Order.LOSS_FIRST,
) -> None:
    """Show the equations after a stage of the compiler."""
    import symgrad
    from symgrad.compiler.inspect import view

    compiled = symgrad.compile(spec, order=order.value)
    typer.echo(view(compiled, stage.value, format.value).rstrip("\n"))
