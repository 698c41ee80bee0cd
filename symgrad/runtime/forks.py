"""forks: whether this process may use the threads that Numba has: those of another one are gone
here."""

import os
import sys


def _threads_of_a_parent():
    """Whether this may be the child of a process that has started Numba's threads before the
    fork."""
    parent = getattr(sys.modules.get("multiprocessing"), "parent_process", lambda: None)()
    threads = sys.modules.get("numba.np.ufunc.parallel")
    return parent is not None and getattr(threads, "_is_initialized", threads is not None)


_forked = _threads_of_a_parent()


def _in_child():
    """A process that was forked cannot go on with the threads of the one before it."""
    global _forked
    _forked = _forked or "numba.np.ufunc.parallel" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def threads_are_a_parents():
    """Whether the threads of Numba belong to the process that this one was forked from."""
    return _forked


def several_threads():
    """Whether Numba has several threads, of a kind that several threads may use at once."""
    import numba

    return numba.get_num_threads() > 1 and numba.threading_layer() in ("omp", "tbb")
