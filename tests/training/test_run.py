"""Training from Python, on two compiled networks; the run's folder, and what it says."""

import json
import os

import numpy as np
import pytest

import symgrad
from symgrad.errors import DataError, SpecError
from symgrad.spec.spec import Spec
from symgrad.training import atomic
from symgrad.training.callback import Callback
from symgrad.training.experiment import with_training
from symgrad.training.fit import Ending
from symgrad.training.folder import Folder, Taken, read_record
from symgrad.training.run import Run, RunError, advice
from symgrad.training.runner import BrokenOff
from symgrad.training.train import TrainingError
from symgrad.training.trained import Trained
from tests.trainings import PLANE, RINGS, plane, plane_csv, rings_csv, same, text, weights


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return symgrad.train(PLANE, plane_csv(folder), folder / "runs" / "first", epochs=150, rate=0.02)


def test_a_plane_is_found(run):
    assert run.ending is Ending.FINISHED and run.kept == len(run.history) == 150
    validation = run.figures["validation"]
    assert (validation.samples, run.figures["training"].samples) == (12, 48)
    assert validation.r2 > 0.95  # in units in which targets are about 205, and deviate by 20
    assert validation.rmse == pytest.approx(run.history[-1].metric, rel=1e-12)
    assert validation.loss == run.history[-1].validation_loss
    # the loss is one of standardised targets
    assert run.trained.scaling.target_mean == pytest.approx([205], abs=8)
    assert validation.rmse == pytest.approx(
        np.sqrt(2 * validation.loss) * run.trained.scaling.target_scale[0], rel=1e-9
    )


def test_a_folder_tells_all_there_is_to_know(run):
    assert sorted({*os.listdir(run.folder)} - {".lock"}) == [  # whether it stays is the system's
        "checkpoint.npz", "history.csv", "run.json", "weights.npz"
    ]  # fmt: skip
    record = read_record(run.folder)
    assert record["status"] == "finished" and record["seed"] == 0
    assert record["started"] <= record["finished"] and record["finished"].endswith("+00:00")
    assert set(record) >= {"symgrad", "python", "numpy", "numba", "scipy", "platform"}
    assert record["spec"] == run.trained.spec and record["spec"]["training"]["rate"] == 0.02
    assert record["data"]["samples"] == 60 and len(record["data"]["sha256"]) == 64
    assert record["data"]["columns"]["targets"] == ["height"]
    assert record["figures"]["validation"]["rmse"] == run.figures["validation"].rmse
    rows = (run.folder / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,validation_loss,validation_rmse" and len(rows) == 151
    assert rows[-1].startswith(f"150,{run.history[-1].loss!r},")


def test_a_run_is_read_back(run):
    again = Run.load(run.folder)
    assert again.history == run.history and again.figures == run.figures
    assert (again.ending, again.kept, again.notes) == (run.ending, run.kept, run.notes)
    assert again.trained.theta.tobytes() == run.trained.theta.tobytes()
    assert isinstance(Trained.load(run.folder / "weights.npz"), Trained)


def test_the_same_seed_is_the_same_run_and_another_is_another(run, tmp_path):
    again = symgrad.train(PLANE, plane_csv(tmp_path), tmp_path / "run", epochs=150, rate=0.02)
    assert same(weights(tmp_path / "run"), weights(run.folder)) and again.history == run.history
    other = symgrad.train(PLANE, plane_csv(tmp_path), epochs=3, rate=0.02, seed=1)
    assert other.folder is None and other.history[0] != run.history[0]


def test_the_loss_and_its_gradient_are_those_of_training_in_raw_units(run):
    x, t = plane()
    scaling = run.trained.scaling
    E, gradient = run.loss_and_gradient(x, t)
    wanted = run.module.loss_and_gradient(run.theta, scaling.inputs(x), scaling.targets(t))
    assert (E, gradient.tobytes()) == (wanted[0], wanted[1].tobytes())
    E, gradient = run.loss_and_gradient(x, t, theta=run.theta + 1)
    k, h = 3, 1e-5 * np.eye(run.theta.size)[3]
    ends = [run.loss_and_gradient(x, t, theta=run.theta + 1 + s * h)[0] for s in (-1, 1)]
    assert gradient[k] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-6)
    for given, message in (
        ((x, None), "a target for each sample"),
        ((x[:, :1], t), r"expected \(samples, 2\)"),
        ((x, t[1:]), "expected 60 rows in both"),
    ):
        with pytest.raises(DataError, match=message):
            run.loss_and_gradient(*given)


