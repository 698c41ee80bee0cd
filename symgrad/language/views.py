"""Views of a program as single formulas: every name replaced by what it stands for.

A program in shared form and the formula are the same expression; only their sizes differ. The size
is counted before anything is built, and a formula beyond the limit is refused with that size.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sympy import Expr, Indexed, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.errors import TooLarge
from symgrad.language.indices import apart, bounds, operands, rebuild, reduction_like, rename, walk
from symgrad.language.notation import undistributed
from symgrad.language.program import Program, indices_of, name_of, reads

# The largest formula that is built: SymPy holds trees, and takes about a second for one this large.
LARGEST = 20_000
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
    written: dict[str, Expr] = {}
    needed = _needed(program, name)
    for definition in program.definitions:
        if definition.name in needed:
            written[definition.name] = _put_in(
                definition.value, program, written, frozenset(definition.indices)
            )
    return written[name]


def _needed(program: Program, name: str) -> set[str]:
    needed = {name}
    for definition in reversed(program.definitions):
        if definition.name in needed:
            needed |= {name_of(read) for read in reads(definition.value)}
    return needed


def _put_in(
    value: Expr, program: Program, written: Mapping[str, Expr], scope: frozenset[Symbol]
) -> Expr:
    """`value` with the formulas of all names put in; none of their bound indices is in `scope`."""
    if isinstance(value, Indexed | Symbol):
        if name_of(value) not in written:
            return value
        own = program.by_name[name_of(value)].indices
        moved = rename(written[name_of(value)], dict(zip(own, indices_of(value), strict=True)))
        return apart(moved, scope)
    if isinstance(value, ExprWithLimits):
        inner = _put_in(value.function, program, written, scope | bounds(value).keys())
        return reduction_like(value, inner, bounds(value))
    parts = operands(value)
    changed = [_put_in(part, program, written, scope) for part in parts]
    return value if tuple(changed) == parts else rebuild(value, changed)


def nodes(value: Expr) -> int:
    return sum(1 for _ in walk(value))
