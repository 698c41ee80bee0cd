"""Weights that training begins with: of runs, files and arrays; and layers that it leaves alone."""

import json
import shutil

import numpy as np
import pytest

import symgrad
from symgrad.errors import DataError
from symgrad.spec.training import WHOLE_BATCH
from tests.trainings import PLANE, execute, plane, plane_csv, same, weights

FROZEN = {**PLANE, "layers": [{**PLANE["layers"][0], "trainable": False}, PLANE["layers"][1]]}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("initial")
    return symgrad.train(PLANE, plane_csv(folder), folder / "begun", epochs=3, seed=1)


def data_of(begun):
    return begun.folder.parent / "plane.csv"


def test_a_run_goes_on_from_another(begun):
    """Its first loss is the other's last, for its weights and scaling are the other's."""
    run = symgrad.train(PLANE, data_of(begun), initial=begun, epochs=1, batch="all", seed=1)
    assert run.trained.scaling.mean.tobytes() == begun.trained.scaling.mean.tobytes()
    assert run.history[0].loss == begun.figures["training"].loss
    assert "numbers are scaled as in the run that training begins with" in run.notes


@pytest.mark.parametrize("method", [*WHOLE_BATCH, "adam", "adamw", "adagrad"])
def test_weights_of_a_layer_stay_to_the_bit(begun, method):
    run = symgrad.train(FROZEN, data_of(begun), initial=begun.folder, optimizer=method, epochs=4)
    for name, before in begun.weights.items():
        assert (run.weights[name].tobytes() == before.tobytes()) == name.endswith("1"), name
    assert run.history[-1].loss < run.history[0].loss


def test_a_whole_batch_method_takes_the_steps_of_a_network_without_the_layer(begun):
    """Of one layer on the outputs of the other."""
    module = begun.module
    x, t = plane()
    start = np.random.default_rng(0).normal(size=module.SIZE)
    W1, b1, W2, b2 = module.unpack(start).values()
    head = {**PLANE, "inputs": 3, "layers": [PLANE["layers"][1]]}
    options = {"optimizer": "lbfgs", "epochs": 20, "standardize": False, "validation": 0.0}
    whole = symgrad.train(FROZEN, (x / 100, t), initial=start, **options)
    alone = symgrad.train(
        head, (np.tanh(x / 100 @ W1 + b1), t), initial={"W1": W2, "b1": b2}, **options
    )
    np.testing.assert_allclose(whole.weights["W2"], alone.weights["W1"], rtol=1e-4)


def test_arrays_and_files_give_some_weights(begun, tmp_path):
    some = {"W1": begun.weights["W1"], "b1": begun.weights["b1"]}
    np.savez(tmp_path / "some.npz", **some)
    found = [
        symgrad.train(FROZEN, data_of(begun), initial=given, epochs=2)
        for given in (some, tmp_path / "some.npz", str(tmp_path / "some.npz"))
    ]
    for run in found:
        assert run.weights["W1"].tobytes() == begun.weights["W1"].tobytes()
        assert run.theta.tobytes() == found[0].theta.tobytes()
    other = symgrad.train(FROZEN, data_of(begun), epochs=2)
    assert other.weights["W1"].tobytes() != begun.weights["W1"].tobytes()


