"""What a user is told about a wrong spec: pydantic's errors and our own → a line for each problem.

    net.toml, line 10, layers[1].units: must be a whole number, not 10.5

The file, the line and the key are given as far as there are any.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from symgrad.spec import limits, words
from symgrad.spec.formula import quoted, suggestion
from symgrad.spec.location import Path, find_places

Problem: TypeAlias = tuple[Path, str]  # where in a model, and what to tell the user


class Table(NamedTuple):
    """Beside the type of a field: it may be a table, too, with the keys of a model."""

    model: type[BaseModel]


def refuse(problems: Iterable[Problem]) -> None:
    """Raises the problems, if there are any, as pydantic's error: it then adds its places."""
    details = [
        InitErrorDetails(type=refusal(problem), loc=where, input=None)
        for where, problem in islice(problems, limits.PROBLEMS_SHOWN + 1)
    ]
    if details:
        raise ValidationError.from_exception_data("spec", details)


def refusal(problem: str) -> PydanticCustomError:
    """One problem, for a validator to raise where it stands."""
    return PydanticCustomError("symgrad", "{problem}", {"problem": problem})


def report(
    error: ValidationError, model: type[BaseModel], given: object, file: str = "", text: str = ""
) -> str:
    """A line for each problem of what was given, in the file's order, with its place as far as it
    is known."""
    root = find_places(text).root
    found = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        found.append((root.line_of(path), path, detail))
    found.sort(key=lambda problem: problem[0])  # stable: pydantic's order within a line

    messages, outputs = [], _outputs(given)
    for line, path, detail in found[: limits.PROBLEMS_SHOWN]:
        # What is missing has no place of its own.
        key = _key_path(path[:-1] if detail["type"] == "missing" else path)
        place = ", ".join(filter(None, [file, f"line {line}" if line else "", key]))
        messages.append(": ".join(filter(None, [place, _message(detail, path, model, outputs)])))
    if len(found) > limits.PROBLEMS_SHOWN:
        messages.append(f"and more than these {limits.PROBLEMS_SHOWN} problems")
    return "\n".join(messages)


# ---- The words for each problem ------------------------------------------------------------------

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number that a float64 can hold",
    "int_type": "a whole number",
    "string_type": "text in quotes",
    "tuple_type": "a list (in TOML: [[layers]] with two brackets)",
}


