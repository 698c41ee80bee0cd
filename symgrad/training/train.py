"""Training from Python: a network once, or once a fold; and going on with a run that was cut off.

spec, data ──new_experiment──▶ Experiment ──prepare_fit──▶ FitTask ──run_fit──▶ Run
"""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.training import atomic
from symgrad.training import plot as pictures
from symgrad.training.callback import Callback
from symgrad.training.dataset import VALIDATION
from symgrad.training.experiment import (
    Experiment,
    Missing,
    Options,
    SpecSource,
    compile_module,
    describe,
    new_experiment,
    recorded_experiment,
    run_id,
)
from symgrad.training.fit import Ending
from symgrad.training.fit_task import FitTask, prepare_fit
from symgrad.training.folder import Folder, refuse_taken
from symgrad.training.monitor import MonitorOptions, compare
from symgrad.training.plot import Compared
from symgrad.training.record import Record
from symgrad.training.run import Folds, Run, is_over, numbers_of
from symgrad.training.runner import BrokenOff, Interrupted, now, run_fit

Place = str | PathLike[str]


class TrainingError(SymgradError, ValueError):
    """Settings that no training can have."""


def train(
    spec: SpecSource,
    data: Any,
    into: Place | None = None,
    *,
    runs: Place | None = None,
    targets: tuple[str, ...] = (),
    weight: str | None = None,
    missing: Missing = "refuse",
    checkpoint: float = 2.0,
    plot: Place | None = None,
    callback: Callback | None = None,
    **training: Any,
) -> Run:
    """Trains a network.

    `spec` is a path, a mapping or a Spec; `data` the path of a table, a frame, or arrays (x, t),
    of which `targets` names target columns and `weight` that of sample weights; `missing` is
    "refuse", "drop" or "mean". What else is given goes over the spec's [training]: epochs=200,
    optimizer="lbfgs", rate=0.01, …

    `into` names a new folder for the run; `runs` one in which a folder named after the spec is
    made. In it are checkpoints, at least `checkpoint` seconds apart, from which `resume` goes on.
    Without a folder nothing is stored. `plot` names a picture to draw, .png, .svg or .pdf;
    `callback`, a `symgrad.training.callback.Callback`, is told how it goes.

    Raises SymgradError for what is wrong with any of these, and Interrupted, a KeyboardInterrupt,
    at the end of the epoch that Ctrl-C fell into.
    """
    options = _monitor_options(checkpoint, plot, callback)
    if into is not None:
        refuse_taken(Path(into))
    experiment = new_experiment(spec, data, Options(tuple(targets), weight, missing), training)
    task = prepare_fit(experiment, compile_module(experiment))
    with _made(into, runs, experiment) as folder:
        return run_fit(task, folder, options)


def cross_validate(
    spec: SpecSource,
    data: Any,
    folds: int = 5,
    into: Place | None = None,
    *,
    runs: Place | None = None,
    targets: tuple[str, ...] = (),
    weight: str | None = None,
    missing: Missing = "refuse",
    checkpoint: float = 2.0,
    plot: Place | None = None,
    callback: Callback | None = None,
    **training: Any,
) -> Folds:
    """Trains a network once a fold of the samples, which is then held out: an estimate of how well
    the network does on samples that it has not seen, and no weights.

    The arguments are those of `train`; each fold's run has a folder fold-1, fold-2, … of its own.
    """
    options = _monitor_options(checkpoint, plot, callback)
    if into is not None:
        refuse_taken(Path(into))
    if "validation" in training:
        raise TrainingError("each fold is held out: a share for validation means nothing here")
    experiment = new_experiment(
        spec, data, Options(tuple(targets), weight, missing, folds), training
    )
    module = compile_module(experiment)
    # Refuses what can be refused before there is a folder.
    first = prepare_fit(experiment, module, 1)
    with _made(into, runs, experiment) as folder:
        return _each_fold(first, folder, options)


def resume(
    run: Place,
    data: Any = None,
    *,
    spec: SpecSource | None = None,
    epochs: int | None = None,
    checkpoint: float = 2.0,
    plot: Place | None = None,
    callback: Callback | None = None,
) -> Run | Folds:
    """Goes on with the run in a folder, and ends with the very weights that it would have had.

    Spec and data are those of its record; `data` is needed if it has moved, or was no file. With
    more `epochs` than before a finished run is continued; without, it is read and returned. (A
    schedule that depends on the number of epochs is then another one.)
    """
    options = _monitor_options(checkpoint, plot, callback)
    with Folder.open(Path(run)) as folder:
        record = folder.record()
        assert record is not None
        if is_over(record) and not _continued(record, epochs):
            return _ended(folder, record)
        experiment = recorded_experiment(record, data, spec, epochs)
        module, fold = compile_module(experiment), record.get("fold")
        if fold is None and experiment.options.folds is not None:
            return _each_fold(prepare_fit(experiment, module, 1), folder, options)
        return run_fit(prepare_fit(experiment, module, fold), folder, options)


