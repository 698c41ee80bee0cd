"""layerwise: the three ways to take a step, and what differs between them."""

from threading import Event

import numpy as np
import pytest

from symgrad.compiler import Compiled
from symgrad.explain.backprop.updates import afresh, at_once, in_sweep, sweep_of
from symgrad.explain.clock import Clock
from symgrad.explain.sections.layerwise import _problem, layerwise
from tests import nets

SPEC = nets.net([2, 3, 2], ["tanh", "identity"])


@pytest.fixture(scope="module")
def section():
    return layerwise(Compiled(SPEC), Clock(100))


def forward(given, w):
    h = np.tanh(given["x"] @ w["W1"] + w["b1"])
    return h, h @ w["W2"] + w["b2"]


def gradients(given, w):
    """By NumPy and by hand: the gradient at w."""
    h, y = forward(given, w)
    delta2 = (y - given["t"]) / len(y)
    delta1 = (delta2 @ w["W2"].T) * (1 - h**2)
    return {
        "W1": given["x"].T @ delta1,
        "b1": delta1.sum(0),
        "W2": h.T @ delta2,
        "b2": delta2.sum(0),
    }


@pytest.fixture(scope="module")
def made():
    program = Compiled(SPEC).program
    return sweep_of(program), *_problem(program, 3)


def check(updated, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(updated[name], value, rtol=1e-12, atol=1e-14, err_msg=name)


def test_at_once_is_descent(made):
    sweep, given, w = made
    before, updated = at_once(sweep, given, w, 0.3)
    g = gradients(given, w)
    check(updated, {name: w[name] - 0.3 * g[name] for name in w})
    y = forward(given, w)[1]
    assert before == pytest.approx(((y - given["t"]) ** 2).sum() / 2 / len(y))


def test_afresh_takes_the_gradient_of_the_network_as_it_is_by_then(made):
    sweep, given, w = made
    _, updated = afresh(sweep, given, w, 0.3)
    g = gradients(given, w)
    half = w | {name: w[name] - 0.3 * g[name] for name in ("W2", "b2")}
    again = gradients(given, half)
    check(updated, half | {name: w[name] - 0.3 * again[name] for name in ("W1", "b1")})


def test_in_the_sweep_errors_travel_through_changed_weights(made):
    sweep, given, w = made
    _, updated = in_sweep(sweep, given, w, 0.3)
    h, y = forward(given, w)
    delta2 = (y - given["t"]) / len(y)
    changed = w["W2"] - 0.3 * h.T @ delta2
    delta1 = (delta2 @ changed.T) * (1 - h**2)
    check(
        updated,
        {
            "W2": changed,
            "b2": w["b2"] - 0.3 * delta2.sum(0),
            "W1": w["W1"] - 0.3 * given["x"].T @ delta1,
            "b1": w["b1"] - 0.3 * delta1.sum(0),
        },
    )


def test_the_last_layers_update_is_the_same_and_the_others_not(section):
    last, first = section.data["layers"]
    assert (last["layer"], first["layer"]) == (2, 1)
    assert last["afresh"] == last["in_sweep"] == [0.0] * 4
    assert all(value > 0 for value in first["afresh"] + first["in_sweep"])


def test_the_difference_shrinks_with_the_rate(section):
    assert section.data["shrinks"]["afresh"] == pytest.approx(1, abs=0.05)
    assert section.data["shrinks"]["in_sweep"] == pytest.approx(1, abs=0.05)


def test_the_course_is_from_one_start_and_its_cost_is_stated(section):
    course = section.data["course"]
    assert len({of["losses"][0] for of in course.values()}) == 1
    assert [of["gradients"] for of in course.values()] == [1, 2, 1]
    assert all(len(of["losses"]) == section.data["steps"] + 1 for of in course.values())
    assert course["at_once"]["losses"][-1] < course["at_once"]["losses"][0]


@pytest.mark.parametrize(
    "spec",
    [
        nets.net([2, 3, 3, 3], ["silu", "tanh", "softmax"], residual=[2], kind="cross_entropy"),
        nets.net([2, 3, 2], ["tanh", "sigmoid"], kind="binary_cross_entropy", sample_weights=True),
        nets.net([2, 3, 2], ["relu", "softplus"], kind="poisson", l2=0.1, bias=False),
    ],
    ids=["residual", "weighted", "penalty"],
)
def test_other_networks(spec):
    data = layerwise(Compiled(spec), Clock(100)).data
    assert data["layers"][0]["afresh"] == [0.0] * 4
    assert data["layers"][-1]["afresh"][0] > 0


def test_one_layer_is_the_same_in_all_ways():
    section = layerwise(Compiled(nets.net([2, 1], ["tanh"])), Clock(100))
    ends = {tuple(of["losses"]) for of in section.data["course"].values()}
    assert len(ends) == 1
    assert any("all three are the same" in getattr(b, "text", "") for b in section.blocks)


def test_interrupted_before_a_rate_is_found():
    stop = Event()
    stop.set()
    section = layerwise(Compiled(SPEC), Clock(100, stop))
    assert section.missing == "interrupted" and section.data == {}
