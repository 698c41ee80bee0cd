"""A module compiled in a process of its own, so that the one that trains finds it in Numba's cache.

What Numba compiles and what it takes from its file cache need not agree in the last digits: a
function is optimised once more wherever it is linked in, and a process runs the copy that it has
loaded first. A run and its resumption must have the same bits, and so both take all they run from
the cache.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import config

from symgrad.compiler.load import load
from symgrad.compiler.spec_training import Training

_ENDLESS = 1 << 60


def warm(module: ModuleType, samples: Sequence[int], training: Training) -> None:
    """Has compiled what training will call for parts of so many samples, the training part first.

    That is done once for each Numba and processor, and each way of calling. Where it cannot be done
    (no place for a cache, no other process), functions are compiled when they are called, as ever.
    """
    if getattr(config, "DISABLE_JIT", 0) or module.__file__ is None:
        return
    file = Path(module.__file__)
    rows = samples[0] if training.batch == "all" else min(training.batch, samples[0])
    steps = training.epochs * -(-samples[0] // rows)
    works = (module.predict.work, module.loss.work, module.loss_and_gradient_into.work)
    many = [[count >= work.many for work in works] for count in (*samples, rows)]
    # Code for threads is compiled after some calls with many samples; losses are one an epoch.
    calls = [*[training.epochs] * len(samples), steps]
    threads = any(any(each) and n >= works[0].patience for each, n in zip(many, calls, strict=True))

    mark = file.with_name(f".{file.stem}.compiled")
    versions = (platform.python_version(), numba.__version__, np.__version__)
    machine = (llvm.get_host_cpu_name(), os.environ.get("NUMBA_CACHE_DIR", ""))
    line = repr((*versions, *machine, many, threads))
    marked = mark.read_text(encoding="utf-8").splitlines() if mark.is_file() else []
    if line in marked:
        return
    numbers = map(str, (int(threads), rows, *samples))
    # -P: what lies in the user's folder is no module of ours.
    command = [sys.executable, "-P", "-m", "symgrad.training.warm", str(file), *numbers]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        mark.write_text("\n".join([*marked, line]), encoding="utf-8")


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
