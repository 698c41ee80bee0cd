"""What `check` says of the functions that a spec asks for beside the gradient."""

from types import SimpleNamespace

import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.errors import SpecError
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import Spec

SPEC = {
    "name": "net",
    "dtype": "float64",
    "inputs": 2,
    "derivatives": [*DERIVATIVES],
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 2, "activation": "softmax"}],
    "loss": {"kind": "cross_entropy", "l2": 0.1, "sample_weights": True},
}


@pytest.fixture(scope="module")
def module():
    return symgrad.compile(SPEC).module


def test_all_of_them_are_judged_and_right(module):
    report = check(module.SPEC, module)
    assert [each.name for each in report.derivatives] == [*DERIVATIVES]
    assert report.passed
    assert max(each.error for each in report.derivatives) < 1e-10


@pytest.mark.parametrize("name", [*DERIVATIVES])
def test_a_wrong_one_is_found(module, name):
    parts = {each: getattr(module, each) for each in (*module.__all__,)}
    right = parts[name]

    def wrong(*given):
        result = right(*given)
        if name == "pullback":
            given[-1][0, 0] += 1e-6
        elif isinstance(result, tuple):
            result[1][0, 0] += 1e-6
        else:
            result[(0,) * result.ndim] += 1e-6
        return result

    report = check(module.SPEC, SimpleNamespace(**{**parts, name: wrong}))
    assert [each.name for each in report.derivatives if not each.passed] == [name]
    assert not report.passed


def test_gauss_newton_is_of_losses_of_the_outputs():
    loss = {"formula": "D(y[0], x[0])**2"}
    with pytest.raises(SpecError, match="'gauss_newton' is of losses of the outputs alone"):
        Spec.parse({**SPEC, "loss": loss, "derivatives": ["gauss_newton"]})
    Spec.parse({**SPEC, "loss": loss, "derivatives": ["hessian"]})
