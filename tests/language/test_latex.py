"""latex: every kind of expression, and nothing that TeX refuses."""

import pytest
import sympy
from sympy import Abs, Integer, Rational, Sum, exp, sqrt, tanh

from symgrad.language import functions as f
from symgrad.language.functions import TABLE, Peak
from symgrad.language.indices import SAMPLE, SAMPLES, unit
from symgrad.language.latex import equation, latex, listing, symbol
from symgrad.language.program import Definition, array
from tests import nets

n, i0, i1, i10 = SAMPLE, unit(0), unit(1), unit(10)
x, W, y, t = array("x", n, i0), array("W1", i0, i1), array("y", n, i1), array("t", n, i1)
over0, over1 = (i0, 0, 2), (i1, 0, 3)


def faults(text):
    """What TeX would stop at: braces that don't match, two superscripts or subscripts in a row."""
    found, depth, scripts = [], 0, [set()]
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\" and place + 1 < len(text) and text[place + 1] in "{}\\_":
            scripts[-1], place = set(), place + 2
            continue
        if sign in "^_":
            if sign in scripts[-1]:
                found.append(f"two {sign} at {text[max(place - 30, 0) : place + 10]!r}")
            scripts[-1].add(sign)
            if text[place + 1] != "{":
                place += 1
        elif sign == "{":
            scripts.append(set())
            if not (place and text[place - 1] in "^_"):
                scripts[-2] = set()
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth < 0:
                return [*found, "a brace too many"]
            scripts.pop()
        elif not sign.isspace():
            scripts[-1] = set()
        place += 1
    return found + (["a brace is missing"] if depth else [])


def test_the_finder_of_faults_finds_them():
    assert faults("a^{2}^{3}") and faults("a^{(1)}_{i}^{2}") and faults("a_{i}_{j}")
    assert faults("{a") and faults("a}")
    assert not faults(r"a^{(1)}_{i_{0}} b^{2} + \left(a^{2}\right)^{2} \frac{a_{1}^{2}}{b_{2}}")


@pytest.mark.parametrize(
    ("name", "indices", "written"),
    [
        ("W1", "", "W^{(1)}"),
        ("W12", "i j", "W^{(12)}_{i j}"),
        ("x", "n i", "x_{n i}"),
        ("E", "", "E"),
        ("log_y", "n", r"\left[\operatorname{log} y\right]_{n}"),
        ("y_minus_t", "n i", r"\left[y - t\right]_{n i}"),
        ("x_times_W1", "", r"\left[x \, W^{(1)}\right]"),
        ("total", "n", r"\mathrm{total}_{n}"),
        ("d_W1", "", r"\frac{\partial E}{\partial W^{(1)}}"),
        ("d_z2", "n i", r"\frac{\partial E}{\partial z^{(2)}_{n i}}"),
        ("d_y_d_W2", "", r"\frac{\partial y}{\partial W^{(2)}}"),
        ("d_log_y", "", r"\frac{\partial E}{\partial \left[\operatorname{log} y\right]}"),
    ],
)
def test_names(name, indices, written):
    assert symbol(name, indices) == written


@pytest.mark.parametrize(
    "name",
    ["z2_squared", "y_squared", "d_z1_squared", "one_plus_z1_squared", "inverse_sum_z1",
     "tanh_softplus_z2", "a1_times_W1_squared", "E_part", "w_total", "sum_z1_squared"],
)  # fmt: skip
def test_names_of_parts_have_no_fault(name):
    assert faults(symbol(name)) == []
    assert faults(symbol(name, "n i_{1}")) == []


