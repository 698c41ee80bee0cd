"""fit: epoch after epoch in compiled code, from a checkpoint on.

A fit that starts from a checkpoint does what the one that wrote it would have done next, to the
last bit: all that decides it is in the checkpoint, and in the arguments.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from symgrad.spec.training import Training
from symgrad.training.checkpoint import Checkpoint, Epoch
from symgrad.training.module import Array, Module

# theta → the loss and the metric of samples held out.
Scorer = Callable[[Array], tuple[float, float]]
# Called after every epoch; says whether to go on.
AfterEpoch = Callable[[Checkpoint], bool]


class Ending(StrEnum):
    """How a fit ended."""

    FINISHED = "finished"
    STOPPED_EARLY = "stopped early"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class FitResult:
    """How a fit ended, and what there is to say about it."""

    ending: Ending
    detail: str = ""


def fit(
    module: Module,
    training: Training,
    arrays: tuple[Array, ...],
    score: Scorer,
    checkpoint: Checkpoint,
    after_epoch: AfterEpoch,
) -> FitResult:
    """Trains by the emitted `train_epoch`, changing `checkpoint` in place.

    `arrays` are x, t, and perhaps w of the training part, in the module's dtype. When the loss of
    an epoch or a weight is not finite, theta is what it was before that epoch; the optimizer's
    memory is then of no use any more.
    """
    settings = module.train_settings(**training.settings())
    begun = np.empty_like(checkpoint.theta)
    while (ending := ending_of(checkpoint, training)) is None:
        np.copyto(begun, checkpoint.theta)
        loss = float(
            module.train_epoch(
                checkpoint.theta, *arrays, checkpoint.state, checkpoint.progress, settings
            )
        )
        if not (math.isfinite(loss) and np.isfinite(checkpoint.theta).all()):
            np.copyto(checkpoint.theta, begun)
            return FitResult(Ending.DIVERGED)
        checkpoint.previous, begun = begun, checkpoint.previous
        checkpoint.record(Epoch(loss, *score(checkpoint.theta)))
        if not after_epoch(checkpoint):
            return FitResult(ending_of(checkpoint, training) or Ending.INTERRUPTED)
    return FitResult(ending)


def ending_of(checkpoint: Checkpoint, training: Training) -> Ending | None:
    """How the fit has ended, if there is nothing left to do."""
    patience = training.patience
    if patience is not None and checkpoint.epoch - checkpoint.best_epoch >= patience:
        return Ending.STOPPED_EARLY
    return Ending.FINISHED if checkpoint.epoch >= training.epochs else None


def select_weights(
    module: Module,
    training: Training,
    arrays: tuple[Array, ...],
    checkpoint: Checkpoint,
    first: Array,
) -> tuple[Array, int]:
    """The weights that a fit leaves, of shape (weights,), and the number of their epoch; `first`
    are those that it began with.

    With patience those of the lowest validation loss, otherwise the last; in any case such that
    the loss of the training part is finite. (A step may ruin weights although the loss before it
    was fine; the first weights are fine, or training would not have begun.)
    """
    candidates = [
        (checkpoint.theta, checkpoint.epoch),
        (checkpoint.previous, max(checkpoint.epoch - 1, 0)),
    ]
    if training.patience is not None and checkpoint.best_epoch:
        candidates.insert(0, (checkpoint.best, checkpoint.best_epoch))
    for theta, epoch in candidates:
        if math.isfinite(module.loss(theta, *arrays)):
            return theta.copy(), epoch
    return first, 0
