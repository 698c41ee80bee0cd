"""kept: a network that can be called: what Python has to know of it, the program that object code
is made of, and object code; all of it in a folder for the hash of its spec, where it is found
again.
"""

import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

from symgrad.targets import sealed
from symgrad.targets.cache import folders
from symgrad.targets.garbage import uncollected
from symgrad.targets.llvm.objects import Objects, alone
from symgrad.targets.llvm.program import Description, Program
from symgrad.targets.llvm.units import Unit, is_shared
from symgrad.targets.waiting import compiling, waiting

_PACKAGE = Path(__file__).parents[2]

Made = tuple[Description, Program]


class Kept:
    """A network by a `key` that all it depends on is in. `make` runs the passes; it is called only
    where nothing is kept."""

    def __init__(self, name: str, key: str, make: Callable[[], Made]) -> None:
        self.name, self.make = name, make
        self.meaning = sha256(f"{key} {fingerprint()}".encode()).hexdigest()
        self.objects = Objects(self._folder_of, self._compile)
        self._made: Made | None = None

    @cached_property
    def folder(self) -> Path | None:
        """Where it is kept."""
        return _folder(self.meaning)

    @cached_property
    def description(self) -> Description:
        """Read, where it was made before, so that nothing of the compiler is needed for it; else
        made."""
        found = self._read()
        if found is None:
            with alone(self.folder):
                found = self._read() or self._make()[0]
        return found

    @cached_property
    def program(self) -> Program:
        if self._made is not None:
            return self._made[1]
        content = None
        if self.folder is not None:
            content = sealed.read(self.folder / "program", self._python)
        if content is None:
            return self._make()[1]
        program = pickle.loads(content)
        assert isinstance(program, Program)
        return program

    def _make(self) -> Made:
        if self._made is None:
            with uncollected():
                self._made = self.make()
            if self.folder is not None:
                description, program = self._made
                sealed.write(self.folder / "program", self._python, pickle.dumps(program))
                text = json.dumps(asdict(description)).encode()
                sealed.write(self.folder / "description", self.meaning, text)
        return self._made

    def _read(self) -> Description | None:
        if self.folder is None:
            return None
        content = sealed.read(self.folder / "description", self.meaning)
        return None if content is None else Description.read(json.loads(content))

    @property
    def _python(self) -> str:
        return f"{self.meaning} {sys.version}"

    def _folder_of(self, symbol: str) -> Path | None:
        if is_shared(symbol):
            return _folder(sha256(f"products {fingerprint()}".encode()).hexdigest())
        return self.folder

    def _compile(self, symbol: str) -> Unit:
        with waiting(compiling(self.name)), uncollected():
            from symgrad.targets.llvm.compile_unit import compile_unit

            return compile_unit(symbol, self.program)


def _folder(meaning: str) -> Path | None:
    """A folder that is there, and that nobody else can write to."""
    for folder in folders(meaning[:32]):
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        return folder
    return None


@cache
def fingerprint() -> str:
    """A hash of the compiler: of its files, by name, size and date."""
    from symgrad.targets.numba.templates import templates

    files = []
    for root in (_PACKAGE, templates()):
        for path in sorted(root.rglob("*")):
            if path.suffix in (".py", ".jinja", ".txt"):
                about, name = path.stat(), path.relative_to(root).as_posix()
                files.append((name, about.st_size, about.st_mtime_ns))
    return sha256(repr(files).encode()).hexdigest()
