"""Activations between frameworks: what each is as a formula, and which formulas have a name here.

Every framework's activations are read as formulas in z. One that is, up to rounding, a built-in
activation is called by that name; another is declared in the spec under `[activations]`.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from symgrad.errors import FormulaError
from symgrad.interop.errors import InteropError
from symgrad.interop.text import substituted, text
from symgrad.language.constants import SELU_ALPHA, SELU_SCALE
from symgrad.spec.formula import (
    Binary,
    Call,
    Negate,
    Number,
    Tree,
    Variable,
    has_sum,
    parse,
    quoted,
)

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


def shortest(value: np.floating) -> float:
    """The shortest decimal that is this number in its precision: 0.1 for the float32 next to it."""
    return float(np.format_float_scientific(value, unique=True))


def leaky_relu(slope: float) -> str:
    """slope·z below 0, z above."""
    return f"relu(z) + {number(slope)}*min(z, 0)"


def elu(alpha: float, scale: float = 1.0, rate: float = 1.0) -> str:
    """scale·α·(exp(rate·z) − 1) below 0, scale·z above."""
    exponent = "min(z, 0)" if rate == 1 else f"{number(rate)}*min(z, 0)"
    times = "" if alpha == 1 else f"{number(alpha)}*"
    body = f"relu(z) + {times}expm1({exponent})"
    return body if scale == 1 else f"{number(scale)}*({body})"


def soft_shrink(by: float) -> str:
    """z nearer to 0 by a number, and 0 within that."""
    return f"relu(z - {number(by)}) - relu(-z - {number(by)})"


def gelu_tanh(rounded: Callable[[float], Any] = float) -> str:
    """gelu by a tanh, with its constants as they are, or rounded."""
    inner = f"sqrt({number(rounded(2 / np.pi))})*(z + {number(rounded(0.044715))}*z**3)"
    return f"z*(1 + tanh({inner}))/2"


def softplus(beta: float) -> str:
    """log(1 + exp(β·z))/β."""
    return "softplus(z)" if beta == 1 else f"softplus({number(beta)}*z)/{number(beta)}"


def clipped(low: float | None, high: float | None, inner: str = "z") -> str:
    """`inner`, but never below `low` nor above `high`."""
    if low is not None and low != -np.inf:
        inner = f"relu({inner})" if low == 0 else f"max({inner}, {number(low)})"
    if high is not None and high != np.inf:
        inner = f"min({inner}, {number(high)})"
    return inner


def hard_sigmoid(slope: float, offset: float) -> str:
    """slope·z + offset, between 0 and 1."""
    return clipped(0.0, 1.0, f"{number(slope)}*z + {number(offset)}")


SQUAREPLUS = "(z + sqrt(z**2 + 4))/2"
SPARSE_PLUS = "(min(max(z, -1), 1) + 1)**2/4 + relu(z - 1)"
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


# Constants of built-in activations that no decimal is, so that files hold them rounded: √2, √½, and
# those of selu.
_ROUNDED = (
    Fraction("1.4142135623730950488016887242096980785696718753769"),
    Fraction("0.7071067811865475244008443621048490392848359376885"),
    SELU_SCALE,
    SELU_ALPHA,
    SELU_SCALE * SELU_ALPHA,
)


@lru_cache(maxsize=256)
def recognised(tree: Tree, dtype: str) -> str | None:
    """The built-in activation that a formula is, up to the rounding of its constants; or None.

    Numbers decide, not the form: exporters write one function in many ways.
    """
    from symgrad.interop.agreement import agree  # mpmath: built-in ones by name do without

    if has_sum(tree):
        return "softmax" if is_softmax(tree) else None
    tree = unrounded(tree, float(np.finfo(dtype).eps))
    for name, formula in BUILT_IN.items():
        if name != "softmax" and agree(tree, parse(formula, ("z",)), dtype):
            return name
    return None


def unrounded(tree: Tree, epsilon: float) -> Tree:
    """The formula with the constants of built-in activations where it has them rounded."""
    match tree:
        case Number(value):
            near = (each for each in _ROUNDED if abs(value - each) <= epsilon * each)
            return Number(next(near, value))
        case Negate(operand):
            return Negate(unrounded(operand, epsilon))
        case Binary("**", base, exponent):
            return Binary("**", unrounded(base, epsilon), exponent)
        case Binary(operator, left, right):
            return Binary(operator, unrounded(left, epsilon), unrounded(right, epsilon))
        case Call(function, arguments):
            return Call(function, tuple(unrounded(each, epsilon) for each in arguments))
    return tree


def is_softmax(tree: Tree) -> bool:
    """exp(z)/sum(exp(z)), as it stands."""
    exponential = Call("exp", (Variable("z"),))
    return tree == Binary("/", exponential, Call("sum", (exponential,)))
