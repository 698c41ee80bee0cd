"""Inputs and outputs that are shifted, scaled and cut between the data and the network."""

import json

import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.errors import SpecError
from symgrad.interop import onnx
from symgrad.interop.errors import InteropError
from symgrad.interop.folding import folded
from symgrad.interop.network import Network
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load
from symgrad.training.freeze import source, write_frozen
from tests.nets import net

INPUTS = {"count": 3, "shift": [0.5, -1.0, 20.0], "scale": [2.0, 0.5, 10.0], "clip": [-3.0, 30.0]}
OUTPUTS = {"scale": [10.0, 0.1], "shift": 5.0, "clip": [[2.0, 9.0], [4.9, 5.1]]}
LAYERS = [{"units": 4, "activation": "tanh"}, {"units": 2}]


def spec_of(inputs=INPUTS, outputs=OUTPUTS, **more):
    given = {"inputs": inputs, **({} if outputs is None else {"outputs": outputs})}
    return {"name": "scaled", "dtype": "float64", "layers": LAYERS} | given | more


def samples(many, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal([0.5, -1.0, 20.0], [2.0, 2.0, 20.0], (many, 3))
    return x, random.normal(5, 5, (many, 2))


def by_hand(module, theta, x):
    """The network's output, and its output before it is cut, from the definition."""
    W1, b1, W2, b2 = module.unpack(theta).values()
    cut = np.clip(x, -3.0, 30.0)
    a0 = (cut - [0.5, -1.0, 20.0]) / [2.0, 0.5, 10.0]
    whole = (np.tanh(a0 @ W1 + b1) @ W2 + b2) * [10.0, 0.1] + 5.0
    return np.clip(whole, [2.0, 4.9], [9.0, 5.1]), whole


def test_they_are_what_they_say():
    module = symgrad.compile(spec_of()).module
    theta, (x, t) = module.init(3), samples(200)
    y, whole = by_hand(module, theta, x)
    assert (y != whole).any(axis=0).all() and (y == whole).any(axis=0).all()
    np.testing.assert_allclose(module.predict(theta, x), y, rtol=1e-14, atol=1e-14)
    value = np.mean(np.sum((y - t) ** 2, axis=1)) / 2
    np.testing.assert_allclose(module.loss(theta, x, t), value, rtol=1e-14)


ASKED = ["jacobian", "laplacian", "pullback", "hessian_vector", "gradients", "gauss_newton"]
KINDS = {
    "numbers": ({"count": 3, "shift": 1.0, "scale": 4.0}, {"scale": 7.0, "shift": -2.0}),
    "columns": (INPUTS, OUTPUTS),
    "inputs": (INPUTS, None),
    "outputs": (3, {"clip": 1.0}),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow) if k == "columns" else k for k in KINDS]
)
def test_derivatives_are_right(kind):
    asked = ASKED if kind == "columns" else []
    compiled = symgrad.compile(spec_of(*KINDS[kind], derivatives=asked))
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed and len(report.derivatives) == len(asked)
    assert all(verdict.compared for verdict in report.verdicts if verdict.oracle == "scalars")


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
@pytest.mark.parametrize(
    "widths", [[3, 4, 2], pytest.param([40, 32, 32, 20], marks=pytest.mark.slow)]
)
def test_both_forms_have_the_same_bits(widths, dtype, tmp_path):
    spec = net(widths, ["tanh"] * (len(widths) - 2) + ["identity"], dtype=dtype, scaled=True)
    compiled = symgrad.compile(spec)
    emitted, native = load(compiled.write(tmp_path)), compiled.module
    random = np.random.default_rng(0)
    given = [random.normal(size=(300, width)).astype(dtype) for width in (widths[0], widths[-1])]
    theta = native.init(1)
    found = native.loss_and_gradient(theta, *given)
    np.testing.assert_equal(emitted.loss_and_gradient(theta, *given), found)
    np.testing.assert_equal(emitted.predict(theta, given[0]), native.predict(theta, given[0]))
    assert Spec.parse(emitted.SPEC) == spec and Spec.parse(native.SPEC) == spec
    exact, slopes = compiled.evaluate(theta, *given)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found[0], exact, rtol=tolerance)
    np.testing.assert_allclose(found[1], slopes, rtol=0, atol=tolerance * np.abs(slopes).max())


