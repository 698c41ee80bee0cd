"""burgers: a 2-20-20-20-1 network, its loss and gradient.

Emitted by symgrad 0.1.0 from burgers.toml. Do not edit: change the spec, and
    symgrad compile burgers.toml
Spec, sha256: cb011fec3dd96856e61382787dab0a1ad8d401110dcc5ac3d71721e1d3c403c3
Options: order = loss-first, dtype = float64; arithmetic version 3

The one expression, its shared parts named:

    E = E_equation + E_start + E_ends, each the E of its own samples:

    equation, of x_equation:
        z1[n,i1]                         = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        a1[n,i1]                         = tanh(z1[n,i1])
        z2[n,i2]                         = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        a2[n,i2]                         = tanh(z2[n,i2])
        z3[n,i3]                         = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        a3[n,i3]                         = tanh(z3[n,i3])
        y[n,i4]                          = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        one_minus_a1_squared[n,i1]       = 1 - a1[n,i1]²
        d_a1_d_x[n,i1]                   = one_minus_a1_squared[n,i1]·W1[0,i1]
        d_z2_d_x[n,i2]                   = Σ_i1 d_a1_d_x[n,i1]·W2[i1,i2]
        one_minus_a2_squared[n,i2]       = 1 - a2[n,i2]²
        d_a2_d_x[n,i2]                   = one_minus_a2_squared[n,i2]·d_z2_d_x[n,i2]
        d_z3_d_x[n,i3]                   = Σ_i2 d_a2_d_x[n,i2]·W3[i2,i3]
        one_minus_a3_squared[n,i3]       = 1 - a3[n,i3]²
        d_a3_d_x[n,i3]                   = one_minus_a3_squared[n,i3]·d_z3_d_x[n,i3]
        d_y_d_x[n,i4]                    = Σ_i3 d_a3_d_x[n,i3]·W4[i3,i4]
        d_a1_d_t[n,i1]                   = one_minus_a1_squared[n,i1]·W1[1,i1]
        d_z2_d_t[n,i2]                   = Σ_i1 d_a1_d_t[n,i1]·W2[i1,i2]
        d_a2_d_t[n,i2]                   = one_minus_a2_squared[n,i2]·d_z2_d_t[n,i2]
        d_z3_d_t[n,i3]                   = Σ_i2 d_a2_d_t[n,i2]·W3[i2,i3]
        d_a3_d_t[n,i3]                   = one_minus_a3_squared[n,i3]·d_z3_d_t[n,i3]
        d_y_d_t[n,i4]                    = Σ_i3 d_a3_d_t[n,i3]·W4[i3,i4]
        d_one_minus_a1_squared_d_x[n,i1] = -2·a1[n,i1]·d_a1_d_x[n,i1]
        d_a1_d_x_d_x[n,i1]               = d_one_minus_a1_squared_d_x[n,i1]·W1[0,i1]
        d_z2_d_x_d_x[n,i2]               = Σ_i1 d_a1_d_x_d_x[n,i1]·W2[i1,i2]
        d_one_minus_a2_squared_d_x[n,i2] = -2·a2[n,i2]·d_a2_d_x[n,i2]
        d_a2_d_x_d_x[n,i2]               = d_one_minus_a2_squared_d_x[n,i2]·d_z2_d_x[n,i2] + one_minus_a2_squared[n,i2]·d_z2_d_x_d_x[n,i2]
        d_z3_d_x_d_x[n,i3]               = Σ_i2 d_a2_d_x_d_x[n,i2]·W3[i2,i3]
        d_one_minus_a3_squared_d_x[n,i3] = -2·a3[n,i3]·d_a3_d_x[n,i3]
        d_a3_d_x_d_x[n,i3]               = d_one_minus_a3_squared_d_x[n,i3]·d_z3_d_x[n,i3] + one_minus_a3_squared[n,i3]·d_z3_d_x_d_x[n,i3]
        d_y_d_x_d_x[n,i4]                = Σ_i3 d_a3_d_x_d_x[n,i3]·W4[i3,i4]
        y_times_d_u_d_x_plus_d_u_d_t[n]  = y[n,0]·d_y_d_x[n,0] + d_y_d_t[n,0]
        part_of_e[n]                     = y_times_d_u_d_x_plus_d_u_d_t[n] - 0.003183098861837907·d_y_d_x_d_x[n,0]
        e[n]                             = part_of_e[n]²
        E                                = Σ_n e[n]/N

    start, of x_start, t_start:
        z1[n,i1]        = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        a1[n,i1]        = tanh(z1[n,i1])
        z2[n,i2]        = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        a2[n,i2]        = tanh(z2[n,i2])
        z3[n,i3]        = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        a3[n,i3]        = tanh(z3[n,i3])
        y[n,i4]         = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        y_minus_t[n,i4] = y[n,0] - t[n,i4]
        e[n]            = Σ_i4 y_minus_t[n,i4]²
        E               = Σ_n e[n]/N

    ends, of x_ends:
        z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
        a1[n,i1] = tanh(z1[n,i1])
        z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
        a2[n,i2] = tanh(z2[n,i2])
        z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        a3[n,i3] = tanh(z3[n,i3])
        y[n,i4]  = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        e[n]     = y[n,0]²
        E        = Σ_n e[n]/N

and its derivative by all the weights at once is `_equation_gradient_samples_of_leaf`, `_equation_gradient_sums_of_leaf`, `_start_gradient_samples_of_leaf`, `_start_gradient_sums_of_leaf`, `_ends_gradient_samples_of_leaf` and `_ends_gradient_sums_of_leaf`: to be read first.
Operations for one sample: the loss 7082 + 1782 + 1781, loss and gradient 20786 + 4403 + 4402.

Each x is of shape (samples, 2), each t of as many columns as its term has targets, theta holds all weights, see PARAMETERS.
Columns of x: x, t.
Columns of t: u.
Samples are summed in leaves of 128, and leaves in a binary tree, so that results do not depend
on threads. A function of your own under @njit(cache=True) keeps the code it was compiled with: after
emitting this file anew, touch yours.
"""

import numpy as np

try:
    if __package__:
        from ._symgrad_a3998de6f7438c86 import build, fma, fresh, local, matmul, matmul_onto, matmul_piece, matmul_piece_onto, noinline, opaque, sum_rows, view
    else:
        from _symgrad_a3998de6f7438c86 import build, fma, fresh, local, matmul, matmul_onto, matmul_piece, matmul_piece_onto, noinline, opaque, sum_rows, view
except ModuleNotFoundError as error:
    if error.name not in ("_symgrad_a3998de6f7438c86", f"{__package__}._symgrad_a3998de6f7438c86"):
        raise
    raise ImportError("_symgrad_a3998de6f7438c86.py is missing: copy it along with this file, beside it") from None

__all__ = [
    "PARAMETERS", "SIZE", "SPEC", "init", "loss", "loss_and_gradient", "loss_and_gradient_into",
    "pack", "predict", "step", "unpack",
]

SPEC = {'name': 'burgers',
 'dtype': 'float64',
 'inputs': ['x', 't'],
 'layers': [{'units': 20, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 20, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 20, 'activation': 'tanh', 'bias': True, 'residual': False},
            {'units': 1,
             'activation': 'identity',
             'bias': True,
             'residual': False,
             'names': ['u']}],
 'loss': {'terms': [{'name': 'equation',
                     'formula': '(D(u, t) + u*D(u, x) - nu*D(u, x, x))**2',
                     'constants': {'nu': 0.003183098861837907},
                     'weight': 1.0,
                     'sample_weights': False},
                    {'name': 'start',
                     'formula': '(u - target)**2',
                     'constants': {},
                     'weight': 1.0,
                     'sample_weights': False},
                    {'name': 'ends',
                     'formula': 'u**2',
                     'constants': {},
                     'weight': 1.0,
                     'sample_weights': False}],
          'l1': 0.0,
          'l2': 0.0,
          'sample_weights': False},
 'activations': {}}

