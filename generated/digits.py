"""digits: a 64-64-32-10 network, its loss and gradient.

Emitted by symgrad 0.1.0 from digits.toml. Do not edit: change the spec, and
    symgrad compile digits.toml
Spec, sha256: 3e9582c4d84be57bd211f85ec212ca5f481ca1aff0849460ad33ab108f807df2
Options: order = loss-first, dtype = float32; arithmetic version 3

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

and its derivative by all the weights at once is `_samples_of_leaf` and `_sums_of_leaf`: to be read first.
Operations for one sample: the loss 26113, loss and gradient 50377.

One step of adam, which `train_epoch` takes for every batch, is `_update`:

    rest1         = 1 - beta1
    rest2         = 1 - beta2
    pace          = rate/(1 - beta1**s)
    unbias        = 1/sqrt(1 - beta2**s)
    m_next[k]     = beta1·m[k] + rest1·gradient[k]
    v_next[k]     = beta2·v[k] + rest2·gradient[k]²
    theta_next[k] = theta[k] - pace·m_next[k]/(unbias·sqrt(v_next[k]) + epsilon)

x is of shape (samples, 64), t of shape (samples, 10), theta holds all weights, see PARAMETERS.
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
    "PARAMETERS", "SETTINGS", "SIZE", "SPEC", "STATE", "complete_gradient", "gradient_of_leaves",
    "init", "loss", "loss_and_gradient", "loss_and_gradient_into", "pack", "predict", "step",
    "train_epoch", "train_settings", "train_state", "train_steps", "unpack",
]

SPEC = {'name': 'digits',
 'dtype': 'float32',
 'inputs': 64,
 'layers': [{'units': 64, 'activation': 'relu', 'bias': True, 'residual': False},
            {'units': 32, 'activation': 'relu', 'bias': True, 'residual': False},
            {'units': 10, 'activation': 'softmax', 'bias': True, 'residual': False}],
 'loss': {'kind': 'cross_entropy', 'l1': 0.0, 'l2': 0.005, 'sample_weights': False},
 'activations': {},
 'training': {'optimizer': 'adam',
              'schedule': 'constant',
              'warmup': 0.0,
              'batch': 32,
              'epochs': 40,
              'seed': 2,
              'validation': 0.25,
              'standardize': True,
              'constants': {}}}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 6570
PARAMETERS = {'W1': (0, (64, 64)), 'b1': (4096, (64,)), 'W2': (4160, (64, 32)), 'b2': (6208, (32,)),
 'W3': (6240, (32, 10)), 'b3': (6560, (10,))}
I0, I1, I2, I3 = SPEC["inputs"], *(layer["units"] for layer in SPEC["layers"])

# What training is given, and what it is given where nothing is said; a batch of 0 is all samples.
SETTINGS = {'rate': 0.001, 'batch': 32.0, 'beta1': 0.9, 'beta2': 0.999, 'epsilon': 1e-08}

# What the optimizer remembers for each weight.
STATE = ('m', 'v')

F = np.float32  # constants are written F(0.5): a bare 0.5 would make float32 expressions float64

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float32. Errors are bounds on what was measured over all numbers of the dtype.


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


def heaviside(z):
    return F(1.0) if z > F(0.0) else F(0.0)


def log(u):
    """k·log 2 + log m for u = m·2^k, √½ < m < √2; log m by t = 2(m - 1)/(m + 1). Within 2 ulp."""
    small = u < F(1.1754944e-38)
    v = u * F(8388608.0) if small else u
    above_root = F(v).view(np.int32) - 0x3f3504f3
    m = np.int32((above_root & 0x7fffff) + 0x3f3504f3).view(np.float32)
    k = np.int32((above_root >> 23) + 0x4b400000).view(np.float32) - (F(12582935.0) if small else F(12582912.0))
    f = m - F(1.0)
    t = f / fma(F(0.5), f, F(1.0))
    s = t * t
    p = F(0.002333647)
    p = fma(p, s, F(0.012492996))
    p = fma(p, s, F(0.08333347))
    result = fma(k, F(0.69314575), t + fma(t * s, p, k * F(1.4286068e-06)))
    result = result if u < F(np.inf) else u
    return result if u > F(0.0) else (-F(np.inf) if u == F(0.0) else F(np.nan))


def relu(z):
    return F(0.0) if z <= F(0.0) else z


# From how many samples on threads pay; how many numbers of scratch memory some samples take.
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 180, 49152, (0, 32768, 0)


def _prediction_of_chunk(theta, xs, ys, scratch):
    """Writes the output of a chunk of samples. 512 at a time, in scratch memory."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3 = parameters(theta)
    for start in range(0, xs.shape[0], 512):
        end = min(start + 512, xs.shape[0])
        rows = end - start
        x, y = xs[start:end], ys[start:end]
        z1 = view(scratch, PREDICTION_PLACES[0], (rows, I1))
        z2 = view(scratch, PREDICTION_PLACES[1], (rows, I2))
        z3 = view(scratch, PREDICTION_PLACES[2], (rows, I3))
        exp_centered_z3 = local(I3, F)
        a1 = z1  # in the same memory, one after the other
        a2 = z2  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        matmul(x, W1, z1, b1)
        for n in range(rows):
            # a1[n,i1] = relu(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = relu(z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # a2[n,i2] = relu(z2[n,i2])
            for i2 in range(units2):
                a2[n, i2] = relu(z2[n, i2])
        # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, z3, b3)
        for n in range(rows):
            # loss: peak_z3[n] = max_j3 z3[n,j3]
            peak_z3 = F(-np.inf)
            for j3 in range(units3):
                peak_z3 = z3[n, j3] if z3[n, j3] > peak_z3 else peak_z3
            # layer 3, forward: centered_z3[n,i3] = z3[n,i3] - peak_z3[n]
            # exp_centered_z3[n,i3] = exp(centered_z3[n,i3])
            for i3 in range(units3):
                centered_z3 = z3[n, i3] - peak_z3
                exp_centered_z3[i3] = exp(centered_z3)
            # loss: sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
            sum_exp_centered_z3 = F(0.0)
            for j3 in range(units3):
                sum_exp_centered_z3 += exp_centered_z3[j3]
            # layer 3, forward: y[n,i3] = exp_centered_z3[n,i3]/sum_exp_centered_z3[n]
            for i3 in range(units3):
                y[n, i3] = exp_centered_z3[i3] / sum_exp_centered_z3


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH, GRADIENT_PLACES = 87, 27264, (8192, 20480, 25856, 27136, 24576, 16384, 0)


