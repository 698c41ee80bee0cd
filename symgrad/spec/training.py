"""The part of a spec that says how to train, `Training`, and what each optimizer is given.

The equations of the stochastic ones stand in `optimizers.py`. Those in `WHOLE_BATCH` are SciPy's:
they choose their own steps, from the loss of all samples at once.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, model_validator

from symgrad.spec.formula import listed, quoted, suggestion
from symgrad.spec.messages import Problem, refusal, refuse, shown
from symgrad.spec.parts import Constants, Model, without_null
from symgrad.spec.words import SAME_KEYS

OptimizerName: TypeAlias = Literal[
    "sgd", "momentum", "nesterov", "rmsprop", "adam", "adam_hat", "adamw", "adagrad", "lion",
    "lbfgs", "bfgs", "cg", "newton_cg", "tnc", "slsqp",
]  # fmt: skip
ScheduleName: TypeAlias = Literal["constant", "linear", "cosine", "exponential", "step"]
SCHEDULES: tuple[str, ...] = get_args(ScheduleName)

# The names of SciPy's methods, as `scipy.optimize.minimize` takes them.
WHOLE_BATCH: Mapping[str, str] = MappingProxyType({
    "lbfgs": "L-BFGS-B", "bfgs": "BFGS", "cg": "CG", "newton_cg": "Newton-CG", "tnc": "TNC",
    "slsqp": "SLSQP",
})  # fmt: skip


@dataclass(frozen=True)
class Given:
    """An optimizer's usual rate, for standardised inputs, and its constants."""

    rate: float
    constants: Mapping[str, float] = field(default_factory=dict)


