"""Training: split, standardise, descend in batches, and report on every epoch. Prints nothing."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError, SymgradError
from symgrad.training.data import Data, split
from symgrad.training.module import Array, Module
from symgrad.training.optimizers import RATES, Optimizer, make


class TrainingError(SymgradError, ValueError):
    """Settings that no training can have, such as a negative rate."""


@dataclass(frozen=True)
class Figures:
    """How well the network does on some samples, none of them weighted but in the loss.

    `accuracy`, the share of samples in the right class, is for classifications; `rmse`, the root
    of the mean squared error over samples and outputs, for everything else.
    """

    samples: int
    loss: float
    accuracy: float | None = None
    rmse: float | None = None


@dataclass(frozen=True)
class Epoch:
    """The figures after an epoch, counted from 1; 0 stands for the weights at the start."""

    number: int
    train: Figures
    test: Figures | None  # None when no sample was set aside


@dataclass(frozen=True)
class Result:
    """Trained weights, with all that is needed to use them on new inputs.

    A new input x goes in as (x − mean) / scale. `stopped` says why training ended early, if it did;
    theta is then what the last good epoch left.
    """

    theta: Array
    epochs: list[Epoch]
    mean: Array
    scale: Array
    labels: tuple[str, ...] | None
    seed: int
    steps: int
    stopped: str | None = None

    @property
    def last(self) -> Epoch:
        return self.epochs[-1]


def train(
    module: Module,
    data: Data,
    *,
    epochs: int = 50,
    batch: int = 32,
    rate: float | None = None,
    optimizer: str = "adam",
    seed: int = 0,
    test_share: float = 0.2,
    standardize: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Result:
    """Trains an emitted module on data and returns the weights with their figures.

    `batch` is the most samples that a step sees. Everything random (the first weights, the split,
    the order of samples) comes from `seed`. A `rate` of None is the optimizer's usual one.
    `on_epoch` is called after each epoch, and once before the first with the figures at the start.

    Raises TrainingError for settings that make no sense, and DataError when the data leaves nothing
    to train on or the loss is not finite before the first step. A loss that stops being finite
    later ends the training: see `Result.stopped`.
    """
    rate = _checked(epochs, batch, rate, optimizer, seed)
    train_part, test_part = split(data, test_share, seed)
    if train_part.w is not None and not train_part.w.any():
        raise DataError("the sample weights of the training part are all 0")
    mean, scale = standardization(train_part.x) if standardize else _none(data.x.shape[1])
    train_arrays = _prepared(module, train_part, mean, scale)
    test_arrays = _prepared(module, test_part, mean, scale) if len(test_part) else None

    theta = module.init(seed)
    descent = make(optimizer, module, rate)
    random = np.random.default_rng([seed, 1])  # apart from the split's, which uses the seed itself

    def figures(number: int) -> Epoch:
        test = None
        if test_arrays is not None:
            test = _figures(module, theta, test_arrays, data.labels)
        epoch = Epoch(number, _figures(module, theta, train_arrays, data.labels), test)
        if math.isfinite(epoch.train.loss) and on_epoch is not None:
            on_epoch(epoch)
        return epoch

    history = [figures(0)]
    if not math.isfinite(history[0].train.loss):
        raise DataError(
            f"the loss is {history[0].train.loss} before the first step: do the targets suit the "
            "loss (positive for poisson, between 0 and 1 for binary_cross_entropy)?"
        )
    good, stopped, steps = theta.copy(), None, 0
    for number in range(1, epochs + 1):
        broken, taken = _epoch(descent, theta, train_arrays, batch, random)
        steps += taken
        epoch = None if broken else figures(number)
        if epoch is None or not math.isfinite(epoch.train.loss):
            stopped = (
                f"the loss stopped being finite in epoch {number}; kept are the weights of epoch "
                f"{number - 1}. Try a lower rate (it was {rate:g})"
                + ("" if standardize else ", or standardised inputs")
            )
            theta = good
            break
        np.copyto(good, theta)
        history.append(epoch)
    return Result(theta, history, mean, scale, data.labels, seed, steps, stopped)


def standardization(x: Array) -> tuple[Array, Array]:
    """Mean and scale of each input, so that (x − mean) / scale has mean 0 and deviation 1.

    An input that is constant, or varies by no more than rounding, keeps the scale 1.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = x.mean(axis=0), x.std(axis=0)
        rounding = 8 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
        raise DataError("the inputs are too large to be standardised: their squares overflow")
    scale[(scale <= rounding) | (np.ptp(x, axis=0) == 0)] = 1.0
    return mean, scale


