"""fit_task: one fit to be done, its samples split, scaled and found fit to be trained on.

Experiment ──prepare_fit──▶ FitTask ──run_fit──▶ Run
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.dataset import Datasets, build_datasets
from symgrad.training.experiment import Experiment
from symgrad.training.module import Array, Module
from symgrad.training.terms import count, split, split_fold


@dataclass(frozen=True)
class FitTask:
    """What a fit is of, on which samples, and the number of the fold held out, from 1 on."""

    experiment: Experiment
    module: Module
    datasets: Datasets
    fold: int | None = None

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.datasets.training.arrays

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user, on the data."""
        return (*self.experiment.samples.notes, *self.datasets.notes)

    @property
    def trained(self) -> Array | None:
        """The places in theta of the weights that are trained; None where all are."""
        ranges = self.experiment.spec.trained_ranges
        if ranges == ((0, self.module.SIZE),):
            return None
        return np.concatenate([np.arange(start, end) for start, end in ranges])

    def first(self) -> Array:
        """The weights that the fit begins with."""
        return _first(self.experiment, self.module)

    def start(self) -> Checkpoint:
        """Where the fit stands before its first epoch."""
        module, training, theta = self.module, self.experiment.training, self.first()
        if training.whole_batch:
            nothing = np.empty(0, theta.dtype), np.empty(0, np.uint64)
            return Checkpoint.start(theta, *nothing)
        return Checkpoint.start(theta, *module.train_state(training.seed))


def _first(experiment: Experiment, module: Module) -> Array:
    seed, initial = experiment.training.seed, experiment.initial
    return module.init(seed) if initial is None else initial.weights(module, seed)


def prepare_fit(experiment: Experiment, module: Any, fold: int | None = None) -> FitTask:
    """Splits and scales the samples; raises DataError where there is nothing that could be trained
    on, or the loss is not finite before the first step."""
    training, samples = experiment.training, experiment.samples
    if fold is None:
        rows, held_out, notes = split(samples, training.validation, training.seed)
    else:
        assert experiment.options.folds is not None
        rows, held_out, notes = split_fold(samples, experiment.options.folds, training.seed, fold)
    if training.patience is not None and not count(held_out):
        raise DataError(
            f"to end early, samples must be held out: a share of {training.validation:g} holds out "
            f"none of {len(samples)}"
        )
    if "members" in module.SPEC:
        notes = (*notes, "one network is trained; all members are by symgrad.ensemble, in Python")
    fill = experiment.options.missing == "mean"
    scaling = None
    if experiment.initial is not None and experiment.initial.trained is not None:
        experiment.initial.check_columns(samples.columns)
        scaling = experiment.initial.trained.scaling
    datasets = build_datasets(
        samples, rows, held_out, module.SPEC, training.standardize, fill, scaling
    )
    datasets = replace(datasets, notes=(*notes, *datasets.notes))
    loss = module.loss(_first(experiment, module), *datasets.training.arrays)
    if not math.isfinite(loss):
        raise DataError(
            f"the loss is {loss} before the first step: do the targets suit the loss (positive for "
            "poisson, between 0 and 1 for binary_cross_entropy)?"
        )
    return FitTask(experiment, module, datasets, fold)
