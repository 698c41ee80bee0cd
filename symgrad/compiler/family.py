"""family: what the templates need to know of one schedule, as plain data.

A schedule becomes a family of emitted functions: for a block of samples, for a chunk of blocks, for
all samples one chunk after the other or on threads, and for what waits for the last sample. Which
arguments each takes follows from what its statements read and write.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any

from symgrad.compiler import costs
from symgrad.compiler.body import Part, body
from symgrad.compiler.memory import memory
from symgrad.compiler.schedule import Product, Schedule
from symgrad.compiler.split import sums_over_samples
from symgrad.compiler.statements import First, Line, Loop, Statement, as_data, block
from symgrad.language.indices import SAMPLE
from symgrad.language.program import indices_of, name_of

Layout = Mapping[str, tuple[int, tuple[int, ...]]]

# What the functions of a family do.
SAYS = {
    "prediction": ("Writes the output of a chunk of samples.", "Writes the output y"),
    "loss": ("The sum of the losses of a chunk of samples.", "The loss E"),
    "gradient": (
        "The gradient of a chunk of samples; returns the sum of their losses.",
        "The loss E and its gradient",
    ),
}


def family(name: str, schedule: Schedule, layout: Layout, single: bool) -> dict[str, Any]:
    """The functions that compute a prediction, the loss, or the loss and its gradient."""
    return _Family(name, schedule, layout, single).described()


class _Family:
    def __init__(self, name: str, schedule: Schedule, layout: Layout, single: bool) -> None:
        self.name, self.schedule, self.layout, self.single = name, schedule, layout, single
        self.program = schedule.program
        # what is given as a number, and no array
        self.penalties = [name_of(each) for each in self.program.inputs if not indices_of(each)]
        self.places = memory(schedule, itemsize=4 if single else 8)
        self.body = body(schedule, self.places, single, name)
        self.zero = "F(0.0)" if single else "0.0"

    def described(self) -> dict[str, Any]:
        schedule, body, places = self.schedule, self.body, self.places
        products = [block for block in schedule.blocks if isinstance(block, Product)]
        sums = "E" in self.program.outputs
        opening, block = self._opening()
        return {
            "name": self.name,
            "says": SAYS[self.name][0],
            "does": SAYS[self.name][1],
            **self._signatures(bool(products), sums),
            "before": self._part(body.before),
            "opening": opening,
            "block": block,
            "totals": self._part(body.totals),
            "total_names": ", ".join(definition.name for definition in schedule.totals),
            "after": self._part(body.after),
            "functions": body.functions,
            "alike": [
                {
                    "name": each.name,
                    "arguments": ", ".join(["rows", *each.parameters]),
                    "first": each.first,
                    "others": ", ".join(each.others),
                    "statements": self._statements(each.body),
                }
                for each in body.alike
            ],
            "uses_samples": any(
                part.uses_samples for part in (body.block, body.after, body.totals)
            ),
            "gathers": self._gathers(),
            "keeps": any(sums_over_samples(product.definition) for product in products),
            "sums": sums,
            "products": bool(products),
            "scratch": places.size,
            "in_blocks": bool(places.size),
            "allocates": bool(places.size)
            or any(places.apart(nest.definition.name) for nest in schedule.after),
            "ends_at_once": sums and not schedule.after,
            "rows": places.rows,
            "chunks": schedule.chunks,
        }

    def _gathers(self) -> bool:
        """Whether it computes a gradient."""
        return any(output.startswith("d_") for output in self.program.outputs)

    def _signatures(self, products: bool, sums: bool) -> dict[str, Any]:
        """Parameters and arguments of its functions, as source."""
        body, schedule = self.body, self.schedule
        data = ["x", *(i for i in ("t", "w") if i in body.block.reads), *(["y"] * (not sums))]
        scalars = self._scalars(body.block)
        target = ["gradient"] * self._gathers()
        end = self._scalars(body.after)
        if schedule.after:
            end = ["theta", *end, *target]
        penalties = self.penalties if sums else []

        def given(names: list[str]) -> list[str]:
            """Penalties come as Python has them, and go on in the module's precision."""
            return [f"F({n})" if self.single and n in penalties else n for n in names]

        totals = [name for name in ("x", "t", "w") if name in body.totals.reads]
        mark = "s" if self.places.size else ""
        chunk = ["theta", *(f"{name}[start:end]" for name in data), *given(scalars)]
        chunk += ["into"] * bool(target)

        def with_means(arguments: list[str], scratch: str, limit: str) -> str:
            in_scratch = [scratch] * bool(self.places.size)
            return ", ".join(arguments + in_scratch + [limit] * products)

        return {
            "arguments": {
                "chunk": with_means(
                    ["theta", *(d + mark for d in data), *scalars, *target], "scratch", "at_once"
                ),
                "all": ", ".join(["theta", *data, *penalties, *target]),
                "end": ", ".join([*end, "E_sum"]),
                "totals": ", ".join(totals),
            },
            "call": {
                "of_few": with_means(
                    ["theta", *data, *given(scalars), *target], "scratch", "1 << 62"
                ),
                "of_many": with_means(chunk, "scratch[chunk]", str(costs.ONE_THREAD)),
                "in_turn": with_means(chunk, "scratch", "at_once"),
                "end": ", ".join([*given(end), "E_sum"]),
            },
            "names": {
                "one": ", ".join(data),
                "cut": ", ".join(f"{name}s[start:end]" for name in data),
            },
        }

    def _scalars(self, part: Part) -> list[str]:
        """The numbers that a part reads and does not compute."""
        names = (*self.penalties, *(total.name for total in self.schedule.totals))
        return ["N"] * part.uses_samples + [name for name in names if name in part.reads]

    def _opening(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands before the loop over blocks, and what in it: views of a block's arrays."""
        whole = self._part(self.body.block, always=not self.places.size)
        inside = [view for view in whole["views"] if "rows" in view["source"]]
        outside = [view for view in whole["views"] if "rows" not in view["source"]]
        return (
            {"extents": whole["extents"], "views": outside, "statements": []},
            {"extents": [], "views": inside, "statements": whole["statements"]},
        )

    def _part(self, part: Part, always: bool = False) -> dict[str, Any]:
        return {
            "extents": list(part.extents.items()),
            "views": list(self._views(part)),
            "statements": self._statements(part.statements, always),
        }

    def _views(self, part: Part) -> Iterator[dict[str, str]]:
        """The arrays that lie in theta, the gradient and scratch memory, as they are needed."""
        names = {self.places.place(name) for name in (*part.reads, *part.writes)}
        for vector, mark in (("theta", ""), ("gradient", "d_")):
            for name, (offset, shape) in self.layout.items():
                if mark + name in names:
                    yield _view(mark + name, vector, offset, [str(extent) for extent in shape])
        if part.in_scratch:
            for definition in self.program.definitions:
                if definition.name in names and definition.name in self.places.offsets:
                    extents = [
                        "rows" if index == SAMPLE else str(self.program.extent(index))
                        for index in definition.indices
                    ]
                    start = self.places.offsets[definition.name]
                    yield _view(definition.name, "scratch", start, extents)

    def _statements(
        self, statements: Iterable[Statement], always: bool = False
    ) -> list[dict[str, Any]]:
        """Statements as the templates take them; what is for the first block only, or `always`."""
        return [each for s in statements for each in self._statement(s, always)]

    def _statement(self, statement: Statement, always: bool) -> Iterator[dict[str, Any]]:
        match statement:
            case First(names):
                zeros = [
                    as_data(Loop("k", span, (Line(f"gradient[k] = {self.zero}"),)))
                    for span in self._spans(names)
                ]
                yield from zeros if always else [block("if start == 0", zeros)]
            case _:
                yield as_data(statement)

    def _spans(self, names: tuple[str, ...]) -> Iterator[str]:
        """Where arrays lie in the gradient, those beside each other as one: starts and ends."""
        places = [self.layout[self.places.place(name).removeprefix("d_")] for name in names]
        spans: list[tuple[int, int]] = []
        for offset, shape in sorted(places):
            start = spans.pop()[0] if spans and spans[-1][1] == offset else offset
            spans.append((start, offset + prod(shape)))
        for start, end in spans:
            yield f"{start}, {end}" if start else f"{end}"


def _view(name: str, vector: str, start: int, shape: list[str]) -> dict[str, str]:
    extents = ", ".join(shape) + "," * (len(shape) == 1)
    return {"name": name, "source": f"_view({vector}, {start}, ({extents}))"}