# fmt: off
OPTIMIZERS: Mapping[str, Given] = MappingProxyType({
    "sgd":      Given(0.05),
    "momentum": Given(0.01,   {"momentum": 0.9}),
    "nesterov": Given(0.01,   {"momentum": 0.9}),
    "rmsprop":  Given(0.001,  {"rho": 0.9, "epsilon": 1e-8}),
    "adam":     Given(0.001,  {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
    "adam_hat": Given(0.001,  {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
    "adamw":    Given(0.001,  {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
                               "weight_decay": 0.01}),
    "adagrad":  Given(0.05,   {"epsilon": 1e-10}),
    "lion":     Given(0.0003, {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}),
})

# What the schedules are given: `decay` an epoch, or every so many epochs.
SCHEDULE_CONSTANTS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "constant": {}, "linear": {}, "cosine": {},
    "exponential": {"decay": 0.95},
    "step":        {"decay": 0.1, "every": 10.0},
})

# Where each constant must lie: from the first, below the second.
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType({
    "momentum": (0, 1), "rho": (0, 1), "beta1": (0, 1), "beta2": (0, 1),
    "epsilon": (0, math.inf), "weight_decay": (0, math.inf),
    "decay": (0, math.inf), "every": (1, math.inf),
})
# fmt: on


def _batch(value: object) -> object:
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise refusal(f'must be a whole number from 1 on, or "all", not {shown(value)}')


_Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _other_words(schema: dict[str, Any]) -> None:
    """For editors: a key by its other names, and by one of them at a time."""
    for other, name in SAME_KEYS.items():
        described = {"description": f"Another word for {name}"}
        schema["properties"][other] = schema["properties"][name] | described
    names = {name: [name, *(each for each in SAME_KEYS if SAME_KEYS[each] == name)]
             for name in SAME_KEYS.values()}  # fmt: skip
    twice = [{"required": [*pair]} for each in names.values() for pair in combinations(each, 2)]
    schema["not"] = {"anyOf": twice}


class Training(Model):
    """How a network is trained: the optimizer and its numbers, and what samples it sees."""

    model_config = ConfigDict(json_schema_extra=_other_words)

    optimizer: OptimizerName = Field(
        default="adam",
        description="How gradients become steps; from lbfgs on SciPy's methods, which see all"
        " samples at once",
    )
    rate: _Rate | None = Field(
        default=None,
        validation_alias=AliasChoices("rate", *SAME_KEYS),
        description="The size of a step; the optimizer's usual one where nothing is said",
        examples=[0.001],
        json_schema_extra=without_null,
    )
    schedule: ScheduleName = Field(
        default="constant", description="How the rate changes from step to step"
    )
    warmup: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="Epochs in which the rate grows from 0, in a line"
    )
    batch: Annotated[int | Literal["all"], BeforeValidator(_batch)] = Field(
        default=32, description='Samples a step, at most, or "all"'
    )
    epochs: int = Field(default=50, ge=1, description="How often all samples are gone through")
    seed: int = Field(
        default=0, ge=0, description="What the first weights, the split and the order come from"
    )
    clip: _Rate | None = Field(
        default=None,
        description="The largest norm of a gradient; longer ones are cut to it",
        json_schema_extra=without_null,
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Training ends after so many epochs without a lower validation loss",
        json_schema_extra=without_null,
    )
    validation: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        default=0.2, description="The share of the samples that is held out"
    )
    standardize: bool = Field(
        default=True, description="Whether numbers are shifted and scaled to deviation 1"
    )
    constants: Constants = Field(
        default={}, description="Numbers of the optimizer and the schedule, where not the usual"
    )

    @property
    def whole_batch(self) -> bool:
        """Whether the optimizer is SciPy's, and sees all samples at once."""
        return self.optimizer in WHOLE_BATCH

    def settings(self) -> dict[str, float]:
        """The numbers that an emitted `train_epoch` is given, in the order that it takes them.

        A batch of 0 is all samples. Empty for a whole-batch method, which has no such function.
        """
        if self.whole_batch:
            return {}
        given = OPTIMIZERS[self.optimizer]
        numbers = {
            "rate": given.rate if self.rate is None else self.rate,
            "batch": 0.0 if self.batch == "all" else float(self.batch),
        }
        if self.schedule in ("linear", "cosine"):
            numbers["epochs"] = float(self.epochs)
        if self.warmup:
            numbers["warmup"] = self.warmup
        if self.clip is not None:
            numbers["clip"] = self.clip
        return numbers | self._usual() | self.constants

    def numbers(self) -> dict[tuple[str, ...], float]:
        """What is computed with for each weight, in the network's dtype, by its place."""
        constants = self.constants.keys() - SCHEDULE_CONSTANTS[self.schedule].keys()
        given = {("rate",): self.rate, ("clip",): self.clip}
        return {path: value for path, value in given.items() if value is not None} | {
            ("constants", name): self.constants[name] for name in sorted(constants)
        }

    def structure(self) -> "Training":
        """What emitted code depends on; every other number is the usual one.

        Modules of equal structure are the same but for the numbers that they are given when they
        run: another rate needs no new compilation.
        """
        return Training(
            optimizer=self.optimizer,
            schedule=self.schedule,
            warmup=1.0 if self.warmup else 0.0,
            clip=None if self.clip is None else 1.0,
        )

    def normalised(self) -> dict[str, Any]:
        """As plain data, defaults filled in; what may be left out is, where nothing is said."""
        constants = {name: self.constants[name] for name in sorted(self.constants)}
        return self.model_dump(exclude_none=True) | {"constants": constants}

    def _usual(self) -> dict[str, float]:
        return {**OPTIMIZERS[self.optimizer].constants, **SCHEDULE_CONSTANTS[self.schedule]}

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse([*self._check_whole_batch(), *self._check_constants(), *self._check_patience()])
        return self

    def _check_whole_batch(self) -> Iterator[Problem]:
        """What these methods cannot be told is refused, not silently left aside."""
        if not self.whole_batch:
            return
        usual = type(self).model_fields
        for name in ("rate", "schedule", "warmup", "batch", "clip"):
            value = getattr(self, name)
            if value != usual[name].default and (name, value) != ("batch", "all"):
                yield (name,), f"{self.optimizer} chooses its own steps; leave {name} out"

    def _check_constants(self) -> Iterator[Problem]:
        known = {} if self.whole_batch else self._usual()
        for name, value in self.constants.items():
            if name not in known:
                having = f"has {listed(known)}" if known else "has none"
                yield (
                    ("constants", name),
                    f"no constant of {self.optimizer} with the schedule {self.schedule} is called"
                    f" {quoted(name)}{suggestion(name, known)}; it {having}",
                )
                continue
            least, below = _RANGES[name]
            if not least <= value < below:
                top = "" if below == math.inf else f" and less than {below:g}"
                yield (
                    ("constants", name),
                    f"must be at least {least:g}{top}, not {shown(value)}",
                )

    def _check_patience(self) -> Iterator[Problem]:
        if self.patience is not None and not self.validation:
            yield (
                ("patience",),
                "to end early, samples must be held out: give a validation share above 0",
            )
