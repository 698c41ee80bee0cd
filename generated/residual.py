"""residual: a 8-32-32-32-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from residual.toml. Do not edit: change the spec, and
    symgrad compile residual.toml
Spec, sha256: 3be02e48179023bcab9caf306477ef8ea1ad66c5976b417b528d1f28fe4e0035
Options: order = loss-first, dtype = float32; arithmetic version 3

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

and its derivative by all the weights at once is `_samples_of_leaf` and `_sums_of_leaf`: to be read first.
Operations for one sample: the loss 9576, loss and gradient 23435.

x is of shape (samples, 8), t of shape (samples, 1), theta holds all weights, see PARAMETERS.
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

SPEC = {'name': 'residual',
 'dtype': 'float32',
 'inputs': 8,
 'layers': [{'units': 32, 'activation': 'silu', 'bias': False, 'residual': False},
            {'units': 32, 'activation': 'silu', 'bias': True, 'residual': True},
            {'units': 32, 'activation': 'silu', 'bias': True, 'residual': True},
            {'units': 1, 'activation': 'identity', 'bias': True, 'residual': False}],
 'loss': {'kind': 'huber', 'l1': 1e-05, 'l2': 0.0, 'sample_weights': True},
 'activations': {}}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 2401
PARAMETERS = {'W1': (0, (8, 32)), 'W2': (256, (32, 32)), 'b2': (1280, (32,)), 'W3': (1312, (32, 32)),
 'b3': (2336, (32,)), 'W4': (2368, (32, 1)), 'b4': (2400, (1,))}
I0, I1, I2, I3, I4 = SPEC["inputs"], *(layer["units"] for layer in SPEC["layers"])

F = np.float32  # constants are written F(0.5): a bare 0.5 would make float32 expressions float64

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float32. Errors are bounds on what was measured over all numbers of the dtype.


def clip(u):
    return F(1.0) if u > F(1.0) else (-F(1.0) if u < -F(1.0) else u)


def huber(u):
    return abs(u) - F(0.5) if abs(u) > F(1.0) else F(0.5) * u * u


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


def exp(u):
    """Within 1.5 ulp."""
    u = min(max(u, F(-170.0)), F(170.0))
    return exp_times(F(1.0), u, -F(0.0))


def sigmoid(z):
    """1/(1 + exp(-z)), without overflow. Within 2.5 ulp."""
    q = exp(-abs(z))
    return (q if z < F(0.0) else F(1.0)) / (q + F(1.0))


def sign(u):
    return F(1.0) if u > F(0.0) else (-F(1.0) if u < F(0.0) else u)


def silu(z):
    """z/(1 + exp(-z)), without overflow. Within 3.5 ulp."""
    a = min(abs(z), F(170.0))
    q = exp_times(F(1.0), -a, -F(0.0))
    return (exp_times(-a, -a, -F(0.0)) if z < F(0.0) else z) / (q + F(1.0))


# From how many samples on threads pay; how many numbers of scratch memory some samples take.
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 360, 32768, (0, 16384, 0)


def _prediction_of_chunk(theta, xs, ys, scratch):
    """Writes the output of a chunk of samples. 512 at a time, in scratch memory."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    for start in range(0, xs.shape[0], 512):
        end = min(start + 512, xs.shape[0])
        rows = end - start
        x, y = xs[start:end], ys[start:end]
        z1 = view(scratch, PREDICTION_PLACES[0], (rows, I1))
        z2 = view(scratch, PREDICTION_PLACES[1], (rows, I2))
        z3 = view(scratch, PREDICTION_PLACES[2], (rows, I3))
        a1 = z1  # in the same memory, one after the other
        a2 = z2  # in the same memory, one after the other
        a3 = z3  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
        matmul(x, W1, z1)
        for n in range(rows):
            # a1[n,i1] = silu(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = silu(z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # a2[n,i2] = silu(z2[n,i2]) + a1[n,i2]
            for i2 in range(units2):
                a2[n, i2] = silu(z2[n, i2]) + a1[n, i2]
        # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, z3, b3)
        for n in range(rows):
            # a3[n,i3] = silu(z3[n,i3]) + a2[n,i3]
            for i3 in range(units3):
                a3[n, i3] = silu(z3[n, i3]) + a2[n, i3]
        # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        matmul(a3, W4, y, b4)


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH, GRADIENT_PLACES = 110, 45440, (32768, 20480, 36864, 24576, 0, 40960, 28672, 4096, 45312, 45184, 45056, 8192, 16384, 12288)


