"""stabilize: the same values, finite where the textbook's form overflows."""

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Abs, Integer, Pow, Rational, Sum, cosh, exp, log, sinh, sqrt, tanh

from symgrad.language.evaluate import Decimals, Floats, evaluate
from symgrad.language.exponentials import inverse, logarithm
from symgrad.language.functions import (
    Peak,
    even_maximum,
    even_relu,
    expm1,
    log1p,
    log_abs,
    log_cosh,
    maximum,
    relu,
    sech,
    sigmoid,
    softplus,
    xlogy,
)
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, unit
from symgrad.language.notation import as_it_stands, undistributed
from symgrad.language.program import Definition, Program, array
from symgrad.language.unicode import equation
from symgrad.language.verify import verify
from symgrad.passes.stabilize import stabilize
from tests import nets

n, i1 = SAMPLE, unit(1)
j1 = fresh(i1, [i1])
u, v, t = array("u", n, i1), array("v", n, i1), array("t", n, i1)
u_j = array("u", n, j1)
over = (j1, 0, 2)
CLOSE = mpmath.mpf("1e-42")


def program(value):
    """r[n,i1] = value, of u, v, t with three units each."""
    return verify(
        Program(
            name="net",
            inputs=(u, v, t),
            weights=(),
            extents={"n": SAMPLES, "1": Integer(3)},
            definitions=(Definition(array("r", n, i1), value),),
            outputs=("r",),
        )
    )


def stabilised(value):
    return verify(stabilize(program(value)))


half = Rational(1, 2)
abs_ = as_it_stands(Abs)


def logistic(u):
    """1/(1 + exp(-u)), as it is written: not the named function."""
    return inverse([(Integer(1), Integer(0)), (Integer(1), -u)])


