"""Where a fit stands: all that it needs to go on as if nothing had happened.

`fit` changes one in place, epoch by epoch; `save` writes it to a file and `load` reads it back, to
the last bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from symgrad.errors import DataError
from symgrad.npz import read_npz
from symgrad.training import atomic
from symgrad.training.module import Array


class Epoch(NamedTuple):
    """What an epoch came to. `loss` is the mean of its batches, each before its step; the other two
    are of the samples held out, after the epoch, NaN if there are none: `metric` is the accuracy
    for classes, else the root of the mean squared error over all outputs, each in its own unit:
    where these differ, the loss is what epochs are compared by."""

    loss: float
    validation_loss: float = math.nan
    metric: float = math.nan


@dataclass
class Checkpoint:
    """Weights, the optimizer's memory, and the history, after `epoch` epochs.

    theta, previous and best are of shape (weights,) in the network's dtype: the weights now, those
    of an epoch before, and those with the lowest validation loss. `state` and `progress` are as the
    module's `train_state` makes them. `run` is the id of the run, None for one of a version before
    there were ids.
    """

    theta: Array
    previous: Array
    best: Array
    state: Array
    progress: Array
    best_epoch: int = 0  # 0 while no validation loss was finite
    best_loss: float = math.inf
    history: list[Epoch] = field(default_factory=list)
    run: str | None = None

    @classmethod
    def start(cls, theta: Array, state: Array, progress: Array) -> "Checkpoint":
        """Before the first epoch, from weights of shape (weights,)."""
        return cls(theta, theta.copy(), theta.copy(), state, progress)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def record(self, epoch: Epoch) -> None:
        """Takes down the epoch that `theta` has come out of."""
        self.history.append(epoch)
        if epoch.validation_loss < self.best_loss:  # false for NaN
            self.best_loss, self.best_epoch = epoch.validation_loss, self.epoch
            np.copyto(self.best, self.theta)

    def fits(self, start: "Checkpoint") -> bool:
        """Whether it is one of the fit that begins with `start`, as far as that can be seen."""
        names = ("theta", "previous", "best", "state", "progress")
        pairs = [(getattr(self, name), getattr(start, name)) for name in names]
        alike = all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in pairs)
        finite = bool(np.isfinite(self.theta).all())
        return alike and finite and 0 <= self.best_epoch <= self.epoch


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, whole or not at all; raises atomic.Unwritable."""
    arrays = {
        "theta": checkpoint.theta,
        "previous": checkpoint.previous,
        "best": checkpoint.best,
        "state": checkpoint.state,
        "progress": checkpoint.progress,
        "best_epoch": np.array(checkpoint.best_epoch),
        "best_loss": np.array(checkpoint.best_loss),
        "history": np.array(checkpoint.history, np.float64).reshape(-1, len(Epoch._fields)),
        **({} if checkpoint.run is None else {"run": np.array(checkpoint.run)}),
    }
    atomic.write_npz(path, arrays)


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint; raises DataError if the file is none, or damaged."""
    try:
        arrays = read_npz(path)
        wrong = _problem(arrays)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except DataError as error:
        wrong = str(error).removeprefix(f"{path}: ")
    if wrong:
        raise DataError(f"{path} is damaged ({wrong}); {ANEW}")
    run = arrays.get("run")
    return Checkpoint(
        arrays["theta"],
        arrays["previous"],
        arrays["best"],
        arrays["state"],
        arrays["progress"],
        int(arrays["best_epoch"]),
        float(arrays["best_loss"]),
        [Epoch(*row) for row in arrays["history"].tolist()],
        None if run is None else str(run),
    )


ANEW = "without this file the run begins anew when it is resumed"

# The kinds of numbers that each array may hold, as NumPy's letters, and how many axes it has.
_ARRAYS = {
    "theta": ("f", 1),
    "previous": ("f", 1),
    "best": ("f", 1),
    "state": ("f", 1),
    "progress": ("u", 1),
    "best_epoch": ("iu", 0),
    "best_loss": ("f", 0),
    "history": ("f", 2),
}


def _problem(arrays: Mapping[str, Array]) -> str:
    """Why arrays are no checkpoint; empty if they are one. Whose they are, `fits` says."""
    for name, (kinds, axes) in _ARRAYS.items():
        if name not in arrays:
            return f"there is no {name!r}"
        array = arrays[name]
        if array.dtype.kind not in kinds or array.ndim != axes:
            return f"{name!r} is {array.dtype} of shape {array.shape}"
    if arrays["history"].shape[1] != len(Epoch._fields):
        return f"'history' is of shape {arrays['history'].shape}"
    if "run" in arrays and (arrays["run"].dtype.kind != "U" or arrays["run"].ndim):
        return "'run' is no text"
    return ""


def history_csv(history: list[Epoch], metric: str) -> bytes:
    """The history as a CSV file, one epoch a row; `metric` names its last column."""
    lines = [f"epoch,loss,validation_loss,validation_{metric}"]
    for number, epoch in enumerate(history, 1):
        cells = ("" if math.isnan(value) else repr(value) for value in epoch)
        lines.append(f"{number},{','.join(cells)}")
    return "\n".join([*lines, ""]).encode()
