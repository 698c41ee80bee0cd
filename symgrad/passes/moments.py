"""moments: sums over samples, with all that is the same for every sample outside of them.

A block of a Hessian is Σ_n x[n,i0]·x[n,j0]·d[n,i1,j1], and where d is itself a product there is
less to sum than the block has numbers: what is left of Σ_n a1[n,i1]·a1[n,j1]·δ(i2,j2) is a matrix
for all i2 and j2 together. So what is multiplied in a sum over samples is written out where it is
made of products, and weights, constants and δ are pulled out of the sum. What is left is cut in two
arrays with a row for each sample, however many axes they have besides: the sum is then a product of
two matrices. Of all ways to cut it that one is taken for which the fewest products are computed.

A sum of several terms is read from its array where that is a matrix for each sample: it may be a
difference of large numbers. Larger ones are summed over the samples term by term.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product as choices
from math import prod

from sympy import Add, Expr, Indexed, Sum, Symbol

from symgrad.language.indices import (
    SAMPLE,
    SAMPLES,
    axis,
    bounds,
    canonical,
    free_indices,
    fresh,
    is_index,
    kronecker,
    layer_of,
    operands,
    product,
    rebuild,
    reduction_like,
    rename,
)
from symgrad.language.notation import undistributed
from symgrad.language.order import factors, terms
from symgrad.language.program import Definition, Program, array, name_of, prune
from symgrad.passes.share import Key, key_of, name_for

# The axes of the largest arrays that are left as they are: samples, and a matrix for each.
MATRIX = 3

Factors = tuple[Expr, ...]


@undistributed
def moments(program: Program) -> Program:
    """`program` with its sums over samples apart from what is the same for every sample: outputs
    beside its own."""
    return _Moments(program).run()


class _Moments:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.taken = {*program.given, *program.by_name}
        self.definitions: list[Definition] = []
        self.written_out: dict[str, tuple[Factors, ...] | None] = {}
        self.products: dict[Key, str] = {}
        self.sums: dict[tuple[str, ...], Definition] = {}

    def run(self) -> Program:
        for definition in self.program.definitions:
            if definition.indices and SAMPLE not in definition.indices:
                value = self._of_all(definition.value, definition)
                definition = replace(definition, value=value)
            self.definitions.append(definition)
        outputs = (*self.program.outputs, *(made.name for made in self.sums.values()))
        return prune(self.program.with_definitions(self.definitions), outputs)

    def _of_all(self, value: Expr, user: Definition) -> Expr:
        """`value` with moments for the sums over samples in it."""
        if isinstance(value, Sum) and SAMPLE in bounds(value):
            within = {i: extent for i, extent in bounds(value).items() if i != SAMPLE}
            body = reduction_like(value, value.function, within) if within else value.function
            return Add(*(self._moment(each, user) for each in self._terms(body)))
        parts = operands(value)
        changed = [self._of_all(part, user) for part in parts]
        return value if tuple(changed) == parts else rebuild(value, changed)

    # What is multiplied

    def _terms(self, value: Expr) -> Iterator[Factors]:
        """The factors of each term of what is computed for a sample, written out."""
        for term in terms(value):
            ways = (self._factors(factor) for factor in factors(term))
            for chosen in choices(*ways):
                yield tuple(factor for each in chosen for factor in each)

    def _factors(self, factor: Expr) -> tuple[Factors, ...]:
        if isinstance(factor, Indexed) and name_of(factor) in self.program.by_name:
            found = self._of_array(name_of(factor))
            own = self.program.by_name[name_of(factor)].indices
            names = dict(zip(own, factor.indices, strict=True))
            if found is not None:
                return tuple(tuple(rename(each, names) for each in term) for term in found)
        if isinstance(factor, Sum):
            within = [*self._terms(factor.function)]
            if len(within) == 1 and (hoisted := _hoisted(factor, within[0])) is not None:
                return (hoisted,)
        return ((factor,),)

    def _of_array(self, name: str) -> tuple[Factors, ...] | None:
        """The terms of what is read by this name, unless it is better read."""
        if name not in self.written_out:
            definition = self.program.by_name[name]
            found = None
            if SAMPLE in definition.indices:
                found = tuple(self._terms(definition.value))
                if len(found) > 1:
                    found = found if len(definition.indices) > MATRIX else None
                elif any(_units(part) == _units([definition.target]) for part in _parts(found[0])):
                    found = None
            self.written_out[name] = found
        return self.written_out[name]

    # Sums

    def _moment(self, written: Factors, user: Definition) -> Expr:
        outside = [factor for factor in written if SAMPLE not in free_indices(factor)]
        inside = [factor for factor in written if SAMPLE in free_indices(factor)]
        for place in outside:  # δ(i,j)·a[i]·b[j] is δ(i,j)·a[i]·b[i]
            if isinstance(place, kronecker) and all(map(is_index, place.args)):
                one, other = place.args
                inside = [rename(factor, {other: one}) for factor in inside]
        if not inside:
            return product([*outside, SAMPLES])
        return product([*outside, self._sum(inside, user)])

    def _sum(self, inside: Sequence[Expr], user: Definition) -> Expr:
        """Σ_n of such a product, by its name."""
        one, other = self._cut(inside)
        pair = [self._array(group, user) for group in (one, other) if group]
        if tuple(map(name_of, pair[::-1])) in self.sums:
            pair.reverse()
        key = tuple(map(name_of, pair))
        indices = [index for read in pair for index in read.indices[1:]] or [*user.indices[-1:]]
        if key not in self.sums:
            names: dict[Symbol, Symbol] = {}
            for index in indices:
                names[index] = fresh(index, names.values())
            name = self._unused("_".join(("sum", *key)), user)
            made = Definition(
                array(name, *names.values()),
                Sum(rename(product(pair), names), (SAMPLE, 0, SAMPLES - 1)),
            )
            self.sums[key] = made
            self.definitions.append(made)
        return self.sums[key].target.base[tuple(indices)]

    def _cut(self, inside: Sequence[Expr]) -> tuple[list[Expr], list[Expr]]:
        """The factors in two groups that have no index in common but the samples, the second not
        smaller; all in the second if there is one only."""
        parts = _parts(inside)
        best: tuple[tuple[int, int, int], list[Expr], list[Expr]] | None = None
        for number in range(1, 1 << (len(parts) - 1)):
            groups: tuple[list[Expr], list[Expr]] = ([], [])
            for place, part in enumerate(parts):
                groups[number >> place & 1].extend(part)
            if not all(map(_units, groups)):
                continue
            one, other = sorted(groups, key=self._size)
            same = key_of(product(one))[0] == key_of(product(other))[0]
            made = [group for group in (one, other)[same:] if not _is_array(group)]
            rank = sum(map(self._size, made)), self._size(other), number
            if best is None or rank < best[0]:
                best = rank, one, other
        return ([], [*inside]) if best is None else best[1:]

    def _size(self, group: Sequence[Expr]) -> int:
        return prod(int(self.program.extent(index)) for index in _units(group))

    def _array(self, group: Sequence[Expr], user: Definition) -> Expr:
        """The array that holds a product for each sample."""
        if _is_array(group):
            return group[0]
        value = product(group)
        units = sorted(_units(group), key=lambda index: (layer_of(axis(index)) or 0, index.name))
        indices = canonical((SAMPLE, *units))
        standard = rename(value, dict(zip(units, indices[1:], strict=True)))
        form = key_of(standard)[0]
        if form not in self.products:
            name = name_for(standard, user.name)
            derived = any(name_of(read).startswith("d_") for read in standard.atoms(Indexed))
            name = self._unused(f"d_{name}" if derived and name[:2] != "d_" else name, user)
            self.products[form] = name
            self.definitions.append(Definition(array(name, *indices), standard))
        return array(self.products[form], SAMPLE, *units)

    def _unused(self, name: str, user: Definition) -> str:
        stem = name = name if len(name) <= LONGEST else f"sum_for_{user.name}"
        number = 2
        while name in self.taken:
            name, number = f"{stem}_{number}", number + 1
        self.taken.add(name)
        return name


# Letters of the longest name that says what is multiplied.
LONGEST = 48


def _hoisted(reduction: Sum, within: Factors) -> Factors | None:
    """Σ_i of a product, with the factors that have no such index before it, where nothing that is
    computed for a sample is left in it."""
    over = bounds(reduction)
    inside = [factor for factor in within if free_indices(factor) & over.keys()]
    if any(SAMPLE in free_indices(factor) for factor in inside):
        return None
    outside = (factor for factor in within if factor not in inside)
    return (*outside, reduction_like(reduction, product(inside), over))


def _units(group: Sequence[Expr]) -> frozenset[Symbol]:
    return frozenset().union(*map(free_indices, group)) - {SAMPLE}


def _parts(written: Sequence[Expr]) -> list[list[Expr]]:
    """The factors that differ from sample to sample, in groups of those that share an index."""
    parts: list[list[Expr]] = []
    for factor in written:
        if SAMPLE not in free_indices(factor):
            continue
        joined = [part for part in parts if _units(part) & _units([factor])]
        parts = [part for part in parts if part not in joined]
        parts.append([each for part in joined for each in part] + [factor])
    return parts


def _is_array(group: Sequence[Expr]) -> bool:
    """Whether it is one array, whose rows are those of samples."""
    if len(group) != 1 or not isinstance(group[0], Indexed):
        return False
    first, *rest = group[0].indices
    return first == SAMPLE and all(map(is_index, rest)) and len({*rest}) == len(rest) > 0
