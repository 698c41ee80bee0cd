"""digits: a 64-64-32-10 network, its loss and gradient.

Emitted by symgrad 0.1.0 from digits.toml. Do not edit: change the spec, and
    symgrad compile digits.toml
Spec, sha256: 6577fe0520a1372b0f369a83e476c4a095ef21268776d388c298cb427aac7968
Options: order = loss-first, dtype = float32

The one expression, its shared parts named:

    z1[n,i1]               = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1]               = relu(z1[n,i1])
    z2[n,i2]               = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    a2[n,i2]               = relu(z2[n,i2])
    z3[n,i3]               = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    centered_z3[n,i3]      = z3[n,i3] - max_j3 z3[n,j3]
    exp_centered_z3[n,i3]  = exp(centered_z3[n,i3])
    sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
    log_y[n,i3]            = centered_z3[n,i3] - log(sum_exp_centered_z3[n])
    e[n]                   = -Σ_i3 log_y[n,i3]·t[n,i3]
    R1                     = 0.0025·Σ_i0,i1 W1[i0,i1]²
    R2                     = 0.0025·Σ_i1,i2 W2[i1,i2]²
    R3                     = 0.0025·Σ_i2,i3 W3[i2,i3]²
    E                      = Σ_n e[n]/N + R1 + R2 + R3

and its derivative by all 6570 weights at once is `loss_and_gradient_into`.
Operations for one sample: the loss 26113, loss and gradient 50377.

x is of shape (samples, 64), t of shape (samples, 10), theta holds all weights, see PARAMETERS.
A function of your own under @njit(cache=True) keeps the code it was compiled with: after emitting
this file anew, touch yours.
"""

import functools
import inspect

import numba as nb
import numpy as np

SPEC = {'name': 'digits',
 'dtype': 'float32',
 'inputs': 64,
 'layers': [{'units': 64, 'activation': 'relu', 'bias': True, 'residual': False},
            {'units': 32, 'activation': 'relu', 'bias': True, 'residual': False},
            {'units': 10, 'activation': 'softmax', 'bias': True, 'residual': False}],
 'loss': {'kind': 'cross_entropy', 'l1': 0.0, 'l2': 0.005, 'sample_weights': False},
 'activations': {}}

SIZE = 6570

# name: (offset in theta, shape)
PARAMETERS = {'W1': (0, (64, 64)),
 'b1': (4096, (64,)),
 'W2': (4160, (64, 32)),
 'b2': (6208, (32,)),
 'W3': (6240, (32, 10)),
 'b3': (6560, (10,))}

F = np.float32  # constants are written F(0.5): a bare 0.5 would make float32 expressions float64
_DTYPE = np.float32
_NATIVE = np.dtype(_DTYPE)
_SHAPES = {
    "theta": "(6570,)",
    "x": "(samples, 64)",
    "t": "(samples, 10)",
    "gradient": "(6570,)",
}
_AXES = {'theta': 1, 'x': 2, 't': 2, 'gradient': 1}

# Sums may be reordered and multiplications contracted; NaN and infinity keep their meaning.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}


def _jit(function, **options):
    """`function` compiled by Numba, from its file cache where this file's folder or the user's allows."""
    try:
        return nb.njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no place to cache in
        return nb.njit(error_model="numpy", **options)(function)


def _elementary(function):
    """A function of numbers, compiled apart so that sums inside it are not reordered, then inlined."""
    return _jit(function, fastmath={"contract"}, forceinline=True)


