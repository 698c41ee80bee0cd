"""apart: have functions compiled in a process of their own; this one then finds them in the cache.

What Numba compiles and what it takes from its file cache need not agree in the last digits: a
function is optimised once more wherever it is linked in, and a process runs the copy that it has
loaded first. Who wants the same bits from one process to the next takes all from the cache.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import config

from symgrad.errors import SymgradError
from symgrad.targets.write import write

# What has been seen to in this process, so that it is not looked up again.
_SEEN: set[tuple[Path, str]] = set()


def precompile(
    module: ModuleType, program: str, arguments: Sequence[str], way: object
) -> None:
    """Runs the Python module `program`, which calls what is to be compiled of the emitted `module`;
    its arguments are the module's file, and `arguments`.

    That is done once for each Numba and processor, and each `way` of calling. Where it cannot be
    done (no place for a cache, no other process), functions are compiled when they are called, as
    ever.
    """
    path = getattr(module, "__file__", None)
    if getattr(config, "DISABLE_JIT", 0) or path is None:  # None: it lies nowhere
        return
    if not sys.executable or getattr(sys, "frozen", False):  # no Python to be started
        return
    file = Path(path)
    mark = file.with_name(f".{file.stem}.compiled")
    versions = (platform.python_version(), numba.__version__, np.__version__)
    machine = (llvm.get_host_cpu_name(), os.environ.get("NUMBA_CACHE_DIR", ""))
    line = repr((*versions, *machine, program, way))
    if (file, line) in _SEEN:
        return
    _SEEN.add((file, line))  # also if it fails: it would fail again
    with suppress(OSError, SymgradError):
        marked = mark.read_text("utf-8", "replace").splitlines() if mark.is_file() else []
        if line not in marked:
            # -P: what lies in the user's folder is no module of ours.
            command = [sys.executable, "-P", "-m", program, str(file), *arguments]
            nowhere = subprocess.DEVNULL
            if subprocess.run(command, stdout=nowhere, stderr=nowhere).returncode == 0:
                write({mark.name: "\n".join([*marked, line])}, mark.parent)
