"""Columns of sources that have types: arrays, Parquet, frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.npz import is_text
from symgrad.training.data.table import Column, Factor, Kind, Place, factor_of_numbers
from symgrad.training.labels import DIGITS
from symgrad.training.module import Array


@dataclass(frozen=True)
class ValueColumn:
    """Values that are there, of shape (present,): numbers, booleans, or an object array of text or
    of integers that no other array holds.

    `missing` has the shape (rows,). See `Column` for what the methods promise.
    """

    name: str
    place: Place
    present: Array
    missing: Array

    def kind(self) -> Kind:
        match self.present.dtype.kind:
            case "b":
                return Kind.BOOLEANS
            case "O" if isinstance(self.present[0], str):
                return Kind.TEXT
            case _:
                return Kind.NUMBERS

    def numbers(self, advice: str = "") -> Array:
        if self.kind() is Kind.TEXT:
            raise DataError(f"{self._cell(0)}: {self.present[0]!r} is not a number{advice}")
        values = np.full(len(self.missing), np.nan)
        present = self.present
        if present.dtype.kind == "O":
            present = np.array([_float(value) for value in present])
        with np.errstate(over="ignore"):
            values[~self.missing] = present
        for row in np.flatnonzero(np.isinf(values)):
            raise DataError(
                f"{self.place.cell(int(row), self.name)}: {values[row]:g} is not finite"
            )
        return values

    def factor(self, like: Kind | None = None) -> Factor:
        if self.kind() is not Kind.TEXT:
            values = np.zeros(len(self.missing), self.present.dtype)
            values[~self.missing] = self.present
            return factor_of_numbers(values, self.missing)
        numbers: dict[str, int] = {}
        codes = np.full(len(self.missing), -1)
        codes[~self.missing] = [numbers.setdefault(text, len(numbers)) for text in self.present]
        return Factor(tuple(numbers), codes)

    def _cell(self, present: int) -> str:
        return self.place.cell(int(np.flatnonzero(~self.missing)[present]), self.name)


@dataclass(frozen=True)
class UnusableColumn:
    """A column that nothing can be made of. It is refused when it is asked for, not before: a
    table may hold more than a network is told of."""

    name: str
    place: Place
    problem: str

    def kind(self) -> Kind:
        raise DataError(f"{self.place.column(self.name)}: {self.problem}")

    def numbers(self, advice: str = "") -> Array:
        raise DataError(f"{self.place.column(self.name)}: {self.problem}")

    def factor(self, like: Kind | None = None) -> Factor:
        raise DataError(f"{self.place.column(self.name)}: {self.problem}")


def column_of(name: str, place: Place, present: Array, missing: Array) -> Column:
    """A column of values of any dtype: those that are there, of shape (present,), and a mask of
    shape (rows,) that is true for those that are not. NaN, None and blank text are missing, too."""
    if present.dtype.kind in "UTO":  # text of numpy's two kinds, and Python objects
        if not is_text(present):
            return UnusableColumn(name, place, f"holds characters that there aren't; {EXPECTED}")
        objects = present.tolist()
        absent = np.array([_absent(value) for value in objects], dtype=bool)
        objects = [value for value in objects if not _absent(value)]
        missing = _with(missing, absent)
        problem = _problem(objects, np.flatnonzero(~missing), place)
        if problem:
            return UnusableColumn(name, place, problem)
        present = _typed(objects)
    if present.dtype.kind == "f":
        absent = np.isnan(present)
        present, missing = present[~absent], _with(missing, absent)
        if present.dtype.itemsize > 8:
            present = present.astype(np.float64)  # Python's own numbers have no more
    if present.dtype.kind not in "biufO":
        return UnusableColumn(name, place, f"holds values of type {present.dtype}; {EXPECTED}")
    return ValueColumn(name, place, present, missing)


EXPECTED = "expected numbers, booleans or text"


def _with(missing: Array, absent: Array) -> Array:
    """The mask with those added that are absent among the values that were there."""
    more = missing.copy()
    more[~missing] = absent
    return more


def _absent(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _problem(objects: Sequence[Any], rows: Array, place: Place) -> str:
    """Why these objects, which stand in these rows, are no column; empty if they are one."""
    kinds = {type_: _kind(type_) for type_ in dict.fromkeys(map(type, objects))}
    if len(set(kinds.values())) <= 1 and None not in kinds.values():
        return ""
    for row, value in zip(rows, objects, strict=True):
        kind = kinds[type(value)]
        if kind is None:
            return f"holds values of type {type(value).__name__} ({place.row(row)}); {EXPECTED}"
        if kind is not kinds[type(objects[0])]:
            break
    return (
        f"holds values of several kinds: {objects[0]!r} in {place.row(rows[0])}, "
        f"{value!r} in {place.row(row)}; make them one kind"
    )


def _kind(type_: type) -> Kind | None:
    if issubclass(type_, bool | np.bool_):
        return Kind.BOOLEANS
    if issubclass(type_, int | float | np.integer | np.floating | Decimal):
        return Kind.NUMBERS
    return Kind.TEXT if issubclass(type_, str) else None


def _typed(objects: Sequence[Any]) -> Array:
    """Objects of one kind as an array of booleans, integers, floats, or (still objects) text."""
    if objects and isinstance(objects[0], str):
        text = np.empty(len(objects), dtype=object)
        text[:] = [str(value) for value in objects]  # numpy's str_ as Python's own
        return text
    if objects and isinstance(objects[0], bool | np.bool_):
        return np.array(objects, dtype=bool)
    if all(map(_is_whole, objects)):
        integers = [int(value) for value in objects]
        low, high = min(integers, default=0), max(integers, default=0)
        if low >= -(2**63) and high < 2**63:
            return np.array(integers, dtype=np.int64)
        return np.array(integers, dtype=np.uint64 if low >= 0 and high < 2**64 else object)
    return np.array([_float(value) for value in objects], dtype=np.float64)


def _is_whole(value: Any) -> bool:
    """Whether it is an integer, or a decimal that is one: of these every digit counts."""
    if isinstance(value, Decimal):
        # One of few digits and a large exponent would be written out in all of them.
        fits = value.is_finite() and value.adjusted() < DIGITS
        return fits and value == value.to_integral_value()
    return isinstance(value, int | np.integer)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a decimal's NaN of the kind that must not be computed with
        return math.nan
