"""selection: what a user says of a table, which columns are what, and what to type for it.

Names may be patterns, as a shell has them: `temp_*`. One that a column is called exactly is this
column.
"""

import csv
import io
import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from symgrad.errors import DataError
from symgrad.training.data.table import Table, listed

Missing: TypeAlias = Literal["refuse", "drop", "mean"]

# The fields that are names, of which one may stand for itself.
NAMES = ("targets", "inputs", "ignore", "categories")


@dataclass(frozen=True)
class Selection:
    """`inputs`, `ignore` and `categories` are names or patterns, `targets` and `weight` names."""

    targets: tuple[str, ...] = ()
    weight: str | None = None
    missing: Missing = "refuse"
    inputs: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None
    class_weight: Literal["balanced"] | None = None

    def as_data(self) -> dict[str, Any]:
        """As plain data: what was not given is left out, but for what runs have always had."""
        always = ("targets", "weight", "missing", "folds")
        return {name: value for name, value in asdict(self).items() if value or name in always}


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names as they may be given: several, or one."""
    return (given,) if isinstance(given, str) else tuple(given)


def chosen(
    table: Table, patterns: Sequence[str], role: str, taken: Collection[str | None] = ()
) -> list[str]:
    """The names that patterns stand for, each once, in the order of the patterns, then the table's;
    those that are taken only where they are named outright. DataError for a pattern that stands for
    none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        these = [pattern] if pattern in table.names else matched(table.names, pattern)
        if not these:
            raise DataError(
                f"{table.place.source}: {role}: no column {pattern!r}; there are "
                f"{listed(table.names)}"
            )
        found |= dict.fromkeys(these)
    return [name for name in found if name not in taken or name in patterns]


def matched(all_names: Sequence[str], pattern: str) -> list[str]:
    return [name for name in all_names if fnmatchcase(name, pattern)]


def without(table: Table, ignore: Sequence[str]) -> Table:
    """The table without the columns to ignore."""
    if not ignore:
        return table
    gone = chosen(table, ignore, "ignore")
    left = [name for name in table.names if name not in gone]
    if not left:
        raise DataError(f"{table.place.source}: ignore: no column is left")
    return table.take(left)


def parsed(texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names in lists with commas, as they stand on a command line; one with a comma stands
    between double quotes. DataError for what is no such list."""
    try:
        rows = [next(csv.reader([text], skipinitialspace=True), []) for text in texts or ()]
    except csv.Error as error:
        raise DataError(f"names of columns: {error}; match such characters by '?'") from error
    return tuple(name.strip() for row in rows for name in row if name.strip())


def typed(option: str, columns: Sequence[str]) -> str:
    """An option as one would type it into a shell; a character that none can type is matched."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(
        ["".join(c if c.isprintable() else "?" for c in name) for name in columns]
    )
    return f"{option} {shlex.quote(file.getvalue())}"
