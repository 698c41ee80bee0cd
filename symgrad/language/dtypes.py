"""The dtypes, and what numbers they hold."""

from fractions import Fraction
from typing import Literal, TypeAlias

Dtype: TypeAlias = Literal["float32", "float64"]

# The bits of a number, and the exponents of the smallest and the largest that has all of them.
_LAYOUT: dict[Dtype, tuple[int, int, int]] = {
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}

# How many bits a factor may lose that is below the smallest number with all of them.
_SPARE = 3


def misfit(value: Fraction | float, dtype: Dtype, factor: bool = False) -> str:
    """Why a constant is no number of a dtype, in words that follow "is"; nothing where it is one.

    One that would become 0 or infinite is none. Below the smallest normal number others lose
    digits: added to something, as any sum does; but a factor's are lost in every product, as in
    float32 1e-40 becomes 0.999995e-40.
    """
    bits, least, most = _LAYOUT[dtype]
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)  # as written
    if abs(exact) >= Fraction(2) ** (most + 1) - Fraction(2) ** (most - bits):
        return f"too large for a {dtype}"
    last = Fraction(2) ** (least - bits + 1)
    kept = round(exact / last) * last if abs(exact) < Fraction(2) ** least else exact
    if exact and not kept:
        return f"too small for a {dtype}"
    if factor and abs(kept - exact) > abs(exact) / 2 ** (bits - _SPARE):
        return f"too small for a {dtype} to have all its digits"
    return ""


def remedy(dtype: Dtype) -> str:
    """What to do about it, in words that end a message."""
    return '; dtype = "float64" has room for more' if dtype == "float32" else ""
