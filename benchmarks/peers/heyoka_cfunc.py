"""heyoka: a compiled function of one sample, called for a block of samples at a time.

Its gradients come out by sample and are summed with NumPy. Where a call takes many samples, it
wants the weights repeated for each of them; they are copied in every call, as training would.
"""

import heyoka as hy
import numpy as np

from benchmarks.peers import NotPractical, Variant

BLOCK = 128  # samples a call, so that the gradients of all of them stay in cache
LARGEST = 20_000  # weights


def one_sample(net):
    """e and its gradient, variables for the weights, parameters for x and t."""
    weights = [hy.expression(f"w{k:06d}") for k in range(net.size)]
    inputs, outputs = net.widths[0], net.widths[-1]
    a = [hy.par[k] for k in range(inputs)]
    t = [hy.par[inputs + k] for k in range(outputs)]
    for number, (m, k, w, b) in enumerate(net.layers, start=1):
        terms = [[a[i] * weights[w + i * k + j] for i in range(m)] for j in range(k)]
        a = [hy.sum([*terms[j], weights[b + j]]) for j in range(k)]
        if number < len(net.layers):
            a = [hy.relu(z) if net.classifies else hy.tanh(z) for z in a]
    if net.classifies:
        log_sum = hy.log(hy.sum([hy.exp(y) for y in a]))
        e = hy.sum([t_j * (log_sum - y) for t_j, y in zip(t, a, strict=True)])
    else:
        e = 0.5 * hy.sum([(y - t_j) ** 2.0 for t_j, y in zip(t, a, strict=True)])
    return [e, *hy.diff_tensors([e], weights, diff_order=1).gradient], weights


def prepare(net, theta, x, t):
    if net.size > LARGEST:
        raise NotPractical(f"one expression a weight, and more than {LARGEST:,} weights")
    N, dtype = len(x), theta.dtype
    outputs, weights = one_sample(net)
    compiled = hy.cfunc(
        outputs, weights, fp_type=dtype.type, fast_math=True, compact_mode=net.size > 200
    )
    data = np.concatenate([x, t], axis=1)
    found = np.empty(net.size + 1, dtype)
    if N == 1:
        sample = data[0].copy()

        def call():
            compiled(theta, pars=sample, outputs=found)

    else:
        blocks = []
        for start in range(0, N, BLOCK):
            sample = np.ascontiguousarray(data[start : start + BLOCK].T)
            shape = (net.size, sample.shape[1])
            blocks.append(
                (sample, np.empty(shape, dtype), np.empty((net.size + 1, shape[1]), dtype))
            )
        for number, (sample, _, _) in enumerate(blocks):
            if sample.shape == blocks[0][0].shape:  # blocks of a size use the same memory
                blocks[number] = (sample, *blocks[0][1:])
        column, scale = theta[:, None], dtype.type(1 / N)
        ones, part = np.ones(BLOCK, dtype), np.empty_like(found)

        def call():
            found[:] = 0
            for sample, repeated, by_sample in blocks:
                repeated[:] = column
                compiled(repeated, pars=sample, outputs=by_sample)
                np.dot(by_sample, ones[: by_sample.shape[1]], out=part)
                np.add(found, part, out=found)
            np.multiply(found, scale, out=found)

    def value():
        call()
        return float(found[0]), found[1:].copy()

    yield Variant("by blocks of samples" if N > 1 else "one sample", call, value)
