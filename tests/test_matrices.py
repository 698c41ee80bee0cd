"""Hessians and Gauss–Newton matrices of more weights and samples: against what they are by
definition, and to the bit whoever computes them; and what memory they take."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symgrad
from symgrad.lowering.cost_model import MOST_IN_TREE
from symgrad.runtime.forks import several_threads
from tests.test_derivatives import Case, close, layer, slopes

# Some are summed in a tree of leaves, some in a chain.
NETS = {
    "a chain": {"inputs": 30, "layers": [layer(12, "tanh"), layer(20)]},
    "a tree": {"inputs": 8, "layers": [layer(10, "tanh"), layer(6)]},
    "two hidden layers": {"inputs": 6, "layers": [layer(9, "tanh"), layer(8, "silu"), layer(5)]},
    "layers of one size": {
        "inputs": 4,
        "layers": [
            layer(4, "silu", residual=True),
            layer(4, "gelu", residual=True),
            layer(2, "softplus", bias=False),
        ],
    },
    "softmax": {
        "inputs": 10,
        "layers": [layer(12, "softplus"), layer(7, "softmax")],
        "loss": {"kind": "cross_entropy"},
    },
    "one layer": {
        "inputs": 12,
        "layers": [layer(5, "softmax")],
        "loss": {"kind": "cross_entropy", "sample_weights": True},
    },
}


def explicit(case):
    """Σ_n Jᵀ·H·J with the Jacobian of every sample and the second derivatives of its loss."""
    J, y = case.jacobian_by_weights(), case.module.predict(case.theta, case.x)
    kind = case.spec.get("loss", {"kind": "squared"})["kind"]
    curved = {"squared": np.ones_like(y), "cross_entropy": case.t / y**2}[kind]
    weights = np.ones(len(y)) if case.w is None else case.w
    H = curved * (weights / weights.sum())[:, None]
    rows = J.reshape(-1, J.shape[-1])
    return rows.T @ (H.reshape(-1, 1) * rows)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("samples", [1, 300, pytest.param(1300, marks=pytest.mark.slow)])
def test_gauss_newton_is_the_product_of_jacobians(name, samples):
    case = Case(NETS[name], samples, ["jacobian_by_weights", "gauss_newton"])
    found, wanted = case.gauss_newton(), explicit(case)
    assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert np.array_equal(found, found.T)


def numbers(case, name):
    """How many numbers are summed over samples, and whether in a chain."""
    lowered = symgrad.compile(case.spec).stages.lowered
    (derivative,) = (each for each in lowered.derivatives if each.name == name)
    return derivative.network.numbers["RESULT"], bool(derivative.network.numbers["CHAINED"])


@pytest.mark.parametrize("name", ["a chain", "a tree"])
@pytest.mark.parametrize("function", ["gauss_newton", "hessian"])
def test_threads_change_no_bit(name, function):
    case = Case(NETS[name], 1300, [function])
    summed, chained = numbers(case, function)
    assert chained == (summed > MOST_IN_TREE) == (name == "a chain")
    wanted = getattr(case, function)()
    work = getattr(case.module, function).work
    assert len(case.x) >= work.many and not work.is_threaded
    work.seconds = 10.0
    found = getattr(case, function)()
    assert work.is_threaded == several_threads()
    assert np.array_equal(found, wanted)


@pytest.mark.slow
def test_numba_s_code_gives_the_same_bits():
    case = Case(NETS["a chain"], 1300, ["gauss_newton"])
    emitted = symgrad.compile(case.spec).emitted
    found = emitted.gauss_newton(case.theta, case.x, case.t)
    assert np.array_equal(found, case.gauss_newton())


def test_what_a_leaf_has_is_added_to_what_others_have_left():
    """A chain has sums of its own for some leaves; whole ones, and what is left of them."""
    case = Case(NETS["a chain"], 1300, ["gauss_newton"])
    parts = [slice(0, 1024), slice(1024, None)]
    one, other = (
        len(case.x[part]) * case.module.gauss_newton(case.theta, case.x[part], case.t[part])
        for part in parts
    )
    close(case.gauss_newton(), (one + other) / len(case.x))


@pytest.mark.slow
def test_hessian_of_a_loss_of_derivatives_by_inputs():
    heat = {
        "inputs": ["x", "t"],
        "layers": [layer(5, "tanh"), {"names": ["u"]}],
        "loss": {"formula": "(D(u, t) - 0.1*D(u, x, x))**2"},
    }
    case = Case(heat, 40, ["hessian"])
    close(case.hessian(), slopes(case.gradient, case.theta))


MEASURED = r"""
import re, sys
from pathlib import Path
import numpy as np
import symgrad

def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

spec = {
    "name": "wide", "dtype": "float64", "inputs": 100, "derivatives": ["gauss_newton"],
    "layers": [{"units": 10, "activation": "tanh"}, {"units": 100}],
}
module = symgrad.compile(spec).module
samples = int(sys.argv[1])
rng = np.random.default_rng(0)
theta, x, t = module.init(0), rng.normal(size=(samples, 100)), rng.normal(size=(samples, 100))
module.loss(theta, x, t)
before = peak()
module.gauss_newton(theta, x, t)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_is_that_of_the_result_and_of_what_it_is_made_of():
    """Once it is compiled; the Jacobian of all samples would take 8.4 GB."""
    for samples in (1, 5000):  # the first compiles
        command = [sys.executable, "-c", MEASURED, str(samples)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 2110**2 * 8 <= int(done.stdout) < 100e6