# How many weights there are, and {name: (offset in theta, shape)}; the units of the inputs and of each layer.
SIZE = 921
PARAMETERS = {'W1': (0, (2, 20)), 'b1': (40, (20,)), 'W2': (60, (20, 20)), 'b2': (460, (20,)),
 'W3': (480, (20, 20)), 'b3': (880, (20,)), 'W4': (900, (20, 1)), 'b4': (920, (1,))}
I0, I1, I2, I3, I4 = len(SPEC["inputs"]), *(layer["units"] for layer in SPEC["layers"])

# Polynomials are minimax approximations on their interval, derived by symgrad's coefficients/derive.py and
# rounded to float64. Errors are bounds on what was measured over all exponents, at random numbers.


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
PREDICTION_THREADED, PREDICTION_SCRATCH, PREDICTION_PLACES = 960, 20480, (0, 10240, 0)


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
        # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
        matmul(a2, W3, z3, b3)
        for n in range(rows):
            # a3[n,i3] = tanh(z3[n,i3])
            for i3 in range(units3):
                a3[n, i3] = tanh(z3[n, i3])
        # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
        matmul(a3, W4, y, b4)


# The same for the term `equation` of the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the term is all that is computed.
EQUATION_GRADIENT_THREADED, EQUATION_GRADIENT_SCRATCH, EQUATION_GRADIENT_PLACES = 45, 113920, (104960, 107520, 110080, 113664, 97280, 2560, 81920, 99840, 10240, 92160, 102400, 17920, 113152, 0, 79360, 7680, 89600, 15360, 113024, 66560, 5120, 84480, 69120, 12800, 94720, 71680, 20480, 113280, 113792, 113536, 113408, 112768, 35840, 43520, 61440, 30720, 40960, 53760, 25600, 38400, 33280, 56320, 28160, 48640, 23040, 112640, 46080, 58880, 51200, 64000, 112896, 74240, 87040, 76800)


