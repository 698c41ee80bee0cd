"""What a section of the explanation consists of, whatever it is shown on.

A section computes its numbers and says how they are to be shown, in blocks; the terminal and the
page draw the blocks, and `--json` writes the numbers (`data`), whose keys are documented in
`docs/explain.md`. No block knows what draws it, and what draws knows no section.
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
    """One bar a row, on a logarithmic scale: figures here differ by powers of ten."""

    title: str
    unit: str
    rows: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Lines:
    """Several series over one x; both axes logarithmic unless said otherwise."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = True


def several(number: int, word: str) -> str:
    """A number of things, in words: 1 weight, 9 weights."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


Block = Words | Equations | Table | Bars | Lines


@dataclass(frozen=True)
class Section:
    """One part of the explanation: its blocks, its numbers, and what it left out, if anything."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    data: Mapping[str, Any]  # plain data: what json.dumps takes
    missing: str = ""  # why it is not whole: interrupted, or out of time


@dataclass(frozen=True)
class Report:
    """The explanation of one network; `facts` say which, and where and with what it was made."""

    name: str
    facts: Mapping[str, str]
    sections: tuple[Section, ...] = field(default=())
