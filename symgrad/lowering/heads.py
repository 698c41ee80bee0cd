"""heads: what heads give and are judged by, to programs an array for each, y_h1 and t_h1, and in
memory columns of y and of t, from one on."""

from dataclasses import replace

from sympy import Sum

from symgrad.language.indices import axis, walk
from symgrad.language.program import Definition, Program, array
from symgrad.lowering.results import GRADIENT, PREDICTION, Packed, Results
from symgrad.spec.spec import Spec


def prediction(spec: Spec) -> Results:
    """What the kernels of the outputs write."""
    return _with_columns(PREDICTION, spec, "y", spec.outputs)


def gradient(spec: Spec) -> Results:
    """What those of the loss and its gradient do."""
    return _with_columns(GRADIENT, spec, "t", spec.targets)


def columns(spec: Spec, array: str) -> dict[str, Packed]:
    """Where the arrays of heads lie in y or in t."""
    if not spec.has_heads:
        return {}
    return {head.of(array): Packed(array, 1, head.start, (1,)) for head in spec.heads}


def _with_columns(results: Results, spec: Spec, array: str, many: int) -> Results:
    extents = {array: ("samples", many)} if spec.has_heads else {}
    return replace(results, packed=columns(spec, array), extents=extents)


def in_columns(program: Program, spec: Spec) -> Program:
    """`program` where no columns of y or t are taken for a matrix: outputs that are products have
    an array of their own first, a2h1."""
    if not spec.has_heads:
        return program
    scattered = frozenset((*columns(spec, "y"), *columns(spec, "t")))
    definitions: list[Definition] = []
    for definition in program.definitions:
        if definition.name in scattered & {*program.outputs} and _sums(definition):
            own = array(f"a{axis(definition.indices[-1])}", *definition.indices)
            definitions.append(Definition(own, definition.value))
            definition = Definition(definition.target, own)
        definitions.append(definition)
    return replace(program, definitions=tuple(definitions), scattered=scattered)


def _sums(definition: Definition) -> bool:
    return any(isinstance(node, Sum) for node in walk(definition.value))
