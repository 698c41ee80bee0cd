"""Checkpoints to the last bit, and files that are whole or not there, whatever happens."""

import errno
import math
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from symgrad.errors import DataError
from symgrad.training import atomic
from symgrad.training.checkpoint import Checkpoint, Epoch, history_csv, load, save


def some() -> Checkpoint:
    random = np.random.default_rng(5)
    checkpoint = Checkpoint.start(
        random.normal(size=7).astype(np.float32),
        random.normal(size=14).astype(np.float32),
        np.array([2**64 - 1, 2**63 + 12345], np.uint64),
    )
    checkpoint.record(Epoch(0.1 + 0.2, 1 / 3, 0.5))
    checkpoint.theta = checkpoint.theta * np.float32(0.7)
    checkpoint.record(Epoch(1e-300, math.nan, math.nan))
    return checkpoint


def test_what_is_read_is_what_was_written(tmp_path):
    checkpoint = some()
    save(tmp_path / "checkpoint.npz", checkpoint)
    again = load(tmp_path / "checkpoint.npz")
    for name in ("theta", "previous", "best", "state", "progress"):
        one, other = getattr(checkpoint, name), getattr(again, name)
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes(), name
    assert again.progress.tolist() == [2**64 - 1, 2**63 + 12345]
    assert (again.best_epoch, again.best_loss, again.epoch) == (1, 1 / 3, 2)
    np.testing.assert_array_equal(again.history, checkpoint.history)
    assert isinstance(again.history[0], Epoch)


def test_a_checkpoint_before_the_first_epoch(tmp_path):
    start = Checkpoint.start(np.ones(2), np.empty(0), np.empty(0, np.uint64))
    save(tmp_path / "checkpoint.npz", start)
    again = load(tmp_path / "checkpoint.npz")
    assert again.epoch == 0 and again.best_loss == math.inf and again.history == []


def test_the_best_is_a_copy_of_its_moment():
    checkpoint = some()
    assert checkpoint.best_epoch == 1
    assert checkpoint.best.tobytes() != checkpoint.theta.tobytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint\.npz is damaged .* begins anew"):
        load(tmp_path / "checkpoint.npz")


def test_the_history_as_csv():
    lines = history_csv(some().history, "rmse").decode().splitlines()
    assert lines[0] == "epoch,loss,validation_loss,validation_rmse"
    assert lines[1] == f"1,{0.1 + 0.2!r},{1 / 3!r},0.5"
    assert lines[2] == "2,1e-300,,"


# ------------------------------------------------------------------------------------ atomic writes


def test_a_file_is_replaced_and_nothing_is_left_aside(tmp_path):
    path = tmp_path / "file"
    atomic.write(path, b"old")
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, failing, number):
    path = tmp_path / "file"
    atomic.write(path, b"old")

    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, failing, fail)
    with pytest.raises(atomic.Unwritable) as caught:
        atomic.write(path, b"new")
    full = number != errno.EIO
    assert caught.value.full is full
    assert ("the disk is full" in str(caught.value)) is full and str(path) in str(caught.value)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(atomic.Unwritable, match=r"absent/file cannot be written: No such file"):
        atomic.write(tmp_path / "absent" / "file", b"new")


def test_a_disk_that_is_really_full(tmp_path):
    """The operating system's limit on the size of files, in a process of its own."""
    program = (
        "import pathlib, sys\n"
        "from symgrad.training import atomic\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "atomic.write(path, b'old')\n"
        "try:\n"
        "    atomic.write(path, b'x' * 10000)\n"
        "except atomic.Unwritable as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert "the disk is full (File too large)" in done.stdout, done.stderr
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_what_killed_writes_have_left_is_swept_away(tmp_path):
    for name in (".file.0a1b2c3d.part", "file.part", ".other"):
        (tmp_path / name).touch()
    atomic.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".other", "file.part"]
