"""views: the one formula and the shared program are the same expression."""

import numpy as np
import pytest
import sympy
from sympy import Indexed, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

import symgrad
from symgrad.errors import TooLarge
from symgrad.language.indices import SAMPLES, bounds, free_indices, is_index, operands, walk
from symgrad.language.program import name_of
from symgrad.language.unicode import text
from symgrad.language.views import DEEPEST, LARGEST, formula, sizes
from tests import nets

NETS = {
    "plain": nets.net([2, 2, 1], ["tanh", "identity"]),
    "no bias": nets.net([2, 2], ["gaussian"], bias=False, kind="log_cosh"),
    "residual": nets.net([2, 2, 2], ["silu", "mish"], residual=[1, 2]),
    "softmax": nets.net([2, 3], ["softmax"], kind="cross_entropy"),
    "softmax after a residual": nets.net([2, 2, 2], ["tanh", "softmax"], residual=[1],
                                         kind="squared"),
    "residual and softmax": nets.net([2, 2], ["softmax"], residual=[1], kind="absolute"),
    "sigmoid": nets.net([2, 2], ["sigmoid"], kind="binary_cross_entropy"),
    "kinks": nets.net([2, 2, 2], ["relu", "leaky_relu"], kind="huber", l1=0.5),
    "units": nets.net([2, 2, 2], ["elu", "selu"], kind="poisson", l2=0.5),
    "sample weights": nets.net([2, 2], ["gelu"], sample_weights=True, l1=0.25, l2=0.5),
    "two sums": nets.net([2, 2], ["tanh"], formula="y*sum(y)*t - sum(exp(y))"),
    "a norm": nets.with_formula("z/sqrt(1 + sum(z**2))"),
    "a sum of sums": nets.net([2, 2], ["mine"], own={"mine": "z/sum(1 + z**2)"},
                              formula="sum(y)*sum(y*t)*y"),
}  # fmt: skip
named_nets = pytest.mark.parametrize("spec", NETS.values(), ids=NETS.keys())


def flat(program, given):
    return np.concatenate([np.ravel(given[name_of(w)]) for w in program.weights]).astype(float)


@named_nets
def test_the_formulas_written_out_are_what_evaluate_computes(spec):
    """Sums written out and indices looked up by brute force, on three samples."""
    compiled = symgrad.compile(spec)
    given = nets.decimals(compiled.program, seed=1)
    numbers = {name: values.astype(float) for name, values in given.items()}
    loss, gradient = compiled.evaluate(
        flat(compiled.program, given), numbers["x"], numbers["t"], numbers.get("w")
    )
    assert float(nets.scalar(compiled.loss, given)) == pytest.approx(float(loss), rel=1e-12)
    found = []
    for weight in compiled.program.weights:
        written = compiled.gradient[name_of(weight)]
        for place in np.ndindex(given[name_of(weight)].shape):
            at = dict(zip(weight.indices, place, strict=True))
            found.append(float(nets.scalar(written, given, at)))
    np.testing.assert_allclose(found, gradient, rtol=1e-11, atol=1e-13)


@named_nets
def test_only_inputs_weights_samples_and_indices_are_left(spec):
    compiled = symgrad.compile(spec)
    given = {str(target.base.label) for target in compiled.program.given.values()}
    formulas = {"E": compiled.loss, **{f"d_{k}": v for k, v in compiled.gradient.items()}}
    for name, written in formulas.items():
        for node in walk(written):
            if isinstance(node, Indexed):
                assert name_of(node) in given, (name, node)
            elif isinstance(node, Symbol):
                assert node == SAMPLES or is_index(node), (name, node)
        wanted = () if name == "E" else compiled.program.given[name.removeprefix("d_")].indices
        assert free_indices(written) == set(wanted), name


def captured(written, outer=frozenset()):
    """Indices that a reduction binds where they have a meaning already."""
    found = set()
    if isinstance(written, ExprWithLimits):
        found |= outer & bounds(written).keys()
        outer = outer | bounds(written).keys()
    for operand in operands(written):
        found |= captured(operand, outer)
    return found


