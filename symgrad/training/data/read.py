"""Reads data for a network, to train it and to use it again.

Whatever does not fit is refused by one DataError that says where it stands and what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.categories import Category, width, with_categories, with_levels
from symgrad.training.data.categories import notes as notes_on_categories
from symgrad.training.data.class_weights import balanced
from symgrad.training.data.classes import absent, encoded, known_targets, raw_targets, recoded
from symgrad.training.data.contents import refuse_others
from symgrad.training.data.csv_format import DECIMAL, SEPARATOR, Format
from symgrad.training.data.missing import Gaps, check_way, kept, refuse, to_predict
from symgrad.training.data.opening import with_table
from symgrad.training.data.ranges import refuse_outside
from symgrad.training.data.roles import roles_to_predict, roles_to_train
from symgrad.training.data.samples import Samples
from symgrad.training.data.selection import NAMES, Selection, chosen, names, without
from symgrad.training.data.table import Column, Table
from symgrad.training.module import Array, input_names, takes_weights, target_names
from symgrad.training.trained import Columns, Trained

ALL = Selection()


def read(
    source: Any, spec: Mapping[str, Any], selection: Selection = ALL, **further: Any
) -> Samples:
    """Samples to train the network of `spec` (a module's SPEC) on.

    `source` is the path of a .csv, .parquet, .npz or .npy file, paths or a pattern of several CSV
    files, a frame (of pandas, or of a library that speaks Arrow's stream interface), a tuple of
    arrays (x, t) or (x, t, w), or one array.

    What `further` names goes over the selection. `targets` names target columns; else they are
    those that the spec's outputs are called, or the last ones. Where the spec names its inputs, and
    the data its columns, inputs are found by name; else `inputs` may name them, and `ignore` what
    is neither; both may be patterns. `categories` are inputs that are words. `weight` names the
    column (or the array of an NPZ archive) of sample weights, for specs that take them; without it
    an array `w` is used, or ones; `class_weight` "balanced" has all classes weigh the same.

    `missing` says what becomes of samples with missing values: `refuse`; `drop` them; or `mean`,
    which leaves missing inputs NaN for `Scaling.fill` and drops samples without a target or weight.

    Raises DataError for everything that cannot be read or does not fit.
    """
    further |= {key: names(further[key]) for key in NAMES if key in further}
    selection = replace(selection, **further)
    check_way(selection.missing)
    if selection.class_weight not in (None, "balanced"):
        raise DataError(f"class weights: {selection.class_weight!r} is not 'balanced'")
    if not takes_weights(spec):
        _refuse_weights(selection)
    wanted = Format.given(selection.separator, selection.decimal)
    return with_table(
        source, selection.weight or "w", wanted, lambda table: _read(table, spec, selection)
    )


def _refuse_weights(selection: Selection) -> None:
    given_weights = {"a weight column": selection.weight, "a class weight": selection.class_weight}
    for what, given in given_weights.items():
        if given is not None:
            raise DataError(
                f"{what} {given!r} is given, but the spec does not take any; "
                "write sample_weights = true under [loss]"
            )


def _read(table: Table, spec: Mapping[str, Any], selection: Selection) -> Samples:
    table = _with_choice(table, selection)
    roles, notes = roles_to_train(
        table, spec, selection.targets, selection.weight, selection.inputs
    )
    inputs = [table.columns[column] for column in roles.inputs]
    target_columns = [table.columns[column] for column in roles.targets]
    for column in target_columns:
        if isinstance(column, Category):
            raise DataError(f"{table.place.source}: {column.name!r} cannot be both category and "
                            "target; classes are targets as they are")  # fmt: skip
    table.load([*inputs, *target_columns])
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
        _gaps(inputs, np.isnan(x[:, _first_inputs(inputs)])),
        _gaps(target_columns, absent(raw))
        + ([] if w is None or weight_column is None else [Gaps(weight_column.name, np.isnan(w))]),
        selection.missing,
    )
    t, labels = encoded(table, target_columns, raw, rows, spec)
    if labels is None:
        refuse_outside(target_columns, t, rows, spec)
    weights = _final_weights(table, w, rows, spec)
    if selection.class_weight is not None:
        weights, of_classes = balanced(table, t, labels, weights)
        dropped += of_classes
    return Samples(
        x if len(rows) == len(x) else x[rows],
        t,
        weights,
        Columns(
            _names(table, inputs, input_names(spec)),
            _names(table, target_columns, target_names(spec)),
            None if weight_column is None else weight_column.name,
            labels,
            {each.name: each.levels for each in inputs if isinstance(each, Category)},
            None if table.separator == SEPARATOR else table.separator,
            None if table.decimal == DECIMAL else table.decimal,
        ),
        (*table.notes, *notes, *notes_on_categories(inputs), *dropped),
    )


def _with_choice(table: Table, selection: Selection) -> Table:
    """The table without what is to be ignored, and with categories as such."""
    for role in ("inputs", "ignore", "categories") if table.roles is not None else ():
        if getattr(selection, role):
            raise DataError(
                f"{table.place.source}: {role}: only a table's columns are named; here the inputs "
                "are the array 'x'"
            )
    table = without(table, selection.ignore)
    taken = {*selection.targets, selection.weight}
    return with_categories(table, chosen(table, selection.categories, "categories", taken))


def read_to_predict(source: Any, trained: Trained) -> Samples:
    """Samples for a network that is trained, in the columns that training had.

    `source` is as for `read`. Columns are found by name where there are names, and others ignored;
    targets and weights are there or not (`t` is None where they are not, or where some are
    missing), and classes become the numbers that they had in training. No sample is dropped.

    Raises DataError for an input that is not there, a class that training did not know, and missing
    inputs, unless the training filled them.
    """
    columns = trained.columns
    before = Format(columns.separator, columns.decimal, firm=False)
    return with_table(
        source, columns.weight or "w", before, lambda table: _read_to_predict(table, trained)
    )


def _read_to_predict(table: Table, trained: Trained) -> Samples:
    spec, columns = trained.spec, trained.columns
    roles, notes = roles_to_predict(table, spec, columns)
    if table.roles is None:
        # By their places: where columns only count, training had other names.
        levels = {
            table.names[place]: columns.categories[name]
            for place, name in zip(roles.inputs, columns.inputs, strict=True)
            if name in columns.categories
        }
        table = with_levels(table, levels)
    inputs = [table.columns[column] for column in roles.inputs]
    table.load(inputs)
    x = _inputs(table, inputs)
    if trained.scaling.fill is None:
        holes = np.isnan(x[:, _first_inputs(inputs)])
        refuse(table.place, _gaps(inputs, holes), to_predict())
    t, rows = None, np.arange(len(table))
    if roles.targets:
        target_columns = [table.columns[column] for column in roles.targets]
        raw = known_targets(target_columns, columns.labels)
        gaps = [gap for gap in _gaps(target_columns, absent(raw)) if gap.count]
        if gaps:
            notes += (f"targets not used, for some are missing: {', '.join(map(str, gaps))}",)
        else:
            t = recoded(target_columns, raw, spec, columns.labels)
    w = None
    if roles.weight is not None and takes_weights(spec):
        column = table.columns[roles.weight]
        w = _weights(column)
        refuse(table.place, [Gaps(column.name, np.isnan(w))], "each sample needs a weight")
    return Samples(x, t, _final_weights(table, w, rows, spec), columns, (*table.notes, *notes))


def _inputs(table: Table, columns: Sequence[Column]) -> Array:
    """The network's inputs, of shape (rows, inputs); a category is as many as it has levels."""
    refuse_others(table, [column for column in columns if not isinstance(column, Category)])
    if not any(isinstance(column, Category) for column in columns):
        return table.matrix(columns)
    plain = [column for column in columns if not isinstance(column, Category)]
    numbers = iter(table.matrix(plain).T)
    return np.column_stack(
        [c.one_hot() if isinstance(c, Category) else next(numbers) for c in columns]
    )


def _first_inputs(columns: Sequence[Column]) -> Any:
    """The first input of each column; all of them where none is a category."""
    widths = [width(column) for column in columns]
    return slice(None) if sum(widths) == len(widths) else np.cumsum([0, *widths[:-1]])


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
