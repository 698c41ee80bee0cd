"""Frames of pandas, without importing it: what a frame is asked for, it has if it is one."""

from typing import Any

import numpy as np

from symgrad.training.data.table import Column, Place, Table, check_names
from symgrad.training.data.values import column_of

SOURCE = "the frame"


def is_pandas(source: object) -> bool:
    return all(hasattr(source, name) for name in ("columns", "dtypes", "iloc"))


def from_frame(frame: Any) -> Table:
    """The columns of a pandas frame, its index left out; names that are no text become such."""
    names = [str(name) for name in frame.columns]
    check_names(SOURCE, names)
    place = Place(SOURCE)
    columns = tuple(
        _column(name, place, frame.iloc[:, number]) for number, name in enumerate(names)
    )
    return Table(place, len(frame), columns)


def _column(name: str, place: Place, series: Any) -> Column:
    missing = np.asarray(series.isna(), dtype=bool)
    # Without its missing values a column of pandas' own types turns into one of plain values.
    return column_of(name, place, np.asarray(series[~missing]), missing)
