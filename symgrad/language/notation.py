"""How SymPy is kept from rewriting what we write."""

from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from sympy import Expr
from sympy.core.parameters import distribute

P = ParamSpec("P")
R = TypeVar("R")


def as_it_stands(function: Callable[..., Expr]) -> Callable[..., Expr]:
    """`function` applied without SymPy's rewriting: tanh(t - y) does not become -tanh(y - t).

    Which of the two SymPy prefers depends on names, so that renaming an index could turn one into
    the other; and where products are left undistributed it may turn them into each other for ever.
    """
    return partial(function, evaluate=False)


def undistributed(function: Callable[P, R]) -> Callable[P, R]:
    """Within `function`, SymPy leaves 2·(a + b) as it stands instead of making it 2·a + 2·b."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with distribute(False):
            return function(*args, **kwargs)

    return wrapper
