"""Targets that are others than the outputs: more of them, or fewer, and by names of their own."""

import json

import numpy as np
import pytest

import symgrad
from symgrad.checking import reference
from symgrad.checking.check import check
from symgrad.errors import DataError, SpecError
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load

HIDDEN = {"units": 4, "activation": "tanh"}


def spec_of(loss, inputs=3, last=None, **more):
    layers = [HIDDEN, last or {"units": 1}]
    return {
        "name": "net",
        "dtype": "float64",
        "inputs": inputs,
        "layers": layers,
        "loss": loss,
    } | more


FIELD = spec_of(
    {"formula": "(D(H, p) - dq)**2 + (D(H, q) + dp)**2", "targets": ["dq", "dp"]},
    ["q", "p"],
    {"names": ["H"]},
)
SPECS = {
    "names": FIELD,
    "as many as inputs": spec_of({"formula": "sum((D(y, x) - target)**2)", "targets": 3}),
    "more": spec_of({"formula": "(y - t[0])**2*t[4]**2", "targets": 5, "sample_weights": True}),
    "fewer": spec_of({"formula": "sum(y)*t[0]", "targets": 1}, last={"units": 2}),
    "terms": spec_of(
        {
            "terms": [
                {"name": "values", "kind": "squared"},
                {"name": "slopes", "formula": "sum((D(y, x) - t)**2)", "targets": 3},
            ]
        }
    ),
    "trained": FIELD | {"training": {"optimizer": "adam", "batch": 4}},
    "derivatives": FIELD
    | {"derivatives": ["hessian_vector", "gradients", "loss_and_input_gradient"]},
}


@pytest.fixture(scope="module", params=SPECS)
def compiled(request):
    return symgrad.compile(SPECS[request.param])


def data_of(spec, samples=6):
    """x, t and w as they are taken, of all terms."""
    random, data = np.random.default_rng(2), spec.normalised()
    shapes = {"x": (spec.inputs,), "w": ()}
    given = []
    for term in reference.terms(data):
        for name in reference.takes(data, term):
            shape = shapes.get(name, (reference.targets(data, term),))
            given.append(random.random((samples, *shape)))
    return given


def test_gradient_and_derivatives_are_right(compiled):
    assert check(compiled.spec.normalised(), compiled.module).passed


def test_predictions_have_the_outputs(compiled):
    spec, theta = compiled.spec, compiled.module.init(1)
    x = data_of(spec)[0]
    y = compiled.module.predict(theta, x)
    np.testing.assert_allclose(y, reference.predict(spec.normalised(), theta, x), rtol=1e-12)
    assert y.shape == (6, spec.outputs)


@pytest.mark.parametrize("name", ["more", pytest.param("terms", marks=pytest.mark.slow)])
def test_the_emitted_module_has_the_same_bits(name, tmp_path):
    compiled = symgrad.compile(SPECS[name])
    emitted, native = load(compiled.write(tmp_path)), compiled.module
    theta, given = native.init(1), data_of(compiled.spec)
    np.testing.assert_equal(
        emitted.loss_and_gradient(theta, *given), native.loss_and_gradient(theta, *given)
    )
    np.testing.assert_equal(emitted.predict(theta, given[0]), native.predict(theta, given[0]))


def test_an_epoch_is_steps_on_its_batches():
    compiled = symgrad.compile(SPECS["trained"])
    module, (x, t) = compiled.module, data_of(compiled.spec, 8)
    settings, whole = module.train_settings(), module.train_settings(batch=0)
    order, starts = np.array([5, 1, 0, 2, 7, 6, 3, 4]), np.array([0, 4, 8])
    theta, expected = module.init(0), module.init(0)
    state, progress = module.train_state(0)
    module.train_steps(theta, x, t, order, starts, state, progress, settings)
    state, progress = module.train_state(0)
    for rows in (order[:4], order[4:]):
        module.train_epoch(expected, x[rows], t[rows], state, progress, whole)
    np.testing.assert_array_equal(theta, expected)


