"""How SymPy is kept from rewriting what we write."""

from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from sympy import Add, Expr, Function, Mul
from sympy.core.parameters import distribute

from symgrad.language.order import is_constant

P = ParamSpec("P")
R = TypeVar("R")


def as_it_stands(function: Callable[..., Expr]) -> Callable[..., Expr]:
    """`function` applied without SymPy's rewriting: tanh(t - y) does not become -tanh(y - t).

    Which of the two SymPy prefers depends on names, so that renaming an index could turn one into
    the other; and where products are left undistributed it may turn them into each other for ever.
    """
    return partial(function, evaluate=False)


class grouped(Function):
    """A sum that is computed by itself where it is added to something, a product before its power.

    Of (y - t) + 1 SymPy makes the sum of three terms, whose value is another in floating point:
    1 where y and t are equal and large, and 0 if 1 is added to y first. Of (y/t)**7 it makes
    y**7/t**7, which overflows.
    """

    is_real = True


def group(value: Expr) -> Expr:
    """`value` as an operand of a sum: grouped, if it is a sum itself."""
    return grouped(value, evaluate=False) if isinstance(value, Add) else value


def group_factors(value: Expr) -> Expr:
    """`value` as the base of a power: grouped, if it is a product."""
    factors = [each for each in Mul.make_args(value) if not is_constant(each)]
    return grouped(value, evaluate=False) if len(factors) > 1 else value


def undistributed(function: Callable[P, R]) -> Callable[P, R]:
    """Within `function`, SymPy leaves 2·(a + b) as it stands instead of making it 2·a + 2·b."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with distribute(False):
            return function(*args, **kwargs)

    return wrapper
