"""Formulas at their edges: what is emitted has the right value and slope there, in both dtypes.

The right ones are mpmath's, of the same formula written a second time; at kinks they are stated.
"""

import mpmath
import numpy as np
import pytest

from symgrad.errors import SpecError
from symgrad.pipeline import passes
from tests import nets

NAN = float("nan")
AT = (-800.0, -100.0, -40.0, -10.0, -0.5, 0.0, 1e-3, 0.5, 10.0, 40.0, 100.0, 800.0)
ULP = {"float64": 2.0**-52, "float32": 2.0**-23}

e, log = mpmath.exp, mpmath.log

# Formulas of z, and what they are: right in both tails, where as written they overflow or cancel.
SMOOTH = {
    "exp(z)/(exp(z)+exp(-z))": lambda z: 1 / (1 + e(-2 * z)),
    "1/(exp(z)+exp(-z))": lambda z: 1 / (e(z) + e(-z)),
    "1/(1+exp(-z))": lambda z: 1 / (1 + e(-z)),
    "1 - 1/(1+exp(-z))": lambda z: 1 / (1 + e(z)),
    "1/(1+exp(-z))**2": lambda z: 1 / (1 + e(-z)) ** 2,
    "exp(z)/(1+exp(z))**2": lambda z: e(z) / (1 + e(z)) ** 2,
    "exp(z)/(1+exp(z)+exp(2*z))": lambda z: e(z) / (1 + e(z) + e(2 * z)),
    "(3 + 2*exp(z))/(5 + exp(z))": lambda z: (3 + 2 * e(z)) / (5 + e(z)),
    "log(1 + exp(z) + exp(-z))": lambda z: log(1 + e(z) + e(-z)),
    "log(2 + exp(z))": lambda z: log(2 + e(z)),
    "log(exp(z)+exp(-z))": lambda z: log(e(z) + e(-z)),
    "-log(exp(z)/(exp(z)+exp(-z)))": lambda z: log(1 + e(-2 * z)),
    "log(1 + exp(-z))*sigmoid(0) + log(1 + exp(z))*sigmoid(0)": lambda z: log(2 + e(z) + e(-z)) / 2,
    "1/cosh(z)": lambda z: 1 / mpmath.cosh(z),
    "cosh(z)**-2": lambda z: mpmath.cosh(z) ** -2,
}

# At kinks, and where 0 meets infinity: z, value, slope.
KINKS = [
    ("sqrt(max(0, z))", -1, 0, 0),
    ("relu(z)**0.5", -1, 0, 0),
    ("relu(z)**0.5", 4, 2, 0.25),
    ("sqrt(z)", 0, 0, np.inf),
    ("sqrt(z**2)", 0, 0, 0),
    ("sqrt(z**2)", -3, 3, -1),
    ("abs(z)**0.5", 0, 0, 0),
    ("max(1, sqrt(z))", 0, 1, 0),
    ("min(exp(z), 1)", 800, 1, 0),
    ("relu(z) + log1p(exp(-abs(z)))", 0, np.log(2), 0.5),
    ("max(z, 0) + log(1 + exp(-abs(z)))", 0, np.log(2), 0.5),
    ("relu(z) - relu(-z)", 0, 0, 1),
    ("min(exp(z) - 1, 0) + max(z, 0)", 0, 0, 1),
    ("relu(z) + abs(z)", 0, 0, 0),
    ("max(z, 2*z)", 0, 0, 2),
    ("sqrt(max(0, z))", NAN, NAN, NAN),
    ("relu(3)*z", 2, 6, 3),
    ("min(0.5, -1) + z", 2, 1, 1),
    ("((1 + z)/z)**7", 1e10, 1, 0),
    ("z/max(z, -1)", 1e-41, 1, None),
    ("atan(z/(z - 1))", 1e30, np.pi / 4, 0),
    ("erf(z/(z - 1))", 1e30, 0.8427007929497149, 0),
]

