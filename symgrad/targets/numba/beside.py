"""beside: the files that emitted modules import from their own folder."""

import os
import re
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"_symgrad_[0-9a-f]{16}")


def is_runtime(path: Path) -> bool:
    """Whether a file has the name of one that emitted modules import."""
    return path.suffix == ".py" and _NAME.fullmatch(path.stem) is not None


def imported(text: str) -> str | None:
    """The name of the file that an emitted module imports, without its suffix; None for any other
    text."""
    found = re.search(rf"^\s+from \.?({_NAME.pattern}) import ", text, re.MULTILINE)
    return found[1] if found else None


def remove_strays(folder: str | os.PathLike[str]) -> None:
    """Removes what no file of the folder names: the last one that did was emitted anew. Where a
    file cannot be read, all are left: it may be one that does."""
    files = [path for path in Path(folder).glob("*.py") if path.is_file()]
    runtimes = {file.stem: file for file in files if is_runtime(file)}
    with suppress(OSError):  # strays do no harm
        for file in files:
            if file not in runtimes.values():
                for name in _NAME.findall(file.read_text("utf-8", "replace")):
                    runtimes.pop(name, None)
        for stray in runtimes.values():
            stray.unlink()
