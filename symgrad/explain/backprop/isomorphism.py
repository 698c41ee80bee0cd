"""Whether two programs are the same computation, up to the names of arrays and indices.

A program is taken apart into single operations, each a node: an operation on other nodes, or on
what is given. A node is the same as another if its operation and its operands are; the names that
a program gives to its intermediate arrays, and how much of a formula it gives one name to, leave no
trace. Nodes are numbered as they are met, in one table for all programs, so that equal numbers mean
equal graphs, all the way down to the inputs and weights. If the outputs of two programs have equal
numbers, and both compute each of their nodes just once, their graphs are isomorphic.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sympy import Add, Expr, Function, Indexed, Mul, Pow, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import SAMPLES, bounds
from symgrad.language.program import Definition, Program, indices_of, name_of


class Node(NamedTuple):
    """A node's number, and the indices that stand at its slots where it is used."""

    number: int
    at: tuple[Symbol, ...]


@dataclass
class Table:
    """All nodes met so far, by what they are."""

    numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def node(self, at: Sequence[Symbol], *key: object) -> Node:
        return Node(self.numbers.setdefault(key, len(self.numbers)), tuple(at))


class Root(NamedTuple):
    """What a definition is: a node, which of the target's indices stands at each slot, a shape."""

    number: int
    slots: tuple[int, ...]
    shape: str


@dataclass(frozen=True)
class Graph:
    """A program, taken apart."""

    roots: Mapping[str, Root]  # of every definition
    inside: Mapping[str, frozenset[int]]  # the nodes that its definition computes
    computed: Counter[int]  # how often each operation is computed, over all definitions
    taken: frozenset[str]  # definitions that were taken for another program's, of equal value


def graph(
    program: Program,
    table: Table,
    before: "Graph | None" = None,
    taken_for: Callable[[Definition, int], str | None] = lambda definition, number: None,
) -> Graph:
    """The nodes of `program`, numbered in `table`.

    A definition for which `taken_for` names one of the graph `before` counts as that one's node.
    """
    known: dict[str, tuple[Node, tuple[Symbol, ...]]] = {
        name: (
            table.node(indices_of(target), "given", name, str(program.shape(target))),
            indices_of(target),
        )
        for name, target in program.given.items()
    }
    roots: dict[str, Root] = {}
    inside: dict[str, frozenset[int]] = {}
    taken: set[str] = set()
    computed: Counter[int] = Counter()
    for definition in program.definitions:
        reading = _Reading(table, known)
        node = reading.node(definition.value)
        name = taken_for(definition, node.number)
        if before is not None and name is not None:
            root = before.roots[name]
            node = Node(root.number, tuple(definition.indices[slot] for slot in root.slots))
            taken.add(definition.name)
        known[definition.name] = (node, definition.indices)
        slots = tuple(map(definition.indices.index, node.at))
        shape = str(program.shape(definition.target))
        roots[definition.name] = Root(node.number, slots, shape)
        inside[definition.name] = frozenset(reading.computed)
        computed += reading.computed
    return Graph(roots, inside, computed, frozenset(taken))


