"""Emitted source as a module: interpreted by Python, at once, or compiled by Numba, in seconds."""

import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from symgrad.compiler.load import load
from tests.conftest import WithoutCompiling


def interpreted(source: str) -> ModuleType:
    module = ModuleType("interpreted")
    with mock.patch.dict(sys.modules, {"numba": WithoutCompiling("numba")}):
        exec(compile(source, "interpreted.py", "exec"), module.__dict__)
    module._KNOWN = False  # type: ignore[attr-defined]  # no functions of C
    return module


def compiled(source: str) -> Any:
    folder = Path(tempfile.mkdtemp(prefix="symgrad-fuzz-"))
    file = folder / "net.py"
    file.write_text(source, encoding="utf-8")
    return load(file)
