"""Emitted gradients against oracles that share no code with the compiler.

Most of it runs the emitted source in plain Python: the source is on trial, not Numba. The last part
compiles some networks of every kind, and the slow sweep all of them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from symgrad.checking import scalars
from symgrad.checking.check import check
from symgrad.pipeline import passes
from symgrad.spec.spec import ACTIVATIONS, LOSSES, Spec
from symgrad.targets.numba.emit import emit, runtime
from tests.nets import net

HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
DTYPES = ["float64", "float32"]

# Each loss after activations that one would use it with.
SENSIBLE = [
    ("squared", "identity"),
    ("absolute", "tanh"),
    ("huber", "identity"),
    ("log_cosh", "identity"),
    ("cross_entropy", "softmax"),
    ("cross_entropy", "sigmoid"),
    ("binary_cross_entropy", "sigmoid"),
    ("binary_cross_entropy", "softmax"),
    ("poisson", "softplus"),
    ("kl", "softmax"),
    ("kl", "gaussian"),
]


def assert_gradient(spec: Spec, module: Any, samples: int = 3) -> None:
    report = check(spec.normalised(), module, samples)
    assert report.passed, report


def in_both_dtypes(*given: Any, **options: Any) -> Iterator[tuple[Spec, str]]:
    """A network's spec and source with each dtype: the passes before the last know no types."""
    double, single = (net(*given, **options, dtype=dtype) for dtype in DTYPES)
    stages = passes(double)
    yield double, stages.source
    yield single, emit(single, {"": stages.gradient}, stages.schedule, "loss-first")


@pytest.fixture
def only_numbers(monkeypatch):
    """Leaves SymPy on scalars out, which takes most of the time; two oracles remain."""
    monkeypatch.setattr(scalars, "affordable", lambda spec: False)


# ---------------------------------------------------------------------- every kind, all oracles


@pytest.mark.parametrize("activation", HIDDEN)
def test_every_activation_inside_a_network(interpret, activation):
    for spec, source in in_both_dtypes([2, 2, 2], [activation, "identity"]):
        assert_gradient(spec, interpret(source))


@pytest.mark.parametrize(("kind", "last"), SENSIBLE)
def test_every_loss_after_what_it_is_made_for(interpret, kind, last):
    for spec, source in in_both_dtypes([2, 3, 2], ["tanh", last], kind=kind):
        assert_gradient(spec, interpret(source))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_loss_after_every_activation(interpret, only_numbers, activation, kind):
    for spec, source in in_both_dtypes([2, 2], [activation], kind=kind):
        assert_gradient(spec, interpret(source))


# ------------------------------------------------------------------------------------- options

OPTIONS = {
    "no bias": {"bias": False},
    "residual from the inputs": {"residual": [1]},
    "residual everywhere": {"residual": [1, 2, 3]},
    "l2": {"l2": 0.1},
    "l1": {"l1": 0.1},
    "l1 and l2, no bias": {"l1": 0.05, "l2": 0.1, "bias": False},
    "sample weights": {"sample_weights": True},
    "everything": {"residual": [1, 2, 3], "l1": 0.05, "l2": 0.1, "sample_weights": True},
}


