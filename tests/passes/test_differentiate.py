"""differentiate: the partials along every edge, and their sum over paths, against SymPy's."""

from itertools import product

import numpy as np
import pytest
import sympy
from sympy import Sum, exp, log, tanh

from symgrad.language.functions import Peak, sigmoid
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, unit
from symgrad.language.program import array, indices_of, name_of
from symgrad.language.views import formula
from symgrad.passes.differentiate import Edge, differentiate, moved_to, partial, renamed, textbook
from tests import nets

n, i0, i1, i2 = SAMPLE, unit(0), unit(1), unit(2)
j1, k1 = fresh(i1, [i1]), fresh(i1, [i1, fresh(i1, [i1])])
DIGITS = 25

NETS = {
    "plain": nets.net([2, 2, 1], ["tanh", "identity"]),
    "no bias": nets.net([2, 2, 1], ["tanh", "identity"], bias=False),
    "residual": nets.net([2, 2, 2], ["silu", "tanh"], residual=[1, 2]),
    "softmax": nets.net([2, 3], ["softmax"], kind="cross_entropy"),
    "softmax, squared": nets.net([2, 3], ["softmax"], kind="squared"),
    "sigmoid": nets.net([2, 2], ["sigmoid"], kind="binary_cross_entropy"),
    "gelu, poisson": nets.net([2, 2, 1], ["gelu", "softplus"], kind="poisson"),
    "penalties": nets.net([2, 2], ["mish"], l1=0.5, l2=0.25),
    "sample weights": nets.net([2, 2], ["softsign"], sample_weights=True),
    "a norm": nets.with_formula("z/sqrt(1 + sum(z**2))"),
    "centred": nets.with_formula("z - sum(z)/3"),
    "a maximum": nets.with_formula("max(z, sum(z)/3)"),
    "a product of sums": nets.net([2, 2], ["tanh"], formula="sum(y*t)*sum(y**2)"),
    "a correlation": nets.net([2, 2], ["tanh"], formula="y*sum(y)*t - sum(exp(y))"),
    "a squared sum": nets.net([2, 2], ["tanh"], formula="(sum(y) - sum(t))**2"),
    "a power": nets.net([2, 2], ["tanh"], formula="(1 + (y - t)**2)**0.25"),
}
named_nets = pytest.mark.parametrize("spec", NETS.values(), ids=NETS.keys())


def close(first, second):
    first, second = sympy.N(first, DIGITS + 10), sympy.N(second, DIGITS + 10)
    return abs(first - second) < sympy.Float(10) ** -DIGITS * (1 + abs(second))


@named_nets
def test_every_edge_is_sympy_s_derivative_of_the_definition(spec):
    """∂v[out]/∂u[into] for every place: the sum of the edges whose diagonals the place lies on."""
    graph = nets.steps(spec).graph
    program = graph.program
    numbers = nets.run(program, nets.rationals(program))
    for definition in program.definitions:
        for source in {name_of(r) for r in definition.value.atoms(sympy.Indexed)} | {
            s.name for s in definition.value.free_symbols if s.name in program.by_name
        }:
            edges = [e for e in graph.edges if (e.source, e.target) == (source, definition.name)]
            if not edges:
                continue
            variables = numbers | {source: variables_like(numbers[source])}
            for out in places(numbers[definition.name]):
                at = dict(zip(definition.indices, out, strict=True))
                value = nets.scalar(definition.value, variables, at)
                for into in places(numbers[source]):
                    expected = value.diff(element(variables[source], into))
                    expected = expected.xreplace(
                        {element(variables[source], p): element(numbers[source], p)
                         for p in places(numbers[source])}
                    )  # fmt: skip
                    found = sum(on_edge(edge, out, into, numbers) for edge in edges)
                    assert close(found, expected.doit()), (definition.name, source, out, into)


def places(values):
    return list(product(*map(range, np.shape(values))))


def element(values, place):
    return values[place] if place else values


def variables_like(values):
    if not np.shape(values):
        return sympy.Symbol("u", real=True)
    result = np.empty(np.shape(values), dtype=object)
    for place in places(values):
        result[place] = sympy.Symbol("u" + "_".join(map(str, place)), real=True)
    return result


def on_edge(edge, out, into, numbers):
    at = dict(zip(edge.out, out, strict=True))
    for index, place in zip(edge.into, into, strict=True):
        if at.setdefault(index, place) != place:
            return 0  # beside the diagonal
    return nets.scalar(edge.value, numbers, at)


@named_nets
def test_edges_are_between_weights_and_loss_only(spec):
    graph = differentiate(nets.steps(spec).shared)
    weights = {name_of(w) for w in graph.program.weights}
    sources, targets = {e.source for e in graph.edges}, {e.target for e in graph.edges}
    assert weights <= sources and not weights & targets
    assert sources - weights == targets - {"E"} == set(graph.between())
    assert not sources & {"x", "t", "w"}


