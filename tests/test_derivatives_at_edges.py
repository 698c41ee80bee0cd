"""Derivatives where activations are saturated, inputs huge, probabilities underflow, and at kinks:
where 50 digits say that a value is finite, so is what is compiled, and it is that value."""

from itertools import product

import numpy as np
import pytest

from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import ACTIVATIONS, LOSSES
from tests.by_hand import ByHand
from tests.derived import Compiled
from tests.series import mp

# What a single layer of two units whose weights are the identity makes its outputs of.
PLACES = [[0, 0], [1, -2], [40, -40], [800, -750], [1e4, -1e4], [1e30, -1e30], [1e200, -1e200]]
TARGETS = [[1, 0], [0.25, 0.75]]
IDENTITY = [1, 0, 0, 1, 0, 0]


def layer(activation, kind, dtype="float64"):
    return {
        "dtype": dtype,
        "inputs": 2,
        "layers": [{"units": 2, "activation": activation}],
        "loss": {"kind": kind},
    }


def assert_right(found, wanted, size):
    """Where the true value is one that the dtype has. Small beside `size` it may be lost: 1 - tanh²
    is 0 where tanh is 1 to rounding."""
    found, wanted = np.atleast_1d(found), np.atleast_1d(np.asarray(wanted, object))
    kind = np.finfo(found.dtype)
    there = np.asarray(np.frompyfunc(lambda v: abs(v) <= float(kind.max), 1, 1)(wanted), bool)
    found, wanted = found[there], wanted[there]
    assert np.isfinite(found).all()
    errors = [abs(mp.mpf(float(v)) - w) for v, w in zip(found, wanted, strict=True)]
    largest = max((abs(w) for w in wanted), default=0)
    limit = 64 * float(kind.eps)
    assert max(errors, default=0) <= limit * max(largest, size)


def judge(compiled, x, t):
    """All functions at one place, where the gradient is right."""
    module, dtype = compiled.module, compiled.x.dtype
    compiled.theta, compiled.x, compiled.t = (np.array(v, dtype) for v in (IDENTITY, [x], [t]))
    compiled.data = compiled.x, compiled.t
    by_hand = ByHand(compiled.spec, compiled.theta, *compiled.data)
    size = max(1.0, min(1e100, float(np.abs(compiled.x).max()))) ** 2 / 16
    E, gradient = module.loss_and_gradient(compiled.theta, *compiled.data)
    if not np.isfinite(E) or not np.isfinite(gradient).all():
        return False
    assert_right(gradient, by_hand.gradient(), size)
    room = float(np.abs(compiled.x).max()) <= float(np.finfo(dtype).max) ** 0.5
    for name in compiled.spec["derivatives"]:
        if name in ("hessian", "gauss_newton") and not room:
            continue  # matrices are made of sums of x², which must have room
        wanted = getattr(by_hand, name)(*compiled.more(name))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for each, exactly in zip(compiled.results(name), wanted, strict=True):
            assert_right(each, exactly, size)
    return True


def defined(activation, kind):
    """Whether the loss is one of outputs such as these."""
    if kind == "binary_cross_entropy":
        return activation == "sigmoid"
    if kind in ("cross_entropy", "poisson", "kl"):
        return activation in ("sigmoid", "softmax")
    return True


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("activation", "kind", "names"),
    [
        ("softmax", "cross_entropy", ["gauss_newton", "gauss_newton_vector", "hessian"]),
        ("sigmoid", "binary_cross_entropy", ["gauss_newton", "hessian_vector", "gradients"]),
        ("gelu", "absolute", ["second_derivatives", "laplacian", "hessian_vector"]),
        ("gaussian", "squared", ["second_derivatives", "pushforward", "hessian", "gauss_newton"]),
    ],
)
def test_far_out(activation, kind, names, dtype):
    compiled = Compiled(layer(activation, kind, dtype), names, samples=1)
    places = [x for x in PLACES if max(x) < float(np.finfo(dtype).max)]
    judged = [judge(compiled, x, t) for x, t in product(places, TARGETS)]
    assert all(judged)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_loss_after_every_activation(activation, kind):
    if not defined(activation, kind):
        pytest.skip("a loss of other outputs")
    compiled = Compiled(layer(activation, kind), DERIVATIVES, samples=1)
    # where x² has room: rounding errors of a Hessian are that times as large, also in 50 digits
    places = [*PLACES[:-1], [1e100, -1e100]]
    judged = [judge(compiled, x, t) for x, t in product(places, TARGETS)]
    assert judged.count(True) >= 10


