"""precompile: has compiled, in a process of its own, what training will call.

A run and its resumption must have the same bits, and so both take all they run from Numba's cache.
"""

import sys
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from symgrad.spec.training import Training
from symgrad.targets.numba.load import load
from symgrad.targets.numba.precompile import precompile

_ENDLESS = 1 << 60


def precompile_training(module: ModuleType, samples: Sequence[int], training: Training) -> None:
    """Has compiled what training will call for data sets of so many samples, the first of which it
    learns from."""
    rows = samples[0] if training.batch == "all" else min(training.batch, samples[0])
    steps = training.epochs * -(-samples[0] // rows)
    works = (module.predict.work, module.loss.work, module.loss_and_gradient_into.work)
    many = [[count >= work.many for work in works] for count in (*samples, rows)]
    # Code for threads is compiled after some calls with many samples; losses are one an epoch.
    calls = [*[training.epochs] * len(samples), steps]
    threads = any(any(each) and n >= works[0].patience for each, n in zip(many, calls, strict=True))

    numbers = [str(number) for number in (int(threads), rows, *samples)]
    precompile(module, "symgrad.training.precompile", numbers, (many, threads))


def main(path: str, threads: int, rows: int, *samples: int) -> None:
    """Calls each function as training will, a step being one of so many rows."""
    module = load(path)
    theta = module.init(0)
    weighted = module.SPEC["loss"]["sample_weights"]

    def arrays(count: int) -> tuple[np.ndarray, ...]:
        x = np.ones((count, module.SPEC["inputs"]), theta.dtype)
        t = np.full((count, module.SPEC["layers"][-1]["units"]), 0.5, theta.dtype)
        return (x, t, np.ones(count, theta.dtype)) if weighted else (x, t)

    trains = hasattr(module, "train_epoch")
    works = [module.predict.work, module.loss.work]
    works.append(module.train_epoch.work if trains else module.loss_and_gradient_into.work)
    for patience in [_ENDLESS, 0][: 1 + threads]:  # on one thread, and then on several
        for work in works:
            work.patience = patience
        for count in samples:
            module.predict(theta, arrays(count)[0])
            module.loss(theta, *arrays(count))
        if trains:
            settings = module.train_settings(batch=0)
            module.train_epoch(theta, *arrays(rows), *module.train_state(0), settings)
        else:
            module.loss_and_gradient(theta, *arrays(rows))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
