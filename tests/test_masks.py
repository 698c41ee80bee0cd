"""Masked arrays: what a mask hides is missing, and never computed with."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import symgrad
from symgrad.interop import InteropError, Network, torch
from symgrad.sklearn import MLPClassifier, MLPRegressor
from tests import nets

SAMPLES = {"few": 5, "many": 20_000}
TRAINING = {"optimizer": "adam", "batch": 2}


def spec(training: bool = False) -> symgrad.Spec:
    plain = nets.net([3, 4, 2], ["tanh", "identity"], sample_weights=True, l2="argument")
    return symgrad.Spec.parse(
        {**plain.normalised(), **({"training": TRAINING} if training else {})}
    )


@pytest.fixture(scope="module")
def module():
    return symgrad.compile(spec(training=True)).module


def arguments(module, samples):
    """What any function may be given, by name."""
    random = np.random.default_rng(0)
    state, progress = module.train_state(0)
    return {
        "theta": module.init(1),
        "x": random.normal(size=(samples, 3)),
        "t": random.normal(size=(samples, 2)),
        "w": random.uniform(0.5, 1.5, samples),
        "l2": 0.1,
        "gradient": np.zeros(module.SIZE),
        "rate": 0.1,
        "state": state,
        "progress": progress,
        "order": np.arange(samples),
        "starts": np.array([0, samples]),
        "settings": module.train_settings(batch=samples),
    }


DATA = ["theta", "x", "t", "w", "l2"]
TAKEN = {
    "predict": ["theta", "x"],
    "loss": DATA,
    "loss_and_gradient": DATA,
    "loss_and_gradient_into": [*DATA, "gradient"],
    "step": [*DATA, "rate"],
    "train_epoch": [*DATA, "state", "progress", "settings"],
    "train_steps": [*DATA, "order", "starts", "state", "progress", "settings"],
}
ARRAYS = [(f, name) for f, names in TAKEN.items() for name in names if name not in ("l2", "rate")]


def masked(array):
    """The array, with its first number masked."""
    mask = np.zeros(np.shape(array), bool)
    mask.flat[0] = True
    return np.ma.array(array, mask=mask)


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize(("function", "name"), ARRAYS)
def test_every_function_refuses_what_is_masked(module, function, name, samples):
    """Before and after the first call, which decides by what way the later ones go in."""
    given = {each: arguments(module, samples)[each] for each in TAKEN[function]}
    before = {each: np.array(value) for each, value in given.items()}
    with pytest.raises(ValueError, match=f"{name} has masked values: give numbers for them"):
        getattr(module, function)(*(given | {name: masked(given[name])}).values())
    for each, value in given.items():
        np.testing.assert_array_equal(value, before[each])
    getattr(module, function)(*given.values())
    for bad in (masked(given[name]), masked(given[name])):
        with pytest.raises(ValueError, match=f"{name} has masked values"):
            getattr(module, function)(*(given | {name: bad}).values())


@pytest.mark.parametrize("function", ["predict", "loss", "loss_and_gradient", "step"])
def test_a_mask_that_hides_nothing_is_none(module, function):
    """Its numbers are all there."""
    given = {each: arguments(module, 5)[each] for each in TAKEN[function]}
    unhidden = {
        name: np.ma.array(value.copy()) if name in ("x", "theta") else value
        for name, value in given.items()
    }
    found = getattr(module, function)(*unhidden.values())
    expected = getattr(module, function)(*given.values())
    for mine, theirs in zip(
        *(each if isinstance(each, tuple) else (each,) for each in (found, expected)), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
        assert type(mine) is type(theirs)
    np.testing.assert_array_equal(unhidden["theta"], given["theta"])


class Variable:
    """As files of climate data are read: what NumPy makes of it is masked."""

    def __init__(self, values) -> None:
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_masks_within_lists_and_behind_the_protocol(module):
    theta, x = module.init(0), masked(np.ones((2, 3)))
    for bad in ([x[0], x[1]], (x[1], x[0]), Variable(x)):
        with pytest.raises(ValueError, match="x has masked values"):
            module.predict(theta, bad)


def test_pack_refuses_them_and_what_is_no_number(module):
    weights = {name: array.copy() for name, array in module.unpack(module.init(0)).items()}
    with pytest.raises(ValueError, match="W2 has masked values"):
        module.pack(weights | {"W2": masked(weights["W2"])})
    for bad in (["1", "2"], [None, 1.0], [1j, 0]):
        with pytest.raises(TypeError, match="b2 must hold real numbers"):
            module.pack(weights | {"b2": bad})
    packed = module.pack(weights | {"b2": np.ma.array([1.0, 2.0])})
    assert type(packed) is np.ndarray
    np.testing.assert_array_equal(module.unpack(packed)["b2"], [1, 2])


@pytest.mark.parametrize("digits", [None, 30])
@pytest.mark.parametrize("name", ["theta", "x", "t", "w"])
def test_the_interpreter_refuses_them(name, digits):
    compiled = symgrad.compile(spec())
    module = compiled.module
    given = {
        "theta": module.init(0),
        "x": np.ones((2, 3)),
        "t": np.ones((2, 2)),
        "w": np.ones(2),
    }
    compiled.evaluate(**given, digits=digits, l2=0.1)
    with pytest.raises(ValueError, match=f"{name} has masked values"):
        compiled.evaluate(**given | {name: masked(given[name])}, digits=digits, l2=0.1)


def test_networks_hold_no_masked_weights():
    net = spec()
    theta = np.zeros(net.weights)
    with pytest.raises(InteropError, match="theta has masked values"):
        Network(net, masked(theta))
    state = {"0.weight": np.ones((4, 3)), "2.weight": np.ones((2, 4)), "2.bias": np.ones(2)}
    with pytest.raises(InteropError, match=r"0\.bias has masked values"):
        torch.load(net, {**state, "0.bias": masked(np.ones(4))})


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.filterwarnings("ignore", category=ConvergenceWarning)
def test_estimators_refuse_them(kind, uncompiled):
    random = np.random.default_rng(0)
    X, y, w = random.normal(size=(30, 2)), np.arange(30) % 2, np.ones(30)
    for solver in ("adam", "lbfgs"):
        estimator = kind(hidden_layer_sizes=[3], solver=solver, max_iter=2, random_state=0)
        with pytest.raises(ValueError, match="X has masked values"):
            estimator.fit(masked(X), y)
        with pytest.raises(ValueError, match="y has masked values"):
            estimator.fit(X, masked(y))
        with pytest.raises(ValueError, match="sample_weight has masked values"):
            estimator.fit(X, y, sample_weight=masked(w))
        estimator.fit(np.ma.array(X), y)
        expected = (
            kind(hidden_layer_sizes=[3], solver=solver, max_iter=2, random_state=0)
            .fit(X, y)
            .predict(X)
        )
        np.testing.assert_array_equal(estimator.predict(X), expected)
        for ask in ("predict", *(["predict_proba"] if kind is MLPClassifier else [])):
            with pytest.raises(ValueError, match="X has masked values"):
                getattr(estimator, ask)(masked(X))
        for bad in ({"X": masked(X)}, {"y": masked(y)}, {"sample_weight": masked(w)}):
            with pytest.raises(ValueError, match="has masked values"):
                estimator.score(**{"X": X, "y": y} | bad)
    with pytest.raises(ValueError, match="X has masked values"):
        kind(hidden_layer_sizes=[3], random_state=0).partial_fit(
            masked(X), y, **({"classes": [0, 1]} if kind is MLPClassifier else {})
        )
