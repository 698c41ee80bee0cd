"""pendulum: a 2-32-32-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from pendulum.toml. Do not edit: change the spec, and
    symgrad compile pendulum.toml
Spec, sha256: 7e7f8e81209182d38b25b8dccb9a68e4ffc994e4acb09cd4185e7ced89ae6d47
Options: order = loss-first, dtype = float64; arithmetic version 3

The one expression, its shared parts named:

    z1[n,i1]                   = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1]                   = tanh(z1[n,i1])
    z2[n,i2]                   = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    a2[n,i2]                   = tanh(z2[n,i2])
    one_minus_a1_squared[n,i1] = 1 - a1[n,i1]²
    d_a1_d_q[n,i1]             = one_minus_a1_squared[n,i1]·W1[0,i1]
    d_z2_d_q[n,i2]             = Σ_i1 d_a1_d_q[n,i1]·W2[i1,i2]
    one_minus_a2_squared[n,i2] = 1 - a2[n,i2]²
    d_a2_d_q[n,i2]             = one_minus_a2_squared[n,i2]·d_z2_d_q[n,i2]
    d_y_d_q[n,i3]              = Σ_i2 d_a2_d_q[n,i2]·W3[i2,i3]
    d_a1_d_p[n,i1]             = one_minus_a1_squared[n,i1]·W1[1,i1]
    d_z2_d_p[n,i2]             = Σ_i1 d_a1_d_p[n,i1]·W2[i1,i2]
    d_a2_d_p[n,i2]             = one_minus_a2_squared[n,i2]·d_z2_d_p[n,i2]
    d_y_d_p[n,i3]              = Σ_i2 d_a2_d_p[n,i2]·W3[i2,i3]
    d_y_d_p_minus_t[n]         = d_y_d_p[n,0] - t[n,0]
    d_y_d_q_plus_t[n]          = d_y_d_q[n,0] + t[n,1]
    e[n]                       = d_y_d_p_minus_t[n]² + d_y_d_q_plus_t[n]²
    E                          = Σ_n e[n]/N

and its derivative by all the weights at once is `_samples_of_leaf` and `_sums_of_leaf`: to be read first.
Operations for one sample: the loss 6659, loss and gradient 19109.
    jacobian: 4574 operations for one sample, loss-first (weights-first 6814)

x is of shape (samples, 2), t of shape (samples, 2), theta holds all weights, see PARAMETERS.
Columns of x: q, p.
Columns of t: dq, dp.
Samples are summed in leaves of 128, and leaves in a binary tree, so that results do not depend
on threads. A function of your own under @njit(cache=True) keeps the code it was compiled with: after
emitting this file anew, touch yours.
"""

import numpy as np

try:
    if __package__:
        from ._symgrad_a3998de6f7438c86 import build, flat, fma, matmul, matmul_onto, matmul_piece, matmul_piece_onto, noinline, opaque, sum_rows, view
    else:
        from _symgrad_a3998de6f7438c86 import build, flat, fma, matmul, matmul_onto, matmul_piece, matmul_piece_onto, noinline, opaque, sum_rows, view
except ModuleNotFoundError as error:
    if error.name not in ("_symgrad_a3998de6f7438c86", f"{__package__}._symgrad_a3998de6f7438c86"):
        raise
    raise ImportError("_symgrad_a3998de6f7438c86.py is missing: copy it along with this file, beside it") from None

__all__ = [
    "PARAMETERS", "SIZE", "SPEC", "complete_gradient", "gradient_of_leaves", "init", "jacobian",
    "jacobian_into", "loss", "loss_and_gradient", "loss_and_gradient_into", "pack", "predict",
    "step", "unpack",
]

SPEC = {'name': 'pendulum',
 'dtype': 'float64',
 'inputs': ['q', 'p'],
 'layers': [{'units': 32, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 32, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 1,
             'activation': 'identity',
             'bias': True,
             'residual': False,
             'names': ['H']}],
 'loss': {'formula': '(D(H, p) - dq)**2 + (D(H, q) + dp)**2',
          'constants': {},
          'targets': ['dq', 'dp'],
          'l1': 0.0,
          'l2': 0.0,
          'sample_weights': False},
 'activations': {},
 'derivatives': ['jacobian']}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 1185
