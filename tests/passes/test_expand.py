"""expand: the loss as a textbook writes it."""

import mpmath
import numpy as np
import pytest
import sympy
from scipy.special import erf
from sympy import Rational

from symgrad.language.evaluate import evaluate
from symgrad.language.functions import ACTIVATIONS
from symgrad.language.unicode import listing
from symgrad.language.verify import verify
from symgrad.passes.expand import LOSSES, exact, expand
from symgrad.spec.spec import LOSSES as LOSS_NAMES
from tests import nets


def written(*arguments, **options):
    program = verify(expand(nets.net(*arguments, **options)))
    return [" ".join(line.split()) for line in listing(program).splitlines()]


def test_a_plain_network():
    assert written([4, 8, 3], ["tanh", "identity"]) == [
        "z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]",
        "a1[n,i1] = tanh(z1[n,i1])",
        "y[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]",
        "e[n] = ½·Σ_i2 (y[n,i2] - t[n,i2])²",
        "E = Σ_n e[n]/N",
    ]


def test_without_biases():
    assert written([4, 8], ["tanh"], bias=False)[0] == "z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1]"


def test_residual_layers_add_what_they_read():
    lines = written([2, 2, 2, 2], ["tanh", "relu", "identity"], residual=[1, 2, 3])
    assert lines[1] == "a1[n,i1] = tanh(z1[n,i1]) + x[n,i1]"
    assert lines[3] == "a2[n,i2] = relu(z2[n,i2]) + a1[n,i2]"
    assert lines[4] == "y[n,i3] = Σ_i2 a2[n,i2]·W3[i2,i3] + a2[n,i3] + b3[i3]"


def test_softmax_and_cross_entropy_are_not_made_stable_here():
    lines = written([2, 3], ["softmax"], kind="cross_entropy")
    assert lines[1:3] == [
        "y[n,i1] = exp(z1[n,i1])/(Σ_j1 exp(z1[n,j1]))",
        "e[n] = -Σ_i1 xlogy(t[n,i1], y[n,i1])",
    ]


def test_penalties_are_for_weights_not_for_biases():
    lines = written([2, 3, 1], ["tanh", "identity"], l1=0.5, l2=0.25)
    assert lines[-3:] == [
        "R1 = ½·Σ_i0,i1 |W1[i0,i1]| + 0.125·Σ_i0,i1 W1[i0,i1]²",
        "R2 = ½·Σ_i1,i2 |W2[i1,i2]| + 0.125·Σ_i1,i2 W2[i1,i2]²",
        "E = Σ_n e[n]/N + R1 + R2",
    ]


def test_sample_weights():
    lines = written([2, 1], ["identity"], sample_weights=True)
    assert lines[-2:] == ["w_total = Σ_n w[n]", "E = Σ_n e[n]·w[n]/w_total"]
    assert [str(i) for i in expand(nets.net([2, 1], ["identity"], sample_weights=True)).inputs] == [
        "x[n, i0]", "t[n, i1]", "w[n]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "e"),
    [
        ("(y - t)**2", "e[n] = Σ_i1 (y[n,i1] - t[n,i1])²"),
        ("sum(y*t)", "e[n] = Σ_j1 t[n,j1]·y[n,j1]"),
        ("sum(y)*t", "e[n] = (Σ_i1 t[n,i1])·Σ_j1 y[n,j1]"),
        ("3*y", "e[n] = 3·Σ_i1 y[n,i1]"),
        ("y + 1", "e[n] = Σ_i1 (1 + y[n,i1])"),
        ("sum(1)*sum(y)", "e[n] = 3·Σ_j1 y[n,j1]"),
    ],
)
def test_a_formula_is_summed_over_outputs_unless_it_has_done_so_itself(formula, e):
    assert written([2, 3], ["identity"], formula=formula)[1] == e


