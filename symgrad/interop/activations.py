"""Activations between frameworks: what each is as a formula, and which formulas have a name here.

Every framework's activations are read as formulas in z. One that is, up to rounding, a built-in
activation is called by that name; another is declared in the spec under `[activations]`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from symgrad.compiler.formula import Binary, Call, Tree, Variable, has_sum, parse, quoted
from symgrad.errors import FormulaError
from symgrad.interop.errors import InteropError
from symgrad.interop.numeric import evaluate
from symgrad.interop.text import substituted, text

# fmt: off
BUILT_IN: Mapping[str, str] = {
    "identity":   "z",
    "relu":       "relu(z)",
    "leaky_relu": "max(z, 0.01*z)",
    "elu":        "relu(z) + expm1(min(z, 0))",
    "selu":       "1.0507009873554804934193349852946"
                  "*(relu(z) + 1.6732632423543772848170429916717*expm1(min(z, 0)))",
    "gelu":       "z*(1 + erf(z/sqrt(2)))/2",
    "silu":       "z*sigmoid(z)",
    "mish":       "z*tanh(softplus(z))",
    "softplus":   "softplus(z)",
    "softsign":   "z/(1 + abs(z))",
    "sigmoid":    "sigmoid(z)",
    "tanh":       "tanh(z)",
    "sin":        "sin(z)",
    "gaussian":   "exp(-z**2)",
    "softmax":    "exp(z)/sum(exp(z))",
}
# fmt: on


# ---- Families that frameworks have, by their parameters ------------------------------------------


def number(value: float) -> str:
    """A number in a formula, to the last bit."""
    return f"({float(value)!r})"


def leaky_relu(slope: float) -> str:
    """slope·z below 0, z above."""
    return f"relu(z) + {number(slope)}*min(z, 0)"


def elu(alpha: float, scale: float = 1.0, rate: float = 1.0) -> str:
    """scale·α·(exp(rate·z) − 1) below 0, scale·z above."""
    exponent = "min(z, 0)" if rate == 1 else f"{number(rate)}*min(z, 0)"
    times = "" if alpha == 1 else f"{number(alpha)}*"
    body = f"relu(z) + {times}expm1({exponent})"
    return body if scale == 1 else f"{number(scale)}*({body})"


def softplus(beta: float) -> str:
    """log(1 + exp(β·z))/β."""
    return "softplus(z)" if beta == 1 else f"softplus({number(beta)}*z)/{number(beta)}"


def clipped(low: float | None, high: float | None, inner: str = "z") -> str:
    """`inner`, but never below `low` nor above `high`."""
    if low is not None and np.isfinite(low):
        inner = f"relu({inner})" if low == 0 else f"max({inner}, {number(low)})"
    if high is not None and np.isfinite(high):
        inner = f"min({inner}, {number(high)})"
    return inner


def hard_sigmoid(slope: float, offset: float) -> str:
    """slope·z + offset, between 0 and 1."""
    return clipped(0.0, 1.0, f"{number(slope)}*z + {number(offset)}")


GELU_TANH = "z*(1 + tanh(sqrt(2/3.141592653589793)*(z + 0.044715*z**3)))/2"
HARD_SWISH = "z*min(relu(z/6 + 0.5), 1)"
HARD_SIGMOID = "min(relu(z/6 + 0.5), 1)"
LOG_SOFTMAX = "z - log(sum(exp(z)))"


def composed(outer: str, inner: str) -> str:
    """The formula of one activation after another; each may be a built-in one's name."""
    trees = [parse(BUILT_IN.get(each, each), ("z",)) for each in (outer, inner)]
    return text(substituted(trees[0], {"z": trees[1]}))


# ---- Names ---------------------------------------------------------------------------------------


class Declarations:
    """The activations that a spec declares, as its layers ask for them."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.formulas: dict[str, dict[str, Any]] = {}

    def name(self, formula: str, hint: str, layer: str) -> str:
        """The name of an activation given by one, or by its formula.

        `hint` is what a new one might be called; `layer` is for the message of an InteropError.
        """
        if formula in BUILT_IN:
            return formula
        try:
            tree = parse(formula, ("z",))
        except FormulaError as error:
            raise InteropError(
                f"{layer}: its activation {quoted(formula)} is no formula of symgrad's: {error}"
            ) from error
        if (known := recognised(tree, self.dtype)) is not None:
            return known
        formula = text(tree)
        for name, declared in self.formulas.items():
            if declared["formula"] == formula:
                return name
        name, count = hint, 2
        while name in self.formulas or name in BUILT_IN:
            name, count = f"{hint}_{count}", count + 1
        self.formulas[name] = {"formula": formula}
        return name

    def mixes_units(self, name: str) -> bool:
        """Whether an activation is for the last layer only."""
        if name in self.formulas:
            return has_sum(parse(self.formulas[name]["formula"], ("z",)))
        return name == "softmax"


# Where formulas are compared: on both sides of 0, from the smallest to the largest that matter.
_MAGNITUDES = np.logspace(-8, 12, 20 * 32 + 1)
POINTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])


def recognised(tree: Tree, dtype: str) -> str | None:
    """The built-in activation that a formula is, up to the rounding of its constants; or None.

    Numbers decide, not the form: exporters write one function in many ways.
    """
    if has_sum(tree):
        return "softmax" if is_softmax(tree) else None
    found = evaluate(tree, {"z": POINTS})
    # A constant rounded to float32 is off by 6e-8 of itself, and by less where it is small.
    relative, absolute = (2.5e-7, 1e-9) if dtype == "float32" else (4e-15, 4e-15)
    for name in BUILT_IN:
        if name != "softmax":
            expected = _expected(name)
            judged = np.isfinite(found) & np.isfinite(expected)
            # Some forms overflow where the function does not; near 0 every one has to hold.
            judged |= np.abs(POINTS) < 80
            off = np.abs(found - expected)
            allowed = relative * np.abs(expected) + absolute * np.abs(POINTS) + 1e-30
            if name == "sin":
                judged &= np.abs(POINTS) < 1e3  # beyond, its argument's last digit decides
            if bool(np.all(off[judged] <= allowed[judged])):
                return name
    return None


@cache
def _expected(name: str) -> np.ndarray:
    return evaluate(parse(BUILT_IN[name], ("z",)), {"z": POINTS})


def is_softmax(tree: Tree) -> bool:
    """exp(z)/sum(exp(z)), as it stands."""
    exponential = Call("exp", (Variable("z"),))
    return tree == Binary("/", exponential, Call("sum", (exponential,)))
