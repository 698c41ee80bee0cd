"""load: import a module from a real file, so that Numba can cache it and debuggers step in."""

import importlib.util
import linecache
import os
import sys
from pathlib import Path
from types import ModuleType

from symgrad.errors import SymgradError
from symgrad.targets.numba.beside import imported


def load(path: str | os.PathLike[str]) -> ModuleType:
    """The module in an emitted source file, wherever it lies.

    Raises SymgradError if there is no such file, it cannot be read, or it is no Python source.
    """
    file = Path(path)
    if not os.path.isfile(file) or file.suffix != ".py":
        raise SymgradError(f"{file}: no emitted module; name a .py file that symgrad has written")
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        _load_beside(file)
        spec.loader.exec_module(module)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SymgradError(f"{file}: no emitted module: {error}") from error
    except OSError as error:
        raise SymgradError(f"{file}: cannot be read: {error.strerror or error}") from error
    return known(module)


def _load_beside(file: Path) -> None:
    """What an emitted module imports from its folder, where that is no folder to import from."""
    name = imported(file.read_text("utf-8"))
    beside = file.resolve().with_name(f"{name}.py")
    if name is None or name in sys.modules or not beside.is_file():
        return
    spec = importlib.util.spec_from_file_location(name, beside)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module


def load_text(source: str, name: str) -> ModuleType:
    """A module from its source, where there is no place for a file: what Numba compiles of it is
    gone when Python ends. Debuggers find its lines."""
    module, file = ModuleType(name), f"<{name}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), module.__dict__)
    return known(module)


def known(module: ModuleType) -> ModuleType:
    """A module that pickle finds by its name, unless that means something else already."""
    sys.modules.setdefault(module.__name__, module)
    return module
