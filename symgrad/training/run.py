"""What training comes to: a run, or the runs of several folds; and reading it from a folder."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from statistics import fmean, stdev
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.spec.spec import Spec
from symgrad.training.caller import as_path, resuming
from symgrad.training.checkpoint import Epoch
from symgrad.training.consistency import load_weights
from symgrad.training.dataset import VALIDATION
from symgrad.training.fit import Ending
from symgrad.training.folder import (
    CHECKPOINT,
    RECORD,
    WEIGHTS,
    RunError,
    read_checkpoint,
    read_record,
    refuse_foreign,
)
from symgrad.training.metrics import Figures
from symgrad.training.module import Array
from symgrad.training.predict import (
    Predictions,
    jacobian,
    loss_and_gradient,
    predict,
    trained_module,
)
from symgrad.training.record import Record
from symgrad.training.trained import Trained


@dataclass(frozen=True)
class Run:
    """A network trained once.

    `figures` are those of its parts, "training" and, if samples were held out, "validation".
    `kept` is the number of the epoch whose weights `trained` holds, 0 for the first weights.
    `notes` are lines for the user; `folder` is None for a run that was not to be stored.
    """

    trained: Trained
    history: Sequence[Epoch]
    figures: Mapping[str, Figures]
    ending: Ending
    kept: int
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def theta(self) -> Array:
        """The weights, of shape (weights,), laid out as in `module`: of the network, which takes
        inputs and gives outputs in `trained.scaling`'s units."""
        return self.trained.theta

    @property
    def weights(self) -> dict[str, Array]:
        """The same as named arrays: W1, b1, …"""
        return dict(self.module.unpack(self.theta))

    @cached_property
    def module(self) -> ModuleType:
        """The network's module, as it was trained."""
        return trained_module(self.trained)

    def jacobian(self, x: Any) -> Array:
        """How each output moves with each input, both in raw units: float64 of shape (samples,
        outputs, inputs), for an array x of shape (samples, inputs).

        Raises DataError for data that does not fit, and where outputs are labels.
        """
        return jacobian(self.trained, x)

    def loss_and_gradient(
        self, x: Any, t: Any, w: Any = None, theta: Any = None
    ) -> tuple[float, Array]:
        """The loss of training, penalties included, and its derivative by the weights, an array
        like theta: for an array x of shape (samples, inputs) and targets t, of shape (samples,
        targets) or labels, in raw units; w are weights of samples, where the spec takes them.

        What is compared are scaled outputs and targets, as in training: the loss has no unit of the
        data's. `theta` are other weights than the run's. Raises DataError for data that does not
        fit, and for a loss of several terms.
        """
        return loss_and_gradient(self.trained, x, t, w, theta)

    def predict(self, data: Any) -> Predictions:
        """Predictions for new data: a path, a pandas frame, or an array of shape (samples, inputs).

        Raises DataError for data that does not fit.
        """
        return predict(self.trained, data)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> "Run":
        """Reads a run that has ended from its folder; raises RunError if it has not."""
        path = as_path("folder", folder)
        return _loaded(path, read_record(path))


