"""Axes: operations that change nothing but how a sample's numbers are laid out.

A row of features is what layers take and give. What has other axes than samples by features is kept
as `Shaped`: numbers may be put through functions of each number meanwhile, as images are that are
scaled and then flattened.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from symgrad.interop.onnx.constant_folding import shape_of
from symgrad.interop.onnx.linear import width_of
from symgrad.interop.onnx.nodes import Call, type_name
from symgrad.interop.onnx.values import (
    SAMPLES,
    Column,
    Condition,
    Constant,
    Expression,
    Features,
    Settled,
    Shaped,
    Sizes,
    Value,
)


def identity(call: Call, settled: Settled) -> Value:
    """What comes in."""
    return call.operand(0)


def dropout(call: Call, settled: Settled) -> Value:
    """In inference nothing is dropped."""
    mode = call.optional(2)
    if mode is not None and not (isinstance(mode, Constant) and not mode.array.any()):
        raise call.node.refusal("it is in training mode; understood is inference")
    return call.operand(0)


# ---- Between rows and other shapes ---------------------------------------------------------------


def shape(call: Call, settled: Settled) -> Value:
    """The extents of what comes in, as a constant; how many samples there are may be open."""
    _, axes = _parts(call.operand(0))
    if None in axes:
        raise call.node.refusal("the file does not say how many features come in")
    start, end = (call.node.attributes.get(name) for name in ("start", "end"))
    one, other = (
        np.array([call.batch or samples, *axes], np.int64)[start:end] for samples in SAMPLES
    )
    return Constant(one) if np.array_equal(one, other) else Sizes(one, other)


def flatten(call: Call, settled: Settled) -> Value:
    """All axes from the second on become one."""
    inner, axes = _parts(call.operand(0))
    axis = call.node.attributes.get("axis", 1)
    if axis not in (1, -len(axes)):
        raise call.node.refusal(f"axis = {axis} joins samples with features; understood is axis 1")
    return inner


def reshape(call: Call, settled: Settled) -> Value:
    """To any shape that leaves the samples apart."""
    inner, axes = _parts(call.operand(0))
    given, width = call.operand(1), width_of(inner)
    if not isinstance(given, Constant):
        raise _changed(call, width, "another that is not constant")
    target = given.extents() if isinstance(given, Sizes) else given.array.tolist()
    asked = shape_of(call, given.array, (0, *axes)) if not isinstance(given, Sizes) else target
    rows, *rest = asked or [0]
    kept = rows in (0, None, call.batch)
    none = call.node.attributes.get("allowzero", 0) and 0 in target
    if kept and rest in ([-1], [width]) and not none:
        return inner  # also of a width that is not known
    if kept and rest.count(-1) == 1 and width is not None:
        others = prod(each or 1 for each in rest if each != -1)
        rest = [width // max(others, 1) if each == -1 else each for each in rest]
    if asked == [-1, 1] and width is not None and width > 1:
        return Column(inner)  # as skl2onnx ends a regression of several outputs
    known = [each for each in rest if each is not None]
    if none or len(known) < len(rest) or not (kept or rows == -1) or prod(known) != width:
        raise _changed(call, width, tuple("samples" if each is None else each for each in target))
    return laid_out(inner, tuple(known))


def _changed(call: Call, width: int | None, shown: Any) -> Exception:
    return call.node.refusal(
        f"it changes the shape (samples, {width or 'features'}) to {shown};"
        " understood is one that leaves the samples apart"
    )


def squeeze(call: Call, settled: Settled) -> Value:
    """Without axes of length 1, but not that of the samples."""
    inner, shape = _parts(call.operand(0))
    wanted = _axes(call, len(shape) + 1)
    kept: list[int | None] = [
        extent
        for axis, extent in enumerate(shape, start=1)
        if (extent != 1 if wanted is None else axis not in wanted)
    ]
    ones = all(shape[axis - 1] == 1 for axis in wanted or () if axis)
    if (wanted is not None and 0 in wanted) or not ones or None in kept:
        raise call.node.refusal(f"it takes the axes {wanted} from (samples, *{shape}), which stay")
    return laid_out(inner, tuple(each for each in kept if each is not None))


def unsqueeze(call: Call, settled: Settled) -> Value:
    """With axes of length 1, after that of the samples."""
    inner, shape = _parts(call.operand(0))
    wanted = _axes(call, 0)
    if wanted is None or None in shape:
        raise call.node.refusal("its axes are not constant, or the width is not known")
    rank = len(shape) + 1 + len(wanted)
    places = {axis % rank for axis in wanted}
    if 0 in places:
        raise call.node.refusal("it puts an axis before the samples; understood are later ones")
    given = iter(shape)
    return laid_out(inner, tuple(1 if axis in places else next(given) for axis in range(1, rank)))  # type: ignore[misc]


def _axes(call: Call, rank: int) -> tuple[int, ...] | None:
    """Squeeze's or Unsqueeze's axes, counted from 0 where a rank is given."""
    given = call.optional(1)
    axes = call.node.attributes.get("axes")
    if isinstance(given, Constant):
        axes = given.array.ravel().tolist()
    return None if axes is None else tuple(axis % rank if rank else axis for axis in axes)


def expand(call: Call, settled: Settled) -> Value:
    """To the shape that it has anyway."""
    _, axes = _parts(call.operand(0))
    given = call.operand(1)
    target = given.array.ravel().tolist() if isinstance(given, Constant) else []
    if isinstance(given, Sizes):
        target = [-1 if each is None else each for each in given.extents()]
    ones = [1 for _ in axes]
    if target[1:] not in (list(axes), ones) or target[0] not in (-1, 1, call.batch):
        raise call.node.refusal("it repeats what comes in; understood is one that changes nothing")
    return call.operand(0)


def _parts(value: Value) -> tuple[Any, tuple[int | None, ...]]:
    """What is laid out, and the axes that a sample of it has."""
    if isinstance(value, Shaped):
        return value.value, value.shape
    return value, (width_of(value),)


def laid_out(value: Any, shape: tuple[int, ...]) -> Value:
    """Features, or an expression, in this shape."""
    return value if len(shape) == 1 else Shaped(value, shape)


def inside(call: Call) -> tuple[Call, tuple[int, ...]]:
    """An operation on each number of shaped operands, as one on rows, and the shape."""
    (shape, *others) = {each.shape for each in call.operands if isinstance(each, Shaped)}
    rows = [each for each in call.operands if isinstance(each, Features | Expression | Condition)]
    if others or rows:
        raise call.node.refusal("it joins tensors of different axes")
    operands = tuple(_row(call, each, shape) for each in call.operands)
    return replace(call, operands=operands), shape


def _row(call: Call, value: Value | None, shape: tuple[int, ...]) -> Value | None:
    if isinstance(value, Shaped):
        return value.value
    if not isinstance(value, Constant) or value.array.size == 1:
        return value
    array = value.array
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    try:
        return Constant(np.broadcast_to(array, shape).ravel())
    except ValueError:
        raise call.node.refusal(
            f"a constant of shape {value.array.shape} does not fit {shape}"
        ) from None


# ---- Types ---------------------------------------------------------------------------------------


def cast(call: Call, settled: Settled) -> Value:
    """Between floating-point types: to one that holds all numbers of the other it changes nothing.

    From float64 to float32 it rounds, as a network in float32 does anyway; whether this is one
    shows at the end. Of what is true or false it makes 1 and 0.
    """
    from onnx import TensorProto

    target = call.node.attributes["to"]
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    value = call.operand(0)
    if isinstance(value, Condition):
        return value if target == TensorProto.BOOL else value.indicator
    if target not in floats:
        kind = type_name(target)
        raise call.node.refusal(f"it makes {kind} of a layer's output; understood are floats")
    if target in (TensorProto.FLOAT16, TensorProto.BFLOAT16) and target != call.kind:
        raise call.node.refusal(
            f"it rounds what comes in to {type_name(target)}, which no network here does; export"
            " the model in one precision"
        )
    if target == TensorProto.FLOAT and call.kind == TensorProto.DOUBLE:
        settled.narrowed.append(call.node.where)
    return value


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    "Identity": identity,
    "Dropout": dropout,
    "Shape": shape,
    "Flatten": flatten,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Cast": cast,
}
