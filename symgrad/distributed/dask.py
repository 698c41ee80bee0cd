"""dask: samples that lie with workers of Dask's, each of which computes the sums of its own.

Weights and sums go between this process and the workers directly, or by way of the scheduler where
workers cannot be reached. A worker that has died is replaced, and computes its leaves anew.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from symgrad.distributed.sources import InMemory, Source
from symgrad.distributed.whole import Range, Sums, Whole, Work
from symgrad.errors import Lost, SymgradError
from symgrad.training.module import Array

# How often a range may lose its worker in one call, how long is waited for another worker, and
# after how many seconds without an answer it is asked whether there is still anyone.
_LIVES = 20
_WAIT = 60.0
_ASK = 1.0

# Seconds until there is no scheduler.
_CONNECT = 10.0

# Seconds between two looks for workers that have come.
_SPREAD = 5.0


class Holder:
    """What a worker holds: a range of leaves, and the module that computes its sums."""

    def __init__(self, work: Work, first: int, source: Source, threads: int) -> None:
        arrays = source.read(0, source.samples)
        aligned = tuple(np.require(array, requirements=["C", "A"]) for array in arrays)
        self.range = Range(work.module(), work, first, aligned, threads)

    def sums(self, theta: Array) -> Sums:
        return self.range(np.require(theta, requirements=["C", "A"]))


class Dask(Whole):
    """The loss of a source that lies with a client's workers, in ranges of leaves, one a worker.

    Of a source in memory each is sent its own samples; files are read by the workers, where they
    have to have the same paths.
    """

    def __init__(self, module: Any, source: Source, client: Any, **penalties: float) -> None:
        super().__init__(module, source, **penalties)
        self.client = client
        self.name = f"Dask at {client.scheduler.address}"
        self.parts = self.ranges(len(self._workers()))
        self.holders: list[Any] = [None] * len(self.parts)
        self.crowded, self.due = False, 0.0  # whether a worker has two ranges, until another comes
        self._hold(range(len(self.parts)))

    def sums(self, theta: Array) -> Iterator[Sums]:
        if self.crowded and time.monotonic() > self.due:
            self._spread()
        missing = [*range(len(self.parts))]
        for _ in range(_LIVES):
            asked = [(part, self._ask(part, theta)) for part in missing]
            lost = []
            for part, answer in asked:
                sums = None if answer is None else self._answer(part, answer)
                if sums is None:
                    lost.append(part)
                else:
                    yield sums
            if not lost:
                return
            missing = lost
            self._hold(missing)
        raise Lost(f"the workers of {self.name} have died {_LIVES} times over the same leaves")

    def close(self) -> None:
        self.holders.clear()

    def _ask(self, part: int, theta: Array) -> Any:
        """What will be a range's sums; None where its worker is known to be lost."""
        try:
            return self.holders[part].sums(theta)
        except RuntimeError:  # so says Dask of a worker that was lost
            return None

    def _answer(self, part: int, answer: Any) -> Sums | None:
        """A range's sums; None where its worker was lost meanwhile."""
        try:
            return self._awaited(answer, self.holders[part]._address)
        except OSError:
            self._check_scheduler()
            return None

    def _awaited(self, future: Any, worker: str) -> Any:
        """A future's result; OSError where its worker is there no more."""
        while True:
            try:
                return future.result(timeout=_ASK)
            except TimeoutError:
                self._check_scheduler()
                if worker not in self._workers():
                    raise OSError(f"{worker} is gone") from None

    def _hold(self, parts: Iterable[int]) -> None:
        """Has workers hold ranges, in turn; those that are free first."""
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        until = time.monotonic() + _WAIT
        left = [*parts]
        while left:
            self._check_scheduler()
            known = self._workers()
            places = [holder._address for holder in self.holders if holder is not None]
            free = sorted(known, key=lambda each: sum(place == each for place in places))
            turns = zip([*left], cycle(free), strict=False)  # none where no worker is free
            sent = [
                (part, self._sent(part, worker, known[worker]), worker) for part, worker in turns
            ]
            for part, (future, _), worker in sent:
                with suppress(OSError, KilledWorker, FutureCancelledError):
                    self.holders[part] = self._awaited(future, worker)
                    left.remove(part)
            if left and time.monotonic() > until:
                raise Lost(f"{self.name} has had no worker for {_WAIT:.0f} s")
            if left:
                time.sleep(0.1)
        self.crowded = len({holder._address for holder in self.holders}) < len(self.parts)
        self.due = time.monotonic() + _SPREAD

    def _spread(self) -> None:
        """Where there are workers that hold nothing, they take over from those that hold more than
        one range."""
        idle = len({*self._workers()} - {holder._address for holder in self.holders})
        seen: set[str] = set()
        moved: list[int] = []
        for part, holder in enumerate(self.holders):
            if holder._address in seen and len(moved) < idle:
                moved.append(part)
            seen.add(holder._address)
        self._hold(moved)

    def _sent(self, part: int, worker: str, threads: int) -> tuple[Any, Any]:
        """What will be a range's holder, and what must be kept until it is."""
        first, source = self.parts[part]
        try:
            if isinstance(source, InMemory):  # not by way of the scheduler, and not kept there
                source = self.client.scatter(source, workers=[worker], hash=False)
        except (OSError, TimeoutError):  # the worker has died; if not, there is no scheduler
            self._check_scheduler()
        where = {"workers": [worker], "allow_other_workers": False}
        given = self.work, first, source, threads
        return self.client.submit(Holder, *given, actor=True, pure=False, **where), source

    def _workers(self) -> dict[str, int]:
        """The workers there are, and how many threads each has."""
        try:
            return self.client.nthreads()
        except (OSError, TimeoutError) as error:
            raise self._without_scheduler() from error

    def _check_scheduler(self) -> None:
        if self.client.status != "running":
            raise self._without_scheduler()

    def _without_scheduler(self) -> Lost:
        return Lost(f"the scheduler of {self.name} is gone")


@dataclass(frozen=True)
class Engine:
    """Trains by Dask: `address` is that of a scheduler, or "local" for workers on this machine, as
    many as `workers` says, or as there are processors."""

    address: str = "local"
    workers: int | None = None

    @contextmanager
    def __call__(self, module: Any, arrays: tuple[Array, ...]) -> Iterator[Whole]:
        with self._client() as client, Dask(module, InMemory(arrays), client) as whole:
            yield whole

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise SymgradError('Dask is not installed: pip install "symgrad[dask]"') from error
        if self.address == "local":
            here = {"n_workers": self.workers, "threads_per_worker": 1, "dashboard_address": None}
            with LocalCluster(**here) as cluster, Client(cluster, direct_to_workers=True) as client:
                yield client
            return
        if self.workers is not None:
            raise SymgradError("the workers of a scheduler are as many as it has")
        try:
            client = Client(self.address, direct_to_workers=True, timeout=_CONNECT)
        except (OSError, ValueError) as error:
            raise SymgradError(f"{self.address}: no scheduler of Dask's there ({error})") from error
        with client:
            yield client
