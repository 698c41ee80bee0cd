"""Data files into arrays: inputs x, targets t, and sample weights w where the spec wants them.

Two kinds of files:

    .csv   UTF-8, a header, one sample a row. The last columns are the targets, unless they are
           named; all others are inputs, in the order of the file.
    .npz   arrays `x` (samples, inputs) and `t` (samples, outputs) or (samples,), and perhaps the
           sample weights `w` (samples,).

A network with several outputs and data with one target column is a classification: the column
holds classes, as text or as integers, and becomes one column a class, 1 for the sample's own and
0 elsewhere (one-hot). Whatever does not fit is refused, with the line or row where it stands.
"""

import csv
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.module import Array, outputs, takes_weights

# What stands for a missing value among classes (one may well be called "none") and among numbers.
MISSING_CLASSES = {"", "?"}
MISSING_NUMBERS = MISSING_CLASSES | {"na", "n/a", "nan", "null", "none"}


@dataclass(frozen=True)
class Data:
    """Samples, one a row, in float64; training converts them to the network's own dtype.

    `labels` are the names of the classes, in the order of the columns of t, when the data is a
    classification; two names for a network with one output, for the targets 0 and 1.
    """

    x: Array  # (samples, inputs)
    t: Array  # (samples, outputs)
    w: Array | None = None  # (samples,), if and only if the spec says sample_weights = true
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array) -> "Data":
        """The samples of these row numbers, in this order."""
        w = None if self.w is None else self.w[rows]
        return replace(self, x=self.x[rows], t=self.t[rows], w=w)

    @property
    def classes(self) -> Array | None:
        """The class number of each sample, or None when this is no classification."""
        if self.labels is None:
            return None
        return self.t[:, 0].astype(np.int64) if self.t.shape[1] == 1 else self.t.argmax(axis=1)


def read(
    path: str | Path,
    spec: Mapping[str, Any],
    targets: Sequence[str] = (),
    weight: str | None = None,
) -> Data:
    """Reads a data file for the network of `spec` (a module's SPEC).

    `targets` names target columns and `weight` the column (CSV) or array (NPZ) of sample weights;
    raises DataError for everything that cannot be read or does not fit.
    """
    path = Path(path)
    if weight is not None and not takes_weights(spec):
        raise DataError(
            f"a weight column {weight!r} is given, but the spec does not take any; "
            "write sample_weights = true under [loss]"
        )
    try:
        match path.suffix.lower():
            case ".csv":
                data = _read_csv(path, spec, targets, weight)
            case ".npz":
                data = _read_npz(path, spec, targets, weight)
            case _:
                raise DataError(f"{path}: expected a .csv or an .npz file")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if takes_weights(spec) and data.w is None:
        data = replace(data, w=np.ones(len(data)))
    return data


def split(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """A training part and a test part with `share` of the samples, the same for the same seed.

    In a classification every class gives its share to the test part (the split is stratified), but
    always keeps one sample for training. A share of 0 leaves the test part empty.
    """
    if not 0 <= share < 1:
        raise DataError(f"the test share must be at least 0 and less than 1, not {share}")
    random = np.random.default_rng(seed)
    samples, wanted = len(data), round(share * len(data))
    if wanted == samples:
        raise DataError(f"a test share of {share} leaves none of the {samples} samples to train on")
    classes = data.classes
    groups = (
        [np.arange(samples)]
        if classes is None
        else [np.flatnonzero(classes == c) for c in np.unique(classes)]
    )
    # Largest remainders: whole samples a class whose sum is what was wanted, if that is possible.
    exact = np.array([len(group) * wanted / samples for group in groups])
    most = np.array([len(group) - 1 for group in groups])
    counts = np.minimum(np.floor(exact).astype(np.int64), most)
    for group in np.argsort(-(exact - np.floor(exact)), kind="stable"):
        if counts.sum() < wanted and counts[group] < most[group]:
            counts[group] += 1
    test = np.zeros(samples, dtype=bool)
    for group, count in zip(groups, counts, strict=True):
        test[random.permutation(group)[:count]] = True
    return data.take(np.flatnonzero(~test)), data.take(np.flatnonzero(test))


# ---------------------------------------------------------------------------------------------- CSV


@dataclass(frozen=True)
class _Table:
    """The cells of a CSV file, and the line that each of its rows ends on."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def error(self, row: int, column: int, problem: str) -> DataError:
        return DataError(
            f"{self.path}, line {self.lines[row]}, column {self.header[column]!r}: {problem}"
        )

    def cell(self, row: int, column: int, missing: set[str]) -> str:
        text = self.rows[row][column].strip()
        if text.lower() in missing:
            raise self.error(row, column, f"the value is missing ({text!r})")
        return text

    def texts(self, column: int) -> list[str]:
        return [self.cell(row, column, MISSING_CLASSES) for row in range(len(self.rows))]

    def numbers(self, column: int) -> Array:
        values = np.empty(len(self.rows))
        for row in range(len(self.rows)):
            text = self.cell(row, column, MISSING_NUMBERS)
            value = _number(text)
            if value is None:
                raise self.error(row, column, f"{text!r} is not a number")
            if not math.isfinite(value):
                raise self.error(row, column, f"{text!r} is not finite")
            values[row] = value
        return values


def _number(text: str) -> float | None:
    """The number that a cell spells, or None; Python's 1_000 is not one."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _read_csv(
    path: Path, spec: Mapping[str, Any], targets: Sequence[str], weight: str | None
) -> Data:
    table = _read_table(path)
    weight_column = None if weight is None else _find(table, weight)
    target_columns = _target_columns(table, spec, targets, weight_column)
    input_columns = [
        column
        for column in range(len(table.header))
        if column not in target_columns and column != weight_column
    ]
    if len(input_columns) != spec["inputs"]:
        raise DataError(
            f"{path}: {_columns(len(input_columns))} left for the inputs "
            f"({', '.join(table.header[column] for column in input_columns) or 'none'}), "
            f"but the network takes {spec['inputs']}"
        )
    x = np.column_stack([table.numbers(column) for column in input_columns])
    t, labels = _csv_targets(table, target_columns, outputs(spec))
    w = None
    if weight_column is not None:
        w = table.numbers(weight_column)
        for row in np.flatnonzero(w < 0):
            raise table.error(int(row), weight_column, f"the weight {w[row]:g} is negative")
    return Data(x, t, _checked_weights(path, w), labels)


