"""Compiled code at the ends of its dtype: zeros, subnormal and huge numbers, infinities, NaN.

A formula's value must be near its exact value, or what IEEE 754 gives for the formula as written,
operation by operation; its slope likewise. Exact values are mpmath's. Many formulas are compiled
in one module: the function that computes loss and gradient is taken out of each emitted one.
"""

import ast
import operator
import re
from math import copysign, inf, isinf, isnan, nan

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symgrad
from symgrad.errors import SpecError
from symgrad.targets.numba.load import load

DTYPES = ["float32", "float64"]

# fmt: off
SLOPES = {
    # formula              its slope
    "1/z":                 "-1/z**2",
    "exp(z)":              "exp(z)",
    "expm1(z)":            "expm1(z) + 1",
    "log(z)":              "1/z",
    "log1p(z)":            "1/(1 + z)",
    "sqrt(z)":             "0.5/sqrt(z)",
    "1/sqrt(z)":           "-0.5*z**-1.5",
    "abs(z)":              "sign(z)",
    "sin(z)":              "cos(z)",
    "cos(z)":              "-sin(z)",
    "tanh(z)":             "1 - tanh(z)**2",
    "sinh(z)":             "cosh(z)",
    "cosh(z)":             "sinh(z)",
    "atan(z)":             "1/(1 + z*z)",
    "erf(z)":              "bell(z)",
    "sigmoid(z)":          "sigmoid(z)*(1 - sigmoid(z))",
    "softplus(z)":         "sigmoid(z)",
    "relu(z)":             "step(z)",
    "min(z, 2)":           "step(2 - z)",
    "max(z, -2)":          "step(z + 2)",
    "z**2":                "2*z",
    "z**3":                "3*(z*z)",
    "z**7":                "7*(z**6)",
    "z**16":               "16*(z**15)",
    "z**-1":               "-1/z**2",
    "z**-2":               "-2/z**3",
    "z**-3":               "-3/z**4",
    "z**1.5":              "1.5*sqrt(z)",
    "z**2.5":              "2.5*z**1.5",
    "z**-0.5":             "-0.5*z**-1.5",
    "z**-1.5":             "-1.5*z**-2.5",
    "z**0.3":              "0.3*z**-0.7",
    "z**1.7":              "1.7*z**0.7",
    "z**-0.3":             "-0.3*z**-1.3",
    "z**(1/3)":            "z**(-2/3)/3",
}
# fmt: on

# Formulas that fast-math flags or a fused operation would change at an end.
TOGETHER = [
    "-z",
    "z + 1",
    "1 - z",
    "3*z",
    "z/3",
    "min(1/sqrt(abs(z)), 10)",
    "exp(-1/sqrt(z))",
    "(1 + z**2)**-0.5",
    "log1p((z + 1)**2)",
    "(z + 3)**2 - abs(z)",
    "(z + 1e30)*1e-30",
    "z/(abs(z) + 1)",
    "max(z, 1)/min(z, -1)",
    "relu(z)*relu(-z)",
    "exp(z)*z",
    "sqrt(relu(z))",
    "abs(z)**0.5",
    "sum(z)",
    "sum(z*z)",
    "1/(1 + z**4)",
    "log(1 + 1/abs(z))",
    "sigmoid(1/z)",
    "tanh(1/z)",
    "atan(1/z)",
    "erf(1/z)",
    "expm1(-1/abs(z))",
    "softplus(-1/z)",
    "min(1/z, z)",
    "max(1/z, z)",
]


def ends(dtype):
    """Where things end; only what networks have in between."""
    limits = np.finfo(dtype)
    tiny, small, largest = limits.smallest_subnormal, limits.smallest_normal, limits.max
    sizes = [tiny, 3 * tiny, small / 7, small, 1e-20, 1.0, 50.0, 2e19, 1e30, largest / 2, largest]
    u = np.array([0.0, inf, *sizes], limits.dtype)
    return np.array([*u, *-u, nan], limits.dtype)