def test_shapes_are_of_the_targets():
    module = symgrad.compile(SPECS["names"]).module
    message = r"t must be of shape \(samples, 2\), came one of width 1; its columns are dq, dp"
    with pytest.raises(ValueError, match=message):
        module.loss(module.init(0), np.zeros((3, 2)), np.zeros((3, 1)))
    assert "t of shape (samples, 2)" in module.loss.__doc__
    assert "Columns of t: dq, dp." in module.loss.__doc__


def test_normalised_and_read_again():
    spec = Spec.parse(SPECS["names"])
    assert spec.normalised()["loss"]["targets"] == ["dq", "dp"]
    assert Spec.parse(json.loads(json.dumps(spec.normalised()))) == spec
    assert (spec.targets, spec.target_names) == (2, ("dq", "dp"))
    plain = Spec.parse(spec_of({"kind": "squared"}))
    assert (plain.targets, plain.target_names) == (1, None)
    assert "targets" not in plain.normalised()["loss"]


REFUSED = [
    ({"formula": "(y - t)**2", "targets": 2}, "there are 2 targets, neither one for each output"),
    ({"kind": "squared", "targets": 2}, "targets belong to a formula; a kind has one for each"),
    ({"formula": "(y - t[2])**2", "targets": 2}, "t has 2 columns, from t[0] on"),
    ({"formula": "(y - a)**2", "targets": ["a", "a"]}, "'a' is there already"),
    ({"formula": "y", "targets": 0}, "targets: must be at least 1"),
    ({"formula": "y", "targets": "dq"}, "must be a whole number or a list of names"),
    ({"formula": "(y - a)**2", "targets": ["a"], "constants": {"a": 1.0}}, "name of a target"),
    ({"terms": [{"name": "b", "kind": "squared"}], "targets": 2}, "has no targets of its own"),
]


@pytest.mark.parametrize(("loss", "message"), REFUSED)
def test_refusals(loss, message):
    with pytest.raises(SpecError) as caught:
        Spec.parse(spec_of(loss))
    assert message in str(caught.value)


def test_a_name_of_an_input_is_no_target():
    loss = {"formula": "(H - q)**2", "targets": ["q"]}
    with pytest.raises(SpecError, match="'q' is the name of an input, too"):
        Spec.parse(spec_of(loss, ["q", "p"], {"names": ["H"]}))


def test_training_finds_them_by_name_and_gives_no_rmse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).random((60, 2))
    rows = np.column_stack([np.sin(x[:, 0]), x[:, ::-1], x[:, 1]])
    np.savetxt("field.csv", rows, delimiter=",", header="dp,p,q,dq", comments="")
    run = symgrad.train(FIELD, "field.csv", "run", epochs=3, validation=0.25)
    arrays = symgrad.train(
        FIELD, (x, np.column_stack([x[:, 1], np.sin(x[:, 0])])), epochs=3, validation=0.25
    )
    np.testing.assert_array_equal(run.trained.theta, arrays.trained.theta)
    figures = run.figures["validation"]
    assert figures.rmse is None and figures.r2 is None and figures.samples == 15
    assert [*run.trained.columns.targets] == ["dq", "dp"]
    found = run.predict("field.csv")
    assert found.outputs.shape == (60, 1) and found.csv().startswith("H\n")
    assert symgrad.training.run.Run.load("run").figures["training"].loss > 0
    with pytest.raises(DataError, match="no column 'dq', a"):
        np.savetxt("field.csv", rows[:, :3], delimiter=",", header="dp,p,q", comments="")
        symgrad.train(FIELD, "field.csv", epochs=3)


def test_one_column_of_zeros_and_ones_is_a_target_and_no_class():
    spec = spec_of({"formula": "(y[0] - t[0])**2 + y[1]**2", "targets": 1}, last={"units": 2})
    x = np.random.default_rng(0).random((40, 3))
    run = symgrad.train(spec, (x, (x[:, 0] > 0.5).astype(float)), epochs=1)
    assert run.trained.columns.labels is None
    assert run.trained.outputs == ("y[0]", "y[1]")
    assert run.predict(x).csv().startswith("y[0],y[1]\n")
