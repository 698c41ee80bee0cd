"""Element-wise operations as formulas: what each node of ONNX means, in the functions of a spec.

    Relu(z)          relu(z)                     Clip(z, a, b)      min(max(z, a), b)
    LeakyRelu(z)     relu(z) + α·min(z, 0)       HardSigmoid(z)     min(relu(α·z + β), 1)
    Elu(z)           relu(z) + α·expm1(min(z,0)) Gelu(z)            z·(1 + erf(z/√2))/2
    …

Which built-in activation the whole formula is, if any, shows when the layer is settled.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.interop import activations
from symgrad.interop.onnx.constants import scalar
from symgrad.interop.onnx.linear import ONE, ZERO, mapped, together
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Constant,
    Expression,
    Features,
    Settled,
    Value,
    applied,
    exact,
    shifted,
)
from symgrad.spec.formula import MAX_EXPONENT, parse


def _float(call: Call, name: str, default: float) -> float:
    """An attribute as the decimal that was meant: ONNX keeps them as float32."""
    number = call.node.attributes.get(name, default)
    if not np.isfinite(number):
        raise call.node.refusal(f"its {name} is {number}")
    return float(exact(number, np.dtype(np.float32)))


def _gelu(call: Call) -> str:
    approximate = call.node.attributes.get("approximate", b"none")
    if approximate == b"tanh":
        return activations.GELU_TANH
    if approximate != b"none":
        raise call.node.refusal(f"approximate = {approximate!r}; understood are none and tanh")
    return activations.BUILT_IN["gelu"]


def _selu(call: Call) -> str:
    # The standard's own defaults are the constants rounded to float32.
    alpha = _float(call, "alpha", 1.67326319217681884765625)
    gamma = _float(call, "gamma", 1.05070102214813232421875)
    return activations.elu(alpha, gamma)


def _celu(call: Call) -> str:
    alpha = _float(call, "alpha", 1.0)
    if alpha == 0:
        raise call.node.refusal("alpha = 0 divides by 0")
    return activations.elu(alpha, rate=1 / alpha)


def _swish(call: Call) -> str:
    alpha = _float(call, "alpha", 1.0)
    return f"z*sigmoid({activations.number(alpha)}*z)"


# Operations on one tensor, as formulas in it.
_UNARY: Mapping[str, Callable[[Call], str]] = {
    "Relu": lambda _: "relu(z)",
    "LeakyRelu": lambda call: activations.leaky_relu(_float(call, "alpha", 0.01)),
    "Elu": lambda call: activations.elu(_float(call, "alpha", 1.0)),
    "Selu": _selu,
    "Celu": _celu,
    "Gelu": _gelu,
    "Mish": lambda _: activations.BUILT_IN["mish"],
    "Swish": _swish,
    "Softplus": lambda _: "softplus(z)",
    "Softsign": lambda _: activations.BUILT_IN["softsign"],
    "HardSigmoid": lambda call: activations.hard_sigmoid(
        _float(call, "alpha", 0.2), _float(call, "beta", 0.5)
    ),
    "HardSwish": lambda _: activations.HARD_SWISH,
    "Sigmoid": lambda _: "sigmoid(z)",
    "Tanh": lambda _: "tanh(z)",
    "Sin": lambda _: "sin(z)",
    "Cos": lambda _: "cos(z)",
    "Tan": lambda _: "sin(z)/cos(z)",
    "Sinh": lambda _: "sinh(z)",
    "Cosh": lambda _: "cosh(z)",
    "Atan": lambda _: "atan(z)",
    "Asinh": lambda _: "log(z + sqrt(z**2 + 1))",
    "Exp": lambda _: "exp(z)",
    "Log": lambda _: "log(z)",
    "Sqrt": lambda _: "sqrt(z)",
    "Abs": lambda _: "abs(z)",
    "Erf": lambda _: "erf(z)",
    "Reciprocal": lambda _: "1/z",
}


def unary(call: Call, settled: Settled) -> Value:
    """A function of one tensor."""
    return formula(call, _UNARY[call.node.kind](call))


def formula(call: Call, text: str) -> Expression:
    """A formula in the node's input; without a linear layer before it there is none."""
    value = call.operand(0)
    if not isinstance(value, Expression):
        raise call.node.refusal(
            "what comes in is not the output of a linear layer;"
            " understood are activations right after one"
        )
    return applied(call.node.where, parse(text, ("z",)), {"z": value})


def negative(call: Call, settled: Settled) -> Value:
    """−z; of a c·z + d it is one more of that kind."""
    value = call.operand(0)
    if isinstance(value, Features):
        return mapped(call, value, np.asarray(-1.0), None, settled)
    moved = shifted(value, (-ONE, ZERO)) if isinstance(value, Expression) else None
    return formula(call, "-z") if moved is None else moved


