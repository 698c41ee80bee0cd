"""Predictions for new data, in the words and units of the old."""

import csv
import io
from dataclasses import replace

import numpy as np
import pandas
import pytest

import symgrad
from symgrad.errors import DataError
from symgrad.interop import onnx
from symgrad.spec.spec import Spec
from symgrad.training.freeze import source
from symgrad.training.module import gives_probabilities
from symgrad.training.predict import Predictions, predict
from symgrad.training.run import Run
from symgrad.training.trained import Columns, Scaling, Trained
from tests.trainings import PLANE, RINGS, execute, plane, plane_csv, rings_csv, text


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("numbers")
    return symgrad.train(PLANE, plane_csv(folder), folder / "run", epochs=150, rate=0.02)


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("classes")
    return symgrad.train(RINGS, rings_csv(folder), folder / "run", epochs=80, rate=0.05)


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_numbers_come_in_the_units_of_the_targets(numbers):
    x, t = plane(200)
    made = numbers.predict(x)
    assert made.outputs.shape == (200, 1) and made.figures is None and made.labels is None
    assert np.corrcoef(made.outputs[:, 0], t[:, 0])[0, 1] > 0.99
    assert abs(np.mean(made.outputs - t)) < 2
    rows = table(made.csv())
    assert rows[0] == ["prediction"] and len(rows) == 201
    assert float(rows[1][0]) == made.outputs[0, 0]


def test_targets_in_the_data_give_figures(numbers):
    figures = numbers.predict(plane()).figures
    assert figures.samples == 60 and figures.r2 > 0.95
    parts = numbers.figures
    squares = sum(part.samples * part.rmse**2 for part in parts.values())
    assert figures.rmse == pytest.approx(np.sqrt(squares / 60), rel=1e-9)


def test_columns_are_found_by_name(numbers):
    x, _ = plane()
    frame = pandas.DataFrame({"b": x[:, 1], "name": "someone", "a": x[:, 0]})
    made = numbers.predict(frame)
    assert made.outputs.tobytes() == numbers.predict(x).outputs.tobytes()


def test_classes_come_by_their_names_with_probabilities(classes):
    x = np.array([[0.0, 0.0], [3.0, -3.0]])
    made = classes.predict(x)
    assert made.labels == ("inner", "outer") == made.classes
    assert made.probabilities.shape == (2, 2)
    assert made.probabilities.sum(axis=1) == pytest.approx([1, 1], rel=1e-6)
    rows = table(made.csv())
    assert rows[0] == ["prediction", "p(inner)", "p(outer)"]
    assert rows[1][0] == "inner" and float(rows[1][1]) > 0.5
    assert np.float32(rows[1][2]) == made.probabilities[0, 1]


def test_several_outputs_have_a_column_each():
    made = Predictions(np.array([[1.5, 2.0]]), ("u", "v"))
    assert table(made.csv()) == [["u", "v"], ["1.5", "2.0"]]


def test_classes_without_probabilities_have_one_column():
    made = Predictions(np.array([[0.9]]), ("t",), ("no", "yes"), ("yes",))
    assert table(made.csv()) == [["prediction"], ["yes"]]


def test_what_is_added_to_a_softmax_makes_it_no_probability():
    layers = [{"units": 2, "activation": "softmax", "residual": True}]
    spec = {"name": "net", "inputs": 2, "layers": layers, "loss": {"kind": "cross_entropy"}}
    assert not gives_probabilities(Spec.parse(spec).normalised())
    layers[0]["residual"] = False
    assert gives_probabilities(Spec.parse(spec).normalised())


def test_names_with_commas_are_quoted():
    made = Predictions(
        np.array([[0.9]]), ("t",), ("a,b", 'c"d'), ("a,b",), np.array([[0.25, 0.75]])
    )
    assert table(made.csv()) == [["prediction", "p(a,b)", 'p(c"d)'], ["a,b", "0.25", "0.75"]]


def test_weights_that_do_not_fit_are_refused(numbers):
    wrong = replace(numbers.trained, theta=numbers.trained.theta[:3])
    with pytest.raises(DataError, match="these weights cannot be used: theta must be float"):
        replace(numbers, trained=wrong).predict(plane()[0])


@pytest.mark.slow
def test_large_offsets_keep_their_digits(tmp_path):
    """A float32 network of numbers around 1.7e9, as times are: they come out as float64."""
    x, t = plane(100)
    run = symgrad.train(PLANE | {"dtype": "float32"}, (x, t + 1.7e9), epochs=150, rate=0.02)
    made = run.predict(x)
    assert made.outputs.dtype == np.float64
    assert np.corrcoef(made.outputs[:, 0] - 1.7e9, t[:, 0])[0, 1] > 0.99


def test_data_that_does_not_fit(numbers, tmp_path):
    with pytest.raises(DataError):
        numbers.predict(np.zeros((3, 5)))
    with pytest.raises(DataError, match="b"):
        numbers.predict(text(tmp_path / "data.csv", "a,c\n1,2\n"))


# --------------------------------------------------------------------------------- the command


def test_the_command_writes_csv_and_shows_figures(classes, tmp_path):
    data = rings_csv(tmp_path)
    done = execute("predict", classes.folder, data, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == classes.predict(data).csv()
    assert "accuracy" in done.err and "true ↓ predicted →" in done.err


def test_a_run_of_a_softmax_of_one_unit_predicts_what_it_did(tmp_path):
    spec = Spec.recorded(PLANE | {"layers": [{"units": 1, "activation": "softmax"}]})
    ones, zeros = np.ones(2), np.zeros(1)
    scaling = Scaling(ones, ones, zeros, np.ones(1))
    trained = Trained(spec.normalised(), np.ones(3), Columns(("a", "b"), ("t",)), scaling)
    np.savez(tmp_path / "weights.npz", **trained.arrays({}))
    again = Trained.load(tmp_path / "weights.npz")
    assert predict(again, plane()[0]).outputs.tolist() == [[1.0]] * 60
    assert "def predict(x)" in source(again)
    onnx.write(again, tmp_path / "net.onnx")
