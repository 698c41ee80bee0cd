"""warm: has compiled, in a process of its own, what an estimator calls.

With the same `random_state` its results have the same bits in the first process and in all that
follow, and so each takes all it runs from Numba's cache.
"""

import math
import sys
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.targets.numba.load import load
from symgrad.targets.numba.precompile import precompile

# Operations of a fit from which code for threads is worth its compilation: seconds on one.
WORTH_THREADS = 1e11


def warm(module: ModuleType, rows: int, samples: int, epochs: int) -> None:
    """Has compiled what is called for so many samples in batches of so many rows, and decides, by
    what there is to do at most, whether that is on threads."""
    works = _works(module)
    counts = [min(count, work.many) for count, work in zip((rows, samples), works, strict=True)]
    many = [count == work.many for count, work in zip(counts, works, strict=True)]
    threads = any(many) and 6.0 * module.SIZE * samples * epochs > WORTH_THREADS
    _decide(module, threads)
    numbers = [str(number) for number in (int(threads), *counts)]
    precompile(module, "symgrad.sklearn.warm", numbers, (many, threads))


def _works(module: ModuleType) -> tuple[Any, Any]:
    """What is done for a batch, and for a prediction."""
    trains = getattr(module, "train_steps", module.loss_and_gradient_into)
    return trains.work, module.predict.work


def _decide(module: ModuleType, threads: bool) -> None:
    """On threads from the first call on, or never."""
    for work in _works(module):
        work.patience = 0 if threads else math.inf


def main(path: str, threads: int, rows: int, samples: int) -> None:
    """Calls each function as a fit will: a step on so many rows, predictions of so many samples,
    and of few."""
    module = load(path)
    _decide(module, bool(threads))
    theta = module.init(0)
    for count in (1, samples):
        module.predict(theta, np.ones((count, module.SPEC["inputs"]), theta.dtype))
    x = np.ones((rows, module.SPEC["inputs"]), theta.dtype)
    t = np.full((rows, module.SPEC["layers"][-1]["units"]), 0.5, theta.dtype)
    w = [np.ones(rows, theta.dtype)] * module.SPEC["loss"]["sample_weights"]
    if hasattr(module, "train_steps"):
        batch = np.arange(rows), np.array([0, rows])
        going_on = *module.train_state(0), module.train_settings()
        module.train_steps(theta, x, t, *w, 0.0, *batch, *going_on)
    else:
        module.loss_and_gradient(theta, x, t, *w, 0.0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
