"""folding: the scaling of a spec, put into the weights of its first and last layer.

    Σ (x - shift)/scale·W + b = Σ x·(W/scale) + (b - Σ shift/scale·W)
    (Σ a·W + b)·scale + shift = Σ a·(W·scale) + (b·scale + shift)

Computed in float64, and rounded once. For libraries whose networks have weights alone.
"""

from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Network, join
from symgrad.spec.scaling import Scaling
from symgrad.spec.spec import Spec


def folded(network: Network) -> Network:
    """The same network without a scaling of its own; itself, where it has none. Raises
    InteropError where weights cannot do what the scaling does."""
    spec = network.spec
    before, after = spec.scaling_of_inputs, spec.scaling_of_outputs
    if not before and not after:
        return network
    for scaling, what in ((before, "inputs"), (after, "outputs")):
        if scaling.clip is not None:
            raise InteropError(f"the spec cuts its {what}, which weights cannot do")
    layers = [(np.asarray(w, float), b) for w, b in network.layers]
    if before:
        (_, *others), first = spec.layers, spec.layers[0]
        skips = any("x" in (layer.sources or ()) for layer in others)
        if first.residual or skips:
            raise InteropError(
                "the spec scales its inputs, and more reads these than a first layer's weights"
            )
        shift, scale = _of(before, "shift", 0.0), _of(before, "scale", 1.0)
        weight, bias = layers[0]
        weight = weight / np.broadcast_to(scale, spec.inputs)[:, None]
        moved = np.broadcast_to(shift, spec.inputs) @ weight
        layers[0] = weight, (0.0 if bias is None else np.asarray(bias, float)) - moved
    if after:
        last = spec.layers[-1]
        if last.activation != "identity" or last.residual:
            raise InteropError("the spec scales its outputs, behind an activation or a residual")
        weight, bias = layers[-1]
        scale, shift = _of(after, "scale", 1.0), _of(after, "shift", 0.0)
        bias = (0.0 if bias is None else np.asarray(bias, float)) * scale + shift
        layers[-1] = weight * scale, np.broadcast_to(bias, spec.outputs)
    plain = _without(spec)
    return Network(plain, join(plain, layers), network.labels)


def _of(scaling: Scaling, key: str, otherwise: float) -> Array:
    value: Any = getattr(scaling, key)
    return np.asarray(otherwise if value is None else value, float)


def _without(spec: Spec) -> Spec:
    """The spec without its scaling, and with biases where that needs them."""
    data = spec.normalised()
    names = spec.input_names
    data["inputs"] = spec.inputs if names is None else list(names)
    for scaling, layer in ((spec.scaling_of_inputs, 0), (spec.scaling_of_outputs, -1)):
        if scaling:
            data["layers"][layer]["bias"] = True
    data.pop("outputs", None)
    return Spec.recorded(data)
