"""body: a schedule as the statements that run it; every definition's stand under its equation."""

from collections.abc import Iterable
from dataclasses import dataclass

from sympy import Add, Expr, Indexed, Integer, Pow, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.compiler import costs
from symgrad.compiler.alike import Alike, outlined
from symgrad.compiler.code import Printer
from symgrad.compiler.memory import Memory
from symgrad.compiler.schedule import Block, Nest, Product, Rows, Schedule, definitions_of, loops
from symgrad.compiler.split import size, sums_over_samples
from symgrad.compiler.statements import Comment, First, Line, Loop, Statement
from symgrad.language.functions import Peak
from symgrad.language.indices import SAMPLE, SAMPLES, axis, bounds, product
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, indices_of, name_of, reads
from symgrad.language.unicode import equation


@dataclass(frozen=True)
class Part:
    """Statements that stand in one emitted function; what they read and write, whether they have
    scratch memory, and how many units the loops have that LLVM is not to unroll, by name."""

    statements: tuple[Statement, ...]
    reads: frozenset[str]
    writes: frozenset[str]
    extents: dict[str, int]
    uses_samples: bool
    in_scratch: bool


@dataclass(frozen=True)
class Body:
    """The parts of a schedule, by when they run, the functions of the module that they call, and
    those for loops that are alike."""

    totals: Part
    before: Part
    block: Part
    after: Part
    functions: frozenset[str]
    alike: tuple[Alike, ...]


@undistributed
def body(schedule: Schedule, places: Memory, single: bool, family: str) -> Body:
    """The statements that run `schedule`; `single` is whether in float32, and functions that are
    shared among layers have a name that begins with `family`."""
    return _Writer(schedule, places, single, family).run()


