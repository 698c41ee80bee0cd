"""Keras, on its NumPy backend: models read, weights loaded and stored."""

import os
import sys
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest

import symgrad
from symgrad.interop import InteropError
from symgrad.interop import keras as interop
from symgrad.interop.numeric import evaluate
from tests.interop.test_network import forward, network


class Hollow(ModuleType):
    """A module that has every name, and nothing behind any."""

    def __getattr__(self, name: str) -> "Hollow":
        if name.startswith("__"):
            raise AttributeError(name)
        return Hollow(name)


def imported() -> Any:
    """Keras on NumPy, which it has as a backend without training.

    That backend takes convolutions and Fourier transforms from JAX. Where JAX is missing, hollow
    modules stand in for it during the import: no network here needs any of them.
    """
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name != "jax":
            pytest.skip("Keras is not installed", allow_module_level=True)
    else:
        return keras
    for name in [name for name in sys.modules if name.split(".")[0] == "keras"]:
        del sys.modules[name]
    backend = "keras.src.backend.jax"
    hollow = {name: Hollow(name) for name in ("jax", backend, f"{backend}.math")}
    with mock.patch.dict(sys.modules, hollow):
        import keras

        kept = {name: module for name, module in sys.modules.items() if name not in hollow}
    sys.modules.update(kept)
    return keras


keras = imported()
layers = keras.layers

# Keras's own variables and NumPy 2 do not agree on how arrays are copied.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32) * 2


def built(*parts: Any, functional: bool = False, inputs: int = 4) -> Any:
    """A model of layers with random weights."""
    if functional:
        given = flowing = layers.Input((inputs,))
        for part in parts:
            flowing = part(flowing)
        model = keras.Model(given, flowing)
    else:
        model = keras.Sequential([layers.Input((inputs,)), *parts])
    random = np.random.default_rng(2)
    model.set_weights([random.normal(size=np.shape(each)) for each in model.get_weights()])
    return model


def predicted(model: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(X, training=False)))


def check(model: Any, **close: float) -> Any:
    net = interop.read(model)
    own = {
        name: (lambda z, tree=each.tree: evaluate(tree, {"z": z}))
        for name, each in net.spec.activations.items()
    }
    close = close or {"rtol": 2e-5, "atol": 1e-5}
    np.testing.assert_allclose(forward(net, X, own), predicted(model), **close)
    return net


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("name", [name for name in interop._FUNCTIONS])  # noqa: C416
def test_activations(name, functional):
    if not hasattr(keras.activations, name):
        pytest.skip("not in this version of Keras")
    hidden = "tanh" if name.endswith("softmax") else name
    model = built(
        layers.Dense(5, hidden, use_bias=False),
        layers.Dropout(0.3),
        layers.Dense(3),
        layers.Activation(name),
        functional=functional,
    )
    net = check(model)
    assert [layer.bias for layer in net.spec.layers] == [False, True]
    here = net.spec.layers[-1].activation
    expected = {"linear": "identity", "celu": "elu"}.get(name, name)
    assert here == expected or here in net.spec.activations


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.ReLU(), "relu"),
        (layers.ReLU(max_value=6.0, negative_slope=0.25), "min(relu(z) + 0.25*min(z, 0), 6)"),
        (layers.LeakyReLU(negative_slope=0.01), "leaky_relu"),
        (layers.LeakyReLU(negative_slope=0.5), "relu(z) + 0.5*min(z, 0)"),
        (layers.ELU(), "elu"),
        (layers.ELU(alpha=0.5), "relu(z) + 0.5*expm1(min(z, 0))"),
    ],
)
def test_layers_of_activations(layer, name):
    net = check(built(layers.Dense(5), type(layer).from_config(layer.get_config())))
    found = net.spec.layers[0].activation
    found = net.spec.activations[found].formula if found in net.spec.activations else found
    assert found == name
    net = check(built(layers.Dense(5, activation=type(layer).from_config(layer.get_config()))))
    assert net.spec.layers[0].activation != "identity"


def test_models_inside_models_and_what_changes_nothing():
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.Flatten()])
    net = check(built(inner, layers.GaussianNoise(0.5), layers.Dense(2), layers.Softmax()))
    assert net.spec.widths == (4, 3, 2) and net.spec.loss.kind == "cross_entropy"


