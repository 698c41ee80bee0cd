"""Penalties that a spec leaves to be given at run time: `l2 = "argument"`."""

import json

import numba
import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.errors import SpecError, SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.explain import explain
from symgrad.spec.spec import Spec

PENALTIES = {"l1": 0.03, "l2": 0.05}


def spec(dtype="float64", weighted=False, given=("l1", "l2"), name="given"):
    """A network with these penalties to be given, the others being numbers."""
    penalties = {n: "argument" if n in given else number for n, number in PENALTIES.items()}
    return {
        "name": name,
        "dtype": dtype,
        "inputs": 3,
        "layers": [{"units": 4, "activation": "tanh"}, {"units": 2, "activation": "softmax"}],
        "loss": {"kind": "cross_entropy", "sample_weights": weighted, **penalties},
        "training": {"optimizer": "momentum", "constants": {"momentum": 0.5}},
    }


def samples(dtype, weighted, count):
    dice = np.random.default_rng(count)
    x = dice.normal(size=(count, 3)).astype(dtype)
    t = np.eye(2)[dice.integers(0, 2, count)].astype(dtype)
    return (x, t, dice.random(count).astype(dtype)) if weighted else (x, t)


# Each takes a while to compile: one is for every run, the other for the sweep.
PAIRS = [("float64", True), pytest.param(("float32", False), marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def pair(request):
    """A module that is given both penalties, and one that has them in it."""
    dtype, weighted = request.param
    given = symgrad.compile(spec(dtype, weighted)).module
    return given, symgrad.compile(spec(dtype, weighted, (), "fixed")).module, dtype, weighted


@pytest.mark.parametrize("count", [3, 700])
def test_functions_give_what_they_give_with_numbers_in_the_spec(pair, count):
    given, fixed, dtype, weighted = pair
    data, theta, numbers = samples(dtype, weighted, count), given.init(1), PENALTIES.values()
    close = {"rtol": 1e-12 if dtype == "float64" else 1e-5, "atol": 1e-7}
    assert np.array_equal(given.predict(theta, data[0]), fixed.predict(theta, data[0]))
    E, gradient = fixed.loss_and_gradient(theta, *data)
    assert given.loss(theta, *data, *numbers) == pytest.approx(E, rel=close["rtol"])
    again, same = given.loss_and_gradient(theta, *data, *numbers)
    np.testing.assert_allclose(same, gradient, **close)
    named = dict(zip(("x", "t", "w"), data, strict=False)) | PENALTIES
    assert given.loss_and_gradient(theta=theta, **named)[0] == again
    into = np.empty_like(theta)
    assert given.loss_and_gradient_into(theta, *data, *numbers, into) == again
    assert np.array_equal(into, same)
    one, other = theta.copy(), theta.copy()
    given.step(one, *data, *numbers, 0.5)
    fixed.step(other, *data, 0.5)
    np.testing.assert_allclose(one, other, **close)


def test_each_is_in_its_place(pair):
    """l1 before l2, and each times its own part: the loss is linear in both."""
    given, _, dtype, weighted = pair
    data, theta = samples(dtype, weighted, 5), given.init(1)
    W = np.concatenate([given.unpack(theta)[name].ravel() for name in ("W1", "W2")])
    plain = given.loss(theta, *data, 0.0, 0.0)
    close = {"rel": 1e-12 if dtype == "float64" else 1e-5}
    absolute, square = np.abs(W, dtype=float).sum(), (W.astype(float) ** 2).sum() / 2
    assert given.loss(theta, *data, 2.0, 0.0) - plain == pytest.approx(2 * absolute, **close)
    assert given.loss(theta, *data, 0, np.float32(3)) - plain == pytest.approx(3 * square, **close)


@pytest.mark.parametrize("wrong", [-0.5, np.nan, -np.inf])
@pytest.mark.parametrize("count", [3, 700])
def test_numbers_that_are_refused(pair, wrong, count):
    given, _, dtype, weighted = pair
    data, theta = samples(dtype, weighted, count), given.init(1)
    given.loss(theta, *data, 0.0, 0.0)
    before = theta.copy()
    for call in (
        lambda: given.loss(theta, *data, 0.0, wrong),
        lambda: given.step(theta, *data, 0.0, wrong, 0.1),
        lambda: given.train_epoch(
            theta, *data, 0.0, wrong, *given.train_state(), given.train_settings()
        ),
    ):
        with pytest.raises(ValueError, match=f"l2 must be at least 0, came {wrong}"):
            call()
    assert np.array_equal(theta, before)
    for no_number in ("0.1", None, [0.1], np.zeros(1)):
        kind = type(no_number).__name__
        with pytest.raises(TypeError, match=f"l1 must be a number, came {kind}"):
            given.loss(theta, *data, no_number, 0.0)
    with pytest.raises(TypeError, match="missing a required argument: 'l2'"):
        given.loss(theta, *data, 0.1)


def test_epochs_and_steps_go_on_with_them(pair):
    given, fixed, dtype, weighted = pair
    data, numbers = samples(dtype, weighted, 90), PENALTIES.values()
    ends = []
    for module, penalties in ((given, numbers), (fixed, ())):
        theta, (state, progress) = module.init(2), module.train_state(3)
        settings = module.train_settings(rate=0.1)
        for _ in range(3):
            E = module.train_epoch(theta, *data, *penalties, state, progress, settings)
        ends.append((E, theta))
    (one, theta), (other, same) = ends
    close = {"rtol": 1e-12 if dtype == "float64" else 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(one, other, **close)
    np.testing.assert_allclose(theta, same, **close)


def test_they_are_given_from_ones_own_compiled_code(pair):
    given, _, dtype, weighted = pair
    data, theta = samples(dtype, weighted, 5), given.init(1)
    loss = given.loss

    @numba.njit
    def along(theta, data, l2):
        total = 0.0
        for k in range(3):
            total += loss(theta, *data, 0.25, l2 * k)
        return total

    expected = sum(loss(theta, *data, 0.25, 0.5 * k) for k in range(3))
    assert along(theta, data, 0.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("given", [pytest.param(("l1",), marks=pytest.mark.slow), ("l2",)])
def test_one_may_be_a_number_and_one_be_given(given):
    compiled = symgrad.compile(spec(given=given, name=f"only_{given[0]}"))
    assert compiled.spec.loss.arguments == given
    data, theta = samples("float64", False, 4), compiled.module.init(0)
    number = PENALTIES[given[0]]
    E, gradient = compiled.module.loss_and_gradient(theta, *data, number)
    expected, slope = symgrad.compile(spec(given=())).evaluate(theta, *data)
    assert pytest.approx(expected, rel=1e-13) == E
    np.testing.assert_allclose(gradient, slope, rtol=1e-12)
    value, derivative = compiled.evaluate(theta, *data, **{given[0]: number})
    assert value == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(derivative, slope, rtol=1e-14)


def test_evaluate_wants_what_the_spec_leaves_open():
    compiled = symgrad.compile(spec(given=("l2",)))
    theta, data = np.zeros(compiled.spec.weights), samples("float64", False, 2)
    for penalties, came in (({}, "none"), ({"l1": 1.0}, "l1"), ({"l1": 1.0, "l2": 2.0}, "l1, l2")):
        with pytest.raises(TypeError, match=f"the spec has l2 to be given, came {came}"):
            compiled.evaluate(theta, *data, **penalties)


def test_they_pass_the_check_against_the_oracles(pair):
    given, _, dtype, weighted = pair
    report = check(Spec.parse(spec(dtype, weighted)).normalised(), given)
    assert report.passed, report


def test_spec_files_take_the_word_and_no_other():
    read = Spec.parse(spec())
    assert read.normalised()["loss"]["l2"] == "argument" and Spec.parse(read.normalised()) == read
    with pytest.raises(SpecError, match=r"loss\.l2: must be a number that a float64 can hold"):
        Spec.parse({**spec(), "loss": {"kind": "squared", "l2": "arguments"}})
    schema = json.dumps(Spec.json_schema()["$defs"]["Loss"]["properties"]["l2"])
    assert '{"const": "argument"}' in schema and '"minimum": 0' in schema


def test_what_needs_numbers_says_so(tmp_path):
    x, t = samples("float64", False, 9)
    with pytest.raises(SpecError, match=r"given: loss.l1 is left to be given .* train_epoch"):
        symgrad.train(spec(), (x, t), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(SymgradError, match=r"loss.l2 is left to be given at run time"):
        list(explain(symgrad.compile(spec(given=("l2",))), Clock(1.0)))
