"""Quotes in CSV files: blanks around a quoted cell are no part of it.

`csv` takes a quote for one only where it begins a cell, and ends a cell with the next one: of
`1, "x" ,2` it would keep the quotes, or refuse what follows them. So the blanks are taken away
before it sees the line; all else is left to it.
"""

import re
from collections.abc import Iterable, Iterator

# Blanks are what `str.strip` takes away, but for the ends of lines.
_BLANKS = r"[^\S\r\n]*"
_OPENING = re.compile(_BLANKS + '"')
_CLOSING = re.compile(r'(?:[^"]|"")*"(?!")')
_AFTER = re.compile(_BLANKS + r"(?=[,\r\n]|\Z)")
_UNQUOTED = re.compile(r"[^,\r\n]*")
# A line of cells that are quoted as they should be, or hold no quote.
_CELL = r'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
_PLAIN = re.compile(rf"{_CELL}(?:,{_CELL})*+[\r\n]*")


def without_blanks(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a CSV file, without the blanks around quoted cells; such a cell may have lines."""
    within = False
    for line in lines:
        if within or ('"' in line and not _PLAIN.fullmatch(line)):
            line, within = _without_blanks(line, within)
        yield line


def _without_blanks(line: str, within: bool) -> tuple[str, bool]:
    """`within` says whether the line begins, and then ends, within a quoted cell."""
    parts, place = [], 0
    while place < len(line):
        if not within and (opening := _OPENING.match(line, place)):
            parts.append('"')
            place, within = opening.end(), True
        if within:
            closing = _CLOSING.match(line, place)
            if closing is None:
                return "".join([*parts, line[place:]]), True
            parts.append(closing[0])
            place, within = closing.end(), False
            if after := _AFTER.match(line, place):
                place = after.end()
        cell = _UNQUOTED.match(line, place)
        assert cell is not None
        # And the comma after the cell, or the end of the line.
        parts.append(line[place : cell.end() + 1])
        place = cell.end() + 1
    return "".join(parts), within
