"""iris: a 4-8-3 network, its loss and gradient.

Emitted by symgrad 0.1.0 from iris.toml. Do not edit: change the spec, and
    symgrad compile iris.toml
Spec, sha256: e36a4e154080a08fbcfafde423e6741bc3f45453af4592c120dcd315c8e0f340
Options: order = loss-first, dtype = float64; arithmetic version 3

The one expression, its shared parts named:

    z1[n,i1]               = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1]               = tanh(z1[n,i1])
    z2[n,i2]               = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    centered_z2[n,i2]      = z2[n,i2] - max_j2 z2[n,j2]
    exp_centered_z2[n,i2]  = exp(centered_z2[n,i2])
    sum_exp_centered_z2[n] = Σ_j2 exp_centered_z2[n,j2]
    log_y[n,i2]            = centered_z2[n,i2] - log(sum_exp_centered_z2[n])
    e[n]                   = -Σ_i2 log_y[n,i2]·t[n,i2]
    E                      = Σ_n e[n]/N

and its derivative by all the weights at once is `_gradient_of_leaf`: to be read first.
Operations for one sample: the loss 145, loss and gradient 277.

x is of shape (samples, 4), t of shape (samples, 3), theta holds all weights, see PARAMETERS.
Samples are summed in leaves of 128, and leaves in a binary tree, so that results do not depend
on threads. A function of your own under @njit(cache=True) keeps the code it was compiled with: after
emitting this file anew, touch yours.
"""

import numpy as np

try:
    if __package__:
        from ._symgrad_a3998de6f7438c86 import build, fma, local, noinline, opaque
    else:
        from _symgrad_a3998de6f7438c86 import build, fma, local, noinline, opaque
except ModuleNotFoundError as error:
    if error.name not in ("_symgrad_a3998de6f7438c86", f"{__package__}._symgrad_a3998de6f7438c86"):
        raise
    raise ImportError("_symgrad_a3998de6f7438c86.py is missing: copy it along with this file, beside it") from None

__all__ = [
    "PARAMETERS", "SIZE", "SPEC", "complete_gradient", "gradient_of_leaves", "init", "loss",
    "loss_and_gradient", "loss_and_gradient_into", "pack", "predict", "step", "unpack",
]

SPEC = {'name': 'iris',
 'dtype': 'float64',
 'inputs': 4,
 'layers': [{'units': 8, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 3, 'activation': 'softmax', 'bias': True, 'residual': False}],
 'loss': {'kind': 'cross_entropy', 'l1': 0.0, 'l2': 0.0, 'sample_weights': False},
 'activations': {}}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 67
PARAMETERS = {'W1': (0, (4, 8)), 'b1': (32, (8,)), 'W2': (40, (8, 3)), 'b2': (64, (3,))}
I0, I1, I2 = SPEC["inputs"], *(layer["units"] for layer in SPEC["layers"])

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float64. Errors are bounds on what was measured over all exponents, at random numbers.


def exp_times(y, u, v):
    """y·exp(u + v), v small: y·exp(r)·2^k with |r| < 0.35, and 2^k in two halves: rounded but once
    where the result is below the smallest normal number. Within 2 ulp."""
    shifted = fma(u + v, 1.4426950408889634, 6755399441057790.0)  # its last bits hold k + 2046
    k = shifted - 6755399441057790.0
    r = fma(-k, 5.497923018708371e-14, fma(-k, 0.6931471805598903, u) + v)
    p = 2.500739020369554e-08
    p = fma(p, r, 2.7630190716793994e-07)
    p = fma(p, r, 2.755755788593732e-06)
    p = fma(p, r, 2.4801493180627818e-05)
    p = fma(p, r, 0.00019841269546916706)
    p = fma(p, r, 0.0013888888943693934)
    p = fma(p, r, 0.00833333333346996)
    p = fma(p, r, 0.04166666666652881)
    p = fma(p, r, 0.16666666666666466)
    p = fma(p, r, 0.5000000000000011)
    p = fma(p, r, 1.0)
    p = fma(p, r, 1.0)
    whole = np.float64(shifted).view(np.int64)
    first = whole >> 1
    return y * p * np.int64(first << 52).view(np.float64) * np.int64((whole - first) << 52).view(np.float64)


def exp(u):
    """Within 1.5 ulp."""
    u = min(max(u, -1400.0), 1400.0)
    return exp_times(1.0, u, -0.0)


