"""Whether a case is compiled or refused, and whether its values and slopes are right.

The promise: the error of what the compiler makes of a formula is at most that of the formula as
written, or a few units in the last place. `FACTOR` times the largest error of `Written`'s samples
and `ULPS` units are allowed. Where the formula as written has no value, or is no nearer, nothing is
promised, and a NaN there is a gap, told only if gaps are asked for.
"""

import re
import signal
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from fuzz.modules import interpreted
from fuzz.networks import Case, Outcome, run
from fuzz.places import Place
from fuzz.written import Dual, Exact, Reader, Written
from symgrad.compiler.compile import passes
from symgrad.compiler.spec import Spec
from symgrad.errors import SpecError

FACTOR = 4.0
ULPS = 16.0
SAMPLES = 16
SECONDS = 60  # for one case to be compiled


@dataclass(frozen=True)
class Finding:
    """`kind` is what findings are grouped by, before anything is known about the cause."""

    kind: str
    case: Case
    detail: str


class TooLong(Exception):
    """A case that takes longer than any should."""


def judge(case: Case, places: Sequence[Place], make: Any = interpreted, gaps: bool = False,
          compiles: bool = False) -> list[Finding]:
    """What is wrong with a case: one finding of each kind at most, at the plainest place."""
    try:
        with at_most(SECONDS):
            source = passes(Spec.parse(case.spec())).source
            module = make(source)
    except SpecError as error:
        return list(_refused(case, places, str(error)))
    except Exception as error:  # that any other is raised is what is looked for
        return [Finding(f"crash: {signature(error)}", case, last_line(error))]
    if compiles:
        return []
    try:
        with at_most(SECONDS), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = run(module, case, places)
    except Exception as error:
        return [Finding(f"crash at run time: {signature(error)}", case, last_line(error))]
    return list(_wrong(case, places, outcome, gaps))


# ---- Refusals and crashes ------------------------------------------------------------------------


def _refused(case: Case, places: Sequence[Place], message: str) -> Iterator[Finding]:
    if not re.search(r"formula|constants", message):
        yield Finding("refused without a place", case, message)
    # A formula that has several finite values is none that has none.
    if "no finite value" in message or "the same whatever" in message:
        finite = [place for place in places if np.all(np.isfinite(place.z))]
        exact = Reading(case, finite, Exact())
        values = {f"{v:.5e}" for v in map(float, exact.loss.value[:, 0])
                  if np.isfinite(v) and abs(v) < 1e30}
        slopes = exact.loss.slope.astype(float)
        if len(values) > 1 and np.any(np.isfinite(slopes) & (slopes != 0)):
            yield Finding("refused, though it has values", case, message)