def _message(
    detail: ErrorDetails, path: Path, model: type[BaseModel], outputs: int | None
) -> str:
    """pydantic's error in the words of a spec; `path` leads from `model` to where it arose."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "symgrad":
            return str(context["problem"])
        case "value_error":  # a SpecError from inside a validator: nonsense in the environment
            return str(context["error"])
        case "missing":
            key = str(path[-1])
            meaning = str(_keys(_model_at(model, path[:-1]))[key].description)
            return f"{key!r} is missing ({meaning[0].lower()}{meaning[1:]})"
        case "extra_forbidden":
            # What a layer is to be says more than that layers have no kinds.
            of_kind = path[-1] in ("type", "kind") and isinstance(value, str)
            if of_kind and (said := words.answer(value, outputs)):
                return f"unknown key; {said}"
            return f"unknown key{_unknown(str(path[-1]), path[:-1], model, outputs)}"
        case "model_type":
            keys = _keys(_model_at(model, path))
            meant = _in_a_table(value, keys, outputs) if path else ""
            return f"must be a table with the keys {', '.join(keys)}, not {shown(value)}{meant}"
        case "invalid_key":
            return f"a key must be text, not {shown(value)}"
        case "string_type" if detail["loc"][-1] == "[key]":
            return f"a key must be text, not {shown(value)}"
        case "string_unicode":
            return "a key or a text is no valid Unicode"
        case "literal_error":
            choices = re.findall(r"'(\w+)'", context["expected"])
            if isinstance(value, str) and (said := words.answer(value, outputs)):
                return f"there is no {quoted(value)}: {said}"
            near = suggestion(value, words.with_others(choices)) if type(value) is str else ""
            return f"must be one of {', '.join(choices)}, not {shown(value)}{near}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}, not {shown(value)}"
        case "greater_than":
            return f"must be more than {context['gt']:g}, not {shown(value)}"
        case "less_than":
            return f"must be less than {context['lt']:g}, not {shown(value)}"
        case "finite_number":
            return f"must be finite, not {shown(value)}"
    if kind == "dict_type" and type(value) is str and path == ("activations",):
        of = "a table of formulas by name (a layer's activation stands in [[layers]])"
        return f"must be {of}, not {shown(value)}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {shown(value)}"
    return cleaned(detail["msg"])


def _unknown(key: str, table: Path, model: type[BaseModel], outputs: int | None) -> str:
    """What to say of an unknown key of a table: which one is meant, or where it belongs."""
    keys, tables = _keys(_model_at(model, table)), _tables(model)
    meant = words.MEANT.get(key, key)
    if meant in keys and key in words.SAME_KEYS:
        return f"; it is another word for {meant}, which is said already: leave one out"
    if meant in keys:
        return f" (did you mean {meant!r}?); the keys here are {', '.join(keys)}"
    if said := words.answer(key, outputs):
        return f"; {said}"
    if places := [place for place, inside in tables.items() if meant in inside]:
        return f"; {meant} belongs {' or '.join(places)}"
    return f"{suggestion(key, keys)}; the keys here are {', '.join(keys)}"


def _in_a_table(value: object, keys: Mapping[str, FieldInfo], outputs: int | None) -> str:
    """What stands for a table, as the key in it that is meant: the first one."""
    name, field = next(iter(keys.items()))
    if isinstance(value, str) and (said := words.answer(value, outputs)):
        return f"; {said}"
    plain = isinstance(value, int) and not isinstance(value, bool)
    if (field.annotation is int and plain) or (field.annotation is not int and type(value) is str):
        return f"; write {{ {name} = {shown(value)} }}"
    return ""


def _outputs(given: object) -> int | None:
    """How many outputs a spec as plain data has, as far as one can tell."""
    match given:
        case {"layers": [*_, {"units": int(units)}]}:
            return units
        case {"layers": [*_, {"names": [*names]}]}:
            return len(names)
    return None


def _tables(model: type[BaseModel]) -> dict[str, Collection[str]]:
    """The keys of a model and of the tables in it, by the words for their places."""
    places: dict[str, Collection[str]] = {"at the top, before all tables": _keys(model)}
    for key, field in _keys(model).items():
        if inner := _model_in(field):
            origin = get_origin(field.annotation)
            many = {tuple: f"[[{key}]]", dict: f"[{key}.NAME]"}.get(origin) if origin else None
            places[f"in {many or f'[{key}]'}"] = _keys(inner)
    return places


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The model that a path from `model` leads to."""
    for part in path:
        field = _keys(model).get(str(part))
        model = (field and _model_in(field)) or model
    return model


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    beside = (each.model for each in field.metadata if isinstance(each, Table))
    for inner in (field.annotation, *get_args(field.annotation), *beside):  # tuple[Layer, ...]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """What a model has, by the keys of a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


# ---- Places and values as a message shows them ---------------------------------------------------

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _key_path(path: Path) -> str:
    """`layers[1].units`"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else quoted(part))
    return text


def pointer(formula: str, position: int) -> str:
    """The line of a formula that has `position`, or the part of it around, over a caret."""
    start = max(formula.rfind("\n", 0, position) + 1, position - 60)
    end = formula.find("\n", position)
    part = formula[start : min(end if end >= 0 else len(formula), position + 30)]
    # One column a character, or the caret would point elsewhere.
    plain = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in part)
    return f"    {plain.rstrip()}\n    {' ' * (position - start)}^"


def shown(value: object) -> str:
    """A value as a message may show it: in the file's own words, and short."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int():
            return str(value) if abs(value) < 10**30 else "a number of more than 30 digits"
        case float():
            return repr(value)
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a table"
    return f"a {type(value).__name__}"


def cleaned(text: str) -> str:
    """Text from outside with what a terminal would act on escaped, cut to a sane length."""
    short = text if len(text) <= 300 else text[:299] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in short)
