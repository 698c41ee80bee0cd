"""The samples that a run is judged by, and what its network says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data import read_to_predict
from symgrad.training.dataset import VALIDATION, Dataset, build_dataset
from symgrad.training.evaluate import evaluate
from symgrad.training.experiment import recorded_experiment
from symgrad.training.fit_task import prepare_fit
from symgrad.training.metrics import Figures
from symgrad.training.module import Array
from symgrad.training.record import Record
from symgrad.training.run import Run

# What samples are called that are not the run's own.
DATA = "data"


@dataclass(frozen=True)
class Part:
    """Some samples: inputs x as the network takes them, targets t and outputs y in raw units, all
    of shape (samples, …)."""

    figures: Figures
    x: Array
    t: Array
    y: Array


@dataclass(frozen=True)
class Judged:
    """A run's samples by part, as far as they could be read and have targets that outputs can be
    compared with; the figures of every part; and why there is no part, if there is none."""

    parts: Mapping[str, Part]
    figures: Mapping[str, Figures]
    missing: str = ""

    @property
    def decisive(self) -> str:
        """The part that says most of new data: what was held out, if anything was."""
        return VALIDATION if VALIDATION in self.figures else next(iter(self.figures))


def thinned(count: int, most: int) -> Array:
    """Row numbers of at most so many of `count` rows, evenly over all, the first and the last too:
    a chart of more points is no clearer."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def judge(run: Run, record: Record, data: Any = None) -> Judged:
    """Judges by the run's own samples, from where they lay or from `data`, if it is those; else by
    `data`, which must have targets. Raises DataError for data that is neither."""
    try:
        experiment = recorded_experiment(record, data)
        datasets = prepare_fit(experiment, run.module, record.get("fold")).datasets.by_name()
    except DataError as error:
        if data is None:
            return Judged({}, run.figures, str(error))
        datasets = {DATA: _dataset(run, data)}
    theta, scaling = run.theta, run.trained.scaling
    figures = {name: evaluate(run.module, theta, each, scaling) for name, each in datasets.items()}
    parts = {}
    for name, dataset in datasets.items():
        if (judged := dataset.judged) is not None:
            x, _, t = judged
            y = scaling.outputs(run.module.predict(theta, x))
            parts[name] = Part(figures[name], x, t, y)
    missing = "" if parts else "no target is one that an output could be compared with"
    return Judged(parts, figures, missing)


def _dataset(run: Run, data: Any) -> Dataset:
    samples = read_to_predict(data, run.trained)
    if samples.t is None:
        raise DataError(
            f"the data has no column {', '.join(run.trained.columns.targets)}: a report is of"
            " samples with targets"
        )
    return build_dataset(samples, run.trained.scaling, run.trained.spec)
