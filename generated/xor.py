"""xor: a 2-2-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from xor.toml. Do not edit: change the spec, and
    symgrad compile xor.toml
Spec, sha256: d6468bb4b0ff4c4413cc4af3a17a02d08ac4071c5cbcbb675a7d4f021445b444
Options: order = loss-first, dtype = float64

The one expression, its shared parts named:

    z1[n,i1]        = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1]        = tanh(z1[n,i1])
    y[n,i2]         = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    y_minus_t[n,i2] = y[n,i2] - t[n,i2]
    e[n]            = ½·Σ_i2 y_minus_t[n,i2]²
    E               = Σ_n e[n]/N

and its derivative by all 9 weights at once is `_gradient_of_chunk`: read it first.
Operations for one sample: the loss 16, loss and gradient 30.

x is of shape (samples, 2), t of shape (samples, 1), theta holds all weights, see PARAMETERS.
Samples are computed in blocks, and many samples in several chunks of blocks, each of which sums
apart; how many depends on their number alone, so that results do not depend on threads.
A function of your own under @njit(cache=True) keeps the code it was compiled with: after emitting
this file anew, touch yours.
"""

import functools
import inspect
import os

import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils
from numba.extending import get_cython_function_address, lower_builtin, type_callable
from numba.np.arrayobj import make_array, populate_array

SPEC = {'name': 'xor',
 'dtype': 'float64',
 'inputs': 2,
 'layers': [{'units': 2, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 1, 'activation': 'identity', 'bias': True, 'residual': False}],
 'loss': {'kind': 'squared', 'l1': 0.0, 'l2': 0.0, 'sample_weights': False},
 'activations': {}}

SIZE = 9

# name: (offset in theta, shape)
PARAMETERS = {'W1': (0, (2, 2)), 'b1': (4, (2,)), 'W2': (6, (2, 1)), 'b2': (8, (1,))}

