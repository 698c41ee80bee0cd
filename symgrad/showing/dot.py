"""A program in Graphviz's language: `symgrad inspect SPEC --format dot | dot -Tsvg`.

Rows of the picture are ranks, and its columns stand in the same order in each of them. What is seen
does not decide where things stand (`constraint=false`): edges that aren't seen hold each lane
together from top to bottom, so that backward runs up again beside forward.
"""

from symgrad.language.program import Program
from symgrad.showing.graph import Derivatives, Graph, Node, graph, short
from symgrad.showing.placement import Row, assign_rows, backward_nodes, direction

_LETTERS = 60

# Fills and lines of nodes, lines of edges: names that Graphviz knows for its attributes.
_NODES = {
    "input": ("#ffffff", "#5a5c61"),
    "weight": ("#e4f3e8", "#15803d"),
    "forward": ("#e3eefb", "#0b62c4"),
    "backward": ("#fdeadf", "#bf4310"),
    "output": ("#fbd3bd", "#bf4310"),
}
_EDGES = {
    "ahead": 'color="#0b62c4"',
    "back": 'color="#bf4310"',
    "again": 'color="#0b62c4", style=dashed',
    "given": 'color="#15803d", style=dotted',
}


def dot(shown: Program | Derivatives) -> str:
    """A program, or the local partial derivatives between its arrays, as a directed graph in
    Graphviz's language; the same bytes for the same program."""
    drawn = graph(shown)
    placed = assign_rows(drawn)
    behind = backward_nodes(drawn)
    nodes = {node.name: node for node in drawn.nodes}
    title = f"{drawn.name}: {drawn.summary}"
    lines = [
        f"digraph {quoted(drawn.name)} {{",
        f"  graph [label={written(title)}, labelloc=t, newrank=true, nodesep=0.3, ranksep=0.4,",
        '         fontname="Helvetica"];',
        '  node [shape=box, style="filled,rounded", fontname="Courier", fontsize=11];',
        '  edge [arrowsize=0.7, fontname="Courier", fontsize=9, constraint=false];',
    ]
    for number, (band, there) in enumerate(_bands(placed)):
        lines += ["", f"  subgraph {quoted(f'cluster_{number}')} {{",
                  f"    label={written(band)}; labeljust=l; color=\"#dcd8d0\";"]  # fmt: skip
        for row in there:
            lines += [f"    {line}" for line in _row(row, nodes, behind, drawn)]
        lines.append("  }")
    lines += ["", *_spine(placed), ""]
    lines += [_edge(edge.source, edge.target, edge.label, nodes, behind) for edge in drawn.edges]
    return "\n".join([*lines, "}", ""])


def written(text: str) -> str:
    """A label: in those `&amp;` would be read as in HTML."""
    return quoted(text.replace("&", "&amp;"))


def quoted(text: str) -> str:
    """A string of Graphviz's: whatever is in it stands for itself."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\r", "").replace("\n", "\\n") + '"'


def _bands(placed: tuple[Row, ...]) -> list[tuple[str, list[Row]]]:
    found: list[tuple[str, list[Row]]] = []
    for row in placed:
        if not found or found[-1][0] != row.band:
            found.append((row.band, []))
        found[-1][1].append(row)
    return found


def _row(row: Row, nodes: dict[str, Node], behind: frozenset[str], drawn: Graph) -> list[str]:
    """Its nodes, at one height and from left to right."""
    given = [name for name, _ in row.pairs]
    gradients = [gradient for _, gradient in row.pairs if gradient is not None]
    names = [row.forward, *filter(None, given), *gradients, *row.backward]
    lines = [_node(nodes[name], behind, drawn) for name in names]
    order = " -> ".join(map(quoted, names))
    invisible = f" {order} [style=invis, constraint=true];" if len(names) > 1 else ""
    return [*lines, f"{{ rank=same; {'; '.join(map(quoted, names))};{invisible} }}"]


def _node(node: Node, behind: frozenset[str], drawn: Graph) -> str:
    kind: str = node.kind
    if kind == "definition":
        kind = "backward" if node.name in behind else "forward"
    if node.name in behind and node.name in drawn.outputs:
        kind = "output"
    fill, line = _NODES[kind]
    shape = " × ".join(node.shape) or "scalar"
    count = f", {node.operations:,} operations" if node.operations else ""
    label = written(f"{short(node.equation, _LETTERS)}\n{shape}{count}")
    tip = written(node.equation)
    return (
        f'{quoted(node.name)} [label={label}, tooltip={tip}, fillcolor="{fill}", color="{line}"];'
    )


def _spine(placed: tuple[Row, ...]) -> list[str]:
    """Each lane straight below itself, whether or not an edge leads from row to row."""
    lanes = [row.forward for row in placed], [name for row in placed for name in row.backward[:1]]
    return [
        f"  {' -> '.join(map(quoted, lane))} [style=invis, constraint=true, weight=100];"
        for lane in lanes
        if len(lane) > 1
    ]


def _edge(
    source: str, target: str, label: str, nodes: dict[str, Node], behind: frozenset[str]
) -> str:
    kind = direction(source, target, nodes, behind)
    labelled = f", label={written(label)}" if label else ""
    return f"  {quoted(source)} -> {quoted(target)} [{_EDGES[kind]}{labelled}];"