def test_what_is_cut_has_no_slope_and_nan_stays():
    spec = spec_of(outputs=None, derivatives=["jacobian"])
    module = symgrad.compile(spec).module
    theta, x = module.init(0), np.array([[-4.0, 0.0, 20.0], [0.0, 31.0, 30.0], [np.nan, 0, 0]])
    slopes = module.jacobian(theta, x)
    assert (slopes[0][:, 0] == 0).all() and (slopes[0][:, 1:] != 0).any()
    assert (slopes[1][:, 1:] == 0).all()  # on the end too, as at a kink of relu
    assert np.isnan(module.predict(theta, x)[2]).all()


def test_derivatives_in_a_loss_are_by_inputs_as_they_come():
    inputs = {"names": ["x", "t"], "shift": [1.0, 2.0], "scale": [0.5, 4.0]}
    layers = [{"units": 3, "activation": "tanh"}, {"names": ["u"]}]
    loss = {"formula": "(D(u, x) - 2*D(u, t, t) + u)**2"}
    spec = spec_of(inputs, {"scale": 3.0}, layers=layers, loss=loss)
    compiled = symgrad.compile(spec)
    assert check(compiled.spec.normalised(), compiled.module).passed
    module, x = compiled.module, np.array([[0.3, 0.1], [1.5, -3.0]])
    theta = module.init(0)

    def u(dx=0.0, dt=0.0):
        return module.predict(theta, x + [dx, dt])[:, 0]

    h = 1e-3
    residual = (u(h) - u(-h)) / (2 * h) - 2 * (u(0, h) - 2 * u() + u(0, -h)) / h**2 + u()
    expected = np.mean(residual**2)
    np.testing.assert_allclose(module.loss(theta, x, np.zeros((2, 1))), expected, rtol=1e-5)


# ---- In files ------------------------------------------------------------------------------------


def write(folder, inputs, **more):
    path = folder / "scaled.json"
    path.write_text(json.dumps(spec_of(inputs, None, **more)), encoding="utf-8")
    return path


def test_arrays_are_read_from_files_beside_the_spec(tmp_path):
    np.savez(tmp_path / "all.npz", shift=np.array([1, 2, 3]), ends=np.array([[0, 1]] * 3))
    np.save(tmp_path / "scale.npy", np.array([0.1, 0.2, 0.3], np.float32))
    inputs = {
        "count": 3,
        "shift": {"file": "all.npz", "array": "shift"},
        "scale": {"file": "scale.npy"},
        "clip": {"file": "all.npz", "array": "ends"},
    }
    spec = Spec.load(write(tmp_path, inputs))
    numbers = [float(np.float32(each)) for each in (0.1, 0.2, 0.3)]
    ends = [[0, 1], [0, 1], [0, 1]]
    plain = Spec.parse(
        spec_of({"count": 3, "shift": [1, 2, 3], "scale": numbers, "clip": ends}, None)
    )
    assert spec == plain and spec.digest() == plain.digest()
    assert Spec.parse(spec.normalised()) == spec


