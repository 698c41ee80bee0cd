"""garbage: what a compiler makes is mostly kept till it is done; to look for garbage in it
meanwhile, as Python does after so many objects, takes a quarter of the time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Python looks for no cycles meanwhile, if it did before."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
