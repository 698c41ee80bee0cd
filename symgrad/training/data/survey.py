"""survey: a look at all columns of a table, and how one would train on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.errors import DataError
from symgrad.shell import word
from symgrad.training.data.contents import Contents, contents_of
from symgrad.training.data.csv_format import Format
from symgrad.training.data.files import files_of
from symgrad.training.data.opening import with_table
from symgrad.training.data.selection import typed, without
from symgrad.training.data.table import Table, counted

# Kinds that are inputs as they are, and those that no option makes one.
_NUMBERS = {"number", "boolean"}


@dataclass(frozen=True)
class Survey:
    """`advice` is a sentence with the command; `notes` are lines on how the text was read."""

    rows: int
    columns: tuple[Contents, ...]
    advice: str
    notes: tuple[str, ...] = ()


def survey(
    source: Any,
    targets: Sequence[str] = (),
    separator: str | None = None,
    decimal: str | None = None,
) -> Survey:
    """Looks at a source that `read` would read; DataError for one that is no table of columns."""

    def look(table: Table) -> Survey:
        if table.roles is not None:
            raise DataError(f"{table.place.source}: arrays x and t: no columns to choose")
        table = without(table, ())
        columns = tuple(map(contents_of, table.columns))
        return Survey(len(table), columns, _advice(source, table, columns, targets), table.notes)

    return with_table(source, "w", Format.given(separator, decimal), look)


def _advice(source: Any, table: Table, columns: Sequence[Contents], targets: Sequence[str]) -> str:
    for name in targets:
        table.index(name)
    usable = [each for each in columns if each.kind in {*_NUMBERS, "category"}]
    chosen = list(targets) or [each.name for each in usable[-1:]]
    inputs = [each for each in usable if each.name not in chosen]
    if not inputs:
        return "next: no column is left that could be an input"
    ignored = [each.name for each in columns if each not in usable and each.name not in chosen]
    words = [each.name for each in inputs if each.kind == "category"]
    units = sum(each.words if each.name in words else 1 for each in inputs)
    missing = any(each.missing for each in (*inputs, *columns) if each.name not in ignored)
    files = [str(path) for path in files_of(source) or ()]
    parts = ["symgrad train SPEC", *map(word, files)]
    parts += [typed("--ignore", ignored)] if ignored else []
    parts += [typed("--categories", words)] if words else []
    parts += [f"--target {word(name)}" if name.isprintable() else "--target NAME"
              for name in chosen]  # fmt: skip
    parts += ["--missing mean"] if missing else []
    return (
        f"next: {' '.join(parts)}\n"
        f"for a spec with inputs = {units}, and in its last layer {_last_layer(columns, chosen)}"
    )


def _last_layer(columns: Sequence[Contents], targets: Sequence[str]) -> str:
    classes = [each.words for each in columns if each.name in targets and each.kind == "category"]
    if len(targets) > 1 or not classes:
        return counted(len(targets), "unit")
    return f"units = {classes[0]}, one a class" if classes[0] > 2 else "1 unit, for two classes"
