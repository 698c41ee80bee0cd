"""Weights and networks from Keras, and for it.

    keras.Sequential or a plain chain ──read──▶ Network
    model or layers ──load──▶ theta ──store──▶ model or layers

A Dense layer keeps its kernel as (inputs, outputs), as a spec does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from symgrad.interop import activations
from symgrad.interop.chain import Chain, widened
from symgrad.interop.errors import InteropError, needed, not_understood
from symgrad.interop.keras_maps import affine_maps
from symgrad.interop.network import Array, LossLike, Network, Weights, assemble, join, split
from symgrad.spec.spec import Spec

_PURPOSE = "reading Keras models"


def read(model: Any, *, name: str = "network", loss: LossLike | None = None) -> Network:
    """The network that a built Keras model is, in inference: a Sequential, or a chain of layers.

    Understood are Dense layers with their activations, layers of activations, affine maps of each
    feature (BatchNormalization, Normalization, Rescaling), which go into the weights, and what
    changes nothing (Dropout, Flatten of rows). `loss` None stands for the usual one with the last
    activation. Raises InteropError, naming the layer, for anything else.
    """
    keras = needed("keras", _PURPOSE, "keras")
    if not isinstance(model, keras.Model):
        raise InteropError(f"read are Keras models, not {type(model).__name__}")
    table, maps = _layer_readers(keras), affine_maps(keras)
    chain = Chain()
    for layer in _flat(model, keras):
        called = _called(layer)
        if type(layer) is keras.layers.Dense:
            weight, bias = _weights(layer)
            chain.linear(called, weight, bias)
            formula, hint = _function(layer.activation, called, keras, table)
        elif type(layer) in table:
            formula, hint = table[type(layer)](layer, called), type(layer).__name__.lower()
        elif type(layer) is keras.layers.Activation:
            formula, hint = _function(layer.activation, called, keras, table)
        elif type(layer) in maps:
            chain.affine(called, *maps[type(layer)](layer, called))
            continue
        else:
            raise InteropError(f"{called}: {not_understood(type(layer).__name__, _AS_ONNX)}")
        if formula is not None:
            chain.activation(called, formula, hint)
    return assemble(chain.layers, name, chain.dtype, loss)


# What a layer of one's own does, its file says node by node.
_AS_ONNX = 'model.export(…, format="onnx") writes it into a file that symgrad import may read'


def load(spec: Spec, layers: Any) -> Array:
    """The flat weights in a model's Dense layers, of shape (spec.weights,) and the spec's dtype.

    `layers` is a model, or Dense layers in order; other layers are passed over if they have no
    weights. Raises InteropError for shapes that do not fit the spec.
    """
    dense = _dense(layers)
    return join(spec, [_weights(layer) for layer in dense], [_called(layer) for layer in dense])


def store(spec: Spec, theta: Any, layers: Any) -> None:
    """Puts flat weights into a model's Dense layers: into all of them, or, if one does not fit,
    into none.

    `layers` is as for `load`. A layer's bias that the spec has not becomes zero. Raises
    InteropError for shapes that do not fit.
    """
    dense, weights = _dense(layers), split(spec, theta)
    if len(dense) != len(weights):
        raise InteropError(
            f"there are {len(dense)} Dense layers, and {spec.name} has {len(weights)} layers"
        )
    ready: list[tuple[Any, list[Array]]] = []
    for layer, (weight, bias) in zip(dense, weights, strict=True):
        arrays = [weight]
        if layer.use_bias:
            arrays.append(np.zeros(weight.shape[1], weight.dtype) if bias is None else bias)
        elif bias is not None and np.any(bias != 0):
            raise InteropError(f"{_called(layer)} has no bias, and the weights have one there")
        held = [each for each in _weights(layer) if each is not None]
        for array, before in zip(arrays, held, strict=True):
            if array.shape != np.shape(before):
                raise InteropError(
                    f"{_called(layer)} holds the shape {np.shape(before)}, but {array.shape} is to"
                    " go there"
                )
        ready.append((layer, arrays))
    for layer, arrays in ready:
        layer.set_weights(arrays)


# ---- Layers --------------------------------------------------------------------------------------


def _called(layer: Any) -> str:
    return f"layer {layer.name!r} ({type(layer).__name__})"


def _flat(model: Any, keras: Any) -> Iterator[Any]:
    """The layers of a chain in order, also inside Sequentials; InputLayers are passed over."""
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        _check_call(layer)
        if isinstance(layer, keras.Sequential):
            waiting += reversed(_built(layer).layers)
        elif isinstance(layer, keras.Model):
            waiting += reversed(_chain(layer, keras))
        elif type(layer) is not keras.layers.InputLayer:
            yield layer


def _check_call(layer: Any) -> None:
    """Refuses a layer, or a model, that computes something else than Keras's class of its kind.

    What is not Keras's class at all is refused where classes are told apart.
    """
    for name in ("call", "__call__"):
        definer = next((each for each in type(layer).__mro__ if name in vars(each)), None)
        own = name in vars(layer) or definer is None or definer.__module__.split(".")[0] != "keras"
        if own:
            raise InteropError(
                f"{_called(layer)}: not understood; its {name} is not Keras's and may do anything"
            )


def _chain(model: Any, keras: Any) -> Sequence[Any]:
    """The layers of a functional model, if each takes just what the one before it gives."""
    called = _called(model)
    if not hasattr(model, "operations"):
        raise InteropError(f"{called}: not understood; a subclass of Model may do anything")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InteropError(
            f"{called} has {len(model.inputs)} inputs and {len(model.outputs)} outputs;"
            " understood is one of each"
        )
    flowing = model.inputs[0]
    layers: list[Any] = []
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if not isinstance(operation, keras.layers.Layer):
            raise InteropError(
                f"{called}: the operation {operation.name!r} ({type(operation).__name__}) is not"
                " understood; understood are layers"
            )
        nodes = operation._inbound_nodes
        inputs = list(nodes[0].input_tensors) if len(nodes) == 1 else []
        if len(inputs) != 1 or inputs[0] is not flowing:
            raise InteropError(
                f"{_called(operation)} does not take just what the layer before it gives;"
                f" understood is a plain chain; {_AS_ONNX}"
            )
        flowing = nodes[0].output_tensors[0]
        layers.append(operation)
    if flowing is not model.outputs[0]:
        raise InteropError(f"{called}: its output is not that of its last layer")
    return layers


def _dense(layers: Any) -> list[Any]:
    """The Dense layers among layers, or of a model."""
    keras = needed("keras", _PURPOSE, "keras")
    found = list(_flat(layers, keras)) if isinstance(layers, keras.Model) else list(layers)
    for layer in found:
        if not isinstance(layer, keras.layers.Layer):
            raise InteropError(f"given are Keras layers, not {type(layer).__name__}")
        _check_call(layer)
        if not isinstance(layer, keras.layers.Dense) and layer.weights:
            raise InteropError(f"{_called(layer)} has weights; understood are those of Dense")
    return [layer for layer in found if isinstance(layer, keras.layers.Dense)]


def _built(layer: Any) -> Any:
    if not layer.built:
        raise InteropError(
            f"{_called(layer)} is not built: it has no weights before it has an input"
        )
    return layer


def _weights(layer: Any) -> Weights:
    arrays = [widened(np.asarray(each)) for each in _built(layer).get_weights()]
    if len(arrays) != 1 + bool(layer.use_bias) or arrays[0].ndim != 2:
        raise InteropError(f"{_called(layer)} has weights of another form than a kernel and a bias")
    return arrays[0], arrays[1] if layer.use_bias else None


# ---- Activations ---------------------------------------------------------------------------------

# What a layer is, as a formula; None where it changes nothing.
_Reader = Callable[[Any, str], str | None]

# Keras's functions, with the arguments that they have where only the name is given.
_FUNCTIONS: Mapping[str, str | None] = {
    "linear": None,
    "relu": "relu",
    "relu6": "min(relu(z), 6)",
    "leaky_relu": activations.leaky_relu(0.2),
    "elu": "elu",
    "celu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "softsign": "softsign",
    "sigmoid": "sigmoid",
    "log_sigmoid": "-softplus(-z)",
    "hard_sigmoid": activations.HARD_SIGMOID,
    "hard_silu": activations.HARD_SWISH,
    "tanh": "tanh",
    "hard_tanh": "max(min(z, 1), -1)",
    "tanh_shrink": "z - tanh(z)",
    "soft_shrink": activations.soft_shrink(0.5),
    "squareplus": activations.SQUAREPLUS,
    "sparse_plus": activations.SPARSE_PLUS,
    "sparse_sigmoid": "min(max((z + 1)/2, 0), 1)",
    "exponential": "exp(z)",
    "softmax": "softmax",
    "log_softmax": activations.LOG_SOFTMAX,
}


def _function(
    function: Any, called: str, keras: Any, table: Mapping[type, _Reader]
) -> tuple[str | None, str]:
    """An activation given as a function of Keras's, or as a layer."""
    if function is None:
        return None, ""
    if type(function) in table:
        return table[type(function)](function, called), type(function).__name__.lower()
    if isinstance(function, partial) and function.func is keras.activations.gelu:
        if not function.args and function.keywords == {"approximate": True}:
            return activations.GELU_TANH, "gelu_tanh"
    for name, formula in _FUNCTIONS.items():
        if function is getattr(keras.activations, name, None):
            return formula, name
    shown = getattr(function, "__name__", type(function).__name__)
    raise InteropError(
        f"{called}: the activation {shown} is not understood; understood are"
        f" {', '.join(_FUNCTIONS)}; {_AS_ONNX}"
    )


