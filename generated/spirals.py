"""spirals: a 2-24-24-24-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from spirals.toml. Do not edit: change the spec, and
    symgrad compile spirals.toml
Spec, sha256: 95b7807a64a2e948b9dfce6264af385054ba8073f4831c8493accf158f68aa04
Options: order = loss-first, dtype = float64; arithmetic version 3

The one expression, its shared parts named:

    z1[n,i1]          = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    a1[n,i1]          = sin(z1[n,i1])
    z2[n,i2]          = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    a2[n,i2]          = sin(z2[n,i2])
    z3[n,i3]          = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    a3[n,i3]          = sin(z3[n,i3])
    z4[n,i4]          = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    one_minus_t[n,i4] = 1 - t[n,i4]
    e[n]              = Σ_i4 (one_minus_t[n,i4]·softplus(z4[n,i4]) + t[n,i4]·softplus(-z4[n,i4]))
    E                 = Σ_n e[n]/N

and its derivative by all the weights at once is `_samples_of_leaf` and `_sums_of_leaf`: to be read first.
Operations for one sample: the loss 2526, loss and gradient 6179.

x is of shape (samples, 2), t of shape (samples, 1), theta holds all weights, see PARAMETERS.
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

SPEC = {'name': 'spirals',
 'dtype': 'float64',
 'inputs': 2,
 'layers': [{'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 24, 'activation': 'sin', 'bias': True, 'residual': False},
            {'units': 1, 'activation': 'sigmoid', 'bias': True, 'residual': False}],
 'loss': {'kind': 'binary_cross_entropy', 'l1': 0.0, 'l2': 0.0, 'sample_weights': False},
 'activations': {}}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 1297
PARAMETERS = {'W1': (0, (2, 24)), 'b1': (48, (24,)), 'W2': (72, (24, 24)), 'b2': (648, (24,)),
 'W3': (672, (24, 24)), 'b3': (1248, (24,)), 'W4': (1272, (24, 1)), 'b4': (1296, (1,))}
I0, I1, I2, I3, I4 = SPEC["inputs"], *(layer["units"] for layer in SPEC["layers"])

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float64. Errors are bounds on what was measured over all exponents, at random numbers.


# 2^-54/(2π): so many times 27 bits behind the point.
PER_TURN = np.array([
    0, 0, 21361414, 115663937, 43318803, 90130388, 110868507, 56792473, 31595650, 8361048, 123190647,
    72751986, 37166369, 20401024, 13182429, 34197906, 15200495, 46607434, 55475665, 2318162, 123576898,
    61239744, 81169391, 104937873, 112315418, 80641319, 17350423, 64983683, 93322315, 134182934,
    50462181, 118590298, 5466363, 55418803, 105879059, 57996387, 129191727, 128497108, 83319037,
    65401211, 31996367, 98735268, 97834998, 100340216, 112100395, 835867
], np.int64)


def quarter_turns(u):
    """(k, r) with u = k·π/2 + r, |r| <= π/4, k in the last two bits."""
    if abs(u) > 1048576.0:  # Payne and Hanek: u/(2π) in whole numbers of 27 bits, but for whole turns
        pattern = np.float64(u).view(np.int64)
        exponent = opaque(pattern >> 52 & 2047) - 1021  # or it would be done for every u of a loop
        first = exponent // 27
        up, m = exponent - 27 * first, (pattern & 0xfffffffffffff) + 0x10000000000000
        m0, m1, m2 = (m << up) & 0x7ffffff, (m >> (27 - up)) & 0x7ffffff, m >> (54 - up)
        d5 = m0 * PER_TURN[first + 5] + m1 * PER_TURN[first + 6] + m2 * PER_TURN[first + 7]
        d4 = m0 * PER_TURN[first + 4] + m1 * PER_TURN[first + 5] + m2 * PER_TURN[first + 6] + (d5 >> 27)
        d3 = m0 * PER_TURN[first + 3] + m1 * PER_TURN[first + 4] + m2 * PER_TURN[first + 5] + (d4 >> 27)
        d2 = m0 * PER_TURN[first + 2] + m1 * PER_TURN[first + 3] + m2 * PER_TURN[first + 4] + (d3 >> 27)
        d1 = m0 * PER_TURN[first + 1] + m1 * PER_TURN[first + 2] + m2 * PER_TURN[first + 3] + (d2 >> 27)
        d0 = m0 * PER_TURN[first + 0] + m1 * PER_TURN[first + 1] + m2 * PER_TURN[first + 2] + (d1 >> 27)
        low = ((d2 & 0x7ffffff) << 27) + (d3 & 0x7ffffff)
        carry = low >> 53  # so that low is nearest to 0
        high = ((d0 & 0x7ffffff) << 27) + (d1 & 0x7ffffff) + carry
        k = (high + 2251799813685248) >> 52
        h = np.float64(high - (k << 52)) * 2.220446049250313e-16
        l = (np.float64(low - (carry << 54)) + np.float64(d4 & 0x7ffffff) * 7.450580596923828e-09) * 1.232595164407831e-32
        r = fma(h, 1.5707963267948966, fma(h, 6.123233995736766e-17, l * 1.5707963267948966))
        r = r + (u - u)  # NaN for infinity
        return (k, r) if u > 0.0 else (-k, -r)
    shifted = fma(u, 0.6366197723675814, 6755399441055744.0)
    k = shifted - 6755399441055744.0
    r = u
    r = fma(-k, 1.5707963267341256, r)
    r = fma(-k, 6.077100506303966e-11, r)
    r = fma(-k, 2.0222662487111665e-21, r)
    r = fma(-k, 8.4784276603689e-32, r)
    return np.float64(shifted).view(np.int64), r


def cos(u):
    """By quarter turns and polynomials of r². Within 2 ulp."""
    k, r = quarter_turns(u)
    k = k + 1
    s = r * r
    p = -7.388451991600837e-13
    p = fma(p, s, 1.6054297670582932e-10)
    p = fma(p, s, -2.5052070861090204e-08)
    p = fma(p, s, 2.7557319073894843e-06)
    p = fma(p, s, -0.0001984126984096247)
    p = fma(p, s, 0.008333333333333042)
    p = fma(p, s, -0.16666666666666666)
    q = -1.1358733295463443e-11
    q = fma(q, s, 2.0875705121788823e-09)
    q = fma(q, s, -2.7557314215326843e-07)
    q = fma(q, s, 2.4801587288997515e-05)
    q = fma(q, s, -0.0013888888888873338)
    q = fma(q, s, 0.041666666666666595)
    q = fma(q, s, -0.5)
    p = fma(r * s, p, r)
    q = fma(q, s, 1.0)
    result = q if k & 1 else p
    return -result if k & 2 else result


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


def sin(u):
    """By quarter turns and polynomials of r². Within 2 ulp."""
    k, r = quarter_turns(u)
    s = r * r
    p = -7.388451991600837e-13
    p = fma(p, s, 1.6054297670582932e-10)
    p = fma(p, s, -2.5052070861090204e-08)
    p = fma(p, s, 2.7557319073894843e-06)
    p = fma(p, s, -0.0001984126984096247)
    p = fma(p, s, 0.008333333333333042)
    p = fma(p, s, -0.16666666666666666)
    q = -1.1358733295463443e-11
    q = fma(q, s, 2.0875705121788823e-09)
    q = fma(q, s, -2.7557314215326843e-07)
    q = fma(q, s, 2.4801587288997515e-05)
    q = fma(q, s, -0.0013888888888873338)
    q = fma(q, s, 0.041666666666666595)
    q = fma(q, s, -0.5)
    p = fma(r * s, p, r)
    q = fma(q, s, 1.0)
    result = q if k & 1 else p
    result = u if u == 0.0 else result  # -0 stays -0
    return -result if k & 2 else result


def log1p_unit(f):
    """log(1 + f) for 0 <= f <= 1, by t = 2f/(2 + f). Within 2 ulp."""
    t = f / fma(0.5, f, 1.0)
    s = t * t
    p = 8.111962717350096e-08
    p = fma(p, s, 1.5914308439875722e-07)
    p = fma(p, s, 9.23557983040946e-07)
    p = fma(p, s, 4.059167130038669e-06)
    p = fma(p, s, 1.8782411960474642e-05)
    p = fma(p, s, 8.877804835078268e-05)
    p = fma(p, s, 0.0004340278117009496)
    p = fma(p, s, 0.0022321428553143128)
    p = fma(p, s, 0.012500000000048722)
    p = fma(p, s, 0.08333333333333288)
    return fma(t * s, p, t)


def softplus(z):
    """log(1 + exp z), without overflow. Within 3 ulp."""
    return max(z, 0.0) + log1p_unit(exp(-abs(z)))


# From how many samples on threads pay; how many numbers of scratch memory some samples take.
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 720, 24576, (0, 12288, 0)


def _prediction_of_chunk(theta, xs, ys, scratch):
    """Writes the output of a chunk of samples. 512 at a time, in scratch memory."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3, W4, b4 = parameters(theta)
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
        z4 = y  # in the same memory, one after the other
        # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        matmul(x, W1, z1, b1)
        for n in range(rows):
            # a1[n,i1] = sin(z1[n,i1])
            for i1 in range(units1):
                a1[n, i1] = sin(z1[n, i1])
        # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        matmul(a1, W2, z2, b2)
        for n in range(rows):
            # a2[n,i2] = sin(z2[n,i2])
            for i2 in range(units2):
                a2[n, i2] = sin(z2[n, i2])
        # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, z3, b3)
        for n in range(rows):
            # a3[n,i3] = sin(z3[n,i3])
            for i3 in range(units3):
                a3[n, i3] = sin(z3[n, i3])
        # layer 4, forward: z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        matmul(a3, W4, z4, b4)
        for n in range(rows):
            # y[n,i4] = sigmoid(z4[n,i4])
            for i4 in range(I4):
                y[n, i4] = sigmoid(z4[n, i4])


