"""Reads data for a network, to train it and to use it again.

Whatever does not fit is refused by one DataError that says where it stands and what to do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.classes import absent, encoded, known_targets, raw_targets, recoded
from symgrad.training.data.from_arrays import from_array, from_npy, from_npz, from_tuple
from symgrad.training.data.from_arrow import from_arrow, from_parquet, is_arrow
from symgrad.training.data.from_csv import from_csv
from symgrad.training.data.from_frame import from_frame, is_pandas
from symgrad.training.data.missing import TO_PREDICT, Gaps, check_way, kept, refuse
from symgrad.training.data.ranges import refuse_outside
from symgrad.training.data.roles import roles_to_predict, roles_to_train
from symgrad.training.data.samples import Samples
from symgrad.training.data.table import Column, Table
from symgrad.training.module import Array, input_names, output_names, takes_weights
from symgrad.training.trained import Columns, Trained

SUFFIXES = ".csv, .parquet, .npz or .npy"
TEXT_INPUT = (
    "; inputs are numbers: give each category a column of its own, 1 where it applies and 0 "
    "elsewhere"
)


def read(
    source: Any,
    spec: Mapping[str, Any],
    targets: Sequence[str] = (),
    weight: str | None = None,
    missing: str = "refuse",
) -> Samples:
    """Samples to train the network of `spec` (a module's SPEC) on.

    `source` is the path of a .csv, .parquet, .npz or .npy file, a frame (of pandas, or of a library
    that speaks Arrow's stream interface), a tuple of arrays (x, t) or (x, t, w), or one array.

    `targets` names target columns; else they are those that the spec's outputs are called, or the
    last ones. Where the spec names its inputs, and the data its columns, inputs are found by name.
    `weight` names the column (or the array of an NPZ archive) of sample weights, for specs that
    take them; without it an array `w` is used, or ones.

    `missing` says what becomes of samples with missing values: `refuse`; `drop` them; or `mean`,
    which leaves missing inputs NaN for `Scaling.fill` and drops samples without a target or weight.

    Raises DataError for everything that cannot be read or does not fit.
    """
    check_way(missing)
    targets = (targets,) if isinstance(targets, str) else targets
    if weight is not None and not takes_weights(spec):
        raise DataError(
            f"a weight column {weight!r} is given, but the spec does not take any; "
            "write sample_weights = true under [loss]"
        )
    table = _opened(source, weight or "w")
    roles, notes = roles_to_train(table, spec, targets, weight)
    inputs = [table.columns[column] for column in roles.inputs]
    target_columns = [table.columns[column] for column in roles.targets]
    x = _inputs(table, inputs)
    raw = raw_targets(target_columns, spec)
    w = weight_column = None
    if roles.weight is not None:
        if takes_weights(spec):
            weight_column = table.columns[roles.weight]
            w = _weights(weight_column)
        else:
            notes += (
                f"array {table.columns[roles.weight].name!r} is not used: the spec takes no sample "
                "weights (sample_weights = true under [loss])",
            )
    rows, dropped = kept(
        table.place,
        _gaps(inputs, np.isnan(x)),
        _gaps(target_columns, absent(raw))
        + ([] if w is None or weight_column is None else [Gaps(weight_column.name, np.isnan(w))]),
        missing,
    )
    t, labels = encoded(table, target_columns, raw, rows, spec)
    if labels is None:
        refuse_outside(target_columns, t, rows, spec)
    return Samples(
        x[rows],
        t,
        _final_weights(table, w, rows, spec),
        Columns(
            _names(table, inputs, input_names(spec)),
            _names(table, target_columns, output_names(spec)),
            None if weight_column is None else weight_column.name,
            labels,
        ),
        notes + dropped,
    )


def read_to_predict(source: Any, trained: Trained) -> Samples:
    """Samples for a network that is trained, in the columns that training had.

    `source` is as for `read`. Columns are found by name where there are names, and others ignored;
    targets and weights are there or not (`t` is None where they are not, or where some are
    missing), and classes become the numbers that they had in training. No sample is dropped.

    Raises DataError for an input that is not there, a class that training did not know, and missing
    inputs, unless the training filled them.
    """
    spec, columns = trained.spec, trained.columns
    table = _opened(source, columns.weight or "w")
    roles, notes = roles_to_predict(table, spec, columns)
    inputs = [table.columns[column] for column in roles.inputs]
    x = _inputs(table, inputs)
    if trained.scaling.fill is None:
        refuse(table.place, _gaps(inputs, np.isnan(x)), TO_PREDICT)
    t, rows = None, np.arange(len(table))
    if roles.targets:
        target_columns = [table.columns[column] for column in roles.targets]
        raw = known_targets(target_columns, columns.labels)
        holes = [gap for gap in _gaps(target_columns, absent(raw)) if gap.count]
        if holes:
            notes += (f"targets not used, for some are missing: {', '.join(map(str, holes))}",)
        else:
            t = recoded(target_columns, raw, spec, columns.labels)
    w = None
    if roles.weight is not None and takes_weights(spec):
        column = table.columns[roles.weight]
        w = _weights(column)
        refuse(table.place, [Gaps(column.name, np.isnan(w))], "each sample needs a weight")
    return Samples(x, t, _final_weights(table, w, rows, spec), columns, notes)


def _opened(source: Any, weight: str) -> Table:
    if isinstance(source, str | Path):
        return _opened_file(Path(source), weight)
    if is_pandas(source):
        table = from_frame(source)
    elif is_arrow(source):
        table = from_arrow(source)
    elif isinstance(source, tuple):
        table = from_tuple(source)
    elif isinstance(source, np.ndarray):
        table = from_array(source)
    else:
        raise DataError(
            f"data of type {type(source).__name__}; expected the path of a {SUFFIXES} file, a "
            "frame, or arrays (x, t)"
        )
    return _with_samples(table)


def _opened_file(path: Path, weight: str) -> Table:
    try:
        match path.suffix.lower():
            case ".csv":
                return from_csv(path)
            case ".parquet":
                return _with_samples(from_parquet(path))
            case ".npz":
                return from_npz(path, weight)
            case ".npy":
                return from_npy(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    raise DataError(f"{path}: expected a {SUFFIXES} file")


def _with_samples(table: Table) -> Table:
    if not len(table):
        raise DataError(f"{table.place.source}: columns and no samples")
    return table


def _inputs(table: Table, columns: Sequence[Column]) -> Array:
    x = np.empty((len(table), len(columns)))
    for number, column in enumerate(columns):
        x[:, number] = column.numbers(TEXT_INPUT)
    return x


def _names(
    table: Table, columns: Sequence[Column], named: tuple[str, ...] | None
) -> tuple[str, ...]:
    """What columns are called: as in the data where it has names, else as in the spec if it has
    any. One column with classes is none of the outputs."""
    if table.named or named is None or len(named) != len(columns):
        return tuple(column.name for column in columns)
    return named


def _gaps(columns: Sequence[Column], masks: Array) -> list[Gaps]:
    return [Gaps(column.name, masks[:, c]) for c, column in enumerate(columns)]


def _weights(column: Column) -> Array:
    w = column.numbers()
    for row in np.flatnonzero(w < 0):
        raise DataError(
            f"{column.place.cell(int(row), column.name)}: the weight {w[row]:g} is negative"
        )
    return w


def _final_weights(
    table: Table, w: Array | None, rows: Array, spec: Mapping[str, Any]
) -> Array | None:
    """The weights of these rows; ones where there are none but the spec takes them."""
    if not takes_weights(spec):
        return None
    if w is None:
        return np.ones(len(rows))
    if not w[rows].any():
        raise DataError(f"{table.place.source}: all sample weights are 0")
    return w[rows]
