"""The elementary functions of emitted modules: against mpmath, over both dtypes' whole range."""

import ast
import platform
import re
import runpy
import sys
from functools import cache
from math import inf, log, nan
from pathlib import Path

import mpmath
import numba
import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader
from mpmath import mpf
from sympy import Symbol, lambdify

from symgrad.language.functions import SELU_ALPHA, SELU_SCALE, TABLE, in_sympy
from symgrad.targets import coefficients, rendered
from symgrad.targets.elementary import CALLS, CALLS_OF_MANY, ULP, numbers, with_callees
from symgrad.targets.numba import emit
from symgrad.targets.numba.load import load_text
from tests.assembly import library_functions
from tests.paths import ROOT

DTYPES = ["float64", "float32"]


@cache
def functions_template():
    """The functions of the module template, whichever are asked for."""
    environment = Environment(
        loader=FileSystemLoader(emit.templates()), trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["unknown_function"] = emit._unknown_function
    return environment.from_string(
        '{% from "functions.py.jinja" import function with context %}'
        "{% for name in names %}{{ function(name) }}\n\n{% endfor %}"
    )


def emitted_functions(names, single):
    """The source of elementary functions, as the module template has it."""
    return functions_template().render(
        names=with_callees(names),
        single=single,
        elementary=numbers(single),
        selu_high=repr(float(SELU_SCALE)),
        selu_low=repr(float(SELU_SCALE * SELU_ALPHA)),
    )


TEMPLATE = (emit.templates() / "functions.py.jinja").read_text("utf-8")
IN_TEMPLATE = sorted(
    {
        name
        for condition in re.findall(r"if (name (?:==|in) .*?) %}", TEMPLATE)
        for name in re.findall(r'"(\w+)"', condition)
    }
)
BY_NAME = {function.__name__: function for function in TABLE}
# What steps of optimizers call, in float64.
OF_STEPS = {"cos64", "power64", "power64_whole"}
HELPERS = {"exp_times", "log1p_unit", "normal_tail", "quarter_turns"}
SINGLE_ARGUMENT = [
    name for name in IN_TEMPLATE if name in BY_NAME and len(TABLE[BY_NAME[name]].partials) == 1
]
PAIRS = [
    name for name in IN_TEMPLATE if name in BY_NAME and len(TABLE[BY_NAME[name]].partials) == 2
]


# Their value at 0 is 0, and they cross it upwards: the sign of a zero is kept.
ODD_AT_ZERO = {
    "tanh", "sin", "sinh", "atan", "erf", "expm1", "log1p", "softsign",
    "leaky_relu", "elu", "selu", "silu", "gelu", "mish",
}  # fmt: skip
assert set(SINGLE_ARGUMENT) >= ODD_AT_ZERO


RUNTIME = load_text(emit.runtime(), "runtime_of_functions")
ARITHMETIC = {"fma": RUNTIME.fma, "opaque": RUNTIME.opaque}


@numba.njit(forceinline=True)
def in_two(a, b, c):
    """As processors have it that do not multiply and add in one operation."""
    return a * b + c


def compiled_functions(names, single):
    """The functions, compiled, by their names."""
    space = {"np": np, "F": np.float32, **ARITHMETIC}
    exec(compile(emitted_functions(names, single), "functions.py", "exec"), space)
    compile_inlined(names, space)
    return space


def compile_inlined(names, space):
    """As a module has its elementary functions compiled."""
    for name in with_callees(names):
        space[name] = numba.njit(error_model="numpy", forceinline=True)(space[name])


class Loops:
    """A loop over each function, as emitted code has them."""

    def __init__(self, name, **arithmetic):
        self.dtype = np.dtype(name)
        self.single = name == "float32"
        self.loops = {}
        self.arithmetic = arithmetic

    def loop(self, name, arguments=1):
        if name not in self.loops:
            given = ["u[n]", "v[n]", "w[n]"][:arguments]
            called = "power(u[n], 3)" if name == "power" else f"{name}({', '.join(given)})"
            source = emitted_functions([name], self.single)
            source += f"""
@njit(error_model="numpy")
def loop(out, u, v, w):
    for n in range(len(u)):
        out[n] = {called}
"""
            space = {"np": np, "F": np.float32, "njit": numba.njit, **self.arithmetic}
            exec(compile(source, f"{name}.py", "exec"), space)
            compile_inlined([name], space)
            self.loops[name] = space["loop"]
        return self.loops[name]

    def __call__(self, name, *arguments):
        u, v, w = [np.asarray(each, self.dtype) for each in 3 * arguments][:3]
        out = np.empty_like(u)
        self.loop(name, len(arguments))(out, u, v, w)
        return out


LOOPS = {dtype: Loops(dtype, **ARITHMETIC) for dtype in DTYPES}
UNFUSED = {dtype: Loops(dtype, **ARITHMETIC | {"fma": in_two}) for dtype in DTYPES}


@pytest.fixture(params=DTYPES)
def loops(request):
    return LOOPS[request.param]


def test_every_function_is_known():
    spelled = {function.__name__ for function, rule in TABLE.items() if rule.spelled}
    assert set(BY_NAME) - set(IN_TEMPLATE) == {"Abs"} | spelled
    assert set(IN_TEMPLATE) - set(BY_NAME) == {"square", "power", "half_sech"} | HELPERS | OF_STEPS


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("kind", CALLS_OF_MANY)
def test_functions_of_many_terms(kind, single):
    """Of three terms, against mpmath, from where exp is 0 to where it is infinite."""
    dtype = np.float32 if single else np.float64
    functions = compiled_functions([f"{kind}_3"], single)
    c, places = (1, 2, 0.5), [(0, 1, -1), (800, -800, 3), (-3000, -2999, -3001), (90, 91, 0)]
    for u in places:
        with mpmath.workdps(3000):
            total = sum(k * mpmath.exp(v) for k, v in zip(c, u, strict=True))
            right = {
                "inverse_sum_exp": lambda s: 1 / s,
                "log_sum_exp": mpmath.log,
                "log1p_sum_exp": mpmath.log1p,
            }[kind](total)
        arguments = [dtype(each) for pair in zip(c, u, strict=True) for each in pair]
        found = functions[f"{kind}_3"](*arguments)
        right = dtype(float(min(right, mpmath.mpf(10) ** 400)))
        np.testing.assert_allclose(found, right, rtol=6 * np.finfo(dtype).eps)


def test_an_unknown_function_is_no_silent_gap():
    with pytest.raises(AssertionError, match="no function nonsense"):
        emitted_functions(["nonsense"], single=False)


@pytest.mark.parametrize("name", IN_TEMPLATE)
@pytest.mark.parametrize("single", [False, True])
def test_functions_call_what_is_listed(name, single):
    tree = ast.parse(emitted_functions([name], single))
    called = {
        node.func.id
        for node in ast.walk(tree.body[-1])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & set(IN_TEMPLATE) == set(CALLS.get(name, ()))


# ------------------------------------------------------------------------------------- accuracy

SCALE, ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")


def tail(a):
    """P(X < -a) of a standard normal X."""
    return mpmath.erfc(max(-1000, min(1000, a)) / mpmath.sqrt(2)) / 2


def softplus(u):
    return mpmath.log1p(mpmath.exp(u))


EXACT = {
    "exp_times": lambda y, u, v: y * mpmath.exp(u + v),
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "log1p_unit": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "sech": mpmath.sech,
    "log_cosh": lambda u: mpmath.log1p(2 * mpmath.sinh(u / 2) ** 2),
    "atan": mpmath.atan,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "elu": lambda u: u if u > 0 else mpmath.expm1(u),
    "selu": lambda u: SCALE * (u if u > 0 else ALPHA * mpmath.expm1(u)),
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
    "softplus": softplus,
    "silu": lambda u: u / (1 + mpmath.exp(-u)),
    "normal_tail": lambda y, a: y * tail(a),
    "normal_cdf": lambda u: tail(-u),
    "normal_pdf": lambda u: mpmath.exp(-u * u / 2) / mpmath.sqrt(2 * mpmath.pi),
    "gelu": lambda u: u * tail(-u),
    "erf": lambda u: mpmath.erf(max(-1000, min(1000, u))),
    "tanh_softplus": lambda u: mpmath.tanh(softplus(u)),
    "mish": lambda u: u * mpmath.tanh(softplus(u)),
    "gaussian": lambda u: mpmath.exp(-u * u),
    "xlogy": lambda t, y: t * mpmath.log(y),
}

# where a method changes, a result overflows, or falls below the normal and the smallest numbers
BREAKS = [0.3466, 0.5493, 0.6931, 0.7071, 0.7854, 1, 1.0397, 1.4142, 1.5708, 2, 3, 4, 9.01, 9.3]
BREAKS += [10.2, 12.5, 13.1, 14.17, 15, 16.6, 17.3, 18, 19.1, 26.6, 27.2, 28, 36.7, 38, 38.57, 39]
BREAKS += [87.3366, 88.7228, 89, 89.416, 103.972, 170, 708.3964, 709.7827, 710, 745.133, 1400]
BREAKS += [2.0**20, 2.0**23, 2.0**51, 2.0**52, 2.0**77, 2.0**103]


def points(dtype, number, seed=0):
    """Arguments all over the range: every size, the middle, near the breaks, and the ends."""
    random = np.random.default_rng(seed)
    limits = np.finfo(dtype)
    sizes = np.exp2(random.uniform(limits.minexp - limits.nmant, limits.maxexp - 0.001, 2 * number))
    near = np.outer(BREAKS, 1 + np.array([-1e-3, -2, -1, 0, 1, 2, 1e3]) * float(limits.eps))
    ends = [limits.max, limits.smallest_normal, limits.smallest_subnormal, limits.eps, 0.0]
    half = np.concatenate(
        [
            sizes,
            near.ravel(),
            ends,
            *(random.uniform(0, width, number) for width in (1, 4, 20, 110)),
            random.uniform(0, -limits.minexp, number),
        ]
    ).astype(dtype)
    return np.concatenate([half, -half])


def errors(found, exact, dtype):
    """Errors in units in the last place of the exact value; infinity is the first beyond all."""
    limits = np.finfo(dtype)
    first = mpf(2) ** int(limits.maxexp)
    for number, value in zip(found.tolist(), exact, strict=True):
        value = max(-first, min(first, value))
        number = mpmath.sign(number) * first if abs(number) == inf else mpf(number)
        exponent = mpmath.frexp(value)[1] if value else 0
        last = max(exponent, int(limits.minexp) + 1) - int(limits.nmant) - 1
        yield float(abs(number - value) / mpf(2) ** last)


DOMAINS = {
    "log": lambda u: u > 0,
    "log1p": lambda u: u > -1,
    "log1p_unit": lambda u: (u >= 0) & (u <= 1),
}


def arguments(name, dtype, number):
    """Arguments of a function where it is defined."""
    u = points(dtype, number)
    if name in DOMAINS:
        return (u[DOMAINS[name](u)],)
    if name not in ("xlogy", "normal_tail", "exp_times"):
        return (u,)
    random = np.random.default_rng(1)
    spread = random.normal(size=len(u)).astype(dtype)
    if name == "xlogy":
        return spread, abs(u) + np.finfo(dtype).smallest_subnormal
    if name == "normal_tail":
        a = abs(u[abs(u) <= numbers(dtype == "float32")["normal_limit"]])
        return abs(spread[: len(a)]) + np.dtype(dtype).type(0.1), a
    u = u[abs(u) <= (160 if dtype == "float32" else 1300)]
    return spread[: len(u)], u, u * random.uniform(-1e-3, 1e-3, len(u)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_errors_are_within_what_is_stated(name, dtype):
    assert_within_what_is_stated(name, dtype, LOOPS)


def next_to_quarter_turns(dtype):
    """For every exponent the numbers m·2^e closest to a multiple of π/2: the m are denominators of
    convergents of 2^e/(π/2), and multiples of them."""
    limits = np.finfo(dtype)
    least = 2 ** int(limits.nmant)
    found = []
    with mpmath.workprec(3000):
        for e in range(-int(limits.nmant), int(limits.maxexp) - int(limits.nmant)):
            rest, below, m = mpmath.ldexp(2 / mpmath.pi, e), 1, 0
            while True:
                whole = int(mpmath.floor(rest))
                below, m = m, whole * m + below
                if m >= 2 * least:
                    break
                rest = 1 / (rest - whole)
            found.append(below * -(-least // below) * 2.0**e)
    return np.array(found, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_arguments_next_to_a_multiple_of_a_quarter_turn(name, dtype):
    u = next_to_quarter_turns(dtype)
    if dtype == "float64":
        assert 6381956970095103 * 2.0**797 in u  # the closest of all
    u = np.concatenate([u, -u, np.nextafter(u, 0)])
    with mpmath.workdps(40):
        exact = [EXACT[name](mpf(each)) for each in u.tolist()]
        assert min(map(abs, exact)) < np.finfo(dtype).eps
        assert max(errors(LOOPS[dtype](name, u), exact, dtype)) <= ULP[name][dtype == "float64"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_errors_are_so_at_many_more_numbers(name, dtype):
    assert_within_what_is_stated(name, dtype, LOOPS, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_errors_are_so_without_a_fused_multiply_add(name, dtype):
    assert_within_what_is_stated(name, dtype, UNFUSED, 200)


def assert_within_what_is_stated(name, dtype, loops, number=100):
    at = arguments(name, dtype, number)
    found = loops[dtype](name, *at)
    assert not np.isnan(found).any()
    with mpmath.workdps(40):
        exact = [EXACT[name](*map(mpf, each)) for each in np.transpose(at).tolist()]
        error = np.array(list(errors(found, exact, dtype)))
    worst = error.argmax()
    stated = ULP[name][dtype == "float64"]
    assert stated <= 4
    assert error[worst] <= stated, f"{name}({[a[worst] for a in at]}) = {found[worst]}"


def test_the_error_is_stated_where_people_read_it():
    for name, stated in ULP.items():
        for single, ulp in zip((True, False), stated, strict=True):
            source = emitted_functions([name], single).rpartition("\ndef ")[2]
            assert f"Within {ulp} ulp." in " ".join(source.split())
    assert set(ULP) == set(EXACT)


# ------------------------------------------------------------------------ all that float32 has

SELU = float(SELU_SCALE), float(SELU_SCALE * SELU_ALPHA)


def in_double():
    """The functions in float64, by NumPy and SciPy: exact enough to judge float32."""
    from scipy import special

    def of_softplus(u):
        q = np.exp(-abs(u))
        part = np.where(u < 0, q * (q + 2), 1 + 2 * q)
        return part / (part + np.where(u < 0, 2, 2 * q * q))

    def log_cosh(u):
        near = np.log1p(2 * np.sinh(np.clip(u, -1, 1) / 2) ** 2)
        return np.where(abs(u) < 1, near, abs(u) + np.log1p(np.exp(-2 * abs(u))) - np.log(2))

    return {
        "exp": np.exp,
        "expm1": np.expm1,
        "log": np.log,
        "log1p": np.log1p,
        "tanh": np.tanh,
        "sinh": np.sinh,
        "cosh": np.cosh,
        "sech": lambda u: 2 * np.exp(-abs(u)) / (1 + np.exp(-2 * abs(u))),
        "log_cosh": log_cosh,
        "atan": np.arctan,
        "sin": np.sin,
        "cos": np.cos,
        "elu": lambda u: np.where(u > 0, u, np.expm1(u)),
        "selu": lambda u: np.where(u > 0, SELU[0] * u, SELU[1] * np.expm1(u)),
        "sigmoid": special.expit,
        "softplus": lambda u: np.maximum(u, 0) + np.log1p(np.exp(-abs(u))),
        "silu": lambda u: u * special.expit(u),
        "normal_cdf": lambda u: special.erfc(-u / np.sqrt(2)) / 2,
        "normal_pdf": lambda u: np.exp(-u * u / 2) / np.sqrt(2 * np.pi),
        "gelu": lambda u: u * special.erfc(-u / np.sqrt(2)) / 2,
        "erf": special.erf,
        "tanh_softplus": of_softplus,
        "mish": lambda u: u * of_softplus(u),
        "gaussian": lambda u: np.exp(-u * u),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", in_double())
def test_a_dense_share_of_all_float32(name):
    """Every 31st of the 2^32; NaN in, or where the formula has ∞·0, and nowhere else."""
    reference, loop = in_double()[name], LOOPS["float32"]
    for start in range(0, 2**32, 2**28):
        bits = np.arange(start, start + 2**28, 31, dtype=np.uint64).astype(np.uint32)
        u = bits.view(np.float32)
        with np.errstate(all="ignore"):
            found = loop(name, u).astype(float)
            exact = reference(u.astype(float))
            size = np.minimum(abs(exact), np.finfo(np.float32).max).astype(np.float32)
            first = 2.0**128
            error = abs(np.clip(found, -first, first) - np.clip(exact, -first, first))
            error /= np.spacing(size).astype(float)
        assert (np.isnan(found) == np.isnan(exact))[np.isfinite(u) | np.isnan(u)].all()
        worst = np.nanargmax(error) if not np.isnan(error).all() else 0
        assert not error[worst] > ULP[name][0], f"{name}({u[worst]!r}) = {found[worst]}"


# ------------------------------------------------------------------- zeros, infinities and NaN


@pytest.mark.parametrize(
    "name, u, expected",
    [
        ("exp", [-inf, inf, 0.0, -0.0], [0.0, inf, 1.0, 1.0]),
        ("expm1", [-inf, inf, 0.0], [-1.0, inf, 0.0]),
        ("log", [0.0, -0.0, inf, -1.0, -inf, 1.0], [-inf, -inf, inf, nan, nan, 0.0]),
        ("log1p", [-1.0, inf, -2.0, -inf, 0.0], [-inf, inf, nan, nan, 0.0]),
        ("tanh", [-inf, inf, 0.0], [-1.0, 1.0, 0.0]),
        ("sinh", [-inf, inf, 0.0], [-inf, inf, 0.0]),
        ("cosh", [-inf, inf, 0.0], [inf, inf, 1.0]),
        ("sech", [-inf, inf, 0.0], [0.0, 0.0, 1.0]),
        ("log_cosh", [-inf, inf, 0.0], [inf, inf, 0.0]),
        ("atan", [-inf, inf, 0.0], [-np.pi / 2, np.pi / 2, 0.0]),
        ("sin", [-inf, inf, 0.0], [nan, nan, 0.0]),
        ("cos", [-inf, inf, 0.0], [nan, nan, 1.0]),
        ("erf", [-inf, inf, 0.0], [-1.0, 1.0, 0.0]),
        ("sigmoid", [-inf, inf, 0.0], [0.0, 1.0, 0.5]),
        ("softplus", [-inf, inf], [0.0, inf]),
        ("silu", [-inf, inf, 0.0], [0.0, inf, 0.0]),
        ("gelu", [-inf, inf, 0.0], [0.0, inf, 0.0]),
        ("mish", [-inf, inf, 0.0], [0.0, inf, 0.0]),
        ("normal_cdf", [-inf, inf], [0.0, 1.0]),
        ("normal_pdf", [-inf, inf], [0.0, 0.0]),
        ("gaussian", [-inf, inf, 0.0], [0.0, 0.0, 1.0]),
        ("tanh_softplus", [-inf, inf], [0.0, 1.0]),
        ("elu", [-inf, inf], [-1.0, inf]),
        ("selu", [-inf, inf], [-SELU[1], inf]),
    ],
)
def test_zeros_and_infinities(loops, name, u, expected):
    np.testing.assert_array_equal(loops(name, u), np.array(expected, loops.dtype))


@pytest.mark.parametrize("name", ["tanh", "erf", "atan", "sin", "sinh"])
def test_odd_functions_keep_the_sign(loops, name):
    u = points(loops.dtype.name, 200)
    if name in ("tanh", "sin"):
        u = u[u != 0]  # -0 becomes 0 there
    same = np.sin(u.astype(float)) if name == "sin" else u
    np.testing.assert_array_equal(np.signbit(loops(name, u)), np.signbit(same))


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_what_is_bounded_stays_within_its_bounds(loops, name):
    assert (abs(loops(name, points(loops.dtype.name, 5000))) <= 1).all()


def test_small_results_do_not_vanish():
    """Below the smallest normal number results lose digits one by one."""
    single = LOOPS["float32"]
    for name, u in [("sigmoid", -100), ("exp", -100), ("silu", -103), ("normal_cdf", -14)]:
        assert 0 < abs(single(name, [u])[0]) < np.finfo(np.float32).smallest_normal


@pytest.mark.parametrize("name", [*SINGLE_ARGUMENT, "square", "power", "log1p_unit"])
def test_functions_let_nan_through(loops, name):
    slopes = {"heaviside", "leaky_step", "nonpositive"}  # the value itself is NaN then
    if name not in slopes:
        assert np.isnan(loops(name, [nan, -nan])).all()


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_arguments_let_nan_through(loops, name):
    assert np.isnan(loops(name, [nan, nan, 0.0, 1.0], [1.0, nan, nan, nan])).all()


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("name", SINGLE_ARGUMENT)
def test_functions_at_zero(loops, name, zero):
    if name != "log":
        expected, _ = exact(name, 0.0)
        rounding = 4 * float(np.finfo(loops.dtype).eps)
        value = loops(name, [zero])[0]
        assert value == pytest.approx(float(expected), rel=rounding, abs=0)
        if name in ODD_AT_ZERO:
            assert np.signbit(value) == np.signbit(zero)


def test_infinite_arguments_of_pairs(loops):
    u, v = [inf, -inf, 1.0, 1.0, inf, 0.0], [1.0, 1.0, inf, -inf, inf, inf]
    assert loops("maximum", u, v).tolist() == [inf, 1.0, inf, 1.0, inf, inf]
    assert loops("minimum", u, v).tolist() == [1.0, -inf, 1.0, -inf, inf, 0.0]


def test_nothing_times_the_logarithm_of_nothing_is_nothing(loops):
    u, v = [0.0, -0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 2.0, 0.0, -1.0]
    np.testing.assert_array_equal(loops("xlogy", u, v), [0.0, 0.0, 0.0, -inf, nan])
    np.testing.assert_array_equal(loops("xdivy", u, v), [0.0, 0.0, 0.0, inf, -0.5])


# -------------------------------------------------------------- what the functions are called for

U, V = Symbol("u", real=True), Symbol("v", real=True)
MEANINGS = {}


def exact(name, *arguments):
    """What a function means, and how much its value changes with its arguments' rounding."""
    with mpmath.workdps(120):
        at = [mpmath.mpf(float(argument)) for argument in arguments]
        if name in ("square", "power"):
            power = 2 if name == "square" else 3
            return at[0] ** power, power * abs(at[0] ** power)
        symbols = (U, V)[: len(at)]
        rule = TABLE[BY_NAME[name]]
        value = MEANINGS.setdefault(
            name,
            [
                lambdify(symbols, in_sympy(each(*symbols)), "mpmath")
                for each in (rule.meaning, *rule.partials)
            ],
        )
        meaning, *partials = value
        return mpmath.mpf(meaning(*at)), sum(
            abs(argument * mpmath.mpf(partial(*at)))
            for argument, partial in zip(at, partials, strict=True)
        )


RANGE = np.concatenate(
    [
        np.linspace(-12, 12, 29),
        np.geomspace(1e-30, 80, 12),
        -np.geomspace(1e-30, 80, 12),
        np.random.default_rng(0).normal(size=8),
    ]
)


def assert_accurate(found, expected, condition, dtype, what):
    """Within some roundings of the value, and of the arguments; or below the smallest number."""
    limit = np.finfo(dtype)
    allowed = 12 * float(limit.eps) * (abs(expected) + condition) + 2 * float(limit.smallest_normal)
    error = abs(mpmath.mpf(float(found)) - expected)
    assert error <= allowed, f"{what}: {found}, not {mpmath.nstr(expected, 17)}"


@pytest.mark.parametrize("name", [*SINGLE_ARGUMENT, "square", "power"])
def test_functions_compute_what_they_mean(loops, name):
    u = RANGE.astype(loops.dtype)
    u = u[u > {"log": 0, "log1p": -0.99}.get(name, -inf)]
    for each, found in zip(u, loops(name, u), strict=True):
        expected, condition = exact(name, each)
        assert_accurate(found, expected, condition, loops.dtype, f"{name}({each!r})")


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_arguments_compute_what_they_mean(loops, name):
    random = np.random.default_rng(1)
    u, v = random.normal(size=(2, 60)).astype(loops.dtype)
    if name in ("xlogy", "xdivy"):
        v = abs(v)
    for a, b, found in zip(u, v, loops(name, u, v), strict=True):
        expected, condition = exact(name, a, b)
        assert_accurate(found, expected, condition, loops.dtype, f"{name}({a!r}, {b!r})")


def low_selu(u):
    return -SELU[1]


def itself(u):
    return u


def constant(value):
    return lambda u: value


# what a function comes to far below and far above 0
FAR = {
    "relu": (constant(0), itself),
    "heaviside": (constant(0), constant(1)),
    "nonpositive": (constant(1), constant(0)),
    "sign": (constant(-1), constant(1)),
    "leaky_relu": (lambda u: 0.01 * u, itself),
    "leaky_step": (constant(0.01), constant(1)),
    "exp": (constant(0), constant(inf)),
    "expm1": (constant(-1), constant(inf)),
    "log": (constant(nan), lambda u: log(u) if u < inf else inf),
    "log1p": (constant(nan), lambda u: log(u) if u < inf else inf),
    "tanh": (constant(-1), constant(1)),
    "sinh": (constant(-inf), constant(inf)),
    "cosh": (constant(inf), constant(inf)),
    "atan": (constant(-np.pi / 2), constant(np.pi / 2)),
    "erf": (constant(-1), constant(1)),
    "elu": (constant(-1), itself),
    "elu_slope": (lambda a: a + 1, constant(1)),
    "selu": (low_selu, lambda u: SELU[0] * u),
    "selu_slope": (itself, constant(SELU[0])),
    "sigmoid": (constant(0), constant(1)),
    "softplus": (constant(0), itself),
    "softsign": (constant(-1), constant(1)),
    "silu": (constant(0), itself),
    "normal_cdf": (constant(0), constant(1)),
    "normal_pdf": (constant(0), constant(0)),
    "gelu": (constant(0), itself),
    "tanh_softplus": (constant(0), constant(1)),
    "mish": (constant(0), itself),
    "gaussian": (constant(0), constant(0)),
    "log_cosh": (abs, abs),
    "sech": (constant(0), constant(0)),
    "huber": (abs, abs),
    "clip": (constant(-1), constant(1)),
}


def test_every_function_has_its_ends():
    assert set(FAR) | {"sin", "cos"} == set(SINGLE_ARGUMENT)


@pytest.mark.parametrize("name", FAR)
def test_functions_far_out(loops, name):
    """The limit; where the formula is no elementary function here, at infinity itself maybe NaN."""
    largest = float(np.finfo(loops.dtype).max)
    for size in (1e4, 1e10, 1e30, largest, inf):
        for u, limit in zip((-size, size), FAR[name], strict=True):
            with np.errstate(over="ignore"):
                expected = float(loops.dtype.type(limit(u)))
            (found,) = loops(name, [u])
            if np.isnan(found) and size == inf and name == "softsign":
                continue
            rough = 4 * np.finfo(loops.dtype).eps + 2 / size
            np.testing.assert_allclose(found, expected, rtol=rough, atol=1e-30)


# ------------------------------------------------------------------------------- vectorisation


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="reads x86 code")
@pytest.mark.parametrize("name", sorted(set(EXACT) - HELPERS - {"xlogy"}))
def test_loops_become_vector_instructions(loops, name):
    """Packed arithmetic in the compiled loop, and no call of a library's function."""
    if name in ("sin", "cos") and not loops.single:
        pytest.skip("has a branch for large arguments, and says so")
    loops(name, [1.0])
    (code,) = loops.loop(name).inspect_asm().values()
    suffix = "ps" if loops.single else "pd"
    assert len(re.findall(rf"\bv?(?:mul|fn?m(?:add|sub)\d+){suffix}\b", code)) > 5
    mine = code.split("loop", 1)[1]
    assert not re.search(rf"\b{name}f?@|\bcallq?\s+\*?(?:exp|log|tanh|sin|cos|erf)", mine)


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="reads x86 code")
@pytest.mark.parametrize("name", sorted({*EXACT, *SINGLE_ARGUMENT, *PAIRS}))
def test_no_function_calls_a_library(loops, name):
    many = {"exp_times": 3, "normal_tail": 2} | dict.fromkeys(PAIRS, 2)
    loops(name, *[[0.5]] * many.get(name, 1))
    assert library_functions("".join(loops.loop(name).inspect_asm().values())) == set()


# -------------------------------------------------------------------------------- coefficients


@pytest.mark.slow
def test_coefficients_are_those_derived(monkeypatch):
    folder = ROOT / "coefficients"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    import derive

    assert Path(coefficients.__file__).read_text("utf-8") == derive.source()


def test_the_rendered_functions_are_those_of_the_template():
    """To write them anew: python coefficients/render.py."""
    written = {path.name: path.read_text("utf-8") for path in rendered.FOLDER.glob("*.txt")}
    assert written == runpy.run_path(str(ROOT / "coefficients" / "render.py"))["rendered"]()
    for single in (True, False):
        known = {name for name in IN_TEMPLATE if rendered.is_there(rendered.name_of(single), name)}
        assert known == {*IN_TEMPLATE} - OF_STEPS
