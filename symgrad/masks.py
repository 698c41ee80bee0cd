"""Masked arrays, where no value may be missing.

NumPy's functions for arrays see what lies under a mask as if it were there; so what computes with
a caller's arrays asks here first. Emitted modules have the same for themselves.
"""

from typing import Any

from symgrad.runtime import given


def is_masked(value: Any) -> bool:
    """Whether a mask says that some of an array, or of arrays in a list, is missing."""
    return bool(given.is_masked(value))


def refuse_masked(**values: Any) -> None:
    """Raises ValueError for values, by their names, some of which are masked."""
    for name, value in values.items():
        if is_masked(value):
            raise ValueError(
                f"{name} has masked values: give numbers for them, as {name}.filled(…),"
                " or leave them out"
            )
