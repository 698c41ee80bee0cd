"""Emitted source as a module: run by Python, right, slow and at once, or compiled by Numba."""

import builtins
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numba
import numba.extending
import numpy as np

from symgrad.targets.numba.emit import runtime
from symgrad.targets.numba.load import load


class Interpreted:
    """Stands where Numba's dispatcher would, and lets Python run the function."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = self.py_func = body

    def compile(self, signature: Any) -> None:
        """Python needs none."""

    def disable_compile(self) -> None:
        """Nor would it stop."""

    @np.errstate(all="ignore")
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.body(*arguments, **named)


class WithoutCompiling(ModuleType):
    """Numba, but for its compiler; `numba.extending` likewise, which would tell the compiler of
    functions: those of every module would be looked through whenever another is compiled."""

    def __init__(self, real: ModuleType) -> None:
        super().__init__(real.__name__)
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def njit(self, **options: Any) -> type[Interpreted]:
        return Interpreted

    def type_callable(self, function: Any) -> Callable[[Any], Any]:
        return lambda typer: typer

    def lower_builtin(self, function: Any, *signature: Any) -> Callable[[Any], Any]:
        return lambda implementation: implementation


STAND_INS = {each.__name__: WithoutCompiling(each) for each in (numba, numba.extending)}


def _import(name: str, *context: Any) -> Any:
    """Python's `import`, where modules find the stand-ins. What these import in turn does not."""
    return STAND_INS.get(name) or __import__(name, *context)


def interpreted(source: str) -> ModuleType:
    """A module of emitted source that Python runs as it stands."""
    module = ModuleType("interpreted")
    module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _import}
    for text in _parts(source):
        exec(_code(text), module.__dict__)
    module._LAYOUT_KNOWN = False  # type: ignore[attr-defined]  # no functions of C
    return module


def _parts(source: str) -> tuple[str, ...]:
    """A module's text before, with and after what all modules have in common, if it has that."""
    common = runtime(below=True).strip("\n")
    return source.partition(common)


@lru_cache(maxsize=8)
def _code(text: str) -> CodeType:
    """Python's code for a text; what is common is large, and the same for thousands of modules."""
    return compile(text, "interpreted.py", "exec")


def compiled(source: str) -> ModuleType:
    """One that Numba compiles as it is called: seconds."""
    with tempfile.TemporaryDirectory(prefix="symgrad-fuzz-") as folder:
        file = Path(folder) / "net.py"
        file.write_text(source, encoding="utf-8")
        return load(file)
