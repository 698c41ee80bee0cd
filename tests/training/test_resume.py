"""Nothing is lost: a run killed at any moment ends with the weights of one that was not."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

import symgrad
from symgrad.errors import DataError, SpecError, SymgradError
from symgrad.training.callback import Callback
from symgrad.training.fit import Ending
from symgrad.training.folder import Folder, InUse, RunError, read_record
from symgrad.training.runner import Interrupted
from tests.paths import ROOT
from tests.trainings import (
    PLANE,
    RINGS,
    execute,
    plane,
    plane_csv,
    rings_csv,
    same,
    start,
    text,
    weights,
)

# Long enough for a process to be killed in the middle several times.
EPOCHS = 12_000


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """A folder with a spec, data, and the run that nobody has cut off."""
    folder = tmp_path_factory.mktemp("resume")
    text(folder / "rings.json", json.dumps(RINGS))
    rings_csv(folder)
    done = execute(*training(folder, "whole"), cwd=folder)
    assert done.code == 0, done.err
    return folder


def training(folder: Path, run: str, *options: object, epochs: int = EPOCHS) -> tuple:
    schedule = ("--schedule", "cosine", "--checkpoint", 0)
    return ("train", "rings.json", "rings.csv", "-o", run, "--epochs", epochs, *schedule, *options)


def has_checkpoint(run: Path) -> bool:
    return (run / "checkpoint.npz").exists()


def wait_for(process: subprocess.Popen, condition) -> bool:
    """Until the condition holds (True), or the process has ended (False)."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.0005)
    return False


def kill(process: subprocess.Popen, number: int = signal.SIGKILL) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=60)


def test_killed_again_and_again_it_ends_with_the_same_weights(here):
    """By SIGKILL: after a random time since the first checkpoint, or while a file is being
    written."""
    dice, run, kills = random.Random(7), here / "killed", 0
    arguments = training(here, "killed")
    for attempt in range(5):
        process = start(*arguments, cwd=here)
        before = has_checkpoint(run) and (run / "checkpoint.npz").stat().st_mtime_ns
        in_a_write = attempt % 2 == 1
        if wait_for(
            process,
            lambda before=before: (
                has_checkpoint(run) and (run / "checkpoint.npz").stat().st_mtime_ns != before
            ),
        ):
            if in_a_write:
                wait_for(process, lambda: any(run.glob(".*.part")))
            else:
                time.sleep(dice.random() * 0.2)
        if process.poll() is None:
            kill(process)
            kills += 1
            assert read_record(run)["status"] == "running"
        else:
            process.communicate()
            break
        arguments = ("train", "--resume", "killed", "--checkpoint", 0)
    assert kills >= 2, kills
    done = execute(*arguments, cwd=here)
    assert done.code == 0, done.err
    assert same(weights(run), weights(here / "whole"))
    assert (run / "history.csv").read_bytes() == (here / "whole" / "history.csv").read_bytes()
    one, other = read_record(run), read_record(here / "whole")
    assert one["figures"] == other["figures"] and one["status"] == "finished"
    assert not list(run.glob(".*.part"))


def test_killed_before_there_is_anything_the_command_can_be_repeated(here):
    run = here / "early"
    process = start(*training(here, "early", epochs=20), cwd=here)
    assert wait_for(process, run.exists)
    kill(process)
    # With its record it can be resumed; without, nothing has begun, and the place is free.
    with Folder.open(run) if (run / "run.json").exists() else Folder.new(run) as folder:
        assert folder.record() is None or folder.record()["status"] == "running"