def save(path: str | Path, module: Module, result: Result) -> Path:
    """Writes the weights to an NPZ file, which is either written completely or not touched.

    It holds `theta`; every weight array under its own name (`W1`, `b1`, …); `mean` and `scale` of
    the inputs; `labels` (empty when there are none); `spec`, as JSON text; and `seed`.
    """
    path = Path(path)
    arrays: dict[str, Any] = {
        name: result.theta[offset : offset + math.prod(shape)].reshape(shape)
        for name, (offset, shape) in module.PARAMETERS.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            np.savez_compressed(
                file,
                theta=result.theta,
                mean=result.mean,
                scale=result.scale,
                labels=np.array(result.labels or (), dtype=np.str_),
                spec=np.array(json.dumps(module.SPEC, sort_keys=True)),
                seed=np.array(result.seed),
                **arrays,
            )
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _checked(epochs: int, batch: int, rate: float | None, optimizer: str, seed: int) -> float:
    if epochs < 1:
        raise TrainingError(f"at least 1 epoch is needed, not {epochs}")
    if batch < 1:
        raise TrainingError(f"a batch has at least 1 sample, not {batch}")
    if optimizer not in RATES:
        raise TrainingError(f"no optimizer {optimizer!r}; there are {', '.join(RATES)}")
    if seed < 0:
        raise TrainingError(f"the seed must not be negative, but is {seed}")
    rate = RATES[optimizer] if rate is None else rate
    if not (math.isfinite(rate) and rate > 0):
        raise TrainingError(f"the rate must be a positive number, not {rate:g}")
    return rate


def _none(inputs: int) -> tuple[Array, Array]:
    return np.zeros(inputs), np.ones(inputs)


def _prepared(module: Module, data: Data, mean: Array, scale: Array) -> tuple[Array, ...]:
    """x, t, and perhaps w, in the dtype and layout that the module wants."""
    dtype = np.dtype(module.SPEC["dtype"])
    arrays = [(data.x - mean) / scale, data.t] + ([] if data.w is None else [data.w])
    with np.errstate(over="ignore"):
        converted = tuple(np.ascontiguousarray(array, dtype=dtype) for array in arrays)
    for name, array in zip("xtw", converted, strict=False):
        if not np.isfinite(array).all():
            raise DataError(f"{name} holds numbers that are too large for {dtype}")
    return converted


def _epoch(
    descent: Optimizer,
    theta: Array,
    arrays: tuple[Array, ...],
    batch: int,
    random: np.random.Generator,
) -> tuple[bool, int]:
    """One pass over the samples in a new order: whether the loss broke, and the steps taken.

    Batches are as equal as they can be: a small rest at the end would take a step as long as the
    others on far less evidence.
    """
    order = random.permutation(len(arrays[0]))
    steps = 0
    for rows in np.array_split(order, math.ceil(len(order) / batch)):
        taken = tuple(array[rows] for array in arrays)
        if len(taken) == 3 and not taken[2].any():
            continue  # the average over samples that all weigh 0 does not exist
        steps += 1
        if not math.isfinite(descent.update(theta, *taken)):
            return True, steps
    return False, steps


def _figures(
    module: Module, theta: Array, arrays: tuple[Array, ...], labels: tuple[str, ...] | None
) -> Figures:
    x, t = arrays[0], arrays[1]
    loss = float(module.loss(theta, *arrays))
    y = module.predict(theta, x)
    if labels is None:
        error = y.astype(np.float64) - t
        return Figures(len(x), loss, rmse=float(np.sqrt(np.mean(error * error))))
    right = (y >= 0.5) == (t >= 0.5) if t.shape[1] == 1 else y.argmax(axis=1) == t.argmax(axis=1)
    return Figures(len(x), loss, accuracy=float(np.mean(right)))
