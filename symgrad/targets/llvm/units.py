"""units: what is compiled at a time, so that nothing is compiled that is not called.

A unit is a function that Python calls, on one thread or on several; a kernel, which several of
these call; or a form of matrix products, which networks have in common.
"""

from dataclasses import dataclass

ENTER, ON_THREADS, PRODUCT = "enter_", "_on_threads", "symgrad_product_"


@dataclass(frozen=True)
class Unit:
    """Object code, and the names of the other units that it calls."""

    code: bytes
    needs: tuple[str, ...]


def unit_of(entry: str, threads: bool = False) -> str:
    """The unit of a function that Python calls; it has the same name there."""
    return f"{ENTER}{entry}{ON_THREADS * threads}"


def is_shared(name: str) -> bool:
    """Whether networks have a unit in common."""
    return name.startswith(PRODUCT)
