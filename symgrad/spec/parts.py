"""The parts of a spec, `Layer`, `Activation` and `Loss`, and what each can check by itself."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from symgrad.errors import FormulaError, SpecError
from symgrad.language.dtypes import Dtype
from symgrad.spec import limits
from symgrad.spec.formula import (
    MAX_LENGTH,
    Quantities,
    Tree,
    listed,
    parse,
    quoted,
    suggestion,
    variables_of,
)
from symgrad.spec.messages import Problem, pointer, refusal, refuse, report, shown
from symgrad.spec.names import IDENTIFIER, constant_problem, quantity_problem, term_problem
from symgrad.spec.words import SAME_LOSSES

ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus",
    "softsign", "sigmoid", "tanh", "sin", "gaussian", "softmax",
)  # fmt: skip

LossKind: TypeAlias = Literal[
    "squared", "absolute", "huber", "log_cosh", "cross_entropy", "binary_cross_entropy",
    "poisson", "kl",
]  # fmt: skip
LOSSES: tuple[str, ...] = get_args(LossKind)

# The numbers that a kind has, all greater than 0, and what they are where a spec says nothing.
KIND_CONSTANTS: Mapping[str, Mapping[str, float]] = {"huber": {"delta": 1.0}}

# What stands for a penalty's λ where the spec leaves it to be given at run time.
ARGUMENT: Literal["argument"] = "argument"


class Model(BaseModel):
    """Calling a model, as in `Layer(units=0)`, raises `SpecError` like reading a file does."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(report(error, type(self), values)) from None

    # Unmarked, it would also be run for models inside a model, where the error has to stay
    # pydantic's for the place to be known.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def without_null(schema: dict[str, Any]) -> None:
    """An optional key is left out of a file; null is no value that an editor should offer."""
    kept = [option for option in schema.pop("anyOf") if option != {"type": "null"}]
    del schema["default"]
    schema.update(kept[0] if len(kept) == 1 else {"anyOf": kept})


# What stands in `json_schema_extra` alone is a help in editors. It is checked elsewhere, in better
# words than pydantic's and, for what the environment can raise, against the limit in force.
_Formula = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_LENGTH})]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


def _number_or_argument(value: object, number: ValidatorFunctionWrapHandler) -> object:
    """A number's own refusals, and no list of all that might have been."""
    return ARGUMENT if value == ARGUMENT else number(value)


def _or_argument(schema: dict[str, Any]) -> None:
    """For editors: a number, or the one word."""
    number = {key: schema.pop(key) for key in ("type", "minimum")}
    schema["anyOf"] = [number, {"const": ARGUMENT}]


# Where it is "argument", `Loss.arguments` says so, and no one takes it for a number.
_Penalty = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False, json_schema_extra=_or_argument),
    WrapValidator(_number_or_argument),
]


def _no_argument(value: object) -> object:
    if value == ARGUMENT:
        raise refusal('a layer\'s penalty is a number; "argument" stands in [loss], for all layers')
    return value


# A penalty that a layer has for itself.
_OwnPenalty = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(_no_argument)
]
Constants = Annotated[
    dict[str, _Finite],
    Field(
        description="Named numbers that the formula uses, or the kind of loss has",
        examples=[{"beta": 1.5}],
        json_schema_extra={"propertyNames": {"pattern": IDENTIFIER}},
    ),
]


def _tuple_of_names(value: object) -> object:
    """As for layers: files hold lists, and emptiness is refused in words of its own."""
    if not isinstance(value, list | tuple):
        raise refusal(f"must be a list of names, not {shown(value)}")
    if not value:
        raise refusal("must have at least one name")
    return tuple(value)


def _names_that_will_do(names: tuple[str, ...]) -> tuple[str, ...]:
    refuse(_check_quantities(names))
    return names


def schema_of_names() -> dict[str, Any]:
    """What editors are told of a list of names."""
    item = {"type": "string", "pattern": IDENTIFIER, "maxLength": limits.NAME_LENGTH}
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


# The names of inputs or of outputs.
Names = Annotated[
    tuple[str, ...], BeforeValidator(_tuple_of_names), AfterValidator(_names_that_will_do)
]


_NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Names)