def _equation_gradient_samples_of_leaf(theta, xs, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    rows = last - first
    x = xs[first:last]
    z1 = view(scratch, EQUATION_GRADIENT_PLACES[0] + first * I1, (rows, I1))
    z2 = view(scratch, EQUATION_GRADIENT_PLACES[1] + first * I2, (rows, I2))
    z3 = view(scratch, EQUATION_GRADIENT_PLACES[2] + first * I3, (rows, I3))
    y = view(scratch, EQUATION_GRADIENT_PLACES[3] + first * I4, (rows, I4))
    one_minus_a1_squared = view(scratch, EQUATION_GRADIENT_PLACES[4] + first * I1, (rows, I1))
    d_a1_d_x = view(scratch, EQUATION_GRADIENT_PLACES[5] + first * I1, (rows, I1))
    d_z2_d_x = view(scratch, EQUATION_GRADIENT_PLACES[6] + first * I2, (rows, I2))
    one_minus_a2_squared = view(scratch, EQUATION_GRADIENT_PLACES[7] + first * I2, (rows, I2))
    d_a2_d_x = view(scratch, EQUATION_GRADIENT_PLACES[8] + first * I2, (rows, I2))
    d_z3_d_x = view(scratch, EQUATION_GRADIENT_PLACES[9] + first * I3, (rows, I3))
    one_minus_a3_squared = view(scratch, EQUATION_GRADIENT_PLACES[10] + first * I3, (rows, I3))
    d_a3_d_x = view(scratch, EQUATION_GRADIENT_PLACES[11] + first * I3, (rows, I3))
    d_y_d_x = view(scratch, EQUATION_GRADIENT_PLACES[12] + first * I4, (rows, I4))
    d_a1_d_t = view(scratch, EQUATION_GRADIENT_PLACES[13] + first * I1, (rows, I1))
    d_z2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[14] + first * I2, (rows, I2))
    d_a2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[15] + first * I2, (rows, I2))
    d_z3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[16] + first * I3, (rows, I3))
    d_a3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[17] + first * I3, (rows, I3))
    d_y_d_t = view(scratch, EQUATION_GRADIENT_PLACES[18] + first * I4, (rows, I4))
    d_one_minus_a1_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[19] + first * I1, (rows, I1))
    d_a1_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[20] + first * I1, (rows, I1))
    d_z2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[21] + first * I2, (rows, I2))
    d_one_minus_a2_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[22] + first * I2, (rows, I2))
    d_a2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[23] + first * I2, (rows, I2))
    d_z3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[24] + first * I3, (rows, I3))
    d_one_minus_a3_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[25] + first * I3, (rows, I3))
    d_a3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[26] + first * I3, (rows, I3))
    d_y_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[27] + first * I4, (rows, I4))
    y_times_d_u_d_x_plus_d_u_d_t = view(scratch, EQUATION_GRADIENT_PLACES[28] + first, (rows,))
    e = view(scratch, EQUATION_GRADIENT_PLACES[29] + first, (rows,))
    d_y_times_d_u_d_x_plus_d_u_d_t = view(scratch, EQUATION_GRADIENT_PLACES[30] + first, (rows,))
    d_d_y_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[31] + first * I4, (rows, I4))
    d_d_a3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[32] + first * I3, (rows, I3))
    d_d_one_minus_a3_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[33] + first * I3, (rows, I3))
    d_d_z3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[34] + first * I3, (rows, I3))
    d_d_a2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[35] + first * I2, (rows, I2))
    d_d_one_minus_a2_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[36] + first * I2, (rows, I2))
    d_d_z2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[37] + first * I2, (rows, I2))
    d_d_a1_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[38] + first * I1, (rows, I1))
    d_d_one_minus_a1_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[39] + first * I1, (rows, I1))
    d_d_a3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[40] + first * I3, (rows, I3))
    d_d_z3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[41] + first * I3, (rows, I3))
    d_d_a2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[42] + first * I2, (rows, I2))
    d_d_z2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[43] + first * I2, (rows, I2))
    d_d_a1_d_t = view(scratch, EQUATION_GRADIENT_PLACES[44] + first * I1, (rows, I1))
    d_d_y_d_x = view(scratch, EQUATION_GRADIENT_PLACES[45] + first * I4, (rows, I4))
    d_d_y_d_x_W4 = view(scratch, EQUATION_GRADIENT_PLACES[46] + first * I3, (rows, I3))
    d_d_z3_d_x_W3 = view(scratch, EQUATION_GRADIENT_PLACES[47] + first * I2, (rows, I2))
    d_d_z2_d_x_W2 = view(scratch, EQUATION_GRADIENT_PLACES[48] + first * I1, (rows, I1))
    d_one_minus_a1_squared = view(scratch, EQUATION_GRADIENT_PLACES[49] + first * I1, (rows, I1))
    d_y = view(scratch, EQUATION_GRADIENT_PLACES[50] + first * I4, (rows, I4))
    d_y_W4 = view(scratch, EQUATION_GRADIENT_PLACES[51] + first * I3, (rows, I3))
    d_z3_W3 = view(scratch, EQUATION_GRADIENT_PLACES[52] + first * I2, (rows, I2))
    d_z2_W2 = view(scratch, EQUATION_GRADIENT_PLACES[53] + first * I1, (rows, I1))
    a1 = z1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    d_one_minus_a3_squared = d_d_a3_d_t  # in the same memory, one after the other
    d_d_z3_d_x = d_d_a3_d_x_d_x  # in the same memory, one after the other
    d_one_minus_a2_squared = d_d_a2_d_t  # in the same memory, one after the other
    d_d_z2_d_x = d_d_a2_d_x_d_x  # in the same memory, one after the other
    d_d_a1_d_x = d_d_z2_d_x_W2  # in the same memory, one after the other
    d_z3 = one_minus_a3_squared  # in the same memory, one after the other
    d_z2 = one_minus_a2_squared  # in the same memory, one after the other
    d_z1 = d_z2_W2  # in the same memory, one after the other
    # layer 1, forward: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]
    matmul(x, W1, z1, b1)
    for n in range(rows):
        # a1[n,i1] = tanh(z1[n,i1])
        # one_minus_a1_squared[n,i1] = 1 - a1[n,i1]²
        # d_a1_d_x[n,i1] = one_minus_a1_squared[n,i1]·W1[0,i1]
        # d_a1_d_t[n,i1] = one_minus_a1_squared[n,i1]·W1[1,i1]
        # d_one_minus_a1_squared_d_x[n,i1] = -2·a1[n,i1]·d_a1_d_x[n,i1]
        # d_a1_d_x_d_x[n,i1] = d_one_minus_a1_squared_d_x[n,i1]·W1[0,i1]
        for i1 in range(units1):
            a1[n, i1] = tanh(z1[n, i1])
            one_minus_a1_squared[n, i1] = 1.0 - a1[n, i1] * a1[n, i1]
            d_a1_d_x[n, i1] = one_minus_a1_squared[n, i1] * W1[0, i1]
            d_a1_d_t[n, i1] = one_minus_a1_squared[n, i1] * W1[1, i1]
            d_one_minus_a1_squared_d_x[n, i1] = (-2.0) * a1[n, i1] * d_a1_d_x[n, i1]
            d_a1_d_x_d_x[n, i1] = d_one_minus_a1_squared_d_x[n, i1] * W1[0, i1]
    # layer 2, forward: z2[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]
    matmul(a1, W2, z2, b2)
    for n in range(rows):
        # a2[n,i2] = tanh(z2[n,i2])
        # one_minus_a2_squared[n,i2] = 1 - a2[n,i2]²
        for i2 in range(units2):
            a2[n, i2] = tanh(z2[n, i2])
            one_minus_a2_squared[n, i2] = 1.0 - a2[n, i2] * a2[n, i2]
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # a3[n,i3] = tanh(z3[n,i3])
        # one_minus_a3_squared[n,i3] = 1 - a3[n,i3]²
        for i3 in range(units3):
            a3[n, i3] = tanh(z3[n, i3])
            one_minus_a3_squared[n, i3] = 1.0 - a3[n, i3] * a3[n, i3]
    # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    matmul(a3, W4, y, b4)
    # layer 2, forward: d_z2_d_x[n,i2] = Σ_i1 d_a1_d_x[n,i1]·W2[i1,i2]
    matmul(d_a1_d_x, W2, d_z2_d_x)
    for n in range(rows):
        # d_a2_d_x[n,i2] = one_minus_a2_squared[n,i2]·d_z2_d_x[n,i2]
        # d_one_minus_a2_squared_d_x[n,i2] = -2·a2[n,i2]·d_a2_d_x[n,i2]
        for i2 in range(units2):
            d_a2_d_x[n, i2] = one_minus_a2_squared[n, i2] * d_z2_d_x[n, i2]
            d_one_minus_a2_squared_d_x[n, i2] = (-2.0) * a2[n, i2] * d_a2_d_x[n, i2]
    # layer 3, forward: d_z3_d_x[n,i3] = Σ_i2 d_a2_d_x[n,i2]·W3[i2,i3]
    matmul(d_a2_d_x, W3, d_z3_d_x)
    for n in range(rows):
        # d_a3_d_x[n,i3] = one_minus_a3_squared[n,i3]·d_z3_d_x[n,i3]
        # d_one_minus_a3_squared_d_x[n,i3] = -2·a3[n,i3]·d_a3_d_x[n,i3]
        for i3 in range(units3):
            d_a3_d_x[n, i3] = one_minus_a3_squared[n, i3] * d_z3_d_x[n, i3]
            d_one_minus_a3_squared_d_x[n, i3] = (-2.0) * a3[n, i3] * d_a3_d_x[n, i3]
    # layer 4, forward: d_y_d_x[n,i4] = Σ_i3 d_a3_d_x[n,i3]·W4[i3,i4]
    matmul(d_a3_d_x, W4, d_y_d_x)
    # layer 2, forward: d_z2_d_t[n,i2] = Σ_i1 d_a1_d_t[n,i1]·W2[i1,i2]
    matmul(d_a1_d_t, W2, d_z2_d_t)
    for n in range(rows):
        # d_a2_d_t[n,i2] = one_minus_a2_squared[n,i2]·d_z2_d_t[n,i2]
        for i2 in range(units2):
            d_a2_d_t[n, i2] = one_minus_a2_squared[n, i2] * d_z2_d_t[n, i2]
    # layer 3, forward: d_z3_d_t[n,i3] = Σ_i2 d_a2_d_t[n,i2]·W3[i2,i3]
    matmul(d_a2_d_t, W3, d_z3_d_t)
    for n in range(rows):
        # d_a3_d_t[n,i3] = one_minus_a3_squared[n,i3]·d_z3_d_t[n,i3]
        for i3 in range(units3):
            d_a3_d_t[n, i3] = one_minus_a3_squared[n, i3] * d_z3_d_t[n, i3]
    # layer 4, forward: d_y_d_t[n,i4] = Σ_i3 d_a3_d_t[n,i3]·W4[i3,i4]
    matmul(d_a3_d_t, W4, d_y_d_t)
    # layer 2, forward: d_z2_d_x_d_x[n,i2] = Σ_i1 d_a1_d_x_d_x[n,i1]·W2[i1,i2]
    matmul(d_a1_d_x_d_x, W2, d_z2_d_x_d_x)
    for n in range(rows):
        # d_a2_d_x_d_x[n,i2] = d_one_minus_a2_squared_d_x[n,i2]·d_z2_d_x[n,i2] + one_minus_a2_squared[n,i2]·d_z2_d_x_d_x[n,i2]
        for i2 in range(units2):
            d_a2_d_x_d_x[n, i2] = d_one_minus_a2_squared_d_x[n, i2] * d_z2_d_x[n, i2] + one_minus_a2_squared[n, i2] * d_z2_d_x_d_x[n, i2]
        # loss: y_times_d_u_d_x_plus_d_u_d_t[n] = y[n,0]·d_y_d_x[n,0] + d_y_d_t[n,0]
        y_times_d_u_d_x_plus_d_u_d_t[n] = y[n, 0] * d_y_d_x[n, 0] + d_y_d_t[n, 0]
    # layer 3, forward: d_z3_d_x_d_x[n,i3] = Σ_i2 d_a2_d_x_d_x[n,i2]·W3[i2,i3]
    matmul(d_a2_d_x_d_x, W3, d_z3_d_x_d_x)
    for n in range(rows):
        # d_a3_d_x_d_x[n,i3] = d_one_minus_a3_squared_d_x[n,i3]·d_z3_d_x[n,i3] + one_minus_a3_squared[n,i3]·d_z3_d_x_d_x[n,i3]
        for i3 in range(units3):
            d_a3_d_x_d_x[n, i3] = d_one_minus_a3_squared_d_x[n, i3] * d_z3_d_x[n, i3] + one_minus_a3_squared[n, i3] * d_z3_d_x_d_x[n, i3]
    # layer 4, forward: d_y_d_x_d_x[n,i4] = Σ_i3 d_a3_d_x_d_x[n,i3]·W4[i3,i4]
    matmul(d_a3_d_x_d_x, W4, d_y_d_x_d_x)
    for n in range(rows):
        # loss: part_of_e[n] = y_times_d_u_d_x_plus_d_u_d_t[n] - 0.003183098861837907·d_y_d_x_d_x[n,0]
        part_of_e = y_times_d_u_d_x_plus_d_u_d_t[n] - 0.003183098861837907 * d_y_d_x_d_x[n, 0]
        # e[n] = part_of_e[n]²
        e[n] = part_of_e * part_of_e
        if gradient is None:
            continue  # the loss is known
        # loss, backward: d_y_times_d_u_d_x_plus_d_u_d_t[n] = 2·part_of_e[n]/N
        d_y_times_d_u_d_x_plus_d_u_d_t[n] = 2.0 * part_of_e / N
        # layer 4, backward: d_d_y_d_x_d_x[n,i4] = -0.006366197723675814·part_of_e[n]/N
        for i4 in range(I4):
            d_d_y_d_x_d_x[n, i4] = (-0.006366197723675814) * part_of_e / N
        # layer 3, backward: d_d_a3_d_t[n,i3] = Σ_i4 d_y_times_d_u_d_x_plus_d_u_d_t[n]·W4[i3,i4]
        # d_d_z3_d_t[n,i3] = one_minus_a3_squared[n,i3]·d_d_a3_d_t[n,i3]
        for i3 in range(units3):
            total = 0.0
            for i4 in range(I4):
                total = fma(d_y_times_d_u_d_x_plus_d_u_d_t[n], W4[i3, i4], total)
            d_d_a3_d_t[n, i3] = total
            d_d_z3_d_t[n, i3] = one_minus_a3_squared[n, i3] * d_d_a3_d_t[n, i3]
        # layer 4, backward: d_d_y_d_x[n,i4] = y[n,0]·d_y_times_d_u_d_x_plus_d_u_d_t[n]
        # d_y[n,i4] = d_y_d_x[n,0]·d_y_times_d_u_d_x_plus_d_u_d_t[n]
        for i4 in range(I4):
            d_d_y_d_x[n, i4] = y[n, 0] * d_y_times_d_u_d_x_plus_d_u_d_t[n]
            d_y[n, i4] = d_y_d_x[n, 0] * d_y_times_d_u_d_x_plus_d_u_d_t[n]
    if gradient is None:
        return
    # layer 3, backward: d_d_a3_d_x_d_x[n,i3] = Σ_i4 d_d_y_d_x_d_x[n,i4]·W4[i3,i4]
    matmul(d_d_y_d_x_d_x, W4.T, d_d_a3_d_x_d_x)
    for n in range(rows):
        # d_d_one_minus_a3_squared_d_x[n,i3] = d_d_a3_d_x_d_x[n,i3]·d_z3_d_x[n,i3]
        # d_d_z3_d_x_d_x[n,i3] = one_minus_a3_squared[n,i3]·d_d_a3_d_x_d_x[n,i3]
        for i3 in range(units3):
            d_d_one_minus_a3_squared_d_x[n, i3] = d_d_a3_d_x_d_x[n, i3] * d_z3_d_x[n, i3]
            d_d_z3_d_x_d_x[n, i3] = one_minus_a3_squared[n, i3] * d_d_a3_d_x_d_x[n, i3]
    # layer 2, backward: d_d_a2_d_x_d_x[n,i2] = Σ_i3 d_d_z3_d_x_d_x[n,i3]·W3[i2,i3]
    matmul(d_d_z3_d_x_d_x, W3.T, d_d_a2_d_x_d_x)
    for n in range(rows):
        # d_d_one_minus_a2_squared_d_x[n,i2] = d_d_a2_d_x_d_x[n,i2]·d_z2_d_x[n,i2]
        # d_d_z2_d_x_d_x[n,i2] = one_minus_a2_squared[n,i2]·d_d_a2_d_x_d_x[n,i2]
        for i2 in range(units2):
            d_d_one_minus_a2_squared_d_x[n, i2] = d_d_a2_d_x_d_x[n, i2] * d_z2_d_x[n, i2]
            d_d_z2_d_x_d_x[n, i2] = one_minus_a2_squared[n, i2] * d_d_a2_d_x_d_x[n, i2]
    # layer 1, backward: d_d_a1_d_x_d_x[n,i1] = Σ_i2 d_d_z2_d_x_d_x[n,i2]·W2[i1,i2]
    matmul(d_d_z2_d_x_d_x, W2.T, d_d_a1_d_x_d_x)
    for n in range(rows):
        # d_d_one_minus_a1_squared_d_x[n,i1] = d_d_a1_d_x_d_x[n,i1]·W1[0,i1]
        for i1 in range(units1):
            d_d_one_minus_a1_squared_d_x[n, i1] = d_d_a1_d_x_d_x[n, i1] * W1[0, i1]
    # layer 2, backward: d_d_a2_d_t[n,i2] = Σ_i3 d_d_z3_d_t[n,i3]·W3[i2,i3]
    matmul(d_d_z3_d_t, W3.T, d_d_a2_d_t)
    for n in range(rows):
        # d_d_z2_d_t[n,i2] = one_minus_a2_squared[n,i2]·d_d_a2_d_t[n,i2]
        for i2 in range(units2):
            d_d_z2_d_t[n, i2] = one_minus_a2_squared[n, i2] * d_d_a2_d_t[n, i2]
    # layer 1, backward: d_d_a1_d_t[n,i1] = Σ_i2 d_d_z2_d_t[n,i2]·W2[i1,i2]
    matmul(d_d_z2_d_t, W2.T, d_d_a1_d_t)
    # layer 3, backward: d_d_y_d_x_W4[n,i3] = Σ_i4 d_d_y_d_x[n,i4]·W4[i3,i4]
    matmul(d_d_y_d_x, W4.T, d_d_y_d_x_W4)
    for n in range(rows):
        # d_d_a3_d_x[n,i3] = d_d_y_d_x_W4[n,i3] - 2·a3[n,i3]·d_d_one_minus_a3_squared_d_x[n,i3]
        # d_one_minus_a3_squared[n,i3] = d_d_a3_d_t[n,i3]·d_z3_d_t[n,i3] + d_d_a3_d_x[n,i3]·d_z3_d_x[n,i3] + d_d_a3_d_x_d_x[n,i3]·d_z3_d_x_d_x[n,i3]
        # d_d_z3_d_x[n,i3] = d_d_a3_d_x_d_x[n,i3]·d_one_minus_a3_squared_d_x[n,i3] + one_minus_a3_squared[n,i3]·d_d_a3_d_x[n,i3]
        for i3 in range(units3):
            d_d_a3_d_x = d_d_y_d_x_W4[n, i3] - 2.0 * a3[n, i3] * d_d_one_minus_a3_squared_d_x[n, i3]
            d_one_minus_a3_squared[n, i3] = d_d_a3_d_t[n, i3] * d_z3_d_t[n, i3] + d_d_a3_d_x * d_z3_d_x[n, i3] + d_d_a3_d_x_d_x[n, i3] * d_z3_d_x_d_x[n, i3]
            d_d_z3_d_x[n, i3] = d_d_a3_d_x_d_x[n, i3] * d_one_minus_a3_squared_d_x[n, i3] + one_minus_a3_squared[n, i3] * d_d_a3_d_x
    # layer 2, backward: d_d_z3_d_x_W3[n,i2] = Σ_i3 d_d_z3_d_x[n,i3]·W3[i2,i3]
    matmul(d_d_z3_d_x, W3.T, d_d_z3_d_x_W3)
    for n in range(rows):
        # d_d_a2_d_x[n,i2] = d_d_z3_d_x_W3[n,i2] - 2·a2[n,i2]·d_d_one_minus_a2_squared_d_x[n,i2]
        # d_one_minus_a2_squared[n,i2] = d_d_a2_d_t[n,i2]·d_z2_d_t[n,i2] + d_d_a2_d_x[n,i2]·d_z2_d_x[n,i2] + d_d_a2_d_x_d_x[n,i2]·d_z2_d_x_d_x[n,i2]
        # d_d_z2_d_x[n,i2] = d_d_a2_d_x_d_x[n,i2]·d_one_minus_a2_squared_d_x[n,i2] + one_minus_a2_squared[n,i2]·d_d_a2_d_x[n,i2]
        for i2 in range(units2):
            d_d_a2_d_x = d_d_z3_d_x_W3[n, i2] - 2.0 * a2[n, i2] * d_d_one_minus_a2_squared_d_x[n, i2]
            d_one_minus_a2_squared[n, i2] = d_d_a2_d_t[n, i2] * d_z2_d_t[n, i2] + d_d_a2_d_x * d_z2_d_x[n, i2] + d_d_a2_d_x_d_x[n, i2] * d_z2_d_x_d_x[n, i2]
            d_d_z2_d_x[n, i2] = d_d_a2_d_x_d_x[n, i2] * d_one_minus_a2_squared_d_x[n, i2] + one_minus_a2_squared[n, i2] * d_d_a2_d_x
    # layer 1, backward: d_d_z2_d_x_W2[n,i1] = Σ_i2 d_d_z2_d_x[n,i2]·W2[i1,i2]
    matmul(d_d_z2_d_x, W2.T, d_d_z2_d_x_W2)
    for n in range(rows):
        # d_d_a1_d_x[n,i1] = d_d_z2_d_x_W2[n,i1] - 2·a1[n,i1]·d_d_one_minus_a1_squared_d_x[n,i1]
        # d_one_minus_a1_squared[n,i1] = d_d_a1_d_t[n,i1]·W1[1,i1] + d_d_a1_d_x[n,i1]·W1[0,i1]
        for i1 in range(units1):
            d_d_a1_d_x[n, i1] = d_d_z2_d_x_W2[n, i1] - 2.0 * a1[n, i1] * d_d_one_minus_a1_squared_d_x[n, i1]
            d_one_minus_a1_squared[n, i1] = d_d_a1_d_t[n, i1] * W1[1, i1] + d_d_a1_d_x[n, i1] * W1[0, i1]
    # layer 3, backward: d_y_W4[n,i3] = Σ_i4 d_y[n,i4]·W4[i3,i4]
    matmul(d_y, W4.T, d_y_W4)
    for n in range(rows):
        # d_a3[n,i3] = d_y_W4[n,i3] - 2·a3[n,i3]·d_one_minus_a3_squared[n,i3] - 2·d_a3_d_x[n,i3]·d_d_one_minus_a3_squared_d_x[n,i3]
        # d_z3[n,i3] = one_minus_a3_squared[n,i3]·d_a3[n,i3]
        for i3 in range(units3):
            d_a3 = d_y_W4[n, i3] - 2.0 * a3[n, i3] * d_one_minus_a3_squared[n, i3] - 2.0 * d_a3_d_x[n, i3] * d_d_one_minus_a3_squared_d_x[n, i3]
            d_z3[n, i3] = one_minus_a3_squared[n, i3] * d_a3
    # layer 2, backward: d_z3_W3[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_z3_W3)
    for n in range(rows):
        # d_a2[n,i2] = d_z3_W3[n,i2] - 2·a2[n,i2]·d_one_minus_a2_squared[n,i2] - 2·d_a2_d_x[n,i2]·d_d_one_minus_a2_squared_d_x[n,i2]
        # d_z2[n,i2] = one_minus_a2_squared[n,i2]·d_a2[n,i2]
        for i2 in range(units2):
            d_a2 = d_z3_W3[n, i2] - 2.0 * a2[n, i2] * d_one_minus_a2_squared[n, i2] - 2.0 * d_a2_d_x[n, i2] * d_d_one_minus_a2_squared_d_x[n, i2]
            d_z2[n, i2] = one_minus_a2_squared[n, i2] * d_a2
    # layer 1, backward: d_z2_W2[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_z2_W2)
    for n in range(rows):
        # d_a1[n,i1] = d_z2_W2[n,i1] - 2·a1[n,i1]·d_one_minus_a1_squared[n,i1] - 2·d_a1_d_x[n,i1]·d_d_one_minus_a1_squared_d_x[n,i1]
        # d_z1[n,i1] = one_minus_a1_squared[n,i1]·d_a1[n,i1]
        for i1 in range(units1):
            d_a1 = d_z2_W2[n, i1] - 2.0 * a1[n, i1] * d_one_minus_a1_squared[n, i1] - 2.0 * d_a1_d_x[n, i1] * d_d_one_minus_a1_squared_d_x[n, i1]
            d_z1[n, i1] = one_minus_a1_squared[n, i1] * d_a1


