"""Ways between boxes as the data of SVG paths, and the heads of their arrows.

Heads are paths of their own and no markers: those are found by their ids, and a page may hold two
pictures, one of them hidden.
"""

from symgrad.showing.layout import TRACK, Layout
from symgrad.showing.ways import BOX, Box, Leg, Side, Way

HEAD = 6.0  # how long an arrow's head is
_ROUND, _CORNER = 10.0, 40.0

Point = tuple[float, float]


def path(way: Way, plan: Layout) -> tuple[str, Point]:
    """A way as the data of a path, and where it ends: at the target, where the head's point is."""
    source, target = plan.boxes[way.link.source], plan.boxes[way.link.target]
    x, y = port(way, source, way.out, way.start, plan)
    end = port(way, target, way.into, way.end, plan)
    data = [f"M{number(x)},{number(y)}"]
    if not way.legs:
        data.append(_without_legs(way, x, y, *_before(end, way.into)))
        return "".join(data), end
    at = y
    rightward = way.out == "right"
    for leg in way.legs:
        left, right = plan.gutters[leg.gutter]
        enter, leave = (left, right) if rightward else (right, left)
        if leg.track is None:
            middle = (left + right) / 2
            data.append(f"H{number(enter)}")
            data.append(_curve((middle, at), (middle, leg.height), (leave, leg.height)))
        else:
            data.append(_on_track(way, leg, at, plan, enter))
            if way.into == "top":
                return "".join(data), (track_at(leg, plan), target.top)
        at = leg.height
    last = _before(end, way.into)[0]
    data.append(f"H{number(last)}")
    return "".join(data), end


def _on_track(way: Way, leg: Leg, at: float, plan: Layout, enter: float) -> str:
    """Into the track, along it, and out of it the way the target is; corners are round."""
    track = track_at(leg, plan)
    down = 1 if leg.height > at else -1
    ahead = 1 if track > enter or (track == enter and way.out == "right") else -1
    radius = min(_ROUND, abs(leg.height - at) / 2)
    start = (
        f"H{number(track - ahead * radius)}Q{number(track)},{number(at)} "
        f"{number(track)},{number(at + down * radius)}"
    )
    if way.into == "top":
        return f"{start}V{number(leg.height - HEAD + 1)}"
    on = -1 if (way.into == "right") else 1
    return (
        f"{start}V{number(leg.height - down * radius)}"
        f"Q{number(track)},{number(leg.height)} "
        f"{number(track + on * radius)},{number(leg.height)}"
    )


def track_at(leg: Leg, plan: Layout) -> float:
    """Where a track lies: at the outside the first is nearest to the boxes."""
    left, right = plan.gutters[leg.gutter]
    place = leg.track or 0
    if leg.gutter == 0:
        return right - 16 - TRACK * place
    return left + 16 + TRACK * place


def _without_legs(way: Way, x: float, y: float, to_x: float, to_y: float) -> str:
    if way.out in ("top", "bottom") and way.into in ("top", "bottom"):
        if abs(x - to_x) < 0.5:
            return f"V{number(to_y)}"
        middle = (y + to_y) / 2
        return _curve((x, middle), (to_x, middle), (to_x, to_y))
    radius = min(_CORNER, abs(y - to_y))
    if way.into == "top":
        return (
            f"H{number(to_x - radius)}Q{number(to_x)},{number(y)} "
            f"{number(to_x)},{number(y + radius)}V{number(to_y)}"
        )
    return (
        f"V{number(to_y + radius)}Q{number(x)},{number(to_y)} "
        f"{number(x + radius)},{number(to_y)}H{number(to_x)}"
    )


def port(way: Way, box: Box, side: Side, share: float, plan: Layout) -> Point:
    """Where a way touches a side of a box."""
    left, right = plan.sides(box)
    if side == "left":
        return left, share
    if side == "right":
        return right, share
    if box.wide:  # right above or below what is at the other end
        other = way.link.target if box.name == way.link.source else way.link.source
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
