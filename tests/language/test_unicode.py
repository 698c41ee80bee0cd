"""unicode: every kind of expression as it reads, and that it reads as what it is."""

import re
from random import Random

import mpmath
import pytest
import sympy
from sympy import Abs, Integer, Rational, Sum, exp, pi, sqrt, tanh

from symgrad.language import functions as f
from symgrad.language.functions import Peak
from symgrad.language.indices import SAMPLE, SAMPLES, unit
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array
from symgrad.language.unicode import POWER, Writer, equation, listing, text
from tests import nets

n, i0, i1 = SAMPLE, unit(0), unit(1)
x, W, b = array("x", n, i0), array("W1", i0, i1), array("b1", i1)
y, t = array("y", n, i1), array("t", n, i1)
E = array("E")
over0, over1 = (i0, 0, 2), (i1, 0, 3)


@undistributed
def expressions():
    """At least one expression for every branch of the printer, and how it is written."""
    product = Sum(x * W, over0)
    return [
        # atoms
        (x, "x[n,i0]"),
        (b, "b1[i1]"),
        (E, "E"),
        (SAMPLES, "N"),
        (pi, "π"),
        (sympy.E, "e"),
        (exp(Rational(1, 7)), "exp(1/7)"),
        # numbers
        (Integer(3), "3"),
        (Integer(-3), "-3"),
        (Rational(1, 2), "½"),
        (Rational(-3, 4), "-¾"),
        (Rational(1, 3), "⅓"),
        (Rational(1, 7), "1/7"),
        (Rational(-2, 7), "-2/7"),
        (Rational(1, 100), "0.01"),
        (Rational(1, 10**5), "1e-05"),
        (f.SELU_SCALE, "1.0507009873554805"),
        # sums
        (y - t, "y[n,i1] - t[n,i1]"),
        (t - y, "t[n,i1] - y[n,i1]"),
        (-y - t, "-t[n,i1] - y[n,i1]"),
        (1 - y**2, "1 - y[n,i1]²"),
        (y - 1, "y[n,i1] - 1"),
        (1 - (y + t), "1 - (t[n,i1] + y[n,i1])"),
        (-2 * (y + t) + 1, "1 - 2·(t[n,i1] + y[n,i1])"),
        (product + b, "Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]"),
        # products
        (2 * y, "2·y[n,i1]"),
        (-y, "-y[n,i1]"),
        (-y / 2, "-½·y[n,i1]"),
        (y / 7, "(1/7)·y[n,i1]"),
        (-y / 7, "-(1/7)·y[n,i1]"),
        (y * (1 - y), "y[n,i1]·(1 - y[n,i1])"),
        (-(y - t), "-(y[n,i1] - t[n,i1])"),
        (E * y * t, "E·t[n,i1]·y[n,i1]"),
        (y / t, "y[n,i1]/t[n,i1]"),
        (1 / (y * t), "1/(t[n,i1]·y[n,i1])"),
        (-1 / y, "-1/y[n,i1]"),
        (3 / y, "3/y[n,i1]"),
        (y / (1 + t), "y[n,i1]/(1 + t[n,i1])"),
        (y / (E * SAMPLES), "y[n,i1]/(E·N)"),
        (y / (1 + 3 * t), "y[n,i1]/(1 + 3·t[n,i1])"),
        (1 / (2 * (1 - y * t)), "½/(1 - t[n,i1]·y[n,i1])"),
        (y / tanh(2 * t), "y[n,i1]/tanh(2·t[n,i1])"),
        (y / t**2, "y[n,i1]/t[n,i1]²"),
        (y / sqrt(t), "y[n,i1]/sqrt(t[n,i1])"),
        (y * tanh(t), "y[n,i1]·tanh(t[n,i1])"),
        # powers
        (y**2, "y[n,i1]²"),
        (y**13, "y[n,i1]¹³"),
        ((y - t) ** 2, "(y[n,i1] - t[n,i1])²"),
        ((y * t) ** 2, "t[n,i1]²·y[n,i1]²"),
        (tanh(y) ** 2, "tanh(y[n,i1])²"),
        (1 / y, "1/y[n,i1]"),
        (1 / y**2, "1/y[n,i1]²"),
        (1 / (1 + y), "1/(1 + y[n,i1])"),
        (sqrt(y), "sqrt(y[n,i1])"),
        (1 / sqrt(y), "1/sqrt(y[n,i1])"),
        (sqrt(1 + y), "sqrt(1 + y[n,i1])"),
        (y ** Rational(2, 7), "y[n,i1]**(2/7)"),
        (y ** Rational(5, 4), "y[n,i1]**1.25"),
        (y ** Rational(-1, 3), "1/y[n,i1]**⅓"),
        ((1 + y) ** Rational(1, 4), "(1 + y[n,i1])**¼"),
        (y ** sqrt(2), "y[n,i1]**sqrt(2)"),
        # reductions
        (Sum(y, over1), "Σ_i1 y[n,i1]"),
        (Sum(y - t, over1), "Σ_i1 (y[n,i1] - t[n,i1])"),
        (Sum(W**2, over1, over0), "Σ_i0,i1 W1[i0,i1]²"),
        (Sum(y, over1) ** 2, "(Σ_i1 y[n,i1])²"),
        (2 * Sum(y, over1), "2·Σ_i1 y[n,i1]"),
        (-Sum(y, over1), "-Σ_i1 y[n,i1]"),
        (Sum(y, over1) / SAMPLES, "Σ_i1 y[n,i1]/N"),
        (y / Sum(y, over1), "y[n,i1]/(Σ_i1 y[n,i1])"),
        (Sum(x, over0) * Sum(y, over1), "(Σ_i0 x[n,i0])·Σ_i1 y[n,i1]"),
        (exp(y) * Sum(t, over1), "(Σ_i1 t[n,i1])·exp(y[n,i1])"),
        (tanh(Sum(y, over1)), "tanh(Σ_i1 y[n,i1])"),
        (Peak(y, over1), "max_i1 y[n,i1]"),
        (t - Peak(y, over1), "t[n,i1] - max_i1 y[n,i1]"),
        (Peak(2 * y, over1), "max_i1 2·y[n,i1]"),
        # functions
        (Abs(y), "|y[n,i1]|"),
        (Abs(y - t), "|y[n,i1] - t[n,i1]|"),
        (tanh(y), "tanh(y[n,i1])"),
        (f.silu(y), "silu(y[n,i1])"),
        (f.xlogy(t, 1 - y), "xlogy(t[n,i1], 1 - y[n,i1])"),
        (exp(-y), "exp(-y[n,i1])"),
    ]


