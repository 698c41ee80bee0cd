"""`symgrad check`: an emitted gradient against oracles that share no code with the compiler."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from symgrad.cli.options import Order, OrderOption, SeedOption, SpecArgument

if TYPE_CHECKING:
    from symgrad.checking.check import Report
    from symgrad.compiler import Compiled


def check_command(
    spec: SpecArgument,
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="How many random samples to check on.")
    ] = 3,
    seed: SeedOption = 0,
    order: OrderOption = Order.LOSS_FIRST,
    bits: Annotated[
        bool, typer.Option("--bits", help="Print hashes of results, to compare machines by.")
    ] = False,
) -> None:
    """Check the gradient; exit with 1 if it is wrong.

    The emitted gradient, at random weights and samples, against oracles that share no code with the
    compiler: SymPy on scalars for small networks, the complex step, and finite differences. With
    --bits, hashes instead: they are the same on every machine, whatever its processor and threads.
    """
    import symgrad
    from symgrad.checking.check import check

    compiled = symgrad.compile(spec, order=order.value)
    if bits:
        show_bits(compiled)
        return
    report = check(compiled.spec.normalised(), compiled.module, samples, seed)
    show(report)
    if not report.passed:
        raise typer.Exit(1)


def show_bits(compiled: "Compiled") -> None:
    """The hashes, and the version of the arithmetic that they are of."""
    from symgrad.checking.bits import bits
    from symgrad.lowering.arithmetic import VERSION

    found = bits(compiled.module)
    typer.echo(f"{compiled.spec.name}, {compiled.spec.dtype}, arithmetic version {VERSION}")
    typer.echo(f"prediction  {found.prediction}")
    typer.echo(f"loss        {found.loss}")
    typer.echo(f"gradient    {found.gradient}")
    typer.echo(f"100 steps   {found.steps}")


def show(report: "Report") -> None:
    """A table with the largest error of each weight array by each oracle, and the verdicts."""
    from rich.console import Console
    from rich.table import Table

    typer.echo(f"{report.name}, {report.dtype}, {report.samples} samples, loss {report.loss:.6g}")
    oracles = [verdict.oracle for verdict in report.verdicts if verdict.compared]
    table = Table("weights", "shape", "largest ∂E", *oracles, "", box=None, pad_edge=False)
    for column in table.columns[2 : 3 + len(oracles)]:
        column.justify = "right"
    for row in report.rows:
        shape = " × ".join(map(str, row.shape))
        errors = [_error(row.errors.get(oracle, math.nan)) for oracle in oracles]
        table.add_row(row.name, shape, f"{row.largest:.3g}", *errors, _word(row.passed))
    if report.rows:
        Console(soft_wrap=True, highlight=False).print(table)
        typer.echo("errors are relative to the gradient's largest entry; the limit is "
                   f"{report.tolerance:g}")  # fmt: skip
    for verdict in report.verdicts:
        line = f"{verdict.oracle}: "
        if verdict.compared:
            line += (
                f"{_word(verdict.passed)}, {verdict.compared:,} derivatives compared, "
                f"error {_error(verdict.error)}, of the loss {_error(verdict.loss_error)}"
            )
        if verdict.skipped:
            line += f"; {verdict.skipped:,} {verdict.note}"
        elif verdict.note:
            line += verdict.note
        typer.echo(line)
    if report.shrinking is not None:
        typer.echo(f"error of plain differences shrinks as h²: {_word(report.shrinking.passed)}")
    for each in report.derivatives:
        typer.echo(f"{each.name}: {_word(each.passed)}, error {_error(each.error)}")
    if report.note:
        typer.echo(report.note)
    typer.echo("passed" if report.passed else "FAILED")


def _error(error: float) -> str:
    return "–" if math.isnan(error) else f"{error:.1e}"


def _word(passed: bool) -> str:
    return "ok" if passed else "WRONG"