def power(call: Call, settled: Settled) -> Value:
    """z**c."""
    value, exponent = call.operand(0), call.operand(1)
    number = scalar(call, exponent) if isinstance(exponent, Constant) else None
    if number is None or not isinstance(value, Expression):
        raise call.node.refusal("understood are powers of a layer's output by a constant number")
    if abs(number) > MAX_EXPONENT:
        raise call.node.refusal(f"the exponent is {float(number)}, over {MAX_EXPONENT} in size")
    return together(call, "**", value, number)


def extreme(call: Call, settled: Settled) -> Value:
    """Min and Max, of as many as there are."""
    kind = call.node.kind.lower()
    values = [_number_or_value(call, place) for place in range(len(call.operands))]
    result = values[0]
    if isinstance(result, Fraction):
        values = [*values[1:], result]
        result = values[0]
    for value in values[1:]:
        result = together(call, kind, result, value)
    if isinstance(result, Expression):
        return result
    raise call.node.refusal("it works on no layer's output")


def _number_or_value(call: Call, place: int) -> Value | Fraction:
    value = call.operand(place)
    if not isinstance(value, Constant):
        return value
    number = scalar(call, value)
    if number is None:
        raise call.node.refusal(
            f"a constant of shape {value.array.shape}; understood is one number for all units"
        )
    return number


def clip(call: Call, settled: Settled) -> Value:
    """Between two constants, each of which may be left out."""
    low, high = _bound(call, 1, "min", -1), _bound(call, 2, "max", 1)
    return formula(call, activations.clipped(low, high))


def _bound(call: Call, place: int, name: str, sign: int) -> float | None:
    """A bound; None where it is left out, or infinitely far out on its side."""
    if call.opset < 11:
        found = call.node.attributes.get(name)
        # Without a bound, the standard puts the largest float32.
        unbounded = found is None or sign * found >= float(np.finfo(np.float32).max)
        return None if unbounded else _float(call, name, 0.0)
    value = call.optional(place)
    if value is None:
        return None
    bound = value.wide if isinstance(value, Constant) else None
    if bound is None or bound.size != 1 or bound.dtype.kind not in "fiu":
        raise call.node.refusal(f"its {name} is not one constant number")
    number = bound.reshape(()).item()
    if sign * number == np.inf:
        return None
    if not np.isfinite(number):
        raise call.node.refusal(f"its {name} is {number}")
    return float(exact(number, bound.dtype))


def prelu(call: Call, settled: Settled) -> Value:
    """A LeakyRelu whose slope is a tensor: understood where it is one number."""
    slope = call.operand(1)
    number = scalar(call, slope) if isinstance(slope, Constant) else None
    if number is None and isinstance(slope, Constant):
        flat = slope.wide.ravel()
        alike = flat.size > 0 and flat.dtype.kind == "f" and bool(np.all(flat == flat[0]))
        if alike and np.isfinite(flat[0]):
            number = exact(flat[0].item(), flat.dtype)
    if number is None:
        raise call.node.refusal("its slope is not one constant number")
    return formula(call, activations.leaky_relu(float(number)))


# ---- Over the units of a layer -------------------------------------------------------------------


def softmax(call: Call, settled: Settled) -> Value:
    """Softmax and LogSoftmax over the units."""
    _check_axis(call, [call.node.attributes.get("axis", -1 if call.opset >= 13 else 1)])
    log = call.node.kind == "LogSoftmax"
    return formula(call, activations.LOG_SOFTMAX if log else activations.BUILT_IN["softmax"])


_REDUCTIONS: Mapping[str, str] = {
    "ReduceSum": "sum(z)",
    "ReduceMean": "sum(z)/sum(1)",
    "ReduceLogSumExp": "log(sum(exp(z)))",
    "ReduceSumSquare": "sum(z**2)",
    "ReduceL2": "sqrt(sum(z**2))",
    "ReduceL1": "sum(abs(z))",
}


def reduction(call: Call, settled: Settled) -> Value:
    """A sum over the units, kept as an axis of length 1."""
    if not call.node.attributes.get("keepdims", 1):
        raise call.node.refusal("keepdims = 0 drops an axis; understood is keepdims = 1")
    axes: Any = call.node.attributes.get("axes")
    given = call.optional(1)
    if isinstance(given, Constant):
        axes = given.array.ravel().tolist()
    _check_axis(call, axes)
    return formula(call, _REDUCTIONS[call.node.kind])


def _check_axis(call: Call, axes: Any) -> None:
    if axes is None or list(axes) not in ([1], [-1]):
        raise call.node.refusal(
            f"it runs over the axes {axes}; understood is axis 1, over a layer's units"
        )


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **dict.fromkeys(_UNARY, unary),
    **dict.fromkeys(_REDUCTIONS, reduction),
    "Neg": negative,
    "Pow": power,
    "Min": extreme,
    "Max": extreme,
    "Clip": clip,
    "PRelu": prelu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
}
