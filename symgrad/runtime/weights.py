"""weights: all weights as one vector theta, and as arrays by name."""

import math

import numpy as np

from symgrad.runtime.given import real_array

# The activations whose layers are initialised as He et al. do it; the others as Glorot and Bengio.
RELU_LIKE = {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"}


class Weights:
    """All weights as one vector theta, and as arrays by name."""

    def __init__(self, parameters, size, dtype, layers):
        def init(seed=0):
            """Random weights: He for relu-like layers, Glorot for others, both uniform; biases are
            zero.

            He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.
            """
            random = np.random.default_rng(seed)
            weights = {name: np.zeros(shape) for name, (_, shape) in parameters.items()}
            for number, layer in enumerate(layers, start=1):
                several = layer.get("from", ())
                sources = several if len(several) > 1 else [""]
                heads = enumerate(layer.get("heads", ()), start=1)
                groups = {f"{number}h{head}": group for head, group in heads}
                for called, group in (groups or {str(number): layer}).items():
                    names = [f"W{called}{source}" for source in sources]
                    below, units = sum(parameters[name][1][0] for name in names), group["units"]
                    fan = below if group["activation"] in RELU_LIKE else below + units
                    for name in names:
                        drawn = random.uniform(-1.0, 1.0, parameters[name][1])
                        weights[name] = drawn * math.sqrt(6 / fan)
            return pack(weights)

        def pack(weights):
            """The flat vector theta from arrays by name, of the shapes in PARAMETERS."""
            if set(weights) != set(parameters):
                raise ValueError(
                    f"the arrays {', '.join(parameters)} are needed, came {', '.join(weights)}"
                )
            theta = np.empty(size, dtype)
            for name, array in unpack(theta).items():
                given = real_array(name, weights[name], array.shape)
                if given.shape != array.shape:
                    raise ValueError(f"{name} must be of shape {array.shape}, came {given.shape}")
                array[...] = given
            return theta

        def unpack(theta):
            """Views into the flat vector theta, by name."""
            if np.shape(theta) != (size,):
                raise ValueError(f"theta must be of shape {(size,)}, came {np.shape(theta)}")
            views = {}
            for name, (offset, shape) in parameters.items():
                views[name] = theta[offset : offset + int(np.prod(shape))].reshape(shape)
            return views

        self.init, self.pack, self.unpack = init, pack, unpack
