"""Counting operations, for one sample, from the real extents.

Each scalar addition, subtraction, multiplication or division is one operation, a call of a function
is one, and so 1 - a² is two; the largest of k values takes k - 1. Not counted are changes of sign,
the division by the number of samples (one sample), and the constant factor of a loss, which folds
away: the ½ of ½(y - t)².
"""

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

from sympy import Add, Expr, Function, Indexed, Mul, Pow, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.functions import spelled
from symgrad.language.indices import SAMPLE, SAMPLES, bounds, of_samples, operands
from symgrad.language.program import Definition, Program, name_of


def operations(program: Program) -> int:
    """Operations that the definitions of `program` take for one sample."""
    return sum(of_definition(program, definition) for definition in program.definitions)


def for_each_sample(program: Program) -> int:
    """The same, without what is computed once for all samples."""
    return sum(
        of_definition(program, definition)
        for definition in program.definitions
        if SAMPLE in definition.indices
        or any(SAMPLE in bounds(each) for each in definition.value.atoms(ExprWithLimits))
    )


def of_definition(program: Program, definition: Definition) -> int:
    return prod(map(size, program.shape(definition.target))) * of_value(counted(definition))


def trees(program: Program) -> dict[str, int]:
    """Operations for one element of each definition written out as a tree, nothing shared."""
    known: dict[str, int] = {}
    for definition in program.definitions:
        known[definition.name] = of_value(counted(definition), known)
    return known


def counted(definition: Definition) -> Expr:
    """What is counted of a definition: all of it, but for the constant factor of a loss."""
    return definition.value.as_coeff_Mul()[1] if definition.name == "e" else definition.value


def size(extent: Expr) -> int:
    return int(extent.subs(SAMPLES, 1))


def of_value(value: Expr, reads: Mapping[str, int] = MappingProxyType({})) -> int:
    """Operations for one element of `value`, whose indices are given.

    `reads` says what an element of an array takes where it is read; nothing, where it says nothing.
    """
    if isinstance(value, Indexed | Symbol):
        return reads.get(name_of(value), 0)
    value = spelled(value)
    inside = sum(of_value(part, reads) for part in operands(value))
    if isinstance(value, ExprWithLimits):
        terms = prod(map(size, bounds(value).values()))
        return terms * inside + terms - 1
    if isinstance(value, Add):
        return inside + len(value.args) - 1
    if isinstance(value, Mul):
        # an inverse among other factors is a division, not an inverse and a multiplication
        factors = [f for f in value.args if f not in (1, -1) and not of_samples(f)]
        inverses = sum(isinstance(f, Pow) and f.exp == -1 for f in factors)
        return inside - min(inverses, len(factors) - 1) + max(len(factors) - 1, 0)
    if isinstance(value, Pow):
        if of_samples(value):
            return 0
        power = value.exp
        return inside + (max(abs(int(power)) - 1, 1) if power.is_Integer else 1)
    return inside + isinstance(value, Function)
