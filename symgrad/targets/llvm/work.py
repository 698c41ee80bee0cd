"""work: what a function of a network does for arguments that fit: in object code, on one thread or
on several.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from symgrad.runtime.calling import Compiled, out_of_memory
from symgrad.runtime.forks import several_threads, threads_are_a_parents
from symgrad.runtime.python_c import FASTCALL, PyMethodDef, new_function
from symgrad.targets.llvm.objects import Objects
from symgrad.targets.llvm.program import Entry
from symgrad.targets.llvm.units import unit_of

# Code for threads is made once a function has computed for so many seconds on one thread where
# several would have been quicker: as long as it takes to make it, and to start them.
UNTIL_THREADS = 0.5

Function = Callable[..., Any]


class Work:
    """A function of a network. `kinds` are those of its arguments by name; `emitted` gives what the
    emitted module has of a name."""

    def __init__(
        self, name: str, entry: Entry, objects: Objects, emitted: Callable[[str], Any]
    ) -> None:
        self.name, self.entry, self.objects, self.emitted = name, entry, objects, emitted
        self.kinds, self.many = entry.kinds, entry.many
        self.lock = threading.RLock()  # several threads may make the first call
        self.methods: dict[bool, PyMethodDef] = {}
        self.seconds = 0.0
        self.threaded: Function | None = None

    def __call__(self, *arguments: Any) -> Any:
        """The result of a call whose arguments fit."""
        return self.complete(*arguments)

    def first(self, function: Compiled, arguments: Any, named: Any) -> Any:
        """From the first call on, Python calls the function of C."""
        function.redirect(function.fast())
        return function(*arguments, **named)

    def dispatcher(self, body: Function) -> Any:
        """What compiled code calls: the emitted module's own function, of Numba."""
        return self.emitted(body.__name__).compile()

    def from_python(self, otherwise: Function) -> Function:
        """A function of C; what does not fit goes to `otherwise`."""
        return self.function_of_c(otherwise, self.large)

    @cached_property
    def complete(self) -> Function:
        """The same for arguments that fit."""
        return self.function_of_c(out_of_memory, self.large)

    @cached_property
    def on_one_thread(self) -> Function:
        return self.function_of_c(out_of_memory, None)

    def function_of_c(
        self, otherwise: Function, many: Function | None, threads: bool = False
    ) -> Function:
        with self.lock:  # Python keeps the address of the method, so that there must be but one
            if threads not in self.methods:
                address = self.objects.address(unit_of(self.name, threads))
                self.methods[threads] = PyMethodDef(self.name.encode(), address, FASTCALL, None)
            method = self.methods[threads]
        # What C code calls, and what must be there as long as the function is.
        kept = otherwise, many, method, self.objects
        made: Function = new_function(ctypes.addressof(method), kept, None)
        return made

    def large(self, *arguments: Any) -> Any:
        """Of many samples: on several threads, if there are several and it pays."""
        if self.seconds < UNTIL_THREADS or threads_are_a_parents() or not several_threads():
            begun = time.perf_counter()
            result = self.on_one_thread(*arguments)
            self.seconds += time.perf_counter() - begun
            return result
        if self.threaded is None:
            self.threaded = self.function_of_c(out_of_memory, None, threads=True)
        return self.threaded(*arguments)


class EpochWork(Work):
    """The same for an epoch, which is many steps in one call: its batches are what runs on threads.
    `batches` says how many there are, of so many samples with these settings."""

    def __init__(self, *given: Any, batches: Callable[[int, Any], int]) -> None:
        super().__init__(*given)
        self.batches = batches

    def __call__(self, *arguments: Any) -> Any:
        samples, batches = self.extent(dict(zip(self.kinds, arguments, strict=True)))
        on_threads = samples >= batches * self.many
        return (self.large if on_threads else self.on_one_thread)(*arguments)

    def extent(self, given: dict[str, Any]) -> tuple[int, int]:
        """How many samples there are to see, and in how many batches."""
        if "order" in given:
            return len(given["order"]), max(len(given["starts"]) - 1, 1)
        return len(given["x"]), self.batches(len(given["x"]), given["settings"])
