"""What a section of a report consists of, whatever it is shown on.

A section computes its numbers and says how they are to be shown, in blocks; the terminal and the
page draw the blocks. The numbers (`data`) are for programs: `symgrad explain --json` writes them,
by keys that are documented in `docs/explain.md`. No block knows what draws it, and what draws knows
no section.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# A cell of a table; None is a figure that there is none of, and is shown as a dash.
Cell = str | int | float | None


@dataclass(frozen=True)
class Words:
    """A paragraph of plain text; what stands `between backticks` is code."""

    text: str


@dataclass(frozen=True)
class Equations:
    """Equations, each as a line of text and in LaTeX."""

    rows: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; a column is numeric, and right-aligned, if it holds no text but a dash."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """One bar a row, on a logarithmic scale unless said otherwise: most figures differ by powers of
    ten."""

    title: str
    unit: str
    rows: tuple[tuple[str, float], ...]
    log: bool = True


@dataclass(frozen=True)
class Series:
    """Points, on a page joined by a line, and each with a marker, unless said otherwise."""

    name: str
    points: tuple[tuple[float, float], ...]
    joined: bool = True
    marked: bool = True


@dataclass(frozen=True)
class Lines:
    """Several series over one x; both axes logarithmic unless said otherwise."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = True
    log_y: bool = True


@dataclass(frozen=True)
class Regions:
    """What a plane is divided into, and points in it. The plane reaches from (low, high) of `ends`;
    `rows`, from below, have the (kind, shade) of each cell, shades from 0 to 1; `points` are
    (x, y, kind). Kinds are the places of `names`."""

    title: str
    x: str
    y: str
    ends: tuple[tuple[float, float], tuple[float, float]]
    rows: tuple[tuple[tuple[int, float], ...], ...]
    points: tuple[tuple[float, float, int], ...]
    names: tuple[str, ...]


def several(number: int, word: str) -> str:
    """A number of things, in words: 1 weight, 9 weights."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


Block = Words | Equations | Table | Bars | Lines | Regions


@dataclass(frozen=True)
class Section:
    """One part of a report: its blocks, its numbers, and what it left out, if anything."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    data: Mapping[str, Any]  # plain data: what json.dumps takes
    missing: str = ""  # why it is not whole: interrupted, or out of time


@dataclass(frozen=True)
class Report:
    """What there is to say of one network; `facts` say which, and where and with what it was made;
    `done` is what has been done to it by symgrad."""

    name: str
    facts: Mapping[str, str]
    sections: tuple[Section, ...] = field(default=())
    done: str = "explained"