def _equation_gradient_sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    units1 = opaque(I1)
    units3 = opaque(I3)
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3, d_W4, d_b4 = parameters(gradient)
    z1 = view(scratch, EQUATION_GRADIENT_PLACES[0], (rows, I1))
    z2 = view(scratch, EQUATION_GRADIENT_PLACES[1], (rows, I2))
    z3 = view(scratch, EQUATION_GRADIENT_PLACES[2], (rows, I3))
    one_minus_a1_squared = view(scratch, EQUATION_GRADIENT_PLACES[4], (rows, I1))
    d_a1_d_x = view(scratch, EQUATION_GRADIENT_PLACES[5], (rows, I1))
    one_minus_a2_squared = view(scratch, EQUATION_GRADIENT_PLACES[7], (rows, I2))
    d_a2_d_x = view(scratch, EQUATION_GRADIENT_PLACES[8], (rows, I2))
    one_minus_a3_squared = view(scratch, EQUATION_GRADIENT_PLACES[10], (rows, I3))
    d_a3_d_x = view(scratch, EQUATION_GRADIENT_PLACES[11], (rows, I3))
    d_a1_d_t = view(scratch, EQUATION_GRADIENT_PLACES[13], (rows, I1))
    d_a2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[15], (rows, I2))
    d_a3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[17], (rows, I3))
    d_one_minus_a1_squared_d_x = view(scratch, EQUATION_GRADIENT_PLACES[19], (rows, I1))
    d_a1_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[20], (rows, I1))
    d_a2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[23], (rows, I2))
    d_a3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[26], (rows, I3))
    e = view(scratch, EQUATION_GRADIENT_PLACES[29], (rows,))
    d_y_times_d_u_d_x_plus_d_u_d_t = view(scratch, EQUATION_GRADIENT_PLACES[30], (rows,))
    d_d_y_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[31], (rows, I4))
    d_d_a3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[32], (rows, I3))
    d_d_z3_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[34], (rows, I3))
    d_d_a2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[35], (rows, I2))
    d_d_z2_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[37], (rows, I2))
    d_d_a1_d_x_d_x = view(scratch, EQUATION_GRADIENT_PLACES[38], (rows, I1))
    d_d_z3_d_t = view(scratch, EQUATION_GRADIENT_PLACES[41], (rows, I3))
    d_d_z2_d_t = view(scratch, EQUATION_GRADIENT_PLACES[43], (rows, I2))
    d_d_a1_d_t = view(scratch, EQUATION_GRADIENT_PLACES[44], (rows, I1))
    d_d_y_d_x = view(scratch, EQUATION_GRADIENT_PLACES[45], (rows, I4))
    d_d_z2_d_x_W2 = view(scratch, EQUATION_GRADIENT_PLACES[48], (rows, I1))
    d_y = view(scratch, EQUATION_GRADIENT_PLACES[50], (rows, I4))
    d_z2_W2 = view(scratch, EQUATION_GRADIENT_PLACES[53], (rows, I1))
    d_z3 = one_minus_a3_squared  # in the same memory, one after the other
    d_z2 = one_minus_a2_squared  # in the same memory, one after the other
    d_d_a1_d_x = d_d_z2_d_x_W2  # in the same memory, one after the other
    d_z1 = d_z2_W2  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    rest_of_d_W4 = d_W4  # its sum over the samples; what else is in it is added at the end
    a2 = z2  # in the same memory, one after the other
    d_d_z3_d_x = d_d_a3_d_x_d_x  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    d_d_z2_d_x = d_d_a2_d_x_d_x  # in the same memory, one after the other
    rest_of_d_W1 = d_W1  # its sum over the samples; what else is in it is added at the end
    if piece == 0:
        if gradient is not None:
            for i3 in range(I3):
                for i4 in range(I4):
                    d_W4[i3, i4] = 0.0
            for i0 in range(I0):
                for i1 in range(I1):
                    d_W1[i0, i1] = 0.0
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
            if gradient is None:
                continue  # the loss is known
            # layer 4, backward: rest_of_d_W4[i3,i4] = Σ_n d_a3_d_t[n,i3]·d_y_times_d_u_d_x_plus_d_u_d_t[n]
            for i3 in range(units3):
                for i4 in range(I4):
                    rest_of_d_W4[i3, i4] = fma(d_a3_d_t[n, i3], d_y_times_d_u_d_x_plus_d_u_d_t[n], rest_of_d_W4[i3, i4])
            # layer 1, backward: rest_of_d_W1[i0,i1] = (Σ_n d_d_a1_d_x_d_x[n,i1]·d_one_minus_a1_squared_d_x[n,i1])·δ(i0,0) + (Σ_n one_minus_a1_squared[n,i1]·d_d_a1_d_t[n,i1])·δ(i0,1) + (Σ_n one_minus_a1_squared[n,i1]·d_d_a1_d_x[n,i1])·δ(i0,0)
            for i0 in range(I0):
                for i1 in range(units1):
                    rest_of_d_W1[i0, i1] = fma(d_d_a1_d_x_d_x[n, i1] * d_one_minus_a1_squared_d_x[n, i1], 1.0 if i0 == 0 else 0.0, rest_of_d_W1[i0, i1])
                    rest_of_d_W1[i0, i1] = fma(one_minus_a1_squared[n, i1] * d_d_a1_d_t[n, i1], 1.0 if i0 == 1 else 0.0, rest_of_d_W1[i0, i1])
                    rest_of_d_W1[i0, i1] = fma(one_minus_a1_squared[n, i1] * d_d_a1_d_x[n, i1], 1.0 if i0 == 0 else 0.0, rest_of_d_W1[i0, i1])
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 4, backward: d_b4[i4] = Σ_n d_y[n,i4]
        sum_rows(d_y, d_b4)
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 4, backward: d_W4[i3,i4] = Σ_n a3[n,i3]·d_y[n,i4] + Σ_n d_a3_d_x[n,i3]·d_d_y_d_x[n,i4] + Σ_n d_a3_d_x_d_x[n,i3]·d_d_y_d_x_d_x[n,i4] + rest_of_d_W4[i3,i4]
    if piece == 0:
        matmul_onto(a3.T, d_y, d_W4)
        matmul_onto(d_a3_d_x.T, d_d_y_d_x, d_W4)
        matmul_onto(d_a3_d_x_d_x.T, d_d_y_d_x_d_x, d_W4)
    # layer 3, backward: d_W3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3] + Σ_n d_a2_d_t[n,i2]·d_d_z3_d_t[n,i3] + Σ_n d_a2_d_x[n,i2]·d_d_z3_d_x[n,i3] + Σ_n d_a2_d_x_d_x[n,i2]·d_d_z3_d_x_d_x[n,i3]
    matmul_piece(a2.T, d_z3, d_W3, piece, pieces)
    matmul_piece_onto(d_a2_d_t.T, d_d_z3_d_t, d_W3, piece, pieces)
    matmul_piece_onto(d_a2_d_x.T, d_d_z3_d_x, d_W3, piece, pieces)
    matmul_piece_onto(d_a2_d_x_d_x.T, d_d_z3_d_x_d_x, d_W3, piece, pieces)
    # layer 2, backward: d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2] + Σ_n d_a1_d_t[n,i1]·d_d_z2_d_t[n,i2] + Σ_n d_a1_d_x[n,i1]·d_d_z2_d_x[n,i2] + Σ_n d_a1_d_x_d_x[n,i1]·d_d_z2_d_x_d_x[n,i2]
    matmul_piece(a1.T, d_z2, d_W2, piece, pieces)
    matmul_piece_onto(d_a1_d_t.T, d_d_z2_d_t, d_W2, piece, pieces)
    matmul_piece_onto(d_a1_d_x.T, d_d_z2_d_x, d_W2, piece, pieces)
    matmul_piece_onto(d_a1_d_x_d_x.T, d_d_z2_d_x_d_x, d_W2, piece, pieces)
    # layer 1, backward: d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1] + rest_of_d_W1[i0,i1]
    if piece == 0:
        matmul_onto(x.T, d_z1, d_W1)
    return E_sum


