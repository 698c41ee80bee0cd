"""load: import a module from a real file, so that Numba can cache it and debuggers step in."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from symgrad.errors import SymgradError


def load(path: str | os.PathLike[str]) -> ModuleType:
    """The module in an emitted source file, wherever it lies.

    Raises SymgradError if there is no such file, or it is no Python source.
    """
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise SymgradError(f"{file}: no emitted module; name a .py file that symgrad has written")
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SymgradError(f"{file}: no emitted module: {error}") from error
    # by its name for pickle, unless that name means something else already
    sys.modules.setdefault(file.stem, module)
    return module
