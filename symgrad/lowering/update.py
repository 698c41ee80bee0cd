"""lower_update: an optimizer's step as a lowered function.

Numbers without an index are computed once a step, in double precision; what is done for each
weight shares one loop, in the module's own precision. What a step changes takes the place of what
was there before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Indexed, Sum, Symbol

from symgrad.language.indices import WEIGHT
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, name_of, prune, reads
from symgrad.language.unicode import equation
from symgrad.lowering import cost_model
from symgrad.lowering.program import (
    Accumulate,
    Assign,
    Comment,
    Convert,
    Element,
    Function,
    Loop,
    Number,
    Opaque,
    Parameter,
    Statement,
    Variable,
    View,
    index,
    whole,
)
from symgrad.lowering.schedule import loops
from symgrad.lowering.values import Lowering
from symgrad.passes.update import NEXT
from symgrad.spec.spec import Spec
from symgrad.spec.training import Training

_IN_MEMORY = {"theta", "gradient", "m", "v"}

_K, _WEIGHTS = index(WEIGHT.name), index("weights")


@dataclass(frozen=True)
class Update:
    """A step of the optimizer: its equations, its function, and the names of what it remembers."""

    program: Program
    function: Function
    remembered: tuple[str, ...]


@undistributed
def lower_update(program: Program, spec: Spec, training: Training) -> Update:
    """The function that takes a step with all weights that are trained."""
    size = spec.weights
    program = prune(program, program.outputs)
    remembered = tuple(name for name in ("m", "v") if name in program.given)
    says = f"One step of {training.optimizer}, down the gradient; theta and state change in place."
    parameters = (
        Parameter("theta", "real", (size,)),
        Parameter("gradient", "real", (size,)),
        Parameter("state", "real", (len(remembered) * size,)),
        *PROGRESS_AND_SETTINGS,
        Parameter("batches", "whole"),
    )
    counted = (*_once(program), *_each(program, spec.trained_ranges, size))
    body = (*_begun(program, spec, training, remembered), *counted)
    function = Function("_update", parameters, body, says, apart=True)
    return Update(program, function, remembered)


PROGRESS_AND_SETTINGS = (
    Parameter("progress", "word", (2,)),
    Parameter("settings", "double", ("settings",)),
)


def _begun(
    program: Program, spec: Spec, training: Training, remembered: tuple[str, ...]
) -> Iterator[Statement]:
    """Names for what is given, and the step is counted."""
    needed = {name_of(read) for d in program.definitions for read in reads(d.value)}
    size, (*_, (_, last)) = spec.weights, spec.trained_ranges
    large = size >= cost_model.OPAQUE_FROM
    known = whole(size, "SIZE")
    if last == size or any(d.value.has(Sum) for d in program.definitions):
        yield Opaque(_WEIGHTS.name, size, "SIZE") if large else Assign(_WEIGHTS, known)
    for place, name in enumerate(remembered):
        yield View(name, "state", place * size, (known,))
    for place, name in enumerate(training.settings()):
        if name in needed:
            yield Assign(_double(name), Element("settings", (whole(place),), "double"))
    steps = Element("progress", (whole(1),), "word")
    yield Accumulate(steps, Number(1, "word"))
    if "s" in needed:
        yield Assign(_double("s"), Convert(steps, "double"))
    if "b" in needed:
        yield Assign(_double("b"), Convert(index("batches"), "double"))


def _double(name: str) -> Variable:
    return Variable(name, "double")


def _element(read: Indexed) -> Element | Variable:
    """What a loop has computed itself is a variable there."""
    name = name_of(read)
    return Element(name, (_K,), "real") if name in _IN_MEMORY else Variable(name, "real")


def _once(program: Program) -> Iterator[Statement]:
    """What has no index first: nothing of it waits for a weight's own numbers."""
    lowering = Lowering(
        "double",
        element=lambda read: Convert(_element(read), "double"),
        scalar=lambda read: _double(name_of(read)),
    )
    for definition in program.definitions:
        if not definition.indices:
            yield Comment(equation(definition))
            yield from _number(definition, lowering)


def _number(definition: Definition, lowering: Lowering) -> Iterator[Statement]:
    """A number; a sum over the weights in it is formed first."""
    value = definition.value
    for total in value.atoms(Sum):
        name = f"{definition.name}_sum"
        yield Assign(_double(name), Number(0.0, "double"))
        add = Accumulate(_double(name), lowering.value(total.function))
        yield Loop(WEIGHT.name, _WEIGHTS, (add,))
        value = value.xreplace({total: Symbol(name, real=True)})
    yield Assign(_double(definition.name), lowering.value(value))


def _each(program: Program, ranges: tuple[tuple[int, int], ...], size: int) -> Iterator[Statement]:
    """What is computed for each weight; numbers have been computed in double precision."""
    lowering = Lowering(
        "real", element=_element, scalar=lambda read: Convert(_double(name_of(read)), "real")
    )
    (group,) = loops(d for d in program.definitions if d.indices)
    yield from (Comment(equation(definition)) for definition in group)
    body: list[Statement] = []
    for definition in group:
        computed = Variable(definition.name, "real")
        body.append(Assign(computed, lowering.value(definition.value)))
        if definition.name.endswith(NEXT):
            kept = Element(definition.name.removesuffix(NEXT), (_K,), "real")
            body.append(Assign(kept, computed))
    for start, end in ranges:
        last = _WEIGHTS if end == size else whole(end)
        yield Loop(WEIGHT.name, last, tuple(body), start=whole(start))
