"""objects: object code of one network, in memory and in files.

Nothing fails for want of a file or of room for one: what is not there is compiled in this process.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from llvmlite import binding

from symgrad.targets import sealed
from symgrad.targets.llvm import symbols
from symgrad.targets.llvm.processor import described, machine
from symgrad.targets.llvm.units import Unit

# Who waits so many seconds for another process compiles as well, to the same bytes.
PATIENCE = 60.0


class Objects:
    """The units of a network: loaded when their addresses are asked for, from the folder that
    `folder_of` names for each, where they are there, else `make` compiles them."""

    def __init__(
        self, folder_of: Callable[[str], Path | None], make: Callable[[str], Unit]
    ) -> None:
        self.folder_of, self.make = folder_of, make
        self.lock = threading.RLock()
        self.loaded: set[str] = set()
        self.engine: binding.ExecutionEngine | None = None

    def address(self, symbol: str) -> int:
        """Where the code of a unit begins."""
        with self.lock:
            if self.engine is None:
                self.engine = _engine()
            if symbol not in self.loaded:
                self._load(self.engine, self._units(symbol))
            return int(self.engine.get_function_address(symbol))

    def _units(self, symbol: str) -> dict[str, Unit]:
        """A unit and all it calls, as far as they are not loaded, by name."""
        found: dict[str, Unit] = {}
        wanted = [symbol]
        while wanted:
            name = wanted.pop()
            if name not in self.loaded and name not in found:
                found[name] = self._read(name) or self._made(name)
                wanted += found[name].needs
        return found

    def _load(self, engine: binding.ExecutionEngine, units: dict[str, Unit]) -> None:
        """Nothing is loaded before all that it calls is there: LLVM ends the process over what it
        does not find. Who is interrupted here begins anew; what was loaded may be loaded again."""
        for unit in units.values():
            engine.add_object_file(binding.ObjectFileRef.from_data(unit.code))
        self.loaded.update(units)
        engine.finalize_object()

    def _made(self, symbol: str) -> Unit:
        """Compiled here, unless another process does it at this moment."""
        with alone(self.folder_of(symbol)):
            unit = self._read(symbol)
            if unit is None:
                unit = self.make(symbol)
                if path := self._path(symbol):
                    needs = json.dumps(unit.needs).encode()
                    sealed.write(path, _of_network(path, symbol), needs + b"\n" + unit.code)
        return unit

    def _read(self, symbol: str) -> Unit | None:
        path = self._path(symbol)
        content = None if path is None else sealed.read(path, _of_network(path, symbol))
        if content is None:
            return None
        needs, _, code = content.partition(b"\n")
        return Unit(code, tuple(json.loads(needs)))

    def _path(self, symbol: str) -> Path | None:
        folder = self.folder_of(symbol)
        key = sha256(_meaning(symbol).encode()).hexdigest()[:16]
        return None if folder is None else folder / f"{symbol}-{key}.o"


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """No other process compiles for a folder meanwhile. A lock ends with the process that holds
    it."""
    if folder is None:
        yield
        return
    from filelock import FileLock  # which takes longer to import than to load object code

    lock = FileLock(folder / ".lock", thread_local=False)
    with suppress(OSError, NotImplementedError):  # files cannot be locked there; or no patience
        lock.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        lock.release()


def _meaning(symbol: str) -> str:
    """All that object code depends on besides the network."""
    python = sys.implementation.cache_tag, getattr(sys, "abiflags", ""), sys.maxsize
    return repr((symbol, described(), python))


def _of_network(path: Path, symbol: str) -> str:
    """All that object code depends on: the folder is called after what networks differ in."""
    return f"{path.parent.name} {_meaning(symbol)}"


def _engine() -> binding.ExecutionEngine:
    """What loads object code into this process."""
    symbols.add()
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine())
