"""The explanation as one HTML page that loads nothing: no scripts, no fonts, no pictures.

Equations are MathML, charts SVG. Both are parsed or built as trees of elements and written from
those; only they are put into the page as they are, everything else Jinja escapes.
"""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml import exceptions
from latex2mathml.converter import convert
from markupsafe import Markup

from symgrad.explain.drawing import charts
from symgrad.explain.drawing.text import figure, numeric, pieces
from symgrad.explain.report import Bars, Block, Equations, Lines, Report, Section, Table, Words

# What an equation may consist of, and of how many children each takes; None is any number.
_ELEMENTS = {
    "math": None, "mrow": None, "mstyle": None, "msqrt": None,
    "mi": 0, "mn": 0, "mo": 0, "mtext": 0, "mspace": 0,
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2,
    "msubsup": 3, "munderover": 3,
}  # fmt: skip
_ATTRIBUTES = {
    "display", "fence", "form", "lspace", "mathvariant", "movablelimits", "rspace", "stretchy",
    "width",
}  # fmt: skip

# What the conversion ends with if it can't: the converter's own faults, or no more tokens.
_FAULTS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(exceptions).values() if isinstance(kind, type)),
    StopIteration,
    ElementTree.ParseError,
)
_THIN = "0.167em"

_SHORT = 18  # letters in a cell of a table that never go on in the next line


def page(report: Report) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pieces"] = pieces
    environment.filters["figure"] = figure
    template = environment.get_template("page.html.jinja")
    sections = [_section(*each) for each in enumerate(report.sections, start=1)]
    return template.render(name=report.name, facts=report.facts, sections=sections)


def mathml(latex: str) -> str | None:
    """LaTeX as MathML to be displayed; None if it can't be converted, or not into plain MathML."""
    try:
        root = ElementTree.fromstring(convert(latex, xmlns="", display="block"))
    except _FAULTS:
        return None
    if not all(map(_plain, root.iter())):
        return None
    for parent in list(root.iter()):
        _dress(parent)
    return ElementTree.tostring(root, encoding="unicode")


def _plain(element: Element) -> bool:
    """Whether it is plain MathML: the converter lets HTML pass, and commands it doesn't know."""
    children = _ELEMENTS.get(element.tag, -1)
    return (
        (children is None or children == len(element))
        and _ATTRIBUTES.issuperset(element.keys())
        and "\\" not in (element.text or "")
    )


def _dress(parent: Element) -> None:
    """Spaces and limits as TeX sets them, where the converter leaves them to the browser."""
    children = list(parent)
    if parent.tag == "msub" and children[0].text in ("max", "∑"):
        parent.tag = "munder"
        children[0].set("movablelimits", "true")
    bars = [child for child in children if child.text == "|"]
    for index, bar in enumerate(bars):  # the browser can't tell which begin and which end
        bar.set("form", "postfix" if index % 2 else "prefix")
    for index, child in enumerate(children):
        if child.tag == "mo" and not child.get("fence"):
            before = children[index - 1] if index else None
            _dress_sign(child, before, following=children[index + 1 : index + 2])


def _dress_sign(sign: Element, before: Element | None, following: list[Element]) -> None:
    text = sign.text or ""
    begins = before is None or (
        before.tag == "mo" and before.get("form") != "postfix" and before.text != ")"
    )
    if text.isalpha() and len(text) > 1:  # a function, or a word of a name
        applied = any(len(each) > 0 and each[0].get("fence") for each in following)
        touches = begins or (before is not None and before.tag == "mspace")
        sign.set("lspace", "0" if touches else _THIN)
        sign.set("rspace", "0" if applied else _THIN)
    elif text in ("−", "+") and begins:
        sign.set("form", "prefix")


# What the template is given


def _section(number: int, section: Section) -> dict[str, Any]:
    name = re.sub(r"[^\w-]+", "-", section.key) or f"section-{number}"
    return {
        "id": name,
        "number": number,
        "title": section.title,
        "missing": section.missing,
        "blocks": [_block(block, f"{name}-{i}") for i, block in enumerate(section.blocks, 1)],
    }


def _block(block: Block, name: str) -> dict[str, Any]:
    """What the template shows of a block; `name` is for the ids within it."""
    match block:
        case Words():
            return {"kind": "words", "text": block.text}
        case Equations():
            rows = [(text, _safe(mathml(latex))) for text, latex in block.rows]
            return {"kind": "equations", "title": block.title, "rows": rows}
        case Table():
            return {"kind": "table", "table": block, "kinds": _kinds(block)}
        case Bars():
            return _chart(block.title, charts.bars(block, name))
        case Lines():
            return _chart(block.title, charts.lines(block, name))


def _kinds(table: Table) -> list[str]:
    """What kind of column each is, for CSS."""
    kinds = []
    for place, number in enumerate(numeric(table)):
        longest = max((len(figure(row[place])) for row in table.rows), default=0)
        kinds.append("numeric" if number else "long" if longest > _SHORT else "short")
    return kinds


def _chart(title: str, chart: charts.Chart) -> dict[str, Any]:
    return {
        "kind": "chart",
        "title": title,
        "svg": _safe(chart.svg),
        "legend": [(_safe(swatch), name) for swatch, name in chart.legend],
        "note": chart.note,
    }


def _safe(written: str | None) -> Markup | None:
    """Of what was written from a tree of elements, and of nothing else."""
    return None if written is None else Markup(written)
