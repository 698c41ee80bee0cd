"""Operations among constants, worked out at once; and among sizes, as far as they are known."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.interop.network import Array
from symgrad.interop.onnx.constants import tensor
from symgrad.interop.onnx.nodes import Call, type_name
from symgrad.interop.onnx.values import Constant, Sizes

# Nothing in a network is larger than its weights; a broadcast of constants could be.
LARGEST = 200_000_000

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


# What else is worked out, as the standard's own evaluator does it: of each number, and of numbers
# that are broadcast to each other; and what makes no more numbers than it is given.
# fmt: off
_BROADCAST = frozenset([
    "And", "Ceil", "Clip", "Equal", "Erf", "Floor", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "Max", "Mean", "Min", "Mod", "Not", "Or", "Relu", "Round", "Sigmoid", "Sign",
    "Softplus", "Sum", "Tanh", "Where",
])
_EVALUATED = _BROADCAST | frozenset([
    "Concat", "Flatten", "Gather", "MatMul", "ReduceL1", "ReduceL2", "ReduceLogSumExp",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Slice",
    "Squeeze", "Unsqueeze",
])
# fmt: on


def fold(call: Call) -> Constant | None:
    """The result of an operation on constants alone; None for one that is not worked out here."""
    given = [each for each in call.operands if each is not None]
    constants = [each for each in given if isinstance(each, Constant)]
    if len(constants) < len(given) or not constants:
        return None
    result = _result(call, [each.array for each in constants])
    if result is None or not any(isinstance(each, Sizes) for each in constants):
        return None if result is None else Constant(result)
    others = [each.other if isinstance(each, Sizes) else each.array for each in constants]
    other = _result(call, others)
    assert other is not None
    return Constant(result) if np.array_equal(result, other) else Sizes(result, other)


def _result(call: Call, arrays: list[Array]) -> Array | None:
    node = call.node
    if node.kind == "Transpose":
        axes = node.attributes.get("perm")
        return np.asarray(_done(call, lambda: np.transpose(arrays[0], axes)))
    if node.kind == "Cast":
        return _cast(call, arrays[0])
    if node.kind == "Reshape" and len(arrays) == 2:
        shape = shape_of(call, arrays[1], arrays[0].shape)
        return np.asarray(_done(call, lambda: arrays[0].reshape(shape)))
    if node.kind == "ConstantOfShape":
        return _filled(call, arrays[0])
    if node.kind == "Expand" and len(arrays) == 2:
        return _expanded(call, *arrays)
    if node.kind in _EVALUATED:
        return _evaluated(call, arrays)
    function = _FOLDED.get(node.kind)
    if function is None:
        return None
    shape = _done(call, lambda: np.broadcast_shapes(*(each.shape for each in arrays)))
    _check_size(call, shape)
    if arrays[0].dtype.kind in "iu" and node.kind not in _OF_INTEGERS:
        raise node.refusal(f"it works on {arrays[0].dtype}, which it is not for")
    with np.errstate(all="ignore"):
        result = np.asarray(_done(call, lambda: function(*arrays)))
    return result.astype(arrays[0].dtype, copy=False)


def _check_size(call: Call, shape: Sequence[int]) -> None:
    if math.prod(shape) > LARGEST:
        raise call.node.refusal(f"its result would be of shape {shape}, which is too large")


def _filled(call: Call, shape: Array) -> Array:
    """One number for all of a shape: it is broadcast to that where it is used."""
    value = call.node.attributes.get("value")
    number = np.zeros(1, np.float32) if value is None else tensor(value, call.node.where)
    return number.reshape((1,) * shape.size)


def _expanded(call: Call, array: Array, shape: Array) -> Array:
    """Broadcast to a shape: over the samples, which come first of two axes, when it is used."""
    extents = shape.ravel().tolist()
    if len(extents) == 2 and array.ndim <= 2 and (array.ndim < 2 or array.shape[0] == 1):
        extents[0] = 1
    _check_size(call, extents)
    target = _done(call, lambda: np.broadcast_shapes(array.shape, tuple(extents)))
    return np.broadcast_to(array, target)


def _evaluated(call: Call, arrays: list[Array]) -> Array:
    from onnx.reference import ReferenceEvaluator

    node = call.node
    shapes = [each.shape for each in arrays]
    if node.kind in _BROADCAST:
        _check_size(call, _done(call, lambda: np.broadcast_shapes(*shapes)))
    if node.kind in ("Gather", "MatMul"):
        _check_size(call, (*shapes[0][:-1], *shapes[-1]))
    names = [name for name in node.inputs if name]
    given = dict(zip(names, arrays, strict=True))

    def run() -> Any:
        return ReferenceEvaluator(node.proto, opsets={"": call.opset}).run(None, given)[0]

    with np.errstate(all="ignore"):
        return np.asarray(_done(call, run))


_OF_INTEGERS = ("Identity", "Add", "Sub", "Mul", "Neg", "Abs")


def _cast(call: Call, array: Array) -> Array:
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
        return array.astype(target)


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
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise call.node.refusal(f"its constants do not fit each other ({error})") from error
