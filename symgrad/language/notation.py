"""How SymPy is kept from rewriting what we write."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sympy.core.parameters import distribute

P = ParamSpec("P")
R = TypeVar("R")


def undistributed(function: Callable[P, R]) -> Callable[P, R]:
    """Within `function`, SymPy leaves 2·(a + b) as it stands instead of making it 2·a + 2·b."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with distribute(False):
            return function(*args, **kwargs)

    return wrapper
