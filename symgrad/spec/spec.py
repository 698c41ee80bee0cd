"""The spec of a network: file → `Spec`, with every mistake refused in words.

    spec.toml or .json ──read_file──▶ plain data ──validate──▶ Spec

The models say what a spec may hold: `Spec` below, its parts in `parts.py`. pydantic checks the
types, strictly, and the functions called `_check_…` what types cannot say. Whatever is wrong comes
out as one `SpecError`, a line for each problem, with the place in the file.

    spec.py            the whole, and what only the whole can check
    training.py        how it is trained
    scaling.py         shift, scale and clip of inputs and outputs
    parts.py           layers, activations, the loss
    file.py            path → text and plain data
    names.py           which names will do
    messages.py        problems → lines for the user
    words.py           what others call things
    location.py        key → line in the file

Each imports only from those below it.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from symgrad.errors import SpecError
from symgrad.language.dtypes import Dtype, misfit, remedy
from symgrad.spec import limits
from symgrad.spec.derivatives import DERIVATIVES, SHORT
from symgrad.spec.file import read_file
from symgrad.spec.formula import (
    TARGET,
    Binary,
    Call,
    Quantities,
    Tree,
    arrays_of,
    axes_outside_sums,
    derivatives_of,
    has_sum,
    listed,
    quoted,
    suggestion,
    variables_of,
)
from symgrad.spec.messages import Problem, cleaned, refusal, refuse, report, shown
from symgrad.spec.names import IDENTIFIER, identifier_problem, module_problem
from symgrad.spec.parts import (
    ACTIVATIONS,
    KIND_CONSTANTS,
    LOSSES,
    Activation,
    Head,
    Layer,
    Loss,
    LossKind,
    Model,
    Objective,
    Term,
    formula_problem,
    without_null,
)
from symgrad.spec.scaling import (
    GivenInputs,
    Inputs,
    Scaling,
    inputs_in_schema,
    outputs_table,
    read_arrays,
    without_default,
)
from symgrad.spec.training import Training
from symgrad.spec.words import SAME_ACTIVATIONS, answer, with_others

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "Dtype",
    "Layer",
    "Loss",
    "LossKind",
    "Spec",
    "Term",
    "Training",
    "read",
]

# What validators are told of a spec that a run was trained with.
_RECORDED = {"recorded": True}


def _layers(value: object) -> object:
    """Files hold lists, a frozen model a tuple; nothing else that can be iterated is meant.

    Emptiness is refused here, for pydantic would also call a list empty whose items are wrong.
    """
    if value == [] or value == ():
        raise refusal("must have at least one layer")
    return tuple(value) if isinstance(value, list) else value


def _with_activation(layer: object, same: Mapping[str, str]) -> object:
    """A layer whose activation has our name."""
    match layer:
        case Layer(activation=name) | Head(activation=name) if name in same:
            return layer.model_copy(update={"activation": same[name]})
        case {"activation": str(name), **rest} if name in same:
            return {**rest, "activation": same[name]}
        case {"heads": list() | tuple() as heads, **rest}:
            return {**rest, "heads": [_with_activation(head, same) for head in heads]}
    return layer


@dataclass(frozen=True)
class Group:
    """Units of a layer that have an activation and weights of their own: all of them, or those of
    one of its heads, h1 or another, whose outputs are columns of y from `start` on."""

    label: str
    start: int
    units: int
    activation: str
    names: tuple[str, ...] | None

    @property
    def columns(self) -> slice:
        return slice(self.start, self.start + self.units)

    def of(self, array: str) -> str:
        """What y or t is called in it: y, or y_h1."""
        return f"{array}_{self.label}" if self.label else array


def _names(value: object) -> object:
    """Files hold lists; in the order of `DERIVATIVES`, whatever the spec's."""
    if not isinstance(value, list | tuple):
        return value
    known = [*DERIVATIVES]
    names = [SHORT.get(name, name) if isinstance(name, str) else name for name in value]
    return tuple(sorted(names, key=lambda name: known.index(name) if name in known else len(known)))


