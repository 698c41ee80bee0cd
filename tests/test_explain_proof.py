"""proof: backpropagation by hand, the isomorphism, and the certificate; and that each can fail."""

from dataclasses import replace

import nets
import pytest

import symgrad
from symgrad.compiler.compile import Compiled
from symgrad.compiler.spec import ACTIVATIONS, LOSSES, Spec
from symgrad.explain.backprop.by_hand import GRADIENT, NoTextbook, backprop
from symgrad.explain.backprop.certificate import Equal, compare
from symgrad.explain.backprop.isomorphism import match
from symgrad.explain.sections.proof import proof
from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.program import Definition
from symgrad.language.verify import verify


def reference(widths):
    return nets.net(widths, ["tanh"] * (len(widths) - 2) + ["identity"])


def emitted(spec, order="loss-first"):
    return Compiled(spec, order).stages.schedule["gradient"].program


def outputs(hand):
    return {
        name if name == "E" else f"d_{name.removeprefix(GRADIENT)}": name for name in hand.outputs
    }


# by hand: right, and independent

HAND = [
    *(nets.net([2, 3, 2], [a if a != "softmax" else "tanh", a]) for a in ACTIVATIONS),
    *(nets.net([2, 3, 2], ["tanh", last], kind=kind, l1=0.1, l2=0.1, sample_weights=True)
      for kind in LOSSES for last in ("sigmoid", "softmax")),
    nets.net([2, 3, 3, 3], ["silu", "tanh", "softmax"], residual=[2, 3]),
    nets.net([2, 2, 2], ["gelu", "identity"], residual=[1, 2], bias=False),
    nets.with_formula("exp(-z**2) + z*tanh(z)"),
    nets.net([2, 3, 2], ["tanh", "tanh"], formula="log(1 + (y - t)**2)"),
]  # fmt: skip


@pytest.mark.parametrize("spec", HAND, ids=lambda s: f"{s.layers[-1].activation}-{s.loss.kind}")
def test_by_hand_is_the_gradient(spec):
    """Against the reference of `symgrad check`: central differences of the loss by NumPy."""
    hand = verify(backprop(spec.normalised()))
    given = nets.floats(hand)
    values = evaluate(hand, given, Floats())
    step = 1e-5
    for name in hand.outputs[1:]:
        weight = name.removeprefix(GRADIENT)
        place = tuple(k - 1 for k in given[weight].shape)
        ends = []
        for sign in (1, -1):
            moved = given[weight].copy()
            moved[place] += sign * step
            ends.append(evaluate(hand, given | {weight: moved}, Floats())["E"])
        slope = (ends[0] - ends[1]) / (2 * step)
        assert values[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-8), name


def test_by_hand_takes_no_pass_of_the_compiler():
    import symgrad.explain.backprop.by_hand as module

    with open(module.__file__, encoding="utf-8") as source:
        assert "symgrad.compiler" not in source.read()


def test_a_formula_that_sums_over_units_is_refused():
    with pytest.raises(NoTextbook, match=r"'z - sum\(z\)/3' sums over units"):
        backprop(nets.with_formula("z - sum(z)/3").normalised())


# the isomorphism

SAME = [a for a in ACTIVATIONS if a != "softmax"]


@pytest.mark.parametrize("activation", SAME)
def test_every_activation_with_the_squared_error_is_isomorphic(activation):
    spec = nets.net([2, 3, 4, 2], [activation, "tanh", activation], l1=0.1, l2=0.2)
    hand = backprop(spec.normalised())
    program = emitted(spec)
    found = match(program, hand, outputs(hand))
    assert found.isomorphic
    assert {pair.how for pair in found.pairs} <= {"same", "part"}
    assert all(pair.left and pair.right for pair in found.pairs)


@pytest.mark.parametrize("widths", [[1, 1], [3, 2], [2, 2, 1], [5] * 9], ids=str)
def test_statements_pair_off_one_to_one(widths):
    spec = reference(widths)
    hand = backprop(spec.normalised())
    found = match(emitted(spec), hand, outputs(hand))
    assert found.isomorphic and {pair.how for pair in found.pairs} == {"same"}
    left = [pair.left.name for pair in found.pairs]
    right = [pair.right.name for pair in found.pairs]
    assert len(left) == len(set(left)) == len(emitted(spec).definitions)
    assert sorted(right) == sorted(hand.by_name)


def test_another_order_of_the_sums_is_told_apart():
    spec = reference([2, 3, 2])
    hand = backprop(spec.normalised())
    found = match(emitted(spec, "weights-first"), hand, outputs(hand))
    assert not found.isomorphic and not found.same_outputs
    assert any(pair.how == "alone" for pair in found.pairs)


