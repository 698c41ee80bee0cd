"""schedule: how a program is run: which definitions become matrix products, which share a loop.

    schedule   ::= block*
    block      ::= Product | Rows | Nest
    Product      one matrix product, by BLAS
    Rows         one loop over the samples, in which everything about a sample is done together
    Nest         loops over weights alone

A program is first split until every definition is one of those: big products get a name of their
own (x_W1 = Σ x·W1, then z1 = x_W1 + b1), and so do sums that are needed once a sample but stand in
something computed for every unit. Then each definition goes into the earliest block that has what
it needs. What is read only inside its block takes no memory for all samples: it becomes a row or a
local variable. An array that is no longer needed hands its memory on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sympy import Add, Expr, Indexed, Mul, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.compiler.share import name_for
from symgrad.language.indices import (
    SAMPLE,
    bounds,
    free_indices,
    operands,
    product,
    rebuild,
    reduction_like,
)
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, Program, array, indices_of, name_of, prune, reads

# A matrix product goes to BLAS from this many multiplications a sample on. Below, a call costs more
# than the work: a 2-8-1 network with 4 samples took 0.5 µs in loops and 1.9 µs with np.dot.
BLAS_FROM = 256

# Where an array lives: one element at a time, one sample's elements, all samples', or given memory.
Storage = Literal["local", "row", "full", "output"]


@dataclass(frozen=True)
class Product:
    """target = left·right, two matrices as they are in memory or transposed."""

    definition: Definition
    left: Indexed
    right: Indexed
    transposed: tuple[bool, bool]


@dataclass(frozen=True)
class Rows:
    """Definitions computed together, sample by sample, each from values of the same sample."""

    definitions: tuple[Definition, ...]


@dataclass(frozen=True)
class Nest:
    """One definition without samples: over weights, or a scalar."""

    definition: Definition


Block = Product | Rows | Nest


@dataclass(frozen=True)
class Schedule:
    """The blocks of a program in the order to run them, and where each array lives.

    `takes_over[v] = u` says that v is written into the memory of u, which is not read afterwards.
    """

    program: Program
    blocks: tuple[Block, ...]
    storage: dict[str, Storage]
    takes_over: dict[str, str]

    def memory(self, name: str) -> str:
        """The array whose memory `name` lives in, itself in most cases."""
        while name in self.takes_over:
            name = self.takes_over[name]
        return name


@undistributed
def schedule(program: Program, outputs: Iterable[str]) -> Schedule:
    """A schedule that computes `outputs` and nothing else of `program`."""
    program = split(prune(program, outputs))
    blocks = _blocks(program)
    storage = _storage(program, blocks)
    return Schedule(program, blocks, storage, _handovers(program, blocks, storage))


# Splitting


def split(program: Program) -> Program:
    """Definitions in the forms that blocks have; each value is Σ c·reduction + rest."""
    return _Splitting(program).run()


class _Splitting:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.taken = {*program.given, *program.by_name}
        self.definitions: list[Definition] = []
        self.named: dict[Expr, Expr] = {}

    def run(self) -> Program:
        for definition in self.program.definitions:
            self.definitions.append(self._split(definition))
        return self.program.with_definitions(self.definitions)

    def _split(self, definition: Definition) -> Definition:
        terms = terms_of(definition.value)
        if matrices(self.program, definition):
            return definition
        return replace(definition, value=Add(*(self._term(term, definition) for term in terms)))

    def _term(self, term: Expr, definition: Definition) -> Expr:
        """A term with the reductions in it named, unless it is c·Σ body and needed as often."""
        factors = factors_of(term)
        sums = [factor for factor in factors if isinstance(factor, ExprWithLimits)]
        others = [factor for factor in factors if not isinstance(factor, ExprWithLimits)]
        alone = len(sums) == 1 and not any(map(_has_reduction, others))
        if alone and isinstance(sums[0], Sum) and self._belongs(sums[0], definition):
            body = self._inside(sums[0].function, definition)
            whole = reduction_like(sums[0], body, bounds(sums[0]))
            part = Definition(definition.target, whole)
            if matrices(self.program, part):
                whole = self._define(whole, definition)
            return product([*others, whole])
        if alone and term == sums[0] == definition.value:
            return reduction_like(
                sums[0], self._inside(sums[0].function, definition), bounds(sums[0])
            )
        return self._inside(term, definition)

    def _belongs(self, reduction: Expr, definition: Definition) -> bool:
        """Whether it is needed for every element of the target, not once for many of them."""
        return free_indices(reduction) == set(definition.indices) or not definition.indices

    def _inside(self, value: Expr, definition: Definition) -> Expr:
        """`value` with every reduction in it defined apart."""
        parts = [self._inside(part, definition) for part in operands(value)]
        if parts and tuple(parts) != operands(value):
            value = rebuild(value, parts)
        return self._define(value, definition) if isinstance(value, ExprWithLimits) else value

    def _define(self, value: Expr, user: Definition) -> Expr:
        if value not in self.named:
            name = stem = _product_name(value) or name_for(value, user.name)
            while name in self.taken:
                name = f"{name}_" if name != stem else f"{stem}_of_{user.name}"
            self.taken.add(name)
            order = [i for i in user.indices if i in free_indices(value)]
            rest = sorted(free_indices(value) - set(order), key=lambda index: index.name)
            self.named[value] = array(name, *order, *rest)
            self.definitions.append(Definition(self.named[value], value))
        return self.named[value]


def _has_reduction(value: Expr) -> bool:
    return isinstance(value, ExprWithLimits) or any(map(_has_reduction, operands(value)))


def _product_name(value: Expr) -> str | None:
    """x_W1 for Σ x·W1."""
    factors = operands(value.function) if isinstance(value, Sum) else ()
    if isinstance(getattr(value, "function", None), Mul) and all(
        isinstance(f, Indexed) for f in factors
    ):
        return "_".join(map(name_of, operands(value.function)))
    return None


def matrices(program: Program, definition: Definition) -> tuple[Indexed, Indexed] | None:
    """The two matrices whose product the definition is, if it is worth a call of BLAS."""
    value, target = definition.value, definition.target
    if not isinstance(value, Sum) or len(bounds(value)) != 1 or len(indices_of(target)) != 2:
        return None
    ((index, _),) = bounds(value).items()
    factors = factors_of(value.function)
    if len(factors) != 2 or not all(
        isinstance(f, Indexed) and len(f.indices) == 2 for f in factors
    ):
        return None
    rows, columns = indices_of(target)
    for left, right in (factors, factors[::-1]):
        if set(left.indices) == {rows, index} and set(right.indices) == {index, columns}:
            units = [i for i in (rows, columns, index) if i != SAMPLE]
            work = product(program.extent(i) for i in units)
            return (left, right) if work >= BLAS_FROM else None
    return None


# Blocks


def _blocks(program: Program) -> tuple[Block, ...]:
    """Each definition in the earliest block that has what it needs."""
    first: list[Block] = []  # what needs nothing but weights: penalties
    blocks: list[Block] = []
    made_in: dict[str, int] = {}
    totals: set[str] = set()  # what is complete only after a loop over the samples
    for definition in program.definitions:
        needs = [name_of(read) for read in reads(definition.value)]
        ready = max((made_in[name] for name in needs if name in made_in), default=-1)
        place = len(blocks)
        if (pair := matrices(program, definition)) is not None:
            blocks.append(_product(definition, *pair))
        elif not over_samples(definition):
            (blocks if ready >= 0 else first).append(Nest(definition))
            place = place if ready >= 0 else -1
        else:
            waits = any(name in totals and made_in[name] == ready for name in needs)
            # what waits for nothing, as -t[n,i]/N does, stays where it stands in the program
            start = ready + waits if ready >= 0 else len(blocks) - 1
            for candidate in range(max(start, 0), len(blocks)):
                block = blocks[candidate]
                if isinstance(block, Rows):
                    blocks[candidate] = Rows((*block.definitions, definition))
                    place = candidate
                    break
            else:
                blocks.append(Rows((definition,)))
            if sums_over_samples(definition):
                totals.add(definition.name)
        made_in[definition.name] = place
    return (*first, *blocks)


def over_samples(definition: Definition) -> bool:
    """Whether a loop over the samples computes it: it has samples, or sums over them."""
    return SAMPLE in definition.indices or any(
        SAMPLE in bounds(factor)
        for term in terms_of(definition.value)
        for factor in factors_of(term)
        if isinstance(factor, ExprWithLimits)
    )


def _product(definition: Definition, left: Indexed, right: Indexed) -> Product:
    rows, columns = definition.indices
    return Product(definition, left, right, (left.indices[0] != rows, right.indices[1] != columns))


def loops(definitions: Iterable[Definition]) -> Iterator[list[Definition]]:
    """The definitions of a block of rows, in groups that share one loop over units.

    A definition joins the group before it if both run over the same units and it reads what the
    group computes at the same place only.
    """
    group: list[Definition] = []
    for definition in definitions:
        if group and not _joins(definition, group):
            yield group
            group = []
        group.append(definition)
    if group:
        yield group


def _joins(definition: Definition, group: list[Definition]) -> bool:
    """Whether the definition can be computed element by element together with the group."""
    places = {member.name: member.indices for member in group}
    if definition.indices[-1:] == (SAMPLE,) or not definition.indices:
        return False
    if _units(definition) != _units(group[0]):
        return False
    return all(
        indices_of(read) == places[name_of(read)]
        for read in reads(definition.value)
        if name_of(read) in places
    )


def _units(definition: Definition) -> tuple[Symbol, ...]:
    return tuple(index for index in definition.indices if index != SAMPLE)


# Memory


def _storage(program: Program, blocks: tuple[Block, ...]) -> dict[str, Storage]:
    """The smallest place that each definition's readers leave it."""
    storage: dict[str, Storage] = {}
    readers: dict[str, set[tuple[int, int]]] = {}
    homes: dict[str, tuple[int, int]] = {}
    for number, block in enumerate(blocks):
        for place, group in enumerate(_groups(block)):
            for definition in group:
                homes[definition.name] = (number, place)
                for read in reads(definition.value):
                    readers.setdefault(name_of(read), set()).add((number, place))
    for definition in program.definitions:
        name, home = definition.name, homes[definition.name]
        read_in = readers.get(name, set())
        if name in program.outputs:
            storage[name] = "output"
        elif not definition.indices or isinstance(blocks[home[0]], Product):
            storage[name] = "full" if definition.indices else "local"
        elif SAMPLE not in definition.indices:
            storage[name] = "full"
        elif read_in <= {home} or (
            read_in and definition.indices == (SAMPLE,) and _within(read_in, home)
        ):
            storage[name] = "local"
        elif _within(read_in, home):
            storage[name] = "row"
        else:
            storage[name] = "full"
    return storage