PARAMETERS = {'W1': (0, (2, 32)), 'b1': (64, (32,)), 'W2': (96, (32, 32)), 'b2': (1120, (32,)),
 'W3': (1152, (32, 1)), 'b3': (1184, (1,))}
I0, I1, I2, I3 = len(SPEC["inputs"]), *(layer["units"] for layer in SPEC["layers"])

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float64. Errors are bounds on what was measured over all exponents, at random numbers.


def square(u):
    return u * u


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
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 800, 32768, (0, 16384)


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
            # a1[n,i1] = tanh(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = tanh(z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # a2[n,i2] = tanh(z2[n,i2])
            for i2 in range(units2):
                a2[n, i2] = tanh(z2[n, i2])
        # layer 3, forward: y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, y, b3)


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH, GRADIENT_PLACES = 65, 70272, (61440, 65536, 53248, 4096, 49152, 57344, 12288, 70016, 0, 45056, 8192, 69888, 70144, 69632, 24576, 32768, 16384, 69760, 28672, 20480, 36864, 40960)


def _samples_of_leaf(theta, xs, ts, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    W1, b1, W2, b2, W3, _ = parameters(theta)
    rows = last - first
    x, t = xs[first:last], ts[first:last]
    z1 = view(scratch, GRADIENT_PLACES[0] + first * I1, (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[1] + first * I2, (rows, I2))
    one_minus_a1_squared = view(scratch, GRADIENT_PLACES[2] + first * I1, (rows, I1))
    d_a1_d_q = view(scratch, GRADIENT_PLACES[3] + first * I1, (rows, I1))
    d_z2_d_q = view(scratch, GRADIENT_PLACES[4] + first * I2, (rows, I2))
    one_minus_a2_squared = view(scratch, GRADIENT_PLACES[5] + first * I2, (rows, I2))
    d_a2_d_q = view(scratch, GRADIENT_PLACES[6] + first * I2, (rows, I2))
    d_y_d_q = view(scratch, GRADIENT_PLACES[7] + first * I3, (rows, I3))
    d_a1_d_p = view(scratch, GRADIENT_PLACES[8] + first * I1, (rows, I1))
    d_z2_d_p = view(scratch, GRADIENT_PLACES[9] + first * I2, (rows, I2))
    d_a2_d_p = view(scratch, GRADIENT_PLACES[10] + first * I2, (rows, I2))
    d_y_d_p = view(scratch, GRADIENT_PLACES[11] + first * I3, (rows, I3))
    d_y_d_q_plus_t = view(scratch, GRADIENT_PLACES[12] + first, (rows,))
    d_d_y_d_p = view(scratch, GRADIENT_PLACES[13] + first * I3, (rows, I3))
    d_d_a2_d_p = view(scratch, GRADIENT_PLACES[14] + first * I2, (rows, I2))
    d_d_z2_d_p = view(scratch, GRADIENT_PLACES[15] + first * I2, (rows, I2))
    d_d_a1_d_p = view(scratch, GRADIENT_PLACES[16] + first * I1, (rows, I1))
    d_d_y_d_q = view(scratch, GRADIENT_PLACES[17] + first * I3, (rows, I3))
    d_d_a2_d_q = view(scratch, GRADIENT_PLACES[18] + first * I2, (rows, I2))
    d_d_a1_d_q = view(scratch, GRADIENT_PLACES[19] + first * I1, (rows, I1))
    d_one_minus_a1_squared = view(scratch, GRADIENT_PLACES[20] + first * I1, (rows, I1))
    d_z2_W2 = view(scratch, GRADIENT_PLACES[21] + first * I1, (rows, I1))
    a1 = z1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    e = d_y_d_q_plus_t  # in the same memory, one after the other
    d_d_z2_d_q = d_d_a2_d_q  # in the same memory, one after the other
    d_z2 = one_minus_a2_squared  # in the same memory, one after the other
    d_z1 = d_z2_W2  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    matmul(x, W1, z1, b1)
    for n in range(rows):
        # a1[n,i1] = tanh(z1[n,i1])
        # one_minus_a1_squared[n,i1] = 1 - a1[n,i1]²
        # d_a1_d_q[n,i1] = one_minus_a1_squared[n,i1]·W1[0,i1]
        # d_a1_d_p[n,i1] = one_minus_a1_squared[n,i1]·W1[1,i1]
        for i1 in range(units1):
            a1[n, i1] = tanh(z1[n, i1])
            one_minus_a1_squared[n, i1] = 1.0 - a1[n, i1] * a1[n, i1]
            d_a1_d_q[n, i1] = one_minus_a1_squared[n, i1] * W1[0, i1]
            d_a1_d_p[n, i1] = one_minus_a1_squared[n, i1] * W1[1, i1]
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # a2[n,i2] = tanh(z2[n,i2])
        # one_minus_a2_squared[n,i2] = 1 - a2[n,i2]²
        for i2 in range(units2):
            a2[n, i2] = tanh(z2[n, i2])
            one_minus_a2_squared[n, i2] = 1.0 - a2[n, i2] * a2[n, i2]
    # d_z2_d_q[n,i2] = Σ_i1 d_a1_d_q[n,i1]·W2[i1,i2]
    matmul(d_a1_d_q, W2, d_z2_d_q)
    for n in range(rows):
        # d_a2_d_q[n,i2] = one_minus_a2_squared[n,i2]·d_z2_d_q[n,i2]
        for i2 in range(units2):
            d_a2_d_q[n, i2] = one_minus_a2_squared[n, i2] * d_z2_d_q[n, i2]
    # layer 3, forward: d_y_d_q[n,i3] = Σ_i2 d_a2_d_q[n,i2]·W3[i2,i3]
    matmul(d_a2_d_q, W3, d_y_d_q)
    # layer 2, forward: d_z2_d_p[n,i2] = Σ_i1 d_a1_d_p[n,i1]·W2[i1,i2]
    matmul(d_a1_d_p, W2, d_z2_d_p)
    for n in range(rows):
        # d_a2_d_p[n,i2] = one_minus_a2_squared[n,i2]·d_z2_d_p[n,i2]
        for i2 in range(units2):
            d_a2_d_p[n, i2] = one_minus_a2_squared[n, i2] * d_z2_d_p[n, i2]
        # loss: d_y_d_q_plus_t[n] = d_y_d_q[n,0] + t[n,1]
        d_y_d_q_plus_t[n] = d_y_d_q[n, 0] + t[n, 1]
        # layer 3, backward: d_d_y_d_q[n,i3] = 2·d_y_d_q_plus_t[n]/N
        for i3 in range(I3):
            d_d_y_d_q[n, i3] = 2.0 * d_y_d_q_plus_t[n] / N
    # layer 3, forward: d_y_d_p[n,i3] = Σ_i2 d_a2_d_p[n,i2]·W3[i2,i3]
    matmul(d_a2_d_p, W3, d_y_d_p)
    for n in range(rows):
        # loss: d_y_d_p_minus_t[n] = d_y_d_p[n,0] - t[n,0]
        d_y_d_p_minus_t = d_y_d_p[n, 0] - t[n, 0]
        # e[n] = d_y_d_p_minus_t[n]² + d_y_d_q_plus_t[n]²
        e[n] = d_y_d_p_minus_t * d_y_d_p_minus_t + d_y_d_q_plus_t[n] * d_y_d_q_plus_t[n]
        if gradient is None:
            continue  # the loss is known
        # layer 3, backward: d_d_y_d_p[n,i3] = 2·d_y_d_p_minus_t[n]/N
        for i3 in range(I3):
            d_d_y_d_p[n, i3] = 2.0 * d_y_d_p_minus_t / N
    if gradient is None:
        return
    # layer 2, backward: d_d_a2_d_p[n,i2] = Σ_i3 d_d_y_d_p[n,i3]·W3[i2,i3]
    matmul(d_d_y_d_p, W3.T, d_d_a2_d_p)
    for n in range(rows):
        # d_d_z2_d_p[n,i2] = one_minus_a2_squared[n,i2]·d_d_a2_d_p[n,i2]
        for i2 in range(units2):
            d_d_z2_d_p[n, i2] = one_minus_a2_squared[n, i2] * d_d_a2_d_p[n, i2]
    # layer 1, backward: d_d_a1_d_p[n,i1] = Σ_i2 d_d_z2_d_p[n,i2]·W2[i1,i2]
    matmul(d_d_z2_d_p, W2.T, d_d_a1_d_p)
    # layer 2, backward: d_d_a2_d_q[n,i2] = Σ_i3 d_d_y_d_q[n,i3]·W3[i2,i3]
    matmul(d_d_y_d_q, W3.T, d_d_a2_d_q)
    for n in range(rows):
        # d_one_minus_a2_squared[n,i2] = d_d_a2_d_p[n,i2]·d_z2_d_p[n,i2] + d_d_a2_d_q[n,i2]·d_z2_d_q[n,i2]
        # d_d_z2_d_q[n,i2] = one_minus_a2_squared[n,i2]·d_d_a2_d_q[n,i2]
        # d_a2[n,i2] = -2·a2[n,i2]·d_one_minus_a2_squared[n,i2]
        # d_z2[n,i2] = one_minus_a2_squared[n,i2]·d_a2[n,i2]
        for i2 in range(units2):
            d_one_minus_a2_squared = d_d_a2_d_p[n, i2] * d_z2_d_p[n, i2] + d_d_a2_d_q[n, i2] * d_z2_d_q[n, i2]
            d_d_z2_d_q[n, i2] = one_minus_a2_squared[n, i2] * d_d_a2_d_q[n, i2]
            d_a2 = (-2.0) * a2[n, i2] * d_one_minus_a2_squared
            d_z2[n, i2] = one_minus_a2_squared[n, i2] * d_a2
    # layer 1, backward: d_d_a1_d_q[n,i1] = Σ_i2 d_d_z2_d_q[n,i2]·W2[i1,i2]
    matmul(d_d_z2_d_q, W2.T, d_d_a1_d_q)
    for n in range(rows):
        # d_one_minus_a1_squared[n,i1] = d_d_a1_d_p[n,i1]·W1[1,i1] + d_d_a1_d_q[n,i1]·W1[0,i1]
        for i1 in range(units1):
            d_one_minus_a1_squared[n, i1] = d_d_a1_d_p[n, i1] * W1[1, i1] + d_d_a1_d_q[n, i1] * W1[0, i1]
    # d_z2_W2[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_z2_W2)
    for n in range(rows):
        # d_a1[n,i1] = d_z2_W2[n,i1] - 2·a1[n,i1]·d_one_minus_a1_squared[n,i1]
        # d_z1[n,i1] = one_minus_a1_squared[n,i1]·d_a1[n,i1]
        for i1 in range(units1):
            d_a1 = d_z2_W2[n, i1] - 2.0 * a1[n, i1] * d_one_minus_a1_squared[n, i1]
            d_z1[n, i1] = one_minus_a1_squared[n, i1] * d_a1


def _sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    units1 = opaque(I1)
    d_W1, d_b1, d_W2, d_b2, d_W3, _ = parameters(gradient)
    z1 = view(scratch, GRADIENT_PLACES[0], (rows, I1))
    one_minus_a1_squared = view(scratch, GRADIENT_PLACES[2], (rows, I1))
    d_a1_d_q = view(scratch, GRADIENT_PLACES[3], (rows, I1))
    one_minus_a2_squared = view(scratch, GRADIENT_PLACES[5], (rows, I2))
    d_a2_d_q = view(scratch, GRADIENT_PLACES[6], (rows, I2))
    d_a1_d_p = view(scratch, GRADIENT_PLACES[8], (rows, I1))
    d_a2_d_p = view(scratch, GRADIENT_PLACES[10], (rows, I2))
    d_y_d_q_plus_t = view(scratch, GRADIENT_PLACES[12], (rows,))
    d_d_y_d_p = view(scratch, GRADIENT_PLACES[13], (rows, I3))
    d_d_z2_d_p = view(scratch, GRADIENT_PLACES[15], (rows, I2))
    d_d_a1_d_p = view(scratch, GRADIENT_PLACES[16], (rows, I1))
    d_d_y_d_q = view(scratch, GRADIENT_PLACES[17], (rows, I3))
    d_d_a2_d_q = view(scratch, GRADIENT_PLACES[18], (rows, I2))
    d_d_a1_d_q = view(scratch, GRADIENT_PLACES[19], (rows, I1))
    d_z2_W2 = view(scratch, GRADIENT_PLACES[21], (rows, I1))
    e = d_y_d_q_plus_t  # in the same memory, one after the other
    d_z2 = one_minus_a2_squared  # in the same memory, one after the other
    d_z1 = d_z2_W2  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    d_d_z2_d_q = d_d_a2_d_q  # in the same memory, one after the other
    rest_of_d_W1 = d_W1  # its sum over the samples; what else is in it is added at the end
    if piece == 0:
        if gradient is not None:
            for i0 in range(I0):
                for i1 in range(I1):
                    d_W1[i0, i1] = 0.0
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
            if gradient is None:
                continue  # the loss is known
            # layer 1, backward: rest_of_d_W1[i0,i1] = (Σ_n one_minus_a1_squared[n,i1]·d_d_a1_d_p[n,i1])·δ(i0,1) + (Σ_n one_minus_a1_squared[n,i1]·d_d_a1_d_q[n,i1])·δ(i0,0)
            for i0 in range(I0):
                for i1 in range(units1):
                    rest_of_d_W1[i0, i1] = fma(one_minus_a1_squared[n, i1] * d_d_a1_d_p[n, i1], 1.0 if i0 == 1 else 0.0, rest_of_d_W1[i0, i1])
                    rest_of_d_W1[i0, i1] = fma(one_minus_a1_squared[n, i1] * d_d_a1_d_q[n, i1], 1.0 if i0 == 0 else 0.0, rest_of_d_W1[i0, i1])
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 3, backward: d_W3[i2,i3] = Σ_n d_a2_d_p[n,i2]·d_d_y_d_p[n,i3] + Σ_n d_a2_d_q[n,i2]·d_d_y_d_q[n,i3]
    matmul_piece(d_a2_d_p.T, d_d_y_d_p, d_W3, piece, pieces)
    matmul_piece_onto(d_a2_d_q.T, d_d_y_d_q, d_W3, piece, pieces)
    # layer 2, backward: d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2] + Σ_n d_a1_d_p[n,i1]·d_d_z2_d_p[n,i2] + Σ_n d_a1_d_q[n,i1]·d_d_z2_d_q[n,i2]
    matmul_piece(a1.T, d_z2, d_W2, piece, pieces)
    matmul_piece_onto(d_a1_d_p.T, d_d_z2_d_p, d_W2, piece, pieces)
    matmul_piece_onto(d_a1_d_q.T, d_d_z2_d_q, d_W2, piece, pieces)
    # layer 1, backward: d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1] + rest_of_d_W1[i0,i1]
    if piece == 0:
        matmul_onto(x.T, d_z1, d_W1)
    return E_sum


def _gradient_at_the_end(N, gradient, E_sum):
    """The loss E and, if that is wanted, the rest of its gradient, from the sum over samples."""
    noinline()
    _, _, _, _, _, d_b3 = parameters(gradient)
    E = E_sum / N
    if gradient is None:
        return E
    # layer 3, backward: d_b3[i3] = 0
    for i3 in range(I3):
        d_b3[i3] = 0.0
    return E


# The same for `jacobian`.
JACOBIAN_THREADED, JACOBIAN_SCRATCH, JACOBIAN_PLACES = 300, 24576, (0, 8192, 16384, 8192)


def _jacobian_of_leaf(theta, xs, d_y_d_xs, scratch):
    """What is computed of some samples. 256 at a time, in scratch memory."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    W1, b1, W2, b2, W3, _ = parameters(theta)
    E_sum = 0.0
    for start in range(0, xs.shape[0], 256):
        end = min(start + 256, xs.shape[0])
        rows = end - start
        x, d_y_d_x = xs[start:end], d_y_d_xs[start:end]
        z1 = view(scratch, JACOBIAN_PLACES[0], (rows, I1))
        z2 = view(scratch, JACOBIAN_PLACES[1], (rows, I2))
        d_y_d_z2 = view(scratch, JACOBIAN_PLACES[2], (rows, I3, I2))
        d_y_d_a1 = view(scratch, JACOBIAN_PLACES[3], (rows, I3, I1))
        a1 = z1  # in the same memory, one after the other
        d_y_d_z1 = d_y_d_a1  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        matmul(x, W1, z1, b1)
        for n in range(rows):
            # a1[n,i1] = tanh(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = tanh(z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # layer 3, backward: d_y_d_z2[n,i3,i2] = W3[i2,i3]·(1 - tanh(z2[n,i2])²)
            for i3 in range(I3):
                for i2 in range(units2):
                    d_y_d_z2[n, i3, i2] = W3[i2, i3] * (1.0 - square(tanh(z2[n, i2])))
        # d_y_d_a1[n,i3,i1] = Σ_i2 d_y_d_z2[n,i3,i2]·W2[i1,i2]
        matmul(flat(d_y_d_z2), W2.T, flat(d_y_d_a1))
        for n in range(rows):
            # d_y_d_z1[n,i3,i1] = d_y_d_a1[n,i3,i1]·(1 - a1[n,i1]²)
            for i3 in range(I3):
                for i1 in range(units1):
                    d_y_d_z1[n, i3, i1] = d_y_d_a1[n, i3, i1] * (1.0 - a1[n, i1] * a1[n, i1])
        # d_y_d_x[n,i3,i0] = Σ_i1 d_y_d_z1[n,i3,i1]·W1[i0,i1]
        matmul(flat(d_y_d_z1), W1.T, d_y_d_x)
    return E_sum


def _jacobian_at_the_end(E_sum):
    """What is added to the sums over samples."""
    return E_sum


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2).

    Columns of x: q, p.
    Columns of y: H.
    """
    return _predict(theta, x)


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 2) and t of shape (samples, 2).

    Columns of x: q, p.
    Columns of t: dq, dp.
    """
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


def jacobian(theta, x):
    """∂y/∂x, of shape (samples, 1, 2): the derivative of every output by every input."""
    d_y_d_x = np.empty((len(x), I3, I0), np.float64)
    _jacobian(theta, x, d_y_d_x)
    return d_y_d_x


def jacobian_into(theta, x, d_y_d_x):
    """The same, written into `d_y_d_x`."""
    _jacobian(theta, x, d_y_d_x)


# All above is compiled when it is called, and `init`, `pack` and `unpack` are added.
build(
    globals(),
    emitted="8630c7437a1aba35",
    inlined=['square', 'tanh', '_jacobian_at_the_end'],
    compiled=['_prediction_of_chunk', '_samples_of_leaf', '_sums_of_leaf', '_gradient_at_the_end',
 '_jacobian_of_leaf'],
    derivatives={'jacobian': {'kernels': {'_gradient_of_leaf': '_jacobian_of_leaf',
                          '_gradient_at_the_end': '_jacobian_at_the_end'},
              'results': {'d_y_d_x': ('samples', 'outputs', 'inputs')},
              'names': {'v_theta': 'v', 'd_y_d_x': 'by_sample'},
              'value': False,
              'summed': 1,
              'by_sample': (1, 2),
              'mirrored': 0,
              'chained': 0}},
)
