"""`symgrad train`: fit a network to a data file and store its weights."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symgrad.cli.options import SeedOption, SpecArgument
from symgrad.errors import DataError

if TYPE_CHECKING:
    from symgrad.training.train import Epoch, Figures, Result


class Optimizer(StrEnum):
    ADAM = "adam"
    SGD = "sgd"


def train_command(
    spec: SpecArgument,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Samples, .csv or .npz.", show_default=False),
    ],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training samples.")] = 50,
    batch: Annotated[int, typer.Option(min=1, help="At most so many samples a step.")] = 32,
    rate: Annotated[
        float | None,
        typer.Option(help="Size of a step.", show_default="0.001 for adam, 0.05 for sgd"),
    ] = None,
    optimizer: Annotated[
        Optimizer, typer.Option(help="How a gradient becomes a step.")
    ] = Optimizer.ADAM,
    seed: SeedOption = 0,
    test_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of the samples set aside for the test figures."),
    ] = 0.2,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="A target column of a CSV file; repeat it for several.",
            show_default="the last columns",
        ),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            help="The column (CSV) or array (NPZ) of sample weights, for a spec that takes them.",
            show_default="array w, or 1 each",
        ),
    ] = None,
    standardize: Annotated[
        bool, typer.Option(help="Shift and scale each input to mean 0 and deviation 1.")
    ] = True,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where the weights go.")
    ] = Path("weights.npz"),
) -> None:
    """Train a network and store its weights.

    Inputs are the columns of a CSV file but the last, or array x of an NPZ file; a column with the
    name or number of a class becomes one target for each class.
    """
    if output.is_dir():
        raise DataError(f"{output} is a folder; -o names the file for the weights")
    if output.exists() and data.exists() and output.samefile(data):
        raise DataError(f"the weights would overwrite the data, {data}; name another file with -o")

    import symgrad
    from symgrad.training.data import read
    from symgrad.training.train import save, train

    module = symgrad.compile(spec).module
    samples = read(data, module.SPEC, target or (), weight)
    with _progress(epochs) as on_epoch:
        start = time.perf_counter()
        result = train(
            module,
            samples,
            epochs=epochs,
            batch=batch,
            rate=rate,
            optimizer=optimizer.value,
            seed=seed,
            test_share=test_share,
            standardize=standardize,
            on_epoch=on_epoch,
        )
        seconds = time.perf_counter() - start
    _report(result, seconds)
    typer.echo(f"weights: {save(output, module, result)}")
    if result.stopped:
        typer.echo(f"error: {result.stopped}", err=True)
        raise typer.Exit(1)


@contextmanager
def _progress(epochs: int) -> Iterator[Callable[["Epoch"], None]]:
    """A bar on stderr, if that is a terminal, which vanishes at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda epoch: None
        return
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("epochs, {task.description}")
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("compiling", total=epochs)

        def on_epoch(epoch: "Epoch") -> None:
            bar.update(task, completed=epoch.number, description=f"loss {epoch.train.loss:.4g}")

        yield on_epoch


def _report(result: "Result", seconds: float) -> None:
    """The figures of the last epoch, one line for training and one for test samples."""
    from rich.console import Console
    from rich.table import Table

    last = result.last
    table = Table("", "samples", "loss", _name(last.train), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for part, figures in (("train", last.train), ("test", last.test)):
        if figures is not None:
            table.add_row(part, f"{figures.samples:,}", f"{figures.loss:.6g}", _value(figures))
    typer.echo(f"{last.number:,} epochs, {result.steps:,} steps, {seconds:.1f} s")
    Console(soft_wrap=True).print(table)


def _name(figures: "Figures") -> str:
    return "RMSE" if figures.accuracy is None else "accuracy"


def _value(figures: "Figures") -> str:
    return f"{figures.rmse:.6g}" if figures.accuracy is None else f"{figures.accuracy:.2%}"
