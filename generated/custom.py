"""custom: a 3-16-16-2 network, its loss and gradient.

Emitted by symgrad 0.1.0 from custom.toml. Do not edit: change the spec, and
    symgrad compile custom.toml
Spec, sha256: 09221b7b79fa3c9d803addd55f057ea423b06fe2342052189738eb7dcc99a567
Options: order = loss-first, dtype = float64

The one expression, its shared parts named:

    z1[n,i1]         = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    part_of_a1[n,i1] = sigmoid(1.5·z1[n,i1])
    a1[n,i1]         = part_of_a1[n,i1]·z1[n,i1]
    z2[n,i2]         = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    part_of_a2[n,i2] = exp(-¼·z2[n,i2]²)
    a2[n,i2]         = 0.1·z2[n,i2] + part_of_a2[n,i2]
    y[n,i3]          = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    y_minus_t[n,i3]  = y[n,i3] - t[n,i3]
    part_of_e[n,i3]  = 1 + (4/9)·y_minus_t[n,i3]²
    e[n]             = 2.25·Σ_i3 (sqrt(part_of_e[n,i3]) - 1)
    E                = Σ_n e[n]/N

and its derivative by all 370 weights at once is `loss_and_gradient_into`.
Operations for one sample: the loss 813, loss and gradient 1857.

x is of shape (samples, 3), t of shape (samples, 2), theta holds all weights, see PARAMETERS.
A function of your own under @njit(cache=True) keeps the code it was compiled with: after emitting
this file anew, touch yours.
"""

import functools
import inspect

import numba as nb
import numpy as np

SPEC = {'name': 'custom',
 'dtype': 'float64',
 'inputs': 3,
 'layers': [{'units': 16, 'activation': 'swish_beta', 'bias': True, 'residual': False},
            {'units': 16, 'activation': 'bump', 'bias': True, 'residual': False},
            {'units': 2, 'activation': 'identity', 'bias': True, 'residual': False}],
 'loss': {'formula': 'delta**2 * (sqrt(1 + ((y - t)/delta)**2) - 1)',
          'constants': {'delta': 1.5},
          'l1': 0.0,
          'l2': 0.0,
          'sample_weights': False},
 'activations': {'bump': {'formula': 'exp(-(z/width)**2) + slope*z',
                          'constants': {'slope': 0.1, 'width': 2.0}},
                 'swish_beta': {'formula': 'z / (1 + exp(-beta*z))',
                                'constants': {'beta': 1.5}}}}

SIZE = 370

# name: (offset in theta, shape)
PARAMETERS = {'W1': (0, (3, 16)),
 'b1': (48, (16,)),
 'W2': (64, (16, 16)),
 'b2': (320, (16,)),
 'W3': (336, (16, 2)),
 'b3': (368, (2,))}

