"""residual: a 8-32-32-32-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from residual.toml. Do not edit: change the spec, and
    symgrad compile residual.toml
Spec, sha256: 3be02e48179023bcab9caf306477ef8ea1ad66c5976b417b528d1f28fe4e0035
Options: order = loss-first, dtype = float32

The one expression, its shared parts named:

    z1[n,i1]         = Σ_i0 x[n,i0]·W1[i0,i1]
    sigmoid_z1[n,i1] = sigmoid(z1[n,i1])
    a1[n,i1]         = sigmoid_z1[n,i1]·z1[n,i1]
    z2[n,i2]         = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    sigmoid_z2[n,i2] = sigmoid(z2[n,i2])
    silu_z2[n,i2]    = sigmoid_z2[n,i2]·z2[n,i2]
    a2[n,i2]         = a1[n,i2] + silu_z2[n,i2]
    z3[n,i3]         = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    sigmoid_z3[n,i3] = sigmoid(z3[n,i3])
    silu_z3[n,i3]    = sigmoid_z3[n,i3]·z3[n,i3]
    a3[n,i3]         = a2[n,i3] + silu_z3[n,i3]
    y[n,i4]          = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    y_minus_t[n,i4]  = y[n,i4] - t[n,i4]
    e[n]             = Σ_i4 huber(y_minus_t[n,i4])
    w_total          = Σ_n w[n]
    R1               = 1e-05·Σ_i0,i1 |W1[i0,i1]|
    R2               = 1e-05·Σ_i1,i2 |W2[i1,i2]|
    R3               = 1e-05·Σ_i2,i3 |W3[i2,i3]|
    R4               = 1e-05·Σ_i3,i4 |W4[i3,i4]|
    E                = Σ_n e[n]·w[n]/w_total + R1 + R2 + R3 + R4

and its derivative by all 2401 weights at once is `_gradient_of_chunk`: read it first.
Operations for one sample: the loss 9576, loss and gradient 23435.

x is of shape (samples, 8), t of shape (samples, 1), theta holds all weights, see PARAMETERS.
Samples are computed in blocks, and many samples in several chunks of blocks, each of which sums
apart; how many depends on their number alone, so that results do not depend on threads.
A function of your own under @njit(cache=True) keeps the code it was compiled with: after emitting
this file anew, touch yours.
"""

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import inspect
import os
import pickle
import re
import secrets
import stat
import sys
import threading
from pathlib import Path

import llvmlite
import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, sigutils
from numba.core.caching import NullCache
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.extending import get_cython_function_address, intrinsic, lower_builtin, type_callable
from numba.misc.appdirs import AppDirs
from numba.np.arrayobj import make_array, populate_array
from numba.np.ufunc import parallel as numba_threads

SPEC = {'name': 'residual',
 'dtype': 'float32',
 'inputs': 8,
 'layers': [{'units': 32, 'activation': 'silu', 'bias': False, 'residual': False},
            {'units': 32, 'activation': 'silu', 'bias': True, 'residual': True},
            {'units': 32, 'activation': 'silu', 'bias': True, 'residual': True},
            {'units': 1, 'activation': 'identity', 'bias': True, 'residual': False}],
 'loss': {'kind': 'huber', 'l1': 1e-05, 'l2': 0.0, 'sample_weights': True},
 'activations': {}}

SIZE = 2401

# name: (offset in theta, shape)
PARAMETERS = {'W1': (0, (8, 32)),
 'W2': (256, (32, 32)),
 'b2': (1280, (32,)),
 'W3': (1312, (32, 32)),
 'b3': (2336, (32,)),
 'W4': (2368, (32, 1)),
 'b4': (2400, (1,))}

F = np.float32  # constants are written F(0.5): a bare 0.5 would make float32 expressions float64
_DTYPE = np.float32
_NATIVE = np.dtype(_DTYPE)
_SHAPES = {
    "theta": "(2401,)",
    "x": "(samples, 8)",
    "t": "(samples, 1)",
    "w": "(samples,)",
    "gradient": "(2401,)",
}
_AXES = {'theta': 1, 'x': 2, 't': 2, 'w': 1, 'gradient': 1}
_NUMBERS = ['rate']

_EMITTED = "48238a5c85aa81dc"  # a hash of what follows the docstring


