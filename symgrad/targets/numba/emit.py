"""emit: schedules become the source of a module, through the Jinja2 templates in `templates/`.

Templates look like what they produce; what is computed is computed here. The same program gives the
same bytes, whatever the machine, the folder and the hash seed.
"""

import pprint
import shlex
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from math import prod, sqrt
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from symgrad import __version__
from symgrad.language.count import operations
from symgrad.language.functions import SELU_ALPHA, SELU_SCALE
from symgrad.language.program import Program, name_of, prune
from symgrad.language.unicode import listing
from symgrad.lowering import cost_model
from symgrad.lowering.kernels import Kernels, chunks
from symgrad.lowering.module import lower_module
from symgrad.lowering.schedule import Schedule
from symgrad.spec.spec import Spec
from symgrad.targets.elementary import numbers, with_callees
from symgrad.targets.numba.source import source, statements

# Layers that are initialised as He et al. do it; the others as Glorot and Bengio.
_RELU_LIKE = {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"}

# What stands in a template for a hash of the module's content.
CONTENT = "<content>"


def emit(
    spec: Spec,
    program: Program,
    schedules: Mapping[str, Schedule],
    order: str,
    update: Program | None = None,
) -> str:
    """The source of the module of `spec`; `schedules` has "predict", "loss" and "gradient", and
    `update` is a step of the optimizer where the spec names one."""
    single = spec.dtype == "float32"
    forward = prune(program, ("E",))
    layout = parameters(program)
    lowered = lower_module(spec, schedules, layout, update)
    file_name = spec.file_name or f"{spec.name}.toml"
    training = None
    if lowered.step is not None and spec.training is not None:
        training = {
            "optimizer": spec.training.optimizer,
            "equations": listing(lowered.step.program).splitlines(),
            "settings": spec.training.settings(),
            "remembered": lowered.step.remembered,
            "taking_a_step": source(lowered.step.function, single),
            "in_text": {n: source(each, single) for n, each in lowered.training.items()},
        }
    weights = {"w": 1} if spec.loss.sample_weights else {}
    trained = ("state", "progress", "settings", "order", "starts") if training else ()
    vectors = dict.fromkeys(("gradient", *trained), 1)
    shape = "-".join(map(str, spec.widths))
    operand = f"./{file_name}" if file_name.startswith("-") else file_name
    option = "" if order == "loss-first" else f" --order {order}"
    prediction, loss, gradient = (in_text(each, single) for each in lowered.families)
    keys: dict[str, Any] = {
        "title": f"{spec.name}: a {shape} network, its loss and gradient.",
        "version": __version__,
        "file_name": in_docstring(file_name),
        "command": in_docstring(f"symgrad compile {shlex.quote(operand)}{option}"),
        "digest": spec.digest(),
        "order": order,
        "dtype": spec.dtype,
        "single": single,
        "letter": "s" if single else "d",  # of BLAS's functions
        "itemsize": 4 if single else 8,
        "weighted": spec.loss.sample_weights,
        "penalties": list(spec.loss.arguments),
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        "size": spec.weights,
        "expression": listing(forward).splitlines(),
        "operations": {"loss": operations(forward), "gradient": operations(program)},
        "axes": plain({"theta": 1, "x": 2, "t": 2} | weights | vectors),
        "spec": plain(spec.normalised()),
        "parameters": plain(layout),
        "functions": with_callees(lowered.elementary),
        "elementary": numbers(single),
        "training": training,
        "families": [prediction, loss, gradient],
        "prediction": prediction,
        "loss": loss,
        "gradient": gradient,
        "chunks": source(chunks(), single),
        "drivers": "\n\n\n".join(source(function, single) for function in lowered.drivers),
        "products": any(each.products for each in lowered.families),
        "thinnest": cost_model.THINNEST,
        "one_thread": cost_model.ONE_THREAD,
        "spreads": [(f"W{k}", limit) for k, limit in enumerate(spreads(spec), start=1)],
        "selu_high": repr(float(SELU_SCALE)),
        "selu_low": repr(float(SELU_SCALE * SELU_ALPHA)),
    }
    return render(keys)


def in_text(family: Kernels, single: bool) -> dict[str, Any]:
    """A family as the templates take it: its functions, and the bodies of others, as source."""
    functions = [source(function, single) for function in family.functions]
    return {
        "functions": "\n\n\n".join(functions),
        "without_threads": "\n\n\n".join(functions[:-1]),
        "total": source(family.total, single) if family.total else "",
        "in_turn": "\n".join(statements(family.in_turn, single)),
        "of_few": "\n".join(statements(family.of_few, single)),
        "allocates": family.allocates,
        "sums": family.sums,
        "chunks": family.chunks,
    }


def render(keys: Mapping[str, Any], template: str = "module.py.jinja") -> str:
    """A template filled in; the keys must be just those that it and what it includes use.

    CONTENT, where it stands, becomes a hash of all that follows the docstring.
    """
    used = _keys_of(template)
    assert used == set(keys), f"keys and templates differ: {used ^ set(keys)}"
    text = _environment().get_template(template).render(keys)
    code = text.split('"""', 2)[-1]
    return text.replace(CONTENT, sha256(code.encode()).hexdigest()[:16])


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


def templates() -> Path:
    """The folder of the templates: in the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent.parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def plain(data: object) -> str:
    """Plain data as Python source: quoted and escaped by Python itself."""
    return pprint.pformat(data, sort_dicts=False, width=96, compact=True)


def in_docstring(text: str) -> str:
    """A user's text for a line of a docstring: printable, and unable to end it."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
    return shown.replace("\\", "\\\\").replace('"', '\\"')


def parameters(program: Program) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Where each weight array lies in theta: {"W1": (offset, shape), …}."""
    layout = {}
    offset = 0
    for weight in program.weights:
        shape = tuple(map(int, program.shape(weight)))
        layout[name_of(weight)] = (offset, shape)
        offset += prod(shape)
    return layout


def spreads(spec: Spec) -> list[str]:
    """The limit of each layer's uniform initial weights, as source."""
    limits = []
    for layer, below in zip(spec.layers, spec.widths, strict=False):
        fan = below if layer.activation in _RELU_LIKE else below + layer.units
        limits.append(repr(sqrt(6 / fan)))
    return limits
