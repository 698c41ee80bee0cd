#!/bin/sh
# tf2onnx 1.17.0, TensorFlow 2.21.0 (CPU), Keras 3.15.1, onnx 1.23.2, numpy 2.4.6; Python 3.11. (Large.)
#
# A Keras model with a Normalization layer, whose mean and variance are numbers of its own, has one input. One would expect
# its ONNX file to have one, and the numbers in it. tf2onnx turns the mean into a second input that has to be given at each
# call, and the file holds it nowhere. And of gelu and celu it writes the operators Erfc and Expm1, which ONNX has not, into
# ONNX's own domain: convert logs an error, returns, and the file that it has made is valid for nobody.
#
# Seen, and compared with what is printed now (the operators, and the inputs but x):
#> relu: MatMul Relu; no more inputs; valid
#> Normalization: Sub Mul MatMul; Sub/y Sqrt/x; valid
#> gelu: MatMul Mul Neg Mul Erfc Mul; no more inputs; No Op registered for Erfc
#> celu: MatMul Min Expm1 Max Add; no more inputs; No Op registered for Expm1
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet tf2onnx==1.17.0 tensorflow-cpu==2.21.0 keras==3.15.1 onnx==1.23.2 numpy==2.4.6

cat > lost.py <<'END'
import logging
import os

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
import keras
import onnx
import tensorflow as tf
import tf2onnx

logging.disable(logging.ERROR)
dense = lambda activation: keras.layers.Dense(2, activation, use_bias=False)
models = {
    "relu": [dense("relu")],
    "Normalization": [keras.layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0]), dense(None)],
    "gelu": [dense("gelu")],
    "celu": [dense("celu")],
}
for name, layers in models.items():
    model = keras.Sequential([keras.Input((2,)), *layers])
    given = [tf.TensorSpec((None, 2), tf.float32)]
    function = tf.function(lambda x, model=model: model(x, training=False), input_signature=given)
    made, _ = tf2onnx.convert.from_function(function, given, opset=15)
    more = ["/".join(each.name.split(":")[0].split("/")[-2:]) for each in made.graph.input[1:]]
    try:
        onnx.checker.check_model(made)
        verdict = "valid"
    except onnx.checker.ValidationError as error:
        verdict = str(error).split(" with ")[0]
    operators = " ".join(node.op_type for node in made.graph.node)
    print(f"{name}: {operators}; {' '.join(more) or 'no more inputs'}; {verdict}")
END
now=$(venv/bin/python lost.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