def _content():
    """A hash of what this file was emitted as, and of what it is now, should somebody have changed it."""
    try:
        return hashlib.sha256(_EMITTED.encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    except (OSError, NameError):  # in a ZIP file, or a text that was handed to `exec`
        return _EMITTED


# In the names of compiled code: two modules in one process would otherwise share functions of one name.
_CONTENT = _content()


def _safe(folder):
    """Whether only this user and the system can put files into a folder: what lies there will run."""
    if not hasattr(os, "getuid"):  # Windows, where the user's folder is the user's
        return True
    trusted = {os.getuid(), 0, os.stat("/").st_uid}
    for path in (folder, *folder.parents):
        about = path.stat()
        private = about.st_gid == about.st_uid  # by convention a group of this user alone
        others = stat.S_IWOTH | (0 if private else stat.S_IWGRP)
        sticky = path != folder and about.st_mode & stat.S_ISVTX  # there nobody can move what is another's
        if about.st_uid not in trusted or (about.st_mode & others and not sticky):
            return False
    return True


def _folders(make):
    """Where compiled code is kept: where NUMBA_CACHE_DIR says, beside this file, in the user's folder.

    Each that is there, or can be made.
    """
    file = Path(__file__).absolute()
    apart = f"{file.stem}_{_CONTENT}"
    user = Path(AppDirs("numba", False).user_cache_dir, apart)
    places = [Path(nb.config.CACHE_DIR, apart)] if nb.config.CACHE_DIR else []
    places += [file.parent / "__pycache__"]
    places += [user] if user.is_absolute() else []  # which it is not where there is no home
    for place in places:
        with contextlib.suppress(OSError):
            if make:
                place.mkdir(parents=True, exist_ok=True)
            folder = Path(os.path.realpath(place, strict=True))
            if place != user or _safe(folder):
                yield folder


class _Cache(NullCache):
    """A function's compiled code, in files.

    Each begins with a hash of what it holds and is for; one that does not is as none. Nor does
    anything fail for want of a file, or of room for one: the function is compiled in this process.
    """

    def __init__(self, function):
        self.name = function.__name__

    def files(self, signature, codegen, make):
        """The file for a signature, in each of the folders."""
        if "__file__" in globals():  # which a text handed to `exec` has not
            python = sys.implementation.cache_tag, getattr(sys, "abiflags", "")
            key = hashlib.sha256(repr((str(signature), codegen.magic_tuple(), python)).encode()).hexdigest()
            for folder in _folders(make):
                yield folder / f"{Path(__file__).stem}.{self.name}-{key[:16]}.nbc"

    def seal(self, file, code):
        versions = nb.__version__, llvmlite.__version__, np.__version__
        return hashlib.sha256(repr((file.name, _CONTENT, versions)).encode() + code).digest()

    def load_overload(self, signature, target_context):
        target_context.refresh()
        for file in self.files(signature, target_context.codegen(), make=False):
            with contextlib.suppress(OSError):
                content = file.read_bytes()
                if content[:32] == self.seal(file, content[32:]):
                    return CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
        return None

    def save_overload(self, signature, result):
        if result.library.has_dynamic_globals:  # addresses, good for this process only
            return
        code = dumps(result._reduce())
        for file in self.files(signature, result.codegen, make=True):
            aside = file.with_name(f".{secrets.token_hex(8)}.part")
            with contextlib.suppress(OSError):
                try:
                    aside.write_bytes(self.seal(file, code) + code)
                    os.replace(aside, file)
                    return
                finally:
                    aside.unlink(missing_ok=True)


def _named(function, name=None):
    """A function under the name that its compiled code has: of what this file holds, not of where it is.

    Numba imports the module that a function says it is of, to load its code: this one may be called
    something else by then, and Numba may not.
    """
    function.__module__, function.__qualname__ = "numba", f"{name or function.__name__}_{_CONTENT}"
    return function


def _cached(compiler, function, *signature, **options):
    """A function compiled by Numba, from a file where there is a good one."""
    compiled = compiler(*signature, error_model="numpy", **options)(_named(function))
    compiled._cache = _Cache(function)
    return compiled


def _elementary(function):
    """A function of numbers, which is inlined."""
    return _cached(nb.njit, function, forceinline=True)


def _inner(function):
    """A part of the functions below, compiled with the first that calls it."""
    return _cached(nb.njit, function, nogil=True)


def _threaded(function):
    """The same, with its prange on as many threads as Numba has."""
    return _cached(nb.njit, function, nogil=True, parallel=True)


@_elementary
def clip(u):
    return F(1.0) if u > F(1.0) else (-F(1.0) if u < -F(1.0) else u)


@_elementary
def huber(u):
    return abs(u) - F(0.5) if abs(u) > F(1.0) else F(0.5) * u * u


@_elementary
def exp_times(y, u, v):
    """y·exp(u + v), v small: y·exp(r)·2^k with |r| < 0.35, and 2^k in two halves: rounded but once
    where the result is below the smallest normal number. Within 2 ulp."""
    shifted = fma(u + v, F(1.442695), F(12583166.0))  # its last bits hold k + 254
    k = shifted - F(12583166.0)
    r = fma(-k, F(1.4286068e-06), fma(-k, F(0.69314575), u) + v)
    p = F(0.0013818304)
    p = fma(p, r, F(0.008368532))
    p = fma(p, r, F(0.041668292))
    p = fma(p, r, F(0.16666523))
    p = fma(p, r, F(0.49999994))
    p = fma(p, r, F(1.0))
    p = fma(p, r, F(1.0))
    whole = F(shifted).view(np.int32)
    first = whole >> 1
    return y * p * np.int32(first << 23).view(np.float32) * np.int32((whole - first) << 23).view(np.float32)


@_elementary
def exp(u):
    """Within 1.5 ulp."""
    u = min(max(u, F(-170.0)), F(170.0))
    return exp_times(F(1.0), u, -F(0.0))


@_elementary
def sigmoid(z):
    """1/(1 + exp(-z)), without overflow. Within 2.5 ulp."""
    q = exp(-abs(z))
    return (q if z < F(0.0) else F(1.0)) / (q + F(1.0))


@_elementary
def sign(u):
    return F(1.0) if u > F(0.0) else (-F(1.0) if u < F(0.0) else u)


@_elementary
def silu(z):
    """z/(1 + exp(-z)), without overflow. Within 3.5 ulp."""
    a = min(abs(z), F(170.0))
    q = exp_times(F(1.0), -a, -F(0.0))
    return (exp_times(-a, -a, -F(0.0)) if z < F(0.0) else z) / (q + F(1.0))


@_inner
def _totals(w):
    """What the losses and the gradient of every sample need of all samples."""
    _apart()
    samples = w.shape[0]
    # loss: w_total = Σ_n w[n]
    w_total_sum = 0.0
    for n in range(samples):
        w_total_sum += w[n]
    w_total = F(w_total_sum)
    return w_total


@_inner
def _prediction_of_chunk(theta, xs, ys, scratch, at_once):
    """Writes the output of a chunk of samples. 512 at a time, in scratch memory."""
    _apart()
    units1 = _extent(32)
    units2 = _extent(32)
    units3 = _extent(32)
    W1 = _view(theta, 0, (8, 32))
    W2 = _view(theta, 256, (32, 32))
    b2 = _view(theta, 1280, (32,))
    W3 = _view(theta, 1312, (32, 32))
    b3 = _view(theta, 2336, (32,))
    W4 = _view(theta, 2368, (32, 1))
    b4 = _view(theta, 2400, (1,))
    for start in range(0, xs.shape[0], 512):
        end = min(start + 512, xs.shape[0])
        rows = end - start
        x, y = xs[start:end], ys[start:end]
        z1 = _view(scratch, 0, (rows, 32))
        a1_W2 = _view(scratch, 16384, (rows, 32))
        a2_W3 = _view(scratch, 0, (rows, 32))
        a3 = _local(32)
        a1 = z1  # in the same memory, one after the other
        a2 = a1_W2  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
        _product(x, W1, z1, F(0.0), at_once)
        for n in range(rows):
            # a1[n,i1] = silu(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = silu(z1[n, i1])
        # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
        _product(a1, W2, a1_W2, F(0.0), at_once)
        for n in range(rows):
            # z2[n,i2] = a1_W2[n,i2] + b2[i2]
            # a2[n,i2] = silu(z2[n,i2]) + a1[n,i2]
            for i2 in range(units2):
                z2 = a1_W2[n, i2] + b2[i2]
                a2[n, i2] = silu(z2) + a1[n, i2]
        # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
        _product(a2, W3, a2_W3, F(0.0), at_once)
        for n in range(rows):
            # z3[n,i3] = a2_W3[n,i3] + b3[i3]
            # a3[n,i3] = silu(z3[n,i3]) + a2[n,i3]
            for i3 in range(units3):
                z3 = a2_W3[n, i3] + b3[i3]
                a3[i3] = silu(z3) + a2[n, i3]
            # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
            for i4 in range(1):
                total = b4[i4]
                for i3 in range(units3):
                    total = plus(total, a3[i3], W4[i3, i4])
                y[n, i4] = total


@_threaded
def _prediction_on_threads(theta, x, y):
    """Writes the output y: each thread takes some chunks."""
    _check(theta, x, y)
    chunks = _chunks(x.shape[0], (280, 1600, 3200, 6300))
    scratch = np.empty((chunks, 32768), _DTYPE)
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        _prediction_of_chunk(theta, x[start:end], y[start:end], scratch[chunk], 262144)


@_inner
def _loss_of_chunk(theta, xs, ts, ws, N, w_total, scratch, at_once):
    """The sum of the losses of a chunk of samples. 512 at a time, in scratch memory."""
    _apart()
    units1 = _extent(32)
    units2 = _extent(32)
    units3 = _extent(32)
    W1 = _view(theta, 0, (8, 32))
    W2 = _view(theta, 256, (32, 32))
    b2 = _view(theta, 1280, (32,))
    W3 = _view(theta, 1312, (32, 32))
    b3 = _view(theta, 2336, (32,))
    W4 = _view(theta, 2368, (32, 1))
    b4 = _view(theta, 2400, (1,))
    E_sum = 0.0
    for start in range(0, xs.shape[0], 512):
        end = min(start + 512, xs.shape[0])
        rows = end - start
        x, t, w = xs[start:end], ts[start:end], ws[start:end]
        z1 = _view(scratch, 0, (rows, 32))
        a1_W2 = _view(scratch, 16384, (rows, 32))
        a2_W3 = _view(scratch, 0, (rows, 32))
        a3 = _local(32)
        y = _local(1)
        a1 = z1  # in the same memory, one after the other
        a2 = a1_W2  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
        _product(x, W1, z1, F(0.0), at_once)
        for n in range(rows):
            # a1[n,i1] = silu(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = silu(z1[n, i1])
        # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
        _product(a1, W2, a1_W2, F(0.0), at_once)
        for n in range(rows):
            # z2[n,i2] = a1_W2[n,i2] + b2[i2]
            # a2[n,i2] = silu(z2[n,i2]) + a1[n,i2]
            for i2 in range(units2):
                z2 = a1_W2[n, i2] + b2[i2]
                a2[n, i2] = silu(z2) + a1[n, i2]
        # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
        _product(a2, W3, a2_W3, F(0.0), at_once)
        for n in range(rows):
            # z3[n,i3] = a2_W3[n,i3] + b3[i3]
            # a3[n,i3] = silu(z3[n,i3]) + a2[n,i3]
            for i3 in range(units3):
                z3 = a2_W3[n, i3] + b3[i3]
                a3[i3] = silu(z3) + a2[n, i3]
            # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
            for i4 in range(1):
                total = b4[i4]
                for i3 in range(units3):
                    total = plus(total, a3[i3], W4[i3, i4])
                y[i4] = total
            # loss: e[n] = Σ_i4 huber(y[n,i4] - t[n,i4])
            e = F(0.0)
            for i4 in range(1):
                e = plus(e, huber(y[i4] - t[n, i4]))
            # E = Σ_n e[n]·w[n]/w_total + R1 + R2 + R3 + R4
            E_sum += e * w[n]
    return E_sum


@_inner
def _loss_at_the_end(theta, N, w_total, E_sum):
    """The loss E from the sum over samples."""
    _apart()
    units0 = _extent(8)
    units1 = _extent(32)
    units2 = _extent(32)
    units3 = _extent(32)
    W1 = _view(theta, 0, (8, 32))
    W2 = _view(theta, 256, (32, 32))
    W3 = _view(theta, 1312, (32, 32))
    W4 = _view(theta, 2368, (32, 1))
    # R1 = 1e-05·Σ_i0,i1 |W1[i0,i1]|
    R1_sum = 0.0
    for i0 in range(units0):
        for i1 in range(units1):
            R1_sum = plus(R1_sum, F(1e-05) * abs(W1[i0, i1]))
    R1 = R1_sum
    # R2 = 1e-05·Σ_i1,i2 |W2[i1,i2]|
    R2_sum = 0.0
    for i1 in range(units1):
        for i2 in range(units2):
            R2_sum = plus(R2_sum, F(1e-05) * abs(W2[i1, i2]))
    R2 = R2_sum
    # R3 = 1e-05·Σ_i2,i3 |W3[i2,i3]|
    R3_sum = 0.0
    for i2 in range(units2):
        for i3 in range(units3):
            R3_sum = plus(R3_sum, F(1e-05) * abs(W3[i2, i3]))
    R3 = R3_sum
    # R4 = 1e-05·Σ_i3,i4 |W4[i3,i4]|
    R4_sum = 0.0
    for i3 in range(units3):
        for i4 in range(1):
            R4_sum = plus(R4_sum, F(1e-05) * abs(W4[i3, i4]))
    R4 = R4_sum
    E = E_sum / w_total + R1 + R2 + R3 + R4
    return E


@_threaded
def _loss_on_threads(theta, x, t, w):
    """The loss E: each thread takes some chunks, and their sums are added in order."""
    _check(theta, x, t, w)
    N = F(x.shape[0])
    w_total = _totals(w)
    chunks = _chunks(x.shape[0], (270, 1600, 3100, 6200))
    sums = np.empty(chunks)
    scratch = np.empty((chunks, 32768), _DTYPE)
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        sums[chunk] = _loss_of_chunk(theta, x[start:end], t[start:end], w[start:end], N, w_total, scratch[chunk], 262144)
    E_sum = 0.0
    for chunk in range(chunks):
        E_sum += sums[chunk]
    E = _loss_at_the_end(theta, N, w_total, E_sum)
    return E


@_inner
def _gradient_of_chunk(theta, xs, ts, ws, N, w_total, gradient, scratch, at_once):
    """The gradient of a chunk of samples; returns the sum of their losses. 256 at a time, in scratch memory."""
    _apart()
    units1 = _extent(32)
    units2 = _extent(32)
    units3 = _extent(32)
    W1 = _view(theta, 0, (8, 32))
    W2 = _view(theta, 256, (32, 32))
    b2 = _view(theta, 1280, (32,))
    W3 = _view(theta, 1312, (32, 32))
    b3 = _view(theta, 2336, (32,))
    W4 = _view(theta, 2368, (32, 1))
    b4 = _view(theta, 2400, (1,))
    d_W1 = _view(gradient, 0, (8, 32))
    d_W2 = _view(gradient, 256, (32, 32))
    d_b2 = _view(gradient, 1280, (32,))
    d_W3 = _view(gradient, 1312, (32, 32))
    d_b3 = _view(gradient, 2336, (32,))
    d_W4 = _view(gradient, 2368, (32, 1))
    d_b4 = _view(gradient, 2400, (1,))
    E_sum = 0.0
    for start in range(0, xs.shape[0], 256):
        end = min(start + 256, xs.shape[0])
        rows = end - start
        x, t, w = xs[start:end], ts[start:end], ws[start:end]
        keep = F(0.0) if start == 0 else F(1.0)
        z1 = _view(scratch, 0, (rows, 32))
        sigmoid_z1 = _view(scratch, 8192, (rows, 32))
        a1_W2 = _view(scratch, 16384, (rows, 32))
        silu_z2 = _view(scratch, 32768, (rows, 32))
        a2 = _view(scratch, 24576, (rows, 32))
        a2_W3 = _view(scratch, 40960, (rows, 32))
        d_a3 = _view(scratch, 57344, (rows, 32))
        d_z3 = _view(scratch, 49152, (rows, 32))
        d_z3_W3 = _view(scratch, 24576, (rows, 32))
        d_z2_W2 = _view(scratch, 16384, (rows, 32))
        sigmoid_z3 = _local(32)
        silu_z3 = _local(32)
        a3 = _local(32)
        y_minus_t = _local(1)
        d_y = _local(1)
        a1 = z1  # in the same memory, one after the other
        sigmoid_z2 = a1_W2  # in the same memory, one after the other
        a3_d_y = d_W4  # in the same memory, one after the other
        a2_d_z3 = d_W3  # in the same memory, one after the other
        d_a2 = d_z3_W3  # in the same memory, one after the other
        d_z2 = silu_z2  # in the same memory, one after the other
        a1_d_z2 = d_W2  # in the same memory, one after the other
        d_z1 = z1  # in the same memory, one after the other
        x_d_z1 = d_W1  # in the same memory, one after the other
        if start == 0:
            for k in range(1280, 1312):
                gradient[k] = F(0.0)
            for k in range(2336, 2401):
                gradient[k] = F(0.0)
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
        _product(x, W1, z1, F(0.0), at_once)
        for n in range(rows):
            # sigmoid_z1[n,i1] = sigmoid(z1[n,i1])
            # a1[n,i1] = sigmoid_z1[n,i1]·z1[n,i1]
            for i1 in range(units1):
                sigmoid_z1[n, i1] = sigmoid(z1[n, i1])
                a1[n, i1] = sigmoid_z1[n, i1] * z1[n, i1]
        # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
        _product(a1, W2, a1_W2, F(0.0), at_once)
        for n in range(rows):
            # z2[n,i2] = a1_W2[n,i2] + b2[i2]
            # sigmoid_z2[n,i2] = sigmoid(z2[n,i2])
            # silu_z2[n,i2] = sigmoid_z2[n,i2]·z2[n,i2]
            # a2[n,i2] = a1[n,i2] + silu_z2[n,i2]
            for i2 in range(units2):
                z2 = a1_W2[n, i2] + b2[i2]
                sigmoid_z2[n, i2] = sigmoid(z2)
                silu_z2[n, i2] = sigmoid_z2[n, i2] * z2
                a2[n, i2] = a1[n, i2] + silu_z2[n, i2]
        # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
        _product(a2, W3, a2_W3, F(0.0), at_once)
        for n in range(rows):
            # z3[n,i3] = a2_W3[n,i3] + b3[i3]
            # sigmoid_z3[n,i3] = sigmoid(z3[n,i3])
            # silu_z3[n,i3] = sigmoid_z3[n,i3]·z3[n,i3]
            # a3[n,i3] = a2[n,i3] + silu_z3[n,i3]
            for i3 in range(units3):
                z3 = a2_W3[n, i3] + b3[i3]
                sigmoid_z3[i3] = sigmoid(z3)
                silu_z3[i3] = sigmoid_z3[i3] * z3
                a3[i3] = a2[n, i3] + silu_z3[i3]
            # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
            # y_minus_t[n,i4] = y[n,i4] - t[n,i4]
            for i4 in range(1):
                y = b4[i4]
                for i3 in range(units3):
                    y = plus(y, a3[i3], W4[i3, i4])
                y_minus_t[i4] = y - t[n, i4]
            # loss: e[n] = Σ_i4 huber(y_minus_t[n,i4])
            e = F(0.0)
            for i4 in range(1):
                e = plus(e, huber(y_minus_t[i4]))
            # E = Σ_n e[n]·w[n]/w_total + R1 + R2 + R3 + R4
            E_sum += e * w[n]
            # loss, backward: d_e[n] = w[n]/w_total
            d_e = w[n] / w_total
            # layer 4, backward: d_y[n,i4] = d_e[n]·clip(y_minus_t[n,i4])
            for i4 in range(1):
                d_y[i4] = d_e * clip(y_minus_t[i4])
            # a3_d_y[i3,i4] = Σ_n a3[n,i3]·d_y[n,i4]
            for i3 in range(units3):
                for i4 in range(1):
                    a3_d_y[i3, i4] = plus(a3_d_y[i3, i4], a3[i3], d_y[i4])
            # d_b4[i4] = Σ_n d_y[n,i4]
            for i4 in range(1):
                d_b4[i4] += d_y[i4]
            # layer 3, backward: d_a3[n,i3] = Σ_i4 d_y[n,i4]·W4[i3,i4]
            # d_z3[n,i3] = d_a3[n,i3]·(silu_z3[n,i3]·(1 - sigmoid_z3[n,i3]) + sigmoid_z3[n,i3])
            # d_b3[i3] = Σ_n d_z3[n,i3]
            for i3 in range(units3):
                total = F(0.0)
                for i4 in range(1):
                    total = plus(total, d_y[i4], W4[i3, i4])
                d_a3[n, i3] = total
                d_z3[n, i3] = d_a3[n, i3] * (silu_z3[i3] * (F(1.0) - sigmoid_z3[i3]) + sigmoid_z3[i3])
                d_b3[i3] += d_z3[n, i3]
        # a2_d_z3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
        _product(a2.T, d_z3, a2_d_z3, keep, at_once)
        # layer 2, backward: d_z3_W3[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
        _product(d_z3, W3.T, d_z3_W3, F(0.0), at_once)
        for n in range(rows):
            # d_a2[n,i2] = d_a3[n,i2] + d_z3_W3[n,i2]
            # d_z2[n,i2] = d_a2[n,i2]·(silu_z2[n,i2]·(1 - sigmoid_z2[n,i2]) + sigmoid_z2[n,i2])
            # d_b2[i2] = Σ_n d_z2[n,i2]
            for i2 in range(units2):
                d_a2[n, i2] = d_a3[n, i2] + d_z3_W3[n, i2]
                d_z2[n, i2] = d_a2[n, i2] * (silu_z2[n, i2] * (F(1.0) - sigmoid_z2[n, i2]) + sigmoid_z2[n, i2])
                d_b2[i2] += d_z2[n, i2]
        # a1_d_z2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
        _product(a1.T, d_z2, a1_d_z2, keep, at_once)
        # layer 1, backward: d_z2_W2[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
        _product(d_z2, W2.T, d_z2_W2, F(0.0), at_once)
        for n in range(rows):
            # d_a1[n,i1] = d_a2[n,i1] + d_z2_W2[n,i1]
            # d_z1[n,i1] = d_a1[n,i1]·(a1[n,i1]·(1 - sigmoid_z1[n,i1]) + sigmoid_z1[n,i1])
            for i1 in range(units1):
                d_a1 = d_a2[n, i1] + d_z2_W2[n, i1]
                d_z1[n, i1] = d_a1 * (a1[n, i1] * (F(1.0) - sigmoid_z1[n, i1]) + sigmoid_z1[n, i1])
        # x_d_z1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
        _product(x.T, d_z1, x_d_z1, keep, at_once)
    return E_sum


@_inner
def _gradient_at_the_end(theta, N, w_total, gradient, E_sum):
    """The loss E, and the gradient with what waits for all samples, from the sum over samples."""
    _apart()
    units0 = _extent(8)
    units1 = _extent(32)
    units2 = _extent(32)
    units3 = _extent(32)
    W1 = _view(theta, 0, (8, 32))
    W2 = _view(theta, 256, (32, 32))
    W3 = _view(theta, 1312, (32, 32))
    W4 = _view(theta, 2368, (32, 1))
    d_W1 = _view(gradient, 0, (8, 32))
    d_W2 = _view(gradient, 256, (32, 32))
    d_W3 = _view(gradient, 1312, (32, 32))
    d_W4 = _view(gradient, 2368, (32, 1))
    a3_d_y = d_W4  # in the same memory, one after the other
    a2_d_z3 = d_W3  # in the same memory, one after the other
    a1_d_z2 = d_W2  # in the same memory, one after the other
    x_d_z1 = d_W1  # in the same memory, one after the other
    # loss: R1 = 1e-05·Σ_i0,i1 |W1[i0,i1]|
    R1_sum = 0.0
    for i0 in range(units0):
        for i1 in range(units1):
            R1_sum = plus(R1_sum, F(1e-05) * abs(W1[i0, i1]))
    R1 = R1_sum
    # R2 = 1e-05·Σ_i1,i2 |W2[i1,i2]|
    R2_sum = 0.0
    for i1 in range(units1):
        for i2 in range(units2):
            R2_sum = plus(R2_sum, F(1e-05) * abs(W2[i1, i2]))
    R2 = R2_sum
    # R3 = 1e-05·Σ_i2,i3 |W3[i2,i3]|
    R3_sum = 0.0
    for i2 in range(units2):
        for i3 in range(units3):
            R3_sum = plus(R3_sum, F(1e-05) * abs(W3[i2, i3]))
    R3 = R3_sum
    # R4 = 1e-05·Σ_i3,i4 |W4[i3,i4]|
    R4_sum = 0.0
    for i3 in range(units3):
        for i4 in range(1):
            R4_sum = plus(R4_sum, F(1e-05) * abs(W4[i3, i4]))
    R4 = R4_sum
    # layer 4, backward: d_W4[i3,i4] = 1e-05·sign(W4[i3,i4]) + a3_d_y[i3,i4]
    for i3 in range(units3):
        for i4 in range(1):
            d_W4[i3, i4] = F(1e-05) * sign(W4[i3, i4]) + a3_d_y[i3, i4]
    # layer 3, backward: d_W3[i2,i3] = 1e-05·sign(W3[i2,i3]) + a2_d_z3[i2,i3]
    for i2 in range(units2):
        for i3 in range(units3):
            d_W3[i2, i3] = F(1e-05) * sign(W3[i2, i3]) + a2_d_z3[i2, i3]
    # layer 2, backward: d_W2[i1,i2] = 1e-05·sign(W2[i1,i2]) + a1_d_z2[i1,i2]
    for i1 in range(units1):
        for i2 in range(units2):
            d_W2[i1, i2] = F(1e-05) * sign(W2[i1, i2]) + a1_d_z2[i1, i2]
    # layer 1, backward: d_W1[i0,i1] = 1e-05·sign(W1[i0,i1]) + x_d_z1[i0,i1]
    for i0 in range(units0):
        for i1 in range(units1):
            d_W1[i0, i1] = F(1e-05) * sign(W1[i0, i1]) + x_d_z1[i0, i1]
    E = E_sum / w_total + R1 + R2 + R3 + R4
    return E


@_threaded
def _gradient_on_threads(theta, x, t, w, gradient):
    """The loss E and its gradient: each thread takes some chunks, and their sums are added in order."""
    _check(theta, x, t, w, gradient)
    N = F(x.shape[0])
    w_total = _totals(w)
    chunks = _chunks(x.shape[0], (96, 560, 1200, 2300))
    parts = np.empty((chunks, 2401), _DTYPE)
    sums = np.empty(chunks)
    scratch = np.empty((chunks, 65536), _DTYPE)
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        into = parts[chunk] if chunk else gradient
        sums[chunk] = _gradient_of_chunk(theta, x[start:end], t[start:end], w[start:end], N, w_total, into, scratch[chunk], 262144)
    for chunk in range(1, chunks):
        for k in range(2401):
            gradient[k] += parts[chunk, k]
    E_sum = 0.0
    for chunk in range(chunks):
        E_sum += sums[chunk]
    E = _gradient_at_the_end(theta, N, w_total, gradient, E_sum)
    return E


@_inner
def _chunks(samples, least):
    """In how many chunks so many samples are computed: 1, and twice as many from each of `least` on."""
    chunks = 1
    for few in least:
        if samples >= few:
            chunks *= 2
    return chunks


@_inner
def _check(theta, x, t=None, w=None, gradient=None):
    """The shapes of what is given: compiled code would read and write beyond other ones."""
    if theta.shape[0] != 2401:
        raise ValueError("theta must be of shape (2401,), came one of length", theta.shape[0])
    if x.shape[1] != 8:
        raise ValueError("x must be of shape (samples, 8), came one of width", x.shape[1])
    if x.shape[0] == 0:
        raise ValueError("x must hold at least one sample, came", x.shape[0])
    if t is not None:
        if t.shape[1] != 1:
            raise ValueError("t must be of shape (samples, 1), came one of width", t.shape[1])
        if t.shape[0] != x.shape[0]:
            raise ValueError("t must have as many samples as x, came", t.shape[0], "and", x.shape[0])
    if w is not None:
        if w.shape[0] != x.shape[0]:
            raise ValueError("w must have as many samples as x, came", w.shape[0], "and", x.shape[0])
    if gradient is not None:
        if gradient.shape[0] != 2401:
            raise ValueError("gradient must be of shape (2401,), came one of length", gradient.shape[0])
        if _overlap(gradient, theta):
            raise ValueError("gradient must not overlap theta in memory")
        if _overlap(gradient, x):
            raise ValueError("gradient must not overlap x in memory")
        if _overlap(gradient, t):
            raise ValueError("gradient must not overlap t in memory")
        if _overlap(gradient, w):
            raise ValueError("gradient must not overlap w in memory")


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 8)."""
    y = np.empty((x.shape[0], 1), _DTYPE)
    _prediction_in_turn(theta, x, y)
    return y


@_inner
def _prediction_in_turn(theta, x, y):
    """The same into y, one chunk after the other."""
    _check(theta, x, y)
    chunks = _chunks(x.shape[0], (280, 1600, 3200, 6300))
    at_once = 1 << 62 if chunks == 1 else 262144
    scratch = np.empty(32768, _DTYPE)
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        _prediction_of_chunk(theta, x[start:end], y[start:end], scratch, at_once)


def loss(theta, x, t, w):
    """The loss E, a float, for x of shape (samples, 8) and t of shape (samples, 1)."""
    _check(theta, x, t, w)
    N = F(x.shape[0])
    w_total = _totals(w)
    chunks = _chunks(x.shape[0], (270, 1600, 3100, 6200))
    at_once = 1 << 62 if chunks == 1 else 262144
    scratch = np.empty(32768, _DTYPE)
    E_sum = 0.0
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        E_sum += _loss_of_chunk(theta, x[start:end], t[start:end], w[start:end], N, w_total, scratch, at_once)
    E = _loss_at_the_end(theta, N, w_total, E_sum)
    return E


def loss_and_gradient_into(theta, x, t, w, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    _check(theta, x, t, w, gradient)
    N = F(x.shape[0])
    w_total = _totals(w)
    chunks = _chunks(x.shape[0], (96, 560, 1200, 2300))
    at_once = 1 << 62 if chunks == 1 else 262144
    scratch = np.empty(65536 + (0 if chunks == 1 else 2401), _DTYPE)
    part = gradient if chunks == 1 else scratch[65536:]
    E_sum = 0.0
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        into = part if chunk else gradient
        E_sum += _gradient_of_chunk(theta, x[start:end], t[start:end], w[start:end], N, w_total, into, scratch, at_once)
        if chunk:
            for k in range(2401):
                gradient[k] += part[k]
    E = _gradient_at_the_end(theta, N, w_total, gradient, E_sum)
    return E


def loss_and_gradient(theta, x, t, w):
    """The loss E and its derivative by every weight, an array like theta."""
    gradient = np.empty(2401, _DTYPE)
    return loss_and_gradient_into(theta, x, t, w, gradient), gradient


@_inner
def _descend(theta, rate, gradient):
    """The weights go down the gradient, all at once."""
    for k in range(2401):
        theta[k] -= F(rate) * gradient[k]


def step(theta, x, t, w, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    gradient = np.empty(2401, _DTYPE)
    E = loss_and_gradient_into(theta, x, t, w, gradient)
    _descend(theta, rate, gradient)
    return E


@_inner
def _step_on_threads(theta, x, t, w, rate):
    """The same, many samples on several threads."""
    gradient = np.empty(2401, _DTYPE)
    E = _gradient_on_threads(theta, x, t, w, gradient)
    _descend(theta, rate, gradient)
    return E


def init(seed=0):
    """Random weights: He for relu-like layers, Glorot for others, both uniform; biases are zero.

    He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.
    """
    random = np.random.default_rng(seed)
    weights = {name: np.zeros(shape) for name, (_, shape) in PARAMETERS.items()}
    weights["W1"] = random.uniform(-1.0, 1.0, PARAMETERS["W1"][1]) * 0.8660254037844386
    weights["W2"] = random.uniform(-1.0, 1.0, PARAMETERS["W2"][1]) * 0.4330127018922193
    weights["W3"] = random.uniform(-1.0, 1.0, PARAMETERS["W3"][1]) * 0.4330127018922193
    weights["W4"] = random.uniform(-1.0, 1.0, PARAMETERS["W4"][1]) * 0.4264014327112209
    return pack(weights)


def pack(weights):
    """The flat vector theta from arrays by name, of the shapes in PARAMETERS."""
    if set(weights) != set(PARAMETERS):
        raise ValueError(f"the arrays {', '.join(PARAMETERS)} are needed, came {', '.join(weights)}")
    theta = np.empty(SIZE, _DTYPE)
    for name, array in unpack(theta).items():
        given = _real(name, weights[name], array.shape)
        if given.shape != array.shape:
            raise ValueError(f"{name} must be of shape {array.shape}, came {given.shape}")
        array[...] = given
    return theta


def unpack(theta):
    """Views into the flat vector theta, by name."""
    if np.shape(theta) != (SIZE,):
        raise ValueError(f"theta must be of shape {(SIZE,)}, came {np.shape(theta)}")
    views = {}
    for name, (offset, shape) in PARAMETERS.items():
        views[name] = theta[offset : offset + int(np.prod(shape))].reshape(shape)
    return views


_number = nb.from_dtype(_NATIVE)
_vector = nb.types.Array(_number, 1, "C", readonly=True)
_matrix = nb.types.Array(_number, 2, "C", readonly=True)
_written = nb.types.Array(_number, 1, "C")
_output = nb.types.Array(_number, 2, "C")


def fma(a, b, c):
    """a·b + c: in one operation, rounded once, where the processor has it; else in two."""
    return a * b + c


def plus(total, a, b=1):
    """total + a·b, where a sum is formed: like `fma`, and the terms of a sum are added in any order."""
    return total + a * b


def _widest(*kinds):
    return max(kinds, key=lambda kind: kind.bitwidth)


def _multiply_add(context, builder, signature, arguments, **flags):
    """LLVM's name for it; the numbers as those of the widest type among them."""
    kind = signature.return_type
    numbers = [context.cast(builder, *each, kind) for each in zip(arguments, signature.args)]
    llvm = context.get_data_type(kind)
    return builder.call(
        builder.module.declare_intrinsic("llvm.fmuladd", [llvm], ir.FunctionType(llvm, [llvm] * 3)), numbers, **flags
    )


