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


def warm(module: ModuleType) -> None:
    """Has a module's functions for training compiled, once for each Numba and processor.

    Where that cannot be done (no place for a cache, no other process), they are compiled when they
    are called, as ever.
    """
    if getattr(config, "DISABLE_JIT", 0) or module.__file__ is None:
        return
    file = Path(module.__file__)
    versions = (platform.python_version(), numba.__version__, np.__version__)
    machine = (llvm.get_host_cpu_name(), os.environ.get("NUMBA_CACHE_DIR", ""))
    mark = file.with_name(f".{file.stem}.compiled")
    content = repr((*versions, *machine))
    if mark.is_file() and mark.read_text(encoding="utf-8") == content:
        return
    # -P: what lies in the user's folder is no module of ours.
    command = [sys.executable, "-P", "-m", "symgrad.training.warm", str(file)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        mark.write_text(content, encoding="utf-8")


def main(path: str) -> None:
    """Calls each function once, for one sample, and has it compiled for many."""
    module = load(path)
    theta = module.init(0)
    x = np.ones((1, module.SPEC["inputs"]), theta.dtype)
    t = np.full((1, module.SPEC["layers"][-1]["units"]), 0.5, theta.dtype)
    data = (x, t, np.ones(1, theta.dtype)) if module.SPEC["loss"]["sample_weights"] else (x, t)
    module.predict(theta, x)
    module.loss(theta, *data)
    if hasattr(module, "train_epoch"):
        module.train_epoch(theta, *data, *module.train_state(0), module.train_settings())
    else:
        module.loss_and_gradient(theta, *data)
        module.loss_and_gradient_into.work.compile()
    module.predict.work.compile()
    module.loss.work.compile()


if __name__ == "__main__":
    main(sys.argv[1])
