"""Sums, differences, products and quotients: with constants, and of what layers give.

An affine map of each feature goes into the weights before or after it; what adds tensors of
different layers is a residual layer, or a layer of its own that takes all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symgrad.interop.network import Array
from symgrad.interop.onnx.constants import one_number, scalar, vector
from symgrad.interop.onnx.linear import diagonal, expression, features, width_of
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Constant,
    Expression,
    Features,
    Product,
    Settled,
    Unit,
    Value,
    combine,
    leaf,
    merged,
    scaled,
    shifted,
)

ONE, ZERO = Fraction(1), Fraction(0)


def arithmetic(call: Call, settled: Settled) -> Value:
    """Add, Sub, Mul or Div of two values, at most one of them constant."""
    if len(call.operands) != 2:
        raise call.node.refusal(f"it has {len(call.operands)} inputs; understood are two")
    return operated(call, call.node.kind, call.operand(0), call.operand(1), settled)


def added(call: Call, settled: Settled) -> Value:
    """Sum and Mean, of as many as there are."""
    result = call.operand(0)
    for place in range(1, len(call.operands)):
        result = operated(call, "Add", result, call.operand(place), settled)
    if call.node.kind == "Sum" or len(call.operands) == 1:
        return result
    count = Constant(np.array(len(call.operands), np.float64))
    return operated(call, "Div", result, count, settled)


def operated(call: Call, kind: str, first: Value, second: Value, settled: Settled) -> Value:
    """Two values added, subtracted, multiplied or divided."""
    if isinstance(first, Constant) or isinstance(second, Constant):
        return _with_constant(call, kind, first, second, settled)
    if kind == "Add":
        for value, other in ((first, second), (second, first)):
            if (found := _residual(call, value, other, settled)) is not None:
                return found
    alike = _of_one_layer(first, second, settled)
    if alike is None and kind in ("Add", "Sub"):
        return _joined(call, kind, first, second, settled)
    return together(call, OPERATORS[kind], *(alike or (first, second)))


OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/"}


def together(call: Call, operator: str, *values: Value | Fraction) -> Expression:
    """A function of expressions of one linear layer, and of numbers."""
    products = {id(each.product) for each in values if isinstance(each, Expression)}
    if any(isinstance(each, Features) for each in values) or len(products) > 1:
        raise call.node.refusal(
            "it joins tensors of different layers; understood are functions of one linear layer's"
            " output, and sums and differences"
        )
    operands = [each for each in values if isinstance(each, Expression | Fraction)]
    return combine(call.node.where, operator, *operands)


def _of_one_layer(
    first: Value, second: Value, settled: Settled
) -> tuple[Expression, Expression] | None:
    """Both as expressions of one product; None where they are of several."""
    one, other = (
        settled.diagonal.get(id(each), each) if isinstance(each, Features) else each
        for each in (first, second)
    )
    if isinstance(one, Expression) and isinstance(other, Expression):
        return (one, other) if one.product is other.product else None
    return None


def _joined(call: Call, kind: str, first: Value, second: Value, settled: Settled) -> Expression:
    """A sum of tensors of different layers: one more layer, which takes all of them."""
    one, other = (_linear(call, each, settled) for each in (first, second))
    if one.weight.shape[1] != other.weight.shape[1]:
        raise call.node.refusal(
            f"it joins {one.weight.shape[1]} features with {other.weight.shape[1]}; understood are"
            " equally many"
        )
    if kind == "Sub":
        other = scaled(other, np.asarray(-1.0), None)
    sources, weight = merged(
        (*one.sources, *other.sources), np.concatenate([one.weight, other.weight])
    )
    biases = [each.bias for each in (one, other) if each.bias is not None]
    dtype = max(one.dtype, other.dtype, key=lambda each: each.itemsize)
    wide = one.wide or other.wide
    bias = sum(biases[1:], biases[0]) if biases else None
    return leaf(Product(sources, weight, bias, dtype, call.node.where, wide))


def _linear(call: Call, value: Value, settled: Settled) -> Product:
    """A value as a linear layer: its own, if nothing is done to that, or a diagonal one."""
    if isinstance(value, Expression) and settled.find(value) is None and value.affine is not None:
        c, d = value.affine
        return scaled(value.product, np.asarray(float(c)), np.asarray(float(d)))
    return diagonal(call, features(call, value, settled))


def _residual(call: Call, value: Value, source: Value, settled: Settled) -> Features | None:
    """act(z) + a, where a is what the layer of z took in; None where it is something else."""
    if not isinstance(value, Expression):
        return None
    product = value.product
    if len(product.sources) > 1 or settled.find(source) != product.sources:
        return None
    if product.weight.shape[0] != product.weight.shape[1]:
        raise call.node.refusal(
            f"it adds {product.weight.shape[0]} features to {product.weight.shape[1]};"
            " a residual layer has as many outputs as inputs"
        )
    before = settled.unit(value, call.node.where)
    return Features((Unit(before.width, before.product, before.tree, True, call.node.where),))


def _with_constant(call: Call, kind: str, first: Value, second: Value, settled: Settled) -> Value:
    left = isinstance(first, Constant)
    constant, value = (first, second) if left else (second, first)
    assert isinstance(constant, Constant)
    single = scalar(call, constant)
    if isinstance(value, Features) and kind == "Div" and left:
        value = expression(call, value, settled)
    if isinstance(value, Expression):
        if single is None and value.single:
            # One number a sample for all units, as far as it is the same for each.
            single = one_number(call, constant)
            value = replace(value, single=False)
        if single is not None:
            return _scalar_on(call, kind, value, single, left)
        number = vector(call, constant, value.product.weight.shape[1])
        return mapped(call, value, *_map(call, kind, number, left), settled)
    if not isinstance(value, Features):
        raise call.node.refusal("it works on constants alone")
    number = vector(call, constant, value.width) if single is None else np.asarray(float(single))
    return mapped(call, value, *_map(call, kind, number, left), settled)


def _scalar_on(
    call: Call, kind: str, value: Expression, number: Fraction, left: bool
) -> Expression:
    affine = {
        "Add": (ONE, number),
        "Sub": (-ONE, number) if left else (ONE, -number),
        "Mul": (number, ZERO),
        "Div": None if left or number == 0 else (ONE / number, ZERO),
    }[kind]
    moved = None if affine is None else shifted(value, affine)
    if moved is not None:
        return moved
    operands = (number, value) if left else (value, number)
    return together(call, OPERATORS[kind], *operands)


def _map(call: Call, kind: str, number: Array, left: bool) -> tuple[Array | None, Array | None]:
    """The scale and the shift that an operation with a constant is."""
    if kind == "Div" and left:
        raise call.node.refusal("it divides a number for each feature by a layer's output")
    with np.errstate(all="ignore"):
        if kind == "Mul":
            return number, None
        if kind == "Div":
            return 1 / number, None
        if kind == "Add":
            return None, number
        return (np.asarray(-1.0), number) if left else (None, -number)


def mapped(
    call: Call, value: Value, scale: Array | None, shift: Array | None, settled: Settled
) -> Value:
    """value·scale + shift, for each feature."""
    if isinstance(value, Expression) and value.affine is not None:
        c, d = value.affine
        product = scaled(
            value.product,
            None if c == 1 else np.asarray(float(c)),
            None if d == 0 else np.asarray(float(d)),
        )
        return leaf(scaled(product, scale, shift))
    given = features(call, value, settled)
    parts = (given.scale, given.shift, scale, shift)
    if len({each.size for each in parts if each is not None and each.ndim == 1} - {1}) > 1:
        raise call.node.refusal("numbers for each feature meet that are not equally many")
    with np.errstate(all="ignore"):
        new_scale, new_shift = given.scale, given.shift
        if scale is not None:
            new_scale = scale if new_scale is None else new_scale * scale
            new_shift = None if new_shift is None else new_shift * scale
        if shift is not None:
            new_shift = shift if new_shift is None else new_shift + shift
    from onnx import TensorProto

    wide = given.wide or call.kind == TensorProto.DOUBLE
    return Features(given.units, new_scale, new_shift, wide)


def batch_norm(call: Call, settled: Settled) -> Value:
    """(x − mean)/√(var + ε)·scale + B, for each feature."""
    if call.node.attributes.get("training_mode", 0):
        raise call.node.refusal("it is in training mode; understood is inference")
    value = call.operand(0)
    arrays = []
    for place in range(1, 5):
        constant = call.operand(place)
        if not isinstance(constant, Constant):
            raise call.node.refusal("its statistics are not constant")
        arrays.append(vector(call, constant, width_of(value)))
    scale, offset, mean, variance = arrays
    epsilon = float(np.float32(call.node.attributes.get("epsilon", 1e-5)))
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + epsilon)
        return mapped(call, value, factor, offset - mean * factor, settled)


def scaler(call: Call, settled: Settled) -> Value:
    """(x − offset)·scale, for each feature, as pipelines of scikit-learn begin."""
    value = call.operand(0)
    given = call.node.attributes
    offset, scale = (
        Constant(np.asarray(given.get(name, [default]), np.float32))
        for name, default in (("offset", 0), ("scale", 1))
    )
    return operated(call, "Mul", operated(call, "Sub", value, offset, settled), scale, settled)


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **dict.fromkeys(OPERATORS, arithmetic),
    **dict.fromkeys(("Sum", "Mean"), added),
    "BatchNormalization": batch_norm,
    "ai.onnx.ml.Scaler": scaler,
}
