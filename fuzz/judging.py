"""Whether the values and slopes that came out at some places are right.

The promise: the error of what the compiler makes of a formula is at most that of the formula as
written, or a few units in the last place. `FACTOR` times the largest error of `Written`'s samples
and `ULPS` units are allowed. Where no digit is right as written, a NaN is a gap and no broken
promise.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fuzz.arithmetic import Arithmetic, Exact, Written
from fuzz.formulas import numbers
from fuzz.hunt import Finding
from fuzz.networks import Case, Outcome
from fuzz.places import Place, plainness
from fuzz.written import Part, Reader

FACTOR = 4.0
ULPS = 16.0


class Reading:
    """A case in one arithmetic, at all places: y (…, places, units) and E (…, places, 1)."""

    def __init__(
        self, case: Case, places: Sequence[Place], arithmetic: Arithmetic, side: int = 0
    ) -> None:
        leading = () if isinstance(arithmetic, Exact) else (arithmetic.samples,)
        shape = (*leading, len(places), case.units)
        slopes = (*shape, case.units)
        one = np.broadcast_to(arithmetic.array(np.eye(case.units)), slopes)
        zero = np.broadcast_to(arithmetic.array(np.zeros((1, 1))), slopes)

        def variable(values: list[tuple[float, ...]], slope: Any) -> Part:
            return Part(np.broadcast_to(arithmetic.array(values), shape), slope)

        reader = Reader(arithmetic, dict(case.constants), case.units, side)
        z = variable([place.z for place in places], one)
        # exp(z - max z) is off by as much as the difference is, however it is computed
        centered = re.search(r"exp.*sum|sum.*exp", case.activation_formula + case.loss_formula)
        if centered and isinstance(arithmetic, Written):
            with np.errstate(all="ignore"):
                z = Part(arithmetic.off(z.value), one)
        t = variable([place.t for place in places], zero)
        y = reader.read(case.activation_formula, {"z": z})
        if np.shape(y.value)[-1] < case.units:  # all of it in sums: every unit has the same
            y = reader.read("y + e", {"y": y, "e": variable([(0.0,) * case.units], zero)})
        e = reader.read(case.loss_formula, {"y": y, "t": t})
        reader.units = np.shape(e.value)[-1]
        self.y = y
        with np.errstate(all="ignore"):
            self.loss = reader.sum(e)
        self.forward = self.loss.slope[..., 0, :]
        self.kinks = reader.kinks
        self.backward = None if isinstance(arithmetic, Exact) else reader.back(self.loss, z)


@dataclass(frozen=True)
class Judgement:
    """What is right at each place, from `low` to `high`, and how far off one may be."""

    right: np.ndarray
    low: np.ndarray
    high: np.ndarray
    known: np.ndarray
    allowed: np.ndarray
    lost: np.ndarray  # where no digit is right as written
    as_written: np.ndarray  # of shape (samples, places, …)


def wrong(
    case: Case, places: Sequence[Place], outcome: Outcome, samples: int, gaps: bool
) -> Iterator[Finding]:
    """Findings about a case at some places; with `gaps`, NaN as bad as what is written too."""
    exact = [Reading(case, places, Exact())]
    if exact[0].kinks:
        exact += [Reading(case, places, Exact(), side) for side in (-1, 1)]
    written = Reading(case, places, Written(case.dtype, samples, 0))
    z = np.array([place.z for place in places])
    invalid = np.isnan(z).any(axis=1)[:, None]
    infinite = np.isinf(z).any(axis=1)[:, None]

    def told(part: str, came: np.ndarray, judged: Judgement) -> Iterator[Finding]:
        came = came.astype(np.longdouble)
        off = _off(came, judged.low, judged.high, np.finfo(case.dtype))
        bad, nan = judged.known & ~invalid & ~(off <= judged.allowed), np.isnan(came)
        kinds = {
            "NaN": bad & nan & ~judged.lost & ~infinite,
            "NaN at infinity": bad & nan & ~judged.lost & infinite,
            "wrong": bad & ~nan & ~infinite,
            "wrong at infinity": bad & ~nan & infinite,
            "NaN vanishes": invalid & ~nan & np.isnan(judged.as_written[0]),
            "gap": bad & nan & judged.lost & ~infinite,
        }
        if part == "gradient":
            del kinds["NaN vanishes"]  # what is flat is flat there too
        if not gaps:
            del kinds["gap"]
        for words, where in kinds.items():
            yield from _at(f"{words}: {part}", case, places, where, came, judged)

    pole = Reading(case, places, Exact(pole=True))
    value = _judged(case, [r.loss.value for r in exact], [written.loss.value], pole.loss.value)
    both_ways = [written.forward, written.backward]
    slopes = _judged(case, [r.forward for r in exact], both_ways, pole.forward, value)
    y = _judged(case, [r.y.value for r in exact], [written.y.value], pole.y.value)
    yield from told("value of y", outcome.y, y)
    if (case.loss, case.units) != ("y", 1):  # else that was it
        yield from told("value of the loss", outcome.loss[:, None], value)
    yield from told("gradient", outcome.gradient, slopes)


def _judged(
    case: Case,
    exact: Sequence[Any],
    written: Sequence[Any],
    pole: Any,
    value: Judgement | None = None,
) -> Judgement:
    """What is right, from the exact readings of all sides of a kink and those as written.

    A slope is known only where there is a value that it is of; where that is none as written, the
    slope as written is none either.
    """
    limits = np.finfo(case.dtype)
    sides = np.stack([wide(values) for values in exact])
    low, high = sides.min(axis=0), sides.max(axis=0)
    right, known = sides[0], ~np.isnan(low) & ~np.isnan(high)
    as_written = written[0].astype(np.longdouble)
    off = _off(as_written, low, high, limits)
    off = np.where(np.isnan(off), np.inf, off).max(axis=0)
    for backward in written[1:]:  # which may be worse, but being NaN is no excuse
        error = _off(backward.astype(np.longdouble), low, high, limits)
        off = np.maximum(off, np.nan_to_num(error, nan=0.0).max(axis=0))

    is_number = True if value is None else np.isfinite(value.as_written[0])
    off = np.where(is_number, off, np.inf)

    # 1/0 has no sign that is known here: it is that of NumPy's 0, where all else agrees.
    first, of_pole = as_written[0], wide(pole)
    agreed = _off(first, of_pole, of_pole, limits) <= 64 * limits.eps * np.abs(of_pole)
    agreed &= ~known & is_number & np.isfinite(of_pole)
    low, high, right = (np.where(agreed, of_pole, each) for each in (low, high, right))
    off = np.where(agreed, 0, off)
    known |= agreed
    if value is not None:
        known &= np.isfinite(value.right)

    size = np.minimum(np.maximum(np.abs(low), np.abs(high)), limits.max)
    tiny = 2 * limits.smallest_normal
    few = np.where(size < tiny, tiny, ULPS * limits.eps * size)
    if out_of_range(case):  # NumPy's 0 for 1e-60 is no excuse: refuse it, or be about right
        off = np.where(size < 1e3 * tiny, np.inf, 1e-3 * size)
    allowed = np.maximum(FACTOR * off, few)
    return Judgement(right, low, high, known, allowed, off > size / 10 + few, as_written)


def wide(values: Any) -> np.ndarray:
    """mpmath's numbers with more digits than a float64 has; what is beyond it is infinite."""

    def each(value: Any) -> np.longdouble:
        nearest = float(value)
        if not np.isfinite(nearest):
            return np.longdouble(nearest)
        return np.longdouble(nearest) + np.longdouble(float(value - nearest))

    return np.frompyfunc(each, 1, 1)(values).astype(np.longdouble)