def _read_table(path: Path) -> _Table:
    rows: list[list[str]] = []
    lines: list[int] = []
    # utf-8-sig drops the mark that some spreadsheets write before the first column's name.
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        try:
            for cells in reader:
                if cells:  # an empty line is none
                    rows.append(cells)
                    lines.append(reader.line_num)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: not UTF-8 near line {reader.line_num + 1} ({error.reason}); "
                "save it as UTF-8"
            ) from error
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise DataError(f"{path}: the file is empty")
    header = [name.strip() for name in rows[0]]
    if all(_number(name) is not None for name in header):
        raise DataError(f"{path}, line {lines[0]}: numbers where the names of columns should stand")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}, line {lines[0]}: two columns are called {name!r}")
    if len(rows) == 1:
        raise DataError(f"{path}: a header and no samples")
    for cells, line in zip(rows[1:], lines[1:], strict=True):
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: {_cells(len(cells))}, but the header names {len(header)}"
            )
    return _Table(path, header, rows[1:], lines[1:])


def _find(table: _Table, name: str) -> int:
    if name not in table.header:
        raise DataError(
            f"{table.path}: no column {name!r}; there are {', '.join(table.header)}"
        )
    return table.header.index(name)


def _target_columns(
    table: _Table, spec: Mapping[str, Any], targets: Sequence[str], weight_column: int | None
) -> list[int]:
    """The columns named, or the last ones: as many as are left when the inputs are taken away."""
    count = outputs(spec)
    if targets:
        columns = [_find(table, name) for name in targets]
        for name in targets:
            if list(targets).count(name) > 1:
                raise DataError(f"{table.path}: the target {name!r} is named twice")
        if weight_column in columns:
            raise DataError(
                f"{table.path}: {table.header[weight_column]!r} cannot be both target and weight"
            )
    else:
        left = [column for column in range(len(table.header)) if column != weight_column]
        columns = left[spec["inputs"] :]
    if len(columns) not in (1, count):
        found = f"{_columns(len(columns))} named as targets"
        if not targets:
            found = (
                f"{_columns(len(left))} hold {spec['inputs']} inputs and "
                f"{_columns(len(columns))} of targets"
            )
        or_class = "" if count == 1 else ", or 1 with the class"
        raise DataError(f"{table.path}: {found}; the network needs {count} targets{or_class}")
    return columns


def _csv_targets(
    table: _Table, columns: list[int], count: int
) -> tuple[Array, tuple[str, ...] | None]:
    if len(columns) == 1:
        column = columns[0]
        texts, place = table.texts(column), f"{table.path}, column {table.header[column]!r}"
        numbers = [_number(text) for text in texts]
        if count > 1:
            return _one_hot(place, texts, count)
        if all(number is None for number in numbers):
            return _two_classes(place, texts)
    t = np.column_stack([table.numbers(column) for column in columns])
    return t, _labels_of(t, [table.header[column] for column in columns])


# ---------------------------------------------------------------------------------------------- NPZ