@type_callable(fma)
def _(context):
    return lambda a, b, c: _widest(a, b, c)


@lower_builtin(fma, nb.types.Float, nb.types.Float, nb.types.Float)
def _(context, builder, signature, arguments):
    return _multiply_add(context, builder, signature, arguments)


@type_callable(plus)
def _(context):
    return lambda total, a, b=None: _widest(total, a) if b is None else _widest(total, a, b)


@lower_builtin(plus, nb.types.Float, nb.types.Float)
def _(context, builder, signature, arguments):
    total, a = (context.cast(builder, *each, signature.return_type) for each in zip(arguments, signature.args))
    return builder.fadd(total, a, flags=("reassoc",))


@lower_builtin(plus, nb.types.Float, nb.types.Float, nb.types.Float)
def _(context, builder, signature, arguments):
    total, a, b = arguments
    kinds = signature.args[1], signature.args[2], signature.args[0]
    return _multiply_add(context, builder, signature.return_type(*kinds), [a, b, total], fastmath=("reassoc",))


def _view(vector, start, shape):
    """The numbers of `vector` from `start` on as an array of this shape, row by row; no copy."""
    return vector[start : start + int(np.prod(shape))].reshape(shape)


def _extent(number):
    """`number`, unknown to LLVM: a loop that runs so often is vectorised, and not unrolled before."""
    return number


