"""Names, columns and derivatives in loss formulas: what is read, and what is refused."""

import pytest

from symgrad.errors import SpecError
from symgrad.spec.formula import Column, Derivative, Quantities, Variable, parse
from symgrad.spec.spec import Spec

HEAT = Quantities(2, 2, ("x", "t"), ("u", "v"))
PLAIN = Quantities(3, 2)


@pytest.mark.parametrize(
    ("text", "quantities", "tree"),
    [
        ("u", HEAT, Column("y", 0)),
        ("t", HEAT, Column("x", 1)),
        ("target", HEAT, Variable("t")),
        ("target[1]", HEAT, Column("t", 1)),
        ("t[1]", PLAIN, Column("t", 1)),
        ("x", PLAIN, Variable("x", "inputs")),
        ("D(v, t, x, x)", HEAT, Derivative(Column("y", 1), (0, 0, 1))),
        ("D(y, x[2])", PLAIN, Derivative(Variable("y"), (2,))),
        ("D(y[1], x)", PLAIN, Derivative(Column("y", 1), "each")),
        ("D(y, x)", Quantities(3, 1), Derivative(Column("y", 0), "each")),
        ("laplacian(u)", HEAT, Derivative(Column("y", 0), "laplacian")),
    ],
)
def test_what_is_read(text, quantities, tree):
    assert parse(text, (), quantities=quantities) == tree


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("D(u, w)", "a name of one should stand here, not 'w'"),
        ("D(u)", "D takes an output and what to differentiate it by"),
        ("D(x, t)", "D is of an output, as y or y[0]; the first argument is none"),
        ("D(u, v)", "D differentiates by inputs, as x[0]; this is none, or not one of them"),
        ("D(u, x, x, x, x, x)", "derivatives go up to order 4"),
        ("D(2*u, x)", "D takes outputs and inputs, as D(y[0], x[1])"),
        ("u[0]", "u is one column, and has no others"),
        ("y[2]", "y has 2 columns, from y[0] on"),
        ("y[-1]", "the number of a column should stand here: y[0]"),
        ("y[0", "this '[' is never closed"),
        ("laplacian(u, x)", "laplacian takes 1 argument, an output"),
        ("D(y, x) + q", "unknown name 'q'"),
        ("1 + x", "the formula must use y, the output, as u, v"),
        ("(y - t)**2", "t is the name of an input here, which hides the target"),
    ],
)
def test_what_is_refused(formula, message):
    spec = {
        "name": "heat",
        "inputs": ["x", "t"],
        "layers": [{"names": ["u", "v"]}],
        "loss": {"formula": formula},
    }
    with pytest.raises(SpecError) as refused:
        Spec.parse(spec)
    assert message in str(refused.value) and "loss.formula" in str(refused.value)


def net(formula):
    return {"name": "n", "inputs": 3, "layers": [{"units": 2}], "loss": {"formula": formula}}


def test_a_target_beside_an_input_called_t():
    spec = {"name": "n", "inputs": ["x", "t"], "layers": [{"units": 1}]}
    assert Spec.parse({**spec, "loss": {"formula": "(y - target)**2"}}).loss_tree is not None


def test_a_matrix_of_derivatives_is_refused():
    with pytest.raises(SpecError, match="say which output"):
        Spec.parse(net("D(y, x)**2"))


def test_terms_for_outputs_and_inputs_are_told_apart():
    with pytest.raises(SpecError, match="a term for each output and for each input"):
        Spec.parse(net("sum(y) + y*x"))


def test_activations_have_no_columns():
    layers = [{"units": 2, "activation": "mine"}]
    own = {"activations": {"mine": {"formula": "z[0]"}}, "layers": layers}
    with pytest.raises(SpecError, match="may not stand in a formula"):
        Spec.parse({**net("y"), **own})