def test_a_model_agrees_with_the_emitted_module():
    model = built(layers.Dense(8, "gelu"), layers.Dense(3, "softmax"))
    net = interop.read(model, name="theirs", loss="kl")
    assert (net.spec.name, net.spec.loss.kind, net.spec.dtype) == ("theirs", "kl", "float32")
    found = symgrad.compile(net.spec).module.predict(net.theta, X)
    np.testing.assert_allclose(found, predicted(model), rtol=1e-5, atol=1e-6)


def test_the_dtype_is_that_of_the_weights():
    assert interop.read(built(layers.Dense(2, dtype="float64"))).spec.dtype == "float64"
    assert interop.read(built(layers.Dense(2, dtype="float16"))).spec.dtype == "float32"


def test_affine_maps_go_into_the_weights():
    random = np.random.default_rng(0)
    norms = [layers.BatchNormalization(), layers.BatchNormalization(scale=False)]
    given = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.25])
    model = keras.Sequential(
        [
            keras.Input((2,)), layers.Rescaling(0.5, 1.0), given, layers.Dense(3), norms[0],
            layers.Activation("tanh"), norms[1], layers.Dense(2, "sigmoid"),
            layers.Rescaling(3.0, -1.0),
        ]
    )  # fmt: skip
    for norm in norms:
        norm.set_weights([random.uniform(0.5, 2, np.shape(each)) for each in norm.get_weights()])
    net = interop.read(model)
    assert net.spec.widths == (2, 3, 2, 2) and net.spec.dtype == "float32"
    x = random.normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_allclose(forward(net, x), np.asarray(model(x)), rtol=1e-5, atol=1e-6)


def test_one_slope_is_a_leaky_relu():
    layer = layers.PReLU()
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), layer, layers.Dense(1)])
    layer.set_weights([np.full(3, 0.01)])
    assert interop.read(model).spec.layers[0].activation == "leaky_relu"
    layer.set_weights([np.float32([0.1, 0.2, 0.3])])
    with pytest.raises(InteropError, match=r"its slope differs by unit; model\.export"):
        interop.read(model)


def test_other_models_are_refused_by_their_layer():
    class Own(layers.Dense):
        pass

    given = layers.Input((4,))
    one = layers.Dense(4, name="one")(given)
    branch = keras.Model(given, layers.Add(name="sum")([one, given]))
    shared = layers.Dense(4, name="twice")
    refused = [
        (built(layers.Dense(2), layers.LayerNormalization(name="norm")), "layer 'norm' .LayerNorm"),
        (built(Own(2, name="own")), r"layer 'own' \(Own\): not understood; model\.export\("),
        (built(layers.ReLU(name="first"), layers.Dense(2)), "layer 'first' .* before the first"),
        (built(layers.Dense(2), layers.ReLU(threshold=1.0)), "it jumps at its threshold"),
        (built(layers.Dense(2), layers.Softmax(axis=0)), "axis = 0; understood is -1 or 1"),
        (built(layers.Dense(2, activation=lambda z: z)), "the activation <lambda> is not underst"),
        (built(layers.Dense(2, "softmax"), layers.Dense(2)), "softmax takes a sum over the units"),
        (branch, "layer 'sum' .Add. does not take just what the layer before it gives"),
        (keras.Model(given, shared(shared(given))), "layer 'twice' .Dense. does not take just"),
        (keras.Model([given, layers.Input((4,))], one), "has 2 inputs and 1 outputs"),
        (keras.Sequential([layers.Dense(2)]), "is not built"),
        (keras.Sequential([layers.Input((4,))]), "is not built"),
        (built(layers.Dropout(0.5)), "there is no layer with weights"),
        ("no model", "read are Keras models, not str"),
    ]
    for model, message in refused:
        with pytest.raises(InteropError, match=message):
            interop.read(model)


class Doubled(layers.Dense):
    """What it computes its weights do not tell."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs)


class Squared(keras.Model):
    """A functional model with a `call` of its own."""

    def call(self, inputs, training=None):
        return super().call(inputs) ** 2


class Chained(keras.Sequential):
    """A Sequential with one."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs) ** 2


class Labelled(keras.Model):
    """A functional model with more to say, which computes as all of them do."""

    def label(self) -> str:
        return "labelled"


def replaced(model: Any, layer: Any) -> Any:
    """The model, after its layer was given another `call`."""
    call = layer.call
    layer.call = lambda inputs, **named: 2 * call(inputs)
    return model