def _equation_gradient_at_the_end(N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


# The same for the term `start` of the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the term is all that is computed.
START_GRADIENT_THREADED, START_GRADIENT_SCRATCH, START_GRADIENT_PLACES = 310, 15744, (7680, 10240, 12800, 15616, 15488, 15360, 5120, 2560, 0)


def _start_gradient_samples_of_leaf(theta, xs, ts, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    rows = last - first
    x, t = xs[first:last], ts[first:last]
    z1 = view(scratch, START_GRADIENT_PLACES[0] + first * I1, (rows, I1))
    z2 = view(scratch, START_GRADIENT_PLACES[1] + first * I2, (rows, I2))
    z3 = view(scratch, START_GRADIENT_PLACES[2] + first * I3, (rows, I3))
    y = view(scratch, START_GRADIENT_PLACES[3] + first * I4, (rows, I4))
    e = view(scratch, START_GRADIENT_PLACES[4] + first, (rows,))
    d_y = view(scratch, START_GRADIENT_PLACES[5] + first * I4, (rows, I4))
    d_a3 = view(scratch, START_GRADIENT_PLACES[6] + first * I3, (rows, I3))
    d_a2 = view(scratch, START_GRADIENT_PLACES[7] + first * I2, (rows, I2))
    d_a1 = view(scratch, START_GRADIENT_PLACES[8] + first * I1, (rows, I1))
    y_minus_t = local(I4, np.float64)
    a1 = z1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
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
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # a3[n,i3] = tanh(z3[n,i3])
        for i3 in range(units3):
            a3[n, i3] = tanh(z3[n, i3])
    # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    matmul(a3, W4, y, b4)
    for n in range(rows):
        # y_minus_t[n,i4] = y[n,0] - t[n,i4]
        for i4 in range(I4):
            y_minus_t[i4] = y[n, 0] - t[n, i4]
        # loss: e[n] = Σ_i4 y_minus_t[n,i4]²
        total = 0.0
        for i4 in range(I4):
            total += y_minus_t[i4] * y_minus_t[i4]
        e[n] = total
        if gradient is None:
            continue  # the loss is known
        # sum_y_minus_t[n] = Σ_j4 y_minus_t[n,j4]
        sum_y_minus_t = 0.0
        for j4 in range(I4):
            sum_y_minus_t += y_minus_t[j4]
        # layer 4, backward: d_y[n,i4] = 2·sum_y_minus_t[n]/N
        for i4 in range(I4):
            d_y[n, i4] = 2.0 * sum_y_minus_t / N
    if gradient is None:
        return
    # layer 3, backward: d_a3[n,i3] = Σ_i4 d_y[n,i4]·W4[i3,i4]
    matmul(d_y, W4.T, d_a3)
    for n in range(rows):
        # d_z3[n,i3] = d_a3[n,i3]·(1 - a3[n,i3]²)
        for i3 in range(units3):
            d_z3[n, i3] = d_a3[n, i3] * (1.0 - a3[n, i3] * a3[n, i3])
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_a2)
    for n in range(rows):
        # d_z2[n,i2] = d_a2[n,i2]·(1 - a2[n,i2]²)
        for i2 in range(units2):
            d_z2[n, i2] = d_a2[n, i2] * (1.0 - a2[n, i2] * a2[n, i2])
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_a1)
    for n in range(rows):
        # d_z1[n,i1] = d_a1[n,i1]·(1 - a1[n,i1]²)
        for i1 in range(units1):
            d_z1[n, i1] = d_a1[n, i1] * (1.0 - a1[n, i1] * a1[n, i1])


