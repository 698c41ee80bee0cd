"""scikit-learn: networks and pipelines by sklearn.read, and by skl2onnx."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skl2onnx
import sklearn
from skl2onnx import to_onnx
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from exporters.trial import tried, tried_file
from symgrad.interop.sklearn import read

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)) * [1, 5, 0.1, 2] + [0, 3, 1, -2]
Y = np.sin(X[:, :1]) + X[:, 1:2] * 0.1
TARGETS: dict[str, Any] = {
    "one output": Y.ravel(),
    "two outputs": np.hstack([Y, -2 * Y + 1]),
    "two classes": (Y.ravel() > 0.2).astype(int),
    "two classes by name": np.where(Y.ravel() > 0.2, "yes", "no"),
    "three classes": np.digitize(Y.ravel(), [0, 0.5]),
    "three classes by name": np.array(["a", "b", "c"])[np.digitize(Y.ravel(), [0, 0.5])],
    "many labels": np.hstack([Y > 0.2, Y < 0.5]).astype(int),
}


def network(target: str, activation: str = "relu") -> Any:
    kind = MLPRegressor if "output" in target else MLPClassifier
    return kind(hidden_layer_sizes=(8, 5), activation=activation, max_iter=30, random_state=1)


def estimators() -> Iterator[tuple[str, Any, Any]]:
    """Names, estimators that are not fitted, and targets."""
    for target, y in TARGETS.items():
        for activation in ("relu", "tanh", "logistic", "identity"):
            yield f"{target}, {activation}", network(target, activation), y
        for scaler in (StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()):
            called = type(scaler).__name__
            yield f"{target}, {called}", make_pipeline(scaler, network(target)), y
        yield (
            f"{target}, two scalers",
            make_pipeline(StandardScaler(), MinMaxScaler(), network(target)),
            y,
        )
        yield f"{target}, GridSearchCV", GridSearchCV(network(target), {"alpha": [1e-4]}, cv=2), y
    for target in ("one output", "two outputs"):
        scaled = TransformedTargetRegressor(network(target), transformer=StandardScaler())
        yield f"{target}, TransformedTargetRegressor", scaled, TARGETS[target]
        yield f"{target}, both scaled", make_pipeline(StandardScaler(), scaled), TARGETS[target]


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    for name, estimator, y in estimators():
        for dtype in (np.float32, np.float64):
            x = X.astype(dtype)
            fitted = estimator.fit(x, y)
            called = f"{name}, {np.dtype(dtype).name}"

            def ran(fitted: Any = fitted, x: Any = x) -> Any:
                return fitted.predict_proba(x) if is_classifier(fitted) else fitted.predict(x)

            tried("scikit-learn", sklearn.__version__, "sklearn.read", called,
                  lambda f=fitted: read(f), x, ran)  # fmt: skip
            for zipped in (True, False) if is_classifier(fitted) else (True,):
                options = {} if zipped else {"zipmap": False}
                way = "as it comes" if zipped else "zipmap=False"
                tried_file(
                    "skl2onnx", skl2onnx.__version__, way, called,
                    lambda path, f=fitted, x=x, o=options: path.write_bytes(
                        to_onnx(f, x[:1], options=o or None).SerializeToString()
                    ),
                    x, folder,
                )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