def _within(read_in: set[tuple[int, int]], home: tuple[int, int]) -> bool:
    return all(block == home[0] for block, _ in read_in)


def _handovers(
    program: Program, blocks: tuple[Block, ...], storage: dict[str, Storage]
) -> dict[str, str]:
    """Which arrays are written where another was that is read for the last time just then."""
    groups = [(block, group) for block in blocks for group in _groups(block)]
    last_read = {
        name_of(read): place
        for place, (_, group) in enumerate(groups)
        for definition in group
        for read in reads(definition.value)
    }
    taken_over: dict[str, str] = {}
    gone: set[str] = set()
    for place, (block, group) in enumerate(groups):
        if isinstance(block, Product):
            continue
        for definition in group:
            if storage[definition.name] not in ("full", "output") or not definition.indices:
                continue
            if sums_over_samples(definition):
                continue  # it is begun before the loop that still reads the other array
            for name in _read_through(definition, group, storage):
                if (
                    storage.get(name) == "full"
                    and name not in gone
                    and last_read[name] == place
                    and program.by_name[name].indices == definition.indices
                    and _read_in_place(group, name, definition)
                ):
                    gone.add(name)
                    if storage[definition.name] == "output":
                        taken_over[name] = definition.name
                    else:
                        taken_over[definition.name] = name
                    break
    return taken_over


def sums_over_samples(definition: Definition) -> bool:
    """Whether it is summed over the samples, begun before a loop and complete after it."""
    return SAMPLE not in definition.indices and over_samples(definition)


def _groups(block: Block) -> list[list[Definition]]:
    """The definitions of a block by the loops over units that they share."""
    return list(loops(block.definitions)) if isinstance(block, Rows) else [[block.definition]]


def _read_through(
    definition: Definition, group: list[Definition], storage: dict[str, Storage]
) -> list[str]:
    """The arrays that a definition reads, also by way of the local variables of its loop."""
    local = {member.name: member for member in group if storage[member.name] == "local"}
    names = [name_of(read) for read in reads(definition.value)]
    for name in names:
        if name in local:
            names += [
                name_of(read) for read in reads(local[name].value) if name_of(read) not in names
            ]
    return names


def _read_in_place(group: list[Definition], name: str, writer: Definition) -> bool:
    """Whether a loop reads an array only at the element that it is at, and not after `writer`."""
    place = group.index(writer)
    return all(
        indices_of(read) == writer.indices and number <= place
        for number, definition in enumerate(group)
        for read in reads(definition.value)
        if name_of(read) == name
    )
