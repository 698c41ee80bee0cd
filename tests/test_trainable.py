"""Layers that are not trained: their weights are constants in all derivatives, and stay what they
are to the bit."""

import numpy as np
import pytest
from scipy.optimize import minimize

import symgrad
from symgrad.checking.check import check
from symgrad.errors import SpecError, SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.explain import explain
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import Spec

WIDE, NARROW = (20, 18, 17), (4, 3, 2)  # products of matrices, and loops


def spec_of(frozen, units=NARROW, dtype="float64", **more):
    activations = ("tanh", "silu", "identity")
    layers = [
        {"units": many, "activation": name} | ({"trainable": False} if number in frozen else {})
        for number, (many, name) in enumerate(zip(units, activations, strict=True), start=1)
    ]
    base = {"name": "net", "dtype": dtype, "inputs": units[0], "layers": layers}
    return base | {"loss": {"kind": "squared", "l1": 0.01, "l2": 0.1}} | more


class Case:
    """A network, the same with all layers trained, and numbers."""

    def __init__(self, frozen, units=NARROW, samples=40, **more):
        self.compiled = symgrad.compile(spec_of(frozen, units, **more))
        self.module = self.compiled.module
        self.free = symgrad.compile(spec_of((), units, **more)).module
        random = np.random.default_rng(0)
        self.theta = random.normal(size=self.module.SIZE)
        self.x = random.normal(size=(samples, units[0]))
        self.t, self.d_y = random.normal(size=(2, samples, units[-1]))
        self.v, self.v_x = random.normal(size=self.module.SIZE), random.normal(size=self.x.shape)
        self.trained = np.concatenate(
            [
                np.full(np.prod(shape), int(name[1]) not in frozen)
                for name, (_, shape) in self.module.PARAMETERS.items()
            ]
        )


@pytest.mark.parametrize("units", [NARROW, WIDE], ids=["loops", "products"])
@pytest.mark.parametrize("frozen", [(1,), (2,), (3,), (1, 3), (1, 2), (2, 3)])
@pytest.mark.parametrize("samples", [1, 300])
def test_the_gradient_has_zeros_there(frozen, units, samples):
    case = Case(frozen, units, samples)
    E, gradient = case.module.loss_and_gradient(case.theta, case.x, case.t)
    free, whole = case.free.loss_and_gradient(case.theta, case.x, case.t)
    assert free == E
    assert not gradient[~case.trained].any() and gradient[case.trained].all()
    np.testing.assert_allclose(gradient, np.where(case.trained, whole, 0), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("units", [NARROW, WIDE], ids=["loops", "products"])
@pytest.mark.parametrize("frozen", [(1,), (1, 3)])
def test_emitted_source_gives_the_same_bits(frozen, units):
    case = Case(frozen, units, 300, training={"optimizer": "adamw"})
    results = []
    for module in (case.module, case.compiled.emitted):
        theta, going_on = case.theta.copy(), module.train_state(seed=0)
        module.train_epoch(theta, case.x, case.t, *going_on, module.train_settings())
        E, gradient = module.loss_and_gradient(case.theta, case.x, case.t)
        results.append((E, theta.tobytes(), gradient.tobytes()))
    assert results[0] == results[1]


def test_nothing_is_computed_for_them():
    """Backward goes no farther than the first layer that is trained."""
    program = symgrad.compile(spec_of((1, 2))).program
    assert {"d_W1", "d_W3"} <= {*program.by_name} and not {"d_z1", "d_z2"} & {*program.by_name}
    assert "d_W1[i0,i1] = 0" in symgrad.compile(spec_of((1, 2))).source


def expected(case, name):
    """What a function gives, and what it gives where all is trained, along v and at theta that
    do not move what is not."""
    mask = case.trained.astype(float)
    v, theta, x, t = case.v * mask, case.theta, case.x, case.t
    ours, free = getattr(case.module, name), getattr(case.free, name)
    match name:
        case "pullback":
            pairs = [(np.empty_like(theta), np.empty_like(x)) for _ in range(2)]
            ours(theta, x, case.d_y, *pairs[0])
            free(theta, x, case.d_y, *pairs[1])
            return pairs[0], (pairs[1][0] * mask, pairs[1][1])
        case "pushforward":
            return [ours(theta, x, case.v, case.v_x)], [free(theta, x, v, case.v_x)]
        case "jacobian" | "second_derivatives" | "laplacian":
            return [ours(theta, x)], [free(theta, x)]
        case "jacobian_by_weights":
            return [ours(theta, x)], [free(theta, x) * mask]
        case "loss_and_input_gradient":
            return ours(theta, x, t), free(theta, x, t)
        case "gradients" | "hessian_diagonal":
            return [ours(theta, x, t)], [free(theta, x, t) * mask]
        case "hessian_vector" | "gauss_newton_vector":
            return [ours(theta, x, t, case.v)], [free(theta, x, t, v) * mask]
    return [ours(theta, x, t)], [free(theta, x, t) * np.outer(mask, mask)]


QUICK = ("hessian_vector", "jacobian_by_weights", "pullback")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in DERIVATIVES]
)
@pytest.mark.parametrize("frozen", [(1, 3), pytest.param((2,), marks=pytest.mark.slow)])
def test_all_derivatives_take_them_for_constants(name, frozen):
    for found, wanted in zip(*expected(Case(frozen, derivatives=[name]), name), strict=True):
        size = np.abs(wanted).max()
        np.testing.assert_allclose(np.asarray(found) / size, wanted / size, atol=1e-13)