def test_the_loss_takes_labels():
    x = np.random.default_rng(1).normal(size=(50, 2))
    labels = np.where(x[:, 0] > 0, "right", "left")
    run = symgrad.train(RINGS, (x, labels), epochs=2)
    E, gradient = run.loss_and_gradient(x, labels)
    t = (labels == "right")[:, None]
    wanted = run.module.loss_and_gradient(run.theta, run.trained.scaling.inputs(x), t)
    assert wanted[0] == E and (gradient == wanted[1]).all() and gradient.dtype == np.float32
    with pytest.raises(DataError, match="middle"):
        run.loss_and_gradient(x, np.full(50, "middle"))


def test_classes_are_counted():
    x = np.random.default_rng(1).normal(size=(80, 2))
    t = np.where(x[:, 0] > 0, "right", "left")
    run = symgrad.train(RINGS, (x, t), epochs=60, rate=0.05, validation=0.25)
    figures = run.figures["validation"]
    assert run.trained.columns.labels == ("left", "right")
    assert figures.accuracy == run.history[-1].metric >= 0.9
    assert figures.confusion.sum() == 20 and figures.log_loss < 0.3
    assert run.trained.theta.dtype == np.float32
    # classes are not standardised
    assert run.trained.scaling.target_scale.tolist() == [1.0]


def test_nothing_held_out_and_nothing_standardised():
    run = symgrad.train(PLANE, plane(), epochs=2, validation=0.0, standardize=False)
    assert list(run.figures) == ["training"] and np.isnan(run.history[0].validation_loss)
    scaling = run.trained.scaling
    assert scaling.mean.tolist() == [0, 0] and scaling.target_scale.tolist() == [1]


def test_samples_held_out_do_not_shape_the_scaling():
    x, t = plane()
    run = symgrad.train(PLANE, (x, t), epochs=1, seed=4)
    from symgrad.training.data import holdout, read

    rows, _ = holdout(read((x, t), run.trained.spec), 0.2, 4)
    assert run.trained.scaling.mean == pytest.approx(x[rows].mean(axis=0), rel=1e-12)


def test_missing_values_are_filled_and_noted(tmp_path):
    data = plane_csv(tmp_path)
    lines = data.read_text().splitlines()
    lines[1] = "," + lines[1].split(",", 1)[1]
    text(data, "\n".join(lines))
    with pytest.raises(DataError, match="line 2"):
        symgrad.train(PLANE, data, epochs=1)
    run = symgrad.train(PLANE, data, tmp_path / "run", epochs=1, missing="mean")
    assert run.notes and run.trained.scaling.fill is not None
    assert read_record(tmp_path / "run")["notes"] == list(run.notes)


# ------------------------------------------------------------------------------------ settings


