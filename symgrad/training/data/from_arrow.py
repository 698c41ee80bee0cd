"""Parquet files, and the frames of other libraries (polars, Arrow itself), through pyarrow."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.table import Column, Place, Table, check_names
from symgrad.training.data.values import EXPECTED, UnusableColumn, column_of

# pandas stores a frame's nameless index as a column, and takes it off again when it reads one.
INDEX_OF_PANDAS = re.compile(r"__index_level_\d+__")


def is_arrow(source: object) -> bool:
    return hasattr(source, "__arrow_c_stream__")


def from_parquet(path: Path) -> Table:
    """Reads a Parquet file; nulls are missing values. DataError if it is none, or damaged."""
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    pyarrow = _pyarrow("Parquet files")
    from pyarrow.parquet import ParquetFile

    try:
        # ParquetFile, for read_table would take folders called a=1 above the file for columns.
        with ParquetFile(path) as file:
            table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path}: no Parquet file, or damaged ({_first_line(error)})") from error
    return _table(pyarrow, table, str(path))


def from_arrow(source: Any) -> Table:
    """The columns of anything that speaks Arrow's C stream interface."""
    pyarrow = _pyarrow("frames other than those of pandas")
    return _table(pyarrow, pyarrow.table(source), "the frame")


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise DataError(f"reading {what} needs pyarrow: pip install 'symgrad[data]'") from None
    return pyarrow


def _table(pyarrow: Any, table: Any, source: str) -> Table:
    place = Place(source)
    names = [name for name in table.column_names if not INDEX_OF_PANDAS.fullmatch(name)]
    check_names(source, names)
    columns = tuple(_column(pyarrow, name, place, table.column(name)) for name in names)
    return Table(place, table.num_rows, columns)


def _column(pyarrow: Any, name: str, place: Place, values: Any) -> Column:
    types = pyarrow.types
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if types.is_decimal(kind):
        values = _numbers(pyarrow, values)
    elif types.is_null(kind):
        values = values.cast(pyarrow.float64())
    elif not (
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or str(kind) == "string_view"  # of which older versions know nothing
    ):
        return UnusableColumn(name, place, f"holds values of type {kind}; {EXPECTED}")
    missing = np.asarray(values.is_null(), dtype=bool)
    try:
        present = values.drop_null().to_numpy()
    except pyarrow.ArrowException:
        return UnusableColumn(name, place, f"holds text that is not UTF-8; {EXPECTED}")
    return column_of(name, place, present, missing)


def _numbers(pyarrow: Any, values: Any) -> Any:
    """Decimals as integers if all are whole, and they fit; as they are if they don't; else as
    floats."""
    from pyarrow.compute import all, equal, floor

    kind = values.type
    if kind.bit_width < 128:  # of which Arrow knows less
        values = values.cast(pyarrow.decimal128(38, kind.scale))
    try:
        return values.cast(pyarrow.int64())
    except pyarrow.ArrowInvalid:
        broken = kind.scale > 0 and not all(equal(floor(values), values)).as_py()
        return values.cast(pyarrow.float64()) if broken else values


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