def test_powers_beside_what_vanishes_in_a_formula_of_one_s_own():
    spec = layer("bell", "squared") | {"activations": {"bell": {"formula": "exp(-z**2)"}}}
    names = ["jacobian", "second_derivatives", "laplacian", "pushforward"]
    compiled = Compiled(spec, names, samples=1)
    compiled.spec = {**compiled.spec, **layer("gaussian", "squared")}
    assert all(judge(compiled, x, t) for x, t in product(PLACES, TARGETS))


def test_gauss_newton_where_a_probability_underflows():
    """diag(t) - t·yᵀ - y·tᵀ + Σt·y·yᵀ by the biases, which is diag(y) - y·yᵀ where t = y."""
    compiled = Compiled(layer("softmax", "cross_entropy"), ["gauss_newton"], samples=1)
    y, t = np.array([1.0, 0.0]), np.array([0.25, 0.75])
    given = (np.array(IDENTITY, float), np.array([[800.0, -750.0]]), t[None])
    matrix = compiled.module.gauss_newton(*given)[4:, 4:]
    wanted = np.diag(t) - np.outer(t, y) - np.outer(y, t) + np.outer(y, y)
    np.testing.assert_array_equal(matrix, wanted)


@pytest.mark.parametrize("formula", ["-sum(t*log(y))", "-log(sum(t*y))", "-t*log(y) - log1p(y)"])
def test_gauss_newton_of_losses_of_one_s_own(formula):
    """Jᵀ·H·J with the second derivative H of the formula by the outputs, by hand."""
    spec = {
        "inputs": 2,
        "layers": [{"units": 3, "activation": "softmax"}],
        "loss": {"formula": formula},
    }
    compiled = Compiled(spec, ["gauss_newton", "jacobian_by_weights"])
    y, t = compiled.module.predict(compiled.theta, compiled.x), compiled.t
    H = {
        "-sum(t*log(y))": np.einsum("ni,ij->nij", t / y**2, np.eye(3)),
        "-log(sum(t*y))": np.einsum("ni,nj,n->nij", t, t, (t * y).sum(axis=1) ** -2),
        "-t*log(y) - log1p(y)": np.einsum("ni,ij->nij", t / y**2 + (1 + y) ** -2, np.eye(3)),
    }[formula]
    (J,), (matrix,) = map(compiled.results, ("jacobian_by_weights", "gauss_newton"))
    wanted = np.einsum("nik,nij,njl->kl", J, H, J) / len(y)
    np.testing.assert_allclose(matrix, wanted, rtol=0, atol=1e-14 * np.abs(wanted).max())


def test_zero_targets_of_outputs_that_are_zero_count_nothing():
    """0·log 0 is 0, and so is all that is derived from it."""
    names = ["hessian_vector", "hessian", "gauss_newton"]
    compiled = Compiled(layer("relu", "cross_entropy"), names, samples=1)
    assert judge(compiled, [1, -2], [1, 0])
    assert judge(compiled, [1, 0], [1, 0])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "selu", "softsign"])
def test_kinks(activation):
    compiled = Compiled(layer(activation, "squared"), ["jacobian", "hessian_vector"], samples=1)
    assert judge(compiled, [0, -0.0], [1, 0])
    assert judge(compiled, [0, 1], [1, 0])


def test_along_a_vector_what_is_flat_stays_flat():
    """sqrt(max(0, z)) where z < 0: its slope there is 1/(2·sqrt(0))·0."""
    spec = {
        "inputs": 1,
        "activations": {"root": {"formula": "sqrt(max(0, z))"}},
        "layers": [{"units": 1, "activation": "root"}],
    }
    compiled = Compiled(spec, ["pushforward", "hessian_vector", "jacobian"], samples=1)
    theta, x, one = np.array([1.0, 0.0]), np.array([[-1.0]]), np.ones((1, 1))
    assert compiled.module.pushforward(theta, x, np.ones(2), one) == 0
    assert not compiled.module.hessian_vector(theta, x, one, np.ones(2)).any()
