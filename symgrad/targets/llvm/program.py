"""program: all that object code of a network is made from, and what Python has to know of it to
call it: as data, without SymPy or templates, so that both can be kept in files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from symgrad.runtime.kinds import Facts, Kind
from symgrad.runtime.members import FactsOfMembers
from symgrad.runtime.named import inputs_of, outputs_of, terms_of
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.targets.public import (
    GOING_ON,
    MEMBERS,
    RANGE,
    completing,
    data,
    derivative,
    in_order,
    made_of_members,
    names_of,
    public,
    results_of,
)

if TYPE_CHECKING:
    from symgrad.lowering.program import Function


@dataclass(frozen=True)
class Description:
    """What Python has to know: `spec` as plain data, where weights lie in theta, from how many
    samples on threads pay, the settings of training and what its optimizer remembers, None where
    it is not trained, and `checks`, the source of the functions that say what is wrong with
    arguments."""

    spec: Mapping[str, Any]
    parameters: Mapping[str, tuple[int, tuple[int, ...]]]
    threaded: Mapping[str, int]
    settings: Mapping[str, float] | None
    remembered: tuple[str, ...]
    checks: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Description":
        """From plain data as JSON has it."""
        parameters = {
            name: (first, tuple(shape)) for name, (first, shape) in data["parameters"].items()
        }
        remembered = tuple(data["remembered"])
        return cls(**{**data, "parameters": parameters, "remembered": remembered})

    @property
    def size(self) -> int:
        """How many weights there are."""
        offset, shape = [*self.parameters.values()][-1]
        return offset + prod(shape)

    @property
    def memory(self) -> int:
        """How many numbers the optimizer remembers."""
        return len(self.remembered) * self.size

    def facts_of_members(self) -> FactsOfMembers:
        settings = len(self.settings or ())
        return FactsOfMembers(self.spec["name"], self.spec, self.size, self.memory, settings)

    def facts(self) -> Facts:
        settings = len(self.settings or ())
        spec = self.spec
        shape = {
            "outputs": outputs_of(spec),
            "inputs": inputs_of(spec),
            "weights": self.size,
        }
        results = {name: results_of(name, shape) for name in spec.get("derivatives", ())}
        return Facts(spec["name"], spec, self.size, self.memory, settings, results)


@dataclass(frozen=True)
class Entry:
    """A function as Python calls it: the kinds of its arguments by name, the lowered function that
    does it in turn, the one on threads, and from how many samples on these pay, and in which
    arrays the samples are, if it is of any. An epoch's samples are looked at by Python. `names` are
    those that the lowered functions have for arguments that they call otherwise."""

    kinds: Mapping[str, Kind]
    in_turn: str
    on_threads: str
    many: int
    x: tuple[str, ...] = ("x",)
    epoch: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


def entries(description: Description) -> dict[str, Entry]:
    """The functions of a network that Python calls, by name."""
    facts, given = description.facts(), data(description.spec)
    gradient = ("_gradient_in_turn", "_gradient_on_threads")
    many = description.threaded["gradient"]
    x = tuple(f"x_{term}" for term in terms_of(description.spec)) or ("x",)

    def kinds(names: tuple[str, ...], *written: str) -> dict[str, Kind]:
        return {name: facts.kind(name, written) for name in names}

    found = {
        "predict": Entry(
            kinds(("theta", "x", "y"), "y"),
            "_prediction_in_turn",
            "_prediction_on_threads",
            description.threaded["predict"],
        ),
        "loss": Entry(kinds(given), *gradient, many, x=x),
        "loss_and_gradient_into": Entry(
            kinds((*given, "gradient"), "gradient"), *gradient, many, x=x
        ),
        "step": Entry(kinds((*given, "rate"), "theta"), "step", "_step_on_threads", many, x=x),
    }
    if not terms_of(description.spec):
        of_range, of_all = (*given, *RANGE), (*completing(description.spec), "gradient")
        found["gradient_of_leaves"] = Entry(
            kinds(of_range, "losses", "gradients"),
            "gradient_of_leaves",
            "_leaves_on_threads",
            many,
        )
        found["complete_gradient"] = Entry(
            kinds(of_all, "gradient"), "complete_gradient", "complete_gradient", 0, x=()
        )
    if description.settings is not None:
        written = ("theta", "state", "progress")
        for name, names, threads in (
            ("train_epoch", (*given, *GOING_ON), "_epoch_on_threads"),
            ("train_steps", (*given, *in_order(description.spec), *GOING_ON), "_steps_on_threads"),
        ):
            found[name] = Entry(kinds(names, *written), name, threads, many, x=x, epoch=True)
    for name in description.spec.get("derivatives", ()):
        (*_, function) = derivative(name, description.spec, given, {})
        results = [result.name for result in DERIVATIVES[name].results]
        found[function.name] = Entry(
            kinds(function.arguments, *results),
            f"_{name}_gradient_in_turn",
            f"_{name}_gradient_on_threads",
            description.threaded[name],
            names=names_of(name),
        )
    if "members" in description.spec:
        found |= _of_members(description)
    return found


def _of_members(description: Description) -> dict[str, Entry]:
    """The functions of an ensemble: threads pay where there are two blocks."""
    from symgrad.lowering.members import lanes

    facts, spec = description.facts_of_members(), description.spec
    functions = public(spec, description.size, description.settings is not None)
    found = {}
    for function in functions:
        if function.name in MEMBERS:
            made = made_of_members(function.name)
            written = made or ("theta", "state", "progress", "losses")
            found[function.name] = Entry(
                facts.kinds((*function.arguments, *made), written),
                f"_{function.name}_in_turn",
                f"_{function.name}_on_threads",
                lanes(spec["dtype"] == "float32") + 1,
                x=("theta",),
            )
    return found


@dataclass(frozen=True)
class Program:
    """The lowered functions, the texts of the elementary functions that they call, those of the
    network's own precision and those of doubles, and what Python calls."""

    single: bool
    functions: "tuple[Function, ...]"
    elementary: tuple[str, str]
    entries: Mapping[str, Entry]

    @cached_property
    def fallible(self) -> frozenset[str]:
        """The functions that can fail."""
        from symgrad.targets.llvm.failing import fallible

        return fallible(self.functions)

    @cached_property
    def checking(self) -> frozenset[str]:
        """The functions that check what they are given."""
        from symgrad.targets.llvm.failing import checking

        return checking(self.functions)
