"""initial: the weights that training begins with, where they are not drawn: those of a run, of a
file, or given by name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.npz import read_npz
from symgrad.training.consistency import load_weights
from symgrad.training.module import Array, Module
from symgrad.training.run import Run, weights_file
from symgrad.training.trained import Columns, Trained

ALL = "theta"


@dataclass(frozen=True)
class Initial:
    """Weights by the names that they have in a module, or all of them as theta; of a run also what
    stands between raw data and these weights. `source` is where the file lies, if it is one, and
    `sha256` a hash of what is in it."""

    arrays: Mapping[str, Array]
    trained: Trained | None
    source: str | None
    sha256: str

    def weights(self, module: Module, seed: int) -> Array:
        """All weights, of shape (weights,): those that are not given are drawn. Raises DataError
        for what does not fit the network."""
        theta = module.init(seed)
        for name, given in self.arrays.items():
            if name != ALL and name not in module.PARAMETERS:
                known = ", ".join(module.PARAMETERS)
                raise DataError(f"initial: the network has no weights {name!r}; it has {known}")
            offset, shape = (0, theta.shape) if name == ALL else module.PARAMETERS[name]
            if given.shape != tuple(shape):
                raise DataError(
                    f"initial: {name} must be of shape {tuple(shape)}, came {given.shape}; give"
                    " those weights by name that fit"
                )
            theta[offset : offset + given.size] = given.ravel()
        if not np.isfinite(theta).all():
            raise DataError("initial: some of the weights are not finite")
        return theta

    def check_columns(self, columns: Columns) -> None:
        """Raises DataError where the data has others than the run whose weights these are."""
        if self.trained is None:
            return
        of_run = self.trained.columns
        for what, ours, theirs in (
            ("inputs", columns.network_inputs, of_run.network_inputs),
            ("classes", columns.labels, of_run.labels),
        ):
            if ours != theirs:
                raise DataError(
                    f"initial: the {what} are {_listed(ours)}, those of the run {_listed(theirs)};"
                    " give weights by name, which come without the run's scaling"
                )


def read_initial(given: Any) -> Initial | None:
    """What was given as a run, its folder, a file of weights, arrays by name, or theta; DataError
    for what is none of these."""
    match given:
        case None:
            return None
        case Run(folder=None):
            return _of_arrays({ALL: given.theta}, given.trained)
        case Run(folder=Path() as folder):
            return _of_file(weights_file(folder))
        case str() | PathLike():
            return _of_file(weights_file(Path(given)))
        case Mapping():
            return _of_arrays({str(name): _numbers(name, each) for name, each in given.items()})
    return _of_arrays({ALL: _numbers(ALL, given)})


def _of_file(path: Path) -> Initial:
    try:
        content = path.read_bytes()
        arrays = read_npz(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    trained = load_weights(path) if "spec" in arrays else None
    kept = {ALL: arrays[ALL]} if ALL in arrays else arrays
    numbers = {name: _numbers(name, each) for name, each in kept.items()}
    source = str(path.resolve())
    return Initial(numbers, trained, source, hashlib.sha256(content).hexdigest())


def _of_arrays(arrays: Mapping[str, Array], trained: Trained | None = None) -> Initial:
    content = hashlib.sha256()
    for name, each in arrays.items():
        content.update(f"{name} {each.dtype} {each.shape} ".encode() + each.tobytes())
    return Initial(arrays, trained, None, content.hexdigest())


def _numbers(name: object, given: Any) -> Array:
    array = np.asarray(given)
    if array.dtype.kind not in "fiu":
        raise DataError(f"initial: {name} must hold numbers, came {array.dtype}")
    return array


def _listed(names: tuple[Any, ...] | None) -> str:
    return "none" if names is None else ", ".join(map(str, names))
