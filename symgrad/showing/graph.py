"""A program as a plain graph of texts: what there is, and what reads what.

graph  ::=  node* edge*
node   ::=  input | weight | definition
edge   ::=  source → target          `target` reads `source`, or has a derivative by it
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sympy import Expr, Symbol

from symgrad.language import unicode
from symgrad.language.count import of_definition
from symgrad.language.indices import axis
from symgrad.language.program import Program, array, indices_of, name_of, reads
from symgrad.language.summary import network, several, summary

Kind = Literal["input", "weight", "definition"]


@dataclass(frozen=True)
class Node:
    """An array or a scalar. `axes` are those of its indices: "n" samples, "1" units of layer 1."""

    name: str
    kind: Kind
    target: str
    value: str
    axes: tuple[str, ...]
    shape: tuple[str, ...]
    operations: int

    @property
    def equation(self) -> str:
        """Its definition, or its name with indices where it is given."""
        return f"{self.target} = {self.value}" if self.value else self.target


@dataclass(frozen=True)
class Edge:
    """`label` says what is known of the derivative of `target` by `source`, where that is shown."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes in the program's order, what is given first; edges in the order of their targets."""

    name: str
    summary: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    outputs: tuple[str, ...]


class Partial(Protocol):
    """∂target[out]/∂source[into] = value."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def out(self) -> tuple[Symbol, ...]: ...
    @property
    def into(self) -> tuple[Symbol, ...]: ...
    @property
    def value(self) -> Expr: ...


class Derivatives(Protocol):
    """A program, and the local partial derivatives between its arrays."""

    @property
    def program(self) -> Program: ...
    @property
    def edges(self) -> Sequence[Partial]: ...


def graph(shown: Program | Derivatives) -> Graph:
    """The graph of what a program reads, or of the partials between its arrays."""
    if isinstance(shown, Program):
        return _graph(shown, summary(shown), _nodes(shown), _reads(shown))
    edges = tuple(_partial(each) for each in shown.edges)
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    nodes = (node for node in _nodes(shown.program) if node.name in ends)
    number = several(len(edges), "local partial derivative")
    return _graph(shown.program, f"{network(shown.program)}, {number}", nodes, edges)


def _graph(program: Program, summary: str, nodes: Iterable[Node], edges: Iterable[Edge]) -> Graph:
    return Graph(program.name, summary, tuple(nodes), tuple(edges), program.outputs)


def _nodes(program: Program) -> list[Node]:
    return [
        *(_given(program, target, "input") for target in program.inputs),
        *(_given(program, target, "weight") for target in program.weights),
        *(
            _node(program, d.target, "definition", unicode.text(d.value), of_definition(program, d))
            for d in program.definitions
        ),
    ]


def _given(program: Program, target: Expr, kind: Kind) -> Node:
    return _node(program, target, kind, "", 0)


def _node(program: Program, target: Expr, kind: Kind, value: str, count: int) -> Node:
    axes = tuple(axis(index) for index in indices_of(target))
    shape = tuple(str(extent) for extent in program.shape(target))
    return Node(name_of(target), kind, unicode.text(target), value, axes, shape, count)


def _reads(program: Program) -> list[Edge]:
    """One for every array that a definition reads, under however many indices."""
    return [
        Edge(name, definition.name)
        for definition in program.definitions
        for name in dict.fromkeys(map(name_of, reads(definition.value)))
    ]


def _partial(edge: Partial) -> Edge:
    above, below = array(edge.target, *edge.out), array(edge.source, *edge.into)
    quotient = f"∂{unicode.text(above)}/∂{unicode.text(below)}"
    return Edge(edge.source, edge.target, f"{quotient} = {unicode.text(edge.value)}")


def short(text: str, letters: int) -> str:
    """A text of at most so many letters; … stands for the rest."""
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
