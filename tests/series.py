"""Power series in several small numbers, truncated, in mpmath's numbers: what derivatives of any
order are read from, by nothing but the rules for polynomials.

f(a + ε) = Σ_k f⁽ᵏ⁾(a)/k!·εᵏ. A small number is an integer, a product of some a sorted tuple of
these: (0, 0, 3) is ε₀²·ε₃. Negative ones stand for inputs, the others for weights; how many of each
a product has at most is the order that is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Any

import numpy as np
from mpmath import MPContext

mp = MPContext()  # of its own, whose digits nobody else changes
mp.dps = 50

Powers = tuple[int, ...]
Coefficients = list[Any]  # f(a), f′(a), f″(a)/2, …


@dataclass(frozen=True)
class Kept:
    """How many inputs and how many weights a product may have."""

    inputs: int = 0
    weights: int = 0

    def has(self, powers: Powers) -> bool:
        inputs = sum(each < 0 for each in powers)
        return inputs <= self.inputs and len(powers) - inputs <= self.weights

    @property
    def order(self) -> int:
        return self.inputs + self.weights


class Series:
    def __init__(self, terms: dict[Powers, Any], kept: Kept) -> None:
        self.terms, self.kept = terms, kept

    @property
    def value(self) -> Any:
        return self.terms.get((), mp.mpf(0))

    def __add__(self, other: Any) -> "Series":
        terms = dict(self.terms)
        for powers, number in _terms(other).items():
            terms[powers] = terms.get(powers, 0) + number
        return Series(terms, self.kept)

    def __neg__(self) -> "Series":
        return Series({powers: -number for powers, number in self.terms.items()}, self.kept)

    def __sub__(self, other: Any) -> "Series":
        return self + -other

    def __rsub__(self, other: Any) -> "Series":
        return -self + other

    def __mul__(self, other: Any) -> "Series":
        terms: dict[Powers, Any] = {}
        for (one, a), (two, b) in product(self.terms.items(), _terms(other).items()):
            powers = tuple(sorted(one + two))
            if self.kept.has(powers):
                terms[powers] = terms.get(powers, 0) + a * b
        return Series(terms, self.kept)

    def __pow__(self, power: int) -> "Series":
        return self.through([mp.binomial(power, k) * self.value ** (power - k)
                             for k in range(min(power, self.kept.order) + 1)])  # fmt: skip

    def __truediv__(self, other: "Series") -> "Series":
        a = other.value
        return self * other.through([(-1) ** k / a ** (k + 1) for k in range(self.kept.order + 1)])

    __radd__, __rmul__ = __add__, __mul__

    def through(self, coefficients: Coefficients) -> "Series":
        """A function of it, by the function's own series at its value."""
        moved = Series({p: number for p, number in self.terms.items() if p}, self.kept)
        result = Series({(): coefficients[-1]}, self.kept)
        for number in reversed(coefficients[:-1]):
            result = result * moved + number
        return result

    def of(self, function: Callable[[Any, int], Coefficients]) -> "Series":
        return self.through(function(self.value, self.kept.order))

    def derivative(self, *by: int) -> "Series":
        """By inputs or by weights, each as often as it is named, at 0 of all of that kind: a series
        in the others. By nothing it is by no input."""
        inputs = not by or by[0] < 0
        terms = {}
        for powers, number in self.terms.items():
            if tuple(each for each in powers if (each < 0) == inputs) == tuple(sorted(by)):
                rest = tuple(each for each in powers if (each < 0) != inputs)
                terms[rest] = number * prod(factorial(by.count(each)) for each in {*by})
        return Series(terms, self.kept)

    def gradient(self, by: Sequence[int]) -> Any:
        return np.array([self.derivative(one).value for one in by], object)

    def hessian(self, by: Sequence[int]) -> Any:
        return np.array([[self.derivative(i, j).value for j in by] for i in by], object)


def small(number: Any, name: int, kept: Kept) -> Series:
    """number + ε, as far as the order that is kept has ε."""
    terms = {(): mp.mpf(number)}
    return Series(terms | ({(name,): mp.mpf(1)} if kept.has((name,)) else {}), kept)


def _terms(value: Any) -> dict[Powers, Any]:
    return value.terms if isinstance(value, Series) else {(): value}


# Functions by their series, from what they are to the differential equations that they solve


def _times(a: Coefficients, b: Coefficients) -> Coefficients:
    return [
        sum((a[i] * b[k - i] for i in range(k + 1)), mp.mpf(0)) for k in range(min(len(a), len(b)))
    ]


