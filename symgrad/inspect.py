"""inspect: every stage of the compiler as text: unicode, LaTeX, SymPy code, JSON."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sympy import Expr, Indexed, Symbol
from sympy.printing.str import StrPrinter

from symgrad.compiler import Compiled
from symgrad.errors import SymgradError
from symgrad.language import latex, unicode
from symgrad.language.count import of_definition
from symgrad.language.functions import Peak, is_opaque
from symgrad.language.indices import is_index, walk
from symgrad.language.program import Program, array, name_of
from symgrad.lowering.arithmetic import LEAF
from symgrad.lowering.buffers import Buffers, buffers
from symgrad.lowering.schedule import Block, Nest, Product, Rows, Schedule, definitions_of
from symgrad.passes.differentiate import DerivativeGraph, Edge
from symgrad.spec.formula import listed
from symgrad.spec.spec import Spec

# The passes, and what they come to, by name.
STAGES = (
    "expand", "stabilize", "share", "differentiate", "factor", "gradient", "schedule", "update",
    "source",
)  # fmt: skip

# Of these each term of a loss has its own.
OF_LOSS = (
    "expand", "stabilize", "share", "differentiate", "factor", "gradient", "program", "schedule",
)  # fmt: skip

FORMATS = ("unicode", "latex", "sympy", "json")


def view(compiled: Compiled, stage: str = "gradient", format: str = "unicode") -> str:
    """A stage of the compiler as text; raises SymgradError for an unknown stage or format."""
    if format not in FORMATS:
        raise SymgradError(f"no format {format!r}; there are {', '.join(FORMATS)}")
    if compiled.terms and stage in OF_LOSS:
        views = {name: view(term, stage, format) for name, term in compiled.terms.items()}
        return _of_terms(views, format)
    value = stage_of(compiled, stage)
    if isinstance(value, Spec):
        return json.dumps(value.normalised(), indent=2, ensure_ascii=False)
    if isinstance(value, str):
        return json.dumps({"source": value}) if format == "json" else value
    if isinstance(value, DerivativeGraph):
        return _graph(value, format)
    if isinstance(value, Program):
        return _program(value, format, compiled.spec)
    return _schedules(value, 4 if compiled.spec.dtype == "float32" else 8, format)


def stage_of(compiled: Compiled, stage: str) -> Any:
    """What a pass has made, by the name of its stage; `program` is what all of them come to, and so
    another name for `gradient`. Derivatives that the spec asks for go by their own names."""
    stages = compiled.stages
    known = {"spec": compiled.spec, **{name: getattr(stages, name) for name in STAGES}}
    if compiled.terms and stage in OF_LOSS:
        raise SymgradError(f"the loss has terms, {listed(compiled.terms)}: say of which")
    known["program"] = stages.gradient
    known |= {name: each.program for name, each in stages.derivatives.items()}
    if stage not in known:
        raise SymgradError(f"no stage {stage!r}; there are {', '.join(known)}")
    if known[stage] is None:  # a step of an optimizer, where none is named
        raise SymgradError(
            f"no stage {stage!r} for this spec: it has no [training] table with an optimizer other"
            " than SciPy's"
        )
    return known[stage]


def _of_terms(views: Mapping[str, str], format: str) -> str:
    """What there is of each term, by its name."""
    if format == "json":
        data = {name: json.loads(text) for name, text in views.items()}
        return json.dumps({"terms": data}, indent=2, ensure_ascii=False)
    mark = {"unicode": "", "latex": "% ", "sympy": "# "}[format]
    return "\n\n".join(f"{mark}term {name}:\n{text}" for name, text in views.items())


def _program(program: Program, format: str, spec: Spec) -> str:
    if format == "unicode":
        return unicode.listing(program)
    if format == "latex":
        return latex.listing(program)
    if format == "sympy":
        return sympy_code([(d.target, d.value) for d in program.definitions])
    return json.dumps(_program_data(program, spec), indent=2, ensure_ascii=False)


def _program_data(program: Program, spec: Spec) -> dict[str, Any]:
    named = {"x": spec.input_names, "t": spec.output_names}
    given = {name_of(target) for target in program.inputs}
    columns = {array: names for array, names in named.items() if names and array in given}
    return {
        "name": program.name,
        "inputs": [unicode.text(target) for target in program.inputs],
        **({"columns": columns} if columns else {}),
        "weights": [unicode.text(target) for target in program.weights],
        "extents": {axis: str(extent) for axis, extent in program.extents.items()},
        "definitions": [
            {
                "name": definition.name,
                "indices": [index.name for index in definition.indices],
                "shape": [str(extent) for extent in program.shape(definition.target)],
                "equation": unicode.equation(definition),
                "latex": latex.equation(definition),
                "sympy": str(definition.value),
                "operations": of_definition(program, definition),
            }
            for definition in program.definitions
        ],
        "outputs": list(program.outputs),
    }


def _graph(graph: DerivativeGraph, format: str) -> str:
    def quotient(edge: Edge, text: Callable[[Expr], str]) -> str:
        target, source = array(edge.target, *edge.out), array(edge.source, *edge.into)
        if format == "latex":
            return rf"\frac{{\partial {text(target)}}}{{\partial {text(source)}}}"
        return f"∂{text(target)}/∂{text(source)}"

    if format == "json":
        edges = [
            {
                "source": edge.source,
                "target": edge.target,
                "partial": quotient(edge, unicode.text),
                "value": unicode.text(edge.value),
                "sympy": str(edge.value),
            }
            for edge in graph.edges
        ]
        return json.dumps({"edges": edges}, indent=2, ensure_ascii=False)
    if format == "sympy":
        return sympy_code(
            [(array(f"d_{e.target}_d_{e.source}", *dict.fromkeys((*e.out, *e.into))), e.value)
             for e in graph.edges]
        )  # fmt: skip
    text = latex.latex if format == "latex" else unicode.text
    rows = [(quotient(edge, text), text(edge.value)) for edge in graph.edges]
    if format == "latex":
        body = " \\\\\n".join(f"{left} &= {right}" for left, right in rows)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
    width = max((len(left) for left, _ in rows), default=0)
    return "\n".join(f"{left:<{width}} = {right}" for left, right in rows)


def _schedules(schedules: Mapping[str, Schedule], itemsize: int, format: str) -> str:
    blocks = {name: _blocks(schedule, itemsize) for name, schedule in schedules.items()}
    if format == "json":
        return json.dumps(blocks, indent=2, ensure_ascii=False)
    if format == "sympy":
        raise SymgradError("a schedule is no expression; look at it with --format unicode or json")
    lines = []
    for name in schedules:
        lines.append(f"{name}:")
        for block in blocks[name]:
            lines.append(f"  {block['kind']}, {block['when']}")
            lines += [f"    {row['equation']}   [{row['storage']}]" for row in block["definitions"]]
    return "\n".join(lines)


def _blocks(schedule: Schedule, itemsize: int) -> list[dict[str, Any]]:
    kinds = {Product: "matrix product", Rows: "loop over samples", Nest: "loops over weights"}
    places = buffers(schedule, itemsize)
    parts: list[tuple[str, tuple[Block, ...]]] = [
        ("at the beginning", tuple(Rows((total,)) for total in schedule.totals)),
        ("before the samples", schedule.before),
        (_together(schedule, places), schedule.blocks),
        ("and then summed over the leaf", schedule.sums),
        ("at the end", schedule.after),
    ]
    result = []
    for when, blocks in parts:
        for block in blocks:
            rows = []
            for definition in definitions_of(block):
                storage: str = places.storage[definition.name]
                place = places.place(definition.name)
                if place != definition.name:
                    storage = f"in the memory of {place}"
                rows.append(
                    {
                        "name": definition.name,
                        "equation": unicode.equation(definition),
                        "storage": storage,
                    }
                )
            result.append({"kind": kinds[type(block)], "when": when, "definitions": rows})
    return result


def _together(schedule: Schedule, places: Buffers) -> str:
    """How many samples are computed together."""
    if "E" in schedule.program.outputs:
        return f"for the samples of a leaf, at most {LEAF}"
    return f"for {places.rows} samples at a time" if places.size else "for all"


class _Code(StrPrinter):
    """SymPy's own text, but that 1/3 stays exact and e is not taken for the loss E."""

    def _print_Exp1(self, _: Expr) -> str:
        return "exp(1)"


