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
from symgrad.language.count import of_definition, operations, size
from symgrad.language.indices import axis
from symgrad.language.program import Program, array, indices_of, name_of, prune, reads

Kind = Literal["input", "weight", "definition"]

_MOST_WIDTHS = 12


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
    number = f"{len(edges):,} local partial derivatives"
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


# What is said of a program as a whole


@dataclass(frozen=True)
class Counts:
    """Sizes of a program; operations are for one sample.

    `loss` and `gradient`, which includes the loss, are None where a program computes no such thing.
    """

    weights: int
    definitions: int
    loss: int | None
    gradient: int | None


def counts(program: Program) -> Counts:
    weights = sum(_numbers(program.shape(weight)) for weight in program.weights)
    derivatives = any(name.startswith("d_") for name in program.outputs)
    has_loss = "E" in program.by_name
    return Counts(
        weights,
        len(program.definitions),
        operations(prune(program, ("E",))) if has_loss else None,
        operations(program) if has_loss and derivatives else None,
    )


def _numbers(shape: tuple[Expr, ...]) -> int:
    number = 1
    for extent in shape:
        number *= size(extent)
    return number


def network(program: Program) -> str:
    """The widths of a network's layers, 64-64-32-10; nothing where it has none."""
    layers = sorted((int(axis), str(extent)) for axis, extent in program.extents.items()
                    if axis.isdigit())  # fmt: skip
    widths = [extent for _, extent in layers]
    if len(widths) > _MOST_WIDTHS:
        return f"{'-'.join(widths[:3])}-…-{widths[-1]}, {len(widths) - 1} layers"
    return "-".join(widths)


def summary(program: Program) -> str:
    """What a program comes to, on one line."""
    found = counts(program)
    parts = [network(program)] if network(program) else []
    parts += [_several(found.weights, "weight"), _several(found.definitions, "definition")]
    if found.loss is None:
        parts.append(_several(operations(program), "operation"))
    else:
        parts.append(f"loss {_several(found.loss, 'operation')} a sample")
    if found.gradient is not None:
        parts.append(f"with gradient {found.gradient:,}")
    return ", ".join(parts)


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("s" if number != 1 else "")


def short(text: str, letters: int) -> str:
    """A text of at most so many letters; … stands for the rest."""
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
