"""kernels: the functions that run one schedule, as a lowered program.

A schedule becomes a kernel for some samples, those of a leaf where sums are formed; a function for
what waits for the last leaf; and one for what the first needs of all samples. Where sums over
samples come last, the kernel is two functions, so that threads can share a leaf: one for each
sample, and one for the sums. Which arguments each takes follows from what its statements read and
write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from symgrad.language.dtypes import Dtype
from symgrad.language.indices import SAMPLE
from symgrad.lowering.buffers import buffers
from symgrad.lowering.lower import FLAT, PIECE, Layout, Part, kept, lower, units
from symgrad.lowering.program import (
    Array,
    Assign,
    Call,
    Element,
    Extent,
    Function,
    Loop,
    Number,
    Opaque,
    Parameter,
    Return,
    Role,
    Statement,
    Table,
    Value,
    Variable,
    View,
    Windows,
    every,
    index,
    minus,
    plus,
    values,
    walk,
    whole,
)
from symgrad.lowering.results import GRADIENT, PREDICTION, Results
from symgrad.lowering.schedule import Schedule

# What the kernels do.
SAYS = {
    "prediction": "Writes the output of a chunk of samples.",
    "gradient": "The sum of the losses of a leaf's samples, and its gradient if that is wanted.",
}

# Names of arguments, in the order that functions have them: what is given, and what they need to
# write, whose names differ.
GIVEN = ("theta", "x", "t", "w", "d_y", "v", "v_x", "l1", "l2", "N", "w_total")
SCRATCH = "scratch"

# The arrays that are given and have a row for each sample, and the numbers that say which share of
# a leaf.
DATA = ("x", "t", "w", "d_y", "v_x")
WHOLE = ("first", "last", "piece", "pieces")

# Which samples of a leaf a function is for.
SHARE = (index("first"), index("last"))

SAMPLES = Extent("x", 0)
E_SUM = Variable("E_sum", "double")
E = Variable("E", "double")


@dataclass(frozen=True)
class Kernels:
    """The functions that compute a prediction, or the loss and its gradient.

    `alike` are for loops that are, `kernel` computes some samples, or a leaf of them: one function,
    or two where threads can share a leaf; `end` is for what waits for all leaves, and `total` for
    what each needs of all samples. `scratch` is how many numbers of memory the kernel takes;
    `threaded` as in `Schedule`.
    """

    alike: tuple[Function, ...]
    kernel: tuple[Function, ...]
    end: Function | None
    total: Function | None
    elementary: frozenset[str]
    scratch: int
    threaded: int

    @property
    def functions(self) -> tuple[Function, ...]:
        """In the order that they stand in a module."""
        known = (self.total, *self.alike, *self.kernel, self.end)
        return tuple(function for function in known if function is not None)

    @property
    def shared(self) -> bool:
        """Whether threads can share a leaf."""
        return len(self.kernel) > 1

    @property
    def places(self) -> dict[str, int]:
        """Where arrays begin in scratch memory, by name, in the order that they are declared."""
        return {
            statement.name: statement.start
            for function in self.functions
            for statement in every(function.body)
            if isinstance(statement, View) and statement.vector == "scratch"
        }


def kernels(results: Results, schedule: Schedule, layout: Layout, single: bool) -> Kernels:
    """The functions that compute a prediction, or the loss and its gradient, or a derivative."""
    return _Kernels(results, schedule, layout, single).lowered()


class _Kernels:
    def __init__(self, results: Results, schedule: Schedule, layout: Layout, single: bool) -> None:
        self.name, self.schedule, self.layout = results.kernel, schedule, layout
        self.results = results
        self.size = sum(prod(shape) for _, shape in layout.values())
        self.program = schedule.program
        self.data = (*DATA, *([] if results.rows is None else [results.rows]))
        self.places = buffers(schedule, 4 if single else 8, results.packed)
        dtype: Dtype = "float32" if single else "float64"
        self.body = lower(schedule, self.places, layout, results, dtype)
        # whether it computes leaves of samples, and sums these, and whether into a vector
        self.sums = results.kernel != PREDICTION.kernel
        self.gathers = results.vector is not None
        self.in_blocks = bool(self.places.size)
        self.together = f" {self.places.rows} at a time, in scratch memory." * self.in_blocks

    def lowered(self) -> Kernels:
        in_parts = (self._samples(), self._sums()) if self.schedule.sums else (self._kernel(),)
        return Kernels(
            alike=self.body.alike,
            kernel=in_parts,
            end=self._end() if self.sums else None,
            total=self._total() if self.schedule.totals else None,
            elementary=self.body.functions,
            scratch=self.places.size,
            threaded=self.schedule.threaded,
        )

    # Names, as parameters and as arguments

    def _names(self, part: Part, *more: str) -> list[str]:
        """What a function takes that has a part in it: what the part reads and does not compute."""
        known = {*self.program.by_name} - {total.name for total in self.schedule.totals}
        reads = ({*part.reads, *_read(part.statements)} - known) | {*more}
        reads |= {place.within for name, place in self.results.packed.items() if name in reads}
        if reads & {*self.layout}:
            reads.add("theta")
        if part.in_scratch and self.in_blocks:
            reads.add("scratch")
        if any(name.startswith("v_") for name in reads & {*self.program.given} - {"v_x"}):
            reads.add("v")
        if self.gathers:
            reads.add(str(self.results.vector))
        if self.results.rows is not None and part.writes & self.written_in_rows:
            reads.add(self.results.rows)
        if self.results.made is not None and part.writes & {*self.results.packed}:
            reads.add(self.results.made)
        results = self.results.rows, self.results.vector, self.results.made
        written = (each for each in results if each is not None)
        return [name for name in (*GIVEN, *written, SCRATCH) if name in reads]

    @property
    def written_in_rows(self) -> set[str]:
        """The arrays that are the result of each sample, or a part of it."""
        rows, packed = str(self.results.rows), self.results.packed.items()
        return {rows, *(name for name, place in packed if place.within == rows)}

    def _parameters(self, names: Iterable[str]) -> Iterator[Parameter]:
        outputs = int(self.program.extent(self.program.weights[-1].indices[-1]))
        inputs = int(self.program.extents["0"])
        targets = outputs
        if "t" in self.program.given:
            targets = int(self.program.extent(self.program.given["t"].indices[-1]))
        extents: dict[str, tuple[int | str, ...]] = {
            "theta": (self.size,),
            "x": ("samples", inputs),
            "t": ("samples", targets),
            "w": ("samples",),
            "d_y": ("samples", outputs),
            "v": (self.size,),
            "v_x": ("samples", inputs),
            SCRATCH: ("scratch",),
        }
        rows, vector = self.results.rows, self.results.vector
        if rows is not None:
            own = self.program.by_name[rows].indices if rows in self.program.by_name else ()
            shape = tuple(int(self.program.extent(index)) for index in own[1:])
            extents[rows] = self.results.extents.get(rows, ("samples", *shape))
        if vector is not None:
            extents[vector] = self.results.extents.get(vector, (self.size,))
        extents |= self.results.extents
        extents |= {f"{name}s": extents[name] for name in self.data}
        for name in names:
            if name in extents:
                optional = name == vector and self.results.optional
                yield Parameter(name, "real", extents[name], optional=optional)
            elif name in WHOLE:
                yield Parameter(name, "whole")
            else:
                yield Parameter(name, "double" if name == "E_sum" else "real")

    # For some samples

    def _kernel(self) -> Function:
        """All that is done for some samples: for a prediction, or for a leaf of a small network."""
        names = self._names(self.body.block, "theta", "x")
        begun = (Assign(E_SUM, Number(0.0, "double")),) if self.sums else ()
        returned = (Return((E_SUM,)),) if self.sums else ()
        return self._function(
            f"_{self.name}_of_leaf" if self.sums else f"_{self.name}_of_chunk",
            self._parameters(self._marked(names)),
            (*self._for_samples(names, (*begun, *self.body.zeros)), *returned),
            self._says() + self.together,
            apart=True,
        )

    def _samples(self) -> Function:
        """What is done for each sample of a leaf, where sums come last."""
        names = self._names(self.body.block, "x")
        return self._function(
            f"_{self.own}samples_of_leaf",
            self._parameters([*self._marked(names), *(each.name for each in SHARE)]),
            self._for_samples(names, (), within_leaf=True),
            "What is computed for each sample of a leaf, from `first` on, before `last`.",
            apart=True,
        )

    def _sums(self) -> Function:
        """The sums over the samples of a leaf, where they come last."""
        sums = self.body.sums
        begun = (Assign(index("rows"), SAMPLES), Assign(E_SUM, Number(0.0, "double")))
        return self._function(
            f"_{self.own}sums_of_leaf",
            self._parameters([*self._names(sums, "x"), *(each.name for each in PIECE)]),
            (*begun, *self._lines(sums), Return((E_SUM,))),
            "The sum of a leaf's losses, and its gradient if that is wanted: a piece of these, the"
            " first with the losses."
            if self.results.optional
            else "The sums over a leaf's samples: a piece of these.",
            apart=True,
        )

    @property
    def own(self) -> str:
        """What names of functions begin with that are not the gradient's."""
        own = (PREDICTION.kernel, GRADIENT.kernel)
        return "" if self.results.kernel in own else f"{self.name}_"

    def _says(self) -> str:
        known = "gradient" if self.results.optional else self.name
        return SAYS.get(known, "What is computed of some samples.")

    def _marked(self, names: Iterable[str]) -> list[str]:
        """The parameters of a function that goes through its samples in blocks."""
        return [name + "s" * (self.in_blocks and name in self.data) for name in names]

    def _for_samples(
        self, names: list[str], begun: tuple[Statement, ...], within_leaf: bool = False
    ) -> tuple[Statement, ...]:
        """What is done for each sample, for all that are given or for a share of a leaf's."""
        body = self.body.block
        views = list(self._views(body, SHARE[0] if within_leaf else None))
        inside = [v for v in views if isinstance(v, View) and index("rows") in v.extents]
        outside = [view for view in views if view not in inside]
        before = self._lines(self.body.before) if self.body.before.statements else ()
        within: tuple[Statement, ...] = (*inside, *body.statements)
        data = tuple(name for name in names if name in self.data)
        if within_leaf:
            within = (*self._window(data, *SHARE), *within)
        elif self.in_blocks:
            within = self._in_blocks(data, within)
        else:
            within = (Assign(index("rows"), SAMPLES), *within)
        return *before, *_opaque(body), *outside, *begun, *within

    def _in_blocks(
        self, data: tuple[str, ...], body: tuple[Statement, ...]
    ) -> tuple[Statement, ...]:
        rows, samples = self.places.rows, Extent("xs", 0)
        start, end = index("start"), index("end")
        first = Assign(end, Call("min", (plus(start, whole(rows)), samples), "whole"))
        body = (first, *self._window(data, start, end), *body)
        return (Loop("start", samples, body, step=rows),)

    def _window(self, data: tuple[str, ...], start: Value, end: Value) -> tuple[Statement, ...]:
        """Some of the samples, and how many they are."""
        windows = Windows(data, tuple(f"{name}s" for name in data), start, end)
        return Assign(index("rows"), minus(end, start)), windows

    def _lines(self, part: Part) -> tuple[Statement, ...]:
        return (*_opaque(part), *self._views(part), *part.statements)

    def _views(self, part: Part, behind: Value | None = None) -> Iterator[View | Table]:
        """The arrays that lie in theta, the gradient and scratch memory, as they are needed; those
        of samples behind so many others."""
        names = {self.places.place(name) for name in (*part.reads, *part.writes)} - _flat_only(part)
        vectors = [("theta", ""), ("v", "v_")]
        if self.results.vector is not None and self.results.made is None:
            vectors.append((self.results.vector, self.results.mark))
        for vector, mark in vectors:
            for name, (offset, shape) in self.layout.items():
                if mark + name in names:
                    yield View(mark + name, vector, offset, tuple(map(whole, shape)))
        for constant in self.program.constants:
            if constant.name in names:
                yield Table(constant.name, tuple(map(float, constant.values)))
        for name, (offset, shape) in self.results.moments.items():
            if name in names:
                yield View(name, str(self.results.vector), offset, tuple(map(whole, shape)))
        if part.in_scratch:
            for definition in self.program.definitions:
                if definition.name in names and definition.name in self.places.offsets:
                    extents = tuple(
                        index("rows") if each == SAMPLE else units(self.program, each)
                        for each in definition.indices
                    )
                    name, start = definition.name, self.places.offsets[definition.name]
                    if name in self.places.kept and part is self.body.block:
                        name = kept(name)
                    rows = behind if SAMPLE in definition.indices else None
                    yield View(name, "scratch", start, extents, rows)

    # For what waits for the last sample, and for what the first needs

    def _end(self) -> Function:
        after = self.body.after
        alone = not self.schedule.after
        names = [name for name in self._names(after) if name not in self.data]
        if alone:
            names = [name for name in names if name != self.results.vector]
        loss = "E" in self.program.outputs
        gathered = " and, if that is wanted, the rest of its gradient," * self.gathers
        says = f"The loss E{gathered * (not alone)} from the sum over samples."
        return self._function(
            f"_{self.name}_at_the_end",
            self._parameters([*names, "E_sum"]),
            (*self._lines(after), Return((E if loss else E_SUM,))),
            says if loss else "What is added to the sums over samples.",
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
            f"_{self.own}totals",
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


def _flat_only(part: Part) -> set[str]:
    """The arrays that are used as matrices that lie in the same memory, and nowhere by their own
    name."""
    flat = {s.name.removeprefix(FLAT) for s in part.statements if isinstance(s, View)}
    used = {
        node.array if isinstance(node, Element) else node.name
        for statement in every(part.statements)
        for value in values(statement)
        for node in walk(value)
        if isinstance(node, Element | Array)
    }
    return flat - used


def _read(statements: Iterable[Statement]) -> set[str]:
    """The reals that statements read."""
    return {
        node.name
        for statement in every(tuple(statements))
        for value in values(statement)
        for node in walk(value)
        if isinstance(node, Variable) and node.kind == "real"
    }


def called_with(function: Function, results: Results) -> list[str]:
    """A kernel's parameters by the names that callers know them by: `xs` are the x of all, and what
    is written are `rows` and the `gradient`, whatever they are called."""
    known = {results.vector: "gradient", results.rows: "by_sample", results.made: "matrix"}
    data = (*DATA, results.rows)
    names = (parameter.name for parameter in function.parameters)
    singular = (name[:-1] if name[:-1] in data else name for name in names)
    return [known.get(name, name) for name in singular]


def _opaque(part: Part) -> Iterator[Opaque]:
    return (
        Opaque(name, extent, name.replace("units", "I")) for name, extent in part.extents.items()
    )
