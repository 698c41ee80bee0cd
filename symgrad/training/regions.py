"""regions: which class a network of two inputs gives where, in the units of the data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symgrad.training.metrics import class_probabilities, predicted_classes
from symgrad.training.module import Array
from symgrad.training.trained import Columns, Scaling

MOST_CLASSES = 6  # as many as there are colours to tell apart

_MARGIN = 0.06  # beside the samples, of how far they spread


@dataclass(frozen=True)
class Regions:
    """Cells over two inputs, `ends` being (low, high) of each. `classes` has the number of each
    cell's class, and `shade` how far its probability lies above that of a guess, from 0 to 1 (½
    where outputs are no probabilities), both of shape (cells of the second input, of the first).
    """

    names: tuple[str, str]
    ends: tuple[tuple[float, float], tuple[float, float]]
    classes: Array
    shade: Array


def have_regions(columns: Columns) -> bool:
    """Whether there are two inputs, both numbers, and classes that colours tell apart."""
    return (
        columns.labels is not None
        and len(columns.labels) <= MOST_CLASSES
        and len(columns.inputs) == len(columns.network_inputs) == 2
    )


def regions(
    predict: Callable[[Array], Array],
    scaling: Scaling,
    columns: Columns,
    probabilities: bool,
    x: Array,
    count: int,
) -> Regions:
    """Of a network that `have_regions`, about samples x, in raw units as in `raw_inputs`; `predict`
    takes inputs as the network does. `count` cells go across, and as many up."""
    low, high = x.min(axis=0), x.max(axis=0)
    spread = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    low, high = low - _MARGIN * spread, high + _MARGIN * spread
    middles = low + (high - low) * ((np.arange(count) + 0.5) / count)[:, None]
    grid = np.stack(np.meshgrid(*middles.T), axis=-1).reshape(-1, 2)
    y = scaling.outputs(predict(scaling.inputs(grid)))
    shade = np.full(len(y), 0.5)
    if probabilities:
        p = class_probabilities(y)
        guess = 1 / p.shape[1]
        shade = np.nan_to_num(np.clip((p.max(axis=1) - guess) / (1 - guess), 0, 1))
    one, other = zip(low.tolist(), high.tolist(), strict=True)
    first, second = columns.inputs
    return Regions(
        (first, second),
        (one, other),
        predicted_classes(y).reshape(count, count),
        shade.reshape(count, count),
    )


def raw_inputs(scaling: Scaling, x: Array) -> Array:
    """Inputs in the units of the data, of shape (samples, inputs), from those that the network
    takes."""
    return np.asarray(x.astype(np.float64) * scaling.scale + scaling.mean)
