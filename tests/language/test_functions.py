"""functions: meanings against mpmath, derivatives against SymPy, and what holds at kinks."""

import mpmath
import pytest
import sympy
from sympy import Piecewise, Rational, Symbol

from symgrad.language import functions as f
from symgrad.language.functions import ACTIVATIONS, IN_FORMULAS, TABLE, in_sympy, placeholder
from symgrad.spec import formula, spec

DIGITS = 30

# Exact points on both sides of 0 and of ±1, where the kinks are; ones beyond, and an unround one.
POINTS = [Rational(p, 1000) for p in (-7321, -1713, -1009, -941, -317, -13)]
POINTS += [Rational(p, 1000) for p in (17, 271, 983, 1021, 1871, 6007)]

# Where functions are not defined on the whole line.
DOMAINS = {sympy.log: 0, f.log1p: -1}

with mpmath.workdps(40):  # Klambauer et al. 2017
    LAMBDA = mpmath.mpf("1.0507009873554804934193349852946")
    ALPHA = mpmath.mpf("1.6732632423543772848170429916717")


def sigmoid(u):
    return 1 / (1 + mpmath.exp(-u))


def tanh_softplus(u):
    return mpmath.tanh(mpmath.log(1 + mpmath.exp(u)))


# What the opaque functions are, written down a second time and in another language.
MEANINGS = {
    f.expm1: mpmath.expm1,
    f.log1p: mpmath.log1p,
    f.heaviside: lambda u: 1 if u > 0 else 0,
    f.relu: lambda u: max(u, 0),
    f.leaky_relu: lambda u: u if u > 0 else u / 100,
    f.leaky_step: lambda u: 1 if u > 0 else mpmath.mpf(1) / 100,
    f.elu: lambda u: u if u > 0 else mpmath.expm1(u),
    f.elu_slope: lambda a: 1 if a > 0 else a + 1,
    f.selu: lambda u: LAMBDA * (u if u > 0 else ALPHA * mpmath.expm1(u)),
    f.selu_slope: lambda a: LAMBDA if a > 0 else a + LAMBDA * ALPHA,
    f.sigmoid: sigmoid,
    f.softplus: lambda u: mpmath.log1p(mpmath.exp(u)),
    f.softsign: lambda u: u / (1 + abs(u)),
    f.silu: lambda u: u * sigmoid(u),
    f.normal_cdf: mpmath.ncdf,
    f.normal_pdf: mpmath.npdf,
    f.gelu: lambda u: u * mpmath.ncdf(u),
    f.tanh_softplus: tanh_softplus,
    f.mish: lambda u: u * tanh_softplus(u),
    f.gaussian: lambda u: mpmath.exp(-u * u),
    f.log_cosh: lambda u: mpmath.log(mpmath.cosh(u)),
    f.huber: lambda u: u * u / 2 if abs(u) <= 1 else abs(u) - mpmath.mpf(1) / 2,
    f.sech: mpmath.sech,
    f.clip: lambda u: min(max(u, -1), 1),
    f.maximum: max,
    f.minimum: min,
    f.xlogy: lambda t, y: 0 if t == 0 else t * mpmath.log(y),
    f.xdivy: lambda t, y: 0 if t == 0 else t / y,
    f.nonpositive: lambda u: 1 if u <= 0 else 0,
    f.grouped: lambda u: u,
    f.times: lambda a, b: a * b,
    f.log_abs: lambda u: mpmath.log(abs(u)),
    f.even_relu: lambda u: max(u, 0),
    f.even_maximum: max,
    f.even_minimum: min,
    f.inverse_sum_exp: lambda c, u, d, v: 1 / (c * mpmath.exp(u) + d * mpmath.exp(v)),
    f.log_sum_exp: lambda c, u, d, v: mpmath.log(c * mpmath.exp(u) + d * mpmath.exp(v)),
    sympy.Abs: abs,
    sympy.sign: mpmath.sign,
}

# Those that take any number of terms: two are tried.
OF_MANY = {f.inverse_sum_exp: 4, f.log_sum_exp: 4}


NAMES = [placeholder(name) for name in "uvab"]


def arguments(function):
    return NAMES[: OF_MANY.get(function) or len(TABLE[function].partials)]


def points(function):
    if function in OF_MANY:
        weights = ((Rational(1, 3), 2), (3, 1))
        return [(c, u, d, v) for c, d in weights for u in POINTS for v in POINTS[::4]]
    if len(TABLE[function].partials) == 1:
        return [(point,) for point in POINTS if point > DOMAINS.get(function, -99)]
    positive = function in (f.xlogy, f.xdivy)
    return [(a, b) for a in POINTS for b in POINTS[::3] if a != b and (b > 0 or not positive)]


def at(expression, point):
    exact = in_sympy(expression).subs(dict(zip(NAMES, point, strict=False)))
    return exact.doit().evalf(DIGITS + 5)


def agree(first, second):
    return abs(first - second) <= Rational(1, 10**DIGITS) * (1 + abs(second))


def name(function):
    return function.__name__


