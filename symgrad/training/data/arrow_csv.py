"""Large CSV files, through Arrow's reader: by the rules of `from_csv`, and with the same values.

Numbers are parsed by Arrow, straight into the array that they are wanted in; columns of words, and
numbers whose spelling counts, are read as text and left to `from_csv`. What Arrow might read in
another way is refused here, without a word for the user: then `from_csv` reads all of it, and says
what is wrong if anything is.
"""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.csv_format import DECIMAL, SEPARATOR, Format
from symgrad.training.data.files import opened
from symgrad.training.data.from_csv import (
    BETWEEN,
    MISSING_NUMBERS,
    ROWS_OF_A_BLOCK,
    CsvColumn,
    first_lines,
    header_of,
    order_of,
    read_lines,
    source_of,
)
from symgrad.training.data.table import Column, Factor, Kind, Place, Table
from symgrad.training.module import Array

# Smaller files are read before pyarrow is imported.
FROM_BYTES = 1 << 21

_AT_ONCE = 1 << 20
# Rows by which a column is taken for one of numbers.
_LOOKED_AT = 1000
_MISSING = sorted({each for text in MISSING_NUMBERS for each in (text, text.upper(), text.title())}
                  | {"NaN"})  # fmt: skip


class NotCertain(DataError):
    """What Arrow might read otherwise."""


def fast_table(paths: Sequence[Path], wanted: Format) -> Table | None:
    """The table of CSV files; None where they are small, pyarrow is not there, or their form is one
    that only `from_csv` knows."""
    if sum(path.stat().st_size for path in paths) < FROM_BYTES:
        return None
    try:
        import pyarrow.csv  # noqa: F401
    except ImportError:
        return None
    try:
        return _table(paths, wanted)
    except DataError:
        return None


