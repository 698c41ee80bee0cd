"""How edges run between the boxes of a picture.

An edge leaves a box and enters another at a port on one of its sides. On its way it changes its
height only in the gutters between columns, and crosses columns only where nothing stands, so that
it meets no box. Long segments lie on tracks, and those of one source share a track.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from symgrad.showing.placement import Column

BOX = 42.0  # how high a box is
GUTTERS = 4  # the number of the last one, at the right of all columns
_STEEP = 120.0  # a longer segment takes a track
_SLOTS, _SLOT = 5, 5.0  # routes that cross between two rows, beside one another
_APART = 6.0

Side = Literal["left", "right", "top", "bottom"]


@dataclass(frozen=True)
class Box:
    """`wide` is a box that reaches from the first column to the last."""

    name: str
    column: Column
    row: int
    top: float
    wide: bool = False

    @property
    def middle(self) -> float:
        return self.top + BOX / 2


@dataclass(frozen=True)
class RowOccupancy:
    """A row: the height between it and the one above, and which of the columns between the lanes
    it has something in."""

    above: float
    given: bool
    gradient: bool


@dataclass(frozen=True)
class Link:
    """An edge to be drawn; a `turn` is none of the graph, but where forward becomes backward."""

    source: str
    target: str
    label: str = ""
    turn: bool = False


@dataclass(frozen=True)
class Segment:
    """A change of height within a gutter; on a track of it, if it is a long one."""

    gutter: int
    height: float
    track: int | None = None


@dataclass(frozen=True)
class Route:
    """From a side of the source, along segments, to a side of the target. A route without
    segments is a line between boxes above one another, or one that turns a corner.

    `start` and `end` are ports: a height at the left or right of a box, a share of its width above
    or below it.
    """

    link: Link
    out: Side
    into: Side
    segments: tuple[Segment, ...] = ()
    start: float = 0.5
    end: float = 0.5


def route_edges(
    links: Sequence[Link], boxes: Mapping[str, Box], occupancy: Sequence[RowOccupancy]
) -> tuple[list[Route], dict[int, int]]:
    """A route for every link, and how many tracks there are in each gutter."""
    router = _Router(boxes, occupancy)
    return _with_tracks(_with_ports([router.route(link) for link in links], boxes))


class _Router:
    """Chooses by which sides and gutters each edge goes."""

    def __init__(self, boxes: Mapping[str, Box], occupancy: Sequence[RowOccupancy]) -> None:
        self.boxes = boxes
        self.occupancy = occupancy
        self.above = _neighbours(boxes.values())
        self.slots: dict[int, dict[str, int]] = defaultdict(dict)

    def route(self, link: Link) -> Route:
        source, target = self.boxes[link.source], self.boxes[link.target]
        if link.turn and target.name not in self.above.values():  # nothing stands below it
            return Route(link, "top", "bottom")
        if target.wide and source.column == Column.GIVEN:
            return Route(link, "left", "top", (Segment(Column.GIVEN, target.top, 0),))
        if source.wide or (target.wide and source.column != Column.FORWARD):
            return Route(link, "right", "right", (Segment(GUTTERS, target.middle, 0),))
        if source.column == target.column:
            return self._within_column(link, source, target)
        return self._between_columns(link, source, target)

    def _within_column(self, link: Link, source: Box, target: Box) -> Route:
        """Within a column: straight to the next box, around the others."""
        if self.above.get(target.name) == source.name:
            return Route(link, "bottom", "top")
        if self.above.get(source.name) == target.name:
            return Route(link, "top", "bottom")
        if source.column in (Column.FORWARD, Column.GIVEN):
            return Route(link, "left", "left", (Segment(source.column, target.middle, 0),))
        return Route(link, "right", "right", (Segment(source.column + 1, target.middle, 0),))

    def _between_columns(self, link: Link, source: Box, target: Box) -> Route:
        """From column to column: around a corner where the way to it is open; else in the row of
        one of both where nothing stands between them; else between two rows."""
        right = source.column < target.column
        out: Side = "right" if right else "left"
        into: Side = "left" if right else "right"
        if right and target.column == Column.GRADIENT and self._open(source, target):
            return Route(link, out, "top")
        if (source.column, target.column) == (Column.GIVEN, Column.BACKWARD):
            if self._open(target, source):
                return Route(link, "top", into)
        low, high = sorted((source.column, target.column))
        between = [column for column in Column if low < column < high]
        first, last = (low + 1, high) if right else (high, low + 1)
        if self._empty(source.row, between):
            return Route(link, out, into, (Segment(last, target.middle),))
        if self._empty(target.row, between):
            return Route(link, out, into, (Segment(first, target.middle),))
        row = max(source.row, target.row)
        height = self.occupancy[row].above + self._slot(row, source.name)
        return Route(link, out, into, (Segment(first, height), Segment(last, target.middle)))

    def _open(self, high: Box, low: Box) -> bool:
        """Whether nothing stands between the lanes from the row of one box down to another, which
        does stand there, highest of its row."""
        over = self.above.get(low.name)
        highest = over is None or self.boxes[over].row != low.row
        return (
            high.row < low.row
            and highest
            and all(
                self._empty(row, (Column.GIVEN, Column.GRADIENT))
                for row in range(high.row, low.row)
            )
        )

    def _empty(self, row: int, columns: Iterable[Column]) -> bool:
        there = self.occupancy[row]
        taken = {Column.GIVEN: there.given, Column.GRADIENT: there.gradient}
        return not any(taken.get(column, True) for column in columns)

    def _slot(self, row: int, name: str) -> float:
        taken = self.slots[row]
        number = taken.setdefault(name, len(taken)) % _SLOTS
        return (number - _SLOTS // 2) * _SLOT


def _neighbours(boxes: Iterable[Box]) -> dict[str, str]:
    """Which box stands next above each in its column."""
    found: dict[str, str] = {}
    last: dict[Column, str] = {}
    for box in sorted(boxes, key=lambda box: box.top):
        if box.column in last:
            found[box.name] = last[box.column]
        last[box.column] = box.name
    return found


def _with_ports(found: list[Route], boxes: Mapping[str, Box]) -> list[Route]:
    """Each side of a box shared out among the ends of routes there, in the order of the other ends;
    what comes around a corner comes first."""
    ends: dict[tuple[str, Side], list[tuple[bool, float, int, bool]]] = defaultdict(list)
    for number, route in enumerate(found):
        source, target = boxes[route.link.source], boxes[route.link.target]
        by = route.segments[0].height if route.segments else target.middle
        ends[source.name, route.out].append((False, by, number, True))
        corner = target.column == Column.BACKWARD and route.out == "top"
        ends[target.name, route.into].append((not corner, source.middle, number, False))
    result = list(found)
    for (name, side), there in ends.items():
        ports = _ports(boxes[name], side, len(there))
        for port, (_, _, number, leaves) in zip(ports, sorted(there), strict=True):
            route = result[number]
            result[number] = replace(route, start=port) if leaves else replace(route, end=port)
    return [_to_port(route) for route in result]


def _ports(box: Box, side: Side, number: int) -> list[float]:
    """Places along a side. What crosses from lane to lane in one row does so lower in the boxes
    than what comes around a corner, so that they do not lie upon one another."""
    if side in ("top", "bottom"):
        return _shared(0, 1, number)
    if (box.column, side) == (Column.BACKWARD, "left"):
        return [box.top + 8, *_shared(box.top + 12, box.top + BOX, number - 1)]
    low = 14 if (box.column, side) == (Column.FORWARD, "right") else 0
    return _shared(box.top + low, box.top + BOX, number)


def _shared(low: float, high: float, number: int) -> list[float]:
    """So many places between two ends, evenly."""
    return [low + (high - low) * place / (number + 1) for place in range(1, number + 1)]


def _to_port(route: Route) -> Route:
    """The last segment ends where the port is."""
    if not route.segments or route.into == "top":
        return route
    return replace(
        route, segments=(*route.segments[:-1], replace(route.segments[-1], height=route.end))
    )


def _with_tracks(found: list[Route]) -> tuple[list[Route], dict[int, int]]:
    """Tracks for segments that need one: short ones nearest to the boxes, none upon another."""
    spans: dict[int, dict[str, tuple[float, float]]] = defaultdict(dict)
    for route in found:
        for gutter, low, high in _long(route):
            key = _track_of(route)
            known = spans[gutter].get(key, (low, high))
            spans[gutter][key] = (min(low, known[0]), max(high, known[1]))
    tracks: dict[int, dict[str, int]] = {}
    for gutter, by_key in spans.items():
        tracks[gutter] = _assign_tracks(by_key)
    result = []
    for route in found:
        long = {gutter for gutter, _, _ in _long(route)}
        segments = (
            replace(
                segment,
                track=tracks[segment.gutter][_track_of(route)] if segment.gutter in long else None,
            )
            for segment in route.segments
        )
        result.append(replace(route, segments=tuple(segments)))
    return result, {gutter: max(by_key.values()) + 1 for gutter, by_key in tracks.items()}


def _track_of(route: Route) -> str:
    """Whose track a route takes: penalties run together to the loss, others part from a source."""
    return f"to {route.link.target}" if route.into == "top" else f"from {route.link.source}"


def _long(route: Route) -> Iterable[tuple[int, float, float]]:
    height = route.start
    for segment in route.segments:
        low, high = sorted((height, segment.height))
        if segment.track is not None or high - low > _STEEP:
            yield segment.gutter, low, high
        height = segment.height


def _assign_tracks(spans: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """The first track for each span that it has no other span's company on."""
    tracks: list[list[tuple[float, float]]] = []
    found: dict[str, int] = {}
    for key in sorted(spans, key=lambda key: spans[key][1] - spans[key][0]):
        low, high = spans[key]
        number = next(
            (k for k, others in enumerate(tracks)
             if all(high + _APART < a or b + _APART < low for a, b in others)),
            len(tracks),
        )  # fmt: skip
        if number == len(tracks):
            tracks.append([])
        tracks[number].append((low, high))
        found[key] = number
    return found
