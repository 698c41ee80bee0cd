"""custom: a 3-16-16-2 network, its loss and gradient.

Emitted by symgrad 0.1.0 from custom.toml. Do not edit: change the spec, and
    symgrad compile custom.toml
Spec, sha256: 09221b7b79fa3c9d803addd55f057ea423b06fe2342052189738eb7dcc99a567
Options: order = loss-first, dtype = float64; arithmetic version 3

The one expression, its shared parts named:

    z1[n,i1]         = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    part_of_a1[n,i1] = 1/(1 + exp(-1.5·z1[n,i1]))
    a1[n,i1]         = part_of_a1[n,i1]·z1[n,i1]
    z2[n,i2]         = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    part_of_a2[n,i2] = exp(-¼·z2[n,i2]²)
    a2[n,i2]         = 0.1·z2[n,i2] + part_of_a2[n,i2]
    y[n,i3]          = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    y_minus_t[n,i3]  = y[n,i3] - t[n,i3]
    part_of_e[n,i3]  = 1 + (4/9)·y_minus_t[n,i3]²
    e[n]             = 2.25·Σ_i3 (sqrt(part_of_e[n,i3]) - 1)
    E                = Σ_n e[n]/N

and its derivative by all the weights at once is `_samples_of_leaf` and `_sums_of_leaf`: to be read first.
Operations for one sample: the loss 845, loss and gradient 1937.

x is of shape (samples, 3), t of shape (samples, 2), theta holds all weights, see PARAMETERS.
Samples are summed in leaves of 128, and leaves in a binary tree, so that results do not depend
on threads. A function of your own under @njit(cache=True) keeps the code it was compiled with: after
emitting this file anew, touch yours.
"""

import numpy as np

try:
    if __package__:
        from ._symgrad_a3998de6f7438c86 import build, fma, local, matmul, matmul_piece, noinline, opaque, sum_rows, view
    else:
        from _symgrad_a3998de6f7438c86 import build, fma, local, matmul, matmul_piece, noinline, opaque, sum_rows, view
except ModuleNotFoundError as error:
    if error.name not in ("_symgrad_a3998de6f7438c86", f"{__package__}._symgrad_a3998de6f7438c86"):
        raise
    raise ImportError("_symgrad_a3998de6f7438c86.py is missing: copy it along with this file, beside it") from None

__all__ = [
    "PARAMETERS", "SIZE", "SPEC", "complete_gradient", "gradient_of_leaves", "init", "loss",
    "loss_and_gradient", "loss_and_gradient_into", "pack", "predict", "step", "unpack",
]

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

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 370
PARAMETERS = {'W1': (0, (3, 16)), 'b1': (48, (16,)), 'W2': (64, (16, 16)), 'b2': (320, (16,)),
 'W3': (336, (16, 2)), 'b3': (368, (2,))}
I0, I1, I2, I3 = SPEC["inputs"], *(layer["units"] for layer in SPEC["layers"])

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


def sigmoid(z):
    """1/(1 + exp(-z)), without overflow. Within 2.5 ulp."""
    q = exp(-abs(z))
    return (q if z < 0.0 else 1.0) / (q + 1.0)


# From how many samples on threads pay; how many numbers of scratch memory some samples take.
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 730, 16384, (0, 8192)


