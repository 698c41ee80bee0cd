"""Linear layers: Gemm, MatMul, Einsum, and what is folded into their weights.

What comes in as it is, without a linear layer, and is to have an activation, gets a layer whose
matrix is diagonal.
"""

from collections.abc import Callable, Mapping

import numpy as np

from symgrad.interop.network import Array, rounded
from symgrad.interop.onnx.constants import vector
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Constant,
    Expression,
    Features,
    Product,
    Settled,
    Value,
    leaf,
    merged,
)


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
    beta = float(attributes.get("beta", 1.0))
    with np.errstate(all="ignore"):
        bias = bias if bias is None or beta == 1 else bias * beta
    return _product(call, settled, *_times(call, weight), bias)


def matmul(call: Call, settled: Settled) -> Value:
    """A·B, or of onnxruntime's FusedMatMul alpha·A·Bᵀ."""
    attributes = call.node.attributes
    if any(attributes.get(each, 0) for each in ("transA", "transBatchA", "transBatchB")):
        raise call.node.refusal("it transposes what comes in, which mixes the samples")
    weight = _weight(call)
    if attributes.get("transB", 0):
        weight = weight.T
    return _product(call, settled, *_times(call, weight), None)


def einsum(call: Call, settled: Settled) -> Value:
    """A sum over the features, as bi,ij->bj, with a matrix from the file on either side."""
    equation = call.node.attributes["equation"].decode().replace(" ", "").replace("...", "*")
    left, _, given = equation.partition("->")
    terms = left.split(",")
    constants = [isinstance(each, Constant) for each in call.operands]
    if len(terms) == 2 and sorted(constants) == [False, True]:
        place = constants.index(True)
        flows, axes = terms[1 - place], terms[place]
        free = axes.replace(flows[-1:], "")
        known = len(flows) == len(axes) == 2 and len(free) == 1 and len({*flows, free}) == 3
        if known and given == flows[0] + free:
            weight = _matrix(call, call.operand(place))
            weight = weight if axes[0] == flows[1] else weight.T
            return _product(call, settled, *_times(call, weight), None, 1 - place)
    raise call.node.refusal(
        f"its equation is {equation}; understood is bi,ij->bj, with a matrix from the file"
    )


def _times(call: Call, weight: Array) -> tuple[Array, np.dtype]:
    """alpha times the weights, in float64, and the dtype that they have in the file."""
    alpha, wide = float(call.node.attributes.get("alpha", 1.0)), rounded(weight, "float64")
    with np.errstate(all="ignore"):
        return wide if alpha == 1 else wide * alpha, weight.dtype


def _weight(call: Call) -> Array:
    a, b = call.operand(0), call.operand(1)
    if not isinstance(b, Constant) or isinstance(a, Constant):
        raise call.node.refusal(
            "its weights are not constant; understood is a product with a matrix from the file"
            " on the right"
        )
    return _matrix(call, b)


def _matrix(call: Call, value: Value) -> Array:
    assert isinstance(value, Constant)
    weight = value.wide
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
    call: Call,
    settled: Settled,
    weight: Array,
    dtype: np.dtype,
    bias: Array | None,
    place: int = 0,
) -> Expression:
    """A linear layer on an operand, whose scale and shift are folded into the weights."""
    given = features(call, call.operand(place), settled)
    width = given.width
    if width is not None and width != weight.shape[0]:
        raise call.node.refusal(f"its weights take {weight.shape[0]} features, but {width} come in")
    return leaf(_folded(call, given, weight, bias, dtype))


def _folded(
    call: Call, given: Features, weight: Array, bias: Array | None, dtype: np.dtype
) -> Product:
    for each in (given.scale, given.shift):
        if each is not None and each.size not in (1, weight.shape[0]):
            raise call.node.refusal(
                f"its weights take {weight.shape[0]} features, but {each.size} come in"
            )
    if not (given.plain or bool(np.all(np.isfinite(weight)))):
        raise call.node.refusal("its weights are not finite, so that nothing can go into them")
    with np.errstate(all="ignore"):
        if given.shift is not None:
            added = np.broadcast_to(given.shift, weight.shape[:1]) @ weight
            bias = added if bias is None else bias + added
        if given.scale is not None:
            weight = np.broadcast_to(given.scale, weight.shape[:1])[:, None] * weight
    sources, weight = merged(given.units, weight)
    return Product(sources, weight, bias, dtype, call.node.where, given.wide)


def features(call: Call, value: Value, settled: Settled) -> Features:
    """A value as the next layer's input; an expression's layer ends here."""
    if isinstance(value, Features):
        return value
    if isinstance(value, Expression):
        return Features((settled.unit(value, call.node.where),))
    raise call.node.refusal("it works on constants alone")


def expression(call: Call, value: Value, settled: Settled) -> Expression:
    """A value as what a linear layer gives; where there is none, a diagonal one is made."""
    if isinstance(value, Expression):
        return value
    given = features(call, value, settled)
    if id(given) not in settled.diagonal:
        settled.diagonal[id(given)] = leaf(diagonal(call, given))
        settled.kept.append(given)
    return settled.diagonal[id(given)]


def diagonal(call: Call, given: Features) -> Product:
    from onnx import TensorProto

    if given.width is None:
        raise call.node.refusal(
            "it comes before the first linear layer, and the file does not say how many features"
            " come in"
        )
    dtype = np.dtype(np.float64 if call.kind == TensorProto.DOUBLE else np.float32)
    return _folded(call, given, np.eye(given.width), None, dtype)


def width_of(value: Value) -> int | None:
    """How many features a value has, as far as it is known."""
    if isinstance(value, Expression):
        return 1 if value.single else int(value.product.weight.shape[1])
    return value.width if isinstance(value, Features) else None


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    "Gemm": gemm,
    "MatMul": matmul,
    "com.microsoft.FusedMatMul": matmul,
    "Einsum": einsum,
}
