"""Data by the names that a spec gives: which columns are found, and by what name outputs come."""

import numpy as np
import pandas
import pytest

import symgrad
from symgrad.errors import DataError
from symgrad.training.data import read
from symgrad.training.freeze import source
from symgrad.training.run import Run
from tests.trainings import execute, text

HEAT = {
    "name": "heat",
    "dtype": "float64",
    "inputs": ["x", "t"],
    "layers": [{"units": 3, "activation": "tanh"}, {"names": ["u"]}],
}
FLOWERS = {
    "name": "flowers",
    "dtype": "float64",
    "inputs": ["a", "b"],
    "layers": [{"names": ["tulip", "rose", "iris"], "activation": "softmax"}],
    "loss": {"kind": "cross_entropy"},
}


def heat(samples: int = 40) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(2).uniform(-1, 1, (samples, 2))
    return x, np.sin(x[:, :1]) * x[:, 1:]


@pytest.fixture(scope="module")
def trained() -> Run:
    return symgrad.train(HEAT, heat(), epochs=3)


def normalised(spec: dict) -> dict:
    return symgrad.Spec.parse(spec).normalised()


def samples(spec: dict, frame: dict, *arguments, **options):
    return read(pandas.DataFrame(frame), normalised(spec), *arguments, **options)


def refusal(spec: dict, frame: dict, *arguments, **options) -> str:
    with pytest.raises(DataError) as caught:
        samples(spec, frame, *arguments, **options)
    return str(caught.value)


def test_columns_are_found_by_name_in_any_order(tmp_path):
    path = text(tmp_path / "heat.csv", "u,t,place,x\n1,2,here,3\n4,5,there,6\n")
    found = read(path, normalised(HEAT))
    assert found.x.tolist() == [[3, 2], [6, 5]] and found.t.tolist() == [[1], [4]]
    assert (found.columns.inputs, found.columns.targets) == (("x", "t"), ("u",))
    assert found.notes == ("1 column (place): not used",)


def test_what_is_left_is_the_target_where_no_column_is_called_like_an_output():
    found = samples(HEAT, {"height": [1.0, 2.5], "t": [2.0, 5.0], "x": [3.0, 6.0]})
    assert found.x.tolist() == [[3, 2], [6, 5]] and found.t.tolist() == [[1], [2.5]]
    assert found.columns.targets == ("height",) and found.notes == ()
    several = {"a": [1.0], "b": [2.0], "x": [3.0], "t": [4.0]}
    assert refusal(HEAT, several).startswith(
        "the frame: 4 columns hold 2 inputs and 2 columns of targets; the network needs 1 target. "
    )
    assert samples(HEAT, several, targets="b").t.tolist() == [[2]]


def test_outputs_alone_may_have_names():
    spec = HEAT | {"inputs": 2}
    found = samples(spec, {"a": [1.0, 2.0], "u": [3.0, 4.5], "b": [5.0, 6.0]})
    assert found.x.tolist() == [[1, 5], [2, 6]] and found.t.tolist() == [[3], [4.5]]


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"x": [1.0], "time": [1.0], "u": [1.0]}, {},
         "no column 't', an input of the spec; there are x, time, u"),
        ({"a": [1.0], "b": [1.0], "u": [1.0]}, {},
         "no column 'x', an input of the spec (nor 't'); there are a, b, u"),
        ({"x": [1.0], "t": [1.0], "u": [1.0]}, {"targets": ["t"]},
         "'t' cannot be both input and target"),
        ({"x": [1.0], "t": [1.0], "u": [1.0]}, {"targets": ["v"]},
         "no column 'v'; there are x, t, u"),
    ],
)  # fmt: skip
def test_refusals_of_columns(frame, options, message):
    assert refusal(HEAT, frame, **options) == f"the frame: {message}"


def test_some_of_the_outputs_are_not_enough():
    frame = {"a": [1.0], "b": [1.0], "rose": [1.0], "lily": [0.0]}
    assert refusal(FLOWERS, frame) == (
        "the frame: no column 'tulip', an output of the spec (nor 'iris'); there are a, b, rose,"
        " lily"
    )