# ------------------------------------------------------------------- what is right, and how near

OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip

FUNCTIONS = {
    # name       exactly, of a finite number other than 0as NumPy has it, of others
    "exp":      (mpmath.exp,                              np.exp),
    "expm1":    (mpmath.expm1,                            np.expm1),
    "log":      (mpmath.log,                              np.log),
    "log1p":    (mpmath.log1p,                            np.log1p),
    "sin":      (mpmath.sin,                              np.sin),
    "cos":      (mpmath.cos,                              np.cos),
    "tanh":     (mpmath.tanh,                             np.tanh),
    "sinh":     (mpmath.sinh,                             np.sinh),
    "cosh":     (mpmath.cosh,                             np.cosh),
    "atan":     (mpmath.atan,                             np.arctan),
    "erf":      (mpmath.erf,                              lambda u: np.sign(u) if u else u),
    "sigmoid":  (lambda u: 1 / (1 + mpmath.exp(-u)),      lambda u: 1 / (1 + np.exp(-u))),
    "softplus": (lambda u: mpmath.log1p(mpmath.exp(u)),   lambda u: np.logaddexp(0, u)),
    "bell":     (lambda u: 2 * mpmath.exp(-u * u) / mpmath.sqrt(mpmath.pi),
                                               lambda u: 2 * np.exp(-u * u) / np.pi**0.5),
}  # fmt: skip

CHOICES = {
    "abs": abs,
    "sum": lambda u: u,
    "relu": lambda u: u if not u <= 0 else 0,
    "step": lambda u: 1 if u > 0 else 0,
    "sign": lambda u: (u > 0) * 1 - (u < 0) * 1 if u == u else u,
    "min": lambda u, v: u if u < v or u != u else v,
    "max": lambda u, v: u if u > v or u != u else v,
}


def rounded(value, dtype):
    """The nearest number of a dtype, infinite beyond its largest; NaN for what is not real."""
    if not isinstance(value, mpf) or mpmath.isnan(value):
        return dtype(nan)
    if value == 0 or mpmath.isinf(value):
        return dtype(value)
    limits = np.finfo(dtype)
    _, exponent = mpmath.frexp(value)
    last = mpf(2) ** (max(int(exponent) - 1, int(limits.minexp)) - int(limits.nmant))
    nearest = mpmath.nint(value / last) * last
    finite = abs(nearest) <= float(limits.max)
    return dtype(float(nearest)) if finite else dtype(copysign(inf, value))


def as_written(formula, z, dtype):
    """A formula's value by IEEE 754: every operation and function is rounded, and right."""

    def value(node):
        match node:
            case ast.Constant(number):
                return rounded(mpf(repr(number)), dtype)
            case ast.Name():
                return z
            case ast.UnaryOp(ast.USub(), operand):
                return -value(operand)
            case ast.BinOp(left, ast.Pow(), right):
                return power(value(left), exponent(right))
            case ast.BinOp(left, sign, right):
                return dtype(OPERATORS[type(sign)](value(left), value(right)))
            case ast.Call(ast.Name("sqrt"), [argument]):
                return np.sqrt(value(argument))
            case ast.Call(ast.Name(name), arguments) if name in CHOICES:
                return dtype(CHOICES[name](*map(value, arguments)))
            case ast.Call(ast.Name(name), [argument]):
                exactly, otherwise = FUNCTIONS[name]
                u = value(argument)
                if not np.isfinite(u) or u == 0:
                    return dtype(otherwise(u))
                return rounded(exactly(mpf(float(u))), dtype)
        raise AssertionError(node)

    def power(base, exponent):
        if not np.isfinite(base) or base == 0 or exponent == 0:
            return dtype(np.float64(base) ** float(exponent))
        if exponent != int(exponent):
            exponent = mpf(float(rounded(exponent, dtype)))  # constants are of the dtype
            return dtype(nan) if base < 0 else rounded(mpf(float(base)) ** exponent, dtype)
        if exponent < 0:  # the quotient 1/u^k
            return dtype(1) / power(base, -exponent)
        return rounded(mpf(float(base)) ** exponent, dtype)

    with np.errstate(all="ignore"):
        return value(ast.parse(formula, mode="eval").body)


