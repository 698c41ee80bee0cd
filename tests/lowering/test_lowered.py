"""The lowered program computes what the program does: run by a plain interpreter, float64."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.functions import TABLE
from symgrad.lowering.listing import listing
from symgrad.lowering.module import lower_module
from symgrad.lowering.program import (
    Allocate,
    Array,
    Assign,
    Branch,
    Buffer,
    Call,
    Element,
    Extent,
    Function,
    Invoke,
    Loop,
    Matrix,
    MatrixProduct,
    Number,
    Parameter,
    Run,
    Sum,
    Variable,
    View,
    equal,
    every,
    index,
    whole,
)  # fmt: skip
from symgrad.lowering.verify import UnsoundLowering, verify
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.targets.numba.emit import parameters
from tests.interpreter import Interpreter, Refused
from tests.nets import floats, net
from tests.paths import OF_OUTPUTS
from tests.print_c import in_c
from tests.targets.test_train_epoch import order_of, split_mix

BY_NAME = {function.__name__: function for function in TABLE}


def elementary(name, arguments):
    """The functions of reals, by NumPy or what they mean."""
    if match := re.fullmatch(r"(log1p|log|inverse)_sum_exp_\d+", name):
        pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
        shift = max([u for _, u in pairs] + [0.0] * (match[1] == "log1p"))
        total = sum(c * np.exp(u - shift) for c, u in pairs) + np.exp(-shift) * (
            match[1] == "log1p"
        )
        return np.exp(-shift) / total if match[1] == "inverse" else shift + np.log(total)
    known = {
        "square": lambda u: u * u,
        "power": lambda u, k: u**k,
        "half_sech": lambda u: 0.5 / np.cosh(u),
        "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    }
    if name in known:
        return known[name](*arguments)
    arguments = [np.asarray(each) for each in arguments]
    return np.float64(Floats().function(SimpleNamespace(func=BY_NAME[name]), arguments))


NETS = {path.stem: Spec.load(path) for path in OF_OUTPUTS} | {
    "one": net([1, 1], ["identity"]),
    "deep": net([3] * 9, ["silu"] * 8),
    "alike": net([24] * 7, ["tanh"] * 6, residual=[2, 3, 4, 5, 6]),
    "products": net([20, 17, 16, 3], ["sigmoid", "relu", "identity"], l2=0.1),
    "penalties": net([3, 9, 2], ["tanh", "identity"], l1=0.1, l2=0.2, kind="absolute"),
    "weighted": net([3, 4, 2], ["gelu", "identity"], sample_weights=True, kind="huber"),
    "weighted_products": net([17, 17, 2], ["elu", "softmax"], sample_weights=True, kind="kl"),
    "softmax": net([4, 8, 3], ["mish", "softmax"], kind="cross_entropy"),
    "binary": net([4, 8, 1], ["selu", "sigmoid"], kind="binary_cross_entropy"),
    "poisson": net([2, 3, 3, 1], ["softsign", "sin", "softplus"], kind="poisson", residual=[2]),
    "no_bias": net([2, 3, 2], ["gaussian", "leaky_relu"], bias=False, kind="log_cosh"),
    "own": net([3, 5, 4], ["mine", "theirs"], own={
        "mine": "z/(1 + abs(z)) + exp(-z**2)", "theirs": "z/(1 + sum(z**2))"
    }),
    "scaled": net([3, 5, 2], ["tanh", "identity"], scaled=True, l2=0.1),
    "scaled_products": net([20, 17, 16, 3], ["sigmoid", "relu", "identity"], scaled=True),
    "formula": net([2, 3, 2], ["tanh", "identity"], formula="sqrt(1 + (y - t)**2) + max(y, t)**3"),
}  # fmt: skip


def given_for(stages, samples):
    given = floats(stages.gradient, samples=samples)
    layout = parameters(stages.gradient)
    theta = np.concatenate([np.ravel(given[name]) for name in layout])
    arrays = {name: given[name] for name in ("x", "t", "w") if name in given}
    numbers = {name: abs(given[name][()]) for name in ("l1", "l2") if name in given}
    return given, {"theta": theta, **arrays, **numbers}


@cache
def compiled(which):
    return passes(NETS[which])


def lowered(which, leaf=128, **changes):
    """The lowered program of a network, with leaves of so many samples."""
    stages = passes(Spec.parse(NETS[which].normalised() | changes)) if changes else compiled(which)
    spec = Spec.parse(NETS[which].normalised() | changes)
    module = lower_module(spec, stages.schedule, parameters(stages.gradient), stages.update)
    numbers = {**module.network.numbers, "LEAF": leaf}
    return replace(module, network=replace(module.network, numbers=numbers))


def interpreter(module):
    return Interpreter(list(module.functions), elementary)


def expected_for(which, samples):
    """Arguments, and the output, the loss and its gradient by the program's own interpreter."""
    stages = compiled(which)
    given, arguments = given_for(stages, samples)
    expected = evaluate(stages.gradient, given, Floats())
    layout = parameters(stages.gradient)
    gradient = np.concatenate([np.ravel(expected[f"d_{name}"]) for name in layout])
    return arguments, expected["y"], expected["E"], gradient


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("which", [which for which in NETS if which != "digits"])
def test_lowered_programs_compute_what_their_programs_do(which):
    """In one leaf, and in leaves of two and of one, one after the other and in any order."""
    arguments, y, E, gradient = expected_for(which, samples=3)
    theta, x, *targets = arguments.values()
    for leaf in (128, 2, 1):
        machine = interpreter(lowered(which, leaf))
        agree(machine.call("predict", theta, x), y)
        agree(machine.call("loss", theta, x, *targets), E)
        loss, slopes = machine.call("loss_and_gradient", theta, x, *targets)
        agree(loss, E)
        agree(slopes, gradient)
        found = np.full(y.shape, np.nan), np.full(gradient.shape, np.nan)
        machine.call("_prediction_on_threads", theta, x, found[0])
        agree(machine.call("_gradient_on_threads", theta, x, *targets, None), E)
        agree(machine.call("_gradient_on_threads", theta, x, *targets, found[1]), E)
        agree(found[0], y)
        agree(found[1], gradient)


