"""work: what a function of a network does for arguments that fit: in object code, on one thread or
on several.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from symgrad.runtime.calling import Compiled, does_not_fit, out_of_memory
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
        self.made: dict[tuple[Function, bool, bool], Function] = {}
        self.seconds = 0.0  # on one thread, where several would have been quicker
        self.is_threaded = False

    def __call__(self, *arguments: Any) -> Any:
        """The result of a call whose arguments fit."""
        return self.from_python(out_of_memory)(*arguments)

    def first(self, function: Compiled, arguments: Any, named: Any) -> Any:
        """From the first call on, Python calls the function of C."""
        function.redirect(function.fast())
        return function(*arguments, **named)

    def dispatcher(self, body: Function) -> Any:
        """What compiled code calls: the emitted module's own function, of Numba."""
        return self.emitted(body.__name__).compile()

    def checked(self, *arguments: Any) -> Any:
        """The same where they are of the right kinds; raises DoesNotFit if that is not enough."""
        return self.from_python(does_not_fit)(*arguments)

    def from_python(self, otherwise: Function) -> Function:
        """A function of C; what does not fit goes to `otherwise`."""
        return self._function(otherwise, True)

    def alone(self, otherwise: Function, threads: bool = False) -> Function:
        """The same for many samples as for few; or on several threads."""
        return self._function(otherwise, False, threads)

    def _function(self, otherwise: Function, large: bool, threads: bool = False) -> Function:
        key = otherwise, large, threads
        if key not in self.made:
            with self.lock:  # Python keeps the address of the method: there must be but one
                if threads not in self.methods:
                    address = self.objects.address(unit_of(self.name, threads))
                    self.methods[threads] = PyMethodDef(self.name.encode(), address, FASTCALL, None)
                method = self.methods[threads]
            many = partial(self.large, otherwise) if large else None
            # What C code calls, and what must be there as long as the function is.
            kept = otherwise, many, method, self.objects
            self.made[key] = new_function(ctypes.addressof(method), kept, None)
        return self.made[key]

    def large(self, otherwise: Function, *arguments: Any) -> Any:
        """Of many samples: on several threads, if there are several and it pays."""
        if self.seconds < UNTIL_THREADS or threads_are_a_parents() or not several_threads():
            begun = time.perf_counter()
            result = self.alone(otherwise)(*arguments)
            self.seconds += time.perf_counter() - begun
            return result
        self.is_threaded = True
        return self.alone(otherwise, True)(*arguments)


class EpochWork(Work):
    """The same for an epoch, which is many steps in one call: its batches are what runs on threads.
    `batches` says how many there are, of so many samples with these settings."""

    def __init__(self, *given: Any, batches: Callable[[int, Any], int]) -> None:
        super().__init__(*given)
        self.batches = batches

    def from_python(self, otherwise: Function) -> Function:
        def epoch(*arguments: Any) -> Any:
            samples, batches = self.extent(dict(zip(self.kinds, arguments, strict=True)))
            if samples >= batches * self.many:
                return self.large(otherwise, *arguments)
            return self.alone(otherwise)(*arguments)

        return epoch

    def extent(self, given: dict[str, Any]) -> tuple[int, int]:
        """How many samples there are to see, and in how many batches; of several terms of the loss
        that of the largest batches."""
        found = (self._extent(given, x.removeprefix("x")) for x in self.entry.x)
        return max(found, key=lambda extent: extent[0] / extent[1])

    def _extent(self, given: dict[str, Any], suffix: str) -> tuple[int, int]:
        if f"order{suffix}" in given:
            return len(given[f"order{suffix}"]), max(len(given[f"starts{suffix}"]) - 1, 1)
        samples = len(given[f"x{suffix}"])
        return samples, self.batches(samples, given["settings"])