def test_the_weight_is_no_input():
    spec = HEAT | {"loss": {"kind": "squared", "sample_weights": True}}
    frame = {"w": [1.0, 3.0], "x": [1.0, 1.0], "u": [0.5, 2.0], "t": [2.0, 2.0]}
    found = samples(spec, frame, weight="w")
    assert found.w.tolist() == [1, 3] and found.notes == ()
    message = refusal(spec, frame, weight="x")
    assert message == "the frame: 'x' cannot be both input and weight"


def test_arrays_have_the_spec_s_names():
    found = read(heat(), normalised(HEAT))
    assert (found.columns.inputs, found.columns.targets) == (("x", "t"), ("u",))
    with pytest.raises(DataError, match=r"expected \(samples, 2\); its columns are x, t$"):
        read((np.ones((4, 3)), np.ones((4, 1))), normalised(HEAT))


def test_classes_called_like_outputs_are_in_the_order_of_these():
    frame = {"a": [1.0, 2.0, 3.0], "kind": ["iris", "tulip", "iris"], "b": [0.0, 0.0, 1.0]}
    found = samples(FLOWERS, frame)
    assert found.columns.labels == ("tulip", "rose", "iris")
    assert found.t.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    one_hot = read((np.ones((3, 2)), np.eye(3)), normalised(FLOWERS))
    assert one_hot.columns.labels == ("tulip", "rose", "iris")


def test_classes_called_otherwise_are_sorted_as_ever():
    frame = {"a": [1.0, 2.0, 3.0], "kind": ["z", "y", "x"], "b": [0.0, 0.0, 1.0]}
    assert samples(FLOWERS, frame).columns.labels == ("x", "y", "z")


def test_predictions_are_called_like_the_outputs(trained):
    x, _ = heat(5)
    assert trained.predict(x).csv().splitlines()[0] == "u"
    frame = pandas.DataFrame({"t": x[:, 1], "other": 0.0, "x": x[:, 0]})
    np.testing.assert_array_equal(trained.predict(frame).outputs, trained.predict(x).outputs)
    with pytest.raises(DataError, match="no column 't', an input in training; there are x, y"):
        trained.predict(frame[["x"]].assign(y=0.0))


def test_names_do_not_change_a_bit(trained):
    layers = [HEAT["layers"][0], {"units": 1}]
    plain = symgrad.train(HEAT | {"inputs": 2, "layers": layers}, heat(), epochs=3)
    np.testing.assert_array_equal(plain.trained.theta, trained.trained.theta)


def test_frozen_modules_and_pictures_have_the_names(trained, tmp_path, interpret):
    frozen = interpret(source(trained.trained))
    assert (frozen.INPUTS, frozen.OUTPUTS) == (("x", "t"), ("u",))
    assert frozen.predict([0.1, 0.2]).shape == (1,)
    with pytest.raises(ValueError, match=r"came \(3,\); its columns are x, t$"):
        frozen.predict([1, 2, 3])
    import matplotlib

    path = tmp_path / "picture.svg"
    frame = pandas.DataFrame(np.hstack(heat()), columns=["x", "t", "height"])
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        symgrad.train(HEAT, frame, epochs=1, plot=path)
    assert ">true u<" in path.read_text(encoding="utf-8")


def test_the_commands_go_by_names(tmp_path):
    text(
        tmp_path / "heat.toml",
        'name = "heat"\ninputs = ["x", "t"]\n[[layers]]\nnames = ["u"]\n',
    )
    rows = [f"{u},{t},{x}" for (x, t), u in zip(heat()[0], heat()[1][:, 0], strict=True)]
    text(tmp_path / "heat.csv", "\n".join(["u,t,x", *rows, ""]))
    done = execute("train", "heat.toml", "heat.csv", "--epochs", "2", cwd=tmp_path)
    assert done.code == 0, done.err
    done = execute("predict", "runs/heat", "heat.csv", cwd=tmp_path)
    assert done.code == 0 and done.out.splitlines()[0] == "u", done.err
