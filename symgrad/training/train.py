"""Training from Python: a network once, or once a fold; and going on with a run that was cut off.

spec, data ──new_experiment──▶ Experiment ──prepare_fit──▶ FitTask ──run_fit──▶ Run
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from os import PathLike
from typing import Any, Literal

from symgrad.errors import SymgradError
from symgrad.spec.formula import quoted, suggestion
from symgrad.spec.training import Training
from symgrad.spec.words import MEANT, SAME_KEYS, answer
from symgrad.training import plot as pictures
from symgrad.training.callback import Callback
from symgrad.training.caller import as_path
from symgrad.training.cross_validation import run_folds
from symgrad.training.data.selection import Missing, names
from symgrad.training.experiment import (
    Experiment,
    Options,
    SpecSource,
    compile_module,
    new_experiment,
    recorded_experiment,
)
from symgrad.training.fit_task import prepare_fit
from symgrad.training.folder import Folder, refuse_taken
from symgrad.training.monitor import MonitorOptions
from symgrad.training.notebook import NotebookCurve, in_notebook
from symgrad.training.record import Record
from symgrad.training.run import Folds, Run, is_continued, is_over
from symgrad.training.runner import Engine, refuse_engine, run_fit

Place = str | PathLike[str]
Names = str | Sequence[str]


class TrainingError(SymgradError, ValueError):
    """Settings that no training can have."""


def train(
    spec: SpecSource,
    data: Any,
    into: Place | None = None,
    *,
    runs: Place | None = None,
    targets: Names = (),
    inputs: Names = (),
    ignore: Names = (),
    categories: Names = (),
    weight: str | None = None,
    class_weight: Literal["balanced"] | None = None,
    missing: Missing = "refuse",
    separator: str | None = None,
    decimal: str | None = None,
    initial: Any = None,
    checkpoint: float = 2.0,
    plot: Place | None = None,
    callback: Callback | None = None,
    engine: Engine | None = None,
    **training: Any,
) -> Run:
    """Trains a network.

    `spec` is a path, a mapping or a Spec; `data` the path of a table, a list or a pattern of CSV
    files, a frame, or arrays (x, t). Of its columns `targets` names targets and `weight` that of
    sample weights; `inputs`, `ignore` and `categories` (inputs that are words) are names or
    patterns, such as "temp_*". `class_weight` "balanced" has all classes weigh the same; `missing`
    is "refuse", "drop" or "mean"; `separator` and `decimal` are those of CSV files, else guessed.
    What else is given goes over the spec's [training]: epochs=200, optimizer="lbfgs", rate=0.01, …

    `initial` has the weights to begin with, where they are not to be drawn: a run or its folder,
    whose scaling is kept; a file of weights, .npz; arrays by name, {"W1": …}, the others being
    drawn; or theta.

    `into` names a new folder for the run; `runs` one in which a folder named after the spec is
    made. In it are checkpoints, at least `checkpoint` seconds apart, from which `resume` goes on.
    Without a folder nothing is stored. `plot` names a picture to draw, .png, .svg or .pdf;
    `callback`, a `symgrad.training.callback.Callback`, is told how it goes; where none is given,
    a notebook shows the losses as a curve while it runs. `engine`, as
    `symgrad.distributed.dask.Engine`, shares the samples among workers: with the same weights.

    Raises SymgradError for what is wrong with any of these, and Interrupted, a KeyboardInterrupt,
    at the end of the epoch that Ctrl-C fell into.
    """
    options = _monitor_options(checkpoint, plot, callback)
    if into is not None:
        refuse_taken(as_path("into", into))
    _refuse_unknown(train, training)
    selection = Options(
        names(targets), weight, missing, names(inputs), names(ignore),
        names(categories), separator, decimal, class_weight,
    )  # fmt: skip
    experiment = new_experiment(spec, data, selection, training, initial)
    if engine is not None:
        refuse_engine(experiment)
    task = prepare_fit(experiment, compile_module(experiment))
    with _made(into, runs, experiment) as folder:
        return run_fit(task, folder, options, engine)


def cross_validate(
    spec: SpecSource,
    data: Any,
    folds: int = 5,
    into: Place | None = None,
    *,
    runs: Place | None = None,
    targets: Names = (),
    inputs: Names = (),
    ignore: Names = (),
    categories: Names = (),
    weight: str | None = None,
    class_weight: Literal["balanced"] | None = None,
    missing: Missing = "refuse",
    separator: str | None = None,
    decimal: str | None = None,
    initial: Any = None,
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
        refuse_taken(as_path("into", into))
    _refuse_unknown(cross_validate, training)
    if "validation" in training:
        raise TrainingError("each fold is held out: a share for validation means nothing here")
    selection = Options(
        names(targets), weight, missing, names(inputs), names(ignore),
        names(categories), separator, decimal, class_weight, folds,
    )  # fmt: skip
    experiment = new_experiment(spec, data, selection, training, initial)
    module = compile_module(experiment)
    # Refuses what can be refused before there is a folder.
    first = prepare_fit(experiment, module, 1)
    with _made(into, runs, experiment) as folder:
        return run_folds(first, folder, options)


def resume(
    run: Place,
    data: Any = None,
    *,
    spec: SpecSource | None = None,
    epochs: int | None = None,
    initial: Any = None,
    checkpoint: float = 2.0,
    plot: Place | None = None,
    callback: Callback | None = None,
    engine: Engine | None = None,
) -> Run | Folds:
    """Goes on with the run in a folder, and ends with the very weights that it would have had.

    Spec and data are those of its record; `data` is needed if it has moved, or was no file, and so
    are the weights that the run began with, `initial`, if some were given. With more `epochs` than
    before a finished run is continued; without, it is read and returned. (A schedule that depends
    on the number of epochs is then another one.)
    """
    options = _monitor_options(checkpoint, plot, callback)
    with Folder.open(as_path("run", run)) as folder:
        record = folder.record()
        assert record is not None
        if is_over(record) and not is_continued(record, epochs):
            return _ended(folder, record)
        experiment = recorded_experiment(record, data, spec, epochs, initial)
        module, fold = compile_module(experiment), record.get("fold")
        if engine is not None:
            refuse_engine(experiment)
        if fold is None and experiment.options.folds is not None:
            return run_folds(prepare_fit(experiment, module, 1), folder, options)
        return run_fit(prepare_fit(experiment, module, fold), folder, options, engine)


def _refuse_unknown(function: Callable[..., object], training: Mapping[str, Any]) -> None:
    """TrainingError for a keyword that is neither an argument nor a key of [training]."""
    own = [name for name in signature(function).parameters if name != "training"]
    keys = [*Training.model_fields, *SAME_KEYS]
    for name in training:
        if name not in keys:
            meant = MEANT.get(name, name)
            near = f" (did you mean {meant!r}?)" if meant in keys else suggestion(name, own + keys)
            said = answer(name) if meant == name else None
            raise TrainingError(
                f"{function.__name__}() has no argument {quoted(name)}"
                + (f"; {said}" if said else f"{near}; it has {', '.join(own)}, and what goes over"
                   f" [training]: {', '.join(Training.model_fields)}")
            )  # fmt: skip


def _ended(folder: Folder, record: Record) -> Run | Folds:
    if record.get("fold") is None and (count := record["options"].get("folds")) is not None:
        runs = (Run.load(folder.path / f"fold-{fold}") for fold in range(1, count + 1))
        return Folds(tuple(runs), folder.path)
    return Run.load(folder.path)


@contextmanager
def _made(
    into: Place | None, runs: Place | None, experiment: Experiment
) -> Iterator[Folder | None]:
    """The folder for a new run, if one is wanted."""
    if into is None and runs is None:
        yield None
        return
    if into:
        place = Folder.new(as_path("into", into))
    else:
        place = Folder.next(as_path("runs", runs or "."), experiment.spec.name)
    with place as folder:
        yield folder


def _monitor_options(
    seconds: float, plot: Place | None, callback: Callback | None
) -> MonitorOptions:
    if not 0 <= seconds < float("inf"):
        raise TrainingError(f"checkpoints are a number of seconds apart, not {seconds}")
    path = None if plot is None else as_path("plot", plot)
    if path is not None:
        pictures.check(path)
    if callback is None:
        callback = NotebookCurve() if in_notebook() else Callback()
    return MonitorOptions(seconds, path, callback)
