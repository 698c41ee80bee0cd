"""Heads: groups of outputs with activations of their own, and terms that judge them."""

from threading import Event

import numpy as np
import pytest

import symgrad
from symgrad.checking.check import check
from symgrad.errors import DataError, SpecError
from symgrad.explain.clock import Clock
from symgrad.explain.explain import explain
from symgrad.inspect import view
from symgrad.interop import onnx, sklearn
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Network, join
from symgrad.language.verify import verify as verify_program
from symgrad.lowering.verify import verify
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load
from symgrad.training.freeze import source, write_frozen

HEADS = [
    {"names": ["p", "q"], "activation": "softmax"},
    {"names": ["mean"]},
    {"names": ["a", "b", "c"], "activation": "tanh"},
]
TERMS = [
    {"name": "kind", "kind": "cross_entropy", "outputs": ["p", "q"]},
    {"name": "size", "kind": "squared", "outputs": ["mean"], "weight": 0.1},
    {"name": "rest", "formula": "sum(cosh(y - t)) + x[0]*a**2", "outputs": ["a", "b", "c"]},
]


def spec_of(loss, heads=HEADS, **more):
    layers = [{"units": 5, "activation": "tanh"}, {"heads": heads}]
    base = {"name": "net", "dtype": "float64", "inputs": 3, "layers": layers, "loss": loss}
    return base | more


def of_terms(**more):
    return spec_of({"terms": TERMS, **more})


def given(module, samples=7, outputs=6, weighted=False):
    random = np.random.default_rng(samples)
    weights = [random.random(samples)] * weighted
    return (
        module.init(2),
        random.normal(size=(samples, 3)),
        random.random((samples, outputs)),
        *weights,
    )


def by_hand(arrays, x):
    """The outputs, head by head."""
    h = np.tanh(x @ arrays["W1"] + arrays["b1"])
    z = [h @ arrays[f"W2h{k}"] + arrays[f"b2h{k}"] for k in (1, 2, 3)]
    shares = np.exp(z[0]) / np.exp(z[0]).sum(axis=1, keepdims=True)
    return [shares, z[1], np.tanh(z[2])]


def losses(y, x, t):
    """Of each sample, term by term with their weights."""
    shares, mean, rest = y
    return (
        -(t[:, :2] * np.log(shares)).sum(axis=1)
        + 0.1 * (mean[:, 0] - t[:, 2]) ** 2 / 2
        + np.cosh(rest - t[:, 3:]).sum(axis=1)
        + x[:, 0] * rest[:, 0] ** 2
    )


def test_outputs_stand_side_by_side():
    module = symgrad.compile(of_terms()).module
    theta, x, _ = given(module)
    arrays = module.unpack(theta)
    assert [*arrays] == ["W1", "b1", "W2h1", "b2h1", "W2h2", "b2h2", "W2h3", "b2h3"]
    assert [arrays[f"W2h{k}"].shape for k in (1, 2, 3)] == [(5, 2), (5, 1), (5, 3)]
    np.testing.assert_allclose(module.predict(theta, x), np.hstack(by_hand(arrays, x)), rtol=1e-14)
    # each is drawn as a layer of its own
    for k, units in enumerate((2, 1, 3), start=1):
        assert np.abs(arrays[f"W2h{k}"]).max() <= np.sqrt(6 / (5 + units))


@pytest.mark.parametrize("weighted", [False, True])
def test_terms_judge_columns_of_the_same_samples(weighted):
    module = symgrad.compile(of_terms(l2=0.3, sample_weights=weighted)).module
    theta, x, t, *w = given(module, weighted=weighted)
    arrays = module.unpack(theta)
    each = losses(by_hand(arrays, x), x, t)
    expected = np.average(each, weights=w[0] if w else None)
    expected += 0.15 * sum((a**2).sum() for name, a in arrays.items() if name.startswith("W"))
    np.testing.assert_allclose(module.loss(theta, x, t, *w), expected, rtol=1e-14)


