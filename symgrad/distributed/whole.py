"""whole: the loss of samples that lie wherever they lie, and its gradient: what optimizers take.

An engine computes sums of ranges of leaves; what is here sends it weights, adds its sums by the
tree, and ends with the loss that the module has of all samples, to the bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from symgrad.distributed.sources import Source, in_ranges, total_of
from symgrad.distributed.tree import Tree, leaves_of, spans
from symgrad.errors import SpecError
from symgrad.training.module import Array, Module

# What a range gives: its first leaf, how many it has, and the sums of its subtrees.
Sums = tuple[int, int, Array, Array]


@dataclass(frozen=True)
class Work:
    """What whoever computes a range has to know of the whole: the spec, from which it compiles the
    same module, what all samples weigh, and the penalties that are given at run time."""

    spec: Mapping[str, Any]
    total: float
    penalties: tuple[float, ...]

    def module(self) -> Module:
        from symgrad.compiler import compile
        from symgrad.spec.spec import Spec

        return compile(Spec.recorded(self.spec)).module


class Range:
    """A range of leaves whose samples are at hand: its sums, for any weights."""

    def __init__(
        self,
        module: Any,
        work: Work,
        first: int,
        arrays: tuple[Array, ...],
        threads: int | None = None,
    ) -> None:
        """`threads` is how many may be used, all of Numba's if it is None."""
        self.threads = threads
        self.compute, self.work = module.gradient_of_leaves, work
        self.first, self.arrays = first, arrays
        self.leaves = leaves_of(len(arrays[0]))
        places = sum(1 for _ in spans(first, self.leaves))
        self.losses = np.empty(places)
        self.gradients = np.empty((places, module.SIZE), module.SPEC["dtype"])

    def __call__(self, theta: Array) -> Sums:
        """The arrays are the same at each call."""
        work = self.work
        if self.threads is not None:
            _limit(self.threads)
        self.compute(
            theta, *self.arrays, *work.penalties, work.total, float(self.first), self.losses,
            self.gradients,
        )  # fmt: skip
        return self.first, self.leaves, self.losses, self.gradients


def _limit(threads: int) -> None:
    """Has compiled code use so many threads at most, in this thread of Python's."""
    import numba

    settings: Any = numba.config
    numba.set_num_threads(min(threads, settings.NUMBA_NUM_THREADS))


class Whole(ABC):
    """The loss of all samples of a source, by weights of shape (weights,).

    It stands for a module that has been given its data: `loss` and `loss_and_gradient` take theta
    alone, and have the module's bits. It is a context manager, which lets go of what it holds.
    """

    def __init__(self, module: Any, source: Source, **penalties: float) -> None:
        """`module` is a network's, and `penalties` are those that its spec leaves to run time."""
        if not hasattr(module, "gradient_of_leaves"):
            raise SpecError(
                f"{module.SPEC['name']}: its loss is a sum of terms, each of samples of its own:"
                " gradients of leaves are there for a loss by itself"
            )
        wanted = tuple(n for n in ("l1", "l2") if module.SPEC["loss"][n] == "argument")
        if {*wanted} != {*penalties}:
            raise SpecError(f"penalties to be given: {', '.join(wanted) or 'none'}")
        self.module, self.source, self.samples = module, source, source.samples
        self.leaves, self.dtype = leaves_of(self.samples), np.dtype(module.SPEC["dtype"])
        given = tuple(float(penalties[name]) for name in wanted)
        weighted = bool(module.SPEC["loss"]["sample_weights"])
        self.work = Work(module.SPEC, total_of(source, weighted), given)
        self._last: tuple[bytes, float] | None = None

    @abstractmethod
    def sums(self, theta: Array) -> Iterable[Sums]:
        """The sums of ranges that are all leaves together, in any order; theta in the network's
        dtype."""

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Lets go of workers, files and memory."""

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The loss, and its gradient in the dtype of theta."""
        given = np.asarray(theta)
        own = np.ascontiguousarray(given, self.dtype)
        tree = Tree(self.leaves)
        for each in self.sums(own):
            tree.add(*each)
        loss, gradient = tree.sum()
        E = self.module.complete_gradient(
            own, *self.work.penalties, self.work.total, loss, gradient
        )
        self._last = own.tobytes(), E
        return E, gradient.astype(np.float64, copy=False) if given.dtype == np.float64 else gradient

    __call__ = loss_and_gradient

    def loss(self, theta: Array) -> float:
        """The loss; of the weights that the last gradient was of, it is known."""
        own = np.ascontiguousarray(theta, self.dtype)
        if self._last is None or self._last[0] != own.tobytes():
            return self.loss_and_gradient(own)[0]
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def ranges(self, parts: int) -> list[tuple[int, "Source"]]:
        """The leaves in so many ranges: the first leaf of each, and its samples."""
        return in_ranges(self.source, parts)
