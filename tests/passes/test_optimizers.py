"""optimizers: the equations and what is emitted of them, against the papers' algorithms in NumPy.

The oracles below share nothing with the compiler: each is its paper's algorithm as a loop over
steps, in float64.
"""

import json
import math

import numpy as np
import pytest
import sympy
from sympy import Sum, Symbol

import symgrad
from symgrad.compiler import Compiled
from symgrad.inspect import view
from symgrad.language.functions import in_sympy
from symgrad.language.program import name_of
from symgrad.language.verify import verify
from symgrad.passes.share import share
from symgrad.passes.update import rates, update, updates
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.spec.training import OPTIMIZERS, SCHEDULES, Training
from tests import nets
from tests.language.test_latex import faults

NET = nets.net([2, 3, 2], ["tanh", "identity"])


def trained(training, spec=NET):
    """The spec with a [training] table."""
    return Spec.parse(spec.normalised() | {"training": training})


# ------------------------------------------------------------------------------------- the papers


def sgd(theta, steps):
    for g, rate in steps:
        theta = theta - rate * g
    return theta


def momentum(theta, steps, momentum=0.9):
    velocity = 0
    for g, rate in steps:
        velocity = momentum * velocity + g
        theta = theta - rate * velocity
    return theta


def nesterov(theta, steps, momentum=0.9):
    velocity = 0
    for g, rate in steps:
        velocity = momentum * velocity + g
        theta = theta - rate * (g + momentum * velocity)
    return theta


def rmsprop(theta, steps, rho=0.9, epsilon=1e-8):
    square = 0
    for g, rate in steps:
        square = rho * square + (1 - rho) * g * g
        theta = theta - rate * g / (np.sqrt(square) + epsilon)
    return theta


