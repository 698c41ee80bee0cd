"""What a notebook shows of a program: its counts, its equations, its picture and its source.

All of it is one tree of elements: nothing in a name, an equation or a source is read as markup.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from symgrad.language import latex, unicode
from symgrad.language.count import of_definition
from symgrad.language.program import Definition, Program
from symgrad.language.summary import counts, network
from symgrad.showing.graph import Graph, graph
from symgrad.showing.mathml import math
from symgrad.showing.placement import assign_rows, backward_nodes
from symgrad.showing.svg import picture

# A notebook keeps what it shows: of a large program not all.
EQUATIONS = 120
DRAWN = 200
LETTERS = 200_000

_CLASS = "symgrad-compiled"
_STYLE = """
{0} table {{ border-collapse: collapse; margin: .5em 0; }}
{0} td, {0} th {{ text-align: left; padding: .25em 1em .25em 0; vertical-align: middle; }}
{0} .number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
{0} .group {{ padding-top: 1em; font-weight: 600; }}
{0} .scroll {{ overflow-x: auto; }}
{0} math {{ display: inline-block; }}
{0} summary {{ cursor: pointer; margin: .5em 0; }}
{0} svg {{ min-width: 70em; }}
{0} pre {{ max-height: 30em; overflow: auto; }}
"""


def html(program: Program, source: str = "") -> str:
    """A program, and the module that was emitted of it, its mathematics alone, as a part of an HTML
    page."""
    root = Element("div", {"class": _CLASS})
    SubElement(root, "style").text = _STYLE.format(f".{_CLASS}")
    widths = network(program)
    SubElement(root, "h3").text = f"{program.name}: {widths}" if widths else program.name
    _counts(root, program)
    drawn = graph(program)
    _equations(root, program, drawn)
    _picture(root, drawn, len(program.definitions))
    if source:
        _source(root, source)
    return tostring(root, encoding="unicode", short_empty_elements=False)


def _counts(root: Element, program: Program) -> None:
    found = counts(program)
    facts = {"weights": f"{found.weights:,}", "definitions": f"{found.definitions:,}"}
    if found.loss is not None:
        facts["operations a sample: loss"] = f"{found.loss:,}"
    if found.gradient is not None:
        facts["loss and gradient"] = f"{found.gradient:,}"
    if found.loss and found.gradient:
        facts["their ratio"] = f"{found.gradient / found.loss:.2f}"
    table = SubElement(root, "table")
    for term, fact in facts.items():
        row = SubElement(table, "tr")
        SubElement(row, "th", scope="row").text = term
        SubElement(row, "td", {"class": "number"}).text = fact


# Equations


def _equations(root: Element, program: Program, drawn: Graph) -> None:
    scroll = SubElement(root, "div", {"class": "scroll"})
    table = SubElement(scroll, "table")
    head = SubElement(table, "tr")
    for column, kind in (("equation", ""), ("shape", ""), ("operations", "number")):
        SubElement(head, "th", {"scope": "col"} | ({"class": kind} if kind else {})).text = column
    shown = program.definitions[:EQUATIONS]
    for title, group in _grouped(drawn, shown):
        row = SubElement(table, "tr")
        SubElement(row, "th", {"colspan": "3", "class": "group", "scope": "rowgroup"}).text = title
        for definition in group:
            _equation(table, program, definition)
    if len(shown) < len(program.definitions):
        SubElement(root, "p").text = (
            f"These are the first {len(shown)} of {len(program.definitions):,} equations; "
            "symgrad.language.unicode.listing(compiled.program) is all of them."
        )


def _grouped(drawn: Graph, shown: Iterable[Definition]) -> list[tuple[str, list[Definition]]]:
    """Definitions by what they are for, in the program's order."""
    behind = backward_nodes(drawn)
    placed = assign_rows(drawn)
    loss = {row.forward for row in placed if row.band == "loss"}
    loss |= {name for row in placed for name, _ in row.pairs if name is not None}  # penalties
    groups: dict[str, list[Definition]] = {"Forward": [], "Loss": [], "Backward": []}
    for definition in shown:
        name = definition.name
        title = "Backward" if name in behind else "Loss" if name in loss else "Forward"
        groups[title].append(definition)
    return [(title, group) for title, group in groups.items() if group]


def _equation(table: Element, program: Program, definition: Definition) -> None:
    row = SubElement(table, "tr", title=unicode.equation(definition))
    cell = SubElement(row, "td")
    written = math(latex.equation(definition))
    if written is None:
        SubElement(cell, "code").text = unicode.equation(definition)
    else:
        cell.append(written)
    SubElement(row, "td").text = " × ".join(map(str, program.shape(definition.target))) or "scalar"
    SubElement(row, "td", {"class": "number"}).text = f"{of_definition(program, definition):,}"


# What is folded away


def _picture(root: Element, drawn: Graph, definitions: int) -> None:
    details = _folded(root, "Who reads what: forward, and backward again")
    if definitions <= DRAWN:
        SubElement(details, "div", {"class": "scroll"}).append(picture(drawn))
    else:
        SubElement(details, "p").text = (
            f"Of {definitions:,} definitions the picture is long: "
            "symgrad.showing.svg(compiled.program) draws it."
        )


def _source(root: Element, source: str) -> None:
    details = _folded(root, f"The emitted module, {source.count(chr(10)):,} lines")
    if len(source) <= LETTERS:
        SubElement(SubElement(details, "pre"), "code").text = source
    SubElement(details, "p").text = "compiled.source is its text with all that it imports."


def _folded(root: Element, title: str) -> Element:
    details = SubElement(root, "details")
    SubElement(details, "summary").text = title
    return details
