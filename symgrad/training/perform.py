"""perform: one fit with all that surrounds it, from samples to a run.

    Job ──prepare──▶ Task ──perform──▶ Run

The fit itself knows no files; here its checkpoints are written, between two epochs, and what comes
of it is put into the run's folder.
"""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from symgrad.errors import DataError, SymgradError
from symgrad.training import atomic
from symgrad.training.checkpoint import ANEW, Checkpoint
from symgrad.training.data import folds, holdout
from symgrad.training.evaluate import Judge, evaluate, metric_name
from symgrad.training.fit import Ending, fit, kept
from symgrad.training.folder import CHECKPOINT, Folder, refuse_foreign
from symgrad.training.job import Job, described, identity
from symgrad.training.module import Array, Module
from symgrad.training.parts import Part, Parts, parts
from symgrad.training.plot import Compared, plot
from symgrad.training.record import Record
from symgrad.training.run import TRAINING, VALIDATION, Run, result_of
from symgrad.training.stop import stopping
from symgrad.training.trained import Scaling, Trained
from symgrad.training.warm import warm
from symgrad.training.watch import Watch
from symgrad.training.whole_batch import fit_whole

# Of the time, what checkpoints may take, and seconds between two pictures.
_SHARE_FOR_CHECKPOINTS = 0.05
_BETWEEN_PICTURES = 10.0


class BrokenOff(SymgradError):
    """A training that could not go on; what there is of it can be resumed."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM, after all has been stored that can be; `run` is what there is so far."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Keeping:
    """How often checkpoints are written (seconds between two, at least), what picture, and who
    watches."""

    seconds: float
    plot: Path | None
    watch: Watch


@dataclass(frozen=True)
class Task:
    """One fit: what it is of, on which samples, and the number of the fold held out, from 1 on."""

    job: Job
    module: Module
    parts: Parts
    fold: int | None = None

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.parts.training.arrays

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user, on the data."""
        return (*self.job.samples.notes, *self.parts.notes)


def prepare(job: Job, module: Any, fold: int | None = None) -> Task:
    """Splits and scales the samples; raises DataError where there is nothing that could be trained
    on, or the loss is not finite before the first step."""
    training, samples = job.training, job.samples
    if fold is None:
        rows, held_out = holdout(samples, training.validation, training.seed)
    else:
        assert job.options.folds is not None
        held_out = folds(samples, job.options.folds, training.seed)[fold - 1]
        rows = np.setdiff1d(np.arange(len(samples)), held_out)
    if training.patience is not None and not len(held_out):
        raise DataError(
            f"to end early, samples must be held out: a share of {training.validation:g} holds out "
            f"none of {len(samples)}"
        )
    fill = job.options.missing == "mean"
    made = parts(samples, rows, held_out, module.SPEC, training.standardize, fill)
    held_part = [] if made.validation is None else [len(made.validation)]
    warm(module, [len(made.training), *held_part], training)
    loss = module.loss(module.init(training.seed), *made.training.arrays)
    if not math.isfinite(loss):
        raise DataError(
            f"the loss is {loss} before the first step: do the targets suit the loss (positive for "
            "poisson, between 0 and 1 for binary_cross_entropy)?"
        )
    return Task(job, module, made, fold)


def perform(task: Task, folder: Folder | None, keeping: Keeping) -> Run:
    """Trains, from the folder's checkpoint on if it has one, and stores what comes of it.

    Raises Interrupted, and BrokenOff where a file cannot be written; both can be resumed.
    """
    stored = None if folder is None else _stored(task, folder)
    record, notes = _begin(task, folder)
    keeper = _Keeper(task, folder, keeping, 0 if stored is None else stored.epoch)
    if stored is None or task.job.training.whole_batch:
        checkpoint = _start(task)
    else:
        checkpoint = stored
    checkpoint.run = record["id"]
    keeping.watch.begins(
        task.job.training, keeper.title, notes, len(task.parts.training), checkpoint.epoch
    )
    with stopping(keeping.watch.stopping) as keeper.stop:
        try:
            run = _fit(task, checkpoint, keeper, folder, notes)
            _finish(run, record, folder, task, keeper, checkpoint)
        except atomic.Unwritable as error:
            raise BrokenOff(f"{error}.{keeper.kept()}") from error
    if run.ending is Ending.INTERRUPTED:
        raise Interrupted(f"interrupted after epoch {checkpoint.epoch:,}.{keeper.kept()}", run)
    return run


def _stored(task: Task, folder: Folder) -> Checkpoint | None:
    """Where the run in a folder stands; DataError if its checkpoint is not of this run."""
    stored, record, path = folder.checkpoint(), folder.record(), folder.path / CHECKPOINT
    if stored is None:
        return None
    wrong = ""
    if not stored.fits(_start(task)):
        wrong = "its arrays are not the network's"
    elif stored.epoch > task.job.training.epochs:
        wrong = f"it is of epoch {stored.epoch:,} of {task.job.training.epochs:,}"
    if wrong:
        raise DataError(f"{path} is none of this run's: {wrong}; {ANEW}")
    if record is not None:
        refuse_foreign(path, stored.run, record, ANEW)
    return stored


def _fit(
    task: Task,
    checkpoint: Checkpoint,
    keeper: "_Keeper",
    folder: Folder | None,
    notes: tuple[str, ...],
) -> Run:
    job, module, made = task.job, task.module, task.parts
    judge = Judge(module, made.validation, made.scaling)
    method = fit_whole if job.training.whole_batch else fit
    ended = method(module, job.training, task.arrays, judge, checkpoint, keeper)
    ending = ended.how
    theta, epoch = kept(module, job.training, task.arrays, checkpoint)
    if epoch < checkpoint.epoch and job.training.patience is None:
        ending = Ending.DIVERGED  # the very last step may have ruined the weights
    trained = Trained(
        job.spec.normalised(), theta, job.samples.columns, made.scaling, checkpoint.run
    )
    figures = {
        name: evaluate(module, theta, part, made.scaling) for name, part in _named(made).items()
    }
    if ended.detail:
        notes = (*notes, ended.detail)
    path = None if folder is None else folder.path
    return Run(trained, checkpoint.history, figures, ending, epoch, notes, path)