_DTYPE = np.float64
_NATIVE = np.dtype(_DTYPE)
_SHAPES = {
    "theta": "(370,)",
    "x": "(samples, 3)",
    "t": "(samples, 2)",
    "gradient": "(370,)",
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
    shifted = (u + v) * 1.4426950408889634 + 6755399441057790.0  # its last bits hold k + 2046
    k = shifted - 6755399441057790.0
    r = ((u - k * 0.6931471805598903) + v) - k * 5.497923018708371e-14
    p = 2.500739020369554e-08
    p = p * r + 2.7630190716793994e-07
    p = p * r + 2.755755788593732e-06
    p = p * r + 2.4801493180627818e-05
    p = p * r + 0.00019841269546916706
    p = p * r + 0.0013888888943693934
    p = p * r + 0.00833333333346996
    p = p * r + 0.04166666666652881
    p = p * r + 0.16666666666666466
    p = p * r + 0.5000000000000011
    p = p * r + 1.0
    p = p * r + 1.0
    whole = np.float64(shifted).view(np.int64)
    first = whole >> 1
    return y * p * np.int64(first << 52).view(np.float64) * np.int64((whole - first) << 52).view(np.float64)


@_elementary
def exp(u):
    """Within 1.5 ulp."""
    u = min(max(u, -1400.0), 1400.0)
    return exp_times(1.0, u, -0.0)


@_elementary
def sigmoid(z):
    """1/(1 + exp(-z)), without overflow. Within 2.5 ulp."""
    q = exp(-abs(z))
    return (q if z < 0.0 else 1.0) / (q + 1.0)


@_elementary
def square(u):
    return u * u


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
    if theta.shape[0] != 370:
        raise ValueError("theta must be of shape (370,), came one of length", theta.shape[0])
    if x.shape[1] != 3:
        raise ValueError("x must be of shape (samples, 3), came one of width", x.shape[1])
    if x.shape[0] == 0:
        raise ValueError("x must hold at least one sample, came", x.shape[0])
    if t is not None:
        if t.shape[1] != 2:
            raise ValueError("t must be of shape (samples, 2), came one of width", t.shape[1])
        if t.shape[0] != x.shape[0]:
            raise ValueError("t must have as many samples as x, came", t.shape[0], "and", x.shape[0])
    if gradient is not None:
        if gradient.shape[0] != 370:
            raise ValueError("gradient must be of shape (370,), came one of length", gradient.shape[0])
        start, end = gradient.ctypes.data, gradient.ctypes.data + gradient.nbytes
        if start < theta.ctypes.data + theta.nbytes and theta.ctypes.data < end:
            raise ValueError("gradient must not overlap theta in memory")
        if start < x.ctypes.data + x.nbytes and x.ctypes.data < end:
            raise ValueError("gradient must not overlap x in memory")
        if start < t.ctypes.data + t.nbytes and t.ctypes.data < end:
            raise ValueError("gradient must not overlap t in memory")


def predict(theta, x):
    """The network's output y, of shape (samples, 2), for x of shape (samples, 3)."""
    _check(theta, x)
    samples = x.shape[0]
    y = np.empty((samples, 2), np.float64)
    W1 = theta[0:48].reshape((3, 16))
    b1 = theta[48:64]
    W2 = theta[64:320].reshape((16, 16))
    b2 = theta[320:336]
    W3 = theta[336:368].reshape((16, 2))
    b3 = theta[368:370]
    a1 = np.empty((samples, 16), np.float64)
    a1_W2 = np.empty((samples, 16), np.float64)
    a2 = np.empty(16, np.float64)
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = z1[n,i1]·sigmoid(1.5·z1[n,i1])
        for i1 in range(16):
            z1 = b1[i1]
            for i0 in range(3):
                z1 += x[n, i0] * W1[i0, i1]
            a1[n, i1] = z1 * sigmoid(1.5 * z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = 0.1·z2[n,i2] + exp(-¼·z2[n,i2]²)
        for i2 in range(16):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[i2] = 0.1 * z2 + exp((-0.25) * (z2 * z2))
        # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        for i3 in range(2):
            total = b3[i3]
            for i2 in range(16):
                total += a2[i2] * W3[i2, i3]
            y[n, i3] = total
    return y


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 3) and t of shape (samples, 2)."""
    _check(theta, x, t)
    samples = x.shape[0]
    N = float(samples)
    W1 = theta[0:48].reshape((3, 16))
    b1 = theta[48:64]
    W2 = theta[64:320].reshape((16, 16))
    b2 = theta[320:336]
    W3 = theta[336:368].reshape((16, 2))
    b3 = theta[368:370]
    a1 = np.empty((samples, 16), np.float64)
    a1_W2 = np.empty((samples, 16), np.float64)
    a2 = np.empty(16, np.float64)
    y = np.empty(2, np.float64)
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = z1[n,i1]·sigmoid(1.5·z1[n,i1])
        for i1 in range(16):
            z1 = b1[i1]
            for i0 in range(3):
                z1 += x[n, i0] * W1[i0, i1]
            a1[n, i1] = z1 * sigmoid(1.5 * z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    E_sum = 0.0
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = 0.1·z2[n,i2] + exp(-¼·z2[n,i2]²)
        for i2 in range(16):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[i2] = 0.1 * z2 + exp((-0.25) * (z2 * z2))
        # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        for i3 in range(2):
            total = b3[i3]
            for i2 in range(16):
                total += a2[i2] * W3[i2, i3]
            y[i3] = total
        # loss: e[n] = 2.25·Σ_i3 (sqrt(1 + (4/9)·(y[n,i3] - t[n,i3])²) - 1)
        e = 0.0
        for i3 in range(2):
            e += 2.25 * (np.sqrt(1.0 + 0.4444444444444444 * square(y[i3] - t[n, i3])) - 1.0)
        # E = Σ_n e[n]/N
        E_sum += e
    E = E_sum / N
    return E


def loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    _check(theta, x, t, gradient)
    samples = x.shape[0]
    N = float(samples)
    W1 = theta[0:48].reshape((3, 16))
    b1 = theta[48:64]
    W2 = theta[64:320].reshape((16, 16))
    b2 = theta[320:336]
    W3 = theta[336:368].reshape((16, 2))
    b3 = theta[368:370]
    d_W1 = gradient[0:48].reshape((3, 16))
    d_b1 = gradient[48:64]
    d_W2 = gradient[64:320].reshape((16, 16))
    d_b2 = gradient[320:336]
    d_W3 = gradient[336:368].reshape((16, 2))
    d_b3 = gradient[368:370]
    z1 = np.empty((samples, 16), np.float64)
    part_of_a1 = np.empty((samples, 16), np.float64)
    a1 = np.empty((samples, 16), np.float64)
    a1_W2 = np.empty((samples, 16), np.float64)
    z2 = np.empty(16, np.float64)
    part_of_a2 = np.empty(16, np.float64)
    a2 = np.empty(16, np.float64)
    y_minus_t = np.empty(2, np.float64)
    part_of_e = np.empty(2, np.float64)
    d_y = np.empty(2, np.float64)
    d_z2 = np.empty((samples, 16), np.float64)
    d_a1 = np.empty((samples, 16), np.float64)
    d_z1 = np.empty(16, np.float64)
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # part_of_a1[n,i1] = sigmoid(1.5·z1[n,i1])
        # a1[n,i1] = part_of_a1[n,i1]·z1[n,i1]
        for i1 in range(16):
            total = b1[i1]
            for i0 in range(3):
                total += x[n, i0] * W1[i0, i1]
            z1[n, i1] = total
            part_of_a1[n, i1] = sigmoid(1.5 * z1[n, i1])
            a1[n, i1] = part_of_a1[n, i1] * z1[n, i1]
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    E_sum = 0.0
    d_W3[:] = 0.0
    d_b3[:] = 0.0
    d_b2[:] = 0.0
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # part_of_a2[n,i2] = exp(-¼·z2[n,i2]²)
        # a2[n,i2] = 0.1·z2[n,i2] + part_of_a2[n,i2]
        for i2 in range(16):
            z2[i2] = a1_W2[n, i2] + b2[i2]
            part_of_a2[i2] = exp((-0.25) * (z2[i2] * z2[i2]))
            a2[i2] = 0.1 * z2[i2] + part_of_a2[i2]
        # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        # y_minus_t[n,i3] = y[n,i3] - t[n,i3]
        # part_of_e[n,i3] = 1 + (4/9)·y_minus_t[n,i3]²
        for i3 in range(2):
            y = b3[i3]
            for i2 in range(16):
                y += a2[i2] * W3[i2, i3]
            y_minus_t[i3] = y - t[n, i3]
            part_of_e[i3] = 1.0 + 0.4444444444444444 * (y_minus_t[i3] * y_minus_t[i3])
        # loss: e[n] = 2.25·Σ_i3 (sqrt(part_of_e[n,i3]) - 1)
        e = 0.0
        for i3 in range(2):
            e += 2.25 * (np.sqrt(part_of_e[i3]) - 1.0)
        # E = Σ_n e[n]/N
        E_sum += e
        # layer 3, backward: d_y[n,i3] = y_minus_t[n,i3]/(N·sqrt(part_of_e[n,i3]))
        for i3 in range(2):
            d_y[i3] = y_minus_t[i3] / N / np.sqrt(part_of_e[i3])
        # d_W3[i2,i3] = Σ_n a2[n,i2]·d_y[n,i3]
        for i2 in range(16):
            for i3 in range(2):
                d_W3[i2, i3] += a2[i2] * d_y[i3]
        # d_b3[i3] = Σ_n d_y[n,i3]
        for i3 in range(2):
            d_b3[i3] += d_y[i3]
        # layer 2, backward: d_a2[n,i2] = Σ_i3 d_y[n,i3]·W3[i2,i3]
        # d_z2[n,i2] = d_a2[n,i2]·(0.1 - ½·part_of_a2[n,i2]·z2[n,i2])
        # d_b2[i2] = Σ_n d_z2[n,i2]
        for i2 in range(16):
            d_a2 = 0.0
            for i3 in range(2):
                d_a2 += d_y[i3] * W3[i2, i3]
            d_z2[n, i2] = d_a2 * (0.1 - 0.5 * part_of_a2[i2] * z2[i2])
            d_b2[i2] += d_z2[n, i2]
    E = E_sum / N
    # d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    np.dot(a1.T, d_z2, d_W2)
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    np.dot(d_z2, W2.T, d_a1)
    d_W1[:] = 0.0
    d_b1[:] = 0.0
    for n in range(samples):
        # d_z1[n,i1] = d_a1[n,i1]·(1.5·part_of_a1[n,i1]·z1[n,i1]·(1 - part_of_a1[n,i1]) + part_of_a1[n,i1])
        for i1 in range(16):
            d_z1[i1] = d_a1[n, i1] * (1.5 * part_of_a1[n, i1] * z1[n, i1] * (1.0 - part_of_a1[n, i1]) + part_of_a1[n, i1])
        # d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
        for i0 in range(3):
            for i1 in range(16):
                d_W1[i0, i1] += x[n, i0] * d_z1[i1]
        # d_b1[i1] = Σ_n d_z1[n,i1]
        for i1 in range(16):
            d_b1[i1] += d_z1[i1]
    return E


def loss_and_gradient(theta, x, t):
    """The loss E and its derivative by every weight, an array like theta."""
    gradient = np.empty(370, np.float64)
    return loss_and_gradient_into(theta, x, t, gradient), gradient


def step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    gradient = np.empty(370, np.float64)
    E = loss_and_gradient_into(theta, x, t, gradient)
    for k in range(370):
        theta[k] -= rate * gradient[k]
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
    weights["W1"] = random.uniform(-1.0, 1.0, PARAMETERS["W1"][1]) * 0.5619514869490163
    weights["W2"] = random.uniform(-1.0, 1.0, PARAMETERS["W2"][1]) * 0.4330127018922193
    weights["W3"] = random.uniform(-1.0, 1.0, PARAMETERS["W3"][1]) * 0.5773502691896257
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