@pytest.mark.parametrize("width", [3, 17], ids=["loops", "products"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option(interpret, only_numbers, options, width):
    """Wide layers take another way, through matrix products."""
    for spec, source in in_both_dtypes([width] * 4, ["silu", "relu", "tanh"], **options):
        own = source.partition(runtime(below=True).strip("\n"))
        assert own[1] and ("matmul(" in own[0] + own[2]) == (width > 3)
        assert_gradient(spec, interpret(source))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_with_softmax_and_cross_entropy(interpret, only_numbers, options):
    for width in (3, 17):
        spec = net([width] * 4, ["tanh", "gelu", "softmax"], kind="cross_entropy", **options)
        assert_gradient(spec, interpret(passes(spec).source))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_on_scalars(interpret, options):
    spec = net([2, 2, 2, 2], ["tanh", "sin", "identity"], **options)
    assert scalars.affordable(spec.normalised())
    assert_gradient(spec, interpret(passes(spec).source))


@pytest.mark.parametrize("samples", [1, 2, 11])
@pytest.mark.parametrize("width", [2, 17], ids=["loops", "products"])
def test_any_number_of_samples(interpret, only_numbers, width, samples):
    spec = net([width, width, 2], ["tanh", "softmax"], kind="cross_entropy", sample_weights=True)
    assert_gradient(spec, interpret(passes(spec).source), samples)


@pytest.mark.parametrize("order", ["weights-first", "cheapest"])
@pytest.mark.parametrize("last", ["identity", "softmax"])
@pytest.mark.parametrize("width", [2, 17], ids=["loops", "products"])
def test_other_orders_have_the_same_gradient(interpret, only_numbers, order, last, width):
    spec = net([2, width, width, 2], ["tanh", "silu", last], residual=[2], l2=0.1)
    backward, other = passes(spec), passes(spec, order)
    assert_gradient(spec, interpret(other.source))
    theta = interpret(backward.source).init(1)
    x, t = np.random.default_rng(2).normal(size=(2, 5, 2))
    _, expected = interpret(backward.source).loss_and_gradient(theta, x, t)
    _, gradient = interpret(other.source).loss_and_gradient(theta, x, t)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("order", ["loss-first", "weights-first"])
def test_sums_over_samples_do_not_overwrite_what_they_read(interpret, only_numbers, order):
    """d_b1 begins as 0, while Σ W2, of the same shape, is still to be added for every sample."""
    formula = "(y - t)**2 + (y - t) + sin(log1p(abs(y - t)))"
    spec = net([17, 17, 17], ["identity", "identity"], formula=formula)
    assert_gradient(spec, interpret(passes(spec, order).source))


@pytest.mark.parametrize("widths", [[1, 1], [1, 1, 1], [3, 1, 3], [1, 4, 1], [40, 1, 40]])
def test_layers_of_one_unit(interpret, only_numbers, widths):
    activations = ["tanh"] * (len(widths) - 2) + ["sigmoid" if widths[-1] == 1 else "softmax"]
    spec = net(widths, activations, l1=0.1, kind="squared")
    assert_gradient(spec, interpret(passes(spec).source))


def test_a_deep_network(interpret, only_numbers):
    spec = net([2] * 31, ["tanh"] * 29 + ["identity"], residual=range(2, 31))
    assert_gradient(spec, interpret(passes(spec).source))


# ------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    "formula",
    [
        "z / (1 + exp(-1.5*z))",
        "max(z, 0.1*z)",
        "min(max(z, -1), 1)",
        "sqrt(1 + z**2) - 1",
        "z**3 - 3*z**-2",
        "(1 + z**2)**-0.5",
        "(1 + abs(z))**1.5",
        "expm1(z) + log1p(z**2) + atan(z) + erf(z)",
        "sinh(z) * cos(z) / cosh(z) - sin(2*z)",
        "relu(z)**2 + softplus(-z) * sigmoid(z)",
        "log(1 + exp(z)) * tanh(exp(-z**2))",
        "-(-z)",
        "z",
    ],
)
def test_activations_of_ones_own(interpret, only_numbers, formula):
    spec = net([2, 3, 2], ["mine", "mine"], own={"mine": formula})
    assert_gradient(spec, interpret(passes(spec).source))


@pytest.mark.parametrize(
    "formula",
    [
        "exp(z) / sum(exp(z))",
        "z / sqrt(1 + sum(z**2))",
        "z - sum(z) / sum(1)",
        "z * sum(z) * sum(z**2)",
        "sum(z)",
        "(z - sum(z) / sum(1)) / sqrt(1 + sum(z**2) / sum(1))",
        "max(z, sum(tanh(z)))",
        "sum(z * tanh(z)) / (1 + sum(abs(z))) - sum(z)**2",
    ],
)
def test_activations_with_sums_over_the_layer(interpret, only_numbers, formula):
    for width in (2, 17):
        spec = net([2, width, width], ["tanh", "mine"], own={"mine": formula})
        assert_gradient(spec, interpret(passes(spec).source))


@pytest.mark.parametrize(
    "formula",
    [
        "log(cosh(y - t))",
        "(y - t)**2",
        "(y - t)**4 / 4 + abs(y - t)",
        "max(0.9*(t - y), 0.1*(y - t))",
        "max(0, 1 - y*t)",
        "sqrt(1 + ((y - t) / 1.5)**2) - 1",
        "sum((y - t)**2) / sum(1)",
        "sqrt(sum((y - t)**2))",
        "sum(y*t) / sqrt(sum(y**2) * sum(t**2))",
        "(y - t)**2 / (1 + sum(y**2))",
        "log(sum(exp(y))) - sum(y*t)",
        "sum(y)**2 - sum(y**2) + (y - t)",
        "y",
        "y * sum(t) * sum(y)",
    ],
)
def test_losses_of_ones_own(interpret, only_numbers, formula):
    for options in ({}, {"sample_weights": True, "l2": 0.1}):
        spec = net([2, 3, 2], ["tanh", "identity"], formula=formula, **options)
        assert_gradient(spec, interpret(passes(spec).source))


def test_constants_of_formulas(interpret):
    plain = net([2, 3, 2], ["tanh", "identity"]).normalised()
    plain["layers"][0]["activation"] = "swish"
    plain["activations"] = {
        "swish": {"formula": "z / (1 + exp(-beta*z)) + lambda", "constants": {"beta": 1.5}}
    }
    plain["activations"]["swish"]["constants"]["lambda"] = -0.1
    plain["loss"] = {"formula": "delta**2 * (sqrt(1 + ((y-t)/delta)**2) - 1)"}
    plain["loss"]["constants"] = {"delta": 0.3}
    spec = Spec.parse(plain)
    assert_gradient(spec, interpret(passes(spec).source))


# ------------------------------------------------------------------------- kinks and saturation


def arrays(*values, dtype="float64"):
    return [np.array(each, dtype) for each in values]


AT_ZERO = {
    "relu": 0.0,
    "leaky_relu": 0.01,
    "elu": 1.0,
    "selu": 1.0507009873554805 * 1.6732632423543772,
}


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("activation", AT_ZERO)
def test_derivatives_at_the_kink_of_an_activation(interpret, activation, zero):
    module = interpret(passes(net([1, 1], [activation])).source)
    _, (_, by_bias) = module.loss_and_gradient(*arrays([1.0, zero], [[zero]], [[-1.0]]))
    assert by_bias == pytest.approx(AT_ZERO[activation], abs=1e-15)  # times y - t = 1


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"kind": "absolute"}, 0.0),
        ({"formula": "abs(y - t)"}, 0.0),
        ({"formula": "max(y - t, 0)"}, 0.0),  # b + relu(a - b)
        ({"formula": "max(0, y - t)"}, 1.0),
        ({"formula": "min(y - t, 0)"}, 0.0),  # b - relu(b - a)
        ({"formula": "min(0, y - t)"}, 1.0),
    ],
)
def test_derivatives_at_the_kink_of_a_loss(interpret, loss, expected):
    module = interpret(passes(net([1, 1], ["identity"], **loss)).source)
    _, (_, by_bias) = module.loss_and_gradient(*arrays([1.0, 0.5], [[1.0]], [[1.5]]))
    assert by_bias == expected


