"""Arguments and options that several commands share, and how a command has them as one value."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer


class Order(StrEnum):
    """In which order the sums of the derivative are formed."""

    LOSS_FIRST = "loss-first"
    WEIGHTS_FIRST = "weights-first"
    CHEAPEST = "cheapest"


SpecArgument = Annotated[
    Path, typer.Argument(metavar="SPEC", help="A spec file, .toml or .json.", show_default=False)
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="The folder of a training run, or the weights file in it.",
        show_default=False,
    ),
]
TermOption = Annotated[
    str | None,
    typer.Option("--term", metavar="NAME", help="Of a loss that is a sum of terms: which of them."),
]
OrderOption = Annotated[
    Order,
    typer.Option(
        "--order",
        help="Order of the derivative's sums: from the loss (backpropagation), from the weights "
        "(forward mode), or whichever costs least.",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Everything random comes from this number.")
]

Options = TypeVar("Options")


def with_options(
    options: type[Options],
) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Makes a command, which Typer calls with its options one by one, of a function of one value:
    of the dataclass `options`, whose fields are the options."""

    def decorated(function: Callable[[Options], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            function(options(**given))

        command.__doc__ = function.__doc__
        command.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
        return command

    return decorated
