"""Linear layers and per-feature maps: Gemm, MatMul, and what is folded into their weights."""

from fractions import Fraction

import numpy as np

from symgrad.interop.network import Array, rounded
from symgrad.interop.onnx.constants import scalar, vector
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
    scaled,
    shifted,
)

ONE, ZERO = Fraction(1), Fraction(0)


def gemm(call: Call, settled: Settled) -> Value:
    """alpha·A·B + beta·C."""
    attributes = call.node.attributes
    if attributes.get("transA", 0):
        raise call.node.refusal("transA = 1 mixes the samples; understood is transA = 0")
    weight = _weight(call)
    if attributes.get("transB", 0):
        weight = weight.T
    bias = None
    c = call.optional(2)
    if c is not None:
        if not isinstance(c, Constant):
            raise call.node.refusal("its C is not constant; understood is a bias from the file")
        bias = _bias(call, c, weight.shape[1])
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    dtype = weight.dtype
    wide = rounded(weight, "float64")
    with np.errstate(all="ignore"):
        if alpha != 1:
            wide = wide * alpha
        if bias is not None and beta != 1:
            bias = bias * beta
    return _product(call, settled, wide, bias, dtype)


def matmul(call: Call, settled: Settled) -> Value:
    """A·B."""
    weight = _weight(call)
    return _product(call, settled, rounded(weight, "float64"), None, weight.dtype)


def _weight(call: Call) -> Array:
    a, b = call.operand(0), call.operand(1)
    if not isinstance(b, Constant) or isinstance(a, Constant):
        raise call.node.refusal(
            "its weights are not constant; understood is a product with a matrix from the file"
            " on the right"
        )
    weight = b.wide
    if weight.ndim != 2 or weight.dtype.kind != "f" or 0 in weight.shape:
        raise call.node.refusal(
            f"its weights are {weight.dtype} of shape {weight.shape};"
            " understood are matrices of floating-point numbers"
        )
    return weight


def _bias(call: Call, constant: Constant, width: int) -> Array:
    array = constant.wide
    if array.size == 1 and array.ndim <= 2 and array.dtype.kind in "fiu":
        return np.full(width, array.reshape(()), np.float64)
    return vector(call, constant, width)


def _product(
    call: Call, settled: Settled, weight: Array, bias: Array | None, dtype: np.dtype
) -> Expression:
    """A linear layer on what comes in, its scale and shift folded into the weights."""
    given = features(call, call.operand(0), settled)
    width = given.unit.width
    if width is not None and width != weight.shape[0]:
        raise call.node.refusal(f"its weights take {weight.shape[0]} features, but {width} come in")
    for each in (given.scale, given.shift):
        if each is not None and each.size not in (1, weight.shape[0]):
            raise call.node.refusal(
                f"its weights take {weight.shape[0]} features, but {each.size} come in"
            )
    folds = given.scale is not None or given.shift is not None
    if folds and not bool(np.all(np.isfinite(weight))):
        raise call.node.refusal("its weights are not finite, so that nothing can go into them")
    with np.errstate(all="ignore"):
        if given.shift is not None:
            added = np.broadcast_to(given.shift, weight.shape[:1]) @ weight
            bias = added if bias is None else bias + added
        if given.scale is not None:
            weight = np.broadcast_to(given.scale, weight.shape[:1])[:, None] * weight
    return leaf(Product(given.unit, weight, bias, dtype, call.node.where, given.wide))


def features(call: Call, value: Value, settled: Settled) -> Features:
    """A value as the next layer's input; an expression's layer ends here."""
    if isinstance(value, Features):
        return value
    if isinstance(value, Expression):
        return Features(settled.unit(value, call.node.where))
    raise call.node.refusal("it works on constants alone")


# ---- + − · / with constants, and residuals -------------------------------------------------------


def arithmetic(call: Call, settled: Settled) -> Value:
    """Add, Sub, Mul or Div of two values, at most one of them constant."""
    if len(call.operands) != 2:
        raise call.node.refusal(f"it has {len(call.operands)} inputs; understood are two")
    first, second = call.operand(0), call.operand(1)
    if isinstance(first, Constant) or isinstance(second, Constant):
        return _with_constant(call, first, second, settled)
    if call.node.kind == "Add":
        for value, other in ((first, second), (second, first)):
            if (found := _residual(call, value, other, settled)) is not None:
                return found
    return together(call, OPERATORS[call.node.kind], first, second)


OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/"}


def together(call: Call, operator: str, *values: Value | Fraction) -> Expression:
    """A function of expressions of one linear layer, and of numbers."""
    products = {id(each.product) for each in values if isinstance(each, Expression)}
    if any(isinstance(each, Features) for each in values) or len(products) > 1:
        raise call.node.refusal(
            "it joins tensors of different layers; understood are functions of one linear layer's"
            " output, and an Add of a layer's input to the layer's own output (a residual)"
        )
    operands = [each for each in values if isinstance(each, Expression | Fraction)]
    return combine(call.node.where, operator, *operands)


def _residual(call: Call, value: Value, source: Value, settled: Settled) -> Features | None:
    """act(z) + a, where a is what the layer of z took in; None where it is something else."""
    if not isinstance(value, Expression):
        return None
    product = value.product
    if settled.find(source) is not product.source:
        return None
    if product.weight.shape[0] != product.weight.shape[1]:
        raise call.node.refusal(
            f"it adds {product.weight.shape[0]} features to {product.weight.shape[1]};"
            " a residual layer has as many outputs as inputs"
        )
    before = settled.unit(value, call.node.where)
    return Features(
        Unit(before.width, before.previous, before.product, before.tree, True, call.node.where)
    )


def _with_constant(call: Call, first: Value, second: Value, settled: Settled) -> Value:
    kind = call.node.kind
    left = isinstance(first, Constant)
    constant, value = (first, second) if left else (second, first)
    assert isinstance(constant, Constant)
    single = scalar(call, constant)
    if isinstance(value, Expression):
        if single is not None:
            return _scalar_on(call, value, single, left)
        scale, shift = _map(call, vector(call, constant, value.product.weight.shape[1]), left)
        return mapped(call, value, scale, shift, settled)
    assert isinstance(value, Features)
    if kind == "Div" and left:
        raise call.node.refusal("it divides by what no linear layer has made")
    width = value.unit.width
    number = vector(call, constant, width) if single is None else np.asarray(float(single))
    return mapped(call, value, *_map(call, number, left), settled)


def _scalar_on(call: Call, value: Expression, number: Fraction, left: bool) -> Expression:
    kind = call.node.kind
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


def _map(call: Call, number: Array, left: bool) -> tuple[Array | None, Array | None]:
    """The scale and the shift that an operation with a constant is."""
    kind = call.node.kind
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
    return Features(given.unit, new_scale, new_shift, wide)


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


def width_of(value: Value) -> int | None:
    """How many features a value has, as far as it is known."""
    if isinstance(value, Expression):
        return int(value.product.weight.shape[1])
    return value.unit.width if isinstance(value, Features) else None
