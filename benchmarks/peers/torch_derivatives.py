"""PyTorch, for derivatives by inputs: torch.func by sample, and autograd.grad of whole batches."""

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vmap

from benchmarks import asked
from benchmarks.peers import Variant


def split(net, theta):
    return [
        (torch.tensor(theta[w:b].reshape(m, k)), torch.tensor(theta[b : b + k]))
        for m, k, w, b in net.layers
    ]


def network(activation):
    act = {"tanh": torch.tanh, "softplus": F.softplus}[activation]

    def net(weights, s):
        for W, b in weights[:-1]:
            s = act(s @ W + b)
        W, b = weights[-1]
        return s @ W + b

    return net


def along(f, s, e):
    """Value, first and second derivative at s along e."""
    (y, dy), (_, ddy) = jvp(lambda s: jvp(f, (s,), (e,)), (s,), (e,))
    return y, dy, ddy


def flow(y, dx, dy, ddx, ddy):
    """Kovasznay's equations; columns are u, v and p."""
    u, v, _ = y
    return (
        (u * dx[0] + v * dy[0] + dx[2] - 0.05 * (ddx[0] + ddy[0])) ** 2
        + (u * dx[1] + v * dy[1] + dy[2] - 0.05 * (ddx[1] + ddy[1])) ** 2
        + (dx[0] + dy[1]) ** 2
    )


def by_sample(title):
    """What torch.func's users write, of a sample."""

    def burgers(f, s, t):
        ex, et = torch.eye(2, dtype=s.dtype)
        u, ux, uxx = along(f, s, ex)
        ut = jvp(f, (s,), (et,))[1]
        return ((ut + u * ux - asked.NU * uxx) ** 2).sum()

    def kovasznay(f, s, t):
        ex, ey = torch.eye(2, dtype=s.dtype)
        y, dx, ddx = along(f, s, ex)
        _, dy, ddy = along(f, s, ey)
        return flow(y, dx, dy, ddx, ddy)

    def slopes(f, s, t):
        dy, y = grad_and_value(lambda s: f(s)[0])(s)
        return (y - t[0]) ** 2 + ((dy - s) ** 2).sum()

    def field(f, s, t):
        return ((grad(lambda s: f(s)[0])(s) - s) ** 2).sum()

    def laplacian(f, s, t):
        return (torch.trace(hessian(lambda s: f(s)[0])(s)) - 1) ** 2

    return {
        "Burgers' equation": burgers,
        "Kovasznay flow": kovasznay,
        "values and slopes": slopes,
        "Hamiltonian field": field,
        "Laplacian": laplacian,
    }[title]


def slope(y, x):
    """Of a column of outputs, by all inputs: samples do not depend on one another."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def by_batch(title):
    """What users of autograd.grad write, of a batch; none for a Laplacian of 50 inputs."""

    def burgers(y, x, t):
        d = slope(y, x)
        dd = slope(d[:, 0], x)
        return (d[:, 1] + y[:, 0] * d[:, 0] - asked.NU * dd[:, 0]) ** 2

    def kovasznay(y, x, t):
        d = [slope(y[:, k], x) for k in range(3)]
        ddx, ddy = ([slope(d[k][:, i], x)[:, i] for k in range(2)] for i in range(2))
        return flow(y.T, [each[:, 0] for each in d], [each[:, 1] for each in d], ddx, ddy)

    def slopes(y, x, t):
        return (y[:, 0] - t[:, 0]) ** 2 + ((slope(y, x) - x) ** 2).sum(1)

    def field(y, x, t):
        return ((slope(y, x) - x) ** 2).sum(1)

    return {
        "Burgers' equation": burgers,
        "Kovasznay flow": kovasznay,
        "values and slopes": slopes,
        "Hamiltonian field": field,
    }.get(title)


def derive(net, theta, x, t):
    torch.set_num_threads(1)
    what = asked.BY_WIDTHS[net.widths]
    f, weights = network(what.activation), split(net, theta)
    x, t = torch.tensor(x), torch.tensor(t)
    if what.formula is None:
        for name, way in (("jacfwd", jacfwd), ("jacrev", jacrev)):
            jacobian = vmap(way(lambda s: f(weights, s)))
            yield Variant(
                name, lambda of=jacobian: of(x), lambda of=jacobian: asked.summed(of(x).numpy())
            )
        return
    residual = by_sample(what.title)

    def loss(weights):
        return vmap(lambda s, t: residual(lambda s: f(weights, s), s, t))(x, t).mean()

    function = grad_and_value(loss)

    def value():
        gradient, E = function(weights)
        return flattened(E, [part for layer in gradient for part in layer])

    yield Variant("torch.func", lambda: function(weights), value)
    of_batch = by_batch(what.title)
    if of_batch is None:
        return
    leaves = [part.clone().requires_grad_() for layer in weights for part in layer]
    layers = list(zip(leaves[::2], leaves[1::2], strict=True))

    def call():
        at = x.clone().requires_grad_()
        E = of_batch(f(layers, at), at, t).mean()
        return E.detach(), torch.autograd.grad(E, leaves, materialize_grads=True)

    yield Variant("autograd.grad", call, lambda: flattened(*call()))


def flattened(E, gradient):
    return float(E), np.concatenate([part.numpy().ravel() for part in gradient])
