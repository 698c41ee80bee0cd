"""emit: schedules become the source of a module, through the Jinja2 templates in `templates/`.

Templates look like what they produce; what is computed is computed here. The same program gives the
same bytes, whatever the machine, the folder and the hash seed.
"""

import ast
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from symgrad import __version__
from symgrad.language.count import operations
from symgrad.language.functions import SELU_ALPHA, SELU_SCALE
from symgrad.language.program import Program, prune
from symgrad.language.unicode import listing
from symgrad.lowering import arithmetic
from symgrad.lowering.derivatives import LoweredDerivative
from symgrad.lowering.drivers import drivers
from symgrad.lowering.interface import KERNELS
from symgrad.lowering.kernels import Kernels
from symgrad.lowering.layout import parameters
from symgrad.lowering.module import lower_module
from symgrad.lowering.program import Function
from symgrad.lowering.schedule import Schedule
from symgrad.lowering.training import training
from symgrad.passes.derivatives import Derivative
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import Spec
from symgrad.targets.elementary import OF_DOUBLES, ULP, numbers, with_callees
from symgrad.targets.numba.plain import constants, plain, with_names
from symgrad.targets.numba.source import generic, source, vocabulary
from symgrad.targets.numba.templates import templates
from symgrad.targets.public import (
    INTO,
    MEMBERS,
    Public,
    columns,
    data_of_terms,
    made_of_members,
    names_of,
)
from symgrad.targets.public import public as callable_functions

# The files of symgrad/runtime whose text emitted modules have, those that others need first.
SHARED = (
    "given", "named", "kinds", "memory", "weights", "going_on", "fma", "products", "python_c",
    "arguments", "forks", "calling", "members",
)  # fmt: skip

_PUBLIC = (
    "PARAMETERS", "SIZE", "SPEC", "init", "loss", "loss_and_gradient", "loss_and_gradient_into",
    "pack", "predict", "step", "unpack",
)  # fmt: skip
_TRAINING = ("SETTINGS", "STATE", "train_epoch", "train_settings", "train_state", "train_steps")