def _prediction_of_chunk(theta, xs, ys, scratch):
    """Writes the output of a chunk of samples. 512 at a time, in scratch memory."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    W1, b1, W2, b2, W3, b3 = parameters(theta)
    for start in range(0, xs.shape[0], 512):
        end = min(start + 512, xs.shape[0])
        rows = end - start
        x, y = xs[start:end], ys[start:end]
        z1 = view(scratch, PREDICTION_PLACES[0], (rows, I1))
        z2 = view(scratch, PREDICTION_PLACES[1], (rows, I2))
        a1 = z1  # in the same memory, one after the other
        a2 = z2  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        matmul(x, W1, z1, b1)
        for n in range(rows):
            # a1[n,i1] = z1[n,i1]/(1 + exp(-1.5·z1[n,i1]))
            for i1 in range(units1):
                a1[n, i1] = z1[n, i1] * sigmoid(1.5 * z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # a2[n,i2] = 0.1·z2[n,i2] + exp(-¼·z2[n,i2]²)
            for i2 in range(units2):
                a2[n, i2] = 0.1 * z2[n, i2] + exp((-0.25) * (z2[n, i2] * z2[n, i2]))
        # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, y, b3)


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH, GRADIENT_PLACES = 310, 17024, (12288, 8192, 0, 14336, 10240, 2048, 16640, 16896, 16384, 6144, 4096)


def _samples_of_leaf(theta, xs, ts, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    W1, b1, W2, b2, W3, b3 = parameters(theta)
    rows = last - first
    x, t = xs[first:last], ts[first:last]
    z1 = view(scratch, GRADIENT_PLACES[0] + first * I1, (rows, I1))
    part_of_a1 = view(scratch, GRADIENT_PLACES[1] + first * I1, (rows, I1))
    a1 = view(scratch, GRADIENT_PLACES[2] + first * I1, (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[3] + first * I2, (rows, I2))
    part_of_a2 = view(scratch, GRADIENT_PLACES[4] + first * I2, (rows, I2))
    a2 = view(scratch, GRADIENT_PLACES[5] + first * I2, (rows, I2))
    y = view(scratch, GRADIENT_PLACES[6] + first * I3, (rows, I3))
    e = view(scratch, GRADIENT_PLACES[7] + first, (rows,))
    d_y = view(scratch, GRADIENT_PLACES[8] + first * I3, (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[9] + first * I2, (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[10] + first * I1, (rows, I1))
    y_minus_t = local(I3, np.float64)
    part_of_e = local(I3, np.float64)
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    matmul(x, W1, z1, b1)
    for n in range(rows):
        # part_of_a1[n,i1] = 1/(1 + exp(-1.5·z1[n,i1]))
        # a1[n,i1] = part_of_a1[n,i1]·z1[n,i1]
        for i1 in range(units1):
            part_of_a1[n, i1] = sigmoid(1.5 * z1[n, i1])
            a1[n, i1] = part_of_a1[n, i1] * z1[n, i1]
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # part_of_a2[n,i2] = exp(-¼·z2[n,i2]²)
        # a2[n,i2] = 0.1·z2[n,i2] + part_of_a2[n,i2]
        for i2 in range(units2):
            part_of_a2[n, i2] = exp((-0.25) * (z2[n, i2] * z2[n, i2]))
            a2[n, i2] = 0.1 * z2[n, i2] + part_of_a2[n, i2]
    # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, y, b3)
    for n in range(rows):
        # y_minus_t[n,i3] = y[n,i3] - t[n,i3]
        # part_of_e[n,i3] = 1 + (4/9)·y_minus_t[n,i3]²
        for i3 in range(I3):
            y_minus_t[i3] = y[n, i3] - t[n, i3]
            part_of_e[i3] = 1.0 + 0.4444444444444444 * (y_minus_t[i3] * y_minus_t[i3])
        # loss: e[n] = 2.25·Σ_i3 (sqrt(part_of_e[n,i3]) - 1)
        total = 0.0
        for i3 in range(I3):
            total = fma(2.25, np.sqrt(part_of_e[i3]) - 1.0, total)
        e[n] = total
        if gradient is None:
            continue  # the loss is known
        # layer 3, backward: d_y[n,i3] = y_minus_t[n,i3]/(N·sqrt(part_of_e[n,i3]))
        for i3 in range(I3):
            d_y[n, i3] = y_minus_t[i3] / N / np.sqrt(part_of_e[i3])
    if gradient is None:
        return
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_y[n,i3]·W3[i2,i3]
    matmul(d_y, W3.T, d_a2)
    for n in range(rows):
        # d_z2[n,i2] = d_a2[n,i2]·(0.1 - ½·part_of_a2[n,i2]·z2[n,i2])
        for i2 in range(units2):
            d_z2[n, i2] = d_a2[n, i2] * (0.1 - 0.5 * part_of_a2[n, i2] * z2[n, i2])
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_a1)
    for n in range(rows):
        # d_z1[n,i1] = d_a1[n,i1]·(1.5·part_of_a1[n,i1]·z1[n,i1]/(1 + exp(1.5·z1[n,i1])) + part_of_a1[n,i1])
        for i1 in range(units1):
            d_z1[n, i1] = d_a1[n, i1] * (1.5 * part_of_a1[n, i1] * z1[n, i1] * sigmoid((-1.5) * z1[n, i1]) + part_of_a1[n, i1])


def _sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3 = parameters(gradient)
    a1 = view(scratch, GRADIENT_PLACES[2], (rows, I1))
    a2 = view(scratch, GRADIENT_PLACES[5], (rows, I2))
    e = view(scratch, GRADIENT_PLACES[7], (rows,))
    d_y = view(scratch, GRADIENT_PLACES[8], (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[9], (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[10], (rows, I1))
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 3, backward: d_b3[i3] = Σ_n d_y[n,i3]
        sum_rows(d_y, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 3, backward: d_W3[i2,i3] = Σ_n a2[n,i2]·d_y[n,i3]
    matmul_piece(a2.T, d_y, d_W3, piece, pieces)
    # layer 2, backward: d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    matmul_piece(a1.T, d_z2, d_W2, piece, pieces)
    # layer 1, backward: d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    matmul_piece(x.T, d_z1, d_W1, piece, pieces)
    return E_sum


def _gradient_at_the_end(N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


def predict(theta, x):
    """The network's output y, of shape (samples, 2), for x of shape (samples, 3)."""
    return _predict(theta, x)


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 3) and t of shape (samples, 2)."""
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
    emitted="4d2e49a31205684a",
    inlined=['exp_times', 'exp', 'sigmoid', '_gradient_at_the_end'],
    compiled=['_prediction_of_chunk', '_samples_of_leaf', '_sums_of_leaf'],
)