@undistributed
def rules():
    """Every rule of the docstring, and forms that it meets in disguise; None: see the value."""
    centered = array("centered_u", n, i1)
    total = Sum(exp(array("centered_u", n, j1)), over)
    return {
        "log exp": (log(exp(u) * v), log(v) + u),
        "log of a sum of exponentials": (log(Sum(exp(u_j), over)), Peak(u_j, over) + log(total)),
        "log of a weighted sum": (log(Sum(3 * exp(u_j), over)), None),
        "log of a sum of squared exponentials": (log(Sum(exp(u_j) ** 2, over)), None),
        "softplus": (log(1 + exp(u)), softplus(u)),
        "softplus of -u": (log(1 + exp(-u)), softplus(-u)),
        "softplus spelled log1p": (log1p(exp(u)), softplus(u)),
        "log(c + d exp)": (log(2 + 3 * exp(u)), None),
        "log(exp + exp)": (log(exp(u) + exp(v)), None),
        "log sigmoid": (log(sigmoid(u)), -softplus(-u)),
        "log sigmoid spelled out": (log(1 / (1 + exp(-u))), -softplus(-u)),
        "log(1 - sigmoid)": (log(1 - sigmoid(u)), -softplus(u)),
        "log cosh": (log(cosh(u)), log_cosh(u)),
        "log of a product": (log(v * sigmoid(u)), log(v) - softplus(-u)),
        "log of a quotient": (log(v / (1 + exp(u))), log(v) - softplus(u)),
        "log of a power": (log(sigmoid(u) ** 3), -3 * softplus(-u)),
        "log of a square": (log(u**2), 2 * log_abs(u)),
        "log of an odd power": (log(v**-3), -3 * log(v)),
        "log of the odds": (log(sigmoid(u) / (1 - sigmoid(u))), u),
        "log expm1": (log(exp(u) - 1), u + log(-expm1(-u))),
        "log sinh": (log(sinh(u)), None),
        "log of a difference": (log(exp(u) - exp(v)), u + log(-expm1(v - u))),
        "u log u": (u * log(u), xlogy(u, u)),
        "t log(t/y)": (t * log(t * exp(u)), xlogy(t, t) + t * u),
        "root of a square": (as_it_stands(Pow)((u - v) ** 2, half), abs_(u - v)),
        "kinks that cancel": (
            relu(u) + softplus(-abs_(u)),
            even_relu(u) + softplus(-abs_(u)),
        ),
        "kinks that cancel, of max": (
            maximum(u, v) + softplus(-abs_(u - v)),
            even_maximum(u, v) + softplus(-abs_(u - v)),
        ),
        "log(1 + u)": (log(1 + u), log1p(u)),
        "log(1 + u + v)": (log(1 + u + v), log1p(u + v)),
        "log of a softmax": (log(exp(u) / Sum(exp(u_j), over)), None),
        "softmax": (exp(u) / Sum(exp(u_j), over), exp(centered) / total),
        "softmax of another": (exp(v) / Sum(exp(u_j), over), None),
        "softmax times something": (t * exp(u) / Sum(exp(u_j), over), t * exp(centered) / total),
        "an inverse partition": (t / Sum(exp(u_j), over), None),
        "sigmoid": (1 / (1 + exp(-u)), logistic(u)),
        "sigmoid of -u": (1 / (1 + exp(u)), logistic(-u)),
        "sigmoid with exp above": (exp(u) / (1 + exp(u)), logistic(u)),
        "exp sigmoid": (exp(u) * sigmoid(-u), logistic(u)),
        "exp sigmoid squared": (exp(u) * sigmoid(-u) ** 2, logistic(u) * logistic(-u)),
        "two sums": (exp(2 * u) / ((1 + exp(u)) * (3 + exp(u))), None),
        "(c + d exp) sigmoid": ((exp(u) - 1) / (exp(u) + 1), tanh(u / 2)),
        "(c + d exp) / (e + f exp)": ((3 + 2 * exp(u)) / (5 + exp(u)), None),
        "expm1 over another sum": (expm1(u) / (2 + exp(u)), None),
        "what is no exponential over a sum": ((v + exp(u)) / (1 + exp(u)), None),
        "three exponentials": (
            exp(u) / (1 + exp(u) + exp(2 * u)),
            inverse([(1, 0), (1, u), (1, -u)]),
        ),
        "log of three exponentials": (
            log(1 + exp(u) + exp(-u)),
            logarithm([(1, 0), (1, u), (1, -u)]),
        ),
        "1 - sigmoid": (1 - 1 / (1 + exp(-u)), logistic(-u)),
        "1 - sigmoid by name": (1 - sigmoid(u), logistic(-u)),
        "exp over cosh": (exp(u) / cosh(u), 2 * logistic(2 * u)),
        "1 / cosh": (1 / cosh(u), sech(u)),
        "1 / cosh^3": (cosh(u) ** -3, sech(u) ** 3),
        "sinh / cosh": (sinh(u) / cosh(u), tanh(u)),
        "a fractional power": ((1 + exp(u)) ** Rational(-1, 2), logistic(-u) ** half),
        "1/(exp + exp)": (1 / (exp(u) + exp(v)), None),
        "sech": (2 / (exp(u) + exp(-u)), None),
        "tanh": ((exp(u) - exp(-u)) / (exp(u) + exp(-u)), None),
        "expm1": (exp(u) - 1, expm1(u)),
        "1 - exp": (1 - exp(u), -expm1(u)),
        "expm1 in a longer sum": (exp(u) - 1 + v, v + expm1(u)),
        "xlogy": (xlogy(t, exp(u)), t * u),
        "xlogy of a sigmoid": (xlogy(t, sigmoid(u)), -t * softplus(-u)),
        "xlogy of a softmax": (xlogy(t, exp(u) / Sum(exp(u_j), over)), None),
    }


@pytest.mark.parametrize("name", list(rules()))
def test_each_rule(name):
    before, wanted = rules()[name]
    after = stabilised(before)
    changed = after.by_name["r"].value
    assert changed != before
    if wanted is not None:
        assert sympy.expand(changed - wanted) == 0, changed
    exact = np.vectorize(sympy.Rational, otypes=[object])
    given = {"u": [[0.5, -1.25, 2.0]], "v": [[0.75, 2.5, 1.5]], "t": [[0.2, 0.3, 0.1]]}
    given = {name: exact(np.repeat(values, 3, axis=0)) for name, values in given.items()}
    first, second = (nets.run(p, given)["r"] for p in (program(before), after))
    for place in range(3):
        assert abs(sympy.N(first[0, place] - second[0, place], 50, maxn=200)) < CLOSE


@undistributed
def untouched():
    return [
        u, Integer(2), u * v, exp(u), log(u), log(u * v), log(u + v), 1 / (1 + u),
        u / Sum(u_j, over), xlogy(t, u), xlogy(t, 1 - u), exp(u) * sigmoid(v), sqrt(1 + u**2),
        log(2), exp(u) - 2, relu(u) + relu(v), relu(u) + abs_(u), u ** half, (u + v) ** half,
        relu(u) ** 2, sqrt(tanh(u)),
    ]  # fmt: skip


