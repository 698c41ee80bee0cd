"""Frozen modules: they predict what the weights' own module does, to the bit, and need nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from typer.testing import CliRunner

from symgrad.cli.main import app
from symgrad.errors import DataError, SymgradError
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load
from symgrad.training import freeze
from symgrad.training.trained import Columns, Scaling, Trained
from tests import nets

# Text that would break out of a docstring, a string, a template or a terminal, were it let.
HOSTILE = (
    '"""',
    "\\",
    "a\nb",
    "{{ 1 }}{% x %}",
    "\u202egnp.exe",
    "'; import os #",
    "z" * 5000,
    " ",
)

PYTHON = [sys.executable, "-B"]


def trained(
    spec: Spec,
    theta: np.ndarray | None = None,
    labels: tuple[Any, ...] | None = None,
    fill: bool = False,
    inputs: tuple[str, ...] | None = None,
    seed: int = 0,
) -> Trained:
    """Weights as training might leave them, with a scaling as odd as one can be."""
    random = np.random.default_rng(seed)
    if theta is None:
        theta = random.normal(size=spec.weights).astype(spec.dtype)
    outputs = spec.outputs
    targets = np.zeros(outputs), np.ones(outputs)
    if labels is None:
        targets = random.normal(size=outputs), random.uniform(0.5, 2, outputs)
    names = tuple(f"y{number}" for number in range(outputs))
    return Trained(
        spec.normalised(),
        theta,
        Columns(
            inputs or tuple(f"x{number}" for number in range(spec.inputs)),
            names if labels is None else ("kind",),
            None,
            labels,
        ),
        Scaling(
            random.normal(size=spec.inputs),
            random.uniform(0.5, 2, spec.inputs),
            *targets,
            random.normal(size=spec.inputs) if fill else None,
        ),
    )


def started(module: ModuleType, spec: Spec, **options: Any) -> Trained:
    """The first weights of a module, with noise."""
    random = np.random.default_rng(1)
    theta = module.init(0) + 0.1 * random.normal(size=spec.weights)
    return trained(spec, theta.astype(spec.dtype), **options)


def inputs(spec: Spec, samples: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(samples, spec.inputs))


@pytest.fixture(scope="module")
def frozen(place: Callable[[str, str], Path]) -> Callable[..., ModuleType]:
    """Makes a frozen module."""

    def made(weights: Trained, name: str | None = None) -> ModuleType:
        name = freeze.module_name(weights, name)
        return load(place(name, freeze.source(weights, name)))

    return made


@pytest.fixture(scope="module")
def by_python(interpret: Callable[[str], ModuleType]) -> Callable[..., ModuleType]:
    """The same as Python runs it, for what a module says rather than who computes it."""
    return lambda weights: interpret(freeze.source(weights))


# ---- Agreement -----------------------------------------------------------------------------------

NETWORKS = {
    "loops": (nets.net([3, 4, 2], ["tanh", "identity"]), {"fill": True}),
    "residual": (nets.net([4, 4, 4, 1], ["selu", "gelu", "softplus"], residual=[1, 2]), {}),
    "own": (nets.net([3, 5, 2], ["mine", "sin"], own={"mine": "z/(1 + abs(z))"}), {}),
    "classes": (
        nets.net([4, 8, 3], ["tanh", "softmax"], kind="cross_entropy"),
        {"labels": ("setosa", "versicolor", "virginica")},
    ),
    "products": (
        nets.net([20, 64, 24, 10], ["relu", "silu", "softmax"], kind="cross_entropy"),
        {"labels": tuple(range(10)), "fill": True},
    ),
    "two": (
        nets.net([3, 4, 1], ["mish", "sigmoid"], kind="binary_cross_entropy"),
        {"labels": (False, True)},
    ),
    "scores": (nets.net([3, 4, 2], ["elu", "identity"]), {"labels": (-0.5, 2.5)}),
    "wide": (nets.net([1100, 6, 1030], ["relu", "identity"]), {}),
    "alike": (nets.net([24] * 7, ["tanh"] * 6, residual=[2, 3, 4, 5, 6]), {}),
}
CASES = [(name, dtype) for name in NETWORKS for dtype in ("float64", "float32")]
# Each takes seconds to compile, as frozen and as it is: one precision each, the other in the sweep.
QUICK = CASES[0:6:2] + CASES[9:16:2] + CASES[16:17]


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in CASES],
    ids=map("-".join, CASES),
)
def case(request, native, frozen):
    """A spec, its module, its weights, and their frozen module."""
    name, dtype = request.param
    spec, options = NETWORKS[name]
    spec = Spec.parse(spec.normalised() | {"dtype": dtype, "name": f"{name}_{dtype}"})
    module = native(spec)
    weights = started(module, spec, **options)
    return spec, module, weights, frozen(weights)


