"""CSV files: UTF-8, cells between commas, a header, one sample a row.

A spreadsheet's cells are text, and what they mean depends on what is wanted: `1` is a number among
inputs and may be the name of a class. So the text is kept, a string for each column of a block of
rows, and read when a column is asked for its values: a table takes about as much memory as its
file, and Python's strings for single cells live only as long as their block.
"""

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.quotes import without_blanks
from symgrad.training.data.table import (
    Factor,
    Kind,
    Place,
    Table,
    Value,
    check_names,
    counted,
)
from symgrad.training.labels import DIGITS
from symgrad.training.module import Array

# What stands for a missing value among names (one may well be called "none") and among numbers.
MISSING_NAMES = {"", "?"}
MISSING_NUMBERS = MISSING_NAMES | {"na", "n/a", "nan", "null", "none"}
BOOLEANS = {"false": False, "true": True}

ROWS_OF_A_BLOCK = 16_384
# No cell holds it: a file with one is refused.
BETWEEN = "\0"


def from_csv(path: Path) -> Table:
    """Reads a CSV file; DataError says what is wrong with it and in which line."""
    blocks: list[tuple[str, ...]] = []
    rows: list[list[str]] = []
    lines: list[int] = []

    def pack() -> None:
        if rows:
            blocks.append(tuple(map(BETWEEN.join, zip(*rows, strict=True))))
            rows.clear()

    # utf-8-sig drops the mark that some spreadsheets write before the first column's name.
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(without_blanks(file), strict=True)
        try:
            header = [name.strip() for name in next((cells for cells in reader if cells), [])]
            _check_header(path, header, reader.line_num)
            width = len(header)
            for cells in reader:
                if len(cells) != width:
                    if not cells:
                        continue  # an empty line is none
                    raise DataError(
                        f"{path}, line {reader.line_num}: {counted(len(cells), 'cell')}, "
                        f"but the header names {width}"
                    )
                rows.append(cells)
                lines.append(reader.line_num)
                if len(rows) == ROWS_OF_A_BLOCK:
                    pack()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: not UTF-8 near line {reader.line_num + 1} ({error.reason}); "
                "save it as UTF-8"
            ) from error
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    pack()
    if not lines:
        raise DataError(f"{path}: a header and no samples")
    place = Place(str(path), np.array(lines))
    columns = tuple(
        CsvColumn(name, place, tuple(block[column] for block in blocks))
        for column, name in enumerate(header)
    )
    for column in columns:
        column.check()
    return Table(place, len(lines), columns)


def _check_header(path: Path, header: list[str], line: int) -> None:
    if not header:
        raise DataError(f"{path}: the file is empty")
    if len(header) == 1:
        for separator, name in ((";", "';'"), ("\t", "tabs"), ("|", "'|'")):
            if separator in header[0]:
                raise DataError(
                    f"{path}, line {line}: the cells seem to be separated by {name}; "
                    "save the file with commas between cells, and points in decimals"
                )
    if all(_number(name) is not None for name in header):
        raise DataError(f"{path}, line {line}: numbers where the names of columns should stand")
    check_names(f"{path}, line {line}", header)