def _apart():
    """Keeps the function it stands in from being merged into its callers: it has the same bits for all."""


def _local(size):
    """A small array on the stack: it costs no allocation, and LLVM knows that nothing else is there."""
    return np.empty(size, _DTYPE)


def _overlap(one, other):
    """Whether two arrays have bytes in common."""
    return np.may_share_memory(one, other)


@type_callable(_view)
def _(context):
    def typer(vector, start, shape):
        return nb.types.Array(vector.dtype, len(shape), "C", readonly=not vector.mutable)

    return typer


@lower_builtin(_view, nb.types.Array, nb.types.Integer, nb.types.BaseTuple)
def _(context, builder, signature, arguments):
    vector = make_array(signature.args[0])(context, builder, arguments[0])
    start = context.cast(builder, arguments[1], signature.args[1], nb.intp)
    extents = cgutils.unpack_tuple(builder, arguments[2])
    return _array(context, builder, signature, builder.gep(vector.data, [start]), extents)


@type_callable(_extent)
def _(context):
    return lambda number: nb.intp


@lower_builtin(_extent, nb.types.Integer)
def _(context, builder, signature, arguments):
    number = context.cast(builder, arguments[0], signature.args[0], nb.intp)
    return builder.asm(ir.FunctionType(number.type, [number.type]), "", "=r,0", [number], True)


