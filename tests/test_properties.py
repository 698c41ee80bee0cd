"""Random networks: every pass keeps the rules, and the emitted gradient is the derivative."""

from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from symgrad.checking import scalars
from symgrad.checking.check import check
from symgrad.errors import SpecError
from symgrad.language.verify import verify
from symgrad.pipeline import passes
from symgrad.spec.spec import ACTIVATIONS, LOSSES, Spec

# The activations whose outputs a loss takes logarithms of.
AFTER = {
    "cross_entropy": ["softmax", "sigmoid"],
    "binary_cross_entropy": ["sigmoid"],
    "poisson": ["softplus", "softmax"],
    "kl": ["softmax", "sigmoid"],
}
NUMBERS = ["0.3", "1", "2", "c"]


def formulas(variables: list[str], sums: bool) -> st.SearchStrategy[str]:
    """Formulas that are finite wherever their variables are."""

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        functions = ["tanh", "sin", "cos", "sigmoid", "softplus", "relu", "abs", "erf", "atan"]
        patterns = [*(f"{name}({{}})" for name in functions), "-({})", "({})**2", "({})**3"]
        patterns += ["log1p(abs({}))", "sqrt(1 + ({})**2)", "exp(-abs({}))", "1 / (1 + ({})**2)"]
        patterns += ["(1 + abs({}))**-1.5", "log(1 + exp(sin({})))"]
        pairs = ["({}) + ({})", "({}) - ({})", "({}) * ({})", "max({}, {})", "min({}, {})"]
        pairs += ["({}) / (1 + ({})**2)"]
        one = st.builds(str.format, st.sampled_from(patterns), inner)
        return one | st.builds(str.format, st.sampled_from(pairs), inner, inner)

    # each has its variable, and no part of it is a constant that could be refused
    plain = st.recursive(st.sampled_from(variables), larger, max_leaves=4)
    scaled = st.builds("({})*({}) + ({})".format, st.sampled_from(NUMBERS), plain, plain)
    if not sums:
        return plain | scaled
    summed = st.builds("({}) + 0.5*tanh(sum({}))*({})".format, plain, plain, plain)
    whole = st.builds("sum({})".format, plain)
    ratio = st.builds("({}) / (1 + sum(({})**2))".format, plain, plain)
    return plain | scaled | summed | whole | ratio


@st.composite
def specs(draw: Any) -> Spec:
    """Networks of one to three layers, wide enough now and then for matrix products."""
    depth = draw(st.integers(1, 3))
    widths = draw(st.lists(st.sampled_from([1, 2, 3, 17]), min_size=depth + 1, max_size=depth + 1))
    own = {"inner": {"formula": draw(formulas(["z"], sums=False)), "constants": {"c": 0.7}}}
    own["outer"] = {"formula": draw(formulas(["z"], sums=True)), "constants": {"c": -1.3}}
    hidden = [*ACTIVATIONS[:-1], "inner"]
    layers = []
    for number in range(1, depth + 1):
        choices = [*ACTIVATIONS, "inner", "outer"] if number == depth else hidden
        equal = widths[number] == widths[number - 1]
        layers.append(
            {
                "units": widths[number],
                "activation": draw(st.sampled_from(choices)),
                "bias": draw(st.booleans()),
                "residual": equal and draw(st.booleans()),
            }
        )
    loss: dict[str, Any] = {"kind": draw(st.sampled_from(LOSSES))}
    if loss["kind"] in AFTER:  # rounding decides what the logarithm of other outputs is
        layers[-1] |= {"activation": draw(st.sampled_from(AFTER[loss["kind"]])), "residual": False}
    elif draw(st.booleans()):
        formula = "(y - t)**2 + " + draw(formulas(["y", "y - t", "y*t"], sums=True))
        loss = {"formula": formula, "constants": {"c": 0.4}}
    loss["l1"] = draw(st.sampled_from([0.0, 0.01]))
    loss["l2"] = draw(st.sampled_from([0.0, 0.1]))
    loss["sample_weights"] = draw(st.booleans())
    dtype = draw(st.sampled_from(["float64", "float32"]))
    spec = {"name": "net", "dtype": dtype, "inputs": widths[0], "layers": layers, "loss": loss}
    # As a run may have it: softmax of one unit is no error of the compiler's.
    return Spec.recorded(spec | {"activations": own})


def judge(interpret: Any, spec: Spec, order: Any, samples: int, seed: int) -> None:
    try:
        stages = passes(spec, order)
    except SpecError:  # z - z, after all
        reject()
    for stage in ("expand", "stabilize", "share", "factor", "gradient"):
        verify(getattr(stages, stage))
    for schedule in stages.schedule.values():
        verify(schedule.program)
    module = interpret(stages.source)
    with mock.patch.object(scalars, "affordable", lambda spec: False):  # seconds each
        report = check(spec.normalised(), module, samples, seed)
    assume(not report.note.startswith("all of"))  # nowhere to judge it
    assert report.passed, report


NETWORKS = {
    "spec": specs(),
    "order": st.sampled_from(["loss-first", "weights-first", "cheapest"]),
    "samples": st.integers(1, 5),
    "seed": st.integers(0, 3),
}
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(max_examples=12, derandomize=True, **PATIENT)
@given(**NETWORKS)
def test_random_networks(interpret, spec, order, samples, seed):
    judge(interpret, spec, order, samples, seed)


@pytest.mark.slow
@settings(max_examples=1_000, **PATIENT)
@given(**NETWORKS)
def test_many_random_networks(interpret, spec, order, samples, seed):
    judge(interpret, spec, order, samples, seed)
