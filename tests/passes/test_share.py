"""share: nothing is computed twice, and names say what a thing is."""

from collections import Counter
from functools import cache
from random import Random

import numpy as np
import pytest
from sympy import Indexed, Integer, Mul, Pow, Sum, exp, sqrt, tanh

from symgrad.language import functions as f
from symgrad.language.evaluate import PRIME, Residues, evaluate
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, operands, unit, walk
from symgrad.language.program import Definition, Program, array, name_of
from symgrad.language.unicode import equation
from symgrad.language.verify import verify
from symgrad.passes.factor import ORDERS
from symgrad.passes.share import key_of, name_for, share
from tests import nets
from tests.passes.test_factor import random_net

n, i1 = SAMPLE, unit(1)
j1, k1 = fresh(i1, [i1]), fresh(i1, [i1, fresh(i1, [i1])])
x, t = array("x", n, i1), array("t", n, i1)


def program(*pairs, outputs):
    """A program over x and t, both of layer 1."""
    return verify(
        Program(
            name="net",
            inputs=(x, t),
            weights=(),
            extents={"n": SAMPLES, "1": Integer(3)},
            definitions=tuple(Definition(target, value) for target, value in pairs),
            outputs=outputs,
        )
    )


def shared(*pairs, outputs=("r",)):
    before = program(*pairs, outputs=outputs)
    after = verify(share(before))
    given = {name: np.array([[3, 5, 7], [11, 13, 17]], dtype=object) for name in ("x", "t")}
    for output in outputs:
        first, second = (evaluate(p, given, Residues())[output] for p in (before, after))
        np.testing.assert_array_equal(first % PRIME, second % PRIME)
    return list(map(equation, after.definitions))


def r(*indices):
    return array("r", *indices)


# Keys


def test_keys_are_blind_to_names_of_indices_bound_and_free():
    def key(value):
        return key_of(value)[0]

    assert key(tanh(array("x", n, i1))) == key(tanh(array("x", n, k1)))
    assert key(Sum(x, (i1, 0, 2))) == key(Sum(array("x", n, j1), (j1, 0, 2)))
    assert key(array("x", n, i1) * array("t", n, j1)) == key(array("x", n, j1) * array("t", n, i1))


def test_keys_tell_apart():
    def key(value):
        return key_of(value)[0]

    u, v = array("u", i1, j1), array("u", j1, i1)
    different = [
        tanh(x), tanh(t), f.relu(x), x * t, x + t, x * array("t", n, j1), x**2, x**3, sqrt(x),
        u * v, u * u, u, array("u", i1, i1), Sum(x, (i1, 0, 2)), Sum(x, (i1, 0, 1)),
        f.Peak(x, (i1, 0, 2)), Sum(x, (n, 0, SAMPLES - 1)), Sum(u, (i1, 0, 2)),
        Sum(u, (j1, 0, 2)), Sum(u, (i1, 0, 2), (j1, 0, 2)), f.maximum(x, t), f.maximum(t, x),
        x - t, t - x, exp(x), exp(-x), Sum(u * v, (j1, 0, 2)), Sum(u**2, (j1, 0, 2)),
    ]  # fmt: skip
    assert len({key(value) for value in different}) == len(different)


def test_a_key_s_indices_are_those_that_are_free_in_order():
    form, order = key_of(Sum(array("u", i1, j1) * array("v", j1, n), (j1, 0, 2)))
    other, moved = key_of(Sum(array("u", k1, i1) * array("v", i1, n), (i1, 0, 2)))
    assert form == other
    assert dict(zip(order, moved, strict=True)) == {i1: k1, n: n}


# Sharing


def test_what_occurs_twice_gets_a_name():
    assert shared((r(n, i1), tanh(x) + 1 / (2 + tanh(x)))) == [
        "tanh_x[n,i1] = tanh(x[n,i1])",
        "r[n,i1] = 1/(2 + tanh_x[n,i1]) + tanh_x[n,i1]",
    ]


def test_what_occurs_under_two_indices_is_one_array():
    softmax = exp(x) / Sum(exp(array("x", n, j1)), (j1, 0, 2))
    assert shared((r(n, i1), softmax)) == [
        "exp_x[n,i1] = exp(x[n,i1])",
        "r[n,i1] = exp_x[n,i1]/(Σ_j1 exp_x[n,j1])",
    ]


