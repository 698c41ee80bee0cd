"""affine: what a file does to each column before and after a network, as a spec's scaling has it.

    a0 = factor·x + offset          shift = -offset/factor,  scale = 1/factor    of inputs
    y = factor·a + offset           scale = factor,          shift = offset      of outputs

Steps are put together in fractions, exactly; only the spec's numbers are rounded, once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from symgrad.interop.errors import InteropError

# The lowest and the highest value that a column may have; infinite where there is no such.
Range: TypeAlias = tuple[float, float]
EVERYWHERE: Range = (-math.inf, math.inf)

# A clip has both ends: where a file has one of them, or none for this column, this is the other.
_FAR = 1.7976931348623157e308


@dataclass(frozen=True)
class Affine:
    """factor·v + offset of a column v."""

    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def plus(self, number: float) -> "Affine":
        return Affine(self.factor, self.offset + exact(number))

    def times(self, number: float) -> "Affine":
        return Affine(self.factor * exact(number), self.offset * exact(number))

    def over(self, number: float) -> "Affine":
        if number == 0:
            raise InteropError("a column is divided by 0")
        return Affine(self.factor / exact(number), self.offset / exact(number))

    def undone(self) -> "Affine":
        """The map that leads back."""
        if self.factor == 0:
            raise InteropError("a column is multiplied by 0, which nothing undoes")
        return Affine(1 / self.factor, -self.offset / self.factor)

    def then(self, other: "Affine") -> "Affine":
        """The other one after this one."""
        return Affine(self.factor * other.factor, self.offset * other.factor + other.offset)

    def at(self, value: float) -> float:
        """The map's value; an infinite one stays so."""
        if math.isinf(value):
            return value if self.factor > 0 else -value
        return rounded(self.factor * exact(value) + self.offset)


IDENTITY = Affine()


def exact(number: float) -> Fraction:
    """A number as a fraction; refuses infinities and NaN."""
    if not math.isfinite(number):
        raise InteropError(f"what scales a column must be finite, not {number}")
    return Fraction(number)


def rounded(fraction: Fraction) -> float:
    try:
        return float(fraction)
    except OverflowError:
        raise InteropError("what scales a column is more than a float64 can hold") from None


def of_inputs(maps: Sequence[Affine], ranges: Sequence[Range] = ()) -> dict[str, Any]:
    """shift, scale and clip of a spec's inputs; `ranges` are those of x, before it is scaled."""
    for place, each in enumerate(maps):
        if each.factor == 0:
            raise InteropError(f"input {place} is multiplied by 0: leave it out of the network")
    shift = [rounded(-each.offset / each.factor) for each in maps]
    return _table(shift, [rounded(1 / each.factor) for each in maps], ranges)


def of_outputs(maps: Sequence[Affine], ranges: Sequence[Range] = ()) -> dict[str, Any]:
    """shift, scale and clip of a spec's outputs; `ranges` are those of y, after it was scaled."""
    shift, scale = ([rounded(getattr(each, key)) for each in maps] for key in ("offset", "factor"))
    return _table(shift, scale, ranges)


def _table(
    shift: Sequence[float], scale: Sequence[float], ranges: Sequence[Range]
) -> dict[str, Any]:
    """What is done to every column alike is said once, what does nothing not at all."""
    table: dict[str, Any] = {}
    if any(shift):
        table["shift"] = _once([number + 0.0 for number in shift])  # no -0.0
    if any(number != 1 for number in scale):
        table["scale"] = _once(scale)
    if any(map(math.isfinite, sum(ranges, ()))):
        table["clip"] = _once([[max(low, -_FAR), min(high, _FAR)] for low, high in ranges])
    return table


def _once(numbers: Sequence[Any]) -> Any:
    return numbers[0] if all(each == numbers[0] for each in numbers) else list(numbers)