def number_or_names(value: object, number: ValidatorFunctionWrapHandler) -> object:
    """A list is one of names; of all else a number's refusals are told."""
    if isinstance(value, str):
        raise refusal(f"must be a whole number or a list of names, not {shown(value)}")
    named = isinstance(value, list | tuple)
    return _NAMES.validate_python(value, strict=True) if named else number(value)


def or_names(schema: dict[str, Any]) -> None:
    """For editors: how many, or their names."""
    number = {key: schema.pop(key) for key in ("type", "minimum")}
    number["maximum"] = limits.UNITS.default
    schema["anyOf"] = [number, schema_of_names()]


def _units_or_names(schema: dict[str, Any]) -> None:
    """For editors: one of them has to be there."""
    schema["required"].remove("units")
    if not schema["required"]:
        del schema["required"]
    either = ("units", "names", *["heads"] * ("heads" in schema["properties"]))
    schema["anyOf"] = [{"required": [name]} for name in either]


def _names_in_schema(schema: dict[str, Any]) -> None:
    without_null(schema)
    schema.update(schema_of_names())


def _sources(value: object) -> object:
    """As for names."""
    if not isinstance(value, list | tuple):
        raise refusal(f"must be a list of sources, as x and a1, not {shown(value)}")
    if not value:
        raise refusal("must have at least one source")
    return tuple(value)


def _many_or_names(data: Any) -> Any:
    """Where there are names, units are as many; what is no list of names is refused as such."""
    if isinstance(data, dict) and "units" not in data and data.get("names") is not None:
        names = data["names"]
        return {**data, "units": len(names) if isinstance(names, list | tuple) and names else 1}
    return data


def _check_names_of_units(part: "Layer | Head") -> Iterator[Problem]:
    if part.names is not None and len(part.names) != part.units:
        given = f"{len(part.names)} name{'s' if len(part.names) > 1 else ''}"
        yield ("names",), f"{given} for {part.units} units; leave one of the two out"


class Head(Model):
    """Some of the outputs, which have an activation of their own."""

    model_config = ConfigDict(json_schema_extra=_units_or_names)

    units: int = Field(
        ge=1,
        description="How many outputs the head has",
        examples=[3],
        json_schema_extra={"maximum": limits.UNITS.default},
    )
    activation: str = Field(
        default="identity",
        description="A built-in activation or one declared under [activations]",
        examples=list(ACTIVATIONS),
    )
    names: Names | None = Field(
        default=None,
        description="The names of its outputs; units may then be left out",
        examples=[["p", "q"]],
        json_schema_extra=_names_in_schema,
    )

    @model_validator(mode="before")
    @classmethod
    def _count(cls, data: Any) -> Any:
        return _many_or_names(data)

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse(list(_check_names_of_units(self)))
        return self


def _heads(value: object) -> object:
    """As for names."""
    if not isinstance(value, list | tuple):
        raise refusal(f"must be a list of heads, each a table, not {shown(value)}")
    if not value:
        raise refusal("must have at least one head")
    return tuple(value)


def _units_of_heads(heads: object) -> int:
    """How many outputs heads have, which may be wrong yet."""
    many = 0
    for head in heads if isinstance(heads, list | tuple) else ():
        data = {"units": head.units} if isinstance(head, Head) else _many_or_names(head)
        units = data.get("units") if isinstance(data, dict) else None
        many += units if type(units) is int and units > 0 else 1
    return max(many, 1)


