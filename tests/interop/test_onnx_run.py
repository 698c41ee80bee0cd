"""Trained networks as ONNX files: raw units in, raw units or classes out, as `Run` has it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.errors import DataError
from symgrad.interop.onnx import model_of, read, write
from symgrad.training.fit import Ending
from symgrad.training.predict import predict
from symgrad.training.run import Run
from symgrad.training.trained import Trained
from tests import nets
from tests.interop.test_network import forward
from tests.training.test_freeze import trained

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(3)

THREE = nets.net([4, 8, 3], ["tanh", "softmax"], dtype="float32", kind="cross_entropy")
TWO = nets.net([3, 4, 1], ["mish", "sigmoid"], kind="binary_cross_entropy")

RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "numbers": (nets.net([3, 4, 2], ["tanh", "identity"]), {"fill": True}),
    "numbers in float32": (nets.net([3, 4, 2], ["gelu", "identity"], dtype="float32"), {}),
    "text": (THREE, {"labels": ("setosa", "versicolor", "virginica"), "fill": True}),
    "odd text": (THREE, {"labels": ("", "ü\n\"'", "{{ 1 }}")}),
    "integers": (THREE, {"labels": (7, -3, 2**62)}),
    "floats": (THREE, {"labels": (0.5, -2.5, 1e300)}),
    "two": (TWO, {"labels": ("no", "yes")}),
    "booleans": (TWO, {"labels": (False, True)}),
}


def given(spec: Any, fill: bool) -> np.ndarray:
    x = np.random.default_rng(5).normal(size=(40, spec.inputs)) * 2
    if fill:
        x[::3, 0] = np.nan
    return x


@pytest.mark.parametrize("case", RUNS)
def test_a_file_predicts_what_the_run_does(case, monkeypatch, interpret):
    spec, options = RUNS[case]
    weights = trained(spec, **options)
    x = given(spec, options.get("fill", False))
    model = model_of(weights)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = dict(
        zip([each.name for each in session.get_outputs()], session.run(None, {"x": x}), strict=True)
    )
    monkeypatch.setattr(symgrad.training.predict, "compile", _interpreted(interpret))
    said = predict(weights, x)
    close = {"rtol": 1e-4, "atol": 1e-5} if spec.dtype == "float32" else {"rtol": 1e-11}
    np.testing.assert_allclose(found["y"], said.outputs, **close)
    assert found["y"].dtype == (np.float64 if said.labels is None else spec.dtype)
    if said.labels is not None:
        assert found["label"].tolist() == list(said.labels)
        notes = {each.key: json.loads(each.value) for each in model.metadata_props}
        assert notes["symgrad.labels"] == list(options["labels"])
        assert notes["symgrad.inputs"] == list(weights.columns.inputs)


def test_a_file_takes_each_word_as_an_input():
    """Its metadata says which column of x is which word's."""
    weights = trained(nets.net([3, 1], ["identity"]))
    columns = replace(weights.columns, inputs=("a", "mode"), categories={"mode": ("off", "on")})
    model = model_of(replace(weights, columns=columns))
    notes = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert notes["symgrad.inputs"] == ["a", "mode=off", "mode=on"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(None, {"x": np.array([[1.5, 0, 1]])})[0].shape == (1, 1)


def _interpreted(interpret: Any) -> Any:
    """Compiles without Numba, which would take seconds for each."""

    class Interpreted:
        def __init__(self, spec: Any) -> None:
            self.module = interpret(symgrad.compile(spec).source)

    return Interpreted


def test_of_equals_the_first_and_a_half_is_the_second_class():
    spec = nets.net([1, 3], ["identity"])
    weights = trained(spec, np.zeros(spec.weights), labels=("a", "b", "c"))
    session = onnxruntime.InferenceSession(model_of(weights).SerializeToString())
    assert session.run(["label"], {"x": [[1.0]]})[0].tolist() == ["a"]
    half = trained(TWO, np.zeros(TWO.weights), labels=("no", "yes"))
    session = onnxruntime.InferenceSession(model_of(half).SerializeToString())
    assert session.run(["label"], {"x": [[1.0, 2.0, 3.0]]})[0].tolist() == ["yes"]


def test_a_run_is_written_and_read_with_its_scaling_in_the_weights(tmp_path):
    spec = nets.net([2, 4, 1], ["tanh", "identity"])
    run = Run(trained(spec), [], {}, Ending.FINISHED, 0)
    x = np.random.default_rng(0).normal(size=(60, 2))
    expected = run.predict(x).outputs
    path = write(run, tmp_path / "plane.onnx")
    (y,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(y, expected, rtol=1e-11)
    net = read(path)
    assert net.spec.layers == spec.layers
    np.testing.assert_allclose(forward(net, x), expected, rtol=1e-9)


def test_weights_that_do_not_fit_are_refused():
    weights = trained(THREE, labels=("a", "b", "c"))
    with pytest.raises(DataError, match="theta must be float32"):
        model_of(replace(weights, theta=weights.theta[1:]))
    with pytest.raises(DataError, match="labels"):
        model_of(trained(THREE, labels=("a", "b")))


@pytest.mark.parametrize("labels", [(0, 1, 2), ("a", "b", "c")])
def test_classes_are_read_back(labels):
    model = model_of(trained(THREE, labels=labels))
    net = read(model)
    assert net.spec.widths == (4, 8, 3) and net.labels == labels
    del model.metadata_props[:]
    assert read(model, output="y").labels == labels  # from the tensor that holds them
    y = np.eye(3)[[2, 0, 1]]
    assert net.classes(y).tolist() == [labels[2], labels[0], labels[1]]


def test_the_same_run_gives_the_same_bytes(tmp_path):
    weights: Trained = trained(TWO, labels=(False, True))
    paths = [write(weights, tmp_path / name) for name in ("a.onnx", "b.onnx")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
