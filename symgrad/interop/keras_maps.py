"""Keras's layers that are affine maps of each feature: scales and shifts, in float64."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array


def affine_maps(keras: Any) -> Mapping[type, Callable[[Any, str], tuple[Array, Array]]]:
    """The scale and the shift of each kind of them, which are for each feature or for all."""
    layers = keras.layers
    return {
        layers.BatchNormalization: _batch_normalization,
        layers.Normalization: lambda layer, called: _normalization(layer, called, keras),
        layers.Rescaling: _rescaling,
    }


def _batch_normalization(layer: Any, called: str) -> tuple[Array, Array]:
    """As it is in inference."""
    if layer.axis not in (-1, 1):
        raise InteropError(f"{called}: axis = {layer.axis}; understood is that of the features")
    if not layer.built:
        raise InteropError(f"{called} is not built: it has no weights before it has an input")
    weights = iter(np.asarray(each, np.float64) for each in layer.get_weights())
    gamma = next(weights) if layer.scale else 1.0
    beta = next(weights) if layer.center else 0.0
    mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return np.asarray(scale), np.asarray(beta - mean * scale)


def _normalization(layer: Any, called: str, keras: Any) -> tuple[Array, Array]:
    if getattr(layer, "mean", None) is None:
        raise InteropError(f"{called} is not adapted: it has no mean")
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(each), np.float64)
        for each in (layer.mean, layer.variance)
    )
    if mean.size not in (1, mean.shape[-1] if mean.ndim else 1):
        raise InteropError(f"{called} takes several axes; understood are rows of features")
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon()).ravel()
    mean = mean.ravel()
    return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)


def _rescaling(layer: Any, called: str) -> tuple[Array, Array]:
    return np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
