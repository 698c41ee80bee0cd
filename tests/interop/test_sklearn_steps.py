"""What stands around a network of scikit-learn's, and goes into its weights."""

import numpy as np
import pytest

from symgrad.interop import InteropError
from tests.interop.test_network import forward

sklearn = pytest.importorskip("sklearn")

from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)

from symgrad.interop.sklearn import estimator, read  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 3)) * [1, 5, 0.1] + [0, 3, 1]
Y = np.stack([np.sin(X[:, 0]), 20 + X[:, 1]], axis=1)


def regressor() -> MLPRegressor:
    return MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", max_iter=5, random_state=0)


def classifier() -> MLPClassifier:
    return MLPClassifier(hidden_layer_sizes=(4,), max_iter=5, random_state=0)


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 2)),
    MaxAbsScaler(),
    RobustScaler(),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_scalers_go_into_the_weights(scaler):
    fitted = make_pipeline(scaler, regressor()).fit(X, Y)
    assert forward(read(fitted), X) == pytest.approx(fitted.predict(X), rel=1e-12, abs=1e-12)
    both = make_pipeline(
        StandardScaler(), TransformedTargetRegressor(regressor(), transformer=scaler)
    )
    assert forward(read(both.fit(X, Y)), X) == pytest.approx(both.predict(X), rel=1e-11, abs=1e-12)


def test_several_steps_and_none_of_them():
    fitted = make_pipeline(StandardScaler(), "passthrough", MinMaxScaler(), regressor()).fit(X, Y)
    assert forward(read(fitted), X) == pytest.approx(fitted.predict(X), rel=1e-12, abs=1e-12)


def test_the_best_of_a_search_is_read():
    search = GridSearchCV(make_pipeline(StandardScaler(), regressor()), {}, cv=2).fit(X, Y)
    assert forward(read(search), X) == pytest.approx(search.predict(X), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("names", [["no", "yes"], ["a", "b", "c"], [3, 7, 5]])
def test_classes_keep_their_names(names):
    fitted = classifier().fit(X, np.array(names)[np.arange(30) % len(names)])
    network = read(fitted)
    assert network.labels == tuple(sorted(names))
    assert network.classes(forward(network, X)).tolist() == fitted.predict(X).tolist()
    assert estimator(network).predict(X).tolist() == fitted.predict(X).tolist()


def test_many_labels_have_no_classes():
    fitted = classifier().fit(X, (X[:, :2] > 0).astype(int))
    network = read(fitted)
    assert network.labels is None
    with pytest.raises(InteropError, match="has no labels; its outputs are numbers"):
        network.classes(forward(network, X))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (make_pipeline(Normalizer(), regressor()), "the step 'normalizer' of the Pipeline is Norm"),
        (make_pipeline(MinMaxScaler(clip=True), regressor()), "clips, which no layer does"),
        (
            TransformedTargetRegressor(regressor(), func=np.log1p, inverse_func=np.expm1),
            "the transformer of the TransformedTargetRegressor is FunctionTransformer",
        ),
        (make_pipeline(StandardScaler(), StandardScaler()), "not StandardScaler inside Pipeline"),
    ],
)
def test_other_steps_are_named(model, message):
    fitted = model.fit(X, np.abs(Y))
    with pytest.raises(InteropError, match=message):
        read(fitted)


@pytest.mark.parametrize(
    "model",
    [
        regressor(),
        make_pipeline(StandardScaler(), regressor()),
        TransformedTargetRegressor(regressor()),
        GridSearchCV(regressor(), {}),
    ],
)
def test_what_is_not_fitted_is_refused(model):
    with pytest.raises(InteropError, match="not fitted"):
        read(model)
