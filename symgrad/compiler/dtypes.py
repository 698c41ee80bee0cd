"""The dtypes, and what numbers they hold."""

from fractions import Fraction
from typing import Literal, TypeAlias

Dtype: TypeAlias = Literal["float32", "float64"]

# The bits of a number, and the exponents of the smallest and the largest that has all of them.
_LAYOUT: dict[Dtype, tuple[int, int, int]] = {
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}

# How many bits a number may lose that is below the smallest with all of them.
_SPARE = 3


def misfit(value: Fraction | float, dtype: Dtype) -> str:
    """Why a constant is no number of a dtype, in words that follow "is"; nothing where it is one.

    One that would become 0 or infinite is none, nor one that would lose digits: 1e-40 would become
    0.999995e-40 in float32.
    """
    bits, least, most = _LAYOUT[dtype]
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)  # as written
    if abs(exact) >= Fraction(2) ** (most + 1) - Fraction(2) ** (most - bits):
        return f"too large for a {dtype}"
    last = Fraction(2) ** (least - bits + 1)
    if abs(exact) < Fraction(2) ** least:
        if abs(round(exact / last) * last - exact) > abs(exact) / 2 ** (bits - _SPARE):
            return f"too small for a {dtype}"
    return ""


def remedy(dtype: Dtype) -> str:
    """What to do about it, in words that end a message."""
    return '; dtype = "float64" has room for more' if dtype == "float32" else ""
