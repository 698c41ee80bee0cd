"""A certificate that every pass has kept what the program computes.

Two programs are evaluated at random points modulo a large prime, every function being an opaque
random value of its argument (`symgrad.language.evaluate.Residues`), on a copy of the network with
few units and samples. If they are different as expressions there, they agree at a point with a
probability of at most D/(p - 1), D being the degree of their difference and p the prime (Schwartz
1980, Zippel 1979). Equality is exact: there is no tolerance. There are two points, on copies of
different sizes, so that what happens to vanish for two units, or equals N for two samples, shows
at the other. The points are drawn once and for all, by their seeds.

Where opaque values differ, as they do where a pass uses what functions mean (exp(z - m) is
exp z/exp m), the two are compared as numbers of 40 digits: evidence, and no proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb, prod
from typing import Any

import numpy as np
from sympy import Add, Expr, Indexed, Integer, Mul, Pow, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.evaluate import PRIME, Decimals, Floats, Residues, evaluate
from symgrad.language.functions import TABLE
from symgrad.language.indices import SAMPLES, axis, bounds, operands
from symgrad.language.program import Definition, Program, indices_of, name_of

# The points: at most so many units in a layer, and so many samples.
COPIES = ((4, 2), (5, 3))
DIGITS = 40
TRIES = 5  # seeds of a point, if it makes a denominator 0

# How many values each axis takes where a program is evaluated.
Sizes = dict[str, int]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One pass: whether what comes out equals what went in, and how it was found out.

    `equal` is None where a denominator is 0 at every point that was tried. `bound` is the
    probability at most that unequal expressions would have passed, None for numbers.
    """

    name: str
    equal: bool | None
    exact: bool
    compared: int  # numbers compared, at all points together
    bound: Fraction | None


def compare(name: str, one: Program, other: Program, names: Mapping[str, str]) -> Check:
    """Holds `one`'s arrays against `other`'s, by the pairs of names in `names`."""
    points = [_values(one, other, sizes, exact=True) for sizes in _copies(one)]
    if all(point and all(_same(*point, a, b) for a, b in names.items()) for point in points):
        compared = sum(np.size(point[0][a]) for point in points if point for a in names)
        bound = min(_bound(one, other, names, sizes) for sizes in _copies(one))
        return Check(name, True, True, compared, bound)
    return _in_numbers(name, one, other, names)


def _same(left: Values, right: Values, a: str, b: str) -> bool:
    first, second = (np.atleast_1d(v) % PRIME for v in (left[a], right[b]))
    return first.shape == second.shape and bool(np.all(first == second))


def _in_numbers(name: str, one: Program, other: Program, names: Mapping[str, str]) -> Check:
    points = [_values(one, other, sizes, exact=False) for sizes in _copies(one)]
    whole = [point for point in points if point]
    if len(whole) < len(points):
        return Check(name, None, False, 0, None)
    equal = all(
        _near(left[a], right[b], _largest(left)) for left, right in whole for a, b in names.items()
    )
    compared = sum(np.size(left[a]) for left, _ in whole for a in names)
    return Check(name, equal, False, compared, None)


def _largest(values: Values) -> Any:
    """Of all that was computed on the way: what digits are lost is lost from there."""
    return max(abs(value) for array in values.values() for value in np.ravel(array))


def _near(one: Any, other: Any, largest: Any) -> bool:
    """Whether all differences are below `largest` times 10 to the 5 - DIGITS."""
    first, second = np.atleast_1d(one), np.atleast_1d(other)
    if first.shape != second.shape:
        return False
    pairs = zip(np.ravel(first), np.ravel(second), strict=True)
    return all(abs(u - v) <= largest * 10 ** (5 - DIGITS) for u, v in pairs)


def _values(
    one: Program, other: Program, sizes: Sizes, exact: bool
) -> tuple[Values, Values] | None:
    """What both compute at a point; None if some denominator is 0 with every seed."""
    for seed in range(TRIES):
        given = residues(one, sizes, seed) if exact else numbers(one, sizes, seed)
        arithmetic = Residues() if exact else Decimals(DIGITS)
        try:
            return evaluate(one, given, arithmetic), evaluate(other, given, arithmetic)
        except (ValueError, ZeroDivisionError):  # of Residues, and of mpmath
            continue
    return None


def _copies(program: Program) -> list[Sizes]:
    """The sizes of the copies of the network that it is evaluated on."""
    return [
        {
            each: samples if each == "n" else min(int(extent), units)
            for each, extent in program.extents.items()
        }
        for units, samples in COPIES
    ]


