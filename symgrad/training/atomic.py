"""Files that are there whole or not at all, whatever ends the process, at whatever moment.

The bytes go aside, into the same folder, and to the disk; then the file is renamed, which is one
step to whoever looks, and the folder too goes to the disk, where a system can do that.
"""

import errno
import io
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from symgrad.errors import SymgradError
from symgrad.replacing import replace
from symgrad.training.module import Array

# A name of this form is a file that is not finished; one that a killed process left means nothing.
UNFINISHED = ".part"

# No space, no quota, or a limit on the size of files: to the user it is all a full disk.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Unwritable(SymgradError, OSError):
    """A file that cannot be written; `full` if that is for want of space."""

    def __init__(self, message: str, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


def write(path: Path, content: bytes) -> None:
    """Puts `content` into the file `path`, in place of what was there.

    Raises Unwritable, and then the file is as it was before.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            replace(aside, path)
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
        _settle(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise Unwritable(
                f"{path} was not written: the disk is full ({reason})", True
            ) from error
        raise Unwritable(f"{path} cannot be written: {reason}") from error


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Puts arrays into an NPZ file, as `write` does."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    write(path, file.getvalue())


def sweep(folder: Path) -> None:
    """Removes what writes left in a folder that were killed; nobody may be writing in it now."""
    for path in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError):  # it does no harm
            path.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Has the disk know the folder's names, so that a power cut doesn't undo a rename."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows, which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