@_elementary
def exp_times(y, u, v):
    """y·exp(u + v), v small: y·exp(r)·2^k with |r| < 0.35, and 2^k in two halves: rounded but once
    where the result is below the smallest normal number. Within 2 ulp."""
    shifted = (u + v) * F(1.442695) + F(12583166.0)  # its last bits hold k + 254
    k = shifted - F(12583166.0)
    r = ((u - k * F(0.69314575)) + v) - k * F(1.4286068e-06)
    p = F(0.0013818304)
    p = p * r + F(0.008368532)
    p = p * r + F(0.041668292)
    p = p * r + F(0.16666523)
    p = p * r + F(0.49999994)
    p = p * r + F(1.0)
    p = p * r + F(1.0)
    whole = F(shifted).view(np.int32)
    first = whole >> 1
    return y * p * np.int32(first << 23).view(np.float32) * np.int32((whole - first) << 23).view(np.float32)


@_elementary
def exp(u):
    """Within 1.5 ulp."""
    u = min(max(u, F(-170.0)), F(170.0))
    return exp_times(F(1.0), u, -F(0.0))


@_elementary
def heaviside(z):
    return F(1.0) if z > F(0.0) else F(0.0)


@_elementary
def log(u):
    """k·log 2 + log m for u = m·2^k, √½ < m < √2; log m by t = 2(m - 1)/(m + 1). Within 2 ulp."""
    small = u < F(1.1754944e-38)
    v = u * F(8388608.0) if small else u
    above_root = F(v).view(np.int32) - 0x3f3504f3
    m = np.int32((above_root & 0x7fffff) + 0x3f3504f3).view(np.float32)
    k = np.int32((above_root >> 23) + 0x4b400000).view(np.float32) - (F(12582935.0) if small else F(12582912.0))
    f = m - F(1.0)
    t = f / (F(0.5) * f + F(1.0))
    s = t * t
    p = F(0.002333647)
    p = p * s + F(0.012492996)
    p = p * s + F(0.08333347)
    result = k * F(0.69314575) + (t + (t * s * p + k * F(1.4286068e-06)))
    result = result if u < F(np.inf) else u
    return result if u > F(0.0) else (-F(np.inf) if u == F(0.0) else F(np.nan))


@_elementary
def relu(z):
    return F(0.0) if z <= F(0.0) else z


class Compiled:
    """A function for arrays of exactly the types in its signature, compiled at its first call.

    Call it from Python; or from a function of your own under @njit, or hand it to one as an
    argument: there it is compiled in and runs without Python, on one thread.
    """

    def __init__(self, body, *signature):
        self.body, self.signature = body, signature
        self.arrays = sum(isinstance(kind, nb.types.Array) for kind in signature)
        self.dispatcher = self.run = None
        functools.update_wrapper(self, body)

    def compile(self):
        """The compiled function, a Numba dispatcher that takes this signature and no other."""
        if self.dispatcher is None:
            dispatcher = _jit(self.body, nogil=True, fastmath=_FASTMATH)
            dispatcher.compile(self.signature)
            dispatcher.disable_compile()
            self.dispatcher = dispatcher
        return self.dispatcher

    @property
    def _numba_type_(self):
        return nb.types.Dispatcher(self.compile())

    def prepare(self):
        """What a call from Python runs."""
        self.run = self.compile()
        return self.run

    def __call__(self, *arguments, **named):
        if named:
            arguments = inspect.signature(self.body).bind(*arguments, **named).args
        try:
            for argument in arguments[: self.arrays]:
                if argument.dtype != _NATIVE:  # Numba itself overlooks another order of bytes
                    return self.mismatched(arguments)
            return (self.run or self.prepare())(*arguments)
        except (TypeError, AttributeError):  # other types than in the signature
            return self.mismatched(arguments)
        except ValueError as error:
            raise _in_words(error) from None

    def mismatched(self, arguments):
        """What works in place does not convert: it says what is wrong."""
        given = inspect.signature(self.body).bind(*arguments).arguments
        wrong = filter(None, map(_mismatch, given, given.values(), self.signature))
        raise TypeError("; ".join(wrong)) from None

    def __reduce__(self):
        return self.__name__

    def __repr__(self):
        return f"<{__name__}.{self.__name__}{inspect.signature(self.body)}>"