def _continued(record: Record, epochs: int | None) -> bool:
    """Whether more epochs change what has come out: not where patience or a NaN has ended it."""
    finished = record["status"] == Ending.FINISHED
    return finished and epochs is not None and epochs != record["spec"]["training"]["epochs"]


def _ended(folder: Folder, record: Record) -> Run | Folds:
    if record.get("fold") is None and (count := record["options"].get("folds")) is not None:
        runs = (Run.load(folder.path / f"fold-{fold}") for fold in range(1, count + 1))
        return Folds(tuple(runs), folder.path)
    return Run.load(folder.path)


def _each_fold(first: FitTask, folder: Folder | None, options: MonitorOptions) -> Folds:
    """Goes through the folds that have not ended, and puts all of them into one record."""
    experiment, module = first.experiment, first.module
    assert experiment.options.folds is not None
    before = None if folder is None else folder.record()
    started = now() if before is None else before["started"]
    record = {
        "id": run_id(experiment) if before is None else before.get("id"),
        "status": "running",
        "started": started,
        "finished": None,
        **describe(experiment),
    }
    try:
        if folder is not None:
            folder.write_record(record)
        runs, compared = [], []
        for fold in range(1, experiment.options.folds + 1):
            task = first if fold == 1 else prepare_fit(experiment, module, fold)
            runs.append(
                _one_fold(task, folder, MonitorOptions(options.seconds, None, options.callback))
            )
            assert task.datasets.validation is not None
            theta = runs[-1].trained.theta
            compared.append(compare(module, theta, task.datasets.validation, task.datasets.scaling))
        made = Folds(tuple(runs), None if folder is None else folder.path)
        if options.plot is not None:
            held_out = Compared(
                np.concatenate([each.t for each in compared]),
                np.concatenate([each.y for each in compared]),
            )
            pictures.plot(
                options.plot,
                experiment.spec.name if folder is None else str(folder.path),
                [run.history for run in runs],
                {VALIDATION: held_out},
                experiment.samples.columns.labels,
                experiment.samples.columns.targets,
            )
        if folder is not None:
            folder.write_record(record | _summary(made))
    except atomic.Unwritable as error:
        again = "" if folder is None else f". Go on by: symgrad train --resume {folder.path}"
        raise BrokenOff(f"{error}{again}") from error
    except Interrupted as interrupted:
        if folder is not None:
            folder.write_record(record | {"status": str(Ending.INTERRUPTED)})
            raise Interrupted(
                f"{interrupted}\nAll folds go on by: symgrad train --resume {folder.path}",
                interrupted.run,
            ) from interrupted
        raise
    return made


def _one_fold(task: FitTask, folder: Folder | None, options: MonitorOptions) -> Run:
    if folder is None:
        return run_fit(task, None, options)
    with folder.subfolder(f"fold-{task.fold}") as inner:
        record = inner.record()
        if record and is_over(record) and not _continued(record, task.experiment.training.epochs):
            return Run.load(inner.path)
        return run_fit(task, inner, options)


def _summary(made: Folds) -> Record:
    """What came of the folds, for the record."""
    table = made.table()
    return {
        "status": str(made.ending),
        "finished": now(),
        "folds": [
            {"fold": number, "status": str(run.ending), **numbers_of(run.figures[VALIDATION])}
            for number, run in enumerate(made.runs, 1)
        ],
        "mean": {name: mean for name, (mean, _) in table.items()},
        "standard_deviation": {name: deviation for name, (_, deviation) in table.items()},
    }


@contextmanager
def _made(
    into: Place | None, runs: Place | None, experiment: Experiment
) -> Iterator[Folder | None]:
    """The folder for a new run, if one is wanted."""
    if into is None and runs is None:
        yield None
        return
    place = Folder.new(Path(into)) if into else Folder.next(Path(runs or "."), experiment.spec.name)
    with place as folder:
        yield folder


def _monitor_options(
    seconds: float, plot: Place | None, callback: Callback | None
) -> MonitorOptions:
    if not 0 <= seconds < float("inf"):
        raise TrainingError(f"checkpoints are a number of seconds apart, not {seconds}")
    path = None if plot is None else Path(plot)
    if path is not None:
        pictures.check(path)
    return MonitorOptions(seconds, path, callback or Callback())
