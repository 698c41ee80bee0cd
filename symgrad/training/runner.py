"""runner: one fit with all that surrounds it, from prepared samples to a run in its folder.

Experiment ──prepare_fit──▶ FitTask ──run_fit──▶ Run
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from symgrad.errors import DataError, Lost, SpecError, SymgradError
from symgrad.spec.training import Training
from symgrad.training import atomic
from symgrad.training.caller import argument
from symgrad.training.checkpoint import ANEW, Checkpoint
from symgrad.training.evaluate import ValidationScorer, evaluate
from symgrad.training.experiment import Experiment, describe, run_id
from symgrad.training.fit import Ending, fit, select_weights
from symgrad.training.fit_task import FitTask
from symgrad.training.folder import CHECKPOINT, Folder, refuse_foreign
from symgrad.training.module import Array, Module
from symgrad.training.monitor import Monitor, MonitorOptions
from symgrad.training.record import Record
from symgrad.training.run import Run, result_of
from symgrad.training.signals import catch_interrupts
from symgrad.training.trained import Trained
from symgrad.training.whole_batch import fit_whole


class BrokenOff(SymgradError):
    """A training that could not go on; what there is of it can be resumed."""


# A module and its data become a module that has been given its data, whoever computes with it:
# `loss` and `loss_and_gradient` of theta alone.
Engine = Callable[[Module, tuple[Array, ...]], AbstractContextManager[Any]]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM, after all has been stored that can be; `run` is what there is so far."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


def refuse_engine(experiment: Experiment) -> None:
    """SpecError for a training that no engine can share among others."""
    training = experiment.training
    if not training.whole_batch:
        raise SpecError(
            f"{training.optimizer} takes a step for each batch of some samples, which are too few"
            " to share: workers are for methods that see all samples at once, as"
            f" {argument('optimizer', 'lbfgs')}"
        )
    if experiment.spec.of_terms:
        raise SpecError("a loss that is a sum of terms cannot be shared among workers")


def run_fit(
    task: FitTask, folder: Folder | None, options: MonitorOptions, engine: Engine | None = None
) -> Run:
    """Trains, from the folder's checkpoint on if it has one, and stores what comes of it.

    Where there is an `engine`, it computes the losses and gradients of the training samples.
    Raises Interrupted, and BrokenOff where a file cannot be written; both can be resumed.
    """
    stored = None if folder is None else _stored(task, folder)
    record, notes = _begin(task, folder)
    monitor = Monitor(task, folder, options, 0 if stored is None else stored.epoch)
    if stored is None or task.experiment.training.whole_batch:
        checkpoint = task.start()
    else:
        checkpoint = stored
    checkpoint.run = record["id"]
    training, samples = task.experiment.training, len(task.datasets.training)
    options.callback.on_fit_begin(training, monitor.title, notes, samples, checkpoint.epoch)
    with catch_interrupts(options.callback.on_interrupt) as monitor.stop:
        try:
            run = _fit(task, checkpoint, monitor, folder, notes, engine)
            _finish(run, record, folder, task, monitor, checkpoint)
        except atomic.Unwritable as error:
            raise BrokenOff(f"{error}.{monitor.how_to_resume()}") from error
        except Lost as error:
            monitor.save(checkpoint)
            raise BrokenOff(f"{error}.{monitor.how_to_resume()}") from error
        finally:
            options.callback.on_fit_end()
    if run.ending is Ending.INTERRUPTED:
        message = f"interrupted after epoch {checkpoint.epoch:,}.{monitor.how_to_resume()}"
        raise Interrupted(message, run)
    return run


def _stored(task: FitTask, folder: Folder) -> Checkpoint | None:
    """Where the run in a folder stands; DataError if its checkpoint is not of this run."""
    stored, record, path = folder.checkpoint(), folder.record(), folder.path / CHECKPOINT
    if stored is None:
        return None
    wrong = ""
    epochs = task.experiment.training.epochs
    if not stored.fits(task.start()):
        wrong = "its arrays are not the network's"
    elif stored.epoch > epochs:
        wrong = f"it is of epoch {stored.epoch:,} of {epochs:,}"
    if wrong:
        raise DataError(f"{path} is none of this run's: {wrong}; {ANEW}")
    if record is not None:
        refuse_foreign(path, stored.run, record, ANEW)
    return stored


def _fit(
    task: FitTask,
    checkpoint: Checkpoint,
    monitor: Monitor,
    folder: Folder | None,
    notes: tuple[str, ...],
    engine: Engine | None,
) -> Run:
    experiment, module, datasets = task.experiment, task.module, task.datasets
    training, scaling = experiment.training, datasets.scaling
    scorer = ValidationScorer(module, datasets.validation, scaling)
    how = scorer, checkpoint, monitor
    if engine is not None:
        with engine(module, task.arrays) as whole:
            result = fit_whole(whole, training, (), *how, task.trained)
    elif training.whole_batch:
        result = fit_whole(module, training, task.arrays, *how, task.trained)
    else:
        result = fit(module, training, task.arrays, *how)
    ending = result.ending
    theta, epoch = select_weights(module, training, task.arrays, checkpoint, task.first())
    if epoch < checkpoint.epoch and training.patience is None:
        ending = Ending.DIVERGED  # the very last step may have ruined the weights
    columns = experiment.samples.columns
    trained = Trained(experiment.spec.normalised(), theta, columns, scaling, checkpoint.run)
    figures = {
        name: evaluate(module, theta, dataset, scaling)
        for name, dataset in datasets.by_name().items()
    }
    if result.detail:
        notes = (*notes, result.detail)
    path = None if folder is None else folder.path
    return Run(trained, checkpoint.history, figures, ending, epoch, notes, path)


def _begin(task: FitTask, folder: Folder | None) -> tuple[Record, tuple[str, ...]]:
    """The record at the start, written, and notes; a resumed run keeps the time it began at."""
    before = None if folder is None else folder.record()
    record = {
        # A run of a version before ids stays one without, for its files have none.
        "id": run_id(task.experiment, task.fold) if before is None else before.get("id"),
        "status": "running",
        "started": now() if before is None else before["started"],
        "finished": None,
        **describe(task.experiment),
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
    if before is not None:
        notes += _horizon(task.experiment.training, before["spec"]["training"]["epochs"])
    if changed:
        notes += (f"the run began with {'; '.join(changed)}: last digits may come out otherwise",)
    if folder is not None and before is not None and not (folder.path / CHECKPOINT).is_file():
        notes += (f"there is no {CHECKPOINT}: the run begins anew",)
    return record, notes


def _horizon(training: Training, before: int) -> tuple[str, ...]:
    """A note where the schedule is another one with more epochs than before."""
    if training.epochs == before or "epochs" not in training.settings():
        return ()
    return (
        f"the schedule {training.schedule} falls to 0 at epoch {training.epochs:,} now, not at"
        f" {before:,}: what comes out is no longer what so many epochs from the start would give",
    )


def _finish(
    run: Run,
    record: Record,
    folder: Folder | None,
    task: FitTask,
    monitor: Monitor,
    checkpoint: Checkpoint,
) -> None:
    """Stores everything, the record last: until then a resumed run would end it once more."""
    if folder is not None:
        if run.ending is Ending.DIVERGED:
            # The optimizer's memory is of no use: the checkpoint before stays.
            folder.write_history(checkpoint, monitor.metric)
        else:
            monitor.save(checkpoint)
        if run.ending is not Ending.INTERRUPTED:
            folder.write_weights(run.trained.arrays(task.module.PARAMETERS))
    monitor.draw(run.trained.theta, checkpoint)
    if folder is not None:
        finished = None if run.ending is Ending.INTERRUPTED else now()
        folder.write_record(record | {"finished": finished} | result_of(run))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