# Losses of an output y (an activation of z) with a target t: z, t, value, slope by z.
LOSSES = [
    ("max(y-t, 0)**0.75", "identity", 1.0, 2.0, 0, 0),
    ("log(1 + sqrt(relu(y-t)))", "identity", 1.0, 2.0, 0, 0),
    ("(sqrt(y) - sqrt(t))**2", "sigmoid", -800.0, 0.25, 0.25, 0),
    ("sqrt(sum((y-t)**2))", "identity", 2.0, 2.0, 0, 0),
    ("sqrt((y-t)**2)", "identity", 2.0, 2.0, 0, 0),
    ("sqrt(y)", "relu", -1.0, 0.0, 0, 0),
    ("(log(y/(1-y)) - t)**2", "sigmoid", 800.0, 1.0, 799.0**2, 2 * 799.0),
    ("-log(y**2)", "sigmoid", -800.0, 0.0, 1600.0, -2.0),
    ("-log(1-y)", "sigmoid", 800.0, 0.0, 800.0, 1.0),
    ("t*log(t/y)", "sigmoid", -800.0, 0.0, 0.0, 0.0),
    ("log(1+exp(-y))*t + log(1+exp(y))*(1-t)", "identity", 60.0, 1.0, None, -8.75651076269652e-27),
    ("max(y, 0) - y*t + log(1 + exp(-abs(y)))", "identity", 0.0, 0.0, np.log(2), 0.5),
    ("-log(exp(y)/(exp(y)+exp(-y)))", "identity", -20.0, 0.0, 40.0, -2.0),
    ("log((y-t) + 1)", "identity", 1e17, 1e17, 0.0, 1.0),
]


def at(module, dtype, zs, t=0.0):
    """y and the slope of the loss by b, hence by z, at each z: of a network of one unit, W = 1."""
    theta = np.array([1, 0], dtype)
    found = []
    for z in zs:
        x, target = np.array([[z]], dtype), np.array([[t]], dtype)
        with np.errstate(all="ignore"):
            E, gradient = module.loss_and_gradient(theta, x, target)
            found.append((E, gradient[1]))
    return np.array(found)


def emitted(make, formula, dtype):
    return make(nets.net([1, 1], ["mine"], own={"mine": formula}, formula="y", dtype=dtype))


@pytest.fixture
def make(interpret):
    return lambda spec: interpret(passes(spec).source)


def check_smooth(make, formula, dtype):
    module = emitted(make, formula, dtype)
    kind = np.dtype(dtype).type
    limits = np.finfo(kind)
    for z, (value, slope) in zip(AT, at(module, dtype, AT), strict=True):
        with mpmath.workdps(750):
            exact = mpmath.mpf(float(kind(z)))
            slope_there = mpmath.diff(SMOOTH[formula], exact, h=mpmath.mpf(10) ** -300)
            right = SMOOTH[formula](exact), slope_there
        for name, found, wanted in (("value", value, right[0]), ("slope", slope, right[1])):
            if abs(wanted) > limits.max:
                assert np.isinf(found), (z, name)
                continue
            allowed = 16 * ULP[dtype] * abs(wanted) + 4 * float(limits.smallest_subnormal)
            # a slope that is a difference cancels near 0, as it does as written
            allowed += 4 * ULP[dtype] if name == "slope" and abs(z) < 1 else 0
            assert abs(mpmath.mpf(float(found)) - wanted) <= allowed, (z, name, found, wanted)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("formula", SMOOTH)
