"""Random formulas from the whole grammar, as text."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "sinh", "cosh", "atan",
    "erf", "sigmoid", "softplus", "relu", "min", "max",
)  # fmt: skip
NUMBERS = ("1", "1", "1", "2", "2", "3", "0.5", "0", "0.1", "10", "0.3", "100", "1e-3", "1e-10",
           "1e-20", "1e-60", "1e30", "1e60")  # fmt: skip
EXPONENTS = ("2", "2", "2", "3", "-1", "-2", "0.5", "-0.5", "1.5", "-1.5", "0.25", "0.75", "1/3",
             "0", "1", "4", "-3", "7", "16", "-16", "c", "-c")  # fmt: skip
CONSTANTS = (0.7, -1.3, 2.0, 0.0, 1.0, -1.0, 0.5, 1e-3, 1e-30, 1e30, 12.0)


@dataclass(frozen=True)
class Taste:
    """Which functions and operators a formula is drawn from, each as often as it is listed."""

    functions: Sequence[str]
    operators: Sequence[str]
    numbers: Sequence[str]


TASTES = (
    # all of it, evenly
    Taste(FUNCTIONS, ("+", "-", "*", "/", "**", "neg"), NUMBERS),
    # what the rewrites for logarithms and exponentials look at
    Taste(("exp", "exp", "exp", "exp", "log", "log", "expm1", "log1p", "cosh", "sinh", "tanh",
           "sigmoid", "softplus"), ("+", "+", "-", "*", "/", "/", "neg", "**"),
          ("1", "1", "1", "2", "3", "0.5")),
    # kinks, flat places and infinite slopes
    Taste(("relu", "abs", "sqrt", "min", "max", "sqrt", "log", "log1p"),
          ("+", "-", "*", "/", "**", "**", "neg"), ("0", "1", "2", "0.5", "1e-60")),
)  # fmt: skip


def formula(
    rng: Random, variables: Sequence[str], constants: Mapping[str, float], sums: bool, size: int
) -> str:
    """A formula of about `size` operators and functions that uses the first of the variables."""
    taste = rng.choice(TASTES)
    while True:
        text = _part(rng, taste, variables, tuple(constants), sums, size)
        tree = ast.parse(text, mode="eval")
        if any(isinstance(node, ast.Name) and node.id == variables[0] for node in ast.walk(tree)):
            return ast.unparse(tree)


def _part(
    rng: Random,
    taste: Taste,
    variables: Sequence[str],
    constants: Sequence[str],
    sums: bool,
    size: int,
) -> str:
    def part(size: int, sums: bool = sums) -> str:
        return _part(rng, taste, variables, constants, sums, size)

    if size <= 0:
        what = rng.random()
        if what < 0.7:
            return rng.choice(variables)
        return rng.choice(constants) if constants and what < 0.8 else rng.choice(taste.numbers)
    if sums and rng.random() < 0.25:
        return f"sum({part(size - 1, False)})"
    if rng.random() < 0.5:
        function = rng.choice(taste.functions)
        if function in ("min", "max"):
            left = rng.randrange(size)
            return f"{function}({part(left)}, {part(size - 1 - left)})"
        return f"{function}({part(size - 1)})"
    operator = rng.choice(taste.operators)
    if operator == "neg":
        return f"-({part(size - 1)})"
    if operator == "**":
        exponents = [e for e in EXPONENTS if "c" not in e or "c" in constants]
        return f"({part(size - 1)})**({rng.choice(exponents)})"
    left = rng.randrange(size)
    return f"({part(left)}) {operator} ({part(size - 1 - left)})"