class Converting(Compiled):
    """A compiled function that, called from Python, takes any array-like."""

    def mismatched(self, arguments):
        given = inspect.signature(self.body).bind(*arguments).arguments
        converted = [_converted(name, value) for name, value in given.items()]
        try:
            result = (self.run or self.prepare())(*converted)
        except ValueError as error:
            raise _in_words(error) from None
        if isinstance(result, tuple) and np.asarray(given["theta"]).dtype == np.float64:
            return result[0], result[1].astype(np.float64)  # as SciPy's minimisers want it
        return result


class Composed(Converting):
    """One that only calls compiled functions: Python runs it as it stands."""

    def prepare(self):
        self.run = self.body
        return self.run


def _in_words(error):
    """Compiled code hands over the parts of a message, not the text."""
    return ValueError(" ".join(map(str, error.args)))


def _converted(name, value):
    """An array-like as the array that compiled code takes; refused where it holds no numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be of shape {_SHAPES[name]}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, came {array.dtype}")
    if array.ndim != _AXES[name]:
        raise ValueError(f"{name} must be of shape {_SHAPES[name]}, came {array.shape}")
    return np.require(array, _DTYPE, "C")


def _mismatch(name, value, kind):
    """What is wrong with an argument that must be used in place; None if nothing is."""
    if name == "rate":
        number = isinstance(value, (int, float, np.integer, np.floating))
        return None if number else f"rate must be a number, came {type(value).__name__}"
    wanted = f"{name} must be a C-contiguous {_NATIVE} array of shape {_SHAPES[name]}"
    if not isinstance(value, np.ndarray):
        return f"{wanted}, came {type(value).__name__}"
    what = [str(value.dtype)]
    what += [] if value.flags.c_contiguous else ["not C-contiguous"]
    what += [] if value.flags.writeable or not kind.mutable else ["read-only"]
    if len(what) == 1 and value.dtype == _NATIVE and value.ndim == _AXES[name]:
        return None
    return f"{wanted}, came one of shape {value.shape}: {', '.join(what)}"


@_jit
def _check(theta, x, t=None, gradient=None):
    """The shapes of what is given: compiled code would read and write beyond other ones."""
    if theta.shape[0] != 6570:
        raise ValueError("theta must be of shape (6570,), came one of length", theta.shape[0])
    if x.shape[1] != 64:
        raise ValueError("x must be of shape (samples, 64), came one of width", x.shape[1])
    if x.shape[0] == 0:
        raise ValueError("x must hold at least one sample, came", x.shape[0])
    if t is not None:
        if t.shape[1] != 10:
            raise ValueError("t must be of shape (samples, 10), came one of width", t.shape[1])
        if t.shape[0] != x.shape[0]:
            raise ValueError("t must have as many samples as x, came", t.shape[0], "and", x.shape[0])
    if gradient is not None:
        if gradient.shape[0] != 6570:
            raise ValueError("gradient must be of shape (6570,), came one of length", gradient.shape[0])
        start, end = gradient.ctypes.data, gradient.ctypes.data + gradient.nbytes
        if start < theta.ctypes.data + theta.nbytes and theta.ctypes.data < end:
            raise ValueError("gradient must not overlap theta in memory")
        if start < x.ctypes.data + x.nbytes and x.ctypes.data < end:
            raise ValueError("gradient must not overlap x in memory")
        if start < t.ctypes.data + t.nbytes and t.ctypes.data < end:
            raise ValueError("gradient must not overlap t in memory")


def predict(theta, x):
    """The network's output y, of shape (samples, 10), for x of shape (samples, 64)."""
    _check(theta, x)
    samples = x.shape[0]
    y = np.empty((samples, 10), np.float32)
    W1 = theta[0:4096].reshape((64, 64))
    b1 = theta[4096:4160]
    W2 = theta[4160:6208].reshape((64, 32))
    b2 = theta[6208:6240]
    W3 = theta[6240:6560].reshape((32, 10))
    b3 = theta[6560:6570]
    x_W1 = np.empty((samples, 64), np.float32)
    a1_W2 = np.empty((samples, 32), np.float32)
    a2_W3 = np.empty((samples, 10), np.float32)
    z3 = np.empty(10, np.float32)
    exp_centered_z3 = np.empty(10, np.float32)
    a1 = x_W1  # in the same memory, one after the other
    a2 = a1_W2  # in the same memory, one after the other
    # layer 1, forward: x_W1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
    np.dot(x, W1, x_W1)
    for n in range(samples):
        # z1[n,i1] = x_W1[n,i1] + b1[i1]
        # a1[n,i1] = relu(z1[n,i1])
        for i1 in range(64):
            z1 = x_W1[n, i1] + b1[i1]
            a1[n, i1] = relu(z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = relu(z2[n,i2])
        for i2 in range(32):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = relu(z2)
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        for i3 in range(10):
            z3[i3] = a2_W3[n, i3] + b3[i3]
        # loss: peak_z3[n] = max_j3 z3[n,j3]
        peak_z3 = F(-np.inf)
        for j3 in range(10):
            peak_z3 = z3[j3] if z3[j3] > peak_z3 else peak_z3
        # layer 3, forward: centered_z3[n,i3] = z3[n,i3] - peak_z3[n]
        # exp_centered_z3[n,i3] = exp(centered_z3[n,i3])
        for i3 in range(10):
            centered_z3 = z3[i3] - peak_z3
            exp_centered_z3[i3] = exp(centered_z3)
        # loss: sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
        sum_exp_centered_z3 = F(0.0)
        for j3 in range(10):
            sum_exp_centered_z3 += exp_centered_z3[j3]
        # layer 3, forward: y[n,i3] = exp_centered_z3[n,i3]/sum_exp_centered_z3[n]
        for i3 in range(10):
            y[n, i3] = exp_centered_z3[i3] / sum_exp_centered_z3
    return y


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 64) and t of shape (samples, 10)."""
    _check(theta, x, t)
    samples = x.shape[0]
    N = F(samples)
    W1 = theta[0:4096].reshape((64, 64))
    b1 = theta[4096:4160]
    W2 = theta[4160:6208].reshape((64, 32))
    b2 = theta[6208:6240]
    W3 = theta[6240:6560].reshape((32, 10))
    b3 = theta[6560:6570]
    x_W1 = np.empty((samples, 64), np.float32)
    a1_W2 = np.empty((samples, 32), np.float32)
    a2_W3 = np.empty((samples, 10), np.float32)
    z3 = np.empty(10, np.float32)
    centered_z3 = np.empty(10, np.float32)
    exp_centered_z3 = np.empty(10, np.float32)
    log_y = np.empty(10, np.float32)
    a1 = x_W1  # in the same memory, one after the other
    a2 = a1_W2  # in the same memory, one after the other
    # loss: R1 = 0.0025·Σ_i0,i1 W1[i0,i1]²
    R1_sum = 0.0
    for i0 in range(64):
        for i1 in range(64):
            R1_sum += F(0.0025) * (W1[i0, i1] * W1[i0, i1])
    R1 = R1_sum
    # R2 = 0.0025·Σ_i1,i2 W2[i1,i2]²
    R2_sum = 0.0
    for i1 in range(64):
        for i2 in range(32):
            R2_sum += F(0.0025) * (W2[i1, i2] * W2[i1, i2])
    R2 = R2_sum
    # R3 = 0.0025·Σ_i2,i3 W3[i2,i3]²
    R3_sum = 0.0
    for i2 in range(32):
        for i3 in range(10):
            R3_sum += F(0.0025) * (W3[i2, i3] * W3[i2, i3])
    R3 = R3_sum
    # layer 1, forward: x_W1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
    np.dot(x, W1, x_W1)
    for n in range(samples):
        # z1[n,i1] = x_W1[n,i1] + b1[i1]
        # a1[n,i1] = relu(z1[n,i1])
        for i1 in range(64):
            z1 = x_W1[n, i1] + b1[i1]
            a1[n, i1] = relu(z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = relu(z2[n,i2])
        for i2 in range(32):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = relu(z2)
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    E_sum = 0.0
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        for i3 in range(10):
            z3[i3] = a2_W3[n, i3] + b3[i3]
        # loss: peak_z3[n] = max_j3 z3[n,j3]
        peak_z3 = F(-np.inf)
        for j3 in range(10):
            peak_z3 = z3[j3] if z3[j3] > peak_z3 else peak_z3
        # layer 3, forward: centered_z3[n,i3] = z3[n,i3] - peak_z3[n]
        # exp_centered_z3[n,i3] = exp(centered_z3[n,i3])
        for i3 in range(10):
            centered_z3[i3] = z3[i3] - peak_z3
            exp_centered_z3[i3] = exp(centered_z3[i3])
        # loss: sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
        sum_exp_centered_z3 = F(0.0)
        for j3 in range(10):
            sum_exp_centered_z3 += exp_centered_z3[j3]
        # layer 3, forward: log_y[n,i3] = centered_z3[n,i3] - log(sum_exp_centered_z3[n])
        for i3 in range(10):
            log_y[i3] = centered_z3[i3] - log(sum_exp_centered_z3)
        # loss: e[n] = -Σ_i3 log_y[n,i3]·t[n,i3]
        e = F(0.0)
        for i3 in range(10):
            e -= log_y[i3] * t[n, i3]
        # E = Σ_n e[n]/N + R1 + R2 + R3
        E_sum += e
    E = E_sum / N + R1 + R2 + R3
    return E


def loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    _check(theta, x, t, gradient)
    samples = x.shape[0]
    N = F(samples)
    W1 = theta[0:4096].reshape((64, 64))
    b1 = theta[4096:4160]
    W2 = theta[4160:6208].reshape((64, 32))
    b2 = theta[6208:6240]
    W3 = theta[6240:6560].reshape((32, 10))
    b3 = theta[6560:6570]
    d_W1 = gradient[0:4096].reshape((64, 64))
    d_b1 = gradient[4096:4160]
    d_W2 = gradient[4160:6208].reshape((64, 32))
    d_b2 = gradient[6208:6240]
    d_W3 = gradient[6240:6560].reshape((32, 10))
    d_b3 = gradient[6560:6570]
    x_W1 = np.empty((samples, 64), np.float32)
    a1_W2 = np.empty((samples, 32), np.float32)
    a2_W3 = np.empty((samples, 10), np.float32)
    z3 = np.empty(10, np.float32)
    centered_z3 = np.empty(10, np.float32)
    exp_centered_z3 = np.empty(10, np.float32)
    log_y = np.empty(10, np.float32)
    d_log_y = np.empty(10, np.float32)
    d_z3 = np.empty((samples, 10), np.float32)
    d_a2 = np.empty((samples, 32), np.float32)
    d_a1 = np.empty((samples, 64), np.float32)
    a1 = x_W1  # in the same memory, one after the other
    a2 = a1_W2  # in the same memory, one after the other
    a2_d_z3 = d_W3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    a1_d_z2 = d_W2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    x_d_z1 = d_W1  # in the same memory, one after the other
    # loss: R1 = 0.0025·Σ_i0,i1 W1[i0,i1]²
    R1_sum = 0.0
    for i0 in range(64):
        for i1 in range(64):
            R1_sum += F(0.0025) * (W1[i0, i1] * W1[i0, i1])
    R1 = R1_sum
    # R2 = 0.0025·Σ_i1,i2 W2[i1,i2]²
    R2_sum = 0.0
    for i1 in range(64):
        for i2 in range(32):
            R2_sum += F(0.0025) * (W2[i1, i2] * W2[i1, i2])
    R2 = R2_sum
    # R3 = 0.0025·Σ_i2,i3 W3[i2,i3]²
    R3_sum = 0.0
    for i2 in range(32):
        for i3 in range(10):
            R3_sum += F(0.0025) * (W3[i2, i3] * W3[i2, i3])
    R3 = R3_sum
    # layer 1, forward: x_W1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
    np.dot(x, W1, x_W1)
    for n in range(samples):
        # z1[n,i1] = x_W1[n,i1] + b1[i1]
        # a1[n,i1] = relu(z1[n,i1])
        for i1 in range(64):
            z1 = x_W1[n, i1] + b1[i1]
            a1[n, i1] = relu(z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = relu(z2[n,i2])
        for i2 in range(32):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = relu(z2)
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    E_sum = 0.0
    d_b3[:] = F(0.0)
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        for i3 in range(10):
            z3[i3] = a2_W3[n, i3] + b3[i3]
        # loss: peak_z3[n] = max_j3 z3[n,j3]
        peak_z3 = F(-np.inf)
        for j3 in range(10):
            peak_z3 = z3[j3] if z3[j3] > peak_z3 else peak_z3
        # layer 3, forward: centered_z3[n,i3] = z3[n,i3] - peak_z3[n]
        # exp_centered_z3[n,i3] = exp(centered_z3[n,i3])
        for i3 in range(10):
            centered_z3[i3] = z3[i3] - peak_z3
            exp_centered_z3[i3] = exp(centered_z3[i3])
        # loss: sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
        sum_exp_centered_z3 = F(0.0)
        for j3 in range(10):
            sum_exp_centered_z3 += exp_centered_z3[j3]
        # layer 3, forward: log_y[n,i3] = centered_z3[n,i3] - log(sum_exp_centered_z3[n])
        for i3 in range(10):
            log_y[i3] = centered_z3[i3] - log(sum_exp_centered_z3)
        # loss: e[n] = -Σ_i3 log_y[n,i3]·t[n,i3]
        e = F(0.0)
        for i3 in range(10):
            e -= log_y[i3] * t[n, i3]
        # E = Σ_n e[n]/N + R1 + R2 + R3
        E_sum += e
        # layer 3, backward: d_log_y[n,i3] = -t[n,i3]/N
        for i3 in range(10):
            d_log_y[i3] = -t[n, i3] / N
        # loss, backward: d_sum_exp_centered_z3[n] = -Σ_i3 d_log_y[n,i3]/sum_exp_centered_z3[n]
        d_sum_exp_centered_z3 = F(0.0)
        for i3 in range(10):
            d_sum_exp_centered_z3 -= d_log_y[i3] / sum_exp_centered_z3
        # layer 3, backward: d_z3[n,i3] = exp_centered_z3[n,i3]·d_sum_exp_centered_z3[n] + d_log_y[n,i3]
        # d_b3[i3] = Σ_n d_z3[n,i3]
        for i3 in range(10):
            d_z3[n, i3] = exp_centered_z3[i3] * d_sum_exp_centered_z3 + d_log_y[i3]
            d_b3[i3] += d_z3[n, i3]
    E = E_sum / N + R1 + R2 + R3
    # a2_d_z3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    np.dot(a2.T, d_z3, a2_d_z3)
    # d_W3[i2,i3] = 0.005·W3[i2,i3] + a2_d_z3[i2,i3]
    for i2 in range(32):
        for i3 in range(10):
            d_W3[i2, i3] = F(0.005) * W3[i2, i3] + a2_d_z3[i2, i3]
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    np.dot(d_z3, W3.T, d_a2)
    d_b2[:] = F(0.0)
    for n in range(samples):
        # d_z2[n,i2] = d_a2[n,i2]·heaviside(a2[n,i2])
        # d_b2[i2] = Σ_n d_z2[n,i2]
        for i2 in range(32):
            d_z2[n, i2] = d_a2[n, i2] * heaviside(a2[n, i2])
            d_b2[i2] += d_z2[n, i2]
    # a1_d_z2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    np.dot(a1.T, d_z2, a1_d_z2)
    # d_W2[i1,i2] = 0.005·W2[i1,i2] + a1_d_z2[i1,i2]
    for i1 in range(64):
        for i2 in range(32):
            d_W2[i1, i2] = F(0.005) * W2[i1, i2] + a1_d_z2[i1, i2]
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    np.dot(d_z2, W2.T, d_a1)
    d_b1[:] = F(0.0)
    for n in range(samples):
        # d_z1[n,i1] = d_a1[n,i1]·heaviside(a1[n,i1])
        # d_b1[i1] = Σ_n d_z1[n,i1]
        for i1 in range(64):
            d_z1[n, i1] = d_a1[n, i1] * heaviside(a1[n, i1])
            d_b1[i1] += d_z1[n, i1]
    # x_d_z1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    np.dot(x.T, d_z1, x_d_z1)
    # d_W1[i0,i1] = 0.005·W1[i0,i1] + x_d_z1[i0,i1]
    for i0 in range(64):
        for i1 in range(64):
            d_W1[i0, i1] = F(0.005) * W1[i0, i1] + x_d_z1[i0, i1]
    return E


def loss_and_gradient(theta, x, t):
    """The loss E and its derivative by every weight, an array like theta."""
    gradient = np.empty(6570, np.float32)
    return loss_and_gradient_into(theta, x, t, gradient), gradient


def step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    gradient = np.empty(6570, np.float32)
    E = loss_and_gradient_into(theta, x, t, gradient)
    for k in range(6570):
        theta[k] -= F(rate) * gradient[k]
    return E


_number = nb.from_dtype(_NATIVE)
_vector = nb.types.Array(_number, 1, "C", readonly=True)
_matrix = nb.types.Array(_number, 2, "C", readonly=True)
_written = nb.types.Array(_number, 1, "C")

predict = Converting(predict, _vector, _matrix)
loss = Converting(loss, _vector, _matrix, _matrix)
loss_and_gradient_into = Compiled(loss_and_gradient_into, _vector, _matrix, _matrix, _written)
loss_and_gradient = Composed(loss_and_gradient, _vector, _matrix, _matrix)
step = Compiled(step, _written, _matrix, _matrix, nb.float64)


def init(seed=0):
    """Random weights: He for relu-like layers, Glorot for others, both uniform; biases are zero.

    He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.
    """
    random = np.random.default_rng(seed)
    weights = {name: np.zeros(shape) for name, (_, shape) in PARAMETERS.items()}
    weights["W1"] = random.uniform(-1.0, 1.0, PARAMETERS["W1"][1]) * 0.30618621784789724
    weights["W2"] = random.uniform(-1.0, 1.0, PARAMETERS["W2"][1]) * 0.30618621784789724
    weights["W3"] = random.uniform(-1.0, 1.0, PARAMETERS["W3"][1]) * 0.3779644730092272
    return pack(weights)


def pack(weights):
    """The flat vector theta from arrays by name, of the shapes in PARAMETERS."""
    if set(weights) != set(PARAMETERS):
        raise ValueError(f"the arrays {', '.join(PARAMETERS)} are needed, came {', '.join(weights)}")
    theta = np.empty(SIZE, _DTYPE)
    for name, array in unpack(theta).items():
        if np.shape(weights[name]) != array.shape:
            raise ValueError(f"{name} must be of shape {array.shape}, came {np.shape(weights[name])}")
        array[...] = weights[name]
    return theta


def unpack(theta):
    """Views into the flat vector theta, by name."""
    if np.shape(theta) != (SIZE,):
        raise ValueError(f"theta must be of shape {(SIZE,)}, came {np.shape(theta)}")
    views = {}
    for name, (offset, shape) in PARAMETERS.items():
        views[name] = theta[offset : offset + int(np.prod(shape))].reshape(shape)
    return views