def test_weights_at_the_kink_of_l1(interpret):
    module = interpret(passes(net([2, 1], ["identity"], l1=0.5)).source)
    _, gradient = module.loss_and_gradient(*arrays([0.0, -2.0, 2.0], [[0.0, 1.0]], [[0.0]]))
    np.testing.assert_array_equal(gradient, [0.0, -0.5, 0.0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("cross_entropy", "softmax"),
        ("kl", "softmax"),
        ("binary_cross_entropy", "sigmoid"),
        ("log_cosh", "identity"),
    ],
)
def test_large_outputs_are_no_infinite_ones(interpret, kind, last, dtype):
    """Logits of ±1000: naively, exp overflows and log takes 0."""
    module = interpret(passes(net([1, 2], [last], kind=kind, dtype=dtype)).source)
    for t in ([[0.0, 1.0]], [[1.0, 0.0]]):
        given = arrays([1000.0, -1000.0, 0.0, 0.0], [[1.0]], t, dtype=dtype)
        value, gradient = module.loss_and_gradient(*given)
        assert np.isfinite(value) and np.isfinite(gradient).all()
        if kind == "cross_entropy":
            assert value == pytest.approx(2000 * t[0][1])
            np.testing.assert_allclose(gradient[2:], [t[0][1], -t[0][1]], atol=1e-12)


# ------------------------------------------------------------------------------------- compiled


def test_every_activation_compiled_in_float32(chains, interpret):
    for spec, module in chains:
        assert_gradient(spec, module)
        theta = module.init(3) + np.float32(0.1)
        x, t = np.random.default_rng(4).normal(size=(2, 5, 2)).astype(np.float32)
        value, gradient = module.loss_and_gradient(theta, x, t)
        plain = interpret(passes(spec).source)
        expected, by_python = plain.loss_and_gradient(theta, x, t)
        assert value == pytest.approx(expected, rel=1e-5)
        for name, array in module.unpack(gradient).items():
            wanted = plain.unpack(by_python)[name]
            np.testing.assert_allclose(array, wanted, rtol=1e-3, atol=1e-3 * abs(wanted).max())


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_compiled(native, only_numbers, kind):
    last = dict(SENSIBLE)[kind]
    dtype = DTYPES[LOSSES.index(kind) % 2]
    spec = net([2, 2, 2], ["elu", last], kind=kind, dtype=dtype)
    assert_gradient(spec, native(spec))


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_products_and_options_compiled(native, only_numbers, dtype):
    spec = net(
        [17, 17, 17, 17, 3],
        ["silu", "relu", "gelu", "softmax"],
        residual=[1, 2, 3],
        kind="cross_entropy",
        dtype=dtype,
        l1=0.01,
        l2=0.1,
        sample_weights=True,
    )
    assert_gradient(spec, native(spec), samples=5)


def test_a_formula_with_sums_compiled(native, only_numbers):
    own = {"norm": "(z - sum(z)/sum(1)) / sqrt(0.1 + sum(z**2))", "mine": "max(z, 0.2*z) + z**3"}
    formula = "sqrt(1 + sum((y - t)**2))"
    spec = net([2, 3, 3], ["mine", "norm"], own=own, formula=formula, dtype="float32")
    assert_gradient(spec, native(spec))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_loss_after_every_activation_compiled(native, only_numbers, activation, kind, dtype):
    spec = net([2, 2], [activation], kind=kind, dtype=dtype)
    assert_gradient(spec, native(spec))
