"""Derivatives by inputs in a loss: names, places, orders; what comes out is held against
differences of the network's own predictions, and its gradient by `symgrad.checking`."""

import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.language.verify import verify
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec

STEP = 1e-3


def net(formula, inputs=2, units=5, outputs=1, activation="tanh", **more):
    last = {"names": outputs} if isinstance(outputs, list) else {"units": outputs}
    return {
        "name": "equation",
        "dtype": "float64",
        "inputs": inputs,
        "layers": [{"units": units, "activation": activation}] * 2 + [last],
        "loss": {"formula": formula, **more},
    }


def sides(module, theta, x, place):
    shift = np.eye(x.shape[1])[place] * STEP
    return [module.predict(theta, x + k * shift) for k in (-2, -1, 0, 1, 2)]


def slope(*at):
    """∂y/∂x_i by differences of order 4."""
    a, b, _, d, e = sides(*at)
    return (a - 8 * b + 8 * d - e) / (12 * STEP)


def bend(*at):
    """∂²y/∂x_i² likewise."""
    a, b, c, d, e = sides(*at)
    return (-a + 16 * b - 30 * c + 16 * d - e) / (12 * STEP**2)


def at_random(spec, samples=6):
    module = symgrad.compile(spec).module
    random = np.random.default_rng(3)
    theta = module.init(2) + 0.1 * random.normal(size=module.SIZE)
    inputs, outputs = Spec.parse(spec).inputs, Spec.parse(spec).outputs
    return module, theta, random.normal(size=(samples, inputs)), random.random((samples, outputs))


def test_burgers_equation_is_what_it_says():
    spec = net(
        "(D(u, t) + u*D(u, x) - nu*D(u, x, x))**2", ["x", "t"], 5, ["u"], constants={"nu": 0.3}
    )
    module, theta, x, t = at_random(spec)
    u, place = module.predict(theta, x), (module, theta, x)
    residual = slope(*place, 1) + u * slope(*place, 0) - 0.3 * bend(*place, 0)
    assert module.loss(theta, x, t) == pytest.approx(np.mean(residual**2), rel=1e-8)


def test_columns_and_targets_go_by_number_and_by_name():
    spec = net("(D(y[1], x[0], x[2]) - x[1]*t[1])**2 + abs(y[0] - target[0])", 3, 4, 2)
    module, theta, x, t = at_random(spec)

    def first(x):
        return slope(module, theta, x, 0)

    shift = np.eye(3)[2] * STEP
    mixed = (
        first(x - 2 * shift) - 8 * first(x - shift) + 8 * first(x + shift) - first(x + 2 * shift)
    ) / (12 * STEP)
    y = module.predict(theta, x)
    each = (mixed[:, 1] - x[:, 1] * t[:, 1]) ** 2 + np.abs(y[:, 0] - t[:, 0])
    assert module.loss(theta, x, t) == pytest.approx(np.mean(each), rel=1e-7)


def test_a_derivative_by_each_input_has_a_term_for_each():
    module, theta, x, t = at_random(net("(y - t)**2 + 0.5*sum((D(y, x) - x)**2)", 4))
    slopes = np.concatenate([slope(module, theta, x, place) for place in range(4)], axis=1)
    each = (module.predict(theta, x) - t)[:, 0] ** 2 + 0.5 * ((slopes - x) ** 2).sum(axis=1)
    assert module.loss(theta, x, t) == pytest.approx(np.mean(each), rel=1e-8)


def test_a_laplacian_is_the_sum_of_the_second_derivatives():
    module, theta, x, t = at_random(net("(laplacian(y) - sum(x**2))**2", 4))
    total = sum(bend(module, theta, x, place) for place in range(4))[:, 0]
    each = (total - (x**2).sum(axis=1)) ** 2
    assert module.loss(theta, x, t) == pytest.approx(np.mean(each), rel=1e-7)


@pytest.mark.parametrize(
    "spec",
    [
        net("(D(u, t) + u*D(u, x) - 0.1*D(u, x, x))**2", ["x", "t"], 4, ["u"]),
        net("(D(y[0], x[1]) - t[0])**2 + (D(y[0], x[0]) + t[1])**2", 2, 4, 2, "softplus"),
        net("(laplacian(y[1]) - 1)**2 + sum(D(y[0], x)**2)", 3, 3, 2, "silu"),
        pytest.param(net("D(y, x[0], x[0], x[0])**2", 1, 2, 1, "sin"), marks=pytest.mark.slow),
        net("(D(y, x) - target)**2", 3, 4, 1, "gaussian"),
    ],
    ids=lambda spec: spec["loss"]["formula"],
)
def test_the_gradient_is_right(spec):
    stages = passes(Spec.parse(spec))
    verify(stages.share)
    verify(stages.gradient)
    module = symgrad.compile(spec).module
    report = check(module.SPEC, module, seed=5)
    assert report.passed, report


@pytest.mark.parametrize("formula", ["laplacian(y)**2", "sum(D(y, x)**2)", "D(y, x[0], x[3])**2"])
def test_the_gradient_by_products_of_matrices_is_right(formula):
    module, theta, x, t = at_random(net(formula, 12, 12), 200)
    _, gradient = module.loss_and_gradient(theta, x, t)
    for seed in range(3):
        v = np.random.default_rng(seed).normal(size=module.SIZE)
        v *= 1e-4 / np.linalg.norm(v)
        at = [module.loss(theta + k * v, x, t) for k in (-2, -1, 1, 2)]
        along = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / 12
        assert gradient @ v == pytest.approx(along, rel=1e-6, abs=1e-12)


def test_a_network_of_one_layer_has_derivatives_too():
    module, theta, x, t = at_random({**net("D(y, x[0])**2"), "layers": [{"units": 1}]})
    assert module.loss(theta, x, t) == pytest.approx(float(theta[0] ** 2))


def test_relu_has_no_second_derivative():
    module, theta, x, t = at_random(net("(D(y, x[0], x[0]) - 1)**2", activation="relu"))
    loss, gradient = module.loss_and_gradient(theta, x, t)
    assert loss == 1 and not gradient.any()


def test_what_is_computed_does_not_depend_on_the_samples_beside():
    spec = net("(D(u, t) - D(u, x, x))**2", ["x", "t"], 20, ["u"])
    module, theta, x, t = at_random(spec, 700)
    alone = [module.loss(theta, x[n : n + 1], t[n : n + 1]) for n in (0, 350, 699)]
    together = [np.mean([module.loss(theta, x[[n, n]], t[[n, n]])]) for n in (0, 350, 699)]
    assert alone == together
