"""collapse: a sum of what an array has along its diagonal is pushed up to where it costs least.

The Laplacian Σ_i ∂²y/∂x_i² is the trace of an array of second derivatives, and each layer makes
these linearly of those before it: ∂²z2[n,u,i,j] = Σ_v ∂²a1[n,v,i,j]·W2[v,u]. By the distributive
law the sum may be formed before the layer instead of after it, and so on up to the first one, where
the second derivatives are products of first ones: what is carried from layer to layer is then one
array in place of one for each pair of inputs. (Dangel et al. 2025, arXiv:2505.13644, derive this
"collapsed Taylor mode" for the Laplacian and ask for compilers that find it.)

Nothing here knows of derivatives: an array that is read nowhere but in sums over two of its indices
that are one is replaced by what such a sum is.
"""

from collections.abc import Iterator
from dataclasses import replace

from sympy import Add, Expr, Indexed, Sum, Symbol

from symgrad.language.indices import (
    bounds,
    free_indices,
    operands,
    product,
    rebuild,
    reduction_like,
    rename,
    sum_over,
)
from symgrad.language.notation import undistributed
from symgrad.language.order import factors, terms
from symgrad.language.program import (
    Definition,
    Program,
    array,
    indices_of,
    name_of,
    prune,
    reads,
)

# What the sum over a diagonal of an array is called.
FORM = "sum_{}"


@undistributed
def collapse(program: Program) -> Program:
    """`program` with sums over diagonals formed as early as that saves work."""
    while (found := _next(program)) is not None:
        program = prune(_collapsed(program, *found), program.outputs)
    return program


@undistributed
def restrict(program: Program) -> Program:
    """`program` with nothing computed beside a diagonal where only that is read."""
    while (found := _only_diagonal(program)) is not None:
        program = prune(_restricted(program, *found), program.outputs)
    return program


def _only_diagonal(program: Program) -> tuple[Definition, tuple[int, int]] | None:
    for definition in reversed(program.definitions):
        if definition.name in program.outputs:
            continue
        found = {
            _pair(read)
            for d in program.definitions
            for read in reads(d.value)
            if name_of(read) == definition.name
        }
        match [*found]:
            case [(int(one), int(other))]:
                return definition, (one, other)
    return None


def _pair(read: Expr) -> tuple[int, int] | None:
    """The first two places at which an index stands that are one."""
    indices = indices_of(read)
    pairs = ((p, q) for q, i in enumerate(indices) for p in range(q) if indices[p] == i)
    return next(pairs, None)


def _restricted(program: Program, definition: Definition, places: tuple[int, int]) -> Program:
    one, other = (definition.indices[place] for place in places)
    name = f"diagonal_of_{definition.name}"

    def without(indices: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(index for place, index in enumerate(indices) if place != places[1])

    def read(value: Expr) -> Expr:
        if isinstance(value, Indexed) and name_of(value) == definition.name:
            return array(name, *without(value.indices))
        parts = operands(value)
        changed = [read(part) for part in parts]
        return value if tuple(changed) == parts else rebuild(value, changed)

    made = Definition(
        array(name, *without(definition.indices)), rename(definition.value, {other: one})
    )
    return program.with_definitions(
        made if each.name == definition.name else replace(each, value=read(each.value))
        for each in program.definitions
    )


def _next(program: Program) -> tuple[Definition, tuple[int, int]] | None:
    """An array that is read in sums over one diagonal alone, and which two of its indices that is;
    the last, since its sum is made of sums of those before it."""
    for definition in reversed(program.definitions):
        if definition.name in program.outputs:
            continue
        found = {place for d in program.definitions for place in _places(d.value, definition.name)}
        match [*found]:
            case [(int(one), int(other))]:
                return definition, (one, other)
    return None


def _places(value: Expr, name: str) -> Iterator[tuple[int, int] | None]:
    """Where the array is read in `value`: which two of its indices are summed over together, and
    with nothing else that has that index; None where it is read otherwise."""
    if isinstance(value, Indexed) and name_of(value) == name:
        yield None
    elif isinstance(value, Sum) and (found := _diagonal(value, name)) is not None:
        yield found[1]
    else:
        for part in operands(value):
            yield from _places(part, name)


def _diagonal(value: Sum, name: str) -> tuple[Indexed, tuple[int, int]] | None:
    """The read of the array, if the sum is of a diagonal of it, and which of its indices."""
    for term in factors(value.function):
        if not (isinstance(term, Indexed) and name_of(term) == name):
            continue
        for index in bounds(value):
            places = tuple(p for p, i in enumerate(term.indices) if i == index)
            others = (f for f in factors(value.function) if f is not term)
            if len(places) == 2 and not any(index in free_indices(other) for other in others):
                return term, (places[0], places[1])
    return None


def _collapsed(program: Program, definition: Definition, places: tuple[int, int]) -> Program:
    """The sum over the diagonal gets a definition behind the array's, and is read from there."""
    one, other = (definition.indices[place] for place in places)
    kept = tuple(index for index in definition.indices if index not in (one, other))
    name = FORM.format(definition.name)
    taken = {*program.given, *program.by_name}
    while name in taken:
        name += "_"
    total = _summed(rename(definition.value, {other: one}), one, program.extent(one))
    made = Definition(array(name, *kept), total)
    definitions: list[Definition] = []
    for each in program.definitions:
        definitions.append(replace(each, value=_read(each.value, definition.name, name)))
        if each.name == definition.name:
            definitions.append(made)
    return program.with_definitions(definitions)


def _summed(value: Expr, index: Symbol, extent: Expr) -> Expr:
    """Σ_index value, each term by itself, and within other sums: Σ_i Σ_v a·b = Σ_v b·(Σ_i a)."""
    return Add(*(_of_term(term, index, extent) for term in terms(value)))


def _of_term(term: Expr, index: Symbol, extent: Expr) -> Expr:
    parts = factors(term)
    inside = [part for part in parts if index in free_indices(part)]
    outside = [part for part in parts if index not in free_indices(part)]
    match inside:
        case [Sum() as within]:
            body = _summed(within.function, index, extent)
            return product([*outside, reduction_like(within, body, bounds(within))])
        case [Add() as within]:
            return product([*outside, _summed(within, index, extent)])
    return sum_over(term, index, extent)


def _read(value: Expr, name: str, collapsed: str) -> Expr:
    if isinstance(value, Sum) and (found := _diagonal(value, name)) is not None:
        term, places = found
        index = term.indices[places[0]]
        kept = tuple(i for p, i in enumerate(term.indices) if p not in places)
        others = [factor for factor in factors(value.function) if factor is not term]
        over = {i: extent for i, extent in bounds(value).items() if i != index}
        body = product([*others, array(collapsed, *kept)])
        return reduction_like(value, body, over) if over else body
    parts = operands(value)
    changed = [_read(part, name, collapsed) for part in parts]
    return value if tuple(changed) == parts else rebuild(value, changed)


