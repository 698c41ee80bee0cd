"""How well weights do on samples: after every epoch in two numbers, at the end in full."""

import math
from typing import Any

import numpy as np

from symgrad.training.metrics import Figures, figures, predicted_classes
from symgrad.training.module import Array, Module, gives_probabilities
from symgrad.training.parts import Part
from symgrad.training.trained import Scaling


class Judge:
    """Judges weights by the samples held out; by none, every verdict is NaN."""

    def __init__(self, module: Module, part: Part | None, scaling: Scaling) -> None:
        self.module, self.part, self.scaling = module, part, scaling
        self.classes = None if part is None else part.samples.classes

    def __call__(self, theta: Array) -> tuple[float, float]:
        """The loss of theta, of shape (weights,), and its metric: the accuracy for classes, else
        the root of the mean squared error in the targets' own units."""
        if self.part is None:
            return math.nan, math.nan
        loss = float(self.module.loss(theta, *self.part.arrays))
        y = self.module.predict(theta, self.part.arrays[0])
        if self.classes is not None:
            return loss, float(np.mean(predicted_classes(y) == self.classes))
        error = (y - self.part.arrays[1]) * self.scaling.target_scale
        return loss, math.sqrt(np.mean(error * error))


def evaluate(module: Module, theta: Array, part: Part, scaling: Scaling) -> Figures:
    """All figures of a part, in the targets' own units but for the loss."""
    t, labels = part.samples.t, part.samples.columns.labels
    assert t is not None
    y = module.predict(theta, part.arrays[0])
    return figures(
        float(module.loss(theta, *part.arrays)),
        scaling.outputs(y) if labels is None else y,
        t,
        labels,
        gives_probabilities(module.SPEC),
    )


def metric_name(labels: tuple[Any, ...] | None) -> str:
    """What the metric of an epoch is called."""
    return "rmse" if labels is None else "accuracy"
