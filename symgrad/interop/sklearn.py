"""Networks from scikit-learn's multilayer perceptrons, and for them.

    fitted MLPClassifier or MLPRegressor ──read──▶ Network ──estimator──▶ fitted one
    Pipeline of scalers and one of them  ──read──▶ Network

Their activations are identity, logistic (here sigmoid), tanh and relu, one for all hidden layers.
The output's is softmax or logistic for classes, identity for numbers, and exp for Poisson's loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.interop.activations import BUILT_IN
from symgrad.interop.errors import InteropError, needed
from symgrad.interop.folding import folded
from symgrad.interop.network import Layer, LossLike, Network, Weights, assemble
from symgrad.interop.sklearn_names import HIDDEN
from symgrad.interop.sklearn_steps import Affine, unwrapped

# scikit-learn's names, and the ones here.
_OUTPUT: Mapping[str, str] = {**HIDDEN, "softmax": "softmax", "exp": "exp(z)"}
_LOSSES: Mapping[str, str] = {
    "squared_error": "squared",
    "poisson": "poisson",
    "log_loss": "cross_entropy",
    "binary_log_loss": "binary_cross_entropy",
}

_HERE = {name: theirs for theirs, name in HIDDEN.items()}


def read(estimator: Any, *, name: str = "network", loss: LossLike | None = None) -> Network:
    """The network of a fitted `MLPClassifier` or `MLPRegressor`.

    Its outputs are the estimator's predictions, or its probabilities of classes: of the second one
    where there are two. Around it may stand a `Pipeline` whose other steps scale each input, a
    `TransformedTargetRegressor` with such a step, and a search as `GridSearchCV`, whose best
    estimator it is: scales and shifts go into the first and the last layer.

    `loss` None stands for the estimator's, without its penalty, which scikit-learn divides by the
    number of samples. Raises InteropError for one that is not fitted, and names the step that is
    not understood.
    """
    networks = needed("sklearn.neural_network", "reading scikit-learn's networks", "sklearn")
    kinds = (networks.MLPClassifier, networks.MLPRegressor)
    found, inputs, outputs = unwrapped(estimator)
    if not isinstance(found, kinds):
        inside = "" if found is estimator else f" inside {_kind(estimator)}"
        raise InteropError(
            f"read are a fitted MLPClassifier and MLPRegressor, not {_kind(found)}{inside}"
        )
    if not hasattr(found, "coefs_"):
        raise InteropError(f"this {_kind(found)} is not fitted: it has no weights")
    if found.activation not in HIDDEN or found.out_activation_ not in _OUTPUT:
        raise InteropError(
            f"the activations {found.activation!r} and {found.out_activation_!r} are not"
            f" understood; understood are {', '.join(_OUTPUT)}"
        )
    hidden, output = HIDDEN[found.activation], _OUTPUT[found.out_activation_]
    weights: list[Weights] = list(zip(found.coefs_, found.intercepts_, strict=True))
    weights[0] = _scaled_inputs(inputs, weights[0])
    if outputs and output != "identity":
        raise InteropError(
            f"its targets are scaled, and the last activation is {output}: the scale can't go into"
            " the last layer"
        )
    weights[-1] = _scaled_outputs(outputs, weights[-1])
    layers = [
        Layer(weight, bias, hidden, name=f"coefs_[{number}]", hint="exponential")
        for number, (weight, bias) in enumerate(weights)
    ]
    layers[-1] = replace(layers[-1], activation=output)
    dtype = "float32" if found.coefs_[0].dtype == np.float32 else "float64"
    network = assemble(layers, name, dtype, _loss_of(found) if loss is None else loss)
    return replace(network, labels=_labels(found, network))


def _labels(estimator: Any, network: Network) -> tuple[Any, ...] | None:
    """A classifier's classes; of many labels there are none."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) != max(network.spec.outputs, 2):
        return None
    several = estimator.out_activation_ == "logistic" and network.spec.outputs > 1
    return None if several else tuple(np.asarray(classes).tolist())


def _kind(estimator: Any) -> str:
    return type(estimator).__name__


def _scaled_inputs(maps: Sequence[Affine], weights: Weights) -> Weights:
    """The first layer, on inputs before they are scaled."""
    weight, bias = weights
    dtype = weight.dtype
    for scale, shift in reversed(maps):
        bias = (0 if bias is None else bias) + shift @ weight
        weight = scale[:, None] * weight
    return weight.astype(dtype), None if bias is None else bias.astype(dtype)


def _scaled_outputs(maps: Sequence[Affine], weights: Weights) -> Weights:
    """The last layer, with outputs as the targets were."""
    weight, bias = weights
    dtype = weight.dtype
    for scale, shift in maps:
        weight, bias = weight * scale, (0 if bias is None else bias) * scale + shift
    return weight.astype(dtype), None if bias is None else bias.astype(dtype)


def _loss_of(estimator: Any) -> str:
    loss = estimator.loss
    if loss == "log_loss" and estimator.out_activation_ == "logistic":
        loss = "binary_log_loss"
    return _LOSSES[loss]


