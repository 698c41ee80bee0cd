"""The time that a part of the explanation may take, and the reader's wish to stop early.

A part that takes long asks `over` between its steps, and comes back with what it has by then: when
its time is used up, and when the reader has pressed Ctrl-C. Nothing is lost either way.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event

# what is being done, and how much of it is done, from 0 to 1
Progress = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Clock:
    """`seconds` from now on; `stop` is set when the reader has had enough."""

    seconds: float
    stop: Event = field(default_factory=Event)
    progress: Progress = silent
    begun: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds left, never below 0; 0 once the reader has asked to stop."""
        if self.stop.is_set():
            return 0.0
        return max(0.0, self.begun + self.seconds - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left == 0.0

    @property
    def why(self) -> str:
        """Why it is over, for a sentence: "interrupted" or "out of time"."""
        return "interrupted" if self.stop.is_set() else f"out of time after {self.seconds:.0f} s"

    def part(self, share: float) -> "Clock":
        """A clock for this share of what is left."""
        return replace(self, seconds=self.left * share, begun=time.monotonic())