def test_unchecked_functions_compute_the_same():
    for which in ("xor", "products", "weighted", "penalties"):
        arguments, y, E, gradient = expected_for(which, samples=5)
        theta, x, *targets = arguments.values()
        machine, found = interpreter(lowered(which)), np.full(y.shape, np.nan)
        machine.call("_prediction_at_once", theta, x, found)
        agree(found, y)
        for driver in ("_gradient_of_one_leaf", "_gradient_at_once"):
            agree(machine.call(driver, theta, x, *targets, None), E)
            found = np.full(gradient.shape, np.nan)
            agree(machine.call(driver, theta, x, *targets, found), E)
            agree(found, gradient)


def test_leaves_of_samples_compute_what_one_would():
    """Five leaves, the last of which is not full, and blocks within them."""
    arguments, _, E, gradient = expected_for("products", samples=600)
    loss, slopes = interpreter(lowered("products")).call("loss_and_gradient", *arguments.values())
    agree(loss, E)
    agree(slopes, gradient)


def test_layers_that_are_alike_share_a_function():
    functions = {function.name: function for function in lowered("alike").functions}
    shared = [f for f in functions.values() if "and alike" in f.says]
    assert len(shared) >= 2
    for function in shared:
        called = [
            value
            for each in functions.values()
            for statement in every(each.body)
            if isinstance(statement, Run)
            for value in [statement.call]
            if value.function == function.name
        ]
        assert len(called) >= 4
        assert len(set(called)) == len(called)


# ---- Steps, and epochs ---------------------------------------------------------------------------


def test_a_step_goes_down_the_gradient():
    arguments, _, E, gradient = expected_for("products", samples=5)
    theta, x, t = arguments.values()
    before = theta.copy()
    agree(interpreter(lowered("products")).call("step", theta, x, t, 0.25), E)
    agree(theta, before - 0.25 * gradient)


TRAINING = {"optimizer": "momentum", "batch": 4, "rate": 0.01}
STEPPED = Spec.parse(NETS["products"].normalised() | {"training": TRAINING})


