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
from fuzz.written import Part, Reader
from fuzz.arithmetic import Arithmetic, Exact, Written
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
          compiles: bool = False, samples: int = SAMPLES) -> list[Finding]:
    """What is wrong with a case: one finding of each kind at most, at the plainest place."""
    try:
        with at_most(SECONDS):
            source = passes(Spec.parse(case.spec())).source
            module = None if compiles else make(source)
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
    return list(_wrong(case, places, outcome, gaps, samples))


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
        slopes = exact.forward.astype(float)
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
        self, case: Case, places: Sequence[Place], arithmetic: Arithmetic, side: int = 0
    ) -> None:
        leading = () if isinstance(arithmetic, Exact) else (arithmetic.samples,)
        shape = (*leading, len(places), case.units)
        slopes = (*shape, case.units)
        one = np.broadcast_to(arithmetic.array(np.eye(case.units)), slopes)
        zero = np.broadcast_to(arithmetic.array(np.zeros((1, 1))), slopes)

        def variable(values: list[tuple[float, ...]], slope: Any) -> Part:
            return Part(np.broadcast_to(arithmetic.array(values), shape), slope)

        reader = Reader(arithmetic, case.constants, case.units, side)
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


def _wrong(
    case: Case, places: Sequence[Place], outcome: Outcome, gaps: bool, samples: int
) -> Iterator[Finding]:
    limits = np.finfo(case.dtype)
    exact = [Reading(case, places, Exact())]
    if exact[0].kinks:
        exact += [Reading(case, places, Exact(), side) for side in (-1, 1)]
    written = Reading(case, places, Written(case.dtype, samples, 0))
    z = np.array([place.z for place in places])
    invalid = np.isnan(z).any(axis=1)[:, None]
    infinite = np.isinf(z).any(axis=1)[:, None]
    no_value = ~np.isfinite(_wide(exact[0].loss.value))
    parts = [
        ("value of y", outcome.y, [r.y.value for r in exact], [written.y.value]),
        ("value of the loss", outcome.loss[:, None], [r.loss.value for r in exact],
         [written.loss.value]),
        ("gradient", outcome.gradient, [r.forward for r in exact],
         [written.forward, written.backward]),
    ]  # fmt: skip
    for part, came, right, as_written in parts:
        if part == "value of the loss" and case.loss == "y" and case.units == 1:
            continue  # that was y
        came = came.astype(np.longdouble)
        right = np.stack([_wide(values) for values in right])
        low, high = right.min(axis=0), right.max(axis=0)
        unknown = np.isnan(low) | np.isnan(high) | invalid
        if part == "gradient":
            unknown |= no_value
        written_so = as_written[0].astype(np.longdouble)
        of_its_own = _error(written_so, low, high, limits)
        of_its_own = np.where(np.isnan(of_its_own), np.inf, of_its_own).max(axis=0)
        for backward in as_written[1:]:  # which may be worse, but being NaN is no excuse
            error = _error(backward.astype(np.longdouble), low, high, limits)
            of_its_own = np.maximum(of_its_own, np.nan_to_num(error, nan=0.0).max(axis=0))
        size = np.minimum(np.maximum(np.abs(low), np.abs(high)), limits.max)
        few = np.where(
            size < limits.smallest_normal, limits.smallest_normal, ULPS * limits.eps * size
        )
        nan = np.isnan(came)
        lost = of_its_own > size / 10  # no digit of it is right as written
        wrong = ~(_error(came, low, high, limits) <= np.maximum(FACTOR * of_its_own, few))
        wrong &= ~unknown
        kinds = [
            ("NaN", wrong & nan & ~lost & ~infinite),
            ("NaN at infinity", wrong & nan & ~lost & infinite),
            ("wrong", wrong & ~nan & ~infinite),
            ("wrong at infinity", wrong & ~nan & infinite),
        ]
        if part != "gradient":
            vanished = invalid & ~nan & np.isnan(written_so[0])
            kinds.append(("NaN vanishes", vanished))
        if gaps:
            kinds.append(("gap", wrong & nan & lost & ~infinite))
        for words, where in kinds:
            yield from _at(f"{words}: {part}", case, places, where, came, right[0], written_so)


def _wide(values: Any) -> np.ndarray:
    """mpmath's numbers with more digits than a float64 has; what is beyond it is infinite."""

    def each(value: Any) -> np.longdouble:
        nearest = float(value)
        if not np.isfinite(nearest):
            return np.longdouble(nearest)
        return np.longdouble(nearest) + np.longdouble(float(value - nearest))

    return np.frompyfunc(each, 1, 1)(values).astype(np.longdouble)


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
