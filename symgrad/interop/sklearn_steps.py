"""What stands around a network of scikit-learn's: searches, pipelines of scalers, scaled targets.

Pipeline, TransformedTargetRegressor, GridSearchCV ──unwrapped──▶ estimator, its scales
"""

from typing import Any, TypeAlias

import numpy as np

from symgrad.interop.errors import InteropError, needed
from symgrad.interop.network import Array

# x·scale + shift for each feature, in float64.
Affine: TypeAlias = tuple[Array, Array]


def unwrapped(estimator: Any) -> tuple[Any, list[Affine], list[Affine]]:
    """The estimator inside, what inputs go through before it, and its outputs after it, in order.

    Raises InteropError for a step that is no affine map of each feature.
    """
    pipelines = needed("sklearn.pipeline", "reading scikit-learn's networks", "sklearn")
    compose = needed("sklearn.compose", "reading scikit-learn's networks", "sklearn")
    inputs: list[Affine] = []
    outputs: list[Affine] = []
    while True:
        kind = type(estimator).__name__
        if isinstance(estimator, pipelines.Pipeline):
            *steps, (_, last) = estimator.steps
            for called, step in steps:
                inputs += _affine(step, f"the step {called!r} of the Pipeline")
            estimator = last
        elif isinstance(estimator, compose.TransformedTargetRegressor):
            if not hasattr(estimator, "regressor_"):
                raise InteropError(f"this {kind} is not fitted")
            transformer = estimator.transformer_
            outputs[:0] = _inverse(_affine(transformer, f"the transformer of the {kind}"))
            estimator = estimator.regressor_
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
            raise InteropError(f"this {kind} is not fitted, or keeps no best estimator (refit)")
        else:
            return estimator, inputs, outputs


def _affine(step: Any, called: str) -> list[Affine]:
    """A fitted scaler as a map; none where nothing is done."""
    kind = type(step).__name__
    preprocessing = needed("sklearn.preprocessing", "reading scikit-learn's networks", "sklearn")
    if step is None or step == "passthrough":
        return []
    if isinstance(step, preprocessing.FunctionTransformer) and step.func is None:
        return []
    known = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
    if type(step) not in [getattr(preprocessing, name) for name in known]:
        raise InteropError(
            f"{called} is {kind}, which can't be read; read are {', '.join(known)}: let it stand"
            " before the network, and read what is after it"
        )
    if not hasattr(step, "scale_"):
        raise InteropError(f"{called} ({kind}) is not fitted")
    if getattr(step, "clip", False):
        raise InteropError(f"{called} ({kind}) clips, which no layer does before the first one")
    count = step.n_features_in_
    scale = np.ones(count) if step.scale_ is None else np.asarray(step.scale_, np.float64)
    if kind == "MinMaxScaler":
        return [(scale, np.asarray(step.min_, np.float64))]
    centre = getattr(step, "mean_" if kind == "StandardScaler" else "center_", None)
    used = getattr(step, "with_mean" if kind == "StandardScaler" else "with_centering", False)
    shift = np.zeros(count) if centre is None or not used else np.asarray(centre, np.float64)
    return [(1 / scale, -shift / scale)]


def _inverse(maps: list[Affine]) -> list[Affine]:
    return [(1 / scale, -shift / scale) for scale, shift in reversed(maps)]
