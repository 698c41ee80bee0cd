"""The page's charts, as SVG.

A chart's colours, and the size of its text, are the page's: CSS names them by class. Series differ
in their markers and dashes too, for who doesn't see the colours. All is built as a tree of
elements and written by ElementTree, so that no name can be read as markup.
"""

import textwrap
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from symgrad.axes import Scale, Window, drawable, linear_scale, log_scale, scale_of
from symgrad.showing.pages.blocks import Bars, Lines, Regions, Series
from symgrad.showing.pages.text import figure

COLOURS = 6
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4 4 4")  # not as many as markers: pairs repeat late
_MARKERS = (
    "M-4,0a4,4 0 1 0 8,0a4,4 0 1 0 -8,0z",  # a disk
    "M-3.5,-3.5h7v7h-7z",  # a square
    "M0,-4.6L4.4,3.4H-4.4z",  # a triangle
    "M0,-5L4.6,0L0,5L-4.6,0z",  # a diamond
    "M-4,-4L4,4M-4,4L4,-4",  # a cross
    "M-5,0H5M0,-5V5",  # a plus
)

# Lengths, in units of the viewBox. Phones show a chart at two thirds of this width, and CSS gives
# them larger text to make up for it: the room for text is measured for theirs.
_WIDTH = 520
_LEFT, _RIGHT = 64, _WIDTH - 30
_PLOT = 250
_LINE = 21
_BAR, _GAP = 13, 12
_LEVELS = 5  # of shade
_LABEL_LETTERS, _TITLE_LETTERS, _TICK_LETTERS = 38, 52, 40


@dataclass(frozen=True)
class Chart:
    """An SVG, or nothing if there is nothing to draw; its legend's swatches and names; a note."""

    svg: str
    legend: tuple[tuple[str, str], ...] = ()
    note: str = ""


# Bars


def bar_scale(block: Bars) -> Scale | None:
    """The scale that all bars are drawn to; None where there is none to draw."""
    values = [value for _, value in block.rows if drawable(value, block.log)]
    if not values:
        return None
    return log_scale(values, margin=0.2) if block.log else linear_scale([0, *values])


def extent(scale: Scale, value: float) -> tuple[float, float]:
    """From where to where a bar goes: from 0 on, where the scale has it."""
    at, zero = scale.place(value), 0.0 if scale.logarithmic else scale.place(0)
    return min(at, zero), max(at, zero)


def bars(block: Bars, name: str) -> Chart:
    """Label and figure on a line, and the bar below them; `name` begins the ids within the SVG."""
    scale = bar_scale(block)
    if scale is None:
        return Chart("", note="There is nothing to draw.")
    svg = Element("svg")
    _describe(svg, name, block.title, "; ".join(
        f"{label}: {figure(value)} {block.unit}" for label, value in block.rows
    ))  # fmt: skip
    below = 0.0
    for label, value in block.rows:
        below = _bar(svg, scale, below, label, value)
    for place, tick in scale.ticks():
        anchor = "start" if place == 0 else "end" if place == 1 else "middle"
        _text(svg, place * _WIDTH, below + 8, tick, anchor, "tick")
    _text(svg, _WIDTH / 2, below + 10 + _LINE, block.unit, "middle", "tick")
    _size(svg, below + 18 + _LINE)
    left_out = sum(not drawable(value, block.log) for _, value in block.rows)
    note = _left_out(left_out, "bar", "bars", block.log)
    return Chart(tostring(svg, encoding="unicode"), note=note)


def _bar(svg: Element, scale: Scale, top: float, label: str, value: float) -> float:
    """Draws a row below `top`; gives where it ends."""
    _text(svg, _WIDTH, top + 16, figure(value), "end", "value")
    for line in textwrap.wrap(label, _LABEL_LETTERS) or [""]:
        _text(svg, 0, top + 16, line, "start", "label")
        top += _LINE
    top += 3
    _add(svg, "rect", "track", x=0, y=top, width=_WIDTH, height=_BAR)
    if drawable(value, scale.logarithmic):
        start, end = (place * _WIDTH for place in extent(scale, value))
        _add(svg, "rect", "bar", x=start, y=top, width=end - start, height=_BAR)
    for place, _ in scale.ticks():
        if 0 < place < 1:
            _add(svg, "path", "notch", d=f"M{_number(place * _WIDTH)},{_number(top)}v{_BAR}")
    return top + _BAR + _GAP


