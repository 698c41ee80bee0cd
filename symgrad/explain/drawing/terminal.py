"""Draws sections of the explanation on a terminal, or as plain text where there is none.

Nothing of a section is read as Rich's markup: all of it is drawn as `rich.text.Text`.
"""

import os
import textwrap
from collections.abc import Mapping
from typing import IO

import rich.table
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from symgrad.axes import Scale, drawable
from symgrad.explain.drawing.plot import plot
from symgrad.showing.pages.blocks import Bars, Cell, Equations, Lines, Section, Table, Words
from symgrad.showing.pages.charts import bar_scale, extent
from symgrad.showing.pages.text import figure, numeric, pieces

_PIPED_WIDTH = 100
_WIDEST = 100  # of text: longer lines are hard to follow
_INDENT = 2
_GAP = 2  # between columns; 1 where a table fits no other way
_HEADING = 9  # letters to which headings of numeric columns are wrapped, at most
_TEXT_COLUMN = 16  # letters that a column of text is left with before rows are stacked
_EIGHTHS = "▏▎▍▌▋▊▉█"


def new_console(file: IO[str] | None = None) -> Console:
    """A console as wide as its terminal, or as $COLUMNS says, or as text is in files."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPED_WIDTH
    return console


def show_head(report_name: str, facts: Mapping[str, str], console: Console) -> None:
    """The network's name, and the facts about its explanation."""
    _print(Text(report_name, style="bold", overflow="fold"), console)
    grid = rich.table.Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(style="dim", overflow="fold", max_width=max(console.width // 3, 8))
    grid.add_column(overflow="fold")
    for name, fact in facts.items():
        grid.add_row(Text(name), _prose(fact, console))
    _print(grid, console)


def show(section: Section, console: Console, number: int | None = None) -> None:
    """One section: its title, numbered if it has a number, its blocks, and what is missing."""
    title = section.title if number is None else f"{number}. {section.title}"
    written = _prose(title, console, "bold")
    console.print()
    _print(written, console)
    _print(Text("─" * min(written.cell_len, console.width), style="dim"), console)
    for index, block in enumerate(section.blocks):
        if index:
            console.print()
        match block:
            case Words():
                _paragraph(block.text, console)
            case Equations():
                _equations(block, console)
            case Table():
                _table(block, console)
            case Bars():
                _bars(block, console)
            case Lines():
                _lines(block, console)
    if section.missing:
        console.print()
        _paragraph(f"Not whole: {section.missing}", console, "yellow")


def _print(what: RenderableType, console: Console, width: int | None = None) -> None:
    """Prints without the spaces that Rich fills lines up with: they would be left in files."""
    options = console.options.update_width(width) if width else console.options
    for line in console.render_lines(what, options, pad=False):
        text = Text.assemble(*((part.text, part.style or "") for part in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _prose(text: str, console: Console, style: str = "") -> Text:
    """A text with its code in colour, or in its backticks where there are no colours."""
    coloured = console.color_system is not None and not console.no_color
    written = Text(style=style, overflow="fold")
    for piece, code in pieces(text):
        if code and coloured:
            written.append(piece, style="cyan")
        else:
            written.append(f"`{piece}`" if code else piece)
    return written


def _paragraph(text: str, console: Console, style: str = "") -> None:
    _print(_prose(text, console, style), console, min(console.width, _WIDEST))


def _title(text: str, console: Console) -> None:
    if text:
        _paragraph(text, console, "italic")


def _equations(block: Equations, console: Console) -> None:
    """Each equation begins a line; what doesn't fit there goes on below it, further in."""
    _title(block.title, console)
    for text, _ in block.rows:
        lines = textwrap.wrap(
            text,
            console.width,
            initial_indent=" " * _INDENT,
            subsequent_indent=" " * 3 * _INDENT,
            break_on_hyphens=False,
        )
        _print(Text("\n".join(lines), overflow="fold"), console)


def _table(block: Table, console: Console) -> None:
    """A table, or its rows as lists one below the other where the console is too narrow for it."""
    _title(block.title, console)
    right = numeric(block)
    for gap in (_GAP, 1):
        if _least_width(block, right, gap) <= console.width - _INDENT:
            _print(_indented(_grid(block, right, gap, console)), console)
            break
    else:
        for row in block.rows:
            _stacked(block.columns, row, console)
    if block.note:
        _paragraph(block.note, console, "dim")


def _indented(what: RenderableType, times: int = 1) -> Padding:
    return Padding(what, (0, 0, 0, times * _INDENT))


def _grid(block: Table, right: list[bool], gap: int, console: Console) -> rich.table.Table:
    grid = rich.table.Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    headings = [
        _heading(name) if number else [name]
        for name, number in zip(block.columns, right, strict=True)
    ]
    tallest = max(map(len, headings), default=0)
    for heading, number in zip(headings, right, strict=True):
        above = [""] * (tallest - len(heading))  # headings stand on their columns
        grid.add_column(
            _prose("\n".join(above + heading), console),
            justify="right" if number else "left",
            no_wrap=number,  # a number never goes on in the next line
            overflow="fold",
        )
    for row in block.rows:
        grid.add_row(*(_prose(figure(cell), console) for cell in row))
    return grid


def _heading(name: str) -> list[str]:
    return textwrap.wrap(name, _HEADING, break_long_words=False) or [""]


def _least_width(block: Table, right: list[bool], gap: int) -> int:
    """Letters across that a table needs, with its text wrapped."""

    def least(place: int) -> int:
        cells = [figure(row[place]) for row in block.rows]
        if right[place]:
            return max(map(len, _heading(block.columns[place]) + cells))
        return min(_TEXT_COLUMN, max(map(len, [block.columns[place], *cells])))

    count = len(block.columns)
    return sum(map(least, range(count))) + gap * (count - 1)


def _stacked(columns: tuple[str, ...], row: tuple[Cell, ...], console: Console) -> None:
    """A row as a list, the first cell above the others."""
    for place, (name, cell) in enumerate(zip(columns, row, strict=True)):
        _print(_indented(_prose(f"{name}: {figure(cell)}", console), 2 if place else 1), console)


def _lines(block: Lines, console: Console) -> None:
    _title(f"{block.title}: {block.y}" if block.title else block.y, console)
    for line in plot(block, console.width - _INDENT):
        _print(_indented(Text(line, no_wrap=True, overflow="crop")), console)


def _bars(block: Bars, console: Console) -> None:
    """Labels, figures and bars; what the scale has no place for has no bar."""
    scale = bar_scale(block)
    _title(f"{block.title} ({_scaled(block.unit, scale)})", console)
    width = min(console.width, _WIDEST) - _INDENT
    label = min(max((len(label) for label, _ in block.rows), default=0), width // 3)
    widest = max((len(figure(value)) for _, value in block.rows), default=0)
    room = max(width - label - widest - 2 * _GAP, 4)
    grid = rich.table.Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(width=label, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True, style="cyan")
    for name, value in block.rows:
        drawn = ""
        if scale is not None and drawable(value, block.log):
            start, end = extent(scale, value)
            drawn = _blocks((end - start) * room)
        grid.add_row(_prose(name, console), Text(figure(value)), Text(drawn))
    _print(_indented(grid), console)


def _scaled(unit: str, scale: Scale | None) -> str:
    if scale is None:
        return unit
    labels = [label for _, label in scale.ticks()]
    kind = "logarithmic, " if scale.logarithmic else ""
    return f"{unit}; {kind}from {labels[0]} to {labels[-1]}"


def _blocks(length: float) -> str:
    """A bar of so many letters, to an eighth of one; at least that, or it would seem to be none."""
    eighths = max(round(length * 8), 1)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")
