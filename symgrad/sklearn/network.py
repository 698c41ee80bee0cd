"""An estimator's network as a spec, and the module that computes it.

scikit-learn's loss has α/2·ΣW² divided by the samples of a batch, or their weight: so the spec
leaves l2 to be given at run time, and one module serves every α, rate and batch size.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from symgrad.compiler.compile import Compiled, compile

# scikit-learn's names of activations, for hidden layers and the last.
ACTIVATIONS = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "exp": "exponential",
}
_EXPONENTIAL = {"exponential": {"formula": "exp(z)"}}

# The loss that scikit-learn has for an activation of the last layer.
_LOSSES = {
    "identity": "squared",
    "logistic": "binary_cross_entropy",
    "softmax": "cross_entropy",
    "exp": "poisson",
}

# Modules kept in a process; one that is not is loaded again from the cache folder.
_KEPT = 64


def compiled(
    widths: Sequence[int],
    activation: str,
    out_activation: str,
    dtype: np.dtype,
    weighted: bool,
    optimizer: str | None,
) -> Compiled:
    """The network with so many inputs and units of each layer, compiled.

    `weighted` is whether samples have weights; `optimizer` is that of the spec's [training], None
    where SciPy minimises.
    """
    last = len(widths) - 2
    spec: dict[str, Any] = {
        "name": "symgrad_mlp",  # not mlp: a user's own file may be called that
        "dtype": dtype.name,
        "inputs": widths[0],
        "layers": [
            {
                "units": units,
                "activation": ACTIVATIONS[out_activation if place == last else activation],
            }
            for place, units in enumerate(widths[1:])
        ],
        "loss": {"kind": _LOSSES[out_activation], "l2": "argument", "sample_weights": weighted},
    }
    if out_activation == "exp":
        spec["activations"] = _EXPONENTIAL
    if optimizer is not None:
        spec["training"] = {"optimizer": optimizer}
    return _compiled(json.dumps(spec))


@lru_cache(maxsize=_KEPT)
def _compiled(spec: str) -> Compiled:
    return compile(json.loads(spec))


def flat(coefs: Iterable[np.ndarray], intercepts: Iterable[np.ndarray]) -> np.ndarray:
    """All weights as one vector, as modules have them: each layer's weights, and its biases."""
    pairs = zip(coefs, intercepts, strict=True)
    return np.concatenate([np.ravel(array) for pair in pairs for array in pair])


def views(theta: np.ndarray, widths: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights and the biases of each layer in such a vector, sharing its memory."""
    coefs, intercepts, start = [], [], 0
    for inputs, units in pairwise(widths):
        middle, end = start + inputs * units, start + (inputs + 1) * units
        coefs.append(theta[start:middle].reshape(inputs, units))
        intercepts.append(theta[middle:end])
        start = end
    return coefs, intercepts
