"""JAX: value_and_grad, jitted, inputs on the device; weights by layer, or as one vector."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import training
from benchmarks.peers import Variant
from benchmarks.peers.jax_control import control as control
from benchmarks.peers.jax_derivatives import derive as derive


def split(net, theta):
    return [(theta[w:b].reshape(m, k), theta[b : b + k]) for m, k, w, b in net.layers]


def loss_of(net):
    def loss(weights, x, t):
        a = x
        for W, b in weights[:-1]:
            z = a @ W + b
            a = jax.nn.relu(z) if net.classifies else jnp.tanh(z)
        W, b = weights[-1]
        y = a @ W + b
        if net.classifies:
            return -(t * jax.nn.log_softmax(y)).sum() / len(x)
        return 0.5 * ((y - t) ** 2).sum() / len(x)

    return loss


def prepare(net, theta, x, t):
    loss = loss_of(net)
    layered = jax.jit(jax.value_and_grad(loss))
    flat = jax.jit(jax.value_and_grad(lambda theta, x, t: loss(split(net, theta), x, t)))
    weights, theta, x, t = jax.device_put((split(net, theta), theta, x, t))

    def variant(name, function, weights):
        def call():
            return jax.block_until_ready(function(weights, x, t))

        def value():
            E, gradient = call()
            parts = [np.ravel(part) for part in jax.tree.leaves(gradient)]
            return float(E), np.concatenate(parts)

        value()
        return Variant(name, call, value)

    yield variant("weights by layer", layered, weights)
    yield variant("one vector", flat, theta)


def train(net, theta, x, t):
    """All CALL epochs are one scan in one jit; Adam over the weights by layer, or over one vector.

    The samples of an epoch are shuffled there too, or by NumPy, which hands the orders over.
    """
    loss, steps = loss_of(net), training.batches(net, len(x))
    samples, dtype = len(x), theta.dtype
    random = np.random.default_rng(0)
    x, t = jax.device_put((x, t))

    def adam(of, carry, batch):
        weights, m, v, step = carry
        E, g = jax.value_and_grad(of)(weights, *batch)
        step = step + 1
        scale = jnp.sqrt(1 - training.BETA2**step) / (1 - training.BETA1**step)
        epsilon = training.EPSILON * jnp.sqrt(1 - training.BETA2**step)
        m = jax.tree.map(lambda m, g: training.BETA1 * m + (1 - training.BETA1) * g, m, g)
        v = jax.tree.map(lambda v, g: training.BETA2 * v + (1 - training.BETA2) * g * g, v, g)
        rate = (training.RATE * scale).astype(dtype)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + epsilon.astype(dtype)), weights, m, v
        )
        return (weights, m, v, step), E

    def epochs(of, carry, orders, x, t):
        def epoch(carry, order):
            if steps == 1:
                return adam(of, carry, (x, t))
            batches = (a[order].reshape(steps, training.BATCH, a.shape[1]) for a in (x, t))
            return jax.lax.scan(lambda c, batch: adam(of, c, batch), carry, tuple(batches))

        return jax.lax.scan(epoch, carry, orders)

    def shuffling(of, carry, keys, x, t):
        if steps > 1:
            orders = jax.vmap(lambda key: jax.random.permutation(key, samples))(keys)
        return epochs(of, carry, keys if steps == 1 else orders, x, t)

    flat = lambda theta, x, t: loss(split(net, theta), x, t)  # noqa: E731
    for name, of, weights in (
        ("weights by layer", loss, split(net, theta)),
        ("one vector", flat, theta),
    ):
        for way, run in (("orders by NumPy", epochs), ("orders by JAX", shuffling)):
            if steps == 1 and way == "orders by JAX":
                continue
            compiled = jax.jit(partial(run, of))

            def given(count, way=way):
                if steps == 1:
                    return jnp.zeros(count)
                if way == "orders by NumPy":
                    return np.stack([random.permutation(samples) for _ in range(count)])
                return jax.random.split(jax.random.key(random.integers(2**31)), count)

            def started(weights=weights):
                zeros = jax.tree.map(jnp.zeros_like, weights)
                return jax.device_put((weights, zeros, zeros, jnp.zeros((), jnp.int32)))

            def value(compiled=compiled, given=given, started=started, of=of):
                (weights, *_), _ = compiled(started(), given(training.LEARN), x, t)
                parts = [np.ravel(part) for part in jax.tree.leaves(weights)]
                return float(of(weights, x, t)), np.concatenate(parts)

            state = [started()]

            def call(compiled=compiled, given=given, state=state):
                state[0], _ = compiled(state[0], given(training.CALL), x, t)
                jax.block_until_ready(state[0])

            value()
            call()
            yield Variant(name if steps == 1 else f"{name}, {way}", call, value)
