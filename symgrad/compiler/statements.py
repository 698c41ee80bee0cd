"""A schedule as statements: comments, lines, and loops with a body.

    statement ::= Comment(text) | Line(source) | Loop(index, extent, statement*)

Every definition's statements stand under its equation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sympy import Add, Expr, Indexed, Integer, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.compiler.code import Printer
from symgrad.compiler.schedule import Block, Nest, Product, Rows, Schedule, loops
from symgrad.language.functions import Peak
from symgrad.language.indices import SAMPLE, SAMPLES, axis, bounds, product
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, indices_of, name_of
from symgrad.language.unicode import equation


@dataclass(frozen=True)
class Comment:
    text: str


@dataclass(frozen=True)
class Line:
    source: str


@dataclass(frozen=True)
class Loop:
    index: str
    extent: str
    body: "tuple[Statement, ...]"


Statement = Comment | Line | Loop


@dataclass(frozen=True)
class Body:
    """The statements of one emitted function, the functions of the module that they call, and
    whether they divide by the number of samples."""

    statements: tuple[Statement, ...]
    functions: frozenset[str]
    uses_samples: bool


@undistributed
def statements(schedule: Schedule, single: bool) -> Body:
    """The statements that run `schedule`; `single` is whether in float32."""
    return _Writer(schedule, single).run()


class _Writer:
    def __init__(self, schedule: Schedule, single: bool) -> None:
        self.schedule = schedule
        self.program = schedule.program
        self.single = single
        self.printer = Printer(single, self._element)
        self.dtype = "np.float32" if single else "np.float64"
        self.section = ""

    def run(self) -> Body:
        blocks = [s for block in self.schedule.blocks for s in self._block(block)]
        uses = any(definition.value.has(SAMPLES) for definition in self.program.definitions)
        return Body((*self._memory(), *blocks), frozenset(self.printer.functions), uses)

    # Memory

    def _memory(self) -> Iterable[Statement]:
        """Allocations: first what is new, then the names of what takes over another's memory."""
        storage = self.schedule.storage
        for definition in self.program.definitions:
            name = definition.name
            if storage[name] in ("row", "full") and name not in self.schedule.takes_over:
                yield Line(f"{name} = np.empty({self._shape(definition)}, {self.dtype})")
        for definition in self.program.definitions:
            if definition.name in self.schedule.takes_over:
                memory = self.schedule.memory(definition.name)
                yield Line(
                    f"{definition.name} = {memory}  # in the same memory, one after the other"
                )

    def _shape(self, definition: Definition) -> str:
        indices = self._stored(definition.name, definition.indices)
        sizes = [self._extent(index) for index in indices]
        return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"

    def _stored(self, name: str, indices: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
        """The indices that an element is found by in memory: a row has those of one sample."""
        row = self.schedule.storage.get(name) == "row"
        return tuple(index for index in indices if not (row and index == SAMPLE))

    def _extent(self, index: Symbol) -> str:
        return "samples" if axis(index) == "n" else str(self.program.extent(index))

    def _element(self, read: Indexed) -> str:
        name = name_of(read)
        if self.schedule.storage.get(name) == "local":
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
        yield self._comment(block.definition)
        yield Line(f"np.dot({left}, {right}, {block.definition.name})")

    def _nest(self, definition: Definition) -> Iterable[Statement]:
        if definition.indices:
            yield from self._around(definition.indices, self._assign(definition))
        else:
            yield from self._scalar(definition)

    def _rows(self, definitions: tuple[Definition, ...]) -> Iterable[Statement]:
        """One loop over the samples; sums over samples are begun before it and ended after it."""
        summed = [d for d in definitions if SAMPLE not in d.indices]
        for definition in summed:
            yield from self._begin(definition)
        body: list[Statement] = []
        for group in loops(definitions):
            body += self._group(group)
        yield Loop("n", "samples", tuple(body))
        for definition in summed:
            yield from self._end(definition)

    def _group(self, group: list[Definition]) -> Iterable[Statement]:
        units = [tuple(i for i in d.indices if i != SAMPLE) for d in group]
        inner: list[Statement] = []
        for definition in group:
            inner += [self._comment(definition)]
            inner += (
                self._assign(definition) if SAMPLE in definition.indices else self._add(definition)
            )
        yield from self._around(units[0], inner)

    def _around(self, indices: tuple[Symbol, ...], body: Iterable[Statement]) -> list[Statement]:
        """`body` in a loop for each index; comments that open it move out to the outermost loop."""
        body = list(body)
        if not indices:
            return body
        comments = [s for s in body if isinstance(s, Comment)]
        inner = tuple(s for s in body if not isinstance(s, Comment))
        for index in reversed(indices):
            inner = (Loop(index.name, self._extent(index), inner),)
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
        total = definition.name if self.schedule.storage[definition.name] == "local" else "total"
        yield Line(f"{total} = {self.printer.source(rest)}")
        for factor, reduction in sums:
            yield from self._accumulate(total, product([factor, reduction.function]), reduction)
        if total != target:
            yield Line(f"{target} = {total}")

    def _accumulate(self, total: str, body: Expr, reduction: Sum) -> Iterable[Statement]:
        indices = tuple(index for index in reversed(bounds(reduction)) if index != SAMPLE)
        yield from self._around(indices, [Line(self._added(total, body))])

    def _added(self, total: str, body: Expr) -> str:
        coefficient, _ = body.as_coeff_Mul()
        if coefficient.is_negative:
            return f"{total} -= {self.printer.source(-body)}"
        return f"{total} += {self.printer.source(body)}"

    def _peak(self, definition: Definition) -> Iterable[Statement]:
        """The largest value; a NaN is left to what the peak is subtracted from."""
        element = self.printer.source(definition.value.function)
        target = self._target(definition)
        yield Line(f"{target} = {'F(-np.inf)' if self.single else '-np.inf'}")
        line = Line(f"{target} = {element} if {element} > {target} else {target}")
        yield from self._around(tuple(bounds(definition.value)), [line])

    # Sums over samples

    def _begin(self, definition: Definition) -> Iterable[Statement]:
        if not definition.indices:
            yield Line(f"{definition.name}_sum = 0.0")
            return
        _, rest = _sums_and_rest(definition.value)
        if rest == 0:
            yield Line(f"{definition.name}[:] = {self.printer.constant(Integer(0))}")
            return
        line = Line(f"{self._target(definition)} = {self.printer.source(rest)}")
        yield Comment(equation(Definition(definition.target, rest)) + " + …")
        yield from self._around(definition.indices, [line])

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
                    yield from self._accumulate(total, reduction.function, reduction)

    def _end(self, definition: Definition) -> Iterable[Statement]:
        """A scalar, summed in double precision, takes its factor and what else is in it."""
        if definition.indices:
            return
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
            yield from self._accumulate(total, product([factor, reduction.function]), reduction)
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