@pytest.mark.parametrize("expression", untouched(), ids=str)
def test_what_no_rule_is_for_stays(expression):
    assert stabilised(expression) == program(expression)


@undistributed
def signs():
    return [log(-exp(u)), log(-u * exp(v)), log(-2 * sigmoid(u) * v)]


@pytest.mark.parametrize("expression", signs(), ids=str)
def test_no_complex_number_appears(expression):
    """log(-p) is not log(-1) + log p."""
    assert not stabilised(expression).by_name["r"].value.has(sympy.I)


# Whole programs


# As users spell them: all overflow, or take log 0, or cancel, somewhere far out.
FORMULAS = [
    "log(sum(exp(z)))",
    "log(1 + exp(z))",
    "log1p(exp(z))",
    "log(sigmoid(z))",
    "log(1 - sigmoid(z))",
    "log(exp(z) + exp(-z))",
    "log(cosh(z))",
    "z/(1 + exp(-1.5*z))",
    "z/(1 + exp(-z))",
    "1/(1 + exp(-z))",
    "exp(z)/(1 + exp(z))",
    "1/(1 + exp(-z))**2",
    "exp(z)/sum(exp(z))",
    "exp(3*z)/sum(exp(3*z))",
    "log(exp(z)/sum(exp(z)))",
    "(exp(z) - exp(-z))/(exp(z) + exp(-z))",
    "(exp(2*z) - 1)/(exp(2*z) + 1)",
    "(1 - exp(-2*z))/(1 + exp(-2*z))",
    "1 - 2/(1 + exp(2*z))",
    "2/(exp(z) + exp(-z))",
]
named_formulas = pytest.mark.parametrize("formula", FORMULAS)


def through(formula, z, arithmetic, stage):
    """An activation's values at z through a network whose only layer is the identity."""
    units = z.shape[1]
    made = nets.steps(nets.net([units, units], ["mine"], own={"mine": formula}, bias=False))
    given = {"x": z, "t": np.zeros_like(z), "W1": np.eye(units)}
    return evaluate(getattr(made, stage), given, arithmetic)


MODERATE = np.array([[0.5, -1.25, 2.0], [-3.5, 0.125, 0.75], [6.0, -7.0, 1e-3]])
HUGE = np.array([[2e3, -2e3, 3.0], [-800.0, 900.0, 100.0], [-1e3, -2e3, -3e3]])
MANY = Decimals(8_000)  # digits: exp(3·3,000) beside 1 takes 4,000


@named_formulas
def test_stable_programs_agree_with_textbook_ones_to_fifty_digits(formula):
    expanded, stabilised = (
        through(formula, MODERATE, Decimals(50), stage) for stage in ("expanded", "stable")
    )
    for first, second in zip(np.ravel(expanded["y"]), np.ravel(stabilised["y"]), strict=True):
        assert abs(first - second) <= CLOSE * (1 + abs(first))
    assert abs(expanded["E"] - stabilised["E"]) <= CLOSE * (1 + abs(expanded["E"]))


@named_formulas
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_arguments_are_right(formula, dtype):
    with np.errstate(over="ignore", under="ignore"):
        found = through(formula, HUGE, Floats(dtype), "stable")["y"]
    exactly = through(formula, HUGE, MANY, "expanded")["y"].astype(float)
    np.testing.assert_allclose(found, exactly, rtol=3e-6 if dtype is np.float32 else 1e-13,
                               atol=1e-30 if dtype is np.float64 else 1e-7)  # fmt: skip


@named_formulas
def test_gradients_at_huge_arguments_are_right(formula):
    """Through the whole gradient program, against differences of the textbook's loss."""
    z = np.array([[1e3, -1e3, 30.0], [-800.0, 900.0, 100.0]])
    with np.errstate(over="ignore", under="ignore"):
        found = through(formula, z, Floats(), "gradient")["d_W1"]
    made = nets.steps(nets.net([3, 3], ["mine"], own={"mine": formula}, bias=False))
    many = Decimals(2_000)
    step = many.context.mpf(10) ** -60
    for place in ((0, 0), (0, 1), (1, 2), (2, 2)):
        losses = []
        for change in (step, -step):
            W = many.array(np.eye(3))
            W[place] += change
            given = {"x": z, "t": np.zeros_like(z), "W1": W}
            losses.append(evaluate(made.expanded, given, many)["E"])
        exactly = float((losses[0] - losses[1]) / (2 * step))
        # 1 - sigmoid² and the like cancel: what is left is small beside x
        assert found[place] == pytest.approx(exactly, rel=1e-10, abs=1e-12), place


