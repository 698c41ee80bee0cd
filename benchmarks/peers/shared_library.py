"""shared_library: C or C++ text, compiled and opened, as a function of pointers."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numba as nb
import numpy as np

from benchmarks.peers import NotPractical, Variant
from benchmarks.peers.numba_by_hand import looped

REAL = {"float32": ("float", ctypes.c_float), "float64": ("double", ctypes.c_double)}
SECONDS = 60  # that a compiler may take
FLAGS = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]


def build(text, dtype, compiler="gcc", flags=()):
    """The function `real loss_and_gradient(theta, x, t, gradient)` in `text`."""
    if not shutil.which(compiler):
        raise NotPractical(f"needs {compiler}")
    folder = Path(tempfile.mkdtemp(prefix="symgrad-benchmark-"))
    source = folder / ("code.cpp" if compiler == "g++" else "code.c")
    source.write_text(text)
    library = folder / "code.so"
    command = [compiler, *FLAGS, *flags, str(source), "-o", str(library), "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise NotPractical(f"{compiler} takes more than {SECONDS} s") from None
    function = ctypes.CDLL(str(library)).loss_and_gradient
    function.restype = REAL[dtype][1]
    function.argtypes = [ctypes.c_void_p] * 4
    return function


def variant(name, function, theta, x, t):
    gradient = np.empty_like(theta)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (theta, x, t, gradient)]
    call = partial(function, *pointers)

    def value():
        return float(call()), gradient.copy()

    value.arrays = theta, x, t  # kept alive with the pointers to them
    return Variant(name, call, value)


def inside(name, function, theta, x, t):
    """The function called through its pointer from a compiled loop."""
    small = theta.dtype.type(1e-6)

    @nb.njit
    def loop(theta, x, t, gradient, calls):
        total = 0.0
        for _ in range(calls):
            total += function(theta.ctypes, x.ctypes, t.ctypes, gradient.ctypes)
            theta[0] += small * gradient[0]
        return total

    yield looped(name, loop, theta, x, t, 1)