def exponent(node):
    """A constant after **, which a formula's grammar has folded."""
    return exactly(ast.unparse(node), np.float64(1))


def exactly(formula, z):
    """The same in as many digits as it needs; NaN where infinities are met on the way."""

    def value(node):
        match node:
            case ast.Constant(number):
                return mpf(repr(number))
            case ast.Name():
                return mpf(float(z))
            case ast.UnaryOp(ast.USub(), operand):
                return -value(operand)
            case ast.BinOp(left, ast.Pow(), right):
                return value(left) ** exponent(right)
            case ast.BinOp(left, sign, right):
                return OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(ast.Name("sqrt"), [argument]):
                return mpmath.sqrt(value(argument))
            case ast.Call(ast.Name(name), arguments):
                function = CHOICES.get(name) or FUNCTIONS[name][0]
                return mpf(function(*map(value, arguments)))
        raise AssertionError(node)

    of_exponentials = re.search("exp|sinh|cosh|sig|soft|bell", formula)
    if not np.isfinite(z) or (abs(z) > 1e6 and of_exponentials):
        return mpf(nan)
    try:
        with mpmath.workdps(800):
            return value(ast.parse(formula, mode="eval").body)
    except (ZeroDivisionError, ValueError, TypeError):
        return mpf(nan)


def near(found, right, dtype, ulp):
    """Within some units in the last place, which below the smallest normal number are equal."""
    if isnan(right) or isinf(right) or isnan(found) or isinf(found):
        return found == right or (isnan(found) and isnan(right))
    return abs(float(found) - float(right)) <= ulp * spacing(right, dtype)


def spacing(number, dtype):
    return float(np.spacing(min(abs(dtype(number)), np.finfo(dtype).max / 2)))


# ------------------------------------------------------------------------------- what is computed


def spec(formula, dtype):
    """y = formula of z = x·W + b; the loss is y, so that the gradient by b is its slope."""
    return {
        "name": "ends",
        "dtype": dtype,
        "inputs": 1,
        "layers": [{"units": 1, "activation": "mine"}],
        "loss": {"formula": "y"},
        "activations": {"mine": {"formula": formula}},
    }


INLINED = re.compile(r"\binlined=(\[[^\]]*\]),\s*compiled=")
COMPILED = re.compile(r"\bcompiled=(\[[^\]]*\]),\n\)")


def functions_of(source):
    """The functions of a module as they stand in it, by name."""
    lines = source.split("\n")
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def together(formulas, dtype, folder):
    """One module with the gradients of all formulas, number k as `_gradient_k`."""
    sources = [symgrad.compile(spec(formula, dtype)).source for formula in formulas]
    elementary, gradients = {}, []
    for place, source in enumerate(sources):
        parts = functions_of(source)
        inlined = ast.literal_eval(INLINED.search(source)[1])
        elementary |= {name: parts[name] for name in inlined if name != "_gradient_at_the_end"}
        found = parts["_gradient_of_leaf"]
        gradients.append(found.replace("_gradient_of_leaf", f"_gradient_{place}", 1))
    rest = "def _prediction_of_chunk"
    head, _, tail = sources[0].partition("\n" + rest)
    for name in elementary:
        head = head.replace(functions_of(head).get(name, ""), "")
    names = [*(f"_gradient_{place}" for place in range(len(gradients))), "everything"]
    tail = INLINED.sub(f"inlined={[*elementary, '_gradient_at_the_end']},\n    compiled=", tail)
    tail = COMPILED.sub(lambda found: f"compiled={ast.literal_eval(found[1]) + names},\n)", tail)
    calls = "".join(
        f"        values[{place}, k] = {re.search(r'def (.*?):', gradient)[1]}\n"
        f"        slopes[{place}, k] = gradient[1]\n"
        for place, gradient in enumerate(gradients)
    )
    driver = (
        "def everything(theta, samples, N, gradient, values, slopes):\n"
        "    for k in range(samples.shape[0]):\n"
        f"        x = samples[k : k + 1]\n{calls}"
    )
    parts = [head, *elementary.values(), *gradients, driver, rest + tail]
    path = folder / f"ends_{dtype}.py"
    path.write_text("\n\n\n".join(parts), "utf-8")
    return load(path)