def test_an_interrupt_stores_the_epoch_and_says_how_to_go_on(here):
    run = here / "interrupted"
    process = start(*training(here, run.name), cwd=here)
    assert wait_for(process, lambda: has_checkpoint(run))
    _, err = kill(process, signal.SIGINT)
    assert process.returncode == 130, err
    assert "stopping at the end of this epoch" in err and "Traceback" not in err
    assert err.rstrip().endswith(f"go on by: symgrad train --resume {run.name}"), err
    record = read_record(run)
    assert record["status"] == "interrupted" and record["finished"] is None
    assert f"after epoch {record['epochs']:,}." in err
    assert not (run / "weights.npz").exists()
    with pytest.raises(RunError, match=rf"has not ended .*symgrad\.resume\(.*{run.name}"):
        symgrad.Run.load(run)
    done = execute("train", "--resume", run.name, cwd=here)
    assert done.code == 0 and f"going on after epoch {record['epochs']:,}" in done.err, done.err
    assert same(weights(run), weights(here / "whole"))
    assert read_record(run)["started"] == record["started"]


def test_two_processes_do_not_work_in_one_folder(here):
    run = here / "contested"
    process = start(*training(here, run.name), cwd=here)
    try:
        assert wait_for(process, lambda: has_checkpoint(run))
        process.send_signal(signal.SIGSTOP)  # so that it does not end before the other has begun
        for attempt in (Folder.open, Folder.new):
            with pytest.raises(RunError, match=r"another process is training there|holds a run"):
                attempt(run)
        done = execute("train", "--resume", run.name, cwd=here)
        assert done.code == 2 and "another process is training there" in done.err
        assert process.poll() is None
    finally:
        kill(process)
    with Folder.open(run):  # the lock is gone with the process
        pass


# ------------------------------------------------------------------------------- without processes


class InterruptAfter(Callback):
    """What a user is that presses Ctrl-C in an epoch."""

    def __init__(self, epoch: int, number: int = signal.SIGINT) -> None:
        self.wanted, self.signal, self.told = epoch, number, 0

    def on_epoch_end(self, number, epoch) -> None:
        if number == self.wanted:
            signal.raise_signal(self.signal)

    def on_interrupt(self) -> None:
        self.told += 1


def interrupted(into: Path, data, after: int, **options) -> Interrupted:
    with pytest.raises(Interrupted) as caught:
        symgrad.train(PLANE, data, into, callback=InterruptAfter(after), **options)
    return caught.value


def test_going_on_in_python(tmp_path):
    data = plane_csv(tmp_path)
    whole = symgrad.train(PLANE, data, tmp_path / "whole", epochs=9)
    error = interrupted(tmp_path / "cut", data, 4, epochs=9)
    assert error.run.ending is Ending.INTERRUPTED and len(error.run.history) == 4
    again = symgrad.resume(tmp_path / "cut")
    assert again.history == whole.history and again.figures == whole.figures
    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_sigterm_does_as_ctrl_c_does(tmp_path):
    callback = InterruptAfter(2, signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="interrupted after epoch 2"):
        symgrad.train(PLANE, plane_csv(tmp_path), tmp_path / "cut", callback=callback)
    assert callback.told == 1 and signal.getsignal(signal.SIGTERM) is before


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing_either(tmp_path):
    class Impatient(InterruptAfter):
        def on_interrupt(self) -> None:
            signal.raise_signal(signal.SIGINT)

    data = plane_csv(tmp_path)
    whole = symgrad.train(PLANE, data, epochs=9)
    with pytest.raises(KeyboardInterrupt) as caught:
        symgrad.train(PLANE, data, tmp_path / "cut", epochs=9, callback=Impatient(4), checkpoint=0)
    assert not isinstance(caught.value, Interrupted)
    assert symgrad.resume(tmp_path / "cut").history == whole.history


def test_early_stopping_is_the_same_after_an_interrupt(tmp_path):
    data = plane_csv(tmp_path)
    options = {"epochs": 400, "patience": 5, "rate": 0.1}
    whole = symgrad.train(PLANE, data, tmp_path / "whole", **options)
    assert whole.ending is Ending.STOPPED_EARLY and whole.kept == len(whole.history) - 5
    cut = tmp_path / "cut"
    interrupted(cut, data, whole.kept + 2, **options)
    assert symgrad.resume(cut).ending is Ending.STOPPED_EARLY
    assert same(weights(cut), weights(tmp_path / "whole"))
    # patience has ended it: more epochs would not have been used
    stamp = (cut / "run.json").stat().st_mtime_ns
    assert len(symgrad.resume(cut, epochs=900).history) == len(whole.history)
    assert (cut / "run.json").stat().st_mtime_ns == stamp


