"""Training with a loss of several terms: a table for each, split, scaled, trained, resumed."""

import json
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

import symgrad
from symgrad.cli.main import app
from symgrad.errors import DataError
from symgrad.spec.spec import read as read_spec
from symgrad.training.data import Selection
from symgrad.training.experiment import with_training
from symgrad.training.run import Run
from symgrad.training.terms import read_terms
from symgrad.training.train import cross_validate, resume

HEAT = """\
name = "heat"
dtype = "float64"
inputs = ["x", "t"]
[[layers]]
units = 6
activation = "tanh"
[[layers]]
names = ["u"]
[loss]
l2 = 1e-6
[[loss.terms]]
name = "equation"
formula = "(D(u, t) - k*D(u, x, x))**2"
constants = { k = 0.1 }
[[loss.terms]]
name = "start"
kind = "squared"
weight = 10.0
sample_weights = true
[training]
optimizer = "adam"
rate = 0.01
batch = 16
epochs = 4
"""

PLAIN = {
    "name": "plain",
    "inputs": 2,
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}],
    "loss": {"terms": [{"name": "near", "kind": "squared"}, {"name": "far", "kind": "absolute"}]},
}


def points(count, seed=0):
    return np.random.default_rng(seed).random((count, 2))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heat.toml").write_text(HEAT)
    inside = points(100)
    np.savetxt("points.csv", inside[:, ::-1], delimiter=",", header="t,x", comments="")
    x = np.linspace(0, 1, 30)
    rows = np.column_stack([x, 0 * x, np.sin(np.pi * x)])
    np.savetxt("start.csv", rows, delimiter=",", header="x,t,u", comments="")
    return tmp_path


FILES = {"equation": "points.csv", "start": "start.csv"}


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_has_a_file_for_each_term(folder):
    result = run("train", "heat.toml", "equation=points.csv", "start=start.csv", "-o", "run")
    assert result.exit_code == 0, result.output
    record = json.loads((folder / "run/run.json").read_text())
    assert record["data"]["path"] == {
        name: str((folder / file).resolve()) for name, file in FILES.items()
    }
    for part, samples in (("training", 104), ("validation", 26)):
        figures = record["figures"][part]
        assert figures["samples"] == samples and figures["rmse"] > 0
        assert [*figures["terms"]] == ["equation", "start"]
        assert sum(figures["terms"].values()) == pytest.approx(figures["loss"], rel=1e-3)
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:8]] == ["training", "equation", "start"] * 1 + [
        "validation", "equation", "start",
    ]  # fmt: skip
    assert run("predict", "run", "start.csv").stdout.startswith("u\n")
    assert run("freeze", "run", "-o", "frozen").exit_code == 0


def test_losses_of_terms_are_those_of_their_samples(folder):
    """By the module's own functions, of the samples that were held out."""
    run = symgrad.train("heat.toml", FILES, epochs=2, validation=0)
    (figures,) = run.figures.values()
    term = symgrad.compile("heat.toml").terms["start"].module
    x = np.linspace(0, 1, 30)
    data = np.column_stack([x, 0 * x]), np.sin(np.pi * x)[:, None], np.ones(30)
    assert figures.terms["start"] == pytest.approx(term.loss(run.trained.theta, *data), rel=1e-12)
    errors = run.predict("start.csv").outputs - data[1]
    assert figures.terms["start"] == pytest.approx(5 * np.mean(errors**2), rel=1e-12)
    assert figures.rmse == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)


def test_arrays_and_files_train_the_same(folder):
    x = np.linspace(0, 1, 30)
    arrays = {"equation": points(100), "start": (np.column_stack([x, 0 * x]), np.sin(np.pi * x))}
    one, other = (symgrad.train("heat.toml", data, seed=3) for data in (FILES, arrays))
    # what is written as text with 18 digits is the same number again
    np.testing.assert_array_equal(one.trained.theta, other.trained.theta)
    weighted = arrays | {"start": (*arrays["start"], np.full(30, 2.0))}
    third = symgrad.train("heat.toml", weighted, seed=3)
    np.testing.assert_allclose(third.trained.theta, one.trained.theta, rtol=1e-10)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_resumed_run_ends_with_the_same_weights(folder, optimizer):
    whole = symgrad.train("heat.toml", FILES, "whole", optimizer=optimizer, epochs=5)
    symgrad.train("heat.toml", FILES, "half", optimizer=optimizer, epochs=2)
    half = resume("half", epochs=5)
    np.testing.assert_array_equal(whole.trained.theta, half.trained.theta)
    assert Run.load("half").figures["validation"].terms == half.figures["validation"].terms
    np.savetxt("points.csv", points(100, 1), delimiter=",", header="t,x", comments="")
    with pytest.raises(DataError, match=r"start\.csv: not what the run began with"):
        resume("half", epochs=6)


