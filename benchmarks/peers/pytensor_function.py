"""PyTensor: a compiled function over shared arrays, its outputs borrowed; through Numba and C."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks.peers.threads import blas_threads


def prepare(net, theta, x, t):
    N = len(x)
    shared = [pytensor.shared(array, borrow=True) for array in (theta, x, t)]
    weights, x, t = shared
    a = x
    for number, (m, k, w, b) in enumerate(net.layers, start=1):
        z = pt.dot(a, weights[w:b].reshape((m, k))) + weights[b : b + k]
        if number < len(net.layers):
            a = pt.maximum(z, 0) if net.classifies else pt.tanh(z)
    if net.classifies:
        E = -(t * pt.special.log_softmax(z, axis=1)).sum() / np.array(N, theta.dtype)
    else:
        E = 0.5 * ((z - t) ** 2).sum() / np.array(N, theta.dtype)
    outputs = [pytensor.Out(part, borrow=True) for part in (E, pytensor.grad(E, weights))]
    work = N * net.size
    # in small networks the C back end's calls cost more than the work, many times over
    for mode in ("NUMBA", "CVM") if work > 50_000 else ("NUMBA",):
        compiled = pytensor.function([], outputs, mode=mode, trust_input=True)

        def value(compiled=compiled):
            E, gradient = compiled()
            return float(E), np.array(gradient)

        value()
        yield from blas_threads(compiled, value, mode, work if mode == "NUMBA" else 0)