@named_nets
def test_no_index_is_captured(spec):
    compiled = symgrad.compile(spec)
    assert captured(compiled.loss) == set()
    for name, weight in compiled.program.given.items():
        if name in compiled.gradient:
            assert captured(compiled.gradient[name], frozenset(weight.indices)) == set(), name


def test_the_finder_of_captured_indices_finds_them():
    i, j = Symbol("i1", integer=True), Symbol("j1", integer=True)
    u = sympy.IndexedBase("u")
    assert captured(sympy.sin(u[i]) + sympy.Sum(u[i], (i, 0, 2)), frozenset([i])) == {i}
    assert captured(sympy.Sum(u[i] * sympy.sin(sympy.Sum(u[i], (i, 0, 2))), (i, 0, 2))) == {i}
    assert captured(sympy.Sum(u[i] * sympy.sin(sympy.Sum(u[j], (j, 0, 2))), (i, 0, 2))) == set()


def test_the_one_formula_as_a_person_would_write_it():
    compiled = symgrad.compile(nets.net([2, 3, 1], ["tanh", "identity"]))
    assert text(compiled.loss) == (
        "Σ_n ½·Σ_i2 (Σ_i1 W2[i1,i2]·tanh(Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]) + b2[i2] - t[n,i2])²/N"
    )
    assert text(compiled.gradient["b2"]) == (
        "Σ_n (Σ_i1 W2[i1,i2]·tanh(Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]) + b2[i2] - t[n,i2])/N"
    )


@named_nets
def test_sizes_are_counted_without_building(spec):
    program = nets.steps(spec).expanded
    counted = sizes(program)
    for definition in program.definitions:
        written = formula(program, definition.name)
        # SymPy may merge sums of sums and the like: never more than was counted
        assert len(list(walk(written))) <= counted[definition.name].nodes
        assert len(list(walk(written))) > 0.7 * counted[definition.name].nodes


def test_a_deep_silu_network_is_refused_with_its_size():
    """silu itself is opaque, but its derivative reads z twice and doubles with every layer."""
    compiled = symgrad.compile(nets.net([2] * 17, ["silu"] * 15 + ["identity"]))
    with pytest.raises(TooLarge) as caught:
        compiled.gradient["W1"]
    size = sizes(compiled.program)["d_W1"]
    assert size.nodes > LARGEST
    assert f"d_W1 as one formula has {size.nodes:,} nodes, nested {size.depth} deep" in str(
        caught.value
    )


@pytest.mark.slow
def test_a_deep_residual_network_is_refused_at_once():
    compiled = symgrad.compile(nets.net([2] * 61, ["silu"] * 60, residual=range(1, 61)))
    with pytest.raises(TooLarge, match=r"E as one formula has [\d,]+ nodes"):
        compiled.loss  # noqa: B018


def test_a_deep_plain_network_is_refused_for_its_depth():
    spec = nets.net([1] * 65, ["tanh"] * 63 + ["identity"])
    size = sizes(nets.steps(spec).expanded)["E"]
    assert size.nodes < LARGEST and size.depth > DEEPEST
    with pytest.raises(TooLarge, match=f"nested {size.depth} deep; .* {DEEPEST} levels"):
        symgrad.compile(spec).loss  # noqa: B018


def test_what_is_within_the_limits_is_built_and_prints():
    compiled = symgrad.compile(nets.net([2] * 25, ["tanh"] * 23 + ["identity"]))
    assert "W24" in str(compiled.loss)


def test_the_gradient_is_a_mapping_by_weight():
    gradient = symgrad.compile(nets.net([2, 3, 1], ["tanh", "identity"])).gradient
    assert list(gradient) == ["W1", "b1", "W2", "b2"] and len(gradient) == 4
    assert "W3" not in gradient
    with pytest.raises(KeyError, match="W3"):
        gradient["W3"]
