"""Numba as an expert writes it by hand: widths are constants, all memory is given in advance.

Each layer is a function that computes its activations, hands them to the next layer, and does its
part of the way back with what that returned. Plain loops over the samples serve small networks,
matrix products with fused loops between them large ones; both also by halves, on all threads.
"""

from functools import partial

import numba as nb
import numpy as np

from benchmarks.peers import CALLS, Variant
from benchmarks.peers.threads import blas_threads

jit = partial(nb.njit, fastmath=True, error_model="numpy", nogil=True)


def looped_layers(net, real):
    """(theta, gradient, scratch, x_n, t_n, nothing, 1/N) → e_n, for one sample."""
    F, last = np.dtype(real).type, len(net.layers) - 1
    one, half, zero, classifies = F(1), F(0.5), F(0), net.classifies

    def output(units):
        if classifies:

            @jit
            def loss(y, t, d, scale):
                peak = y[0]
                for j in range(1, units):
                    peak = max(peak, y[j])
                total, weight, e = zero, zero, zero
                for j in range(units):
                    d[j] = np.exp(y[j] - peak)
                    total += d[j]
                    weight += t[j]
                    e -= t[j] * (y[j] - peak)
                for j in range(units):
                    d[j] = (d[j] * (weight / total) - t[j]) * scale
                return e + weight * np.log(total)

        else:

            @jit
            def loss(y, t, d, scale):
                e = zero
                for j in range(units):
                    difference = y[j] - t[j]
                    e += half * difference * difference
                    d[j] = difference * scale
                return e

        return loss

    def layer(number, start):
        m, k, w, b = net.layers[number]
        is_last, is_first = number == last, number == 0
        after = output(k) if is_last else layer(number + 1, start + 2 * k)

        @jit
        def run(theta, gradient, scratch, before, t, d_before, scale):
            a, d = scratch[start : start + k], scratch[start + k : start + 2 * k]
            for j in range(k):
                a[j] = theta[b + j]
            for i in range(m):
                for j in range(k):
                    a[j] += before[i] * theta[w + i * k + j]
            if is_last:
                e = after(a, t, d, scale)
            else:
                for j in range(k):
                    a[j] = max(a[j], zero) if classifies else np.tanh(a[j])
                e = after(theta, gradient, scratch, a, t, d, scale)
                for j in range(k):
                    if classifies:
                        d[j] = d[j] if a[j] > zero else zero
                    else:
                        d[j] *= one - a[j] * a[j]
            for j in range(k):
                gradient[b + j] += d[j]
            for i in range(m):
                total = zero
                for j in range(k):
                    gradient[w + i * k + j] += before[i] * d[j]
                    if not is_first:
                        total += d[j] * theta[w + i * k + j]
                if not is_first:
                    d_before[i] = total
            return e

        return run

    return layer(0, 0)


def with_loops(net, real):
    """(theta, x, t, gradient, scratch, 1/N) → Σ e_n; scratch for one sample."""
    first, F = looped_layers(net, real), np.dtype(real).type

    @jit
    def loss_and_gradient(theta, x, t, gradient, scratch, scale):
        E = 0.0
        gradient[:] = F(0)
        for n in range(x.shape[0]):
            E += first(theta, gradient, scratch, x[n], t[n], scratch, scale)
        return E

    return loss_and_gradient