def expected(module: ModuleType, weights: Trained, x: np.ndarray) -> np.ndarray:
    """The outputs in raw units, by the ordinary module and NumPy."""
    scaling = weights.scaling
    return scaling.outputs(module.predict(weights.theta, scaling.inputs(x)))


def classes_of(outputs: np.ndarray) -> np.ndarray:
    return (outputs[:, 0] >= 0.5) * 1 if outputs.shape[1] == 1 else outputs.argmax(axis=1)


def outputs_by(module: ModuleType) -> Callable[[Any], np.ndarray]:
    """The function of a frozen module that gives numbers."""
    return next(
        getattr(module, name)
        for name in ("probabilities", "outputs", "predict")
        if hasattr(module, name)
    )


@pytest.mark.parametrize("samples", [1, 2, 7, 65, 700, 5000])
def test_the_same_bits_as_the_module_of_the_spec(case, samples):
    spec, module, weights, frozen = case
    x = inputs(spec, samples)
    if weights.scaling.fill is not None:
        x[:: max(1, samples // 3), 1] = np.nan
    wanted = expected(module, weights, x)
    found = outputs_by(frozen)(x)
    assert found.dtype == np.float64
    if found.shape != wanted.shape:  # the second class, and the first
        np.testing.assert_array_equal(found[:, 0], 1 - found[:, 1])
        found = np.ascontiguousarray(found[:, 1:])
    assert found.tobytes() == wanted.tobytes()
    labels = weights.columns.labels
    if labels is not None:
        np.testing.assert_array_equal(frozen.classes(x), classes_of(wanted))
        predicted = frozen.predict(x)
        assert predicted.tolist() == [labels[number] for number in classes_of(wanted)]
        assert {type(label) for label in predicted.tolist()} == {type(labels[0])}


def test_the_same_from_compiled_code(case):
    spec, _, _, frozen = case
    predict, outputs = frozen.predict, outputs_by(frozen)

    @numba.njit
    def both(x):
        return predict(x), outputs(x)

    for samples in (1, 40):
        x = inputs(spec, samples)
        for found, wanted in zip(both(x), (predict(x), outputs(x)), strict=True):
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)


def test_one_sample_gives_what_belongs_to_it(case):
    spec, _, weights, frozen = case
    x = inputs(spec, 3)
    np.testing.assert_array_equal(outputs_by(frozen)(x[1]), outputs_by(frozen)(x)[1])
    one = frozen.predict(x[1])
    if weights.columns.labels is None:
        assert one.shape == (spec.outputs,)
    else:
        assert one == weights.columns.labels[frozen.classes(x[1])]
        assert type(one) is type(weights.columns.labels[0])


@pytest.mark.slow
def test_every_activation_in_float32(chains, frozen):
    for spec, module in chains:
        weights = started(module, spec)
        x = inputs(spec, 9)
        assert frozen(weights).predict(x).tobytes() == expected(module, weights, x).tobytes()


def test_large_inputs_are_scaled_in_float64(frozen):
    """Seconds since 1970 differ by less than a float32 can tell."""
    spec = nets.net([1, 1], ["identity"], bias=False, dtype="float32")
    weights = trained(spec, np.ones(1, np.float32))
    moment = 1_700_000_000.0
    scaling = Scaling(np.array([moment]), np.array([0.5]), np.zeros(1), np.ones(1))
    module = frozen(replace(weights, scaling=scaling))
    x = moment + np.array([[0.0], [0.25], [1.0]])
    np.testing.assert_array_equal(module.predict(x)[:, 0], [0, 0.5, 2])
    compiled = numba.njit(lambda x: module.predict(x))
    np.testing.assert_array_equal(compiled(x)[:, 0], [0, 0.5, 2])


# ---- What x may be -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iris(frozen) -> ModuleType:
    spec = nets.net([4, 5, 3], ["tanh", "softmax"], kind="cross_entropy", dtype="float32")
    return frozen(trained(spec, labels=("setosa", "versicolor", "virginica")), "iris_frozen")


def test_any_array_like_will_do(iris):
    x = np.arange(8.0).reshape(2, 4)
    read_only = x.copy()
    read_only.flags.writeable = False
    wanted = iris.probabilities(x)
    alike = [
        x.tolist(),
        x.astype(np.float32),
        x.astype(np.int8),
        x.astype(">f8"),
        np.asfortranarray(x),
        np.repeat(x, 2, axis=1)[:, ::2],
        read_only,
        np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(2, 4),
    ]
    for each in alike:
        np.testing.assert_array_equal(iris.probabilities(each), wanted)


def test_compiled_code_takes_every_real_type_and_layout(iris):
    compiled = numba.njit(lambda x: iris.probabilities(x))
    x = np.arange(8.0).reshape(2, 4)
    wanted = iris.probabilities(x)
    strided = np.repeat(x, 2, axis=1)[:, ::2]
    for each in (x.astype(np.float32), x.astype(np.int64), np.asfortranarray(x), strided):
        np.testing.assert_array_equal(compiled(each), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("fill", [False, True])
def test_slopes_are_in_raw_units(frozen, fill):
    """Where the spec asks for a Jacobian: those of the predictions, by differences of order 4."""
    spec = nets.net([3, 4, 2], ["tanh", "silu"], dtype="float64").normalised()
    spec = Spec.parse(spec | {"derivatives": ["jacobian"], "name": f"slopes_{fill}"})
    module = frozen(trained(spec, fill=fill))
    x, h = np.random.default_rng(3).normal(size=(5, 3)), 1e-3
    near = {k: [module.predict(x + k * h * e) for e in np.eye(3)] for k in (-2, -1, 1, 2)}
    slopes = [
        (8 * (near[1][i] - near[-1][i]) - (near[2][i] - near[-2][i])) / (12 * h) for i in range(3)
    ]
    found = module.jacobian(x)
    np.testing.assert_allclose(found, np.stack(slopes, axis=-1), rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(module.jacobian(x[2]), found[2])
    assert "jacobian" in module.__all__

    @numba.njit
    def compiled(x):
        return module.jacobian(x)

    np.testing.assert_array_equal(compiled(x.astype(np.float32)), module.jacobian(np.float32(x)))
    if fill:  # what is filled in is the same whatever was there
        x[1, 2] = np.nan
        found = module.jacobian(x)
        assert (found[1, :, 2] == 0).all() and found[1, :, :2].all()


def test_slopes_are_there_for_who_asks():
    spec = nets.net([3, 2], ["tanh"])
    assert "jacobian" not in freeze.source(trained(spec))
    assert "def jacobian(x):" in freeze.source(trained(spec), jacobian=True)
    classes = trained(nets.net([3, 3], ["softmax"]), labels=(0, 1, 2))
    with pytest.raises(SymgradError, match="labels have no derivatives"):
        freeze.source(classes, jacobian=True)


# ---- The loss ------------------------------------------------------------------------------------

WEIGHTED = nets.net([3, 4, 2], ["tanh", "identity"], dtype="float32").normalised()
WEIGHTED["loss"] |= {"sample_weights": True, "l2": 0.01}
OWN_TARGETS = nets.net([2, 3, 2], ["tanh", "identity"], dtype="float64").normalised()
OWN_TARGETS["loss"] = {"formula": "(y[0] + y[1] - t[0])**2", "targets": 1}
LOSSES = {
    "filled": (nets.net([3, 4, 2], ["tanh", "identity"], dtype="float32"), {"fill": True}),
    "weighted": (Spec.parse(WEIGHTED), {}),
    "own targets": (Spec.parse(OWN_TARGETS), {}),
    "classes": (
        nets.net([4, 8, 3], ["tanh", "softmax"], kind="cross_entropy", dtype="float64"),
        {"labels": ("a", "b", "c")},
    ),
    "two": (
        nets.net([3, 4, 1], ["mish", "sigmoid"], kind="binary_cross_entropy", dtype="float64"),
        {"labels": (False, True)},
    ),
    "products": (NETWORKS["products"][0], NETWORKS["products"][1]),
}


def data_of(spec: Spec, weights: Trained, samples: int) -> tuple[np.ndarray, ...]:
    """x, t and perhaps w in raw units, some of x missing where that is filled."""
    random, x = np.random.default_rng(5), inputs(spec, samples)
    t = random.normal(size=(samples, spec.targets))
    if weights.columns.labels is not None:
        t = np.eye(max(spec.outputs, 2))[np.arange(samples) % max(spec.outputs, 2)]
        t = t[:, 1:] if spec.outputs == 1 else t
    if weights.scaling.fill is not None:
        x[::3, 1] = np.nan
    w = random.uniform(0.5, 2, samples) if spec.loss.sample_weights else None
    return (x, t) if w is None else (x, t, w)


def as_trained(spec: Spec, weights: Trained, x, t, *w):
    """The same as the network's own module takes it."""
    t = t if spec.loss.targets is not None else weights.scaling.targets(t)
    return tuple(each.astype(spec.dtype) for each in (weights.scaling.inputs(x), t, *w))


@pytest.mark.parametrize("name", [*LOSSES][:-1])
def test_the_loss_has_the_bits_of_the_module_of_the_spec(interpret, name):
    spec, options = LOSSES[name]
    own = interpret(passes(spec).source)
    weights = started(own, spec, **options)
    numbers = weights.columns.labels is None
    module = interpret(freeze.source(weights, gradient=True, jacobian=numbers))
    for samples in (1, 9):
        data = data_of(spec, weights, samples)
        E, gradient = module.loss_and_gradient(module.THETA, *data)
        wanted = own.loss_and_gradient(weights.theta, *as_trained(spec, weights, *data))
        assert (E, gradient.tobytes()) == (wanted[0], wanted[1].tobytes())
        into = np.empty_like(gradient)
        assert module.loss_and_gradient_into(module.THETA, *data, into) == E
        assert into.tobytes() == gradient.tobytes()
    if numbers:
        slopes = interpret(freeze.source(weights, jacobian=True)).jacobian(data[0])
        np.testing.assert_array_equal(module.jacobian(data[0]), slopes)
    outputs = module.outputs_by(module.THETA, data[0])
    np.testing.assert_array_equal(outputs, outputs_by(module)(data[0]))
    np.testing.assert_array_equal(module.outputs_by(module.THETA, data[0][2]), outputs[2])
    moved = module.outputs_by(module.THETA + 1, data[0])
    assert moved.shape == outputs.shape and (moved != outputs).any()


@pytest.mark.parametrize("name", ["own targets", "classes", "two"])
def test_the_gradient_is_that_of_the_loss_by_differences(interpret, name):
    spec, options = LOSSES[name]
    module = interpret(freeze.source(trained(spec, **options), gradient=True))
    data = data_of(spec, trained(spec, **options), 6)
    theta, h = module.THETA.copy(), 1e-3

    def loss(k, step):
        moved = theta.copy()
        moved[k] += step
        return module.loss_and_gradient(moved, *data)[0]

    slopes = [
        (8 * (loss(k, h) - loss(k, -h)) - (loss(k, 2 * h) - loss(k, -2 * h))) / (12 * h)
        for k in range(module.SIZE)
    ]
    found = module.loss_and_gradient(theta, *data)[1]
    np.testing.assert_allclose(found, slopes, rtol=1e-8, atol=1e-9)
    assert (theta == module.THETA).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LOSSES])
def test_compiled_code_has_the_loss_too(native, place, name):
    spec, options = LOSSES[name]
    spec = Spec.parse(spec.normalised() | {"name": f"loss_of_{name.replace(' ', '_')}"})
    own = native(spec)
    weights = started(own, spec, **options)
    frozen_name = freeze.module_name(weights, None)
    module = load(place(frozen_name, freeze.source(weights, gradient=True)))
    both, into, outputs, begin = (
        module.loss_and_gradient, module.loss_and_gradient_into, module.outputs_by, module.THETA
    )  # fmt: skip

    @numba.njit
    def steps(theta, gradient, *data):
        theta[:] = begin
        first, slope = both(theta, *data)
        theta -= 0.01 * slope
        return first, slope, into(theta, *data, gradient), outputs(theta, data[0])

    for samples in (1, 700):
        data = data_of(spec, weights, samples)
        given = as_trained(spec, weights, *data)
        theta, gradient = np.empty_like(weights.theta), np.empty_like(weights.theta)
        first, slope, second, y = steps(theta, gradient, *data)
        wanted = own.loss_and_gradient(weights.theta, *given)
        assert (first, slope.tobytes()) == (wanted[0], wanted[1].tobytes())
        E, found = module.loss_and_gradient(begin, *data)
        assert (E, found.tobytes()) == (wanted[0], wanted[1].tobytes())
        E, found = own.loss_and_gradient(theta, *given)
        assert (second, gradient.tobytes()) == (E, found.tobytes())
        np.testing.assert_array_equal(y, module.outputs_by(theta, data[0]))
    with pytest.raises(TypingError, match="theta must be a C-contiguous float"):
        numba.njit(lambda x, t: both(begin[::2], x, t))(*data[:2])


def test_what_does_not_fit_the_loss_is_refused(interpret):
    spec, _ = LOSSES["weighted"]
    module = interpret(freeze.source(trained(spec), gradient=True))
    x, t, w = data_of(spec, trained(spec), 4)
    theta, into = module.THETA.copy(), np.empty(module.SIZE, np.float32)
    for given, error, message in (
        ((theta[1:], x, t, w), ValueError, r"theta must be of shape \(26,\), came \(25,\)"),
        ((theta, x[:, 1:], t, w), ValueError, r"x must be of shape \(samples, 3\)"),
        ((theta, x, t[:, 1:], w), ValueError, r"t must be of shape \(samples, 2\), came \(4, 1\)"),
        ((theta, x, t[1:], w), ValueError, "t must have as many samples as x, came 3 and 4"),
        ((theta, x, t, w[1:]), ValueError, "w must"),
        ((theta, x, t, t), ValueError, r"w must be of shape \(samples,\), came \(4, 2\)"),
        ((theta, x, [["a"] * 2] * 4, w), TypeError, "t must hold real numbers"),
        ((["a"], x, t, w), TypeError, "theta must hold real numbers"),
    ):
        with pytest.raises(error, match=message):
            module.loss_and_gradient(*given)
    for gradient in (into[1:], into.astype(np.float64), into[::-1], [0.0] * 26):
        with pytest.raises(TypeError, match="gradient must be a writable C-contiguous float32"):
            module.loss_and_gradient_into(theta, x, t, w, gradient)
    with pytest.raises(ValueError, match="gradient must not overlap theta"):
        module.loss_and_gradient_into(into, x, t, w, into)


def test_a_loss_is_there_for_who_asks():
    spec = nets.net([3, 2], ["tanh"])
    assert "THETA =" not in freeze.source(trained(spec)).replace("_THETA =", "")
    text = freeze.source(trained(spec), gradient=True, jacobian=True)
    assert "def loss_and_gradient(theta, x, t):" in text and "--jacobian --gradient" in text
    terms = spec.normalised()
    terms["loss"] = {"terms": [{"name": "one", "kind": "squared"}]}
    with pytest.raises(SymgradError, match="the loss is a sum of terms"):
        freeze.source(trained(Spec.parse(terms)), gradient=True)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.zeros((2, 3)),
            ValueError,
            r"shape \(samples, 4\) or \(4,\), came \(2, 3\)",
        ),
        (np.zeros(3), ValueError, r"or \(4,\), came \(3,\)"),
        (1.0, ValueError, r"came \(\)"),
        (np.zeros((1, 2, 4)), ValueError, r"came \(1, 2, 4\)"),
        (np.zeros((0, 4)), ValueError, "x must hold at least one sample, came 0"),
        ([[1, 2], [3]], ValueError, r"x must be of shape \(samples, 4\): "),
        (np.zeros((1, 4), complex), TypeError, "x must hold real numbers, came complex128"),
        ([["a", "b", "c", "d"]], TypeError, "x must hold real numbers, came <U1"),
        ([[1, 2, 3, None]], TypeError, "x must hold real numbers, came object"),
        (np.ma.masked_equal(np.eye(4), 1), ValueError, "x has masked values: give numbers for"),
        ([np.ma.masked_equal(np.ones(4), 1)], ValueError, "x has masked values"),
    ],
)
def test_what_does_not_fit_is_refused(iris, x, error, message):
    for function in (iris.predict, iris.classes, iris.probabilities):
        with pytest.raises(error, match=message):
            function(x)