# The same for the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the loss is all that is computed.
GRADIENT_THREADED, GRADIENT_SCRATCH, GRADIENT_PLACES = 270, 27904, (18432, 0, 21504, 3072, 24576, 6144, 27776, 27648, 15360, 12288, 9216)


def _samples_of_leaf(theta, xs, ts, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    rows = last - first
    x, t = xs[first:last], ts[first:last]
    z1 = view(scratch, GRADIENT_PLACES[0] + first * I1, (rows, I1))
    a1 = view(scratch, GRADIENT_PLACES[1] + first * I1, (rows, I1))
    z2 = view(scratch, GRADIENT_PLACES[2] + first * I2, (rows, I2))
    a2 = view(scratch, GRADIENT_PLACES[3] + first * I2, (rows, I2))
    z3 = view(scratch, GRADIENT_PLACES[4] + first * I3, (rows, I3))
    a3 = view(scratch, GRADIENT_PLACES[5] + first * I3, (rows, I3))
    z4 = view(scratch, GRADIENT_PLACES[6] + first * I4, (rows, I4))
    e = view(scratch, GRADIENT_PLACES[7] + first, (rows,))
    d_a3 = view(scratch, GRADIENT_PLACES[8] + first * I3, (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[9] + first * I2, (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[10] + first * I1, (rows, I1))
    y = local(I4, np.float64)
    one_minus_t = local(I4, np.float64)
    d_z4 = z4  # in the same memory, one after the other
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    matmul(x, W1, z1, b1)
    for n in range(rows):
        # a1[n,i1] = sin(z1[n,i1])
        for i1 in range(units1):
            a1[n, i1] = sin(z1[n, i1])
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # a2[n,i2] = sin(z2[n,i2])
        for i2 in range(units2):
            a2[n, i2] = sin(z2[n, i2])
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # a3[n,i3] = sin(z3[n,i3])
        for i3 in range(units3):
            a3[n, i3] = sin(z3[n, i3])
    # layer 4, forward: z4[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    matmul(a3, W4, z4, b4)
    for n in range(rows):
        # y[n,i4] = sigmoid(z4[n,i4])
        # one_minus_t[n,i4] = 1 - t[n,i4]
        for i4 in range(I4):
            y[i4] = sigmoid(z4[n, i4])
            one_minus_t[i4] = 1.0 - t[n, i4]
        # loss: e[n] = Σ_i4 (one_minus_t[n,i4]·softplus(z4[n,i4]) + t[n,i4]·softplus(-z4[n,i4]))
        total = 0.0
        for i4 in range(I4):
            total += one_minus_t[i4] * softplus(z4[n, i4]) + t[n, i4] * softplus(-z4[n, i4])
        e[n] = total
        if gradient is None:
            continue  # the loss is known
        # layer 4, backward: d_z4[n,i4] = (one_minus_t[n,i4]·y[n,i4] - t[n,i4]·sigmoid(-z4[n,i4]))/N
        for i4 in range(I4):
            d_z4[n, i4] = (one_minus_t[i4] * y[i4] - t[n, i4] * sigmoid(-z4[n, i4])) / N
    if gradient is None:
        return
    # layer 3, backward: d_a3[n,i3] = Σ_i4 d_z4[n,i4]·W4[i3,i4]
    matmul(d_z4, W4.T, d_a3)
    for n in range(rows):
        # d_z3[n,i3] = d_a3[n,i3]·cos(z3[n,i3])
        for i3 in range(units3):
            d_z3[n, i3] = d_a3[n, i3] * cos(z3[n, i3])
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_a2)
    for n in range(rows):
        # d_z2[n,i2] = d_a2[n,i2]·cos(z2[n,i2])
        for i2 in range(units2):
            d_z2[n, i2] = d_a2[n, i2] * cos(z2[n, i2])
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_a1)
    for n in range(rows):
        # d_z1[n,i1] = d_a1[n,i1]·cos(z1[n,i1])
        for i1 in range(units1):
            d_z1[n, i1] = d_a1[n, i1] * cos(z1[n, i1])


def _sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3, d_W4, d_b4 = parameters(gradient)
    a1 = view(scratch, GRADIENT_PLACES[1], (rows, I1))
    a2 = view(scratch, GRADIENT_PLACES[3], (rows, I2))
    a3 = view(scratch, GRADIENT_PLACES[5], (rows, I3))
    z4 = view(scratch, GRADIENT_PLACES[6], (rows, I4))
    e = view(scratch, GRADIENT_PLACES[7], (rows,))
    d_a3 = view(scratch, GRADIENT_PLACES[8], (rows, I3))
    d_a2 = view(scratch, GRADIENT_PLACES[9], (rows, I2))
    d_a1 = view(scratch, GRADIENT_PLACES[10], (rows, I1))
    d_z4 = z4  # in the same memory, one after the other
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 4, backward: d_b4[i4] = Σ_n d_z4[n,i4]
        sum_rows(d_z4, d_b4)
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 4, backward: d_W4[i3,i4] = Σ_n a3[n,i3]·d_z4[n,i4]
    matmul_piece(a3.T, d_z4, d_W4, piece, pieces)
    # layer 3, backward: d_W3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    matmul_piece(a2.T, d_z3, d_W3, piece, pieces)
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
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2)."""
    return _predict(theta, x)


def loss(theta, x, t):
    """The loss E, a float, for x of shape (samples, 2) and t of shape (samples, 1)."""
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
    emitted="65cec0364d35ebbf",
    inlined=['quarter_turns', 'cos', 'exp_times', 'exp', 'sigmoid', 'sin', 'log1p_unit', 'softplus',
 '_gradient_at_the_end'],
    compiled=['_prediction_of_chunk', '_samples_of_leaf', '_sums_of_leaf'],
)
