"""Routes between boxes as the data of SVG paths, and the heads of their arrows.

Heads are paths of their own and no markers: those are found by their ids, and a page may hold two
pictures, one of them hidden.
"""

from symgrad.showing.layout import TRACK, Layout
from symgrad.showing.routing import BOX, Box, Route, Segment, Side

HEAD = 6.0  # how long an arrow's head is
_ROUND, _CORNER = 10.0, 40.0

Point = tuple[float, float]


def path(route: Route, plan: Layout) -> tuple[str, Point]:
    """A route as the data of a path, and where it ends: at the target, at the point of its head."""
    source, target = plan.boxes[route.link.source], plan.boxes[route.link.target]
    x, y = port(route, source, route.out, route.start, plan)
    end = port(route, target, route.into, route.end, plan)
    data = [f"M{number(x)},{number(y)}"]
    if not route.segments:
        data.append(_without_segments(route, x, y, *_before(end, route.into)))
        return "".join(data), end
    at = y
    rightward = route.out == "right"
    for segment in route.segments:
        left, right = plan.gutters[segment.gutter]
        enter, leave = (left, right) if rightward else (right, left)
        if segment.track is None:
            middle = (left + right) / 2
            data.append(f"H{number(enter)}")
            data.append(_curve((middle, at), (middle, segment.height), (leave, segment.height)))
        else:
            data.append(_on_track(route, segment, at, plan, enter))
            if route.into == "top":
                return "".join(data), (track_at(segment, plan), target.top)
        at = segment.height
    last = _before(end, route.into)[0]
    data.append(f"H{number(last)}")
    return "".join(data), end


def _on_track(route: Route, segment: Segment, at: float, plan: Layout, enter: float) -> str:
    """Into the track, along it, and out of it the way the target is; corners are round."""
    track = track_at(segment, plan)
    down = 1 if segment.height > at else -1
    ahead = 1 if track > enter or (track == enter and route.out == "right") else -1
    radius = min(_ROUND, abs(segment.height - at) / 2)
    start = (
        f"H{number(track - ahead * radius)}Q{number(track)},{number(at)} "
        f"{number(track)},{number(at + down * radius)}"
    )
    if route.into == "top":
        return f"{start}V{number(segment.height - HEAD + 1)}"
    on = -1 if (route.into == "right") else 1
    return (
        f"{start}V{number(segment.height - down * radius)}"
        f"Q{number(track)},{number(segment.height)} "
        f"{number(track + on * radius)},{number(segment.height)}"
    )


def track_at(segment: Segment, plan: Layout) -> float:
    """Where a track lies: at the outside the first is nearest to the boxes."""
    left, right = plan.gutters[segment.gutter]
    place = segment.track or 0
    if segment.gutter == 0:
        return right - 16 - TRACK * place
    return left + 16 + TRACK * place


def _without_segments(route: Route, x: float, y: float, to_x: float, to_y: float) -> str:
    if route.out in ("top", "bottom") and route.into in ("top", "bottom"):
        if abs(x - to_x) < 0.5:
            return f"V{number(to_y)}"
        middle = (y + to_y) / 2
        return _curve((x, middle), (to_x, middle), (to_x, to_y))
    radius = min(_CORNER, abs(y - to_y))
    if route.into == "top":
        return (
            f"H{number(to_x - radius)}Q{number(to_x)},{number(y)} "
            f"{number(to_x)},{number(y + radius)}V{number(to_y)}"
        )
    return (
        f"V{number(to_y + radius)}Q{number(x)},{number(to_y)} "
        f"{number(x + radius)},{number(to_y)}H{number(to_x)}"
    )


def port(route: Route, box: Box, side: Side, share: float, plan: Layout) -> Point:
    """Where a route touches a side of a box."""
    left, right = plan.sides(box)
    if side == "left":
        return left, share
    if side == "right":
        return right, share
    if box.wide:  # right above or below what is at the other end
        other = route.link.target if box.name == route.link.source else route.link.source
        left, right = plan.sides(plan.boxes[other])
        share = 0.5
    return left + share * (right - left), box.top if side == "top" else box.top + BOX


def _before(end: Point, side: Side) -> Point:
    """Where a line ends, for the head of its arrow to go on."""
    x, y = end
    step = HEAD - 1
    return {
        "left": (x - step, y),
        "right": (x + step, y),
        "top": (x, y - step),
        "bottom": (x, y + step),
    }[side]


def head(x: float, y: float, side: Side) -> str:
    """An arrow's head with its point at a side of a box."""
    half = HEAD * 0.6
    back = {
        "left": (-HEAD, -half, -HEAD, half),
        "right": (HEAD, -half, HEAD, half),
        "top": (-half, -HEAD, half, -HEAD),
        "bottom": (-half, HEAD, half, HEAD),
    }[side]
    points = [(x, y), (x + back[0], y + back[1]), (x + back[2], y + back[3])]
    return "M" + "L".join(f"{number(a)},{number(b)}" for a, b in points) + "Z"


def _curve(*points: Point) -> str:
    """A Bézier curve by its two handles and its end."""
    return "C" + " ".join(f"{number(x)},{number(y)}" for x, y in points)


def number(value: float) -> str:
    """A length, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")