class Spec(Model):
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
        json_schema_extra={"pattern": IDENTIFIER, "maxLength": limits.NAME_LENGTH},
    )
    dtype: Dtype = Field(default="float32", description="The type of all numbers at run time")
    # Where it is names, `inputs` says how many, and no one takes them for a number.
    given_inputs: GivenInputs = Field(
        alias="inputs",
        description="How many numbers one sample has, or their names; or a table with these, and"
        " how they are shifted, scaled and cut",
        examples=[64, ["x", "t"]],
        json_schema_extra=inputs_in_schema,
    )
    scaling_of_outputs: Annotated[Scaling, BeforeValidator(outputs_table)] = Field(
        default=Scaling(),
        alias="outputs",
        description="How what the network gives is scaled, shifted and cut",
        json_schema_extra=without_default,
    )
    layers: Annotated[tuple[Layer, ...], BeforeValidator(_layers)] = Field(
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
        json_schema_extra={"propertyNames": {"pattern": IDENTIFIER}},
    )
    training: Training | None = Field(
        default=None,
        description="How it is trained; the emitted module then carries train_epoch",
        json_schema_extra=without_null,
    )

    derivatives: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(),
        description="Functions that the module gets beside the gradient, by their names",
        examples=[["jacobian", "hessian_vector"]],
        json_schema_extra={"items": {"enum": list(DERIVATIVES)}, "uniqueItems": True},
    )

    members: int | None = Field(
        default=None,
        ge=1,
        le=limits.MEMBERS,
        description="How many networks of this spec the module computes at once, beside the one",
        examples=[1000],
        json_schema_extra=without_null,
    )

    _file_name: str | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a spec from a `.toml` or `.json` file."""
        path = Path(path)
        text, data = read_file(path)
        data, problems = read_arrays(data, path.parent)
        try:
            refuse(problems)
            spec = cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(report(error, cls, data, cleaned(str(path)), text)) from None
        spec._file_name = path.name
        return spec

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a spec from plain data, laid out like a file."""
        try:
            return cls.model_validate(dict(mapping) if isinstance(mapping, Mapping) else mapping)
        except ValidationError as error:
            raise SpecError(report(error, cls, mapping)) from None

    @classmethod
    def recorded(cls, mapping: Mapping[str, Any]) -> Self:
        """Read the spec of a run as its files have it: also one that new runs must not have."""
        try:
            return cls.model_validate(mapping, context=_RECORDED)
        except ValidationError as error:
            raise SpecError(report(error, cls, mapping)) from None

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
    def input_names(self) -> tuple[str, ...] | None:
        """The names of the inputs, in the order of x's columns; None where they have none."""
        given = self._inputs
        return given if isinstance(given, tuple) else None

    @property
    def _inputs(self) -> int | tuple[str, ...]:
        given = cast(object, self.given_inputs)
        return given.given if isinstance(given, Inputs) else cast(int, given)

    @property
    def scaling_of_inputs(self) -> Scaling:
        """How inputs are shifted, scaled and cut; false where nothing is said of it."""
        given = cast(object, self.given_inputs)
        return given if isinstance(given, Inputs) else Scaling()

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The names of the outputs, in the order of y's columns; None where they have none."""
        return self.layers[-1].called

    def groups(self, number: int) -> tuple[Group, ...]:
        """The units of layer `number`, counted from 1, by what has an activation of its own: all
        together, but for heads."""
        layer = self.layers[number - 1]
        if layer.heads is None:
            return (Group("", 0, layer.units, layer.activation, layer.names),)
        starts = accumulate((head.units for head in layer.heads), initial=0)
        return tuple(
            Group(f"h{place}", start, head.units, head.activation, head.names)
            for place, (start, head) in enumerate(zip(starts, layer.heads, strict=False), start=1)
        )

    @property
    def heads(self) -> tuple[Group, ...]:
        """The outputs by what has an activation of its own, one group where there are no heads."""
        return self.groups(len(self.layers))

    @property
    def has_heads(self) -> bool:
        return self.layers[-1].heads is not None

    def targets_by_head(self, t: Any) -> dict[str, Any]:
        """Targets as programs have them: t, or the columns of each head, t_h1 and so on."""
        if not self.has_heads or self.quantities.axis_of_targets != "outputs":
            return {"t": t}
        return {head.of("t"): t[:, head.columns] for head in self.heads}

    def head_of(self, objective: Objective) -> Group | None:
        """The head that a term judges; None where it is of all outputs, or of no head there is."""
        given = objective.outputs if isinstance(objective, Term) else None
        if given is None or not self.has_heads:
            return None
        return next((each for each in self.heads if given in (each.label, each.names)), None)

    @property
    def inputs(self) -> int:
        """How many numbers one sample has."""
        given = self._inputs
        return given if isinstance(given, int) else len(given)

    @property
    def widths(self) -> tuple[int, ...]:
        """The inputs, then each layer's units."""
        return (self.inputs, *(layer.units for layer in self.layers))

    def sources(self, number: int, head: str = "") -> tuple[tuple[str, int], ...]:
        """What layer `number`, counted from 1, takes: the name of its weights, those of a head
        where it has some, and of which layer the output, 0 being the inputs. W3, or of several W3x
        and W3a1."""
        given, name = self.layers[number - 1].sources, f"W{number}{head}"
        if given is None:
            return ((name, number - 1),)
        places = [0 if source == "x" else int(source[1:]) for source in given]
        if len(given) == 1:
            return ((name, places[0]),)
        return tuple((f"{name}{s}", place) for s, place in zip(given, places, strict=True))

    @property
    def taken(self) -> tuple[int, ...]:
        """How many numbers each layer takes."""
        widths = self.widths
        return tuple(
            sum(widths[place] for _, place in self.sources(number))
            for number in range(1, len(self.layers) + 1)
        )

    @property
    def outputs(self) -> int:
        """The last layer's units."""
        return self.layers[-1].units

    @property
    def weights(self) -> int:
        """How many weights and biases there are."""
        return sum(
            (width + layer.bias) * layer.units
            for width, layer in zip(self.taken, self.layers, strict=True)
        )

    @property
    def trained_ranges(self) -> tuple[tuple[int, int], ...]:
        """Where the weights of trainable layers lie in theta: from one place on, before another;
        layers in a row as one range."""
        found: list[tuple[int, int]] = []
        start = 0
        for taken, layer in zip(self.taken, self.layers, strict=True):
            end = start + (taken + layer.bias) * layer.units
            if layer.trainable:
                begun = found.pop()[0] if found and found[-1][1] == start else start
                found.append((begun, end))
            start = end
        return tuple(found)

    @property
    def data_of_term(self) -> tuple[str, ...]:
        """What functions are given of the samples of a term, which is the loss here: x, t where it
        is of targets, and w where samples have weights."""
        return ("x", *["t"] * self.reads_target, *["w"] * self.loss.sample_weights)

    @property
    def targets(self) -> int:
        """How many targets a sample has: as many as outputs, if the loss says nothing else."""
        return self.quantities.targets

    @property
    def target_names(self) -> tuple[str, ...] | None:
        """The names of the targets, in the order of t's columns; None where they have none."""
        return self.output_names if self.loss.given_targets is None else self.loss.target_names

    @property
    def quantities(self) -> Quantities:
        """What the loss can be a formula in."""
        return self.quantities_of(self.loss)

    def quantities_of(self, objective: Objective) -> Quantities:
        """What the loss, or a term of it, can be a formula in."""
        head = self.head_of(objective)
        return Quantities(
            self.inputs,
            self.outputs if head is None else head.units,
            self.input_names or (),
            (self.output_names if head is None else head.names) or (),
            objective.targets,
            objective.target_names or (),
        )

    @property
    def loss_tree(self) -> Tree | None:
        """The parsed formula of the loss; None for a built-in one."""
        return self.loss.in_terms_of(self.quantities)

    @cached_property
    def of_terms(self) -> Mapping[str, Self]:
        """The terms of the loss by name, each as a spec whose loss is that term, the
        first with the penalties, which stand in the sum once; empty for a loss of one formula or
        kind, or of terms that share their samples."""
        alone = {
            term.name: self.model_copy(
                update={
                    "loss": self.loss.of_term(place),
                    "training": None,
                    "derivatives": (),
                }
            )
            for place, term in enumerate(self.loss.terms)
            if not self.loss.of_heads
        }
        return {
            name: term if place == 0 else term.without_penalties()
            for place, (name, term) in enumerate(alone.items())
        }

    def penalty(self, number: int, name: str) -> float | str:
        """The λ, "l1" or "l2", of the W of layer `number`, counted from 1: its own, or that of the
        loss, which may be "argument"."""
        own = getattr(self.layers[number - 1], name)
        given: float | str = getattr(self.loss, name) if own is None else own
        return given

    def without_penalties(self) -> Self:
        """The same with the loss alone."""
        layers = (layer.model_copy(update={"l1": None, "l2": None}) for layer in self.layers)
        loss = self.loss.model_copy(update={"l1": 0.0, "l2": 0.0})
        return self.model_copy(update={"layers": tuple(layers), "loss": loss})

    @property
    def reads_target(self) -> bool:
        """Whether the loss is of targets. One of a term alone is not given any otherwise."""
        return self.loss_tree is None or "t" in arrays_of(self.loss_tree)

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
            "inputs": _inputs_data(self),
            "layers": [
                {
                    "units": layer.units,
                    **({} if layer.heads is not None else {"activation": layer.activation}),
                    "bias": layer.bias,
                    "residual": layer.residual,
                    **({} if layer.sources is None else {"from": list(layer.sources)}),
                    **({} if layer.trainable else {"trainable": False}),
                    **({} if layer.l1 is None else {"l1": layer.l1}),
                    **({} if layer.l2 is None else {"l2": layer.l2}),
                    **({} if layer.called is None else {"names": list(layer.called)}),
                    **({} if layer.heads is None else {"heads": [*map(_head_data, layer.heads)]}),
                }
                for layer in self.layers
            ],
            **({"outputs": after.normalised()} if (after := self.scaling_of_outputs) else {}),
            "loss": {
                **_objective_data(self),
                "l1": loss.l1,
                "l2": loss.l2,
                "sample_weights": loss.sample_weights,
            },
            "activations": {
                name: _formula_data(self.activations[name]) for name in sorted(self.activations)
            },
            **({} if self.training is None else {"training": self.training.normalised()}),
            **({"derivatives": list(self.derivatives)} if self.derivatives else {}),
            **({} if self.members is None else {"members": self.members}),
        }

    def unnamed(self) -> Self:
        """The same network with its inputs and outputs only counted."""
        data = self.normalised()
        for named in (data["layers"][-1], *data["layers"][-1].get("heads", ())):
            named.pop("names", None)
        scaling = self.scaling_of_inputs.normalised()
        counted = {"count": self.inputs, **scaling} if scaling else self.inputs
        return self.recorded({**data, "inputs": counted})

    def digest(self) -> str:
        """SHA-256 of the normalised spec in hexadecimal: equal specs, equal digests."""
        canonical = json.dumps(self.normalised(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.normalised() == other.normalised()

    def __hash__(self) -> int:
        return hash(self.digest())

    @model_validator(mode="before")
    @classmethod
    def _activations(cls, data: Any) -> Any:
        """Our names for activations that have others, unless the spec declares one so called."""
        match data:
            case {"layers": list() | tuple() as layers}:
                own = declared if isinstance(declared := data.get("activations"), Mapping) else {}
                same = {each: ours for each, ours in SAME_ACTIVATIONS.items() if each not in own}
                return {**data, "layers": [_with_activation(layer, same) for layer in layers]}
        return data

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        refuse(
            chain(
                _check_names(self),
                _check_columns(self),
                _check_layers(self),
                _check_heads(self),
                _check_sources(self),
                _check_sizes(self),
                _check_scaling(self),
                _check_hidden(self),
                _check_loss(self),
                _check_derivatives(self),
                _check_members(self),
                _check_trained(self),
            )
        )
        if info.context != _RECORDED:
            refuse(chain(_check_output(self), _check_numbers(self)))
        return self


def read(source: str | os.PathLike[str] | Mapping[str, Any] | Spec) -> Spec:
    """The spec in a file, in plain data, or as it is."""
    if isinstance(source, Spec):
        return source
    if isinstance(source, Mapping):
        return Spec.parse(source)
    if isinstance(source, str | os.PathLike):
        return Spec.load(source)
    raise SpecError(f"a spec is a path, a mapping or a Spec, not {shown(source)}")


def _inputs_data(spec: Spec) -> Any:
    """How many inputs there are, or their names; in a table where they are scaled."""
    given = spec.inputs if spec.input_names is None else list(spec.input_names)
    if not spec.scaling_of_inputs:
        return given
    key = "count" if spec.input_names is None else "names"
    return {key: given, **spec.scaling_of_inputs.normalised()}


def _head_data(head: Head) -> dict[str, Any]:
    names = {} if head.names is None else {"names": list(head.names)}
    return {"units": head.units, "activation": head.activation, **names}


def _objective_data(spec: Spec) -> dict[str, Any]:
    loss = spec.loss
    if not loss.terms:
        weight = {} if loss.weight == 1 else {"weight": loss.weight}
        return _kind_or_formula(loss) | weight
    terms = (
        {
            "name": term.name,
            **_kind_or_formula(term),
            "weight": term.weight,
            **(
                {"sample_weights": term.sample_weights}
                if (head := spec.head_of(term)) is None
                else {"outputs": head.label}
            ),
        }
        for term in loss.terms
    )
    return {"terms": list(terms)}


def _kind_or_formula(part: Objective) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": part.kind}
    usual = KIND_CONSTANTS.get(part.kind or "", {})
    if own := {name: value for name, value in part.constants.items() if value != usual.get(name)}:
        data["constants"] = dict(sorted(own.items()))
    if part.formula is not None:
        data = _formula_data(part)
    if part.targets is not None:
        data["targets"] = part.targets if part.target_names is None else list(part.target_names)
    return data


def _formula_data(part: Activation | Objective) -> dict[str, Any]:
    constants = {name: part.constants[name] for name in sorted(part.constants)}
    return {"formula": part.formula, "constants": constants}


# ---- What types cannot say -----------------------------------------------------------------------


def _check_names(spec: Spec) -> Iterator[Problem]:
    if wrong := module_problem(spec.name):
        yield ("name",), f"{quoted(spec.name)} {wrong}"
    for name in spec.activations:
        if name in ACTIVATIONS:
            yield ("activations", name), f"{name!r} is built in; choose another name"
        elif wrong := identifier_problem(name):
            yield ("activations", name), f"{quoted(name)} {wrong}"


def _objectives(spec: Spec) -> Iterator[tuple[tuple[str | int, ...], Objective]]:
    """The loss, or its terms, with the place of each."""
    if not spec.loss.terms:
        yield ("loss",), spec.loss
    for place, term in enumerate(spec.loss.terms):
        yield ("loss", "terms", place), term


def _differentiates(spec: Spec) -> bool:
    """Whether the loss has derivatives in it, as far as can be seen of a formula that may be
    wrong."""
    return spec.loss.tree is not None and bool(derivatives_of(spec.loss.tree))


def _check_derivatives(spec: Spec) -> Iterator[Problem]:
    for number, name in enumerate(spec.derivatives):
        if name not in DERIVATIVES:
            yield (
                ("derivatives", number),
                f"unknown derivative {quoted(name)}{suggestion(name, DERIVATIVES)};"
                f" there are {listed(DERIVATIVES)}",
            )
        elif DERIVATIVES[name].loss and spec.loss.terms and not spec.loss.of_heads:
            without = [each for each, signature in DERIVATIVES.items() if not signature.loss]
            yield (
                ("derivatives", number),
                f"{quoted(name)} is of a loss of one kind or formula, and this one has terms;"
                f" there are {listed(without)}",
            )
        elif name.startswith("gauss_newton") and _differentiates(spec):
            yield (
                ("derivatives", number),
                f"{quoted(name)} is of losses of the outputs alone; this one has derivatives by"
                " inputs",
            )
        elif name in spec.derivatives[:number]:
            yield ("derivatives", number), f"{quoted(name)} is named twice"


def _check_members(spec: Spec) -> Iterator[Problem]:
    if spec.members is not None and spec.loss.terms:
        yield ("members",), "members are of a loss of one kind or formula, and this one has terms"
    if spec.members is not None and spec.derivatives:
        yield ("members",), "members have no derivatives beside the gradient: leave one of them out"


def _check_trained(spec: Spec) -> Iterator[Problem]:
    if spec.training is not None and not any(layer.trainable for layer in spec.layers):
        yield ("layers",), "no layer is trainable: there is nothing to train"


def _check_columns(spec: Spec) -> Iterator[Problem]:
    """The names of inputs and outputs, beside each other and what formulas call by them."""
    last = len(spec.layers) - 1
    for number, layer in enumerate(spec.layers[:-1]):
        if layer.names is not None:
            yield (
                ("layers", number, "names"),
                "names are for the last layer only, whose units are the outputs",
            )
    inputs, outputs = spec.input_names or (), spec.output_names or ()
    for group, path in _with_places(spec, last):
        for place, name in enumerate(group.names or ()):
            if name in inputs:
                yield (
                    (*path, "names", place),
                    f"{name!r} is the name of an input, too; choose another name",
                )
    called = dict.fromkeys(outputs, "an output") | dict.fromkeys(inputs, "an input")
    for path, objective in _objectives(spec):
        for place, name in enumerate(objective.target_names or ()):
            if name in called:
                yield (
                    (*path, "targets", place),
                    f"{name!r} is the name of {called[name]}, too; choose another name",
                )
        for name in objective.constants if objective.formula is not None else ():
            if name in (objective.target_names or ()):
                yield (
                    (*path, "constants", name),
                    f"{name!r} is the name of a target, too; choose another name",
                )
            if name in called:
                yield (
                    (*path, "constants", name),
                    f"{name!r} is the name of {called[name]}, too; choose another name",
                )


def _check_hidden(spec: Spec) -> Iterator[Problem]:
    """A name hides what formulas call by the same letters; a formula that may well mean that is
    refused."""
    inputs = spec.input_names or ()
    for path, objective in _objectives(spec):
        outputs = spec.quantities_of(objective).output_names
        read = variables_of(objective.tree) if objective.tree is not None else ()
        if "y" in read and "y" in outputs and outputs != ("y",):
            yield (
                (*path, "formula"),
                "y means all outputs here, and is the name of an output, too; choose another name"
                " for that",
            )
        if "t" in read and "y" in read and "t" in inputs and TARGET not in read:
            yield (
                (*path, "formula"),
                "t is the name of an input here, which hides the target; write target for the"
                " target, and the outputs by their names",
            )


def _check_loss(spec: Spec) -> Iterator[Problem]:
    """What its formulas are in."""
    for path, objective in _objectives(spec):
        for problem in _formula_problems(spec, objective):
            yield (*path, "formula"), problem


def _formula_problems(spec: Spec, objective: Objective) -> Iterator[str]:
    for problem in formula_problem(objective, "float64", spec.quantities_of(objective)):
        yield problem
        return
    quantities = spec.quantities_of(objective)
    tree = objective.in_terms_of(quantities)
    if tree is None:
        return
    if spec.has_heads and derivatives_of(tree):
        yield "a formula has no derivatives of the outputs of a network with heads"
        return
    if "y" not in arrays_of(tree):
        names = quantities.output_names
        named = f", as {listed(names, 3)}" if names else ""
        yield f"the formula must use y, the output{named}: {quoted(str(objective.formula))}"
    axes = axes_outside_sums(tree)
    if len(axes) > 1 and quantities.outputs > 1 and spec.inputs > 1:
        yield (
            "the formula has a term for each output and for each input; say which ones, as y[0]"
            " and x[1], or sum over one of them"
        )


def _check_layers(spec: Spec) -> Iterator[Problem]:
    if over := limits.LAYERS.refusal(len(spec.layers)):
        yield ("layers",), over
        return
    known = dict.fromkeys((*ACTIVATIONS, *spec.activations))
    for number, (layer, width) in enumerate(zip(spec.layers, spec.widths, strict=False)):
        yield from _check_activations(spec, number, known)
        yield from _wrong_sources(number, layer)
        if layer.sources is not None:
            continue
        if layer.residual and layer.units != width:
            source = "the layer before it has" if number else "the inputs are"
            yield (
                ("layers", number, "residual"),
                "a residual layer needs as many units as come in: it has"
                f" {shown(layer.units)}, but {source} {shown(width)}",
            )


def _check_activations(spec: Spec, number: int, known: Mapping[str, None]) -> Iterator[Problem]:
    """Whether there is what a layer, counted from 0, or each of its heads calls its activation."""
    for group, path in _with_places(spec, number):
        name = group.activation
        if name not in known:
            said = answer(name, spec.outputs)
            near = "" if said else suggestion(name, with_others(known))
            all_others = f"{listed(known)}, and others can be declared as [activations.NAME]"
            yield (
                (*path, "activation"),
                f"unknown activation {quoted(name)}{near}; {said or f'there are {all_others}'}",
            )
        elif number < len(spec.layers) - 1 and _mixes_units(spec, name):
            reason = "" if name == "softmax" else ", since its formula has a sum"
            yield (
                (*path, "activation"),
                f"{name!r} is for the last layer only{reason}; use another activation here",
            )


def _with_places(
    spec: Spec, number: int
) -> Iterator[tuple[Group, tuple[str | int, ...]]]:
    """The groups of units of a layer, counted from 0, with the place of each in the spec."""
    for place, group in enumerate(spec.groups(number + 1)):
        inside = () if spec.layers[number].heads is None else ("heads", place)
        yield group, ("layers", number, *inside)


def _check_heads(spec: Spec) -> Iterator[Problem]:
    """Where they may stand, and what goes by them."""
    for number, layer in enumerate(spec.layers[:-1]):
        if layer.heads is not None:
            yield ("layers", number, "heads"), "heads are for the last layer only"
    if spec.has_heads and spec.scaling_of_outputs:
        yield ("outputs",), "outputs of heads are as they are; leave [outputs] out"
    for place, term in enumerate(spec.loss.terms):
        if term.outputs is None or spec.head_of(term) is not None:
            continue
        path = ("loss", "terms", place, "outputs")
        if not spec.has_heads:
            yield path, "there are no heads to judge; terms without outputs are of all of them"
        else:
            known = " | ".join(_called_head(head) for head in spec.heads)
            given = term.outputs if isinstance(term.outputs, str) else listed(term.outputs)
            yield path, f"{quoted(given)} is no head, all of one; there are {known}"
    if spec.has_heads and spec.loss.of_heads:
        judged = [*map(spec.head_of, spec.loss.terms)]
        for head in spec.heads if None not in judged else ():
            if head not in judged:
                yield ("loss", "terms"), f"no term judges the head {_called_head(head)}"


def _called_head(head: Group) -> str:
    return listed(head.names, 3) if head.names else head.label


def _wrong_sources(number: int, layer: Layer) -> Iterator[Problem]:
    """What a layer takes has to be there before it; a residual layer takes but one, as wide."""
    known = ["x", *(f"a{before}" for before in range(1, number + 1))]
    for place, source in enumerate(layer.sources or ()):
        if source not in known:
            there = "; ".join(
                ("there is x, the inputs", *[f"and a1 to a{number}"] * (number > 0))
            )
            yield ("layers", number, "from", place), f"{quoted(source)} is no source here: {there}"
        elif source in (layer.sources or ())[:place]:
            yield ("layers", number, "from", place), f"{quoted(source)} is there already"
    if layer.residual and len(layer.sources or ()) > 1:
        yield (
            ("layers", number, "residual"),
            "a residual layer adds what it takes, which can be one source, not several",
        )


def _check_output(spec: Spec) -> Iterator[Problem]:
    """The sum over one unit is the unit itself: a share of it is 1, whatever the weights."""
    for group, path in _with_places(spec, len(spec.layers) - 1):
        always = None
        match spec.activation_tree(group.activation):
            case Binary("/" | "-" as operator, left, Call("sum", (right,))) if left == right:
                always = 1 if operator == "/" else 0
            case None if group.activation == "softmax":
                always = 1
        if group.units == 1 and always is not None:
            yield (
                (*path, "activation"),
                f"{group.activation!r} of one unit is always {always}; use 'sigmoid' for the"
                " probability of one of two classes, or give the layer a unit for each class",
            )


def _mixes_units(spec: Spec, activation: str) -> bool:
    tree = spec.activation_tree(activation)
    return activation == "softmax" or (tree is not None and has_sum(tree))


def _check_sources(spec: Spec) -> Iterator[Problem]:
    """What a residual layer takes, where it is there."""
    if _lacks_sources(spec):
        return
    for number, (layer, taken) in enumerate(zip(spec.layers, spec.taken, strict=True)):
        if layer.sources is not None and layer.residual and layer.units != taken:
            yield (
                ("layers", number, "residual"),
                "a residual layer needs as many units as come in: it has"
                f" {shown(layer.units)}, but {layer.sources[0]} has {shown(taken)}",
            )


def _lacks_sources(spec: Spec) -> bool:
    numbered = enumerate(spec.layers)
    return any(any(_wrong_sources(number, layer)) for number, layer in numbered)


def _check_sizes(spec: Spec) -> Iterator[Problem]:
    if _lacks_sources(spec):
        return
    too_wide = False
    for number, width in enumerate(spec.widths):
        if over := limits.UNITS.refusal(width):
            too_wide = True
            yield ("layers", number - 1, "units") if number else ("inputs",), over
    # One slip, one message: a layer too wide nearly always has too many weights too.
    if not too_wide and (over := limits.WEIGHTS.refusal(spec.weights)):
        yield ("layers",), over


def _check_scaling(spec: Spec, dtype: Dtype | None = None) -> Iterator[Problem]:
    """Whether there are numbers for the columns there are; and in a dtype, whether it has them."""
    for key, scaling, columns in (
        ("inputs", spec.scaling_of_inputs, spec.inputs),
        ("outputs", spec.scaling_of_outputs, spec.outputs),
    ):
        for where, problem in scaling.problems(columns, dtype):
            yield (key, *where), problem


def _check_numbers(spec: Spec) -> Iterator[Problem]:
    """Whether the dtype holds what is computed with in it."""
    yield from _check_scaling(spec, spec.dtype)
    for name, activation in spec.activations.items():
        for problem in formula_problem(activation, spec.dtype):
            yield ("activations", name, "formula"), problem
    for path, objective in _objectives(spec):
        for problem in formula_problem(objective, spec.dtype, spec.quantities_of(objective)):
            yield (*path, "formula"), problem
    squared: dict[tuple[str | int, ...], float] = {}  # and what is computed with the square of
    numbers: dict[tuple[str | int, ...], float] = {
        ("loss", name): getattr(spec.loss, name)
        for name in ("l1", "l2")
        if name not in spec.loss.arguments
    }
    for number, layer in enumerate(spec.layers):
        own = {"l1": layer.l1, "l2": layer.l2}
        numbers |= {("layers", number, k): value for k, value in own.items() if value is not None}
    for path, objective in _objectives(spec):
        numbers[(*path, "weight")] = objective.weight
        for name, value in objective.kind_constants.items():
            numbers[(*path, "constants", name)] = value
            squared[(*path, "constants", name)] = value
    if spec.training is not None:
        numbers |= {("training", *path): value for path, value in spec.training.numbers().items()}
    for where, value in numbers.items():
        if wrong := misfit(value, spec.dtype):
            yield where, f"{shown(value)} is {wrong}{remedy(spec.dtype)}"
        elif where in squared and (wrong := misfit(Fraction(repr(value)) ** 2, spec.dtype, True)):
            yield where, f"the square of {shown(value)} is {wrong}{remedy(spec.dtype)}"
