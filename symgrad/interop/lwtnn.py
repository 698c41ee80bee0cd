"""lwtnn: sequential networks in lwtnn's JSON, as high-energy physics runs them from C++.

    a0 = (x + offset)·scale                 of each input, by name
    a1 = f(W1·a0 + b1)   …                  weights with a row for each unit

Read are dense layers. `defaults`, which lwtnn can put in where a value is missing, are left aside.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from symgrad.interop.activations import elu, hard_sigmoid, leaky_relu
from symgrad.interop.activations import number as written
from symgrad.interop.affine import Affine, of_inputs
from symgrad.interop.chain import Chain
from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network, assemble
from symgrad.interop.source import input_names, labels_of, name_of, unknown
from symgrad.interop.source import read as text_of
from symgrad.spec.formula import quoted

KIND = "network of lwtnn's"

_ACTIVATIONS: Mapping[str, str] = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "rectified": "relu",
    "tanh": "tanh",
    "softmax": "softmax",
    "hard_sigmoid": hard_sigmoid(0.2, 0.5),
}
_WITH_ALPHA = ("elu", "leakyrelu", "swish")


def read(
    path: str | os.PathLike[str], *, name: str | None = None, loss: LossLike | None = None
) -> Network:
    """The network in a file of lwtnn's, in float64. Raises InteropError."""
    text = text_of(path, KIND)
    try:
        return _network(json.loads(text), name_of(path, name), loss)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InteropError(f"{path}: no JSON: {error}") from error


def recognised(start: str) -> bool:
    """Whether a file that begins so is one."""
    compact = "".join(start.split())
    return compact.startswith("{") and '"inputs":[' in compact and '"offset":' in compact


def _network(data: Any, name: str, loss: LossLike | None) -> Network:
    inputs, layers = _list(data, "inputs"), _list(data, "layers")
    if not inputs:
        raise InteropError(
            "it has no inputs; understood are lwtnn's sequential networks, not its graphs of nodes"
        )
    names = [str(each.get("name")) if isinstance(each, Mapping) else "" for each in inputs]
    before = [
        Affine().plus(_numbers(each, "offset")[0]).times(_numbers(each, "scale")[0])
        for each in inputs
    ]
    chain, width = Chain(), len(inputs)
    for place, layer in enumerate(layers, start=1):
        called = f"layer {place}"
        kind = layer.get("architecture") if isinstance(layer, Mapping) else None
        if kind != "dense":
            raise InteropError(
                f"{called} is {quoted(str(kind))}, which is not understood; dense is"
            )
        weights, bias = _numbers(layer, "weights"), _numbers(layer, "bias")
        if len(weights) != width * len(bias) or not bias:
            raise InteropError(
                f"{called}: {len(weights)} weights and {len(bias)} biases do not fit {width} inputs"
            )
        width = len(bias)
        chain.linear(called, np.array(weights).reshape(width, -1).T, np.array(bias))
        chain.activation(called, *_activation(layer, called))
    labels = _list(data, "outputs")
    if len(labels) != width:
        raise InteropError(f"{len(labels)} outputs are named, and there are {width}")
    network = assemble(
        chain.layers, name, "float64", loss, {**input_names(names), **of_inputs(before)}
    )
    softmax = network.spec.layers[-1].activation == "softmax"
    return Network(network.spec, network.theta, labels_of(labels) if softmax else None)


def _activation(layer: Mapping[str, Any], called: str) -> tuple[str, str]:
    """Its formula, and what it may be called."""
    given = layer.get("activation", "linear")
    kind, alpha = given, 1.0
    if isinstance(given, Mapping):
        kind, alpha = (
            given.get("function"),
            _numbers(given, "alpha")[0] if "alpha" in given else 1.0,
        )
    if kind in _WITH_ALPHA:
        swish = f"z*sigmoid({written(alpha)}*z)"
        return {"elu": elu(alpha), "leakyrelu": leaky_relu(alpha), "swish": swish}[kind], kind
    if not isinstance(kind, str) or kind not in _ACTIVATIONS:
        what = f"{called}: the activation {quoted(str(kind))}"
        raise unknown(what, [*_ACTIVATIONS, *_WITH_ALPHA])
    return _ACTIVATIONS[kind], kind


def _list(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, list) else []


def _numbers(data: Any, key: str) -> list[float]:
    """A number, or a list of them."""
    value: Any = data.get(key) if isinstance(data, Mapping) else None
    values: list[Any] = value if isinstance(value, list) else [value]
    if not all(
        type(each) is float or (type(each) is int and abs(each) < 1 << 53) for each in values
    ):
        raise InteropError(
            f"{key} should be {'numbers' if isinstance(value, list) else 'a number'}"
        )
    return [float(each) for each in values]
