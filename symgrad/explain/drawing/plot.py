"""Curves drawn with letters, for a terminal: a letter for each series, and dots between points."""

import string
from itertools import pairwise

from symgrad.axes import Scale, drawable, scale_of
from symgrad.showing.pages.blocks import Lines

_HEIGHT = 15  # rows between the axes' ends
_WIDEST = 72  # columns
_NARROWEST = 12

Place = tuple[int, int]  # row from above, column from the left


def plot(block: Lines, width: int) -> list[str]:
    """The lines of a plot `width` columns wide at most, with a legend; none if there is no point.

    Where curves meet, the letter of the first of them is seen.
    """
    curves = [
        sorted(
            (x, y)
            for x, y in series.points
            if drawable(x, block.log_x) and drawable(y, block.log_y)
        )
        for series in block.series
    ]
    points = [point for curve in curves for point in curve]
    if not points:
        return []
    across = scale_of([x for x, _ in points], block.log_x)
    up = scale_of([y for _, y in points], block.log_y)
    labels = {round((1 - at) * _HEIGHT): label for at, label in up.ticks()}
    margin = max(map(len, labels.values()))
    columns = max(min(width, _WIDEST) - margin - 3, _NARROWEST)
    grid = _drawn(curves, across, up, columns)
    drawn = [
        f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}{''.join(cells).rstrip()}"
        for row, cells in enumerate(grid)
    ]
    ruler, names = _ruler(across, columns)
    pad = " " * (margin + 1)
    letters = zip(string.ascii_letters, block.series, strict=False)
    return [
        *drawn,
        f"{pad}└{ruler}",
        f"{pad} {names}".rstrip(),
        f"{pad} {block.x}",
        *(f"{pad} {letter}  {series.name}" for letter, series in letters),
    ]


def _drawn(
    curves: list[list[tuple[float, float]]], across: Scale, up: Scale, columns: int
) -> list[list[str]]:
    grid = [[" "] * (columns + 1) for _ in range(_HEIGHT + 1)]
    for letter, curve in reversed(list(zip(string.ascii_letters, curves, strict=False))):
        places = [
            (round((1 - up.place(y)) * _HEIGHT), round(across.place(x) * columns)) for x, y in curve
        ]
        for start, end in pairwise(places):
            for row, column in _between(start, end):
                if grid[row][column] == " ":
                    grid[row][column] = "·"
        for row, column in places:
            grid[row][column] = letter
    return grid


def _between(start: Place, end: Place) -> list[Place]:
    """One place a column on the way from one to the other."""
    steps = end[1] - start[1]
    return [
        (round(start[0] + (end[0] - start[0]) * k / steps), start[1] + k) for k in range(1, steps)
    ]


def _ruler(across: Scale, columns: int) -> tuple[str, str]:
    """The axis with its ticks, and their labels below, as many as there is room for."""
    ruler, names = ["─"] * (columns + 1), [" "] * (columns + 12)
    free = 0
    for at, label in across.ticks():
        column = round(at * columns)
        ruler[column] = "┴"
        start = max(column - len(label) // 2, 0)
        if start >= free:
            names[start : start + len(label)] = label
            free = start + len(label) + 1
    return "".join(ruler), "".join(names).rstrip()
