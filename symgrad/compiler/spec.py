"""The spec of a network: file → `Spec`, with every mistake refused in words.

    spec.toml or .json ──read──▶ plain data ──validate──▶ Spec

The models below say what a spec may hold; pydantic checks the types, strictly, and the functions
called `_check_…` what types cannot say. Whatever is wrong comes out as one `SpecError`, a line for
each problem, with the place in the file.
"""

import hashlib
import json
import keyword
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
)

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from symgrad.compiler import limits
from symgrad.compiler.formula import (
    FUNCTIONS,
    MAX_LENGTH,
    Tree,
    has_sum,
    listed,
    parse,
    quoted,
    suggestion,
    variables_of,
)
from symgrad.errors import FormulaError, SpecError

if TYPE_CHECKING:  # mypy wants it by name, and the name is private
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus",
    "softsign", "sigmoid", "tanh", "sin", "gaussian", "softmax",
)  # fmt: skip

Dtype: TypeAlias = Literal["float32", "float64"]
LossKind: TypeAlias = Literal[
    "squared", "absolute", "huber", "log_cosh", "cross_entropy", "binary_cross_entropy",
    "poisson", "kl",
]  # fmt: skip
LOSSES: tuple[str, ...] = get_args(LossKind)

# Other packages that an emitted module imports, or that a module of that name would hide.
_TAKEN_NAMES = frozenset({"numpy", "numba", "scipy", "symgrad"})
_IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"

_Path: TypeAlias = tuple[int | str, ...]  # of keys and list positions: ("layers", 1, "units")
_ModelT = TypeVar("_ModelT", bound=BaseModel)
_Problem: TypeAlias = tuple[_Path, str]  # where, and what to tell the user

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Penalty = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Constants = Annotated[
    dict[str, _Finite],
    Field(
        description="Named numbers that the formula uses",
        examples=[{"beta": 1.5}],
        json_schema_extra={"propertyNames": {"pattern": _IDENTIFIER}},
    ),
]
_FORMULA_SCHEMA: dict[str, Any] = {"minLength": 1, "maxLength": MAX_LENGTH}


# ---- The models ----------------------------------------------------------------------------------


class _RefusesClearly(ModelMetaclass):
    """Calling a model, as in `Layer(units=0)`, raises `SpecError` like reading a file does.

    A metaclass, since pydantic would run an `__init__` of our own inside nested models as well,
    where the error has to stay pydantic's for the place to be known.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            model = cast("type[BaseModel]", cls)
            raise SpecError(_report(error, model)) from None


class _Model(BaseModel, metaclass=_RefusesClearly):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Layer(_Model):
    """One layer: `activation(x · W + b)`, and with `residual` its input added to that."""

    units: int = Field(
        ge=1,
        description="How many outputs the layer has",
        examples=[32],
        json_schema_extra={"maximum": limits.UNITS.default},
    )
    activation: str = Field(
        default="identity",
        description="A built-in activation or one declared under [activations];"
        " softmax on the last layer only",
        examples=list(ACTIVATIONS),
    )
    bias: bool = Field(default=True, description="Whether the layer has a bias for each unit")
    residual: bool = Field(
        default=False,
        description="Whether the layer's input is added to its output; needs equal widths",
    )


class Activation(_Model):
    """An activation of one's own: a formula in `z` and declared constants."""

    formula: str = Field(
        description="A formula in z and the declared constants",
        examples=["z / (1 + exp(-beta*z))"],
        json_schema_extra=_FORMULA_SCHEMA,
    )
    constants: _Constants = {}

    @cached_property
    def tree(self) -> Tree:
        """The formula, parsed."""
        return parse(self.formula, ("z",), self.constants)

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = list(_check_constants(self.constants))
        return _refuse(self, problems or _check_formula(self, "z"))