def test_an_identity_layer_and_its_edges():
    graph = nets.steps(nets.net([2, 3, 1], ["tanh", "identity"])).graph
    found = {(e.source, e.target): e for e in graph.edges}
    assert found["z1", "a1"] == Edge(
        "z1", "a1", (n, i1), (n, i1), 1 - tanh(array("z1", n, i1)) ** 2
    )
    assert found["a1", "y"] == Edge("a1", "y", (n, i2), (n, i1), array("W2", i1, i2))
    assert found["W2", "y"] == Edge("W2", "y", (n, i2), (i1, i2), array("a1", n, i1))
    assert found["b2", "y"] == Edge("b2", "y", (n, i2), (i2,), sympy.Integer(1))
    assert found["e", "E"] == Edge("e", "E", (), (n,), 1 / SAMPLES)


@named_nets
def test_the_textbook_derivative_is_sympy_s_of_the_one_formula(spec):
    made = nets.steps(spec)
    variables = nets.symbols(made.expanded)
    given = nets.rationals(made.expanded)
    numbers = {
        element(variables[k], p): element(given[k], p) for k in given for p in places(given[k])
    }
    loss = nets.scalar(formula(made.expanded, "E"), variables)
    forward = nets.run(made.shared, given)
    for weight in made.graph.program.weights:
        by_paths = textbook(made.graph, name_of(weight))
        for place in places(given[name_of(weight)])[:3]:
            expected = loss.diff(variables[name_of(weight)][place]).xreplace(numbers).doit()
            at = dict(zip(indices_of(weight), place, strict=True))
            assert close(nets.scalar(by_paths, forward, at), expected), (weight, place)


def test_the_textbook_formula_of_a_small_network():
    graph = nets.steps(nets.net([2, 3], ["identity"])).graph
    y, t, x = array("y", n, i1), array("t", n, i1), array("x", n, i0)
    assert textbook(graph, "W1") == Sum((y - t) * x, (n, 0, SAMPLES - 1)) / SAMPLES


# partial: one read at a time


def u(*indices):
    return array("u", *indices)


def v(*indices):
    return array("v", *indices)


def test_a_sum_disappears_with_the_index_that_it_binds():
    """What SymPy's own Sum.diff gets wrong: it would keep the sum."""
    total = Sum(u(j1) ** 2 * v(j1), (j1, 0, 2))
    assert partial(total, u(j1)) == 2 * u(j1) * v(j1)


def test_a_sum_over_another_index_stays():
    assert partial(Sum(u(i1) * v(j1), (j1, 0, 2)), u(i1)) == Sum(v(j1), (j1, 0, 2))


def test_other_bound_indices_make_way_for_the_freed_one():
    """∂/∂u[j1] (Σ_j1 u[j1])·(Σ_j1 v[j1]): the second sum must not capture the freed j1."""
    first, second = Sum(u(j1) ** 2, (j1, 0, 2)), Sum(u(j1) * v(j1), (j1, 0, 2))
    derivative = partial(first * second, u(j1))
    numbers = {"u": np.array([2, 3, 5]), "v": np.array([7, 11, 13])}
    for place in range(3):
        expected = 2 * numbers["u"][place] * 112 + 38 * numbers["v"][place]
        assert nets.scalar(derivative, numbers, {j1: place}) == expected


def test_log_sum_exp_becomes_a_softmax():
    """Whatever is subtracted from the exponents: its derivative is left out, since it cancels."""
    peak = Peak(u(j1), (j1, 0, 2))
    total = peak + log(Sum(exp(u(j1) - Peak(u(k1), (k1, 0, 2))), (j1, 0, 2)))
    assert partial(peak, u(j1)) == 0
    derivative = partial(total, u(j1))
    at = nets.scalar(derivative, {"u": np.array([0, 0, sympy.log(2)])}, {j1: 2})
    assert sympy.simplify(at) == sympy.Rational(1, 2)


def test_what_is_not_read_has_no_derivative():
    assert partial(u(i1) * 2, u(j1)) == 0
    assert partial(u(i1), v(i1)) == 0
    assert partial(u(i1), u(i1)) == 1


def test_binary_cross_entropy_after_a_sigmoid_keeps_both_tails():
    """σ(z) - t, as textbooks have it, would be 0 for t = 1 and z = 40, where it is -4e-18."""
    graph = nets.steps(nets.net([2, 3], ["sigmoid"], kind="binary_cross_entropy")).graph
    (edge,) = [e for e in graph.edges if e.source == "z1"]
    z, t = array("z1", n, i1), array("t", n, i1)
    assert edge.value == (1 - t) * sigmoid(z) - t * sigmoid(-z)


def test_edges_are_moved_without_capture():
    edge = Edge("u", "v", (n, i1), (n, j1), Sum(array("c", i1, j1, k1), (k1, 0, 2)))
    moved = moved_to(edge, (n, k1), [i1])
    assert moved.out == (n, k1) and moved.into[0] == n
    assert moved.into[1] not in (i1, k1)
    numbers = {"c": np.arange(27).reshape(3, 3, 3)}
    at = {k1: 2, moved.into[1]: 1}
    assert nets.scalar(moved.value, numbers, at) == numbers["c"][2, 1].sum()
    swapped = renamed(edge, {i1: j1, j1: i1})
    assert (swapped.out, swapped.into) == ((n, j1), (n, i1))
    assert nets.scalar(swapped.value, numbers, {j1: 2, i1: 1}) == numbers["c"][2, 1].sum()
