"""Which columns of a table are inputs, targets and weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.errors import DataError
from symgrad.runtime.named import called_columns, inputs_of, targets_of
from symgrad.training.caller import told
from symgrad.training.data.categories import width
from symgrad.training.data.contents import not_numbers
from symgrad.training.data.from_arrays import is_counted
from symgrad.training.data.selection import chosen
from symgrad.training.data.table import Roles, Table, counted, listed
from symgrad.training.module import input_names, takes_classes, target_names
from symgrad.training.trained import Columns


def roles_to_train(
    table: Table,
    spec: Mapping[str, Any],
    targets: Sequence[str],
    weight: str | None,
    inputs: Sequence[str] = (),
) -> tuple[Roles, tuple[str, ...]]:
    """The roles of columns, and notes on what is not used.

    The targets are the columns named, or those that the spec's outputs are called, or the last
    ones: as many as are left when the inputs and the weight are taken away. The inputs are those of
    `inputs`, which are names or patterns, in this order; or the columns that the spec names, in any
    order; or all that are left. DataError if the numbers do not fit the network.
    """
    if table.roles is not None:
        return _of_arrays(table, table.roles, spec, targets, weight), ()
    named = input_names(spec)
    if named is not None and inputs:
        # What a formula of the spec calls u must be u in the data: one of the two has the say.
        raise DataError(
            "the spec names its inputs, and columns are found by these names; leave "
            f"{told('inputs', '--inputs')} out, or write their number in the spec"
        )
    if table.named:
        targets = targets or _targets_of_spec(table, spec)
        if named is not None:
            return _by_name(table, spec, named, targets, weight)
    if inputs:
        names = chosen(table, inputs, "inputs", {*targets, weight})
        return _by_name(table, spec, names, targets, weight)
    return _by_place(table, spec, targets, weight), ()


def _targets_of_spec(table: Table, spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The outputs that the spec names, if the table has a column for each; none of them where there
    may be one with classes instead."""
    named = target_names(spec) or ()
    there = [name for name in named if name in table.names]
    if there and len(there) < len(named):
        absent = [name for name in named if name not in there]
        raise DataError(
            f"{table.place.source}: no column {absent[0]!r}, an output of the spec"
            f"{_nor(absent)}; there are {listed(table.names)}"
        )
    return tuple(there)


def _by_name(
    table: Table,
    spec: Mapping[str, Any],
    named: Sequence[str],
    targets: Sequence[str],
    weight: str | None,
) -> tuple[Roles, tuple[str, ...]]:
    """Where the inputs are named: what is no target then need not be one of them."""
    source = table.place.source
    absent = [name for name in named if name not in table.names]
    if absent:
        raise DataError(
            f"{source}: no column {absent[0]!r}, an input of the spec{_nor(absent)}; there are "
            f"{listed(table.names)}"
        )
    for role, names in (("target", targets), ("weight", () if weight is None else (weight,))):
        for name in names:
            if name in named:
                raise DataError(f"{source}: {name!r} cannot be both input and {role}")
    rest = [name for name in table.names if name not in {*named, *targets, weight}]
    kept = [*named, *(targets or rest), *([] if weight is None else [weight])]
    found = _by_place(table.take(kept), spec, targets, weight)
    place = [table.index(name) for name in kept]
    roles = Roles(
        tuple(place[column] for column in found.inputs),
        tuple(place[column] for column in found.targets),
        None if found.weight is None else place[found.weight],
    )
    note = f"{counted(len(rest), 'column')} ({listed(rest)}): not used"
    return roles, (note,) if targets and rest else ()


def _nor(absent: Sequence[str]) -> str:
    return f" (nor {listed([repr(name) for name in absent[1:]])})" if absent[1:] else ""


def _by_place(
    table: Table, spec: Mapping[str, Any], targets: Sequence[str], weight: str | None
) -> Roles:
    """Where columns count: each is a target, an input or the weight."""
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
        target_columns = _after_inputs(table, left, inputs_of(spec))
        found = (
            f"{counted(len(left), 'column')} hold {counted(inputs_of(spec), 'input')} and "
            f"{counted(len(target_columns), 'column')} of targets"
        )
    count = targets_of(spec)
    classes = count > 1 and takes_classes(spec)
    if len(target_columns) not in ((1, count) if classes else (count,)):
        or_class = ", or 1 with the class" * classes
        raise DataError(
            f"{source}: {found}; the network needs {counted(count, 'target')}{or_class}"
            f"{not_numbers(table)}. {_which()}"
        )
    inputs = [column for column in left if column not in target_columns]
    made = sum(width(table.columns[column]) for column in inputs)
    if made != inputs_of(spec):
        as_many = f", which make {made} inputs" if made != len(inputs) else ""
        raise DataError(
            f"{source}: {counted(len(inputs), 'column')} left for the inputs "
            f"({listed([names[column] for column in inputs])}){as_many}, "
            f"but the network takes {inputs_of(spec)}{not_numbers(table)}. {_which()}"
            + (f"; or write inputs = {made} in the spec" if made else "")
        )
    return Roles(tuple(inputs), tuple(target_columns), weight_column)


def _which() -> str:
    options = told(
        "inputs=['A', 'B'] and targets='C', or ignore='D'", "--inputs A,B --target C, or --ignore D"
    )
    return f"Say which are which: {options}; symgrad data FILE shows all of them"


def _after_inputs(table: Table, left: list[int], inputs: int) -> list[int]:
    """The columns that are left when the first ones are so many inputs."""
    made = 0
    for place, column in enumerate(left):
        if made >= inputs:
            return left[place:]
        made += width(table.columns[column])
    return []


def _of_arrays(
    table: Table,
    roles: Roles,
    spec: Mapping[str, Any],
    targets: Sequence[str],
    weight: str | None,
) -> Roles:
    source, rows, count = table.place.source, len(table), targets_of(spec)
    if targets:
        raise DataError(f"{source}: only a table's targets are named; here they are the array 't'")
    if weight is not None and roles.weight is None:
        raise DataError(f"{source}: no array {weight!r}")
    if not roles.targets:
        raise DataError(f"{source}: no array 't'; training needs the targets")
    _check_inputs(table, roles, spec)
    classes = count > 1 and takes_classes(spec)
    if len(roles.targets) not in ((1, count) if classes else (count,)):
        or_label = f" or ({rows},) with the class" * classes
        raise DataError(
            f"{source}: t has the shape {(rows, len(roles.targets))}; "
            f"expected ({rows}, {count}){or_label}"
        )
    return roles


def _check_inputs(table: Table, roles: Roles, spec: Mapping[str, Any]) -> None:
    if len(roles.inputs) != inputs_of(spec):
        raise DataError(
            f"{table.place.source}: x has the shape {(len(table), len(roles.inputs))}; "
            f"expected (samples, {inputs_of(spec)}){called_columns(input_names(spec))}"
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
            f"{table.place.source}: no column {absent[0]!r}, an input in training{_nor(absent)}"
            f"; there are {listed(table.names)}"
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
    count, found = targets_of(spec), len(roles.targets)
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
