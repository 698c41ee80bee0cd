"""An estimator's network as a spec, and the module that computes it.

scikit-learn's loss has α/2·ΣW² divided by the samples of a batch, or their weight: so the spec
leaves l2 to be given at run time, and one module serves every α, rate and batch size.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.compiler import Compiled, compile
from symgrad.interop.sklearn_names import HIDDEN

# scikit-learn's names of activations, for hidden layers and the last, and the ones here.
ACTIVATIONS = {**HIDDEN, "softmax": "softmax", "exp": "exponential"}
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
    dtype: str,
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
        "dtype": dtype,
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


def flat(
    module: ModuleType, coefs: Sequence[np.ndarray], intercepts: Sequence[np.ndarray]
) -> np.ndarray:
    """The weights and the biases of each layer as the module takes them: one vector, a copy."""
    named = {f"W{k}": W for k, W in enumerate(coefs, 1)}
    return module.pack(named | {f"b{k}": b for k, b in enumerate(intercepts, 1)})


def views(module: ModuleType, theta: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights and the biases of each layer in such a vector, sharing its memory."""
    parts = module.unpack(theta)
    return [parts[name] for name in parts if name[0] == "W"], [
        parts[name] for name in parts if name[0] == "b"
    ]
