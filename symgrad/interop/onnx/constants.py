"""Constants of a graph: tensors as arrays, and operations among constants worked out at once."""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, rounded
from symgrad.interop.onnx.nodes import Call, type_name
from symgrad.interop.onnx.values import Constant, exact

# Nothing in a network is larger than its weights; a broadcast of constants could be.
LARGEST = 200_000_000


def tensor(proto: Any, where: str) -> Array:
    """A tensor of the file's as an array."""
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(proto)
    except (ValueError, TypeError, KeyError) as error:
        raise InteropError(f"{where}: its data do not fit its shape ({error})") from error


# What constants go through on their way into a layer, each in its own precision.
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
        shape = shape_of(call, arrays[1], arrays[0].shape)
        return Constant(_done(call, lambda: arrays[0].reshape(shape)))
    function = _FOLDED.get(node.kind)
    if function is None:
        return None
    shape = _done(call, lambda: np.broadcast_shapes(*(each.shape for each in arrays)))
    if math.prod(shape) > LARGEST:
        raise node.refusal(f"its result would be of shape {shape}, which is too large")
    if arrays[0].dtype.kind in "iu" and node.kind not in _OF_INTEGERS:
        raise node.refusal(f"it works on {arrays[0].dtype}, which it is not for")
    with np.errstate(all="ignore"):
        result = np.asarray(_done(call, lambda: function(*arrays)))
    return Constant(result.astype(arrays[0].dtype, copy=False))


_OF_INTEGERS = ("Identity", "Add", "Sub", "Mul", "Neg", "Abs")


def _cast(call: Call, array: Array) -> Constant:
    """Rounded, as the node does it: also to half precision, and to integers, towards 0."""
    target = _dtype(call, call.node.attributes["to"])
    if array.dtype.kind not in "fiubV":
        raise call.node.refusal(f"it makes {target} of {array.dtype}; understood are numbers")
    if target.kind in "iu" and array.dtype.kind not in "iub":
        least, most = np.iinfo(target).min, np.iinfo(target).max
        wide = np.trunc(array.astype(np.float64))
        if not bool(np.all((wide >= least) & (wide <= most) & (np.abs(wide) < 2.0**63))):
            raise call.node.refusal(f"numbers in it are none of {target}")
        array = wide
    with np.errstate(all="ignore"):
        return Constant(array.astype(target))


def _dtype(call: Call, number: int) -> np.dtype:
    """The dtype of one of ONNX's types; refused where NumPy has none that rounds as it does."""
    from onnx import TensorProto, helper

    name = type_name(number)
    plain = re.fullmatch(r"FLOAT|DOUBLE|FLOAT16|BFLOAT16|BOOL|U?INT(8|16|32|64)", name)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(number)) if plain else None
    known = dtype is not None and (number != TensorProto.BFLOAT16 or dtype.itemsize == 2)
    if dtype is None or not known:
        raise call.node.refusal(f"it makes {name} of constants, which is not understood")
    return dtype


def shape_of(call: Call, target: Array, before: tuple[int | None, ...]) -> list[int | None]:
    """The shape that a Reshape asks for: 0 keeps an axis, unless allowzero says that it means 0."""
    if target.dtype.kind not in "iu" or target.ndim != 1:
        raise call.node.refusal(f"its shape is {target.dtype} of {target.ndim} axes, not integers")
    shape: list[int | None] = []
    for axis, extent in enumerate(target.tolist()):
        kept = extent == 0 and not call.node.attributes.get("allowzero", 0)
        if kept and axis >= len(before):
            raise call.node.refusal(f"it keeps axis {axis}, which is not there")
        shape.append(before[axis] if kept else extent)
    return shape


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
    array = constant.wide
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