class _Reading:
    """Takes one definition's value apart; `computed` counts the operations in it."""

    def __init__(self, table: Table, known: Mapping[str, tuple[Node, tuple[Symbol, ...]]]) -> None:
        self.table, self.known = table, known
        self.computed: Counter[int] = Counter()

    def node(self, value: Expr) -> Node:
        if isinstance(value, Indexed | Symbol) and value != SAMPLES:
            node, own = self.known[name_of(value)]
            names = dict(zip(own, indices_of(value), strict=True))
            return Node(node.number, tuple(names[index] for index in node.at))
        if value.is_number or value == SAMPLES:
            return self.table.node((), "constant", str(value))
        node = self._operation(value)
        if node.at or value.free_symbols != {SAMPLES}:  # 1/N is a constant, wherever it stands
            self.computed[node.number] += 1
        return node

    def _operation(self, value: Expr) -> Node:
        if isinstance(value, ExprWithLimits):
            body = self.node(value.function)
            bound = list(bounds(value))
            extents = str(list(bounds(value).values()))
            free = tuple(dict.fromkeys(index for index in body.at if index not in bound))
            order = [*free, *bound]
            slots = tuple(order.index(index) for index in body.at)
            return self.table.node(free, type(value).__name__, extents, body.number, slots)
        parts = [self.node(part) for part in value.args]
        if isinstance(value, Add | Mul):
            parts.sort(key=lambda part: (part.number, [index.name for index in part.at]))
        order = list(dict.fromkeys(index for part in parts for index in part.at))
        operands = tuple(
            (part.number, tuple(order.index(index) for index in part.at)) for part in parts
        )
        kind = value.func.__name__
        assert isinstance(value, Add | Mul | Pow | Function), value
        return self.table.node(order, kind, operands)


@dataclass(frozen=True)
class Pair:
    """A statement of the left program, one of the right program, and what they have in common.

    "same": one node. "part": the left statement is a part of the right one, or the other way round.
    "equal": other operations, equal values. "alone": no counterpart; the other side is None.
    """

    left: Definition | None
    right: Definition | None
    how: str


@dataclass(frozen=True)
class Match:
    """Two programs held against each other.

    They are isomorphic if their outputs are the same nodes and each computes the same nodes equally
    often; `but_for` are statements with equal values that were taken for the same in between. An
    output that was itself only taken for the same is not.
    """

    pairs: tuple[Pair, ...]
    same_outputs: bool
    but_for: tuple[Pair, ...]
    nodes: tuple[int, int]  # operations of each program
    same_operations: bool

    @property
    def isomorphic(self) -> bool:
        return self.same_outputs and self.same_operations and not self.but_for


def match(
    left: Program,
    right: Program,
    outputs: Mapping[str, str],
    equal: Callable[[Definition, Definition], bool] = lambda a, b: False,
) -> Match:
    """Pairs the statements of two programs; `outputs` maps the left one's outputs to the right's.

    Where a statement of the right program is no node of the left one, but `equal` knows one of the
    same value, it is taken for that node from there on: so one difference does not hide that all
    that follows is the same.
    """
    table = Table()
    one = graph(left, table)
    roots = {root.number for root in one.roots.values()}

    def taken_for(definition: Definition, number: int) -> str | None:
        if number in roots or number in one.computed:
            return None
        return next((d.name for d in left.definitions if equal(d, definition)), None)

    other = graph(right, table, one, taken_for)
    pairs = _pairs(left, right, one, other)
    return Match(
        pairs=pairs,
        same_outputs=all(
            one.roots[a] == other.roots[b] and b not in other.taken for a, b in outputs.items()
        ),
        but_for=tuple(pair for pair in pairs if pair.how == "equal"),
        nodes=(one.computed.total(), other.computed.total()),
        same_operations=one.computed == other.computed,
    )


def _pairs(left: Program, right: Program, one: Graph, other: Graph) -> tuple[Pair, ...]:
    there = {root.number: name for name, root in reversed(list(other.roots.items()))}
    pairs: list[Pair] = []
    paired: set[str] = set()
    for definition in left.definitions:
        number = one.roots[definition.name].number
        name = there.get(number)
        how = "same" if name not in other.taken else "equal"
        if name is None:
            how = "part"
            name = next((n for n, inside in other.inside.items() if number in inside), None)
        if name is None:
            pairs.append(Pair(definition, None, "alone"))
        else:
            paired.add(name)
            pairs.append(Pair(definition, right.by_name[name], how))
    for definition in right.definitions:
        if definition.name not in paired:
            number = other.roots[definition.name].number
            around = next((n for n, inside in one.inside.items() if number in inside), None)
            here = left.by_name[around] if around else None
            pairs.append(Pair(here, definition, "part" if around else "alone"))
    return tuple(pairs)
