"""Object code of LLVM's: the same bits as Numba's code, whatever is computed."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from symgrad.checking.bits import bits
from symgrad.compiler import compile
from symgrad.lowering.arithmetic import LEAF
from symgrad.spec.parts import ACTIVATIONS, LOSSES
from symgrad.spec.spec import Spec
from symgrad.spec.training import OPTIMIZERS, SCHEDULES
from tests.nets import net
from tests.paths import ROOT


def data(spec, samples, seed=0):
    """Numbers for all that the functions of a loss take, targets such as all losses have."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, spec.inputs))
    t = random.uniform(0.1, 0.9, (samples, spec.widths[-1]))
    w = [random.uniform(0.5, 2, samples)] * spec.loss.sample_weights
    return [*(each.astype(spec.dtype) for each in (x, t, *w)), *[0.25] * len(spec.loss.arguments)]


def both(spec):
    """A network's functions as object code and as Numba compiles them."""
    compiled = compile(spec)
    assert compiled.module is not compiled.emitted
    return compiled.module, compiled.emitted


def same(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


def agree(spec, *several):
    """For so many samples, and so many: a module is compiled once for all of them."""
    native, emitted = both(spec)
    for function in (emitted.predict, emitted.loss, emitted.loss_and_gradient, emitted.step):
        function.work.calls_until_threads = 10**9  # what threads do, Numba would compile apart
    for samples in several:
        agree_for(native, emitted, data(spec, samples))


def agree_for(native, emitted, given):
    theta = native.init(3)
    assert same(theta, emitted.init(3))
    assert same(native.predict(theta, given[0]), emitted.predict(theta, given[0]))
    assert native.loss(theta, *given) == emitted.loss(theta, *given)
    for one, other in zip(
        native.loss_and_gradient(theta, *given),
        emitted.loss_and_gradient(theta, *given),
        strict=True,
    ):
        assert same(one, other)
    stepped = theta.copy(), theta.copy()
    losses = [
        module.step(each, *given, 0.125)
        for module, each in zip((native, emitted), stepped, strict=True)
    ]
    assert losses[0] == losses[1] and same(*stepped) and not same(stepped[0], theta)


NUMBERS = {"xor": (1, LEAF, 3 * LEAF + 1), "residual": (3 * LEAF + 1,)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_the_same_bits_as_of_numba(name):
    """The two have all kinds of loops and products; softmax is in the hashes below, of digits."""
    agree(Spec.load(ROOT / "specs" / f"{name}.toml"), *NUMBERS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "residual"])
@pytest.mark.parametrize("samples", [1, LEAF])
def test_the_same_bits_as_of_numba_for_few_samples(name, samples):
    agree(Spec.load(ROOT / "specs" / f"{name}.toml"), samples)


@pytest.mark.parametrize("name", ["xor", pytest.param("digits", marks=pytest.mark.slow)])
def test_the_same_hashes_after_100_steps(name):
    native, emitted = both(Spec.load(ROOT / "specs" / f"{name}.toml"))
    assert bits(native) == bits(emitted)


# Every activation and every loss once, in both dtypes; products and loops, penalties and weights.
KINDS = [
    (activation, loss, dtype, width)
    for (activation, loss), (dtype, width) in zip(
        zip(
            [each for each in ACTIVATIONS if each != "softmax"],
            itertools.cycle(LOSSES),
            strict=False,
        ),
        itertools.cycle([("float32", 3), ("float64", 20), ("float64", 3), ("float32", 20)]),
        strict=False,
    )
]


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "loss", "dtype", "width"), KINDS)
def test_every_activation_has_the_same_bits(activation, loss, dtype, width):
    last = {"cross_entropy": "softmax", "kl": "softmax", "poisson": "softplus"}.get(loss, "sigmoid")
    spec = net(
        [3, width, 2], [activation, last], kind=loss, dtype=dtype, l2="argument",
        l1=0.5, sample_weights=True,
    )  # fmt: skip
    agree(spec, 2 * LEAF + 3)


TRAINED = net([4, 5, 2], ["tanh", "identity"], dtype="float32", sample_weights=True)