def emit(
    spec: Spec,
    programs: Mapping[str, Program],
    schedules: Mapping[str, Schedule],
    order: str,
    update: Program | None = None,
    single_file: bool = True,
    derivatives: Mapping[str, Derivative] = MappingProxyType({}),
) -> str:
    """The source of the module of `spec`; `programs` has the loss and its gradient, under no name,
    or those of its terms by theirs, `schedules` as in `lower_module`, and `update` is a step of the
    optimizer where the spec names one. It imports `runtime()` from a file beside it, or has it at
    its end if it is a single file."""
    single = spec.dtype == "float32"
    layout = parameters(next(iter(programs.values())))
    more = {name: each.program for name, each in derivatives.items()}
    lowered = lower_module(spec, schedules, layout, update, more)
    file_name = spec.file_name or f"{spec.name}.toml"
    shape = "-".join(map(str, spec.widths))
    operand = f"./{file_name}" if file_name.startswith("-") else file_name
    option = "" if order == "loss-first" else f" --order {order}"
    option += " --single-file" if single_file else ""
    functions = with_callees(lowered.elementary)
    trained = None
    if lowered.step is not None and spec.training is not None:
        trained = {
            "optimizer": spec.training.optimizer,
            "equations": listing(lowered.step.program).splitlines(),
            "settings": plain(spec.training.settings()),
            "remembered": lowered.step.remembered,
        }
    ensemble = [each for each in lowered.plain_members if each.role != "threaded"]
    own = (*lowered.own, *map(_underlined, lowered.sums(named=True)), *ensemble)
    called = callable_functions(spec.normalised(), spec.weights, trained is not None)
    public = sorted({*_PUBLIC, *(_TRAINING if trained else ()), *(each.name for each in called)})
    keys: dict[str, Any] = {
        "title": f"{spec.name}: a {shape} network, its loss and gradient.",
        "version": __version__,
        "file_name": in_docstring(file_name),
        "command": in_docstring(f"symgrad compile {shlex.quote(operand)}{option}"),
        "digest": spec.digest(),
        "order": order,
        "dtype": spec.dtype,
        "arithmetic": arithmetic.VERSION,
        "leaf": arithmetic.LEAF,
        "kernel": _and(f"`{part.name}`" for each in lowered.gradients for part in each.kernel),
        "terms": [
            {
                "name": each.name,
                **with_constants(each.kernels, f"{each.name.upper()}_GRADIENT", single, layout),
            }
            for each in lowered.terms
        ],
        "summed": [source(_underlined(f), single, [*layout]) for f in lowered.sums(named=True)],
        "ensemble": [source(each, single, ()) for each in ensemble],
        "of_terms": plain(
            {
                each.name: {"kernels": dict(each.own), "given": own_data(spec, each.name)}
                for each in lowered.terms
            }
        ),
        "callable": [
            {"name": c.name, "arguments": c.arguments, "says": c.says, "body": body(c, spec)}
            for c in called
        ],
        "derivatives": [
            {
                "name": each.name,
                "orders": orders(derivatives[each.name]),
                **with_constants(each.kernels, each.name.upper(), single, layout),
            }
            for each in lowered.derivatives
        ],
        "differentiated": plain({each.name: table(each) for each in lowered.derivatives}),
        "inputs": spec.inputs,
        "input_count": input_count(spec),
        "targets": "of as many columns as its term has targets"
        if spec.of_terms
        else f"of shape (samples, {spec.targets})",
        "columns": columns(spec.normalised(), x="x", t="t"),
        "size": spec.weights,
        "expression": [*_expression(programs, data_of_terms(spec.normalised()))],
        "operations": _operations(programs),
        "public": public_names(public),
        "spec": plain(with_names(spec.normalised())),
        "constants": [*constants(spec.normalised(), spec.dtype)],
        "parameters": in_lines(layout),
        "functions": functions,
        "inlined": plain([*functions, *(f.name for f in own if f.role == "inlined")]),
        "compiled": plain([f.name for f in own if f.role != "inlined"]),
        "rounded": any(name in ULP for name in functions),
        "training": trained,
        "units": ", ".join(f"I{k}" for k in range(len(spec.layers) + 1)),
        "heads": units_of_heads(spec),
        "prediction": with_constants(lowered.prediction, "PREDICTION", single, layout),
        "gradient": lowered.gradient
        and with_constants(lowered.gradient, "GRADIENT", single, layout),
        "update": source(lowered.step.function, single, [*layout]) if lowered.step else "",
    } | elementary_keys(single)
    where = {"runtime": runtime_name(), "below": runtime(below=True) if single_file else ""}
    return render(keys | where)


def _and(names: Iterable[str]) -> str:
    """Names for a sentence."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _expression(
    programs: Mapping[str, Program], given: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """The loss, its shared parts named: line by line; where it has terms, one after the other, with
    what each is given."""
    if given:
        yield f"E = {' + '.join(f'E_{name}' for name in programs)}, each the E of its own samples:"
    for name, program in programs.items():
        lines = listing(prune(program, ("E",))).splitlines()
        if name:
            yield from ("", f"{name}, of {', '.join(given[name])}:")
        yield from (f"    {line}" for line in lines) if name else lines


def _operations(programs: Mapping[str, Program]) -> dict[str, str]:
    """Of a sample; of one of each term."""
    counts = {
        "loss": [operations(prune(program, ("E",))) for program in programs.values()],
        "gradient": [operations(program) for program in programs.values()],
    }
    return {name: " + ".join(map(str, each)) for name, each in counts.items()}


def own_data(spec: Spec, term: str) -> list[str]:
    """What a term's drivers are given, by the names that they have for it."""
    alone = spec.of_terms[term]
    return ["theta", *alone.data_of_term, *alone.loss.arguments]


def _underlined(function: Function) -> Function:
    """As a module has it where its own name is that of a function which says what it is for."""
    public = function.role == "public"
    return replace(function, name=f"_{function.name}") if public else function


