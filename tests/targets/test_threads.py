"""Leaves and threads: the same bits for any number of threads, and whatever they do of a leaf."""

import os
import re
import subprocess
import sys
from functools import cache

import numba
import numpy as np
import pytest

from symgrad.lowering import cost_model
from symgrad.lowering.arithmetic import LEAF
from symgrad.pipeline import passes
from tests import nets
from tests.drivers import driver

SPECS = {
    "loops": nets.net([3, 4, 2], ["tanh", "identity"], sample_weights=True, l2=0.1),
    "products": nets.net([12, 20, 3], ["silu", "softmax"], kind="cross_entropy"),
}


def least(spec):
    """From how many samples on threads pay."""
    return passes(spec).schedule["gradient"].threaded


def data_of(spec, samples):
    random = np.random.default_rng(0)
    shapes = (samples, spec.inputs), (samples, spec.outputs)
    data = [random.normal(size=shapes[0]), random.uniform(size=shapes[1])]
    return data + ([random.uniform(0.5, 1.5, samples)] if spec.loss.sample_weights else [])


SLOW = ("products",)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in SPECS],
)
def network(request, build):
    """A spec and its module."""
    spec = SPECS[request.param]
    return spec, build(spec)


@pytest.fixture
def case(network):
    """A module, and data of so many samples that they are several leaves, the last not full."""
    spec, module = network
    return module, data_of(spec, max(least(spec), 11 * LEAF + 5))


@pytest.fixture
def threads():
    """Sets the number of Numba's threads, and sets it back."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@cache
def in_compiled_code(function, weights):
    """A compiled function that calls it."""
    if weights:
        return numba.njit(lambda a, x, t, w, g: function(a, x, t, w, g))
    return numba.njit(lambda a, x, t, g: function(a, x, t, g))


def from_njit(module, theta, data, gradient):
    call = in_compiled_code(module.loss_and_gradient_into, len(data) == 3)
    return call(theta, *data, gradient)


@pytest.mark.filterwarnings("error::numba.core.errors.NumbaPerformanceWarning")
@pytest.mark.parametrize("leaves", [0, 1, 1.5, 2, 3, 5.2, 21])
def test_any_number_of_threads_gives_the_same_bits(leaves, network, threads):
    """Few samples, which threads share where they can, and more, of which they have subtrees."""
    spec, module = network
    data = data_of(spec, max(least(spec), int(leaves * LEAF)))
    theta = module.init(1)
    expected = np.empty_like(theta)
    loss = from_njit(module, theta, data, expected)  # on one thread, leaf by leaf
    module.loss_and_gradient_into.work.calls_until_threads = 1  # the first that may use them does
    for number in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        threads(number)
        gradient = np.full_like(theta, np.nan)
        assert module.loss_and_gradient_into(theta, *data, gradient) == loss
        np.testing.assert_array_equal(gradient, expected)
    several = numba.config.NUMBA_NUM_THREADS > 1 and numba.threading_layer() in ("omp", "tbb")
    assert (module.loss_and_gradient_into.work.threaded is not None) == several


@pytest.mark.filterwarnings("error::numba.core.errors.NumbaPerformanceWarning")
@pytest.mark.parametrize(
    "network",
    ["loops", "products"],
    indirect=True,
)
@pytest.mark.slow
def test_any_number_of_threads_steps_to_the_same_bits(network, threads):
    spec, module = network
    data = data_of(spec, max(least(spec), 11 * LEAF + 5))
    theta = module.init(1)
    module.step.work.calls_until_threads = 10**9
    expected = theta.copy()
    loss = module.step(expected, *data, 0.5)
    gradient = module.loss_and_gradient(theta, *data)[1]
    np.testing.assert_array_equal(expected, theta - 0.5 * gradient)
    module.step.work.calls_until_threads = 1
    for number in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        threads(number)
        stepped = theta.copy()
        assert module.step(stepped, *data, 0.5) == loss
        np.testing.assert_array_equal(stepped, expected)


def summed(parts):
    """The tree of sums as it is stated: the largest power of two of them, the rest, and both."""
    if len(parts) == 1:
        return parts[0]
    half = 1 << (len(parts) - 1).bit_length() - 1
    return summed(parts[:half]) + summed(parts[half:])


@pytest.mark.parametrize("samples", [LEAF, LEAF + 1, 3 * LEAF, 6 * LEAF + 70, 11 * LEAF])
def test_leaves_are_added_in_a_binary_tree(network, samples):
    """Leaves alone give the bits of the whole: by what a module says of few samples, where N is a
    power of two and takes nothing from them."""
    spec, module = network
    data = data_of(spec, samples)
    if len(data) == 3:
        data[2][...] = 1.0
    theta = module.init(1)
    kernel = driver(module.loss_and_gradient_into, "_sum_of_leaves")
    weights, more = data[2] if len(data) == 3 else None, [None] * 4  # of other derivatives
    given = [theta, *data[:2], weights, *more, 0.0, 0.0, 1.0, 1.0]
    scratch = np.empty(module.GRADIENT_SCRATCH) if module.GRADIENT_SCRATCH else None
    leaves = -(-samples // LEAF)

    def of_leaves(first, last):
        gradient = np.full_like(theta, np.nan)
        return kernel(*given, gradient, scratch, first, last), gradient

    loss, gradient = of_leaves(0, leaves)
    alone = [of_leaves(leaf, leaf + 1) for leaf in range(leaves)]
    assert loss == summed([E for E, _ in alone])
    np.testing.assert_array_equal(gradient, summed([slopes for _, slopes in alone]))


def test_many_samples_are_the_mean_of_few(case):
    """Samples of a part alone and of the whole: leaves must neither drop nor repeat one."""
    module, data = case
    theta = module.init(1)
    weights = data[2] if len(data) == 3 else np.ones(len(data[0]))
    place = len(data[0]) // 3
    parts = [slice(0, place), slice(place, None)]
    penalty = module.loss(theta, *[d[:1] for d in data]) - module.loss(
        theta, *[np.repeat(d[:1], 2, 0) for d in data]
    )
    assert penalty == pytest.approx(0, abs=1e-12)
    shares = [weights[part].sum() / weights.sum() for part in parts]
    results = [module.loss_and_gradient(theta, *[d[part] for d in data]) for part in parts]
    loss, gradient = module.loss_and_gradient(theta, *data)
    assert loss == pytest.approx(sum(s * r[0] for s, r in zip(shares, results, strict=True)))
    mean = sum(s * r[1] for s, r in zip(shares, results, strict=True))
    np.testing.assert_allclose(gradient, mean, rtol=1e-8, atol=1e-12)
    outputs = [module.predict(theta, data[0][part]) for part in parts]
    np.testing.assert_allclose(module.predict(theta, data[0]), np.vstack(outputs), rtol=1e-12)


def test_a_forked_process_computes_on_one_thread(tmp_path):
    """OpenMP's threads do not survive a fork: the child must not wait for them, or be ended."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    program = """
