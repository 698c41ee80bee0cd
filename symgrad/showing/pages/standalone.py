"""A chart that stands by itself: an SVG with its title, its legend, and a style of its own."""

from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from symgrad.showing.pages import charts
from symgrad.showing.pages.blocks import Lines

_CLASS = "symgrad-chart"
_MARGIN, _LINE, _SWATCH = 10, 22, 40

# (what, light, dark): the colours of a page's charts.
_COLOURS = (
    (".page { fill: %s; }", "#fdfcfa", "#16181b"),
    ("text { fill: %s; }", "#1e1f22", "#e7e6e2"),
    (".grid { stroke: %s; }", "#dcd8d0", "#383c42"),
    (".axis { stroke: %s; }", "#5a5c61", "#a9adb4"),
    (".s0 { color: %s; }", "#0b62c4", "#6cb0ff"),
    (".s1 { color: %s; }", "#bf4310", "#ff9a5c"),
    (".s2 { color: %s; }", "#15803d", "#5fd38a"),
    (".s3 { color: %s; }", "#9333a8", "#d79bea"),
    (".s4 { color: %s; }", "#856000", "#e3bb4f"),
    (".s5 { color: %s; }", "#0e7490", "#56c8de"),
)
_SHAPES = """
{0} {{ max-width: 100%; height: auto; }}
{0} text {{ font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; white-space: pre; }}
{0} .title {{ font-weight: 600; }}
{0} .grid, {0} .axis, {0} .line {{ fill: none; }}
{0} .series {{ stroke: currentColor; }}
{0} .line {{ stroke-width: 2; stroke-linejoin: round; }}
{0} .marker {{ fill: currentColor; stroke-width: 1.5; }}
"""


def standalone(block: Lines, name: str) -> str | None:
    """The text of an SVG; None where there is nothing to draw. `name` begins the ids within it."""
    chart = charts.lines(block, name)
    if not chart.svg:
        return None
    drawn = fromstring(chart.svg)
    width, height = (float(each) for each in drawn.attrib["viewBox"].split()[2:])
    above = _MARGIN + 2 * _LINE
    size = {"width": f"{width + 2 * _MARGIN:g}", "height": f"{above + height + _MARGIN:g}"}
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "class": _CLASS, **size,
        "viewBox": f"0 0 {size['width']} {size['height']}",
    })  # fmt: skip
    SubElement(root, "style").text = _style()
    SubElement(root, "rect", {"class": "page", **size})
    _text(root, _MARGIN, 1, block.title, "title")
    across = _MARGIN
    for swatch, series in chart.legend:
        place = {"x": str(across), "y": str(_MARGIN + _LINE + 4), "width": "40", "height": "14"}
        _nested(root, fromstring(swatch), place)
        _text(root, across + _SWATCH + 6, 2, series)
        across += _SWATCH + 30 + 8 * len(series)
    _nested(root, drawn, {
        "x": str(_MARGIN), "y": str(above), "width": f"{width:g}", "height": f"{height:g}",
    })  # fmt: skip
    return tostring(root, encoding="unicode")


def _nested(root: Element, svg: Element, place: dict[str, str]) -> None:
    svg.attrib.update(place)
    root.append(svg)


def _text(root: Element, x: float, line: int, text: str, kind: str = "legend") -> None:
    place = {"x": str(x), "y": str(_MARGIN + line * _LINE - 6), "class": kind}
    SubElement(root, "text", place).text = text


def _style() -> str:
    light, dark = [
        "\n".join(f".{_CLASS} {row[0] % row[shade]}" for row in _COLOURS) for shade in (1, 2)
    ]
    shapes = _SHAPES.format(f".{_CLASS}")
    return f"{shapes}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