def test_what_does_not_fit_is_refused_in_compiled_code(iris):
    for name in ("predict", "classes", "probabilities"):
        compiled = numba.njit(calling(getattr(iris, name)))
        with pytest.raises(ValueError, match="came one of width"):
            compiled(np.zeros((2, 3)))
        with pytest.raises(ValueError, match="at least one sample"):
            compiled(np.zeros((0, 4)))
        for wrong in (np.zeros(4), np.zeros((1, 4), complex), 1.0):
            with pytest.raises(TypingError, match="array of real numbers of shape"):
                compiled(wrong)


def calling(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: function(x)


def test_no_label_is_given_to_nan(iris):
    x = np.ones((5, 4))
    x[3, 0] = np.nan
    message = "the output is NaN, and so of no class, for sample 3"
    for function in (iris.predict, iris.classes):
        with pytest.raises(ValueError, match=message):
            function(x)
    with pytest.raises(ValueError, match="the output is NaN"):
        numba.njit(lambda x: iris.predict(x))(x)
    probabilities = iris.probabilities(x)
    assert np.isnan(probabilities).any(axis=1).tolist() == [False, False, False, True, False]


def test_nan_goes_through_a_regression_and_through_one_output(by_python):
    spec = nets.net([2, 3, 2], ["relu", "identity"])
    found = by_python(trained(spec)).predict([[1, 2], [np.nan, 2]])
    assert np.isnan(found).tolist() == [[False, False], [True, True]]
    spec = nets.net([2, 1], ["sigmoid"], kind="binary_cross_entropy")
    module = by_python(trained(spec, labels=("no", "yes")))
    with pytest.raises(ValueError, match="of no class, for sample 1"):
        module.predict([[1, 2], [np.nan, 2]])


def test_missing_inputs_are_filled(by_python):
    weights = trained(nets.net([2, 3, 2], ["relu", "identity"]), fill=True)
    module = by_python(weights)
    fill = weights.scaling.fill
    np.testing.assert_array_equal(module.predict([[np.nan, 2]]), module.predict([[fill[0], 2]]))
    source = freeze.source(weights)
    assert "given[n,i0]" in source and "fill[i0] where raw[n,i0] is NaN, else raw[n,i0]" in source


# ---- The text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [False, True])
def test_words_are_encoded_as_they_were_in_training(by_python, fill):
    weights = trained(nets.net([4, 1], ["identity"]), fill=fill)
    levels = {"{mode}\n": ("auto", 'o"f\\f', "x\ny")}
    weights = replace(weights, columns=Columns(("{mode}\n", "t"), ("y",), categories=levels))
    module = by_python(weights)
    assert module.COLUMNS == ("{mode}\n", "t") and levels == module.CATEGORIES
    assert module.INPUTS[:1] == ("{mode}\n=auto",) and len(module.INPUTS) == 4
    x = module.encode({"t": [1.5, 2], "{mode}\n": np.array(["x\ny", "auto"]), "more": None})
    assert x.tolist() == [[0, 0, 1, 1.5], [1, 0, 0, 2]]
    assert module.predict(x).shape == (2, 1)
    with pytest.raises(ValueError, match="'on' is none of 'auto'"):
        module.encode({"t": [1], "{mode}\n": ["on"]})
    missing = {"t": [1.0, 1.0], "{mode}\n": np.array([None, "auto"], object)}
    if fill:
        assert np.isnan(module.encode(missing)[0, :3]).all()
    else:
        with pytest.raises(ValueError, match="None is none of"):
            module.encode(missing)
    with pytest.raises(DataError, match="the category 'a' is none of the inputs"):
        columns = replace(weights.columns, categories={**levels, "a": ("u", "v")})
        freeze.source(replace(weights, columns=columns))


def test_what_a_module_says_of_itself(iris):
    assert iris.INPUTS == ("x0", "x1", "x2", "x3")
    assert iris.LABELS == ("setosa", "versicolor", "virginica")
    assert not hasattr(iris, "OUTPUTS") and not hasattr(iris, "outputs")
    assert Spec.parse(iris.SPEC).normalised() == iris.SPEC
    assert iris.__doc__.startswith("iris_frozen: predictions by net, a 4-5-3 network")
    for part in (
        "    symgrad freeze weights.npz --name iris_frozen\n",
        Spec.parse(iris.SPEC).digest(),
        "    x[n,i0]                = (raw[n,i0] - mean[i0])/scale[i0]\n",
        "= exp_centered_z2[n,i2]/sum_exp_centered_z2[n]\n",
        "= the i2 with the largest y[n,i2], the first of equals\n",
        "    raw[n,3]  'x3'\n",
        "Classes, of 'kind':\n",
        "    class 2  'virginica'\n",
    ):
        assert part in iris.__doc__, part


def test_a_regression_says_how_its_outputs_are_scaled():
    source = freeze.source(trained(nets.net([2, 3, 2], ["relu", "identity"])))
    assert "output[n,i2] = y[n,i2]·target_scale[i2] + target_mean[i2]" in source
    assert "OUTPUTS = ('y0', 'y1')" in source
    assert "symgrad freeze weights.npz\n" in source


def test_one_output_of_two_classes_is_compared_with_a_half():
    spec = nets.net([2, 1], ["sigmoid"], kind="binary_cross_entropy")
    source = freeze.source(trained(spec, labels=(0, 1)))
    assert "class[n] = 1 where y[n,0] ≥ ½, else 0" in " ".join(source.split())


def test_a_residual_softmax_gives_no_probabilities(by_python):
    """a = softmax(z) + x: it sums to anything."""
    spec = nets.net([2, 2], ["softmax"], residual=[1], kind="cross_entropy")
    module = by_python(trained(spec, labels=("a", "b")))
    assert module.outputs([1, 2]).sum() != pytest.approx(1)
    assert not hasattr(module, "probabilities")


def test_many_inputs_and_classes_are_not_all_listed():
    source = freeze.source(trained(nets.net([100, 70], ["softmax"]), labels=tuple(range(70))))
    docstring = source.split('"""')[1]
    assert "    raw[n,63]  'x63'\n    … and 36 more: see INPUTS\n" in docstring
    assert "    class 63  63\n    … and 6 more: see LABELS\n" in docstring


@pytest.mark.slow
def test_text_of_the_users_is_data_and_nothing_else(frozen):
    """Names and labels come back as they were, and the source shows them escaped."""
    spec = nets.net([8, 8], ["softmax"], kind="cross_entropy")
    weights = trained(spec, labels=HOSTILE, inputs=HOSTILE)
    weights = replace(weights, columns=replace(weights.columns, targets=('"""\n\u202e{{ 1 }}',)))
    module = frozen(weights)
    assert module.LABELS == module.INPUTS == HOSTILE
    x = inputs(spec, 40)
    assert set(module.predict(x).tolist()) <= set(HOSTILE)
    np.testing.assert_array_equal(numba.njit(lambda x: module.predict(x))(x), module.predict(x))
    hostile_file = '"""\n\u202e-x {{ 1 }}\\.npz'
    source = freeze.source(weights, "hostile", hostile_file)
    compile(source, "hostile.py", "exec")
    assert "\u202e" not in source and "z" * 1000 not in source.split("import numpy")[0]
    assert all(line.isprintable() for line in source.splitlines())


def test_the_same_weights_give_the_same_bytes(tmp_path):
    """Whatever the hash seed, and whatever the order of bytes in the file."""
    weights = trained(nets.net([3, 4, 2], ["tanh", "softmax"]), labels=("b", "a"), fill=True)
    np.savez(tmp_path / "weights.npz", **weights.arrays({}))
    swapped = weights.arrays({})
    for name in ("theta", "mean", "scale", "fill"):
        swapped[name] = swapped[name].astype(">f8")
    (tmp_path / "swapped").mkdir()
    np.savez_compressed(tmp_path / "swapped" / "weights.npz", **swapped)
    wanted = freeze.source(weights)
    for seed, run in enumerate((tmp_path, tmp_path / "swapped" / "weights.npz")):
        command = [*PYTHON, "-m", "symgrad.cli.main", "freeze", run, "-o", tmp_path / str(seed)]
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        subprocess.run(command, check=True, env=environment, capture_output=True)
        written = (tmp_path / str(seed) / "net_frozen.py").read_bytes()
        assert written == wanted.encode()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_read_back_to_the_bit(dtype):
    random = np.random.default_rng(0)
    kind = np.uint32 if dtype == np.float32 else np.uint64
    vector = random.integers(0, np.iinfo(kind).max, 20_000, kind).view(dtype)
    edges = [0.0, -0.0, 0.1, 1 / 3, np.finfo(dtype).max, np.finfo(dtype).tiny]
    edges.append(np.finfo(dtype).smallest_subnormal)
    vector = np.concatenate([vector[np.isfinite(vector)], np.array(edges, dtype)])
    texts = freeze.shortest(vector)
    read = np.array([float(text) for text in texts], dtype)
    assert read.tobytes() == vector.tobytes()
    assert texts[-5] == "0.1"


def test_a_decimal_that_is_rounded_twice_is_written_in_full(monkeypatch):
    vector = np.array([0.1, 0.5], np.float32)
    number = f"{float(vector[0])!r}"
    monkeypatch.setattr(freeze, "str", lambda value: "0.11", raising=False)
    assert freeze.shortest(vector) == [number, "0.5"]


def test_each_row_of_a_matrix_begins_a_line():
    lines = freeze.lines(np.arange(60.0).reshape(2, 30) / 7)
    assert all(len(line) <= 110 for line in lines)
    assert lines[0].startswith("0.0 ") and lines[len(lines) // 2].startswith("4.285714285714286 ")


# ---- Anywhere ------------------------------------------------------------------------------------

ALONE = """
import sys
import numpy as np
import {name} as frozen
assert not any(name.split(".")[0] in ("symgrad", "sympy", "jinja2") for name in sys.modules)
import numba

@numba.njit(cache={cache})
def compiled(x):
    return frozen.predict(x)

x = np.load("x.npy")
for found in (frozen.predict(x), compiled(x)):
    print(found.dtype, found.tolist())
"""


@pytest.mark.parametrize("jit", [True, False], ids=["compiled", "by Python"])
@pytest.mark.parametrize("name", ["loops", pytest.param("products", marks=pytest.mark.slow)])
def test_a_copy_works_alone(frozen, tmp_path, name, jit):
    """In another folder, without symgrad; from Numba's cache the second time; and in a debugger."""
    spec, options = NETWORKS[name]
    module = frozen(trained(spec, **options))
    shutil.copy(module.__file__, tmp_path / "copied.py")
    x = inputs(spec, 5)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "alone.py").write_text(ALONE.format(name="copied", cache=jit))
    environment = os.environ | {"PYTHONPATH": "", "NUMBA_DISABLE_JIT": str(int(not jit))}
    wanted = module.predict(x)
    for _ in range(1 + jit):
        run = subprocess.run(
            [*PYTHON, "alone.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        assert "Warning" not in run.stderr
        for line in run.stdout.splitlines():
            dtype, values = line.split(" ", 1)
            assert dtype == str(wanted.dtype)
            np.testing.assert_allclose(json.loads(values), wanted, rtol=1e-13)


# ---- What cannot be frozen -----------------------------------------------------------------------

TWO = nets.net([2, 3, 2], ["tanh", "softmax"], kind="cross_entropy")


def scaled(**arrays: np.ndarray) -> Trained:
    weights = trained(TWO, labels=("a", "b"), fill=True)
    return replace(weights, scaling=replace(weights.scaling, **arrays))


def labelled(*labels: Any) -> Trained:
    return trained(TWO, labels=labels)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (trained(TWO, np.zeros(16)), r"theta must be float64 of shape \(17,\), but is float64 of"),
        (trained(TWO, np.zeros(17, np.float32)), "but is float32"),
        (trained(TWO, np.full(17, np.nan)), "some of them are not finite"),
        (scaled(mean=np.zeros(3)), r"mean must be float64 of shape \(2,\), but is .*\(3,\)"),
        (scaled(scale=np.array([1.0, 0.0])), "scale holds 0"),
        (scaled(fill=np.array([1.0, np.inf])), "fill holds numbers that are not finite"),
        (scaled(target_mean=np.array(["a", "b"])), "target_mean must be float64"),
        (trained(TWO, inputs=("a",)), "1 inputs have names, and the network has 2"),
        (trained(TWO, inputs=("a", 1)), "a column's name must be text"),  # type: ignore[arg-type]
        (labelled("a", "b", "c"), "there are 3 labels, and 2 classes"),
        (labelled("a", 1), "labels must all be of one type"),
        (labelled(True, 0), "labels must all be of one type"),
        (labelled(["a"], ["b"]), "labels must all be of one type"),
        (labelled("a", "a"), "two labels are equal"),
        (labelled("a", "a\0"), "ends with NUL"),
        (labelled(1, 10**4300), "more than 4,300 digits"),
        (labelled(1.0, float("nan")), "the label nan is no finite number"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(DataError, match=f"these weights cannot be used: .*{message}"):
        freeze.source(weights)


def test_outputs_need_names():
    weights = trained(TWO)
    columns = replace(weights.columns, targets=("y",))
    with pytest.raises(DataError, match="1 outputs have names, and the network has 2"):
        freeze.source(replace(weights, columns=columns))


@pytest.mark.parametrize("name", ["../net", "1net", "class", "numpy", "", "x" * 65])
def test_a_module_is_named_as_a_spec_is(name):
    with pytest.raises(SymgradError, match="the module's name"):
        freeze.source(trained(TWO), name)


# ---- The command ---------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path) -> Path:
    """A run's folder with weights of three inputs."""
    weights = trained(nets.net([3, 2], ["identity"]))
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    np.savez(folder / "weights.npz", **weights.arrays({}))
    return folder


def command(*arguments: object):
    return CliRunner().invoke(app, ["freeze", *map(str, arguments)])


def test_a_run_is_frozen_and_how_to_use_it_is_said(run, tmp_path):
    result = command(run, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    path = tmp_path / "net_frozen.py"
    assert result.output == (
        f"wrote {path}; to use it in {tmp_path}:\n"
        "    from net_frozen import predict\n"
        "    predict(x)  # x of shape (samples, 3)\n"
    )
    weights = Trained.load(run / "weights.npz")
    assert path.read_text(encoding="utf-8") == freeze.source(weights)


def test_the_file_may_be_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = command(run / "weights.npz", "-o", "plant.py").output
    assert said.startswith("wrote plant.py; to use it:\n    from plant import predict\n")
    text = freeze.source(Trained.load(run / "weights.npz"), "plant")
    assert (tmp_path / "plant.py").read_text(encoding="utf-8") == text
    assert command(run, "-o", "out/plant.py", "--name", "plant").exit_code == 0
    assert (tmp_path / "out" / "plant.py").read_text(encoding="utf-8") == text
    result = command(run, "-o", "other.py", "--name", "plant")
    assert result.exit_code == 2 and "-o other.py and --name plant name one module" in result.output
    assert "the module's name 'a-b' is no identifier" in command(run, "-o", "a-b.py").output
    assert not (tmp_path / "other.py").exists()
    (tmp_path / "folder.py").mkdir()
    assert command(run, "-o", "folder.py").exit_code == 0
    assert (tmp_path / "folder.py" / "net_frozen.py").is_file()


def test_a_frozen_module_is_overwritten_and_nothing_else(run, tmp_path):
    assert command(run / "weights.npz", "-o", tmp_path, "--name", "net").exit_code == 0
    path = tmp_path / "net.py"
    before = path.read_bytes()
    path.write_bytes(before + b"# edited\n")
    assert command(run, "-o", tmp_path, "--name", "net").exit_code == 0
    assert path.read_bytes() == before
    for content in (b"", b"print(1)\n", b'"""Frozen by symgrad 1"""\n', b"\xff\xfe\0"):
        path.write_bytes(content)
        result = command(run, "-o", tmp_path, "--name", "net")
        assert result.exit_code == 2
        assert f"{path} is there already and is no frozen module" in result.output
        assert path.read_bytes() == content
    path.unlink()
    path.mkdir()
    assert "is no frozen module" in command(run, "-o", tmp_path, "--name", "net").output


def test_what_the_command_refuses(run, tmp_path):
    assert "the module's name 'a-b' is no identifier" in command(run, "--name", "a-b").output
    assert "run.json: No such file" in command(tmp_path).output
    (tmp_path / "text.npz").write_text("no weights")
    result = command(tmp_path / "text.npz")
    assert result.exit_code == 2 and "no weights file of symgrad's" in result.output
    assert not list(tmp_path.glob("*.py"))