# Lines


def lines(block: Lines, name: str) -> Chart:
    """All series in one plot, the name of the y axis above it; `name` begins the ids within it."""
    kept = [_kept(series, block) for series in block.series]
    points = [point for each in kept for point in each]
    if not points:
        return Chart("", note="There is nothing to draw.")
    across = _across([x for x, _ in points], block.log_x)
    up = scale_of([y for _, y in points], block.log_y)
    svg = Element("svg")
    _describe(svg, name, block.title, "; ".join(map(_summary, block.series, kept)))
    top = float(_LINE)
    for line in textwrap.wrap(block.y, _TITLE_LETTERS):
        _text(svg, 0, top - 5, line, "start", "tick")
        top += _LINE
    _axes(svg, across, up, top, block.x)
    for index, (series, each) in enumerate(zip(block.series, kept, strict=True)):
        _line(svg, index, series, [
            (x, y, _LEFT + across.place(x) * (_RIGHT - _LEFT), top + (1 - up.place(y)) * _PLOT)
            for x, y in each
        ])  # fmt: skip
    legend = tuple(
        (_swatch(index, series), series.name) for index, series in enumerate(block.series)
    )
    left_out = sum(len(series.points) for series in block.series) - len(points)
    note = _left_out(left_out, "point", "points", block.log_x or block.log_y)
    return Chart(tostring(svg, encoding="unicode"), legend, note)


def _kept(series: Series, block: Lines) -> list[tuple[float, float]]:
    """The points that the scales have a place for, from left to right."""
    return sorted(
        (x, y) for x, y in series.points if drawable(x, block.log_x) and drawable(y, block.log_y)
    )


def _across(values: list[float], log: bool) -> Scale:
    """With fewer ticks where their labels would touch."""
    scale = scale_of(values, log)
    letters = sum(len(label) + 1 for _, label in scale.ticks())
    return linear_scale(values, most=3) if letters > _TICK_LETTERS and not log else scale


def _summary(series: Series, kept: list[tuple[float, float]]) -> str:
    if not kept:
        return f"{series.name}: no points"
    (x0, y0), (x1, y1) = kept[0], kept[-1]
    return f"{series.name}: from {figure(y0)} at {figure(x0)} to {figure(y1)} at {figure(x1)}"


def _axes(
    svg: Element, across: Scale | Window, up: Scale | Window, top: float, title: str
) -> None:
    bottom = top + _PLOT
    for place, label in up.ticks():
        y = bottom - place * _PLOT
        _add(svg, "path", "axis" if place == 0 else "grid", d=f"M{_LEFT},{_number(y)}H{_RIGHT}")
        _text(svg, _LEFT - 8, y + 5, label, "end", "tick")
    for place, label in across.ticks():
        x = _LEFT + place * (_RIGHT - _LEFT)
        _add(
            svg, "path", "axis" if place == 0 else "grid", d=f"M{_number(x)},{_number(top)}v{_PLOT}"
        )
        _text(svg, x, bottom + 19, label, "middle", "tick")
    below = bottom + 21
    for line in textwrap.wrap(title, _TITLE_LETTERS):
        below += _LINE
        _text(svg, (_LEFT + _RIGHT) / 2, below, line, "middle", "tick")
    _size(svg, below + 8)


def _line(
    svg: Element, index: int, series: Series, points: list[tuple[float, float, float, float]]
) -> None:
    """One series: its line, and a marker at each point that tells what it is."""
    group = _add(svg, "g", f"series s{index % COLOURS}")
    if len(points) > 1 and series.joined:
        way = "L".join(f"{_number(across)},{_number(down)}" for _, _, across, down in points)
        _add(group, "path", "line", d=f"M{way}", stroke_dasharray=_DASHES[index % len(_DASHES)])
    for x, y, across, down in points if series.marked else []:
        marker = _add(group, "path", "marker", d=_MARKERS[index % len(_MARKERS)])
        marker.set("transform", f"translate({_number(across)},{_number(down)})")
        SubElement(marker, "title").text = f"{series.name}: {figure(y)} at {figure(x)}"


