"""Cross-validation: one fit a fold, each in a folder of its own, and one record of all of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from symgrad.shell import word
from symgrad.training import atomic
from symgrad.training.dataset import VALIDATION
from symgrad.training.experiment import describe, run_id
from symgrad.training.fit import Ending
from symgrad.training.fit_task import FitTask, prepare_fit
from symgrad.training.folder import Folder
from symgrad.training.monitor import MonitorOptions, compare
from symgrad.training.plot import Compared, plot
from symgrad.training.record import Record
from symgrad.training.run import Folds, Run, is_continued, is_over, numbers_of
from symgrad.training.runner import BrokenOff, Interrupted, now, run_fit


def run_folds(first: FitTask, folder: Folder | None, options: MonitorOptions) -> Folds:
    """Goes through the folds that have not ended, and puts all of them into one record."""
    record = _record(first, folder)
    resume = "" if folder is None else f"symgrad train --resume {word(folder.path)}"
    try:
        if folder is not None:
            folder.write_record(record)
        made, compared = _fit_each(first, folder, replace(options, plot=None))
        if options.plot is not None:
            _draw(first, made, compared, options)
        if folder is not None:
            folder.write_record(record | _summary(made))
    except atomic.Unwritable as error:
        again = f". Go on by: {resume}" if resume else ""
        raise BrokenOff(f"{error}{again}") from error
    except Interrupted as interrupted:
        if folder is None:
            raise
        folder.write_record(record | {"status": str(Ending.INTERRUPTED)})
        message = f"{interrupted}\nAll folds go on by: {resume}"
        raise Interrupted(message, interrupted.run) from interrupted
    return made


def _record(first: FitTask, folder: Folder | None) -> Record:
    """The record at the start; resumed folds keep the time they began at."""
    before = None if folder is None else folder.record()
    return {
        "id": run_id(first.experiment) if before is None else before.get("id"),
        "status": "running",
        "started": now() if before is None else before["started"],
        "finished": None,
        **describe(first.experiment),
    }


def _fit_each(
    first: FitTask, folder: Folder | None, options: MonitorOptions
) -> tuple[Folds, list[Compared]]:
    """The runs, and of each the targets and outputs of what it held out."""
    experiment, module = first.experiment, first.module
    assert experiment.options.folds is not None
    runs, compared = [], []
    for fold in range(1, experiment.options.folds + 1):
        task = first if fold == 1 else prepare_fit(experiment, module, fold)
        run = _fit_one(task, folder, options)
        runs.append(run)
        held_out, scaling = task.datasets.validation, task.datasets.scaling
        assert held_out is not None
        compared.append(compare(module, run.trained.theta, held_out, scaling))
    return Folds(tuple(runs), None if folder is None else folder.path), compared


def _fit_one(task: FitTask, folder: Folder | None, options: MonitorOptions) -> Run:
    if folder is None:
        return run_fit(task, None, options)
    with folder.subfolder(f"fold-{task.fold}") as inner:
        record = inner.record()
        epochs = task.experiment.training.epochs
        if record and is_over(record) and not is_continued(record, epochs):
            return Run.load(inner.path)
        return run_fit(task, inner, options)


def _draw(
    first: FitTask, made: Folds, compared: Sequence[Compared], options: MonitorOptions
) -> None:
    """The curves of all folds, and what they held out: together all samples."""
    assert options.plot is not None
    experiment = first.experiment
    held_out = Compared(
        np.concatenate([each.t for each in compared]),
        np.concatenate([each.y for each in compared]),
    )
    plot(
        options.plot,
        experiment.spec.name if made.folder is None else str(made.folder),
        [run.history for run in made.runs],
        {VALIDATION: held_out},
        experiment.samples.columns.labels,
        experiment.spec.output_names or experiment.samples.columns.targets,
    )


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
