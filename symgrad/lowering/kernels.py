"""kernels: the functions that run one schedule, as a lowered program.

A schedule becomes a kernel, which computes a chunk of samples in blocks; a function for what waits
for the last sample; and one for what the first sample needs of all. Which arguments each takes
follows from what its statements read and write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from symgrad.language.dtypes import Dtype
from symgrad.language.indices import SAMPLE
from symgrad.language.program import indices_of, name_of
from symgrad.lowering.buffers import buffers
from symgrad.lowering.canonical import sums_over_samples
from symgrad.lowering.lower import Layout, Part, lower, units
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Assign,
    Call,
    Choice,
    Extent,
    Function,
    Loop,
    Number,
    Opaque,
    Parameter,
    Return,
    Role,
    Statement,
    Variable,
    View,
    Windows,
    equal,
    index,
    minus,
    plus,
    whole,
)
from symgrad.lowering.schedule import Product, Schedule

# What the kernels do.
SAYS = {
    "prediction": "Writes the output of a chunk of samples.",
    "gradient": "The sum of the losses of a chunk of samples, and its gradient if that is wanted.",
}

SAMPLES = Extent("x", 0)
E_SUM = Variable("E_sum", "double")
E = Variable("E", "double")


@dataclass(frozen=True)
class Kernels:
    """The functions that compute a prediction, or the loss and its gradient.

    `shared` are for loops that are alike, `chunk` computes a chunk of samples, `end` is for what
    waits for all of them, and `total` for what each needs of all. `scratch` is how many numbers of
    memory a chunk takes; `chunks` as in `Schedule`.
    """

    shared: tuple[Function, ...]
    chunk: Function
    end: Function | None
    total: Function | None
    elementary: frozenset[str]
    scratch: int
    chunks: tuple[int, ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        """In the order that they stand in a module."""
        known = (self.total, *self.shared, self.chunk, self.end)
        return tuple(function for function in known if function is not None)


def kernels(name: str, schedule: Schedule, layout: Layout, single: bool) -> Kernels:
    """The functions that compute a "prediction", or the loss and its "gradient"."""
    return _Kernels(name, schedule, layout, single).lowered()


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
        self.accumulates = any(sums_over_samples(product.definition) for product in products)
        self.sums = "E" in self.program.outputs
        # whether it computes a gradient
        self.gathers = any(output.startswith("d_") for output in self.program.outputs)
        self.in_blocks = bool(self.places.size)
        read = [name for name in ("t", "w") if name in self.body.block.reads]
        self.data = ["x", *read, *(["y"] * (not self.sums))]
        self.target = ["gradient"] * self.gathers

    def lowered(self) -> Kernels:
        return Kernels(
            shared=self.body.alike,
            chunk=self._chunk(),
            end=self._end() if self.sums else None,
            total=self._total() if self.schedule.totals else None,
            elementary=self.body.functions,
            scratch=self.places.size,
            chunks=self.schedule.chunks,
        )

    # Names, as parameters and as arguments

    def _scalars(self, part: Part) -> list[str]:
        """The numbers that a part reads and does not compute."""
        names = (*self.penalties, *(total.name for total in self.schedule.totals))
        return ["N"] * part.uses_samples + [name for name in names if name in part.reads]

    def _parameters(self, names: Iterable[str]) -> Iterator[Parameter]:
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
                yield Parameter(name, "real", extents[name], optional=name == "gradient")
            else:
                yield Parameter(name, "double" if name == "E_sum" else "real")

    # For a chunk

    def _chunk(self) -> Function:
        body, rows = self.body.block, self.places.rows
        mark = "s" if self.in_blocks else ""
        names = ["theta", *(name + mark for name in self.data), *self._scalars(body), *self.target]
        names += ["scratch"] * self.in_blocks
        views = list(self._views(body))
        inside = [view for view in views if index("rows") in view.extents]
        outside = [view for view in views if view not in inside]
        before = self._lines(self.body.before) if self.body.before.statements else ()
        begun = (Assign(E_SUM, Number(0.0, "double")),) if self.sums else ()
        if self.in_blocks:
            within = self._in_blocks(rows, (*inside, *body.statements))
        else:
            within = (Assign(index("rows"), SAMPLES), *inside, *body.statements)
        says = SAYS[self.name] + f" {rows} at a time, in scratch memory." * self.in_blocks
        return self._function(
            f"_{self.name}_of_chunk",
            self._parameters(names),
            (
                *before,
                *_opaque(body),
                *outside,
                *begun,
                *self.body.zeros,
                *within,
                *[Return((E_SUM,))] * self.sums,
            ),
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
        if self.accumulates:
            head.append(Assign(Variable("begun", "real"), first))
        return (Loop("start", samples, (*head, *body), step=rows),)

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
                        index("rows") if each == SAMPLE else units(self.program, each)
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
        gathered = " and, if that is wanted, the rest of its gradient," * self.gathers
        alone = not self.schedule.after
        return self._function(
            f"_{self.name}_at_the_end",
            self._parameters([*names, "E_sum"]),
            (*self._lines(after), Return((E,))),
            f"The loss E{gathered * (not alone)} from the sum over samples.",
            role="inlined" if alone else "inner",
            apart=not alone,
        )

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


def _opaque(part: Part) -> Iterator[Opaque]:
    return (
        Opaque(name, extent, name.replace("units", "I")) for name, extent in part.extents.items()
    )
