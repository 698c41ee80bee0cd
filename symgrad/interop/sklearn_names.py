"""sklearn_names: what scikit-learn calls the activations of hidden layers, and what they are called
here."""

from collections.abc import Mapping

HIDDEN: Mapping[str, str] = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
}
