"""family: what the templates need to know of one schedule, as plain data.

A schedule becomes a family of emitted functions: for a block of samples, for a chunk of blocks, for
all samples one chunk after the other or on threads, and for what waits for the last sample. Which
arguments each takes follows from what its statements read and write.
"""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from symgrad.compiler import costs
from symgrad.compiler.memory import Memory, memory
from symgrad.compiler.schedule import Product, Schedule
from symgrad.compiler.split import sums_over_samples
from symgrad.compiler.statements import Comment, First, Line, Loop, Part, Statement, statements
from symgrad.language.indices import SAMPLE
from symgrad.language.program import Program

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
    places = memory(schedule, itemsize=4 if single else 8)
    body = statements(schedule, places, single, name)
    program = schedule.program
    gathers = any(output.startswith("d_") for output in program.outputs)
    sums = "E" in program.outputs
    products = any(isinstance(block, Product) for block in schedule.blocks)
    data = ["x", *(i for i in ("t", "w") if i in body.block.reads), *(["y"] * (not sums))]
    scalars = ["N"] * body.block.uses_samples
    scalars += [d.name for d in schedule.totals if d.name in body.block.reads]
    target = ["gradient"] * gathers
    limit = ["at_once"] * products
    end = ["theta", *(["N"] * body.after.uses_samples)]
    end += [d.name for d in schedule.totals if d.name in body.after.reads]
    cut = [f"{name}[start:end]" for name in data]
    chunk = ["theta", *cut, *scalars, *(["into"] * gathers)]
    in_blocks = bool(places.size)
    opening, block = _opening(body.block, schedule, places, layout)
    mark = "s" if in_blocks else ""
    return {
        "name": name,
        "says": SAYS[name][0],
        "does": SAYS[name][1],
        "arguments": {
            "chunk": ", ".join(["theta", *(d + mark for d in data), *scalars, *target, *limit]),
            "chunks": ", ".join(["theta", *data, *scalars, *target]),
            "all": ", ".join(["theta", *data, *target]),
            "end": ", ".join([*end, *target, "E_sum"]),
        },
        "call": {
            "of_few": ", ".join(["theta", *data, *scalars, *target, *(["1 << 62"] * products)]),
            "of_many": ", ".join([*chunk, *([str(costs.ONE_THREAD)] * products)]),
        },
        "names": {
            "one": ", ".join(data),
            "cut": ", ".join(f"{name}s[start:end]" for name in data),
        },
        "before": _part(body.before, schedule, places, layout),
        "opening": opening,
        "block": block,
        "totals": _part(body.totals, schedule, places, layout),
        "after": _part(body.after, schedule, places, layout),
        "functions": body.functions,
        "alike": [
            {
                "name": each.name,
                "arguments": ", ".join(["rows", *each.parameters]),
                "first": each.first,
                "others": ", ".join(each.others),
                "statements": [
                    one for s in each.body for one in _statement(s, places, layout)
                ],
            }
            for each in body.alike
        ],
        "uses_samples": any(part.uses_samples for part in (body.block, body.after, body.totals)),
        "gathers": gathers,
        "keeps": _keeps(schedule),
        "sums": sums,
        "products": products,
        "scratch": places.size,
        "allocates": bool(places.size) or _allocates(body.after),
        "in_blocks": in_blocks,
        "rows": places.rows,
        "chunks": schedule.chunks,
    }


def _allocates(part: Part) -> bool:
    return any(isinstance(s, Line) and "np.empty(" in s.source for s in part.statements)


def _opening(
    part: Part, schedule: Schedule, places: Memory, layout: Layout
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands before the loop over blocks, and what in it: views of a block's arrays."""
    whole = _part(part, schedule, places, layout)
    if not places.size:
        whole["statements"] = [
            each for s in part.statements for each in _statement(s, places, layout, always=True)
        ]
    inside = [view for view in whole["views"] if "rows" in view["source"]]
    outside = [view for view in whole["views"] if "rows" not in view["source"]]
    return (
        {"extents": whole["extents"], "views": outside, "statements": []},
        {"extents": [], "views": inside, "statements": whole["statements"]},
    )


def _keeps(schedule: Schedule) -> bool:
    """Whether a matrix product adds to what it has added for earlier blocks."""
    return any(
        isinstance(block, Product) and sums_over_samples(block.definition)
        for block in schedule.blocks
    )


def _part(part: Part, schedule: Schedule, places: Memory, layout: Layout) -> dict[str, Any]:
    return {
        "extents": list(part.extents.items()),
        "views": list(_views(part, schedule.program, places, layout)),
        "statements": [each for s in part.statements for each in _statement(s, places, layout)],
    }


def _views(
    part: Part, program: Program, places: Memory, layout: Layout
) -> Iterator[dict[str, str]]:
    """The arrays that lie in theta, in the gradient and in scratch memory, as they are needed."""
    names = {places.place(name) for name in (*part.reads, *part.writes)}
    for vector, mark in (("theta", ""), ("gradient", "d_")):
        for name, (offset, shape) in layout.items():
            if mark + name in names:
                yield _view(mark + name, vector, offset, [str(extent) for extent in shape])
    if part.in_scratch:
        for definition in program.definitions:
            if definition.name in names and definition.name in places.offsets:
                extents = [
                    "rows" if index == SAMPLE else str(program.extent(index))
                    for index in definition.indices
                ]
                yield _view(definition.name, "scratch", places.offsets[definition.name], extents)


def _view(name: str, vector: str, start: int, shape: list[str]) -> dict[str, str]:
    extents = ", ".join(shape) + "," * (len(shape) == 1)
    return {"name": name, "source": f"_view({vector}, {start}, ({extents}))"}


def _statement(
    statement: Statement, places: Memory, layout: Layout, always: bool = False
) -> Iterator[dict[str, Any]]:
    """A statement as the templates take it; what is for the first block only, or `always`."""
    match statement:
        case Comment(text):
            yield {"kind": "comment", "text": text}
        case Line(source):
            yield {"kind": "line", "source": source}
        case First(names):
            zeros: list[dict[str, Any]] = [
                {"kind": "line", "source": f"_zero(gradient, {start}, {size})"}
                for start, size in _ranges(names, places, layout)
            ]
            if always:
                yield from zeros
            else:
                yield {"kind": "block", "head": "if start == 0", "body": zeros}
        case Loop(index, extent, inner):
            body = [each for s in inner for each in _statement(s, places, layout)]
            yield {"kind": "block", "head": f"for {index} in range({extent})", "body": body}


def _ranges(names: tuple[str, ...], places: Memory, layout: Layout) -> list[tuple[int, int]]:
    """Where arrays lie in the gradient, those beside each other as one: starts and sizes."""
    spans = sorted(
        (offset, prod(shape))
        for offset, shape in (layout[places.place(n).removeprefix("d_")] for n in names)
    )
    ranges: list[tuple[int, int]] = []
    for start, size in spans:
        if ranges and sum(ranges[-1]) == start:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + size)
        else:
            ranges.append((start, size))
    return ranges
