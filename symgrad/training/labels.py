"""labels: what classes may be called, and the arrays that hold their names outside Python.

A label goes in from a table and comes out of predictions, a record in JSON, a frozen module and an
ONNX file; one that would not come out as it was is refused before anything is trained.
"""

import math
import sys
from collections.abc import Sequence

from symgrad.training.trained import Label

# The digits of the longest integer that Python reads and writes, unless it is told otherwise.
DIGITS = sys.int_info.default_max_str_digits
_TOO_LARGE = 10**DIGITS


def problem(label: Label) -> str:
    """Why no class can be called so; empty if one can."""
    if isinstance(label, str):
        return _problem_of_text(label)
    if isinstance(label, float) and not math.isfinite(label):
        return f"{label} is no finite number"
    if isinstance(label, int) and abs(label) >= _TOO_LARGE:
        return f"an integer of more than {DIGITS:,} digits is no label; make it text"
    return ""


def _problem_of_text(label: str) -> str:
    if label.endswith("\0"):
        return f"{label!r} ends with NUL, which NumPy's arrays of text drop"
    if wrong := not_text(label):
        return f"{label!r} {wrong}"
    return ""


def not_text(text: str) -> str:
    """Why a string can't be written to a file; empty if it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return ""


def portable(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Labels as arrays can hold them: where an integer has more than 64 bits, all as digits."""
    return tuple(labels) if _dtype(labels) else tuple(map(str, labels))


def dtype_name(labels: Sequence[Label]) -> str:
    """The name of NumPy's dtype for portable labels: those of a class are of one type."""
    return _dtype(portable(labels))


def _dtype(labels: Sequence[Label]) -> str:
    """Empty if there is none."""
    match labels[0]:
        case bool():
            return "bool_"
        case str():
            return "str_"
        case float():
            return "float64"
    integers = [int(label) for label in labels]
    low, high = min(integers), max(integers)
    if low >= -(2**63) and high < 2**63:
        return "int64"
    return "uint64" if low >= 0 and high < 2**64 else ""