@dataclass(frozen=True)
class Folds:
    """A network trained once a fold, each fold being held out once: an estimate, and no weights."""

    runs: tuple[Run, ...]
    folder: Path | None = None

    @property
    def ending(self) -> Ending:
        """Diverged if any run is."""
        endings = {run.ending for run in self.runs}
        return Ending.DIVERGED if Ending.DIVERGED in endings else Ending.FINISHED

    def table(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation, over the folds, of the figures of what was held out."""
        return over_folds([numbers_of(run.figures[VALIDATION]) for run in self.runs])


def over_folds(rows: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of those figures that every fold has."""
    return {
        name: (fmean(values), stdev(values))
        for name in rows[0]
        if len(values := [row[name] for row in rows if name in row]) == len(rows)
    }


def advice(result: Run | Folds) -> str:
    """What has happened in a training that diverged, what is kept, and what to do."""
    run, where = result, ""
    if isinstance(run, Folds):
        number, run = next(
            (number, run) for number, run in enumerate(run.runs, 1) if run.ending is Ending.DIVERGED
        )
        where = f" of fold {number}"
    training = Spec.recorded(run.trained.spec).training
    assert training is not None
    # Without patience the last weights whose loss is finite are kept: the next epoch broke it.
    epoch = len(run.history) if training.patience is not None else run.kept
    ideas = []
    if (rate := training.settings().get("rate")) is not None:
        ideas.append(f"a lower rate than {rate:g}")
        if training.clip is None:
            ideas.append("a gradient clipped to a norm of 1 (clip)")
    if not training.standardize:
        ideas.append("standardised inputs")
    kept = f"epoch {run.kept:,}" if run.kept else "the beginning"
    return (
        f"the loss was no longer finite in epoch {epoch + 1:,}{where}; kept are the weights of "
        f"{kept}. Try {', or '.join(ideas) or 'another optimizer'}"
    )


def numbers_of(figures: Figures) -> dict[str, float]:
    """Those figures that are one number each, and apply."""
    names = ("loss", "accuracy", "log_loss", "rmse", "r2")
    values = {name: getattr(figures, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def is_over(record: Record) -> bool:
    """Whether a recorded run has ended by itself, and not been cut off."""
    return record["status"] in (Ending.FINISHED, Ending.STOPPED_EARLY, Ending.DIVERGED)


def is_continued(record: Record, epochs: int | None) -> bool:
    """Whether more epochs change what came of a recorded run: not where patience or a NaN ended
    it."""
    finished = record["status"] == Ending.FINISHED
    return finished and epochs is not None and epochs != record["spec"]["training"]["epochs"]


def result_of(run: Run) -> Record:
    """The part of a run's record that says what came of it."""
    return {
        "status": str(run.ending),
        "epochs": len(run.history),
        "kept_epoch": run.kept,
        "figures": {part: as_data(figures) for part, figures in run.figures.items()},
        "notes": list(run.notes),
    }


def as_data(figures: Figures) -> Record:
    """Figures as JSON can hold them: without what does not apply, null for what is not finite."""
    return {name: _plain(value) for name, value in asdict(figures).items() if value is not None}


def weights_file(run: Path) -> Path:
    """The weights of a run, which is named by its folder or by this file; RunError if it has none
    yet."""
    if run.is_dir() and not (run / WEIGHTS).is_file():
        _refuse_unended(run, read_record(run))
    return run / WEIGHTS if run.is_dir() else run


def load_trained(run: Path) -> Trained:
    """The weights of a run, named as in `weights_file`; DataError if they are another run's."""
    trained = load_weights(weights_file(run))
    # A folder without a record is one that someone has put weights into.
    if run.is_dir() and (run / RECORD).is_file():
        refuse_foreign(run / WEIGHTS, trained.run, read_record(run), _NAME_THEM)
    return trained


_NAME_THEM = "bring this run's own back, or, to use these, name the file itself"


def _refuse_unended(path: Path, record: Record) -> None:
    if record.get("fold") is None and record["options"].get("folds") is not None:
        raise RunError(
            f"{path}: folds have a run each, and no weights in common; name one of them, as "
            f"{path}/fold-1, or train without folds"
        )
    if not is_over(record):
        raise RunError(
            f"{path}: the run has not ended ({record['status']}); go on with it by "
            f"{resuming(path)}"
        )


def _loaded(path: Path, record: Record) -> Run:
    _refuse_unended(path, record)
    checkpoint, trained = read_checkpoint(path), load_weights(path / WEIGHTS)
    refuse_foreign(path / WEIGHTS, trained.run, record, _NAME_THEM)
    if checkpoint is not None:
        refuse_foreign(path / CHECKPOINT, checkpoint.run, record, "bring this run's own back")
    return Run(
        trained,
        [] if checkpoint is None else checkpoint.history[: record["epochs"]],
        {part: _figures(data) for part, data in record["figures"].items()},
        Ending(record["status"]),
        record["kept_epoch"],
        tuple(record["notes"]),
        path,
    )


def _figures(data: Record) -> Figures:
    lists = {
        name: tuple(value)
        for name, value in data.items()
        if name.endswith(("_by_output", "_by_class")) and value is not None
    }
    confusion = data.get("confusion")
    return Figures(
        **data | lists | {"confusion": None if confusion is None else np.array(confusion)}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