def _grown(
    starts: Sequence[Any], slopes: Callable[..., Sequence[Coefficients]], order: int
) -> list[Coefficients]:
    """Functions that begin with some numbers, and whose derivatives are made of themselves."""
    known = [[start] for start in starts]
    for k in range(order):
        for function, slope in zip(known, slopes(*known), strict=True):
            function.append(slope[k] / (k + 1))
    return known


def _integral(start: Any, slope: Coefficients) -> Coefficients:
    return [start, *(number / k for k, number in enumerate(slope, start=1))][: len(slope)]


def line(number: Any, slope: Any, order: int) -> Coefficients:
    return [mp.mpf(number), mp.mpf(slope), *[mp.mpf(0)] * order][: order + 1]


def exp(a: Any, order: int) -> Coefficients:
    return [mp.exp(a) / factorial(k) for k in range(order + 1)]


def log(a: Any, order: int) -> Coefficients:
    return [mp.log(a), *(-((-1 / a) ** k) / k for k in range(1, order + 1))]


def sin(a: Any, order: int) -> Coefficients:
    turning = (mp.sin(a), mp.cos(a), -mp.sin(a), -mp.cos(a))
    return [turning[k % 4] / factorial(k) for k in range(order + 1)]


def tanh(a: Any, order: int) -> Coefficients:
    return _grown(
        [mp.tanh(a), mp.sech(a) ** 2],
        lambda t, s: (s, [-2 * number for number in _times(t, s)]),
        order,
    )[0]


def sigmoid(a: Any, order: int) -> Coefficients:
    return _grown(
        [_logistic(a), _logistic(-a)],
        lambda s, c: (_times(s, c), [-number for number in _times(s, c)]),
        order,
    )[0]


def _logistic(a: Any) -> Any:
    small = mp.exp(-abs(a))
    return (1 if a > 0 else small) / (1 + small)


def softplus(a: Any, order: int) -> Coefficients:
    return _integral(max(a, mp.mpf(0)) + mp.log1p(mp.exp(-abs(a))), sigmoid(a, order))


def gaussian(a: Any, order: int) -> Coefficients:
    at = line(a, 1, order)

    def slope(g: Coefficients) -> list[Coefficients]:
        return [[-2 * number for number in _times(at, g)]]

    return _grown([mp.exp(-(a**2))], slope, order)[0]


def normal_cdf(a: Any, order: int) -> Coefficients:
    at = line(a, 1, order)
    density = _grown(
        [mp.exp(-(a**2) / 2) / mp.sqrt(2 * mp.pi)],
        lambda p: ([-number for number in _times(at, p)],),
        order,
    )[0]
    # far out mpmath's has no end: there it is 1, or the density by -a, to all these digits
    if abs(a) < FAR:
        return _integral(mp.erfc(-a / mp.sqrt(2)) / 2, density)
    return _integral(mp.mpf(1) if a > 0 else -density[0] / a, density)


FAR = mp.mpf(10) ** 25


def softsign(a: Any, order: int) -> Coefficients:
    if a == 0:
        return line(0, 1, order)
    side = mp.sign(a)
    slopes = [(-side) ** (k + 1) / (1 + abs(a)) ** (k + 1) for k in range(1, order + 1)]
    return [a / (1 + abs(a)), *slopes]


def relu(a: Any, order: int) -> Coefficients:
    return line(a, 1, order) if a > 0 else line(0, 0, order)


def leaky_relu(a: Any, order: int) -> Coefficients:
    return line(a, 1, order) if a > 0 else line(a / 100, mp.mpf(1) / 100, order)


def elu(a: Any, order: int) -> Coefficients:
    """At 0 the piece for a > 0, which has the same slope there."""
    return [mp.expm1(a), *exp(a, order)[1:]] if a < 0 else line(a, 1, order)


SELU = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")


def selu(a: Any, order: int) -> Coefficients:
    """At 0 the slope of the other piece, the larger."""
    scale, alpha = SELU
    if a < 0:
        return [scale * alpha * number for number in elu(a, order)]
    return line(scale * a, scale * (alpha if a == 0 else 1), order)


def absolute(a: Any, order: int) -> Coefficients:
    return line(abs(a), mp.sign(a), order)


def huber(a: Any, order: int) -> Coefficients:
    if abs(a) > 1:
        return line(abs(a) - mp.mpf(1) / 2, mp.sign(a), order)
    half = mp.mpf(1) / 2
    return [a**2 / 2, a, half if abs(a) < 1 else 0 * half, *[mp.mpf(0)] * order][: order + 1]


def log_cosh(a: Any, order: int) -> Coefficients:
    far = abs(a) + mp.log1p(mp.exp(-2 * abs(a))) - mp.log(2)
    return _integral(far if abs(a) > 1 else mp.log(mp.cosh(a)), tanh(a, order))
