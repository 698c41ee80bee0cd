"""The signals that ask a process to end, turned into an event that is looked at where stopping
loses nothing."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

# Ctrl-C; what ends a process on a POSIX system; Ctrl-Break, or a window that is closed, on Windows.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
]


@contextmanager
def catch_interrupts(on_interrupt: Callable[[], None]) -> Iterator[Event]:
    """The event is set by the first signal, and `on_interrupt` called; the second ends at once.

    `on_interrupt` runs inside the signal's handler. In a thread that is not the main one signals
    are someone else's, and the event stays as it is.
    """
    stop = Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        on_interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {each: signal.signal(each, on_signal) for each in _SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