@pytest.mark.parametrize(
    "frozen",
    [
        (1,),
        pytest.param((1, 3), marks=pytest.mark.slow),
        pytest.param((1, 2, 3), marks=pytest.mark.slow),
    ],
)
def test_oracles_know_it(frozen):
    case = Case(frozen, derivatives=["hessian_vector", "gradients", "pushforward"])
    spec = case.compiled.spec.normalised()
    assert check(spec, case.module).passed
    assert not check(spec, case.free).passed
    assert not check(Spec.parse(spec_of(())).normalised(), case.module).passed


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "lion"])
@pytest.mark.parametrize("frozen", [(1,), (2,), (1, 3)])
def test_steps_leave_them_as_they_are(optimizer, frozen):
    training = {"optimizer": optimizer, "clip": 1.0, "constants": {}}
    if optimizer in ("adamw", "lion"):
        training["constants"] = {"weight_decay": 0.1}
    case = Case(frozen, training=training)
    theta = case.theta.copy()
    state, progress = case.module.train_state(seed=0)
    settings = case.module.train_settings(rate=0.01)
    for _ in range(3):
        case.module.train_epoch(theta, case.x, case.t, state, progress, settings)
    case.module.step(theta, case.x, case.t, 0.01)
    assert theta[~case.trained].tobytes() == case.theta[~case.trained].tobytes()
    assert (theta != case.theta)[case.trained].mean() > 0.9
    for memory in state.reshape(-1, case.module.SIZE):
        assert not memory[~case.trained].any()


def test_a_step_is_that_of_a_network_in_which_they_are_no_weights():
    """The norm that gradients are clipped to is of the trained weights alone."""
    training = {"optimizer": "sgd", "clip": 1e-3}
    case = Case((1, 3), training=training)
    _, gradient = case.module.loss_and_gradient(case.theta, case.x, case.t)
    theta, (state, progress) = case.theta.copy(), case.module.train_state(seed=0)
    settings = case.module.train_settings(rate=0.5, batch=0)
    case.module.train_epoch(theta, case.x, case.t, state, progress, settings)
    shorter = 1e-3 / np.linalg.norm(gradient[case.trained])
    np.testing.assert_allclose(theta, case.theta - 0.5 * shorter * gradient, rtol=1e-13)


def test_minimisers_of_others_leave_them_as_they_are():
    case = Case((1, 3))
    data = (case.x, case.t)
    best = minimize(case.module.loss_and_gradient, case.theta, data, "L-BFGS-B", jac=True)
    assert best.fun < case.module.loss(case.theta, *data)
    assert best.x[~case.trained].tobytes() == case.theta[~case.trained].tobytes()


def test_a_layer_of_several_sources_is_left_as_a_whole():
    layers = [{"units": 3}, {"units": 2, "from": ["x", "a1"], "trainable": False}]
    module = symgrad.compile(spec_of((), layers=layers)).module
    random = np.random.default_rng(0)
    theta, x, t = (random.normal(size=size) for size in (module.SIZE, (5, 4), (5, 2)))
    gradient = module.unpack(module.loss_and_gradient(theta, x, t)[1])
    assert [bool(each.any()) for each in gradient.values()] == [True, True, False, False, False]
    assert [*gradient] == ["W1", "b1", "W2x", "W2a1", "b2"]


def test_terms_know_it():
    terms = [{"name": "a", "kind": "squared"}, {"name": "b", "formula": "y**4"}]
    compiled = symgrad.compile(spec_of((2,), loss={"terms": terms, "l2": 0.1}))
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed, report


def test_the_spec_keeps_it():
    spec = Spec.parse(spec_of((2,)))
    assert Spec.parse(spec.normalised()) == spec
    assert [layer.trainable for layer in spec.layers] == [True, False, True]
    assert spec.trained_ranges == ((0, 20), (35, 43))
    plain = Spec.parse(spec_of(()))
    assert plain.trained_ranges == ((0, plain.weights),)
    stated = [{**layer, "trainable": True} for layer in spec_of(())["layers"]]
    assert Spec.parse(spec_of((), layers=stated)).digest() == plain.digest()


def test_where_nothing_is_left_to_train():
    with pytest.raises(SpecError, match="layers: no layer is trainable: there is nothing to train"):
        Spec.parse(spec_of((1, 2, 3), training={"epochs": 3}))


def test_what_is_explained_is_the_derivative_by_all_the_weights():
    with pytest.raises(SymgradError, match="net: not all layers are trainable"):
        list(explain(symgrad.compile(spec_of((1,))), Clock(1)))