def _read_npz(
    path: Path, spec: Mapping[str, Any], targets: Sequence[str], weight: str | None
) -> Data:
    if targets:
        raise DataError(f"{path}: only a CSV file's targets are named; here they are the array 't'")
    arrays = _read_arrays(path, ["x", "t"], [weight or "w"])
    x, t, w = arrays["x"], arrays["t"], arrays.get(weight or "w")
    if weight is not None and w is None:
        raise DataError(f"{path}: no array {weight!r}")
    count = outputs(spec)
    if x.ndim != 2 or x.shape[1] != spec["inputs"]:
        raise DataError(
            f"{path}: x has the shape {x.shape}; expected (samples, {spec['inputs']})"
        )
    if not len(x):
        raise DataError(f"{path}: x holds no samples")
    if t.ndim not in (1, 2) or len(t) != len(x):
        raise DataError(
            f"{path}: t has the shape {t.shape} and x {x.shape}; expected {len(x)} rows in both"
        )
    labels: tuple[str, ...] | None
    if t.ndim == 2 and t.shape[1] not in (1, count):
        or_label = "" if count == 1 else f" or ({len(x)},) with the class"
        raise DataError(
            f"{path}: t has the shape {t.shape}; expected ({len(x)}, {count}){or_label}"
        )
    if t.ndim == 1 or t.shape[1] == 1:
        t, place = t.reshape(-1), f"{path}, array 't'"
        if t.dtype.kind == "U" and count == 1:
            t, labels = _two_classes(place, t.tolist())
        elif t.dtype.kind == "U" or count > 1:
            texts = t if t.dtype.kind == "U" else _numeric(path, "t", t)
            t, labels = _one_hot(place, [str(value) for value in texts.tolist()], count)
        else:
            t = _numeric(path, "t", t.reshape(-1, 1))
            labels = _labels_of(t, ["t"])
    else:
        t = _numeric(path, "t", t)
        labels = _labels_of(t, [str(c) for c in range(count)])
    if not takes_weights(spec):
        w = None
    if w is not None:
        if w.shape != (len(x),):
            raise DataError(f"{path}: w has the shape {w.shape}; expected ({len(x)},)")
        w = _numeric(path, weight or "w", w)
        for row in np.flatnonzero(w < 0):
            raise DataError(f"{path}: the weight of row {row} is negative ({w[row]:g})")
    return Data(_numeric(path, "x", x), t, _checked_weights(path, w), labels)


def _read_arrays(path: Path, required: list[str], optional: list[str]) -> dict[str, Array]:
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: no NPZ archive, as numpy.savez(file, x=…, t=…) writes it")
    try:
        # Without pickles a data file can hold numbers and text, and no code that loading would run.
        with np.load(path, allow_pickle=False) as file:
            there = ", ".join(file.files) or "nothing"
            missing = [name for name in required if name not in file.files]
            names = [name for name in [*required, *optional] if name in file.files]
            arrays = {} if missing else {name: file[name] for name in names}
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: holds Python objects (a pickle), which could run code when loaded; "
                "store plain arrays of numbers"
            ) from error
        raise DataError(f"{path}: damaged ({error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(f"{path}: damaged ({error})") from error
    if missing:
        raise DataError(f"{path}: no array {missing[0]!r}; the archive holds {there}")
    return arrays


def _numeric(path: Path, name: str, array: Array) -> Array:
    """The array in float64; every element must be a finite number."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} is of dtype {array.dtype}; expected real numbers")
    array = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = ", ".join(map(str, bad[0]))
        raise DataError(f"{path}: {name}[{where}] is {array[tuple(bad[0])]:g}; expected a number")
    return np.ascontiguousarray(array)


# ------------------------------------------------------------------------------------------- common


def _one_hot(place: str, texts: Sequence[str], count: int) -> tuple[Array, tuple[str, ...]]:
    """Classes, one a sample, as one column a class: 1 for the sample's own, 0 elsewhere.

    Integers from 0 to count − 1 are column numbers as they are, so that a class may be absent;
    other integers are taken in their order, and text in the alphabet's.
    """
    numbers = [_number(text) for text in texts]
    names: list[str] = list(texts)
    if all(number is not None for number in numbers):
        for text, number in zip(texts, numbers, strict=True):
            if number is None or not math.isfinite(number) or number != int(number):
                raise DataError(
                    f"{place}: {text!r} is no class; the network has {count} outputs, and the one "
                    "target column for them must hold integers or names"
                )
        integers = [int(number) for number in numbers if number is not None]
        names = [str(integer) for integer in integers]
        distinct = sorted(set(integers))
        if distinct[0] >= 0 and distinct[-1] < count:
            distinct = list(range(count))
        labels = tuple(map(str, distinct))
    else:
        labels = tuple(sorted(set(names)))
    if len(labels) != count:
        some = ", ".join(labels[:12]) + (", …" if len(labels) > 12 else "")
        raise DataError(f"{place}: {len(labels)} classes ({some}), but {count} are needed")
    number_of = {label: number for number, label in enumerate(labels)}
    t = np.zeros((len(names), count))
    t[np.arange(len(names)), [number_of[name] for name in names]] = 1
    return t, labels


def _two_classes(place: str, texts: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Two classes for one output: 0 for the first in the alphabet, 1 for the other."""
    t, labels = _one_hot(place, texts, 2)
    return t[:, 1:].copy(), labels


def _labels_of(t: Array, names: list[str]) -> tuple[str, ...] | None:
    """Names for the classes of targets that are one-hot already, or 0 and 1; else None."""
    if not np.isin(t, (0, 1)).all():
        return None
    if t.shape[1] == 1:
        return ("0", "1")
    return tuple(names) if (t.sum(axis=1) == 1).all() else None


def _checked_weights(path: Path, w: Array | None) -> Array | None:
    if w is not None and not w.sum() > 0:
        raise DataError(f"{path}: all sample weights are 0")
    return w


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
