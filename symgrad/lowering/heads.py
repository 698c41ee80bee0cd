"""heads: what heads give and are judged by, to programs an array for each, y_h1 and t_h1, and in
memory columns of y and of t, from one on."""

from dataclasses import replace

from sympy import Sum

from symgrad.language.indices import axis, walk
from symgrad.language.program import Definition, Program, array
from symgrad.lowering.results import GRADIENT, KEPT, PREDICTION, Axis, Packed, Results
from symgrad.spec.spec import Spec


def prediction(spec: Spec) -> Results:
    """What the kernels of the outputs write."""
    return _with_columns(PREDICTION, spec, "y", spec.outputs)


def gradient(spec: Spec, results: Results = GRADIENT) -> Results:
    """What those of the loss and its gradient do, or of a term of it."""
    return _with_columns(results, spec, "t", spec.targets)


def columns(spec: Spec, array: str) -> dict[str, Packed]:
    """Where the arrays of heads lie in y or in t."""
    if not spec.has_heads:
        return {}
    return {
        head.of(array): Packed(array, (KEPT, Axis(head.start, (1,)))) for head in spec.heads
    }


def given(spec: Spec) -> dict[str, Packed]:
    """Where what derivatives are given of heads lies: targets, and ∂L/∂y of a caller's loss."""
    return columns(spec, "t") | columns(spec, "d_y")


def extents(spec: Spec) -> dict[str, tuple[int | str, ...]]:
    """How long these are."""
    many = {"t": spec.targets, "d_y": spec.outputs} if spec.has_heads else {}
    return {array: ("samples", columns) for array, columns in many.items()}


def axes(spec: Spec, definition: Definition, kept: int) -> tuple[Axis, ...]:
    """The first axes, so many, of what is computed of each output, which may be those of a head."""
    of = axis(definition.indices[1]) if kept > 1 else ""
    last = str(len(spec.layers))
    starts = {f"{last}{head.label}": head.start for head in spec.heads}
    own = Axis(starts.get(of, 0), (1,))
    return tuple(own if place == 1 else KEPT for place in range(kept))


def _with_columns(results: Results, spec: Spec, array: str, many: int) -> Results:
    extents = {array: ("samples", many)} if spec.has_heads else {}
    return replace(results, packed=columns(spec, array), extents=extents)


def in_columns(program: Program, spec: Spec, within: str) -> Program:
    """`program` where no columns of y, or of t, are taken for a matrix: outputs that are products
    have an array of their own first, a2h1."""
    if not spec.has_heads:
        return program
    scattered = frozenset(columns(spec, within))
    definitions: list[Definition] = []
    for definition in program.definitions:
        if definition.name in scattered and _sums(definition):
            own = array(f"a{axis(definition.indices[-1])}", *definition.indices)
            definitions.append(Definition(own, definition.value))
            definition = Definition(definition.target, own)
        definitions.append(definition)
    return replace(program, definitions=tuple(definitions), scattered=scattered)


def _sums(definition: Definition) -> bool:
    return any(isinstance(node, Sum) for node in walk(definition.value))
