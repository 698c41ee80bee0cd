"""Whole-batch methods: SciPy's, on the loss and gradient of all training samples at once.

An epoch is an iteration of the method. What it has learnt of the loss's curvature stays inside
SciPy, so that such a fit cannot go on from the middle: it takes its steps again from the first
weights, the same to the last bit.
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from symgrad.spec.training import WHOLE_BATCH, Training
from symgrad.training.checkpoint import Checkpoint, Epoch
from symgrad.training.fit import AfterEpoch, Ending, FitResult, Scorer, ending_of
from symgrad.training.module import Array, Module

# A line search may try a point where the loss is not finite, and step back; not so often in a row.
_PATIENCE_WITH_NAN = 50
_ENDLESS = 10**9


class _Stop(Exception):
    """Leaves SciPy's loop."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending


def fit_whole(
    module: Module,
    training: Training,
    arrays: tuple[Array, ...],
    score: Scorer,
    checkpoint: Checkpoint,
    after_epoch: AfterEpoch,
    trained: Array | None = None,
) -> FitResult:
    """Trains by a method of SciPy's, changing `checkpoint`, which must be at its start.

    The arguments are those of `fit`, and the places in theta of the weights that are trained, if
    not all are: SciPy sees no others. The loss that is recorded is the one after the step.
    """
    from scipy.optimize import minimize  # stochastic training does without

    dtype = checkpoint.theta.dtype
    moving = slice(None) if trained is None else trained
    begun = checkpoint.theta.astype(np.float64)
    in_a_row = 0

    def whole(moved: Array) -> Array:
        theta = begun.copy()
        theta[moving] = moved
        return theta

    def objective(moved: Array) -> tuple[float, Array]:
        nonlocal in_a_row
        loss, gradient = module.loss_and_gradient(whole(moved), *arrays)
        in_a_row = 0 if math.isfinite(loss) else in_a_row + 1
        if in_a_row > _PATIENCE_WITH_NAN:
            raise _Stop(Ending.DIVERGED)
        return float(loss), gradient[moving]

    def after_step(moved: Array) -> None:
        stepped = whole(moved).astype(dtype)
        loss = float(module.loss(stepped, *arrays))
        if not math.isfinite(loss):
            raise _Stop(Ending.DIVERGED)
        checkpoint.previous, checkpoint.theta = checkpoint.theta, stepped
        checkpoint.record(Epoch(loss, *score(stepped)))
        wanted = after_epoch(checkpoint)
        if ending := ending_of(checkpoint, training) or (None if wanted else Ending.INTERRUPTED):
            raise _Stop(ending)

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # its message says the same
            result = minimize(
                objective,
                begun[moving],
                jac=True,
                method=WHOLE_BATCH[training.optimizer],
                callback=after_step,
                options=_options(training, dtype),
            )
    except _Stop as stop:
        return FitResult(stop.ending)
    message = " ".join(str(result.message).split())
    return FitResult(
        Ending.FINISHED,
        f"{WHOLE_BATCH[training.optimizer]} ended by itself after {checkpoint.epoch:,} "
        f"iterations: {message}",
    )


def _options(training: Training, dtype: Any) -> Mapping[str, Any]:
    """So many iterations, and no other limit, for each in its own words."""
    match training.optimizer:
        case "lbfgs":
            return {"maxiter": training.epochs, "maxfun": _ENDLESS}
        case "tnc":
            return {"maxfun": _ENDLESS}  # after_step counts the iterations
        case "newton_cg":
            # Its products with the Hessian are differences of gradients, in the network's dtype.
            step = math.sqrt(np.finfo(dtype).eps)
            return {"maxiter": training.epochs, "eps": step}
        case _:
            return {"maxiter": training.epochs}