def test_what_computes_otherwise_than_its_class_is_refused():
    """Each of these models gives other numbers than its Dense layers' weights would."""
    given = layers.Input((4,))
    chain, functional = built(layers.Dense(2)), built(layers.Dense(2), functional=True)
    nested = built(layers.Dense(4), chain)
    before = {id(model): predicted(model) for model in (chain, functional, nested)}
    changed = [
        (
            replaced(functional, functional.layers[-1]),
            r"\(Dense\): not understood; its call is not",
        ),
        (replaced(chain, chain.layers[-1]), r"\(Dense\): not understood; its call is not"),
        (nested, r"\(Dense\): not understood; its call is not"),
    ]
    for model, _ in changed:
        assert np.abs(predicted(model) - before[id(model)]).max() > 0.1
    whole = built(layers.Dense(2))
    refused = [
        *changed,
        (replaced(whole, whole), r"\(Sequential\): not understood; its call is not Keras's"),
        (Squared(given, layers.Dense(2)(given)), r"\(Squared\): not understood; its call"),
        (Chained([layers.Input((4,)), layers.Dense(2)]), r"\(Chained\): not understood; its call"),
        (built(Doubled(2)), r"\(Doubled\): not understood; its call"),
    ]
    spec = network([4, 2], ["identity"], "float32").spec
    for model, message in refused:
        for attempt in (
            lambda model=model: interop.read(model),
            lambda model=model: interop.load(spec, model),
            lambda model=model: interop.store(spec, np.zeros(10, np.float32), model),
        ):
            with pytest.raises(InteropError, match=message):
                attempt()
    with pytest.raises(InteropError, match=r"\(Doubled\): not understood"):
        interop.load(spec, [built(Doubled(2)).layers[-1]])
    assert interop.read(Labelled(given, layers.Dense(2)(given))).spec.widths == (4, 2)


def test_wrapped_and_adapted_weights_are_refused():
    wrapper = built(layers.SpectralNormalization(layers.Dense(2)))
    with pytest.raises(InteropError, match=r"\(SpectralNormalization\): not understood"):
        interop.read(wrapper)
    adapted = built(layers.Dense(2))
    adapted.layers[-1].enable_lora(1)
    net = network([4, 2], ["identity"], "float32")
    for attempt in (
        lambda: interop.read(adapted),
        lambda: interop.load(net.spec, adapted),
        lambda: interop.store(net.spec, net.theta, adapted),
    ):
        with pytest.raises(InteropError, match="has weights of another form than a kernel and a b"):
            attempt()


# ---- Weights -------------------------------------------------------------------------------------


def test_weights_go_in_and_come_out_to_the_bit():
    net = network([4, 5, 2], ["tanh", "identity"], "float32", biasless=[1])
    net.theta[:2] = np.nan, -0.0
    model = built(layers.Dense(5, "relu", use_bias=False), layers.Dropout(0.5), layers.Dense(2))
    interop.store(net.spec, net.theta, model)
    assert interop.load(net.spec, model).tobytes() == net.theta.tobytes()
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    assert interop.load(net.spec, dense).tobytes() == net.theta.tobytes()


def test_stored_weights_predict():
    net = network([4, 5, 2], ["tanh", "identity"], "float32", biasless=[2])
    model = built(layers.Dense(5, "tanh"), layers.Dense(2))
    interop.store(net.spec, net.theta, model)
    np.testing.assert_allclose(predicted(model), forward(net, X), rtol=1e-5, atol=1e-6)


def test_all_weights_are_stored_or_none():
    net = network([4, 5, 2], ["tanh", "identity"], "float32")
    refused = [
        ((layers.Dense(5), layers.Dense(3)), r"holds the shape \(5, 3\), but \(5, 2\) is to go"),
        ((layers.Dense(5), layers.Dense(2, use_bias=False)), "has no bias, and the weights have"),
        ((layers.Dense(5),), "there are 1 Dense layers, and net has 2 layers"),
        ((layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)), "has weights; understo"),
    ]
    for parts, message in refused:
        model = built(*parts)
        before = [each.copy() for each in model.get_weights()]
        with pytest.raises(InteropError, match=message):
            interop.store(net.spec, net.theta, model)
        assert all(map(np.array_equal, before, model.get_weights()))
    with pytest.raises(InteropError, match="is not built"):
        interop.store(net.spec, net.theta, [layers.Dense(5), layers.Dense(2)])
    with pytest.raises(InteropError, match="given are Keras layers, not int"):
        interop.load(net.spec, [1, 2])
    with pytest.raises(InteropError, match=r"must have the shape \(4, 5\), but have \(4, 6\)"):
        interop.load(net.spec, built(layers.Dense(6), layers.Dense(2)))
