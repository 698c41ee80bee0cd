"""JAX: value_and_grad, jitted, inputs on the device; weights by layer, or as one vector."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import Variant


def split(net, theta):
    return [(theta[w:b].reshape(m, k), theta[b : b + k]) for m, k, w, b in net.layers]


def prepare(net, theta, x, t):
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
