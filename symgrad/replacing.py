"""replacing: a file takes another's place in one step, on Windows too."""

import os
import sys
import time
from pathlib import Path

# Windows refuses while someone has the file open, if only to read it: so many seconds are waited.
PATIENCE = 2.0 if sys.platform == "win32" else 0.0
_PAUSE = 0.01


def replace(aside: Path, path: Path) -> None:
    """Renames `aside` to `path`, whatever is there; raises OSError if that cannot be."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(aside, path)
            return
        except PermissionError as error:
            if not PATIENCE:
                raise
            if time.monotonic() >= until:
                reason = f"{error.strerror}; another program may have it open"
                raise PermissionError(error.errno, reason, str(path)) from error
        time.sleep(_PAUSE)
