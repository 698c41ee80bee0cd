"""`symgrad inspect`: what the compiler makes of a spec, stage by stage."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from symgrad.cli.options import Order, OrderOption, SpecArgument, TermOption
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.compiler import Compiled


class Stage(StrEnum):
    """The passes of the compiler, in their order; `gradient` is what they come to, and `program`
    another name for it."""

    SPEC = "spec"
    EXPAND = "expand"
    STABILIZE = "stabilize"
    SHARE = "share"
    DIFFERENTIATE = "differentiate"
    FACTOR = "factor"
    GRADIENT = "gradient"
    PROGRAM = "program"
    SCHEDULE = "schedule"
    UPDATE = "update"
    SOURCE = "source"


class Format(StrEnum):
    """How equations are written, or that they are drawn: as text for Graphviz, or as a picture."""

    UNICODE = "unicode"
    LATEX = "latex"
    SYMPY = "sympy"
    JSON = "json"
    DOT = "dot"
    SVG = "svg"


_DRAWN = (Format.DOT, Format.SVG)


def inspect_command(
    spec: SpecArgument,
    stage: Annotated[
        Stage,
        typer.Option(
            "--stage",
            help="After which pass of the compiler to look; program is the same as gradient.",
        ),
    ] = Stage.GRADIENT,
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="How to write the equations; or dot (for Graphviz) and svg, which draw them.",
        ),
    ] = Format.UNICODE,
    order: OrderOption = Order.LOSS_FIRST,
    term: TermOption = None,
) -> None:
    """Show the equations after a stage of the compiler, or draw who reads what."""
    import symgrad

    compiled = symgrad.compile(spec, order=order.value).of_term(term)
    if format in _DRAWN:
        written = _drawn(compiled, stage, format)
    else:
        from symgrad.inspect import view

        written = view(compiled, stage.value, format.value)
    typer.echo(written.rstrip("\n"))


def _drawn(compiled: "Compiled", stage: Stage, format: Format) -> str:
    """The picture of a stage that is a program, or of the partial derivatives."""
    from symgrad import showing
    from symgrad.inspect import stage_of
    from symgrad.language.program import Program
    from symgrad.passes.differentiate import DerivativeGraph

    value = stage_of(compiled, stage.value)
    if not isinstance(value, Program | DerivativeGraph):
        raise SymgradError(
            f"no picture of the stage {stage.value!r}: it is no program; look at it with --format"
            " unicode or json"
        )
    return showing.dot(value) if format == Format.DOT else showing.svg(value)
