"""evaluate: floats as NumPy has them, as many decimals as wanted, and residues that tell apart."""

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Integer, Rational, Sum

from symgrad.language import functions as f
from symgrad.language.evaluate import PRIME, Decimals, Floats, Residues, evaluate
from symgrad.language.functions import TABLE, Peak
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, unit
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array
from tests import nets

n, i0 = SAMPLE, unit(0)
j0 = fresh(i0, [i0])
x, t = array("x", n, i0), array("t", n, i0)


def program(value, *indices):
    """r[indices] = value, of x and t, both with two units."""
    return Program(
        name="net",
        inputs=(x, t),
        weights=(),
        extents={"n": SAMPLES, "0": Integer(2)},
        definitions=(Definition(array("r", *indices), value),),
        outputs=("r",),
    )


def result(value, *indices, arithmetic=None, **given):
    return evaluate(program(value, *indices), given, arithmetic)["r"]


X = np.array([[0.5, -1.25], [2.0, 0.75], [-3.0, 0.1]])
T = np.array([[0.25, 0.5], [1.5, 2.0], [0.125, 4.0]])


def test_a_network_in_floats_is_what_plain_numpy_makes_of_it():
    spec = nets.net([3, 4, 2], ["tanh", "identity"], l2=0.3)
    program = nets.steps(spec).gradient
    given = nets.floats(program)
    x, t, W1, b1, W2, b2 = (given[name] for name in ("x", "t", "W1", "b1", "W2", "b2"))
    a1 = np.tanh(x @ W1 + b1)
    y = a1 @ W2 + b2
    d_y = (y - t) / len(x)
    d_z1 = d_y @ W2.T * (1 - a1**2)
    values = evaluate(program, given)
    expected = {
        "a1": a1,
        "y": y,
        "E": 0.5 * ((y - t) ** 2).sum() / len(x) + 0.15 * ((W1**2).sum() + (W2**2).sum()),
        "d_W2": a1.T @ d_y + 0.3 * W2,
        "d_b2": d_y.sum(axis=0),
        "d_W1": x.T @ d_z1 + 0.3 * W1,
        "d_b1": d_z1.sum(axis=0),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_stay_in_their_dtype(dtype):
    spec = nets.net([3, 4, 2], ["selu", "softmax"], kind="cross_entropy", l1=0.1)
    values = evaluate(nets.steps(spec).gradient, nets.floats(nets.steps(spec).gradient),
                      Floats(dtype))  # fmt: skip
    assert {np.asarray(value).dtype for value in values.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("function", list(TABLE), ids=lambda g: g.__name__)
def test_every_function_in_floats_is_what_it_is_in_decimals(function):
    of_many = callable(TABLE[function].partials)
    two = not of_many and len(TABLE[function].partials) == 2
    positive = function in (sympy.log, f.xlogy, f.xdivy)
    call = function(x, t) if two else function(t if positive else x)
    call = function(2, x, 3, t) if of_many else call
    shifted = np.maximum(X, -0.9) if function is f.log1p else X
    given = {"x": shifted, "t": T}
    in_floats = result(call, n, i0, **given)
    in_decimals = result(call, n, i0, arithmetic=Decimals(40), **given)
    np.testing.assert_allclose(in_floats, in_decimals.astype(float), rtol=2e-15, atol=1e-16)


def test_decimals_have_as_many_digits_as_wanted():
    value = result(f.sigmoid(x) + sympy.pi / 7, n, i0, arithmetic=Decimals(60), x=X, t=T)
    with mpmath.workdps(80):
        expected = 1 / (1 + mpmath.exp(-mpmath.mpf("0.5"))) + mpmath.pi / 7
        assert mpmath.mpf("1e-62") < abs(value[0, 0] - expected) + mpmath.mpf("1e-61")
        assert abs(value[0, 0] - expected) < mpmath.mpf("1e-58")


def test_decimals_tell_apart_what_floats_cannot():
    tiny = result(1 + x - 1, n, i0, x=X, t=T)  # SymPy simplifies: the control of the next line
    np.testing.assert_array_equal(tiny, X)
    cancels = (sympy.exp(x) - sympy.cosh(x)) - sympy.sinh(x) + x * Rational(1, 10**30)
    at_forty = result(cancels, n, i0, arithmetic=Decimals(60), x=X, t=T).astype(float)
    np.testing.assert_allclose(at_forty, X * 1e-30, rtol=1e-10)
    assert not np.allclose(result(cancels, n, i0, x=X, t=T), X * 1e-30, rtol=1e-10, atol=0)


def test_arrays_are_aligned_by_their_indices_not_by_their_places():
    np.testing.assert_allclose(result(x * t, i0, n, x=X, t=T), (X * T).T)
    outer = result(x * array("t", n, j0), n, i0, j0, x=X, t=T)
    np.testing.assert_allclose(outer, X[:, :, None] * T[:, None, :])
    np.testing.assert_allclose(result(x * array("t", n, j0), n, j0, i0, x=X, t=T),
                               outer.transpose(0, 2, 1))  # fmt: skip


def test_what_lacks_an_index_is_broadcast():
    np.testing.assert_array_equal(result(Integer(3), n, i0, x=X, t=T), np.full((3, 2), 3.0))
    np.testing.assert_allclose(
        result(Sum(x, (i0, 0, 1)), n, j0, x=X, t=T), np.repeat(X.sum(axis=1)[:, None], 2, axis=1)
    )


def test_sums():
    samples = (n, 0, SAMPLES - 1)
    assert result(Sum(x * t, (i0, 0, 1), samples) / SAMPLES, x=X, t=T) == pytest.approx(
        (X * T).sum() / 3
    )
    np.testing.assert_allclose(
        result(Sum(x * array("t", n, j0), samples), i0, j0, x=X, t=T), X.T @ T
    )


@pytest.mark.parametrize("arithmetic", [Floats(), Decimals(30)], ids=["floats", "decimals"])
def test_the_peak_is_the_largest_value(arithmetic):
    value = result(Peak(2 * x, (i0, 0, 1)), n, arithmetic=arithmetic, x=X, t=T)
    np.testing.assert_array_equal(value.astype(float), 2 * X.max(axis=1))


@pytest.mark.parametrize(
    ("function", "at_zero"),
    [(f.relu, 0), (f.heaviside, 0), (sympy.sign, 0), (f.leaky_step, 0.01), (f.elu_slope, 1)],
)
def test_kinks_in_every_arithmetic(function, at_zero):
    zero = np.zeros((1, 2))
    assert result(function(x), n, i0, x=zero, t=zero)[0, 0] == pytest.approx(at_zero)
    in_decimals = result(function(x), n, i0, arithmetic=Decimals(20), x=zero, t=zero)
    assert float(in_decimals[0, 0]) == pytest.approx(at_zero)


def test_xlogy_at_zero():
    given = {"x": [[0.0, 0.0]], "t": [[0.0, 2.0]]}
    for arithmetic in (Floats(), Decimals(20)):
        assert (result(f.xlogy(x, t + 1), n, i0, arithmetic=arithmetic, **given) == 0).all()
        assert (result(f.xdivy(x, t + 1), n, i0, arithmetic=arithmetic, **given) == 0).all()


# Residues


R = np.array([[3, 2**60 + 7], [11, 12345678901234567]], dtype=object)
S = np.array([[5, 10**17], [2**59, 4]], dtype=object)


def residue(value, *indices):
    return result(value, *indices, arithmetic=Residues(), x=R, t=S) % PRIME


def same(first, second, *indices):
    return np.array_equal(residue(first, *indices), residue(second, *indices))


@undistributed
def equal_pairs():
    u = f.relu(x)
    yield (x - t) ** 2, x**2 - 2 * x * t + t**2
    yield (x + t) * (x - t), x**2 - t**2
    yield x / t + 1, (x + t) / t
    yield (1 / t) ** 3 * t, t**-2
    yield (x / 3 + t / 6) * 6, 2 * x + t
    yield (1 - sympy.tanh(x) ** 2) * t, t - t * sympy.tanh(x) ** 2
    yield sympy.tanh((x + t) ** 2), sympy.tanh(x**2 + t * (2 * x + t))
    yield f.silu(x), x * f.sigmoid(x)
    yield u * (u + 1), u**2 + u
    yield sympy.pi * (x + t), sympy.pi * x + sympy.pi * t


@undistributed
def different_pairs():
    yield x + t, x - t
    yield x, t
    yield sympy.tanh(x), sympy.tanh(t)
    yield sympy.tanh(x), sympy.sin(x)
    yield f.maximum(x, t), f.maximum(t, x)
    yield sympy.sqrt(x), x
    yield x / 3, x / 5
    yield sympy.pi * x, sympy.E * x
    yield f.silu(x), f.sigmoid(x)
    yield 1 / t, 1 / t**2
    yield x * Rational(10**15 + 1, 10**15), x


@pytest.mark.parametrize(("first", "second"), list(equal_pairs()), ids=lambda e: str(e)[:30])
def test_equal_expressions_have_equal_residues(first, second):
    assert same(first, second, n, i0)


@pytest.mark.parametrize(("first", "second"), list(different_pairs()), ids=lambda e: str(e)[:30])
def test_different_expressions_have_different_residues(first, second):
    assert not (residue(first, n, i0) == residue(second, n, i0)).any()


def test_the_peak_is_opaque_and_does_not_depend_on_the_order():
    value = result(Peak(x, (i0, 0, 1)), n, arithmetic=Residues(), x=R, t=S)
    swapped = result(Peak(x, (i0, 0, 1)), n, arithmetic=Residues(), x=R[:, ::-1], t=S)
    np.testing.assert_array_equal(value, swapped)
    other = result(Peak(x, (i0, 0, 1)), n, arithmetic=Residues(), x=R + 1, t=S)
    assert not (value == other).any()


@pytest.mark.parametrize("order", ["loss-first", "weights-first"])
def test_a_wrong_gradient_does_not_pass(order):
    """The negative control of every test that compares residues."""
    program = nets.steps(nets.net([2, 3, 2], ["tanh", "identity"]), order).gradient
    given = nets.residues(program)
    right = evaluate(program, given, Residues())
    for number, definition in enumerate(program.definitions):
        if not definition.name.startswith("d_"):
            continue
        wrong = [*program.definitions]
        wrong[number] = Definition(definition.target, definition.value + Rational(1, 10**6))
        values = evaluate(program.with_definitions(wrong), given, Residues())
        changed = [np.any((values[d] - right[d]) % PRIME) for d in program.outputs]
        assert any(changed)


# Refusals


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="x must have 2 axes, came 1"):
        result(x, n, i0, x=[1.0, 2.0], t=T)
    with pytest.raises(ValueError, match="t has 3 where 2 is expected"):
        result(x, n, i0, x=X, t=np.ones((3, 3)))
    with pytest.raises(ValueError, match="t has 2 where 3 is expected"):
        result(x, n, i0, x=X, t=T[:2])


def test_extents_come_from_the_arrays():
    """A program for a wide network runs on a narrow one of the same form."""
    program = nets.steps(nets.net([100, 50, 20], ["tanh", "identity"])).gradient
    narrow = nets.floats(nets.steps(nets.net([2, 3, 1], ["tanh", "identity"])).gradient)
    assert evaluate(program, narrow)["d_W1"].shape == (2, 3)
