"""A program drawn as SVG: forward down one lane, backward up the other.

The picture needs no tool and loads nothing. It is built as a tree of elements and written by
ElementTree, so that no name or equation can be read as markup; its style carries colours for light
and for dark pages, on a background of its own.
"""

from xml.etree.ElementTree import Element, SubElement, tostring

from symgrad.language.program import Program
from symgrad.showing.graph import Derivatives, Graph, Node, graph, short
from symgrad.showing.layout import (
    LABEL_LETTERS,
    LETTER,
    MARGIN,
    Layout,
    layout,
)
from symgrad.showing.paths import head, number, path, port, track_at
from symgrad.showing.placement import LOSS, Column, backward_nodes, direction
from symgrad.showing.routing import BOX, Box, Route

_LEGEND_LINE = 20.0

# What an edge is, and how the legend says it.
_KINDS = {
    "ahead": "forward",
    "back": "backward",
    "again": "what forward computed, used again",
    "given": "what was given, used again",
    "turn": "the turn: ∂E/∂E = 1",
}

# (class, light, dark): fills, lines and letters.
_COLOURS = (
    (".page { fill: %s; }", "#fdfcfa", "#16181b"),
    (".band { fill: %s; }", "#f4f2ee", "#1e2125"),
    ("text { fill: %s; }", "#1e1f22", "#e7e6e2"),
    (".quiet { fill: %s; }", "#5a5c61", "#a9adb4"),
    (".forward rect { fill: %s; }", "#e3eefb", "#17304d"),
    (".forward rect { stroke: %s; }", "#0b62c4", "#6cb0ff"),
    (".backward rect { fill: %s; }", "#fdeadf", "#45260f"),
    (".backward rect { stroke: %s; }", "#bf4310", "#ff9a5c"),
    (".gradient rect { fill: %s; }", "#fbd3bd", "#63330f"),
    (".gradient rect { stroke: %s; }", "#bf4310", "#ff9a5c"),
    (".weight rect { fill: %s; }", "#e4f3e8", "#173824"),
    (".weight rect { stroke: %s; }", "#15803d", "#5fd38a"),
    (".input rect { fill: %s; }", "#ffffff", "#22262b"),
    (".input rect { stroke: %s; }", "#5a5c61", "#a9adb4"),
    (".loss rect { fill: %s; }", "#f3e3f7", "#3b2145"),
    (".loss rect { stroke: %s; }", "#9333a8", "#d79bea"),
    (".ahead .way { stroke: %s; }", "#0b62c4", "#6cb0ff"),
    (".ahead .head { fill: %s; }", "#0b62c4", "#6cb0ff"),
    (".back .way { stroke: %s; }", "#bf4310", "#ff9a5c"),
    (".back .head { fill: %s; }", "#bf4310", "#ff9a5c"),
    (".again .way { stroke: %s; }", "#0b62c4", "#6cb0ff"),
    (".again .head { fill: %s; }", "#0b62c4", "#6cb0ff"),
    (".given .way { stroke: %s; }", "#15803d", "#5fd38a"),
    (".given .head { fill: %s; }", "#15803d", "#5fd38a"),
    (".turn .way { stroke: %s; }", "#9333a8", "#d79bea"),
    (".turn .head { fill: %s; }", "#9333a8", "#d79bea"),
    (".label { stroke: %s; }", "#fdfcfa", "#16181b"),
)
_SHAPES = """
{0} {{ max-width: 100%; height: auto; }}
{0} text {{ white-space: pre; font-size: 12px; }}
{0} text {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
{0} .title {{ font-size: 17px; font-weight: 600; }}
{0} .title, {0} .words {{ font-family: system-ui, -apple-system, "Segoe UI", sans-serif; }}
{0} .words {{ font-size: 13px; }}
{0} .small {{ font-size: 10px; }}
{0} .name {{ font-weight: 700; }}
{0} .box rect {{ stroke-width: 1.2; }}
{0} .gradient rect, {0} .loss rect {{ stroke-width: 2; }}
{0} .way {{ fill: none; stroke-width: 1.5; }}
{0} .again .way {{ stroke-dasharray: 6 4; }}
{0} .given .way {{ stroke-dasharray: 2 3; }}
{0} .turn .way {{ stroke-width: 2.5; }}
{0} .edge:hover .way {{ stroke-width: 3.5; }}
{0} .label {{ font-size: 10px; stroke-width: 4px; paint-order: stroke; stroke-linejoin: round; }}
"""
_CLASS = "symgrad-program"