class Loss(_Model):
    """What is minimised: a built-in loss or a formula, and penalties on the weights."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["kind"]}, {"required": ["formula"]}]}
    )

    kind: LossKind | None = Field(
        default=None,
        description="A built-in loss of the output y and the target t",
        json_schema_extra=lambda schema: _without_null(schema),
    )
    formula: str | None = Field(
        default=None,
        description="A loss formula in y, t and the declared constants, instead of kind",
        examples=["log(cosh(y - t))"],
        json_schema_extra=lambda schema: _without_null(schema, **_FORMULA_SCHEMA),
    )
    constants: _Constants = {}
    l1: _Penalty = Field(default=0.0, description="λ in λ·Σ|W|, biases excluded")
    l2: _Penalty = Field(default=0.0, description="λ in λ/2·ΣW², biases excluded")
    sample_weights: bool = Field(
        default=False,
        description="Whether every function that takes the targets t also takes a weight for"
        " each sample",
    )

    @cached_property
    def tree(self) -> Tree | None:
        """The formula, parsed; None for a built-in loss."""
        return parse(self.formula, ("y", "t"), self.constants) if self.formula is not None else None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = list(_check_constants(self.constants))
        if (self.kind is None) == (self.formula is None):
            given = "both are given" if self.kind else "neither is given"
            problems.append(((), f"a loss has either a kind or a formula, but {given}"))
        elif self.kind and self.constants:
            problems.append((("constants",), "constants belong to a formula, not to a kind"))
        return _refuse(self, problems or _check_formula(self, "y"))


class Spec(_Model):
    """A network and its loss, checked in all that can be known before compiling.

    Made by `Spec.load` from a file, by `Spec.parse` from plain data, or by hand. Each raises
    `SpecError`, whose message has a line for every problem. Two specs are equal if they say the
    same, wherever they were read.
    """

    model_config = ConfigDict(
        title="symgrad spec",
        json_schema_extra={"description": "An MLP and its loss, for symgrad to compile"},
    )

    name: str = Field(
        description="A Python identifier; also the name of the emitted module",
        examples=["digits"],
        json_schema_extra={"pattern": _IDENTIFIER, "maxLength": limits.NAME_LENGTH},
    )
    dtype: Dtype = Field(default="float32", description="The type of all numbers at run time")
    inputs: int = Field(
        ge=1,
        description="How many numbers one sample has",
        examples=[64],
        json_schema_extra={"maximum": limits.UNITS.default},
    )
    layers: Annotated[tuple[Layer, ...], BeforeValidator(lambda value: _layers(value))] = Field(
        description="The layers, from the inputs to the outputs",
        json_schema_extra={"minItems": 1, "maxItems": limits.LAYERS.default},
    )
    loss: Loss = Field(
        default_factory=lambda: Loss(kind="squared"),
        description="What is minimised; squared where nothing is said",
    )
    activations: dict[str, Activation] = Field(
        default={},
        description="Activations of one's own, by name",
        json_schema_extra={"propertyNames": {"pattern": _IDENTIFIER}},
    )

    _file_name: str | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a spec from a `.toml` or `.json` file."""
        path = Path(path)
        text = _read_text(path)
        parse_text = _parse_json if path.suffix.lower() == ".json" else _parse_toml
        data = parse_text(text, path)
        try:
            spec = cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(_report(error, cls, _cleaned(str(path)), text)) from None
        spec._file_name = path.name
        return spec

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a spec from plain data, laid out like a file."""
        try:
            return cls.model_validate(dict(mapping) if isinstance(mapping, Mapping) else mapping)
        except ValidationError as error:
            raise SpecError(_report(error, cls)) from None

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of a spec, for completion in editors.

        It holds the limits' defaults, whatever the environment says.
        """
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **cls.model_json_schema(),
        }

    @property
    def file_name(self) -> str | None:
        """The bare name of the file that the spec was read from, if it was."""
        return self._file_name

    @property
    def widths(self) -> tuple[int, ...]:
        """The inputs, then each layer's units."""
        return (self.inputs, *(layer.units for layer in self.layers))

    @property
    def outputs(self) -> int:
        """The last layer's units."""
        return self.layers[-1].units

    @property
    def weights(self) -> int:
        """How many weights and biases there are."""
        return sum(
            (width + layer.bias) * layer.units
            for width, layer in zip(self.widths, self.layers, strict=False)
        )

    def activation_tree(self, name: str) -> Tree | None:
        """The parsed formula of a declared activation; None for a built-in one."""
        return self.activations[name].tree if name in self.activations else None

    def normalised(self) -> dict[str, Any]:
        """The spec as plain data: defaults filled in, always in the same order.

        `Spec.parse` makes an equal spec of it.
        """
        loss = self.loss
        return {
            "name": self.name,
            "dtype": self.dtype,
            "inputs": self.inputs,
            "layers": [
                {
                    "units": layer.units,
                    "activation": layer.activation,
                    "bias": layer.bias,
                    "residual": layer.residual,
                }
                for layer in self.layers
            ],
            "loss": {
                **({"kind": loss.kind} if loss.formula is None else _formula_data(loss)),
                "l1": loss.l1,
                "l2": loss.l2,
                "sample_weights": loss.sample_weights,
            },
            "activations": {
                name: _formula_data(self.activations[name]) for name in sorted(self.activations)
            },
        }

    def digest(self) -> str:
        """SHA-256 of the normalised spec in hexadecimal: equal specs, equal digests."""
        canonical = json.dumps(self.normalised(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.normalised() == other.normalised()

    def __hash__(self) -> int:
        return hash(self.digest())

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = chain(
            _check_name(self.name),
            _check_activation_names(self.activations),
            _check_layers(self),
            _check_sizes(self),
        )
        return _refuse(self, problems)


def read(source: "str | os.PathLike[str] | Mapping[str, Any] | Spec") -> Spec:
    """The spec in a file, in plain data, or as it is."""
    if isinstance(source, Spec):
        return source
    if isinstance(source, Mapping):
        return Spec.parse(source)
    if isinstance(source, str | os.PathLike):
        return Spec.load(source)
    raise SpecError(f"a spec is a path, a mapping or a Spec, not {_shown(source)}")


def _layers(value: object) -> object:
    """Files hold lists, a frozen model a tuple; nothing else that can be iterated is meant.

    Emptiness is refused here, for pydantic would also call a list empty whose items are wrong.
    """
    if value == [] or value == ():
        raise _refusal("must have at least one layer")
    return tuple(value) if isinstance(value, list) else value


def _formula_data(part: Activation | Loss) -> dict[str, Any]:
    constants = {name: part.constants[name] for name in sorted(part.constants)}
    return {"formula": part.formula, "constants": constants}


def _without_null(schema: dict[str, Any], **more: Any) -> None:
    """An optional key is left out of a file; null is no value that an editor should offer."""
    (kept,) = (option for option in schema.pop("anyOf") if option != {"type": "null"})
    del schema["default"]
    schema.update(kept | more)


# ---- What types cannot say -----------------------------------------------------------------------


def _check_name(name: str) -> Iterator[_Problem]:
    """A spec's name becomes a module and a file, and must be nothing else."""
    if re.search(r"[/\\]|^\.", name):
        problem = "is a path; a name is the bare name of the module, without folder or suffix"
    elif wrong := _no_identifier(name):
        problem = wrong
    elif name in _TAKEN_NAMES or name in sys.stdlib_module_names:
        problem = "is the name of another module, which the emitted one would hide; choose another"
    else:
        return
    yield ("name",), f"{quoted(name)} {problem}"


def _check_activation_names(names: Iterable[str]) -> Iterator[_Problem]:
    for name in names:
        if name in ACTIVATIONS:
            yield ("activations", name), f"{name!r} is built in; choose another name"
        elif wrong := _no_identifier(name):
            yield ("activations", name), f"{quoted(name)} {wrong}"


def _check_constants(constants: Mapping[str, float]) -> Iterator[_Problem]:
    for name in constants:
        # Keywords will do (`lambda` is a fine constant): the emitted code has only the value.
        if name in FUNCTIONS or name in ("z", "y", "t"):
            taken = "function" if name in FUNCTIONS else "variable"
            wrong: str | None = f"is a {taken} of formulas; choose another name"
        else:
            wrong = _no_identifier(name, keywords=True)
        if wrong:
            yield ("constants", name), f"{quoted(name)} {wrong}"


def _no_identifier(name: str, keywords: bool = False) -> str | None:
    """Why `name` cannot be a name in the emitted code, if it cannot."""
    if len(name) > limits.NAME_LENGTH:
        return f"has {len(name):,} characters, over the limit of {limits.NAME_LENGTH}"
    if not (name.isascii() and name.isidentifier()):
        return (
            "is no identifier; use the letters a to z, digits and underscores,"
            " and begin with no digit"
        )
    if keyword.iskeyword(name) and not keywords:
        return "is a keyword of Python; choose another name"
    if name.startswith("__") and name.endswith("__"):
        return "has the form __name__, which Python keeps to itself; choose another name"
    return None


def _check_formula(part: Activation | Loss, needed: str) -> Iterator[_Problem]:
    if part.formula is None:
        return
    try:
        tree = part.tree
    except FormulaError as error:
        pointer = _pointer(part.formula, error.position) if part.formula.strip() else ""
        yield ("formula",), f"{error}\n{pointer}".rstrip()
        return
    if tree is not None and needed not in variables_of(tree):
        role = "argument" if needed == "z" else "output"
        yield ("formula",), f"the formula must use {needed}, the {role}: {quoted(part.formula)}"


def _check_layers(spec: Spec) -> Iterator[_Problem]:
    if refusal := limits.LAYERS.refusal(len(spec.layers)):
        yield ("layers",), refusal
        return
    known = dict.fromkeys((*ACTIVATIONS, *spec.activations))
    last = len(spec.layers) - 1
    for number, (layer, width) in enumerate(zip(spec.layers, spec.widths, strict=False)):
        name = layer.activation
        if name not in known:
            yield (
                ("layers", number, "activation"),
                f"unknown activation {quoted(name)}{suggestion(name, known)};"
                f" there are {listed(known)}, and others can be declared as [activations.NAME]",
            )
        elif number < last and _mixes_units(spec, name):
            reason = "" if name == "softmax" else ", since its formula has a sum"
            yield (
                ("layers", number, "activation"),
                f"{name!r} is for the last layer only{reason}; use another activation here",
            )
        if layer.residual and layer.units != width:
            source = "the layer before it has" if number else "the inputs are"
            yield (
                ("layers", number, "residual"),
                "a residual layer needs as many units as come in: it has"
                f" {_shown(layer.units)}, but {source} {_shown(width)}",
            )


def _mixes_units(spec: Spec, activation: str) -> bool:
    tree = spec.activation_tree(activation)
    return activation == "softmax" or (tree is not None and has_sum(tree))


def _check_sizes(spec: Spec) -> Iterator[_Problem]:
    too_wide = False
    for number, width in enumerate(spec.widths):
        if refusal := limits.UNITS.refusal(width):
            too_wide = True
            yield ("layers", number - 1, "units") if number else ("inputs",), refusal
    # One slip, one message: a layer too wide nearly always has too many weights too.
    if not too_wide and (refusal := limits.WEIGHTS.refusal(spec.weights)):
        yield ("layers",), refusal


def _refuse(model: _ModelT, problems: Iterable[_Problem]) -> _ModelT:
    """`model` itself, or pydantic's error with the problems, so that it adds their places."""
    details = [
        InitErrorDetails(type=_refusal(problem), loc=where, input=None)
        for where, problem in islice(problems, limits.PROBLEMS_SHOWN + 1)
    ]
    if details:
        raise ValidationError.from_exception_data(type(model).__name__, details)
    return model


def _refusal(problem: str) -> PydanticCustomError:
    return PydanticCustomError("symgrad", "{problem}", {"problem": problem})


# ---- Reading files -------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    shown = _cleaned(str(path))
    try:
        if path.is_dir():
            raise SpecError(f"{shown}: this is a folder, not a spec file")
        if not path.exists():
            raise SpecError(f"{shown}: there is no such file")
        if not path.is_file():
            raise SpecError(f"{shown}: this is no regular file")
        if path.suffix.lower() not in (".toml", ".json"):
            raise SpecError(f"{shown}: a spec file's name ends in .toml or .json")
        with path.open("rb") as file:
            data = file.read(limits.FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SpecError(f"{shown}: this file cannot be read: {reason}") from None
    if len(data) > limits.FILE_BYTES:
        raise SpecError(
            f"{shown}: this file is over the limit of {limits.FILE_BYTES:,} bytes for a spec"
        )
    try:
        return data.decode("utf-8-sig")  # some editors begin a file with a byte-order mark
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{shown}: this is no UTF-8 text (byte {error.start:,}); save it as UTF-8"
        ) from None


def _parse_toml(text: str, path: Path) -> Any:
    shown = _cleaned(str(path))
    if _LONG_KEY.search(_NO_KEY.sub("s", text)):
        raise SpecError(f"{shown}: a key of more than {limits.KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The parser writes "message (at line 3, column 5)"; the place belongs in front.
        message, _, where = str(error).removesuffix(")").rpartition(" (at ")
        raise SpecError(f"{shown}, {where}: this is no valid TOML: {_cleaned(message)}") from None
    except (RecursionError, ValueError) as error:
        raise _indigestible(shown, error) from None


def _parse_json(text: str, path: Path) -> Any:
    shown = _cleaned(str(path))
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{shown}, line {error.lineno}, column {error.colno}:"
            f" this is no valid JSON: {_cleaned(error.msg)}"
        ) from None
    except _RepeatedKey as error:
        line = _lines(text).repeated.get(error.key)
        place = f"{shown}, line {line}" if line else shown
        raise SpecError(
            f"{place}: the key {quoted(error.key)} is given twice; keep one of the two"
        ) from None
    except (RecursionError, ValueError) as error:
        raise _indigestible(shown, error) from None


def _indigestible(shown: str, error: RecursionError | ValueError) -> SpecError:
    """Valid text that a parser gives up on; besides depth that is only Python's cap on digits."""
    deep = isinstance(error, RecursionError)
    reason = "it is nested too deeply" if deep else "a whole number in it has too many digits"
    return SpecError(f"{shown}: this is no spec: {reason}")


class _RepeatedKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Python's reader would silently keep the last of two values."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise _RepeatedKey(key)
        table[key] = value
    return table


# A string that is never closed counts as one up to its end, so that no text is scanned twice.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5})?|"(?:[^"\\\n]|\\.)*+"?'
    r"|'''(?:[^']|'(?!''))*+(?:'{3,5})?|'[^'\n]*+'?",
    re.DOTALL,
)
_NO_KEY = re.compile(rf"{_STRING.pattern}|#[^\n]*+", re.DOTALL)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{limits.KEY_PARTS},}}")
_WORD = re.compile(
    rf"{_STRING.pattern}|#[^\n]*+|\n|[\[\]{{}}=:,.]|[^\s\[\]{{}}=:,.\"'#]++", re.DOTALL
)
_DEPTH = 6  # brackets inside one another; a valid spec has four


