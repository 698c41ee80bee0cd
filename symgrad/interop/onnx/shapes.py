"""Operations that change nothing where there are two axes, samples by features."""

from collections.abc import Callable, Mapping

from symgrad.interop.onnx.constants import shape_of
from symgrad.interop.onnx.linear import width_of
from symgrad.interop.onnx.nodes import Call, type_name
from symgrad.interop.onnx.values import Constant, Settled, Value


def identity(call: Call, settled: Settled) -> Value:
    """What comes in."""
    return call.operand(0)


def dropout(call: Call, settled: Settled) -> Value:
    """In inference nothing is dropped."""
    mode = call.optional(2)
    if mode is not None and not (isinstance(mode, Constant) and not mode.array.any()):
        raise call.node.refusal("it is in training mode; understood is inference")
    return call.operand(0)


def flatten(call: Call, settled: Settled) -> Value:
    """Two axes stay as they are when they are joined from the second on."""
    axis = call.node.attributes.get("axis", 1)
    if axis not in (1, -1):
        raise call.node.refusal(f"axis = {axis} joins samples with features; understood is axis 1")
    return call.operand(0)


def reshape(call: Call, settled: Settled) -> Value:
    """To the shape that it has anyway."""
    value, shape = call.operand(0), call.operand(1)
    width = width_of(value)
    target = shape_of(call, shape.array, (0, 0)) if isinstance(shape, Constant) else None
    none = call.node.attributes.get("allowzero", 0) and target is not None and 0 in target
    if target is None or len(target) != 2 or none or not _is_same(target, width, call.batch):
        came = "another that is not constant" if target is None else tuple(target)
        raise call.node.refusal(
            f"it changes the shape (samples, {width or 'features'}) to {came};"
            " understood is one that changes nothing"
        )
    return value


def _is_same(target: list[int | None], width: int | None, batch: int | None) -> bool:
    rows, columns = target
    kept = rows in (0, -1) or (batch is not None and rows == batch)
    if columns == -1:
        return rows == 0 or (batch is not None and rows == batch)
    return kept and (columns == 0 or (width is not None and columns == width))


def cast(call: Call, settled: Settled) -> Value:
    """Between floating-point types: to one that holds all numbers of the other it changes nothing.

    From float64 to float32 it rounds, as a network in float32 does anyway; whether this is one
    shows at the end.
    """
    from onnx import TensorProto

    target = call.node.attributes["to"]
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
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
    return call.operand(0)


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    "Identity": identity,
    "Dropout": dropout,
    "Flatten": flatten,
    "Reshape": reshape,
    "Cast": cast,
}
