"""Constants of a graph: tensors as arrays, and as the numbers that meet what flows."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, rounded
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import Constant, exact


def tensor(proto: Any, where: str) -> Array:
    """A tensor of the file's as an array."""
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(proto)
    except (ValueError, TypeError, KeyError) as error:
        raise InteropError(f"{where}: its data do not fit its shape ({error})") from error


def scalar(call: Call, constant: Constant) -> Fraction | None:
    """The number that a constant of one element is; None for one of several.

    Raises InteropError if it is not finite, or would raise the rank of what it meets.
    """
    array = constant.wide
    if array.size != 1 or array.ndim > 2:
        return None
    if array.dtype.kind not in "fiu":
        raise call.node.refusal(f"a constant of {array.dtype} has no place in a network")
    value = array.reshape(()).item()
    if not math.isfinite(value):
        raise call.node.refusal(f"the constant {value} is not finite")
    return exact(value, array.dtype)


def one_number(call: Call, constant: Constant) -> Fraction | None:
    """The number that all elements of a constant are; None where they differ."""
    flat = constant.wide.ravel()
    alike = flat.size > 1 and flat.dtype.kind == "f" and bool(np.all(flat == flat[0]))
    return scalar(call, Constant(flat[:1]) if alike else constant)


def vector(call: Call, constant: Constant, width: int | None) -> Array:
    """A constant that holds a number for each of `width` features, in float64, shape (width,)."""
    array = constant.wide
    flat = array.ndim == 1 or (array.ndim == 2 and array.shape[0] == 1)
    if not flat or (width is not None and array.size != width):
        expected = "features" if width is None else f"{width} features"
        raise call.node.refusal(
            f"a constant of shape {array.shape} has no number for each of the {expected}"
        )
    if array.dtype.kind not in "fiu":
        raise call.node.refusal(f"a constant of {array.dtype} has no place in a network")
    return rounded(array.reshape(-1), "float64")
