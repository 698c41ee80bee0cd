"""A certificate that every pass has kept what the program computes.

Two programs are evaluated at random points modulo a large prime, every function being an opaque
random value of its argument (`symgrad.language.evaluate.Residues`). If they are different as
expressions, they agree at one point with a probability of at most D/p, D being the degree of their
difference and p the prime (Schwartz 1980, Zippel 1979); at k points, of (D/p)ᵏ. Equality is exact:
there is no tolerance.

Where a pass uses what functions mean, exp(z - m)/Σ exp(z - m) = exp z/Σ exp z, opaque values
differ, and the certificate falls back on numbers: the two are compared with 40 digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb, prod
from typing import Any

import numpy as np
from sympy import Add, Expr, Indexed, Integer, Mul, Pow, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.evaluate import PRIME, Decimals, Floats, Residues, evaluate
from symgrad.language.indices import SAMPLES, axis, bounds, operands
from symgrad.language.program import Definition, Program, indices_of, name_of

POINTS = 2
UNITS, ROWS = 2, 2  # the evaluated network has as many units in a layer, and samples, at most
DIGITS = 40


@dataclass(frozen=True)
class Check:
    """One pass: whether what comes out equals what went in, and how it was found out.

    `bound` is the probability at most that unequal expressions would have passed, None for numbers.
    """

    name: str
    equal: bool
    exact: bool
    compared: int  # numbers compared, at all points together
    bound: Fraction | None


def compare(name: str, one: Program, other: Program, names: Mapping[str, str]) -> Check:
    """Holds `one`'s arrays against `other`'s, by the pairs of names in `names`."""
    compared = 0
    equal = True
    for seed in range(POINTS):
        given = _residues(one, seed)
        left, right = (evaluate(p, given, Residues()) for p in (one, other))
        for a, b in names.items():
            first, second = (np.atleast_1d(v) % PRIME for v in (left[a], right[b]))
            equal = equal and first.shape == second.shape and bool(np.all(first == second))
            compared += first.size
    if equal:
        return Check(name, True, True, compared, _bound(one, other, names))
    return _in_numbers(name, one, other, names)


def _in_numbers(name: str, one: Program, other: Program, names: Mapping[str, str]) -> Check:
    compared, equal = 0, True
    for seed in range(POINTS):
        given = numbers(one, seed)
        left, right = (evaluate(p, given, Decimals(DIGITS)) for p in (one, other))
        for a, b in names.items():
            first, second = np.atleast_1d(left[a]), np.atleast_1d(right[b])
            scale = max(abs(v) for v in np.ravel(first)) + 1
            near = [abs(u - v) < scale * 10 ** (5 - DIGITS)
                    for u, v in zip(np.ravel(first), np.ravel(second), strict=True)]  # fmt: skip
            equal = equal and all(near)
            compared += first.size
    return Check(name, equal, False, compared, None)


def narrow(program: Program) -> dict[str, int]:
    """How many values each axis takes where a program is evaluated: few."""
    return {
        each: ROWS if each == "n" else min(int(extent), UNITS)
        for each, extent in program.extents.items()
    }


def _shapes(program: Program) -> dict[str, tuple[int, ...]]:
    sizes = narrow(program)
    return {
        name: tuple(sizes[axis(index)] for index in indices_of(target))
        for name, target in program.given.items()
    }


def _residues(program: Program, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng([seed, 1])
    return {
        name: random.integers(1, PRIME, shape).astype(object)
        for name, shape in _shapes(program).items()
    }


def numbers(program: Program, seed: int) -> dict[str, Any]:
    """Random inputs and weights; targets and sample weights lie within (0, 1)."""
    random = np.random.default_rng([seed, 2])
    return {
        name: random.uniform(0.1, 0.9, shape) if name in ("t", "w") else random.normal(size=shape)
        for name, shape in _shapes(program).items()
    }


class Equal:
    """Whether two definitions, one of each program, have equal values at random points.

    In float64, to 9 digits: it proposes what belongs together, and proves nothing.
    """

    def __init__(self, left: Program, right: Program) -> None:
        with np.errstate(all="ignore"):
            self.values = [
                [evaluate(program, numbers(left, seed), Floats()) for program in (left, right)]
                for seed in range(POINTS)
            ]

    def __call__(self, one: Definition, other: Definition) -> bool:
        if tuple(map(axis, one.indices)) != tuple(map(axis, other.indices)):
            return False
        return all(
            np.allclose(left[one.name], right[other.name], rtol=1e-9, atol=1e-12)
            for left, right in self.values
        )


def _bound(one: Program, other: Program, names: Mapping[str, str]) -> Fraction:
    """At most the probability that unequal programs agree at all points.

    The degree of a difference u/v - r/s is that of u·s - r·v; the difference of any of the names is
    0 by chance, or two arguments of a function are, which then is one value where it should be two.
    """
    first, second = _Degrees(one), _Degrees(other)
    worst = max(
        max(first.of[a][0] + second.of[b][1], second.of[b][0] + first.of[a][1])
        for a, b in names.items()
    )
    collisions = comb(first.calls + second.calls, 2) * 2 * max(first.largest, second.largest)
    return min(Fraction(worst + collisions, PRIME), Fraction(1)) ** POINTS


class _Degrees:
    """Degrees of numerator and denominator of every definition, with opaque values as variables."""

    def __init__(self, program: Program) -> None:
        self.sizes = narrow(program)
        self.calls = 0
        self.largest = 1
        self.of: dict[str, tuple[int, int]] = {}
        for definition in program.definitions:
            self.elements = prod(self.sizes[axis(index)] for index in definition.indices)
            self.of[definition.name] = self._degrees(definition.value)

    def _degrees(self, value: Expr) -> tuple[int, int]:
        if isinstance(value, Indexed | Symbol):
            return self.of.get(name_of(value), (0 if value == SAMPLES else 1, 0))
        if value.is_number:
            return 0, 0
        parts = [self._degrees(part) for part in operands(value)]
        if isinstance(value, Add):
            return _added(parts)
        if isinstance(value, ExprWithLimits) and value.func.__name__ == "Sum":
            terms = prod(self.sizes[axis(index)] for index in bounds(value))
            return _added(parts * terms)
        if isinstance(value, Mul):
            return sum(n for n, _ in parts), sum(d for _, d in parts)
        if isinstance(value, Pow) and isinstance(value.exp, Integer):
            above, below = (parts[0][k] * abs(int(value.exp)) for k in (0, 1))
            return (above, below) if value.exp > 0 else (below, above)
        # a function, opaque: a new variable, told apart by its arguments
        self.largest = max(self.largest, *(n + d for n, d in parts))
        self.calls += self.elements
        return 1, 0


def _added(parts: list[tuple[int, int]]) -> tuple[int, int]:
    below = sum(d for _, d in parts)
    return max(n + below - d for n, d in parts), below
