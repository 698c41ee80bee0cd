"""The rooms of the package, as files, and what these import."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

# What makes a module of a spec, but for `compiler.py`, which calls it.
COMPILER = ("spec", "language", "passes", "lowering", "targets")


def files(*rooms: str) -> list[Path]:
    """All that lies in rooms, or is a file itself; a room in which nothing lies is none."""
    found: list[Path] = []
    for room in rooms:
        place = ROOT / "symgrad" / room
        here = [place] if place.suffix else sorted(place.rglob("*.py"))
        assert here and all(path.is_file() for path in here), f"there is no {place}"
        found += here
    return found


def imported(*rooms: str) -> Iterator[tuple[str, str]]:
    """Pairs of a file and a name that it imports, anywhere in it."""
    for path in files(*rooms):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0 and node.module is not None, path
                yield path.name, node.module
                yield from ((path.name, f"{node.module}.{alias.name}") for alias in node.names)