class _Lines(NamedTuple):
    """Where things stand in a file, counted from 1."""

    of: dict[_Path, int]  # each key and each item of a list
    repeated: dict[str, int]  # a key's second occurrence in one JSON object


def _lines(text: str) -> _Lines:
    """One pass over the words of a TOML or JSON file, valid as far as it matters.

    The parsers do not say where they found what, so this follows brackets, keys and headers next
    to them, for messages only: a key written with escapes is missed, and its table's line serves.
    """
    lines = _Lines({}, {})
    frames: list[tuple[_Path, bool]] = [((), False)]  # open brackets: path, and whether a list
    counts: dict[_Path, int] = {}  # the last position in each list of [[tables]]
    keys: list[str] = []  # those of the entry or header being read
    in_value = False  # after the = or : of an entry
    header = 0  # the brackets that opened a header being read
    skipped = 0  # brackets open below the depth at which a spec has anything
    line, counted = 1, 0
    for match in _WORD.finditer(text):
        word = match[0]
        line += text.count("\n", counted, match.start())
        counted = match.start()
        path, in_list = frames[-1]
        if len(frames) > _DEPTH and (skipped or word in ("[", "{")):
            skipped += (word in ("[", "{")) - (word in ("]", "}"))
        elif word == "\n":
            if len(frames) == 1:
                keys, in_value, header = [], False, 0
        elif word[0] == "#":
            pass
        elif header and word == "[":
            header = 2
        elif header and word == "]":
            table: _Path = ()
            for number, key in enumerate(keys, 1):
                table = (*table, key)
                lines.of.setdefault(table, line)
                if header == 2 and number == len(keys):
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = (*table, counts[table])
                    lines.of.setdefault(table, line)
            frames, in_value, header = [(table, False)], True, 0
        elif word in ("]", "}"):
            in_value = True
            if len(frames) > 1:
                frames.pop()
        elif word == ",":
            keys, in_value = [], False
            if in_list:
                frames[-1] = ((*path[:-1], int(path[-1]) + 1), True)
        elif in_list or in_value:
            here = path if in_list else (*path, *keys)
            lines.of.setdefault(here, line)
            if word in ("[", "{"):
                frames.append(((*here, 0), True) if word == "[" else (here, False))
                keys, in_value = [], False
        elif word in ("=", ":"):
            in_value = True
            if keys and word == ":" and (*path, *keys) in lines.of:
                lines.repeated.setdefault(keys[-1], line)
            for number in range(len(keys)):
                lines.of.setdefault((*path, *keys[: number + 1]), line)
        elif word == "[":
            header = 1
        elif word == "{":  # a JSON file as a whole
            frames.append((path, False))
        elif word != ".":
            keys.append(word[1:-1] if word[0] in "\"'" else word)
    return lines


