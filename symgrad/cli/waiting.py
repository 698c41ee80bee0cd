"""What is happening where a command takes longer than half a second: a line on stderr, if that is a
terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer

import typer

# Seconds after which a person wonders.
PATIENCE = 0.5


def is_watched() -> bool:
    """Whether somebody may look at what is said."""
    return sys.stderr.isatty()


class Waiting:
    """Says each thing once. A command has begun when this was made."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.said: set[str] = set()
        self.lock = Lock()

    @contextmanager
    def __call__(self, words: str) -> Iterator[None]:
        timer = Timer(max(self.begun + PATIENCE - time.monotonic(), 0.0), self.say, [words])
        timer.daemon = True
        if is_watched():
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def say(self, words: str) -> None:
        with self.lock:
            if words not in self.said:
                self.said.add(words)
                typer.echo(f"{words} …", err=True)