def test_both_tails(make, formula, dtype):
    check_smooth(make, formula, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("formula", [
    "exp(z)/(exp(z)+exp(-z))", "exp(z)/(1+exp(z)+exp(2*z))", "log(1 + exp(z) + exp(-z))",
])  # fmt: skip
def test_both_tails_compiled(native, formula, dtype):
    check_smooth(native, formula, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("formula", "z", "value", "slope"), KINKS)
def test_kinks(make, formula, z, value, slope, dtype):
    ((found, found_slope),) = at(emitted(make, formula, dtype), dtype, [z])
    np.testing.assert_allclose(found, value, rtol=1e-6)
    if slope is not None:
        np.testing.assert_allclose(found_slope, slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("formula", "z", "value", "slope"), KINKS[:1] + KINKS[8:11])
def test_kinks_compiled(native, formula, z, value, slope):
    ((found, found_slope),) = at(emitted(native, formula, "float32"), "float32", [z])
    np.testing.assert_allclose([found, found_slope], [value, slope], rtol=1e-6)


@pytest.mark.parametrize("order", ["loss-first", "weights-first", "cheapest"])
@pytest.mark.parametrize(("formula", "activation", "z", "t", "value", "slope"), LOSSES)
def test_losses(interpret, formula, activation, z, t, value, slope, order):
    spec = nets.net([1, 1], [activation], formula=formula)
    module = interpret(passes(spec, order).source)
    ((found, found_slope),) = at(module, "float64", [z], t)
    if value is not None:
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found_slope, slope, rtol=1e-12, atol=1e-100)


def test_softmax_losses_in_float32(interpret):
    """-log Σ t·y and Σ t·log(t/y) where the right class's probability underflows to 0."""
    for formula in ("-log(sum(t*y))", "sum(t*log(t/y))"):
        spec = nets.net([3, 3], ["softmax"], formula=formula, dtype="float32")
        module = interpret(passes(spec).source)
        theta = np.zeros(module.SIZE, np.float32)
        theta[:9] = np.eye(3).ravel()
        x = np.array([[0, 200, -300]], np.float32)
        t = np.array([[0, 0, 1]], np.float32)
        with np.errstate(all="ignore"):
            E, gradient = module.loss_and_gradient(theta, x, t)
        assert pytest.approx(500, rel=1e-6) == E, formula
        np.testing.assert_allclose(gradient[9:], [0, 1, -1], atol=1e-6)


def test_a_loss_that_is_constant_after_all_compiles(interpret):
    """y/sum(y), summed over outputs, is 1 whatever y is."""
    module = interpret(passes(nets.net([2, 3], ["identity"], formula="y/sum(y)")).source)
    E, gradient = module.loss_and_gradient(module.init(1), np.ones((4, 2)), np.ones((4, 3)))
    assert E == 1
    assert not gradient.any()


@pytest.mark.parametrize("formula", [
    "exp(-z)/sum(exp(-z))", "cosh(-1-z)*cosh(sum(z))", "softplus(2) + z", "max(z, z)", "exp(z)*z",
    "z - softplus(1)", "z/relu(1)", "log(sum(exp(-z)))", "tanh(-1 + z)", "z*sqrt((z-1-relu(z))**2)",
    "z/log(exp(z))", "erf(tanh(-(1 + z)))", "sinh(z - 1/3 - sum(z))",
])  # fmt: skip
def test_what_used_to_crash_compiles(formula):
    spec = nets.net([2, 3], ["mine"], own={"mine": formula}, formula="y")
    assert passes(spec).source


@pytest.mark.parametrize("order", ["loss-first", "weights-first"])
@pytest.mark.parametrize("function", ["abs", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf"])
def test_signs_are_not_taken_out_without_end(function, order):
    """f(-(1 + z)) ↔ ∓f(1 + z): SymPy takes a sign out of what such functions are called with."""
    for formula in (f"sum({function}(-1-z))*z", f"z/(2 + sum({function}(-(1+z))**2))"):
        spec = nets.net([2, 3], ["mine"], own={"mine": formula}, formula="y")
        assert passes(spec, order).source


@pytest.mark.parametrize("formula", [
    "log(cos(2)/(z/z)) - z", "sqrt(-(z*z))", "sqrt(-exp(z)) + z", "exp(z/log(z/z))**2",
    "z + log(-relu(1))",
])  # fmt: skip
def test_what_has_no_value_is_refused(formula):
    with pytest.raises(SpecError, match="no finite"):
        passes(nets.net([2, 3], ["mine"], own={"mine": formula}, formula="y"))