def body(function: Public, spec: Spec) -> list[str]:
    """The lines of a function that others may call, which calls one that `build` adds."""
    name, given = function.name, ", ".join(function.arguments)
    if name in MEMBERS:
        return _body_of_members(function, spec)
    signature = DERIVATIVES.get(name.removesuffix(INTO))
    if signature is None:
        return [f"return _{name}({given})"]
    written = {each.name: each for each in signature.results}
    inner = [
        f"{each}.reshape(SIZE * SIZE)" if each in written and len(written[each].extents) == 2
        and not written[each].by_sample else each
        for each in dict.fromkeys((*function.arguments, *written))
    ]  # fmt: skip
    call = f"_{name.removesuffix(INTO)}({', '.join(inner)})"
    if name.endswith(INTO) or signature.in_place:
        return [f"return {call}" if signature.value else call]
    extents = {
        "samples": "len(x)", "inputs": "I0", "outputs": f"I{len(spec.layers)}", "weights": "SIZE",
    }  # fmt: skip
    lines = []
    for result in signature.results:
        shape = ", ".join(extents[each] for each in result.extents)
        shape = shape if len(result.extents) == 1 else f"({shape})"
        lines.append(f"{result.name} = np.empty({shape}, np.{spec.dtype})")
    returned = ", ".join(("E", *written) if signature.value else written)
    return [*lines, f"E = {call}" if signature.value else call, f"return {returned}"]


def _body_of_members(function: Public, spec: Spec) -> list[str]:
    """The lines of a function of all members."""
    made = made_of_members(function.name)
    shapes = {
        "y": f"(len(theta), x.shape[1], I{len(spec.layers)}), np.{spec.dtype}",
        "losses": "len(theta), np.float64",
        "gradients": f"(len(theta), SIZE), np.{spec.dtype}",
    }
    given = ", ".join((*function.arguments, *made))
    lines = [f"{each} = np.empty({shapes[each]})" for each in made]
    lines.append(f"_{function.name}_in_turn({given})")
    return [*lines, f"return {', '.join(made)}"] if made else lines


def orders(derivative: Derivative) -> str:
    """What a derivative costs in the order that was taken, and in the others."""
    costs: dict[int, str] = {}
    for order, cost in derivative.orders.items():
        costs.setdefault(cost, " of ".join(reversed(order)))
    (taken, way), *others = costs.items()
    rest = ", ".join(f"{other} {cost}" for cost, other in others)
    return f"{taken} operations for one sample, {way}" + f" ({rest})" * bool(rest)


def table(derivative: LoweredDerivative) -> dict[str, object]:
    """What `build` has to know of a derivative."""
    numbers, results = derivative.network.numbers, DERIVATIVES[derivative.name]
    return {
        "kernels": dict(derivative.own),
        "results": {each.name: each.extents for each in results.results},
        "names": names_of(derivative.name),
        "value": results.value,
        "summed": numbers["RESULT"],
        "by_sample": numbers["ROW_SHAPE"],
        "mirrored": numbers["MIRRORED"],
        "chained": numbers["CHAINED"],
    }


@cache
def runtime(below: bool = False) -> str:
    """The source of what all modules have in common: a file beside them, or `below` the mathematics
    of one."""
    keys = {
        "below": below,
        "handed": dict(KERNELS),
        "leaf": arithmetic.LEAF,
        "shared": [*map(text_of, SHARED)],
        "drivers": generic(drivers()),
        "epochs": generic(training()),
        "of_doubles": OF_DOUBLES,
    } | elementary_keys(single=False)
    return render(keys, "runtime.py.jinja")


@cache
def elementary_text(functions: tuple[str, ...], single: bool, bounded: bool = False) -> str:
    """The source of elementary functions, of float32 or float64."""
    keys = {"functions": functions, "bounded": bounded} | elementary_keys(single)
    return render(keys, "elementary.py.jinja")


@cache
def runtime_name() -> str:
    """The name of that file, by its content, without the suffix."""
    return f"_symgrad_{sha256(runtime().encode()).hexdigest()[:16]}"


def text_of(name: str) -> str:
    """What a file of symgrad/runtime has after its docstring and imports."""
    text = (Path(__file__).parents[2] / "runtime" / f"{name}.py").read_text("utf-8")
    last = max(
        node.end_lineno or 0
        for place, node in enumerate(ast.parse(text).body)
        if place == 0 or isinstance(node, ast.Import | ast.ImportFrom)
    )
    return "\n".join(text.splitlines()[last:]).strip("\n")


