"""sources: where samples lie: in memory, in arrays that are read piece by piece, in files, NPY or
Parquet. All give x, t and perhaps w of some samples as the network's functions take them; files may
be larger than memory.

A file that has changed since it was opened is refused: half of its samples would be of another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from symgrad.distributed.tree import ranges
from symgrad.errors import DataError
from symgrad.lowering.arithmetic import LEAF
from symgrad.training.module import Array

# How many samples are looked at together where all are gone through for a number of them.
_TOGETHER = 1 << 18


class Source(Protocol):
    """Samples in an order that stays, `samples` of them."""

    @property
    def samples(self) -> int: ...

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        """x, t and, if they have weights, w of the samples from `start` on, before `end`."""


@dataclass(frozen=True)
class InMemory:
    """Arrays x, t and perhaps w, in the network's dtype, C-contiguous; they are not copied."""

    arrays: tuple[Array, ...]

    @property
    def samples(self) -> int:
        return len(self.arrays[0])

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        return tuple(array[start:end] for array in self.arrays)


@dataclass(frozen=True)
class Sliced:
    """x, t and perhaps w that are arrays where they are sliced: of Dask's, of Zarr's, of h5py's.
    They are converted to the network's dtype as they are read."""

    arrays: tuple[Any, ...]
    dtype: str

    @property
    def samples(self) -> int:
        return int(self.arrays[0].shape[0])

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        return tuple(np.array(array[start:end], self.dtype, order="C") for array in self.arrays)


@dataclass(frozen=True)
class Some:
    """The samples of a source from `start` on, before `end`."""

    source: Source
    start: int
    end: int

    @property
    def samples(self) -> int:
        return self.end - self.start

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        return self.source.read(self.start + start, self.start + end)


def some(source: Source, start: int, end: int) -> Source:
    """Some samples of a source; of one in memory these alone, so that they can be sent."""
    if isinstance(source, InMemory):
        return InMemory(source.read(start, end))
    return Some(source, start, end)


def in_ranges(source: Source, parts: int) -> list[tuple[int, Source]]:
    """A source in so many ranges of leaves: the first leaf of each, and its samples."""
    cuts = ranges(-(-source.samples // LEAF), parts)
    return [
        (first, some(source, first * LEAF, min((first + leaves) * LEAF, source.samples)))
        for first, leaves in cuts
    ]


def total_of(source: Source, weighted: bool) -> float:
    """What all samples weigh: as many as there are or, summed from the first to the last, their
    weights."""
    if not weighted:
        return float(source.samples)
    total = 0.0
    for start in range(0, source.samples, _TOGETHER):
        *_, w = source.read(start, min(start + _TOGETHER, source.samples))
        # one after the other, as the module does it: `sum` would go by pairs
        total = float(np.add.accumulate(np.concatenate(([total], w)), dtype=np.float64)[-1])
    return total


# ---- Files ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unchanged:
    """A file as it was when it was opened."""

    path: Path
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Unchanged":
        try:
            about = path.stat()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        return cls(path, about.st_size, about.st_mtime_ns)

    def check(self) -> None:
        """DataError where it is another file by now."""
        if Unchanged.of(self.path) != self:
            raise DataError(
                f"{self.path} has changed while it was read: bring back what it was, and resume, or"
                " train anew"
            )


@dataclass
class Npy:
    """Samples in NPY files, one for each of x, t and perhaps w, memory-mapped; numbers of another
    dtype than the network's are converted as they are read."""

    files: tuple[Path, ...]
    dtype: str
    known: tuple[Unchanged, ...] = field(init=False)
    samples: int = field(init=False)

    def __post_init__(self) -> None:
        self.files = tuple(map(Path, self.files))
        self.known = tuple(map(Unchanged.of, self.files))
        self._arrays: list[Array] | None = None
        counts = {len(array) for array in self.arrays}
        if len(counts) != 1:
            raise DataError(f"{self.files[0]}: x, t and w must have as many samples, not {counts}")
        (self.samples,) = counts

    @property
    def arrays(self) -> list[Array]:
        if self._arrays is None:
            self._arrays = [_mapped(path) for path in self.files]
        return self._arrays

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_arrays": None}  # whoever it is sent to opens them itself

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        self._check()  # a file that is shorter now would end the process
        found = tuple(np.array(array[start:end], self.dtype, order="C") for array in self.arrays)
        self._check()
        return found

    def _check(self) -> None:
        for each in self.known:
            each.check()


def _mapped(path: Path) -> Array:
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error


@dataclass
class Parquet:
    """Samples in Parquet files, one after the other; columns by name."""

    files: tuple[Path, ...]
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    dtype: str
    weight: str | None = None
    known: tuple[Unchanged, ...] = field(init=False)
    samples: int = field(init=False)

    def __post_init__(self) -> None:
        self.files = tuple(map(Path, self.files))
        self.known = tuple(map(Unchanged.of, self.files))
        self.groups = [*_groups(self.files)]
        self.ends = np.cumsum([rows for *_, rows in self.groups])
        self.samples = int(self.ends[-1])
        self._last: tuple[int, tuple[Array, ...]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def read(self, start: int, end: int) -> tuple[Array, ...]:
        pieces = [*self._pieces(start, end)]
        return tuple(
            each[0] if len(each) == 1 else np.concatenate(each)
            for each in zip(*pieces, strict=True)
        )

    def _pieces(self, start: int, end: int) -> Iterator[tuple[Array, ...]]:
        """What is wanted, of each group of rows that has some of it."""
        group = int(np.searchsorted(self.ends, start, side="right"))
        while start < end:
            begin = int(self.ends[group]) - self.groups[group][-1]
            stop = min(end, int(self.ends[group]))
            yield tuple(array[start - begin : stop - begin] for array in self._group(group))
            start, group = stop, group + 1

    def _group(self, group: int) -> tuple[Array, ...]:
        """A group of rows; the last one is kept, whose next samples are mostly asked for next."""
        last = self._last  # another thread may come between
        if last is None or last[0] != group:
            file, number, _ = self.groups[group]
            self._last = last = group, self._read(file, number)
        return last[1]

    def _read(self, file: int, group: int) -> tuple[Array, ...]:
        from pyarrow import ArrowException, parquet

        weight = [] if self.weight is None else [self.weight]
        path = self.files[file]
        try:
            with parquet.ParquetFile(path) as opened:
                names = [*self.inputs, *self.targets, *weight]
                table = opened.read_row_group(group, columns=names)
        except (OSError, ArrowException) as error:
            self.known[file].check()
            raise DataError(f"{path}: {error}") from error
        self.known[file].check()
        x, t = (self._matrix(table, names) for names in (self.inputs, self.targets))
        return (x, t, *(self._matrix(table, [name])[:, 0] for name in weight))

    def _matrix(self, table: Any, names: Sequence[str]) -> Array:
        matrix = np.empty((table.num_rows, len(names)), self.dtype)
        for place, name in enumerate(names):
            matrix[:, place] = table.column(name).to_numpy()
        return matrix


def _groups(files: tuple[Path, ...]) -> Iterator[tuple[int, int, int]]:
    """All groups of rows: the number of its file, its own there, and how many rows it has."""
    from pyarrow import ArrowException, parquet

    for number, path in enumerate(files):
        try:
            about = parquet.read_metadata(path)
        except (OSError, ArrowException) as error:
            raise DataError(f"{path}: {error}") from error
        for group in range(about.num_row_groups):
            yield number, group, about.row_group(group).num_rows
