"""Where the parts of a program stand in a picture of backpropagation.

Forward runs down one lane, a definition a row. Its derivative stands opposite in the other lane,
so that backward runs up again. Between the lanes stand the weights, in the row that reads them
first, each beside its own derivative; targets and weights of samples stand there too. The loss is
the last row, where forward turns into backward.

    forward     given     gradient     backward
    x
    z1          W1        d_W1         d_z1
                b1        d_b1
    a1                                 d_a1
    …
    E  ───────────────── the turn ────────────┘
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from symgrad.language.indices import layer_of
from symgrad.showing.graph import Graph, Node

LOSS = "E"


class Column(IntEnum):
    """From left to right."""

    FORWARD = 0
    GIVEN = 1
    GRADIENT = 2
    BACKWARD = 3


@dataclass(frozen=True)
class Row:
    """Names by column, from top to bottom; those between the lanes in pairs, either may be None.

    `band` is what the row belongs to: "inputs", "layer 1", "loss", or nothing.
    """

    band: str
    forward: str
    pairs: tuple[tuple[str | None, str | None], ...]
    backward: tuple[str, ...]


def backward_nodes(graph: Graph) -> frozenset[str]:
    """What is computed for the sake of the derivatives alone: they, and their parts."""
    readers = readers_of(graph)
    ahead = _needed_for_loss(graph)  # derivatives too, where a loss is a formula in some
    found: set[str] = set()
    for node in graph.nodes:
        if node.kind == "definition" and is_derivative(node.name) and node.name not in ahead:
            found.add(node.name)
    for edge in graph.edges:  # in the order of the program
        if edge.source in found:
            found.add(edge.target)
    for node in reversed(graph.nodes):
        if node.kind == "definition" and node.name not in graph.outputs:
            if readers[node.name] and found.issuperset(readers[node.name]):
                found.add(node.name)
    return frozenset(found)


def _needed_for_loss(graph: Graph) -> set[str]:
    """The loss, and all that it is computed from."""
    sources = sources_of(graph)
    needed = {LOSS} & {*sources}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed |= {*sources[node.name]}
    return needed


def direction(
    source: str, target: str, nodes: Mapping[str, Node], behind: frozenset[str]
) -> Literal["ahead", "back", "again", "given"]:
    """Where an edge leads: forward, backward, or to backward from what forward has computed, or
    from what was given."""
    if target not in behind:
        return "ahead"
    if source in behind:
        return "back"
    return "again" if nodes[source].kind == "definition" else "given"


def is_derivative(name: str) -> bool:
    return name.startswith("d_")


def readers_of(graph: Graph) -> dict[str, list[str]]:
    """Who reads each node, in order."""
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        readers[edge.source].append(edge.target)
    return readers


def sources_of(graph: Graph) -> dict[str, list[str]]:
    """What each node reads, in order."""
    sources: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        sources[edge.target].append(edge.source)
    return sources


def assign_rows(graph: Graph) -> tuple[Row, ...]:
    """The picture from top to bottom, every node in it once."""
    nodes = {node.name: node for node in graph.nodes}
    behind = backward_nodes(graph)
    beside = _of_weights(graph, behind)
    lane = [
        node.name
        for node in graph.nodes
        if _is_network_input(node)
        or (node.kind == "definition" and node.name not in behind and node.name not in beside)
    ]
    if not lane:  # of weights alone, or backward alone: no picture of a network
        behind, beside = frozenset(), frozenset()
        lane = [node.name for node in graph.nodes if node.kind == "definition"]
    if not lane:
        return ()
    lane.sort(key=lambda name: name == LOSS)  # the loss comes last, the others as they are
    place = {name: number for number, name in enumerate(lane)}
    readers, sources = readers_of(graph), sources_of(graph)

    given: list[list[str]] = [[] for _ in lane]
    at: dict[str, int] = {}
    waiting = [n.name for n in graph.nodes if n.kind != "definition" and n.name not in place]
    for name in waiting:
        if any(reader in place for reader in readers[name]):
            at[name] = _first(readers[name], place)
            given[at[name]].append(name)
    for name in (node.name for node in graph.nodes if node.name in beside):
        over = [source for source in sources[name] if source in at]
        at[name] = max((at[source] for source in over), default=0)
        there = given[at[name]]
        there.insert(max((there.index(s) + 1 for s in over if s in there), default=0), name)
    for name in waiting:  # read by penalties alone, or by nothing
        if name not in at:
            at[name] = _first(readers[name], at)
            given[at[name]].append(name)

    gradients: dict[str, str] = {}
    opposite: list[list[str]] = [[] for _ in lane]
    for name in reversed([node.name for node in graph.nodes if node.name in behind]):
        of = _opposite(name, nodes)
        if of in at and of not in gradients:
            gradients[of] = name
            place[name] = at[of]
            continue
        number = place[of] if of in place else _first(readers[name], place)
        opposite[number].append(name)
        place[name] = number
    bands = _bands([nodes[name] for name in lane])
    return tuple(
        Row(
            bands[number],
            name,
            tuple((each, gradients.get(each)) for each in given[number]),
            tuple(opposite[number]),
        )
        for number, name in enumerate(lane)
    )


def _is_network_input(node: Node) -> bool:
    return node.kind == "input" and "0" in node.axes


def _of_weights(graph: Graph, behind: frozenset[str]) -> frozenset[str]:
    """Definitions that the forward pass makes of weights and of numbers, not of samples: what a
    penalty adds to the loss."""
    numbers = {node.name for node in graph.nodes if node.kind == "input" and not node.axes}
    made = {node.name for node in graph.nodes if node.kind == "weight"}
    weights = frozenset(made)
    sources = sources_of(graph)
    for node in graph.nodes:
        if node.kind != "definition" or node.name in behind or node.name == LOSS:
            continue
        read = set(sources[node.name])
        if read & made and read <= made | numbers and "n" not in node.axes:
            made.add(node.name)
    return frozenset(made) - weights


def _first(readers: Iterable[str], place: Mapping[str, int]) -> int:
    """The first row that reads something; the first of all where no row does."""
    return min((place[reader] for reader in readers if reader in place), default=0)


def _opposite(name: str, nodes: Mapping[str, Node]) -> str:
    """What a derivative stands opposite: z1 for ∂E/∂z1, and for ∂z1/∂W1."""
    if (by := name.removeprefix("d_")) in nodes and by != name:
        return by
    above, _, below = name.removeprefix("d_").rpartition("_d_")
    return (above or below) if is_derivative(name) else ""


def _bands(lane: list[Node]) -> list[str]:
    """A row belongs to the layer whose units it has, or to that of the row before."""
    found: list[str] = []
    layer, loss = 0, False
    for node in lane:
        loss = loss or node.name in ("e", LOSS) or node.name.startswith("e_")
        layers = (layer_of(axis) for axis in node.axes)
        layer = max([layer, *(each for each in layers if each is not None)])
        if node.kind == "input":
            found.append("inputs")
        elif loss:
            found.append("loss")
        else:
            found.append(f"layer {layer}" if layer else "")
        loss = loss or node.name == "y"  # what comes after the output is the loss
    return found
