"""Networks that learn solutions of differential equations from these and from values on the edge:
the true solution is known, and reached inside, where no value was given."""

import numpy as np
import pytest
from scipy.optimize import minimize

import symgrad

pytestmark = pytest.mark.usefixtures("one_thread")


def solved(spec, residual, constants, values, inside, edge, known, iterations):
    """The network's values anywhere, once the equation holds inside and the values on the edge."""
    of = {"formula": residual, "constants": constants}
    equation = symgrad.compile({**spec, "name": "equation", "loss": of}).module
    edges = symgrad.compile({**spec, "name": "edges", "loss": {"formula": values}}).module
    unread = np.zeros((len(inside), known.shape[1]))

    def loss(theta):
        E, gradient = equation.loss_and_gradient(theta, inside, unread)
        e, d_e = edges.loss_and_gradient(theta, edge, known)
        return E + 10 * e, gradient + 10 * d_e

    options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 30}
    start = equation.init(seed=0)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return lambda points: equation.predict(best.x, points)


def network(inputs, outputs, units):
    hidden = [{"units": units, "activation": "tanh"}] * 2
    return {"dtype": "float64", "inputs": inputs, "layers": [*hidden, {"names": outputs}]}


def grid(low, high):
    axes = (np.linspace(start, end, 41) for start, end in zip(low, high, strict=True))
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


@pytest.mark.slow
def test_burgers_equation_and_a_wave_that_travels():
    """u_t + u·u_x = ν·u_xx has the solution c - a·tanh(a·(x - c·t)/2ν)."""
    a, c, nu = 1.0, 0.5, 0.15

    def wave(points):
        x, t = points.T
        return (c - a * np.tanh(a * (x - c * t) / (2 * nu)))[:, None]

    random = np.random.default_rng(0)
    inside, edge = (random.uniform((-1, 0), (1, 1), (many, 2)) for many in (400, 200))
    edge[:100, 1], edge[100:150, 0], edge[150:, 0] = 0, -1, 1
    found = solved(
        network(["x", "t"], ["u"], 12),
        "(D(u, t) + u*D(u, x) - nu*D(u, x, x))**2", {"nu": nu},
        "(u - target)**2", inside, edge, wave(edge), 300,
    )  # fmt: skip
    points = grid((-1, 0), (1, 1))
    assert np.abs(found(points) - wave(points)).max() < 0.01


@pytest.mark.parametrize("reynolds", [20, pytest.param(40, marks=pytest.mark.slow)])
def test_kovasznay_s_flow_behind_a_grid(reynolds):
    """The steady equations of Navier and Stokes: velocity (u, v), pressure p, which but for a
    constant follows from values of the velocity on the edge."""
    root = reynolds / 2 - np.sqrt(reynolds**2 / 4 + 4 * np.pi**2)

    def flow(points):
        x, y = points.T
        e = np.exp(root * x)
        u = 1 - e * np.cos(2 * np.pi * y)
        v = root / (2 * np.pi) * e * np.sin(2 * np.pi * y)
        return np.stack([u, v, (1 - e**2) / 2], axis=1)

    random = np.random.default_rng(0)
    inside, edge = (random.uniform((0, -0.5), (1, 0.5), (many, 2)) for many in (300, 200))
    edge[:50, 0], edge[50:100, 0], edge[100:150, 1], edge[150:, 1] = 0, 1, -0.5, 0.5
    found = solved(
        network(["x", "y"], ["u", "v", "p"], 16),
        "(u*D(u, x) + v*D(u, y) + D(p, x) - nu*laplacian(u))**2"
        " + (u*D(v, x) + v*D(v, y) + D(p, y) - nu*laplacian(v))**2"
        " + (D(u, x) + D(v, y))**2", {"nu": 1 / reynolds},
        "(u - target[0])**2 + (v - target[1])**2", inside, edge, flow(edge), 1500,
    )  # fmt: skip
    points = grid((0, -0.5), (1, 0.5))
    error = found(points) - flow(points)
    error[:, 2] -= error[:, 2].mean()
    assert np.abs(error).max(axis=0) == pytest.approx(0, abs=0.05)