def test_what_another_definition_has_computed_is_read_from_there():
    a, d = array("a", n, i1), array("d", n, i1)
    assert shared((a, tanh(x)), (d, a * (1 - tanh(x) ** 2)), outputs=("d",)) == [
        "a[n,i1] = tanh(x[n,i1])",
        "d[n,i1] = a[n,i1]·(1 - a[n,i1]²)",
    ]


def test_what_comes_later_anyway_is_brought_forward():
    pairs = [(r(n, i1), tanh(x) ** 2), (array("s", n), Sum(x - t, (i1, 0, 2))),
             (array("a", n, i1), tanh(x))]  # fmt: skip
    assert shared(*pairs, outputs=("r", "s", "a")) == [
        "a[n,i1] = tanh(x[n,i1])",
        "r[n,i1] = a[n,i1]²",
        "s[n] = Σ_i1 (x[n,i1] - t[n,i1])",
    ]


def test_what_occurs_once_stays_where_it_is():
    assert shared((r(n, i1), tanh(x) * exp(t))) == ["r[n,i1] = exp(t[n,i1])·tanh(x[n,i1])"]


def test_outputs_may_be_equal():
    lines = shared((array("r", n, i1), tanh(x)), (array("s", n, i1), tanh(x)), outputs=("r", "s"))
    assert lines == ["r[n,i1] = tanh(x[n,i1])", "s[n,i1] = r[n,i1]"]


def test_aliases_and_constants_disappear():
    a, b, c = array("a", n, i1), array("b", n, i1), array("c")
    lines = shared(
        (a, x), (b, array("a", n, i1)), (c, Integer(2) / SAMPLES), (r(n, j1), c * array("b", n, j1))
    )
    assert lines == ["r[n,j1] = 2·x[n,j1]/N"]


def test_an_alias_that_swaps_indices_is_read_swapped():
    u, v = array("u", i1, j1), array("v", i1, j1)
    lines = shared(
        (u, Sum(x * array("t", n, j1), (n, 0, SAMPLES - 1))),
        (v, array("u", j1, i1)),
        (r(i1, j1), v - 2 * u),
    )
    assert lines[1:] == ["r[i1,j1] = u[j1,i1] - 2·u[i1,j1]"]


def test_an_alias_put_into_a_sum_is_not_captured():
    """b[i1] = Σ_j1 …; read as b[j1] inside a sum over j1, the inner sum needs another index."""
    a = array("a", n, i1)
    lines = shared(
        (a, x * Sum(array("t", n, j1), (j1, 0, 2))),
        (r(n), Sum(array("a", n, j1) ** 2, (j1, 0, 2))),
        outputs=("r", "a"),
    )
    assert len(lines) == 2


# Gates


def test_silu_is_written_out_where_its_sigmoid_is_needed():
    assert shared((r(n, i1), f.silu(x)), (array("s", n, i1), f.sigmoid(x) * t),
                  outputs=("r", "s")) == [
        "sigmoid_x[n,i1] = sigmoid(x[n,i1])",
        "r[n,i1] = sigmoid_x[n,i1]·x[n,i1]",
        "s[n,i1] = sigmoid_x[n,i1]·t[n,i1]",
    ]  # fmt: skip


def test_silu_stays_where_another_sigmoid_is_needed():
    lines = shared((r(n, i1), f.silu(x)), (array("s", n, i1), f.sigmoid(t)), outputs=("r", "s"))
    assert lines[0] == "r[n,i1] = silu(x[n,i1])"


@pytest.mark.parametrize(
    ("activation", "gate"), [("silu", "sigmoid"), ("gelu", "normal_cdf"), ("mish", "tanh_softplus")]
)
def test_gates_are_whole_in_the_loss_and_written_out_in_the_gradient(activation, gate):
    made = nets.steps(nets.net([2, 3, 1], [activation, "identity"]))

    def calls(program):
        return [type(c).__name__ for d in program.definitions for c in d.value.atoms(f.Function)]

    assert calls(made.shared) == [activation]
    assert calls(made.gradient).count(gate) == 1 and activation not in calls(made.gradient)


def test_a_residual_layer_computes_what_it_reads_once():
    for order in ORDERS:
        program = nets.steps(
            nets.net([2, 2, 2, 1], ["tanh", "tanh", "identity"], residual=[1, 2]), order
        ).gradient
        tanhs = [c for d in program.definitions for c in d.value.atoms(tanh)]
        assert len(tanhs) == 2


# What holds of every shared program


