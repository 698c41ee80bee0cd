"""The built-in activations as nodes of ONNX: one node each in float32, where ONNX has one.

In float64 onnxruntime computes few of ONNX's own activations; the others are put together.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from symgrad.interop.onnx.functions import expm1, normal_tail, softplus
from symgrad.interop.onnx.graph import Graph
from symgrad.language.constants import SELU_ALPHA, SELU_SCALE


def activation(graph: Graph, name: str, z: str) -> str:
    """A built-in activation of z: the name of its result."""
    if not graph.double and name in _NODES:
        kind, attributes = _NODES[name]
        return graph.op(kind, z, **attributes)
    return _BUILT[name](graph, z)


_NODES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "gelu": ("Gelu", {}),
    "mish": ("Mish", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "sin": ("Sin", {}),
    "softmax": ("Softmax", {"axis": -1}),
}


def _node(name: str) -> Callable[[Graph, str], str]:
    kind, attributes = _NODES[name]
    return lambda graph, z: graph.op(kind, z, **attributes)


def _leaky_relu(graph: Graph, z: str) -> str:
    return graph.op("Max", z, graph.op("Mul", z, graph.number(0.01)))


def _below(graph: Graph, z: str, alpha: float) -> str:
    """α·(exp z − 1) below 0, and 0 above."""
    grown = expm1(graph, graph.op("Min", z, graph.number(0)))
    return grown if alpha == 1 else graph.op("Mul", grown, graph.number(alpha))


def _elu(graph: Graph, z: str) -> str:
    return graph.op("Add", graph.op("Relu", z), _below(graph, z, 1))


def _selu(graph: Graph, z: str) -> str:
    sides = graph.op("Add", graph.op("Relu", z), _below(graph, z, float(SELU_ALPHA)))
    return graph.op("Mul", sides, graph.number(float(SELU_SCALE)))


def _gelu(graph: Graph, z: str) -> str:
    """z·P(X < z) for a standard normal X, which is relu(z) − |z|·P(X < −|z|)."""
    a = graph.op("Abs", z)
    # Where the tail is 0 an infinite |z| would make NaN of it.
    held = graph.op("Min", a, graph.number(math.ldexp(1, 60)))
    return graph.op("Sub", graph.op("Relu", z), graph.op("Mul", held, normal_tail(graph, a)))


def _silu(graph: Graph, z: str) -> str:
    """z·σ(z); in float64 z/(1 + exp −z), as older versions of onnxruntime make one operation of the
    other that they have in float32 alone."""
    if not graph.double:
        return graph.op("Mul", z, graph.op("Sigmoid", z))
    below = graph.op("Add", graph.op("Exp", graph.op("Neg", z)), graph.number(1))
    return graph.op("Div", z, below)


def _mish(graph: Graph, z: str) -> str:
    return graph.op("Mul", z, graph.op("Tanh", softplus(graph, z)))


def _softsign(graph: Graph, z: str) -> str:
    return graph.op("Div", z, graph.op("Add", graph.op("Abs", z), graph.number(1)))


def _gaussian(graph: Graph, z: str) -> str:
    return graph.op("Exp", graph.op("Neg", graph.op("Mul", z, z)))


_BUILT: Mapping[str, Callable[[Graph, str], str]] = {
    **{name: _node(name) for name in ("relu", "sigmoid", "tanh", "sin", "softmax")},
    "identity": lambda graph, z: z,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": softplus,
    "softsign": _softsign,
    "gaussian": _gaussian,
}
