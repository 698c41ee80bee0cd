"""Which columns of a table are inputs, targets and weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.errors import DataError
from symgrad.training.data.from_arrays import is_counted
from symgrad.training.data.table import Roles, Table, counted, listed
from symgrad.training.module import outputs
from symgrad.training.trained import Columns


def roles_to_train(
    table: Table, spec: Mapping[str, Any], targets: Sequence[str], weight: str | None
) -> Roles:
    """The targets are the columns named, or the last ones: as many as are left when the inputs and
    the weight are taken away. DataError if the numbers do not fit the network."""
    if table.roles is not None:
        return _of_arrays(table, table.roles, spec, targets, weight)
    source, names = table.place.source, table.names
    weight_column = None if weight is None else table.index(weight)
    left = [column for column in range(len(names)) if column != weight_column]
    if targets:
        target_columns = [table.index(name) for name in targets]
        for name in targets:
            if list(targets).count(name) > 1:
                raise DataError(f"{source}: the target {name!r} is named twice")
        if weight_column in target_columns:
            raise DataError(f"{source}: {weight!r} cannot be both target and weight")
        found = f"{counted(len(targets), 'column')} named as targets"
    else:
        target_columns = left[spec["inputs"] :]
        found = (
            f"{counted(len(left), 'column')} hold {counted(spec['inputs'], 'input')} and "
            f"{counted(len(target_columns), 'column')} of targets"
        )
    count = outputs(spec)
    if len(target_columns) not in (1, count):
        or_class = "" if count == 1 else ", or 1 with the class"
        raise DataError(
            f"{source}: {found}; the network needs {counted(count, 'target')}{or_class}"
        )
    inputs = [column for column in left if column not in target_columns]
    if len(inputs) != spec["inputs"]:
        raise DataError(
            f"{source}: {counted(len(inputs), 'column')} left for the inputs "
            f"({listed([names[column] for column in inputs])}), "
            f"but the network takes {spec['inputs']}"
        )
    return Roles(tuple(inputs), tuple(target_columns), weight_column)


def _of_arrays(
    table: Table,
    roles: Roles,
    spec: Mapping[str, Any],
    targets: Sequence[str],
    weight: str | None,
) -> Roles:
    source, rows, count = table.place.source, len(table), outputs(spec)
    if targets:
        raise DataError(f"{source}: only a table's targets are named; here they are the array 't'")
    if weight is not None and roles.weight is None:
        raise DataError(f"{source}: no array {weight!r}")
    if not roles.targets:
        raise DataError(f"{source}: no array 't'; training needs the targets")
    _check_inputs(table, roles, spec)
    if len(roles.targets) not in (1, count):
        or_label = "" if count == 1 else f" or ({rows},) with the class"
        raise DataError(
            f"{source}: t has the shape {(rows, len(roles.targets))}; "
            f"expected ({rows}, {count}){or_label}"
        )
    return roles


def _check_inputs(table: Table, roles: Roles, spec: Mapping[str, Any]) -> None:
    if len(roles.inputs) != spec["inputs"]:
        raise DataError(
            f"{table.place.source}: x has the shape {(len(table), len(roles.inputs))}; "
            f"expected (samples, {spec['inputs']})"
        )


def roles_to_predict(
    table: Table, spec: Mapping[str, Any], columns: Columns
) -> tuple[Roles, tuple[str, ...]]:
    """The columns that training had, by name where there are names, and notes on what is not used.

    Other columns may be there, in any order. Where training or the table had no names, columns
    count: the inputs alone, or the inputs and then the targets. DataError if an input is not there.
    """
    if table.roles is not None:
        _check_inputs(table, table.roles, spec)
        _check_targets(table, table.roles, spec, columns)
        return table.roles, ()
    numbers = {name: number for number, name in enumerate(table.names)}
    absent = [name for name in columns.inputs if name not in numbers]
    if not absent:
        roles = Roles(
            tuple(numbers[name] for name in columns.inputs),
            tuple(numbers[name] for name in columns.targets if name in numbers),
            numbers.get(columns.weight) if columns.weight is not None else None,
        )
        return _with_all_targets(roles, columns)
    inputs, targets = len(columns.inputs), len(columns.targets)
    if not (table.named and _named(columns)) and len(numbers) in (inputs, inputs + targets):
        roles = Roles(tuple(range(inputs)), tuple(range(inputs, len(numbers))))
        return roles, ()
    if table.named and _named(columns):
        raise DataError(
            f"{table.place.source}: no column {absent[0]!r}, an input in training"
            + (f" (nor {listed([repr(name) for name in absent[1:]])})" if absent[1:] else "")
            + f"; there are {listed(table.names)}"
        )
    raise DataError(
        f"{table.place.source}: {counted(len(numbers), 'column')}; expected the {inputs} of the "
        f"inputs ({listed(columns.inputs)}) in this order, or these and then "
        f"{listed(columns.targets)}"
    )


def _named(columns: Columns) -> bool:
    """Whether the data of training had names of its own."""
    return not all(is_counted(name) for name in columns.inputs)


def _check_targets(table: Table, roles: Roles, spec: Mapping[str, Any], columns: Columns) -> None:
    """Classes may come as one column or one-hot, whichever way they came in training."""
    count, found = outputs(spec), len(roles.targets)
    if found and found != count and (columns.labels is None or found != 1):
        raise DataError(
            f"{table.place.source}: t has the shape {(len(table), found)}; "
            f"expected ({len(table)}, {count})"
        )


def _with_all_targets(roles: Roles, columns: Columns) -> tuple[Roles, tuple[str, ...]]:
    """The roles, without targets that are not all there."""
    if len(roles.targets) in (0, len(columns.targets)):
        return roles, ()
    note = (
        f"{counted(len(roles.targets), 'target')} of {len(columns.targets)} "
        f"(training had {listed(columns.targets)}): not used"
    )
    return Roles(roles.inputs, (), roles.weight), (note,)
