"""lower: a schedule as a lowered program, the statements of each definition under its equation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from math import inf, prod

from sympy import Add, Expr, Indexed, Pow, Symbol
from sympy import Sum as SymPySum
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import Application

from symgrad.language.dtypes import Dtype
from symgrad.language.functions import Peak
from symgrad.language.indices import SAMPLE, axis, bounds, layer_of, product
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, Program, indices_of, name_of, reads
from symgrad.language.unicode import equation
from symgrad.lowering import cost_model, outline
from symgrad.lowering.buffers import Buffers
from symgrad.lowering.canonical import size, sums_over_samples
from symgrad.lowering.program import (
    Accumulate,
    Alias,
    Allocate,
    Assign,
    Branch,
    Buffer,
    Choice,
    Comment,
    Compare,
    Convert,
    Element,
    Function,
    Given,
    Local,
    Loop,
    Matrix,
    MatrixProduct,
    Not,
    Number,
    Parameter,
    Return,
    RowSum,
    Skip,
    Statement,
    Value,
    Variable,
    View,
    calls,
    equal,
    index,
    plus,
    times,
    whole,
)
from symgrad.lowering.results import KEPT, MOMENTS, Axis, Results
from symgrad.lowering.schedule import Block, Nest, Product, Rows, Schedule, definitions_of, loops
from symgrad.lowering.values import Lowering

# Where each weight array lies in the flat vector, and its shape.
Layout = Mapping[str, tuple[int, tuple[int, ...]]]

# Where the gradient is not wanted.
LEFT_OUT = Not(Given("gradient"))

# Which of how many pieces of a leaf's sums.
PIECE = (index("piece"), index("pieces"))

# More units than a layer can have.
UNITS_LIMIT = 1 << 30

# What the name of an array begins with where it is read as a matrix.
FLAT = "flat_"

IN_TURN = "in the same memory, one after the other"
IN_RESULT = "its sum over the samples; what else is in it is added at the end"

# Slopes that are taken of an activation's value, not of what it is the activation of.
_OF_THE_VALUE = {"heaviside": "positive", "leaky_step": "positive"}


@dataclass(frozen=True)
class Part:
    """Statements that stand in one function; what they read and write, whether they have scratch
    memory, and how many units the loops have that are not to be unrolled, by name."""

    statements: tuple[Statement, ...]
    reads: frozenset[str]
    writes: frozenset[str]
    extents: dict[str, int]
    in_scratch: bool


@dataclass(frozen=True)
class Body:
    """The parts of a schedule, by when they run, the functions of the module that they call, and
    those for loops that are alike. Where a gradient is left out, each ends as soon as the loss is
    known; `zeros` is done before the one loop of a network that has no products."""

    totals: Part
    before: Part
    zeros: tuple[Statement, ...]
    block: Part
    sums: Part
    after: Part
    functions: frozenset[str]
    alike: tuple[Function, ...]


@undistributed
def lower(
    schedule: Schedule, places: Buffers, layout: Layout, results: Results, dtype: Dtype
) -> Body:
    """The statements that run `schedule`, and write its `results`; functions that are shared among
    layers have a name that begins with that of its kernel."""
    return _Writer(schedule, places, layout, results, dtype).run()


class _Writer:
    def __init__(
        self, schedule: Schedule, places: Buffers, layout: Layout, results: Results, dtype: Dtype
    ) -> None:
        self.schedule, self.places, self.layout = schedule, places, layout
        self.results, self.family = results, results.kernel
        self.program = schedule.program
        self.size = sum(prod(shape) for _, shape in layout.values())
        self.doubles: set[str] = set()  # the scalars that are summed in double precision
        self.lowering = Lowering("real", self._element, self._scalar_read, dtype)
        self.section = ""
        self.samples = "rows"  # how many samples a loop goes through
        self.summing = False  # whether sums come now, which read what samples have left
        self.extents: dict[str, int] = {}
        self.for_loss = _needed_for_loss(self.program)
        self.last_for_loss = self._last_for_loss() if results.optional else None

    def run(self) -> Body:
        plan = self.schedule
        sums = [d for d in self._in_a_leaf() if sums_over_samples(d)]
        scalars = [d for d in sums if not d.indices]
        self.samples = "samples"
        totals = self._part(list(plan.totals), [s for d in plan.totals for s in self._total(d)])
        self.samples = "rows"
        before = self._part(
            [nest.definition for nest in plan.before],
            [s for nest in plan.before for s in self._block(nest)],
            in_scratch=True,
        )
        written = [outline.Block(tuple(self._block(b)), self._purpose(b)) for b in plan.blocks]
        names = outline.Names(
            place=self.places.place,
            outside={*self.program.given, *self.program.by_name, *self.extents},
            within={n for n, storage in self.places.storage.items() if storage == "local"},
            parameter=self._parameter,
        )
        statements, alike = outline.outlined(
            written, names, cost_model.ALIKE_FROM, f"_{self.family}"
        )
        block = self._part(
            [d for block in plan.blocks for d in definitions_of(block)],
            [*self._local(plan.blocks), *statements],
            in_scratch=True,
        )
        self.section, self.summing = "", True
        summed = self._part(
            [d for block in plan.sums for d in definitions_of(block)],
            [*self._local(plan.sums), *self._sums()],
            in_scratch=True,
        )
        self.summing = False
        after = self._part(
            [*(nest.definition for nest in plan.after), *scalars],
            [*self._mirrored(), *self._after(scalars)],
        )
        called = (calls(part.statements) for part in (totals, before, block, summed, after))
        shared = (calls(function.body) for function in alike)
        functions = frozenset().union(*called, *shared)
        zeros = () if plan.sums else tuple(self._zeros(sums))
        return Body(totals, before, zeros, block, summed, after, functions, alike)

    def _sums(self) -> Iterable[Statement]:
        """What is summed over the samples of a leaf, in pieces: the loop is of the first."""
        yield from self._flat_views()
        for block in self.schedule.sums:
            match block:
                case Product():
                    yield from self._product(block, PIECE)
                case Rows(definitions):
                    begun = self.results.chained
                    rest = tuple(d for d in definitions if begun or self._summed(d) is None)
                    if rest:
                        first = (*self._zeros(rest), *self._rows(rest))
                        yield Branch(equal(PIECE[0], whole(0)), first)
                    if self.results.optional:
                        yield Branch(LEFT_OUT, (Return((Variable("E_sum", "double"),)),))
                    if rows := tuple(self._row_sums(d for d in definitions if d not in rest)):
                        yield Branch(equal(PIECE[0], whole(0)), rows)

    def _summed(self, definition: Definition) -> str | None:
        """The matrix whose rows a sum over samples adds up, if that is all that it does."""
        array = _summed_rows(definition)
        return None if array in self.results.packed else array

    def _row_sums(self, definitions: Iterable[Definition]) -> Iterable[Statement]:
        for definition in definitions:
            if (array := self._summed(definition)) is not None:
                yield self._comment(definition)
                yield RowSum(array, definition.name)

    def _after(self, scalars: list[Definition]) -> Iterable[Statement]:
        """The loss first, with what it needs; then what is added to its gradient."""
        nests = self.schedule.after
        for_loss = [nest for nest in nests if nest.definition.name in self.for_loss]
        rest = tuple(nest for nest in nests if nest not in for_loss)
        yield from (s for nest in for_loss for s in self._block(nest))
        yield from (s for d in scalars for s in self._end(d))
        if rest and self.results.optional:
            yield Branch(LEFT_OUT, (Return((Variable("E", "double"),)),))
        yield from self._own(rest)
        yield from (s for nest in rest for s in self._block(nest))

    def _part(
        self, definitions: list[Definition], body: list[Statement], in_scratch: bool = False
    ) -> Part:
        extents, self.extents = self.extents, {}
        return Part(
            tuple(body),
            frozenset(name_of(read) for d in definitions for read in reads(d.value)),
            frozenset(d.name for d in definitions),
            dict(sorted(extents.items())),
            in_scratch,
        )

    def _last_for_loss(self) -> Definition | None:
        """What is computed last of what the loss needs of a sample; None if that is nothing."""
        computed = [d for block in self.schedule.blocks for d in definitions_of(block)]
        return next((d for d in reversed(computed) if d.name in self.for_loss), None)

    # Loops that others are like

    def _purpose(self, block: Block) -> str:
        """What a loop over samples is for: the last array that others read. "" if a scalar is
        summed in it, which a function could not do for its caller."""
        if not isinstance(block, Rows) or any(
            definition.indices in ((), (SAMPLE,)) for definition in block.definitions
        ):
            return ""
        kept = [d for d in definitions_of(block) if self.places.storage[d.name] != "local"]
        return next((d.name for d in reversed(kept) if not sums_over_samples(d)), "")

    def _parameter(self, name: str) -> Parameter:
        """What a function is given for a name of its callers."""
        if name in self.extents:
            return Parameter(name, "whole")
        target = self.program.given.get(name)
        if name in self.program.by_name:
            target = self.program.by_name[name].target
        if name in self.results.extents:
            extents = self.results.extents[name]
            rows = (self.samples if each == "samples" else each for each in extents)
            return Parameter(name, "real", tuple(rows))
        indices = () if target is None else self._stored(name, indices_of(target))
        return Parameter(name, "real", tuple(map(self._named_extent, indices)))

    def _named_extent(self, index: Symbol) -> int | str:
        if index == SAMPLE:
            return self.samples
        extent = int(self.program.extent(index))
        return extent if extent < cost_model.OPAQUE_FROM else f"units{axis(index)}"

    # Buffers

    def _local(self, blocks: tuple[Block, ...]) -> Iterable[Statement]:
        """Small arrays for one sample, and the names of what takes over another's memory."""
        definitions = [d for block in blocks for d in definitions_of(block)]
        for definition in definitions:
            if self.places.storage[definition.name] == "row":
                yield Local(self._buffer(definition.name, definition.indices))
        handed = {d.name: d for d in definitions}
        if blocks is self.schedule.sums:  # they read by the names that blocks have written to
            names = (name_of(r) for d in definitions for r in reads(d.value))
            known = self.program.by_name
            handed = {n: known[n] for n in names if n in known} | handed
        for definition in handed.values():
            yield from self._handed_over(definition)

    def _own(self, nests: tuple[Nest, ...]) -> Iterable[Statement]:
        """Buffers for what is computed at the end and is no output."""
        for nest in nests:
            definition = nest.definition
            if self.places.apart(definition.name):
                yield Allocate((self._buffer(definition.name, definition.indices),))
        for nest in nests:
            yield from self._handed_over(nest.definition)
            for read in dict.fromkeys(map(name_of, reads(nest.definition.value))):
                if read in self.program.by_name and sums_over_samples(self.program.by_name[read]):
                    yield from self._handed_over(self.program.by_name[read])

    def _buffer(self, name: str, indices: tuple[Symbol, ...]) -> Buffer:
        stored = self._stored(name, indices)
        return Buffer(name, "real", tuple(units(self.program, i) for i in stored))

    def _handed_over(self, definition: Definition) -> Iterable[Statement]:
        place = self.places.place(definition.name)
        if definition.name in self.places.takes_over and place not in self.results.packed:
            yield Alias(
                definition.name, place, IN_RESULT if sums_over_samples(definition) else IN_TURN
            )

    def _in_a_leaf(self) -> Iterable[Definition]:
        blocks = (*self.schedule.blocks, *self.schedule.sums)
        return (d for block in blocks for d in definitions_of(block))

    def _stored(self, name: str, indices: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
        """The indices that an element is found by in memory: a row has those of one sample."""
        row = self.places.storage.get(name) == "row" and not self.summing
        return tuple(index for index in indices if not (row and index == SAMPLE))

    def _extent(
        self, index: Symbol, unrolled: int = cost_model.OPAQUE_FROM - 1
    ) -> Number | Variable:
        """How often a loop runs: a number where LLVM may unroll it, else a name."""
        if index == SAMPLE or axis(index) == "n":
            return Variable(self.samples, "whole")
        extent = int(self.program.extent(index))
        if extent <= unrolled:
            return units(self.program, index)
        name = f"units{axis(index)}"
        self.extents[name] = extent
        return Variable(name, "whole")

    def _element(self, read: Indexed) -> Variable | Element:
        name = name_of(read)
        if self.places.storage.get(name) == "local":
            return Variable(name, "real")
        stored = self._stored(name, indices_of(read))
        place = self.places.place(name)  # by its own name, but for parts of one array
        name = place if place in self.results.packed else name
        return self._at(name, tuple(map(_place, stored)))

    def _scalar_read(self, read: Symbol) -> Variable:
        return Variable(read.name, "double" if read.name in self.doubles else "real")

    def _target(self, definition: Definition) -> Variable | Element:
        if definition.indices:
            return self._element(definition.target)
        return self._scalar_read(definition.target)

    def _comment(self, definition: Definition) -> Comment:
        """The equation, headed by its layer and direction where these change."""
        here, self.section = self.section, section(definition, definition.name in self.for_loss)
        head = f"{self.section}: " if self.section != here else ""
        return Comment(head + equation(definition) + self._remark(definition))

    def _remark(self, definition: Definition) -> str:
        """Where the code does not do all that its equation says, or otherwise than books do."""
        if sums_over_samples(definition) and not definition.indices:
            sums, rest = _sums_and_rest(definition.value)
            if rest or any(factor != 1 for factor, _ in sums):
                return ": the sum over n here, the rest when it is complete"
        for call in definition.value.atoms(Application):
            name = call.func.__name__
            if name in _OF_THE_VALUE and isinstance(call.args[0], Indexed):
                value = name_of(call.args[0])
                if value.startswith("a"):
                    where = _OF_THE_VALUE[name]
                    return f", which is that of z{value[1:]}: both are {where} at once"
        return ""

    # Blocks

    def _block(self, block: Block) -> Iterable[Statement]:
        match block:
            case Product():
                yield from self._product(block)
            case Nest(definition):
                yield self._comment(definition)
                yield from self._nest(definition)
            case Rows(definitions):
                yield from self._rows(definitions)
                if self.last_for_loss in definitions and block is not self.schedule.blocks[-1]:
                    yield Branch(LEFT_OUT, (self._ended(),))

    def _ended(self) -> Statement:
        """Where nothing more is to be done for these samples."""
        if self.schedule.sums:
            return Return(())
        return Skip() if self.places.size else Return((Variable("E_sum", "double"),))

    def _product(
        self, block: Product, piece: tuple[Value, Value] | None = None
    ) -> Iterable[Statement]:
        yield self._comment(block.definition)
        row = None if block.row is None else name_of(block.row)
        onto = block.rest is not None or (self.results.chained and block in self.schedule.sums)
        products: list[Statement] = []
        for pair in block.pairs:
            left, right = (
                Matrix(self._flat(matrix), transposed)
                for matrix, transposed in zip((pair.left, pair.right), pair.transposed, strict=True)
            )
            # what is not in pieces is there when the first piece is
            given = None if block.rest is not None else piece
            into = self._flat(block.definition.target)
            upper = self._is_symmetric(block)
            products.append(MatrixProduct(left, right, into, row, given, onto, upper))
            row, onto = None, True
        if block.rest is not None and piece is not None:
            yield Branch(equal(piece[0], whole(0)), tuple(products))
        else:
            yield from products

    def _flat_views(self) -> Iterable[View]:
        """What products sum over samples, and the sums, as matrices: arrays of more axes, in the
        same memory."""
        declared: set[str] = set()
        for block in self.schedule.sums:
            if not isinstance(block, Product) or block.definition.name not in self.results.moments:
                continue
            (pair,) = block.pairs
            sizes = [size(self.program, each.indices) for each in (pair.left, pair.right)]
            start, _ = self.results.moments[block.definition.name]
            wanted = [
                (read, "scratch", self.places.offsets.get(self.places.place(name_of(read)), 0), n)
                for read, n in zip((pair.left, pair.right), sizes, strict=True)
            ]
            for read, vector, place, columns in wanted:
                if (flat := self._flat(read)) not in {*declared, name_of(read)}:
                    declared.add(flat)
                    yield View(flat, vector, place, (index("rows"), whole(columns)))
            if (flat := self._flat(block.definition.target)) != block.definition.name:
                yield View(flat, MOMENTS, start, tuple(map(whole, sizes)))

    def _is_symmetric(self, block: Product) -> bool:
        """Whether a large sum over samples is of an array and itself: half of it is computed."""
        if not self.results.chained or block.definition.name not in self.results.moments:
            return False
        (pair,) = block.pairs
        return name_of(pair.left) == name_of(pair.right) and len(pair.left.indices) > 2

    def _mirrored(self) -> Iterable[Statement]:
        """What is below the diagonal of a symmetric sum becomes what is above it."""
        row, column = index("row"), index("column")
        for block in self.schedule.sums:
            if not isinstance(block, Product) or not self._is_symmetric(block):
                continue
            name = f"{FLAT}{block.definition.name}"
            rows = whole(size(self.program, block.pairs[0].left.indices))
            start, _ = self.results.moments[block.definition.name]
            one, other = (Element(name, at, "real") for at in ((row, column), (column, row)))
            yield View(name, MOMENTS, start, (rows, rows))
            yield Loop("row", rows, (Loop("column", row, (Assign(one, other),)),))

    def _flat(self, read: Indexed) -> str:
        """What an array is called as a matrix: its own name, where it is one."""
        name, axes = name_of(read), len(read.indices)
        moment = self.summing and bool(self.results.moments)
        return f"{FLAT}{name}" if moment and axes > 2 else name

    def _nest(self, definition: Definition) -> Iterable[Statement]:
        if definition.indices:
            yield from self._around(definition.indices, self._assign(definition))
        else:
            yield from self._scalar(definition)

    def _rows(self, definitions: tuple[Definition, ...]) -> Iterable[Statement]:
        """One loop over samples."""
        body: list[Statement] = []
        for group in loops(definitions):
            body += self._group(group)
            last = self.last_for_loss in group or any(d.name == "E" for d in group)
            if self.results.optional and last and group[-1] is not definitions[-1]:
                body.append(Branch(LEFT_OUT, (Skip("the loss is known"),)))
        yield Loop("n", index(self.samples), tuple(body))

    def _group(self, group: list[Definition]) -> Iterable[Statement]:
        units = [tuple(i for i in d.indices if i != SAMPLE) for d in group]
        inner: list[Statement] = []
        for definition in group:
            inner += [self._comment(definition)]
            if SAMPLE in definition.indices:
                inner += [*self._assign(definition), *self._kept(definition)]
            else:
                inner += self._add(definition)
        yield from self._around(units[0], inner)

    def _kept(self, definition: Definition) -> Iterable[Statement]:
        """What sums will read is stored for them too."""
        if definition.name in self.places.kept:
            indices = tuple(index(each.name) for each in definition.indices)
            yield Assign(Element(kept(definition.name), indices, "real"), self._target(definition))

    def _around(
        self,
        indices: tuple[Symbol, ...],
        body: Iterable[Statement],
        unrolled: int = cost_model.OPAQUE_FROM - 1,
    ) -> list[Statement]:
        """`body` in a loop for each index; comments that open it move out to the outermost loop."""
        body = list(body)
        if not indices:
            return body
        comments = [s for s in body if isinstance(s, Comment)]
        inner = tuple(s for s in body if not isinstance(s, Comment))
        for place, each in reversed([*enumerate(indices)]):
            # of loops in loops in loops LLVM would write out each with all within it
            few = unrolled if place >= len(indices) - 2 else 0
            inner = (Loop(each.name, self._extent(each, few), inner),)
        return [*comments, *inner]

    # Definitions

    def _assign(self, definition: Definition) -> Iterable[Statement]:
        """One element: its sums in loops, the first of them on top of what is no sum."""
        target = self._target(definition)
        value = definition.value
        if isinstance(value, Peak):
            yield from self._peak(definition)
            return
        sums, rest = _sums_and_rest(value)
        if not sums:
            yield Assign(target, self.lowering.value(value))
            return
        local = self.places.storage[definition.name] == "local"
        total = Variable(definition.name if local else "total", "real")
        yield Assign(total, self.lowering.value(rest))
        nested = any(index != SAMPLE for index in definition.indices)
        for factor, reduction in sums:
            body = product([factor, reduction.function])
            yield from self._accumulate(total, body, reduction, nested)
        if total != target:
            yield Assign(target, total)

    def _accumulate(
        self,
        total: Variable | Element,
        body: Expr,
        reduction: SymPySum,
        nested: bool = False,
        double: bool = False,
    ) -> Iterable[Statement]:
        """A sum, term by term: what is multiplied in single precision for a total in double is
        multiplied first."""
        indices = tuple(index for index in reversed(bounds(reduction)) if index != SAMPLE)
        unrolled = cost_model.UNROLLED if nested else cost_model.OPAQUE_FROM - 1
        *first, last = factors_of(body)
        whole = double or not first or (isinstance(last, Pow) and last.exp.is_negative)
        value = self.lowering.value(body if whole else product(first))
        times = None if whole else self.lowering.value(last)
        add = Accumulate(total, value, "+", times)
        yield from self._around(indices, [add], unrolled)

    def _peak(self, definition: Definition) -> Iterable[Statement]:
        """The largest value; a NaN is left to what the peak is subtracted from."""
        element = self.lowering.value(definition.value.function)
        target = self._target(definition)
        yield Assign(target, Number(-inf, "real"))
        larger = Choice(Compare((">",), (element, target)), element, target)
        yield from self._around(tuple(bounds(definition.value)), [Assign(target, larger)])

    # Sums over samples

    def _zeros(self, sums: Iterable[Definition]) -> Iterable[Statement]:
        """Sums over samples begin at 0; products begin by themselves."""
        begun = [d for d in sums if d.indices and not self.results.chained]
        zero = Number(0.0, "real")
        vector = self.results.vector or ""
        whole_of_it = sum(size(self.program, d.indices) for d in begun) == self.size
        if whole_of_it and not self.results.moments:  # at once
            k = index("k")
            each = (Assign(Element(vector, (k,), "real"), zero),)
            yield from self._if_wanted((Loop("k", whole(self.size, "SIZE"), each),))
            return
        loops = (
            self._around(d.indices, [Assign(self._zeroed(d), zero)], unrolled=UNITS_LIMIT)
            for d in begun
        )
        if zeroed := tuple(loop for each in loops for loop in each):
            yield from self._if_wanted(zeroed)

    def _if_wanted(self, statements: tuple[Statement, ...]) -> Iterable[Statement]:
        """What concerns a gradient that may be left out."""
        if self.results.optional:
            yield Branch(Given("gradient"), statements)
        else:
            yield from statements

    def _zeroed(self, definition: Definition) -> Element:
        """A sum by the name of the memory it is in."""
        place = self.places.place(definition.name)
        return self._at(place, tuple(index(i.name) for i in definition.indices))

    def _at(self, name: str, indices: tuple[Value, ...]) -> Element:
        """An element, where it is in memory."""
        packed = self.results.packed.get(name)
        if packed is None:
            return Element(name, indices, "real")
        left = iter(indices)
        places = tuple(_along(axis, tuple(islice(left, len(axis.strides)))) for axis in packed.axes)
        return Element(packed.within, places, "real")

    def _add(self, definition: Definition) -> Iterable[Statement]:
        """A sample's part in a sum over samples."""
        sums, _ = _sums_and_rest(definition.value)
        for factor, reduction in sums:
            if SAMPLE in bounds(reduction):
                if definition.indices:
                    body = product([factor, reduction.function])
                    yield from self._accumulate(self._target(definition), body, reduction)
                else:
                    total = Variable(f"{definition.name}_sum", "double")
                    yield from self._accumulate(total, reduction.function, reduction, double=True)

    def _total(self, definition: Definition) -> Iterable[Statement]:
        """A sum over all samples that is needed before the first is computed."""
        yield self._comment(definition)
        yield Assign(Variable(f"{definition.name}_sum", "double"), Number(0.0, "double"))
        yield Loop("n", index(self.samples), tuple(self._add(definition)))
        yield from self._end(definition)

    def _end(self, definition: Definition) -> Iterable[Statement]:
        """A scalar, summed in double precision, takes its factor and what else is in it."""
        sums, rest = _sums_and_rest(definition.value)
        ((factor, _),) = [pair for pair in sums if SAMPLE in bounds(pair[1])]
        yield self._narrowed(definition, factor * self._sum_of(definition) + rest)

    def _scalar(self, definition: Definition) -> Iterable[Statement]:
        """A scalar that is a sum over weights, in double precision as well."""
        sums, rest = _sums_and_rest(definition.value)
        total = self._sum_of(definition)
        target = self._scalar_read(total)
        yield Assign(target, Number(0.0, "double"))
        for factor, reduction in sums:
            body = product([factor, reduction.function])
            yield from self._accumulate(target, body, reduction, double=True)
        yield self._narrowed(definition, total + rest)

    def _sum_of(self, definition: Definition) -> Symbol:
        total = Symbol(f"{definition.name}_sum", real=True)
        self.doubles.add(total.name)
        return total

    def _narrowed(self, definition: Definition, value: Expr) -> Assign:
        """Losses stay double; what a float32 computation goes on with is made float32."""
        if definition.name == "E" or definition.name.startswith("R"):
            self.doubles.add(definition.name)
            return Assign(Variable(definition.name, "double"), self.lowering.value(value))
        narrow = Convert(self.lowering.value(value), "real")
        return Assign(Variable(definition.name, "real"), narrow)


def _along(axis: Axis, indices: tuple[Value, ...]) -> Value:
    """A place along an axis of an array that others lie in."""
    if axis == KEPT:
        return indices[0]
    inside = (
        times(whole(stride), i) if stride != 1 else i
        for stride, i in zip(axis.strides, indices, strict=True)
    )
    start = [whole(axis.start)] if axis.start or not axis.strides else []
    return plus(*start, *inside)


def _place(at: Expr) -> Value:
    """An index, or the number that stands for one."""
    return whole(int(at)) if at.is_Integer else index(at.name)


def units(program: Program, index: Symbol) -> Number:
    """How many units an index counts, by the name that this has in a module."""
    return whole(int(program.extent(index)), f"I{axis(index)}")


def _summed_rows(definition: Definition) -> str | None:
    """The array whose rows a sum over samples adds up, if that is all that it does."""
    match definition.value:
        case SymPySum(function=Indexed() as array):
            if indices_of(array) == (SAMPLE, *definition.indices) and len(definition.indices) == 1:
                return name_of(array)
    return None


def _needed_for_loss(program: Program) -> set[str]:
    """The loss, and all that it is computed from."""
    needed = {"E"}
    for definition in reversed(program.definitions):
        if definition.name in needed:
            needed |= {name_of(read) for read in reads(definition.value)}
    return needed


def kept(name: str) -> str:
    """What the array is called that keeps the rows of another."""
    return f"kept_{name}"


def section(definition: Definition, for_loss: bool) -> str:
    """Where in the network a definition belongs: "layer 2, backward". What the loss needs is
    forward, be it a derivative by an input."""
    axes = (axis(index) for index in definition.indices if index != SAMPLE)
    layers = [layer for each in axes if (layer := layer_of(each)) is not None]
    backward = definition.name.startswith("d_") or "_d_" in definition.name
    backward = backward and not for_loss
    place = f"layer {max(layers)}" if layers else "loss"
    return f"{place}, {'backward' if backward else 'forward'}" if layers or backward else place


def _sums_and_rest(value: Expr) -> tuple[list[tuple[Expr, SymPySum]], Expr]:
    """A value as Σ factor·reduction + rest."""
    sums: list[tuple[Expr, SymPySum]] = []
    rest: list[Expr] = []
    for term in terms_of(value):
        factors = factors_of(term)
        reductions = [factor for factor in factors if isinstance(factor, ExprWithLimits)]
        if reductions:
            (reduction,) = reductions
            sums.append((product(f for f in factors if f is not reduction), reduction))
        else:
            rest.append(term)
    return sums, Add(*rest)