@pytest.mark.parametrize("formula", ["log(sum(exp(z)))", "log(1 + exp(z))", "exp(z)/sum(exp(z))",
                                     "(exp(z) - exp(-z))/(exp(z) + exp(-z))"])  # fmt: skip
def test_the_textbook_s_form_overflows_there(formula):
    """The negative control: without the pass these would not be finite."""
    with np.errstate(all="ignore"):
        assert not np.isfinite(through(formula, HUGE, Floats(), "expanded")["y"]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("activation", "kind"),
    [("softmax", "cross_entropy"), ("softmax", "kl"), ("sigmoid", "binary_cross_entropy")],
)
def test_cross_entropies_at_logits_of_ten_thousand(activation, kind, dtype):
    """Through the whole gradient program: y - t, and a loss that is linear in the logit."""
    program = nets.steps(nets.net([3, 3], [activation], kind=kind, bias=False)).gradient
    x = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, -1e4]])
    t = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    given = {"x": x, "t": t, "W1": np.eye(3)}
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = evaluate(program, given, Floats(dtype))
    with mpmath.workdps(30):
        y = values["y"].astype(float)
    if activation == "softmax":
        np.testing.assert_allclose(y, [[1, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]], atol=1e-30)
        peak = x.max(axis=1)
        size = np.array([0, np.log(2), np.log(2)])
        loss = (t * (peak + size - np.sum(x * t, axis=1))[:, None]).sum()
    else:
        np.testing.assert_allclose(y, [[1, 0, 0.5], [0, 1, 1], [0.5, 0.5, 0]], atol=1e-30)
        loss = (np.maximum(x, 0) - x * t + np.log1p(np.exp(-abs(x)))).sum()
    assert float(values["E"]) == pytest.approx(loss / 3, rel=1e-6 if dtype is np.float32 else 1e-14)
    expected = x.T @ ((y - t) / 3)
    np.testing.assert_allclose(values["d_W1"], expected, rtol=1e-6, atol=1e-3)


def test_targets_need_not_sum_to_one():
    """The gradient of cross-entropy by the logits is softmax·Σt - t."""
    program = nets.steps(nets.net([3, 3], ["softmax"], kind="cross_entropy")).gradient
    given = nets.floats(program)
    given["t"] *= 7
    values = evaluate(program, given)
    y, t = values["y"], given["t"]
    np.testing.assert_allclose(values["d_b1"], (y * t.sum(axis=1)[:, None] - t).sum(axis=0) / 3)


def test_zero_targets_after_a_vanished_output_count_nothing():
    """0·log 0 = 0, also where y has underflown to 0."""
    for kind in ("poisson", "kl", "cross_entropy"):
        spec = nets.net([1, 1], ["relu"], kind=kind, bias=False)
        values = evaluate(nets.steps(spec).shared, {"x": [[-1.0]], "t": [[0.0]], "W1": [[1.0]]})
        assert float(values["E"]) == 0


def test_rules_look_through_names():
    made = nets.steps(nets.net([2, 3], ["softmax"], kind="cross_entropy"))
    assert [equation(d) for d in made.stable.definitions][1:-1] == [
        "centered_z1[n,i1] = z1[n,i1] - max_j1 z1[n,j1]",
        "y[n,i1] = exp(centered_z1[n,i1])/(Σ_j1 exp(centered_z1[n,j1]))",
        "log_y[n,i1] = centered_z1[n,i1] - log(Σ_j1 exp(centered_z1[n,j1]))",
        "e[n] = -Σ_i1 log_y[n,i1]·t[n,i1]",
    ]


def test_binary_cross_entropy_looks_through_the_sigmoid():
    made = nets.steps(nets.net([2, 3], ["sigmoid"], kind="binary_cross_entropy"))
    calls = [d.value.atoms(softplus, xlogy, log) for d in made.stable.definitions]
    assert {type(c) for found in calls for c in found} == {softplus}


@pytest.mark.parametrize("activation", ["identity", "relu", "softplus", "tanh"])
@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "poisson", "kl"])
def test_elsewhere_zero_log_zero_is_kept(activation, kind):
    made = nets.steps(nets.net([2, 3], [activation], kind=kind))
    assert any(d.value.has(xlogy) for d in made.stable.definitions)


@pytest.mark.parametrize("formula", FORMULAS)
def test_stabilising_twice_changes_nothing(formula):
    made = nets.steps(nets.with_formula(formula))
    assert verify(stabilize(made.stable)) == made.stable
