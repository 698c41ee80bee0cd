"""The distance to the machine: the matrix products alone, and one pass over every other array.

Not a peer: what it computes is no gradient. Small networks in loops can be faster than it, since
every product is a call of BLAS.
"""

from functools import partial

import numba as nb
import numpy as np

from benchmarks.peers import Variant
from benchmarks.peers.threads import blas_threads

jit = partial(nb.njit, fastmath=True, nogil=True)


@jit
def products(a, W, z, d, d_W):
    np.dot(a, W, z)
    np.dot(a.T, d, d_W)


@jit
def product_back(d, W, d_a):
    np.dot(d, W.T, d_a)


@jit
def one_pass(array, factor):
    for n in range(array.shape[0]):
        for j in range(array.shape[1]):
            array[n, j] *= factor


def chain(layers, number=0):
    """All layers from `number` on, as one compiled function of the tuple of their arrays."""
    is_first, is_last = number == 0, number == len(layers) - 1
    rest = None if is_last else chain(layers, number + 1)

    @jit
    def run(arrays, factor):
        a, W, z, d, d_W, d_a = arrays[number]
        products(a, W, z, d, d_W)
        if not is_first:
            product_back(d, W, d_a)
        one_pass(z, factor)
        one_pass(d, factor)
        if not is_last:
            rest(arrays, factor)

    return run


def prepare(net, theta, x, t):
    N, dtype = len(x), theta.dtype
    random = np.random.default_rng(0)
    layers = []
    for m, k, _, _ in net.layers:
        shapes = (N, m), (m, k), (N, k), (N, k), (m, k), (N, m)
        layers.append(tuple(random.random(shape).astype(dtype) for shape in shapes))
    run = chain(layers)
    call = partial(run, tuple(layers), dtype.type(1))
    call()
    for variant in blas_threads(call, None, "np.dot", N * net.size):
        yield Variant(variant.name, variant.call, None, variant.begin)
