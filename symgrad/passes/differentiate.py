"""differentiate: the local partial derivatives of every definition by everything that it reads.

The result is a graph. Its vertices are the arrays of the program; an edge u → v, for a u that v's
definition reads, carries ∂v[out]/∂u[in], an expression whose indices `out` are v's and whose
indices `in` are u's. An index that stands in both is one on which the derivative is diagonal (a
Kronecker δ that has been contracted): ∂a1[n,i1]/∂z1[n,i1] = 1 - tanh(z1[n,i1])², while in
∂z2[n,i2]/∂a1[n,i1] = W2[i1,i2] only n is shared.

The derivative of the loss by a weight is the sum over all paths between them of the products of
their edges, summed over the indices in between (Bauer 1974, "Computational graphs and rounding
error"). `textbook` writes that down; `factor` computes it without walking every path.

Nothing in it is about losses and weights: any arrays are differentiated by any others that are
given, or along a direction, a number by which given arrays move: a source with an edge to each.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sympy import Add, Expr, Integer, Mul, Pow, Sum, Symbol

from symgrad.language.functions import TABLE, Peak
from symgrad.language.indices import (
    apart,
    bounds,
    delta,
    fresh,
    is_index,
    product,
    rename,
    sum_over,
    walk,
)
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, indices_of, name_of, reads


@dataclass(frozen=True)
class Edge:
    """∂target[out]/∂source[into] = value; an index in both `out` and `into` is on the diagonal."""

    source: str
    target: str
    out: tuple[Symbol, ...]
    into: tuple[Symbol, ...]
    value: Expr


@dataclass(frozen=True)
class Direction:
    """A number s, and how fast given arrays move with it: x by `moves["x"]`, which has the indices
    that x has in the program. A derivative by s is a derivative along the direction.

    `form` is what the derivative of an array along it is called: "d_{}_d_x", or "v_{}".
    """

    name: str
    moves: Mapping[str, Expr]
    form: str


@dataclass(frozen=True)
class DerivativeGraph:
    """A program, and the partial derivatives between arrays on a path from a source to a target:
    from the weights to the loss, where nothing else is said."""

    program: Program
    edges: tuple[Edge, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...] = ("E",)
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        """What weights are differentiated for; its derivatives have short names, d_W1."""
        return "E"

    def indices(self, name: str) -> tuple[Symbol, ...]:
        if name in self.forms:
            return ()
        found = self.program.given.get(name)
        return indices_of(found) if found is not None else self.program.by_name[name].indices

    def between(self) -> tuple[str, ...]:
        """The vertices to eliminate, in the program's order: neither sources nor targets."""
        ends = {edge.source for edge in self.edges} & {edge.target for edge in self.edges}
        names = (*self.program.given, *(d.name for d in self.program.definitions))
        return tuple(name for name in names if name in ends - {*self.targets})

    def named(self, target: str, source: str) -> str:
        """What ∂target/∂source is called."""
        if target == self.loss and source not in self.forms:
            return f"d_{source}"
        form = self.forms.get(source, f"d_{{}}_d_{source}")
        again = form.startswith("d_") and target.startswith("d_") and "_d_" in target
        return form.format(target.removeprefix("d_") if again else target)


@undistributed
def differentiate(
    program: Program,
    of: Iterable[str] = ("E",),
    by: Iterable[str] | None = None,
    along: Iterable[Direction] = (),
) -> DerivativeGraph:
    """The local partials of `program` along every path from a source to one of the arrays `of`:
    from those arrays that are named in `by`, the weights if None, and from directions; from no
    weights that are fixed."""
    weights = tuple(name_of(weight) for weight in program.weights)
    sources, targets, along = tuple(weights if by is None else by), tuple(of), tuple(along)
    edges = [
        Edge(direction.name, name, indices_of(program.given[name]), (), value)
        for direction in along
        for name, value in direction.moves.items()
        if name not in program.fixed
    ]
    active = {*sources, *(edge.target for edge in edges)} - program.fixed
    for definition in program.definitions:
        for read in reads(definition.value):
            if name_of(read) in active:
                edges.extend(_edges(program, definition, read))
        if any(edge.target == definition.name for edge in edges):
            active.add(definition.name)
    names = (*sources, *(direction.name for direction in along))
    forms = {direction.name: direction.form for direction in along}
    return DerivativeGraph(program, _leading_to(targets, edges), names, targets, forms)


def _leading_to(targets: Iterable[str], edges: list[Edge]) -> tuple[Edge, ...]:
    reached = {*targets}
    kept = []
    for edge in reversed(edges):
        if edge.target in reached:
            reached.add(edge.source)
            kept.append(edge)
    return tuple(reversed(kept))