@pytest.mark.parametrize("training", [{}, {"optimizer": "lbfgs"}])
def test_a_run_resumes_from_where_it_began(begun, tmp_path, training):
    np.savez(tmp_path / "start.npz", W1=begun.weights["W1"])
    given = {"initial": tmp_path / "start.npz", **training}
    data = plane_csv(tmp_path)
    short = symgrad.train(FROZEN, data, tmp_path / "short", epochs=2, **given)
    symgrad.train(FROZEN, data, tmp_path / "whole", epochs=4, **given)
    symgrad.resume(short.folder, epochs=4)
    ours, whole = weights(tmp_path / "short"), weights(tmp_path / "whole")
    assert ours["theta"].tobytes() == whole["theta"].tobytes()
    record = json.loads((short.folder / "run.json").read_text())
    assert record["initial"]["path"] == str((tmp_path / "start.npz").resolve())
    moved = shutil.move(tmp_path / "start.npz", tmp_path / "moved.npz")
    with pytest.raises(DataError, match=r"start\.npz: the weights that the run began with are not"):
        symgrad.resume(short.folder, epochs=5)
    assert len(symgrad.resume(short.folder, epochs=5, initial=moved).history) == 5
    np.savez(tmp_path / "other.npz", W1=begun.weights["W1"] + 1)
    with pytest.raises(DataError, match="not those that the run began with"):
        symgrad.resume(short.folder, epochs=6, initial=tmp_path / "other.npz")


def test_another_start_is_another_run(begun, tmp_path):
    data, ids = plane_csv(tmp_path), []
    for number, initial in enumerate((None, {"b2": [1.0]}, {"b2": [2.0]}, {"b2": [1.0]})):
        run = symgrad.train(PLANE, data, tmp_path / str(number), epochs=1, initial=initial)
        ids.append(json.loads((run.folder / "run.json").read_text())["id"])
    assert ids[1] == ids[3] and len({*ids}) == 3


def test_folds_begin_with_them_too(begun):
    made = symgrad.cross_validate(FROZEN, data_of(begun), 2, initial=begun, epochs=1)
    assert all(run.weights["W1"].tobytes() == begun.weights["W1"].tobytes() for run in made.runs)


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_fit_that_diverges_at_once_leaves_them(begun):
    options = {"optimizer": "sgd", "rate": 1e300, "epochs": 2, "batch": "all"}
    run = symgrad.train(PLANE, data_of(begun), initial=begun, **options)
    assert run.kept == 0 and run.theta.tobytes() == begun.theta.tobytes()


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"W3": [1.0]}, "initial: the network has no weights 'W3'; it has W1, b1, W2, b2"),
        ({"b1": [1.0]}, r"initial: b1 must be of shape \(3,\), came \(1,\)"),
        ([1.0, 2.0], r"initial: theta must be of shape \(13,\), came \(2,\)"),
        ({"b2": [np.nan]}, "initial: some of the weights are not finite"),
        ({"b2": ["a"]}, "initial: b2 must hold numbers, came <U1"),
        ("nowhere.npz", r"nowhere\.npz: No such file or directory"),
    ],
)
def test_what_does_not_fit_is_refused(begun, initial, message):
    with pytest.raises(DataError, match=message):
        symgrad.train(PLANE, data_of(begun), initial=initial)


def test_a_run_of_other_columns_is_refused(begun):
    with pytest.raises(DataError, match=r"initial: the inputs are x\[0\], x\[1\], those of the run"
                       " a, b; give weights by name"):  # fmt: skip
        symgrad.train(PLANE, plane(), initial=begun)


def test_a_loss_in_inputs_takes_no_scaling(begun):
    spec = {**PLANE, "loss": {"formula": "(y - t)**2 + x[0]*0"}}
    with pytest.raises(DataError, match="has numbers standardized that this spec does not"):
        symgrad.train(spec, data_of(begun), initial=begun)


def test_the_command_takes_them(begun, tmp_path):
    spec = tmp_path / "plane.json"
    spec.write_text(json.dumps(FROZEN))
    done = execute("train", spec, data_of(begun), "--initial", begun.folder, "-o", tmp_path / "new",
                   "--epochs", 2, cwd=tmp_path)  # fmt: skip
    assert done.code == 0, done.err
    ours, theirs = weights(tmp_path / "new"), weights(begun.folder)
    assert same({"W1": ours["W1"]}, {"W1": theirs["W1"]})
    done = execute("train", "--resume", tmp_path / "new", "--epochs", 3, cwd=tmp_path)
    assert done.code == 0, done.err
    assert weights(tmp_path / "new")["W1"].tobytes() == theirs["W1"].tobytes()