@type_callable(_apart)
def _(context):
    return lambda: nb.void


@lower_builtin(_apart)
def _(context, builder, signature, arguments):
    builder.function.attributes.add("noinline")
    return context.get_dummy_value()


@type_callable(_local)
def _(context):
    def typer(size):
        return nb.types.Array(_number, 1, "C") if isinstance(size, nb.types.IntegerLiteral) else None

    return typer


@lower_builtin(_local, nb.types.IntegerLiteral)
def _(context, builder, signature, arguments):
    size, number = signature.args[0].literal_value, context.get_data_type(_number)
    memory = cgutils.alloca_once(builder, ir.ArrayType(number, size))
    memory.align = 64
    data = builder.bitcast(memory, number.as_pointer())
    return _array(context, builder, signature, data, [context.get_constant(nb.intp, size)])


@type_callable(_overlap)
def _(context):
    return lambda one, other: nb.boolean


@lower_builtin(_overlap, nb.types.Array, nb.types.Array)
def _(context, builder, signature, arguments):
    def ends(place):
        array = make_array(signature.args[place])(context, builder, arguments[place])
        start = builder.ptrtoint(array.data, array.nitems.type)
        return start, builder.add(start, builder.mul(array.nitems, array.itemsize))

    (start, end), (other_start, other_end) = ends(0), ends(1)
    before = builder.icmp_unsigned("<", start, other_end)
    return builder.and_(before, builder.icmp_unsigned("<", other_start, end))


def _array(context, builder, signature, data, extents):
    """An array of this data and these extents, row by row."""
    array = make_array(signature.return_type)(context, builder)
    size = context.get_constant(nb.intp, context.get_abi_sizeof(context.get_data_type(_number)))
    strides = [size]
    for extent in reversed(extents[1:]):
        strides.insert(0, builder.mul(strides[0], extent))
    populate_array(array, data, extents, strides, size, None)
    return array._getvalue()


_PLAIN, _FLIPPED = ord("N"), ord("T")  # BLAS's letters for a matrix as it is in memory, and transposed


def _product(left, right, into, keep, at_once):
    """into = keep·into + left·right, by BLAS; at most `at_once` multiplications a call."""
    np.copyto(into, left @ right + (keep * into if keep else 0))


