"""opening: a table of whatever kind of source, by the fastest reader that there is for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.arrow_csv import fast_table
from symgrad.training.data.csv_format import Format
from symgrad.training.data.files import files_of, is_csv
from symgrad.training.data.from_arrays import from_array, from_npy, from_npz, from_tuple
from symgrad.training.data.from_arrow import from_arrow, from_parquet, is_arrow
from symgrad.training.data.from_csv import from_csv
from symgrad.training.data.from_frame import from_frame, is_pandas
from symgrad.training.data.table import Table

SUFFIXES = ".csv, .csv.gz, .parquet, .npz or .npy"

Made = TypeVar("Made")


def with_table(source: Any, weight: str, wanted: Format, use: Callable[[Table], Made]) -> Made:
    """What `use` makes of the table of a source.

    Where a large file is refused, it is read again, plainly: by the reader that knows the line of
    each value, and has the last word.
    """
    files = files_of(source)
    if files is None:
        return use(_opened(source))
    try:
        fast = fast_table(files, wanted) if all(map(is_csv, files)) else None
        if fast is not None:
            try:
                return use(fast)
            except DataError:
                pass
        return use(_opened_files(files, weight, wanted))
    except OSError as error:
        name = error.filename or ", ".join(map(str, files))
        raise DataError(f"{name}: {error.strerror or error}") from error


def _opened(source: Any) -> Table:
    if is_pandas(source):
        table = from_frame(source)
    elif is_arrow(source):
        table = from_arrow(source)
    elif isinstance(source, tuple):
        table = from_tuple(source)
    elif isinstance(source, np.ndarray):
        table = from_array(source)
    else:
        raise DataError(
            f"data of type {type(source).__name__}; expected the path of a {SUFFIXES} file, a "
            "frame, or arrays (x, t)"
        )
    return _with_samples(table)


def _opened_files(files: list[Path], weight: str, wanted: Format) -> Table:
    path = files[0]
    if all(map(is_csv, files)):
        return from_csv(files, wanted)
    if len(files) > 1:
        other = next(path for path in files if not is_csv(path))
        raise DataError(f"{other}: several files are read as one table if all are .csv or .csv.gz")
    match path.suffix.lower():
        case ".parquet":
            return _with_samples(from_parquet(path))
        case ".npz":
            return from_npz(path, weight)
        case ".npy":
            return from_npy(path)
    raise DataError(f"{path}: expected a {SUFFIXES} file")


def _with_samples(table: Table) -> Table:
    if not len(table):
        raise DataError(f"{table.place.source}: columns and no samples")
    return table
