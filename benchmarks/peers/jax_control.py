"""JAX, in a controller: the plan jitted, its path a scan, slopes by forward mode; a call for each,
or one for all."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import planning
from benchmarks.peers import Variant


def planner(net, theta):
    (before, units, w, b), (_, _, w_out, b_out) = net.layers
    W1, b1 = theta[w:b].reshape(before, units), theta[b : b + units]
    W2, b2, dtype = theta[w_out:b_out], theta[b_out], theta.dtype

    def network(point):
        a = jnp.tanh(((point - planning.MEAN) / planning.SCALE).astype(dtype) @ W1 + b1)
        return (a @ W2 + b2).astype(jnp.float64) * planning.TARGET_SCALE + planning.TARGET_MEAN

    slopes_of = jax.vmap(jax.jacfwd(network))

    def plan(given, wanted):
        room, eye = given[1], jnp.eye(planning.HORIZON)

        def ahead_of(celsius, power):
            point = jnp.stack([celsius, room, power])
            celsius = network(point)
            return celsius, (point, celsius)

        def row_of(above, k_and_slopes):
            k, slopes = k_and_slopes
            row = jnp.where(eye[k] == 1, slopes[2], above * slopes[0])
            return row, row

        powers = given[2:]
        for _ in range(planning.ITERATIONS):
            _, (points, ahead) = jax.lax.scan(ahead_of, given[0], powers)
            rows = jnp.arange(planning.HORIZON), slopes_of(points)
            _, moves = jax.lax.scan(row_of, jnp.zeros(planning.HORIZON), rows)
            curvature = moves.T @ moves + planning.DAMPING * eye
            powers = powers - jnp.linalg.solve(curvature, moves.T @ (ahead - wanted))
            powers = jnp.clip(powers, 0.0, planning.MOST)
        return powers

    return plan


def control(net, theta, x, t):
    plan = planner(net, jnp.asarray(theta))
    one, x, t = jax.jit(plan), jnp.asarray(x), jnp.asarray(t)
    every = jax.jit(lambda x, t: jax.lax.map(lambda each: plan(*each), (x, t)))
    pairs = [(x[n], t[n]) for n in range(len(x))]

    def each():
        return [one(*pair).block_until_ready() for pair in pairs]

    def at_once():
        return every(x, t).block_until_ready()

    for name, call in (("a call each", each), ("one call", at_once)):
        call()  # which compiles it
        yield Variant(name, call, lambda call=call: planning.value(np.array(call())))