@pytest.mark.parametrize("samples", [1, 4, 11])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_epoch_is_a_step_for_each_batch(samples, weighted):
    """Against the gradient by the program's own interpreter, momentum in NumPy, and the order
    worked out apart."""
    which = "weighted" if weighted else "products"
    module = lowered(which, training=TRAINING)
    verify(module.functions)
    arguments, *_ = expected_for(which, samples)
    theta, *data = arguments.values()
    if weighted:
        data[2][:1] = 0  # one sample counts nothing, and a batch of it alone is left out
    mine, m, generator = theta.copy(), np.zeros_like(theta), split_mix(9)
    state, progress = np.zeros_like(theta), np.array([9, 0], np.uint64)
    settings = np.array([*STEPPED.training.settings().values()], np.float64)
    machine = interpreter(module)
    for _ in range(2):
        found = machine.call("train_epoch", theta, *data, state, progress, settings)
        count = -(-samples // 4)
        order = order_of(samples, generator) if count > 1 else list(range(samples))
        losses, weights = 0.0, 0.0
        for number in range(count):
            batch = order[samples * number // count : samples * (number + 1) // count]
            weight = data[2][batch].sum() if weighted else len(batch)
            if count > 1 and weight == 0:
                continue
            E, g = differentiated(which, mine, [each[batch] for each in data])
            if np.isfinite(E):
                m = 0.9 * m + g
                mine -= 0.01 * m
            losses, weights = losses + weight * E, weights + weight
        agree(theta, mine)
        agree(found, losses / weights if count > 1 else E)


def differentiated(which, theta, data):
    program = compiled(which).gradient
    given = dict(zip(("x", "t", "w"), data, strict=False))
    for name, (offset, shape) in parameters(program).items():
        given[name] = theta[offset : offset + int(np.prod(shape))].reshape(shape)
    with np.errstate(all="ignore"):
        values = evaluate(program, given, Floats())
    names = parameters(program)
    return values["E"], np.concatenate([np.ravel(values[f"d_{name}"]) for name in names])


def test_what_does_not_fit_is_refused():
    machine = interpreter(lowered("products"))
    arguments, *_ = expected_for("products", samples=5)
    theta, x, t = arguments.values()
    for wrong, says in (
        ((theta[1:], x, t), "theta must be of shape"),
        ((theta, x[:, 1:], t), "x must be of shape"),
        ((theta, x[:0], t[:0]), "at least one sample"),
        ((theta, x, t[1:]), "as many samples as x"),
        ((theta, x, t, theta), "gradient must not overlap theta"),
    ):
        name = "loss" if len(wrong) == 3 else "loss_and_gradient_into"
        with pytest.raises(Refused, match=says):
            machine.call(name, *wrong)


# ---- What holds of every lowered program ---------------------------------------------------------


@pytest.mark.parametrize("which", NETS)
def test_lowered_programs_are_sound_and_can_be_listed(which):
    functions = list(lowered(which).functions)
    verify(functions)
    text = listing(functions)
    for function in functions:
        assert f"{function.name}(" in text
    for definition in compiled(which).gradient.definitions:
        assert f" {definition.name}" in text


ZERO, REAL = Number(0, "whole"), Number(0.5, "real")
THETA, X = Parameter("theta", "real", (6,)), Parameter("x", "real", ("samples", 3))
W, V = (View(name, "theta", 0, (whole(3), whole(2))) for name in "WV")
UNSOUND = {
    "z is read before it is written": [Assign(Variable("y", "real"), Variable("z", "real"))],
    "the array z is not declared before": [
        Assign(Variable("y", "real"), Element("z", (ZERO,), "real"))
    ],
    "a whole is stored as real": [Assign(Variable("y", "real"), ZERO)],
    "a double is stored as real": [Assign(Variable("y", "real"), Number(0.5, "double"))],
    "real, whole meet": [Assign(Variable("y", "real"), Sum((("+", REAL), ("+", ZERO))))],
    "of reals is given a double": [
        Assign(Variable("y", "real"), Call("exp", (Number(1.0, "double"),), "real"))
    ],
    "y is real elsewhere": [
        Assign(Variable("y", "real"), REAL), Assign(Variable("y", "whole"), ZERO)
    ],
    "has 2 axes": [Assign(Variable("y", "real"), Element("x", (ZERO,), "real"))],
    "indices and extents are whole": [
        Assign(Variable("y", "real"), Element("theta", (REAL,), "real"))
    ],
    "n has a meaning already": [Loop("n", whole(2), (Loop("n", whole(2), ()),))],
    "i is read before": [Loop("i", whole(2), ()), Assign(Variable("j", "whole"), index("i"))],
    "only one way": [
        Branch(equal(ZERO, ZERO), (Assign(Variable("y", "real"), REAL),)),
        Assign(Variable("z", "real"), Variable("y", "real")),
    ],
    "declared twice": [W, W],
    "ends behind theta": [View("W", "theta", 1, (whole(3), whole(2)))],
    "the product of": [
        W, V, MatrixProduct(Matrix("W", False), Matrix("V", False), "x")
    ],
    "over one of its factors": [
        View("S", "theta", 0, (whole(2), whole(2))),
        MatrixProduct(Matrix("S", False), Matrix("S", True), "S"),
    ],
    "there is no function other": [Run(Invoke("other", ()))],
    "takes 2 arguments": [Run(Invoke("it", ()))],
    "it takes another array for x": [Run(Invoke("it", (Array("theta"), Array("theta"))))],
}  # fmt: skip


@pytest.mark.parametrize("rule", UNSOUND)
def test_unsound_programs_are_found(rule):
    function = Function("it", (THETA, X), tuple(UNSOUND[rule]))
    rule = "y is read before it is written" if rule == "only one way" else rule
    with pytest.raises(UnsoundLowering, match=rule):
        verify([function])


def test_products_whose_shapes_agree_are_sound():
    """The negative control: x·W, whose rows are those of x."""
    made = Allocate((Buffer("into", "real", (Extent("x", 0), whole(2))),))
    product = MatrixProduct(Matrix("x", False), Matrix("W", False), "into")
    verify([Function("it", (THETA, X), (W, made, product))])


# ---- In C ----------------------------------------------------------------------------------------

ELEMENTARY_IN_C = """
static real relu(real z) { return z <= 0 ? 0 : z; }
static real heaviside(real z) { return z > 0; }
static real sigmoid(real z) { return 1 / (1 + exp(-z)); }
static real square(real z) { return z * z; }
"""
IN_C = {
    "digits": {"samples": 70, "training": None},
    "products": {"samples": 30, "training": {"optimizer": "adam", "batch": 8, "clip": 1.0,
                                             "schedule": "cosine", "epochs": 3}},
}  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.parametrize("which", IN_C)
def test_training_printed_as_c_does_what_the_interpreter_does(which, tmp_path):
    training = IN_C[which]["training"] or NETS[which].normalised()["training"]
    module = lowered(which, training=training, dtype="float64")
    source, library = tmp_path / "train.c", tmp_path / "train.so"
    source.write_text(in_c(module.functions, ELEMENTARY_IN_C))
    command = [
        "gcc",
        "-std=c99",
        "-O1",
        "-Wall",
        "-Wno-unused",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
    ]
    command += ["-Werror", "-o", str(library), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    arguments, *_ = expected_for(which, IN_C[which]["samples"])
    theta, x, t = arguments.values()
    spec = Spec.parse(NETS[which].normalised() | {"training": training})
    state, progress = (
        np.zeros(len(module.step.remembered) * len(theta)),
        np.array([9, 0], np.uint64),
    )
    settings = np.array([*spec.training.settings().values()], np.float64)
    given = [theta, x, t, state, progress, settings]
    mine = [each.copy() for each in given]
    train = ctypes.CDLL(str(library)).train_epoch
    train.restype = ctypes.c_double
    machine = interpreter(module)
    in_c_arguments = []
    for array in mine:
        in_c_arguments.append(ctypes.c_void_p(array.ctypes.data))
        in_c_arguments += map(ctypes.c_int64, array.shape)
    for _ in range(2 if which == "products" else 1):
        agree(train(*in_c_arguments), machine.call("train_epoch", *given))
        for one, other in zip(mine, given, strict=True):
            agree(one, other)
    assert progress[1] > 2
