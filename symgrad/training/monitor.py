"""monitor: what is done between the epochs of a fit, which itself knows no files.

Checkpoints and pictures are written when it is time for one, and the callback is told.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np

from symgrad.training.callback import Callback
from symgrad.training.caller import resuming
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.dataset import Dataset
from symgrad.training.evaluate import metric_name
from symgrad.training.fit_task import FitTask
from symgrad.training.folder import Folder
from symgrad.training.module import Array, Module, gives_probabilities
from symgrad.training.plot import Compared, plot
from symgrad.training.regions import Regions, have_regions, raw_inputs, regions
from symgrad.training.trained import Scaling

# Of the time, what checkpoints may take, and seconds between two pictures.
_SHARE_FOR_CHECKPOINTS = 0.05
_BETWEEN_PICTURES = 10.0

# Of the plane of two inputs, each way.
_CELLS = 150


@dataclass(frozen=True)
class MonitorOptions:
    """How often checkpoints are written (seconds between two, at least), what picture, and which
    callback is told."""

    seconds: float
    plot: Path | None
    callback: Callback


class Monitor:
    """Called after every epoch; says whether to go on."""

    def __init__(
        self, task: FitTask, folder: Folder | None, options: MonitorOptions, stored: int
    ) -> None:
        self.task, self.folder, self.options = task, folder, options
        self.stop = Event()
        self.stored = stored  # the epoch of the checkpoint that is in the folder
        self.metric = metric_name(task.experiment.samples.columns.labels)
        self.due = time.monotonic() + options.seconds
        self.picture_due = time.monotonic() + _BETWEEN_PICTURES
        name = task.experiment.spec.name if folder is None else str(folder.path)
        self.title = name if task.fold is None or folder else f"{name}, fold {task.fold}"

    def __call__(self, checkpoint: Checkpoint) -> bool:
        self.options.callback.on_epoch_end(checkpoint.epoch, checkpoint.history[-1])
        begun = time.monotonic()
        if begun >= self.due:
            self.save(checkpoint)
            if begun >= self.picture_due:
                self.draw(checkpoint.theta, checkpoint)
                self.picture_due = time.monotonic() + _BETWEEN_PICTURES
            ended = time.monotonic()
            pause = (ended - begun) / _SHARE_FOR_CHECKPOINTS
            self.due = ended + max(self.options.seconds, pause)
        return not self.stop.is_set()

    def save(self, checkpoint: Checkpoint) -> None:
        # A whole-batch method that takes its steps again does not undo what is stored already.
        if self.folder is not None and checkpoint.epoch >= self.stored:
            self.folder.write_checkpoint(checkpoint)
            self.stored = checkpoint.epoch
            self.folder.write_history(checkpoint, self.metric)

    def draw(self, theta: Array, checkpoint: Checkpoint) -> None:
        if self.options.plot is not None:
            datasets, columns = self.task.datasets, self.task.experiment.samples.columns
            compared = {
                name: compare(self.task.module, theta, dataset, datasets.scaling)
                for name, dataset in datasets.by_name().items()
                if dataset.judged is not None
            }
            plot(
                self.options.plot,
                self.title,
                [checkpoint.history],
                compared,
                columns.labels,
                self.task.experiment.spec.output_names or columns.targets,
                self._regions(theta, compared),
            )

    def _regions(self, theta: Array, compared: Mapping[str, Compared]) -> Regions | None:
        """Those of the classes, where there are two inputs."""
        experiment, module = self.task.experiment, self.task.module
        columns = experiment.samples.columns
        known = [each.x for each in compared.values() if each.x is not None]
        if not (known and have_regions(columns)):
            return None
        return regions(
            partial(module.predict, theta),
            self.task.datasets.scaling,
            columns,
            gives_probabilities(experiment.spec.normalised()),
            np.concatenate(known),
            _CELLS,
        )

    def how_to_resume(self) -> str:
        """What there is to go on from, and how."""
        if self.folder is None:
            return ""
        kept = {0: "no epoch is", 1: "the first epoch is"}
        what = kept.get(self.stored, f"the first {self.stored:,} epochs are")
        place = self.folder.path
        return f" In {place} {what} kept; go on by: {resuming(place)}"


def compare(module: Module, theta: Array, dataset: Dataset, scaling: Scaling) -> Compared:
    """Targets, outputs and inputs of a data set."""
    assert dataset.judged is not None
    x, _, t = dataset.judged
    return Compared(t, scaling.outputs(module.predict(theta, x)), raw_inputs(scaling, x))