class _Writer:
    def __init__(self, schedule: Schedule, places: Memory, single: bool, family: str) -> None:
        self.schedule, self.places, self.family = schedule, places, family
        self.program = schedule.program
        self.single = single
        self.printer = Printer(single, self._element)
        self.dtype = "np.float32" if single else "np.float64"
        self.section = ""
        self.samples = "rows"  # how many samples a loop goes through
        self.extents: dict[str, int] = {}

    def run(self) -> Body:
        plan = self.schedule
        sums = [d for block in plan.blocks for d in definitions_of(block) if sums_over_samples(d)]
        scalars = [d for d in sums if not d.indices]
        self.samples = "samples"
        totals = self._part(list(plan.totals), [s for d in plan.totals for s in self._total(d)])
        self.samples = "rows"
        before = self._part(
            [nest.definition for nest in plan.before],
            [s for nest in plan.before for s in self._block(nest)],
            in_scratch=True,
        )
        written = [(block, list(self._block(block))) for block in plan.blocks]
        statements, alike = outlined(plan, self.places, written, self.extents, self.family)
        block = self._part(
            [d for block in plan.blocks for d in definitions_of(block)],
            [*self._local(), *self._begun(sums), *statements],
            in_scratch=True,
        )
        after = self._part(
            [*(nest.definition for nest in plan.after), *scalars],
            [
                *self._own(plan.after),
                *(s for nest in plan.after for s in self._block(nest)),
                *(s for d in scalars for s in self._end(d)),
            ],
        )
        return Body(totals, before, block, after, frozenset(self.printer.functions), alike)

    def _part(
        self, definitions: list[Definition], body: list[Statement], in_scratch: bool = False
    ) -> Part:
        extents, self.extents = self.extents, {}
        return Part(
            tuple(body),
            frozenset(name_of(read) for d in definitions for read in reads(d.value)),
            frozenset(d.name for d in definitions),
            dict(sorted(extents.items())),
            any(d.value.has(SAMPLES) for d in definitions),
            in_scratch,
        )

    # Memory

    def _local(self) -> Iterable[Statement]:
        """Small arrays for one sample, and the names of what takes over another's memory."""
        for definition in self._in_blocks():
            if self.places.storage[definition.name] == "row":
                sizes = size(self.program, definition.indices)
                shape = self._stored(definition.name, definition.indices)
                call = f"_local({sizes})"
                if len(shape) > 1:
                    extents = ", ".join(str(self.program.extent(i)) for i in shape)
                    call = f"_view({call}, 0, ({extents}))"
                yield Line(f"{definition.name} = {call}")
        for definition in self._in_blocks():
            yield from self._handed_over(definition)

    def _own(self, nests: tuple[Nest, ...]) -> Iterable[Statement]:
        """Memory for what is computed at the end and is no output."""
        for nest in nests:
            definition = nest.definition
            name = definition.name
            if self.places.apart(name):
                extents = [str(self.program.extent(i)) for i in definition.indices]
                shape = extents[0] if len(extents) == 1 else f"({', '.join(extents)})"
                yield Line(f"{name} = np.empty({shape}, {self.dtype})")
        for nest in nests:
            yield from self._handed_over(nest.definition)
            for read in dict.fromkeys(map(name_of, reads(nest.definition.value))):
                if read in self.program.by_name and sums_over_samples(self.program.by_name[read]):
                    yield from self._handed_over(self.program.by_name[read])

    def _handed_over(self, definition: Definition) -> Iterable[Statement]:
        if definition.name in self.places.takes_over:
            memory = self.places.place(definition.name)
            yield Line(f"{definition.name} = {memory}  # in the same memory, one after the other")

    def _in_blocks(self) -> Iterable[Definition]:
        return (d for block in self.schedule.blocks for d in definitions_of(block))

    def _stored(self, name: str, indices: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
        """The indices that an element is found by in memory: a row has those of one sample."""
        row = self.places.storage.get(name) == "row"
        return tuple(index for index in indices if not (row and index == SAMPLE))

    def _extent(self, index: Symbol, unrolled: int = costs.OPAQUE_FROM - 1) -> str:
        """How often a loop runs: a number where LLVM may unroll it, else a name."""
        if index == SAMPLE or axis(index) == "n":
            return self.samples
        extent = int(self.program.extent(index))
        if extent <= unrolled:
            return str(extent)
        name = f"units{axis(index)}"
        self.extents[name] = extent
        return name

    def _element(self, read: Indexed) -> str:
        name = name_of(read)
        if self.places.storage.get(name) == "local":
            return name
        return f"{name}[{', '.join(i.name for i in self._stored(name, indices_of(read)))}]"

    def _target(self, definition: Definition) -> str:
        return self._element(definition.target) if definition.indices else definition.name

    def _comment(self, definition: Definition) -> Comment:
        """The equation, headed by its layer and direction where these change."""
        here, self.section = self.section, section(definition)
        head = f"{self.section}: " if self.section != here else ""
        return Comment(head + equation(definition))

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

    def _product(self, block: Product) -> Iterable[Statement]:
        left, right = (
            name_of(matrix) + (".T" if transposed else "")
            for matrix, transposed in zip((block.left, block.right), block.transposed, strict=True)
        )
        keep = "keep" if sums_over_samples(block.definition) else self.printer.constant(Integer(0))
        yield self._comment(block.definition)
        yield Line(f"_product({left}, {right}, {block.definition.name}, {keep}, at_once)")

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
        yield Loop("n", self.samples, tuple(body))

    def _group(self, group: list[Definition]) -> Iterable[Statement]:
        units = [tuple(i for i in d.indices if i != SAMPLE) for d in group]
        inner: list[Statement] = []
        for definition in group:
            inner += [self._comment(definition)]
            inner += (
                self._assign(definition) if SAMPLE in definition.indices else self._add(definition)
            )
        yield from self._around(units[0], inner)

    def _around(
        self,
        indices: tuple[Symbol, ...],
        body: Iterable[Statement],
        unrolled: int = costs.OPAQUE_FROM - 1,
    ) -> list[Statement]:
        """`body` in a loop for each index; comments that open it move out to the outermost loop."""
        body = list(body)
        if not indices:
            return body
        comments = [s for s in body if isinstance(s, Comment)]
        inner = tuple(s for s in body if not isinstance(s, Comment))
        for index in reversed(indices):
            inner = (Loop(index.name, self._extent(index, unrolled), inner),)
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
            yield Line(f"{target} = {self.printer.source(value)}")
            return
        total = definition.name if self.places.storage[definition.name] == "local" else "total"
        yield Line(f"{total} = {self.printer.source(rest)}")
        nested = any(index != SAMPLE for index in definition.indices)
        for factor, reduction in sums:
            body = product([factor, reduction.function])
            yield from self._accumulate(total, body, reduction, nested)
        if total != target:
            yield Line(f"{target} = {total}")

    def _accumulate(
        self, total: str, body: Expr, reduction: Sum, nested: bool = False, double: bool = False
    ) -> Iterable[Statement]:
        """A sum, term by term: what is multiplied in single precision for a total in double is
        multiplied first, and only samples are sure to be added in their order."""
        indices = tuple(index for index in reversed(bounds(reduction)) if index != SAMPLE)
        unrolled = costs.UNROLLED if nested else costs.OPAQUE_FROM - 1
        *first, last = factors_of(body)
        whole = double or not first or (isinstance(last, Pow) and last.exp.is_negative)
        term = ", ".join(map(self.printer.source, [body] if whole else [product(first), last]))
        in_order = whole and not indices
        line = f"{total} += {term}" if in_order else f"{total} = plus({total}, {term})"
        yield from self._around(indices, [Line(line)], unrolled)

    def _peak(self, definition: Definition) -> Iterable[Statement]:
        """The largest value; a NaN is left to what the peak is subtracted from."""
        element = self.printer.source(definition.value.function)
        target = self._target(definition)
        yield Line(f"{target} = {'F(-np.inf)' if self.single else '-np.inf'}")
        line = Line(f"{target} = {element} if {element} > {target} else {target}")
        yield from self._around(tuple(bounds(definition.value)), [line])

    # Sums over samples

    def _begun(self, sums: list[Definition]) -> Iterable[Statement]:
        """Sums begin at 0 in the first block; products begin by themselves."""
        in_products = {b.definition.name for b in self.schedule.blocks if isinstance(b, Product)}
        names = [d.name for d in sums if d.indices and d.name not in in_products]
        if names:
            yield First(tuple(names))

    def _add(self, definition: Definition) -> Iterable[Statement]:
        """A sample's part in a sum over samples."""
        sums, _ = _sums_and_rest(definition.value)
        for factor, reduction in sums:
            if SAMPLE in bounds(reduction):
                if definition.indices:
                    body = product([factor, reduction.function])
                    yield from self._accumulate(self._target(definition), body, reduction)
                else:
                    total = f"{definition.name}_sum"
                    yield from self._accumulate(total, reduction.function, reduction, double=True)

    def _total(self, definition: Definition) -> Iterable[Statement]:
        """A sum over all samples that is needed before the first is computed."""
        yield self._comment(definition)
        yield Line(f"{definition.name}_sum = 0.0")
        yield Loop("n", self.samples, tuple(self._add(definition)))
        yield from self._end(definition)

    def _end(self, definition: Definition) -> Iterable[Statement]:
        """A scalar, summed in double precision, takes its factor and what else is in it."""
        sums, rest = _sums_and_rest(definition.value)
        ((factor, _),) = [pair for pair in sums if SAMPLE in bounds(pair[1])]
        total = Symbol(f"{definition.name}_sum", real=True)
        value = self.printer.source(factor * total + rest)
        yield Line(f"{definition.name} = {self._narrowed(definition, value)}")

    def _scalar(self, definition: Definition) -> Iterable[Statement]:
        """A scalar that is a sum over weights, in double precision as well."""
        sums, rest = _sums_and_rest(definition.value)
        total = f"{definition.name}_sum"
        yield Line(f"{total} = 0.0")
        for factor, reduction in sums:
            body = product([factor, reduction.function])
            yield from self._accumulate(total, body, reduction, double=True)
        value = self.printer.source(Symbol(total, real=True) + rest)
        yield Line(f"{definition.name} = {self._narrowed(definition, value)}")

    def _narrowed(self, definition: Definition, value: str) -> str:
        """Losses stay double; what a float32 computation goes on with is made float32."""
        double = definition.name == "E" or definition.name.startswith("R") or not self.single
        return value if double else f"F({value})"


def section(definition: Definition) -> str:
    """Where in the network a definition belongs: "layer 2, backward"."""
    layers = [int(axis(index)) for index in definition.indices if index != SAMPLE]
    backward = definition.name.startswith("d_") or "_d_" in definition.name
    place = f"layer {max(layers)}" if layers else "loss"
    return f"{place}, {'backward' if backward else 'forward'}" if layers or backward else place


def _sums_and_rest(value: Expr) -> tuple[list[tuple[Expr, Sum]], Expr]:
    """A value as Σ factor·reduction + rest."""
    sums: list[tuple[Expr, Sum]] = []
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
