"""Arrays: NPZ archives, NPY files, and arrays in memory.

In an NPZ archive and in a tuple the arrays x, t and w say what they are. A single array is a table
like any other: with the names of its fields, if it is a structured one, or with columns that are
only counted, called `column 0`, `column 1`, ….
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.masks import is_masked
from symgrad.npz import Archive, read_npy
from symgrad.training.data.table import Column, Place, Roles, Table, check_names, listed
from symgrad.training.data.values import UnusableColumn, column_of
from symgrad.training.module import Array


def counted_name(column: int) -> str:
    """The name of a column of an array without names."""
    return f"column {column}"


def input_name(column: int) -> str:
    """The name of a column of the array x."""
    return f"x[{column}]"


def is_counted(name: str) -> bool:
    """Whether it is the name of a column that had none in its source."""
    return re.fullmatch(r"column \d+|x\[\d+\]", name) is not None


# ------------------------------------------------------------------------------------- three arrays


def from_npz(path: Path, weight: str) -> Table:
    """Reads the arrays `x`, `t` and `weight` of an NPZ archive, the last two if they are there."""
    return from_x_t_w(str(path), _archive(path, ["x", "t", weight]), weight)


def from_tuple(arrays: Sequence[Any]) -> Table:
    """The table of (x,), (x, t) or (x, t, w), of which t and w may be None."""
    if not 1 <= len(arrays) <= 3:
        raise DataError(f"the arrays: expected (x, t) or (x, t, w), not {len(arrays)} of them")
    named = {
        name: _array(f"the arrays: {name}", array)
        for name, array in zip("xtw", arrays, strict=False)
        if array is not None
    }
    return from_x_t_w("the arrays", named, "w")


def from_x_t_w(source: str, arrays: Mapping[str, Array], weight: str) -> Table:
    """Arrays x of shape (rows, inputs), t of (rows,) or (rows, targets), and weights of (rows,)."""
    if "x" not in arrays:
        raise DataError(f"{source}: no array 'x'")
    x, t, w = arrays["x"], arrays.get("t"), arrays.get(weight)
    if x.ndim != 2:
        raise DataError(f"{source}: x has the shape {x.shape}; expected (samples, inputs)")
    rows, inputs = x.shape
    if not rows:
        raise DataError(f"{source}: x holds no samples")
    place = Place(source)
    columns = [_column(input_name(i), place, x[:, i]) for i in range(inputs)]
    if t is not None:
        if t.ndim not in (1, 2) or len(t) != rows:
            raise DataError(
                f"{source}: t has the shape {t.shape} and x {x.shape}; expected {rows} rows in both"
            )
        if t.ndim == 1 or t.shape[1] == 1:
            columns.append(_column("t", place, t.reshape(-1)))
        else:
            columns += [_column(f"t[{j}]", place, t[:, j]) for j in range(t.shape[1])]
    targets = tuple(range(inputs, len(columns)))
    if w is not None:
        if w.shape != (rows,):
            raise DataError(f"{source}: {weight} has the shape {w.shape}; expected ({rows},)")
        columns.append(_column(weight, place, w))
    roles = Roles(tuple(range(inputs)), targets, None if w is None else len(columns) - 1)
    return Table(place, rows, tuple(columns), named=False, roles=roles)


def _archive(path: Path, names: list[str]) -> dict[str, Array]:
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: no NPZ archive, as numpy.savez(file, x=…, t=…) writes it")
    with Archive(path) as archive:
        if "x" not in archive.names:
            raise DataError(
                f"{path}: no array 'x'; the archive holds {listed(archive.names) or 'nothing'}"
            )
        return {name: archive.read(name) for name in names if name in archive.names}


# ---------------------------------------------------------------------------------------- one array


def from_npy(path: Path) -> Table:
    """Reads the one array of an NPY file."""
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise DataError(f"{path}: no NPY file, as numpy.save(file, array) writes it")
    return from_array(read_npy(path), str(path))


def from_array(array: Array, source: str = "the array") -> Table:
    """The table of an array of shape (rows, columns), or of a structured one of shape (rows,)."""
    place = Place(source)
    names = array.dtype.names
    if names is None and array.ndim == 2:
        columns = [_column(counted_name(c), place, array[:, c]) for c in range(array.shape[1])]
    elif names is not None and array.ndim == 1:
        check_names(source, names)
        columns = [_column(name, place, array[name]) for name in names]
    else:
        raise DataError(
            f"{source}: an array of the shape {array.shape}; expected (samples, columns), or a "
            "structured array of the shape (samples,)"
        )
    if not len(array):
        raise DataError(f"{source}: the array holds no samples")
    return Table(place, len(array), tuple(columns), named=names is not None)


def _array(what: str, values: Any) -> Array:
    try:
        array = np.ma.array(values) if is_masked(values) else np.asanyarray(values)
    except ValueError as error:  # lists of different lengths
        raise DataError(f"{what} is no array ({error})") from error
    return array if isinstance(array, np.ma.MaskedArray) else np.asarray(array)


def _column(name: str, place: Place, values: Array) -> Column:
    if values.ndim != 1:  # a field of a structured array that is an array itself
        return UnusableColumn(name, place, f"holds arrays of the shape {values.shape[1:]}")
    missing = np.array(np.ma.getmaskarray(values))
    return column_of(name, place, np.asarray(values)[~missing], missing)
