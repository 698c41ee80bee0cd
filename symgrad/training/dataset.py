"""Samples as the network takes them: a training set, a validation set, and their scaling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data import Samples, fit_scaling
from symgrad.training.module import Array, reads_inputs
from symgrad.training.trained import Scaling

TRAINING, VALIDATION = "training", "validation"

# Losses by the distance of output and target: these mean the same in other units.
_DISTANCES = {"squared", "absolute", "huber", "log_cosh"}


@dataclass(frozen=True)
class Dataset:
    """Samples in raw units, and x, t, and perhaps w, in the dtype and layout of the module."""

    samples: Samples
    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Datasets:
    """What is trained on, what is held out (None if nothing is), and the scaling of both."""

    training: Dataset
    validation: Dataset | None
    scaling: Scaling
    notes: tuple[str, ...]

    def by_name(self) -> dict[str, Dataset]:
        """Those that are there, as figures and pictures name them."""
        both = {TRAINING: self.training, VALIDATION: self.validation}
        return {name: dataset for name, dataset in both.items() if dataset is not None}


def build_datasets(
    samples: Samples,
    rows: Array,
    held_out: Array,
    spec: Mapping[str, Any],
    standardize: bool,
    fill: bool,
) -> Datasets:
    """Takes the rows of each set and scales them by what the training set shows.

    `rows` and `held_out` are row numbers; `spec` a normalised spec; `fill` puts means in for
    missing inputs. Raises DataError for samples that the network's numbers cannot hold.
    """
    training, validation = samples.take(rows), samples.take(held_out)
    if not len(training):
        raise DataError("no sample is left to train on; hold out a smaller share")
    if training.w is not None and not training.w.any():
        raise DataError("the sample weights of the training part are all 0")
    in_own_units = reads_inputs(spec)
    scale = standardize and not in_own_units
    scale_targets = scale and _has_units(spec) and samples.columns.labels is None
    scaling, notes = fit_scaling(training, scale, scale_targets, fill)
    if standardize and in_own_units:
        notes = (*notes, "inputs are not standardized: the loss is a formula in them")
    held_out_set = build_dataset(validation, scaling, spec) if len(held_out) else None
    return Datasets(build_dataset(training, scaling, spec), held_out_set, scaling, tuple(notes))


def build_dataset(samples: Samples, scaling: Scaling, spec: Mapping[str, Any]) -> Dataset:
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
    return Dataset(samples, converted)


def _has_units(spec: Mapping[str, Any]) -> bool:
    """Whether targets in other units make the same problem of it."""
    kind, activation = spec["loss"].get("kind"), spec["layers"][-1]["activation"]
    return kind in _DISTANCES and activation == "identity"