_DTYPE = np.float64
_NATIVE = np.dtype(_DTYPE)
_SHAPES = {
    "theta": "(9,)",
    "x": "(samples, 2)",
    "t": "(samples, 1)",
    "gradient": "(9,)",
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


def _inner(function):
    """A part of the functions below, compiled with the first that calls it."""
    return _jit(function, nogil=True, fastmath=_FASTMATH)


def _threaded(function):
    """The same, with its prange on as many threads as Numba has."""
    return _jit(function, nogil=True, fastmath=_FASTMATH, parallel=True)


@_elementary
def square(u):
    return u * u


@_elementary
def tanh(u):
    """(exp 2u - 1)/(exp 2u + 1), exp 2u - 1 as q·2^k + (2^k - 1) where q = exp(2r) - 1. Within 3 ulp."""
    u = min(max(u, -19.1), 19.1)
    shifted = u * 2.8853900817779268 + 6755399441056767.0  # its last bits hold k + 1023
    k = shifted - 6755399441056767.0
    r = (u - k * 0.34657359027994517) - k * 2.7489615093541856e-14
    p = 5.133078001031729e-05
    p = p * r + 0.0002828889500843863
    p = p * r + 0.0014109373416268094
    p = p * r + 0.006349185443972537
    p = p * r + 0.025396825305372992
    p = p * r + 0.08888888916077858
    p = p * r + 0.2666666666675292
    p = p * r + 0.6666666666652208
    p = p * r + 1.333333333333332
    p = p * r + 2.000000000000002
    p = p * r + 2.0
    scale = np.int64(np.float64(shifted).view(np.int64) << 52).view(np.float64)
    e = r * p * scale + (scale - 1.0)
    return e / (e + 2.0)


@_inner
def _zero(vector, start, size):
    """Sums begin: `size` numbers of `vector` from `start` on are set to 0."""
    for k in range(start, start + size):
        vector[k] = 0.0


@_inner
def _prediction_of_chunk(theta, x, y):
    """Writes the output of a chunk of samples."""
    W1 = _view(theta, 0, (2, 2))
    b1 = _view(theta, 4, (2,))
    W2 = _view(theta, 6, (2, 1))
    b2 = _view(theta, 8, (1,))
    rows = x.shape[0]
    a1 = _local(2)
    for n in range(rows):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = tanh(z1[n,i1])
        for i1 in range(2):
            z1 = b1[i1]
            for i0 in range(2):
                z1 += x[n, i0] * W1[i0, i1]
            a1[i1] = tanh(z1)
        # layer 2, forward: y[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        for i2 in range(1):
            total = b2[i2]
            for i1 in range(2):
                total += a1[i1] * W2[i1, i2]
            y[n, i2] = total


@_threaded
def _prediction_on_threads(theta, x, y):
    """The same of all samples: each thread takes some chunks, and their sums are added in order."""
    chunks = _chunks(x.shape[0], (14000, 28000, 55000, 110000))
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        _prediction_of_chunk(theta, x[start:end], y[start:end])


@_inner
def _loss_of_chunk(theta, x, t, N):
    """The sum of the losses of a chunk of samples."""
    W1 = _view(theta, 0, (2, 2))
    b1 = _view(theta, 4, (2,))
    W2 = _view(theta, 6, (2, 1))
    b2 = _view(theta, 8, (1,))
    E_sum = 0.0
    rows = x.shape[0]
    a1 = _local(2)
    y = _local(1)
    for n in range(rows):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = tanh(z1[n,i1])
        for i1 in range(2):
            z1 = b1[i1]
            for i0 in range(2):
                z1 += x[n, i0] * W1[i0, i1]
            a1[i1] = tanh(z1)
        # layer 2, forward: y[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        for i2 in range(1):
            total = b2[i2]
            for i1 in range(2):
                total += a1[i1] * W2[i1, i2]
            y[i2] = total
        # loss: e[n] = ½·Σ_i2 (y[n,i2] - t[n,i2])²
        e = 0.0
        for i2 in range(1):
            e += 0.5 * square(y[i2] - t[n, i2])
        # E = Σ_n e[n]/N
        E_sum += e
    return E_sum


@_threaded
def _loss_on_threads(theta, x, t, N):
    """The same of all samples: each thread takes some chunks, and their sums are added in order."""
    chunks = _chunks(x.shape[0], (12000, 24000, 48000, 96000))
    sums = np.empty(chunks)
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        sums[chunk] = _loss_of_chunk(theta, x[start:end], t[start:end], N)
    E_sum = 0.0
    for chunk in range(chunks):
        E_sum += sums[chunk]
    return E_sum


@_inner
def _loss_at_the_end(theta, N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


@_inner
def _gradient_of_chunk(theta, x, t, N, gradient):
    """The gradient of a chunk of samples; returns the sum of their losses."""
    W1 = _view(theta, 0, (2, 2))
    b1 = _view(theta, 4, (2,))
    W2 = _view(theta, 6, (2, 1))
    b2 = _view(theta, 8, (1,))
    d_W1 = _view(gradient, 0, (2, 2))
    d_b1 = _view(gradient, 4, (2,))
    d_W2 = _view(gradient, 6, (2, 1))
    d_b2 = _view(gradient, 8, (1,))
    E_sum = 0.0
    rows = x.shape[0]
    a1 = _local(2)
    y_minus_t = _local(1)
    d_y = _local(1)
    d_z1 = _local(2)
    _zero(gradient, 0, 9)
    for n in range(rows):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = tanh(z1[n,i1])
        for i1 in range(2):
            z1 = b1[i1]
            for i0 in range(2):
                z1 += x[n, i0] * W1[i0, i1]
            a1[i1] = tanh(z1)
        # layer 2, forward: y[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        # y_minus_t[n,i2] = y[n,i2] - t[n,i2]
        for i2 in range(1):
            y = b2[i2]
            for i1 in range(2):
                y += a1[i1] * W2[i1, i2]
            y_minus_t[i2] = y - t[n, i2]
        # loss: e[n] = ½·Σ_i2 y_minus_t[n,i2]²
        e = 0.0
        for i2 in range(1):
            e += 0.5 * (y_minus_t[i2] * y_minus_t[i2])
        # E = Σ_n e[n]/N
        E_sum += e
        # layer 2, backward: d_y[n,i2] = y_minus_t[n,i2]/N
        for i2 in range(1):
            d_y[i2] = y_minus_t[i2] / N
        # d_W2[i1,i2] = Σ_n a1[n,i1]·d_y[n,i2]
        for i1 in range(2):
            for i2 in range(1):
                d_W2[i1, i2] += a1[i1] * d_y[i2]
        # d_b2[i2] = Σ_n d_y[n,i2]
        for i2 in range(1):
            d_b2[i2] += d_y[i2]
        # layer 1, backward: d_a1[n,i1] = Σ_i2 d_y[n,i2]·W2[i1,i2]
        # d_z1[n,i1] = d_a1[n,i1]·(1 - a1[n,i1]²)
        for i1 in range(2):
            d_a1 = 0.0
            for i2 in range(1):
                d_a1 += d_y[i2] * W2[i1, i2]
            d_z1[i1] = d_a1 * (1.0 - a1[i1] * a1[i1])
        # d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
        for i0 in range(2):
            for i1 in range(2):
                d_W1[i0, i1] += x[n, i0] * d_z1[i1]
        # d_b1[i1] = Σ_n d_z1[n,i1]
        for i1 in range(2):
            d_b1[i1] += d_z1[i1]
    return E_sum


@_threaded
def _gradient_on_threads(theta, x, t, N, gradient):
    """The same of all samples: each thread takes some chunks, and their sums are added in order."""
    chunks = _chunks(x.shape[0], (6400, 13000, 26000, 52000))
    parts = np.empty((chunks, 9), _DTYPE)
    sums = np.empty(chunks)
    for chunk in nb.prange(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        into = parts[chunk] if chunk else gradient
        sums[chunk] = _gradient_of_chunk(theta, x[start:end], t[start:end], N, into)
    for chunk in range(1, chunks):
        for k in range(9):
            gradient[k] += parts[chunk, k]
    E_sum = 0.0
    for chunk in range(chunks):
        E_sum += sums[chunk]
    return E_sum


@_inner
def _gradient_at_the_end(theta, N, gradient, E_sum):
    """The loss E, and the gradient with what waits for all samples, from the sum over samples."""
    E = E_sum / N
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
def _check(theta, x, t=None, gradient=None):
    """The shapes of what is given: compiled code would read and write beyond other ones."""
    if theta.shape[0] != 9:
        raise ValueError("theta must be of shape (9,), came one of length", theta.shape[0])
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
        if gradient.shape[0] != 9:
            raise ValueError("gradient must be of shape (9,), came one of length", gradient.shape[0])
        if _overlap(gradient, theta):
            raise ValueError("gradient must not overlap theta in memory")
        if _overlap(gradient, x):
            raise ValueError("gradient must not overlap x in memory")
        if _overlap(gradient, t):
            raise ValueError("gradient must not overlap t in memory")


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2)."""
    _check(theta, x)
    y = np.empty((x.shape[0], 1), _DTYPE)
    chunks = _chunks(x.shape[0], (14000, 28000, 55000, 110000))
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        _prediction_of_chunk(theta, x[start:end], y[start:end])
    return y


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 2) and t of shape (samples, 1)."""
    _check(theta, x, t)
    N = float(x.shape[0])
    chunks = _chunks(x.shape[0], (12000, 24000, 48000, 96000))
    E_sum = 0.0
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        E_sum += _loss_of_chunk(theta, x[start:end], t[start:end], N)
    return _loss_at_the_end(theta, N, E_sum)


def loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    _check(theta, x, t, gradient)
    N = float(x.shape[0])
    chunks = _chunks(x.shape[0], (6400, 13000, 26000, 52000))
    part = np.empty(9, _DTYPE) if chunks > 1 else gradient
    E_sum = 0.0
    for chunk in range(chunks):
        start, end = x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks
        into = part if chunk else gradient
        E_sum += _gradient_of_chunk(theta, x[start:end], t[start:end], N, into)
        if chunk:
            for k in range(9):
                gradient[k] += part[k]
    return _gradient_at_the_end(theta, N, gradient, E_sum)


def step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    gradient = np.empty(9, _DTYPE)
    E = loss_and_gradient_into(theta, x, t, gradient)
    for k in range(9):
        theta[k] -= rate * gradient[k]
    return E


def _threaded_predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2), on several threads."""
    _check(theta, x)
    y = np.empty((x.shape[0], 1), _DTYPE)
    _prediction_on_threads(theta, x, y)
    return y


def _threaded_loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 2) and t of shape (samples, 1), on several threads."""
    _check(theta, x, t)
    N = float(x.shape[0])
    E_sum = _loss_on_threads(theta, x, t, N)
    return _loss_at_the_end(theta, N, E_sum)


@_inner
def _threaded_loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta, on several threads."""
    _check(theta, x, t, gradient)
    N = float(x.shape[0])
    E_sum = _gradient_on_threads(theta, x, t, N, gradient)
    return _gradient_at_the_end(theta, N, gradient, E_sum)


def _threaded_step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place, on several threads. Returns the loss before it."""
    gradient = np.empty(9, _DTYPE)
    E = _threaded_loss_and_gradient_into(theta, x, t, gradient)
    for k in range(9):
        theta[k] -= rate * gradient[k]
    return E


def loss_and_gradient(theta, x, t):
    """The loss E and its derivative by every weight, an array like theta."""
    gradient = np.empty(9, _DTYPE)
    return loss_and_gradient_into(theta, x, t, gradient), gradient


def init(seed=0):
    """Random weights: He for relu-like layers, Glorot for others, both uniform; biases are zero.

    He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.
    """
    random = np.random.default_rng(seed)
    weights = {name: np.zeros(shape) for name, (_, shape) in PARAMETERS.items()}
    weights["W1"] = random.uniform(-1.0, 1.0, PARAMETERS["W1"][1]) * 1.224744871391589
    weights["W2"] = random.uniform(-1.0, 1.0, PARAMETERS["W2"][1]) * 1.4142135623730951
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


_number = nb.from_dtype(_NATIVE)
_vector = nb.types.Array(_number, 1, "C", readonly=True)
_matrix = nb.types.Array(_number, 2, "C", readonly=True)
_written = nb.types.Array(_number, 1, "C")


def _view(vector, start, shape):
    """The numbers of `vector` from `start` on as an array of this shape, row by row; no copy."""
    return vector[start : start + int(np.prod(shape))].reshape(shape)


def _extent(number):
    """`number`, unknown to LLVM: a loop that runs so often is vectorised, and not unrolled before."""
    return number


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


_forked = False


def _in_child():
    """A process that was forked cannot go on with the threads of the one before it."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def _several_threads():
    """Whether Numba has several threads, of a kind that several threads may use at once."""
    return nb.get_num_threads() > 1 and nb.threading_layer() in ("omp", "tbb")


class Compiled:
    """A function for arrays of exactly the types in its signature, compiled at its first call.

    Call it from Python; or from a function of your own under @njit, or hand it to one as an
    argument: there it is compiled in and runs without Python, on one thread. From `many` samples
    on, a call from Python runs on several, with the same result to the bit: after a few such calls,
    because code for threads takes seconds to compile.
    """

    patience = 20

    def __init__(self, body, on_threads, many, *signature):
        self.body, self.on_threads, self.many, self.signature = body, on_threads, many, signature
        self.dispatcher = self.threaded = None
        self.run = self.first
        functools.update_wrapper(self, body)

    def compile(self):
        """The compiled function, a Numba dispatcher that takes this signature and no other."""
        if self.dispatcher is None:
            self.dispatcher = self.dispatched(self.body)
        return self.dispatcher

    def dispatched(self, body):
        dispatcher = _jit(getattr(body, "py_func", body), nogil=True, fastmath=_FASTMATH)
        dispatcher.compile(self.signature)
        dispatcher.disable_compile()
        return dispatcher

    @property
    def _numba_type_(self):
        return nb.types.Dispatcher(self.compile())

    def first(self, *arguments):
        """The first call with few samples; those after it go to compiled code at once."""
        self.run = self.compile()
        return self.run(*arguments)

    def otherwise(self, *arguments):
        """A call with many samples, or with what compiled code does not take as it is.

        Numba's dispatcher may overlook another order of bytes, so that dtypes are compared before.
        """
        pairs = zip(arguments, self.signature, strict=True)
        arrays = [array for array, kind in pairs if isinstance(kind, nb.types.Array)]
        try:
            if all(array.dtype == _NATIVE for array in arrays):
                return self.on_several(arguments)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError):
            pass
        return self.mismatched(arguments)

    def on_several(self, arguments):
        """A call on several threads, where there are many samples and several threads."""
        if len(arguments[1]) < self.many or _forked or not _several_threads():
            return self.compile()(*arguments)
        if self.threaded is None:
            self.patience -= 1
            if self.patience > 0:
                return self.compile()(*arguments)
            self.threaded = self.dispatched(self.on_threads)
        return self.threaded(*arguments)

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
            result = self.on_several(converted)
        except ValueError as error:
            raise _in_words(error) from None
        if isinstance(result, tuple) and np.asarray(given["theta"]).dtype == np.float64:
            return result[0], result[1].astype(np.float64)  # as SciPy's minimisers want it
        return result


class Predict(Converting):
    def __call__(self, theta, x):
        try:
            if theta.dtype is x.dtype is _NATIVE and len(x) < self.many:
                return self.run(theta, x)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError):  # other types than in the signature
            pass
        return self.otherwise(theta, x)


class Loss(Converting):
    def __call__(self, theta, x, t):
        try:
            if theta.dtype is x.dtype is t.dtype is _NATIVE and len(x) < self.many:
                return self.run(theta, x, t)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError):  # other types than in the signature
            pass
        return self.otherwise(theta, x, t)


class LossAndGradient(Loss):
    """One that only calls compiled functions: Python runs it as it stands."""

    def first(self, *arguments):
        return self.body(*arguments)

    def on_several(self, arguments):
        return self.body(*arguments)


class LossAndGradientInto(Compiled):
    def __call__(self, theta, x, t, gradient):
        try:
            if theta.dtype is x.dtype is t.dtype is gradient.dtype is _NATIVE and len(x) < self.many:
                return self.run(theta, x, t, gradient)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError):  # other types than in the signature
            pass
        return self.otherwise(theta, x, t, gradient)


class Step(Compiled):
    def __call__(self, theta, x, t, rate):
        try:
            if theta.dtype is x.dtype is t.dtype is _NATIVE and len(x) < self.many:
                return self.run(theta, x, t, rate)
        except ValueError as error:
            raise _in_words(error) from None
        except (TypeError, AttributeError):  # other types than in the signature
            pass
        return self.otherwise(theta, x, t, rate)


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


predict = Predict(predict, _threaded_predict, 14000, _vector, _matrix)
loss = Loss(loss, _threaded_loss, 12000, _vector, _matrix, _matrix)
loss_and_gradient_into = LossAndGradientInto(
    loss_and_gradient_into, _threaded_loss_and_gradient_into, 6400, _vector, _matrix, _matrix, _written
)
loss_and_gradient = LossAndGradient(loss_and_gradient, None, float("inf"), _vector, _matrix, _matrix)
step = Step(step, _threaded_step, 6400, _written, _matrix, _matrix, nb.float64)