def _begin(task: Task, folder: Folder | None) -> tuple[Record, tuple[str, ...]]:
    """The record at the start, written, and notes; a resumed run keeps the time it began at."""
    before = None if folder is None else folder.record()
    record = {
        # A run of a version before ids stays one without, for its files have none.
        "id": identity(task.job, task.fold) if before is None else before.get("id"),
        "status": "running",
        "started": now() if before is None else before["started"],
        "finished": None,
        **described(task.job),
    }
    if task.fold is not None:
        record["fold"] = task.fold
    if folder is not None:
        folder.write_record(record)
    changed = [
        f"{name} {before[name]}, now {record[name]}"
        for name in ("symgrad", "python", "numpy", "numba", "scipy", "platform")
        if before is not None and before.get(name) != record[name]
    ]
    notes = task.notes
    if changed:
        notes += (f"the run began with {'; '.join(changed)}: last digits may come out otherwise",)
    if folder is not None and before is not None and not (folder.path / CHECKPOINT).is_file():
        notes += (f"there is no {CHECKPOINT}: the run begins anew",)
    return record, notes


def _finish(
    run: Run,
    record: Record,
    folder: Folder | None,
    task: Task,
    keeper: "_Keeper",
    checkpoint: Checkpoint,
) -> None:
    """Stores everything, the record last: until then a resumed run would end it once more."""
    if folder is not None:
        if run.ending is Ending.DIVERGED:
            # The optimizer's memory is of no use: the checkpoint before stays.
            folder.write_history(checkpoint, keeper.metric)
        else:
            keeper.save(checkpoint)
        if run.ending is not Ending.INTERRUPTED:
            folder.write_weights(run.trained.arrays(task.module.PARAMETERS))
    keeper.draw(run.trained.theta, checkpoint)
    if folder is not None:
        finished = None if run.ending is Ending.INTERRUPTED else now()
        folder.write_record(record | {"finished": finished} | result_of(run))


class _Keeper:
    """Called after every epoch: writes checkpoints and pictures when it is time for one."""

    def __init__(self, task: Task, folder: Folder | None, keeping: Keeping, stored: int) -> None:
        self.task, self.folder, self.keeping = task, folder, keeping
        self.stop = Event()
        self.stored = stored  # the epoch of the checkpoint that is in the folder
        self.metric = metric_name(task.job.samples.columns.labels)
        self.due = time.monotonic() + keeping.seconds
        self.picture_due = time.monotonic() + _BETWEEN_PICTURES
        name = task.job.spec.name if folder is None else str(folder.path)
        self.title = name if task.fold is None or folder else f"{name}, fold {task.fold}"

    def __call__(self, checkpoint: Checkpoint) -> bool:
        self.keeping.watch.epoch(checkpoint.epoch, checkpoint.history[-1])
        begun = time.monotonic()
        if begun >= self.due:
            self.save(checkpoint)
            if begun >= self.picture_due:
                self.draw(checkpoint.theta, checkpoint)
                self.picture_due = time.monotonic() + _BETWEEN_PICTURES
            ended = time.monotonic()
            pause = (ended - begun) / _SHARE_FOR_CHECKPOINTS
            self.due = ended + max(self.keeping.seconds, pause)
        return not self.stop.is_set()

    def save(self, checkpoint: Checkpoint) -> None:
        # A whole-batch method that takes its steps again does not undo what is stored already.
        if self.folder is not None and checkpoint.epoch >= self.stored:
            self.folder.write_checkpoint(checkpoint)
            self.stored = checkpoint.epoch
            self.folder.write_history(checkpoint, self.metric)

    def draw(self, theta: Array, checkpoint: Checkpoint) -> None:
        if self.keeping.plot is not None:
            made, columns = self.task.parts, self.task.job.samples.columns
            compared = {
                name: compare(self.task.module, theta, part, made.scaling)
                for name, part in _named(made).items()
            }
            plot(
                self.keeping.plot,
                self.title,
                [checkpoint.history],
                compared,
                columns.labels,
                columns.targets,
            )

    def kept(self) -> str:
        """What there is to go on from, and how."""
        if self.folder is None:
            return ""
        kept = {0: "no epoch is", 1: "the first epoch is"}
        what = kept.get(self.stored, f"the first {self.stored:,} epochs are")
        place = self.folder.path
        return f" In {place} {what} kept; go on by: symgrad train --resume {place}"


def compare(module: Module, theta: Array, part: Part, scaling: Scaling) -> Compared:
    """Targets and outputs of a part."""
    assert part.samples.t is not None
    return Compared(part.samples.t, scaling.outputs(module.predict(theta, part.arrays[0])))


def _start(task: Task) -> Checkpoint:
    module, training = task.module, task.job.training
    theta = module.init(training.seed)
    if training.whole_batch:
        nothing = np.empty(0, theta.dtype), np.empty(0, np.uint64)
        return Checkpoint.start(theta, *nothing)
    return Checkpoint.start(theta, *module.train_state(training.seed))


def _named(made: Parts) -> dict[str, Part]:
    both = {TRAINING: made.training, VALIDATION: made.validation}
    return {name: part for name, part in both.items() if part is not None}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
