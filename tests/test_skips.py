"""Layers that take the outputs of any earlier layers, side by side: `from`."""

import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.errors import SpecError
from symgrad.interop import onnx, sklearn
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Network
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load


def layer(units, activation="tanh", sources=None, **more):
    taken = {} if sources is None else {"from": sources}
    return {"units": units, "activation": activation, **taken, **more}


NETS = {
    "two": [layer(4), layer(2, "identity", ["x", "a1"])],
    "order": [layer(4), layer(5), layer(2, "softplus", ["a2", "x", "a1"], bias=False)],
    "over": [layer(4), layer(3, "silu"), layer(2, "identity", ["a1"])],
    "residual": [layer(5), layer(3, "sin", ["x"], residual=True), layer(2, sources=["a2", "a1"])],
    "softmax": [layer(4, "gelu"), layer(3, "softmax", ["x", "a1"])],
}


def spec_of(name, **more):
    loss = {"kind": "cross_entropy" if name == "softmax" else "squared", "l2": 0.1}
    base = {"name": name, "dtype": "float64", "inputs": 3, "layers": NETS[name], "loss": loss}
    return base | more


@pytest.mark.parametrize("name", NETS)
def test_gradient_and_derivatives_are_right(name):
    asked = ["jacobian", "hessian_vector", "gradients"] if name == "two" else []
    compiled = symgrad.compile(spec_of(name, derivatives=asked))
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed and len(report.derivatives) == len(asked)
    assert any(v.oracle == "scalars" and v.compared for v in report.verdicts) or name == "softmax"


def by_hand(arrays, sources, x):
    """tanh, tanh, softplus of `order`, one matrix for all that stands side by side."""
    a1 = np.tanh(x @ arrays["W1"] + arrays["b1"])
    a2 = np.tanh(a1 @ arrays["W2"] + arrays["b2"])
    W3 = np.vstack([arrays[f"W3{source}"] for source in sources])
    return np.logaddexp(0, np.hstack([{"x": x, "a1": a1, "a2": a2}[s] for s in sources]) @ W3)


def test_several_sources_stand_side_by_side():
    module = symgrad.compile(spec_of("order")).module
    theta, x = module.init(2), np.random.default_rng(1).normal(size=(7, 3))
    arrays = module.unpack(theta)
    assert [*arrays] == ["W1", "b1", "W2", "b2", "W3a2", "W3x", "W3a1"]
    expected = by_hand(arrays, ["a2", "x", "a1"], x)
    np.testing.assert_allclose(module.predict(theta, x), expected, rtol=1e-14)
    # they are one behind the other, and drawn as for a layer with twelve inputs
    last = theta[module.PARAMETERS["W3a2"][0] :].reshape(12, 2)
    np.testing.assert_array_equal(last[5:8], arrays["W3x"])
    assert np.abs(last).max() <= np.sqrt(6 / 12) < np.sqrt(6 / 5)


def test_the_emitted_module_has_the_same_bits(tmp_path):
    compiled = symgrad.compile(spec_of("two"))
    emitted, native = load(compiled.write(tmp_path)), compiled.module
    theta, random = native.init(0), np.random.default_rng(0)
    given = random.normal(size=(300, 3)), random.normal(size=(300, 2))
    np.testing.assert_array_equal(theta, emitted.init(0))
    np.testing.assert_equal(
        emitted.loss_and_gradient(theta, *given), native.loss_and_gradient(theta, *given)
    )


@pytest.mark.parametrize("name", ["order", "residual"])
def test_onnx_files_have_them(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    spec = Spec.parse(spec_of(name))
    module = symgrad.compile(spec).module
    theta, x = module.init(1), np.random.default_rng(1).normal(size=(6, 3))
    network = Network(spec, theta)
    onnx.write(network, tmp_path / "net.onnx")
    (y,) = runtime.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x})
    np.testing.assert_allclose(y, module.predict(theta, x), rtol=1e-13)
    with pytest.raises(InteropError, match=r"layer \d (skips others|is residual)"):
        sklearn.estimator(network)


REFUSED = [
    ([layer(2, sources=["a1"])], "'a1' is no source here: there is x, the inputs"),
    ([layer(2), layer(2, sources=["a2"])], "'a2' is no source here: there is x, the inputs; and"),
    ([layer(2), layer(2, sources=["x", "x"])], "'x' is there already"),
    ([layer(2), layer(2, sources="x")], "must be a list of sources, as x and a1"),
    ([layer(2), layer(2, sources=[])], "must have at least one source"),
    ([layer(2), layer(2, sources=["b\n1"])], "'b\\n1' is no source here"),
    ([layer(2), layer(3, sources=["a1"], residual=True)], "it has 3, but a1 has 2"),
    ([layer(2), layer(5, sources=["a1", "x"], residual=True)], "which can be one source"),
]


@pytest.mark.parametrize(("layers", "message"), REFUSED)
def test_refusals(layers, message):
    with pytest.raises(SpecError) as caught:
        Spec.parse({"name": "net", "inputs": 3, "layers": layers})
    assert message in str(caught.value)


def test_it_is_a_part_of_the_spec():
    spec = Spec.parse(spec_of("two"))
    assert spec.normalised()["layers"][1]["from"] == ["x", "a1"]
    assert Spec.parse(spec.normalised()) == spec
    assert (spec.weights, spec.taken) == (3 * 4 + 4 + 7 * 2 + 2, (3, 7))
    assert "from" not in spec.normalised()["layers"][0]


def test_training_and_what_comes_after(tmp_path):
    x = np.random.default_rng(0).random((60, 3))
    run = symgrad.train(spec_of("order"), (x, x[:, :2]), tmp_path / "run", epochs=30, rate=0.01)
    assert len(run.history) == 30
    again = symgrad.Run.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(x).outputs, run.predict(x).outputs)
    assert sorted(again.weights) == ["W1", "W2", "W3a1", "W3a2", "W3x", "b1", "b2"]
