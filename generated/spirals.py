"""spirals: a 2-24-24-24-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from spirals.toml. Do not edit: change the spec, and
    symgrad compile spirals.toml
Spec, sha256: 95b7807a64a2e948b9dfce6264af385054ba8073f4831c8493accf158f68aa04
Options: order = loss-first, dtype = float64

The one expression, its shared parts named:

    z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1] = sin(z1[n,i1])
    z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    a2[n,i2] = sin(z2[n,i2])
    z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    a3[n,i3] = sin(z3[n,i3])
    z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    e[n]     = Σ_i4 ((1 - t[n,i4])·softplus(z4[n,i4]) + t[n,i4]·softplus(-z4[n,i4]))
    E        = Σ_n e[n]/N

and its derivative by all 1297 weights at once is `loss_and_gradient_into`.
Operations for one sample: the loss 2526, loss and gradient 6176.

x is of shape (samples, 2), t of shape (samples, 1), theta holds all weights, see PARAMETERS.
A function of your own under @njit(cache=True) keeps the code it was compiled with: after emitting
this file anew, touch yours.
"""

import functools
import inspect

import numba as nb
import numpy as np

SPEC = {'name': 'spirals',
 'dtype': 'float64',
 'inputs': 2,
 'layers': [{'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 1, 'activation': 'sigmoid', 'bias': True, 'residual': False}],
 'loss': {'kind': 'binary_cross_entropy', 'l1': 0.0, 'l2': 0.0, 'sample_weights': False},
 'activations': {}}

SIZE = 1297

# name: (offset in theta, shape)
PARAMETERS = {'W1': (0, (2, 24)),
 'b1': (48, (24,)),
 'W2': (72, (24, 24)),
 'b2': (648, (24,)),
 'W3': (672, (24, 24)),
 'b3': (1248, (24,)),
 'W4': (1272, (24, 1)),
 'b4': (1296, (1,))}

_DTYPE = np.float64
_NATIVE = np.dtype(_DTYPE)
_SHAPES = {
    "theta": "(1297,)",
    "x": "(samples, 2)",
    "t": "(samples, 1)",
    "gradient": "(1297,)",
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
def quarter_turns(u):
    """(k, r) with u = k·π/2 + r, |r| <= π/4, k in the last two bits; for |u| up to 2^20."""
    shifted = u * 0.6366197723675814 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    r = u
    r = r - k * 1.5707963267341256
    r = r - k * 6.077100506303966e-11
    r = r - k * 2.0222662487111665e-21
    r = r - k * 8.4784276603689e-32
    return np.float64(shifted).view(np.int64), r


@_elementary
def cos(u):
    """By quarter turns and polynomials of r²; beyond 2^20 by the library, so that a loop over this is
    not turned into vector instructions. Within 2 ulp."""
    if abs(u) > 1048576.0:
        return np.cos(np.full(1, u))[0]  # of a number it would be computed for every u, and then selected
    k, r = quarter_turns(u)
    k = k + 1
    s = r * r
    p = -7.388451991600837e-13
    p = p * s + 1.6054297670582932e-10
    p = p * s + -2.5052070861090204e-08
    p = p * s + 2.7557319073894843e-06
    p = p * s + -0.0001984126984096247
    p = p * s + 0.008333333333333042
    p = p * s + -0.16666666666666666
    q = -1.1358733295463443e-11
    q = q * s + 2.0875705121788823e-09
    q = q * s + -2.7557314215326843e-07
    q = q * s + 2.4801587288997515e-05
    q = q * s + -0.0013888888888873338
    q = q * s + 0.041666666666666595
    q = q * s + -0.5
    p = r * s * p + r
    q = q * s + 1.0
    result = q if k & 1 else p
    return -result if k & 2 else result


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
def sin(u):
    """By quarter turns and polynomials of r²; beyond 2^20 by the library, so that a loop over this is
    not turned into vector instructions. Within 2 ulp."""
    if abs(u) > 1048576.0:
        return np.sin(np.full(1, u))[0]  # of a number it would be computed for every u, and then selected
    k, r = quarter_turns(u)
    s = r * r
    p = -7.388451991600837e-13
    p = p * s + 1.6054297670582932e-10
    p = p * s + -2.5052070861090204e-08
    p = p * s + 2.7557319073894843e-06
    p = p * s + -0.0001984126984096247
    p = p * s + 0.008333333333333042
    p = p * s + -0.16666666666666666
    q = -1.1358733295463443e-11
    q = q * s + 2.0875705121788823e-09
    q = q * s + -2.7557314215326843e-07
    q = q * s + 2.4801587288997515e-05
    q = q * s + -0.0013888888888873338
    q = q * s + 0.041666666666666595
    q = q * s + -0.5
    p = r * s * p + r
    q = q * s + 1.0
    result = q if k & 1 else p
    return -result if k & 2 else result


@_elementary
def log1p_unit(f):
    """log(1 + f) for 0 <= f <= 1, by t = 2f/(2 + f). Within 2 ulp."""
    t = f / (0.5 * f + 1.0)
    s = t * t
    p = 8.111962717350096e-08
    p = p * s + 1.5914308439875722e-07
    p = p * s + 9.23557983040946e-07
    p = p * s + 4.059167130038669e-06
    p = p * s + 1.8782411960474642e-05
    p = p * s + 8.877804835078268e-05
    p = p * s + 0.0004340278117009496
    p = p * s + 0.0022321428553143128
    p = p * s + 0.012500000000048722
    p = p * s + 0.08333333333333288
    return t + t * s * p


@_elementary
def softplus(z):
    """log(1 + exp z), without overflow. Within 3 ulp."""
    return max(z, 0.0) + log1p_unit(exp(-abs(z)))


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
    if theta.shape[0] != 1297:
        raise ValueError("theta must be of shape (1297,), came one of length", theta.shape[0])
    if x.shape[1] != 2:
        raise ValueError("x must be of shape (samples, 2), came one of width", x.shape[1])
    if x.shape[0] == 0:
        raise ValueError("x must hold at least one sample, came", x.shape[0])
    if t is not None:
        if t.shape[1] != 1:
            raise ValueError("t must be of shape (samples, 1), came one of width", t.shape[1])
        if t.shape[0] != x.shape[0]:
            raise ValueError("t must have as many samples as x, came", t.shape[0], "and", x.shape[0])
    if gradient is not None:
        if gradient.shape[0] != 1297:
            raise ValueError("gradient must be of shape (1297,), came one of length", gradient.shape[0])
        start, end = gradient.ctypes.data, gradient.ctypes.data + gradient.nbytes
        if start < theta.ctypes.data + theta.nbytes and theta.ctypes.data < end:
            raise ValueError("gradient must not overlap theta in memory")
        if start < x.ctypes.data + x.nbytes and x.ctypes.data < end:
            raise ValueError("gradient must not overlap x in memory")
        if start < t.ctypes.data + t.nbytes and t.ctypes.data < end:
            raise ValueError("gradient must not overlap t in memory")


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2)."""
    _check(theta, x)
    samples = x.shape[0]
    y = np.empty((samples, 1), np.float64)
    W1 = theta[0:48].reshape((2, 24))
    b1 = theta[48:72]
    W2 = theta[72:648].reshape((24, 24))
    b2 = theta[648:672]
    W3 = theta[672:1248].reshape((24, 24))
    b3 = theta[1248:1272]
    W4 = theta[1272:1296].reshape((24, 1))
    b4 = theta[1296:1297]
    a1 = np.empty((samples, 24), np.float64)
    a1_W2 = np.empty((samples, 24), np.float64)
    a2_W3 = np.empty((samples, 24), np.float64)
    a3 = np.empty(24, np.float64)
    a2 = a1_W2  # in the same memory, one after the other
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = sin(z1[n,i1])
        for i1 in range(24):
            z1 = b1[i1]
            for i0 in range(2):
                z1 += x[n, i0] * W1[i0, i1]
            a1[n, i1] = sin(z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = sin(z2[n,i2])
        for i2 in range(24):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = sin(z2)
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        # a3[n,i3] = sin(z3[n,i3])
        for i3 in range(24):
            z3 = a2_W3[n, i3] + b3[i3]
            a3[i3] = sin(z3)
        # layer 4, forward: z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        # y[n,i4] = sigmoid(z4[n,i4])
        for i4 in range(1):
            z4 = b4[i4]
            for i3 in range(24):
                z4 += a3[i3] * W4[i3, i4]
            y[n, i4] = sigmoid(z4)
    return y


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 2) and t of shape (samples, 1)."""
    _check(theta, x, t)
    samples = x.shape[0]
    N = float(samples)
    W1 = theta[0:48].reshape((2, 24))
    b1 = theta[48:72]
    W2 = theta[72:648].reshape((24, 24))
    b2 = theta[648:672]
    W3 = theta[672:1248].reshape((24, 24))
    b3 = theta[1248:1272]
    W4 = theta[1272:1296].reshape((24, 1))
    b4 = theta[1296:1297]
    a1 = np.empty((samples, 24), np.float64)
    a1_W2 = np.empty((samples, 24), np.float64)
    a2_W3 = np.empty((samples, 24), np.float64)
    a3 = np.empty(24, np.float64)
    z4 = np.empty(1, np.float64)
    a2 = a1_W2  # in the same memory, one after the other
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = sin(z1[n,i1])
        for i1 in range(24):
            z1 = b1[i1]
            for i0 in range(2):
                z1 += x[n, i0] * W1[i0, i1]
            a1[n, i1] = sin(z1)
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = sin(z2[n,i2])
        for i2 in range(24):
            z2 = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = sin(z2)
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    E_sum = 0.0
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        # a3[n,i3] = sin(z3[n,i3])
        for i3 in range(24):
            z3 = a2_W3[n, i3] + b3[i3]
            a3[i3] = sin(z3)
        # layer 4, forward: z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        for i4 in range(1):
            total = b4[i4]
            for i3 in range(24):
                total += a3[i3] * W4[i3, i4]
            z4[i4] = total
        # loss: e[n] = Σ_i4 ((1 - t[n,i4])·softplus(z4[n,i4]) + t[n,i4]·softplus(-z4[n,i4]))
        e = 0.0
        for i4 in range(1):
            e += (1.0 - t[n, i4]) * softplus(z4[i4]) + t[n, i4] * softplus(-z4[i4])
        # E = Σ_n e[n]/N
        E_sum += e
    E = E_sum / N
    return E


def loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    _check(theta, x, t, gradient)
    samples = x.shape[0]
    N = float(samples)
    W1 = theta[0:48].reshape((2, 24))
    b1 = theta[48:72]
    W2 = theta[72:648].reshape((24, 24))
    b2 = theta[648:672]
    W3 = theta[672:1248].reshape((24, 24))
    b3 = theta[1248:1272]
    W4 = theta[1272:1296].reshape((24, 1))
    b4 = theta[1296:1297]
    d_W1 = gradient[0:48].reshape((2, 24))
    d_b1 = gradient[48:72]
    d_W2 = gradient[72:648].reshape((24, 24))
    d_b2 = gradient[648:672]
    d_W3 = gradient[672:1248].reshape((24, 24))
    d_b3 = gradient[1248:1272]
    d_W4 = gradient[1272:1296].reshape((24, 1))
    d_b4 = gradient[1296:1297]
    z1 = np.empty((samples, 24), np.float64)
    a1 = np.empty((samples, 24), np.float64)
    a1_W2 = np.empty((samples, 24), np.float64)
    a2 = np.empty((samples, 24), np.float64)
    a2_W3 = np.empty((samples, 24), np.float64)
    z3 = np.empty(24, np.float64)
    a3 = np.empty(24, np.float64)
    z4 = np.empty(1, np.float64)
    y = np.empty(1, np.float64)
    d_z4 = np.empty(1, np.float64)
    d_z3 = np.empty((samples, 24), np.float64)
    d_a2 = np.empty((samples, 24), np.float64)
    d_a1 = np.empty((samples, 24), np.float64)
    d_z1 = np.empty(24, np.float64)
    z2 = a1_W2  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    for n in range(samples):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = sin(z1[n,i1])
        for i1 in range(24):
            total = b1[i1]
            for i0 in range(2):
                total += x[n, i0] * W1[i0, i1]
            z1[n, i1] = total
            a1[n, i1] = sin(z1[n, i1])
    # layer 2, forward: a1_W2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2]
    np.dot(a1, W2, a1_W2)
    for n in range(samples):
        # z2[n,i2] = a1_W2[n,i2] + b2[i2]
        # a2[n,i2] = sin(z2[n,i2])
        for i2 in range(24):
            z2[n, i2] = a1_W2[n, i2] + b2[i2]
            a2[n, i2] = sin(z2[n, i2])
    # layer 3, forward: a2_W3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3]
    np.dot(a2, W3, a2_W3)
    E_sum = 0.0
    d_W4[:] = 0.0
    d_b4[:] = 0.0
    d_b3[:] = 0.0
    for n in range(samples):
        # z3[n,i3] = a2_W3[n,i3] + b3[i3]
        # a3[n,i3] = sin(z3[n,i3])
        for i3 in range(24):
            z3[i3] = a2_W3[n, i3] + b3[i3]
            a3[i3] = sin(z3[i3])
        # layer 4, forward: z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        # y[n,i4] = sigmoid(z4[n,i4])
        for i4 in range(1):
            total = b4[i4]
            for i3 in range(24):
                total += a3[i3] * W4[i3, i4]
            z4[i4] = total
            y[i4] = sigmoid(z4[i4])
        # loss: e[n] = Σ_i4 ((1 - t[n,i4])·softplus(z4[n,i4]) + t[n,i4]·softplus(-z4[n,i4]))
        e = 0.0
        for i4 in range(1):
            e += (1.0 - t[n, i4]) * softplus(z4[i4]) + t[n, i4] * softplus(-z4[i4])
        # E = Σ_n e[n]/N
        E_sum += e
        # layer 4, backward: d_z4[n,i4] = (y[n,i4] - t[n,i4])/N
        for i4 in range(1):
            d_z4[i4] = (y[i4] - t[n, i4]) / N
        # d_W4[i3,i4] = Σ_n a3[n,i3]·d_z4[n,i4]
        for i3 in range(24):
            for i4 in range(1):
                d_W4[i3, i4] += a3[i3] * d_z4[i4]
        # d_b4[i4] = Σ_n d_z4[n,i4]
        for i4 in range(1):
            d_b4[i4] += d_z4[i4]
        # layer 3, backward: d_a3[n,i3] = Σ_i4 d_z4[n,i4]·W4[i3,i4]
        # d_z3[n,i3] = d_a3[n,i3]·cos(z3[n,i3])
        # d_b3[i3] = Σ_n d_z3[n,i3]
        for i3 in range(24):
            d_a3 = 0.0
            for i4 in range(1):
                d_a3 += d_z4[i4] * W4[i3, i4]
            d_z3[n, i3] = d_a3 * cos(z3[i3])
            d_b3[i3] += d_z3[n, i3]
    E = E_sum / N
    # d_W3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    np.dot(a2.T, d_z3, d_W3)
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    np.dot(d_z3, W3.T, d_a2)
    d_b2[:] = 0.0
    for n in range(samples):
        # d_z2[n,i2] = d_a2[n,i2]·cos(z2[n,i2])
        # d_b2[i2] = Σ_n d_z2[n,i2]
        for i2 in range(24):
            d_z2[n, i2] = d_a2[n, i2] * cos(z2[n, i2])
            d_b2[i2] += d_z2[n, i2]
    # d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    np.dot(a1.T, d_z2, d_W2)
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    np.dot(d_z2, W2.T, d_a1)
    d_W1[:] = 0.0
    d_b1[:] = 0.0
    for n in range(samples):
        # d_z1[n,i1] = d_a1[n,i1]·cos(z1[n,i1])
        for i1 in range(24):
            d_z1[i1] = d_a1[n, i1] * cos(z1[n, i1])
        # d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
        for i0 in range(2):
            for i1 in range(24):
                d_W1[i0, i1] += x[n, i0] * d_z1[i1]
        # d_b1[i1] = Σ_n d_z1[n,i1]
        for i1 in range(24):
            d_b1[i1] += d_z1[i1]
    return E


def loss_and_gradient(theta, x, t):
    """The loss E and its derivative by every weight, an array like theta."""
    gradient = np.empty(1297, np.float64)
    return loss_and_gradient_into(theta, x, t, gradient), gradient


def step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    gradient = np.empty(1297, np.float64)
    E = loss_and_gradient_into(theta, x, t, gradient)
    for k in range(1297):
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
    weights["W1"] = random.uniform(-1.0, 1.0, PARAMETERS["W1"][1]) * 0.4803844614152614
    weights["W2"] = random.uniform(-1.0, 1.0, PARAMETERS["W2"][1]) * 0.3535533905932738
    weights["W3"] = random.uniform(-1.0, 1.0, PARAMETERS["W3"][1]) * 0.3535533905932738
    weights["W4"] = random.uniform(-1.0, 1.0, PARAMETERS["W4"][1]) * 0.4898979485566356
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