# ---- Messages ------------------------------------------------------------------------------------


def _report(error: ValidationError, model: type[BaseModel], file: str = "", text: str = "") -> str:
    """A line for each problem, in the file's order, with its place as far as it is known."""
    lines = _lines(text).of
    found = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in lines), None)
        found.append((lines[known] if known else 0, path, detail))
    found.sort(key=lambda problem: problem[0])  # stable: pydantic's order within a line

    messages = []
    for line, path, detail in found[: limits.PROBLEMS_SHOWN]:
        message = _message(detail, _model_at(model, path))
        # What is missing has no place of its own.
        key = _key_path(path[:-1] if detail["type"] == "missing" else path)
        place = [file, f"line {line}" if line else "", key]
        messages.append(": ".join(filter(None, (", ".join(filter(None, place)), message))))
    if len(found) > limits.PROBLEMS_SHOWN:
        messages.append(f"and more than these {limits.PROBLEMS_SHOWN} problems")
    return "\n".join(messages)


_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number that a float64 can hold",
    "int_type": "a whole number",
    "string_type": "text in quotes",
    "tuple_type": "a list (in TOML: [[layers]] with two brackets)",
}


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """pydantic's error in the words of a spec; `model` is where it arose."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    keys = ", ".join(model.model_fields)
    match kind:
        case "symgrad":
            return str(context["problem"])
        case "value_error":
            return str(context["error"])
        case "missing":
            key = str(detail["loc"][-1])
            meaning = str(model.model_fields[key].description)
            return f"{key!r} is missing ({meaning[0].lower()}{meaning[1:]})"
        case "extra_forbidden":
            near = suggestion(str(detail["loc"][-1]), model.model_fields)
            return f"unknown key{near}; the keys here are {keys}"
        case "invalid_key":
            return f"a key must be text, not {_shown(value)}"
        case "string_type" if detail["loc"][-1] == "[key]":
            return f"a key must be text, not {_shown(value)}"
        case "string_unicode":
            return "a key or a text is no valid Unicode"
        case "model_type":
            return f"must be a table with the keys {keys}, not {_shown(value)}"
        case "literal_error":
            choices = re.findall(r"'(\w+)'", context["expected"])
            near = suggestion(value, choices) if isinstance(value, str) else ""
            return f"must be one of {', '.join(choices)}, not {_shown(value)}{near}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}, not {_shown(value)}"
        case "finite_number":
            return f"must be finite, not {_shown(value)}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_shown(value)}"
    return _cleaned(detail["msg"])


def _model_at(model: type[BaseModel], path: _Path) -> type[BaseModel]:
    """The model that a path inside `model` leads into."""
    inner = {"layers": (2, Layer), "activations": (2, Activation), "loss": (1, Loss)}
    depth, found = inner.get(str(path[0]), (0, model)) if path else (0, model)
    return found if model is Spec and len(path) >= depth else model


def _key_path(path: _Path) -> str:
    """`layers[1].units`"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else quoted(part))
    return text


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _pointer(formula: str, position: int) -> str:
    """The line of a formula that has `position`, or the part of it around, over a caret."""
    start = max(formula.rfind("\n", 0, position) + 1, position - 60)
    end = formula.find("\n", position)
    shown = formula[start : min(end if end >= 0 else len(formula), position + 30)]
    # One column a character, or the caret would point elsewhere.
    plain = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in shown)
    return f"    {plain.rstrip()}\n    {' ' * (position - start)}^"


def _shown(value: object) -> str:
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


def _cleaned(text: str) -> str:
    """Text from outside with what a terminal would act on escaped, cut to a sane length."""
    short = text if len(text) <= 300 else text[:299] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in short)