def test_changes_go_over_the_spec():
    spec = Spec.parse(PLANE | {"training": {"optimizer": "adam", "rate": 0.5, "epochs": 7}})
    made = with_training(spec, {"epochs": 9}).training
    assert (made.optimizer, made.rate, made.epochs) == ("adam", 0.5, 9)
    made = with_training(spec, {"optimizer": "sgd"}).training
    assert (made.optimizer, made.rate, made.epochs) == ("sgd", None, 7)  # 0.5 was adam's
    made = with_training(spec, {"optimizer": "lbfgs"}).training
    assert (made.optimizer, made.rate) == ("lbfgs", None)
    assert with_training(Spec.parse(PLANE), {}).training.epochs == 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": -1.0}, "training.rate"),
        ({"epochs": 0}, "training.epochs"),
        ({"optimizer": "adm"}, "training.optimizer"),
        ({"optimizer": "lbfgs", "rate": 0.1}, "chooses its own steps"),
        ({"patience": 3, "validation": 0.0}, "samples must be held out"),
        ({"rate": 0.1, "lr": 0.1}, r"training\.rate has other names, and is given twice"),
        ({"velocity": 3}, r"train\(\) has no argument 'velocity'; it has spec, data, into"),
        ({"target": "c"}, r"'target' \(did you mean 'targets'\?\)"),
        ({"seperator": "c"}, r"'seperator' \(did you mean 'separator'\?\)"),
        ({"batch_size": 8}, r"'batch_size' \(did you mean 'batch'\?\)"),
        ({"early_stopping": True}, r"'early_stopping'; write patience = 20"),
    ],
)
def test_refusals_of_settings(changes, message, tmp_path):
    with pytest.raises((SpecError, TrainingError), match=message):
        symgrad.train(PLANE, plane(), tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_refusals_before_there_is_a_folder(tmp_path):
    x, t = plane()
    poisson = PLANE | {"name": "rate", "loss": {"kind": "poisson"}}
    cases = [
        (lambda into: symgrad.train(poisson, (x, -t), into), "suit the loss poisson"),
        (lambda into: symgrad.train(PLANE, (x, t), into, checkpoint=-1), "seconds apart"),
        (lambda into: symgrad.train(PLANE, (x, t), into, plot=False), "plot must be a path"),
        (lambda into: symgrad.train(PLANE, (x, t), into=5), "into must be a path, not 5"),
        (lambda into: symgrad.train(PLANE, (x, t), runs=5), "runs must be a path, not 5"),
        (lambda into: symgrad.cross_validate(PLANE, (x, t), into=5), "into must be a path"),
        (lambda into: symgrad.resume(5), "run must be a path, not 5"),
        (lambda into: symgrad.Run.load(None), "folder must be a path, not None"),
        (lambda into: symgrad.train(PLANE, (x[:2], t[:2]), into, patience=2), "holds out none"),
        (lambda into: symgrad.cross_validate(PLANE, (x, t), 61, into), "61 folds"),
        (lambda into: symgrad.cross_validate(PLANE, (x, t), 3, into, validation=0.1), "each fold"),
    ]
    for refused, message in cases:
        with pytest.raises(ValueError, match=message):
            refused(tmp_path / "run")
        assert not (tmp_path / "run").exists(), message


# ----------------------------------------------------------------------------------- divergence


def test_a_loss_that_diverges_keeps_good_weights_and_gives_advice(tmp_path):
    x, t = plane()
    steep = PLANE | {
        "name": "steep",
        "layers": [{"units": 3, "activation": "identity"}, {"units": 1, "activation": "identity"}],
        "training": {"optimizer": "sgd", "rate": 3.0},
    }
    folder = tmp_path / "run"
    run = symgrad.train(steep, (x, t), folder, standardize=False, checkpoint=0)
    assert run.ending is Ending.DIVERGED and np.isfinite(run.trained.theta).all()
    assert np.isfinite(run.figures["training"].loss)
    assert read_record(folder)["status"] == "diverged" and (folder / "weights.npz").exists()
    words = advice(run)
    assert f"in epoch {run.kept + 1}" in words and "lower rate than 3" in words
    assert "clip" in words and "standardised inputs" in words
    # there is nothing to go on with
    assert symgrad.resume(folder, (x, t), epochs=500).ending is Ending.DIVERGED
    made = symgrad.cross_validate(steep, (x, t), 2, standardize=False)
    assert made.ending is Ending.DIVERGED and "of fold 1; kept" in advice(made)


# --------------------------------------------------------------------------------------- folds


def test_each_sample_is_held_out_once(tmp_path):
    folds = symgrad.cross_validate(PLANE, plane_csv(tmp_path), 4, tmp_path / "run", epochs=40)
    assert [run.figures["validation"].samples for run in folds.runs] == [15] * 4
    mean, deviation = folds.table()["rmse"]
    values = [run.figures["validation"].rmse for run in folds.runs]
    assert mean == pytest.approx(np.mean(values)) and deviation == pytest.approx(
        np.std(values, ddof=1)
    )
    record = read_record(tmp_path / "run")
    assert record["status"] == "finished" and record["mean"]["rmse"] == mean
    assert [row["fold"] for row in record["folds"]] == [1, 2, 3, 4]
    assert not (tmp_path / "run" / "weights.npz").exists()
    with pytest.raises(RunError, match=r"name one of them, as .*fold-1, or train without folds"):
        Run.load(tmp_path / "run")
    assert Run.load(tmp_path / "run" / "fold-2").figures == folds.runs[1].figures


# ------------------------------------------------------------------------------------- folders


def test_folders_are_named_after_the_spec_and_never_taken_twice(tmp_path):
    data = rings_csv(tmp_path)
    made = [symgrad.train(RINGS, data, runs=tmp_path / "runs", epochs=1) for _ in range(2)]
    assert [run.folder.name for run in made] == ["rings", "rings-2"]
    with pytest.raises(Taken, match=r"holds a run already: go on with it by symgrad\.resume"):
        symgrad.train(RINGS, data, tmp_path / "runs" / "rings")


def test_a_place_with_something_in_it_is_refused(tmp_path):
    text(tmp_path / "mine.txt", "mine")
    with pytest.raises(Taken, match="is not empty"):
        symgrad.train(PLANE, plane(), tmp_path)
    with pytest.raises(Taken, match="is a file"):
        symgrad.train(PLANE, plane(), tmp_path / "mine.txt")
    with pytest.raises(RunError, match="cannot be made: Not a directory"):
        Folder.new(tmp_path / "mine.txt" / "run")
    # what a killed beginning has left is nothing
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in (".lock", ".run.json.00112233.part"):
        (begun / name).touch()
    with Folder.new(begun):
        assert os.listdir(begun) == [".lock"]


def test_next_passes_over_a_folder_in_use(tmp_path):
    with Folder.next(tmp_path, "net") as one, Folder.next(tmp_path, "net") as other:
        assert (one.path.name, other.path.name) == ("net", "net-2")


def test_a_full_disk_breaks_off_and_says_how_to_go_on(tmp_path, monkeypatch):
    data = plane_csv(tmp_path)
    whole = symgrad.train(PLANE, data, epochs=9)
    write = atomic.write

    class FillsUp(Callback):
        def on_epoch_end(self, number, epoch) -> None:
            if number == 5:
                monkeypatch.setattr(atomic, "write", full)

    def full(path, content):
        raise atomic.Unwritable(f"{path} was not written: the disk is full", True)

    run = tmp_path / "run"
    with pytest.raises(BrokenOff) as caught:
        symgrad.train(PLANE, data, run, epochs=9, checkpoint=0, callback=FillsUp())
    monkeypatch.setattr(atomic, "write", write)
    message = str(caught.value)
    assert "the disk is full" in message and f"symgrad.resume({str(run)!r})" in message
    kept = symgrad.resume(run)
    assert kept.history == whole.history


def test_numbers_that_are_not_finite_are_null_in_the_record(tmp_path):
    x, t = plane()
    run = symgrad.train(PLANE, (x, np.full_like(t, 7)), tmp_path / "run", epochs=1)
    assert run.figures["training"].r2 is None
    assert "NaN" not in (tmp_path / "run" / "run.json").read_text()
    assert json.loads((tmp_path / "run" / "run.json").read_text())
    assert Run.load(tmp_path / "run").figures["training"].r2_by_output == (None,)
