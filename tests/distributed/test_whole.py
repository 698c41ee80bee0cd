"""What all engines give: a loss and its gradient of theta alone, which optimizers take."""

import numpy as np
import pytest
from scipy.optimize import minimize

import symgrad
from symgrad.distributed.out_of_core import OutOfCore
from symgrad.distributed.sources import InMemory
from symgrad.errors import SpecError
from symgrad.lowering.arithmetic import LEAF
from tests.distributed.samples import module_of, penalties_of, same_bits, samples_of

SAMPLES = 9 * LEAF + 1


def whole_of(name, dtype="float64"):
    arrays = samples_of(name, SAMPLES, dtype)
    given = {"numbers": 2 * LEAF * 8, **penalties_of(name)}
    return OutOfCore(module_of(name, dtype), InMemory(arrays), **given), arrays


def test_scipy_takes_it_and_takes_the_same_steps():
    module, (whole, arrays) = module_of("plain"), whole_of("plain")
    start, how = module.init(0), {"jac": True, "method": "L-BFGS-B", "options": {"maxiter": 20}}
    with whole:
        found = minimize(whole, start, **how)
    expected = minimize(module.loss_and_gradient, start, args=arrays, **how)
    assert found.nit == expected.nit == 20 and found.x.tobytes() == expected.x.tobytes()


def test_penalties_and_dtypes_are_the_modules():
    module, (whole, arrays) = module_of("penalised", "float32"), whole_of("penalised", "float32")
    theta = module.init(0)
    with whole:
        for given in (theta, theta.astype(np.float64)):
            expected = module.loss_and_gradient(given, *arrays, 0.01)
            assert same_bits(whole.loss_and_gradient(given), expected)


def test_what_is_no_loss_of_its_own_is_refused():
    terms = [{"name": name, "kind": "squared"} for name in ("here", "there")]
    spec = {
        "name": "two", "dtype": "float64", "inputs": 1, "layers": [{"units": 1}],
        "loss": {"terms": terms},
    }  # fmt: skip
    module = symgrad.compile(spec).module
    assert not hasattr(module, "gradient_of_leaves")
    x = np.zeros((2, 1))
    with pytest.raises(SpecError, match="two: its loss is a sum of terms"):
        OutOfCore(module, InMemory((x, x)))
    for name, given, wanted in (("plain", {"l1": 0.1}, "none"), ("penalised", {}, "l1")):
        with pytest.raises(SpecError, match=f"penalties to be given: {wanted}"):
            OutOfCore(module_of(name), InMemory(samples_of(name, 1)), **given)
