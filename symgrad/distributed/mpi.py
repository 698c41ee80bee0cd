"""mpi: samples that lie with the ranks of MPI, each of which computes the sums of its own.

MPI's own sum would associate by ranks, and change with their number: rank 0 gathers the sums of
subtrees, and adds them by the tree. It has the samples at first, and does all but the sums; the
others compute these for it until it is done.
"""

import math
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgrad.distributed.sources import InMemory, Source
from symgrad.distributed.tree import leaves_of, spans
from symgrad.distributed.whole import Range, Sums, Whole, Work
from symgrad.errors import SymgradError
from symgrad.training.module import Array

# What goes before weights: whether they are the last ones, of which no sums are wanted.
_ON, _ENDED = 1.0, 0.0


def world() -> Any:
    """All ranks; SymgradError where MPI is not there."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise SymgradError('mpi4py is not installed: pip install "symgrad[mpi]"') from error
    except RuntimeError as error:
        raise SymgradError(f"mpi4py has found no MPI: {error}") from error
    return MPI.COMM_WORLD


class Mpi(Whole):
    """The loss of a source whose samples go to the ranks of a communicator, in ranges of leaves;
    this is rank 0, and all are in `led`."""

    def __init__(
        self, module: Any, source: Source, ranks: Any = None, threads: int = 1, **penalties: float
    ) -> None:
        """`threads` is how many each rank has."""
        super().__init__(module, source, **penalties)
        self.ranks = world() if ranks is None else ranks
        size = self.ranks.Get_size()
        parts = self.ranges(size)
        for rank in range(1, size):
            part = parts[rank] if rank < len(parts) else None
            self.ranks.send((self.work, part, threads), rank)
        first, own = parts[0]
        self.range = Range(module, self.work, first, own.read(0, own.samples), threads)
        # where the others' sums arrive, one rank behind the other
        self.layouts = [
            _Layout(first, part.samples, module.SIZE, self.dtype) for first, part in parts
        ]
        self.lengths = [0, *(each.bytes for each in self.layouts[1:])]
        self.lengths += [0] * (size - len(parts))
        self.places = [0, *np.cumsum(self.lengths)[:-1].tolist()]
        self.bytes = np.empty(max(sum(self.lengths), 1), np.uint8)
        self.arrived = [
            layout.arrays(self.bytes[place : place + layout.bytes])
            for layout, place in zip(self.layouts[1:], self.places[1:], strict=False)
        ]
        self.message = np.zeros(1 + module.SIZE, self.dtype)
        self.open = True

    def sums(self, theta: Array) -> Iterator[Sums]:
        self.message[0], self.message[1:] = _ON, theta
        self.ranks.Bcast(self.message, root=0)
        own = self.range(theta)
        self.ranks.Gatherv(self.bytes[:0], [self.bytes, (self.lengths, self.places)], root=0)
        yield own
        for layout, (losses, gradients) in zip(self.layouts[1:], self.arrived, strict=True):
            yield layout.first, layout.leaves, losses, gradients

    def close(self) -> None:
        if self.open:
            self.message[0] = _ENDED
            self.ranks.Bcast(self.message, root=0)
            self.open = False


@contextmanager
def led(ranks: Any = None) -> Iterator[bool]:
    """All ranks enter it: rank 0 is told True and may open an `Mpi`, or several in turn; the others
    serve it meanwhile, and are told False when it has left.

    Ctrl-C, which goes to all ranks, is for rank 0 to heed.
    """
    ranks = world() if ranks is None else ranks
    if ranks.Get_rank() == 0:
        try:
            yield True
        finally:
            for rank in range(1, ranks.Get_size()):
                ranks.send(None, rank)
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    left = False
    try:
        while (given := ranks.recv(source=0)) is not None:
            _serve(ranks, *given)
        left = True
    finally:
        signal.signal(signal.SIGINT, before)
        if not left:  # the others would wait for this one for ever
            ranks.Abort(1)
    yield False


def _serve(ranks: Any, work: Work, part: tuple[int, Source] | None, threads: int) -> None:
    """Computes the sums of a range, if this rank has one, until they are wanted no more."""
    module = work.module()
    message = np.empty(1 + module.SIZE, module.SPEC["dtype"])
    computed, sent = None, np.empty(0, np.uint8)
    if part is not None:
        first, source = part
        computed = Range(module, work, first, source.read(0, source.samples), threads)
        layout = _Layout(first, source.samples, module.SIZE, message.dtype)
        sent = np.empty(layout.bytes, np.uint8)
        computed.losses, computed.gradients = layout.arrays(sent)
    while True:
        ranks.Bcast(message, root=0)
        if message[0] == _ENDED:
            return
        if computed is not None:
            computed(np.array(message[1:]))
        ranks.Gatherv(sent, None, root=0)


@dataclass(frozen=True)
class _Layout:
    """A range's sums as bytes: losses, and behind them the gradients."""

    first: int
    samples: int
    size: int
    dtype: Any
    leaves: int = field(init=False)
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        leaves = leaves_of(self.samples)
        object.__setattr__(self, "leaves", leaves)
        object.__setattr__(self, "rows", sum(1 for _ in spans(self.first, leaves)))

    @property
    def bytes(self) -> int:
        """A multiple of 8, so that the next one's losses are aligned."""
        gradients = self.rows * self.size * np.dtype(self.dtype).itemsize
        return 8 * (self.rows + math.ceil(gradients / 8))

    def arrays(self, data: Array) -> tuple[Array, Array]:
        losses = data[: 8 * self.rows].view(np.float64)
        end = 8 * self.rows + self.rows * self.size * np.dtype(self.dtype).itemsize
        gradients = data[8 * self.rows : end].view(self.dtype).reshape(self.rows, self.size)
        return losses, gradients


@dataclass(frozen=True)
class Engine:
    """Trains by MPI, on rank 0."""

    def __call__(self, module: Any, arrays: tuple[Array, ...]) -> AbstractContextManager[Whole]:
        return Mpi(module, InMemory(arrays))