class Layer(Model):
    """One layer: `activation(x · W + b)`, and with `residual` its input added to that."""

    model_config = ConfigDict(json_schema_extra=_units_or_names)

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
    sources: Annotated[tuple[str, ...], BeforeValidator(_sources)] | None = Field(
        default=None,
        alias="from",
        description="What the layer takes in place of the output of the layer before: outputs of"
        " earlier layers, side by side, a1 that of the first, and x the inputs",
        examples=[["x", "a1"]],
        json_schema_extra=without_null,
    )
    l1: _OwnPenalty = Field(
        default=None,
        description="The λ of λ·Σ|W| for this layer's W, in place of that in [loss]",
        json_schema_extra=without_null,
    )
    l2: _OwnPenalty = Field(
        default=None,
        description="The λ of λ/2·ΣW² for this layer's W, in place of that in [loss]",
        json_schema_extra=without_null,
    )
    trainable: bool = Field(
        default=True,
        description="Whether training changes the layer's weights; else they are constants, by"
        " which derivatives are 0",
    )
    names: Names | None = Field(
        default=None,
        description="The names of the outputs, in the last layer; units may then be left out",
        examples=[["u"]],
        json_schema_extra=_names_in_schema,
    )

    heads: Annotated[tuple[Head, ...], BeforeValidator(_heads)] | None = Field(
        default=None,
        description="Groups of outputs with activations of their own, in the last layer, in place"
        " of units, activation and names",
        json_schema_extra=without_null,
    )

    @model_validator(mode="before")
    @classmethod
    def _count(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("heads") is not None and "units" not in data:
            return {**data, "units": _units_of_heads(data["heads"])}
        return _many_or_names(data)

    @property
    def called(self) -> tuple[str, ...] | None:
        """The names of its outputs, those of all heads one after the other; None without names."""
        if self.heads is None:
            return self.names
        names = tuple(chain.from_iterable(head.names or () for head in self.heads))
        return names or None

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse(list(_check_names_of_units(self) if self.heads is None else _check_heads(self)))
        return self


class Activation(Model):
    """An activation of one's own: a formula in `z` and declared constants."""

    formula: _Formula = Field(
        description="A formula in z and the declared constants",
        examples=["z / (1 + exp(-beta*z))"],
    )
    constants: Constants = {}

    variables: ClassVar[tuple[str, ...]] = ("z",)

    @cached_property
    def tree(self) -> Tree:
        """The formula, parsed."""
        return parse(self.formula, self.variables, self.constants)

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse(list(_check_constants(self)) or _check_formula(self, "z", "argument"))
        return self


# A loss by itself, not yet in a spec.
_UNKNOWN = Quantities(known=False)


def _positive(weight: float) -> float:
    if weight <= 0:
        raise refusal("must be greater than 0; a term that counts for nothing is left out")
    return weight


def _kind(value: object) -> object:
    """Our name for a kind that has others."""
    return SAME_LOSSES.get(value, value) if isinstance(value, str) else value


def _kinds_in_schema(schema: dict[str, Any]) -> None:
    without_null(schema)
    schema["enum"] = [*schema["enum"], *SAME_LOSSES]


def _targets_in_schema(schema: dict[str, Any]) -> None:
    """For editors: how many, or their names."""
    without_null(schema)
    or_names(schema)


class Objective(Model):
    """What samples are judged by: a built-in loss or a formula."""

    kind: Annotated[LossKind | None, BeforeValidator(_kind)] = Field(
        default=None,
        description="A built-in loss of the output y and the target t",
        json_schema_extra=_kinds_in_schema,
    )
    formula: _Formula | None = Field(
        default=None,
        description="A loss formula in y, t and the declared constants, instead of kind",
        examples=["log(cosh(y - t))"],
        json_schema_extra=without_null,
    )
    constants: Constants = {}
    # Where it is names, `targets` says how many, and no one takes them for a number.
    given_targets: Annotated[int, Field(ge=1), WrapValidator(number_or_names)] | None = Field(
        default=None,
        alias="targets",
        description="How many targets a sample has, or their names; as many as outputs, where"
        " nothing is said",
        json_schema_extra=_targets_in_schema,
    )
    weight: Annotated[_Finite, AfterValidator(_positive)] = Field(
        default=1.0,
        description="What the mean over samples is multiplied by: a term's factor in the sum",
        json_schema_extra={"exclusiveMinimum": 0},
    )
    sample_weights: bool = Field(
        default=False,
        description="Whether every function that takes the targets t also takes a weight for"
        " each sample",
    )

    variables: ClassVar[tuple[str, ...]] = ("y", "t")

    @property
    def target_names(self) -> tuple[str, ...] | None:
        """The names of targets that are others than the outputs; None where they have none."""
        given = cast(object, self.given_targets)
        return given if isinstance(given, tuple) else None

    @property
    def targets(self) -> int | None:
        """How many targets there are, where that is said."""
        return self.given_targets if self.target_names is None else len(self.target_names)

    @cached_property
    def tree(self) -> Tree | None:
        """The formula, parsed; None for a built-in loss."""
        return self.in_terms_of(_UNKNOWN)

    @property
    def kind_constants(self) -> dict[str, float]:
        """The numbers that the kind has; empty for a formula."""
        usual = KIND_CONSTANTS.get(self.kind or "", {})
        return {**usual, **self.constants} if usual else {}

    def in_terms_of(self, quantities: Quantities) -> Tree | None:
        """The formula, parsed, in what a network has."""
        if self.formula is None:
            return None
        return parse(self.formula, self.variables, self.constants, quantities=quantities)

    def _wrong(self) -> list[Problem]:
        """Its names are the spec's, which alone knows them."""
        problems = [*_check_constants(self), *_check_choice(self), *_check_kind(self)]
        return problems or [(("formula",), p) for p in formula_problem(self, "float64", _UNKNOWN)]


# What editors are told: one of them has to be there.
_EITHER: list[Any] = [{"required": ["kind"]}, {"required": ["formula"]}]


def _head_of_term(value: object) -> object:
    """Files hold lists of names; or it is which of the heads."""
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, list | tuple) or not value:
        raise refusal(f"must be a list of names of outputs, or h1, h2, …, not {shown(value)}")
    return tuple(value)


