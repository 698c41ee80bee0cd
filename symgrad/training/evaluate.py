"""How well weights do on samples: after every epoch in two numbers, at the end in full."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.compiler import compile
from symgrad.runtime.named import terms_of
from symgrad.spec.spec import Spec
from symgrad.training.dataset import Dataset
from symgrad.training.metrics import Figures, figures, predicted_classes
from symgrad.training.module import Array, Module, gives_probabilities
from symgrad.training.terms import TermSamples
from symgrad.training.trained import Scaling


class ValidationScorer:
    """Scores weights by the samples held out; without any, every score is NaN."""

    def __init__(self, module: Module, dataset: Dataset | None, scaling: Scaling) -> None:
        self.module, self.dataset, self.scaling = module, dataset, scaling
        self.judged = None if dataset is None else dataset.judged
        self.classes = dataset is not None and dataset.samples.columns.labels is not None

    def __call__(self, theta: Array) -> tuple[float, float]:
        """The loss of theta, of shape (weights,), and its metric: the accuracy for classes, else
        the root of the mean squared error over all outputs, each in its own unit."""
        if self.dataset is None:
            return math.nan, math.nan
        loss = float(self.module.loss(theta, *self.dataset.arrays))
        if self.judged is None:
            return loss, math.nan
        x, t, raw = self.judged
        y = self.module.predict(theta, x)
        if self.classes:
            return loss, float(np.mean(predicted_classes(y) == predicted_classes(raw)))
        error = (y - t) * self.scaling.target_scale
        return loss, math.sqrt(np.mean(error * error))


def evaluate(module: Module, theta: Array, dataset: Dataset, scaling: Scaling) -> Figures:
    """All figures of a data set, in the targets' own units but for losses."""
    labels, judged = dataset.samples.columns.labels, dataset.judged
    loss = None  # of samples to predict for, which are those of no term
    if isinstance(dataset.samples, TermSamples) or not terms_of(module.SPEC):
        loss = float(module.loss(theta, *dataset.arrays))
    found = Figures(len(dataset), loss)
    if judged is not None:
        x, _, raw = judged
        y = module.predict(theta, x)
        y = scaling.outputs(y) if labels is None else y
        found = figures(loss, y, raw, labels, gives_probabilities(module.SPEC))
    terms = losses_of_terms(module, theta, dataset) if loss is not None else None
    return replace(found, samples=len(dataset), terms=terms)


def losses_of_terms(module: Module, theta: Array, dataset: Dataset) -> dict[str, float] | None:
    """What each term adds to the loss, without penalties; None where the loss has no terms."""
    spec, found = Spec.recorded(module.SPEC), {}
    for name, term in spec.of_terms.items():
        alone = term.without_penalties()
        given = [*dataset.by_term[name]]
        if not alone.reads_target:  # a loss by itself is given targets
            given.insert(1, np.zeros((len(given[0]), alone.targets), given[0].dtype))
        found[name] = float(compile(alone).module.loss(theta, *given))
    return found or None


def metric_name(labels: tuple[Any, ...] | None) -> str:
    """What the metric of an epoch is called."""
    return "rmse" if labels is None else "accuracy"
