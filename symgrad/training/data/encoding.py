"""encoding: a CSV file that is not UTF-8, refused with the line, and what to do about it."""

import codecs
from pathlib import Path

from symgrad.errors import DataError
from symgrad.shell import word
from symgrad.training.caller import told
from symgrad.training.data.files import opened

# What it may be instead, by the bytes it begins with; and what it mostly is.
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_MOSTLY = "cp1252"


def not_utf_8(path: Path) -> DataError:
    """Which line is not, and how to make it so."""
    with opened(path) as file:
        lines = list(enumerate(file, 1))
    number, byte = next((n, b) for n, line in lines if (b := _wrong(line)) is not None)
    encoding = next((name for mark, name in _MARKS.items() if lines[0][1].startswith(mark)), None)
    what = f"the byte 0x{byte:02x}" if encoding is None else "it is UTF-16"
    how = told(
        f"or give the frame of pandas.read_csv({str(path)!r}, encoding={encoding or _MOSTLY!r})",
        f"or convert it: iconv -f {encoding or _MOSTLY} -t utf-8 {word(path)} > new.csv",
    )
    return DataError(
        f"{path}, line {number}: not UTF-8 ({what}); save it as UTF-8, in a spreadsheet as "
        f"“CSV UTF-8”, {how}"
    )


def _wrong(line: bytes) -> int | None:
    """The first byte of a line that UTF-8 has no letter for."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return line[error.start]
    return None
