"""What is written runs elsewhere too, where other runtimes are installed."""

import numpy as np
import pytest

import symgrad
from symgrad.interop import onnx
from symgrad.interop.network import Network
from symgrad.interop.onnx.writing import model_of
from symgrad.spec.spec import Spec

LAYERS = [
    {"units": 4, "activation": "relu"},
    {"units": 3, "activation": "gelu", "from": ["x", "a1"]},
    {"units": 3, "activation": "tanh", "residual": True},
]


@pytest.fixture(params=["float32", "float64"])
def written(request, tmp_path):
    """A file, inputs, and what the network gives of them."""
    inputs = {"count": 3, "shift": [1.0, 2.0, 3.0], "scale": 2.0, "clip": 2.5}
    data = {"name": "net", "dtype": request.param, "inputs": inputs, "layers": LAYERS}
    spec = Spec.parse(data)
    module = symgrad.compile(spec).module
    theta = module.init(1)
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(spec.dtype)
    path = onnx.write(Network(spec, theta), tmp_path / "net.onnx")
    return path, x, module.predict(theta, x)


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_openvino_runs_it(written):
    """With the hint: else it computes in bfloat16 on some processors; in float32 either way."""
    openvino = pytest.importorskip("openvino")
    path, x, y = written
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path), "CPU", hint)
    close(compiled(x)[0], y, 2e-6)


def test_tract_runs_it(written):
    tract = pytest.importorskip("tract")
    path, x, y = written
    model = tract.onnx().load(str(path))
    model.set_input_fact(0, f"{len(x)},3,{'f32' if x.dtype == np.float32 else 'f64'}")
    (found,) = model.into_model().into_runnable().run([x])
    close(found.to_numpy(), y, 2e-6 if x.dtype == np.float32 else 1e-12)


def test_a_layer_in_float64_is_no_gemm():
    """onnxruntime before 1.18 cannot load a Gemm of float64 before a relu, tract none at all."""
    for dtype, kinds in (("float32", {"Gemm", "Tanh"}), ("float64", {"MatMul", "Add", "Tanh"})):
        layers = [{"units": 2, "activation": "tanh"}, {"units": 1}]
        spec = Spec.parse({"name": "net", "dtype": dtype, "inputs": 2, "layers": layers})
        model = model_of(Network(spec, np.ones(spec.weights, dtype)))
        assert {node.op_type for node in model.graph.node} == kinds