def _layer_readers(keras: Any) -> Mapping[type, _Reader]:
    """Layers without weights. Subclasses are others: their `call` may do anything."""
    layers = keras.layers

    def nothing(layer: Any, called: str) -> None:
        return None

    # fmt: off
    return {
        layers.Dropout:         nothing,
        layers.AlphaDropout:    nothing,
        layers.GaussianDropout: nothing,
        layers.GaussianNoise:   nothing,
        layers.Identity:        nothing,
        layers.Flatten:         _flatten,
        layers.ReLU:            _relu,
        layers.LeakyReLU:       lambda layer, called: activations.leaky_relu(layer.negative_slope),
        layers.PReLU:           _prelu,
        layers.ELU:             lambda layer, called: activations.elu(layer.alpha),
        layers.Softmax:         _softmax,
    }
    # fmt: on


def _flatten(layer: Any, called: str) -> None:
    shape = layer.input.shape
    if len(shape) != 2:
        raise InteropError(f"{called} takes {len(shape)} axes; understood are two; {_AS_ONNX}")


def _relu(layer: Any, called: str) -> str:
    if layer.threshold:
        raise InteropError(f"{called}: it jumps at its threshold; understood is threshold = 0")
    slope = float(layer.negative_slope or 0)
    inner = "relu(z)" if slope == 0 else activations.leaky_relu(slope)
    return activations.clipped(None, layer.max_value, inner)


def _prelu(layer: Any, called: str) -> str:
    slopes = np.unique(widened(np.asarray(_built(layer).get_weights()[0])))
    if len(slopes) > 1:
        raise InteropError(f"{called}: its slope differs by unit; {_AS_ONNX}, as layers that do it")
    return activations.leaky_relu(activations.shortest(slopes[0]))


def _softmax(layer: Any, called: str) -> str:
    if layer.axis not in (-1, 1):
        raise InteropError(f"{called}: axis = {layer.axis}; understood is -1 or 1, the units")
    return "softmax"
