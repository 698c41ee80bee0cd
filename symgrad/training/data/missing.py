"""Missing values: refused, their samples dropped, or left to be filled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgrad.errors import DataError
from symgrad.training.caller import argument
from symgrad.training.data.table import SHOWN, Place, counted
from symgrad.training.module import Array

WAYS = ("refuse", "drop", "mean")


@dataclass(frozen=True)
class Gaps:
    """The missing values of a column: `mask`, of shape (rows,), is true where one is missing."""

    name: str
    mask: Array

    @property
    def count(self) -> int:
        return int(self.mask.sum())

    def __str__(self) -> str:
        return f"{self.count:,} in column {self.name!r}"


def check_way(missing: str) -> None:
    """DataError if this is no way to treat missing values."""
    if missing not in WAYS:
        raise DataError(f"missing values: {missing!r} is none of {', '.join(WAYS)}")


def refuse(place: Place, gaps: Sequence[Gaps], ways_out: str) -> None:
    """One DataError for all columns with missing values, if there are any."""
    holes = [gap for gap in gaps if gap.count]
    if not holes:
        return
    found = [f"{gap} (first in {place.row(int(np.argmax(gap.mask)))})" for gap in holes[:SHOWN]]
    more = f", and in {len(holes) - SHOWN} columns more" if len(holes) > SHOWN else ""
    raise DataError(f"{place.source}: missing values: {', '.join(found)}{more}; {ways_out}")


def to_train() -> str:
    drop, mean = (argument("missing", way) for way in ("drop", "mean"))
    return (
        f"{drop} leaves out their samples; {mean} fills inputs with their mean in the training "
        "part, and leaves out samples without a target or weight"
    )


def to_predict() -> str:
    return (
        "the network was trained without missing inputs; train it with "
        f"{argument('missing', 'mean')} to have them filled, or leave these samples out"
    )


def kept(
    place: Place, inputs: Sequence[Gaps], others: Sequence[Gaps], missing: str
) -> tuple[Array, tuple[str, ...]]:
    """The rows that stay, and notes: what was dropped, and what is to be filled in which column.

    `inputs` may be filled, `others` (targets and the weight) may not. DataError if missing values
    are to be refused, or if they leave nothing to learn from.
    """
    if missing == "refuse":
        refuse(place, [*inputs, *others], to_train())
    dropping = [
        gap for gap in ([*others] if missing == "mean" else [*inputs, *others]) if gap.count
    ]
    rows = len((*inputs, *others)[0].mask)
    stays = np.ones(rows, dtype=bool)
    for gap in dropping:
        stays &= ~gap.mask
    if not stays.any():
        raise DataError(
            f"{place.source}: no sample is without missing values: "
            f"{', '.join(map(str, dropping[:SHOWN]))}, of {counted(rows, 'row')}"
        )
    notes = []
    if dropping:
        notes.append(
            f"{rows - stays.sum():,} of {counted(rows, 'row')} dropped for missing values: "
            + ", ".join(map(str, dropping))
        )
    for gap in inputs if missing == "mean" else ():
        left = int(gap.mask[stays].sum())
        if left == stays.sum():
            raise DataError(
                f"{place.column(gap.name)}: all values are missing, so they have no mean; "
                "leave the column out"
            )
        if left:
            notes.append(
                f"{counted(left, 'missing value')} in column {gap.name!r}, filled with the mean of "
                "the training part"
            )
    return np.flatnonzero(stays), tuple(notes)
