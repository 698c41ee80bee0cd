"""out_of_core: samples that do not fit into memory, on one machine: read part by part, the next one
while one is computed with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from symgrad.distributed.sources import Source
from symgrad.distributed.whole import Range, Sums, Whole
from symgrad.lowering.arithmetic import LEAF
from symgrad.training.module import Array

# How many numbers are read at a time, at most: two parts are in memory at once.
NUMBERS = 1 << 22


class OutOfCore(Whole):
    """The loss of a source, of which few samples are in memory at a time."""

    def __init__(
        self, module: Any, source: Source, *, numbers: int = NUMBERS, **penalties: float
    ) -> None:
        """`numbers` is how many numbers are read at a time, at most, but for a leaf."""
        super().__init__(module, source, **penalties)
        self.reader = ThreadPoolExecutor(1, "symgrad-reader")
        width = sum(array[0].size for array in source.read(0, 1))
        self.together = 1
        while 2 * self.together * LEAF * width <= numbers:
            self.together *= 2  # a power of two: the leaves of a part are one subtree

    def sums(self, theta: Array) -> Iterator[Sums]:
        firsts = range(0, self.leaves, self.together)
        coming = self.reader.submit(self._read, 0)
        for first in firsts:
            arrays = coming.result()
            if first + self.together < self.leaves:
                coming = self.reader.submit(self._read, first + self.together)
            yield Range(self.module, self.work, first, arrays)(theta)

    def _read(self, first: int) -> tuple[Array, ...]:
        start = first * LEAF
        return self.source.read(start, min(start + self.together * LEAF, self.samples))

    def close(self) -> None:
        self.reader.shutdown(cancel_futures=True)
