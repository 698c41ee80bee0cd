"""`symgrad train`: what it says, how it ends, and what it refuses."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from symgrad.cli.main import app
from symgrad.training.folder import read_record
from tests.trainings import PLANE, RINGS, execute, plane_csv, rings_csv, text


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path, monkeypatch, uncompiled) -> Path:
    """The folder one works in, with two specs and their data."""
    monkeypatch.chdir(tmp_path)
    for spec in (PLANE, RINGS):
        text(tmp_path / f"{spec['name']}.json", json.dumps(spec))
    plane_csv(tmp_path)
    rings_csv(tmp_path)
    return tmp_path


def test_numbers_from_the_data_to_the_folder(here):
    result = run("train", "plane.json", "plane.csv", "--epochs", 40, "--rate", 0.02)
    assert result.exit_code == 0, result.output
    first, header, train, validation, place, what_next = result.stdout.splitlines()
    assert first.startswith("finished: 40 epochs, ")
    assert header.split() == ["samples", "loss", "RMSE", "MAE", "R²", "largest", "error"]
    assert train.split()[:2] == ["training", "48"]
    assert validation.split()[:2] == ["validation", "12"]
    assert place == "run: runs/plane"
    assert what_next == "next: symgrad predict runs/plane DATA, or symgrad freeze runs/plane"
    assert result.stderr == "runs/plane\n"
    record = read_record(here / "runs" / "plane")
    assert record["spec_file"] == "plane.json"
    assert record["data"]["path"] == str(here / "plane.csv")
    again = run("train", "plane.json", "plane.csv", "--epochs", 1)
    assert "run: runs/plane-2" in again.stdout


def test_each_of_several_outputs_has_a_line_in_its_own_unit(here):
    spec = {**PLANE, "name": "plant", "inputs": 1, "layers": [{"units": 2}]}
    text(here / "plant.json", json.dumps(spec))
    result = run("train", "plant.json", "plane.csv", "--epochs", 2, "-o", "plant")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    header = lines[1].split()
    assert header == ["samples", "loss", "RMSE", "MAE", "R²", "largest", "error"]
    figures = read_record(here / "plant")["figures"]
    places = {"training": 2, "validation": 5}
    for part, place in places.items():
        own = figures[part]
        assert lines[place].split() == [part, f"{own['samples']}", f"{own['loss']:.6g}"]
        for output, name in enumerate(("b", "height")):
            assert lines[place + 1 + output].split() == [
                name,
                f"{own['rmse_by_output'][output]:.6g}",
                f"{own['mae_by_output'][output]:.6g}",
                f"{own['r2_by_output'][output]:.4f}",
                f"{own['largest_by_output'][output]:.6g}",
            ]
    predicted = run("predict", "plant", "plane.csv", "-o", "out.csv")
    assert predicted.exit_code == 0, predicted.output
    assert [line.split()[0] for line in predicted.stderr.splitlines()[-2:]] == ["b", "height"]
    folds = run("train", "plant.json", "plane.csv", "--folds", 2, "--epochs", 1, "-o", "folds")
    assert folds.exit_code == 0, folds.output
    lines = [line.split() for line in folds.stdout.splitlines()]
    assert lines[0] == ["held", "out", "samples", "loss"]
    errors = [
        read_record(here / "folds" / f"fold-{k}")["figures"]["validation"]["rmse_by_output"]
        for k in (1, 2)
    ]
    for output, row in enumerate(lines[6:8]):
        one, other = (each[output] for each in errors)
        assert row[:2] == [("b", "height")[output], f"{(one + other) / 2:.6g}"]
        assert row[2] == f"{abs(one - other) / 2**0.5:.6g}"


def test_a_run_of_a_version_without_the_largest_errors_is_shown(here):
    options = ("train", "plane.json", "plane.csv", "--epochs", 2, "-o", "run")
    assert run(*options).exit_code == 0
    record = read_record(here / "run")
    for figures in record["figures"].values():
        del figures["largest_by_output"], figures["mae_by_output"]
    text(here / "run" / "run.json", json.dumps(record))
    result = run("train", "--resume", "run")
    assert result.exit_code == 0, result.output
    header = next(line for line in result.stdout.splitlines() if "samples" in line)
    assert header.split() == ["samples", "loss", "RMSE", "R²"]
    record["figures"]["training"]["largest_by_output"] = [1, 2]
    text(here / "run" / "run.json", json.dumps(record))
    damaged = run("train", "--resume", "run")
    assert damaged.exit_code == 2 and "of different numbers of outputs" in damaged.stderr


def test_classes_with_their_confusion_and_a_picture(here):
    options = ("-o", "my run", "--plot", "rings.png", "--epochs", 30, "--checkpoint", 0)
    result = run("train", "rings.json", "rings.csv", *options)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["samples", "loss", "accuracy", "log", "loss"]
    assert lines[4].split()[-2:] == ["inner", "outer"]
    assert sum(map(int, " ".join(lines[5:7]).replace("·", "0").split()[1:3])) > 0
    assert lines[7].split()[-6:] == ["samples", "precision", "recall", "F1", "ROC", "area"]
    of_class = read_record(here / "my run")["figures"]["validation"]
    assert lines[8].split()[-1] == f"{of_class['roc_area_by_class'][0]:.4f}"
    assert "next: symgrad predict 'my run' DATA, or symgrad freeze 'my run'" in lines
    assert lines[-1] == "plot: rings.png"
    assert max(map(len, lines)) <= 100
    assert (here / "rings.png").read_bytes().startswith(b"\x89PNG")


def test_every_option_reaches_the_record(here):
    options = (
        "--optimizer sgd --rate 0.25 --schedule cosine --warmup 1.5 --batch all --epochs 2 "
        "--seed 8 --clip 2 --patience 7 --validation 0.5 --no-standardize --target height "
        "--missing drop"
    )
    result = run("train", "plane.json", "plane.csv", *options.split())
    assert result.exit_code == 0, result.output
    record = read_record(here / "runs" / "plane")
    assert record["spec"]["training"] == {
        "optimizer": "sgd", "rate": 0.25, "schedule": "cosine", "warmup": 1.5, "batch": "all",
        "epochs": 2, "seed": 8, "clip": 2.0, "patience": 7, "validation": 0.5,
        "standardize": False, "constants": {},
    }  # fmt: skip
    assert record["options"] == {
        "targets": ["height"], "weight": None, "missing": "drop", "folds": None
    }  # fmt: skip


def test_the_spec_says_how_to_train_where_no_option_does(here):
    spec = PLANE | {"training": {"optimizer": "lbfgs", "epochs": 3, "seed": 4}}
    text(here / "plane.json", json.dumps(spec))
    result = run("train", "plane.json", "plane.csv")
    assert result.exit_code == 0, result.output
    made = read_record(here / "runs" / "plane")["spec"]["training"]
    assert (made["optimizer"], made["epochs"], made["seed"]) == ("lbfgs", 3, 4)


def test_folds_are_shown_with_mean_and_deviation(here):
    result = run("train", "plane.json", "plane.csv", "--folds", 3, "--epochs", 5, "--plot", "f.svg")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["fold", "fold", "fold", "mean", "deviation"]
    assert "without --folds" in result.stdout
    assert (here / "f.svg").exists()
    assert sorted(os.listdir(here / "runs" / "plane")) == [
        ".lock", "fold-1", "fold-2", "fold-3", "run.json"
    ]  # fmt: skip
    again = run("train", "--resume", "runs/plane")
    assert again.exit_code == 0 and "has ended already" in again.stdout
    assert again.stdout.splitlines()[2:6] == lines[0:4]


def test_a_finished_run_resumed_says_so(here):
    run("train", "plane.json", "plane.csv", "--epochs", 3)
    result = run("train", "--resume", "runs/plane")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.splitlines()[:3] == [
        "runs/plane has ended already, and is left as it is",
        "a larger number of --epochs goes on with it",
        "finished: 3 epochs",
    ]
    result = run("train", "--resume", "runs/plane", "plane.csv", "--epochs", 5)
    assert result.exit_code == 0 and result.stderr == "runs/plane: going on after epoch 3\n"
    assert "finished: 5 epochs" in result.stdout


@pytest.mark.slow
def test_divergence_ends_with_1_and_advice(here):
    spec = PLANE | {"layers": [{"units": 1, "activation": "identity"}], "name": "line"}
    text(here / "line.json", json.dumps(spec))
    options = ("--optimizer", "sgd", "--rate", 50, "--no-standardize", "--batch", 1)
    result = run("train", "line.json", "plane.csv", *options)
    assert result.exit_code == 1, result.output
    assert "diverged: " in result.stdout and "run: runs/line" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("error: the loss was no longer finite in ")
    assert "Try a lower rate than 50" in result.stderr
    with np.load("runs/line/weights.npz") as file:
        assert np.isfinite(file["theta"]).all()
    again = run("train", "--resume", "runs/line")
    assert again.exit_code == 1 and "has ended already" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("plane.json", "a spec and data are needed"),
        ("plane.json absent.csv", "absent.csv: No such file"),
        ("absent.json plane.csv", "absent.json"),
        ("plane.json plane.csv --batch few", "--batch: a number of samples, or all, not 'few'"),
        ("plane.json plane.csv --batch 0", "training.batch"),
        ("plane.json plane.csv --rate nan", "training.rate"),
        ("plane.json plane.csv --validation 1", "training.validation"),
        ("plane.json plane.csv --optimizer adm", "training.optimizer"),
        ("plane.json plane.csv --optimizer lbfgs --rate 1", "chooses its own steps"),
        ("plane.json plane.csv --patience 3 --validation 0", "samples must be held out"),
        ("plane.json plane.csv --missing guess", "guess"),
        ("plane.json plane.csv --target nobody", "nobody"),
        ("plane.json plane.csv --weight w", "sample_weights = true"),
        ("plane.json plane.csv --folds 3 --validation 0.1", "each fold is held out"),
        ("plane.json plane.csv --plot loss.jpg", "ends in .png, .svg or .pdf"),
        ("plane.json plane.csv --checkpoint inf", "seconds apart"),
        ("plane.json plane.csv -o .", "is not empty"),
        ("plane.json plane.csv -o plane.csv", "is a file"),
        ("--resume absent", "absent is not there"),
        ("--resume .", "holds no run"),
        ("--resume . --rate 0.1", "--rate cannot be given with --resume"),
        ("--resume . -o there", "--output cannot be given with --resume"),
        ("--resume . --target a", "--target cannot be given with --resume"),
        ("--resume . --folds 3", "--folds cannot be given with --resume"),
        ("--resume . --missing drop", "--missing cannot be given with --resume"),
    ],
)
def test_refusals_are_one_message_and_leave_nothing(here, arguments, message):
    before = sorted(os.listdir(here))
    result = run("train", *arguments.split())
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert sorted(os.listdir(here)) == before


@pytest.mark.parametrize("option", ["--epochs=0", "--seed=-1", "--validation=1.5", "--folds=1"])
def test_options_out_of_range_are_wrong_usage(here, option):
    assert run("train", "plane.json", "plane.csv", option).exit_code == 2
    assert not (here / "runs").exists()


# ------------------------------------------------------------------------------------------ predict


def test_predictions_into_a_file(here):
    run("train", "rings.json", "rings.csv", "--epochs", 30)
    printed = run("predict", "runs/rings", "rings.csv")
    assert printed.exit_code == 0 and printed.stdout.startswith("prediction,p(inner),p(outer)\n")
    assert "accuracy" in printed.stderr and "true ↓ predicted →" in printed.stderr
    result = run("predict", "runs/rings/weights.npz", "rings.csv", "-o", "out.csv")
    assert result.exit_code == 0 and result.stdout == "" and "wrote out.csv" in result.stderr
    assert (here / "out.csv").read_text() == printed.stdout
    for place, message in (
        ("rings.csv", "is the data itself"),
        ("rings.json", "no .csv file"),
        ("runs", "is a folder"),
    ):
        result = run("predict", "runs/rings", "rings.csv", "-o", place)
        assert result.exit_code == 2 and message in result.stderr


@pytest.mark.parametrize(
    ("place", "message"), [("absent", "absent: No such file"), (".", "run.json: No such file")]
)
def test_predictions_of_no_run(here, place, message):
    result = run("predict", place, "rings.csv")
    assert result.exit_code == 2 and message in result.stderr


def test_the_command_in_a_process_of_its_own(here):
    """The way that a user does it: train, look, predict."""
    done = execute("train", "rings.json", "rings.csv", "--optimizer", "lbfgs", cwd=here)
    assert done.code == 0 and done.err == "runs/rings\n", done.err
    done = execute("predict", "runs/rings", "rings.csv", cwd=here)
    assert done.code == 0 and len(done.out.splitlines()) == 121


PLANT = """time;mode;flow, l/min;temp
2024-01-05 10:00;auto;60,5;30,0
2024-01-05 10:01;off;61,5;31,0
2024-01-05 10:02;auto;;32,0
2024-01-05 10:03;off;63,5;33,5
"""


def test_a_table_is_looked_at_and_trained_on_as_advised(here):
    text(here / "plant.csv", PLANT)
    text(here / "plant.json", json.dumps(PLANE | {"inputs": 3, "name": "pump"}))
    seen = run("data", "plant.csv")
    assert seen.exit_code == 0, seen.output
    assert seen.stderr == "read with cells separated by ';' and decimals after a comma\n"
    rows = [line.split() for line in seen.stdout.splitlines()]
    assert rows[0] == ["column", "kind", "missing", "values"]
    assert rows[2] == ["mode", "category", "–", "auto,", "off"]
    assert rows[3] == ["flow,", "l/min", "number", "1", "60.5", "to", "63.5"]
    command = seen.stdout.splitlines()[6].removeprefix("next: symgrad ")
    command = command.replace("SPEC", "plant.json")
    assert command == (
        "train plant.json plant.csv --ignore time --categories mode --target temp --missing mean"
    )
    result = run(*command.split(), "--epochs", 2, "--validation", 0)
    assert result.exit_code == 0, result.output
    assert "column 'mode' is a category of 2 levels (auto, off), an input each" in result.stderr
    again = run("predict", "runs/pump", "plant.csv", "plant.csv")
    assert again.exit_code == 0 and len(again.stdout.splitlines()) == 9
    frozen = run("freeze", "runs/pump")
    assert "from pump_frozen import encode, predict" in frozen.stdout
    by_name = run("train", "plant.json", "plant.csv", "--inputs", '"flow, l/min",mode', "--target",
                  "temp", "--categories", "m*", "--missing", "drop", "--epochs", 1,
                  "--validation", 0)  # fmt: skip
    assert by_name.exit_code == 0, by_name.output
    assert read_record(here / "runs" / "pump-2")["options"]["inputs"] == ["flow, l/min", "mode"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--inputs a", "--inputs cannot be given with --resume"),
        ("--class-weight balanced", "--class-weight cannot be given with --resume"),
        ("--decimal ,", "--decimal cannot be given with --resume"),
    ],
)
def test_a_resumed_run_reads_its_data_as_it_did(here, option, message):
    result = run("train", "--resume", "runs/plane", *option.split())
    assert result.exit_code == 2 and message in result.stderr
