"""Random networks: compiled, every stage well formed, and the gradient what the oracles say.

The oracles are those of `symgrad check`: differences and complex steps of a loss that is written in
NumPy, which share no code with the compiler.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from unittest import mock

from fuzz.crash import at_most, last_line, signature
from fuzz.formulas import nodes, simpler
from fuzz.hunt import Finding, Kind
from fuzz.modules import interpreted
from symgrad.checking import scalars
from symgrad.checking.check import check
from symgrad.errors import SpecError
from symgrad.language.verify import verify
from symgrad.pipeline import passes
from symgrad.spec.spec import ACTIVATIONS, LOSSES, Spec

SECONDS = 120
# The activations whose outputs a loss takes logarithms of.
AFTER = {
    "cross_entropy": ("softmax", "sigmoid"),
    "binary_cross_entropy": ("sigmoid",),
    "poisson": ("softplus", "softmax"),
    "kl": ("softmax", "sigmoid"),
}
# Formulas that have a value wherever their variables have, {0} and {1} being others.
TAME = (
    "tanh({0})", "sin({0})", "cos({0})", "sigmoid({0})", "softplus({0})", "relu({0})", "abs({0})",
    "erf({0})", "atan({0})", "-{0}", "({0})**2", "({0})**3", "log1p(abs({0}))", "exp(-abs({0}))",
    "sqrt(1 + ({0})**2)", "1/(1 + ({0})**2)", "(1 + abs({0}))**-1.5", "log(1 + exp(sin({0})))",
    "expm1(sin({0}))", "log(cosh({0}))", "tanh({0})*sinh(sin({1}))", "({0}) + ({1})",
    "({0}) - ({1})", "({0})*({1})", "max({0}, {1})", "min({0}, {1})", "({0})/(1 + ({1})**2)",
    "0.3*({0}) + c*({1})",
)  # fmt: skip
SUMMED = ("({0})/(1 + sum(({1})**2))", "({0}) + 0.5*tanh(sum({1}))", "exp(-abs({0}))*sum({1})")
ORDERS = ("loss-first", "weights-first", "cheapest")


@dataclass(frozen=True)
class Case:
    """A spec, as JSON, and what it is checked with."""

    text: str
    order: str = "loss-first"
    samples: int = 1
    seed: int = 0

    @property
    def spec(self) -> dict[str, Any]:
        return dict(json.loads(self.text))

    def with_spec(self, spec: Mapping[str, Any]) -> "Case":
        return replace(self, text=json.dumps(spec))

    def data(self) -> dict[str, Any]:
        return {
            "spec": self.spec, "order": self.order, "samples": self.samples, "seed": self.seed
        }  # fmt: skip

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Case":
        others = {name: value for name, value in data.items() if name != "spec"}
        return cls(json.dumps(data["spec"]), **others)

    def size(self) -> tuple[float, ...]:
        spec = self.spec
        layers, loss = spec["layers"], spec["loss"]
        formulas = [own["formula"] for own in spec.get("activations", {}).values()]
        formulas += [loss["formula"]] if "formula" in loss else []
        options = sum(
            (layer["activation"] != "identity")
            + bool(layer.get("bias", True))
            + bool(layer.get("residual"))
            for layer in layers
        )
        options += sum(bool(loss.get(name)) for name in ("l1", "l2", "sample_weights"))
        options += (loss.get("kind") != "squared") + (spec["dtype"] != "float64")
        options += (self.order != ORDERS[0]) + (self.seed > 0)
        widths = [spec["inputs"], *(layer["units"] for layer in layers)]
        return (len(layers), options + sum(map(nodes, formulas)), sum(widths) + self.samples)

    def __str__(self) -> str:
        return self.text


def kind() -> Kind:
    return Kind("spec", 2, draw, judge, smaller, Case.read)


def tame(rng: Random, variables: tuple[str, ...], size: int, sums: bool) -> str:
    if size == 0:
        return rng.choice(variables)
    pattern = rng.choice(SUMMED if sums and rng.random() < 0.5 else TAME)
    return pattern.format(*(tame(rng, variables, size - 1, False) for _ in range(2)))


def draw(rng: Random) -> Case:
    depth = rng.choice((1, 1, 2, 2, 3))
    widths = [rng.choice((1, 2, 3, 3, 17)) for _ in range(depth + 1)]
    own = {
        "inner": {"formula": tame(rng, ("z",), rng.choice((1, 2)), False), "constants": {"c": 0.7}},
        "outer": {"formula": tame(rng, ("z",), rng.choice((1, 2)), True), "constants": {"c": -1.3}},
    }
    layers = []
    for number in range(1, depth + 1):
        known = [*ACTIVATIONS, "outer"] if number == depth else list(ACTIVATIONS[:-1])
        layers.append(
            {
                "units": widths[number],
                "activation": rng.choice([*known, "inner", "inner"]),
                "bias": rng.random() < 0.6,
                "residual": widths[number] == widths[number - 1] and rng.random() < 0.4,
            }
        )
    loss: dict[str, Any] = {"kind": rng.choice(LOSSES)}
    if loss["kind"] in AFTER:
        layers[-1] |= {"activation": rng.choice(AFTER[loss["kind"]]), "residual": False}
    elif rng.random() < 0.5:
        formula = tame(rng, ("y", "y - t", "y*t"), rng.choice((1, 2)), True)
        loss = {"formula": f"(y - t)**2 + {formula}", "constants": {"c": 0.4}}
    if layers[-1]["activation"] == "softmax" and layers[-1]["units"] == 1:  # always 1: refused
        layers[-1] |= {"units": 2, "residual": False}
    loss["l1"] = rng.choice((0.0, 0.0, 0.01, "argument"))
    loss["l2"] = rng.choice((0.0, 0.0, 0.1, "argument"))
    loss["sample_weights"] = rng.random() < 0.3
    used = {layer["activation"] for layer in layers}
    spec = {
        "name": "net",
        "dtype": rng.choice(("float64", "float64", "float32")),
        "inputs": widths[0],
        "layers": layers,
        "loss": loss,
        "activations": {name: each for name, each in own.items() if name in used},
    }
    return Case(json.dumps(spec), rng.choice(ORDERS), rng.choice((1, 2, 5)), rng.randrange(4))


def judge(case: Case) -> list[Finding]:
    try:
        with at_most(SECONDS):
            spec = Spec.parse(case.spec)
            stages = passes(spec, case.order)
            for stage in ("expand", "stabilize", "share", "factor", "gradient"):
                verify(getattr(stages, stage))
            for schedule in stages.schedule.values():
                verify(schedule.program)
            with mock.patch.object(scalars, "affordable", lambda spec: False):  # seconds each
                report = check(
                    spec.normalised(), interpreted(stages.source), case.samples, case.seed
                )
    except SpecError as error:
        # z - z may come of it, or a layer made smaller that is softmax; else it is by the rules
        told = ("no finite value", "the same whatever", "of one unit is always")
        fair = any(words in str(error) for words in told)
        return [] if fair else [Finding("refused", case, str(error), by_case=True)]
    except Exception as error:  # that any other comes out is what is looked for
        return [Finding(f"crash: {signature(error)}", case, last_line(error))]
    if report.passed or report.note.startswith("all of"):  # nowhere to judge it
        return []
    failed = [
        f"{each.oracle}: off by {each.error:.3g}" for each in report.verdicts if not each.passed
    ]
    if report.shrinking is not None and not report.shrinking.passed:
        failed.append("the error of differences does not shrink as it should")
    return [Finding("wrong gradient", case, "; ".join(failed) or report.note, by_case=True)]


def smaller(case: Case) -> Iterator[Case]:
    spec = case.spec
    layers, loss = spec["layers"], spec["loss"]
    for number, layer in enumerate(layers):
        others = (layers[:number], layers[number + 1 :])
        if len(layers) > 1:
            yield case.with_spec(spec | {"layers": others[0] + others[1]})
        for change in (
            {"activation": "identity"},
            {"bias": False},
            {"residual": False},
            {"units": 1},
            {"units": 2},
        ):
            yield case.with_spec(spec | {"layers": [*others[0], layer | change, *others[1]]})
    for change in ({"l1": 0.0}, {"l2": 0.0}, {"sample_weights": False}):
        yield case.with_spec(spec | {"loss": loss | change})
    rest = {name: loss[name] for name in ("l1", "l2", "sample_weights") if name in loss}
    yield case.with_spec(spec | {"loss": rest | {"kind": "squared"}})
    if "formula" in loss:
        for formula in simpler(loss["formula"], ("y", "t")):
            yield case.with_spec(spec | {"loss": loss | {"formula": formula}})
    for name, own in spec.get("activations", {}).items():
        for formula in simpler(own["formula"], ("z",)):
            changed = {name: own | {"formula": formula}}
            yield case.with_spec(spec | {"activations": spec["activations"] | changed})
    used = {layer["activation"] for layer in layers}
    kept = {name: own for name, own in spec.get("activations", {}).items() if name in used}
    yield case.with_spec(spec | {"activations": kept})
    for inputs in (1, 2):
        yield case.with_spec(spec | {"inputs": inputs})
    yield case.with_spec(spec | {"dtype": "float64"})
    yield replace(case, order=ORDERS[0])
    yield replace(case, samples=1)
    yield replace(case, seed=0)
