"""buffers: where the arrays of a schedule live, and which of them share their place.

    local    one element at a time, a variable
    row      one sample's elements, in a small array on the stack
    block    the elements of several samples, in the scratch memory of a call
    whole    weights' worth of elements: in scratch memory too, or in memory of their own
    output   given memory: the gradient, or the output y

What is read only inside its loop takes no memory. An array that is written element by element where
another is read for the last time takes that array's place; and scratch memory is given out anew as
soon as its array has been read for the last time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sympy import Symbol

from symgrad.language.indices import SAMPLE
from symgrad.language.program import Definition, Program, indices_of, name_of, reads
from symgrad.lowering import cost_model
from symgrad.lowering.arithmetic import LEAF
from symgrad.lowering.canonical import size, sums_over_samples
from symgrad.lowering.schedule import Product, Schedule, definitions_of, groups

Storage = Literal["local", "row", "block", "whole", "output"]

ALIGNED = 16  # numbers; scratch arrays begin at multiples of it, as the widest vectors like it


@dataclass(frozen=True)
class Buffers:
    """Where each array of a schedule lives.

    `takes_over[v] = u` says that v is written into the memory of u, which is not read afterwards.
    `kept` are rows that are stored in a block too, for others to read: while a sample is computed
    it is the row that is read, of which LLVM knows that nothing else is there.
    `offsets` has the place in scratch memory, in numbers, of arrays that live there; `rows` is how
    many samples are computed together, those of a leaf where sums over these come last, and `size`
    how many numbers the scratch memory holds.
    """

    storage: dict[str, Storage]
    kept: frozenset[str]
    takes_over: dict[str, str]
    offsets: dict[str, int]
    rows: int
    size: int

    def place(self, name: str) -> str:
        """The array whose memory `name` lives in, itself in most cases."""
        while name in self.takes_over:
            name = self.takes_over[name]
        return name

    def apart(self, name: str) -> bool:
        """Whether an array that is computed at the end has memory of its own."""
        return self.storage[name] == "whole" and name not in self.takes_over


def buffers(schedule: Schedule, itemsize: int, packed: Collection[str] = ()) -> Buffers:
    """The memory of a schedule whose numbers take `itemsize` bytes; those that lie `packed` in an
    array with others have no memory that others could use."""
    storage, kept = _storage(schedule)
    takes_over = _handovers(schedule, storage, packed)
    places = Buffers(storage, kept, takes_over, {}, 0, 0)
    used = _lifetimes(schedule, places)
    program = schedule.program
    sizes = {name: size(program, _indices(program, name)) for name in used}
    shelves, numbers = _shelves(
        {name: span for name, span in used.items() if storage[name] != "whole"}, sizes
    )
    rows = LEAF if schedule.sums else cost_model.block_rows(numbers, itemsize)
    offsets = {name: start * rows for name, start in shelves.items()}
    end = numbers * rows
    for name in used:
        if storage[name] == "whole":
            offsets[name] = end
            end += _aligned(sizes[name])
    return Buffers(storage, kept, takes_over, offsets, rows, end)


def _indices(program: Program, name: str) -> tuple[Symbol, ...]:
    return program.by_name[name].indices


# Where arrays live


def _storage(schedule: Schedule) -> tuple[dict[str, Storage], frozenset[str]]:
    """The smallest place that each definition's readers leave it, and which are stored twice."""
    program, blocks = schedule.program, schedule.in_order
    storage: dict[str, Storage] = {}
    kept: set[str] = set()
    readers: dict[str, set[tuple[int, int]]] = {}
    homes: dict[str, tuple[int, int]] = {}
    summing: set[tuple[int, int]] = set()
    for number, block in enumerate(blocks):
        for place, group in enumerate(groups(block)):
            if block in schedule.sums:
                summing.add((number, place))
            for definition in group:
                homes[definition.name] = (number, place)
                for read in reads(definition.value):
                    readers.setdefault(name_of(read), set()).add((number, place))
    row_numbers = 0
    for definition in program.definitions:
        name, home = definition.name, homes[definition.name]
        read_in = readers.get(name, set())
        here = {place for place in read_in if place[0] == home[0]}
        fits = row_numbers + size(program, definition.indices) <= cost_model.STACK
        if name in program.outputs:
            storage[name] = "output"
        elif not definition.indices:
            storage[name] = "local"
        elif SAMPLE not in definition.indices:
            storage[name] = "whole"
        elif isinstance(blocks[home[0]], Product):
            storage[name] = "block"
        elif read_in <= {home} or (read_in == here and definition.indices == (SAMPLE,)):
            storage[name] = "local"
        elif (
            fits
            and definition.indices != (SAMPLE,)
            and (read_in == here or (here - {home} and read_in - here <= summing))
        ):
            storage[name] = "row"
            row_numbers += size(program, definition.indices)
            if read_in != here:
                kept.add(name)
        else:
            storage[name] = "block"
    return storage, frozenset(kept)


def _handovers(
    schedule: Schedule, storage: dict[str, Storage], packed: Collection[str]
) -> dict[str, str]:
    """Which arrays are written where another was that is read for the last time just then."""
    program = schedule.program
    places = [(block, group) for block in schedule.in_order for group in groups(block)]
    last_read = {
        name_of(read): place
        for place, (_, group) in enumerate(places)
        for definition in group
        for read in reads(definition.value)
    }
    taken_over: dict[str, str] = {}
    gone: set[str] = set()
    for place, (block, group) in enumerate(places):
        if isinstance(block, Product):
            if block.rest is not None:  # the product is added to it
                taken_over[name_of(block.rest)] = block.definition.name
            continue
        for definition in group:
            if storage[definition.name] in ("local", "row") or sums_over_samples(definition):
                continue  # a sum is begun before the loop that still reads the other array
            if definition.name in packed and SAMPLE in definition.indices:
                continue
            for name in _read_through(definition, group, storage):
                if (
                    storage.get(name) in ("block", "whole")
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


# Scratch memory


def _lifetimes(schedule: Schedule, places: Buffers) -> dict[str, tuple[int, int]]:
    """The first and the last block that each array in scratch memory is needed in.

    Not narrower: in a loop over samples, what is done last for one sample comes before what is done
    first for the next. Where sums come last, all of them: some samples of a leaf are done, and
    others are not.
    """
    spans: dict[str, tuple[int, int]] = {}
    blocks = (*schedule.before, *schedule.blocks, *schedule.sums)
    for number, block in enumerate(blocks):
        for definition in definitions_of(block):
            for name in (definition.name, *map(name_of, reads(definition.value))):
                home = places.place(name)
                if places.storage.get(home) in ("block", "whole") or home in places.kept:
                    first, _ = spans.get(home, (number, number))
                    spans[home] = (0, len(blocks)) if schedule.sums else (first, number)
    return spans


def _shelves(
    spans: dict[str, tuple[int, int]], sizes: dict[str, int]
) -> tuple[dict[str, int], int]:
    """Offsets, for one sample, of arrays such that none overlaps another while both are alive."""
    offsets: dict[str, int] = {}
    for name in sorted(spans, key=lambda name: (-sizes[name], spans[name], name)):
        first, last = spans[name]
        busy = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in offsets
            if spans[other][0] <= last and first <= spans[other][1]
        )
        start = 0
        for begin, end in busy:
            if start + sizes[name] <= begin:
                break
            start = max(start, end)
        offsets[name] = start
    return offsets, max((offsets[name] + sizes[name] for name in offsets), default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
