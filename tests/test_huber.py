"""Huber's loss with a δ of its own: against the definition, and what it was before to the byte."""

import mpmath
import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.spec.spec import Spec
from tests import nets


def compiled(delta=None, dtype="float64", **more):
    constants = {} if delta is None else {"constants": {"delta": delta}}
    return symgrad.compile(
        nets.net([2, 3, 2], ["tanh", "identity"], kind="huber", dtype=dtype, **constants, **more)
    )


def by_definition(error, delta):
    """A number and its slope, in 50 digits."""
    with mpmath.workdps(50):
        r, d = mpmath.mpf(float(error)), mpmath.mpf(repr(delta))
        if abs(r) <= d:
            return r * r / 2, r
        return d * (abs(r) - d / 2), d * mpmath.sign(r)


@pytest.mark.parametrize("delta", [0.1, 0.75, 2.0, 30.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_a_square_inside_and_a_line_outside(delta, dtype):
    """Of one layer of one unit without weights that matter: y is b."""
    spec = {
        "name": "net", "dtype": dtype, "inputs": 1, "layers": [{"units": 1}],
        "loss": {"kind": "huber", "constants": {"delta": delta}},
    }  # fmt: skip
    module = symgrad.compile(spec).module
    for error in (0.0, delta / 3, -delta * 0.99, delta, 1.01 * delta, -5 * delta, 1e6):
        theta, nought = np.array([0.0, error], dtype), np.zeros((1, 1), dtype)
        E, gradient = module.loss_and_gradient(theta, nought, nought)
        value, slope = by_definition(theta[1], delta)
        rel = 1e-6 if dtype == "float32" else 1e-14
        assert pytest.approx(float(value), rel=rel, abs=0) == E
        assert gradient[1] == pytest.approx(float(slope), rel=rel, abs=0)


def test_a_delta_of_one_is_what_it_was():
    plain, stated = compiled(), compiled(1.0)
    assert stated.spec == plain.spec and stated.source == plain.source
    assert "constants" not in stated.spec.normalised()["loss"]


def test_it_is_kept_in_the_spec():
    spec = compiled(2).spec
    assert spec.normalised()["loss"]["constants"] == {"delta": 2.0}
    assert Spec.parse(spec.normalised()) == spec != compiled().spec
    assert compiled(2).module.SPEC["loss"]["constants"] == {"delta": 2.0}


def test_equations_have_it():
    assert "4·Σ_i2 huber(" in compiled(2.0).source


@pytest.mark.parametrize("delta", [0.2, pytest.param(3.0, marks=pytest.mark.slow)])
def test_it_is_judged_by_oracles(delta):
    spec = compiled(delta, sample_weights=True).spec.normalised()
    spec = {**spec, "derivatives": ["hessian_vector", "gauss_newton"]}
    made = symgrad.compile(spec)
    report = check(made.spec.normalised(), made.module)
    assert report.passed, report
    assert {v.oracle for v in report.verdicts if v.compared} >= {"complex step", "scalars"}


def test_a_wrong_delta_is_found():
    """The module of another δ is not taken for this one's."""
    report = check(compiled(0.2).spec.normalised(), compiled().module)
    assert not report.passed


def test_each_term_has_its_own():
    terms = [
        {"name": "near", "kind": "huber", "constants": {"delta": 0.5}},
        {"name": "far", "kind": "huber"},
    ]
    spec = {"name": "net", "inputs": 1, "dtype": "float64", "layers": [{"units": 1}],
            "loss": {"terms": terms}}  # fmt: skip
    module = symgrad.compile(spec).module
    x, t = np.zeros((1, 1)), np.full((1, 1), 3.0)
    assert module.loss(np.zeros(2), x, t, x, t) == 0.5 * (3 - 0.25) + 2.5


def test_a_name_that_a_kind_has_is_free_for_inputs():
    data = {"name": "net", "inputs": ["delta"], "layers": [{"names": ["u"]}],
            "loss": {"kind": "huber", "constants": {"delta": 2.0}}}  # fmt: skip
    assert Spec.parse(data).input_names == ("delta",)
