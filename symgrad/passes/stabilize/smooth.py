"""Whether the kinks of an expression cancel: found by looking at it on both sides of them.

A function f with a kink at r has f(r+h) - 2f(r) + f(r-h) ~ h, a smooth one ~ h²: at h = 10^-30,
computed with 80 digits at random places, the two are 30 orders of magnitude apart.
"""

from random import Random

import mpmath
from sympy import Expr, Indexed
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.evaluate import Decimals, value_at
from symgrad.language.exponentials import difference, linear
from symgrad.language.indices import walk

DIGITS = 80
STEP = -30  # a power of 10
PLACES = 3


def kinks_cancel(value: Expr, calls: list[Expr]) -> bool:
    """Whether `value` is smooth at the kinks of all `calls`, which stand in it."""
    if any(isinstance(node, ExprWithLimits) for node in walk(value)):
        return False
    arrays = list(dict.fromkeys(n for n in walk(value) if isinstance(n, Indexed)))
    kinked = [_kink(call) for call in calls]
    reached = set()
    for u in dict.fromkeys(kinked):
        for array in arrays:
            slope = linear(u).get(array)
            elsewhere = (part for part in linear(u) if part != array)
            if slope is None or any(array in set(walk(part)) for part in elsewhere):
                continue
            places = [
                _sides(value, kinked, u, array, slope, arrays, seed) for seed in range(PLACES)
            ]
            if not all(smooth for smooth, _ in places):
                return False
            reached |= places[0][1]
            break
    return reached == set(range(len(calls)))


def _kink(call: Expr) -> Expr:
    """What is 0 at the kink of a call."""
    return difference(*call.args) if len(call.args) == 2 else call.args[0]


def _sides(
    value: Expr,
    kinked: list[Expr],
    u: Expr,
    array: Expr,
    slope: Expr,
    arrays: list[Expr],
    seed: int,
) -> tuple[bool, set[int]]:
    """Whether `value` is smooth in `array` where u = 0, and which of the kinks lie there."""
    decimals = Decimals(DIGITS)
    number = decimals.context.mpf
    random = Random(seed)
    given = {each: number(random.randint(-3000, 3000)) / 1000 for each in arrays}
    given[array] = number(0)
    given[array] = -value_at(u, given, decimals) / decimals.number(slope)
    nothing = number(10) ** (20 - DIGITS)
    kinks = [value_at(kink, given, decimals) for kink in kinked]
    there = {place for place, kink in enumerate(kinks) if abs(kink) < nothing}
    step = number(10) ** STEP
    below, at, above = (
        value_at(value, {**given, array: given[array] + side * step}, decimals)
        for side in (-1, 0, 1)
    )
    second = abs(below - 2 * at + above)
    return bool(mpmath.isfinite(second) and second < step * number(10) ** -8), there
