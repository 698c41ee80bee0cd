"""How well weights do on samples: after every epoch in two numbers, at the end in full."""

import math
from typing import Any

import numpy as np

from symgrad.training.dataset import Dataset
from symgrad.training.metrics import Figures, figures, predicted_classes
from symgrad.training.module import Array, Module, gives_probabilities
from symgrad.training.trained import Scaling


class ValidationScorer:
    """Scores weights by the samples held out; without any, every score is NaN."""

    def __init__(self, module: Module, dataset: Dataset | None, scaling: Scaling) -> None:
        self.module, self.dataset, self.scaling = module, dataset, scaling
        self.classes = None if dataset is None else dataset.samples.classes

    def __call__(self, theta: Array) -> tuple[float, float]:
        """The loss of theta, of shape (weights,), and its metric: the accuracy for classes, else
        the root of the mean squared error in the targets' own units."""
        if self.dataset is None:
            return math.nan, math.nan
        loss = float(self.module.loss(theta, *self.dataset.arrays))
        y = self.module.predict(theta, self.dataset.arrays[0])
        if self.classes is not None:
            return loss, float(np.mean(predicted_classes(y) == self.classes))
        error = (y - self.dataset.arrays[1]) * self.scaling.target_scale
        return loss, math.sqrt(np.mean(error * error))


def evaluate(module: Module, theta: Array, dataset: Dataset, scaling: Scaling) -> Figures:
    """All figures of a data set, in the targets' own units but for the loss."""
    t, labels = dataset.samples.t, dataset.samples.columns.labels
    assert t is not None
    y = module.predict(theta, dataset.arrays[0])
    return figures(
        float(module.loss(theta, *dataset.arrays)),
        scaling.outputs(y) if labels is None else y,
        t,
        labels,
        gives_probabilities(module.SPEC),
    )


def metric_name(labels: tuple[Any, ...] | None) -> str:
    """What the metric of an epoch is called."""
    return "rmse" if labels is None else "accuracy"
