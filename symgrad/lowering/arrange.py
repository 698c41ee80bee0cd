"""arrange: in which order the indices of an array lie in memory.

Most arrays have a row for each sample, and what is computed of a row is a product with a matrix of
weights. Derivatives have more axes, and are products with the same matrices: of all rows of all of
them at once, if what the product sums over comes last in memory, and what it gives comes last in
what is made: d_z2_d_x[n,i0,i2] = Σ_i1 d_a1_d_x[n,i0,i1]·W2[i1,i2], n·i0 rows.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from sympy import Expr, Indexed, Sum, Symbol

from symgrad.language.indices import SAMPLE, bounds, is_index, operands, rebuild, walk
from symgrad.language.notation import undistributed
from symgrad.language.order import factors
from symgrad.language.program import Definition, Program, array, name_of


@undistributed
def arrange(program: Program) -> Program:
    """`program` with the indices of arrays of more than two axes in the order that products with
    weights like; outputs keep theirs, and are copies where another is better."""
    last = _last(program)
    if not last:
        return program
    places = {name: _places(program.by_name[name], axis) for name, axis in last.items()}
    definitions: list[Definition] = []
    for definition in program.definitions:
        value = _moved(definition.value, places, program.outputs)
        name, order = definition.name, places.get(definition.name)
        if order is None:
            definitions.append(replace(definition, value=value))
            continue
        indices = tuple(definition.indices[place] for place in order)
        own = f"{name}{IN_ORDER}" if name in program.outputs else name
        definitions.append(Definition(array(own, *indices), value))
        if name in program.outputs:
            definitions.append(Definition(definition.target, array(own, *indices)))
    return _like_their_factors(program.with_definitions(definitions))


def _like_their_factors(program: Program) -> Program:
    """`program` with the indices of sums over samples of two arrays, with a row for each sample, in
    the order that these have theirs in now."""
    places: dict[str, tuple[int, ...]] = {}
    for definition in program.definitions:
        value, indices = definition.value, definition.indices
        if definition.name in program.scattered or not isinstance(value, Sum) or len(indices) < 3:
            continue
        parts = factors(value.function)
        if [*bounds(value)] == [SAMPLE] and all(isinstance(part, Indexed) for part in parts):
            ordered = sorted(parts, key=lambda part: indices[0] not in part.indices)
            order = [index for part in ordered for index in part.indices if index != SAMPLE]
            if {*order} == {*indices}:
                places[definition.name] = tuple(map(indices.index, order))
    return program.with_definitions(
        Definition(_moved(d.target, places, ()), _moved(d.value, places, ()))
        for d in program.definitions
    )


# What follows the name of an output that is computed in another order.
IN_ORDER = "_in_order"


def _last(program: Program) -> dict[str, Symbol]:
    """The index of its own that is to be the last of each array for which that is another."""
    many = {d.name: d for d in program.definitions if SAMPLE in d.indices and len(d.indices) > 2}
    wanted: dict[str, Symbol] = {}
    for definition in program.definitions:
        for read, index in _summed(definition):  # what is read: what is summed over comes last
            if (name := name_of(read)) in many:
                own = many[name].indices[read.indices.index(index)]
                wanted.setdefault(name, own)
    for name, definition in many.items():  # what is made: what a matrix gives comes last
        for node in walk(definition.value):
            if (made := _made(node)) is not None and made in definition.indices:
                wanted[name] = made
    changed = True
    while changed:  # what is computed element by element lies as what it is computed from, and for
        changed = False
        for definition in program.definitions:
            for node in walk(definition.value):
                if not isinstance(node, Indexed) or name_of(node) not in many:
                    continue
                name, read = definition.name, name_of(node)
                if name in many and read in wanted and name not in wanted:
                    index = node.indices[many[read].indices.index(wanted[read])]
                    if index in definition.indices:
                        wanted[name], changed = index, True
                if name in wanted and read not in wanted and wanted[name] in node.indices:
                    place = node.indices.index(wanted[name])
                    wanted[read], changed = many[read].indices[place], True
    return {name: index for name, index in wanted.items() if many[name].indices[-1] != index}


def _summed(definition: Definition) -> Iterator[tuple[Indexed, Symbol]]:
    """The arrays that are multiplied by a matrix of weights, and the index that is summed over; and
    those that are multiplied by each other and summed over samples, with the index that is left."""
    for node in walk(definition.value):
        if not isinstance(node, Sum):
            continue
        parts = [part for part in factors(node.function) if isinstance(part, Indexed)]
        if len(parts) != 2 or len(factors(node.function)) != 2:
            continue
        for one, other in (parts, parts[::-1]):
            if SAMPLE not in one.indices:
                continue
            if SAMPLE in bounds(node) and SAMPLE in other.indices:
                left = [i for i in one.indices if is_index(i) and i not in bounds(node)]
                if len(left) == 1:
                    yield one, left[0]
            elif SAMPLE not in bounds(node) and len(other.indices) == 2:
                shared = [i for i in bounds(node) if i in one.indices and i in other.indices]
                if len(shared) == 1 and len(bounds(node)) == 1:
                    yield one, shared[0]


def _made(node: Expr) -> Symbol | None:
    """The index that a product with a matrix of weights gives."""
    if not isinstance(node, Sum) or len(bounds(node)) != 1 or SAMPLE in bounds(node):
        return None
    parts = [part for part in factors(node.function) if isinstance(part, Indexed)]
    if len(parts) != 2 or len(factors(node.function)) != 2:
        return None
    weights = [part for part in parts if SAMPLE not in part.indices and len(part.indices) == 2]
    if len(weights) != 1:
        return None
    (given,) = [i for i in weights[0].indices if i not in bounds(node)] or [None]
    return given if given is None or is_index(given) else None


def _places(definition: Definition, last: Symbol) -> tuple[int, ...]:
    """The places of the indices in their new order: the samples, the others, the last."""
    indices = definition.indices
    rest = [p for p, index in enumerate(indices) if index not in (SAMPLE, last)]
    return (indices.index(SAMPLE), *rest, indices.index(last))


def _moved(
    value: Expr, places: Mapping[str, tuple[int, ...]], outputs: Collection[str]
) -> Expr:
    """`value` with the indices of what it reads in the new order."""
    if isinstance(value, Indexed):
        name = name_of(value)
        if name not in places:
            return value
        name = f"{name}{IN_ORDER}" if name in outputs else name
        return array(name, *(value.indices[place] for place in places[name_of(value)]))
    parts = operands(value)
    changed = [_moved(part, places, outputs) for part in parts]
    return value if tuple(changed) == parts else rebuild(value, changed)
