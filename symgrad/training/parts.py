"""Samples as the network takes them: a training part, a part held out, and their scaling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data import Samples, fit_scaling
from symgrad.training.module import Array
from symgrad.training.trained import Scaling

# Losses by the distance of output and target: these mean the same in other units.
_DISTANCES = {"squared", "absolute", "huber", "log_cosh"}


@dataclass(frozen=True)
class Part:
    """Samples in raw units, and x, t, and perhaps w, in the dtype and layout of the module."""

    samples: Samples
    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Parts:
    """What is trained on, what is held out (None if nothing is), and the scaling of both."""

    training: Part
    validation: Part | None
    scaling: Scaling
    notes: tuple[str, ...]


def parts(
    samples: Samples,
    rows: Array,
    held_out: Array,
    spec: Mapping[str, Any],
    standardize: bool,
    fill: bool,
) -> Parts:
    """Takes the rows of each part and scales them by what the training part shows.

    `rows` and `held_out` are row numbers; `spec` a normalised spec; `fill` puts means in for
    missing inputs. Raises DataError for samples that the network's numbers cannot hold.
    """
    training, validation = samples.take(rows), samples.take(held_out)
    if not len(training):
        raise DataError("no sample is left to train on; hold out a smaller share")
    if training.w is not None and not training.w.any():
        raise DataError("the sample weights of the training part are all 0")
    scale_targets = standardize and _has_units(spec) and samples.columns.labels is None
    scaling, notes = fit_scaling(training, standardize, scale_targets, fill)
    held_part = part(validation, scaling, spec) if len(held_out) else None
    return Parts(part(training, scaling, spec), held_part, scaling, notes)


def part(samples: Samples, scaling: Scaling, spec: Mapping[str, Any]) -> Part:
    """Samples scaled and converted for the network of `spec`, targets and weights if there."""
    arrays = [scaling.inputs(samples.x)]
    if samples.t is not None:
        arrays.append(scaling.targets(samples.t))
        if samples.w is not None:
            arrays.append(samples.w)
    dtype = np.dtype(spec["dtype"])
    with np.errstate(over="ignore"):
        converted = tuple(np.ascontiguousarray(array, dtype=dtype) for array in arrays)
    for name, array in zip(("inputs", "targets", "weights"), converted, strict=False):
        if not np.isfinite(array).all():
            raise DataError(f"the {name} hold numbers that are too large for {dtype}")
    return Part(samples, converted)


def _has_units(spec: Mapping[str, Any]) -> bool:
    """Whether targets in other units make the same problem of it."""
    kind, activation = spec["loss"].get("kind"), spec["layers"][-1]["activation"]
    return kind in _DISTANCES and activation == "identity"
