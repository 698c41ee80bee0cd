"""Keras: models by keras.read, from files by symgrad's import, and by an exporter to ONNX: its own
on PyTorch, tf2onnx on TensorFlow."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import activations, layers

from exporters.trial import tried, tried_file
from symgrad.interop.keras import read

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
FUNCTIONS = [
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "celu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "sigmoid",
    "log_sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "tanh",
    "tanh_shrink",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "squareplus",
    "exponential",
    "sparse_plus",
    "glu",
    "threshold",
]


def models() -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Names, models, and the shape of a sample."""

    def chain(*parts: Any, shape: tuple[int, ...] = (4,)) -> tuple[Any, tuple[int, ...]]:
        return keras.Sequential([keras.Input(shape), *parts]), shape

    dense = lambda units=8, *given: layers.Dense(units, *given, bias_initializer="normal")  # noqa: E731
    for name in FUNCTIONS:
        if hasattr(activations, name):
            yield (name, *chain(dense(8, name), dense(3)))
    yield ("gelu, tanh", *chain(dense(), layers.Activation(tanh_gelu), dense(3)))
    for layer in (
        layers.LeakyReLU(), layers.ReLU(max_value=2.0), layers.ReLU(threshold=0.5),
        layers.ReLU(negative_slope=0.1, max_value=6.0), layers.ELU(0.5), layers.PReLU("normal"),
        layers.PReLU("normal", shared_axes=[1]), layers.Dropout(0.5), layers.Rescaling(0.5, 1.0),
        layers.GaussianNoise(0.1), layers.LayerNormalization(), layers.Softmax(),
    ):  # fmt: skip
        yield (layer.name, *chain(dense(), layer, dense(3)))
    for last in ("softmax", "sigmoid", "log_softmax"):
        yield (f"ends in {last}", *chain(dense(8, "tanh"), dense(3, last)))
    yield ("BatchNormalization first", *chain(norm(4), dense(8, "relu"), dense(3)))
    yield ("BatchNormalization within", *chain(dense(), norm(8), layers.ReLU(), dense(3)))
    yield ("BatchNormalization after", *chain(dense(8, "relu"), norm(8), dense(3)))
    yield ("Rescaling first", *chain(layers.Rescaling(1 / 255, -0.5), dense(8, "relu"), dense(3)))
    given = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 4, 9, 0.25])
    yield ("Normalization, given", *chain(given, dense(8, "relu"), dense(3)))
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(0).normal(size=(50, 4)) * 3 + 1)
    yield ("Normalization, adapted", *chain(adapted, dense(8, "relu"), dense(3)))
    yield ("Flatten", *chain(layers.Flatten(), dense(8, "relu"), dense(3), shape=(2, 3)))
    yield ("Reshape", *chain(dense(), layers.Reshape((2, 4)), layers.Flatten(), dense(3)))
    yield ("Conv1D", *chain(layers.Conv1D(2, 2), layers.Flatten(), dense(3), shape=(4, 2)))
    x = keras.Input((4,))
    h = dense(8, "relu")(x)
    yield "a residual", keras.Model(x, dense(3)(layers.Add()([h, dense(8, "tanh")(h)]))), (4,)
    yield "a skip", keras.Model(x, dense(3)(layers.Concatenate()([x, h]))), (4,)
    yield (
        "two heads",
        keras.Model(x, layers.Concatenate()([dense(2)(h), dense(1, "sigmoid")(h)])),
        (4,),
    )


def tanh_gelu(z: Any) -> Any:
    return activations.gelu(z, approximate=True)


def norm(width: int) -> Any:
    """A BatchNormalization that has seen something."""
    layer, random = layers.BatchNormalization(), np.random.default_rng(0)
    layer.build((None, width))
    layer.set_weights([random.uniform(0.5, 2, width) for _ in range(4)])
    return layer


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    keras.utils.set_random_seed(0)
    for dtype in ("float32", "float64"):
        keras.config.set_floatx(dtype)
        for name, model, shape in models():
            x = (np.random.default_rng(1).normal(size=(7, *shape)) * 2).astype(dtype)
            called = f"{name}, {dtype}"
            way = f"keras.read, {keras.backend.backend()}"
            tried("Keras", keras.__version__, way, called, lambda m=model: read(m), x,
                  lambda m=model, x=x: np.asarray(keras.ops.convert_to_numpy(m(x))))  # fmt: skip
            tool, version = "Keras on PyTorch", keras.__version__
            if ON_TENSORFLOW:
                import tf2onnx

                tool, version = "tf2onnx", tf2onnx.__version__
            tried_file(tool, version, "exported", called,
                       lambda path, m=model, x=x: export(m, x, path), x, folder)  # fmt: skip


def export(model: Any, x: np.ndarray, path: Path) -> None:
    if not ON_TENSORFLOW:
        model.export(str(path), format="onnx", verbose=False)
        return
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *x.shape[1:]), tf.as_dtype(x.dtype))]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    tf2onnx.convert.from_function(function, signature, opset=15, output_path=str(path))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]))
