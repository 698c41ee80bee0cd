"""plain: plain data as Python source; and a spec, whose numbers of columns stand above it by names.

    X_SHIFT = [0.5, 10.0]                        as the spec has them
    x_shift = np.array(X_SHIFT, np.float32)      as functions read them
    SPEC = {'inputs': {'count': 2, 'shift': X_SHIFT}, …}
"""

import pprint
from collections.abc import Iterator, Mapping
from typing import Any

from symgrad.spec.scaling import KEYS

# The tables of a spec that have numbers of columns, and what the arrays are called by.
_TABLES = {"inputs": "X", "outputs": "Y"}


def plain(data: object) -> str:
    """Plain data as Python source: quoted and escaped by Python itself."""
    return pprint.pformat(data, sort_dicts=False, width=96, compact=True)


class _Name(str):
    """A name in plain data, in place of what it stands for."""

    def __repr__(self) -> str:
        return str(self)


def with_names(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A normalised spec with names for the numbers of columns."""
    named = dict(spec)
    for table, key, _ in _of_columns(spec):
        named[table] = {**named[table], key: _Name(_called(table, key))}
    return named


def constants(spec: Mapping[str, Any], dtype: str) -> Iterator[dict[str, str]]:
    """The numbers of columns under their names, and the arrays that functions read them from."""
    for table, key, numbers in _of_columns(spec):
        name = _called(table, key)
        array, of = name.lower(), f"np.array({name}, np.{dtype})"
        if key == "clip":
            letter = array[0]
            array, of = f"{letter}_low, {letter}_high", f"{of}.T.copy()"
        yield {"name": name, "numbers": plain(numbers), "array": array, "of": of}


def _called(table: str, key: str) -> str:
    return f"{_TABLES[table]}_{key.upper()}"


def _of_columns(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """What a spec has a number or a range of for each column: the table, the key, and the list."""
    for table in _TABLES:
        if not isinstance(given := spec.get(table), Mapping):
            continue
        for key in KEYS:
            value = given.get(key)
            if isinstance(value, list) and (key != "clip" or isinstance(value[0], list)):
                yield table, key, value
