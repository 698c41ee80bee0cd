"""waiting: what takes so long just now: a line of logging, and whoever shows it says so."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar

log = logging.getLogger("symgrad")

# What shows what is happening while it does, from the beginning to the end, given the words for it.
Show = Callable[[str], AbstractContextManager[object]]
_shown_by: ContextVar[Show | None] = ContextVar("shown_by", default=None)


def compiling(name: str) -> str:
    """The words for what is done when a network is called first."""
    return f"compiling {name}, once for this machine"


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """While something is done that may take a moment."""
    log.info(words)
    show = _shown_by.get()
    with ExitStack() as stack:
        if show is not None:
            stack.enter_context(show(words))
        yield


@contextmanager
def shown(show: Show) -> Iterator[None]:
    """What takes long meanwhile is shown so."""
    token = _shown_by.set(show)
    try:
        yield
    finally:
        _shown_by.reset(token)