def values_and_slopes(formulas, dtype, folder):
    """For each formula its values at `ends`, and its slopes there."""
    module, kind = together(formulas, dtype, folder), np.dtype(dtype).type
    u = ends(dtype)
    values, slopes = np.empty((2, len(formulas), len(u)), dtype)
    theta = np.array([1, 0], dtype)
    module.everything(theta, u[:, None].copy(), kind(1), np.empty(2, dtype), values, slopes)
    return u, dict(zip(formulas, values, strict=True)), dict(zip(formulas, slopes, strict=True))


def wrong(u, formula, found, dtype, ulp):
    """What is neither as IEEE 754 has it for the formula as written nor near the exact value."""
    kind = np.dtype(dtype).type
    for z, each in zip(u + kind(0), found, strict=True):  # a sum of products is no -0
        written, exact = as_written(formula, z, kind), rounded(exactly(formula, z), kind)
        if not near(each, written, kind, ulp) and not near(each, exact, kind, ulp):
            yield f"{formula} at {z!r}: {each!r}, not {written!r} (exactly {exact!r})"


# ------------------------------------------------------------------------------------- the tests


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("formula", TOGETHER)
def test_formulas_are_computed_operation_by_operation(formula, dtype):
    u, theta = ends(dtype), np.array([1, 0], dtype)
    found = symgrad.compile(spec(formula, dtype)).module.predict(theta, u[:, None].copy())
    assert [*wrong(u, formula, found[:, 0], dtype, 4)] == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_formulas_are_computed_operation_by_operation_by_numba(dtype, tmp_path):
    u, values, _ = values_and_slopes(TOGETHER, dtype, tmp_path)
    assert [w for formula in TOGETHER for w in wrong(u, formula, values[formula], dtype, 4)] == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_function_and_its_slope_are_right_at_the_ends(dtype, tmp_path):
    u, values, slopes = values_and_slopes(list(SLOPES), dtype, tmp_path)
    for formula, slope in SLOPES.items():
        assert [*wrong(u, formula, values[formula], dtype, 4)] == []
        assert [*wrong(u, slope, slopes[formula], dtype, 8)] == [], formula


@pytest.mark.parametrize(
    "formula, z, right",
    [
        ("min(1/sqrt(abs(z)), 10)", [0.0, 1e-40], [10.0, 10.0]),
        ("exp(-1/sqrt(z))", [0.0], [0.0]),
        ("(1 + z**2)**-0.5", [2e19], [0.0]),
    ],
)
def test_reciprocal_square_roots_are_no_estimates(formula, z, right):
    module = symgrad.compile(spec(formula, "float32")).module
    x = np.array(z, np.float32)[:, None]
    assert module.predict(np.array([1, 0], np.float32), x).ravel().tolist() == right


def test_no_flags_for_inexact_arithmetic_are_left():
    for source in (symgrad.compile(spec("z", dtype)).source for dtype in DTYPES):
        assert "fastmath=True" not in source
        assert not re.findall(r"(?:fastmath|flags)=(\S+)", source)


# ------------------------------------------------------------------- constants beyond the dtype