def _swatch(index: int, series: Series) -> str:
    """What a series looks like, for the legend."""
    svg = Element("svg", {"class": "swatch", "viewBox": "0 0 40 14", "aria-hidden": "true"})
    group = _add(svg, "g", f"series s{index % COLOURS}")
    if series.joined:
        _add(group, "path", "line", d="M1,7H39", stroke_dasharray=_DASHES[index % len(_DASHES)])
    if series.marked:
        marker = _add(group, "path", "marker", d=_MARKERS[index % len(_MARKERS)])
        marker.set("transform", "translate(20,7)")
    return tostring(svg, encoding="unicode")


# Regions


def regions(block: Regions, name: str) -> Chart:
    """The plane in the colours of kinds, and the points; `name` begins the ids within it."""
    across, up = (Window(*ends) for ends in block.ends)
    svg = Element("svg")
    shares = _shares(block)
    _describe(svg, name, block.title, "; ".join(
        f"{kind}: {share:.0%} of the plane" for kind, share in zip(block.names, shares, strict=True)
    ))  # fmt: skip
    top = float(_LINE)
    for line in textwrap.wrap(block.y, _TITLE_LETTERS):
        _text(svg, 0, top - 5, line, "start", "tick")
        top += _LINE
    width, height = (_RIGHT - _LEFT) / len(block.rows[0]), _PLOT / len(block.rows)
    for (kind, level), runs in _runs(block).items():
        group = _add(svg, "g", f"s{kind % COLOURS}")
        way = "".join(
            f"M{_LEFT + start * width:.2f},{top + _PLOT - (row + 1) * height:.2f}"
            f"h{count * width:.2f}v{height:.2f}h{-count * width:.2f}z"
            for row, start, count in runs
        )
        _add(group, "path", "region", d=way, fill_opacity=f"{0.1 + 0.12 * level:.2f}")
    _axes(svg, across, up, top, block.x)
    for x, y, kind in block.points:
        group = _add(svg, "g", f"series s{kind % COLOURS}")
        place = f"{_number(_LEFT + across.place(x) * (_RIGHT - _LEFT))},"
        place += _number(top + (1 - up.place(y)) * _PLOT)
        marker = _add(group, "path", "marker point", d=_MARKERS[kind % len(_MARKERS)])
        marker.set("transform", f"translate({place}) scale(.8)")
        text = f"{block.names[kind]}: {figure(x)}, {figure(y)}"
        SubElement(marker, "title").text = text
    legend = tuple(
        (_swatch(kind, Series(each, (), joined=False)), each)
        for kind, each in enumerate(block.names)
    )
    return Chart(tostring(svg, encoding="unicode"), legend)


def _shares(block: Regions) -> list[float]:
    cells = [kind for row in block.rows for kind, _ in row]
    return [cells.count(kind) / len(cells) for kind in range(len(block.names))]


def _runs(block: Regions) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
    """Cells of one kind and about one shade that stand side by side: row, first place, and how
    many, by kind and level."""
    found = defaultdict(list)
    for number, row in enumerate(block.rows):
        looks = [(kind, min(int(shade * _LEVELS), _LEVELS - 1)) for kind, shade in row]
        start = 0
        for look, cells in groupby(looks):
            count = len(list(cells))
            found[look].append((number, start, count))
            start += count
    return found


# What all are made of


def _describe(svg: Element, name: str, title: str, description: str) -> None:
    """What a screen reader says of a chart."""
    svg.set("class", "chart")
    svg.set("role", "img")
    svg.set("aria-labelledby", f"{name}-title {name}-desc")
    SubElement(svg, "title", id=f"{name}-title").text = title
    SubElement(svg, "desc", id=f"{name}-desc").text = description


def _size(svg: Element, height: float) -> None:
    svg.set("viewBox", f"0 0 {_WIDTH} {_number(height)}")


def _add(parent: Element, tag: str, kind: str, **attributes: str | float) -> Element:
    """A child with those attributes that aren't empty."""
    child = SubElement(parent, tag, {"class": kind})
    for name, value in attributes.items():
        if value != "":
            child.set(name.replace("_", "-"), value if isinstance(value, str) else _number(value))
    return child


def _text(parent: Element, x: float, y: float, text: str, anchor: str, kind: str) -> None:
    _add(parent, "text", kind, x=x, y=y, text_anchor=anchor).text = text


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _left_out(count: int, one: str, several: str, log: bool) -> str:
    if not count:
        return ""
    why = "not above zero, or not finite" if log else "not finite"
    return f"{count:,} {one if count == 1 else several} not drawn: {why}."
