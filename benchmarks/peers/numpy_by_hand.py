"""NumPy by hand: preallocated arrays, `out=` throughout, biases' gradients as products."""

import numpy as np

from benchmarks.peers.numpy_control import control as control
from benchmarks.peers.numpy_derivatives import derive as derive
from benchmarks.peers.threads import blas_threads


def prepare(net, theta, x, t):
    N, dtype = len(x), theta.dtype
    gradient = np.empty_like(theta)
    layers = []
    for m, k, w, b in net.layers:
        W, bias = theta[w:b].reshape(m, k), theta[b : b + k]
        d_W, d_bias = gradient[w:b].reshape(m, k), gradient[b : b + k]
        a, d, spare = (np.empty((N, k), dtype) for _ in range(3))
        layers.append((W, bias, d_W, d_bias, a, d, spare))
    ones, column = np.ones(N, dtype), np.empty((N, 1), dtype)
    *hidden, (W_out, b_out, _, _, y, d_y, _) = layers
    inputs = [x, *(layer[4] for layer in hidden)]  # by layer, what it reads
    scale = dtype.type(1 / N)
    one, zero = dtype.type(1), dtype.type(0)

    def loss_and_gradient():
        for a_before, (W, bias, _, _, a, _, _) in zip(inputs, hidden, strict=False):
            np.dot(a_before, W, out=a)
            np.add(a, bias, out=a)
            if net.classifies:
                np.maximum(a, zero, out=a)
            else:
                np.tanh(a, out=a)
        np.dot(inputs[-1], W_out, out=y)
        np.add(y, b_out, out=y)
        if net.classifies:
            np.max(y, axis=1, keepdims=True, out=column)
            np.subtract(y, column, out=y)
            np.exp(y, out=d_y)
            np.sum(d_y, axis=1, keepdims=True, out=column)
            np.divide(d_y, column, out=d_y)
            np.subtract(d_y, t, out=d_y)
            E = np.log(column, out=column).sum() - np.vdot(y, t)  # targets sum to 1
        else:
            np.subtract(y, t, out=d_y)
            E = 0.5 * np.vdot(d_y, d_y)
        np.multiply(d_y, scale, out=d_y)
        d = d_y
        for number in range(len(hidden), 0, -1):
            W, _, d_W, d_bias, _, _, _ = layers[number]
            _, _, _, _, a, d_a, spare = layers[number - 1]
            np.dot(a.T, d, out=d_W)
            np.dot(ones, d, out=d_bias)
            np.dot(d, W.T, out=d_a)
            if net.classifies:
                np.multiply(d_a, np.greater(a, zero), out=d_a)
            else:
                np.multiply(a, a, out=spare)
                np.subtract(one, spare, out=spare)
                np.multiply(d_a, spare, out=d_a)
            d = d_a
        np.dot(x.T, d, out=layers[0][2])
        np.dot(ones, d, out=layers[0][3])
        return E * scale

    def value():
        return float(loss_and_gradient()), gradient.copy()

    yield from blas_threads(loss_and_gradient, value, work=N * net.size)
