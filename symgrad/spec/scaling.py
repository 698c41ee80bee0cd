"""Scaling: what stands between the units of the data and those of the network.

    a0[n,i0] = (min(max(x[n,i0], low), high) - shift)/scale      of inputs
    y[n,i2]  = min(max(a2[n,i2]·scale + shift, low), high)       of outputs

They are constants of a network, which training leaves as they are. Where they lie in a file of
arrays, `read_arrays` takes them from there, and a spec has the numbers.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias, cast

from pydantic import (
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from symgrad.errors import DataError
from symgrad.language.dtypes import Dtype, misfit, remedy
from symgrad.spec import limits
from symgrad.spec.formula import listed, quoted
from symgrad.spec.messages import Problem, Table, cleaned, refusal, refuse, shown
from symgrad.spec.parts import (
    Model,
    Names,
    number_or_names,
    or_names,
    schema_of_names,
    without_null,
)

# A number for all columns, or one for each.
Numbers: TypeAlias = float | tuple[float, ...]

# The least and the largest value, of all columns or of each.
Range: TypeAlias = tuple[float, float]
Ranges: TypeAlias = Range | tuple[Range, ...]

# The keys that may name an array in a file, in place of numbers.
KEYS = ("shift", "scale", "clip")
_FILE, _ARRAY = "file", "array"


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(f"must be a number, not {shown(value)}")
    if isinstance(value, int) and abs(value) >= 10**300:
        raise refusal(f"must be a number that a float64 can hold, not {shown(value)}")
    if not math.isfinite(value):
        raise refusal(f"must be finite, not {shown(value)}")
    return float(value)


def _refuse_file(value: object) -> None:
    if isinstance(value, Mapping):
        raise refusal(
            "an array in a file is found from the folder of the spec's own file, and this spec is"
            " given as data; give the numbers"
        )


def _numbers(value: object) -> Numbers:
    _refuse_file(value)
    if not isinstance(value, list | tuple):
        return _number(value)
    if not value:
        raise refusal("must have a number for each column, or be one for all")
    return tuple(map(_number, value))


def _ranges(value: object) -> Ranges:
    """Both ends; of a number c, -c and c."""
    _refuse_file(value)
    if not isinstance(value, list | tuple):
        end = _number(value)
        return _range((-end, end))
    if value and all(isinstance(each, list | tuple) for each in value):
        return tuple(map(_range, value))
    return _range(value)


def _range(value: object) -> Range:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refusal("must be [low, high], one such list for each column, or c for [-c, c]")
    low, high = map(_number, value)
    if not low < high:
        raise refusal(f"the lower end, {shown(low)}, must be below the upper, {shown(high)}")
    return low, high


def _schema(one: dict[str, Any], each: dict[str, Any]) -> WithJsonSchema:
    """For editors: for all columns, for each, or in a file."""
    file = {
        "type": "object",
        "properties": {_FILE: {"type": "string"}, _ARRAY: {"type": "string"}},
        "required": [_FILE],
        "additionalProperties": False,
    }
    several = {"type": "array", "items": each, "minItems": 1}
    return WithJsonSchema({"anyOf": [one, several, file]})


_PAIR = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_Numbers = Annotated[
    Numbers, PlainValidator(_numbers), _schema({"type": "number"}, {"type": "number"})
]
_Ranges = Annotated[
    Ranges,
    PlainValidator(_ranges),
    _schema({"anyOf": [{"type": "number"}, _PAIR]}, _PAIR),
]


class Scaling(Model):
    """What the columns of x are shifted, scaled and cut by before the network, or those of y behind
    it. None where nothing is done."""

    shift: _Numbers | None = Field(
        default=None,
        description="x is (x - shift)/scale, y is y·scale + shift; a number, or one a column",
        json_schema_extra=without_null,
    )
    scale: _Numbers | None = Field(
        default=None,
        description="x is (x - shift)/scale, y is y·scale + shift; a number, or one a column",
        json_schema_extra=without_null,
    )
    clip: _Ranges | None = Field(
        default=None,
        description="[low, high], where values are cut: x before it is shifted, y after; or one"
        " such list a column; or c for [-c, c]",
        json_schema_extra=without_null,
    )

    def __bool__(self) -> bool:
        return any(getattr(self, key) is not None for key in KEYS)

    @property
    def moves(self) -> bool:
        """Whether it puts columns into other units, and does not only cut them."""
        return self.shift is not None or self.scale is not None

    @property
    def ends(self) -> tuple[Numbers, Numbers] | None:
        """The lower and the upper ends of `clip`."""
        if self.clip is None:
            return None
        if not isinstance(self.clip[0], tuple):
            return self.clip
        low, high = zip(*self.clip, strict=True)
        return low, high

    def normalised(self) -> dict[str, Any]:
        """As plain data, what is not there left out."""
        given = {key: getattr(self, key) for key in KEYS}
        return {key: _plain(value) for key, value in given.items() if value is not None}

    def problems(self, columns: int, dtype: Dtype | None) -> Iterator[Problem]:
        """What is wrong with it for so many columns, and with its numbers in a dtype, if that is
        asked."""
        for key in KEYS:
            value = getattr(self, key)
            each = _of_columns(key, value)
            if each is not None and len(each) != columns:
                what = "number" if key != "clip" else "range"
                said = f"{len(each)} {what}{'s' if len(each) > 1 else ''} for {columns} columns"
                yield (key,), f"{said}; give one for each, or one for all"
            numbers = [] if value is None else _flat(value)
            if key == "scale" and 0.0 in numbers:
                yield (key,), "must not be 0: it is what columns are divided or multiplied by"
            for number in numbers:
                if dtype is None:
                    break
                if wrong := misfit(number, dtype, factor=key == "scale"):
                    yield (key,), f"{shown(number)} is {wrong}{remedy(dtype)}"
                    break


class Inputs(Scaling):
    """How many inputs there are, or their names, and how they come to the network."""

    count: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="How many numbers one sample has",
        json_schema_extra=without_null,
    )
    names: Names | None = Field(
        default=None,
        description="The names of the inputs; count may then be left out",
        json_schema_extra=lambda schema: _names_in_schema(schema),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.count is None and self.names is None:
            refuse([((), "needs a count, how many numbers a sample has, or their names")])
        if self.count is not None and self.names is not None and self.count != len(self.names):
            given = f"{len(self.names)} name{'s' if len(self.names) > 1 else ''}"
            refuse([(("names",), f"{given} for a count of {self.count}; leave one of the two out")])
        return self

    @property
    def given(self) -> int | tuple[str, ...]:
        """How many there are, or their names."""
        return self.names if self.names is not None else cast(int, self.count)


def _names_in_schema(schema: dict[str, Any]) -> None:
    without_null(schema)
    schema.update(schema_of_names())


def inputs_or_number(value: object, number: ValidatorFunctionWrapHandler) -> object:
    """A table, a list of names, or a number; a table that says no more is what it says."""
    if not isinstance(value, Mapping | Inputs):
        return number_or_names(value, number)
    inputs = value if isinstance(value, Inputs) else Inputs.model_validate(value)
    return inputs if inputs else inputs.given


def outputs_table(value: object) -> object:
    """What is no table says how many outputs there are, or their names: that stands elsewhere."""
    if isinstance(value, Mapping | Scaling):
        return value
    named = isinstance(value, list | tuple)
    raise refusal(
        f"is a table with the keys {', '.join(KEYS)}; "
        + ("what outputs are called is said by names" if named else
           "how many outputs there are is said by units")
        + ", in the last of [[layers]]"
    )  # fmt: skip


def without_default(schema: dict[str, Any]) -> None:
    """It is full of null, which no file may have."""
    del schema["default"]


def inputs_in_schema(schema: dict[str, Any]) -> None:
    """For editors: how many, their names, or a table."""
    or_names(schema)
    table = Inputs.model_json_schema()
    table.pop("title", None)
    schema["anyOf"].append(table)


# A spec has the number of inputs, their names, or a table. Messages find the table's keys here.
GivenInputs = Annotated[int, Field(ge=1), WrapValidator(inputs_or_number), Table(Inputs)]


def _of_columns(key: str, value: Any) -> tuple[Any, ...] | None:
    """The numbers or ranges of each column; None where there is one for all."""
    if not isinstance(value, tuple) or (key == "clip" and not isinstance(value[0], tuple)):
        return None
    return value


def _flat(value: Any) -> list[float]:
    return [n for each in value for n in _flat(each)] if isinstance(value, tuple) else [value]


def _plain(value: Any) -> Any:
    return [*map(_plain, value)] if isinstance(value, tuple) else value


# ---- Arrays in files -----------------------------------------------------------------------------


class _Unreadable(Exception):
    """What is wrong with an array in a file, and where in a spec."""

    def __init__(self, place: tuple[str, str], problem: str) -> None:
        super().__init__(problem)
        self.place, self.problem = place, problem


def read_arrays(data: Any, folder: Path) -> tuple[Any, list[Problem]]:
    """A spec's plain data with the numbers of its files of arrays, found from `folder`; and what is
    wrong with these."""
    if not isinstance(data, Mapping):
        return data, []
    found, problems = dict(data), list[Problem]()
    for table in ("inputs", "outputs"):
        if not isinstance(found.get(table), Mapping):
            continue
        values = dict(found[table])
        for key in KEYS:
            if isinstance(values.get(key), Mapping):
                try:
                    values[key] = _read(values[key], folder, (table, key))
                except _Unreadable as error:
                    problems.append((error.place, error.problem))
                    del values[key]
        found[table] = values
    return found, problems


def _read(given: Mapping[str, Any], folder: Path, place: tuple[str, str]) -> list[Any]:
    """The numbers of an array in a file."""
    from symgrad.npz import Archive, read_npy  # which takes NumPy, and few specs have

    def wrong(problem: str) -> _Unreadable:
        return _Unreadable(place, problem)

    name, array = given.get(_FILE), given.get(_ARRAY)
    for key in given:
        if key not in (_FILE, _ARRAY):
            raise wrong(f"unknown key {quoted(str(key))}; the keys here are {_FILE}, {_ARRAY}")
    if not isinstance(name, str) or not name.lower().endswith((".npz", ".npy")):
        raise wrong(f"{_FILE} must be the name of an NPZ or NPY file, not {shown(name)}")
    if isinstance(array, str) == name.lower().endswith(".npy"):
        raise wrong(
            "an NPY file is one array; leave `array` out"
            if isinstance(array, str)
            else f"say which array of {quoted(name)}: {{ file = …, array = … }}"
        )
    path = folder / name
    try:
        if array is None:
            values = read_npy(path)
        else:
            with Archive(path) as archive:
                if array not in archive.names:
                    there = f"there are {listed(archive.names)}" if archive.names else "it is empty"
                    raise wrong(f"{cleaned(str(path))} has no array {quoted(array)}; {there}")
                values = archive.read(array)
    except DataError as error:
        raise wrong(cleaned(str(error))) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise wrong(f"{cleaned(str(path))}: this file cannot be read: {reason}") from None
    if values.dtype.kind not in "iuf" or values.ndim > 2 or values.size > 2 * limits.UNITS.value:
        raise wrong(
            f"{cleaned(str(path))}: must be numbers, one for each column, not an array of"
            f" {values.dtype} of shape {values.shape}"
        )
    return cast(list[Any], values.tolist())
