"""Files that real tools have written: read, and compared with onnxruntime, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgrad.interop import InteropError
from symgrad.interop.onnx import read
from tests.interop.test_onnx_read import onnx, onnxruntime, value
from tests.paths import ROOT

FOLDER = ROOT / "tests" / "interop" / "networks"

REFUSED = {
    "keras_tensorflow_NormAdapt": "it has 2 inputs",  # a constant that tf2onnx has lost
    "keras_torch_hard_shrink": "its branches do not meet, as those of what jumps",
    "torch_hardshrink_dynamo": "its branches do not meet, as those of what jumps",
    "tool_relu_qdyn": "its numbers are quantised",
    "tool_relu_qsQDQ": "its numbers are quantised",
}

# What onnxruntime has no kernel for in float64, or takes for no valid graph.
NOT_RUN = {
    "skl_clf3_f64_default": ("tanh", "tanh", "softmax"),
    "torch_double_legacy": ("gelu", "identity"),
}

# What onnxruntime computes in half precision, of which this is the last digit.
ROUNDED = {"torch_half_dynamo": 1e-3}

CLASSES = {
    "skl_clf3_f64_default": (0, 1, 2),
    "skl_clf3str_f32_default": ("a", "b", "c"),
    "skl_clf3str_f64_nozip": ("a", "b", "c"),
}

FILES = sorted(path.stem for path in FOLDER.glob("*.onnx"))


def ran(path: Path, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and onnxruntime's outputs of numbers for them, a row for each."""
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    kinds = {"tensor(double)": np.float64, "tensor(float16)": np.float16}
    shape = [extent if isinstance(extent, int) else count for extent in given.shape]
    x = np.random.default_rng(0).normal(0, 2, shape).astype(kinds.get(given.type, np.float32))
    found: list[Any] = session.run(None, {given.name: x})
    rows = [[*row.values()] for each in found if isinstance(each, list) for row in each]
    (y,) = [each for each in found if not isinstance(each, list) and each.dtype.kind == "f"] or [
        np.array(rows)
    ]
    return x.reshape(len(x), -1), y.reshape(len(x), -1)


def test_all_files_are_there():
    assert len(FILES) == 51
    assert {*REFUSED, *NOT_RUN, *ROUNDED, *CLASSES} <= {*FILES}


@pytest.mark.parametrize("name", [name for name in FILES if name not in {*REFUSED, *NOT_RUN}])
def test_files_are_read_as_onnxruntime_runs_them(name):
    net = read(FOLDER / f"{name}.onnx")
    x, expected = ran(FOLDER / f"{name}.onnx")
    found = value(net, x)
    assert found.shape == expected.shape
    relative = ROUNDED.get(name, {"float32": 1e-6, "float64": 1e-12}[net.spec.dtype])
    assert np.max(np.abs(found - expected)) <= relative * np.max(np.abs(expected))


@pytest.mark.parametrize("name", NOT_RUN)
def test_what_onnxruntime_does_not_run_is_read_all_the_same(name):
    net = read(FOLDER / f"{name}.onnx")
    assert tuple(layer.activation for layer in net.spec.layers) == NOT_RUN[name]
    arrays = {each.name: each for each in onnx.load(FOLDER / f"{name}.onnx").graph.initializer}
    first = onnx.numpy_helper.to_array(arrays.get("coefficient", arrays.get("0.weight")))
    assert net.layers[0][0].dtype == np.float64
    assert np.array_equal(net.layers[0][0], first if "coefficient" in arrays else first.T)


@pytest.mark.parametrize("name", REFUSED)
def test_the_others_are_refused_with_the_reason(name):
    with pytest.raises(InteropError, match=REFUSED[name]):
        read(FOLDER / f"{name}.onnx")


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_read_with_them(name):
    assert read(FOLDER / f"{name}.onnx").labels == CLASSES[name]
