"""Quotes in CSV files: blanks around a quoted cell are no part of it.

`csv` takes a quote for one only where it begins a cell, and ends a cell with the next one: of
`1, "x" ,2` it would keep the quotes, or refuse what follows them. So the blanks are taken away
before it sees the line; all else is left to it.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache


class _Patterns:
    """What a line is taken apart by, for what separates its cells."""

    def __init__(self, separator: str) -> None:
        s = re.escape(separator)
        # Blanks are what `str.strip` takes away, but for the ends of lines, and the separator.
        blanks = rf"[^\S\r\n{s}]*"
        self.opening = re.compile(blanks + '"')
        self.closing = re.compile(r'(?:[^"]|"")*"(?!")')
        self.after = re.compile(blanks + rf"(?=[{s}\r\n]|\Z)")
        self.unquoted = re.compile(rf"[^{s}\r\n]*")
        # A line of cells that are quoted as they should be, or hold no quote.
        cell = rf'(?:"(?:[^"]|"")*+"|[^"{s}\r\n]*+)'
        self.plain = re.compile(rf"{cell}(?:{s}{cell})*+[\r\n]*")


_patterns = cache(_Patterns)


def without_blanks(lines: Iterable[str], separator: str = ",") -> Iterator[str]:
    """Lines of a CSV file, without the blanks around quoted cells; such a cell may have lines."""
    patterns, within = _patterns(separator), False
    for line in lines:
        if within or ('"' in line and not patterns.plain.fullmatch(line)):
            line, within = _without_blanks(line, within, patterns)
        yield line


def _without_blanks(line: str, within: bool, patterns: _Patterns) -> tuple[str, bool]:
    """`within` says whether the line begins, and then ends, within a quoted cell."""
    parts, place = [], 0
    while place < len(line):
        if not within and (opening := patterns.opening.match(line, place)):
            parts.append('"')
            place, within = opening.end(), True
        if within:
            closing = patterns.closing.match(line, place)
            if closing is None:
                return "".join([*parts, line[place:]]), True
            parts.append(closing[0])
            place, within = closing.end(), False
            if after := patterns.after.match(line, place):
                place = after.end()
        cell = patterns.unquoted.match(line, place)
        assert cell is not None
        # And the separator after the cell, or the end of the line.
        parts.append(line[place : cell.end() + 1])
        place = cell.end() + 1
    return "".join(parts), within
