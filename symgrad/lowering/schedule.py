"""schedule: how a program is run: in which order, what shares a loop, and where values live.

    schedule   ::= totals before blocks sums after
    block      ::= Product | Rows | Nest
    Product      one matrix product
    Rows         one loop over samples, in which everything about a sample is done together
    Nest         loops over weights alone

Samples are computed leaf by leaf (see `arithmetic`), so that what is computed for them stays in
cache and memory does not grow with their number. `totals` are sums over all samples that the first
leaf or the end needs (Σ w of sample weights); `before` needs weights alone and is needed for every
sample; `blocks` is what is done for each sample, some samples at a time; `sums` is what is summed
over the samples of a leaf; `after` is what waits for the last leaf: penalties and what is added to
sums.

A small network has no products: all of it is one loop over the samples, sums included. In a larger
one each definition goes into the earliest block that has what it needs, and sums come last, so
that threads can share a leaf: some samples each, and then some of the sums. `canonical` has made
definitions of these forms, `buffers` says where each array lives, `cost_model` has the figures that
decide.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sympy import Expr, Indexed, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import SAMPLE
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, Program, indices_of, name_of, prune, reads
from symgrad.lowering import cost_model
from symgrad.lowering.arrange import arrange
from symgrad.lowering.canonical import (
    canonical,
    is_rest,
    matrices,
    over_samples,
    sums_and_start,
    sums_over_samples,
)


@dataclass(frozen=True)
class Pair:
    """Two matrices, and whether each is transposed."""

    left: Indexed
    right: Indexed
    transposed: tuple[bool, bool]


@dataclass(frozen=True)
class Product:
    """target = Σ left·right + row, pairs of matrices as they are in memory or transposed, and a row
    for each row of the target, if there is one; or what has been summed in its memory before."""

    definition: Definition
    pairs: tuple[Pair, ...]
    row: Indexed | None
    rest: Indexed | None


@dataclass(frozen=True)
class Rows:
    """Definitions computed together, sample by sample, each from values of the same sample."""

    definitions: tuple[Definition, ...]


@dataclass(frozen=True)
class Nest:
    """One definition without samples: over weights, or a scalar."""

    definition: Definition


Block = Product | Rows | Nest


def definitions_of(block: Block) -> tuple[Definition, ...]:
    return block.definitions if isinstance(block, Rows) else (block.definition,)


@dataclass(frozen=True)
class Schedule:
    """The blocks of a program in the order to run them; several threads pay from so many samples on
    as `threaded` says."""

    program: Program
    totals: tuple[Definition, ...]
    before: tuple[Nest, ...]
    blocks: tuple[Block, ...]
    sums: tuple[Block, ...]
    after: tuple[Nest, ...]
    threaded: int

    @property
    def in_order(self) -> tuple[Block, ...]:
        totals = (Rows((d,)) for d in self.totals)
        return (*totals, *self.before, *self.blocks, *self.sums, *self.after)


@undistributed
def schedule(program: Program, outputs: Iterable[str]) -> Schedule:
    """A schedule that computes `outputs` and nothing else of `program`."""
    program = arrange(prune(program, outputs))
    least = cost_model.least_product(program)
    program = canonical(program, least)
    needed, at_the_end = _needed_for_a_sample(program), _needed_at_the_end(program)
    totals = tuple(
        d
        for d in program.definitions
        if sums_over_samples(d) and not d.indices and d.name not in program.outputs
    )
    assert all(name_of(r) in program.given for d in totals for r in reads(d.value)), totals
    rest = [d for d in program.definitions if not over_samples(d)]
    summed = [d for d in program.definitions if over_samples(d) and d not in totals]
    blocks = _blocks(program, summed, least)
    sums: tuple[Block, ...] = ()
    if any(isinstance(block, Product) for block in blocks):
        blocks = _blocks(program, [d for d in summed if not sums_over_samples(d)], least)
        sums = _sums(program, [d for d in summed if sums_over_samples(d)])
    return Schedule(
        program,
        totals,
        before=tuple(Nest(d) for d in rest if d.name in needed),
        blocks=blocks,
        sums=sums,
        after=tuple(Nest(d) for d in rest if d.name in at_the_end),
        threaded=cost_model.threaded_from(program, least),
    )


def _needed_for_a_sample(program: Program) -> set[str]:
    """What is read while a sample is computed, directly or by way of what is read."""
    needed: set[str] = set()
    for definition in reversed(program.definitions):
        if over_samples(definition):
            needed |= {name_of(read) for read in _reads_of_a_sample(definition)}
        elif definition.name in needed:
            needed |= {name_of(read) for read in reads(definition.value)}
    return needed


def _needed_at_the_end(program: Program) -> set[str]:
    """What outputs without samples are, and what is added to sums over samples."""
    needed = set(program.outputs)
    for definition in reversed(program.definitions):
        names = {name_of(read) for read in reads(definition.value)}
        if sums_over_samples(definition):
            needed |= names - {name_of(read) for read in _reads_of_a_sample(definition)}
        elif definition.name in needed and not over_samples(definition):
            needed |= names
    return needed


def _reads_of_a_sample(definition: Definition) -> Iterator[Expr]:
    """What a sample's part in a definition reads: of a sum over samples, what is in the sum."""
    if SAMPLE in definition.indices:
        yield from reads(definition.value)
        return
    for term in terms_of(definition.value):
        for factor in factors_of(term):
            if isinstance(factor, ExprWithLimits) or definition.indices:
                yield from reads(factor)


def _blocks(program: Program, definitions: list[Definition], least: int) -> tuple[Block, ...]:
    """Each definition in the earliest block that has what it needs."""
    blocks: list[Block] = []
    made_in: dict[str, int] = {}
    for definition in definitions:
        needs = [made_in[name] for r in reads(definition.value) if (name := name_of(r)) in made_in]
        place = len(blocks)
        if (pairs := matrices(program, definition, least)) is not None:
            blocks.append(_product(definition, pairs))
        else:
            # what waits for nothing, as -t[n,i]/N does, stays where it stands in the program
            start = max(needs, default=len(blocks) - 1)
            for candidate in range(max(start, 0), len(blocks)):
                block = blocks[candidate]
                if isinstance(block, Rows):
                    blocks[candidate] = Rows((*block.definitions, definition))
                    place = candidate
                    break
            else:
                blocks.append(Rows((definition,)))
        made_in[definition.name] = place
    return tuple(blocks)


def _sums(program: Program, definitions: list[Definition]) -> tuple[Block, ...]:
    """Sums over the samples of a leaf: small ones in one loop, and then products, of any size."""
    blocks = _blocks(program, definitions, 0)
    rows = [d for block in blocks if isinstance(block, Rows) for d in block.definitions]
    products = (block for block in blocks if isinstance(block, Product))
    return (*([Rows(tuple(rows))] if rows else []), *products)


def _product(definition: Definition, pairs: Iterable[tuple[Indexed, Indexed]]) -> Product:
    *rows, columns = definition.indices
    found = (
        Pair(left, right, (left.indices[0] != rows[0], right.indices[-1] != columns))
        for left, right in pairs
    )
    _, start = sums_and_start(definition)
    rest = start if start is not None and is_rest(start) else None
    return Product(definition, tuple(found), None if rest is not None else start, rest)


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


def groups(block: Block) -> list[list[Definition]]:
    """The definitions of a block by the loops over units that they share."""
    return list(loops(block.definitions)) if isinstance(block, Rows) else [[block.definition]]
