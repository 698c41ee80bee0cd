"""factor: every order computes the textbook derivative exactly; loss-first is backpropagation."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from sympy import Indexed, Mul, Sum

from symgrad.language.count import operations
from symgrad.language.evaluate import PRIME, Residues, evaluate
from symgrad.language.indices import walk
from symgrad.language.program import name_of, prune
from symgrad.passes.factor import ORDERS, factor
from symgrad.spec.spec import ACTIVATIONS, LOSSES
from tests import nets

# Exactness: equality modulo a prime, no tolerance


def derivatives(program, given):
    values = evaluate(program, given, Residues())
    return {d: np.asarray(values[d]) % PRIME for d in values if d.startswith("d_")}


def check_every_order(spec, orders=ORDERS):
    made = nets.steps(spec)
    given = nets.residues(made.expanded)
    expected = derivatives(nets.textbook_program(made.graph), given)
    for order in orders:
        ordered = nets.steps(spec, order)
        for program in (ordered.factored, ordered.gradient):
            found = derivatives(program, given)
            for name, value in expected.items():
                np.testing.assert_array_equal(found[name], value, err_msg=f"{order}: {name}")
    assert len(expected) == len(made.graph.program.weights)


def random_net(random, layers=None):
    """A network with everything that a spec can say, at random; its loss is defined everywhere."""
    depth = layers or random.randint(1, 3)
    widths = [random.randint(1, 3) for _ in range(depth + 1)]
    residual = [k for k in range(1, depth + 1) if random.random() < 0.4]
    for layer in residual:
        widths[layer] = widths[layer - 1]
    inner = [a for a in ACTIVATIONS if a != "softmax"]
    kind = random.choice(LOSSES)
    logarithmic = kind in ("cross_entropy", "binary_cross_entropy", "poisson", "kl")
    if logarithmic and depth in residual:
        residual.remove(depth)
    last = random.choice(["sigmoid", "softmax"] if logarithmic else ACTIVATIONS)
    if kind == "binary_cross_entropy" or (last == "softmax" and widths[-1] == 1):
        last = "sigmoid"  # a softmax of one unit is 1
    activations = [random.choice(inner) for _ in range(depth - 1)] + [last]
    return nets.net(
        widths,
        activations,
        residual=residual,
        bias=random.random() < 0.7,
        kind=kind,
        l1=random.choice([0.0, 0.1]),
        l2=random.choice([0.0, 0.25]),
        sample_weights=random.random() < 0.3,
    )


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_are_differentiated_exactly(seed):
    check_every_order(random_net(Random(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_many_random_networks_are_differentiated_exactly(seed):
    check_every_order(random_net(Random(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss(activation, kind):
    check_every_order(nets.net([2, 3, 2], ["tanh", activation], kind=kind, l2=0.5))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation):
    check_every_order(nets.net([2, 3, 2], [activation if activation != "softmax" else "tanh",
                                           activation], kind="squared"))  # fmt: skip


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss(kind):
    check_every_order(nets.net([2, 2], ["sigmoid"], kind=kind, sample_weights=True, l1=0.5))


@pytest.mark.parametrize("last", ["identity", "softmax"])
@pytest.mark.parametrize(
    "formula",
    [
        "sum(y*t)*sum(y**2)",
        "y*sum(y)*t",
        "(sum(y) - sum(t))**2",
        "sum(y)*sum(t)",
        "y**2*sum(y)**2",
        "-log(sum(y*t)**2 + 1)",
    ],
)
def test_losses_that_read_one_array_under_two_indices(formula, last):
    check_every_order(nets.net([2, 3, 2], ["tanh", last], formula=formula))


@pytest.mark.parametrize(
    "formula", ["z/sum(abs(z))", "sum(z)", "z - sum(z)/3", "max(sum(z), z)", "tanh(sum(z)*z)"]
)
def test_activations_that_read_a_layer_under_two_indices(formula):
    check_every_order(nets.with_formula(formula))


def test_residuals_through_three_layers():
    check_every_order(nets.net([2, 2, 2, 2], ["silu", "tanh", "softmax"], residual=[1, 2, 3]))


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="loss-first, weights-first, cheapest, not 'reverse'"):
        factor(nets.steps(nets.net([1, 1], ["tanh"])).graph, "reverse")


@pytest.mark.parametrize("order", ORDERS)
def test_the_outputs_are_loss_and_gradient(order):
    program = nets.steps(nets.net([2, 3, 1], ["tanh", "identity"]), order).factored
    assert program.outputs == ("y", "E", "d_W1", "d_b1", "d_W2", "d_b2")


# Structure: it is backpropagation, counted


def forward_by_hand(widths, bias=True):
    """Operations for one sample: tanh hidden layers, linear output, squared loss."""
    count = 0
    for inputs, units in pairwise(widths):
        count += units * (inputs + inputs - 1 + bias)  # z: products, additions, the bias
    count += sum(widths[1:-1])  # a = tanh(z)
    outputs = widths[-1]
    return count + outputs + outputs + outputs - 1  # y - t, squares, their sum


def backward_by_hand(widths):
    """Operations that textbook backpropagation adds, where δ = ∂E/∂z of a layer."""
    count = 0
    for inputs, units in pairwise(widths):
        count += inputs * units  # dW = a·δ; db = δ costs nothing
    for units, above in pairwise(widths[1:]):
        count += units * (above + above - 1)  # ∂E/∂a = Σ δ W of the layer above
        count += units * 3  # δ = ∂E/∂a·(1 - a·a)
    return count


def plain(widths, order="loss-first", bias=True):
    activations = ["tanh"] * (len(widths) - 2) + ["identity"]
    return nets.steps(nets.net(widths, activations, bias=bias), order).gradient


SHAPES = [
    [1, 1], [3, 2], [2, 2, 1], [2, 8, 1], [5, 4, 3], [1, 1, 1, 1], [4, 16, 16, 3],
    [7, 3, 9, 2, 5], [64, 128, 10], [10, 20, 30, 40, 50, 60], [6] * 9,
]  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", SHAPES, ids=str)
def test_loss_first_takes_the_operations_of_backpropagation_by_hand(widths, bias):
    program = plain(widths, bias=bias)
    forward = prune(program, ("E",))
    assert operations(forward) == forward_by_hand(widths, bias)
    assert operations(program) == forward_by_hand(widths, bias) + backward_by_hand(widths)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_loss_first_takes_the_operations_of_backpropagation_at_random(seed):
    random = Random(seed)
    widths = [random.randint(1, 300) for _ in range(random.randint(2, 12))]
    expected = forward_by_hand(widths) + backward_by_hand(widths)
    assert operations(plain(widths)) == expected


def ratio(widths, order="loss-first"):
    program = plain(widths, order)
    return operations(program) / operations(prune(program, ("E",)))


@pytest.mark.slow
def test_the_ratio_of_gradient_to_loss_stays_bounded():
    """A gradient by any number of weights costs less than three losses (Baur and Strassen 1983)."""
    for depth in (1, 2, 4, 8, 16):
        for width in (1, 2, 4, 8, 64, 512):
            assert ratio([width] * (depth + 1)) < 3, (depth, width)


def test_weights_first_is_not_backpropagation_and_its_ratio_grows():
    """The negative control: the same derivative, factored the other way round."""
    for width in (2, 4):
        ratios = [ratio([width] * (depth + 1), "weights-first") for depth in (2, 4, 8)]
        assert ratios[1] > 1.5 * ratios[0] and ratios[2] > 1.5 * ratios[1], (width, ratios)
    for widths in SHAPES[2:]:
        assert operations(plain(widths, "weights-first")) > operations(plain(widths)), widths


def products(program):
    """The arrays whose products are summed over one index, two at a time."""
    found = []
    for definition in program.definitions:
        for node in walk(definition.value):
            if isinstance(node, Sum) and isinstance(node.function, Mul):
                assert all(isinstance(part, Indexed) for part in node.function.args), node
                found.append(frozenset(map(name_of, node.function.args)))
    return found


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_loss_first_has_the_matrix_products_of_backpropagation_and_no_others(depth):
    below = ["x"] + [f"a{k}" for k in range(1, depth)]
    delta = [f"d_z{k}" for k in range(1, depth)] + ["d_y"]
    forward = [{below[k], f"W{k + 1}"} for k in range(depth)]
    weights = [{below[k], delta[k]} for k in range(depth)]
    back = [{delta[k], f"W{k + 1}"} for k in range(1, depth)]
    found = products(plain([3] * (depth + 1)))
    expected = [frozenset(pair) for pair in (*forward, *weights, *back)]
    assert sorted(found, key=sorted) == sorted(expected, key=sorted)


def test_weights_first_has_other_products():
    assert sorted(map(sorted, products(plain([3] * 4, "weights-first")))) != sorted(
        map(sorted, products(plain([3] * 4)))
    )


CHEAPEST = {
    **{str(widths): nets.net(widths, ["tanh"] * (len(widths) - 2) + ["identity"])
       for widths in SHAPES},
    "one input, many outputs": nets.net([1, 2, 30], ["tanh", "identity"]),
    "a bottleneck": nets.net([20, 1, 20], ["tanh", "tanh"]),
    "softmax": nets.net([2, 4, 8], ["tanh", "softmax"], kind="cross_entropy"),
    "residual": nets.net([3, 3, 3, 3], ["silu", "tanh", "relu"], residual=[1, 2, 3]),
    "penalties": nets.net([2, 5, 3], ["gelu", "identity"], l1=0.1, l2=0.1),
    "sample weights": nets.net([2, 5, 3], ["gelu", "identity"], sample_weights=True),
}  # fmt: skip


@pytest.mark.parametrize("spec", CHEAPEST.values(), ids=CHEAPEST.keys())
def test_cheapest_costs_no_more_than_either_other_order(spec):
    cost = {order: operations(nets.steps(spec, order).gradient) for order in ORDERS}
    assert cost["cheapest"] <= min(cost["loss-first"], cost["weights-first"]), cost


def test_derivatives_are_named_after_what_they_are():
    program = nets.steps(nets.net([2, 3, 1], ["tanh", "identity"]), "loss-first").factored
    assert [d.name for d in program.definitions if d.name.startswith("d_")] == [
        "d_y", "d_W2", "d_b2", "d_a1", "d_z1", "d_W1", "d_b1",
    ]  # fmt: skip
    program = nets.steps(nets.net([2, 3, 1], ["tanh", "identity"]), "weights-first").factored
    assert "d_y_d_W1" in program.by_name