def training(spec, optimizer, **more):
    given = {"optimizer": optimizer, "batch": 50, "epochs": 3, **more}
    return Spec.parse({**spec.normalised(), "training": given})


@pytest.mark.slow  # Adam's, on one network, are among the hashes above
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_by_every_optimizer_has_the_same_bits(optimizer):
    _train(TRAINED, optimizer, clip=0.5)


CLIPPED = {"optimizer": "sgd", "clip": 0.01}
LINEAR = net([3, 2], ["identity"], dtype="float32", sample_weights=True)


@pytest.mark.slow
def test_clipped_gradients_have_the_same_bits():
    """By so much that every step is: the norm's last bits are in all that follows."""
    _train(LINEAR, **CLIPPED)


@pytest.mark.slow
def test_steep_slopes_are_clipped():
    """In float32 the square of their norm would be infinite."""
    x = np.array([[1e12, 0, 0]], np.float32)
    t, w = np.array([[1e12, 0]], np.float32), np.ones(1, np.float32)
    for module in both(training(LINEAR, **CLIPPED)):
        theta, settings = np.zeros(8, np.float32), module.train_settings(rate=1.0, clip=2.0)
        module.train_epoch(theta, x, t, w, *module.train_state(0), settings)
        assert theta[0] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_of_the_rate_has_the_same_bits(schedule):
    _train(TRAINED, "sgd", schedule=schedule, warmup=2)


def _train(network, optimizer, **more):
    spec = training(network, optimizer, **more)
    modules = both(spec)
    given = data(spec, 240)
    results = []
    for module in modules:
        theta = module.init(1)
        going_on = *module.train_state(7), module.train_settings()
        losses = [module.train_epoch(theta, *given, *going_on) for _ in range(8)]
        order = np.random.default_rng(2).permutation(240)
        starts = np.array([0, 100, 110, 240])
        losses.append(module.train_steps(theta, *given, order, starts, *going_on))
        results.append((losses, theta, going_on[0], going_on[1]))
    for one, other in zip(*results, strict=True):
        assert same(one, other)


THREADS = """
import json, sys
import numba, numpy as np
from symgrad.compiler import compile
from symgrad.targets.llvm.work import Work
numba.set_num_threads(int(sys.argv[2]))
module = compile(json.loads(sys.argv[1])).module
random = np.random.default_rng(0)
inputs, outputs = module.SPEC["inputs"], module.SPEC["layers"][-1]["units"]
x = random.normal(size=(int(sys.argv[3]), inputs)).astype(np.float32)
t = random.uniform(size=(len(x), outputs)).astype(np.float32)
theta, said = module.init(0), []
for call in range(2):  # on one thread first, and then as many as there are
    gradient, stepped = np.empty_like(theta), theta.copy()
    E = module.loss_and_gradient_into(theta, x, t, gradient)
    y, step = module.predict(theta, x), module.step(stepped, x, t, 0.5)
    state, progress = module.train_state(1)
    trained = theta.copy()
    settings = module.train_settings(batch=0)
    epoch = module.train_epoch(trained, x, t, state, progress, settings)
    parts = [part.tobytes().hex() for part in (gradient, y, stepped, trained, state)]
    said.append([E, step, epoch, module.loss(theta, x, t), *parts])
    names = ("loss_and_gradient_into", "predict", "step", "train_epoch")
    works = [getattr(module, name).work for name in names]
    for work in (*works, module.loss.work):
        work.seconds = 1.0
print(json.dumps([said[0] == said[1], [work.is_threaded for work in works]]))
"""


@pytest.mark.parametrize(("widths", "samples"), [("3-4-2", 20_000), ("30-40-12", 3_000)])
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_threads_give_the_same_bits(widths, samples, layer):
    """On Numba's layers; of these that one may be used by several threads at once."""
    shape = [*map(int, widths.split("-"))]
    spec = training(net(shape, ["tanh", "identity"], dtype="float32"), "sgd").normalised()
    done = subprocess.run(
        [sys.executable, "-c", THREADS, json.dumps(spec), "2", str(samples)],
        env={**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    equal, threaded = json.loads(done.stdout)
    assert equal and threaded == [layer == "omp"] * 4