@dataclass(frozen=True)
class CsvColumn:
    """The cells of a column, as text: see `Column` for what its methods promise."""

    name: str
    place: Place
    blocks: tuple[str, ...]

    def check(self) -> None:
        """DataError if a cell holds what separates the cells here, as binary files would."""
        for count, block in self._counted():
            if block.count(BETWEEN) != count - 1:
                raise DataError(
                    f"{self.place.column(self.name)}: holds a NUL character; is this a text file?"
                )

    def _counted(self) -> Iterator[tuple[int, str]]:
        assert self.place.lines is not None
        rows = len(self.place.lines)
        for start, block in zip(range(0, rows, ROWS_OF_A_BLOCK), self.blocks, strict=True):
            yield min(ROWS_OF_A_BLOCK, rows - start), block

    def _cells(self) -> Iterator[list[str]]:
        for block in self.blocks:
            yield block.split(BETWEEN)

    def kind(self) -> Kind:
        """Numbers if any cell is one; otherwise booleans if all are; otherwise text."""
        # The first cell mostly tells, without a look at all the others.
        if _finite(next(self._cells())[0]):
            return Kind.NUMBERS
        texts = [text for text in self._texts()[0] if text not in MISSING_NAMES]
        if any(_finite(text) for text in texts):
            return Kind.NUMBERS
        if texts and all(text.lower() in BOOLEANS for text in texts):
            return Kind.BOOLEANS
        return Kind.TEXT if texts else Kind.NUMBERS

    def numbers(self, advice: str = "") -> Array:
        try:
            values = np.concatenate([_numbers(block) for block in self.blocks])
        except ValueError:
            values = self._booleans(advice)
        for row in np.flatnonzero(np.isinf(values)):
            raise DataError(f"{self._cell(int(row))} is not finite")
        return values

    def _booleans(self, advice: str) -> Array:
        """True as 1 and false as 0, if all cells are so; else DataError for the first that is not
        what the others are."""
        spelled = {**BOOLEANS, **dict.fromkeys(MISSING_NUMBERS, math.nan)}
        texts, codes = self._texts()
        if all(text.lower() in spelled for text in texts):
            return np.array([float(spelled[text.lower()]) for text in texts])[codes]
        some = any(_finite(text) for text in texts)
        wrong = [
            code
            for code, text in enumerate(texts)
            if _number(text) is None and text.lower() not in MISSING_NUMBERS
        ]
        row = int(np.argmax(np.isin(codes, wrong)))
        raise DataError(f"{self._cell(row)} is not a number{'' if some else advice}")

    def factor(self, like: Kind | None = None) -> Factor:
        texts, codes = self._texts()
        like = like or _kind_of_classes(texts)
        # Several texts may spell one value: true and True.
        numbers: dict[tuple[type, Value], int] = {}
        renumbered = np.empty(len(texts), dtype=np.int64)
        for code, text in enumerate(texts):
            value = _value(text, like)
            if value is None:
                renumbered[code] = -1
            else:
                renumbered[code] = numbers.setdefault((type(value), value), len(numbers))
        return Factor(tuple(value for _, value in numbers), renumbered[codes])

    def _texts(self) -> tuple[list[str], Array]:
        """The distinct cells, without the blanks around them, and the number of each row's."""
        numbers: dict[str, int] = {}
        parts = [
            np.array([numbers.setdefault(cell.strip(), len(numbers)) for cell in cells])
            for cells in self._cells()
        ]
        return list(numbers), np.concatenate(parts)

    def _cell(self, row: int) -> str:
        block, within = divmod(row, ROWS_OF_A_BLOCK)
        text = self.blocks[block].split(BETWEEN)[within].strip()
        return f"{self.place.cell(row, self.name)}: {text!r}"


def _numbers(block: str) -> Array:
    """The numbers that the cells of a block spell, NaN for missing ones; ValueError if one spells
    none."""
    if "_" in block:
        raise ValueError("Python's 1_000 is no number in a table")
    cells = block.split(BETWEEN)
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        return np.array(
            ["nan" if cell.strip().lower() in MISSING_NUMBERS else cell for cell in cells],
            dtype=np.float64,
        )


def _number(text: str) -> float | None:
    """The number that a cell spells, or None; Python's 1_000 is not one."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _finite(text: str) -> bool:
    number = _number(text)
    return number is not None and math.isfinite(number)


# A whole number as Python writes it, and as it writes the same number among floats.
_WHOLE = re.compile(rf"(0|-?[1-9][0-9]{{0,{DIGITS - 1}}})(\.0)?")


def _kind_of_classes(texts: list[str]) -> Kind:
    """What these cells are if they are classes: numbers are whole, and each is spelled as Python
    would spell it. For 007 and 7, 1E1 and 10 may be two classes, and come back as they were."""
    names = [text for text in texts if text.lower() not in MISSING_NUMBERS]
    if names and all(_number(text) is not None for text in names):
        found = [_WHOLE.fullmatch(text) for text in names]
        if all(match and not match[2] for match in found) or any(map(_is_broken, names)):
            return Kind.NUMBERS
        return Kind.CODES
    if all(text.lower() in BOOLEANS for text in texts if text not in MISSING_NAMES):
        return Kind.BOOLEANS
    return Kind.TEXT


def _is_broken(text: str) -> bool:
    """Whether a number is not whole; without end is not whole either."""
    number = _number(text)
    return number is not None and not number.is_integer() and not text.lstrip("+-").isdecimal()


def is_code(text: str) -> bool:
    """Whether a class is a number to look at."""
    return _number(text) is not None


def _value(text: str, like: Kind) -> Value | None:
    """What a cell among others of this kind means; what is not of the kind stays text."""
    if text in MISSING_NAMES:
        return None
    if like is Kind.TEXT:
        return text
    if text.lower() in MISSING_NUMBERS:
        return None
    if like is Kind.CODES:
        return text
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if match := _WHOLE.fullmatch(text):
        return int(match[1])
    number = _number(text)
    return number if number is not None and _is_broken(text) else text
