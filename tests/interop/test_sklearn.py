"""scikit-learn's networks, read and made, against scikit-learn's own predictions."""

import warnings
from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.interop import InteropError, sklearn
from tests.interop.test_network import forward, network

neural_network = pytest.importorskip("sklearn.neural_network")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 3))
T = X @ [[1.0, -1.0], [0.5, 0.25], [2.0, 0.0]]


def fitted(kind: str, t: np.ndarray, x: np.ndarray = X, **options: Any) -> Any:
    made = getattr(neural_network, kind)(
        **{"hidden_layer_sizes": (5, 4), "max_iter": 8, "random_state": 1, **options}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made.fit(x, t)


EXPONENTIAL = {"exponential": np.exp}


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_regressors_are_read(activation):
    made = fitted("MLPRegressor", T, activation=activation)
    net = sklearn.read(made)
    assert net.spec.widths == (3, 5, 4, 2) and net.spec.dtype == "float64"
    assert net.spec.loss.kind == "squared"
    np.testing.assert_allclose(forward(net, X), made.predict(X), rtol=1e-12)


def test_a_regressor_of_float32_stays_so():
    made = fitted("MLPRegressor", T.astype(np.float32), X.astype(np.float32))
    net = sklearn.read(made, name="small", loss="huber")
    assert (net.spec.name, net.spec.dtype, net.spec.loss.kind) == ("small", "float32", "huber")
    assert net.layers[0][0].tobytes() == made.coefs_[0].tobytes()


def test_poissons_loss_has_an_exponential_output():
    made = fitted("MLPRegressor", np.exp(T[:, 0] / 3).round(), loss="poisson")
    net = sklearn.read(made)
    assert net.spec.loss.kind == "poisson"
    assert net.spec.activations["exponential"].formula == "exp(z)"
    np.testing.assert_allclose(forward(net, X, EXPONENTIAL)[:, 0], made.predict(X), rtol=1e-12)
    again = sklearn.estimator(net)
    assert again.loss == "poisson"
    np.testing.assert_allclose(again.predict(X), made.predict(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("t", "activation", "loss"),
    [
        (np.digitize(T[:, 0], [-1, 1]), "softmax", "cross_entropy"),
        (np.where(T[:, 0] > 0, "yes", "no"), "sigmoid", "binary_cross_entropy"),
        ((T > 0).astype(int), "sigmoid", "binary_cross_entropy"),
    ],
)
def test_classifiers_are_read(t, activation, loss):
    made = fitted("MLPClassifier", t)
    net = sklearn.read(made)
    assert net.spec.layers[-1].activation == activation and net.spec.loss.kind == loss
    y = forward(net, X)
    probabilities = made.predict_proba(X)
    expected = probabilities[:, 1:] if y.shape[1] == 1 else probabilities
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-12)


def test_what_is_no_fitted_network_is_refused():
    with pytest.raises(InteropError, match="a fitted MLPClassifier and MLPRegressor, not int"):
        sklearn.read(3)
    with pytest.raises(InteropError, match="this MLPRegressor is not fitted"):
        sklearn.read(neural_network.MLPRegressor())
    made = fitted("MLPRegressor", T)
    made.activation = "gelu"
    with pytest.raises(InteropError, match="the activations 'gelu' and 'identity' are not und"):
        sklearn.read(made)


# ---- Made ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["identity", "sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regressors_predict_what_the_network_does(name, dtype):
    net = network([3, 5, 4, 2], [name, name, "identity"], dtype, biasless=[2])
    made = sklearn.estimator(net)
    np.testing.assert_allclose(made.predict(X), forward(net, X), rtol=1e-5)
    assert made.score(X, made.predict(X)) == 1
    again = sklearn.read(made)
    assert np.array_equal(again.layers[0][0], net.layers[0][0])


def test_a_regressor_predicts_what_the_emitted_module_does():
    net = network([3, 5, 1], ["tanh", "identity"])
    y = symgrad.compile(net.spec).module.predict(net.theta, X)
    np.testing.assert_allclose(sklearn.estimator(net).predict(X), y[:, 0], rtol=1e-12)


@pytest.mark.parametrize("classes", [None, ["b", "c", "a"], [3, 1, 2]])
def test_classifiers_of_several_classes(classes):
    net = network([3, 5, 3], ["relu", "softmax"])
    made = sklearn.estimator(net, classes)
    y = forward(net, X)
    names = np.asarray(range(3) if classes is None else classes)
    assert made.predict(X).tolist() == names[y.argmax(axis=1)].tolist()
    columns = [list(names).index(each) for each in made.classes_]
    np.testing.assert_allclose(made.predict_proba(X), y[:, columns], rtol=1e-9)


@pytest.mark.parametrize("classes", [None, ["no", "yes"], ["yes", "no"], [True, False]])
@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_classifiers_of_two_classes(name, classes):
    net = network([3, 5, 1 if name == "sigmoid" else 2], ["tanh", name])
    made = sklearn.estimator(net, classes)
    y = forward(net, X)
    second = y[:, -1]
    names = np.asarray(range(2) if classes is None else classes)
    assert made.predict(X).tolist() == names[(second > 0.5).astype(int)].tolist()
    column = list(made.classes_).index(names[1])
    np.testing.assert_allclose(made.predict_proba(X)[:, column], second, rtol=1e-9)


def test_several_sigmoids_are_many_labels():
    net = network([3, 4, 2], ["tanh", "sigmoid"])
    made = sklearn.estimator(net)
    np.testing.assert_allclose(made.predict_proba(X), forward(net, X), rtol=1e-12)
    assert np.array_equal(made.predict(X), forward(net, X) > 0.5)
    with pytest.raises(InteropError, match="many labels"):
        sklearn.estimator(net, ["a", "b"])


def test_what_was_made_can_go_on_learning():
    net = network([3, 5, 2], ["tanh", "identity"])
    made = sklearn.estimator(net)
    before = made.score(X, T)
    for _ in range(30):
        made.partial_fit(X, T)
    assert made.score(X, T) > before
    classifier = sklearn.estimator(network([3, 5, 3], ["tanh", "softmax"]), ["a", "b", "c"])
    classifier.partial_fit(X, np.array(["a", "b", "c", "b"] * 20))
    assert classifier.predict(X).shape == (80,)


@pytest.mark.parametrize(
    ("net", "classes", "message"),
    [
        (network([2, 2, 1], ["tanh", "identity"], residual=[1]), None, "layer 1 is residual"),
        (network([2, 3, 1], ["gelu", "identity"]), None, "layer 1 has the activation gelu; scik"),
        (
            network([2, 3, 3, 1], ["tanh", "relu", "identity"]),
            None,
            "the hidden layers have the activations tanh and relu; scikit-learn has one",
        ),
        (network([2, 3, 1], ["tanh", "softplus"]), None, "the output has the activation softplus"),
        (network([2, 3, 1], ["tanh", "identity"]), [0, 1], "gives numbers, not classes"),
        (network([2, 3, 1], ["tanh", "softmax"]), None, "a softmax of one unit is always 1"),
        (network([2, 3, 3], ["tanh", "softmax"]), [1, 2], "3 classes are needed, all different"),
        (network([2, 3, 3], ["tanh", "softmax"]), [1, 2, 2], "3 classes are needed, all differe"),
    ],
)
def test_what_scikit_learn_has_not_is_refused(net, classes, message):
    with pytest.raises(InteropError, match=message):
        sklearn.estimator(net, classes)
