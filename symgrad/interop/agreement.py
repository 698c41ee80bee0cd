"""Whether two formulas in z are one function, over all numbers that a dtype has.

Formulas are evaluated with so many digits that no form of a function rounds, cancels or overflows
where another does not: what differs there is a difference of the functions. Points lie from the
smallest number of the dtype to its largest, on both sides of 0, and about every constant of the
formulas, where their pieces may meet.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from symgrad.interop.numeric import evaluate
from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable

# Enough for 1 + exp(z) to show what is left of exp(z) before it is 0 in the dtype.
_DIGITS = {"float32": 100, "float64": 400}

# From here on an exponential is infinite, or 0: far beyond where any dtype has it so.
_LARGEST = 10_000

# Where some forms give no number, as ∞ − ∞, the function may be another form's.
_NEAR = 80.0


def agree(found: Tree, expected: Tree, dtype: str, relative: float = 1e-12) -> bool:
    """Whether the relative difference is nowhere larger; what is 0 in the dtype is taken as 0.

    Where `found` has no value, far from 0, it is as good as any.
    """
    points = _points(dtype, found, expected)
    if not _roughly(found, expected, points[np.abs(points) <= _NEAR]):
        return False
    smallest = float(np.finfo(dtype).smallest_subnormal)
    precise = _Precise(_DIGITS[dtype], smallest)
    for point in points.tolist():
        mine, theirs = (precise.value(tree, point) for tree in (found, expected))
        if mine == theirs:
            continue
        if mpmath.isfinite(mine) and mpmath.isfinite(theirs):
            # What underflows may have been multiplied by z, where that is not large.
            lost = smallest * max(1.0, min(abs(point), 1e3))
            if abs(mine - theirs) <= relative * abs(theirs) + lost:
                continue
        elif abs(point) > _NEAR and not mpmath.isfinite(mine):
            continue
        return False
    return True


def _roughly(found: Tree, expected: Tree, points: np.ndarray) -> bool:
    """What NumPy says at once of most functions that are others."""
    values = (evaluate(tree, {"z": points}) for tree in (found, expected))
    mine, theirs = (np.broadcast_to(each, points.shape) for each in values)
    judged = np.isfinite(mine) & np.isfinite(theirs)
    mine, theirs = mine[judged], theirs[judged]
    return bool(np.all(np.abs(mine - theirs) <= 1e-3 * np.abs(theirs) + 1e-6))


def _points(dtype: str, *trees: Tree) -> np.ndarray:
    """Where the formulas are compared: numbers of the dtype."""
    info = np.finfo(dtype)
    exponents = np.linspace(np.log2(float(info.smallest_subnormal)), np.log2(float(info.max)), 150)
    sizes: list[Any] = [np.exp2(exponents[:-1]), [float(info.max)], np.logspace(-3, 3, 121)]
    about = np.array([0.875, 1 - 1e-3, 1, 1 + 1e-3, 1.125])
    with np.errstate(over="ignore"):
        for constant in {number for tree in trees for number in _numbers(tree)}:
            size = abs(float(constant))
            sizes += [size * about, [abs(size - 1), size + 1]]
        known = np.concatenate(sizes).astype(dtype).astype(np.float64)
    known = known[np.isfinite(known)]
    return np.unique(np.concatenate([-known, [0.0], known]))


def _numbers(tree: Tree) -> Iterator[Fraction]:
    match tree:
        case Number(value):
            yield value
        case Negate(operand):
            yield from _numbers(operand)
        case Binary(_, left, right):
            yield from _numbers(left)
            yield from _numbers(right)
        case Call(_, arguments):
            for each in arguments:
                yield from _numbers(each)


class _Precise:
    """Formulas as numbers of many digits. What is no real number is NaN.

    Exponentials below `smallest` are 0: a form that multiplies one by something large relies on it.
    """

    def __init__(self, digits: int, smallest: float) -> None:
        self.context = mpmath.MPContext()
        self.context.dps = digits
        self.nan = self.context.nan
        self.functions = _functions(self.context, smallest)

    def value(self, tree: Tree, z: float) -> Any:
        """The formula's value at z."""
        try:
            value = self._value(tree, self.context.mpf(z))
        except (ZeroDivisionError, OverflowError):
            return self.nan
        return value if isinstance(value, self.context.mpf) else self.nan

    def _value(self, tree: Tree, z: Any) -> Any:
        """The parser has bounded how deep a tree is."""
        match tree:
            case Number(value):
                return self.context.mpf(value.numerator) / value.denominator
            case Variable():
                return z
            case Negate(operand):
                return -self._value(operand, z)
            case Binary(operator, left, right):
                return self._operated(operator, self._value(left, z), self._value(right, z))
            case Call(function, arguments):
                values = [self._value(each, z) for each in arguments]
                real = all(isinstance(each, self.context.mpf) for each in values)
                return self.functions[function](*values) if real else self.nan
        raise AssertionError(tree)

    def _operated(self, operator: str, left: Any, right: Any) -> Any:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
        return left**right


def _functions(context: Any, smallest: float) -> Mapping[str, Callable[..., Any]]:
    """The functions of formulas, for arguments however large."""
    mp = context
    zero, longest = mp.mpf(0), mp.mpf(10) ** mp.dps

    def limited(function: Callable[[Any], Any], below: Any, above: Any) -> Callable[[Any], Any]:
        """The function, but far out what it tends to."""

        def within(u: Any) -> Any:
            if abs(u) <= _LARGEST:
                return function(u)
            return above if u > 0 else below if u < 0 else mp.nan

        return within

    def periodic(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function where it does not take millions of digits."""
        return lambda u: function(u) if abs(u) <= longest else mp.nan

    def exp(u: Any) -> Any:
        value = grown(u)
        return zero if value < smallest else value

    grown = limited(mp.exp, zero, mp.inf)

    def softplus(u: Any) -> Any:
        return u + softplus(-u) if u > 0 else mp.log1p(exp(u))

    def least(u: Any, v: Any) -> Any:
        return mp.nan if mp.isnan(u) or mp.isnan(v) else min(u, v)

    def most(u: Any, v: Any) -> Any:
        return mp.nan if mp.isnan(u) or mp.isnan(v) else max(u, v)

    return {
        "exp": exp,
        "expm1": limited(mp.expm1, mp.mpf(-1), mp.inf),
        "log": mp.log,
        "log1p": mp.log1p,
        "sqrt": mp.sqrt,
        "abs": abs,
        "sin": periodic(mp.sin),
        "cos": periodic(mp.cos),
        "tanh": limited(mp.tanh, mp.mpf(-1), mp.mpf(1)),
        "sinh": limited(mp.sinh, -mp.inf, mp.inf),
        "cosh": limited(mp.cosh, mp.inf, mp.inf),
        "atan": mp.atan,
        "erf": limited(mp.erf, mp.mpf(-1), mp.mpf(1)),
        "sigmoid": lambda u: 1 / (1 + exp(-u)),
        "softplus": softplus,
        "relu": lambda u: most(u, zero),
        "min": least,
        "max": most,
        "where": lambda left, right, yes, no: yes if left > right else no,  # in no spec
    }
