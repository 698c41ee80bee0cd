"""Counting operations, for one sample, from the real extents.

Each scalar addition, subtraction, multiplication or division is one operation, a call of a function
is one, and so 1 - a² is two; the largest of k values takes k - 1. Not counted are changes of sign,
the division by the number of samples (one sample), and the constant factor of a loss, which folds
away: the ½ of ½(y - t)².
"""

from math import prod

from sympy import Add, Expr, Function, Mul, Pow
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import SAMPLES, bounds, operands
from symgrad.language.program import Definition, Program


def operations(program: Program) -> int:
    """Operations that the definitions of `program` take for one sample."""
    return sum(of_definition(program, definition) for definition in program.definitions)


def of_definition(program: Program, definition: Definition) -> int:
    value = definition.value
    if definition.name == "e":
        value = value.as_coeff_Mul()[1]
    return prod(map(size, program.shape(definition.target))) * of_value(value)


def size(extent: Expr) -> int:
    return int(extent.subs(SAMPLES, 1))


def of_value(value: Expr) -> int:
    """Operations for one element of `value`, whose indices are given."""
    inside = sum(map(of_value, operands(value)))
    if isinstance(value, ExprWithLimits):
        terms = prod(map(size, bounds(value).values()))
        return terms * inside + terms - 1
    if isinstance(value, Add):
        return inside + len(value.args) - 1
    if isinstance(value, Mul):
        # an inverse among other factors is a division, not an inverse and a multiplication
        factors = [f for f in value.args if f not in (1, -1) and f.free_symbols != {SAMPLES}]
        inverses = sum(isinstance(f, Pow) and f.exp == -1 for f in factors)
        return inside - min(inverses, len(factors) - 1) + max(len(factors) - 1, 0)
    if isinstance(value, Pow):
        if value.free_symbols == {SAMPLES}:
            return 0
        power = value.exp
        return of_value(value.base) + (max(abs(int(power)) - 1, 1) if power.is_Integer else 1)
    return inside + isinstance(value, Function)