def _shapes(program: Program, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(sizes[axis(index)] for index in indices_of(target))
        for name, target in program.given.items()
    }


def residues(program: Program, sizes: Sizes, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng([seed, 1])
    return {
        name: random.integers(1, PRIME, shape).astype(object)
        for name, shape in _shapes(program, sizes).items()
    }


def numbers(program: Program, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Random inputs and weights; targets and sample weights lie within (0, 1)."""
    random = np.random.default_rng([seed, 2])
    return {
        name: random.uniform(0.1, 0.9, shape) if name in ("t", "w") else random.normal(size=shape)
        for name, shape in _shapes(program, sizes).items()
    }


class Equal:
    """Whether two definitions, one of each program, have equal values at random points.

    In float64, to 9 digits: it proposes what belongs together, and proves nothing. What is 0 is
    equal to too much, and is not paired.
    """

    def __init__(self, left: Program, right: Program) -> None:
        with np.errstate(all="ignore"):
            self.values = [
                [evaluate(each, numbers(left, sizes, 0), Floats()) for each in (left, right)]
                for sizes in _copies(left)
            ]

    def __call__(self, one: Definition, other: Definition) -> bool:
        if tuple(map(axis, one.indices)) != tuple(map(axis, other.indices)):
            return False
        pairs = [(left[one.name], right[other.name]) for left, right in self.values]
        return all(np.any(a) and np.allclose(a, b, rtol=1e-9, atol=0) for a, b in pairs)


def _bound(one: Program, other: Program, names: Mapping[str, str], sizes: Sizes) -> Fraction:
    """At most the probability that unequal programs agree at a point.

    The degree of a difference u/v - r/s is that of u·s - r·v; the difference of any of the names is
    0 by chance, or two arguments of a function are, which then is one value where it should be two.
    """
    first, second = _Degrees(one, sizes), _Degrees(other, sizes)
    worst = max(
        max(first.of[a][0] + second.of[b][1], second.of[b][0] + first.of[a][1])
        for a, b in names.items()
    )
    collisions = comb(first.calls + second.calls, 2) * 2 * max(first.largest, second.largest)
    return min(Fraction(worst + collisions, PRIME - 1), Fraction(1))


class _Degrees:
    """Degrees of numerator and denominator of every definition, with opaque values as variables.

    `calls` counts the opaque values, `largest` is the highest degree among their arguments.
    """

    def __init__(self, program: Program, sizes: Sizes) -> None:
        self.sizes = sizes
        self.calls = 0
        self.largest = 1
        self.of: dict[str, tuple[int, int]] = {}
        for definition in program.definitions:
            elements = prod(self.sizes[axis(index)] for index in definition.indices)
            self.of[definition.name] = self._degrees(definition.value, elements)

    def _degrees(self, value: Expr, times: int) -> tuple[int, int]:
        """Of `value`, which is computed so many times."""
        if isinstance(value, Indexed | Symbol):
            return self.of.get(name_of(value), (0 if value == SAMPLES else 1, 0))
        if value.is_number:
            return 0, 0
        if isinstance(value, ExprWithLimits):
            terms = prod(self.sizes[axis(index)] for index in bounds(value))
            body = self._degrees(value.function, times * terms)
            return _added([body] * terms) if isinstance(value, Sum) else self._opaque([body], times)
        parts = [self._degrees(part, times) for part in operands(value)]
        if isinstance(value, Add):
            return _added(parts)
        if isinstance(value, Mul):
            return sum(n for n, _ in parts), sum(d for _, d in parts)
        if isinstance(value, Pow) and isinstance(value.exp, Integer):
            above, below = (parts[0][k] * abs(int(value.exp)) for k in (0, 1))
            return (above, below) if value.exp > 0 else (below, above)
        rule = TABLE.get(type(value))
        above, below = self._opaque(parts, times)
        if rule and rule.written_out:  # z times an opaque gate of z
            return above + parts[0][0], below + parts[0][1]
        return above, below

    def _opaque(self, arguments: list[tuple[int, int]], times: int) -> tuple[int, int]:
        """A new variable, told apart from others by its arguments."""
        self.largest = max(self.largest, *(n + d for n, d in arguments))
        self.calls += times
        return 1, 0


def _added(parts: list[tuple[int, int]]) -> tuple[int, int]:
    below = sum(d for _, d in parts)
    return max(n + below - d for n, d in parts), below