def refusal_of(given, dtype):
    with pytest.raises(SpecError) as caught:
        symgrad.compile(spec(given, dtype) if isinstance(given, str) else given)
    return str(caught.value)


@pytest.mark.parametrize(
    "formula, dtype, number, wrong",
    [
        ("log(z + 1e-60)", "float32", "the number 1e-60", "small"),
        ("z/(abs(z) + 1e-50)", "float32", "the number 1e-50", "small"),
        ("1e60*z", "float32", "the number 1e60", "large"),
        ("3.5e38*z", "float32", "the number 3.5e38", "large"),
        ("z*1e-40", "float32", "comes to 1.00E-40", "small"),
        ("z*1e-22*1e-22", "float32", "comes to 1.00E-44", "small"),
        ("5e-324*z", "float64", "comes to 5.00E-324", "small"),
        ("exp(100)*z", "float32", "'exp(100)'", "large"),
        ("(1e30*1e30)*z", "float32", "'1e30*1e30'", "large"),
        ("z*1e30*1e30", "float32", "comes to 1.00E+60", "large"),
        ("z*1e-30*1e-30", "float32", "comes to 1.00E-60", "small"),
        ("(z/1e25)**2", "float32", "comes to 1.00E-50", "small"),
        ("z/1e-20/1e-20", "float32", "comes to 1.00E+40", "large"),
        ("z*1e-300*1e-300", "float64", "comes to 1.00E-600", "small"),
        ("z*1e300*1e300", "float64", "comes to 1.00E+600", "large"),
        ("exp(-80)*z*exp(-80)", "float32", "comes to 3.26E-70", "small"),
        ("1.6e38*z**16", "float32", "derivatives comes to 2.56E+39", "large"),
        ("1e308*z**16", "float64", "derivatives comes to 1.60E+309", "large"),
    ],
)
def test_a_constant_that_would_become_another_number_is_refused(formula, dtype, number, wrong):
    message = refusal_of(formula, dtype)
    assert number in message and f"is too {wrong} for a {dtype}" in message
    assert ('dtype = "float64"' in message) == (dtype == "float32")


@pytest.mark.parametrize(
    "part, key, value, dtype",
    [
        ("loss", "l2", 1e60, "float32"),
        ("loss", "l1", 1e-60, "float32"),
        ("training", "rate", 1e60, "float32"),
        ("training", "clip", 1e-50, "float32"),
    ],
)
def test_a_setting_beyond_the_dtype_is_refused(part, key, value, dtype):
    given = {
        "name": "n",
        "dtype": dtype,
        "inputs": 1,
        "layers": [{"units": 1}],
        "loss": {"kind": "squared"},
        "training": {},
    }
    given[part][key] = value
    assert refusal_of(given, dtype).startswith(f"{part}.{key}: {value!r} is too ")


def test_constants_of_formulas_and_optimizers_are_of_the_dtype():
    given = spec("z + c", "float32")
    given["activations"]["mine"]["constants"] = {"c": 1e-60}
    message = refusal_of(given, "float32")
    assert message.startswith("activations.mine.formula: c = 1e-60 is too small for a float32")
    given = spec("z", "float32") | {"training": {"constants": {"epsilon": 1e-60}}}
    message = refusal_of(given, "float32")
    assert message.startswith("training.constants.epsilon: 1e-60 is too small for a float32")
    given = spec("z", "float64") | {"training": {"constants": {"epsilon": 1e-60}}}
    symgrad.compile(given)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_and_the_smallest_constants_are_kept(dtype):
    limits = np.finfo(dtype)
    tiny = limits.smallest_subnormal
    for number in (limits.max, limits.smallest_normal, limits.smallest_normal / 2, 10 * tiny, tiny):
        source = symgrad.compile(spec(f"z + {float(number)!r}", dtype)).source
        (kept,) = re.findall(r"y\[i1\] = (?:F\()?(.*?)\)? \+ z1", source.split("def _gradient")[1])
        assert limits.dtype.type(kept) == number
