"""counts: what is counted for any widths is what brute force finds on small ones."""

from itertools import pairwise
from random import Random

import pytest
import sympy

from symgrad.checking import scalars
from symgrad.compiler import Compiled
from symgrad.explain.backprop import chain_rule
from symgrad.explain.sections.counts import STAGES, by_hand, count, counts, findings
from tests import nets, scalar_chain

SHAPES = [
    [1, 1], [3, 2], [2, 2, 1], [1, 5, 1], [2, 3, 2], [1, 1, 1, 1], [4, 1, 2, 3], [2, 4, 4, 2],
    [3, 2, 1, 2, 2], [2, 2, 2, 2, 2],
]  # fmt: skip


def reference(widths, bias=True):
    """The reference case: tanh hidden layers, linear outputs, the squared error."""
    return nets.net(widths, ["tanh"] * (len(widths) - 2) + ["identity"], bias=bias)


def by_equations(widths):
    """Backpropagation's operations, from its equations and nothing else."""
    operations = 3 * widths[-1] - 1  # y - t, squares, their sum
    for inputs, units in pairwise(widths):
        operations += units * 2 * inputs + inputs * units  # z with its bias; dW; db is δ
    for units, above in pairwise(widths[1:]):
        operations += units * (1 + 2 * above - 1 + 3)  # tanh; Σ W·δ; δ = …·(1 - a·a)
    return operations


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", SHAPES, ids=str)
def test_a_hash_consed_graph_of_scalars_has_as_many_operations(widths, bias):
    found = count(reference(widths, bias))
    loss, trees, shared = scalar_chain.counts(widths, bias)
    assert (found.loss, found.textbook_trees, found.shared_only) == (loss, trees, shared)


@pytest.mark.parametrize("seed", range(20))
def test_so_it_has_at_random(seed):
    random = Random(seed)
    widths = [random.randint(1, 5) for _ in range(random.randint(2, 5))]
    found = count(reference(widths))
    assert (found.loss, found.textbook_trees, found.shared_only) == scalar_chain.counts(widths)


def size(expression, known):
    """Operations of a SymPy expression as a tree; numbers in it fold away."""
    if expression not in known:
        inside = sum(size(part, known) for part in expression.args)
        match expression:
            case sympy.Add():
                inside += len(expression.args) - 1
            case sympy.Mul():
                inside += sum(not part.is_Number for part in expression.args) - 1
            case sympy.Pow():
                inside += int(expression.exp) - 1
            case sympy.Function():
                inside += 1
        known[expression] = inside
    return known[expression]


@pytest.mark.parametrize("widths", [*SHAPES[:8], [2, 2, 2, 2]], ids=str)
def test_sympy_finds_the_same_trees_and_shares_no_more_than_backpropagation(widths):
    """Real `diff` and `cse` on scalars: trees are equal; cse, which may regroup products, lies
    between nested sharing and backpropagation."""
    spec = reference(widths)
    weights, _, _, loss = scalars.expand(spec.normalised())
    derivatives = [sympy.diff(loss, weight) for weight in weights]
    known = {}
    assert count(spec).textbook_trees == sum(size(e, known) for e in [loss, *derivatives])

    parts, rest = sympy.cse([loss, *derivatives])
    known = {}
    shared = sum(size(value, known) for _, value in parts) + sum(size(e, known) for e in rest)
    assert by_hand(spec) <= shared <= count(spec).shared_only


def test_one_hidden_layer_and_one_output_is_where_cse_is_enough():
    spec = reference([2, 2, 1])
    weights, _, _, loss = scalars.expand(spec.normalised())
    parts, rest = sympy.cse([loss, *(sympy.diff(loss, weight) for weight in weights)])
    known = {}
    shared = sum(size(value, known) for _, value in parts) + sum(size(e, known) for e in rest)
    assert shared == by_hand(spec) == 30