def test_the_gradient_is_that_by_hand():
    module = symgrad.compile(of_terms()).module
    theta, x, t = given(module)
    arrays = module.unpack(theta)
    h = np.tanh(x @ arrays["W1"] + arrays["b1"])
    shares, mean, rest = by_hand(arrays, x)
    slopes = np.sinh(rest - t[:, 3:])
    slopes[:, 0] += 2 * x[:, 0] * rest[:, 0]
    d_z = [
        shares * t[:, :2].sum(axis=1, keepdims=True) - t[:, :2],
        0.1 * (mean - t[:, 2:3]),
        slopes * (1 - rest**2),
    ]
    d_h = sum(d @ arrays[f"W2h{k}"].T for k, d in enumerate(d_z, start=1)) * (1 - h**2)
    expected = [x.T @ d_h, d_h.sum(axis=0)]
    for d in d_z:
        expected += [h.T @ d, d.sum(axis=0)]
    found = module.loss_and_gradient(theta, x, t)[1]
    np.testing.assert_allclose(
        found, np.concatenate([np.ravel(each) for each in expected]) / len(x), rtol=1e-12
    )


SPECS = {
    "terms": of_terms(),
    "kind": spec_of({"kind": "squared", "l1": "argument"}),
    "formula": spec_of({"formula": "sum((y - t)**2)*p + max(abs(a - mean), 0.1) + (y - t)**2"}),
    "columns": spec_of({"formula": "p*mean*x[1] + t[3]*b**2", "targets": 4}),
    "of inputs": spec_of({"formula": "y[0] + y[2]**2*sum((x - t)**2)", "targets": 3}),
    "by place": spec_of(
        {"terms": [{**TERMS[0], "outputs": "h1"}, {**TERMS[1], "outputs": "h2"}]},
        [{"units": 2, "activation": "softmax"}, {"units": 2}],
    ),
    "skips": spec_of(
        {"kind": "squared"},
        layers=[
            {"units": 4, "activation": "tanh"},
            {"heads": [{"units": 2, "activation": "sin"}, {"units": 1}], "from": ["x", "a1"]},
        ],
    ),
    "terms of their own samples": spec_of(
        {"terms": [{"name": "u", "kind": "squared"}, {"name": "v", "formula": "p*mean + y[3]**2"}]}
    ),
    "alone": spec_of({"kind": "squared"}, layers=[{"heads": HEADS[:2], "bias": False}]),
}


@pytest.mark.parametrize("name", SPECS)
def test_gradients_are_right(name):
    compiled = symgrad.compile(SPECS[name])
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed
    assert {v.oracle for v in report.verdicts if v.compared} >= {"complex step", "differences"}


def test_scalars_judge_small_ones():
    tiny = spec_of(
        {"terms": [{**TERMS[0], "outputs": "h1"}, {**TERMS[1], "outputs": "h2"}]},
        layers=[{"heads": [{"units": 2, "activation": "softmax"}, {"units": 1}]}],
    )
    compiled = symgrad.compile(tiny)
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed and report.verdicts[0].oracle == "scalars" and report.verdicts[0].compared


