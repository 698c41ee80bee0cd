"""The parts of a spec, `Layer`, `Activation` and `Loss`, and what each can check by itself."""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from symgrad.errors import FormulaError, SpecError
from symgrad.language.dtypes import Dtype
from symgrad.spec import limits
from symgrad.spec.formula import MAX_LENGTH, Tree, parse, quoted, variables_of
from symgrad.spec.messages import Problem, pointer, refuse, report
from symgrad.spec.names import IDENTIFIER, constant_problem

ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus",
    "softsign", "sigmoid", "tanh", "sin", "gaussian", "softmax",
)  # fmt: skip

LossKind: TypeAlias = Literal[
    "squared", "absolute", "huber", "log_cosh", "cross_entropy", "binary_cross_entropy",
    "poisson", "kl",
]  # fmt: skip
LOSSES: tuple[str, ...] = get_args(LossKind)

# What stands for a penalty's λ where the spec leaves it to be given at run time.
ARGUMENT: Literal["argument"] = "argument"


class Model(BaseModel):
    """Calling a model, as in `Layer(units=0)`, raises `SpecError` like reading a file does."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(report(error, type(self))) from None

    # Unmarked, it would also be run for models inside a model, where the error has to stay
    # pydantic's for the place to be known.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def without_null(schema: dict[str, Any]) -> None:
    """An optional key is left out of a file; null is no value that an editor should offer."""
    (kept,) = (option for option in schema.pop("anyOf") if option != {"type": "null"})
    del schema["default"]
    schema.update(kept)


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
Constants = Annotated[
    dict[str, _Finite],
    Field(
        description="Named numbers that the formula uses",
        examples=[{"beta": 1.5}],
        json_schema_extra={"propertyNames": {"pattern": IDENTIFIER}},
    ),
]


class Layer(Model):
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


class Loss(Model):
    """What is minimised: a built-in loss or a formula, and penalties on the weights."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["kind"]}, {"required": ["formula"]}]}
    )

    kind: LossKind | None = Field(
        default=None,
        description="A built-in loss of the output y and the target t",
        json_schema_extra=without_null,
    )
    formula: _Formula | None = Field(
        default=None,
        description="A loss formula in y, t and the declared constants, instead of kind",
        examples=["log(cosh(y - t))"],
        json_schema_extra=without_null,
    )
    constants: Constants = {}
    l1: _Penalty = Field(
        default=0.0,
        description='λ in λ·Σ|W|, biases excluded; "argument" leaves it to be given at run time',
    )
    l2: _Penalty = Field(
        default=0.0,
        description='λ in λ/2·ΣW², biases excluded; "argument" leaves it to be given at run time',
    )
    sample_weights: bool = Field(
        default=False,
        description="Whether every function that takes the targets t also takes a weight for"
        " each sample",
    )

    @property
    def arguments(self) -> tuple[str, ...]:
        """The penalties that are given at run time, in the order that functions take them."""
        return tuple(name for name in ("l1", "l2") if getattr(self, name) == ARGUMENT)

    variables: ClassVar[tuple[str, ...]] = ("y", "t")

    @cached_property
    def tree(self) -> Tree | None:
        """The formula, parsed; None for a built-in loss."""
        if self.formula is None:
            return None
        return parse(self.formula, self.variables, self.constants)

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*_check_constants(self), *_check_choice(self)]
        refuse(problems or _check_formula(self, "y", "output"))
        return self


# ---- What types cannot say -----------------------------------------------------------------------


def _check_constants(part: Activation | Loss) -> Iterator[Problem]:
    for name in part.constants:
        if wrong := constant_problem(name):
            yield ("constants", name), f"{quoted(name)} {wrong}"


def _check_choice(loss: Loss) -> Iterator[Problem]:
    if (loss.kind is None) == (loss.formula is None):
        given = "both are given" if loss.kind else "neither is given"
        yield (), f"a loss has either a kind or a formula, but {given}"
    elif loss.kind and loss.constants:
        yield ("constants",), "constants belong to a formula, not to a kind"


def _check_formula(part: Activation | Loss, needed: str, role: str) -> Iterator[Problem]:
    """Asked of a part without other problems: a wrong constant would make a formula wrong too."""
    if part.formula is None:
        return
    for problem in formula_problem(part, "float64"):
        yield ("formula",), problem
        return
    if part.tree is not None and needed not in variables_of(part.tree):
        yield ("formula",), f"the formula must use {needed}, the {role}: {quoted(part.formula)}"


def formula_problem(part: Activation | Loss, dtype: Dtype) -> Iterator[str]:
    """What is wrong with a formula, if anything, over the place in it."""
    if part.formula is None:
        return
    try:
        parse(part.formula, part.variables, part.constants, dtype)
    except FormulaError as error:
        caret = pointer(part.formula, error.position) if part.formula.strip() else ""
        yield f"{error}\n{caret}".rstrip()
