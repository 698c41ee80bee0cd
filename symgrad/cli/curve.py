"""The losses of a training drawn on the terminal, by the dots of Braille: eight in a letter."""

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

from symgrad.axes import Scale
from symgrad.training.curve import Curve, Points, scale
from symgrad.training.dataset import TRAINING, VALIDATION
from symgrad.training.module import Array

_WIDEST, _TALLEST = 90, 10  # letters across, and lines between the ends of the axis
_NARROWEST, _LOWEST = 24, 4
_BESIDE = 5  # lines of the terminal for the ruler, the bar, and what was said before

# Where the dots of a letter lie: by row from above, and by column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_NO_DOT = 0x2800

# A colour, a line in the legend, and of how many columns of dots how many are drawn: who sees no
# colours tells the curves apart by dashes.
_STYLES = {
    TRAINING: (Style(color="cyan"), "━━", 1, 1),
    VALIDATION: (Style(color="yellow"), "╍╍", 3, 2),
}


def can_draw(console: Console) -> bool:
    """Whether a console has Braille, and a cursor that goes up again."""
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and not console.legacy_windows
        and not console.options.ascii_only
    )


class LossCurve:
    """What is drawn anew many times a second, as large as there is room for by then."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        series = self.curve.series()
        width = min(options.max_width - 1, _WIDEST)
        height = min(console.size.height - _BESIDE, _TALLEST)
        if series and width >= _NARROWEST and height >= _LOWEST:
            for line in drawn(series, width, height):
                yield from line
                yield Segment.line()


def drawn(series: Mapping[str, Points], width: int, height: int) -> Iterator[list[Segment]]:
    """So many lines of so many letters, and a ruler below them that says whose curves they are."""
    up = scale(series)
    labels = {round((1 - at) * (height - 1)): label for at, label in up.ticks()}
    margin = max(map(len, labels.values()))
    columns = width - margin - 2
    numbers = [number for points in series.values() for number, _ in points]
    ends = min(numbers), max(numbers)
    letters, owners = np.zeros((height, columns), np.int64), np.full((height, columns), "", object)
    for part, points in series.items():
        _, _, period, filled = _STYLES[part]
        dots = _dots(points, ends, up, height, columns)
        dots[:, np.arange(2 * columns) % period >= filled] = False
        of_letters = dots.reshape(height, 4, columns, 2).swapaxes(1, 2)
        own = (of_letters * _DOTS).sum(axis=(2, 3))
        letters |= own
        owners[own > 0] = part
    for row in range(height):
        yield [
            Segment(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}"),
            *_row(letters[row].tolist(), owners[row].tolist()),
        ]
    yield _ruler(ends, series, margin, columns)


def _dots(points: Points, ends: tuple[int, int], up: Scale, height: int, columns: int) -> Array:
    """A curve's dots, bools of shape (4·height, 2·columns), each column joined with the last."""
    rows, across = 4 * height, np.arange(2 * columns)
    first, last = ends
    spread = (2 * columns - 1) / max(last - first, 1)
    at = np.array([(number - first) * spread for number, _ in points])
    places = np.array([(1 - up.place(loss)) * (rows - 1) for _, loss in points])
    curve = np.rint(np.interp(across, at, places)).astype(np.int64)
    before = np.concatenate([curve[:1], curve[:-1]])
    low, high = np.minimum(curve, before + 1), np.maximum(curve, before - 1)
    row = np.arange(rows)[:, None]
    return (low <= row) & (row <= high) & (at[0] - 0.5 <= across) & (across <= at[-1] + 0.5)


def _row(letters: list[int], owners: list[str]) -> Iterator[Segment]:
    """Letters, those of one colour together."""
    for part, places in groupby(range(len(letters)), key=owners.__getitem__):
        text = "".join(chr(_NO_DOT + letters[place]) if part else " " for place in places)
        yield Segment(text, _STYLES[part][0] if part else None)


def _ruler(
    ends: tuple[int, int], parts: Mapping[str, Points], margin: int, columns: int
) -> list[Segment]:
    """The first epoch and the last, and between them the legend, as far as there is room."""
    first, last = (f"{number:,}" for number in ends)
    line, room = [Segment(f"{'':{margin}}  epoch {first}")], columns - 6 - len(first + last)
    for part in parts:
        style, dash, _, _ = _STYLES[part]
        words = f" loss, {part}"
        if (room := room - 4 - len(words)) >= 1:
            line += [Segment("  "), Segment(dash, style), Segment(words)]
        else:
            room += 4 + len(words)
    return [*line, Segment(" " * max(room, 1) + last)]
