"""The elementary functions as nodes of ONNX, in float32 and in float64.

onnxruntime computes few of them in float64; what it lacks is put together from what it has, in
forms that neither overflow nor cancel where the function itself does not:

    expm1 u      2·t/(1 + |t|)·exp(max(u, 0)),  t = tanh(u/2)
    log1p u      log w + (u − (w − 1))/w,  w = 1 + u rounded
    softplus u   max(u, 0) + log1p(exp(−|u|))
    erf, atan    the rational approximations that emitted modules have too

Each function here adds nodes to a graph, and takes and returns names of tensors.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from symgrad.interop.onnx.graph import Graph
from symgrad.targets.coefficients import APPROXIMATIONS

# A normal tail beyond this many deviations is 0 in float64.
_FARTHEST = 39.0


def expm1(graph: Graph, u: str) -> str:
    """exp(u) − 1."""
    t = graph.op("Tanh", graph.op("Mul", u, graph.number(0.5)))
    below = graph.op("Add", graph.op("Abs", t), graph.number(1))
    grown = graph.op("Exp", graph.op("Relu", u))
    return graph.op("Mul", graph.op("Div", graph.op("Add", t, t), below), grown)


def log1p(graph: Graph, u: str) -> str:
    """log(1 + u)."""
    one = graph.number(1)
    # Beyond 2^60 nothing is lost by adding 1, and infinities would give NaN below.
    held = graph.op("Min", u, graph.number(2.0**60))
    w = graph.op("Add", held, one)
    lost = graph.op("Sub", held, graph.op("Sub", w, one))
    tiny = graph.number(float(np.finfo(graph.dtype).tiny))
    correction = graph.op("Div", lost, graph.op("Max", w, tiny))
    return graph.op("Add", graph.op("Log", graph.op("Add", u, one)), correction)


def softplus(graph: Graph, u: str) -> str:
    """log(1 + exp u)."""
    if not graph.double:
        return graph.op("Softplus", u)
    q = graph.op("Exp", graph.op("Neg", graph.op("Abs", u)))
    return graph.op("Add", graph.op("Relu", u), log1p(graph, q))


def log_cosh(graph: Graph, u: str) -> str:
    """log(cosh u) = |u| + log(1 + exp(−2|u|)) − log 2."""
    a = graph.op("Abs", u)
    soft = log1p(graph, graph.op("Exp", graph.op("Mul", a, graph.number(-2))))
    return graph.op("Add", a, graph.op("Sub", soft, graph.number(math.log(2))))


def cos(graph: Graph, u: str) -> str:
    """1 − 2·sin²(u/2): sin is what all versions of onnxruntime have in float64."""
    if not graph.double:
        return graph.op("Cos", u)
    s = graph.op("Sin", graph.op("Mul", u, graph.number(0.5)))
    twice = graph.op("Mul", graph.op("Mul", s, s), graph.number(2))
    return graph.op("Sub", graph.number(1), twice)


def sinh(graph: Graph, u: str) -> str:
    """sinh u = h·(h·t/(1 + |t|)), h = exp(|u|/2), t = tanh u."""
    if not graph.double:
        return graph.op("Sinh", u)
    t = graph.op("Tanh", u)
    part = graph.op("Div", t, graph.op("Add", graph.op("Abs", t), graph.number(1)))
    h = _half_exponential(graph, u)
    return graph.op("Mul", h, graph.op("Mul", h, part))


def cosh(graph: Graph, u: str) -> str:
    """cosh u = h·(h·(½ + ½·exp(−2|u|))), h = exp(|u|/2)."""
    if not graph.double:
        return graph.op("Cosh", u)
    half = graph.number(0.5)
    q = graph.op("Exp", graph.op("Mul", graph.op("Abs", u), graph.number(-2)))
    part = graph.op("Add", graph.op("Mul", q, half), half)
    h = _half_exponential(graph, u)
    return graph.op("Mul", h, graph.op("Mul", h, part))


def _half_exponential(graph: Graph, u: str) -> str:
    return graph.op("Exp", graph.op("Mul", graph.op("Abs", u), graph.number(0.5)))


def atan(graph: Graph, u: str) -> str:
    """t·P(t²)/Q(t²) for t = min(|u|, 1)/max(|u|, 1), from a quarter turn where |u| > 1."""
    if not graph.double:
        return graph.op("Atan", u)
    one = graph.number(1)
    a = graph.op("Abs", u)
    t = graph.op("Div", graph.op("Min", a, one), graph.op("Max", a, one))
    s = graph.op("Mul", t, t)
    known = APPROXIMATIONS["float64"]["atan"]
    quotient = graph.op("Div", _horner(graph, s, known.above), _horner(graph, s, known.below))
    angle = graph.op("Mul", t, quotient)
    rest = graph.op("Sub", graph.number(math.pi / 2), angle)
    size = graph.op("Where", graph.op("Greater", a, one), rest, angle)
    return graph.op("Mul", size, graph.op("Sign", u))


def erf(graph: Graph, u: str) -> str:
    """u·P(u²) where |u| < 1, else 1 − 2·P(X < −√2|u|) for a standard normal X, and the sign."""
    if not graph.double:
        return graph.op("Erf", u)
    one = graph.number(1)
    a = graph.op("Abs", u)
    tail = normal_tail(graph, graph.op("Mul", a, graph.number(math.sqrt(2))))
    large = graph.op("Sub", one, graph.op("Add", tail, tail))
    s = graph.op("Mul", u, u)
    small = graph.op("Mul", u, _horner(graph, s, APPROXIMATIONS["float64"]["erf"].above))
    signed = graph.op("Mul", large, graph.op("Sign", u))
    return graph.op("Where", graph.op("Less", a, one), small, signed)


def normal_tail(graph: Graph, a: str) -> str:
    """P(X < −a) of a standard normal X, a ≥ 0: exp(−a²/2)·P(t)/(a + 4), t = (a − 4)/(a + 4)."""
    a = graph.op("Min", a, graph.number(_FARTHEST))
    four = graph.number(4)
    below = graph.op("Add", a, four)
    t = graph.op("Div", graph.op("Sub", a, four), below)
    rational = _horner(graph, t, APPROXIMATIONS["float64"]["normal_tail"].above)
    decay = graph.op("Exp", graph.op("Mul", graph.op("Mul", a, a), graph.number(-0.5)))
    return graph.op("Mul", decay, graph.op("Div", rational, below))


def _horner(graph: Graph, x: str, coefficients: Sequence[str]) -> str:
    """Σ c_k·x^k, the constant coefficient first."""
    result = graph.number(float(coefficients[-1]))
    if len(coefficients) == 1:
        return result
    for each in reversed(coefficients[:-1]):
        result = graph.op("Add", graph.op("Mul", result, x), graph.number(float(each)))
    return result


def log_sum_exp(graph: Graph, u: str) -> str:
    """log Σ exp over the units, by the largest of them."""
    peak = graph.op("ReduceMax", u, graph.axes(), keepdims=1)
    total = graph.op("ReduceSum", graph.op("Exp", graph.op("Sub", u, peak)), graph.axes())
    return graph.op("Add", graph.op("Log", total), peak)


def _node(kind: str) -> Callable[..., str]:
    return lambda graph, *arguments: graph.op(kind, *arguments)


# fmt: off
FUNCTIONS: Mapping[str, Callable[..., str]] = {
    # of formulas, by name
    "exp":      _node("Exp"),
    "expm1":    expm1,
    "log":      _node("Log"),
    "log1p":    log1p,
    "sqrt":     _node("Sqrt"),
    "abs":      _node("Abs"),
    "sin":      _node("Sin"),
    "cos":      cos,
    "tanh":     _node("Tanh"),
    "sinh":     sinh,
    "cosh":     cosh,
    "atan":     atan,
    "erf":      erf,
    "sigmoid":  _node("Sigmoid"),
    "softplus": softplus,
    "relu":     _node("Relu"),
    "min":      _node("Min"),
    "max":      _node("Max"),
    "sum":      lambda graph, u: graph.op("ReduceSum", u, graph.axes(), keepdims=1),
}
# fmt: on