def signature(error: BaseException) -> str:
    """The kind of error, and the last place in symgrad that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "symgrad" in Path(frame.filename).parts]
    place = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "outside symgrad"
    message = re.sub(r"[\d.]+", "N", str(error))
    if isinstance(error, TypeError | ValueError | AttributeError | NotImplementedError):
        return f"{type(error).__name__} in {place} ({re.sub(r'[^A-Za-z ]', '', message)[:40]})"
    return f"{type(error).__name__} in {place}"


def last_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooLong after so many seconds, where the system has such alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- Values and slopes ---------------------------------------------------------------------------


class Reading:
    """A case in one arithmetic, at all places: y (…, places, units) and E (…, places, 1)."""

    def __init__(
        self, case: Case, places: Sequence[Place], arithmetic: Exact | Written, side: int = 0
    ) -> None:
        leading = () if isinstance(arithmetic, Exact) else (arithmetic.samples,)
        shape = (*leading, len(places), case.units)
        z = np.broadcast_to(arithmetic.array([place.z for place in places]), shape)
        t = np.broadcast_to(arithmetic.array([place.t for place in places]), shape)
        one = np.broadcast_to(arithmetic.array(np.eye(case.units)), (*shape, case.units))
        inner = Reader(arithmetic, {"z": Dual(z, one)}, case.constants, case.units, side)
        y = inner.read(case.activation_formula)
        self.y = Dual(
            np.broadcast_to(y.value, shape), np.broadcast_to(y.slope, (*shape, case.units))
        )
        outer = Reader(
            arithmetic,
            {"y": self.y, "t": Dual(t, one * arithmetic.array(0))},
            case.constants,
            case.units,
            side,
        )
        e = outer.read(case.loss_formula)
        whole = Reader(arithmetic, {"e": e}, {}, np.shape(e.value)[-1], side)
        self.loss = whole.read("sum(e)")
        self.kinks = inner.kinks or outer.kinks


def _wrong(
    case: Case, places: Sequence[Place], outcome: Outcome, gaps: bool
) -> Iterator[Finding]:
    limits = np.finfo(case.dtype)
    exact = [Reading(case, places, Exact())]
    if exact[0].kinks:
        exact += [Reading(case, places, Exact(), side) for side in (-1, 1)]
    written = Reading(case, places, Written(case.dtype, SAMPLES, 0))
    parts = {
        "value of y": (outcome.y, lambda reading: reading.y.value),
        "value of the loss": (outcome.loss[:, None], lambda reading: reading.loss.value),
        "gradient": (outcome.gradient, lambda reading: reading.loss.slope[..., 0, :]),
    }
    loss_known = np.isfinite(_wide(exact[0].loss.value))
    for part, (came, of) in parts.items():
        if part == "value of the loss" and case.loss == "y" and case.units == 1:
            continue
        sides = np.stack([_wide(of(reading)) for reading in exact])
        low, high = sides.min(axis=0), sides.max(axis=0)
        unknown = np.isnan(low) | np.isnan(high)
        as_written = of(written).astype(np.longdouble)
        came = came.astype(np.longdouble)
        if part == "gradient":
            unknown |= ~loss_known  # no slope where there is no value
        error = _error(came, low, high, limits)
        its_own = np.max(
            np.where(np.isnan(as_written), np.inf, _error(as_written, low, high, limits)), axis=0
        )
        few = ULPS * limits.eps * _size(low, high, limits)
        wrong = ~unknown & ~(error <= np.maximum(FACTOR * its_own, few))
        invalid = np.isnan([place.z for place in places]).any(axis=1)[:, None]
        if part != "gradient":
            lost = invalid & ~np.isnan(came) & np.isnan(as_written[0])
            yield from _at(f"NaN vanishes: {part}", case, places, lost, came, low, as_written)
        infinite = np.isinf([place.z for place in places]).any(axis=1)[:, None]
        nan, gap = np.isnan(came), np.isinf(its_own)
        kinds = [("NaN", nan & ~gap), ("wrong", ~nan)] + [("gap", nan & gap)] * gaps
        for words, where in kinds:
            for which, there in (("", ~infinite), (" at infinity", infinite)):
                yield from _at(
                    f"{words}{which}: {part}", case, places, wrong & where & there & ~invalid,
                    came, low, as_written,
                )  # fmt: skip


def _wide(values: Any) -> np.ndarray:
    """mpmath's numbers with more digits than a float64 has; what is beyond it is infinite."""

    def each(value: Any) -> np.longdouble:
        nearest = float(value)
        if not np.isfinite(nearest):
            return np.longdouble(nearest)
        return np.longdouble(nearest) + np.longdouble(float(value - nearest))

    return np.frompyfunc(each, 1, 1)(values).astype(np.longdouble)


def _size(low: np.ndarray, high: np.ndarray, limits: Any) -> np.ndarray:
    size = np.minimum(np.maximum(np.abs(low), np.abs(high)), limits.max)
    return np.maximum(size, limits.smallest_normal)


def _error(came: np.ndarray, low: np.ndarray, high: np.ndarray, limits: Any) -> np.ndarray:
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
    right: np.ndarray,
    as_written: np.ndarray,
) -> Iterator[Finding]:
    found = np.argwhere(where)
    if not len(found):
        return
    number, unit = min(found, key=lambda at: plainness(places[at[0]]))
    place = places[number]
    digits = 9 if case.dtype == "float32" else 17
    detail = (
        f"z = {_shown(place.z)}"
        + (f", t = {_shown(place.t)}" if "t" in case.loss_formula else "")
        + f": {part_of(kind)} is {came[number, unit]:.{digits}g},"
        f" right is {right[number, unit]:.{digits}g},"
        f" as written {as_written[0, number, unit]:.{digits}g}"
        + (f" (unit {unit + 1})" if case.units > 1 else "")
    )
    yield Finding(kind, replace(case, place=place), detail)


def part_of(kind: str) -> str:
    return kind.partition(": ")[2]


def _shown(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.9g}" for value in values)


def plainness(place: Place) -> tuple[float, ...]:
    """Smaller for places that a person would rather look at."""

    def each(value: float) -> float:
        if not np.isfinite(value):
            return 1e6
        digits = len(f"{value:.9g}".strip("-0."))
        return abs(np.log10(abs(value) or 1.0)) * 3 + digits + (value < 0) / 2

    return (sum(map(each, (*place.z, *place.t))),)
