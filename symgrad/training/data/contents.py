"""contents: what a column holds, in the words of a person who looks at it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgrad.errors import DataError
from symgrad.training.caller import argument
from symgrad.training.data.selection import said
from symgrad.training.data.table import Column, Factor, Kind, Table, counted, listed

# So many different words are levels of a category, not free text.
LEVELS = 30

_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?"
_TIMESTAMP = re.compile(rf"{_DATE}(?:[T ]+{_TIME})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|{_TIME}")
# With a comma where a point is looked for, or the other way round.
_DECIMAL = re.compile(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?")
_TYPED = re.compile(r"holds values of type (?:datetime|timestamp|Timestamp|date|time)")


@dataclass(frozen=True)
class Contents:
    """`kind` is number, boolean, category, text, timestamp, constant, empty, decimals (of the other
    kind) or mixed; `shown` its range or its words, `words` how many there are; `problem` is where
    and why it is no input as it is, empty if it is one."""

    name: str
    kind: str
    missing: int
    shown: str
    problem: str = ""
    words: int = 0


def contents_of(column: Column) -> Contents:
    """Looks at every value of a column."""
    try:
        if column.kind() is Kind.TEXT:
            return _of_text(column, column.factor(Kind.TEXT))
        values = column.numbers()
    except DataError as error:
        problem = str(error).removeprefix(f"{column.place.source}, ")
        kind = "timestamp" if _TYPED.search(problem) else "mixed"
        return Contents(column.name, kind, 0, "", problem)
    present = values[~np.isnan(values)]
    missing = len(values) - len(present)
    if not len(present):
        nothing = f"column {column.name!r}: holds no values"
        return Contents(column.name, "empty", missing, "", nothing)
    low, high = present.min(), present.max()
    if low == high:
        return Contents(column.name, "constant", missing, f"{low:.6g}")
    if column.kind() is Kind.BOOLEANS:
        return Contents(column.name, "boolean", missing, "false, true")
    return Contents(column.name, "number", missing, f"{low:.6g} to {high:.6g}")


def _of_text(column: Column, factor: Factor) -> Contents:
    words = sorted(str(value) for value in factor.values)
    missing = int((factor.codes < 0).sum())
    first = int(np.argmax(factor.codes >= 0))
    cell = f"{column.place.row(first)}, column {column.name!r}"
    example = repr(factor.values[factor.codes[first]])
    kind, shown, is_what = "text", f"{len(words):,} different", "is not a number"
    if all(_TIMESTAMP.fullmatch(word) for word in words):
        kind, is_what = "timestamp", "is a timestamp, not a number"
        shown = f"{listed(words[:1])} to {listed(words[-1:])}"
    elif column.place.lines is not None and all(_DECIMAL.fullmatch(word) for word in words):
        kind, shown = "decimals", "after a comma" if "," in words[0] else "after a point"
    elif len(words) <= LEVELS:
        kind, shown = "constant" if len(words) == 1 else "category", listed(words)
    problem = f"{cell}: {example} {is_what}"
    return Contents(column.name, kind, missing, shown, problem, len(words))


def is_no_number(column: Column) -> bool:
    """Whether a column is nothing that numbers could be made of."""
    try:
        return column.kind() is Kind.TEXT
    except DataError:
        return True


def refuse_others(table: Table, inputs: Sequence[Column]) -> None:
    """One DataError for all inputs that hold no numbers, and what to type."""
    wrong = [contents_of(column) for column in inputs if is_no_number(column)]
    if wrong and table.roles is not None:  # of arrays no column can be chosen
        raise DataError(f"{table.place.source}, {wrong[0].problem}; inputs are numbers")
    if wrong:
        found = "; ".join(each.problem for each in wrong)
        raise DataError(f"{table.place.source}, {found}; inputs are numbers: {remedies(wrong)}")


def remedies(wrong: Sequence[Contents]) -> str:
    """What can be done about columns that are no inputs as they are."""
    words, times = (
        [each.name for each in wrong if each.kind == kind] for kind in ("category", "timestamp")
    )
    known = {"category", "timestamp", "decimals"}
    others = [each.name for each in wrong if each.kind not in known]
    spelled = dict.fromkeys(each.shown for each in wrong if each.kind == "decimals")
    signs = {"after a comma": ",", "after a point": "."}
    ways = [f"{argument('decimal', signs[each])} where decimals stand {each}" for each in spelled]
    if words:
        ways.append(f"{said('categories', words)} makes an input of each word")
    if times:
        ways.append(
            "of timestamps make columns of numbers, such as hour and day of the week or seconds "
            f"since the start, or leave them out: {said('ignore', times)}"
        )
    if others:
        ways.append(f"{said('ignore', others)} leaves out what is of no use")
    return "; ".join(ways)


def not_numbers(table: Table) -> str:
    """A remark on those columns of a table that hold none, empty if there are none."""
    wrong = [contents_of(column) for column in table.columns if is_no_number(column)]
    if not wrong:
        return ""
    names = listed([f"{each.name!r} ({each.kind})" for each in wrong])
    return f". {counted(len(wrong), 'column holds', 'columns hold')} no numbers: {names}"