@_named
def _in_pieces(left, right, m, n, k, a, lda, b, ldb, keep, c, ldc, at_once):
    """The product of m × k and k × n numbers at addresses a and b, cut along its longest side.

    BLAS computes a product of few multiplications on one thread: so symgrad's own threads can
    compute products side by side. `left` and `right` say whether a matrix is transposed.
    """
    longest = max(m, n, k)
    step = max(16, at_once // max(1, m * n * k // longest))
    along_m, along_n, along_k = (1, 0, 0) if longest == m else (0, 1, 0) if longest == n else (0, 0, 1)
    a_step = 4 * (along_m * (lda if left == _PLAIN else 1) + along_k * (1 if left == _PLAIN else lda))
    b_step = 4 * (along_n * (1 if right == _PLAIN else ldb) + along_k * (ldb if right == _PLAIN else 1))
    c_step = 4 * (along_m * ldc + along_n)
    for start in range(0, longest, step):
        missing = longest - min(step, longest - start)
        _blas(
            m * n * k > 262144 and step >= longest,
            left, right, m - along_m * missing, n - along_n * missing, k - along_k * missing,
            a + start * a_step, lda, b + start * b_step, ldb,
            F(1.0) if along_k and start else keep, c + start * c_step, ldc,
        )  # fmt: skip


def _blas(large, left, right, m, n, k, a, lda, b, ldb, keep, c, ldc):
    """One call of BLAS's gemm, which numbers matrices column by column: C' = B'A' is C = AB."""


@type_callable(_product)
def _(context):
    return lambda left, right, into, keep, at_once: nb.void


@lower_builtin(_product, nb.types.Array, nb.types.Array, nb.types.Array, nb.types.Float, nb.types.Integer)
def _(context, builder, signature, arguments):
    def matrix(place):
        kind = signature.args[place]
        array = make_array(kind)(context, builder, arguments[place])
        rows, columns = cgutils.unpack_tuple(builder, array.shape)
        flipped = kind.layout == "F" and kind.ndim == 2
        flag = context.get_constant(nb.intp, _FLIPPED if flipped else _PLAIN)
        return flag, rows, columns, builder.ptrtoint(array.data, rows.type), rows if flipped else columns

    left, m, k, a, lda = matrix(0)
    right, _, n, b, ldb = matrix(1)
    _, _, _, c, ldc = matrix(2)
    keep, at_once = arguments[3:]
    numbers = [left, right, m, n, k, a, lda, b, ldb, keep, c, ldc, at_once]
    kinds = [_number if value is keep else nb.intp for value in numbers]
    return context.compile_internal(builder, _in_pieces, nb.void(*kinds), numbers)


@type_callable(_blas)
def _(context):
    return lambda large, left, right, m, n, k, a, lda, b, ldb, keep, c, ldc: nb.void


@lower_builtin(_blas, nb.types.Boolean, *[nb.types.Integer] * 9, nb.types.Float, *[nb.types.Integer] * 2)
def _(context, builder, signature, arguments):
    large, left, right, m, n, k, a, lda, b, ldb, keep, c, ldc = arguments
    builder.function.attributes.add("noinline")  # a call costs less than its code at every product
    byte, short, pointer = ir.IntType(8), ir.IntType(32), ir.IntType(8).as_pointer()

    def at(value):
        return builder.bitcast(cgutils.alloca_once_value(builder, value), pointer)

    def number(value):
        return at(builder.trunc(value, short))

    def matrix(address):
        return builder.inttoptr(address, pointer)

    kind = ir.FunctionType(ir.VoidType(), [pointer] * 13)
    gemm, gemm_of_large = (
        cgutils.get_or_insert_function(builder.module, kind, name) for name in (_GEMM, _GEMM_OF_LARGE)
    )
    one = at(context.get_constant(_number, 1.0))
    builder.call(builder.select(large, gemm_of_large, gemm), [
        at(builder.trunc(right, byte)), at(builder.trunc(left, byte)), number(n), number(m), number(k),
        one, matrix(b), number(ldb), matrix(a), number(lda), at(keep), matrix(c), number(ldc),
    ])  # fmt: skip
    return context.get_dummy_value()


_GEMM, _GEMM_OF_LARGE = "symgrad_sgemm", "symgrad_sgemm_of_large"


def _link():
    """Where compiled code finds BLAS: in SciPy; for large products in Intel's MKL, where it is installed.

    By name, so that code from Numba's file cache finds it as well. SYMGRAD_MKL=0 leaves MKL alone.
    """
    of_scipy = get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
    binding.add_symbol(_GEMM, of_scipy)
    binding.add_symbol(_GEMM_OF_LARGE, _of_mkl() or of_scipy)


def _of_mkl():
    """The address of MKL's gemm, or None."""
    if os.environ.get("SYMGRAD_MKL") == "0":
        return None
    try:
        files = importlib.metadata.files("mkl") or []
        library = next(f.locate() for f in files if re.match(r"(lib)?mkl_rt\b", f.name))
        return ctypes.cast(ctypes.CDLL(str(library)).sgemm, ctypes.c_void_p).value
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError, AttributeError):
        return None


_link()  # before any code that needs it, also a user's from Numba's file cache


class _Array(ctypes.Structure):
    """An array in memory, as NumPy's public C headers have it: PyArrayObject_fields."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        ("data", ctypes.c_void_p),
        ("axes", ctypes.c_int),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("base", ctypes.c_void_p),
        ("dtype", ctypes.c_void_p),
        ("flags", ctypes.c_int),
    ]


_KIND = object.__basicsize__ - ctypes.sizeof(ctypes.c_void_p)  # where an object has its type
_READABLE, _WRITABLE = 0x0101, 0x0501  # flags: in C order and aligned; and writable
_FASTCALL = 0x0080 | 0x0002  # of functions that take arguments as a C array, and names of some


def _as_expected():
    """Whether this NumPy lays arrays out as `_Array` says. Else Numba's dispatcher does the calls."""
    array = np.empty((2, 3), _DTYPE)
    seen = _Array.from_address(id(array))
    kind = ctypes.c_void_p.from_address(id(array) + _KIND).value
    found = kind, seen.data, seen.axes, seen.dtype, seen.flags & _WRITABLE
    return found == (id(np.ndarray), array.ctypes.data, 2, id(_NATIVE), _WRITABLE)


_KNOWN = sys.implementation.name == "cpython" and not nb.config.DISABLE_JIT and _as_expected()

# Python's C interface. Objects are addresses here.
_release = nb.types.ExternalFunction("PyEval_SaveThread", nb.intp())
_resume = nb.types.ExternalFunction("PyEval_RestoreThread", nb.void(nb.intp))
_float = nb.types.ExternalFunction("PyFloat_FromDouble", nb.intp(nb.float64))
_item = nb.types.ExternalFunction("PyTuple_GetItem", nb.intp(nb.intp, nb.intp))
_call = nb.types.ExternalFunction("PyObject_Vectorcall", nb.intp(nb.intp, nb.intp, nb.intp, nb.intp))

_NDARRAY, _DTYPE_OF_ARRAYS, _FLOAT = "symgrad_ndarray", "symgrad_float32", "symgrad_float"
binding.add_symbol(_NDARRAY, id(np.ndarray))
binding.add_symbol(_DTYPE_OF_ARRAYS, id(_NATIVE))
binding.add_symbol(_FLOAT, id(float))


_ADDRESS = ir.IntType(8 * ctypes.sizeof(ctypes.c_void_p))


def _at(builder, address, offset, kind=_ADDRESS):
    """What lies at an address."""
    return builder.load(builder.inttoptr(builder.add(address, address.type(offset)), kind.as_pointer()))


def _argument(builder, arguments, place):
    return _at(builder, arguments, place.literal_value * ctypes.sizeof(ctypes.c_void_p))


def _is(builder, address, name):
    """Whether an address is that of the object called `name`."""
    symbol = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), []), name)
    return builder.icmp_unsigned("==", address, builder.ptrtoint(symbol, address.type))


@intrinsic(prefer_literal=True)
def _is_array(typing, arguments, place, axes, flags):
    """Whether an argument is an array of this module's dtype, with so many axes and these flags."""

    def generate(context, builder, signature, values):
        thing = _argument(builder, values[0], place)
        fits = cgutils.alloca_once_value(builder, cgutils.false_bit)
        with builder.if_then(_is(builder, _at(builder, thing, _KIND), _NDARRAY)):
            short = ir.IntType(32)
            wanted = short(flags.literal_value)
            found = builder.and_(_at(builder, thing, _Array.flags.offset, short), wanted)
            axes_found = _at(builder, thing, _Array.axes.offset, short)
            right = [
                _is(builder, _at(builder, thing, _Array.dtype.offset), _DTYPE_OF_ARRAYS),
                builder.icmp_unsigned("==", axes_found, short(axes.literal_value)),
                builder.icmp_unsigned("==", found, wanted),
            ]
            builder.store(functools.reduce(builder.and_, right), fits)
        return builder.load(fits)

    return nb.boolean(arguments, place, axes, flags), generate


@intrinsic(prefer_literal=True)
def _array_of(typing, arguments, place, axes, flags):
    """The argument, for which this was found to be so."""
    kind = nb.types.Array(_number, axes.literal_value, "C", readonly=flags.literal_value == _READABLE)

    def generate(context, builder, signature, values):
        thing = _argument(builder, values[0], place)
        data = _at(builder, thing, _Array.data.offset, context.get_data_type(_number).as_pointer())
        shape = _at(builder, thing, _Array.shape.offset)
        extents = [_at(builder, shape, axis * ctypes.sizeof(ctypes.c_ssize_t)) for axis in range(kind.ndim)]
        return _array(context, builder, signature, data, extents)

    return kind(arguments, place, axes, flags), generate


@intrinsic(prefer_literal=True)
def _is_float(typing, arguments, place):
    """Whether an argument is one of Python's floats."""

    def generate(context, builder, signature, values):
        return _is(builder, _at(builder, _argument(builder, values[0], place), _KIND), _FLOAT)

    return nb.boolean(arguments, place), generate


@intrinsic(prefer_literal=True)
def _float_of(typing, arguments, place):
    """The number in it."""

    def generate(context, builder, signature, values):
        thing = _argument(builder, values[0], place)
        return _at(builder, thing, object.__basicsize__, ir.DoubleType())

    return nb.float64(arguments, place), generate