def test_the_program_is_evaluated_likewise():
    compiled = symgrad.compile(of_terms())
    theta, x, t = given(compiled.module)
    value, gradient = compiled.evaluate(theta, x, t)
    expected = compiled.module.loss_and_gradient(theta, x, t)
    np.testing.assert_allclose(value, expected[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-12, atol=1e-15)
    assert "W2h2" in compiled.gradient


@pytest.mark.parametrize("units", [5, 64])
def test_what_every_pass_makes_is_sound(units):
    heads = [{"units": 9, "activation": "softmax"}, {"units": 17}]
    layers = [{"units": units, "activation": "relu"}, {"heads": heads}]
    asked = ["jacobian", "pullback", "gradients", "hessian_vector"]
    spec = spec_of({"formula": "y*t"}, layers=layers, derivatives=asked)
    stages = symgrad.compile(spec).stages
    for program in (stages.expand, stages.share, stages.factor, stages.gradient):
        assert verify_program(program) is program
    for plan in stages.schedule.values():
        verify_program(plan.program)
    verify(stages.lowered.functions)


@pytest.mark.parametrize("names", [
    ["jacobian", "pushforward", "pullback"],
    ["loss_and_input_gradient", "gradients", "hessian_vector"],
    pytest.param(["second_derivatives", "laplacian"], marks=pytest.mark.slow),
    pytest.param(["jacobian_by_weights", "hessian_diagonal", "hessian"], marks=pytest.mark.slow),
    pytest.param(["gauss_newton_vector", "gauss_newton"], marks=pytest.mark.slow),
])  # fmt: skip
def test_derivatives_are_right(names):
    compiled = symgrad.compile(of_terms() | {"derivatives": names})
    report = check(compiled.spec.normalised(), compiled.module)
    assert report.passed and len(report.derivatives) == len(names)


def test_jacobians_are_those_of_the_heads():
    wanted = ["jacobian", "jacobian_by_weights"]
    module = symgrad.compile(of_terms() | {"derivatives": wanted}).module
    theta, x, _ = given(module)
    by_inputs, by_weights = module.jacobian(theta, x), module.jacobian_by_weights(theta, x)
    step = 1e-6
    for column in range(3):
        moved = [x + sign * step * np.eye(3)[column] for sign in (1, -1)]
        slopes = [by_hand(module.unpack(theta), each) for each in moved]
        expected = (np.hstack(slopes[0]) - np.hstack(slopes[1])) / (2 * step)
        np.testing.assert_allclose(by_inputs[:, :, column], expected, atol=1e-8)
    # a head's weights move the head alone
    start, shape = module.PARAMETERS["W2h2"]
    others = np.delete(by_weights[:, :, start : start + shape[0]], 2, axis=1)
    assert not others.any() and by_weights[:, 2, start : start + shape[0]].any()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [5, 64])
def test_the_emitted_module_has_the_same_bits(dtype, units):
    heads = [{"units": 9, "activation": "softmax"}, {"units": 17}, {"units": 3}]
    layers = [{"units": units, "activation": "relu"}, {"heads": heads}]
    asked = ["jacobian", "pullback"]
    compiled = symgrad.compile(
        spec_of({"formula": "y*t"}, layers=layers, dtype=dtype, derivatives=asked)
    )
    emitted, native = compiled.emitted, compiled.module
    for samples in (3, 300):
        theta, x, t = given(native, samples, outputs=29)
        np.testing.assert_array_equal(theta, emitted.init(2))
        np.testing.assert_array_equal(emitted.predict(theta, x), native.predict(theta, x))
        np.testing.assert_equal(
            emitted.loss_and_gradient(theta, x, t), native.loss_and_gradient(theta, x, t)
        )
        np.testing.assert_array_equal(emitted.jacobian(theta, x), native.jacobian(theta, x))
        found = []
        for module in (emitted, native):
            found.append((np.zeros_like(theta), np.zeros_like(x, theta.dtype)))
            module.pullback(theta, x.astype(dtype), t.astype(dtype), *found[-1])
        np.testing.assert_equal(*found)


REFUSED = [
    ({"heads": [{"units": 2}], "residual": True}, "a layer with heads has no residual"),
    ({"heads": [{"units": 2}], "activation": "tanh"}, "a layer with heads has no activation"),
    ({"heads": [{"units": 2}], "units": 3}, "the heads have 2 units, not 3"),
    ({"heads": [{"units": 2}, {"names": ["u"]}]}, "names in all heads, or in none"),
    ({"heads": [{"names": ["u"]}, {"names": ["u"]}]}, "'u' is there already"),
    ({"heads": [{"names": ["u"]}], "names": ["v"]}, "the heads' names are others"),
    ({"heads": [{"names": ["u"], "units": 2}]}, "1 name for 2 units"),
    ({"heads": [{"units": 1, "activation": "softmax"}]}, "'softmax' of one unit is always 1"),
    ({"heads": [{"units": 2, "activation": "tan"}]}, "heads[0].activation: unknown activation"),
    ({"heads": []}, "must have at least one head"),
    ({"heads": 3}, "must be a list of heads"),
    ({"heads": [{"names": ["x1"]}]}, "'x1' is the name of an input"),
]