def changed(program, name, change):
    return replace(
        program,
        definitions=tuple(
            Definition(d.target, change(d.value)) if d.name == name else d
            for d in program.definitions
        ),
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("d_z1", lambda value: 2 * value),
        ("a1", lambda value: value.func(2 * value.args[0])),
        ("d_W2", lambda value: -value),
        ("d_b1", lambda value: value + 1),
        ("y_minus_t", lambda value: -value),
    ],
)
def test_one_wrong_statement_is_found(name, change):
    """Neither the isomorphism nor the certificate may pass it."""
    spec = reference([2, 3, 2])
    hand = backprop(spec.normalised())
    wrong = changed(emitted(spec), name, change)
    found = match(wrong, hand, outputs(hand), Equal(wrong, hand))
    assert not found.isomorphic
    check = compare("wrong", wrong, hand, outputs(hand))
    # -(y - t) squared is the same loss, but its derivative has another sign
    assert not check.equal


def test_an_index_out_of_place_is_found():
    """∂E/∂W transposed: the same operations, and in a square layer even the same shape."""
    spec = reference([2, 2, 2])
    hand = backprop(spec.normalised())
    program = emitted(spec)
    i, j = program.by_name["d_W1"].indices
    transposed = replace(
        program,
        definitions=tuple(
            Definition(d.target.base[j, i], d.value) if d.name == "d_W1" else d
            for d in program.definitions
        ),
    )
    assert match(program, hand, outputs(hand)).same_outputs
    assert not match(transposed, hand, outputs(hand)).same_outputs


def test_names_do_not_matter_and_computing_twice_does():
    spec = reference([2, 3, 1])
    program = emitted(spec)
    assert match(program, program, {"E": "E"}).isomorphic
    from symgrad.language.program import array

    a1 = program.by_name["a1"]
    again = Definition(array("again", *a1.indices), a1.value)
    twice = program.with_definitions((*program.definitions, again))
    assert not match(twice, program, {"E": "E"}).isomorphic


def test_where_a_statement_differs_all_after_it_is_still_compared():
    spec = nets.net([2, 3, 2], ["tanh", "softmax"], kind="cross_entropy")
    hand = backprop(spec.normalised())
    program = emitted(spec)
    blind = match(program, hand, outputs(hand))
    assert not blind.same_outputs
    found = match(program, hand, outputs(hand), Equal(program, hand))
    assert found.same_outputs and not found.isomorphic
    assert [(p.left.name, p.right.name) for p in found.but_for] == [("d_z2", "δ2")]
    same = {pair.left.name for pair in found.pairs if pair.how == "same"}
    assert {"d_a1", "d_z1", "d_W1", "d_b1"} <= same


# the certificate


def test_every_pass_of_every_example_is_certified():
    for name in ("xor", "iris", "residual", "custom"):
        section = proof(symgrad.compile(f"specs/{name}.toml"))
        checks = section.data["certificate"]["checks"]
        assert len(checks) == 6 and all(check["equal"] for check in checks), name
        for check in checks:
            assert check["exact"] == (check["bound"] is not None)
            assert check["bound"] is None or 0 < check["bound"] < 1e-20
        assert section.data["certificate"]["prime"] == 2**61 - 1


def test_what_opaque_functions_cannot_show_is_compared_in_numbers():
    spec = nets.net([2, 3], ["softmax"], kind="cross_entropy")
    made = nets.steps(spec)
    check = compare("stabilize", made.expanded, made.stable, {"E": "E", "y": "y"})
    assert check.equal and not check.exact and check.bound is None
    wrong = changed(made.stable, "e", lambda value: 2 * value)
    assert not compare("stabilize", made.expanded, wrong, {"E": "E"}).equal


def test_deep_networks_leave_the_sum_over_paths_out():
    spec = reference([2] * 12)
    names = [check["name"] for check in proof(Compiled(spec)).data["certificate"]["checks"]]
    assert names == ["stabilize", "share", "share, again", "schedule", "emitted program = by hand"]


# the section


def test_the_section_of_a_plain_network():
    data = proof(Compiled(reference([2, 2, 1]))).data
    assert data["comparable"] and data["isomorphic"] and data["same_outputs"]
    assert data["operations"]["emitted"] == data["operations"]["by_hand"] == 27
    assert data["pairs"][0]["emitted"].startswith("z1[n,i1] = Σ_i0")
    assert all(pair["how"] == "same" for pair in data["pairs"])


def test_the_section_says_where_another_order_differs():
    section = proof(Compiled(reference([2, 2, 1]), "weights-first"))
    assert not section.data["isomorphic"] and not section.data["same_outputs"]
    assert "They differ" in section.blocks[0].text and "weights-first" in section.blocks[0].text
    assert any(pair["by_hand"] is None for pair in section.data["pairs"])
    # and all the same, the value is the same
    assert section.data["certificate"]["checks"][-1]["equal"]


def test_the_section_of_a_network_that_no_textbook_has():
    section = proof(Compiled(nets.with_formula("z/sum(abs(z))")))
    assert section.data["comparable"] is False and "sums over units" in section.data["reason"]
    assert len(section.data["certificate"]["checks"]) == 5


def test_a_spec_is_not_changed_by_being_explained():
    spec = Spec.load("specs/xor.toml")
    before = spec.normalised()
    proof(Compiled(spec))
    assert spec.normalised() == before