def _start_gradient_sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3, d_W4, d_b4 = parameters(gradient)
    z1 = view(scratch, START_GRADIENT_PLACES[0], (rows, I1))
    z2 = view(scratch, START_GRADIENT_PLACES[1], (rows, I2))
    z3 = view(scratch, START_GRADIENT_PLACES[2], (rows, I3))
    e = view(scratch, START_GRADIENT_PLACES[4], (rows,))
    d_y = view(scratch, START_GRADIENT_PLACES[5], (rows, I4))
    d_a3 = view(scratch, START_GRADIENT_PLACES[6], (rows, I3))
    d_a2 = view(scratch, START_GRADIENT_PLACES[7], (rows, I2))
    d_a1 = view(scratch, START_GRADIENT_PLACES[8], (rows, I1))
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 4, backward: d_b4[i4] = Σ_n d_y[n,i4]
        sum_rows(d_y, d_b4)
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 4, backward: d_W4[i3,i4] = Σ_n a3[n,i3]·d_y[n,i4]
    matmul_piece(a3.T, d_y, d_W4, piece, pieces)
    # layer 3, backward: d_W3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    matmul_piece(a2.T, d_z3, d_W3, piece, pieces)
    # layer 2, backward: d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    matmul_piece(a1.T, d_z2, d_W2, piece, pieces)
    # layer 1, backward: d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    matmul_piece(x.T, d_z1, d_W1, piece, pieces)
    return E_sum


