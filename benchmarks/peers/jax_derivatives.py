"""JAX, for derivatives by inputs: forward and reverse modes, one in the other, and Taylor's."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import jet

from benchmarks import asked
from benchmarks.peers import Variant


def split(net, theta):
    return [(theta[w:b].reshape(m, k), theta[b : b + k]) for m, k, w, b in net.layers]


def network(activation):
    act = {"tanh": jnp.tanh, "softplus": jax.nn.softplus}[activation]

    def net(weights, s):
        for W, b in weights[:-1]:
            s = act(s @ W + b)
        W, b = weights[-1]
        return s @ W + b

    return net


# By way: value, first and second derivative of f at s along e.
def forward(f, s, e):
    y, dy = jax.jvp(f, (s,), (e,))
    return y, dy, jax.jvp(lambda s: jax.jvp(f, (s,), (e,))[1], (s,), (e,))[1]


def nested(f, s, e):
    """As `forward`, with the value and both derivatives from one pass."""
    (y, dy), (_, ddy) = jax.jvp(lambda s: jax.jvp(f, (s,), (e,)), (s,), (e,))
    return y, dy, ddy


def taylor(f, s, e):
    y, (dy, ddy) = jet.jet(f, (s,), ((e, jnp.zeros_like(e)),))
    return y, dy, ddy


def reverse(f, s, e):
    """Forward over reverse; of many outputs, over all of them."""
    jacobian = jax.jacrev(f)
    J, dJ = jax.jvp(jacobian, (s,), (e,))
    return f(s), J @ e, dJ @ e


ALONG = {"forward": forward, "nested": nested, "Taylor": taylor, "forward over reverse": reverse}


def burgers(along, f, s):
    ex, et = jnp.eye(2, dtype=s.dtype)
    (u,), (ux,), (uxx,) = along(f, s, ex)
    (ut,) = jax.jvp(f, (s,), (et,))[1]
    return (ut + u * ux - asked.NU * uxx) ** 2


def kovasznay(along, f, s):
    ex, ey = jnp.eye(2, dtype=s.dtype)
    (u, v, _), dx, ddx = along(f, s, ex)
    _, dy, ddy = along(f, s, ey)
    return (
        (u * dx[0] + v * dy[0] + dx[2] - 0.05 * (ddx[0] + ddy[0])) ** 2
        + (u * dx[1] + v * dy[1] + dy[2] - 0.05 * (ddx[1] + ddy[1])) ** 2
        + (dx[0] + dy[1]) ** 2
    )


def laplacian(along, f, s):
    directions = jnp.eye(len(s), dtype=s.dtype)
    return (jax.vmap(lambda e: along(f, s, e)[2][0])(directions).sum() - 1) ** 2


def burgers_by_grad(f, s):
    """One gradient has both first derivatives."""
    of = jax.value_and_grad(lambda s: f(s)[0])
    (u, d), (_, dd) = jax.jvp(of, (s,), (jnp.eye(2, dtype=s.dtype)[0],))
    return (d[1] + u * d[0] - asked.NU * dd[0]) ** 2


def kovasznay_by_hessian(f, s):
    (u, v, _), J, H = f(s), jax.jacfwd(f)(s), jax.hessian(f)(s)
    return (
        (u * J[0, 0] + v * J[0, 1] + J[2, 0] - 0.05 * (H[0, 0, 0] + H[0, 1, 1])) ** 2
        + (u * J[1, 0] + v * J[1, 1] + J[2, 1] - 0.05 * (H[1, 0, 0] + H[1, 1, 1])) ** 2
        + (J[0, 0] + J[1, 1]) ** 2
    )


def laplacian_by_hessian(f, s):
    return (jnp.trace(jax.hessian(lambda s: f(s)[0])(s)) - 1) ** 2


def residuals(title):
    """By the name of a way, a function of the network and a sample."""
    if title == "Hamiltonian field":
        return {"grad": lambda f, s: ((jax.grad(lambda s: f(s)[0])(s) - s) ** 2).sum()}
    of = {"Burgers' equation": burgers, "Kovasznay flow": kovasznay, "Laplacian": laplacian}[title]
    ways = {name: (lambda f, s, along=along: of(along, f, s)) for name, along in ALONG.items()}
    return (
        ways
        | {
            burgers: {"forward over grad": burgers_by_grad},
            kovasznay: {"hessian": kovasznay_by_hessian},
            laplacian: {"hessian": laplacian_by_hessian},
        }[of]
    )


def derive(net, theta, x, t):
    what = asked.BY_WIDTHS[net.widths]
    f = network(what.activation)
    weights, x, t = jax.device_put((split(net, theta), x, t))
    if what.formula is None:
        for name, way in (("jacfwd", jax.jacfwd), ("jacrev", jax.jacrev)):
            yield of_jacobian(name, jax.jit(jax.vmap(way(f, 1), (None, 0))), weights, x)
        return
    if what.title == "values and slopes":

        def slopes(f, s, t):
            y, dy = jax.value_and_grad(lambda s: f(s)[0])(s)
            return (y - t[0]) ** 2 + ((dy - s) ** 2).sum()

        ways = {"value_and_grad": slopes}
    else:
        ways = {
            name: (lambda f, s, t, way=way: way(f, s))
            for name, way in residuals(what.title).items()
        }
    for name, way in ways.items():

        def loss(weights, x, t, way=way):
            each = jax.vmap(lambda s, t: way(lambda s: f(weights, s), s, t))
            return each(x, t).mean()

        yield of_loss(name, jax.jit(jax.value_and_grad(loss)), weights, x, t)


def of_jacobian(name, function, weights, x):
    def call():
        return jax.block_until_ready(function(weights, x))

    return Variant(name, call, lambda: asked.summed(np.asarray(call())))


def of_loss(name, function, weights, x, t):
    def call():
        return jax.block_until_ready(function(weights, x, t))

    def value():
        E, gradient = call()
        return float(E), np.concatenate([np.ravel(part) for part in jax.tree.leaves(gradient)])

    value()
    return Variant(name, call, value)
