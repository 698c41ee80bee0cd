"""A run's folder: what lies in it, and that one process at a time works there.

    run.json         what was trained on what, by which versions, and what came of it
    checkpoint.npz   where the fit stands, to go on from
    history.csv      loss and metric of every epoch
    weights.npz      the weights, once there are any to keep

Every file is written whole or not at all, so that the folder can be resumed at any moment.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from symgrad.errors import DataError, SymgradError
from symgrad.training import atomic
from symgrad.training.caller import resuming, told
from symgrad.training.checkpoint import Checkpoint, history_csv, load, save
from symgrad.training.module import Array
from symgrad.training.record import Record, problem

RECORD, CHECKPOINT, HISTORY, WEIGHTS = "run.json", "checkpoint.npz", "history.csv", "weights.npz"
_LOCK = ".lock"

# What a run cannot be gone on with without.
_NEEDED = {"status", "started", "spec", "spec_file", "options", "data"}


class RunError(SymgradError):
    """A run's folder that is not what it should be."""


class Folder:
    """An open folder, locked against other processes until it is closed."""

    def __init__(self, path: Path) -> None:
        """Opens a folder that is there; raises RunError if another process works in it."""
        self.path = path
        from filelock import FileLock, Timeout  # which who only reads a folder does not need

        # A lock of the operating system's: whatever ends the process, it is gone with it.
        self._lock = FileLock(path / _LOCK, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise InUse(
                f"{path}: another process is training there; wait until it has ended"
            ) from error
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}") from error
        except NotImplementedError as error:
            raise RunError(f"{path} lies where files cannot be locked") from error

    @classmethod
    def new(cls, path: Path) -> Self:
        """Makes a folder for a new run; RunError if there is something at that place."""
        refuse_taken(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{path} cannot be made: {error.strerror}") from error
        folder = cls(path)
        try:
            refuse_taken(path)  # now that nobody else can
        except RunError:
            folder.close()
            raise
        atomic.sweep(path)
        return folder

    @classmethod
    def next(cls, runs: Path, name: str) -> Self:
        """Makes the first of runs/NAME, runs/NAME-2, … that is free."""
        number = 1
        while True:
            try:
                return cls.new(runs / (name if number == 1 else f"{name}-{number}"))
            except (Taken, InUse):
                number += 1

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens the folder of a run that has begun; RunError if it is none, or in use."""
        if not (path / RECORD).is_file():
            there = "holds no run" if path.is_dir() else "is not there"
            begin = told(f"symgrad.train(spec, data, {str(path)!r})", "symgrad train SPEC DATA")
            raise RunError(
                f"{path} {there}: a run has its {RECORD} from its first moment on; "
                f"begin one with {begin}"
            )
        folder = cls(path)
        atomic.sweep(path)
        return folder

    def close(self) -> None:
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def subfolder(self, name: str) -> "Folder":
        """The folder of a part of this run, begun or not."""
        path = self.path / name
        return Folder.open(path) if (path / RECORD).is_file() else Folder.new(path)

    def record(self) -> Record | None:
        """What run.json says; None if there is none yet."""
        return read_record(self.path) if (self.path / RECORD).is_file() else None

    def write_record(self, record: Record) -> None:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        atomic.write(self.path / RECORD, f"{text}\n".encode())

    def checkpoint(self) -> Checkpoint | None:
        """Where the run stands; None before its first checkpoint."""
        return read_checkpoint(self.path)

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        save(self.path / CHECKPOINT, checkpoint)

    def write_history(self, checkpoint: Checkpoint, metric: str) -> None:
        atomic.write(self.path / HISTORY, history_csv(checkpoint.history, metric))

    def write_weights(self, arrays: dict[str, Array]) -> None:
        atomic.write_npz(self.path / WEIGHTS, arrays)


class Taken(RunError):
    """There is something at the place for a new run."""


class InUse(RunError):
    """Another process works in the folder."""


def refuse_taken(path: Path) -> None:
    """Raises Taken if there is something at `path` that a new run could overwrite."""
    if path.is_dir():
        # What a run that was killed before it had begun has left, is nothing.
        if all(_is_nothing(name) for name in _names(path)):
            return
        if (path / RECORD).is_file():
            raise Taken(
                f"{path} holds a run already: go on with it by {resuming(path)}, or name another "
                f"folder with {told('into', '-o')}"
            )
        raise Taken(f"{path} is not empty; name another folder with {told('into', '-o')}")
    if path.exists() or path.is_symlink():
        raise Taken(f"{path} is a file; {told('into', '-o')} names the folder for the run")


def read_record(path: Path) -> Record:
    """The record in a run's folder; RunError if it is none."""
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
        if (
            isinstance(record, dict)
            and record.keys() >= _NEEDED
            and all(isinstance(record[name], dict) for name in ("spec", "options", "data"))
            and record["data"].keys() >= {"path", "sha256"}
            and isinstance(record["data"]["sha256"], str)
        ):
            wrong = problem(record)
            if not wrong:
                return record
            wrong = f"the run's record cannot be read: {wrong}; undo what was changed in it"
        else:
            wrong = "no record of a run"
    except OSError as error:
        wrong = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        wrong = f"damaged ({error})"
    raise RunError(f"{path / RECORD}: {wrong}")


def refuse_foreign(file: Path, run: str | None, record: Record, way_out: str) -> None:
    """DataError if a file says that it is of another run than the folder's, by its id.

    Runs of versions before ids have none, neither in their record nor in their files.
    """
    here = record.get("id")
    if run != here:
        named = [f"run {_shown(each)}" if each else "a run without an id" for each in (run, here)]
        raise DataError(f"{file} is of {named[0]}, and this is {named[1]}: {way_out}")


def _shown(text: str) -> str:
    """A text that someone may have put into a file, as part of a line."""
    return text if text.isprintable() else repr(text)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in a run's folder, if there is one."""
    return load(path / CHECKPOINT) if (path / CHECKPOINT).is_file() else None


def _names(path: Path) -> Iterable[str]:
    try:
        return os.listdir(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error


def _is_nothing(name: str) -> bool:
    return name == _LOCK or (name.startswith(".") and name.endswith(atomic.UNFINISHED))
