"""caller: who is told. Messages name what can be given as the caller gives it: arguments of
Python, or options of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path

from symgrad.errors import SymgradError
from symgrad.shell import word


class PathError(SymgradError, ValueError):
    """What was given in place of a path."""


_commanded: ContextVar[bool] = ContextVar("commanded", default=False)


@contextmanager
def command_line() -> Iterator[None]:
    """Meanwhile the caller is the command line."""
    token = _commanded.set(True)
    try:
        yield
    finally:
        _commanded.reset(token)


def told(python: str, command: str) -> str:
    """Words for the caller: the one or the other."""
    return command if _commanded.get() else python


def argument(name: str, value: str) -> str:
    """An argument and its value."""
    return told(f"{name}={value!r}", f"--{name} {value}")


def as_path(name: str, given: object) -> Path:
    """An argument that is a path. Raises PathError for what is none."""
    if isinstance(given, str | PathLike):
        return Path(given)
    raise PathError(f"{name} must be a path, not {given!r}")


def resuming(run: Path) -> str:
    """How to go on with a run."""
    return told(f"symgrad.resume({str(run)!r})", f"symgrad train --resume {word(run)}")