def test_a_formula_of_one_s_own_as_activation():
    lines = written([2, 3], ["mine"], own={"mine": "z/(1 + exp(-3*z/2)) - 0.1"})
    assert lines[1] == "y[n,i1] = z1[n,i1]/(1 + exp(-1.5·z1[n,i1])) - 0.1"


def test_an_activation_that_sums_over_its_layer():
    lines = written([2, 3], ["mine"], own={"mine": "z/sum(abs(z))"})
    assert lines[1] == "y[n,i1] = z1[n,i1]/(Σ_j1 |z1[n,j1]|)"


@pytest.mark.parametrize("number", [0.1, 1e-4, 1e-300, 3.0, 1 / 3, 123456.789])
def test_numbers_are_the_ones_that_were_written(number):
    assert float(exact(number)) == number
    assert exact(0.1) == Rational(1, 10) and exact(1e-4) == Rational(1, 10000)


@pytest.mark.parametrize("l1", [0.1, 0.30000000000000004])
def test_no_binary_fraction_enters_a_program(l1):
    spec = nets.net([2, 3], ["selu"], own={"u": "z*0.1"}, l1=l1, formula="0.2*y*t")
    for program in (nets.steps(spec).expanded, nets.steps(spec).gradient):
        assert not any(d.value.atoms(sympy.Float) for d in program.definitions)


# The losses, written down a second time
FORMULAS = {
    "squared": lambda y, t: (y - t) ** 2 / 2,
    "absolute": lambda y, t: abs(y - t),
    "huber": lambda y, t: (y - t) ** 2 / 2 if abs(y - t) <= 1 else abs(y - t) - 0.5,
    "log_cosh": lambda y, t: mpmath.log(mpmath.cosh(y - t)),
    "cross_entropy": lambda y, t: -t * mpmath.log(y),
    "binary_cross_entropy": lambda y, t: -t * mpmath.log(y) - (1 - t) * mpmath.log(1 - y),
    "poisson": lambda y, t: y - t * mpmath.log(y),
    "kl": lambda y, t: t * mpmath.log(t / y),
}


@pytest.mark.parametrize("kind", LOSS_NAMES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_summed_over_outputs_and_averaged_over_samples(kind, weighted):
    spec = nets.net([2, 3], ["sigmoid"], kind=kind, sample_weights=weighted, l2=0.5, l1=0.25)
    program = verify(expand(spec))
    given = nets.floats(program)
    given["x"] *= 5
    given["t"][0] += 3 if kind in ("squared", "huber", "absolute") else 0
    values = evaluate(program, given)
    each = np.vectorize(FORMULAS[kind], otypes=[float])(values["y"], given["t"]).sum(axis=1)
    mean = np.average(each, weights=given["w"] if weighted else None)
    W = given["W1"]
    assert float(values["E"]) == pytest.approx(
        mean + 0.25 * (W**2).sum() + 0.25 * abs(W).sum(), rel=1e-13
    )


def test_every_loss_is_tested_above():
    assert set(FORMULAS) == set(LOSSES) == set(LOSS_NAMES)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"])
def test_every_activation_is_what_the_interpreter_and_brute_force_say(activation):
    program = verify(expand(nets.net([2, 3], [activation])))
    given = nets.rationals(program)
    values = evaluate(program, given)
    exactly = nets.run(program, given)["y"]
    np.testing.assert_allclose(values["y"], np.vectorize(float)(exactly), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "formula", ["tanh(-(-z - 1))", "sin(-(-1 - z))", "abs(-z*(-z - 1))", "erf(-(-z - z**2))"]
)
def test_signs_inside_of_functions_come_to_an_end(formula):
    """SymPy's tanh pulls out signs; with products left undistributed, it may do so for ever."""
    program = nets.steps(nets.with_formula(formula)).gradient
    given = nets.floats(program)
    z, y = (evaluate(program, given)[name] for name in ("z1", "y"))
    expected = eval(formula, {"z": z, "tanh": np.tanh, "sin": np.sin, "abs": abs, "erf": erf})
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-15)
