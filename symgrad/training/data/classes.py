"""Targets: classes as numbers of outputs, or numbers as they are.

A network with several outputs and data with one target column is a classification, and so is a
network with one output when that column holds names, booleans, or nothing but 0 and 1. A class
becomes the number of an output: numbers by value, text by code points, and false before true; or
the output that the spec calls by the class.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.from_csv import is_code
from symgrad.training.data.table import Column, Factor, Kind, Table, counted, listed
from symgrad.training.labels import problem
from symgrad.training.module import Array, output_names, outputs, takes_classes
from symgrad.training.trained import Label

Labels = tuple[Label, ...]


def raw_targets(columns: Sequence[Column], spec: Mapping[str, Any]) -> Array | Factor:
    """The factor of a column that can hold nothing but classes, or else numbers of shape (rows,
    targets)."""
    if len(columns) == 1:
        column = columns[0]
        several = outputs(spec) > 1 and takes_classes(spec)
        if several or column.kind() is not Kind.NUMBERS:
            return column.factor()
    return np.column_stack([column.numbers() for column in columns])


def known_targets(columns: Sequence[Column], labels: Labels | None) -> Array | Factor:
    """The targets as training had them: a factor if they were one column of classes."""
    if labels is None or len(columns) > 1:
        return np.column_stack([column.numbers() for column in columns])
    return columns[0].factor(like=kind_of(labels))


def kind_of(labels: Labels) -> Kind:
    """What a column holds in which these labels were found."""
    if all(isinstance(label, str) and is_code(label) for label in labels):
        return Kind.CODES
    kinds = {str: Kind.TEXT, bool: Kind.BOOLEANS}
    return kinds.get(type(labels[0]), Kind.NUMBERS)


def absent(targets: Array | Factor) -> Array:
    """Where values are missing, of shape (rows, targets)."""
    if isinstance(targets, Factor):
        return (targets.codes < 0)[:, None]
    return np.isnan(targets)


def encoded(
    table: Table,
    columns: Sequence[Column],
    raw: Array | Factor,
    rows: Array,
    spec: Mapping[str, Any],
) -> tuple[Array, Labels | None]:
    """Targets of shape (samples, outputs) for these rows, none of them missing, and the labels if
    they are classes."""
    if isinstance(raw, Factor):
        return _classes(columns[0], raw, rows, spec)
    t = raw[rows]
    if not takes_classes(spec):
        return t, None
    if t.shape[1] == 1 and _are_classes(t, spec):
        # Not the numbers: what the source has may be spelled otherwise, or be more exact. Two are
        # told apart by one output; where 1 and 1.0 stand beside 0, numbers they are.
        factor = columns[0].factor()
        values = factor.take(rows).values
        if len(values) == 2 or not any(isinstance(value, str) for value in values):
            return _classes(columns[0], factor, rows, spec)
    if t.shape[1] == 1 or not np.isin(t, (0, 1)).all():
        return t, None
    if (t.sum(axis=1) != 1).any():
        return t, None
    if table.named:
        return t, tuple(column.name for column in columns)
    return t, output_names(spec) or tuple(range(len(columns)))


def _are_classes(t: Array, spec: Mapping[str, Any]) -> bool:
    """Whether the targets of one output are two classes. Counts may well be 0 and 1 only, and a
    poisson loss is for counts; the likes of 1 and 2 are classes to a person, and nonsense to a
    binary cross entropy, which wants probabilities."""
    match spec["loss"].get("kind"):
        case "poisson":
            return False
        case "binary_cross_entropy":
            return bool((t == np.floor(t)).all())
    return bool(np.isin(t, (0, 1)).all())


def _classes(
    column: Column, raw: Factor, rows: Array, spec: Mapping[str, Any]
) -> tuple[Array, Labels]:
    factor, count = raw.take(rows), outputs(spec)
    values = _checked(column, factor, rows, count)
    needed = max(count, 2)
    kinds = {type(value) for value in values}
    distinct = sorted(values)
    if kinds == {int} and distinct[0] >= 0 and distinct[-1] < needed:
        labels: Labels = tuple(range(needed))
    elif kinds == {bool}:
        labels = (False, True)
    elif count > 1 and {*distinct} <= {*(output_names(spec) or ())}:
        labels = output_names(spec) or ()
    else:
        labels = tuple(distinct)
    if len(labels) != needed:
        raise DataError(
            f"{column.place.column(column.name)}: {counted(len(labels), 'class', 'classes')} "
            f"({listed(labels)}), but {needed} are needed: "
            + (
                "the one output tells two apart"
                if count == 1
                else f"the last layer has {count} units, one for each"
            )
        )
    return _one_hot(factor, {label: number for number, label in enumerate(labels)}, count), labels


def _checked(column: Column, factor: Factor, rows: Array, count: int) -> list[Any]:
    """The values, of one kind; DataError for a number that is not whole, and what is no label."""
    for code, value in enumerate(factor.values):
        place = column.place.cell(int(rows[factor.first(code)]), column.name)
        if isinstance(value, float):
            raise DataError(
                f"{place}: '{value:g}' is no class; the network has "
                f"{counted(count, 'output')}, and the one target column for them must hold "
                "integers or names"
            )
        if wrong := problem(value):
            raise DataError(f"{place}: the label {wrong}")
    return list(factor.values)


def recoded(
    columns: Sequence[Column], raw: Array | Factor, spec: Mapping[str, Any], labels: Labels | None
) -> Array:
    """Targets of shape (samples, outputs), with the labels of training; none may be missing."""
    if isinstance(raw, Factor):
        assert labels is not None
        column, number_of = columns[0], {label: number for number, label in enumerate(labels)}
        for code, value in enumerate(raw.values):
            if value not in number_of:
                place = column.place.cell(raw.first(code), column.name)
                raise DataError(
                    f"{place}: {value!r} is none of the classes of training ({listed(labels)})"
                )
        return _one_hot(raw, number_of, outputs(spec))
    if labels is not None:
        one_hot = np.isin(raw, (0, 1)).all(axis=1) & (raw.sum(axis=1) == 1)
        for row in np.flatnonzero(~one_hot):
            raise DataError(
                f"{columns[0].place.source}, {columns[0].place.row(int(row))}: the targets are no "
                f"class: one of {listed([column.name for column in columns])} must be 1 and the "
                "others 0"
            )
    return raw


def _one_hot(factor: Factor, number_of: Mapping[Any, int], count: int) -> Array:
    """One column a class, 1 for a sample's own and 0 elsewhere; for one output the class itself."""
    classes = np.array([number_of[value] for value in factor.values])[factor.codes]
    if count == 1:
        return classes[:, None].astype(np.float64)
    t = np.zeros((len(classes), count))
    t[np.arange(len(classes)), classes] = 1
    return t