def _off(came: np.ndarray, low: np.ndarray, high: np.ndarray, limits: Any) -> np.ndarray:
    """How far `came` is from the range; to be infinite is to be just beyond the largest number."""
    beyond = np.longdouble(limits.max) * (1 + np.longdouble(limits.eps))

    def within(values: np.ndarray) -> np.ndarray:
        return np.clip(values, -beyond, beyond)

    came, low, high = within(came), within(low), within(high)
    with np.errstate(invalid="ignore"):
        return np.maximum(np.maximum(low - came, came - high), 0)


def _at(
    kind: str,
    case: Case,
    places: Sequence[Place],
    where: np.ndarray,
    came: np.ndarray,
    judged: Judgement,
) -> Iterator[Finding]:
    """A finding at the plainest of the places."""
    found = np.argwhere(where)
    if not len(found):
        return
    number, unit = min(found, key=lambda at: plainness(places[at[0]]))
    place = places[number]
    digits = 9 if case.dtype == "float32" else 17
    detail = (
        ("float32, " if case.dtype == "float32" else "")
        + f"z = {_shown(place.z)}"
        + (f", t = {_shown(place.t)}" if "t" in case.loss_formula else "")
        + f": {kind.partition(': ')[2]} is {came[number, unit]:.{digits}g},"
        f" right is {judged.right[number, unit]:.{digits}g},"
        f" as written {judged.as_written[0, number, unit]:.{digits}g}"
        + (f" (unit {unit + 1})" if case.units > 1 else "")
    )
    yield Finding(kind, replace(case, place=place), detail, by_case=True)


def _shown(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.9g}" for value in values)


def out_of_range(case: Case) -> bool:
    """Whether a number in the formulas is 0 or infinite in the dtype, though it is not."""
    texts = (case.activation_formula, case.loss_formula)
    found = [
        *(number for text in texts for number in numbers(text)),
        *dict(case.constants).values(),
    ]
    with np.errstate(over="ignore"):
        nearest = [(number, np.dtype(case.dtype).type(number)) for number in found]
    return any(not np.isfinite(near) or (near == 0) != (number == 0) for number, near in nearest)
