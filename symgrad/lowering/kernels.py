"""kernels: the functions of a module that run one schedule, as a lowered program.

A schedule becomes a family of functions: for a block of samples, for a chunk of blocks, for all
samples one chunk after the other or on threads, and for what waits for the last sample. Which
arguments each takes follows from what its statements read and write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from symgrad.language.dtypes import Dtype
from symgrad.language.indices import SAMPLE
from symgrad.language.program import indices_of, name_of
from symgrad.lowering import cost_model
from symgrad.lowering.buffers import buffers
from symgrad.lowering.canonical import sums_over_samples
from symgrad.lowering.lower import Layout, Part, lower
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Bits,
    Branch,
    Buffer,
    Call,
    Choice,
    Compare,
    Constants,
    Convert,
    Each,
    Element,
    Extent,
    Function,
    Invoke,
    Kind,
    Loop,
    Nonzero,
    Number,
    Opaque,
    Parameter,
    Pick,
    Quotient,
    Return,
    Role,
    Row,
    Run,
    Statement,
    Together,
    Value,
    Variable,
    View,
    Windows,
    equal,
    index,
    minus,
    plus,
    times,
    whole,
)
from symgrad.lowering.program import Part as Cut
from symgrad.lowering.schedule import Product, Schedule

# What the functions of a family do.
SAYS = {
    "prediction": ("Writes the output of a chunk of samples.", "Writes the output y"),
    "loss": ("The sum of the losses of a chunk of samples.", "The loss E"),
    "gradient": (
        "The gradient of a chunk of samples; returns the sum of their losses.",
        "The loss E and its gradient",
    ),
}

# A gradient of more numbers is added up on several threads, in so many pieces.
LARGE_GRADIENT = 4096
PIECES = 16

NO_LIMIT = Bits("<<", whole(1), whole(62))  # of multiplications in one call of BLAS

SAMPLES = Extent("x", 0)
ONE_OR_MORE = Variable("chunks", "whole")
E_SUM = Variable("E_sum", "double")
NOTHING = Number(0.0, "double")


@dataclass(frozen=True)
class Kernels:
    """The functions that compute a prediction, the loss, or the loss and its gradient.

    `shared` are for loops that are alike, and `end` is for what waits for all samples; `in_turn` is
    the body of a function that computes all of it, one chunk after the other, and `of_few` of one
    for which one chunk is all. `total` is the function for what each sample needs of all.
    """

    shared: tuple[Function, ...]
    chunk: Function
    end: Function | None
    threads: Function
    in_turn: tuple[Statement, ...]
    of_few: tuple[Statement, ...]
    total: Function | None
    elementary: frozenset[str]
    allocates: bool
    products: bool
    sums: bool
    chunks: tuple[int, ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        """In the order that they stand in a module."""
        end = () if self.end is None else (self.end,)
        return (*self.shared, self.chunk, *end, self.threads)


def kernels(name: str, schedule: Schedule, layout: Layout, single: bool) -> Kernels:
    """The functions that compute a prediction, the loss, or the loss and its gradient."""
    return _Kernels(name, schedule, layout, single).lowered()


def chunks() -> Function:
    """How many chunks there are, which all families ask."""
    few = index("few")
    more = Branch(_at_least(index("samples"), few), (Accumulate(ONE_OR_MORE, whole(2), "*"),))
    return Function(
        "_chunks",
        (Parameter("samples", "whole"), Parameter("least", "whole", ("levels",))),
        (
            Assign(ONE_OR_MORE, whole(1)),
            Each("few", "least", "whole", (more,)),
            Return((ONE_OR_MORE,)),
        ),
        says="In how many chunks so many samples are computed: 1, and twice as many from each of"
        " `least` on.",
    )


class _Kernels:
    def __init__(self, name: str, schedule: Schedule, layout: Layout, single: bool) -> None:
        self.name, self.schedule, self.layout = name, schedule, layout
        self.size = sum(prod(shape) for _, shape in layout.values())
        self.program = schedule.program
        # what is given as a number, and no array
        self.penalties = [name_of(each) for each in self.program.inputs if not indices_of(each)]
        self.places = buffers(schedule, itemsize=4 if single else 8)
        dtype: Dtype = "float32" if single else "float64"
        self.body = lower(schedule, self.places, layout, name, dtype)
        products = [block for block in schedule.blocks if isinstance(block, Product)]
        self.products = bool(products)
        self.keeps = any(sums_over_samples(product.definition) for product in products)
        self.sums = "E" in self.program.outputs
        # whether it computes a gradient
        self.gathers = any(output.startswith("d_") for output in self.program.outputs)
        self.in_blocks = bool(self.places.size)
        body = self.body
        self.uses_samples = any(p.uses_samples for p in (body.block, body.after, body.totals))
        read = [name for name in ("t", "w") if name in body.block.reads]
        self.data = ["x", *read, *(["y"] * (not self.sums))]
        self.target = ["gradient"] * self.gathers

    def lowered(self) -> Kernels:
        return Kernels(
            shared=self.body.alike,
            chunk=self._chunk(),
            end=self._end() if self.sums else None,
            threads=self._threads(),
            in_turn=tuple(self._in_turn()),
            of_few=tuple(self._of_few()),
            total=self._total() if self.schedule.totals else None,
            elementary=self.body.functions,
            allocates=self.in_blocks
            or any(self.places.apart(nest.definition.name) for nest in self.schedule.after),
            products=self.products,
            sums=self.sums,
            chunks=self.schedule.chunks,
        )

    # Names, as parameters and as arguments

    def _scalars(self, part: Part) -> list[str]:
        """The numbers that a part reads and does not compute."""
        names = (*self.penalties, *(total.name for total in self.schedule.totals))
        return ["N"] * part.uses_samples + [name for name in names if name in part.reads]

    def _parameters(self, names: Iterable[str], numbers: Kind = "real") -> Iterator[Parameter]:
        outputs = int(self.program.extent(self.program.weights[-1].indices[-1]))
        inputs = int(self.program.extents["0"])
        extents: dict[str, tuple[int | str, ...]] = {
            "theta": (self.size,),
            "x": ("samples", inputs),
            "t": ("samples", outputs),
            "w": ("samples",),
            "y": ("samples", outputs),
            "gradient": (self.size,),
            "scratch": ("scratch",),
        }
        extents |= {f"{name}s": extents[name] for name in ("x", "t", "w", "y")}
        for name in names:
            if name in extents:
                yield Parameter(name, "real", extents[name])
            elif name in ("at_once", "E_sum"):
                yield Parameter(name, "whole" if name == "at_once" else "double")
            else:
                yield Parameter(name, numbers)

    def _given(self, names: Iterable[str]) -> list[Argument]:
        """Penalties come as Python has them, and go on in the module's precision."""
        return [
            Convert(Variable(n, "double"), "real") if n in self.penalties else Variable(n, "real")
            for n in names
        ]

    # For a chunk

    def _chunk(self) -> Function:
        body, rows = self.body.block, self.places.rows
        mark = "s" if self.in_blocks else ""
        names = ["theta", *(name + mark for name in self.data), *self._scalars(body), *self.target]
        names += ["scratch"] * self.in_blocks + ["at_once"] * self.products
        views = list(self._views(body))
        inside = [view for view in views if index("rows") in view.extents]
        outside = [view for view in views if view not in inside]
        before = self._lines(self.body.before) if self.body.before.statements else ()
        begun = (Assign(E_SUM, NOTHING),) if self.sums else ()
        if self.in_blocks:
            within = self._in_blocks(rows, (*inside, *body.statements))
        else:
            within = (Assign(index("rows"), SAMPLES), *inside, *body.statements)
        says = SAYS[self.name][0] + f" {rows} at a time, in scratch memory." * self.in_blocks
        return self._function(
            f"_{self.name}_of_chunk",
            self._parameters(names),
            (*before, *_opaque(body), *outside, *begun, *within, *self._returned(E_SUM)),
            says,
            apart=True,
        )

    def _in_blocks(self, rows: int, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        start, end = index("start"), index("end")
        samples = Extent("xs", 0)
        first = Choice(equal(start, WHOLE_ZERO), Number(0.0, "real"), Number(1.0, "real"))
        head: list[Statement] = [
            Assign(end, Call("min", (plus(start, whole(rows)), samples), "whole")),
            Assign(index("rows"), minus(end, start)),
            Windows(tuple(self.data), tuple(f"{name}s" for name in self.data), start, end),
        ]
        if self.keeps:
            head.append(Assign(Variable("keep", "real"), first))
        return (Loop("start", samples, (*head, *body), step=rows),)

    def _returned(self, value: Variable) -> list[Return]:
        return [Return((value,))] * self.sums

    def _lines(self, part: Part) -> tuple[Statement, ...]:
        return (*_opaque(part), *self._views(part), *part.statements)

    def _views(self, part: Part) -> Iterator[View]:
        """The arrays that lie in theta, the gradient and scratch memory, as they are needed."""
        names = {self.places.place(name) for name in (*part.reads, *part.writes)}
        for vector, mark in (("theta", ""), ("gradient", "d_")):
            for name, (offset, shape) in self.layout.items():
                if mark + name in names:
                    yield View(mark + name, vector, offset, tuple(map(whole, shape)))
        if part.in_scratch:
            for definition in self.program.definitions:
                if definition.name in names and definition.name in self.places.offsets:
                    extents = tuple(
                        index("rows") if each == SAMPLE else whole(int(self.program.extent(each)))
                        for each in definition.indices
                    )
                    start = self.places.offsets[definition.name]
                    yield View(definition.name, "scratch", start, extents)

    # For what waits for the last sample, and for what the first needs

    def _end(self) -> Function:
        after = self.body.after
        names = self._scalars(after)
        if self.schedule.after:
            names = ["theta", *names, *self.target]
        gathered = ", and the gradient with what waits for all samples," * self.gathers
        at_once = not self.schedule.after
        return self._function(
            f"_{self.name}_at_the_end",
            self._parameters([*names, "E_sum"]),
            (*self._lines(after), Return((Variable("E", "double"),))),
            f"The loss E{gathered * (not at_once)} from the sum over samples.",
            role="elementary" if at_once else "inner",
            apart=not at_once,
        )

    def _ended(self) -> Iterator[Statement]:
        if self.sums:
            names = self._scalars(self.body.after)
            given: list[Argument] = [*self._given(names), E_SUM]
            if self.schedule.after:
                given = [Array("theta"), *self._given(names), *map(Array, self.target), E_SUM]
            yield Assign(Variable("E", "double"), Invoke(f"_{self.name}_at_the_end", tuple(given)))

    def _total_names(self) -> list[str]:
        return [name for name in ("x", "t", "w") if name in self.body.totals.reads]

    def _total(self) -> Function:
        names = self._total_names()
        totals = tuple(Variable(total.name, "real") for total in self.schedule.totals)
        samples = Assign(index("samples"), Extent(names[0], 0))
        return self._function(
            "_totals",
            self._parameters(names),
            (samples, *self._lines(self.body.totals), Return(totals)),
            "What the losses and the gradient of every sample need of all samples.",
            apart=True,
        )

    def _begun(self) -> Iterator[Statement]:
        """The number of samples, and sums over all of them that each needs."""
        if self.uses_samples:
            yield Assign(Variable("N", "real"), Convert(SAMPLES, "real"))
        if self.schedule.totals:
            arguments = tuple(map(Array, self._total_names()))
            targets = tuple(Variable(total.name, "real") for total in self.schedule.totals)
            yield Together(targets, (Invoke("_totals", arguments, "real"),))

    # For all samples

    def _of_chunk(
        self, arrays: Iterable[Argument], memory: Argument, into: str, limit: Value
    ) -> Invoke:
        given = [Array("theta"), *arrays, *self._given(self._scalars(self.body.block))]
        given += [Array(into)] * self.gathers
        given += [memory] * self.in_blocks + [limit] * self.products
        return Invoke(f"_{self.name}_of_chunk", tuple(given))

    def _cut(self) -> tuple[Together, list[Argument]]:
        """Where a chunk starts and ends, and its part of the data."""
        chunk, start, end = index("chunk"), index("start"), index("end")
        bounds = (
            Quotient(times(SAMPLES, chunk), ONE_OR_MORE),
            Quotient(times(SAMPLES, plus(chunk, whole(1))), ONE_OR_MORE),
        )
        return Together((start, end), bounds), [Cut(name, start, end) for name in self.data]

    def _counted(self) -> Assign:
        arguments = (SAMPLES, Constants(self.schedule.chunks))
        return Assign(ONE_OR_MORE, Invoke("_chunks", arguments, "whole"))

    def _in_turn(self) -> Iterator[Statement]:
        """All of it, one chunk after the other."""
        alone, chunk = equal(ONE_OR_MORE, whole(1)), index("chunk")
        scratch, size = self.places.size, self.size
        yield from self._begun()
        yield self._counted()
        if self.products:
            yield Assign(index("at_once"), Choice(alone, NO_LIMIT, whole(cost_model.ONE_THREAD)))
        if scratch:
            more = plus(whole(scratch), Choice(alone, WHOLE_ZERO, whole(size)))
            yield Allocate((_buffer("scratch", more if self.gathers else whole(scratch)),))
        if self.gathers:
            part = Cut("scratch", whole(scratch), None) if scratch else _buffer("part", whole(size))
            yield Pick("part", alone, Array("gradient"), part)
        if self.sums:
            yield Assign(E_SUM, NOTHING)
        bounds, arrays = self._cut()
        body: list[Statement] = [bounds]
        if self.gathers:
            body.append(Pick("into", Nonzero(chunk), Array("part"), Array("gradient")))
        call = self._of_chunk(arrays, Array("scratch"), "into", index("at_once"))
        body.append(Accumulate(E_SUM, call) if self.sums else Run(call))
        if self.gathers:
            body.append(
                Branch(Nonzero(chunk), (self._add_up(Element("part", (index("k"),), "real")),))
            )
        yield Loop("chunk", ONE_OR_MORE, tuple(body))
        yield from self._ended()

    def _add_up(self, part: Element, start: Value = WHOLE_ZERO, end: Value | None = None) -> Loop:
        add = Accumulate(Element("gradient", (index("k"),), "real"), part)
        return Loop("k", end or whole(self.size), (add,), start=start)

    def _of_few(self) -> Iterator[Statement]:
        """All of it, where one chunk is all."""
        yield from self._begun()
        if self.places.size:
            yield Allocate((_buffer("scratch", whole(self.places.size)),))
        arrays = map(Array, self.data)
        call = self._of_chunk(arrays, Array("scratch"), "gradient", NO_LIMIT)
        yield Assign(E_SUM, call) if self.sums else Run(call)
        yield from self._ended()

    def _threads(self) -> Function:
        names = ["theta", *self.data, *(self.penalties if self.sums else []), *self.target]
        parameters = tuple(self._parameters(names, "double"))
        added = ", and their sums are added in order" * self.sums
        check = Run(Invoke("_check", tuple(argument(each) for each in parameters)))
        return self._function(
            f"_{self.name}_on_threads",
            parameters,
            (check, *self._on_threads()),
            f"{SAYS[self.name][1]}: each thread takes some chunks{added}.",
            role="threaded",
        )

    def _on_threads(self) -> Iterator[Statement]:
        chunk, k = index("chunk"), index("k")
        yield from self._begun()
        yield self._counted()
        if self.gathers:
            yield Allocate((_buffer("parts", ONE_OR_MORE, whole(self.size)),))
        if self.sums:
            yield Allocate((Buffer("sums", "double", (ONE_OR_MORE,)),))
        if self.places.size:
            yield Allocate((_buffer("scratch", ONE_OR_MORE, whole(self.places.size)),))
        bounds, arrays = self._cut()
        body: list[Statement] = [bounds]
        if self.gathers:
            body.append(Pick("into", Nonzero(chunk), Row("parts", chunk), Array("gradient")))
        call = self._of_chunk(arrays, Row("scratch", chunk), "into", whole(cost_model.ONE_THREAD))
        each = Element("sums", (chunk,), "double")
        body.append(Assign(each, call) if self.sums else Run(call))
        yield Loop("chunk", ONE_OR_MORE, tuple(body), parallel=True)
        if self.gathers:
            yield self._parts_added(Element("parts", (chunk, k), "real"))
        if self.sums:
            yield Assign(E_SUM, NOTHING)
            yield Loop("chunk", ONE_OR_MORE, (Accumulate(E_SUM, each),))
            yield from self._ended()
            yield Return((Variable("E", "double"),))

    def _parts_added(self, part: Element) -> Loop:
        """The gradients of all chunks but the first, added to that one in order."""
        piece, size = index("piece"), whole(self.size)
        if self.size <= LARGE_GRADIENT:
            return Loop("chunk", ONE_OR_MORE, (self._add_up(part),), start=whole(1))
        start = Quotient(times(piece, size), whole(PIECES))
        end = Quotient(times(plus(piece, whole(1)), size), whole(PIECES))
        inner = Loop("chunk", ONE_OR_MORE, (self._add_up(part, start, end),), start=whole(1))
        return Loop("piece", whole(PIECES), (inner,), parallel=True)

    def _function(
        self,
        name: str,
        parameters: Iterable[Parameter],
        body: tuple[Statement, ...],
        says: str,
        role: Role = "inner",
        apart: bool = False,
    ) -> Function:
        return Function(name, tuple(parameters), body, says, role, apart)


def argument(parameter: Parameter) -> Argument:
    """A parameter, handed on."""
    if parameter.extents:
        return Array(parameter.name)
    return Variable(parameter.name, parameter.kind)


def _opaque(part: Part) -> Iterator[Opaque]:
    return (Opaque(name, extent) for name, extent in part.extents.items())


def _buffer(name: str, *extents: Value) -> Buffer:
    return Buffer(name, "real", extents)


def _at_least(one: Value, other: Value) -> Compare:
    return Compare((">=",), (one, other))