def _edges(program: Program, definition: Definition, read: Expr) -> Iterable[Edge]:
    out, name = definition.indices, name_of(read)
    beside = (*out, *filter(is_index, indices_of(read)))
    derivative = apart(partial(definition.value, read), beside)
    if derivative != 0:
        own = program.given[name] if name in program.given else program.by_name[name].target
        at = indices_of(read)
        into, places = _at_any_place(at, indices_of(own), program.shape(own), beside)
        yield Edge(name, definition.name, out, into, product([*places, derivative]))


def _at_any_place(
    at: tuple[Expr, ...],
    own: tuple[Symbol, ...],
    extents: tuple[Expr, ...],
    taken: Iterable[Symbol],
) -> tuple[tuple[Symbol, ...], list[Expr]]:
    """Indices for what is read `at` a place, and what the derivative by it is multiplied by:
    ∂W[1,i]/∂W[j,i] is δ(j,1)."""
    into: list[Symbol] = []
    places: list[Expr] = []
    avoid = {*taken}
    for index, wish, extent in zip(at, own, extents, strict=True):
        into.append(index if is_index(index) else fresh(wish, avoid))
        avoid.add(into[-1])
        if into[-1] != index and extent != 1:
            places.append(delta(into[-1], index))
    return tuple(into), places


def partial(value: Expr, read: Expr) -> Expr:
    """∂value/∂read, where `read` is one array element as it stands in `value`, indices and all.

    A sum over an index of `read` disappears: ∂/∂u[i] Σ_k f(u[k]) is f′(u[i]), and the index that
    was bound becomes the one that the derivative is taken at. What remains of other parts of
    `value` keeps its own bound indices, renamed where they would now meet that one.
    """
    if value == read:
        return Integer(1)
    if not any(node == read for node in walk(value)):
        return Integer(0)
    freed = tuple(filter(is_index, indices_of(read)))
    if isinstance(value, Add):
        return Add(*(partial(term, read) for term in value.args))
    if isinstance(value, Mul):
        return Add(
            *(
                product([*(apart(other, freed) for other in others), partial(factor, read)])
                for factor, others in _each(value.args)
            )
        )
    if isinstance(value, Pow):
        base, exponent = value.args
        return apart(exponent * base ** (exponent - 1), freed) * partial(base, read)
    if isinstance(value, Peak):
        return Integer(0)  # see there
    if isinstance(value, Sum):
        return _summed(partial(value.function, read), value, read)
    rule = TABLE[type(value)]
    return Add(
        *(
            apart(slope, freed) * partial(argument, read)
            for slope, argument in zip(rule.slopes(*value.args), value.args, strict=True)
        )
    )


def _summed(inner: Expr, reduction: Expr, read: Expr) -> Expr:
    for index, extent in bounds(reduction).items():
        if index not in indices_of(read):
            inner = sum_over(inner, index, extent)
    return inner


def _each(items: tuple[Expr, ...]) -> Iterable[tuple[Expr, tuple[Expr, ...]]]:
    for place, item in enumerate(items):
        yield item, items[:place] + items[place + 1 :]


@undistributed
def textbook(graph: DerivativeGraph, weight: str) -> Expr:
    """∂E/∂weight as the sum over all paths, one formula; may grow exponentially with depth."""
    total: Expr = Integer(0)
    into = graph.indices(weight)
    paths: list[tuple[str, tuple[Symbol, ...], Expr, frozenset[Symbol]]] = [
        ("E", (), Integer(1), frozenset())
    ]
    while paths:
        name, at, value, used = paths.pop()
        if name == weight:
            names = dict(zip(at, into, strict=True))
            total = total + apart(rename(value, names), into)
            continue
        for edge in graph.edges:
            if edge.target == name:
                moved = moved_to(edge, at, used)
                new = set(moved.into) - set(at)
                factor = apart(value, moved.into) * apart(moved.value, {*used, *at})
                for index in at:
                    if index not in moved.into:
                        factor = sum_over(factor, index, graph.program.extent(index))
                paths.append((edge.source, moved.into, factor, used | new | set(at)))
    return total


def moved_to(edge: Edge, at: tuple[Symbol, ...], taken: Iterable[Symbol]) -> Edge:
    """`edge` with its target's indices renamed to `at`, its others apart from those taken."""
    names = dict(zip(edge.out, at, strict=True))
    avoid = {*at, *taken}
    for index in edge.into:
        if index not in names:
            names[index] = fresh(index, avoid) if index in avoid else index
            avoid.add(names[index])
    return renamed(edge, names)


def renamed(edge: Edge, names: Mapping[Symbol, Symbol]) -> Edge:
    """`edge` with other names for its indices; bound ones in its value make way."""
    out = tuple(names.get(index, index) for index in edge.out)
    into = tuple(names.get(index, index) for index in edge.into)
    value = apart(rename(edge.value, names), (*out, *into))
    return Edge(edge.source, edge.target, out, into, value)