EXPRESSIONS = [
    # atoms
    (x, r"x_{n i_{0}}"),
    (array("b10", i10), r"b^{(10)}_{i_{10}}"),
    (array("E"), "E"),
    (array("w_total"), r"\left[w \operatorname{total}\right]"),
    (SAMPLES, "N"),
    (sympy.pi, r"\pi"),
    (sympy.E, "e"),
    # numbers
    (Rational(-2), "-2"),
    (Rational(1, 2), r"\frac{1}{2}"),
    (Rational(-1, 7), r"-\frac{1}{7}"),
    (Rational(1, 100), "0.01"),
    (Rational(3, 10**6), r"3 \cdot 10^{-6}"),
    # sums, products, quotients
    (y - t, r"y_{n i_{1}} - t_{n i_{1}}"),
    (y / 2, r"\frac{1}{2}\,y_{n i_{1}}"),
    (y * (1 - t), r"y_{n i_{1}}\,\left(1 - t_{n i_{1}}\right)"),
    (y / (1 - t), r"\frac{y_{n i_{1}}}{1 - t_{n i_{1}}}"),
    (1 / (y * t), r"\frac{1}{t_{n i_{1}}\,y_{n i_{1}}}"),
    # powers
    (W**2, r"{W^{(1)}_{i_{0} i_{1}}}^{2}"),
    (1 / y, r"\frac{1}{y_{n i_{1}}}"),
    (sqrt(y), r"\sqrt{y_{n i_{1}}}"),
    (y ** Rational(1, 7), r"{y_{n i_{1}}}^{\frac{1}{7}}"),
    (tanh(y) ** 2, r"{\tanh\left(y_{n i_{1}}\right)}^{2}"),
    # reductions
    (Sum(x * W, over0), r"\sum_{i_{0}} x_{n i_{0}}\,W^{(1)}_{i_{0} i_{1}}"),
    (Sum(y - t, over1), r"\sum_{i_{1}} \left(y_{n i_{1}} - t_{n i_{1}}\right)"),
    (Sum(W, over1, over0), r"\sum_{i_{0} i_{1}} W^{(1)}_{i_{0} i_{1}}"),
    (Peak(y, over1), r"\max_{i_{1}} y_{n i_{1}}"),
    (y - Peak(y, over1), r"y_{n i_{1}} - \max_{i_{1}} y_{n i_{1}}"),
    # functions
    (Abs(y), r"|y_{n i_{1}}|"),
    (f.silu(y), r"\operatorname{silu}\left(y_{n i_{1}}\right)"),
    (f.leaky_relu(y), r"\operatorname{leaky\_relu}\left(y_{n i_{1}}\right)"),
    (f.maximum(y, t), r"\operatorname{maximum}\left(y_{n i_{1}}, t_{n i_{1}}\right)"),
]


@pytest.mark.parametrize(("expression", "written"), EXPRESSIONS, ids=lambda e: str(e)[:40])
def test_expressions(expression, written):
    assert latex(expression) == written


POWERS = {
    "of an input": x**2,
    "of a weight": W**2,
    "of a derivative": array("d_W1", i0, i1) ** 2,
    "of a named part": array("log_y", n) ** 2,
    "of a scalar": array("R1") ** 2,
    "of a sum": Sum(y, over1) ** 2,
    "of a maximum": Peak(y, over1) ** 3,
    "of a difference": (y - t) ** 2,
    "of a product": (2 * W * y) ** 2,
    "inside a sum": Sum(Sum(W**2, over1), over0),
    "inverse": 1 / W**2,
    "broken": W ** Rational(3, 2),
    "root": sqrt(W),
    "of a function": f.sigmoid(W) ** 2,
    "of Abs": Abs(W) ** 3,
    "negative": 1 - array("a1", n, i1) ** 2,
}


@pytest.mark.parametrize("power", POWERS.values(), ids=POWERS.keys())
def test_powers_have_one_superscript(power):
    assert faults(latex(power)) == []


def test_a_power_of_a_sum_is_not_the_sum_of_the_powers():
    assert latex(Sum(y, over1) ** 2) != latex(Sum(y**2, over1))
    assert latex(Peak(y, over1) ** 2) != latex(Peak(y**2, over1))


def test_a_factor_after_a_sum_is_not_taken_for_a_part_of_it():
    assert latex(Sum(x, over0) * exp(y)) != latex(Sum(x * exp(y), over0))
    assert latex(Sum(x, over0) * array("z1", n, i1)) != latex(Sum(x * array("z1", n, i1), over0))
    assert latex(Sum(x, over0) + y) != latex(Sum(x + y, over0))


@pytest.mark.parametrize("function", list(TABLE), ids=lambda g: g.__name__)
def test_every_function_is_written(function):
    partials = TABLE[function].partials
    call = function(*([2, y, 3, t] if callable(partials) else [y, t][: len(partials)]))
    assert faults(latex(call)) == []
    assert faults(latex(call**2)) == []
    assert r"y_{n i_{1}}" in latex(call)


@pytest.mark.parametrize("order", ["loss-first", "weights-first"])
def test_whole_programs_are_written_without_a_fault(order):
    spec = nets.net([2, 2, 2, 2], ["silu", "selu", "softmax"], residual=[2],
                    kind="cross_entropy", l1=0.1, l2=0.1, sample_weights=True)  # fmt: skip
    for program in (nets.steps(spec, order).expanded, nets.steps(spec, order).gradient):
        written = listing(program)
        assert faults(written) == []
        lines = written.splitlines()
        assert lines[0] == r"\begin{align*}" and lines[-1] == r"\end{align*}"
        assert len(lines) == len(program.definitions) + 2
        assert all("&=" in line for line in lines[1:-1])
        assert all(line.endswith(r"\\") for line in lines[1:-2])


def test_equations():
    assert equation(Definition(array("e", n), Integer(2) * sympy.pi)) == r"e_{n} = 2\,\pi"