def _table(paths: Sequence[Path], wanted: Format) -> Table:
    separator = wanted.separator_of(first_lines(paths[0]))
    headers = [_header(path, separator) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        order_of(path, header, paths[0], headers[0])
    lines, quoted = zip(*(_scanned(path, separator) for path in paths), strict=True)
    # Where a cell may hold a comma, as many rows as `from_csv` looks at decide what it is.
    commas = separator != SEPARATOR or any(quoted) or wanted.decimal not in (None, DECIMAL)
    count = ROWS_OF_A_BLOCK if commas else _LOOKED_AT
    rows = list(islice(_rows(paths, headers, separator), count))
    decimal = wanted.decimal_of(rows, separator)
    source = _Source(tuple(paths), tuple(map(tuple, headers)), separator, decimal, sum(lines))
    place = Place(source_of(paths))
    looked_at = [list(cells) for cells in zip(*rows[:_LOOKED_AT], strict=True)]
    columns = tuple(
        _FastColumn(name, place, source, _are_numbers(name, place, cells, decimal))
        for name, cells in zip(headers[0], looked_at, strict=True)
    )
    return _FastTable(
        place, 0, columns, separator=separator, decimal=decimal,
        notes=wanted.notes(separator, decimal), source=source,
    )  # fmt: skip


def _header(path: Path, separator: str) -> list[str]:
    with read_lines(path, separator) as reader:
        header = header_of(path, reader)
        if reader.line_num != 1:
            raise NotCertain("the header is not the first line")
        return header


def _rows(
    paths: Sequence[Path], headers: Sequence[list[str]], separator: str
) -> Iterator[list[str]]:
    """The rows, as `from_csv` has them, the columns of each file as in the first."""
    for path, header in zip(paths, headers, strict=True):
        order = [header.index(name) for name in headers[0]]
        with read_lines(path, separator) as reader:
            next(reader)
            for cells in filter(None, reader):
                if len(cells) != len(header):
                    raise NotCertain("a row of another length")
                yield [cells[column] for column in order]


def _are_numbers(name: str, place: Place, cells: list[str], decimal: str) -> bool:
    """Whether cells are numbers or missing, and some are numbers."""
    column = CsvColumn(name, _without_lines(place, len(cells)), (BETWEEN.join(cells),), decimal)
    try:
        return not np.isnan(column.numbers()).all() and column.kind() is Kind.NUMBERS
    except DataError:
        return False


def _without_lines(place: Place, rows: int) -> Place:
    return Place(place.source, np.broadcast_to(np.int64(0), rows))


# ------------------------------------------------------------------------------------------- bytes


def _scanned(path: Path, separator: str) -> tuple[int, bool]:
    """The lines of a file at most, and whether it has quotes, if all readers agree on what its
    bytes mean: it is UTF-8, without NUL; no line ends in a lone carriage return; and quotes stand
    around whole cells of one line. Else NotCertain."""
    decoder, quotes = codecs.getincrementaldecoder("utf-8")(), _Quotes(separator)
    lines, quoted = 1, False
    with opened(path) as file:
        while chunk := file.read(_AT_ONCE):
            if b'"' in chunk or b"\r" in chunk:
                chunk += file.readline()  # these are looked at in whole lines
            if not chunk.isascii():
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    raise NotCertain(str(error)) from error
            if b"\0" in chunk or (b"\r" in chunk and chunk.count(b"\r") != chunk.count(b"\r\n")):
                raise NotCertain("NUL, or a lone carriage return")
            if b'"' in chunk:
                quotes.check(chunk)
                quoted = True
            lines += chunk.count(b"\n")
    return lines, quoted


class _Quotes:
    """Checks quotes in whole lines: they open after a separator, and close before the next one."""

    def __init__(self, separator: str) -> None:
        if not separator.isascii():
            raise NotCertain("a separator of several bytes")
        self.ends = np.frombuffer(separator.encode() + b"\r\n", np.uint8)

    def check(self, lines: bytes) -> None:
        text = np.frombuffer(b"\n" + lines.removeprefix(codecs.BOM_UTF8) + b"\n", np.uint8)
        quotes = np.flatnonzero(text == ord('"'))
        opening, closing = quotes[::2], quotes[1::2]
        if len(opening) != len(closing):
            raise NotCertain("a quote that does not close")
        newlines = np.flatnonzero(text == ord("\n"))
        within = np.searchsorted(newlines, opening) != np.searchsorted(newlines, closing)
        before, after = text[opening - 1], text[closing + 1]
        if (
            within.any()
            or not np.isin(before, self.ends).all()
            or not np.isin(after, self.ends).all()
        ):
            raise NotCertain("quotes within a cell, or lines within quotes")


# -------------------------------------------------------------------------------------------- table


class _Source:
    """Files, and the numbers that were read of them."""

    def __init__(
        self,
        paths: tuple[Path, ...],
        headers: tuple[tuple[str, ...], ...],
        separator: str,
        decimal: str,
        most: int,
    ) -> None:
        self.paths, self.headers = paths, headers
        self.separator, self.decimal, self.most = separator, decimal, most
        self.loaded: tuple[str, ...] = ()
        self.numbers: Array = np.empty((0, 0))
        self._rows: int | None = None

    @property
    def rows(self) -> int:
        if self._rows is None:
            for _ in self.texts(self.headers[0][0]):
                pass
        assert self._rows is not None
        return self._rows

    def load(self, names: Sequence[str]) -> None:
        """Reads columns of numbers; they are then in `numbers`, of shape (rows, names)."""
        import pyarrow as pa

        if tuple(names) == self.loaded[: len(names)]:
            return
        numbers = np.empty((self.most, len(names)))
        rows = 0
        for batch in self._batches(names, pa.float64()):
            for place, values in enumerate(batch.columns):
                column = values.to_numpy(zero_copy_only=False)
                if np.count_nonzero(np.isfinite(column)) != len(column) - values.null_count:
                    raise NotCertain("a number that is none, or not finite")
                numbers[rows : rows + len(column), place] = column
            rows += len(batch)
        self._count(rows)
        self.loaded, self.numbers = tuple(names), numbers[:rows]

    def texts(self, name: str) -> list[str]:
        """The cells of a column, as `CsvColumn` has them."""
        import pyarrow as pa

        blocks: list[str] = []
        cells: list[str] = []
        rows = 0
        for batch in self._batches([name], pa.string()):
            cells += batch.column(0).to_pylist()
            rows += len(batch)
            while len(cells) >= ROWS_OF_A_BLOCK:
                blocks.append(BETWEEN.join(cells[:ROWS_OF_A_BLOCK]))
                del cells[:ROWS_OF_A_BLOCK]
        if cells:
            blocks.append(BETWEEN.join(cells))
        self._count(rows)
        return blocks

    def _count(self, rows: int) -> None:
        if not rows or self._rows not in (None, rows):
            raise NotCertain("no rows, or not as many as before")
        self._rows = rows

    def _batches(self, names: Sequence[str], kind: Any) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow import csv

        parse = csv.ParseOptions(delimiter=self.separator)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, kind),
            include_columns=list(names),
            null_values=_MISSING,
            decimal_point=self.decimal,
        )
        for path, header in zip(self.paths, self.headers, strict=True):
            read = csv.ReadOptions(
                column_names=list(header), skip_rows=1, use_threads=False, block_size=_AT_ONCE
            )
            with opened(path) as file:
                try:
                    with csv.open_csv(file, read, parse, convert) as batches:
                        yield from batches
                except pa.ArrowException as error:
                    raise NotCertain(str(error)) from error


@dataclass(frozen=True)
class _FastColumn:
    """A column that is read when it is asked for; see `Column`."""

    name: str
    place: Place
    source: _Source
    numeric: bool

    def kind(self) -> Kind:
        return Kind.NUMBERS if self.numeric else self._text().kind()

    def numbers(self, advice: str = "") -> Array:
        if not self.numeric:
            return self._text().numbers(advice)
        if self.name not in self.source.loaded:
            self.source.load([self.name])
        return self.source.numbers[:, self.source.loaded.index(self.name)]

    def factor(self, like: Kind | None = None) -> Factor:
        return self._text().factor(like)

    def _text(self) -> CsvColumn:
        blocks = tuple(self.source.texts(self.name))
        place = _without_lines(self.place, self.source.rows)
        return CsvColumn(self.name, place, blocks, self.source.decimal)


@dataclass(frozen=True)
class _FastTable(Table):
    """A table whose columns of numbers are read all at once, into one array."""

    source: _Source | None = None

    def __len__(self) -> int:
        assert self.source is not None
        return self.source.rows

    def load(self, columns: Sequence[Column]) -> None:
        assert self.source is not None
        numeric = [c.name for c in columns if isinstance(c, _FastColumn) and c.numeric]
        if numeric:
            self.source.load(numeric)

    def matrix(self, columns: Sequence[Column]) -> Array:
        assert self.source is not None
        names = tuple(column.name for column in columns)
        if names and names == self.source.loaded[: len(names)]:
            return self.source.numbers[:, : len(names)]
        return super().matrix(columns)