@pytest.mark.parametrize(("layer", "message"), REFUSED)
def test_heads_that_are_refused(layer, message):
    with pytest.raises(SpecError) as caught:
        Spec.parse({"name": "net", "inputs": ["x0", "x1"], "layers": [layer]})
    assert message in str(caught.value)


def test_heads_are_for_the_last_layer():
    with pytest.raises(SpecError, match="heads are for the last layer only"):
        Spec.parse({"name": "net", "inputs": 2, "layers": [{"heads": HEADS}, {"units": 2}]})


REFUSED_TERMS = [
    ([TERMS[0]], "no term judges the head mean"),
    ([TERMS[0], {"name": "u", "kind": "squared"}], "have outputs all of them"),
    ([{**TERMS[0], "outputs": ["q", "p"]}], "'q, p' is no head, all of one; there are p, q | mean"),
    ([{**TERMS[0], "outputs": ["p"]}], "'p' is no head"),
    ([{**TERMS[0], "outputs": 1}], "must be a list of names of outputs, or h1, h2, …"),
    ([{**TERMS[0], "sample_weights": True}], "share their samples; give it to [loss]"),
    ([{**TERMS[2], "targets": 2}], "a term of outputs has a target for each of them"),
    ([{**TERMS[2], "formula": "mean"}], "mean"),
    ([{**TERMS[2], "formula": "D(a, x[0])"}], "no derivatives of the outputs"),
]


@pytest.mark.parametrize(("terms", "message"), REFUSED_TERMS)
def test_terms_that_are_refused(terms, message):
    with pytest.raises(SpecError) as caught:
        Spec.parse(spec_of({"terms": terms}))
    assert message in str(caught.value)


def test_what_is_not_there_yet_is_refused():
    with pytest.raises(SpecError, match="outputs of heads are as they are"):
        Spec.parse(of_terms() | {"outputs": {"scale": 2.0}})
    with pytest.raises(SpecError, match="there are no heads to judge"):
        Spec.parse(spec_of({"terms": [TERMS[0]]}, layers=[{"names": ["p", "q"]}]))


def test_it_is_a_part_of_the_spec():
    spec = Spec.parse(of_terms())
    assert Spec.parse(spec.normalised()) == spec
    assert spec.output_names == ("p", "q", "mean", "a", "b", "c")
    assert (spec.outputs, spec.weights) == (6, 3 * 5 + 5 + 6 * 6)
    assert spec.normalised()["loss"]["terms"][1]["outputs"] == "h2"
    by_place = [{**term, "outputs": f"h{k}"} for k, term in enumerate(TERMS, start=1)]
    assert Spec.parse(spec_of({"terms": by_place})).digest() == spec.digest()
    assert not spec.of_terms


def test_layers_that_are_left_as_they_are():
    layers = [{"units": 5, "activation": "tanh"}, {"heads": HEADS, "trainable": False, "l2": 0.1}]
    compiled = symgrad.compile(spec_of({"kind": "squared", "l1": 0.2}, layers=layers))
    theta, x, t = given(compiled.module)
    assert not compiled.module.loss_and_gradient(theta, x, t)[1][20:].any()
    assert check(compiled.spec.normalised(), compiled.module).passed


# ---- What comes after ----------------------------------------------------------------------------


def table(samples=60):
    """Inputs, and targets: of two classes, a number, and what three tanh are."""
    x = np.random.default_rng(0).normal(size=(samples, 3))
    kind = (x[:, 0] > 0).astype(float)
    return x, np.column_stack([kind, 1 - kind, 2 * x[:, 1], np.tanh(x)])