def estimator(network: Network, classes: Sequence[Any] | None = None) -> Any:
    """A fitted `MLPClassifier` or `MLPRegressor` that predicts what the network does.

    Softmax and sigmoid outputs make a classifier, of `classes` in the order of the outputs (two for
    a single sigmoid, the second being what it is the probability of; by default the network's
    labels, or 0, 1, …); several
    sigmoids make one of many labels. identity and exp outputs make a regressor. It can go on
    learning by `partial_fit`. Raises InteropError for what scikit-learn's networks cannot be.
    """
    networks = needed("sklearn.neural_network", "making scikit-learn's networks", "sklearn")
    network = folded(network)
    spec = network.spec
    hidden = _hidden_activation(network)
    sizes = tuple(layer.units for layer in spec.layers[:-1])
    options = {"hidden_layer_sizes": sizes, "activation": hidden}
    kind = _output_kind(network)
    classes = network.labels if classes is None else classes
    weights: list[Weights] = [
        (weight.copy(), np.zeros(weight.shape[1], weight.dtype) if bias is None else bias.copy())
        for weight, bias in network.layers
    ]
    if kind in ("identity", "exp"):
        if classes is not None:
            raise InteropError(f"an output of {kind} gives numbers, not classes")
        made = networks.MLPRegressor(
            loss="poisson" if kind == "exp" else "squared_error", **options
        )
    else:
        made = networks.MLPClassifier(**options)
        kind, weights[-1] = _classify(made, kind, weights[-1], classes)
    made.out_activation_ = kind
    made.coefs_ = [np.ascontiguousarray(weight) for weight, _ in weights]
    made.intercepts_ = [bias for _, bias in weights]
    made.n_features_in_ = spec.inputs
    made.n_layers_ = len(weights) + 1
    made.n_outputs_ = made.coefs_[-1].shape[1]
    _as_if_fitted(made)
    return made


def _hidden_activation(network: Network) -> str:
    """The one activation of all hidden layers, as scikit-learn calls it."""
    spec = network.spec
    for number, layer in enumerate(spec.layers, start=1):
        if layer.residual:
            raise InteropError(f"layer {number} is residual, which scikit-learn's networks are not")
        if layer.heads is not None:
            raise InteropError(f"layer {number} has heads, which scikit-learn's networks have not")
        if layer.sources is not None:
            raise InteropError(f"layer {number} skips others, which scikit-learn's networks cannot")
        if number < len(spec.layers) and layer.activation not in _HERE:
            raise InteropError(
                f"layer {number} has the activation {layer.activation};"
                f" scikit-learn has {', '.join(_HERE)}"
            )
    names = list(dict.fromkeys(layer.activation for layer in spec.layers[:-1])) or ["identity"]
    if len(names) > 1:
        raise InteropError(
            f"the hidden layers have the activations {' and '.join(names)};"
            " scikit-learn has one for all of them"
        )
    return _HERE[names[0]]


def _output_kind(network: Network) -> str:
    """What scikit-learn calls the activation of the output."""
    spec = network.spec
    name = spec.layers[-1].activation
    if name in spec.activations and spec.activations[name].formula.replace(" ", "") == "exp(z)":
        return "exp"
    known = {"identity": "identity", "sigmoid": "logistic", "softmax": "softmax"}
    if name not in known or name not in BUILT_IN:
        raise InteropError(
            f"the output has the activation {name}; scikit-learn has {', '.join(known)},"
            " and exp(z) with Poisson's loss"
        )
    return known[name]


def _classify(
    made: Any, kind: str, last: Weights, classes: Sequence[Any] | None
) -> tuple[str, Weights]:
    """Gives a classifier its classes; returns the output's activation, and its weights, in the
    order that scikit-learn has classes in: sorted."""
    preprocessing = needed("sklearn.preprocessing", "making scikit-learn's networks", "sklearn")
    weight, bias = last
    assert bias is not None
    units = weight.shape[1]
    many_labels = kind == "logistic" and units > 1
    expected = max(units, 2)
    labels = np.asarray(range(expected) if classes is None else list(classes))
    if labels.shape != (expected,) or len(np.unique(labels)) != expected:
        raise InteropError(
            f"{expected} classes are needed, all different, not {list(map(str, labels.ravel()))}"
        )
    binarizer = preprocessing.LabelBinarizer()
    if many_labels:
        if classes is not None and not np.array_equal(labels, np.arange(units)):
            raise InteropError(
                "several sigmoids are many labels, which scikit-learn numbers from 0"
            )
        binarizer.fit(np.vstack([np.zeros(units, int), np.ones(units, int)]))
    else:
        if kind == "softmax" and units == 1:
            raise InteropError("a softmax of one unit is always 1, and tells no classes apart")
        order = np.argsort(labels)
        binarizer.fit(labels)
        if units == 1:
            # The sigmoid is the probability of the class that is sorted last.
            sign = weight.dtype.type(1 if order[0] == 0 else -1)
            weight, bias = weight * sign, bias * sign
        else:
            weight, bias = weight[:, order], bias[order]
        if kind == "softmax" and units == 2:
            # Of two classes scikit-learn keeps one: softmax of z is sigmoid of their difference.
            kind = "logistic"
            weight, bias = weight[:, 1:] - weight[:, :1], bias[1:] - bias[:1]
    made._label_binarizer = binarizer
    made.classes_ = binarizer.classes_
    return kind, (weight, bias)


def _as_if_fitted(made: Any) -> None:
    """What else a fit leaves behind, and `partial_fit` goes on from."""
    made.n_iter_, made.t_ = 0, 0
    made.loss_, made.best_loss_, made.loss_curve_ = np.inf, np.inf, []
    made.validation_scores_, made.best_validation_score_ = None, None
    made._no_improvement_count = 0
    made._random_state = np.random.RandomState(0)
