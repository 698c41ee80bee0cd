"""Axes of pictures: on what scales figures lie, and the labels of their ticks."""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

# Numbers no further apart are one: no step between them could be divided by.
_FLAT = 1e-300

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power(exponent: int) -> str:
    """A power of ten: 10⁻³."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def drawable(value: float | None, log: bool = True) -> bool:
    """Whether a scale, logarithmic or not, has a place for it."""
    return value is not None and math.isfinite(value) and (value > 0 or not log)


@dataclass(frozen=True)
class Scale:
    """An axis between two ends, which are ticks; a logarithmic one has exponents as its ends."""

    low: float
    high: float
    step: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Where a value lies, the low end being 0 and the high one 1."""
        at = math.log10(value) if self.logarithmic else value
        return (at - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places and labels."""
        count = round((self.high - self.low) / self.step)
        for index in range(count + 1):
            yield index / count, self._label(self.low + index * self.step)

    def _label(self, at: float) -> str:
        if not self.logarithmic:
            return f"{round(at / self.step) * self.step:,.6g}"
        if self.low >= -3 and self.high <= 4:
            return f"{10**at:,.{max(0, -int(at))}f}"
        return power(int(at))


def log_scale(values: Iterable[float], margin: float = 0, most: int = 6) -> Scale:
    """From power of ten to power of ten; the lowest value at least the margin above the low end."""
    exponents = [math.log10(value) for value in values]
    low, high = math.floor(min(exponents) - margin), math.ceil(max(exponents))
    high = max(high, low + 1)
    step = math.ceil((high - low) / most)
    return Scale(low, low + step * math.ceil((high - low) / step), step, logarithmic=True)


def linear_scale(values: Iterable[float], most: int = 6) -> Scale:
    """Between round numbers, in steps of 1, 2 or 5 times a power of ten."""
    values = list(values)
    low, high = min(values), max(values)
    if high - low < _FLAT:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    unit: float = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step for step in (unit, 2 * unit, 5 * unit, 10 * unit) if high - low <= most * step)
    return Scale(math.floor(low / step) * step, math.ceil(high / step) * step, step, False)


@dataclass(frozen=True)
class Window:
    """An axis that ends where it is told to, with ticks at round numbers between."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """As a scale's."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places and labels."""
        scale = linear_scale((self.low, self.high), most=4)
        for at, label in scale.ticks():
            place = self.place(scale.low + at * (scale.high - scale.low))
            if 0 <= place <= 1:
                yield place, label


def scale_of(values: Iterable[float], log: bool) -> Scale:
    return log_scale(values) if log else linear_scale(values)


def by_powers(values: Collection[float]) -> bool:
    """Whether values are seen best on a scale of powers: all above zero, and of many sizes."""
    return min(values) > 0 and max(values) > 10 * min(values)