def is_work(value):
    """Whether computing a value costs anything: reads, constants and changes of sign don't.

    Neither does 1/u: dividing by u is as good as multiplying by it.
    """
    negated = isinstance(value, Mul) and len(value.args) == 2 and value.args[0] == -1
    divides = isinstance(value, Pow) and value.exp == -1 and isinstance(value.base, Indexed)
    reads = any(isinstance(node, Indexed) for node in walk(value))
    return operands(value) and reads and not negated and not divides


def computed(program):
    return Counter(
        key_of(node)[0] for d in program.definitions for node in walk(d.value) if is_work(node)
    )


@cache
def random_steps(seed, order):
    return nets.steps(random_net(Random(seed)), order)


RANDOM = [(seed, order) for seed in range(12) for order in ORDERS]


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_nothing_is_computed_twice(seed, order):
    made = random_steps(seed, order)
    for program in (made.shared, made.gradient):
        assert [key for key, times in computed(program).items() if times > 1] == []


def test_before_sharing_much_is():
    """The negative control of the test above."""
    made = nets.steps(nets.net([2, 3, 1], ["tanh", "identity"]))
    assert max(computed(made.factored).values()) > 1


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_sharing_keeps_every_output(seed, order):
    made = random_steps(seed, order)
    given = nets.residues(made.expanded)
    for before, after in ((made.stable, made.shared), (made.factored, made.gradient)):
        values = [evaluate(program, given, Residues()) for program in (before, after)]
        assert before.outputs == after.outputs
        for output in before.outputs:
            first, second = (np.asarray(v[output]) % PRIME for v in values)
            np.testing.assert_array_equal(first, second, err_msg=output)


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_sharing_twice_changes_nothing(seed, order):
    made = random_steps(seed, order)
    assert share(made.shared) == made.shared
    assert share(made.gradient) == made.gradient


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_names_are_identifiers_and_say_something(seed, order):
    program = random_steps(seed, order).gradient
    names = [*program.given, *(d.name for d in program.definitions)]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.isidentifier() and not name.startswith("_") and "tmp" not in name
        assert (
            name in program.given
            or name in ("y", "e", "E", "w_total")
            or "_" in name
            or (name[0] in "zaR" and name[1:].isdecimal())
        ), name


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_only_derivatives_are_called_d(seed, order):
    """A part that happens to begin with a derivative must not read as one: d_y_times_w."""
    program = random_steps(seed, order).gradient
    known = {"E", *program.given, *program.by_name}
    for name in program.by_name:
        if name.startswith("d_"):
            stem = name.removeprefix("d_").replace("_diagonal", "")
            above, _, below = stem.rpartition("_d_")
            assert below in known and (not above or above in known), name


@pytest.mark.parametrize(("seed", "order"), RANDOM)
def test_no_alias_is_left(seed, order):
    program = random_steps(seed, order).gradient
    for definition in program.definitions:
        if definition.name not in program.outputs:
            assert not isinstance(definition.value, Indexed), definition
            assert any(isinstance(node, Indexed) for node in walk(definition.value)), definition


# Names


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (tanh(x), "tanh_x"),
        (x - t, "x_minus_t"),
        (x + t, "t_plus_x"),
        (1 + x, "one_plus_x"),
        (1 - x, "one_minus_x"),
        (x * t, "t_times_x"),
        (x**2, "x_squared"),
        (1 / x, "inverse_x"),
        (exp(x - t), "exp_x_minus_t"),
        (f.maximum(x, t), "maximum_x_t"),
        (Sum(x, (i1, 0, 2)), "sum_x"),
        (f.Peak(x, (i1, 0, 2)), "peak_x"),
        (array("E") * x, "E_times_x"),
        (x**3, "part_of_user"),
        (x + t + 1, "part_of_user"),
        (12 + x, "part_of_user"),
        (tanh(x / 2), "part_of_user"),
        (tanh(tanh(tanh(tanh(tanh(tanh(tanh(x))))))), "part_of_user"),
    ],
)
def test_names_in_words(value, name):
    assert name_for(value, "user") == name


def test_a_name_that_is_taken_gets_a_number():
    lines = shared(
        (array("tanh_x", n, i1), x * 2),
        (r(n, i1), tanh(x) + tanh(x) ** 2 + array("tanh_x", n, i1)),
    )
    assert "tanh_x_2[n,i1] = tanh(x[n,i1])" in lines
    assert name_of(x) == "x"
