"""factor: the distributive law, as vertex elimination, makes a program of a sum over paths.

The derivative by a weight is Σ over paths of the product of the partials along each. Paths share
their beginnings and their ends; pulling a shared part out of the sum is the distributive law.
Eliminating a vertex v does it for all paths through v at once: every edge pair u → v → w becomes
one edge u → w with ∂w/∂u += Σ_v ∂w/∂v · ∂v/∂u (Griewank and Naumann 2003, "Accumulating Jacobians
as chained sparse matrix products"). In which order is the whole question:

    loss-first      the vertex nearest the loss first: what is summed first is nearest the loss,
                    and what comes out is backpropagation (reverse mode)
    weights-first   nearest the weights first: forward mode, whose cost grows with every layer
    cheapest        always the vertex that costs least by the program's extents (Markowitz's rule);
                    or one of the other two, where that takes fewer operations in all
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, get_args

from sympy import Add, Indexed, Integer, Symbol

from symgrad.language.count import operations
from symgrad.language.indices import (
    SAMPLE,
    SAMPLES,
    apart,
    axis,
    delta,
    fresh,
    product,
    rename,
    sum_over,
    walk,
)
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array
from symgrad.passes.differentiate import DerivativeGraph, Edge, moved_to, renamed

Order = Literal["loss-first", "weights-first", "cheapest"]
ORDERS: tuple[Order, ...] = get_args(Order)


@undistributed
def factor(graph: DerivativeGraph, order: Order = "loss-first") -> Program:
    """The program of `graph` followed by the derivatives d_W1, d_b1, … of E by every weight."""
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if order != "cheapest":
        return _Elimination(graph).run(order)
    # Markowitz's rule is greedy and can be beaten by either fixed order, so the best of three
    programs = [_Elimination(graph).run(each) for each in get_args(Order)]
    return min(programs, key=operations)


@dataclass(frozen=True)
class _Partial:
    """The terms of ∂target/∂source, one for each way in which their indices coincide."""

    edges: tuple[Edge, ...]
    accumulated: bool  # whether it came out of an elimination, not straight from the graph


class _Elimination:
    def __init__(self, graph: DerivativeGraph) -> None:
        self.graph = graph
        self.program = graph.program
        # ∂target/∂source for every edge left, by source and target, and the sources by target
        self.partials: defaultdict[str, dict[str, _Partial]] = defaultdict(dict)
        self.sources: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.definitions: list[Definition] = list(self.program.definitions)
        results = (
            graph.named(target, source) for target in graph.targets for source in graph.sources
        )
        self.taken = {*self.program.given, *self.program.by_name, *results}
        self.ends = {*graph.sources}, {*graph.targets}
        self.outputs: dict[str, None] = {}
        for edge in graph.edges:
            self._add(edge, accumulated=False)

    def run(self, order: Order) -> Program:
        waiting = list(self.graph.between())
        pick: dict[str, Callable[[], str]] = {
            "loss-first": lambda: waiting[-1],
            "weights-first": lambda: waiting[0],
            "cheapest": lambda: min(reversed(waiting), key=self._cost),
        }
        while waiting:
            vertex = pick[order]()
            waiting.remove(vertex)
            self._finish(self._eliminate(vertex))
        self._finish(self.graph.sources)
        self._without_paths()
        named = (self.graph.named(t, s) for t in self.graph.targets for s in self.graph.sources)
        outputs = (*self.program.outputs, *named)
        return replace(self.program, definitions=tuple(self.definitions), outputs=outputs)

    def _without_paths(self) -> None:
        """Sources that no path leads from, as after cos² + sin² for an activation: derivative 0."""
        indices = self.graph.indices
        for target in self.graph.targets:
            for source in self.graph.sources:
                if self.graph.named(target, source) not in self.outputs:
                    none = Edge(source, target, indices(target), indices(source), Integer(0))
                    self._output(source, target, (none,))

    def _eliminate(self, vertex: str) -> list[str]:
        """Every path u → vertex → w becomes part of an edge u → w; returns all those u."""
        above, below = list(self.partials[vertex]), list(self.sources[vertex])
        for target in above:
            self._name(vertex, target)
        for source in below:
            self._name(source, vertex)
        for target in above:
            for source in below:
                for outer in self.partials[vertex][target].edges:
                    for inner in self.partials[source][vertex].edges:
                        self._add(self._chain(outer, inner), accumulated=True)
        for target in above:
            del self.sources[target][vertex]
        for source in below:
            del self.partials[source][vertex]
        del self.partials[vertex], self.sources[vertex]
        return below

    def _chain(self, outer: Edge, inner: Edge) -> Edge:
        """∂w/∂u = Σ_v ∂w/∂v · ∂v/∂u, summed over the indices of v that neither w nor u has."""
        inner = moved_to(inner, outer.into, outer.out)
        value = product([apart(outer.value, inner.into), apart(inner.value, outer.out)])
        for index in outer.into:
            if index not in outer.out and index not in inner.into:
                value = sum_over(value, index, self.program.extent(index))
        return Edge(inner.source, outer.target, outer.out, inner.into, value)

    def _add(self, edge: Edge, accumulated: bool) -> None:
        """Adds a term to its partial derivative, to the one of the same form if there is one."""
        edge = self._standard(edge)
        present = self.partials[edge.source].get(edge.target, _Partial((), False))
        same = [other for other in present.edges if other.into == edge.into]
        others = tuple(other for other in present.edges if other.into != edge.into)
        total = replace(edge, value=Add(*(e.value for e in same), edge.value))
        self.sources[edge.target][edge.source] = None
        self.partials[edge.source][edge.target] = _Partial(
            (*others, total), accumulated or present.accumulated or bool(same)
        )

    def _standard(self, edge: Edge) -> Edge:
        """`edge` with standard names for the indices that its source has and its target has not."""
        moved = moved_to(edge, self.graph.indices(edge.target), ())
        own = self.graph.indices(edge.source)
        names: dict[Symbol, Symbol] = {}
        taken = set(moved.out)
        for index, wish in zip(moved.into, own, strict=True):
            if index not in moved.out:
                names[index] = fresh(wish, taken) if wish in taken else wish
                taken.add(names[index])
        return renamed(moved, names)

    def _name(self, source: str, target: str) -> None:
        """Gives an accumulated derivative names of its own, so that it is computed once."""
        partial = self.partials[source][target]
        if not partial.accumulated and target != self.graph.loss:
            return
        edges = tuple(map(self._defined, partial.edges))
        self.partials[source][target] = replace(partial, edges=edges)

    def _defined(self, edge: Edge) -> Edge:
        if not any(isinstance(node, Indexed) for node in walk(edge.value)):
            return edge  # a constant is read where it is used
        name = self.graph.named(edge.target, edge.source)
        while name in self.taken:  # a derivative with a diagonal part and a full one has two arrays
            name += "_diagonal"
        self.taken.add(name)
        indices = tuple(dict.fromkeys((*edge.out, *edge.into)))
        target = array(name, *indices)
        self.definitions.append(Definition(target, edge.value))
        return replace(edge, value=target)

    def _finish(self, names: Iterable[str]) -> None:
        """Defines the derivatives by each source in `names` whose paths have all been followed."""
        for name in names:
            sources, targets = self.ends
            if name in sources and {*self.partials[name]} <= targets:
                for target, partial in self.partials[name].items():
                    if self.graph.named(target, name) not in self.outputs:
                        self._output(name, target, partial.edges)

    def _output(self, source: str, target: str, edges: tuple[Edge, ...]) -> None:
        """∂target/∂source, all of it: the samples of both are the same, and where it has more than
        one part the others are on a diagonal, δ times what is there."""
        name, out = self.graph.named(target, source), self.graph.indices(target)
        into: list[Symbol] = []
        for index in self.graph.indices(source):
            into.append(fresh(index, (*out, *into)) if index in (*out, *into) else index)
        if SAMPLE in out:
            into = [index for index in into if axis(index) != axis(SAMPLE)]
        total = Integer(0)
        for edge in edges:
            of_own = [index for index in edge.into if index != SAMPLE or SAMPLE not in out]
            on_diagonal = {i: j for i, j in zip(of_own, into, strict=True) if i in out}
            rest = {i: j for i, j in zip(of_own, into, strict=True) if i not in out}
            places = [delta(i, j) for i, j in on_diagonal.items()]
            total = total + product([*places, rename(edge.value, rest)])
        self.outputs[name] = None
        self.definitions.append(Definition(array(name, *out, *into), total))

    def _cost(self, vertex: str) -> int:
        """Multiplications that eliminating `vertex` takes now, for one sample."""
        return sum(
            self._space(upper, lower)
            for outer in self.partials[vertex].values()
            for source in self.sources[vertex]
            for upper in outer.edges
            for lower in self.partials[source][vertex].edges
        )

    def _space(self, outer: Edge, inner: Edge) -> int:
        inner = moved_to(inner, outer.into, outer.out)
        indices = {*outer.out, *outer.into, *inner.into}
        return prod(int(self.program.extent(i).subs(SAMPLES, 1)) for i in indices)