def _samples_of_leaf(theta, xs, ts, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3 = parameters(theta)
    rows = last - first
    x, t = xs[first:last], ts[first:last]
    z1 = view(scratch, GRADIENT_PLACES[0] + first * I1, (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[1] + first * I2, (rows, I2))
    z3 = view(scratch, GRADIENT_PLACES[2] + first * I3, (rows, I3))
    e = view(scratch, GRADIENT_PLACES[3] + first, (rows,))
    d_z3 = view(scratch, GRADIENT_PLACES[4] + first * I3, (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[5] + first * I2, (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[6] + first * I1, (rows, I1))
    centered_z3 = local(I3, F)
    exp_centered_z3 = local(I3, F)
    log_y = local(I3, F)
    d_log_y = local(I3, F)
    a1 = z1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    matmul(x, W1, z1, b1)
    for n in range(rows):
        # a1[n,i1] = relu(z1[n,i1])
        for i1 in range(units1):
            a1[n, i1] = relu(z1[n, i1])
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # a2[n,i2] = relu(z2[n,i2])
        for i2 in range(units2):
            a2[n, i2] = relu(z2[n, i2])
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # loss: peak_z3[n] = max_j3 z3[n,j3]
        peak_z3 = F(-np.inf)
        for j3 in range(units3):
            peak_z3 = z3[n, j3] if z3[n, j3] > peak_z3 else peak_z3
        # layer 3, forward: centered_z3[n,i3] = z3[n,i3] - peak_z3[n]
        # exp_centered_z3[n,i3] = exp(centered_z3[n,i3])
        for i3 in range(units3):
            centered_z3[i3] = z3[n, i3] - peak_z3
            exp_centered_z3[i3] = exp(centered_z3[i3])
        # loss: sum_exp_centered_z3[n] = Σ_j3 exp_centered_z3[n,j3]
        sum_exp_centered_z3 = F(0.0)
        for j3 in range(units3):
            sum_exp_centered_z3 += exp_centered_z3[j3]
        # layer 3, forward: log_y[n,i3] = centered_z3[n,i3] - log(sum_exp_centered_z3[n])
        for i3 in range(units3):
            log_y[i3] = centered_z3[i3] - log(sum_exp_centered_z3)
        # loss: e[n] = -Σ_i3 log_y[n,i3]·t[n,i3]
        total = F(0.0)
        for i3 in range(units3):
            total = fma(-log_y[i3], t[n, i3], total)
        e[n] = total
        if gradient is None:
            continue  # the loss is known
        # layer 3, backward: d_log_y[n,i3] = -t[n,i3]/N
        for i3 in range(units3):
            d_log_y[i3] = -t[n, i3] / N
        # loss, backward: d_sum_exp_centered_z3[n] = -Σ_i3 d_log_y[n,i3]/sum_exp_centered_z3[n]
        d_sum_exp_centered_z3 = F(0.0)
        for i3 in range(units3):
            d_sum_exp_centered_z3 += -d_log_y[i3] / sum_exp_centered_z3
        # layer 3, backward: d_z3[n,i3] = exp_centered_z3[n,i3]·d_sum_exp_centered_z3[n] + d_log_y[n,i3]
        for i3 in range(units3):
            d_z3[n, i3] = exp_centered_z3[i3] * d_sum_exp_centered_z3 + d_log_y[i3]
    if gradient is None:
        return
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_a2)
    for n in range(rows):
        # d_z2[n,i2] = d_a2[n,i2]·heaviside(a2[n,i2]), which is that of z2: both are positive at once
        for i2 in range(units2):
            d_z2[n, i2] = d_a2[n, i2] * heaviside(a2[n, i2])
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_a1)
    for n in range(rows):
        # d_z1[n,i1] = d_a1[n,i1]·heaviside(a1[n,i1]), which is that of z1: both are positive at once
        for i1 in range(units1):
            d_z1[n, i1] = d_a1[n, i1] * heaviside(a1[n, i1])


def _sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3 = parameters(gradient)
    z1 = view(scratch, GRADIENT_PLACES[0], (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[1], (rows, I2))
    e = view(scratch, GRADIENT_PLACES[3], (rows,))
    d_z3 = view(scratch, GRADIENT_PLACES[4], (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[5], (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[6], (rows, I1))
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    a2_d_z3 = d_W3  # its sum over the samples; what else is in it is added at the end
    a1_d_z2 = d_W2  # its sum over the samples; what else is in it is added at the end
    x_d_z1 = d_W1  # its sum over the samples; what else is in it is added at the end
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]/N + R1 + R2 + R3: the sum over n here, the rest when it is complete
            E_sum += e[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 3, backward: a2_d_z3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    matmul_piece(a2.T, d_z3, a2_d_z3, piece, pieces)
    # layer 2, backward: a1_d_z2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    matmul_piece(a1.T, d_z2, a1_d_z2, piece, pieces)
    # layer 1, backward: x_d_z1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    matmul_piece(x.T, d_z1, x_d_z1, piece, pieces)
    return E_sum


def _gradient_at_the_end(theta, N, gradient, E_sum):
    """The loss E and, if that is wanted, the rest of its gradient, from the sum over samples."""
    noinline()
    units0 = opaque(I0)
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, _, W2, _, W3, _ = parameters(theta)
    d_W1, _, d_W2, _, d_W3, _ = parameters(gradient)
    # loss: R1 = 0.0025·Σ_i0,i1 W1[i0,i1]²
    R1_sum = 0.0
    for i0 in range(units0):
        for i1 in range(units1):
            R1_sum += F(0.0025) * (W1[i0, i1] * W1[i0, i1])
    R1 = R1_sum
    # R2 = 0.0025·Σ_i1,i2 W2[i1,i2]²
    R2_sum = 0.0
    for i1 in range(units1):
        for i2 in range(units2):
            R2_sum += F(0.0025) * (W2[i1, i2] * W2[i1, i2])
    R2 = R2_sum
    # R3 = 0.0025·Σ_i2,i3 W3[i2,i3]²
    R3_sum = 0.0
    for i2 in range(units2):
        for i3 in range(units3):
            R3_sum += F(0.0025) * (W3[i2, i3] * W3[i2, i3])
    R3 = R3_sum
    E = E_sum / N + R1 + R2 + R3
    if gradient is None:
        return E
    a2_d_z3 = d_W3  # its sum over the samples; what else is in it is added at the end
    a1_d_z2 = d_W2  # its sum over the samples; what else is in it is added at the end
    x_d_z1 = d_W1  # its sum over the samples; what else is in it is added at the end
    # layer 3, backward: d_W3[i2,i3] = 0.005·W3[i2,i3] + a2_d_z3[i2,i3]
    for i2 in range(units2):
        for i3 in range(units3):
            d_W3[i2, i3] = F(0.005) * W3[i2, i3] + a2_d_z3[i2, i3]
    # layer 2, backward: d_W2[i1,i2] = 0.005·W2[i1,i2] + a1_d_z2[i1,i2]
    for i1 in range(units1):
        for i2 in range(units2):
            d_W2[i1, i2] = F(0.005) * W2[i1, i2] + a1_d_z2[i1, i2]
    # layer 1, backward: d_W1[i0,i1] = 0.005·W1[i0,i1] + x_d_z1[i0,i1]
    for i0 in range(units0):
        for i1 in range(units1):
            d_W1[i0, i1] = F(0.005) * W1[i0, i1] + x_d_z1[i0, i1]
    return E


def _update(theta, gradient, state, progress, settings, batches):
    """One step of adam, down the gradient; theta and state change in place."""
    noinline()
    weights = opaque(SIZE)
    m = view(state, 0, (SIZE,))
    v = view(state, SIZE, (SIZE,))
    rate = settings[0]
    beta1 = settings[2]
    beta2 = settings[3]
    epsilon = settings[4]
    progress[1] += np.uint64(1)
    s = float(progress[1])
    # rest1 = 1 - beta1
    rest1 = 1.0 - beta1
    # rest2 = 1 - beta2
    rest2 = 1.0 - beta2
    # pace = rate/(1 - beta1**s)
    pace = rate / (1.0 - power64_whole(beta1, s))
    # unbias = 1/sqrt(1 - beta2**s)
    unbias = 1.0 / np.sqrt(1.0 - power64_whole(beta2, s))
    # m_next[k] = beta1·m[k] + rest1·gradient[k]
    # v_next[k] = beta2·v[k] + rest2·gradient[k]²
    # theta_next[k] = theta[k] - pace·m_next[k]/(unbias·sqrt(v_next[k]) + epsilon)
    for k in range(weights):
        m_next = F(beta1) * m[k] + F(rest1) * gradient[k]
        m[k] = m_next
        v_next = F(beta2) * v[k] + F(rest2) * (gradient[k] * gradient[k])
        v[k] = v_next
        theta_next = theta[k] - F(pace) * m_next / (F(unbias) * np.sqrt(v_next) + F(epsilon))
        theta[k] = theta_next


def predict(theta, x):
    """The network's output y, of shape (samples, 10), for x of shape (samples, 64)."""
    return _predict(theta, x)


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 64) and t of shape (samples, 10)."""
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


def train_epoch(theta, x, t, state, progress, settings):
    """An epoch: a step for each batch of the samples, in a new random order. Returns the mean of their
losses.

    theta, state and progress change in place; see `train_state` and `train_settings`. Each loss is
    the one before the step. One that is not finite is returned at once: theta is then as it was
    before that step. All samples in one batch are taken as they lie, without a random order.
    """
    return _train_epoch(theta, x, t, state, progress, settings)


def train_steps(theta, x, t, order, starts, state, progress, settings):
    """The same in an order of your own: batch k has the samples order[starts[k]:starts[k + 1]], whatever `batch` is."""
    return _train_steps(theta, x, t, order, starts, state, progress, settings)


# All above is compiled when it is called, and `init`, `pack` and `unpack`, `train_settings` and `train_state` are added.
build(
    globals(),
    emitted="983702533e427c22",
    inlined=['exp_times', 'exp', 'heaviside', 'log', 'relu'],
    compiled=['_prediction_of_chunk', '_samples_of_leaf', '_sums_of_leaf', '_gradient_at_the_end', '_update'],
)
