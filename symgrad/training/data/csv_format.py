"""csv_format: what separates the cells of a CSV file, and what stands before a number's decimals.

Who says nothing has both guessed, and is told where they are not a comma and a point. A guess never
changes what a number means: of `1,234` alone, which may be 1234 to its writer, no comma is made a
decimal one, unless cells are separated by something else.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symgrad.errors import DataError

SEPARATOR, DECIMAL = ",", "."

# What is looked for, in this order, and what messages call it.
_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
_SPELLED = {"\\t": "\t", "tab": "\t"}

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_COMMA = re.compile(rf"[+-]?\d*,\d+{_EXPONENT}")
_POINT = re.compile(rf"[+-]?(?:\d*\.\d+|\d+\.){_EXPONENT}")
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}")

# Of text with decimal commas: what Python would read, and the other way round.
SWAPPED = str.maketrans(",.", ".,")


@dataclass(frozen=True)
class Format:
    """What is known beforehand, None for what is not; `firm` if a user has said it, and not an
    earlier file."""

    separator: str | None = None
    decimal: str | None = None
    firm: bool = True

    @classmethod
    def given(cls, separator: str | None, decimal: str | None) -> "Format":
        """What a user has said; DataError for what can be neither."""
        separator = _SPELLED.get(separator or "", separator)
        if separator is not None and (
            len(separator) != 1 or separator.isalnum() or separator in ' ".+-\r\n\0'
        ):
            raise DataError(
                f"the separator {separator!r}: expected one character, such as ';', or tab"
            )
        if decimal not in (None, ",", "."):
            raise DataError(f"the decimal {decimal!r}: expected ',' or '.'")
        return cls(separator, decimal)

    def separator_of(self, lines: Sequence[str]) -> str:
        """What separates the cells of a file whose first lines are these, without what stands in
        quotes: it makes as many cells of the header as of the first row, and the most of them."""
        header, *rows = lines or [""]
        if self.separator is not None and (self.firm or self.separator in header):
            return self.separator
        cells = {each: header.count(each) for each in _SEPARATORS if each in header}
        alike = [each for each in cells if all(row.count(each) == cells[each] for row in rows)]
        # The first of equals: max keeps the order.
        return max(alike, key=cells.__getitem__) if alike else next(iter(cells), SEPARATOR)

    def decimal_of(self, rows: Iterable[Sequence[str]], separator: str) -> str:
        """What stands before decimals, by the first rows of a file."""
        if self.decimal is not None and self.firm:
            return self.decimal
        return _decimal_of(rows, separator) or self.decimal or DECIMAL

    def notes(self, separator: str, decimal: str) -> tuple[str, ...]:
        """What is to be said of a guess."""
        others = separator != (self.separator or SEPARATOR)
        if not others and decimal == (self.decimal or DECIMAL):
            return ()
        cells = f"cells separated by {_SEPARATORS[separator]} and " if others else ""
        return (f"read with {cells}decimals after a {'comma' if decimal == ',' else 'point'}",)


def _decimal_of(rows: Iterable[Sequence[str]], separator: str) -> str | None:
    """None where the cells leave it open."""
    commas = thousands = points = False
    for cells in rows:
        for cell in cells:
            if "," in cell:
                cell = cell.strip()
                if _THOUSANDS.fullmatch(cell):
                    thousands = True
                elif _COMMA.fullmatch(cell):
                    commas = True
            elif "." in cell and not points:
                points = _POINT.fullmatch(cell.strip()) is not None
    if points:
        # With commas as well it takes a person to say which of the two are decimals.
        return None if commas or thousands else DECIMAL
    return "," if commas or (thousands and separator != SEPARATOR) else None