def _enter_predict(python, arguments, count, names):
    """`predict`, called from Python, which has made y.

    `python` are two functions there: for arguments that do not fit, and for many samples.
    """
    fits = count == 3 and names == 0
    fits = fits and _is_array(arguments, 0, 1, _READABLE)
    fits = fits and _is_array(arguments, 1, 2, _READABLE)
    fits = fits and _is_array(arguments, 2, 2, _WRITABLE)
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    theta = _array_of(arguments, 0, 1, _READABLE)
    x = _array_of(arguments, 1, 2, _READABLE)
    y = _array_of(arguments, 2, 2, _WRITABLE)
    fits = theta.shape[0] == 2401 and x.shape[1] == 8 and x.shape[0] > 0
    fits = fits and y.shape[0] == x.shape[0] and y.shape[1] == 1
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    if x.shape[0] >= 280:
        return _call(_item(python, 1), arguments, count, names)
    thread = _release()
    done, E = False, 0.0
    try:
        scratch = np.empty(32768, _DTYPE)
        _prediction_of_chunk(theta, x, y, scratch, 1 << 62)
        done = True
    except Exception:  # out of memory, which is for Python to say
        pass
    _resume(thread)
    return _float(E) if done else _call(_item(python, 0), arguments, count, names)


def _enter_loss(python, arguments, count, names):
    """`loss`, called from Python.

    `python` are two functions there: for arguments that do not fit, and for many samples.
    """
    fits = count == 4 and names == 0
    fits = fits and _is_array(arguments, 0, 1, _READABLE)
    fits = fits and _is_array(arguments, 1, 2, _READABLE)
    fits = fits and _is_array(arguments, 2, 2, _READABLE)
    fits = fits and _is_array(arguments, 3, 1, _READABLE)
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    theta = _array_of(arguments, 0, 1, _READABLE)
    x = _array_of(arguments, 1, 2, _READABLE)
    t = _array_of(arguments, 2, 2, _READABLE)
    w = _array_of(arguments, 3, 1, _READABLE)
    fits = theta.shape[0] == 2401 and x.shape[1] == 8 and x.shape[0] > 0
    fits = fits and t.shape[0] == x.shape[0] and t.shape[1] == 1
    fits = fits and w.shape[0] == x.shape[0]
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    if x.shape[0] >= 270:
        return _call(_item(python, 1), arguments, count, names)
    thread = _release()
    done, E = False, 0.0
    try:
        N = F(x.shape[0])
        w_total = _totals(w)
        scratch = np.empty(32768, _DTYPE)
        E_sum = _loss_of_chunk(theta, x, t, w, N, w_total, scratch, 1 << 62)
        E = _loss_at_the_end(theta, N, w_total, E_sum)
        done = True
    except Exception:  # out of memory, which is for Python to say
        pass
    _resume(thread)
    return _float(E) if done else _call(_item(python, 0), arguments, count, names)


def _enter_loss_and_gradient_into(python, arguments, count, names):
    """`loss_and_gradient_into`, called from Python.

    `python` are two functions there: for arguments that do not fit, and for many samples.
    """
    fits = count == 5 and names == 0
    fits = fits and _is_array(arguments, 0, 1, _READABLE)
    fits = fits and _is_array(arguments, 1, 2, _READABLE)
    fits = fits and _is_array(arguments, 2, 2, _READABLE)
    fits = fits and _is_array(arguments, 3, 1, _READABLE)
    fits = fits and _is_array(arguments, 4, 1, _WRITABLE)
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    theta = _array_of(arguments, 0, 1, _READABLE)
    x = _array_of(arguments, 1, 2, _READABLE)
    t = _array_of(arguments, 2, 2, _READABLE)
    w = _array_of(arguments, 3, 1, _READABLE)
    gradient = _array_of(arguments, 4, 1, _WRITABLE)
    fits = theta.shape[0] == 2401 and x.shape[1] == 8 and x.shape[0] > 0
    fits = fits and t.shape[0] == x.shape[0] and t.shape[1] == 1
    fits = fits and w.shape[0] == x.shape[0]
    fits = fits and gradient.shape[0] == 2401
    fits = fits and not _overlap(gradient, theta)
    fits = fits and not _overlap(gradient, x)
    fits = fits and not _overlap(gradient, t)
    fits = fits and not _overlap(gradient, w)
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    if x.shape[0] >= 96:
        return _call(_item(python, 1), arguments, count, names)
    thread = _release()
    done, E = False, 0.0
    try:
        N = F(x.shape[0])
        w_total = _totals(w)
        scratch = np.empty(65536, _DTYPE)
        E_sum = _gradient_of_chunk(theta, x, t, w, N, w_total, gradient, scratch, 1 << 62)
        E = _gradient_at_the_end(theta, N, w_total, gradient, E_sum)
        done = True
    except Exception:  # out of memory, which is for Python to say
        pass
    _resume(thread)
    return _float(E) if done else _call(_item(python, 0), arguments, count, names)


def _enter_step(python, arguments, count, names):
    """`step`, called from Python.

    `python` are two functions there: for arguments that do not fit, and for many samples.
    """
    fits = count == 5 and names == 0
    fits = fits and _is_array(arguments, 0, 1, _WRITABLE)
    fits = fits and _is_array(arguments, 1, 2, _READABLE)
    fits = fits and _is_array(arguments, 2, 2, _READABLE)
    fits = fits and _is_array(arguments, 3, 1, _READABLE)
    fits = fits and _is_float(arguments, 4)
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    theta = _array_of(arguments, 0, 1, _WRITABLE)
    x = _array_of(arguments, 1, 2, _READABLE)
    t = _array_of(arguments, 2, 2, _READABLE)
    w = _array_of(arguments, 3, 1, _READABLE)
    rate = _float_of(arguments, 4)
    fits = theta.shape[0] == 2401 and x.shape[1] == 8 and x.shape[0] > 0
    fits = fits and t.shape[0] == x.shape[0] and t.shape[1] == 1
    fits = fits and w.shape[0] == x.shape[0]
    if not fits:
        return _call(_item(python, 0), arguments, count, names)
    if x.shape[0] >= 96:
        return _call(_item(python, 1), arguments, count, names)
    thread = _release()
    done, E = False, 0.0
    try:
        gradient = np.empty(2401, _DTYPE)
        N = F(x.shape[0])
        w_total = _totals(w)
        scratch = np.empty(65536, _DTYPE)
        E_sum = _gradient_of_chunk(theta, x, t, w, N, w_total, gradient, scratch, 1 << 62)
        E = _gradient_at_the_end(theta, N, w_total, gradient, E_sum)
        _descend(theta, rate, gradient)
        done = True
    except Exception:  # out of memory, which is for Python to say
        pass
    _resume(thread)
    return _float(E) if done else _call(_item(python, 0), arguments, count, names)


def _masked(value):
    """Whether a mask says that some of it is missing. Code that takes arrays sees what lies under it."""
    if isinstance(value, (list, tuple)):
        return any(map(_masked, value))
    return isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value)


def _whole(name, value):
    """The value, unless some of it is masked; then there is no number that would be right."""
    if _masked(value):
        raise ValueError(f"{name} has masked values: give numbers for them, as {name}.filled(…), or leave them out")
    return value


def _real(name, value, shape):
    """An array-like as an array; refused where it holds no numbers, or some of them are masked."""
    try:
        array = np.asanyarray(value)  # what makes a masked array of itself keeps its mask
    except ValueError as error:
        raise ValueError(f"{name} must be of shape {shape}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, came {array.dtype}")
    _whole(name, value)
    return np.asarray(_whole(name, array))


def _threads_of_a_parent():
    """Whether this may be the child of a process that has started Numba's threads before the fork."""
    parent = getattr(sys.modules.get("multiprocessing"), "parent_process", lambda: None)()
    return parent is not None and getattr(numba_threads, "_is_initialized", True)


_forked = _threads_of_a_parent()


def _in_child():
    """A process that was forked cannot go on with the threads of the one before it."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def _several_threads():
    """Whether Numba has several threads, of a kind that several threads may use at once."""
    return nb.get_num_threads() > 1 and nb.threading_layer() in ("omp", "tbb")


def _compiled(dispatcher, signature):
    """A function that is compiled for arguments of just these types, now."""
    if nb.config.DISABLE_JIT:  # as debuggers like it: Python runs all of it
        return np.errstate(over="ignore")(dispatcher)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def _callback(signature, **options):
    """A compiler of functions that C can call; unlike Numba's decorator it waits to be told to begin."""
    return lambda function: CFunc(function, sigutils.normalize_signature(signature), {}, options)


