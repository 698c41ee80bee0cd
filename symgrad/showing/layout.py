"""Where boxes stand in the picture, to the pixel, and how edges run around them.

Heights come first, of rows and boxes; then every edge takes its route (`routing`); then the room
between columns is known, and with it what lies from left to right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from symgrad.showing.graph import Graph, Node, short
from symgrad.showing.placement import LOSS, Column, Row, assign_rows, is_derivative, sources_of
from symgrad.showing.routing import (
    BOX,
    GUTTERS,
    Box,
    Link,
    Route,
    RowOccupancy,
    route_edges,
)

# Lengths in pixels. A letter of a monospaced font takes six tenths of the font's size.
LETTER, SMALL_LETTER = 7.2, 6.1
MARGIN = 18.0
_PADDING = 11.0
_BETWEEN, _LABELLED_BETWEEN = 12.0, 26.0  # boxes above one another in a row
_GAP, _LABELLED_GAP = 34.0, 52.0  # rows above one another
_BAND = 6.0  # between bands, more
_TITLE = 64.0  # room for the titles of bands, at the left
_LEAST = 104.0
_GUTTER = {0: 22.0, 1: 54.0, 2: 36.0, 3: 64.0, 4: 22.0}
TRACK = 9.0
_LETTERS = {Column.FORWARD: 56, Column.GIVEN: 40, Column.GRADIENT: 64, Column.BACKWARD: 56}
LABEL_LETTERS = 36
_LABEL = SMALL_LETTER * (LABEL_LETTERS + 2)


@dataclass(frozen=True)
class Band:
    """What a few rows belong to, "layer 1", and from where to where they reach."""

    title: str
    top: float
    bottom: float


@dataclass(frozen=True)
class Layout:
    """`columns` and `gutters` are pairs of left and right ends; a gutter bears the number of the
    column at its right. `texts` are the two lines in each box."""

    boxes: Mapping[str, Box]
    texts: Mapping[str, tuple[str, str]]
    routes: tuple[Route, ...]
    columns: Mapping[Column, tuple[float, float]]
    gutters: Mapping[int, tuple[float, float]]
    bands: tuple[Band, ...]
    width: float
    height: float

    def sides(self, box: Box) -> tuple[float, float]:
        """From where to where a box reaches."""
        left, right = self.columns[box.column]
        return (left, max(end for _, end in self.columns.values())) if box.wide else (left, right)


def layout(graph: Graph) -> Layout:
    """All places in the picture of a graph, from (0, 0) on."""
    placed = assign_rows(graph)
    labelled = any(edge.label for edge in graph.edges)
    boxes, occupancy, bands, height = _heights(placed, labelled)
    links = [Link(edge.source, edge.target, edge.label) for edge in graph.edges]
    found, tracks = route_edges([*links, *_turns(graph, boxes)], boxes, occupancy)
    nodes = {node.name: node for node in graph.nodes}
    texts = {name: lines(nodes[name], box) for name, box in boxes.items()}
    columns: dict[Column, tuple[float, float]] = {}
    gutters: dict[int, tuple[float, float]] = {}
    across = MARGIN + (_TITLE if any(band.title for band in bands) else 0)
    for column in Column:
        width = max(
            (_width(texts[box.name]) for box in boxes.values()
             if box.column == column and not box.wide), default=0.0,
        )  # fmt: skip
        gutter = _GUTTER[column] + TRACK * tracks.get(column, 0) if width else 0.0
        if labelled and width:
            gutter += _LABEL * _has_labels(found, column)
            width = max(width, 2 * _LABEL)  # for those beside lines from box to box
        gutters[column] = (across, across + gutter)
        columns[column] = (across + gutter, across + gutter + width)
        across += gutter + width
    last = _GUTTER[GUTTERS] + TRACK * tracks.get(GUTTERS, 0)
    gutters[GUTTERS] = (across, across + last)
    return Layout(
        boxes, texts, tuple(found), columns, gutters, bands, across + last + MARGIN, height
    )


def lines(node: Node, box: Box) -> tuple[str, str]:
    """What a box says: the equation, shortened; the shape, and what one sample takes."""
    shape = " × ".join(node.shape) or "scalar"
    if node.kind != "definition":
        return node.target, f"{node.kind} {shape}"
    said = f"{node.operations:,} operation" + ("s" if node.operations != 1 else "")
    equation = node.equation if box.wide else short(node.equation, _LETTERS[box.column])
    return equation, f"{shape} · {said}" if node.operations else shape


def _width(texts: tuple[str, str]) -> float:
    first, second = texts
    return max(
        _LEAST, LETTER * len(first) + 2 * _PADDING, SMALL_LETTER * len(second) + 2 * _PADDING
    )


def _has_labels(found: list[Route], column: int) -> bool:
    return any(
        route.link.label and any(segment.gutter == column for segment in route.segments)
        for route in found
    )


def _heights(
    placed: tuple[Row, ...], labelled: bool
) -> tuple[dict[str, Box], list[RowOccupancy], tuple[Band, ...], float]:
    """Boxes, the heights of rows, bands, and how high all of it is."""
    boxes: dict[str, Box] = {}
    occupancy: list[RowOccupancy] = []
    bands: list[Band] = []
    gap = _LABELLED_GAP if labelled else _GAP
    between = _LABELLED_BETWEEN if labelled else _BETWEEN
    below = -gap / 2
    has_backward = any(row.backward or any(gradient for _, gradient in row.pairs) for row in placed)
    for number, row in enumerate(placed):
        begins = not number or row.band != placed[number - 1].band
        top = below + gap + (_BAND if begins and number else 0)
        if begins:
            bands.append(Band(row.band, top - gap / 2, top))
        above = (below + top) / 2
        stack = [len(each) * (BOX + between) - between for each in (row.pairs, row.backward)]
        height = max(BOX, *stack)
        wide = row.forward == LOSS and has_backward
        centre = top + height / 2
        boxes[row.forward] = Box(row.forward, Column.FORWARD, number, centre - BOX / 2, wide)
        for place, pair in enumerate(row.pairs):
            at = centre - stack[0] / 2 + place * (BOX + between)
            for name, column in zip(pair, (Column.GIVEN, Column.GRADIENT), strict=True):
                if name is not None:
                    boxes[name] = Box(name, column, number, at)
        for place, name in enumerate(row.backward):
            at = centre - stack[1] / 2 + place * (BOX + between)
            boxes[name] = Box(name, Column.BACKWARD, number, at)
        occupancy.append(RowOccupancy(above, bool(row.pairs), any(g for _, g in row.pairs)))
        below = top + height
        bands[-1] = replace(bands[-1], bottom=below + gap / 2)
    return boxes, occupancy, tuple(bands), below + gap / 2


def _turns(graph: Graph, boxes: Mapping[str, Box]) -> list[Link]:
    """From the loss to the derivatives of it that are made of no other: there backward begins."""
    sources = sources_of(graph)
    return [
        Link(LOSS, name, turn=True)
        for name, box in boxes.items()
        if box.column == Column.BACKWARD
        and is_derivative(name)
        and name.removeprefix("d_") in sources
        and LOSS in boxes
        and not any(boxes[source].column >= Column.GRADIENT for source in sources[name])
    ]
