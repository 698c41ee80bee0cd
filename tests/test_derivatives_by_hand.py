"""Derivatives against 50 digits, and first ones against complex steps: oracles that share no code
with the compiler. What is compiled may be off by some units in the last place of the largest number
that a function gives."""

from itertools import product

import numpy as np
import pytest

from symgrad.checking import reference
from symgrad.spec.derivatives import DERIVATIVES
from tests.by_hand import ByHand
from tests.derived import Compiled, assert_to_the_last_places

NETS = {
    "softmax": {
        "inputs": 2,
        "layers": [{"units": 2, "activation": "tanh"}, {"units": 3, "activation": "softmax"}],
        "loss": {"kind": "cross_entropy", "l1": 0.05, "l2": 0.1, "sample_weights": True},
    },
    "residual": {
        "inputs": 2,
        "layers": [
            {"units": 2, "activation": "silu", "residual": True},
            {"units": 2, "activation": "gelu", "bias": False},
        ],
        "loss": {"kind": "huber"},
    },
    "sigmoid": {
        "inputs": 2,
        "layers": [{"units": 2, "activation": "sigmoid"}],
        "loss": {"kind": "binary_cross_entropy", "l2": 0.1},
    },
    "poisson": {
        "inputs": 2,
        "layers": [{"units": 2, "activation": "softplus"}],
        "loss": {"kind": "poisson"},
    },
}


SLOW = ("residual", "softmax")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in NETS],
)
def both(request):
    compiled = Compiled(NETS[request.param], DERIVATIVES)
    return compiled, ByHand(compiled.spec, compiled.theta, *compiled.data)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_all_functions(both, name):
    compiled, by_hand = both
    wanted = getattr(by_hand, name)(*compiled.more(name))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for found, exactly in zip(compiled.results(name), wanted, strict=True):
        assert_to_the_last_places(found, exactly, 6)


X, Y = -1, -2  # the inputs, as series have them
EQUATIONS = {
    # what a spec says, and what that is
    "D(u, y) - D(u, x, x)": (2, lambda u, x, t: (u.derivative(Y) - u.derivative(X, X)) ** 2),
    "D(u, y) + u*D(u, x) + D(u, x, x, x)": (
        3,
        lambda u, x, t: (
            u.derivative(Y) + u.derivative() * u.derivative(X) + u.derivative(X, X, X)
        ) ** 2,
    ),
    "D(u, x, x, y, y) - x*target": (
        4, lambda u, x, t: (u.derivative(X, X, Y, Y) - x[0] * t[0]) ** 2
    ),
    "D(u, x, x, x, x) + u": (4, lambda u, x, t: (u.derivative(X, X, X, X) + u.derivative()) ** 2),
    "laplacian(u) - D(u, x)": (  # an input that is called as all of them are
        2, lambda u, x, t: (
            u.derivative(X, X) + u.derivative(Y, Y) - u.derivative(X)
        ) ** 2
    ),
    "laplacian(u) - target": (
        2, lambda u, x, t: (u.derivative(X, X) + u.derivative(Y, Y) - t[0]) ** 2
    ),
}  # fmt: skip


def equation(residual, units=3, activation="tanh"):
    return {
        "inputs": ["x", "y"],
        "layers": [{"units": units, "activation": activation}, {"names": ["u"]}],
        "loss": {"formula": f"({residual})**2"},
    }


@pytest.mark.parametrize("residual", EQUATIONS)
def test_equations_as_losses(residual):
    compiled = Compiled(equation(residual))
    order, formula = EQUATIONS[residual]
    by_hand = ByHand(
        {**compiled.spec, "inputs": 2}, compiled.theta, *compiled.data,
        formula=lambda y, x, t: formula(y[0], x, t), order=order, second=False,
    )  # fmt: skip
    E, gradient = compiled.module.loss_and_gradient(compiled.theta, *compiled.data)
    assert_to_the_last_places(E, by_hand.E.value, 20)
    assert_to_the_last_places(gradient, by_hand.gradient(), 20)


@pytest.mark.parametrize(
    "names",
    [
        ["hessian_vector"],
        pytest.param(["hessian", "hessian_diagonal"], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_second_order_of_an_equation(names):
    compiled = Compiled(equation("D(u, y) - D(u, x, x)", units=1, activation="softplus"), names)
    order, formula = EQUATIONS["D(u, y) - D(u, x, x)"]
    by_hand = ByHand(compiled.spec, compiled.theta, *compiled.data,
                     formula=lambda y, x, t: formula(y[0], x, t), order=order)  # fmt: skip
    for name in names:
        (found,) = compiled.results(name)
        assert_to_the_last_places(found, getattr(by_hand, name)(*compiled.more(name)), 20)


# Complex steps: the imaginary part of f(x + i·h)/h, exact to rounding

FIRST = ["jacobian", "jacobian_by_weights", "pullback", "pushforward", "gradients",
         "loss_and_input_gradient"]  # fmt: skip
STEP = 1e-40


def slopes(function, at):
    """By each number of an array, along a last axis."""
    columns = []
    for place in product(*map(range, at.shape)):
        moved = at.astype(np.clongdouble)
        moved[place] += 1j * np.longdouble(STEP)
        columns.append(np.imag(function(moved)) / np.longdouble(STEP))
    return np.stack(columns, axis=-1)


def assert_near(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("activations", "kind"),
    [
        (["silu", "softmax"], "cross_entropy"),
        pytest.param(["mish", "softsign"], "log_cosh", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_first_derivatives_by_complex_steps(activations, kind):
    layers = [{"units": 5, "activation": each} for each in activations]
    spec = {"inputs": 4, "layers": layers, "loss": {"kind": kind}}
    compiled = Compiled(spec, FIRST, samples=6)
    known, theta, x, t = compiled.module.SPEC, compiled.theta, compiled.x, compiled.t

    def y(theta, x):
        return reference.predict(known, theta, x, dtype=np.clongdouble)

    def E(theta, x, t=t):
        return reference.loss(known, theta, x, t, dtype=np.clongdouble)

    by_weights = slopes(lambda theta: y(theta, x), theta)
    rows = [slopes(lambda row: y(theta, row[None])[0], row) for row in x]
    by_inputs = np.stack(rows)
    d_y, v, v_x = (compiled.given[name] for name in ("d_y", "v", "v_x"))
    (jacobian,), (of_weights,) = map(compiled.results, ("jacobian", "jacobian_by_weights"))
    assert_near(jacobian, by_inputs)
    assert_near(of_weights, by_weights)
    d_theta, d_x = compiled.results("pullback")
    assert_near(d_theta, np.einsum("no,nok->k", d_y, by_weights))
    assert_near(d_x, np.einsum("no,noi->ni", d_y, by_inputs))
    along = by_weights @ v + np.einsum("noi,ni->no", by_inputs, v_x)
    assert_near(compiled.results("pushforward")[0], along)
    each = [slopes(lambda theta, n=n: E(theta, x[n : n + 1], t[n : n + 1]), theta)
            for n in range(len(x))]  # fmt: skip
    assert_near(compiled.results("gradients")[0], np.stack(each))
    value, by_x = compiled.results("loss_and_input_gradient")
    assert_near(value, np.real(E(theta, x)))
    assert_near(by_x, slopes(lambda x: E(theta, x), x).reshape(x.shape))
    gradient = compiled.module.loss_and_gradient(theta, x, t)[1]
    assert_near(gradient, slopes(lambda theta: E(theta, x), theta))