def test_folds_hold_out_a_part_of_each_term(folder):
    folds = cross_validate("heat.toml", FILES, 3, epochs=2)
    held_out = [run.figures["validation"].samples for run in folds.runs]
    assert held_out == [44, 43, 43]
    assert {*folds.table()} == {"loss", "rmse", "r2"}


def test_early_stopping_and_a_picture(folder):
    run = symgrad.train("heat.toml", FILES, plot="p.png", patience=2, epochs=30, rate=0.3)
    assert (folder / "p.png").stat().st_size > 1000
    assert run.kept <= len(run.history)


def test_inputs_are_standardized_where_no_term_reads_them():
    data = {"near": (5 + points(50), points(50)[:, 0]), "far": (9 + points(70, 1), np.ones(70))}
    run = symgrad.train(PLAIN, data, epochs=1, validation=0)
    x = np.concatenate([data["near"][0], data["far"][0]])
    np.testing.assert_allclose(run.trained.scaling.mean, x.mean(axis=0))
    assert (run.trained.scaling.target_scale == 1).all()


def test_a_term_of_few_samples_is_judged_on_those_it_is_trained_on():
    data = {"near": (points(50), points(50)[:, 0]), "far": (points(2, 1), np.ones(2))}
    run = symgrad.train(PLAIN, data, epochs=1)
    assert any(note.startswith("far: a share of 0.2 holds out none of 2") for note in run.notes)
    assert run.figures["validation"].samples == 12


def test_a_loss_without_targets_has_no_metric():
    loss = {"terms": [{"name": "flat", "formula": "D(u, x)**2"}, {"name": "at", "formula": "u**2"}]}
    spec = {"name": "net", "inputs": ["x"], "layers": [{"units": 3, "activation": "tanh"},
            {"names": ["u"]}], "loss": loss}  # fmt: skip
    data = {"flat": points(40)[:, :1], "at": (points(9, 1)[:, :1],)}
    run = symgrad.train(spec, data, epochs=3, plot=None)
    figures = run.figures["training"]
    assert figures.rmse is None and [*figures.terms] == ["flat", "at"]
    assert run.predict(points(4, 2)[:, :1]).outputs.shape == (4, 1)


def test_chosen_inputs_are_those_of_all_terms(tmp_path):
    """In their order, whichever the columns of a table have, and by the first table's names."""
    loss = {"terms": [{"name": "flat", "formula": "D(y, x[0])**2"},
                      {"name": "at", "kind": "squared"}]}  # fmt: skip
    spec = PLAIN | {"loss": loss}
    flat, at = tmp_path / "flat.csv", tmp_path / "at.csv"
    flat.write_text("in_a;in_b;in_c\n1,5;2;0\n3;4,5;0\n")
    at.write_text("in_b;in_a;out\n5,5;6;1\n7;8;2\n")
    data, training = {"flat": flat, "at": at}, {"epochs": 1, "validation": 0}
    wanted = complete(spec, training)
    found = read_terms(wanted, data, Selection(inputs=("in_*",), targets=("out",)))
    assert [*found.parts] == ["flat", "at"] and found.columns.inputs == ("in_b", "in_a")
    assert found.parts["flat"].x.tolist() == [[2, 1.5], [4.5, 3]]
    assert found.parts["at"].x.tolist() == [[5.5, 6], [7, 8]]
    with pytest.raises(DataError, match="categories: a loss of several terms takes numbers"):
        read_terms(wanted, data, Selection(categories=("in_a",)))


def test_decimals_are_said_for_all_terms(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text('x,t\n"1,234",2\n')
    spec = complete(tomllib.loads(HEAT), {})
    start = (np.ones((1, 2)), np.ones(1))
    found = read_terms(spec, {"equation": path, "start": start}, Selection(decimal=","))
    assert found.parts["equation"].x.tolist() == [[1.234, 2]]


def complete(spec, training):
    return with_training(read_spec(spec), training)


REFUSED = [
    (points(9), "the loss has terms, near, far, each with data of its own"),
    ({"near": points(9)}, "no data for the term 'far'; terms are near, far"),
    ({"near": points(9), "fare": points(9)}, "no term 'fare'; there are near, far"),
    ({"near": (points(9),), "far": (points(9), np.ones(9))}, "near: "),
    ({"near": (points(9), np.ones(9)), "far": (points(9)[:, :1], np.ones(9))}, "far: "),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_refusals(data, message):
    with pytest.raises(DataError) as caught:
        symgrad.train(PLAIN, data, epochs=1)
    assert str(caught.value).startswith(message)


def test_commands_that_mix_files(folder):
    result = run("train", "heat.toml", "equation=points.csv", "start.csv")
    assert result.exit_code == 2
    assert result.stderr == "error: start.csv: of which term? give all data as NAME=FILE\n"
    result = run("train", "heat.toml", "equation=points.csv", "start=none.csv")
    assert result.stderr == "error: none.csv: No such file or directory\n"
    # a file that is called so is a file
    (folder / "a=b.csv").write_text("x,t,u\n1,2,3\n")
    assert "the loss has terms" in run("train", "heat.toml", "a=b.csv").stderr