def log(u):
    """k·log 2 + log m for u = m·2^k, √½ < m < √2; log m by t = 2(m - 1)/(m + 1). Within 2.5 ulp."""
    small = u < 2.2250738585072014e-308
    v = u * 4503599627370496.0 if small else u
    above_root = np.float64(v).view(np.int64) - 0x3fe6a09e667f3bcd
    m = np.int64((above_root & 0xfffffffffffff) + 0x3fe6a09e667f3bcd).view(np.float64)
    k = np.int64((above_root >> 52) + 0x4338000000000000).view(np.float64) - (6755399441055796.0 if small else 6755399441055744.0)
    f = m - 1.0
    t = f / fma(0.5, f, 1.0)
    s = t * t
    p = 4.515191406779878e-06
    p = fma(p, s, 1.8693981278638006e-05)
    p = fma(p, s, 8.878692352638996e-05)
    p = fma(p, s, 0.000434027316818148)
    p = fma(p, s, 0.002232142870460683)
    p = fma(p, s, 0.012499999999817824)
    p = fma(p, s, 0.08333333333333418)
    result = fma(k, 0.6931471805598903, t + fma(t * s, p, k * 5.497923018708371e-14))
    result = result if u < np.inf else u
    return result if u > 0.0 else (-np.inf if u == 0.0 else np.nan)


def tanh(u):
    """(exp 2u - 1)/(exp 2u + 1), exp 2u - 1 as q·2^k + (2^k - 1) where q = exp(2r) - 1. Within 3 ulp."""
    u = min(max(u, -19.1), 19.1)
    shifted = fma(u, 2.8853900817779268, 6755399441056767.0)  # its last bits hold k + 1023
    k = shifted - 6755399441056767.0
    r = fma(-k, 2.7489615093541856e-14, fma(-k, 0.34657359027994517, u))
    p = 5.133078001031729e-05
    p = fma(p, r, 0.0002828889500843863)
    p = fma(p, r, 0.0014109373416268094)
    p = fma(p, r, 0.006349185443972537)
    p = fma(p, r, 0.025396825305372992)
    p = fma(p, r, 0.08888888916077858)
    p = fma(p, r, 0.2666666666675292)
    p = fma(p, r, 0.6666666666652208)
    p = fma(p, r, 1.333333333333332)
    p = fma(p, r, 2.000000000000002)
    p = fma(p, r, 2.0)
    scale = np.int64(np.float64(shifted).view(np.int64) << 52).view(np.float64)
    e = fma(r * p, scale, scale - 1.0)
    return np.copysign(e / (e + 2.0), u)  # -0 stays -0


# From how many samples on threads pay; how many numbers of scratch memory some samples take.
PREDICTION_THREADED, PREDICTION_SCRATCH = 1100, 0


def _prediction_of_chunk(theta, x, y):
    """Writes the output of a chunk of samples."""
    noinline()
    units1 = opaque(I1)
    W1, b1, W2, b2 = parameters(theta)
    rows = x.shape[0]
    a1 = local(I1, np.float64)
    z2 = local(I2, np.float64)
    exp_centered_z2 = local(I2, np.float64)
    for n in range(rows):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = tanh(z1[n,i1])
        for i1 in range(units1):
            z1 = b1[i1]
            for i0 in range(I0):
                z1 = fma(x[n, i0], W1[i0, i1], z1)
            a1[i1] = tanh(z1)
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        for i2 in range(I2):
            total = b2[i2]
            for i1 in range(I1):
                total = fma(a1[i1], W2[i1, i2], total)
            z2[i2] = total
        # loss: peak_z2[n] = max_j2 z2[n,j2]
        peak_z2 = -np.inf
        for j2 in range(I2):
            peak_z2 = z2[j2] if z2[j2] > peak_z2 else peak_z2
        # layer 2, forward: centered_z2[n,i2] = z2[n,i2] - peak_z2[n]
        # exp_centered_z2[n,i2] = exp(centered_z2[n,i2])
        for i2 in range(I2):
            centered_z2 = z2[i2] - peak_z2
            exp_centered_z2[i2] = exp(centered_z2)
        # loss: sum_exp_centered_z2[n] = Σ_j2 exp_centered_z2[n,j2]
        sum_exp_centered_z2 = 0.0
        for j2 in range(I2):
            sum_exp_centered_z2 += exp_centered_z2[j2]
        # layer 2, forward: y[n,i2] = exp_centered_z2[n,i2]/sum_exp_centered_z2[n]
        for i2 in range(I2):
            y[n, i2] = exp_centered_z2[i2] / sum_exp_centered_z2


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH = 520, 0