FILES = {
    "no such file": (
        {"file": "none.npz", "array": "a"},
        "line 1, inputs.shift: .*none.npz: .*No such",
    ),
    "no such array": ({"file": "a.npz", "array": "b"}, "has no array 'b'; there are a"),
    "no name": ({"file": "a.npz"}, "say which array"),
    "a name too many": ({"file": "a.npy", "array": "a"}, "leave `array` out"),
    "not of arrays": ({"file": "a.txt"}, "must be the name of an NPZ or NPY file, not 'a.txt'"),
    "text": ({"file": "t.npy"}, "must be numbers, one for each column"),
    "another key": ({"file": "a.npz", "name": "a"}, "unknown key 'name'"),
    "too few": ({"file": "a.npz", "array": "a"}, "2 numbers for 3 columns"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_will_not_do(case, tmp_path):
    given, message = FILES[case]
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    np.save(tmp_path / "a.npy", np.ones(3))
    np.save(tmp_path / "t.npy", np.array(["a", "b", "c"]))
    with pytest.raises(SpecError, match=message):
        Spec.load(write(tmp_path, {"count": 3, "shift": given}))


# ---- What is refused -----------------------------------------------------------------------------

REFUSED = {
    "neither count nor names": ({"shift": 1.0}, None, "inputs: needs a count"),
    "both": ({"count": 3, "names": ["a", "b"]}, None, "2 names for a count of 3"),
    "too many": ({"count": 3, "shift": [1, 2]}, None, "inputs.shift: 2 numbers for 3 columns"),
    "none": ({"count": 3, "scale": []}, None, "must have a number for each column"),
    "zero": (3, {"scale": [1, 0]}, "outputs.scale: must not be 0"),
    "ends": (
        3,
        {"clip": [2, 1]},
        r"outputs.clip: the lower end, 2.0, must be below the upper, 1.0",
    ),
    "three ends": (3, {"clip": [1, 2, 3]}, r"must be \[low, high\]"),
    "negative": (3, {"clip": -1}, "the lower end, 1.0, must be below"),
    "text": (3, {"scale": "large"}, "outputs.scale: must be a number, not 'large'"),
    "a truth": (3, {"shift": True}, "must be a number, not true"),
    "infinite": (3, {"shift": float("inf")}, "must be finite"),
    "huge": (3, {"shift": 10**400}, "a float64 can hold"),
    "a file": ({"count": 3, "shift": {"file": "a.npz"}}, None, "given as data; give the numbers"),
    "a slip": ({"count": 3, "scael": 1}, None, r"unknown key \(did you mean 'scale'\?\)"),
    "no table": (3, 5, "outputs: is a table with the keys shift, scale, clip; how many"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_slips_are_refused(case):
    inputs, outputs, message = REFUSED[case]
    with pytest.raises(SpecError, match=message):
        Spec.parse(spec_of(inputs, outputs))


def test_a_dtype_has_to_hold_them():
    with pytest.raises(SpecError, match=r"inputs.scale: 1e-60 is too small for a float32"):
        Spec.parse(spec_of({"count": 3, "scale": 1e-60}, None, dtype="float32"))


def test_a_table_that_says_no_more_is_what_it_says():
    plain = spec_of(3, None)
    assert Spec.parse(spec_of({"count": 3}, {})) == Spec.parse(plain)
    named = Spec.parse(spec_of({"names": ["a", "b", "c"]}, None))
    assert named == Spec.parse(spec_of(["a", "b", "c"], None))
    assert "outputs" not in Spec.parse(plain).normalised()


# ---- Beyond the module ---------------------------------------------------------------------------


def test_training_leaves_scaled_columns_to_the_spec(tmp_path):
    x, _ = samples(60)
    t = np.stack([np.tanh(x[:, 0]), x[:, 1]], axis=1)
    training = {"optimizer": "adam", "epochs": 3}
    spec = spec_of(outputs={"scale": 2.0}, training=training)
    run = symgrad.train(spec, (x, t), into=tmp_path / "run")
    scaling = run.trained.scaling
    assert (scaling.mean == 0).all() and (scaling.scale == 1).all()
    assert (scaling.target_mean == 0).all() and (scaling.target_scale == 1).all()
    expected = run.module.predict(run.theta, x)
    np.testing.assert_array_equal(run.predict(x).outputs, expected)
    frozen = load(write_frozen(source(run.trained, "frozen_scaled"), "frozen_scaled", tmp_path))
    np.testing.assert_array_equal(frozen.predict(x), expected)


def test_onnx_files_have_it(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    spec = Spec.parse(spec_of())
    module, (x, _) = symgrad.compile(spec).module, samples(50)
    theta = module.init(0)
    path = onnx.write(Network(spec, theta), tmp_path / "scaled.onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], module.predict(theta, x), rtol=1e-12)
    assert onnx.read(path).spec == spec


def test_it_can_be_put_into_weights():
    inputs = {key: value for key, value in INPUTS.items() if key != "clip"}
    outputs = {key: value for key, value in OUTPUTS.items() if key != "clip"}
    layers = [{**layer, "bias": False} for layer in LAYERS]
    spec, (x, _) = Spec.parse(spec_of(inputs, outputs, layers=layers)), samples(50)
    module = symgrad.compile(spec).module
    theta = module.init(0)
    plain = folded(Network(spec, theta))
    assert not plain.spec.scaling_of_inputs and not plain.spec.scaling_of_outputs
    found = symgrad.compile(plain.spec).module.predict(plain.theta, x)
    np.testing.assert_allclose(found, module.predict(theta, x), rtol=1e-12)
    with pytest.raises(InteropError, match="the spec cuts its inputs"):
        cut = Spec.parse(spec_of())
        folded(Network(cut, symgrad.compile(cut).module.init(0)))
