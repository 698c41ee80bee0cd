"""joblib: samples whose sums are computed by a backend of joblib's: processes of loky's, threads,
or whatever else is registered with it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from symgrad.distributed.sources import InMemory, Npy, Source
from symgrad.distributed.whole import Range, Sums, Whole, Work
from symgrad.errors import Lost
from symgrad.training.module import Array

# How often the processes may break in one call.
_LIVES = 20

# What a process has at hand: the ranges of the last whole that it was asked for.
_held: dict[tuple[str, int], Range] = {}


def _sums(key: tuple[str, int], work: Work, source: Source, theta: Array) -> Sums:
    """The sums of a range, in whatever process this is."""
    if key not in _held:
        for other in [each for each in _held if each[0] != key[0]]:
            del _held[other]
        arrays = source.read(0, source.samples)
        _held[key] = Range(work.module(), work, key[1], arrays, threads=1)
    first, leaves, losses, gradients = _held[key](np.require(theta, requirements=["C", "A"]))
    return first, leaves, losses.copy(), gradients.copy()


class Joblib(Whole):
    """The loss of a source in ranges of leaves, one a job.

    Other processes read samples that are in memory here from a folder, where they are as long as
    this is open.
    """

    def __init__(
        self,
        module: Any,
        source: Source,
        jobs: int = -1,
        backend: str | None = None,
        folder: Path | None = None,
        **penalties: float,
    ) -> None:
        """`backend` is one of joblib's, else what is chosen by `joblib.parallel_config`; `folder`
        is where samples are put meanwhile, else one that is made for it."""
        from joblib import Parallel, effective_n_jobs

        super().__init__(module, source, **penalties)
        self.make: Callable[[], Any] = lambda: Parallel(n_jobs=jobs, backend=backend)
        self.parallel, self.id = self.make(), uuid4().hex
        self.folder: Path | None = None
        if isinstance(source, InMemory) and backend != "threading":
            self.folder = Path(tempfile.mkdtemp(prefix="symgrad-", dir=folder))
            files = []
            for name, array in zip("xtw", source.arrays, strict=False):
                files.append(self.folder / f"{name}.npy")
                np.save(files[-1], array)
            self.source = Npy(tuple(files), str(self.dtype))
        self.parts = self.ranges(effective_n_jobs(self.parallel.n_jobs))

    def sums(self, theta: Array) -> Iterator[Sums]:
        from joblib import delayed

        for _ in range(_LIVES):
            jobs = (
                delayed(_sums)((self.id, first), self.work, source, theta)
                for first, source in self.parts
            )
            try:
                found = self.parallel(jobs)
            except BrokenProcessPool:  # a process was killed: all is computed anew
                self.parallel = self.make()
                continue
            yield from found
            return
        raise Lost(f"the processes of joblib have died {_LIVES} times over the same leaves")

    def close(self) -> None:
        for key in [each for each in _held if each[0] == self.id]:
            del _held[key]
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
