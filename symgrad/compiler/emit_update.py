"""emit_update: an optimizer's step as the statements that take it.

Numbers without an index are computed once a step, in double precision; what is done for each
weight shares one loop, in the module's own precision. What a step changes takes the place of what
was there before.
"""

from collections.abc import Iterator
from typing import Any

from sympy import Expr, Indexed, Pow, Sum, Symbol

from symgrad.compiler.code import ATOM, PRODUCT, Printer
from symgrad.compiler.optimizers import NEXT
from symgrad.compiler.schedule import loops
from symgrad.compiler.spec_training import Training
from symgrad.compiler.statements import Comment, Line, Loop, Statement, as_data
from symgrad.language.indices import WEIGHT
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, name_of, prune, reads
from symgrad.language.unicode import equation, listing

_IN_MEMORY = {"theta", "gradient", "m", "v"}

# In double precision it is Python's functions that are called, once a step.
_IN_DOUBLE = {"cos": "np.cos", "floor": "np.floor", "minimum": "min"}


@undistributed
def emit_update(program: Program, training: Training, single: bool) -> dict[str, Any]:
    """What the templates need of the function that takes a step, as plain data."""
    program = prune(program, program.outputs)
    needed = {name_of(read) for d in program.definitions for read in reads(d.value)}
    each, once = _Each(single, _element), _Once(False, lambda read: f"float({_element(read)})")
    return {
        "optimizer": training.optimizer,
        "equations": listing(program).splitlines(),
        "settings": training.settings(),
        "given": [
            (name, place) for place, name in enumerate(training.settings()) if name in needed
        ],
        "remembered": [name for name in ("m", "v") if name in program.given],
        "steps_matter": "s" in needed,
        "batches_matter": "b" in needed,
        "statements": [*map(as_data, _statements(program, each, once))],
        "functions": each.functions,
    }


class _Each(Printer):
    """Prints what is computed for each weight."""

    def _written(self, value: Expr) -> tuple[str, int]:
        if isinstance(value, Symbol) and self.single:
            return f"F({name_of(value)})", ATOM  # it was computed in double precision
        return super()._written(value)


class _Once(Printer):
    """Prints what is computed once a step, by Python's and NumPy's functions."""

    def _own(self, name: str, *arguments: str) -> str:
        return f"{_IN_DOUBLE[name]}({', '.join(arguments)})"

    def _power(self, value: Pow) -> tuple[str, int]:
        base, exponent = value.args
        if exponent.is_number:
            return super()._power(value)
        return f"{self.source(base, ATOM)} ** {self.source(exponent, ATOM)}", PRODUCT


def _element(read: Indexed) -> str:
    """What a loop has computed itself is a variable there."""
    name = name_of(read)
    return f"{name}[{WEIGHT.name}]" if name in _IN_MEMORY else name


def _statements(program: Program, each: Printer, once: Printer) -> Iterator[Statement]:
    """What has no index first: nothing of it waits for a weight's own numbers."""
    for definition in program.definitions:
        if not definition.indices:
            yield Comment(equation(definition))
            yield from _at_once(definition, once)
    (group,) = loops(d for d in program.definitions if d.indices)
    yield from (Comment(equation(definition)) for definition in group)
    body = (line for definition in group for line in _of_each(definition, each))
    yield Loop(WEIGHT.name, "weights", tuple(body))


def _of_each(definition: Definition, printer: Printer) -> Iterator[Statement]:
    yield Line(f"{definition.name} = {printer.source(definition.value)}")
    if definition.name.endswith(NEXT):
        yield Line(f"{definition.name.removesuffix(NEXT)}[{WEIGHT.name}] = {definition.name}")


def _at_once(definition: Definition, printer: Printer) -> Iterator[Statement]:
    """A number; a sum over the weights in it is formed first."""
    value = definition.value
    for total in value.atoms(Sum):
        name = f"{definition.name}_sum"
        yield Line(f"{name} = 0.0")
        yield Loop(
            WEIGHT.name, "weights", (Line(f"{name} += {printer.source(total.function)}"),)
        )
        value = value.xreplace({total: Symbol(name, real=True)})
    yield Line(f"{definition.name} = {printer.source(value)}")