def _gradient_of_leaf(theta, x, t, N, gradient):
    """The sum of the losses of a leaf's samples, and its gradient if that is wanted."""
    noinline()
    units1 = opaque(I1)
    W1, b1, W2, b2 = parameters(theta)
    d_W1, d_b1, d_W2, d_b2 = parameters(gradient)
    E_sum = 0.0
    if gradient is not None:
        for k in range(SIZE):
            gradient[k] = 0.0
    rows = x.shape[0]
    a1 = local(I1, np.float64)
    z2 = local(I2, np.float64)
    centered_z2 = local(I2, np.float64)
    exp_centered_z2 = local(I2, np.float64)
    log_y = local(I2, np.float64)
    d_log_y = local(I2, np.float64)
    d_z2 = local(I2, np.float64)
    d_z1 = local(I1, np.float64)
    for n in range(rows):
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        # a1[n,i1] = tanh(z1[n,i1])
        for i1 in range(units1):
            z1 = b1[i1]
            for i0 in range(I0):
                z1 = fma(x[n, i0], W1[i0, i1], z1)
            a1[i1] = tanh(z1)
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        for i2 in range(I2):
            total = b2[i2]
            for i1 in range(I1):
                total = fma(a1[i1], W2[i1, i2], total)
            z2[i2] = total
        # loss: peak_z2[n] = max_j2 z2[n,j2]
        peak_z2 = -np.inf
        for j2 in range(I2):
            peak_z2 = z2[j2] if z2[j2] > peak_z2 else peak_z2
        # layer 2, forward: centered_z2[n,i2] = z2[n,i2] - peak_z2[n]
        # exp_centered_z2[n,i2] = exp(centered_z2[n,i2])
        for i2 in range(I2):
            centered_z2[i2] = z2[i2] - peak_z2
            exp_centered_z2[i2] = exp(centered_z2[i2])
        # loss: sum_exp_centered_z2[n] = Σ_j2 exp_centered_z2[n,j2]
        sum_exp_centered_z2 = 0.0
        for j2 in range(I2):
            sum_exp_centered_z2 += exp_centered_z2[j2]
        # layer 2, forward: log_y[n,i2] = centered_z2[n,i2] - log(sum_exp_centered_z2[n])
        for i2 in range(I2):
            log_y[i2] = centered_z2[i2] - log(sum_exp_centered_z2)
        # loss: e[n] = -Σ_i2 log_y[n,i2]·t[n,i2]
        e = 0.0
        for i2 in range(I2):
            e = fma(-log_y[i2], t[n, i2], e)
        # E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
        E_sum += e
        if gradient is None:
            continue  # the loss is known
        # layer 2, backward: d_log_y[n,i2] = -t[n,i2]/N
        for i2 in range(I2):
            d_log_y[i2] = -t[n, i2] / N
        # loss, backward: d_sum_exp_centered_z2[n] = -Σ_i2 d_log_y[n,i2]/sum_exp_centered_z2[n]
        d_sum_exp_centered_z2 = 0.0
        for i2 in range(I2):
            d_sum_exp_centered_z2 += -d_log_y[i2] / sum_exp_centered_z2
        # layer 2, backward: d_z2[n,i2] = exp_centered_z2[n,i2]·d_sum_exp_centered_z2[n] + d_log_y[n,i2]
        for i2 in range(I2):
            d_z2[i2] = exp_centered_z2[i2] * d_sum_exp_centered_z2 + d_log_y[i2]
        # d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
        for i1 in range(units1):
            for i2 in range(I2):
                d_W2[i1, i2] = fma(a1[i1], d_z2[i2], d_W2[i1, i2])
        # d_b2[i2] = Σ_n d_z2[n,i2]
        for i2 in range(I2):
            d_b2[i2] += d_z2[i2]
        # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
        # d_z1[n,i1] = d_a1[n,i1]·(1 - a1[n,i1]²)
        for i1 in range(units1):
            d_a1 = 0.0
            for i2 in range(I2):
                d_a1 = fma(d_z2[i2], W2[i1, i2], d_a1)
            d_z1[i1] = d_a1 * (1.0 - a1[i1] * a1[i1])
        # d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
        for i0 in range(I0):
            for i1 in range(units1):
                d_W1[i0, i1] = fma(x[n, i0], d_z1[i1], d_W1[i0, i1])
        # d_b1[i1] = Σ_n d_z1[n,i1]
        for i1 in range(units1):
            d_b1[i1] += d_z1[i1]
    return E_sum


def _gradient_at_the_end(N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


def predict(theta, x):
    """The network's output y, of shape (samples, 3), for x of shape (samples, 4)."""
    return _predict(theta, x)


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 4) and t of shape (samples, 3)."""
    return _loss(theta, x, t)


def loss_and_gradient(theta, x, t):
    """The loss E and its derivative by every weight, an array like theta."""
    return _loss_and_gradient(theta, x, t)


def loss_and_gradient_into(theta, x, t, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    return _loss_and_gradient_into(theta, x, t, gradient)


def step(theta, x, t, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    return _step(theta, x, t, rate)


def gradient_of_leaves(theta, x, t, total, first, losses, gradients):
    """Of a range of leaves, for many workers: loss and gradient of each of its largest subtrees, into
    `losses` (float64) and rows of `gradients`. Returns how many. x, t have whole leaves,
    but for the last of all; `first` is the number of the first one here, `total` how many samples there are in all."""
    return _gradient_of_leaves(theta, x, t, total, first, losses, gradients)


def complete_gradient(theta, total, loss, gradient):
    """The loss E from the sum over all leaves, `loss`; `gradient`, their gradients' sum, becomes that of E."""
    return _complete_gradient(theta, total, loss, gradient)


# All above is compiled when it is called, and `init`, `pack` and `unpack` are added.
build(
    globals(),
    emitted="df1b6097664af28a",
    inlined=['exp_times', 'exp', 'log', 'tanh', '_gradient_at_the_end'],
    compiled=['_prediction_of_chunk', '_gradient_of_leaf'],
)
