"""The verifier: what must hold of every program, after every pass.

Single assignment, defined before used, indices consistent, no captured index.
"""

from sympy import Expr
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import bounds, free_indices, operands
from symgrad.language.program import Program, indices_of, name_of, reads


class Unsound(AssertionError):
    """A pass has produced a program that breaks the rules: symgrad's fault, not the user's."""


def verify(program: Program) -> Program:
    """Returns `program` unchanged, or raises `Unsound` with the definition and the rule."""
    axes = {
        name: tuple(map(program.extent, indices_of(target)))
        for name, target in program.given.items()
    }
    for definition in program.definitions:
        place = f"{program.name}, {definition.target} = {definition.value}"
        if definition.name in axes:
            raise Unsound(f"{place}: {definition.name} is defined twice")
        if len(set(definition.indices)) < len(definition.indices):
            raise Unsound(f"{place}: an index is repeated in the target")
        for read in reads(definition.value):
            if name_of(read) not in axes:
                raise Unsound(f"{place}: {read} is not defined before")
            found = zip(indices_of(read), axes[name_of(read)], strict=True)
            if not all(_is_of(program, index, extent) for index, extent in found):
                raise Unsound(f"{place}: {read} runs over other extents than it was defined with")
        if extra := free_indices(definition.value) - set(definition.indices):
            raise Unsound(
                f"{place}: {sorted(map(str, extra))} are free on the right-hand side only"
            )
        _check_bound(definition.value, frozenset(definition.indices), program, place)
        axes[definition.name] = program.shape(definition.target)
    for output in program.outputs:
        if output not in axes:
            raise Unsound(f"{program.name}: the output {output} is not defined")
    return program


def _check_bound(value: Expr, outer: frozenset[object], program: Program, place: str) -> None:
    """Every reduction binds an index that is new where it stands, with its axis's extent."""
    if isinstance(value, ExprWithLimits):
        for index, extent in bounds(value).items():
            if index in outer:
                raise Unsound(f"{place}: {index} is bound where it has a meaning already")
            if index not in free_indices(value.function):
                raise Unsound(f"{place}: the sum over {index} does not depend on it")
            if extent != program.extent(index):
                raise Unsound(f"{place}: {index} takes {extent} values, not its axis's number")
        outer = outer | bounds(value).keys()
    for operand in operands(value):
        _check_bound(operand, outer, program, place)


def _is_of(program: Program, index: Expr, extent: Expr) -> bool:
    """Whether it is an index over an axis of this extent, or a number on it."""
    return 0 <= index < extent if index.is_Integer else program.extent(index) == extent
