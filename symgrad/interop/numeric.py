"""Formulas as numbers: a parsed formula evaluated by NumPy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.special

from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "atan": np.arctan,
    "erf": scipy.special.erf,
    "sigmoid": scipy.special.expit,
    "softplus": lambda u: np.logaddexp(0, u),
    "relu": lambda u: np.maximum(u, 0),
    "min": np.minimum,
    "max": np.maximum,
    "where": lambda left, right, yes, no: np.where(left > right, yes, no),  # in no spec
    "largest": lambda u: np.max(u, axis=-1, keepdims=True),  # in no spec
    "sum": lambda u: np.sum(u, axis=-1, keepdims=True),
}

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}


def evaluate(tree: Tree, variables: Mapping[str, np.ndarray]) -> np.ndarray:
    """The formula's value in float64; sums run over the last axis. Overflows give infinities."""
    with np.errstate(all="ignore"):
        return np.asarray(_value(tree, variables), np.float64)


def _value(tree: Tree, variables: Mapping[str, np.ndarray]) -> Any:
    """The parser has bounded how deep a tree is."""
    match tree:
        case Number(value):
            return np.float64(float(value))
        case Variable(name):
            return variables[name]
        case Negate(operand):
            return -_value(operand, variables)
        case Binary(operator, left, right):
            return _OPERATORS[operator](_value(left, variables), _value(right, variables))
        case Call("sum", (body,)):
            # A constant counts once a unit.
            shape = next(iter(variables.values())).shape
            return _FUNCTIONS["sum"](np.broadcast_to(_value(body, variables), shape))
        case Call(function, arguments):
            return _FUNCTIONS[function](*(_value(each, variables) for each in arguments))
    raise AssertionError(tree)
