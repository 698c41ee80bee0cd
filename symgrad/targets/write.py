"""write: modules appear whole or not at all."""

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from symgrad.errors import SymgradError
from symgrad.replacing import replace


def write(
    sources: Mapping[str, str], folder: str | os.PathLike[str], moment: int | None = None
) -> list[Path]:
    """Writes `sources`, source by file name, into `folder`, which is made where it is missing.

    All are written aside first and renamed when the last is complete, so that no reader meets half
    a file, and a full disk leaves what was there. A file that holds its source already is left
    alone: what Numba has cached for it stays good. Where files bear the time
    `moment` (in seconds), so it does even if another process writes the same at the same time.
    Raises SymgradError if the folder can't be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            aside: dict[Path, Path] = {}
            for name, source in sources.items():
                if not _holds(target / name, source):
                    path = target / f".{name}.{secrets.token_hex(8)}.part"
                    undo.callback(path.unlink, missing_ok=True)
                    with path.open("x", encoding="utf-8", newline="\n") as file:
                        file.write(source)
                    if moment is not None:
                        os.utime(path, (moment, moment))
                    aside[path] = target / name
            for path, final in aside.items():
                before = final.read_bytes() if final.exists() else None
                if before is not None and moment is None:
                    _date(path, final)
                replace(path, final)
                undo.callback(_restore, final, before)
            undo.pop_all()  # all is in place: nothing to undo
    except OSError as error:
        raise SymgradError(f"{target}: cannot be written: {error.strerror or error}") from error
    return [target / name for name in sources]


def _date(path: Path, older: Path) -> None:
    """A later second than the older file's: Python takes what it has compiled of a file for good as
    long as that, and the size, are the same."""
    second = int(older.stat().st_mtime) + 1
    if path.stat().st_mtime < second:
        os.utime(path, (second, second))


def _restore(path: Path, before: bytes | None) -> None:
    """What was there before a later file could not be put in its place."""
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)


def _holds(path: Path, source: str) -> bool:
    return path.is_file() and path.read_bytes() == source.encode()
