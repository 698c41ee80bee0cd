"""The order in which terms and factors are written: our own, because SymPy's may change.

Emitted bytes must not depend on SymPy's version, and so nothing follows the order of its args.

Sums: numbers, then what is computed, then arrays and scalars, negative terms last: 1 - a1², y - t.
Products: numbers, scalars, arrays of samples, other arrays, then the rest: x[n,i0]·W1[i0,i1].
"""

from functools import lru_cache

from sympy import Add, Expr, Indexed, Mul, Pow, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits


@lru_cache(maxsize=100_000)
def arranged(value: Expr) -> tuple[Expr, ...]:
    """The operands of a sum or product as they are to be written; of others as they stand."""
    if isinstance(value, Indexed):
        return ()
    if isinstance(value, ExprWithLimits):
        return (value.function,)
    if isinstance(value, Add):
        return tuple(sorted(value.args, key=_term))
    if isinstance(value, Mul):
        return tuple(sorted(value.args, key=_factor))
    return tuple(value.args)


def terms(value: Expr) -> tuple[Expr, ...]:
    """The terms of a sum; anything else is a sum of one."""
    return arranged(value) if isinstance(value, Add) else (value,)


def factors(value: Expr) -> tuple[Expr, ...]:
    """The factors of a product; anything else is a product of one."""
    return arranged(value) if isinstance(value, Mul) else (value,)


def is_constant(value: Expr) -> bool:
    """Whether nothing but numbers stands in a value. SymPy's own `is_number` rewrites what stands
    in a sum to find out."""
    if isinstance(value, Indexed | Symbol | ExprWithLimits):
        return False
    return all(map(is_constant, value.args))


def _term(term: Expr) -> tuple[object, ...]:
    constant = is_constant(term)
    negative = term.could_extract_minus_sign() if constant else _negative(term)
    plain = isinstance(term, Indexed | Symbol)
    of_weights = isinstance(term, Indexed) and not _of_samples(term)
    return (negative, not constant, plain, of_weights, text(term))


def _of_samples(read: Indexed) -> bool:
    return any(str(index) == "n" for index in read.indices)


def _negative(term: Expr) -> bool:
    return isinstance(term, Mul) and any(is_constant(f) and f.is_negative for f in term.args)


def _factor(factor: Expr) -> tuple[object, ...]:
    if is_constant(factor):
        kind = 0
    elif isinstance(factor, Symbol):
        kind = 1
    elif isinstance(factor, Indexed):
        kind = 2 if _of_samples(factor) else 3
    elif isinstance(factor, Pow) and is_constant(factor.exp) and factor.exp.is_negative:
        kind = 5
    else:
        kind = 4
    return (kind, text(factor).startswith("d_"), text(factor))


def text(value: Expr) -> str:
    """A text that orders values; not for reading."""
    if isinstance(value, Indexed):
        return f"{value.base.label}[{','.join(map(str, value.indices))}]"
    if not value.args:
        return str(value)
    return f"{type(value).__name__}({','.join(map(text, arranged(value)))})"
