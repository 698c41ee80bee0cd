"""proof: backpropagation by hand, the isomorphism, and the certificate; and that each can fail."""

import subprocess
import sys
from dataclasses import replace

import pytest
from sympy import Sum, Symbol

import symgrad
from symgrad.compiler import Compiled
from symgrad.explain.backprop import certificate
from symgrad.explain.backprop.by_hand import GRADIENT, NoTextbook, backprop
from symgrad.explain.backprop.certificate import Equal, compare
from symgrad.explain.backprop.isomorphism import match
from symgrad.explain.sections.proof import proof
from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.indices import SAMPLES
from symgrad.language.program import Definition
from symgrad.language.verify import Unsound, verify
from symgrad.spec.spec import ACTIVATIONS, LOSSES, Spec
from tests import nets


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
    nets.net([2, 3, 2], ["tanh", "identity"], kind="huber", constants={"delta": 0.3}),
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
    """Not even by way of what it imports: only reading specs and laying out loads the compiler."""
    check = """
import sys, types
package = types.ModuleType("symgrad")  # in place of the one that offers `compile`
package.__path__ = ["symgrad"]
sys.modules["symgrad"] = package
import symgrad.explain.backprop.by_hand
rooms = tuple(f"symgrad.{room}" for room in ("compiler", "passes", "lowering", "targets"))
print(*[name for name in sys.modules if name.startswith(rooms)])
"""
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert found.stdout.strip() == "" and found.returncode == 0, (found.stdout, found.stderr)


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
            assert check["bound"] is None or 0 < check["bound"] < 1e-9
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


def test_what_vanishes_for_two_units_does_not_pass():
    """6·e₃ in power sums is 0 for two numbers, and not for three."""
    spec = nets.net([2, 3], ["tanh"])
    program = emitted(spec)
    y = program.by_name["y"].target
    n, i = y.indices
    p1, p2, p3 = (Sum(y**k, (i, 0, 2)) for k in (1, 2, 3))
    extra = Sum(p1**3 - 3 * p1 * p2 + 2 * p3, (n, 0, SAMPLES - 1))
    wrong = changed(program, "E", lambda value: value + extra)
    assert compare("wrong", program, wrong, {"E": "E"}).equal is False


def test_a_number_of_samples_that_is_typed_in_does_not_pass():
    program = emitted(reference([2, 2, 1]))
    wrong = changed(program, "E", lambda value: value.subs(SAMPLES, 2))
    assert compare("wrong", program, wrong, {"E": "E"}).equal is False


def test_what_has_no_value_modulo_the_prime_is_compared_in_numbers():
    section = proof(Compiled(nets.with_formula(f"tanh(z)/{2**61 - 1}")))
    *passes, _ = section.data["certificate"]["checks"]  # by hand, SymPy has the nearest double
    assert len(passes) == 5
    assert all(check["equal"] and not check["exact"] for check in passes)


def test_denominators_that_vanish_everywhere_are_told(monkeypatch):
    def divides(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(certificate, "evaluate", divides)
    program = emitted(reference([2, 2, 1]))
    check = compare("division", program, program, {"E": "E"})
    assert (check.equal, check.exact, check.compared, check.bound) == (None, False, 0, None)


def test_all_opaque_values_are_counted(monkeypatch):
    """The bound on collisions has to know of every one that there is."""
    from symgrad.language.evaluate import Residues

    spec = nets.net([3, 3, 3], ["gelu", "silu"], kind="huber", l1=0.1)
    program = emitted(spec)
    seen = set()
    opaque = Residues._opaque

    def noted(self, *what):
        seen.add(what)
        return opaque(self, *what)

    monkeypatch.setattr(Residues, "_opaque", noted)
    sizes = {"n": 2, "0": 3, "1": 3, "2": 3}
    evaluate(program, certificate.residues(program, sizes, 0), Residues())
    assert len(seen) > 20
    assert certificate._Degrees(program, sizes).calls >= len(seen)


def test_extents_are_part_of_the_graph():
    spec = reference([2, 3, 2])
    hand = backprop(spec.normalised())
    program = emitted(spec)
    shorter = replace(
        program,
        definitions=tuple(
            Definition(d.target, d.value.replace(lambda e: isinstance(e, Sum), less))
            for d in program.definitions
        ),
    )
    assert not match(shorter, hand, outputs(hand)).same_outputs
    with pytest.raises(Unsound):
        verify(shorter)


def less(total):
    (index, first, last), *rest = total.limits
    return Sum(total.function, (index, first, last - 1), *rest)


def test_an_output_of_another_shape_is_another_output():
    from symgrad.language.program import array

    program = emitted(reference([2, 2, 1]))
    d = program.by_name["d_b1"]
    (i,) = d.indices
    j = Symbol("i2", integer=True)
    wider = replace(
        program,
        definitions=tuple(
            Definition(array("d_b1", i, j), x.value) if x is d else x for x in program.definitions
        ),
    )
    assert not match(wider, program, {"d_b1": "d_b1"}).same_outputs


def test_what_is_zero_is_paired_with_nothing():
    """A softmax of one unit is 1, and its derivative 0."""
    layers = [{"units": 2, "activation": "tanh"}, {"units": 1, "activation": "softmax"}]
    spec = {"name": "net", "dtype": "float64", "inputs": 2, "layers": layers}
    section = proof(Compiled(Spec.recorded(spec | {"loss": {"kind": "cross_entropy"}})))
    assert not any(pair["how"] == "equal" for pair in section.data["pairs"])
    assert "has equal values is certified" in section.blocks[0].text


def test_losses_of_outputs_that_are_not_defined_everywhere():
    """log of a negative number is nan, on both sides; the loss has one form."""
    spec = nets.net([2, 2, 2], ["tanh", "softmax"], residual=[2], kind="cross_entropy")
    pairs = {p["emitted"]: p["how"] for p in proof(Compiled(spec)).data["pairs"] if p["emitted"]}
    assert pairs["E = Σ_n e[n]/N"] == "same"


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