@pytest.mark.parametrize(
    "widths", [*SHAPES, [64, 128, 10], [10, 20, 30, 40, 50, 60], [784, 128, 64, 10]], ids=str
)
def test_loss_first_emitted_and_by_hand_are_backpropagation(widths):
    found = count(reference(widths))
    expected = by_equations(widths)
    assert (found.loss_first, found.emitted, found.hand_backprop) == (expected,) * 3


def test_weights_first_is_what_sharing_alone_comes_to():
    for widths in SHAPES:
        found = count(reference(widths))
        assert found.weights_first == found.shared_only, widths


def test_emitted_is_counted_in_the_order_asked_for():
    spec = reference([3, 4, 2])
    found = count(spec, "weights-first")
    assert found.emitted == found.weights_first > found.loss_first


def test_residuals_are_counted_weight_by_weight():
    """What is counted for one element of a weight array holds for all of them: here, by hand.

    a = tanh(x·w + b) + x, E = ½(a - t)². In scalars, two units tied by the residual.
    """
    spec = nets.net([2, 2, 2], ["tanh", "tanh"], residual=[2])
    x = [sympy.Symbol(f"x{i}") for i in range(2)]
    t = [sympy.Symbol(f"t{i}") for i in range(2)]
    names = {
        (layer, kind, *place): sympy.Symbol("_".join(map(str, (layer, kind, *place))))
        for layer in (1, 2)
        for kind, places in (("w", [(i, j) for i in range(2) for j in range(2)]),
                             ("b", [(j,) for j in range(2)]))
        for place in places
    }  # fmt: skip
    a = x
    for layer in (1, 2):
        z = [
            sum(a[i] * names[layer, "w", i, j] for i in range(2)) + names[layer, "b", j]
            for j in range(2)
        ]
        a = [sympy.tanh(z[j]) + (a[j] if layer == 2 else 0) for j in range(2)]
    loss = sum((a[k] - t[k]) ** 2 for k in range(2)) / 2
    known = {}
    trees = sum(size(e, known) for e in [loss, *(loss.diff(w) for w in names.values())])
    # SymPy has tanh(z) + a - t as one sum, so that the counts agree
    assert chain_rule.count(nets.steps(spec).graph).textbook_trees == trees


def test_wide_layers_are_counted_as_fast_as_narrow_ones():
    """No tree is made: this one would have 10²¹ nodes."""
    found = count(reference([1000] * 6))
    assert found.textbook_trees > 10**21
    assert found.hand_backprop == by_equations([1000] * 6)


SPECS = ["xor", "iris", "digits", "spirals", "residual", "custom"]


@pytest.mark.parametrize("name", SPECS)
def test_every_example_is_counted(name):
    from symgrad.spec.spec import Spec

    found = count(Spec.load(f"specs/{name}.toml"))
    assert found.loss < found.loss_first < found.shared_only < found.textbook_trees
    assert found.hand_backprop is not None
    assert abs(found.emitted - found.hand_backprop) < 0.05 * found.hand_backprop


def test_formulas_with_sums_are_in_no_textbook():
    spec = nets.with_formula("z/sum(abs(z))")
    assert count(spec).hand_backprop is None
    assert any("sums over units" in said for said in findings(count(spec)))


def test_the_section_has_the_documented_keys():
    section = counts(Compiled(reference([2, 2, 1])))
    assert set(section.data) == {*STAGES, "times_loss", "weights", "rule"}
    assert section.data["loss"] == 16 and section.data["textbook_trees"] == 221
    assert section.data["shared_only"] == 38 and section.data["loss_first"] == 30


def test_where_sharing_alone_is_enough_the_section_says_so():
    said = " ".join(findings(count(reference([3, 2]))))
    assert "sharing alone is enough" in said and "distributive" not in said
    said = " ".join(findings(count(reference([3, 4, 2]))))
    assert "sharing alone is enough" not in said and "distributive" in said