def _totals(w):
    """What the losses and the gradient of every sample need of all samples."""
    noinline()
    samples = w.shape[0]
    # loss: w_total = Σ_n w[n]
    w_total_sum = 0.0
    for n in range(samples):
        w_total_sum += w[n]
    w_total = F(w_total_sum)
    return w_total


def _samples_of_leaf(theta, xs, ts, ws, w_total, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    rows = last - first
    x, t, w = xs[first:last], ts[first:last], ws[first:last]
    z1 = view(scratch, GRADIENT_PLACES[0] + first * I1, (rows, I1))
    sigmoid_z1 = view(scratch, GRADIENT_PLACES[1] + first * I1, (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[2] + first * I2, (rows, I2))
    sigmoid_z2 = view(scratch, GRADIENT_PLACES[3] + first * I2, (rows, I2))
    a2 = view(scratch, GRADIENT_PLACES[4] + first * I2, (rows, I2))
    z3 = view(scratch, GRADIENT_PLACES[5] + first * I3, (rows, I3))
    sigmoid_z3 = view(scratch, GRADIENT_PLACES[6] + first * I3, (rows, I3))
    a3 = view(scratch, GRADIENT_PLACES[7] + first * I3, (rows, I3))
    y = view(scratch, GRADIENT_PLACES[8] + first * I4, (rows, I4))
    e = view(scratch, GRADIENT_PLACES[9] + first, (rows,))
    d_y = view(scratch, GRADIENT_PLACES[10] + first * I4, (rows, I4))
    d_a3 = view(scratch, GRADIENT_PLACES[11] + first * I3, (rows, I3))
    d_z3_W3 = view(scratch, GRADIENT_PLACES[12] + first * I2, (rows, I2))
    d_z2_W2 = view(scratch, GRADIENT_PLACES[13] + first * I1, (rows, I1))
    y_minus_t = local(I4, F)
    a1 = z1  # in the same memory, one after the other
    silu_z2 = z2  # in the same memory, one after the other
    silu_z3 = z3  # in the same memory, one after the other
    d_z3 = z3  # in the same memory, one after the other
    d_a2 = d_z3_W3  # in the same memory, one after the other
    d_z2 = z2  # in the same memory, one after the other
    d_z1 = sigmoid_z1  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]
    matmul(x, W1, z1)
    for n in range(rows):
        # sigmoid_z1[n,i1] = sigmoid(z1[n,i1])
        # a1[n,i1] = sigmoid_z1[n,i1]·z1[n,i1]
        for i1 in range(units1):
            sigmoid_z1[n, i1] = sigmoid(z1[n, i1])
            a1[n, i1] = sigmoid_z1[n, i1] * z1[n, i1]
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # sigmoid_z2[n,i2] = sigmoid(z2[n,i2])
        # silu_z2[n,i2] = sigmoid_z2[n,i2]·z2[n,i2]
        # a2[n,i2] = a1[n,i2] + silu_z2[n,i2]
        for i2 in range(units2):
            sigmoid_z2[n, i2] = sigmoid(z2[n, i2])
            silu_z2[n, i2] = sigmoid_z2[n, i2] * z2[n, i2]
            a2[n, i2] = a1[n, i2] + silu_z2[n, i2]
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # sigmoid_z3[n,i3] = sigmoid(z3[n,i3])
        # silu_z3[n,i3] = sigmoid_z3[n,i3]·z3[n,i3]
        # a3[n,i3] = a2[n,i3] + silu_z3[n,i3]
        for i3 in range(units3):
            sigmoid_z3[n, i3] = sigmoid(z3[n, i3])
            silu_z3[n, i3] = sigmoid_z3[n, i3] * z3[n, i3]
            a3[n, i3] = a2[n, i3] + silu_z3[n, i3]
    # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    matmul(a3, W4, y, b4)
    for n in range(rows):
        # y_minus_t[n,i4] = y[n,i4] - t[n,i4]
        for i4 in range(I4):
            y_minus_t[i4] = y[n, i4] - t[n, i4]
        # loss: e[n] = Σ_i4 huber(y_minus_t[n,i4])
        total = F(0.0)
        for i4 in range(I4):
            total += huber(y_minus_t[i4])
        e[n] = total
        if gradient is None:
            continue  # the loss is known
        # loss, backward: d_e[n] = w[n]/w_total
        d_e = w[n] / w_total
        # layer 4, backward: d_y[n,i4] = d_e[n]·clip(y_minus_t[n,i4])
        for i4 in range(I4):
            d_y[n, i4] = d_e * clip(y_minus_t[i4])
    if gradient is None:
        return
    # layer 3, backward: d_a3[n,i3] = Σ_i4 d_y[n,i4]·W4[i3,i4]
    matmul(d_y, W4.T, d_a3)
    for n in range(rows):
        # d_z3[n,i3] = d_a3[n,i3]·(silu_z3[n,i3]·(1 - sigmoid_z3[n,i3]) + sigmoid_z3[n,i3])
        for i3 in range(units3):
            d_z3[n, i3] = d_a3[n, i3] * (silu_z3[n, i3] * (F(1.0) - sigmoid_z3[n, i3]) + sigmoid_z3[n, i3])
    # layer 2, backward: d_z3_W3[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_z3_W3)
    for n in range(rows):
        # d_a2[n,i2] = d_a3[n,i2] + d_z3_W3[n,i2]
        # d_z2[n,i2] = d_a2[n,i2]·(silu_z2[n,i2]·(1 - sigmoid_z2[n,i2]) + sigmoid_z2[n,i2])
        for i2 in range(units2):
            d_a2[n, i2] = d_a3[n, i2] + d_z3_W3[n, i2]
            d_z2[n, i2] = d_a2[n, i2] * (silu_z2[n, i2] * (F(1.0) - sigmoid_z2[n, i2]) + sigmoid_z2[n, i2])
    # layer 1, backward: d_z2_W2[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_z2_W2)
    for n in range(rows):
        # d_a1[n,i1] = d_a2[n,i1] + d_z2_W2[n,i1]
        # d_z1[n,i1] = d_a1[n,i1]·(a1[n,i1]·(1 - sigmoid_z1[n,i1]) + sigmoid_z1[n,i1])
        for i1 in range(units1):
            d_a1 = d_a2[n, i1] + d_z2_W2[n, i1]
            d_z1[n, i1] = d_a1 * (a1[n, i1] * (F(1.0) - sigmoid_z1[n, i1]) + sigmoid_z1[n, i1])


def _sums_of_leaf(x, w, w_total, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_W2, d_b2, d_W3, d_b3, d_W4, d_b4 = parameters(gradient)
    z1 = view(scratch, GRADIENT_PLACES[0], (rows, I1))
    sigmoid_z1 = view(scratch, GRADIENT_PLACES[1], (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[2], (rows, I2))
    a2 = view(scratch, GRADIENT_PLACES[4], (rows, I2))
    z3 = view(scratch, GRADIENT_PLACES[5], (rows, I3))
    a3 = view(scratch, GRADIENT_PLACES[7], (rows, I3))
    e = view(scratch, GRADIENT_PLACES[9], (rows,))
    d_y = view(scratch, GRADIENT_PLACES[10], (rows, I4))
    d_z3 = z3  # in the same memory, one after the other
    d_z2 = z2  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    d_z1 = sigmoid_z1  # in the same memory, one after the other
    a3_d_y = d_W4  # its sum over the samples; what else is in it is added at the end
    a2_d_z3 = d_W3  # its sum over the samples; what else is in it is added at the end
    a1_d_z2 = d_W2  # its sum over the samples; what else is in it is added at the end
    x_d_z1 = d_W1  # its sum over the samples; what else is in it is added at the end
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]·w[n]/w_total + R1 + R2 + R3 + R4: the sum over n here, the rest when it is complete
            E_sum += e[n] * w[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 4, backward: d_b4[i4] = Σ_n d_y[n,i4]
        sum_rows(d_y, d_b4)
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
    # layer 4, backward: a3_d_y[i3,i4] = Σ_n a3[n,i3]·d_y[n,i4]
    matmul_piece(a3.T, d_y, a3_d_y, piece, pieces)
    # layer 3, backward: a2_d_z3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    matmul_piece(a2.T, d_z3, a2_d_z3, piece, pieces)
    # layer 2, backward: a1_d_z2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    matmul_piece(a1.T, d_z2, a1_d_z2, piece, pieces)
    # layer 1, backward: x_d_z1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    matmul_piece(x.T, d_z1, x_d_z1, piece, pieces)
    return E_sum


def _gradient_at_the_end(theta, w_total, gradient, E_sum):
    """The loss E and, if that is wanted, the rest of its gradient, from the sum over samples."""
    noinline()
    units0 = opaque(I0)
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, W2, _, W3, _, W4, _ = parameters(theta)
    d_W1, d_W2, _, d_W3, _, d_W4, _ = parameters(gradient)
    # loss: R1 = 1e-05·Σ_i0,i1 |W1[i0,i1]|
    R1_sum = 0.0
    for i0 in range(units0):
        for i1 in range(units1):
            R1_sum += F(1e-05) * abs(W1[i0, i1])
    R1 = R1_sum
    # R2 = 1e-05·Σ_i1,i2 |W2[i1,i2]|
    R2_sum = 0.0
    for i1 in range(units1):
        for i2 in range(units2):
            R2_sum += F(1e-05) * abs(W2[i1, i2])
    R2 = R2_sum
    # R3 = 1e-05·Σ_i2,i3 |W3[i2,i3]|
    R3_sum = 0.0
    for i2 in range(units2):
        for i3 in range(units3):
            R3_sum += F(1e-05) * abs(W3[i2, i3])
    R3 = R3_sum
    # R4 = 1e-05·Σ_i3,i4 |W4[i3,i4]|
    R4_sum = 0.0
    for i3 in range(units3):
        for i4 in range(I4):
            R4_sum += F(1e-05) * abs(W4[i3, i4])
    R4 = R4_sum
    E = E_sum / w_total + R1 + R2 + R3 + R4
    if gradient is None:
        return E
    a3_d_y = d_W4  # its sum over the samples; what else is in it is added at the end
    a2_d_z3 = d_W3  # its sum over the samples; what else is in it is added at the end
    a1_d_z2 = d_W2  # its sum over the samples; what else is in it is added at the end
    x_d_z1 = d_W1  # its sum over the samples; what else is in it is added at the end
    # layer 4, backward: d_W4[i3,i4] = 1e-05·sign(W4[i3,i4]) + a3_d_y[i3,i4]
    for i3 in range(units3):
        for i4 in range(I4):
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
    return E


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 8)."""
    return _predict(theta, x)


def loss(theta, x, t, w):
    """The loss E, a float, for x of shape (samples, 8) and t of shape (samples, 1)."""
    return _loss(theta, x, t, w)


def loss_and_gradient(theta, x, t, w):
    """The loss E and its derivative by every weight, an array like theta."""
    return _loss_and_gradient(theta, x, t, w)


def loss_and_gradient_into(theta, x, t, w, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    return _loss_and_gradient_into(theta, x, t, w, gradient)


def step(theta, x, t, w, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    return _step(theta, x, t, w, rate)


def gradient_of_leaves(theta, x, t, w, total, first, losses, gradients):
    """Of a range of leaves, for many workers: loss and gradient of each of its largest subtrees, into
    `losses` (float64) and rows of `gradients`. Returns how many. x, t, w have whole leaves,
    but for the last of all; `first` is the number of the first one here, `total` the sum of w over all samples."""
    return _gradient_of_leaves(theta, x, t, w, total, first, losses, gradients)


def complete_gradient(theta, total, loss, gradient):
    """The loss E from the sum over all leaves, `loss`; `gradient`, their gradients' sum, becomes that of E."""
    return _complete_gradient(theta, total, loss, gradient)


# All above is compiled when it is called, and `init`, `pack` and `unpack` are added.
build(
    globals(),
    emitted="0af796689be66787",
    inlined=['clip', 'huber', 'exp_times', 'exp', 'sigmoid', 'sign', 'silu'],
    compiled=['_prediction_of_chunk', '_totals', '_samples_of_leaf', '_sums_of_leaf', '_gradient_at_the_end'],
)