import os, sys, numpy as np, symgrad
module = symgrad.compile({"name": "forked", "dtype": "float64", "inputs": 3,
    "layers": [{"units": 20, "activation": "tanh"}, {"units": 2}],
    "loss": {"kind": "squared"}}).module
x, t = np.ones((20000, 3)), np.zeros((20000, 2))
theta = module.init(0)
module.loss.work.calls_until_threads = 0
before = module.loss(theta, x, t)
child = os.fork()
if child == 0:
    os._exit(0 if module.loss(theta, x, t) == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.stdout.strip() == "0", done.stderr


def test_threads_pay_for_fewer_samples_of_a_larger_network():
    widths = ([2, 3, 1], [4, 8, 3], [10, 32, 32, 1], [64, 64, 32, 10], [600, 600, 2])
    known = [least(nets.net(w, ["tanh"] * (len(w) - 2) + ["identity"])) for w in widths]
    assert known == sorted(known, reverse=True) and known[0] > LEAF > known[-1] >= 2


def test_a_block_is_as_large_as_the_cache_allows():
    numbers = (1, 64, 256, 1024, 4096, 10**6)
    rows = [cost_model.block_rows(number, 4) for number in numbers]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == cost_model.ROWS[1] and rows[-1] == cost_model.ROWS[0]
    for number, block in zip(numbers, rows, strict=True):
        assert block == cost_model.ROWS[0] or block * number * 4 <= cost_model.CACHE_BYTES


def test_layers_of_a_kind_share_their_loops():
    spec = nets.net([16] * 9, ["tanh"] * 8)
    lines = [line.strip() for line in passes(spec).source.splitlines()]
    computed = [line for line in lines if re.search(r"^[ay][^#]*\] = tanh\(.*\)$", line)]
    equations = [line for line in lines if re.search(r"^# .*= tanh\(", line)]
    # once in predict and once in gradient, and once more for the last layer in the latter, which
    # goes on with its output; but each layer has its equation
    assert len(computed) == 3 and len(equations) >= 2 * 8


def test_layers_that_share_loops_compute_what_they_do_alone(interpret, monkeypatch):
    spec = nets.net([5] * 7, ["tanh"] * 5 + ["identity"], residual=[2, 3, 4, 5])
    random = np.random.default_rng(0)
    x, t = random.normal(size=(4, 5)), random.normal(size=(4, 5))
    results = []
    for least in (2, 100):
        monkeypatch.setattr(cost_model, "ALIKE_FROM", least)
        monkeypatch.setattr(cost_model, "PRODUCT_FROM", 1)
        module = interpret(passes(spec).source)
        results.append(module.loss_and_gradient(module.init(0), x, t))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
