"""Predictions of a trained network for new data."""

import csv
import io
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.compiler import compile
from symgrad.errors import DataError
from symgrad.runtime.named import terms_of
from symgrad.spec.spec import Spec
from symgrad.training.consistency import check_consistency
from symgrad.training.data import read_to_predict
from symgrad.training.dataset import build_dataset
from symgrad.training.evaluate import evaluate
from symgrad.training.metrics import Figures, class_probabilities, predicted_classes
from symgrad.training.module import Array, gives_probabilities, to_compile
from symgrad.training.trained import Label, Trained


@dataclass(frozen=True)
class Predictions:
    """What a network says, a row a sample, in the order of the data.

    `outputs` has the shape (samples, outputs), in the units of the targets. For classes, `labels`
    has the predicted one of each sample, and `probabilities`, of shape (samples, classes), those of
    all `classes` if the network gives any; both are None for numbers. `figures` are there if the
    data has targets. `names` are those of the outputs where the spec has them. `notes` are lines
    for the user.
    """

    outputs: Array
    targets: tuple[str, ...]
    classes: tuple[Label, ...] | None = None
    labels: tuple[Label, ...] | None = None
    probabilities: Array | None = None
    figures: Figures | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    def csv(self) -> str:
        """As a CSV file: `prediction`, then `p(…)` of each class; outputs by name where there are
        several, or the spec has names."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        if self.labels is None:
            several = self.outputs.shape[1] > 1
            writer.writerow(self.names or (self.targets if several else ["prediction"]))
            writer.writerows(_shown(self.outputs))
        elif self.classes is None or self.probabilities is None:
            writer.writerow(["prediction"])
            writer.writerows([label] for label in self.labels)
        else:
            writer.writerow(["prediction", *(f"p({label})" for label in self.classes)])
            rows = zip(self.labels, _shown(self.probabilities), strict=True)
            writer.writerows([label, *values] for label, values in rows)
        return file.getvalue()


def trained_module(trained: Trained, *derivatives: str) -> ModuleType:
    """The module of trained weights, which was compiled to train them; with more `derivatives`,
    another one."""
    recorded = Spec.recorded(trained.spec)
    spec = to_compile(recorded, recorded.training)
    check_consistency(trained, spec)
    if more := tuple(name for name in derivatives if name not in spec.derivatives):
        spec = Spec.recorded({**spec.normalised(), "derivatives": [*spec.derivatives, *more]})
    return compile(spec).module


def jacobian(trained: Trained, x: Any) -> Array:
    """∂output/∂input in raw units, float64 of shape (samples, outputs, inputs), for an array x of
    shape (samples, inputs); DataError where outputs are labels."""
    if trained.columns.labels is not None:
        raise DataError("labels have no derivatives; run.module has those of the network")
    module, scaling = trained_module(trained, "jacobian"), trained.scaling
    samples = read_to_predict(np.asarray(x), trained)
    given = build_dataset(samples, scaling, trained.spec).arrays[0]
    slopes = module.jacobian(trained.theta, given).astype(np.float64)
    slopes *= scaling.target_scale[:, None] / scaling.scale
    if scaling.fill is not None:  # what is filled in is the same whatever was there
        slopes[np.isnan(samples.x)[:, None, :].repeat(slopes.shape[1], axis=1)] = 0
    return np.asarray(slopes)


def loss_and_gradient(
    trained: Trained, x: Any, t: Any, w: Any = None, theta: Any = None
) -> tuple[float, Array]:
    """The loss of training, of arrays in raw units, and its derivative by the weights, those of
    `trained` if no theta is given; DataError where the loss has terms, or data does not fit."""
    if terms_of(trained.spec):
        raise DataError(
            "the loss is a sum of terms, each of samples of its own: use run.module's"
            " loss_and_gradient, with run.trained.scaling"
        )
    module = trained_module(trained)
    samples = read_to_predict((x, t, w), trained)
    if samples.t is None:
        raise DataError("the loss needs a target for each sample")
    arrays = build_dataset(samples, trained.scaling, trained.spec).arrays
    return module.loss_and_gradient(trained.theta if theta is None else theta, *arrays)


def predict(trained: Trained, data: Any) -> Predictions:
    """Predicts for data as `read_to_predict` takes it; raises DataError for what does not fit."""
    module = trained_module(trained)
    spec = Spec.recorded(trained.spec)
    samples = read_to_predict(data, trained)
    dataset = build_dataset(samples, trained.scaling, trained.spec)
    y = module.predict(trained.theta, dataset.arrays[0])
    figures = None
    if samples.t is not None:
        figures = evaluate(module, trained.theta, dataset, trained.scaling)
    targets, classes = trained.outputs, trained.columns.labels
    if classes is None:
        outputs = trained.scaling.outputs(y)
        names = spec.output_names
        return Predictions(outputs, targets, figures=figures, notes=samples.notes, names=names)
    labels = tuple(classes[number] for number in predicted_classes(y))
    probabilities = None
    if gives_probabilities(trained.spec):
        probabilities = class_probabilities(y)
    return Predictions(y, targets, classes, labels, probabilities, figures, samples.notes)


def _shown(values: Array) -> list[list[str]]:
    """With as many digits as the dtype holds, and no more."""
    return [[str(value) for value in row] for row in values]