def trained(folder, **more):
    terms = [*TERMS[:2], {**TERMS[2], "formula": "(y - t)**2"}]
    return symgrad.train(spec_of({"terms": terms}), table(), folder, rate=0.02, **more)


def test_targets_are_a_column_for_each_output(tmp_path):
    run = trained(tmp_path / "run", epochs=40)
    assert run.history[-1].loss < run.history[0].loss / 2
    figures = run.figures["training"]
    assert figures.accuracy is None and len(figures.rmse_by_output) == 6
    x, _ = table()
    again = symgrad.Run.load(tmp_path / "run").predict(x)
    np.testing.assert_array_equal(again.outputs, run.predict(x).outputs)
    np.testing.assert_allclose(again.outputs[:, :2].sum(axis=1), 1)
    assert again.csv().startswith("p,q,mean,a,b,c\n") and again.classes is None
    for scaling in (run.trained.scaling.target_mean, run.trained.scaling.target_scale - 1):
        assert not scaling.any()


@pytest.mark.parametrize("columns", [slice(0, 1), 0])
def test_one_column_of_classes_is_refused(columns, tmp_path):
    x, t = table()
    with pytest.raises(DataError, match=r"t has the shape \(60, 1\); expected \(60, 6\)"):
        symgrad.train(of_terms(), (x, t[:, columns]), tmp_path / "run", epochs=1)


def test_targets_have_to_suit_the_head_they_are_for(tmp_path):
    x, t = table()
    t[3, 1] = -1
    with pytest.raises(DataError, match=r"row 3, column .* does not suit the loss cross_entropy"):
        symgrad.train(of_terms(), (x, t), tmp_path / "run", epochs=1)
    t[3, 1], t[4, 5] = 0, -1  # where another term judges
    assert symgrad.train(of_terms(), (x, t), tmp_path / "run", epochs=1).history


@pytest.mark.slow
def test_a_frozen_module_has_the_same_bits(tmp_path):
    run = trained(tmp_path / "run", epochs=2)
    text = source(run.trained, gradient=True)
    assert "y[n,i2]                   = y_h1, y_h2, y_h3, side by side" in text
    frozen = load(write_frozen(text, "net_frozen", tmp_path))
    x, t = table()
    np.testing.assert_array_equal(frozen.predict(x), run.predict(x).outputs)
    np.testing.assert_equal(frozen.loss_and_gradient(run.theta, x, t), run.loss_and_gradient(x, t))


@pytest.mark.parametrize("name", ["terms", "skips", "alone"])
def test_onnx_files_have_them_and_are_read_back(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    spec = Spec.parse(SPECS[name])
    module = symgrad.compile(spec).module
    theta, x, _ = given(module)
    network = Network(spec, theta)
    np.testing.assert_array_equal(join(spec, network.layers), theta)
    np.testing.assert_equal(network.arrays(), module.unpack(theta))
    onnx.write(network, tmp_path / "net.onnx")
    (y,) = runtime.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x})
    np.testing.assert_allclose(y, module.predict(theta, x), rtol=1e-13)
    again = onnx.read(tmp_path / "net.onnx")
    assert again.spec == spec
    np.testing.assert_array_equal(again.theta, theta)
    with pytest.raises(InteropError, match=r"layer \d has heads"):
        sklearn.estimator(network)


def test_it_is_explained_as_far_as_textbooks_go():
    compiled = symgrad.compile(of_terms())
    clock = Clock(60, Event())
    (proof,) = explain(compiled, clock, only=["proof"])
    assert "outputs have heads" in proof.blocks[0].text
    (layerwise,) = explain(compiled, clock, only=["layerwise"])
    assert [each["layer"] for each in layerwise.data["layers"]] == [2, 1]
    assert "y_h1[n,i2h1]" in view(compiled, "gradient")
