"""source: the text of a file of another tool, taken whole, within a limit, and never run.

text = read(path, ".nnet file")
value = number("1.5e-3", "a weight")
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from symgrad.interop.errors import InteropError
from symgrad.interop.network import module_name
from symgrad.spec.formula import listed, quoted
from symgrad.spec.names import quantity_problem
from symgrad.training.labels import problem as label_problem

# No small network takes as much.
LARGEST = 1 << 28

_NUMBER = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.I | re.A
)


def contents(path: str | os.PathLike[str], kind: str) -> bytes:
    """The bytes of a file; `kind` is what messages call it, after "no". Raises InteropError."""
    try:
        size = os.stat(path).st_size
        if size > LARGEST:
            raise InteropError(
                f"{path}: {size:,} bytes are more than the {LARGEST:,} that are read of {kind}"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise InteropError(f"{path}: {error.strerror or error}") from error


def read(path: str | os.PathLike[str], kind: str) -> str:
    """The text of a file, as `contents`."""
    try:
        return contents(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InteropError(f"{path}: no {kind}: it is no text in UTF-8") from error


def number(text: str, what: str) -> float:
    """A decimal number, as C writes it; `what` is said of one that is none."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise InteropError(f"{what} must be a number, not {quoted(text)}")
    return float(text)


def whole(text: str, what: str, least: int = 0, most: int = 1 << 24) -> int:
    """A whole number within a range, which bounds what is made of it."""
    text = text.strip()
    if not re.fullmatch(r"\d{1,18}", text, re.A) or not least <= int(text) <= most:
        raise InteropError(
            f"{what} must be a whole number from {least} to {most:,}, not {quoted(text)}"
        )
    return int(text)


def unknown(what: str, known: Iterable[str]) -> InteropError:
    """What to say of something in a file that has no meaning here."""
    return InteropError(f"{what} is not understood; understood are {listed([*known])}")


def name_of(path: str | os.PathLike[str], name: str | None) -> str:
    """The spec's name: what was asked for, or the file's where that can be one."""
    if name is not None:
        return name
    return module_name(Path(path).name)


def input_names(names: list[str]) -> dict[str, Any]:
    """For a spec's table of inputs: the names, if all of them can be ones."""
    usable = len(set(names)) == len(names) and not any(map(quantity_problem, names))
    return {"names": names} if names and usable else {}


def labels_of(names: list[Any]) -> tuple[Any, ...] | None:
    """Classes by name, if these can be told apart and stored."""
    usable = len(set(names)) == len(names) > 1 and not any(map(label_problem, names))
    return tuple(names) if usable else None