class _MethodDef(ctypes.Structure):
    """How Python describes a function of C: PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


class Work:
    """What is done for arguments that fit: compiled when first needed, each way of doing it apart.

    From `many` samples on it is done on several threads, with the same result to the bit: after a
    few such calls, because code for threads takes seconds to compile.
    """

    patience = 20

    def __init__(self, entry, in_turn, on_threads, many, *signature):
        self.entry, self.in_turn, self.on_threads = entry, in_turn, on_threads
        self.many, self.signature = many, signature
        self.lock, self.kept = threading.RLock(), []  # several threads may make the first call
        self.method = self.few = self.whole = self.threaded = None

    def __call__(self, *arguments):
        if len(arguments[1]) >= self.many or not _KNOWN:
            return self.of_many(*arguments)
        if self.few is None:
            self.few = self.from_python(_out_of_memory)
        return self.few(*arguments)

    def from_python(self, otherwise):
        """A function of C that does it; what does not fit goes to `otherwise`."""
        with self.lock:  # Python keeps the address of the method, so that there must be but one
            if self.method is None:
                kind = nb.intp(nb.intp, nb.intp, nb.intp, nb.intp)
                self.compiled = _cached(_callback, self.entry, kind)
                self.compiled.compile()
                name = self.entry.__name__.encode()
                self.method = _MethodDef(name, self.compiled.address, _FASTCALL, None)
        python = otherwise, self.of_many
        self.kept.append(python)  # C code reads it until its call ends
        return _new_function(ctypes.addressof(self.method), python, None)

    def of_many(self, *arguments):
        """On several threads, where there are many samples and several threads."""
        if len(arguments[1]) >= self.many and not _forked and _several_threads():
            with self.lock:
                if self.threaded is None:
                    self.patience -= 1
                    if self.patience <= 0:
                        self.threaded = _compiled(self.on_threads, self.signature)
            if self.threaded is not None:
                return self.threaded(*arguments)
        return self.compile()(*arguments)

    def compile(self):
        """On one thread, however many samples."""
        with self.lock:
            if self.whole is None:
                self.whole = _compiled(self.in_turn, self.signature)
        return self.whole


def _out_of_memory(*arguments):
    raise MemoryError("no memory for what is computed on the way")


class _DoesNotFit(Exception):
    """Arguments are other than compiled code takes them."""


def _does_not_fit(*arguments):
    raise _DoesNotFit


class Compiled(functools.partial):
    """A function for arrays of exactly the types in its signature, compiled at its first call.

    Call it from Python; or from a function of your own under @njit, or hand it to one as an
    argument: there it is compiled in and runs without Python, on one thread.

    Python calls a partial object's function without a detour. That function is replaced when the
    first call has shown what is needed.
    """

    def __new__(cls, body, work):
        self = super().__new__(cls, body)
        self.body, self.work, self.dispatcher = body, work, None
        self.parameters = inspect.signature(body)
        self.signature = work.signature[: len(self.parameters.parameters)]
        self.arrays = [place for place, kind in enumerate(self.signature) if isinstance(kind, nb.types.Array)]
        self.check = _check
        functools.update_wrapper(self, body)
        self.__module__, self.__qualname__ = __name__, body.__name__
        self.becomes(self.first)
        return self

    def becomes(self, function):
        """Calls go to `function` from now on."""
        self.__setstate__((function, (), {}, vars(self)))

    def first(self, /, *arguments, **named):
        """Calls until one has few samples: what is compiled for that one takes those that follow.

        Numba's dispatcher may overlook another order of bytes, so that dtypes are compared before.
        """
        try:
            many = len(arguments[1]) >= self.work.many and len(arguments) == len(self.signature)
            given = [arguments[place] for place in self.arrays] if many else []
            if many and all(type(array) is np.ndarray and array.dtype is _NATIVE for array in given):
                complete = self.completed(arguments)
                return self.answer(self.work.of_many(*complete), complete)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError, IndexError):  # other types than in the signature
            pass
        result = self.otherwise(*arguments, **named)
        if self.work.method is not None:
            self.becomes(self.fast())
        return result

    def fast(self):
        """The function for arguments that fit."""
        return self.work.from_python(self.otherwise)

    def otherwise(self, /, *arguments, **named):
        """A call whatever the arguments are."""
        complete = self.completed(self.fitting(*arguments, **named))
        return self.answer(self.work(*complete), complete)

    def completed(self, arguments):
        """With what is written into, where that is not given."""
        return tuple(arguments)

    def answer(self, result, complete):
        """What a call gives."""
        return result

    def fitting(self, /, *arguments, **named):
        """The arguments as compiled code takes them; an error says which cannot be taken, and why."""
        given = self.parameters.bind(*arguments, **named).arguments
        taken = dict(zip(given, self.taken(given), strict=True))
        try:
            _plainly(self.check)(**{name: array for name, array in taken.items() if name != "rate"})
        except ValueError as error:
            raise _in_words(error) from None
        return taken.values()

    def taken(self, given):
        """What works in place does not convert: it says what is wrong."""
        if wrong := [*filter(None, map(_mismatch, given, given.values(), self.signature))]:
            raise TypeError("; ".join(wrong))
        kinds = zip(given.items(), self.signature, strict=True)
        return [float(value) if name in _NUMBERS else _plain(_whole(name, value), _native(kind)) for (name, value), kind in kinds]

    def compile(self):
        """The compiled function, a Numba dispatcher that takes this signature and no other."""
        if self.signature == self.work.signature:
            return self.work.compile()
        if self.dispatcher is None:
            self.dispatcher = _compiled(_inner(self.body), self.signature)
        return self.dispatcher

    @property
    def _numba_type_(self):
        return nb.types.Dispatcher(self.compile())

    def __reduce__(self):
        return self.__name__

    def __repr__(self):
        return f"<{__name__}.{self.__name__}{self.parameters}>"

    def __get__(self, instance, owner=None):
        """As an attribute of a class it is what it is everywhere, and no method."""
        return self


class Converting(Compiled):
    """A compiled function that, called from Python, takes any array-like."""

    def taken(self, given):
        return [_converted(name, value) for name, value in given.items()]


class Predict(Converting):
    def completed(self, arguments):
        theta, x = arguments
        return theta, x, np.empty((len(x), 1), _NATIVE)

    def answer(self, result, complete):
        return complete[-1]

    def fast(self):
        run, empty = self.work.from_python(_does_not_fit), np.empty

        def predict(theta, x):
            try:
                y = empty((len(x), 1), _NATIVE)
                run(theta, x, y)
            except (_DoesNotFit, TypeError):
                return self.otherwise(theta, x)
            return y

        predict.__qualname__ = self.__name__
        return predict


class LossAndGradient(Converting):
    def completed(self, arguments):
        return *arguments, np.empty(2401, _NATIVE)

    def answer(self, result, complete):
        return result, complete[-1]

    def fast(self):
        run, empty = self.work.from_python(_does_not_fit), np.empty

        def loss_and_gradient(theta, x, t, w):
            gradient = empty(2401, _NATIVE)
            try:
                return run(theta, x, t, w, gradient), gradient
            except _DoesNotFit:
                return self.otherwise(theta, x, t, w)

        loss_and_gradient.__qualname__ = self.__name__
        return loss_and_gradient

    def otherwise(self, /, theta, *rest, **named):
        E, gradient = super().otherwise(theta, *rest, **named)
        given = np.asarray(theta).dtype
        if given.kind == "f" and given.itemsize == 8:
            gradient = gradient.astype(np.float64, copy=False)  # as SciPy's minimisers want it
        return E, gradient


def _in_words(error):
    """Compiled code hands over the parts of a message, not the text."""
    return ValueError(" ".join(map(str, error.args)))


def _converted(name, value):
    """An array-like as the array that compiled code takes; refused where it holds no numbers."""
    if name in _NUMBERS:
        if wrong := _no_number(name, value):
            raise TypeError(wrong)
        return float(value)
    array = _real(name, value, _SHAPES[name])
    if array.ndim != _AXES[name]:
        raise ValueError(f"{name} must be of shape {_SHAPES[name]}, came {array.shape}")
    return _plain(np.require(array, _DTYPE, ["C", "A"]), _NATIVE)


def _plain(array, native):
    """The same memory as an array of no class but NumPy's, with NumPy's own object as its dtype."""
    return np.asarray(array).view(native)


def _native(kind):
    """NumPy's dtype of an array that compiled code takes."""
    return np.dtype(kind.dtype.name)


def _plainly(function):
    """A function of this file as Python runs it."""
    return getattr(function, "py_func", function)


def _no_number(name, value):
    """What is wrong with an argument that must be a number; None if nothing is."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        return None
    return f"{name} must be a number, came {type(value).__name__}"


def _mismatch(name, value, kind):
    """What is wrong with an argument that must be used in place; None if nothing is."""
    if name in _NUMBERS:
        return _no_number(name, value)
    native = _native(kind)
    wanted = f"{name} must be a C-contiguous {native} array of shape {_SHAPES[name]}"
    if not isinstance(value, np.ndarray):
        return f"{wanted}, came {type(value).__name__}"
    what = [str(value.dtype)]
    what += [] if value.flags.c_contiguous else ["not C-contiguous"]
    what += [] if value.flags.aligned else ["not aligned"]
    what += [] if value.flags.writeable or not kind.mutable else ["read-only"]
    if len(what) == 1 and value.dtype == native and value.ndim == _AXES[name]:
        return None
    return f"{wanted}, came one of shape {value.shape}: {', '.join(what)}"


_predicting = Work(
    _enter_predict, _prediction_in_turn, _prediction_on_threads, 280, _vector, _matrix, _output
)
_losing = Work(_enter_loss, _inner(loss), _loss_on_threads, 270, _vector, _matrix, _matrix, _vector)
_differentiating = Work(
    _enter_loss_and_gradient_into, _inner(loss_and_gradient_into), _gradient_on_threads, 96,
    _vector, _matrix, _matrix, _vector, _written,
)  # fmt: skip
_stepping = Work(_enter_step, _inner(step), _step_on_threads, 96, _written, _matrix, _matrix, _vector, nb.float64)

predict = Predict(predict, _predicting)
loss = Converting(loss, _losing)
loss_and_gradient_into = Compiled(loss_and_gradient_into, _differentiating)
loss_and_gradient = LossAndGradient(loss_and_gradient, _differentiating)
step = Compiled(step, _stepping)
