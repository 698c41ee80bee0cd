"""CSV files: UTF-8, cells between commas, a header, one sample a row.

A spreadsheet's cells are text, and what they mean depends on what is wanted: `1` is a number among
inputs and may be the name of a class. So the text is kept, a string for each column of a block of
rows, and read when a column is asked for its values: a table takes about as much memory as its
file, and Python's strings for single cells live only as long as their block.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.caller import argument
from symgrad.training.data.csv_format import DECIMAL, SWAPPED, Format
from symgrad.training.data.encoding import not_utf_8
from symgrad.training.data.files import opened
from symgrad.training.data.quotes import without_blanks
from symgrad.training.data.table import (
    Factor,
    Kind,
    Place,
    Table,
    Value,
    check_names,
    counted,
    listed,
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

ANY = Format()


def from_csv(paths: Sequence[Path], wanted: Format = ANY) -> Table:
    """Reads CSV files of the same columns as one table; DataError says what is wrong with them and
    in which line."""
    blocks: list[tuple[str, ...]] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    starts: list[tuple[int, str]] = []
    names: list[str] = []
    separator = decimal = ""

    def pack() -> None:
        nonlocal decimal
        decimal = decimal or wanted.decimal_of(rows, separator)
        if rows:
            blocks.append(tuple(map(BETWEEN.join, zip(*rows, strict=True))))
            rows.clear()

    for path in paths:
        separator = separator or wanted.separator_of(first_lines(path))
        starts.append((len(lines), str(path)))
        with read_lines(path, separator) as reader:
            header = header_of(path, reader)
            order = order_of(path, header, paths[0], names or header)
            names, width = names or header, len(header)
            for cells in reader:
                if len(cells) != width:
                    if not cells:
                        continue  # an empty line is none
                    raise DataError(
                        f"{path}, line {reader.line_num}: {counted(len(cells), 'cell')}, "
                        f"but the header names {width}{_unquoted_commas(cells, width, separator)}"
                    )
                rows.append(cells if order is None else [cells[column] for column in order])
                lines.append(reader.line_num)
                if len(rows) == ROWS_OF_A_BLOCK:
                    pack()
        if len(lines) == starts[-1][0]:
            raise DataError(f"{path}: a header and no samples")
    pack()
    several = tuple(starts) if len(paths) > 1 else ()
    place = Place(source_of(paths), np.array(lines), several)
    columns = tuple(
        CsvColumn(name, place, tuple(block[column] for block in blocks), decimal)
        for column, name in enumerate(names)
    )
    for column in columns:
        column.check()
    notes = wanted.notes(separator, decimal)
    return Table(place, len(lines), columns, separator=separator, decimal=decimal, notes=notes)


def source_of(paths: Sequence[Path]) -> str:
    """What messages call these files."""
    more = f" and {counted(len(paths) - 1, 'file')} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


@contextmanager
def read_lines(path: Path, separator: str) -> Iterator[Any]:
    """A reader of rows, of `csv`; what it or the text is refused for becomes a DataError."""
    # utf-8-sig drops the mark that some spreadsheets write before the first column's name.
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.reader(without_blanks(text, separator), delimiter=separator, strict=True)
        try:
            yield reader
        except UnicodeDecodeError as error:
            raise not_utf_8(path) from error
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def first_lines(path: Path) -> list[str]:
    """The first two lines with anything in them, of which the separator is seen; cells with quotes
    may hold what it is not."""
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        lines = islice((line for line in text if line.strip("\r\n")), 2)
        return [_QUOTED.sub("", line) for line in lines]


_QUOTED = re.compile(r'"[^"]*"')


def header_of(path: Path, reader: Any) -> list[str]:
    """The names of the columns, which are read."""
    header = [name.strip() for name in next((cells for cells in reader if cells), [])]
    if not header:
        raise DataError(f"{path}: the file is empty")
    if all(_number(name) is not None for name in header):
        raise DataError(
            f"{path}, line {reader.line_num}: numbers where the names of columns should stand"
        )
    check_names(f"{path}, line {reader.line_num}", header)
    return header


def order_of(path: Path, header: list[str], first: Path, names: list[str]) -> list[int] | None:
    """Where in a file the columns of the first one stand, None if they stand alike; DataError if
    they are others."""
    if header == names:
        return None
    without = [repr(name) for name in names if name not in header]
    beyond = [repr(name) for name in header if name not in names]
    if without or beyond:
        parts = [f"without {listed(without)}"] if without else []
        parts += [f"with {listed(beyond)}"] if beyond else []
        raise DataError(
            f"{path}: other columns than those of {first}: {', '.join(parts)}; files that are read "
            "as one table need the same columns"
        )
    return [header.index(name) for name in names]


def _unquoted_commas(cells: list[str], width: int, separator: str) -> str:
    if separator == "," and width < len(cells) <= 2 * width:
        return (
            "; decimals after a comma need quotes around them, or another separator: "
            '"3,14", or 3,14;2,72'
        )
    return ""


@dataclass(frozen=True)
class CsvColumn:
    """The cells of a column, as text: see `Column` for what its methods promise."""

    name: str
    place: Place
    blocks: tuple[str, ...]
    decimal: str = DECIMAL

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
        if _finite(self._plain(next(self._cells())[0])):
            return Kind.NUMBERS
        texts = [text for text in self._texts()[0] if text not in MISSING_NAMES]
        if any(_finite(self._plain(text)) for text in texts):
            return Kind.NUMBERS
        if texts and all(text.lower() in BOOLEANS for text in texts):
            return Kind.BOOLEANS
        return Kind.TEXT if texts else Kind.NUMBERS

    def numbers(self, advice: str = "") -> Array:
        try:
            values = np.concatenate([_numbers(self._plain(block)) for block in self.blocks])
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
        some = any(_finite(self._plain(text)) for text in texts)
        wrong = [
            code
            for code, text in enumerate(texts)
            if _number(self._plain(text)) is None and text.lower() not in MISSING_NUMBERS
        ]
        row = int(np.argmax(np.isin(codes, wrong)))
        if self._is_of_other_decimals(texts[codes[row]]):
            (read, _), (other, sign) = (_POINT, _COMMA) if self.decimal == "." else (_COMMA, _POINT)
            advice = (
                f"; decimals are read after a {read}: {argument('decimal', sign)} if they stand"
                f" after a {other}"
            )
        elif some:
            advice = ""
        raise DataError(f"{self._cell(row)} is not a number{advice}")

    def _is_of_other_decimals(self, text: str) -> bool:
        return _number(self._plain(text).translate(SWAPPED)) is not None

    def factor(self, like: Kind | None = None) -> Factor:
        texts, codes = self._texts()
        spelled = [self._plain(text) for text in texts]
        like = like or _kind_of_classes(spelled)
        # Several texts may spell one value: true and True.
        numbers: dict[tuple[type, Value], int] = {}
        renumbered = np.empty(len(texts), dtype=np.int64)
        for code, text in enumerate(texts):
            value = _value(spelled[code], like)
            if isinstance(value, str):
                value = text
            if value is None:
                renumbered[code] = -1
            else:
                renumbered[code] = numbers.setdefault((type(value), value), len(numbers))
        return Factor(tuple(value for _, value in numbers), renumbered[codes])

    def _plain(self, text: str) -> str:
        """Numbers in a text, or a block of texts, as Python spells them."""
        return text if self.decimal == DECIMAL else text.translate(SWAPPED)

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


_POINT, _COMMA = ("point", "."), ("comma", ",")


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
