"""Constants of a graph: tensors as arrays, and operations among constants worked out at once."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, rounded
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import Constant, exact

# Nothing in a network is larger than its weights; a broadcast of constants could be.
LARGEST = 200_000_000


def tensor(proto: Any, where: str) -> Array:
    """A tensor of the file's as an array; half precision is widened to float32."""
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(proto)
    except (ValueError, TypeError, KeyError) as error:
        raise InteropError(f"{where}: its data do not fit its shape ({error})") from error
    return widened(array)


def widened(array: Array) -> Array:
    """float16 and bfloat16 as float32, which holds each of their numbers."""
    if array.dtype == np.float16 or array.dtype.name == "bfloat16":
        return rounded(array, "float32")
    return array


# What constants go through on their way into a layer.
_FOLDED: Mapping[str, Callable[..., Any]] = {
    "Identity": lambda a: a,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": np.reciprocal,
    "Pow": np.power,
}


def fold(call: Call) -> Constant | None:
    """The result of an operation on constants alone; None for one that is not worked out here."""
    node = call.node
    arrays = [each.array for each in call.operands if isinstance(each, Constant)]
    if len(arrays) < len(call.operands) or not arrays:
        return None
    if node.kind == "Transpose":
        axes = node.attributes.get("perm")
        return Constant(_done(call, lambda: np.transpose(arrays[0], axes)))
    if node.kind == "Cast":
        return _cast(call, arrays[0])
    if node.kind == "Reshape" and len(arrays) == 2:
        return Constant(_done(call, lambda: arrays[0].reshape(arrays[1].tolist())))
    function = _FOLDED.get(node.kind)
    if function is None:
        return None
    shape = _done(call, lambda: np.broadcast_shapes(*(each.shape for each in arrays)))
    if math.prod(shape) > LARGEST:
        raise node.refusal(f"its result would be of shape {shape}, which is too large")
    with np.errstate(all="ignore"):
        result = np.asarray(_done(call, lambda: function(*arrays)))
    return Constant(result.astype(arrays[0].dtype, copy=False))


def _cast(call: Call, array: Array) -> Constant | None:
    from onnx import TensorProto

    target = call.node.attributes["to"]
    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if target == TensorProto.DOUBLE:
        return Constant(array.astype(np.float64))
    if target == TensorProto.FLOAT or target in halves:
        return Constant(array.astype(np.float32))
    return Constant(array.astype(np.int64)) if target == TensorProto.INT64 else None


def _done(call: Call, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (ValueError, TypeError) as error:
        raise call.node.refusal(f"its constants do not fit each other ({error})") from error


# ---- Constants that meet what flows --------------------------------------------------------------


def scalar(call: Call, constant: Constant) -> Fraction | None:
    """The number that a constant of one element is; None for one of several.

    Raises InteropError if it is not finite, or would raise the rank of what it meets.
    """
    array = constant.array
    if array.size != 1 or array.ndim > 2:
        return None
    if array.dtype.kind not in "fiu":
        raise call.node.refusal(f"a constant of {array.dtype} has no place in a network")
    value = array.reshape(()).item()
    if not math.isfinite(value):
        raise call.node.refusal(f"the constant {value} is not finite")
    return exact(value, array.dtype)


def vector(call: Call, constant: Constant, width: int | None) -> Array:
    """A constant that holds a number for each of `width` features, in float64, shape (width,)."""
    array = constant.array
    flat = array.ndim == 1 or (array.ndim == 2 and array.shape[0] == 1)
    if not flat or (width is not None and array.size != width):
        expected = "features" if width is None else f"{width} features"
        raise call.node.refusal(
            f"a constant of shape {array.shape} has no number for each of the {expected}"
        )
    if array.dtype.kind not in "fiu":
        raise call.node.refusal(f"a constant of {array.dtype} has no place in a network")
    return rounded(array.reshape(-1), "float64")