def input_count(spec: Spec) -> str:
    """How many inputs a module's SPEC has, as Python source."""
    if not spec.scaling_of_inputs:
        return 'SPEC["inputs"]' if spec.input_names is None else 'len(SPEC["inputs"])'
    return 'SPEC["inputs"]["count"]' if not spec.input_names else 'len(SPEC["inputs"]["names"])'


def units_of_heads(spec: Spec) -> str:
    """The names of how many outputs heads have; none where there are none."""
    names = [f"I{len(spec.layers)}{head.label}" for head in spec.heads if head.label]
    return ", ".join(names) + "," * (len(names) == 1)


def public_names(names: Iterable[str]) -> list[str]:
    """Lines with the names that others may use of a module."""
    return textwrap.wrap(", ".join(f'"{name}"' for name in sorted(names)) + ",", 96)


def elementary_keys(single: bool) -> dict[str, Any]:
    """What `functions.py.jinja` is filled in with."""
    return {
        "single": single,
        "elementary": numbers(single),
        "selu_high": repr(float(SELU_SCALE)),
        "selu_low": repr(float(SELU_SCALE * SELU_ALPHA)),
    }


def with_constants(
    kernels: Kernels, name: str, single: bool, layout: Iterable[str]
) -> dict[str, Any]:
    """The functions of a kernel as a module has them, and the constants that stand above them."""
    places = {array: f"{name}_PLACES[{place}]" for place, array in enumerate(kernels.places)}
    texts = [source(function, single, [*layout], places) for function in kernels.functions]
    constants: dict[str, object] = {"THREADED": kernels.threaded, "SCRATCH": kernels.scratch}
    if kernels.places:
        constants["PLACES"] = tuple(kernels.places.values())
    return {
        "functions": texts,
        "names": ", ".join(f"{name}_{each}" for each in constants),
        "numbers": ", ".join(map(str, constants.values())),
    }


def render(keys: Mapping[str, Any], template: str = "module.py.jinja") -> str:
    """A template filled in; the keys must be just those that it and what it includes use, but for
    two that follow from the text after its first docstring: `content`, a hash of it, and `called`,
    the names of the runtime that it has need of.
    """
    used = _keys_of(template) - {"content", "called"}
    assert used == set(keys), f"keys and templates differ: {used ^ set(keys)}"
    filled = _environment().get_template(template)
    code = filled.render(keys, content="", called="").split('"""', 2)[-1]
    called = ", ".join(["build", *vocabulary(code)])
    content = sha256(f"{called}{code}".encode()).hexdigest()[:16]
    return filled.render(keys, content=content, called=called)


@cache
def _environment() -> Environment:
    """Once in a process: to read the templates takes longer than all passes together."""
    environment = Environment(
        loader=FileSystemLoader(templates()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["unknown_function"] = _unknown_function
    return environment


@cache
def _keys_of(template: str) -> frozenset[str]:
    """The keys that a template uses, and all that it includes or imports, named by a constant."""
    environment = _environment()
    assert environment.loader is not None
    keys: set[str] = set()
    waiting, seen = [template], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        source, _, _ = environment.loader.get_source(environment, name)
        tree = environment.parse(source)
        keys |= meta.find_undeclared_variables(tree)
        waiting += [
            other
            for other in meta.find_referenced_templates(tree)
            if other is not None and other not in seen
        ]
    return frozenset(keys)


def _unknown_function(name: str) -> str:
    raise AssertionError(f"templates/functions.py.jinja has no function {name}")


def in_lines(layout: Mapping[str, object]) -> str:
    """A dict as Python source, in as few lines as that takes."""
    lines, items = ["{"], [f"{name!r}: {value}" for name, value in layout.items()]
    for place, item in enumerate(items):
        item += "}" if place == len(items) - 1 else ", "
        if len(lines[-1]) + len(item) > 100:
            lines.append(" ")
        lines[-1] += item
    return "\n".join(line.rstrip() for line in lines)


def in_docstring(text: str) -> str:
    """A user's text for a line of a docstring: printable, and unable to end it."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
    return shown.replace("\\", "\\\\").replace('"', '\\"')