def test_a_finished_run_is_left_alone_unless_it_gets_more_epochs(tmp_path):
    data = plane_csv(tmp_path)
    short, long = tmp_path / "short", tmp_path / "long"
    symgrad.train(PLANE, data, short, epochs=5)
    symgrad.train(PLANE, data, long, epochs=12)
    before = {path.name: path.stat().st_mtime_ns for path in short.iterdir()}
    for epochs in (None, 5):
        assert symgrad.resume(short, epochs=epochs).ending is Ending.FINISHED
    assert {path.name: path.stat().st_mtime_ns for path in short.iterdir()} == before
    with pytest.raises(SpecError, match="have 5 epochs; a resumed one may have more, not 4"):
        symgrad.resume(short, epochs=4)
    assert len(symgrad.resume(short, epochs=12).history) == 12
    assert same(weights(short), weights(long))
    assert read_record(short)["spec"]["training"]["epochs"] == 12


def test_data_that_has_moved_or_changed(tmp_path):
    data = plane_csv(tmp_path)
    run = tmp_path / "run"
    interrupted(run, data, 2)
    moved = data.rename(tmp_path / "moved.csv")
    with pytest.raises(DataError, match=r"plane\.csv: .* give its new place as data"):
        symgrad.resume(run)
    other = text(tmp_path / "other.csv", moved.read_text() + "1.0,2.0,3.0\n")
    with pytest.raises(DataError, match=r"other\.csv: not what the run began with"):
        symgrad.resume(run, other)
    assert symgrad.resume(run, moved).ending is Ending.FINISHED
    assert read_record(run)["data"]["path"] == str(moved)


def test_data_that_is_no_file_is_given_again(tmp_path):
    run = tmp_path / "run"
    x, t = plane()
    interrupted(run, (x, t), 2)
    with pytest.raises(DataError, match="was no file: give it again"):
        symgrad.resume(run)
    with pytest.raises(DataError, match="the data: not what the run began with"):
        symgrad.resume(run, (x, t + 1))
    assert symgrad.resume(run, (x, t)).ending is Ending.FINISHED


def test_another_spec_is_refused_and_the_same_is_not(tmp_path):
    run = tmp_path / "run"
    interrupted(run, plane_csv(tmp_path), 2, rate=0.5)
    other = PLANE | {"layers": [{"units": 4}, PLANE["layers"][1]]}
    with pytest.raises(SpecError, match="not the one that the run began with"):
        symgrad.resume(run, spec=other)
    assert symgrad.resume(run, spec=PLANE).ending is Ending.FINISHED


def test_other_versions_are_noted(tmp_path):
    run = tmp_path / "run"
    interrupted(run, plane_csv(tmp_path), 2)
    record = read_record(run) | {"numba": "0.1"}
    text(run / "run.json", json.dumps(record))
    notes = symgrad.resume(run).notes
    assert any(note.startswith("the run began with numba 0.1, now ") for note in notes)


def test_a_run_without_its_checkpoint_begins_anew_and_says_so(tmp_path):
    run, data = tmp_path / "run", plane_csv(tmp_path)
    interrupted(run, data, 3)
    (run / "checkpoint.npz").unlink()
    made = symgrad.resume(run)
    assert "there is no checkpoint.npz: the run begins anew" in made.notes
    assert len(made.history) == read_record(run)["epochs"]


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    run, other, data = tmp_path / "run", tmp_path / "other", plane_csv(tmp_path)
    interrupted(run, data, 2)
    symgrad.train(PLANE, data, other, epochs=2, optimizer="sgd")
    (run / "checkpoint.npz").write_bytes((other / "checkpoint.npz").read_bytes())
    with pytest.raises(DataError, match=r"checkpoint.npz is none of this run's: .* begins anew"):
        symgrad.resume(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": 5}, "run.json: no record of a run"),
        ({"data": {"path": None}}, "run.json: no record of a run"),
        ({"options": {"folds": "many"}}, "the run's record cannot be read: options.folds"),
    ],
)
def test_a_record_that_was_edited_is_refused_in_words(tmp_path, change, message):
    run = tmp_path / "run"
    interrupted(run, plane_csv(tmp_path), 2)
    text(run / "run.json", json.dumps(read_record(run) | change))
    with pytest.raises(SymgradError, match=message):
        symgrad.resume(run)


