"""Errors that should not have come out, told apart by where they arose."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import symgrad

ROOT = Path(symgrad.__file__).parent


class TooLong(Exception):
    """What takes longer than anything should."""


def signature(error: BaseException) -> str:
    """The kind of error, and the last place in symgrad that it went through."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if ROOT in Path(frame.filename).parents
    ]
    place = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "outside symgrad"
    return f"{type(error).__name__} in {place}"


def last_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooLong after so many seconds, where the system has such alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
