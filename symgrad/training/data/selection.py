"""selection: what a user says of a table, which columns are what, and what to type for it.

Names may be patterns, as a shell has them: `temp_*`. One that a column is called exactly is this
column.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from symgrad.errors import DataError
from symgrad.shell import word
from symgrad.training.caller import told
from symgrad.training.data.table import Column, Kind, Table, listed

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
    """The table without the columns to ignore, and without those that have neither a name nor
    values: separators at the ends of lines make such."""
    gone = set(chosen(table, ignore, "ignore"))
    gone |= {column.name for column in table.columns if not column.name and _is_empty(column)}
    left = [name for name in table.names if name not in gone]
    if not left:
        raise DataError(f"{table.place.source}: ignore: no column is left")
    return table.take(left) if gone else table


def _is_empty(column: Column) -> bool:
    try:
        return bool((column.factor(Kind.TEXT).codes < 0).all())
    except DataError:  # it holds what nobody can read
        return False


# A name of a list: between double quotes, each within them doubled, or up to the next comma.
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|\Z)')


def parsed(texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names in lists with commas, as they stand on a command line. One that is empty, or holds
    a comma, stands between double quotes."""
    found: list[str] = []
    for text in texts or ():
        parts = [(each[1], each[2]) for each in _NAME.finditer(text)]
        names = [bare or (quoted or "").replace('""', '"') for quoted, bare in parts
                 if bare or quoted is not None]  # fmt: skip
        found += names or [""]
    return tuple(found)


def said(argument: str, columns: Sequence[str]) -> str:
    """An argument that is names, as the caller would write it."""
    return told(f"{argument}={[*columns]!r}", typed(f"--{argument}", columns))


def typed(option: str, columns: Sequence[str]) -> str:
    """An option as one would type it into a shell; a character that none can type is matched."""
    texts = ["".join(c if c.isprintable() else "?" for c in name) for name in columns]
    listed_names = ",".join(text if _PLAIN.fullmatch(text) else _quoted(text) for text in texts)
    return f"{option} {word(listed_names)}"


_PLAIN = re.compile(r'[^\s",](?:[^",]*[^\s",])?')


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