def test_what_is_no_run_is_not_resumed(tmp_path):
    with pytest.raises(RunError, match="absent is not there"):
        symgrad.resume(tmp_path / "absent")
    with pytest.raises(RunError, match="holds no run"):
        symgrad.resume(tmp_path)
    for content in ("", "[]", '{"status": "running"}', "{"):
        text(tmp_path / "run.json", content)
        with pytest.raises(RunError, match=r"run\.json: "):
            symgrad.resume(tmp_path)


def test_a_folder_in_use_is_refused_in_this_process_too(tmp_path):
    with Folder.new(tmp_path / "run"), pytest.raises(InUse):
        Folder.new(tmp_path / "run")


def test_folds_go_on_where_they_were(tmp_path):
    data = plane_csv(tmp_path)
    whole = symgrad.cross_validate(PLANE, data, 3, tmp_path / "whole", epochs=6)

    class InSecondFold(InterruptAfter):
        begun = 0

        def on_fit_begin(self, *arguments) -> None:
            self.begun += 1
            self.wanted = 3 if self.begun == 2 else -1

    cut = tmp_path / "cut"
    with pytest.raises(Interrupted, match=r"All folds go on by: symgrad\.resume"):
        symgrad.cross_validate(PLANE, data, 3, cut, epochs=6, callback=InSecondFold(-1))
    assert read_record(cut)["status"] == "interrupted"
    assert [read_record(cut / f"fold-{k}")["status"] for k in (1, 2)] == ["finished", "interrupted"]
    stamp = (cut / "fold-1" / "run.json").stat().st_mtime_ns
    again = symgrad.resume(cut)
    assert (cut / "fold-1" / "run.json").stat().st_mtime_ns == stamp
    assert again.table() == whole.table()
    for fold in ("fold-1", "fold-2", "fold-3"):
        assert same(weights(cut / fold), weights(tmp_path / "whole" / fold))
    # all are over: nothing is done, and what there is, is read
    assert symgrad.resume(cut).table() == whole.table()
    assert len(symgrad.resume(cut, epochs=8).runs[2].history) == 8


def test_one_fold_can_be_resumed_by_itself(tmp_path):
    data = plane_csv(tmp_path)
    symgrad.cross_validate(PLANE, data, 3, tmp_path / "run", epochs=3)
    more = symgrad.resume(tmp_path / "run" / "fold-2", epochs=5)
    assert len(more.history) == 5 and more.figures["validation"].samples == 20


@pytest.mark.slow
def test_what_is_compiled_and_what_is_cached_agree_to_the_bit(tmp_path, monkeypatch):
    """A network with products and a penalty, where Numba's two ways used to differ in the loss."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    given = ("train", ROOT / "specs/digits.toml", ROOT / "data/digits.npz", "--epochs", 8)
    for run in ("first", "second"):
        done = execute(*given, "-o", run, cwd=tmp_path)
        assert done.code == 0, done.err
    histories = [(tmp_path / run / "history.csv").read_bytes() for run in ("first", "second")]
    assert histories[0] == histories[1]
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_a_longer_schedule_is_another_one_and_that_is_said(tmp_path):
    data = plane_csv(tmp_path)
    for schedule, other in (("cosine", True), ("linear", True), ("step", False)):
        run = tmp_path / schedule
        assert symgrad.train(PLANE, data, run, schedule=schedule, epochs=2).notes == ()
        longer = symgrad.resume(run, epochs=4)
        said = f"the schedule {schedule} falls to 0 at epoch 4 now, not at 2: "
        assert [note.startswith(said) for note in longer.notes] == [True] * other
        assert symgrad.resume(run, epochs=4).notes == longer.notes