def _head_in_schema(schema: dict[str, Any]) -> None:
    """For editors: names, or which of the heads."""
    without_null(schema)
    schema["anyOf"] = [{"type": "string", "pattern": "^h[1-9][0-9]*$"}, schema_of_names()]


class Term(Objective):
    """A term of the loss: what samples of its own are judged by, and its factor in the sum."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _EITHER})

    name: str = Field(
        description="An identifier, of this term alone: arguments and files of data go by it",
        examples=["equation"],
        json_schema_extra={"pattern": IDENTIFIER, "maxLength": limits.NAME_LENGTH},
    )
    outputs: Annotated[str | tuple[str, ...], BeforeValidator(_head_of_term)] | None = Field(
        default=None,
        description="The head that the term judges: the names of its outputs, or h1 for the first;"
        " terms that have it share their samples",
        examples=[["p", "q"], "h1"],
        json_schema_extra=_head_in_schema,
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse(self._wrong())
        return self


def _terms(value: object) -> object:
    """As for layers."""
    return tuple(value) if isinstance(value, list) else value


class Loss(Objective):
    """What is minimised: a built-in loss or a formula, or a sum of several, of samples of their
    own; and penalties on the weights."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [*_EITHER, {"required": ["terms"]}]})

    terms: Annotated[tuple[Term, ...], BeforeValidator(_terms)] = Field(
        default=(),
        description="The terms of a sum, each with samples of its own, instead of kind or formula",
        json_schema_extra={"maxItems": limits.TERMS.default},
    )
    l1: _Penalty = Field(
        default=0.0,
        description='λ in λ·Σ|W|, biases excluded; "argument" leaves it to be given at run time',
    )
    l2: _Penalty = Field(
        default=0.0,
        description='λ in λ/2·ΣW², biases excluded; "argument" leaves it to be given at run time',
    )

    @property
    def of_heads(self) -> bool:
        """Whether each of the terms judges some of the outputs, and all have the same samples."""
        return any(term.outputs is not None for term in self.terms)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The penalties that are given at run time, in the order that functions take them."""
        return tuple(name for name in ("l1", "l2") if getattr(self, name) == ARGUMENT)

    def of_term(self, place: int) -> "Loss":
        """One of the terms as a loss by itself, with the penalties."""
        term = self.terms[place]
        loss = self.model_copy(
            update={
                "terms": (),
                **{name: getattr(term, name) for name in Objective.model_fields},
            }
        )
        loss.__dict__.pop("tree", None)  # of none of them
        return loss

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse([*_check_terms(self)] if self.terms else self._wrong())
        return self


# ---- What types cannot say -----------------------------------------------------------------------


def _check_quantities(names: tuple[str, ...]) -> Iterator[Problem]:
    seen = set()
    for place, name in enumerate(names):
        if wrong := quantity_problem(name):
            yield (place,), f"{quoted(name)} {wrong}"
        elif name in seen:
            yield (place,), f"{quoted(name)} is there already; names must differ"
        seen.add(name)


def _check_constants(part: Activation | Objective) -> Iterator[Problem]:
    for name in part.constants:
        if wrong := constant_problem(name):
            yield ("constants", name), f"{quoted(name)} {wrong}"


def _check_terms(loss: Loss) -> Iterator[Problem]:
    """What stands in terms does not stand beside them; where they share their samples, weights of
    these stand there once."""
    for name, field in Objective.model_fields.items():
        if getattr(loss, name) != field.default and not (loss.of_heads and name == _SHARED):
            called = field.alias or name
            yield (called,), f"a loss with terms has no {called} of its own; give it to a term"
    if over := limits.TERMS.refusal(len(loss.terms)):
        yield ("terms",), over
    seen: dict[str, str] = {}
    for place, term in enumerate(loss.terms):
        if wrong := term_problem(term.name):
            yield ("terms", place, "name"), f"{quoted(term.name)} {wrong}"
        elif (other := seen.get(term.name.lower())) is not None:
            but = "" if other == term.name else ", but for capitals"
            yield (
                ("terms", place, "name"),
                f"{quoted(term.name)} is there already{but}; names of terms must differ",
            )
        seen[term.name.lower()] = term.name
        if loss.of_heads:
            yield from (((("terms", place, *where), what) for where, what in _check_shared(term)))


# What a loss says of the samples that its terms share.
_SHARED = "sample_weights"


def _check_shared(term: Term) -> Iterator[Problem]:
    """What a term says beside others of the same samples."""
    if term.outputs is None:
        yield (), "terms have outputs all of them, and share their samples, or none has"
    if term.sample_weights:
        yield ("sample_weights",), "terms of outputs share their samples; give it to [loss]"
    if term.given_targets is not None:
        yield ("targets",), "a term of outputs has a target for each of them"


def _check_heads(layer: Layer) -> Iterator[Problem]:
    """What stands in heads does not stand beside them, but for what they come to."""
    assert layer.heads is not None
    for name in ("activation", "residual"):
        if name in layer.model_fields_set and getattr(layer, name):
            other = "give each head its own" if name == "activation" else "leave it out"
            yield (name,), f"a layer with heads has no {name}; {other}"
    seen: set[str] = set()
    for number, head in enumerate(layer.heads):
        if (head.names is None) != (layer.heads[0].names is None):
            yield ("heads", number), "outputs have names in all heads, or in none"
        for place, name in enumerate(head.names or ()):
            if name in seen:
                yield (
                    ("heads", number, "names", place),
                    f"{quoted(name)} is there already; names must differ",
                )
            seen.add(name)
    if layer.units != (units := sum(head.units for head in layer.heads)):
        yield ("units",), f"the heads have {units} units, not {layer.units}; leave units out"
    elif layer.names is not None and layer.names != layer.called:
        yield ("names",), "the heads' names are others; leave names out"


def _check_choice(loss: Objective) -> Iterator[Problem]:
    if (loss.kind is None) == (loss.formula is None):
        which, or_terms = ("loss", ", or terms") if isinstance(loss, Loss) else ("term", "")
        given = "both are given" if loss.kind else f"n{'one' if or_terms else 'either'} is given"
        yield (), f"a {which} has either a kind or a formula{or_terms}, but {given}"
    elif loss.kind and loss.given_targets is not None:
        yield ("targets",), "targets belong to a formula; a kind has one for each output"


def _check_kind(loss: Objective) -> Iterator[Problem]:
    """Its constants are numbers that the kind has."""
    if loss.kind is None or loss.formula is not None:
        return
    known = KIND_CONSTANTS.get(loss.kind, {})
    for name, value in loss.constants.items():
        if name not in known:
            having = f"it has {listed(known)}" if known else "it has none"
            yield (
                ("constants", name),
                f"no constant of {loss.kind} is called {quoted(name)}{suggestion(name, known)};"
                f" {having}",
            )
        elif value <= 0:
            yield ("constants", name), f"must be greater than 0, not {shown(value)}"


def _check_formula(part: Activation, needed: str, role: str) -> Iterator[Problem]:
    """Asked of a part without other problems: a wrong constant would make a formula wrong too."""
    for problem in formula_problem(part, "float64"):
        yield ("formula",), problem
        return
    if needed not in variables_of(part.tree):
        yield ("formula",), f"the formula must use {needed}, the {role}: {quoted(part.formula)}"


def formula_problem(
    part: Activation | Objective, dtype: Dtype, quantities: Quantities | None = None
) -> Iterator[str]:
    """What is wrong with a formula, if anything, over the place in it."""
    if part.formula is None:
        return
    try:
        parse(part.formula, part.variables, part.constants, dtype, quantities)
    except FormulaError as error:
        caret = pointer(part.formula, error.position) if part.formula.strip() else ""
        yield f"{error}\n{caret}".rstrip()