def sympy_code(pairs: list[tuple[Expr, Expr]]) -> str:
    """Python that builds the equations in SymPy: runs as it stands, and leaves `equations`."""
    nodes = [node for pair in pairs for value in pair for node in walk(value)]
    arrays = sorted({name_of(node) for node in nodes if isinstance(node, Indexed)})
    symbols = {s for pair in pairs for value in pair for s in value.atoms(Symbol)}
    indices = sorted({s.name for s in symbols if is_index(s)})
    scalars = sorted({s.name for s in symbols if not s.is_integer} - set(arrays))
    opaque = sorted({type(node).__name__ for node in nodes if is_opaque(node)})
    lines = ["from sympy import *", ""]
    lines += [f"{name} = IndexedBase({name!r}, real=True)" for name in arrays]
    lines += [f"{name} = Symbol({name!r}, integer=True)" for name in indices]
    lines += ["N = Symbol('N', integer=True, positive=True)"]
    lines += [f"{name} = Symbol({name!r}, real=True)" for name in scalars]
    lines += [f"{name} = Function({name!r})" for name in opaque]
    if any(isinstance(node, Peak) for node in nodes):
        lines.append("Peak = lambda body, limits: Function('Peak')(body, Tuple(*limits))")
    lines += ["", "equations = ["]
    printer = _Code({"sympy_integers": True})
    for pair in pairs:
        target, value = map(printer.doprint, pair)
        lines.append(f"    Eq({target}, {value}, evaluate=False),")
    return "\n".join([*lines, "]"])