def svg(shown: Program | Derivatives) -> str:
    """A program as a picture, or the local partial derivatives between its arrays: an SVG's text,
    the same for the same program."""
    return tostring(picture(graph(shown)), encoding="unicode")


def picture(drawn: Graph) -> Element:
    """The picture of a graph as a tree of elements."""
    behind = backward_nodes(drawn)
    plan = layout(drawn)
    nodes = {node.name: node for node in drawn.nodes}
    root = Element("svg", {"class": _CLASS, "xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    SubElement(root, "title").text = f"{drawn.name}: {drawn.summary}"
    SubElement(root, "desc").text = _description(drawn, behind)
    SubElement(root, "style").text = _style()
    kinds = [_kind(route, nodes, behind) for route in plan.routes]
    width = max(plan.width, 2 * MARGIN + LETTER * 1.2 * len(drawn.summary))
    lanes = any(box.column == Column.BACKWARD for box in plan.boxes.values())
    legend = _legend([kind for kind in _KINDS if kind in kinds], width) if lanes else {}
    top = MARGIN + 46 + (38 if lanes else 4)
    top += _LEGEND_LINE * (1 + max((line for line, _ in legend.values()), default=-1))
    height = top + plan.height + MARGIN
    root.set("viewBox", f"0 0 {number(width)} {number(height)}")
    root.set("width", number(width))
    root.set("height", number(height))
    _add(root, "rect", "page", width=width, height=height)
    _heading(root, drawn, legend)
    body = _add(root, "g", "body")
    body.set("transform", f"translate(0,{number(top)})")
    _bands(body, plan, lanes)
    for route, kind in zip(plan.routes, kinds, strict=True):
        _edge(body, route, plan, kind)
    for box in plan.boxes.values():
        _box(body, nodes[box.name], box, plan, behind)
    for route in plan.routes:
        if route.link.label:
            _label(body, route, plan)
    return root


def _style() -> str:
    light, dark = [
        "\n".join(f".{_CLASS} {row[0] % row[shade]}" for row in _COLOURS) for shade in (1, 2)
    ]
    shapes = _SHAPES.format(f".{_CLASS}")
    return f"{shapes}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _description(drawn: Graph, behind: frozenset[str]) -> str:
    """What a screen reader says: what is computed, in which order."""
    names = [node.name for node in drawn.nodes if node.kind == "definition"]
    ahead = ", ".join(name for name in names if name not in behind)
    back = ", ".join(name for name in names if name in behind)
    return f"Forward: {ahead}." + (f" Backward: {back}." if back else "")


def _kind(route: Route, nodes: dict[str, Node], behind: frozenset[str]) -> str:
    link = route.link
    return "turn" if link.turn else direction(link.source, link.target, nodes, behind)


# What there is beside boxes and edges


def _legend(used: list[str], width: float) -> dict[str, tuple[int, float]]:
    """Line and place of each kind of edge."""
    found = {}
    line, across = 0, MARGIN
    for kind in used:
        long = 60 + LETTER * len(_KINDS[kind]) + 20
        if across > MARGIN and across + long > width - MARGIN:
            line, across = line + 1, MARGIN
        found[kind] = (line, across)
        across += long
    return found


def _heading(root: Element, drawn: Graph, legend: dict[str, tuple[int, float]]) -> None:
    _text(root, MARGIN, MARGIN + 14, drawn.name, "title")
    _text(root, MARGIN, MARGIN + 36, drawn.summary, "words quiet")
    for kind, (line, left) in legend.items():
        below = MARGIN + 60 + _LEGEND_LINE * line
        edge = _add(root, "g", f"edge {kind}")
        end = left + 44
        _add(edge, "path", "way", d=f"M{number(left)},{number(below - 4)}H{number(end - 4)}")
        _add(edge, "path", "head", d=head(end, below - 4, "left"))
        _text(root, end + 10, below, _KINDS[kind], "words")


def _bands(body: Element, plan: Layout, lanes: bool) -> None:
    for band in plan.bands:
        if band.title:
            _add(body, "rect", "band", x=MARGIN / 2, y=band.top, width=plan.width - MARGIN,
                 height=band.bottom - band.top, rx=6)  # fmt: skip
            _text(body, MARGIN, (band.top + band.bottom) / 2 + 4, band.title, "words quiet")
    if not lanes:
        return
    used = {box.column for box in plan.boxes.values()}
    titles = {
        Column.FORWARD: "forward ↓",
        Column.GIVEN: "given",
        Column.GRADIENT: "the gradient",
        Column.BACKWARD: "backward ↑",
    }
    for column in sorted(used):
        left, end = plan.columns[column]
        _text(body, (left + end) / 2, -10, titles[column], "title", "middle")


# Boxes


def _box(body: Element, node: Node, box: Box, plan: Layout, behind: frozenset[str]) -> None:
    left, right = plan.sides(box)
    group = _add(body, "g", f"box {_kind_of_box(node, box, behind)}")
    SubElement(group, "title").text = node.equation
    _add(group, "rect", "", x=left, y=box.top, width=right - left, height=BOX, rx=6)
    first, second = plan.texts[node.name]
    middle = (left + right) / 2
    text = _add(group, "text", "", x=middle, y=box.top + 18, text_anchor="middle")
    name = _add(text, "tspan", "name")
    name.text, name.tail = first[: len(node.target)], first[len(node.target) :]
    _text(group, middle, box.top + 33, second, "small quiet", "middle")


def _kind_of_box(node: Node, box: Box, behind: frozenset[str]) -> str:
    if node.kind != "definition":
        return node.kind
    if box.column == Column.GRADIENT:
        return "gradient"
    if node.name == LOSS:
        return "loss"
    return "backward" if node.name in behind else "forward"


# Edges


def _edge(body: Element, route: Route, plan: Layout, kind: str) -> None:
    group = _add(body, "g", f"edge {kind}")
    link = route.link
    SubElement(group, "title").text = link.label or f"{link.source} → {link.target}: {_KINDS[kind]}"
    data, (x, y) = path(route, plan)
    _add(group, "path", "way", d=data)
    _add(group, "path", "head", d=head(x, y, route.into))


def _label(body: Element, route: Route, plan: Layout) -> None:
    """Beside the middle of an edge."""
    source, target = plan.boxes[route.link.source], plan.boxes[route.link.target]
    text = short(route.link.label, LABEL_LETTERS)
    x, y = port(route, source, route.out, route.start, plan)
    end = port(route, target, route.into, route.end, plan)
    if not route.segments:
        _text(body, x + 8, (y + end[1]) / 2 + 4, text, "label", "start")
        return
    segment = route.segments[0]
    left, right = plan.gutters[segment.gutter]
    if segment.gutter == 0:
        _text(body, track_at(segment, plan) - 6, (y + segment.height) / 2, text, "label", "end")
    elif segment.track is None:
        _text(body, (left + right) / 2, (y + segment.height) / 2 - 4, text, "label", "middle")
    else:
        _text(body, right - 8, y - 4, text, "label", "end")


# What all is made of


def _add(parent: Element, tag: str, kind: str, **attributes: str | float) -> Element:
    child = SubElement(parent, tag, {"class": kind} if kind else {})
    for name, value in attributes.items():
        child.set(name.replace("_", "-"), value if isinstance(value, str) else number(value))
    return child


def _text(parent: Element, x: float, y: float, text: str, kind: str, anchor: str = "start") -> None:
    _add(parent, "text", kind, x=x, y=y, text_anchor=anchor).text = text