def with_products(net, real):
    """(theta, x, t, gradient, scratch, 1/N) → Σ e_n; scratch for all samples."""
    F, last = np.dtype(real).type, len(net.layers) - 1
    one, half, zero, classifies = F(1), F(0.5), F(0), net.classifies

    def output(units):
        @jit
        def loss(y, bias, t, d, d_bias, scale):
            E = 0.0
            for n in range(y.shape[0]):
                for j in range(units):
                    y[n, j] += bias[j]
                if classifies:
                    peak = y[n, 0]
                    for j in range(1, units):
                        peak = max(peak, y[n, j])
                    total, weight, e = zero, zero, zero
                    for j in range(units):
                        d[n, j] = np.exp(y[n, j] - peak)
                        total += d[n, j]
                        weight += t[n, j]
                        e -= t[n, j] * (y[n, j] - peak)
                    for j in range(units):
                        d[n, j] = (d[n, j] * (weight / total) - t[n, j]) * scale
                        d_bias[j] += d[n, j]
                    E += e + weight * np.log(total)
                else:
                    for j in range(units):
                        difference = y[n, j] - t[n, j]
                        E += half * difference * difference
                        d[n, j] = difference * scale
                        d_bias[j] += d[n, j]
            return E

        return loss

    def layer(number, start):
        m, k, w, b = net.layers[number]
        is_last, is_first = number == last, number == 0
        after = output(k) if is_last else layer(number + 1, start + 2 * k)

        @jit
        def run(theta, gradient, scratch, before, t, d_before, scale):
            N = before.shape[0]
            a = scratch[start * N : (start + k) * N].reshape(N, k)
            d = scratch[(start + k) * N : (start + 2 * k) * N].reshape(N, k)
            W, bias = theta[w:b].reshape(m, k), theta[b : b + k]
            d_W, d_bias = gradient[w:b].reshape(m, k), gradient[b : b + k]
            d_bias[:] = zero
            np.dot(before, W, a)
            if is_last:
                E = after(a, bias, t, d, d_bias, scale)
            else:
                for n in range(N):
                    for j in range(k):
                        z = a[n, j] + bias[j]
                        a[n, j] = max(z, zero) if classifies else np.tanh(z)
                E = after(theta, gradient, scratch, a, t, d, scale)
                for n in range(N):
                    for j in range(k):
                        if classifies:
                            d[n, j] = d[n, j] if a[n, j] > zero else zero
                        else:
                            d[n, j] *= one - a[n, j] * a[n, j]
                        d_bias[j] += d[n, j]
            np.dot(before.T, d, d_W)
            if not is_first:
                np.dot(d, W.T, d_before)
            return E

        return run

    first = layer(0, 0)

    @jit
    def loss_and_gradient(theta, x, t, gradient, scratch, scale):
        return first(theta, gradient, scratch, x, t, x, scale)

    return loss_and_gradient


def by_parts(whole, parts):
    """The same on all threads: each takes its part of the samples."""

    @partial(nb.njit, parallel=True, fastmath=True, error_model="numpy")
    def loss_and_gradient(theta, x, t, gradient, gradients, scratches, scale):
        sums, N = np.empty(parts), x.shape[0]
        for p in nb.prange(parts):
            rows = slice(p * N // parts, (p + 1) * N // parts)
            sums[p] = whole(theta, x[rows], t[rows], gradients[p], scratches[p], scale)
        for k in nb.prange(gradient.shape[0]):
            total = gradients[0, k]
            for p in range(1, parts):
                total += gradients[p, k]
            gradient[k] = total
        return sums.sum()

    return loss_and_gradient


def prepare(net, theta, x, t):
    N, real, gradient = len(x), theta.dtype, np.empty_like(theta)
    work = N * net.size  # multiplications, about a third of them
    units = 2 * sum(net.widths[1:])  # activations and derivatives of one sample
    threads, scale = nb.config.NUMBA_NUM_THREADS, real.type(1 / N)

    def ready(function, *rest):
        call = partial(function, theta, x, t, gradient, *rest, scale)

        def value():
            return float(call()) / N, gradient.copy()

        value()
        return call, value

    def room(parts, samples):
        return np.empty((parts, units * samples), real)

    parts = np.empty((threads, net.size), real)  # of the gradient
    splits = threads > 1 and N >= 32 and work > 500_000
    if net.size < 10_000:
        loops = with_loops(net, real)
        yield Variant("loops", *ready(loops, room(1, 1)[0]))
        if splits:
            made = ready(by_parts(loops, threads), parts, room(threads, 1))
            yield Variant("loops by parts", *made)
    if work > 1_000:
        products = with_products(net, real)
        yield from blas_threads(*ready(products, room(1, N)[0]), "products", work)
        if splits and net.size < 50_000:  # beyond, BLAS has enough to share out by itself
            made = ready(by_parts(products, threads), parts, room(threads, N // threads + 1))
            yield from blas_threads(*made, "products by parts", work=0)


def inside(net, theta, x, t):
    real, N = theta.dtype, len(x)
    loss_and_gradient = with_loops(net, real)
    scale, small = real.type(1 / N), real.type(1e-6)

    @jit
    def loop(theta, x, t, gradient, scratch, calls):
        total = 0.0
        for _ in range(calls):
            total += loss_and_gradient(theta, x, t, gradient, scratch, scale)
            theta[0] += small * gradient[0]
        return total

    yield looped("loops", loop, theta, x, t, np.empty(2 * sum(net.widths[1:]), real), N)


def looped(name, loop, theta, x, t, *rest_and_divisor):
    """A variant of `loop(theta, x, t, gradient, …, calls)`, whose total is divided by the last."""
    *rest, divisor = rest_and_divisor
    gradient, own = np.empty_like(theta), theta.copy()

    def call():
        own[:] = theta
        return loop(own, x, t, gradient, *rest, CALLS)

    def value():
        own[:] = theta
        return float(loop(own, x, t, gradient, *rest, 1)) / divisor, gradient.copy()

    value()
    return Variant(name, call, value)
