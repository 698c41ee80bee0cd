"""Views of a program as single formulas: every name replaced by what it stands for.

A program in shared form and the formula are the same expression; only their sizes differ. The size
is counted before anything is built, and a formula beyond the limit is refused with that size.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sympy import Add, Expr, Indexed, IndexedBase, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.errors import TooLarge
from symgrad.language.indices import SAMPLES, bounds, fresh, operands, rebuild, reduction_like
from symgrad.language.notation import undistributed
from symgrad.language.program import Program, indices_of, name_of

# The largest formula that is built: SymPy takes seconds to print one, and minutes soon after.
LARGEST = 10_000
# The deepest: SymPy prints recursively, and Python's stack ends soon after.
DEEPEST = 120


class Size(NamedTuple):
    """How large a formula is when written out: nodes in its tree, and nesting."""

    nodes: int
    depth: int


def sizes(program: Program) -> dict[str, Size]:
    """The size of every definition with all names replaced; counted, not built."""
    result = {name: Size(1, 1) for name in program.given}
    for definition in program.definitions:
        result[definition.name] = _size(definition.value, result)
    return result


def _size(value: Expr, known: Mapping[str, Size]) -> Size:
    if isinstance(value, Indexed | Symbol):
        return known.get(name_of(value), Size(1, 1))
    parts = [_size(part, known) for part in operands(value)]
    return Size(
        1 + sum(part.nodes for part in parts), 1 + max((part.depth for part in parts), default=0)
    )


@undistributed
def formula(program: Program, name: str) -> Expr:
    """The definition of `name` as one formula in inputs and weights.

    Raises TooLarge, with the size, beyond LARGEST nodes or DEEPEST levels.
    """
    size = sizes(program)[name]
    if size.nodes > LARGEST or size.depth > DEEPEST:
        raise TooLarge(
            f"{name} as one formula has {size.nodes:,} nodes, nested {size.depth} deep; formulas "
            f"are written out up to {LARGEST:,} nodes and {DEEPEST} levels. The program in shared "
            "form is the same expression with its parts named"
        )
    own = program.by_name[name]
    return _written(own.value, program, {i: i for i in own.indices}, frozenset(own.indices))


@undistributed
def sum_of_terms(formulas: Mapping[str, Expr]) -> Expr:
    """The sum of formulas, each in data of its own: x, t, w and N of the term NAME become x_NAME
    and so on. One without a name stays as it is."""
    parts = []
    for name, value in formulas.items():
        own: dict[Expr, Expr] = {
            IndexedBase(array, real=True): IndexedBase(f"{array}_{name}", real=True)
            for array in ("x", "t", "w")
        }
        own[SAMPLES] = Symbol(f"N_{name}", integer=True, positive=True)
        parts.append(value.xreplace(own) if name else value)
    return Add(*parts)


def _written(
    value: Expr, program: Program, names: Mapping[Symbol, Symbol], scope: frozenset[Symbol]
) -> Expr:
    """`value` with all names replaced by what they stand for, its indices by those in `names`.

    From the top down, so that every node is built just once: a sum gets an index that nothing
    around it uses (`scope`) before its body is written.
    """
    if isinstance(value, Indexed | Symbol):
        at = tuple(names.get(index, index) for index in indices_of(value))  # or a number
        found = program.by_name.get(name_of(value))
        if found is not None:
            inner = dict(zip(found.indices, at, strict=True))
            return _written(found.value, program, inner, scope)
        return value.base[at] if at else value
    if isinstance(value, ExprWithLimits):
        names, over = dict(names), {}
        for index, extent in bounds(value).items():
            names[index] = fresh(index, scope) if index in scope else index
            scope = scope | {names[index]}
            over[names[index]] = extent
        return reduction_like(value, _written(value.function, program, names, scope), over)
    parts = operands(value)
    return (
        rebuild(value, [_written(part, program, names, scope) for part in parts])
        if parts
        else value
    )
