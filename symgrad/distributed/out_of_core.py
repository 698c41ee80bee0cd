"""out_of_core: samples that do not fit into memory, on one machine: read part by part, the next one
while one is computed with."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from symgrad.distributed.sources import Source
from symgrad.distributed.whole import Range, Sums, Whole
from symgrad.lowering.arithmetic import LEAF
from symgrad.training.module import Array

# How many numbers are read at a time, at most: two parts are in memory at once.
NUMBERS = 1 << 20


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
        self.ahead = {0: self._begun(0)}

    def sums(self, theta: Array) -> Iterator[Sums]:
        for first in range(0, self.leaves, self.together):
            arrays = self._read(first)
            yield Range(self.module, self.work, first, arrays)(theta)

    def _read(self, first: int) -> tuple[Array, ...]:
        """The samples of a part, while reading of the next one begins, which after the last is the
        first: that of the next call."""
        coming = self.ahead.pop(first, None) or self._begun(first)
        arrays = coming.result()
        after = first + self.together
        after = after if after < self.leaves else 0
        self.ahead = {after: self._begun(after)}
        return arrays

    def _begun(self, first: int) -> Future[tuple[Array, ...]]:
        start = first * LEAF
        end = min(start + self.together * LEAF, self.samples)
        return self.reader.submit(self.source.read, start, end)

    def close(self) -> None:
        self.reader.shutdown(cancel_futures=True)
