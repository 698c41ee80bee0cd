"""A spec file: path → its text, and the plain data in it; refused in words where it has none.

The standard library reads TOML and JSON. What it would leave to chance is caught here: files that
are too large or no files, and a JSON key given twice.
"""

import json
import re
from pathlib import Path
from typing import Any

from symgrad.errors import SpecError
from symgrad.spec import limits
from symgrad.spec.formula import quoted
from symgrad.spec.location import STRING, find_places
from symgrad.spec.messages import cleaned

# A quoted part of a key counts like a bare one; what looks like a key in a text does not.
_STRING_OR_COMMENT = re.compile(rf"{STRING}|#[^\n]*+", re.DOTALL)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{limits.KEY_PARTS},}}")


def read_file(path: Path) -> tuple[str, Any]:
    """The text of a `.toml` or `.json` file and the data in it; raises `SpecError`."""
    shown = cleaned(str(path))
    text = _read_text(path, shown)
    return text, _parse(text, path.suffix.lower() == ".json", shown)


def _read_text(path: Path, shown: str) -> str:
    try:
        if path.is_dir():
            raise SpecError(f"{shown}: this is a folder, not a spec file")
        if not path.exists():
            raise SpecError(f"{shown}: there is no such file")
        if not path.is_file():  # reading a pipe could wait for ever
            raise SpecError(f"{shown}: this is no regular file")
        if path.suffix.lower() not in (".toml", ".json"):
            raise SpecError(f"{shown}: a spec file's name ends in .toml or .json")
        with path.open("rb") as file:
            data = file.read(limits.FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SpecError(f"{shown}: this file cannot be read: {reason}") from None
    if len(data) > limits.FILE_BYTES:
        raise SpecError(
            f"{shown}: this file is over the limit of {limits.FILE_BYTES:,} bytes for a spec"
        )
    try:
        return data.decode("utf-8-sig")  # some editors begin a file with a byte-order mark
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{shown}: this is no UTF-8 text (byte {error.start:,}); save it as UTF-8"
        ) from None


def _parse(text: str, is_json: bool, shown: str) -> Any:
    import tomllib  # a spec may be given as data

    if not is_json and _LONG_KEY.search(_STRING_OR_COMMENT.sub("s", text)):
        raise SpecError(f"{shown}: a key of more than {limits.KEY_PARTS} parts")
    try:
        if is_json:
            return json.loads(text, object_pairs_hook=_without_repetition)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The parser writes "message (at line 3, column 5)"; the place belongs in front.
        message, _, where = str(error).removesuffix(")").rpartition(" (at ")
        raise SpecError(f"{shown}, {where}: this is no valid TOML: {cleaned(message)}") from None
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{shown}, line {error.lineno}, column {error.colno}:"
            f" this is no valid JSON: {cleaned(error.msg)}"
        ) from None
    except _RepeatedKey as error:
        line = find_places(text).repeated.get(error.key)
        place = f"{shown}, line {line}" if line else shown
        raise SpecError(
            f"{place}: the key {quoted(error.key)} is given twice; keep one of the two"
        ) from None
    except RecursionError:
        raise SpecError(f"{shown}: this is no spec: it is nested too deeply") from None
    except ValueError:  # besides what is no TOML or JSON, only Python's cap on digits
        raise SpecError(
            f"{shown}: this is no spec: a whole number in it has too many digits"
        ) from None


class _RepeatedKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Python's reader would silently keep the last of two values."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise _RepeatedKey(key)
        table[key] = value
    return table
