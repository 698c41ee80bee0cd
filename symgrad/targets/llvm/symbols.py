"""symbols: what object code calls of the process it is loaded into: Python's functions, and those
of C that LLVM calls of itself. LLVM ends the process over one that it does not find."""

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial

from llvmlite import binding

OF_PYTHON = (
    "PyEval_SaveThread", "PyEval_RestoreThread", "PyFloat_FromDouble", "PyTuple_GetItem",
    "PyObject_Vectorcall", "PyMem_RawMalloc", "PyMem_RawFree",
)  # fmt: skip

# LLVM finds what the process has of C, but on Windows it is only sure to if it is told. Loops that
# copy or clear memory become such calls, and rounding where no instruction does it; a function with
# more than a page on the stack begins with `__chkstk`.
OF_WINDOWS = "memcpy", "memmove", "memset", "floor", "floorf", "__chkstk"
_LIBRARIES = tuple(
    partial(ctypes.CDLL, name) for name in ("vcruntime140", "ucrtbase", "msvcrt", "ntdll")
)


@cache
def add() -> bool:
    """Tells LLVM where they are; whether all of them are there."""
    windows = sys.platform == "win32"
    return all(
        [
            *(_add(name, lambda: ctypes.pythonapi) for name in OF_PYTHON),
            *(_add(name, *_LIBRARIES) for name in OF_WINDOWS if windows),
        ]
    )


def _add(name: str, *libraries: Callable[[], ctypes.CDLL]) -> bool:
    """Whether one of some libraries has a function; that of the first is taken."""
    for opened in libraries:
        with suppress(OSError, AttributeError):  # there is no such library; or it has none
            address = ctypes.cast(opened()[name], ctypes.c_void_p).value
            binding.add_symbol(name, address)
            return True
    return False
