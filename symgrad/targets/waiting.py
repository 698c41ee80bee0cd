"""waiting: what takes so long just now. Who shows it says so; a line of logging is there for
all."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

log = logging.getLogger("symgrad")

# What shows what is happening while it does: given the words, from the beginning to the end.
shown_by: list[Callable[[str], AbstractContextManager[object]]] = []


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """While something is done that may take a moment."""
    log.info(words)
    with ExitStack() as stack:
        for show in shown_by:
            stack.enter_context(show(words))
        yield
