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
from pathlib import Path
from types import ModuleType

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import config

from symgrad.compiler.load import load

# Functions that need more samples to be worth several threads are never computed on them.
_MOST = 1_000_000


def warm(module: ModuleType, on_threads: bool) -> None:
    """Has a module's functions for training compiled, once for each Numba and processor; also those
    for several threads, which take longer, if they will be wanted.

    Where that cannot be done (no place for a cache, no other process), they are compiled when they
    are called, as ever.
    """
    if getattr(config, "DISABLE_JIT", 0) or module.__file__ is None:
        return
    file = Path(module.__file__)
    versions = (platform.python_version(), numba.__version__, np.__version__)
    machine = (llvm.get_host_cpu_name(), os.environ.get("NUMBA_CACHE_DIR", ""))
    content = repr((*versions, *machine))
    marks = [file.with_name(f".{file.stem}.compiled{end}") for end in ("", "-for-threads")]
    wanted = marks[on_threads:]
    if any(mark.is_file() and mark.read_text(encoding="utf-8") == content for mark in wanted):
        return
    # -P: what lies in the user's folder is no module of ours.
    options = ["threads"] * on_threads
    command = [sys.executable, "-P", "-m", "symgrad.training.warm", str(file), *options]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        marks[on_threads].write_text(content, encoding="utf-8")


def main(path: str, on_threads: bool) -> None:
    """Calls each function once, for one sample, and has it compiled for many."""
    module = load(path)
    theta = module.init(0)
    trains = hasattr(module, "train_epoch")
    works = [module.predict.work, module.loss.work]
    works.append(module.train_epoch.work if trains else module.loss_and_gradient_into.work)

    def arrays(samples: int) -> tuple[np.ndarray, ...]:
        x = np.ones((samples, module.SPEC["inputs"]), theta.dtype)
        t = np.full((samples, module.SPEC["layers"][-1]["units"]), 0.5, theta.dtype)
        weighted = module.SPEC["loss"]["sample_weights"]
        return (x, t, np.ones(samples, theta.dtype)) if weighted else (x, t)

    def call(samples: int) -> None:
        data = arrays(samples)
        module.predict(theta, data[0])
        module.loss(theta, *data)
        if trains:
            settings = module.train_settings(batch=0)
            module.train_epoch(theta, *data, *module.train_state(0), settings)
        else:
            module.loss_and_gradient(theta, *data)

    call(1)
    for work in works:
        work.compile()
    for samples in {work.many for work in works} if on_threads else ():
        if samples <= _MOST:
            for work in works:
                work.patience = 0
            call(samples)


if __name__ == "__main__":
    main(sys.argv[1], "threads" in sys.argv[2:])
