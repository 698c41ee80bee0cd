"""Element-wise operations as formulas: what each node of ONNX means, in the functions of a spec.

    Relu(z)          relu(z)                     Clip(z, a, b)      min(max(z, a), b)
    LeakyRelu(z)     relu(z) + α·min(z, 0)       HardSigmoid(z)     min(relu(α·z + β), 1)
    Elu(z)           relu(z) + α·expm1(min(z,0)) Gelu(z)            z·(1 + erf(z/√2))/2
    …

Which built-in activation the whole formula is, if any, shows when the layer is settled.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symgrad.interop import activations
from symgrad.interop.onnx.arithmetic import ONE, ZERO, mapped, operated, together
from symgrad.interop.onnx.constants import one_number, scalar
from symgrad.interop.onnx.linear import expression, gemm
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
from symgrad.spec.formula import MAX_EXPONENT, Negate, Number, Variable, parse
from symgrad.spec.formula import Call as Branch


def _float(call: Call, name: str, default: float) -> float:
    """An attribute as the decimal that was meant: ONNX keeps them as float32."""
    number = call.node.attributes.get(name, default)
    if not np.isfinite(number):
        raise call.node.refusal(f"its {name} is {number}")
    return float(exact(number, np.dtype(np.float32)))


def _gelu(call: Call) -> str:
    from onnx import TensorProto

    approximate = call.node.attributes.get("approximate", b"none")
    if approximate == b"tanh":
        # What the standard puts the node together from has its constants in float32, whatever z is.
        double = call.kind == TensorProto.DOUBLE
        return activations.gelu_tanh(np.float32) if double else activations.GELU_TANH
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


def _swish(call: Call, alpha: float = 1.0) -> str:
    alpha = _float(call, "alpha", alpha)
    return f"z*sigmoid({activations.number(alpha)}*z)"


# log(z + √(z² + 1)) cancels below 0.
_ASINH = (
    "log1p(relu(z) + relu(z)**2/(1 + sqrt(z**2 + 1)))"
    " - log1p(relu(-z) + relu(-z)**2/(1 + sqrt(z**2 + 1)))"
)


def _shrink(call: Call) -> str:
    """Within ±λ 0, and beyond nearer to 0 by the bias: a jump, unless this is λ."""
    by, bias = _float(call, "lambd", 0.5), _float(call, "bias", 0.0)
    if by != bias or by < 0:
        raise call.node.refusal("it jumps at its lambd, which no formula does")
    return activations.soft_shrink(by)


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
    "Shrink": _shrink,
    "HardSwish": lambda _: activations.HARD_SWISH,
    "Sigmoid": lambda _: "sigmoid(z)",
    "Tanh": lambda _: "tanh(z)",
    "Sin": lambda _: "sin(z)",
    "Cos": lambda _: "cos(z)",
    "Tan": lambda _: "sin(z)/cos(z)",
    "Sinh": lambda _: "sinh(z)",
    "Cosh": lambda _: "cosh(z)",
    "Atan": lambda _: "atan(z)",
    "Asin": lambda _: "atan(z/sqrt((1 - z)*(1 + z)))",
    "Acos": lambda _: "2*atan(sqrt((1 - z)/(1 + z)))",
    "Asinh": lambda _: _ASINH,
    "Acosh": lambda _: "log1p(z - 1 + sqrt((z - 1)*(z + 1)))",
    "Atanh": lambda _: "(log1p(z) - log1p(-z))/2",
    "Exp": lambda _: "exp(z)",
    "Log": lambda _: "log(z)",
    "Sqrt": lambda _: "sqrt(z)",
    "Abs": lambda _: "abs(z)",
    "Erf": lambda _: "erf(z)",
    "Reciprocal": lambda _: "1/z",
    "com.microsoft.Gelu": lambda _: activations.BUILT_IN["gelu"],
    "com.microsoft.QuickGelu": lambda call: _swish(call, 1.702),
}


def unary(call: Call, settled: Settled) -> Value:
    """A function of one tensor."""
    return formula(call, _UNARY[call.node.kind](call), settled)


def formula(call: Call, text: str, settled: Settled) -> Expression:
    """A formula in the node's first input."""
    return of(call, text, call.operand(0), settled)


def of(call: Call, text: str, value: Value, settled: Settled) -> Expression:
    given = expression(call, value, settled)
    return applied(call.node.where, parse(text, ("z",)), {"z": given})