def adam(theta, steps, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
    """Algorithm 1 of Kingma and Ba; with a weight decay, Algorithm 2 of Loshchilov and Hutter."""
    first = second = 0
    for t, (g, rate) in enumerate(steps, start=1):
        first = beta1 * first + (1 - beta1) * g
        second = beta2 * second + (1 - beta2) * g * g
        first_hat, second_hat = first / (1 - beta1**t), second / (1 - beta2**t)
        theta = theta - rate * (first_hat / (np.sqrt(second_hat) + epsilon) + weight_decay * theta)
    return theta


def adam_hat(theta, steps, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The order of computation at the end of their section 2."""
    first = second = 0
    for t, (g, rate) in enumerate(steps, start=1):
        first = beta1 * first + (1 - beta1) * g
        second = beta2 * second + (1 - beta2) * g * g
        rate_t = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        theta = theta - rate_t * first / (np.sqrt(second) + epsilon)
    return theta


def adamw(theta, steps, weight_decay=0.01, **constants):
    return adam(theta, steps, weight_decay=weight_decay, **constants)


def adagrad(theta, steps, epsilon=1e-10):
    total = 0
    for g, rate in steps:
        total = total + g * g
        theta = theta - rate * g / (np.sqrt(total) + epsilon)
    return theta


def lion(theta, steps, beta1=0.9, beta2=0.99, weight_decay=0.0):
    first = np.zeros_like(theta)
    for g, rate in steps:
        direction = np.sign(beta1 * first + (1 - beta1) * g)
        theta = theta - rate * (direction + weight_decay * theta)
        first = beta2 * first + (1 - beta2) * g
    return theta


PAPERS = {
    f.__name__: f
    for f in (sgd, momentum, nesterov, rmsprop, adam, adam_hat, adamw, adagrad, lion)
}

CONSTANTS = {
    "sgd": {},
    "momentum": {"momentum": 0.7},
    "nesterov": {"momentum": 0.8},
    "rmsprop": {"rho": 0.95, "epsilon": 1e-3},
    "adam": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-2},
    "adam_hat": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-2},
    "adamw": {"beta1": 0.85, "beta2": 0.9, "epsilon": 1e-4, "weight_decay": 0.3},
    "adagrad": {"epsilon": 1e-2},
    "lion": {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1},
}


def rate_at(schedule, rate, step, batches, epochs, warmup=0.0, **constants):
    """The rate of a step, counted from 0."""
    epoch, share = step / batches, min(1.0, step / (batches * epochs))
    rate *= {
        "constant": lambda: 1.0,
        "linear": lambda: 1 - share,
        "cosine": lambda: (1 + math.cos(math.pi * share)) / 2,
        "exponential": lambda: constants.get("decay", 0.95) ** epoch,
        "step": lambda: constants.get("decay", 0.1) ** (epoch // constants.get("every", 10)),
    }[schedule]()
    return rate * min(1.0, (step + 1) / (warmup * batches)) if warmup else rate


def descend(module, training, steps, theta, x, t):
    """`steps` epochs of one batch, by the module's gradient and the paper's update."""
    given = OPTIMIZERS[training["optimizer"]]
    rate, clip = training.get("rate", given.rate), training.get("clip")
    schedule, constants = training.get("schedule", "constant"), training.get("constants", {})
    own = {name: value for name, value in constants.items() if name in given.constants}
    of_schedule = {name: value for name, value in constants.items() if name not in own}
    # The gradients depend on the weights before: the paper's algorithm is run again from the start
    # for every step, with the gradients so far.
    taken, losses, start = [], [], theta.astype(np.float64)
    now = start
    for step in range(steps):
        E, g = module.loss_and_gradient(now, x, t)
        g = np.asarray(g, np.float64)
        if clip is not None and np.linalg.norm(g) > clip:
            g = g * (clip / np.linalg.norm(g))
        at = rate_at(schedule, rate, step, 1, training.get("epochs", 50),
                     training.get("warmup", 0.0), **of_schedule)  # fmt: skip
        taken.append((g, at))
        losses.append(E)
        now = PAPERS[training["optimizer"]](start, taken, **own)
    return now, losses


# ---------------------------------------------------------------------------------- the equations


def test_every_optimizer_has_a_rule_numbers_and_a_paper():
    assert list(updates()) == list(OPTIMIZERS) == list(PAPERS) == list(CONSTANTS)
    assert tuple(rates()) == SCHEDULES


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rest", [{}, {"schedule": "cosine", "warmup": 2.0, "clip": 1.0}])
def test_programs_are_sound_and_read_what_is_given(optimizer, rest):
    training = Training(optimizer=optimizer, **rest)
    program = share(verify(update(training, 7)))
    verify(program)
    read = {
        name
        for definition in program.definitions
        for name in map(str, definition.value.free_symbols)
    }
    settings = training.settings()
    assert set(settings) - {"batch"} <= read, "a number that is given and not used"
    assert {"theta_next"} <= set(program.outputs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_equations_are_the_paper_s_algorithm(optimizer):
    """Three steps of one weight in 30 digits, by SymPy alone."""
    training = Training(optimizer=optimizer, rate=0.125, constants=CONSTANTS[optimizer])
    program = update(training, 1)
    gradients = [0.5, -1.25, 2.0]
    held = {"theta": sympy.Integer(3), "m": sympy.Integer(0), "v": sympy.Integer(0)}
    scalars = {name: sympy.Float(value, 30) for name, value in training.settings().items()}
    for step, g in enumerate(gradients, start=1):
        values = held | scalars | {"gradient": sympy.Float(g, 30), "s": sympy.Integer(step)}
        for definition in program.definitions:
            value = in_sympy(definition.value)
            value = value.xreplace(
                {node: values[name_of(node)] for node in value.atoms(sympy.Indexed)}
            )
            value = value.xreplace({Symbol(n, real=True): number for n, number in values.items()})
            values[definition.name] = sympy.N(value, 30)
        held = {name: values.get(f"{name}_next", held[name]) for name in held}
    expected = PAPERS[optimizer](
        np.array([3.0]), [(np.array([g]), 0.125) for g in gradients], **CONSTANTS[optimizer]
    )
    assert float(held["theta"]) == pytest.approx(expected[0], rel=1e-14)


def test_the_whole_gradient_is_clipped():
    program = update(Training(optimizer="sgd", clip=2.0), 5)
    (norm,) = (d.value for d in program.definitions if d.name == "norm")
    (total,) = norm.atoms(Sum)
    assert total.limits[0][1:] == (0, 4)


@pytest.mark.parametrize("format", ["unicode", "latex", "sympy", "json"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_can_be_looked_at(optimizer, format):
    spec = trained({"optimizer": optimizer, "schedule": "step", "clip": 1.0, "warmup": 3.0})
    written = view(symgrad.compile(spec), "update", format)
    match format:
        case "unicode":
            assert "theta_next[k]" in written and "norm" in written
        case "latex":
            assert faults(written) == [] and r"\theta'_{k} &= " in written
        case "sympy":
            compile(written, "equations", "exec")
        case "json":
            names = [entry["name"] for entry in json.loads(written)["definitions"]]
            assert names[-1] in ("theta_next", "m_next")


# ------------------------------------------------------------------------------- the emitted code


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_emitted_steps_are_the_paper_s(interpret, optimizer, schedule):
    """Seven epochs of one batch each, and the rate at every one of them."""
    training = {
        "optimizer": optimizer,
        "schedule": schedule,
        "batch": "all",
        "epochs": 6,  # one less than are trained: rates go on from their last
        "clip": 0.75,
        "warmup": 2.5,
        "constants": CONSTANTS[optimizer]
        | {"exponential": {"decay": 0.8}, "step": {"decay": 0.5, "every": 2.0}}.get(schedule, {}),
    }
    module = interpret(passes(trained(training)).source)
    random = np.random.default_rng(1)
    x, t = random.normal(size=(6, 2)), random.normal(size=(6, 2))
    theta = module.init(3)
    expected, losses = descend(module, training, 7, theta, x, t)
    state, progress = module.train_state(0)
    settings = module.train_settings()
    found = [module.train_epoch(theta, x, t, state, progress, settings) for _ in range(7)]
    np.testing.assert_allclose(theta, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    assert progress[1] == 7


@pytest.mark.parametrize(
    "optimizer",
    [
        # all are compiled alike: one of them stands for the others, which the sweep compiles
        pytest.param(name, marks=[] if name == "adamw" else pytest.mark.slow)
        for name in updates()
    ],
)
def test_compiled_steps_in_both_precisions(native, optimizer):
    for dtype, tolerance in (("float64", 1e-12), ("float32", 3e-5)):
        spec = trained(
            {"optimizer": optimizer, "batch": "all"},
            nets.net([3, 9, 2], ["tanh", "identity"], dtype=dtype, l2=0.01),
        )
        module = native(spec)
        random = np.random.default_rng(2)
        x = random.normal(size=(11, 3)).astype(dtype)
        t = random.normal(size=(11, 2)).astype(dtype)
        theta = module.init(1)
        expected, _ = descend(module, {"optimizer": optimizer}, 20, theta, x, t)
        state, progress = module.train_state(0)
        for _ in range(20):
            module.train_epoch(theta, x, t, state, progress, module.train_settings())
        assert theta.dtype == state.dtype == dtype
        np.testing.assert_allclose(theta, expected, rtol=tolerance, atol=tolerance)


def test_a_gradient_of_zero_is_no_division_by_zero(interpret):
    """The norm is 0, and so is v: clipping and scaling leave the weights where they are."""
    for optimizer in updates():
        training = {"optimizer": optimizer, "clip": 1.0, "batch": "all"}
        if "weight_decay" in OPTIMIZERS[optimizer].constants:
            training["constants"] = {"weight_decay": 0.0}
        module = interpret(passes(trained(training)).source)
        theta, x = module.init(0), np.ones((2, 2))
        before, (state, progress) = theta.copy(), module.train_state()
        t = module.predict(theta, x)
        assert module.train_epoch(theta, x, t, state, progress, module.train_settings()) == 0
        np.testing.assert_array_equal(theta, before)


def test_settings_are_those_of_the_spec_and_can_be_changed(interpret):
    training = {"optimizer": "adam", "rate": 0.25, "batch": 7, "schedule": "cosine", "epochs": 9}
    module = interpret(passes(trained(training)).source)
    assert module.SETTINGS == {
        "rate": 0.25, "batch": 7.0, "epochs": 9.0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
    }  # fmt: skip
    np.testing.assert_array_equal(
        module.train_settings(beta2=0.5, rate=1), [1, 7, 9, 0.9, 0.5, 1e-8]
    )
    with pytest.raises(TypeError, match="no setting is called gamma; there are rate, batch, epoch"):
        module.train_settings(gamma=1.0)


def test_modules_of_one_structure_differ_in_numbers_only():
    def source(training):
        return passes(trained(training.structure().normalised())).source

    first = Training(optimizer="adam", rate=0.1, batch=7, clip=3.0, seed=4, epochs=2)
    second = Training(optimizer="adam", rate=0.2, clip=0.5, validation=0.5, patience=3)
    assert source(first) == source(second)
    assert source(first) != source(Training(optimizer="adam"))
    assert source(first) != source(Training(optimizer="sgd", clip=1.0))


def test_whole_batch_methods_leave_a_module_as_it_is(interpret):
    """They are SciPy's; only SPEC tells of them."""
    trains, plain = Compiled(trained({"optimizer": "lbfgs"})), Compiled(NET)
    text = trains.files["net.py"]
    assert "'optimizer': 'lbfgs'" in text and "train_epoch" not in text
    assert "train_epoch" not in plain.files["net.py"]
    assert "train_epoch" in Compiled(trained({"optimizer": "sgd"})).files["net.py"]
    whole, without = (interpret(compiled.source) for compiled in (trains, plain))
    assert dir(whole) == dir(without) and not hasattr(whole, "train_epoch")
