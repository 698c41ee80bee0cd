"""The printer of LLVM IR, object code made of it, and how that is kept, loaded and called."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symgrad.targets.llvm.kept import Kept, Made


def network(name: str, key: str, make: "Callable[[], Made]") -> "Kept | None":
    """A network that is called in object code; None where it cannot be: this is not CPython of 64
    bits, or NumPy lays arrays out in another way than it did, or something that object code calls
    is not there, or NUMBA_DISABLE_JIT says that Python runs it all."""
    wide = sys.implementation.name == "cpython" and sys.maxsize == 2**63 - 1
    if not wide or _truth(os.environ.get("NUMBA_DISABLE_JIT", "")):
        return None
    from symgrad.runtime.python_c import as_expected
    from symgrad.targets.llvm.kept import Kept
    from symgrad.targets.llvm.symbols import add as add_symbols

    return Kept(name, key, make) if as_expected() and add_symbols() else None


def _truth(setting: str) -> bool:
    """As Numba reads a number from the environment."""
    return setting.strip().isdecimal() and int(setting) != 0