def test_the_table_has_every_function_that_this_file_knows():
    opaque = {value for value in vars(f).values() if isinstance(value, type)
              and issubclass(value, sympy.Function)
              and value.__module__.startswith("symgrad")}  # fmt: skip
    assert opaque == {each for each in MEANINGS if each.__module__.startswith("symgrad")}
    assert opaque <= set(TABLE)


@pytest.mark.parametrize("function", list(MEANINGS), ids=name)
def test_meanings(function):
    written = TABLE[function].meaning(*arguments(function))
    with mpmath.workdps(DIGITS + 10):
        for point in points(function):
            numbers = [mpmath.mpf(p.p) / p.q for p in map(Rational, point)]
            assert agree(at(written, point), sympy.Float(MEANINGS[function](*numbers), 35)), point


@pytest.mark.parametrize("function", [g for g in TABLE if g not in MEANINGS], ids=name)
def test_sympy_s_own_functions_mean_themselves(function):
    assert TABLE[function].meaning is function


@pytest.mark.parametrize("function", list(TABLE), ids=name)
def test_derivatives_are_sympy_s_of_the_meanings(function):
    symbols = arguments(function)
    written = in_sympy(TABLE[function].meaning(*symbols))
    for symbol, slope in zip(symbols, TABLE[function].slopes(*symbols), strict=True):
        derivative = sympy.diff(written, symbol)
        for point in points(function):
            assert agree(at(slope, point), at(derivative, point)), (symbol, point)


@pytest.mark.parametrize(
    ("function", "place", "slope"),
    [
        (f.relu, 0, 0),
        (sympy.Abs, 0, 0),
        (f.leaky_relu, 0, Rational(1, 100)),
        (f.elu, 0, 1),
        (f.selu, 0, f.SELU_SCALE * f.SELU_ALPHA),
        (f.huber, 1, 1),
        (f.huber, -1, -1),
        (f.clip, 1, 0),
        (f.heaviside, 0, 0),
        (sympy.sign, 0, 0),
    ],
)
def test_conventions_at_kinks(function, place, slope):
    (partial,) = TABLE[function].partials
    assert in_sympy(partial(placeholder("u"))).subs(placeholder("u"), place).doit() == slope


def test_values_at_kinks():
    assert in_sympy(f.relu(Rational(0))).doit() == 0
    assert in_sympy(f.heaviside(Rational(0))).doit() == 0
    assert in_sympy(TABLE[sympy.sign].meaning(Rational(0))).doit() == 0


@pytest.mark.parametrize("point", [-2, 0, Rational(7, 3)])
def test_where_its_arguments_are_equal_max_and_min_follow_the_second(point):
    """max(a, b) = b + relu(a - b), and relu'(0) = 0."""
    for function in (f.maximum, f.minimum):
        by_first, by_second = TABLE[function].partials
        assert agree(at(by_first(*arguments(function)), (point, point)), 0)
        assert agree(at(by_second(*arguments(function)), (point, point)), 1)
        assert agree(at(TABLE[function].meaning(*arguments(function)), (point, point)), point)


@pytest.mark.parametrize("y", [Rational(1, 3), 4])
def test_zero_times_log_zero_is_zero(y):
    assert at(f.xlogy(placeholder("u"), placeholder("v")), (0, y)) == 0
    assert at(f.xdivy(placeholder("u"), placeholder("v")), (0, y)) == 0


@pytest.mark.parametrize("function", [g for g, rule in TABLE.items() if rule.shared], ids=name)
def test_what_is_written_out_contains_its_shared_part_and_keeps_its_value(function):
    z, rule = placeholder("u"), TABLE[function]
    written = rule.written_out(z)
    assert written.has(rule.shared(z))
    for point in points(function):
        assert agree(at(written, point), at(function(z), point))


def test_gates_are_shared():
    assert {name(g): name(rule.shared) for g, rule in TABLE.items() if rule.shared} == {
        "silu": "sigmoid",
        "gelu": "normal_cdf",
        "mish": "tanh_softplus",
    }
    assert all((rule.shared is None) == (rule.written_out is None) for rule in TABLE.values())


def test_in_sympy_leaves_no_opaque_call():
    u, v = NAMES[:2]
    for function in TABLE:
        call = function(*arguments(function))
        assert not any(map(f.is_opaque, in_sympy(call).atoms(sympy.Function))), function
    assert in_sympy(f.silu(u) + f.relu(v)).has(Piecewise)


def test_specs_and_formulas_offer_just_the_functions_that_there_are():
    assert {*ACTIVATIONS, "softmax"} == set(spec.ACTIVATIONS)
    assert {*IN_FORMULAS, "sum"} == set(formula.FUNCTIONS)


@pytest.mark.parametrize("called", list(ACTIVATIONS))
def test_activations_have_a_derivative_in_the_table(called):
    call = ACTIVATIONS[called](placeholder("u"))
    assert isinstance(call, Symbol) or type(call) in TABLE


def test_integer_power():
    u = placeholder("u")
    assert [f.integer_power(e) for e in (u**3, 1 / u, sympy.sqrt(u), u)] == [3, -1, None, None]
