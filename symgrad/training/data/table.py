"""A table as every kind of source gives it: columns with names, and the place of each value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol, TypeAlias

import numpy as np

from symgrad.errors import DataError
from symgrad.training.labels import not_text
from symgrad.training.module import Array
from symgrad.training.trained import Label

# What a name list shows at most; a table may have thousands of columns.
SHOWN = 12


class Kind(Enum):
    """What a column holds, apart from missing values."""

    NUMBERS = "numbers"
    BOOLEANS = "booleans"
    TEXT = "text"
    CODES = "codes"  # whole numbers spelled otherwise, as 007: text, but what is missing is spelled
    #                  as among numbers. A wish only: as text they are told apart when they are read


Value: TypeAlias = Label | float


@dataclass(frozen=True)
class Factor:
    """A column as its distinct values, in no special order, and the number of each row's value.

    `codes` has the shape (rows,); −1 stands for a missing value.
    """

    values: tuple[Value, ...]
    codes: Array

    def take(self, rows: Array) -> "Factor":
        """These rows, without the values that no longer occur."""
        codes = self.codes[rows]
        used, packed = np.unique(codes[codes >= 0], return_inverse=True)
        taken = np.full(len(codes), -1)
        taken[codes >= 0] = packed
        return Factor(tuple(self.values[code] for code in used), taken)

    def first(self, code: int) -> int:
        """The first row with the value of this number."""
        return int(np.argmax(self.codes == code))


def factor_of_numbers(numbers: Array, missing: Array) -> Factor:
    """The factor of numbers or booleans, of shape (rows,) like the mask of the missing ones; whole
    floats become integers."""
    distinct, inverse = np.unique(numbers[~missing], return_inverse=True)
    codes = np.full(len(numbers), -1)
    codes[~missing] = inverse
    return Factor(tuple(whole(value) for value in distinct.tolist()), codes)


def whole(value: Value) -> Value:
    """A float as the integer that it is, if it is one and floats that large still count in ones."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


@dataclass(frozen=True)
class Place:
    """Where the rows of a table stand, for messages: lines of a file, or else rows from 0.

    `files` has the first row and the name of each, where there are several.
    """

    source: str
    lines: Array | None = None  # (rows,): the line that each row ends on
    files: tuple[tuple[int, str], ...] = ()

    def row(self, row: int) -> str:
        if self.lines is None:
            return f"row {row}"
        of = next((f" of {name}" for first, name in reversed(self.files) if first <= row), "")
        return f"line {self.lines[row]}{of}"

    def column(self, name: str) -> str:
        return f"{self.source}, column {name!r}"

    def cell(self, row: int, name: str) -> str:
        return f"{self.source}, {self.row(row)}, column {name!r}"


class Column(Protocol):
    """A column whose values are looked at only when it is known what they are wanted for."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> Place: ...

    def kind(self) -> Kind:
        """What the column holds; DataError if it is nothing that a network could use."""

    def numbers(self, advice: str = "") -> Array:
        """Finite float64 of shape (rows,), true as 1 and false as 0, NaN for missing values.

        DataError with the place of the first value that is no number; `advice` ends the message of
        a column without any numbers.
        """

    def factor(self, like: Kind | None = None) -> Factor:
        """The distinct values; text that could be numbers or booleans only if it is `like` them."""


@dataclass(frozen=True)
class Roles:
    """Which columns of a table are what, by their numbers."""

    inputs: tuple[int, ...]
    targets: tuple[int, ...]
    weight: int | None = None


@dataclass(frozen=True)
class Table:
    """Columns of equal length; `roles` where the source itself says what they are.

    `named` is false where the columns' names only count them. `separator` and `decimal` are those
    of text, and `notes` lines for the user on how it was read.
    """

    place: Place
    rows: int
    columns: tuple[Column, ...]
    named: bool = True
    roles: Roles | None = None
    separator: str | None = None
    decimal: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.rows

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def index(self, name: str) -> int:
        """The number of the column of this name; DataError if there is none."""
        names = self.names
        if name not in names:
            raise DataError(f"{self.place.source}: no column {name!r}; there are {listed(names)}")
        return names.index(name)

    def load(self, columns: Sequence[Column]) -> None:
        """Told which columns will be asked for their numbers, those of inputs first."""

    def matrix(self, columns: Sequence[Column]) -> Array:
        """The numbers of columns of this table, of shape (rows, columns), as they have them."""
        x = np.empty((len(self), len(columns)))
        for number, column in enumerate(columns):
            x[:, number] = column.numbers()
        return x

    def take(self, names: Sequence[str]) -> "Table":
        """These columns, in this order; DataError if one is not there."""
        columns = tuple(self.columns[self.index(name)] for name in names)
        return replace(self, columns=columns)


def check_names(source: str, names: Sequence[str]) -> None:
    """DataError if two columns have the same name, or one has a name that is no text."""
    seen: set[str] = set()
    for name in names:
        if wrong := not_text(name):
            raise DataError(f"{source}: the name of column {name!r} {wrong}")
        if name in seen:
            raise DataError(f"{source}: two columns are called {name!r}")
        seen.add(name)


def listed(names: Sequence[object]) -> str:
    """`a, b, c`, cut after a dozen."""
    if not names:
        return "none"
    rest = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    texts = map(str, names[:SHOWN])
    # A message is one line, whatever it quotes.
    return ", ".join(text if text and text.isprintable() else repr(text) for text in texts) + rest


def counted(count: int, thing: str, plural: str = "") -> str:
    """`1 column`, `2 columns`."""
    return f"1 {thing}" if count == 1 else f"{count:,} {plural or thing + 's'}"
