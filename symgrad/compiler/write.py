"""write: modules appear whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from symgrad.errors import SymgradError


def write(sources: Mapping[str, str], folder: str | os.PathLike[str]) -> list[Path]:
    """Writes `sources`, source by file name, into `folder`, which is made where it is missing.

    All are written aside first and renamed when the last is complete, so that no reader meets half
    a file, and a full disk leaves what was there. Raises SymgradError if the folder can't be
    written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            aside = {}
            for name, source in sources.items():
                handle, path = tempfile.mkstemp(dir=target, prefix=f".{name}.", suffix=".part")
                undo.callback(Path(path).unlink, missing_ok=True)
                with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                    file.write(source)
                os.chmod(path, 0o666 & ~_umask())
                aside[name] = path
            for name, path in aside.items():
                os.replace(path, target / name)
    except OSError as error:
        raise SymgradError(f"{target}: cannot be written: {error.strerror}") from error
    return [target / name for name in sources]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