def _start_gradient_at_the_end(N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


# The same for the term `ends` of the loss and its gradient, of the samples of one leaf. Where `gradient` is None, the term is all that is computed.
ENDS_GRADIENT_THREADED, ENDS_GRADIENT_SCRATCH, ENDS_GRADIENT_PLACES = 320, 15744, (7680, 10240, 12800, 15616, 15488, 15360, 5120, 2560, 0)


def _ends_gradient_samples_of_leaf(theta, xs, N, gradient, scratch, first, last):
    """What is computed for each sample of a leaf, from `first` on, before `last`."""
    noinline()
    units1 = opaque(I1)
    units2 = opaque(I2)
    units3 = opaque(I3)
    W1, b1, W2, b2, W3, b3, W4, b4 = parameters(theta)
    rows = last - first
    x = xs[first:last]
    z1 = view(scratch, ENDS_GRADIENT_PLACES[0] + first * I1, (rows, I1))
    z2 = view(scratch, ENDS_GRADIENT_PLACES[1] + first * I2, (rows, I2))
    z3 = view(scratch, ENDS_GRADIENT_PLACES[2] + first * I3, (rows, I3))
    y = view(scratch, ENDS_GRADIENT_PLACES[3] + first * I4, (rows, I4))
    e = view(scratch, ENDS_GRADIENT_PLACES[4] + first, (rows,))
    d_y = view(scratch, ENDS_GRADIENT_PLACES[5] + first * I4, (rows, I4))
    d_a3 = view(scratch, ENDS_GRADIENT_PLACES[6] + first * I3, (rows, I3))
    d_a2 = view(scratch, ENDS_GRADIENT_PLACES[7] + first * I2, (rows, I2))
    d_a1 = view(scratch, ENDS_GRADIENT_PLACES[8] + first * I1, (rows, I1))
    a1 = z1  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
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
    # layer 3, forward: z3[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + b3[i3]
    matmul(a2, W3, z3, b3)
    for n in range(rows):
        # a3[n,i3] = tanh(z3[n,i3])
        for i3 in range(units3):
            a3[n, i3] = tanh(z3[n, i3])
    # layer 4, forward: y[n,i4] = Σ_i3 a3[n,i3]·W4[i3,i4] + b4[i4]
    matmul(a3, W4, y, b4)
    for n in range(rows):
        # loss: e[n] = y[n,0]²
        e[n] = y[n, 0] * y[n, 0]
        if gradient is None:
            continue  # the loss is known
        # layer 4, backward: d_y[n,i4] = 2·y[n,0]/N
        for i4 in range(I4):
            d_y[n, i4] = 2.0 * y[n, 0] / N
    if gradient is None:
        return
    # layer 3, backward: d_a3[n,i3] = Σ_i4 d_y[n,i4]·W4[i3,i4]
    matmul(d_y, W4.T, d_a3)
    for n in range(rows):
        # d_z3[n,i3] = d_a3[n,i3]·(1 - a3[n,i3]²)
        for i3 in range(units3):
            d_z3[n, i3] = d_a3[n, i3] * (1.0 - a3[n, i3] * a3[n, i3])
    # layer 2, backward: d_a2[n,i2] = Σ_i3 d_z3[n,i3]·W3[i2,i3]
    matmul(d_z3, W3.T, d_a2)
    for n in range(rows):
        # d_z2[n,i2] = d_a2[n,i2]·(1 - a2[n,i2]²)
        for i2 in range(units2):
            d_z2[n, i2] = d_a2[n, i2] * (1.0 - a2[n, i2] * a2[n, i2])
    # layer 1, backward: d_a1[n,i1] = Σ_i2 d_z2[n,i2]·W2[i1,i2]
    matmul(d_z2, W2.T, d_a1)
    for n in range(rows):
        # d_z1[n,i1] = d_a1[n,i1]·(1 - a1[n,i1]²)
        for i1 in range(units1):
            d_z1[n, i1] = d_a1[n, i1] * (1.0 - a1[n, i1] * a1[n, i1])


def _ends_gradient_sums_of_leaf(x, gradient, scratch, piece, pieces):
    """The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the first with the losses."""
    noinline()
    rows = x.shape[0]
    E_sum = 0.0
    d_W1, d_b1, d_W2, d_b2, d_W3, d_b3, d_W4, d_b4 = parameters(gradient)
    z1 = view(scratch, ENDS_GRADIENT_PLACES[0], (rows, I1))
    z2 = view(scratch, ENDS_GRADIENT_PLACES[1], (rows, I2))
    z3 = view(scratch, ENDS_GRADIENT_PLACES[2], (rows, I3))
    e = view(scratch, ENDS_GRADIENT_PLACES[4], (rows,))
    d_y = view(scratch, ENDS_GRADIENT_PLACES[5], (rows, I4))
    d_a3 = view(scratch, ENDS_GRADIENT_PLACES[6], (rows, I3))
    d_a2 = view(scratch, ENDS_GRADIENT_PLACES[7], (rows, I2))
    d_a1 = view(scratch, ENDS_GRADIENT_PLACES[8], (rows, I1))
    d_z3 = d_a3  # in the same memory, one after the other
    d_z2 = d_a2  # in the same memory, one after the other
    d_z1 = d_a1  # in the same memory, one after the other
    a3 = z3  # in the same memory, one after the other
    a2 = z2  # in the same memory, one after the other
    a1 = z1  # in the same memory, one after the other
    if piece == 0:
        for n in range(rows):
            # loss: E = Σ_n e[n]/N: the sum over n here, the rest when it is complete
            E_sum += e[n]
    if gradient is None:
        return E_sum
    if piece == 0:
        # layer 4, backward: d_b4[i4] = Σ_n d_y[n,i4]
        sum_rows(d_y, d_b4)
        # layer 3, backward: d_b3[i3] = Σ_n d_z3[n,i3]
        sum_rows(d_z3, d_b3)
        # layer 2, backward: d_b2[i2] = Σ_n d_z2[n,i2]
        sum_rows(d_z2, d_b2)
        # layer 1, backward: d_b1[i1] = Σ_n d_z1[n,i1]
        sum_rows(d_z1, d_b1)
    # layer 4, backward: d_W4[i3,i4] = Σ_n a3[n,i3]·d_y[n,i4]
    matmul_piece(a3.T, d_y, d_W4, piece, pieces)
    # layer 3, backward: d_W3[i2,i3] = Σ_n a2[n,i2]·d_z3[n,i3]
    matmul_piece(a2.T, d_z3, d_W3, piece, pieces)
    # layer 2, backward: d_W2[i1,i2] = Σ_n a1[n,i1]·d_z2[n,i2]
    matmul_piece(a1.T, d_z2, d_W2, piece, pieces)
    # layer 1, backward: d_W1[i0,i1] = Σ_n x[n,i0]·d_z1[n,i1]
    matmul_piece(x.T, d_z1, d_W1, piece, pieces)
    return E_sum


def _ends_gradient_at_the_end(N, E_sum):
    """The loss E from the sum over samples."""
    E = E_sum / N
    return E


def _check_terms(theta, x_equation, x_start, t_start, x_ends, gradient=None):
    """The shapes of what is given, term by term."""
    _equation_check(theta, x_equation, gradient)
    _start_check(theta, x_start, t_start, gradient)
    _ends_check(theta, x_ends, gradient)


def _add_gradient(gradient, part):
    """A term's gradient is added to that of the terms before."""
    for k in range(SIZE):
        gradient[k] += part[k]


def _gradient_at_once(theta, x_equation, x_start, t_start, x_ends, gradient):
    """The loss E, and its gradient if that is given: the terms, one after the other, added up. Unchecked."""
    E = _equation_gradient_at_once(theta, x_equation, gradient)
    part = fresh(gradient, SIZE)
    E += _start_gradient_at_once(theta, x_start, t_start, part)
    if gradient is not None:
        _add_gradient(gradient, part)
    E += _ends_gradient_at_once(theta, x_ends, part)
    if gradient is not None:
        _add_gradient(gradient, part)
    return E


def _gradient_in_turn(theta, x_equation, x_start, t_start, x_ends, gradient):
    """The same, checked."""
    _check_terms(theta, x_equation, x_start, t_start, x_ends, gradient)
    return _gradient_at_once(theta, x_equation, x_start, t_start, x_ends, gradient)


def _gradient_on_threads(theta, x_equation, x_start, t_start, x_ends, gradient):
    """The same, terms of many samples on several threads."""
    _check_terms(theta, x_equation, x_start, t_start, x_ends, gradient)
    if x_equation.shape[0] >= 45:
        E = _equation_gradient_on_threads(theta, x_equation, gradient)
    else:
        E = _equation_gradient_at_once(theta, x_equation, gradient)
    part = fresh(gradient, SIZE)
    if x_start.shape[0] >= 310:
        E += _start_gradient_on_threads(theta, x_start, t_start, part)
    else:
        E += _start_gradient_at_once(theta, x_start, t_start, part)
    if gradient is not None:
        _add_gradient(gradient, part)
    if x_ends.shape[0] >= 320:
        E += _ends_gradient_on_threads(theta, x_ends, part)
    else:
        E += _ends_gradient_at_once(theta, x_ends, part)
    if gradient is not None:
        _add_gradient(gradient, part)
    return E


def _loss(theta, x_equation, x_start, t_start, x_ends):
    return _gradient_in_turn(theta, x_equation, x_start, t_start, x_ends, None)


def _loss_and_gradient_into(theta, x_equation, x_start, t_start, x_ends, gradient):
    return _gradient_in_turn(theta, x_equation, x_start, t_start, x_ends, gradient)


def _loss_and_gradient(theta, x_equation, x_start, t_start, x_ends):
    gradient = np.empty(SIZE)
    return loss_and_gradient_into(theta, x_equation, x_start, t_start, x_ends, gradient), gradient


def _descend(theta, rate, gradient):
    """The weights go down the gradient, all at once."""
    for k in range(SIZE):
        theta[k] -= rate * gradient[k]


def _step(theta, x_equation, x_start, t_start, x_ends, rate):
    gradient = np.empty(SIZE)
    E = _gradient_in_turn(theta, x_equation, x_start, t_start, x_ends, gradient)
    _descend(theta, rate, gradient)
    return E


def _step_on_threads(theta, x_equation, x_start, t_start, x_ends, rate):
    """The same, terms of many samples on several threads."""
    gradient = np.empty(SIZE)
    E = _gradient_on_threads(theta, x_equation, x_start, t_start, x_ends, gradient)
    _descend(theta, rate, gradient)
    return E


def predict(theta, x):
    """The network's output y, of shape (samples, 1), for x of shape (samples, 2).

    Columns of x: x, t.
    Columns of y: u.
    """
    return _predict(theta, x)


def loss(theta, x_equation, x_start, t_start, x_ends):
    """The loss E, a float: the sum of its terms, each of samples of its own. Each x is of shape (samples, 2),
    and each t has as many columns as the term has targets.

    Columns of x: x, t.
    Columns of t: u.
    """
    return _loss(theta, x_equation, x_start, t_start, x_ends)


def loss_and_gradient(theta, x_equation, x_start, t_start, x_ends):
    """The loss E and its derivative by every weight, an array like theta."""
    return _loss_and_gradient(theta, x_equation, x_start, t_start, x_ends)


def loss_and_gradient_into(theta, x_equation, x_start, t_start, x_ends, gradient):
    """The loss E; its derivative by every weight is written into `gradient`, laid out like theta."""
    return _loss_and_gradient_into(theta, x_equation, x_start, t_start, x_ends, gradient)


def step(theta, x_equation, x_start, t_start, x_ends, rate):
    """One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."""
    return _step(theta, x_equation, x_start, t_start, x_ends, rate)


# All above is compiled when it is called, and `init`, `pack` and `unpack` are added.
build(
    globals(),
    emitted="0e65b4037d62721b",
    inlined=['tanh', '_equation_gradient_at_the_end', '_start_gradient_at_the_end',
 '_ends_gradient_at_the_end'],
    compiled=['_prediction_of_chunk', '_equation_gradient_samples_of_leaf',
 '_equation_gradient_sums_of_leaf', '_start_gradient_samples_of_leaf',
 '_start_gradient_sums_of_leaf', '_ends_gradient_samples_of_leaf',
 '_ends_gradient_sums_of_leaf', '_check_terms', '_add_gradient', '_gradient_at_once',
 '_gradient_in_turn', '_gradient_on_threads', '_loss', '_loss_and_gradient_into',
 '_loss_and_gradient', '_descend', '_step', '_step_on_threads'],
    terms={'equation': {'kernels': {'_samples_of_leaf': '_equation_gradient_samples_of_leaf',
                          '_sums_of_leaf': '_equation_gradient_sums_of_leaf',
                          '_gradient_at_the_end': '_equation_gradient_at_the_end'},
              'given': ['theta', 'x']},
 'start': {'kernels': {'_samples_of_leaf': '_start_gradient_samples_of_leaf',
                       '_sums_of_leaf': '_start_gradient_sums_of_leaf',
                       '_gradient_at_the_end': '_start_gradient_at_the_end'},
           'given': ['theta', 'x', 't']},
 'ends': {'kernels': {'_samples_of_leaf': '_ends_gradient_samples_of_leaf',
                      '_sums_of_leaf': '_ends_gradient_sums_of_leaf',
                      '_gradient_at_the_end': '_ends_gradient_at_the_end'},
          'given': ['theta', 'x']}},
)