@pytest.mark.parametrize(("expression", "written"), expressions(), ids=lambda e: str(e)[:40])
def test_how_it_is_written(expression, written):
    assert text(expression) == written


def test_parentheses_depend_on_the_place():
    write = Writer().write
    assert write(y + t, POWER) == "(t[n,i1] + y[n,i1])"
    assert write(y, POWER) == "y[n,i1]"
    assert write(Integer(-1), POWER) == "(-1)"


def test_equations_and_listings():
    program = Program(
        name="net",
        inputs=(x, t),
        weights=(W, b),
        extents={"n": SAMPLES, "0": Integer(3), "1": Integer(4)},
        definitions=(
            Definition(y, Sum(x * W, over0) + b),
            Definition(array("e", n), Sum((y - t) ** 2, over1) / 2),
        ),
        outputs=(),
    )
    assert equation(program.definitions[0]) == "y[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]"
    assert listing(program) == (
        "y[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]\ne[n]    = ½·Σ_i1 (y[n,i1] - t[n,i1])²"
    )
    assert listing(program.with_definitions(())) == ""


# What is written, read again


SUPERSCRIPTS = {ord(c): d for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)}
FRACTIONS = {"½": "(1/2)", "⅓": "(1/3)", "¼": "(1/4)", "¾": "(3/4)"}
VALUES = {"x[n,i0]": "0.7123", "W1[i0,i1]": "-1.379", "y[n,i1]": "2.217", "E": "0.317"}


def read(written):
    """The value of a text in usual notation, with the numbers of VALUES; no sums."""
    for name, value in VALUES.items():
        written = written.replace(name, f"({value})")
    for sign, fraction in FRACTIONS.items():
        written = written.replace(sign, fraction)
    written = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(SUPERSCRIPTS), written)
    written = re.sub(r"(?<![\w.])\d+(\.\d+)?(e-?\d+)?", r"mpf('\g<0>')", written)
    known = {"mpf": mpmath.mpf, "π": mpmath.pi, "sqrt": mpmath.sqrt}
    known |= {"relu": lambda u: max(u, 0), "maximum": max, "softsign": lambda u: u / (1 + abs(u))}
    return eval(written.replace("·", "*"), known)  # our own text, with known names


def value(expression):
    numbers = {name.partition("[")[0]: Rational(number) for name, number in VALUES.items()}
    arrays = {name: {(0, 0): number} if name != "E" else number for name, number in numbers.items()}
    return nets.scalar(expression, arrays, {n: 0, i0: 0, i1: 0}).evalf(40)


CONSTANTS = [Rational(*k) for k in ((-3, 1), (-1, 1), (2, 1), (1, 2), (-3, 4), (1, 7), (1, 10))]
ROOTS = [Rational(*k) for k in ((1, 2), (-1, 2), (3, 2), (-1, 3), (1, 7))]


def grown(random, size):
    """A random expression of about `size` operations."""
    if size <= 0:
        return random.choice([x, W, y, E, pi, *CONSTANTS])
    first, second = grown(random, size // 2), grown(random, (size - 1) // 2)
    operation = random.choice(
        [
            lambda: first + second,
            lambda: first - second,
            lambda: first * second,
            lambda: first * second,
            lambda: first / second if second != 0 else first,
            lambda: first ** random.choice([2, 3, -1, -2]) if first != 0 else second,
            lambda: (1 + f.softsign(first) ** 2) ** random.choice(ROOTS),
            lambda: f.softsign(first) * second,
            lambda: f.relu(first) - second,
            lambda: -f.maximum(first, second),
        ]
    )
    return operation()


def check(expression):
    expected = value(expression)
    if not expected.is_finite or abs(expected) > 1e12:
        return None
    with mpmath.workdps(40):
        found = read(text(expression))
        assert abs(found - expected) < mpmath.mpf("1e-25") * (1 + abs(expected)), expression
    return expression


@pytest.mark.parametrize("size", range(1, 9))
def test_what_is_written_reads_as_what_it_is(size):
    """The same number comes out, whatever stands inside what: no parenthesis is missing."""
    random = Random(size)
    checked = [check(grown(random, size)) for _ in range(25)]
    checked += [check(undistributed(grown)(random, size)) for _ in range(25)]
    assert len(set(checked)) > 20


def test_the_reader_tells_parentheses_apart():
    """The negative control of the test above."""
    with mpmath.workdps(40):
        assert read("(y[n,i1] - E)·x[n,i0]") != read("y[n,i1] - E·x[n,i0]")
        assert read("(W1[i0,i1])²") != read("-W1[i0,i1]²")
        assert read("x[n,i0]/(y[n,i1]·E)") != read("x[n,i0]/y[n,i1]·E")