def sign(call: Call, settled: Settled) -> Value:
    """−1, 0 or 1: a Where within a Where, until they are put together with others."""
    zero, one = Number(ZERO), Number(ONE)
    z = Variable("z")
    negative = Branch("where", (zero, z, Negate(one), zero))
    tree = Branch("where", (z, zero, one, negative))
    given = expression(call, call.operand(0), settled)
    return applied(call.node.where, tree, {"z": given})


# ---- What onnxruntime's optimiser puts together --------------------------------------------------


def biased(call: Call, settled: Settled) -> Value:
    """BiasGelu and FastGelu: a bias first, if there is one."""
    value, bias = call.operand(0), call.optional(1)
    if bias is not None:
        value = operated(call, "Add", value, bias, settled)
    fast = call.node.kind.endswith("FastGelu")
    text = activations.GELU_TANH if fast else activations.BUILT_IN["gelu"]
    return of(call, text, value, settled)


def fused_gemm(call: Call, settled: Settled) -> Value:
    """A Gemm and the activation that its attribute names."""
    attributes = {
        name.removeprefix("activation_"): value
        for name, value in call.node.attributes.items()
        if name.startswith("activation_")
    }
    kind = call.node.attributes.get("activation", b"").decode()
    product = gemm(call, settled)
    if not kind:
        return product
    if kind not in _UNARY:
        raise call.node.refusal(f"its activation {kind} is not understood")
    within = replace(call.node, kind=kind, attributes=attributes)
    return of(call, _UNARY[kind](replace(call, node=within)), product, settled)


def negative(call: Call, settled: Settled) -> Value:
    """−z; of a c·z + d it is one more of that kind."""
    value = call.operand(0)
    if isinstance(value, Features):
        return mapped(call, value, np.asarray(-1.0), None, settled)
    moved = shifted(value, (-ONE, ZERO)) if isinstance(value, Expression) else None
    return formula(call, "-z", settled) if moved is None else moved


def power(call: Call, settled: Settled) -> Value:
    """z**c."""
    value, exponent = call.operand(0), call.operand(1)
    number = scalar(call, exponent) if isinstance(exponent, Constant) else None
    if number is None or isinstance(value, Constant):
        raise call.node.refusal("understood are powers of a layer's output by a constant number")
    if abs(number) > MAX_EXPONENT:
        raise call.node.refusal(f"the exponent is {float(number)}, over {MAX_EXPONENT} in size")
    return together(call, "**", expression(call, value, settled), number)


def extreme(call: Call, settled: Settled) -> Value:
    """Min and Max, of as many as there are."""
    kind = call.node.kind.lower()
    values = [_number_or_value(call, place, settled) for place in range(len(call.operands))]
    result = values[0]
    if isinstance(result, Fraction):
        values = [*values[1:], result]
        result = values[0]
    for value in values[1:]:
        result = together(call, kind, result, value)
    if isinstance(result, Expression):
        return result
    raise call.node.refusal("it works on no layer's output")


def _number_or_value(call: Call, place: int, settled: Settled) -> Expression | Fraction:
    value = call.operand(place)
    if not isinstance(value, Constant):
        return expression(call, value, settled)
    number = one_number(call, value)
    if number is None:
        raise call.node.refusal(
            f"a constant of shape {value.array.shape}; understood is one number for all units"
        )
    return number


def clip(call: Call, settled: Settled) -> Value:
    """Between two constants, each of which may be left out."""
    low, high = _bound(call, 1, "min", -1), _bound(call, 2, "max", 1)
    return formula(call, activations.clipped(low, high), settled)


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
    """A LeakyRelu whose slope is a tensor; where it differs by unit, relu(z) − slope·relu(−z)."""
    value, slope = call.operand(0), call.operand(1)
    if not isinstance(slope, Constant):
        raise call.node.refusal("its slope is not constant")
    number = one_number(call, slope)
    if number is not None:
        return formula(call, activations.leaky_relu(float(number)), settled)
    given = expression(call, value, settled)
    below = operated(call, "Mul", of(call, "relu(-z)", given, settled), slope, settled)
    return operated(call, "Sub", of(call, "relu(z)", given, settled), below, settled)


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **dict.fromkeys(_UNARY, unary),
    "Sign": sign,
    "com.microsoft.BiasGelu": biased,
    "com.microsoft.FastGelu": biased,
    "com.microsoft.FusedGemm": fused_gemm,
    "Neg": negative,
    "Pow": power,
    "Min": extreme,
    "Max": extreme,
    "Clip": clip,
    "PRelu": prelu,
}

# What is done to each number by itself, whatever the axes.
BY_NUMBER = {*_UNARY, "Sign", "Neg", "Pow", "Min", "Max", "Clip"}
