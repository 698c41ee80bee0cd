"""Categories among the inputs: a column of words becomes an input of the network for each of them,
1 where it applies and 0 elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.classes import kind_of
from symgrad.training.data.table import Column, Factor, Kind, Place, Table, listed
from symgrad.training.labels import problem
from symgrad.training.module import Array
from symgrad.training.trained import Label


@dataclass(frozen=True)
class Category:
    """A column as the levels that training found in it, in their order; see `Column`."""

    column: Column
    levels: tuple[Label, ...]

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def place(self) -> Place:
        return self.column.place

    def kind(self) -> Kind:
        return self.column.kind()

    def numbers(self, advice: str = "") -> Array:
        return self.column.numbers(advice)

    def factor(self, like: Kind | None = None) -> Factor:
        return self.column.factor(like)

    def one_hot(self) -> Array:
        """Of shape (rows, levels), NaN where the value is missing; DataError for a value that is no
        level."""
        factor = self.factor(kind_of(self.levels))
        numbers = {level: number for number, level in enumerate(self.levels)}
        for code, value in enumerate(factor.values):
            if value not in numbers:
                raise DataError(
                    f"{self.place.cell(factor.first(code), self.name)}: {value!r} is none of the "
                    f"levels of training ({listed(self.levels)})"
                )
        # The last row is that of the code −1.
        rows = np.full((len(factor.values) + 1, len(self.levels)), np.nan)
        rows[:-1] = 0
        for code, value in enumerate(factor.values):
            rows[code, numbers[value]] = 1
        return rows[factor.codes]


def width(column: Column) -> int:
    """How many inputs of the network a column is."""
    return len(column.levels) if isinstance(column, Category) else 1


def with_categories(table: Table, names: Sequence[str]) -> Table:
    """The table with these columns as categories, their levels sorted."""
    levels = {name: levels_of(table.columns[table.index(name)]) for name in names}
    return with_levels(table, levels)


def with_levels(table: Table, levels: Mapping[str, tuple[Label, ...]]) -> Table:
    """The table with columns as categories of these levels, as far as they are there."""
    return replace(
        table,
        columns=tuple(
            Category(column, tuple(levels[column.name])) if column.name in levels else column
            for column in table.columns
        ),
    )


def levels_of(column: Column) -> tuple[Label, ...]:
    """The distinct values of a column, sorted: text by code points, numbers by value."""
    factor, found = column.factor(), list[Label]()
    for code, value in enumerate(factor.values):
        place = column.place.cell(factor.first(code), column.name)
        if isinstance(value, float):
            raise DataError(
                f"{place}: {value:g} is no level of a category, which are names or integers; a "
                "column of numbers is an input as it is"
            )
        if wrong := problem(value):
            raise DataError(f"{place}: the level {wrong}")
        found.append(value)
    if not found:
        raise DataError(f"{column.place.column(column.name)}: no values, and so no categories")
    return tuple(sorted(found))


def notes(columns: Sequence[Column]) -> tuple[str, ...]:
    """What each category has become."""
    return tuple(
        f"column {column.name!r} is a category of {len(column.levels)} levels "
        f"({listed(column.levels)}), an input each"
        for column in columns
        if isinstance(column, Category)
    )
