"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
