"""folding: the scaling of a spec, put into the weights of its first and last layer.

    Σ (x - shift)/scale·W + b = Σ x·(W/scale) + (b - Σ shift/scale·W)
    (Σ a·W + b)·scale + shift = Σ a·(W·scale) + (b·scale + shift)

Computed in float64, and rounded once. For libraries whose networks have weights alone.
"""

from typing import Any

import numpy as np

from symgrad.interop.chain import Chain
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Network, Weights, join
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
    layers: list[Weights] = [
        (w.astype(float), None if b is None else b.astype(float)) for w, b in network.layers
    ]
    if before:
        (_, *others), first = spec.layers, spec.layers[0]
        skips = any("x" in (layer.sources or ()) for layer in others)
        if first.residual or skips:
            raise InteropError(
                "the spec scales its inputs, and more reads these than a first layer's weights"
            )
        scale = 1 / _of(before, "scale", 1.0)
        chain = Chain()
        chain.affine("the inputs", scale, -_of(before, "shift", 0.0) * scale)
        chain.linear("layer 1", *layers[0])
        layers[0] = chain.done[0].weight, chain.done[0].bias
    if after:
        last = spec.layers[-1]
        if last.activation != "identity" or last.residual:
            raise InteropError("the spec scales its outputs, behind an activation or a residual")
        chain = Chain()
        chain.linear("the last layer", *layers[-1])
        chain.affine("the outputs", _of(after, "scale", 1.0), _of(after, "shift", 0.0))
        layers[-1] = chain.done[0].weight, chain.done[0].bias
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
