"""The value of a network, in float64, as a textbook has it: no code of emitted modules."""

import numpy as np
import scipy.special

from symgrad.interop import Network
from symgrad.interop.activations import BUILT_IN
from symgrad.interop.numeric import evaluate
from symgrad.spec.formula import parse


def value(network: Network, x: np.ndarray) -> np.ndarray:
    """y of shape (samples, outputs), for x of shape (samples, inputs)."""
    spec, made = network.spec, [np.asarray(x, np.float64)]
    for number, (layer, (weight, bias)) in enumerate(
        zip(spec.layers, network.layers, strict=True), start=1
    ):
        below = np.concatenate([made[place] for _, place in spec.sources(number)], axis=1)
        z = below @ weight.astype(np.float64) + (0 if bias is None else bias.astype(np.float64))
        if layer.activation == "softmax":
            a = scipy.special.softmax(z, axis=1)
        else:
            tree = spec.activation_tree(layer.activation)
            a = evaluate(tree or parse(BUILT_IN[layer.activation], ("z",)), {"z": z})
        made.append(np.broadcast_to(a, z.shape) + (below if layer.residual else 0))
    return made[-1]
