"""A report as one HTML page that loads nothing: no scripts, no fonts, no pictures.

Equations are MathML, charts SVG. Both are parsed or built as trees of elements and written from
those; only they are put into the page as they are, everything else Jinja escapes.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from symgrad.showing.mathml import mathml
from symgrad.showing.pages import charts
from symgrad.showing.pages.blocks import (
    Bars,
    Block,
    Equations,
    Lines,
    Regions,
    Report,
    Section,
    Table,
    Words,
)
from symgrad.showing.pages.text import figure, numeric, pieces

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
    return template.render(
        name=report.name, done=report.done, facts=report.facts, sections=sections
    )


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
        case Regions():
            return _chart(block.title, charts.regions(block, name))


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
