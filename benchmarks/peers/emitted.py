"""symgrad: a network's module, called from Python as `symgrad.compile` gives it; inside compiled
code
the emitted one."""

import tempfile
from functools import partial
from pathlib import Path

import numba as nb
import numpy as np

import symgrad
from benchmarks import asked, planning, training
from benchmarks.peers import Variant
from benchmarks.peers.numba_by_hand import looped
from symgrad.spec.spec import Spec
from symgrad.training import freeze
from symgrad.training.trained import Columns, Scaling, Trained


def emitted(net, dtype):
    """The module, emitted to a real file as `symgrad compile` does, and imported from it."""
    folder = Path(tempfile.mkdtemp(prefix="symgrad-benchmark-"))
    return symgrad.load(symgrad.compile({**net.spec, "dtype": dtype}).write(folder))


def prepare(net, theta, x, t):
    module = symgrad.compile({**net.spec, "dtype": theta.dtype.name}).module
    gradient = np.empty_like(theta)
    call = partial(module.loss_and_gradient_into, theta, x, t, gradient)

    def value():
        return float(call()), gradient.copy()

    value()
    yield Variant("loss_and_gradient_into", call, value)


def derive(net, theta, x, t):
    spec = {**asked.BY_WIDTHS[net.widths].spec, "dtype": theta.dtype.name}
    module = symgrad.compile(spec).module
    name = "jacobian_into" if hasattr(module, "jacobian") else "loss_and_gradient_into"
    value = partial(asked.values, module, theta, x, t)
    call = asked.call(module, theta, x, t)
    value()
    for _ in range(21):
        call()  # what is compiled for many samples is compiled with the twentieth
    yield Variant(name, call, value)


def inside(net, theta, x, t):
    module, small = emitted(net, theta.dtype.name), theta.dtype.type(1e-6)

    @nb.njit
    def loop(theta, x, t, gradient, calls):
        total = 0.0
        for _ in range(calls):
            total += module.loss_and_gradient_into(theta, x, t, gradient)
            theta[0] += small * gradient[0]
        return total

    yield looped("loss_and_gradient_into", loop, theta, x, t, 1)


def control(net, theta, x, t):
    """All of it compiled, with what `symgrad freeze --jacobian` writes."""
    spec = Spec.parse({**net.spec, "dtype": theta.dtype.name})
    scaling = Scaling(
        planning.MEAN, planning.SCALE,
        np.array([planning.TARGET_MEAN]), np.array([planning.TARGET_SCALE]),
    )  # fmt: skip
    columns = Columns(("celsius", "room", "power"), ("next",))
    weights = Trained(spec.normalised(), theta, columns, scaling)
    folder = Path(tempfile.mkdtemp(prefix="symgrad-benchmark-"))
    text = freeze.source(weights, "tank_frozen", jacobian=True)
    module = symgrad.load(freeze.write_frozen(text, "tank_frozen", folder))
    plan = nb.njit(planning.planner(module.predict, module.jacobian))
    into = np.empty((len(x), planning.HORIZON))
    call = partial(nb.njit(planning.all_plans(plan)), x, t, into)

    def value():
        call()
        return planning.value(into)

    value()
    yield Variant("a frozen module", call, value)


def train(net, theta, x, t):
    settings = {"optimizer": "adam", "batch": training.BATCH if net.classifies else "all"}
    spec = {**net.spec, "dtype": theta.dtype.name, "training": settings}
    module = symgrad.compile(spec).module

    def start():
        return theta.copy(), x, t, *module.train_state(0), module.train_settings()

    def value():
        given = start()
        for _ in range(training.LEARN):
            module.train_epoch(*given)
        return module.loss(given[0], x, t), given[0]

    running = start()

    def call():
        for _ in range(training.CALL):
            module.train_epoch(*running)

    for _ in range(2 + 20 // training.CALL):
        call()  # what is compiled for many samples is compiled with the twentieth step
    value()
    yield Variant("train_epoch", call, value)
