"""Formulas as activations and as losses: compiled or refused, and right at the edges of a dtype.

The promise: the error of what the compiler makes of a formula is at most that of the formula as
written, or a few units in the last place. `FACTOR` times the largest error of `Written`'s samples
and `ULPS` units are allowed. Where no digit is right as written, a NaN is a gap and no broken
promise: gaps are told only if asked for.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

from fuzz.arithmetic import Arithmetic, Exact, Written
from fuzz.crash import at_most, last_line, signature
from fuzz.formulas import CONSTANTS, formula, names, numbers, simpler
from fuzz.hunt import Finding, Kind
from fuzz.modules import compiled, interpreted
from fuzz.networks import ACTIVATIONS, LOSSES, Case, Outcome, run
from fuzz.places import Place, places, plainness
from fuzz.written import Part, Reader
from symgrad.compiler.compile import passes
from symgrad.compiler.spec import Spec
from symgrad.errors import SpecError

FACTOR = 4.0
ULPS = 16.0
SAMPLES = 24
SECONDS = 60  # for one case


@dataclass(frozen=True)
class Looking:
    """What is looked at: `make` makes a module of source; None asks only whether it compiles."""

    make: Callable[[str], Any] | None = interpreted
    gaps: bool = False
    samples: int = SAMPLES


def kind(looking: Looking) -> Kind:
    return Kind("formula", 6, draw, partial(judge, looking=looking), smaller, Case.read)


def compiled_kind(looking: Looking) -> Kind:
    """The same, by what Numba makes of them: seconds each."""
    looking = replace(looking, make=compiled)
    return Kind("compiled", 3, draw, partial(judge, looking=looking), smaller, Case.read, 120)


def draw(rng: Random) -> Case:
    """A formula as an activation or as a loss, or a loss of an activation's outputs."""
    units = rng.choice((1, 1, 1, 2, 3))
    constants = (("c", rng.choice(CONSTANTS)),) if rng.random() < 0.3 else ()
    size = rng.choice((1, 2, 3, 3, 4, 4, 5, 6, 8))
    what = rng.random()

    def own(variables: tuple[str, ...], most: int = 8) -> str:
        return formula(rng, variables, [name for name, _ in constants], units > 1, min(size, most))

    activation, loss = "identity", "t*y" if units > 1 else "y"
    if what < 0.55:
        activation = own(("z",))
    elif what < 0.85:
        loss = own(("y", "t", "y - t"))
    else:
        built_in = rng.random() < 0.7
        activation = rng.choice(list(ACTIVATIONS)[1:]) if built_in else own(("z",), 3)
        loss = rng.choice(list(LOSSES)) if rng.random() < 0.3 else own(("y", "t", "y - t"), 4)
    return Case(activation, loss, rng.choice(("float32", "float64")), units, constants)


def judge(case: Case, looking: Looking = Looking()) -> list[Finding]:  # frozen
    """What is wrong with a case: one finding of each kind at most, at the plainest place.

    A case without a place is tried at many.
    """
    where = (
        [case.place]
        if case.place
        else places(
            Random(str(case.data())), case.dtype, case.units, "t" in names(case.loss_formula)
        )
    )
    try:
        with at_most(SECONDS):
            source = passes(Spec.parse(case.spec())).source
            module = looking.make(source) if looking.make else None
    except SpecError as error:
        return list(_refused(case, where, str(error)))
    except Exception as error:  # that any other is raised is what is looked for
        return [Finding(f"crash: {signature(error)}", case, last_line(error))]
    if module is None:
        return []
    try:
        with at_most(SECONDS), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = run(module, case, where)
    except Exception as error:
        return [Finding(f"crash at run time: {signature(error)}", case, last_line(error))]
    found = list(_wrong(case, where, outcome, looking))
    if looking.samples > SAMPLES or not found:
        return found
    # Those that more samples of the formula as written do not excuse.
    closer = replace(looking, samples=8 * SAMPLES)
    return [
        again for each in found for again in judge(each.case, closer) if again.kind == each.kind
    ]


def smaller(case: Case) -> Iterator[Case]:
    """Cases with one thing less, or one that is plainer."""
    used = names(case.activation) | names(case.loss)
    if case.units > 1:
        for unit in range(case.units):
            yield _without(case, unit)
    yield replace(case, dtype="float64")
    yield replace(case, activation="identity")
    yield replace(case, loss="y")
    yield replace(case, constants=tuple(c for c in case.constants if c[0] in used))
    if case.activation != "identity":
        for activation in simpler(case.activation_formula, ("z",)):
            if activation != "z":
                yield replace(case, activation=activation)
    for loss in simpler(case.loss_formula, ("y", "t")):
        yield replace(case, loss=loss)
    for name, value in case.constants:
        for text in (str(value), "1", "2", "0.5"):
            yield replace(
                case,
                activation=re.sub(rf"\b{name}\b", f"({text})", case.activation),
                loss=re.sub(rf"\b{name}\b", f"({text})", case.loss),
                constants=(),
            )
    if case.place is not None:
        for unit in range(case.units):
            for number in (0.0, 1.0, -1.0, 2.0):
                z, t = list(case.place.z), list(case.place.t)
                z[unit] = t[unit] = number
                yield replace(case, place=Place(tuple(z), case.place.t))
                yield replace(case, place=Place(case.place.z, tuple(t)))


def _without(case: Case, unit: int) -> Case:
    place = case.place
    if place is not None:
        place = Place(place.z[:unit] + place.z[unit + 1 :], place.t[:unit] + place.t[unit + 1 :])
    return replace(case, units=case.units - 1, place=place)


def _refused(case: Case, where: Sequence[Place], message: str) -> Iterator[Finding]:
    if not re.search(r"formula|constants", message):
        yield Finding("refused without a place", case, message)
    # What has several finite values is not without any, and not the same everywhere.
    if "no finite value" in message or "the same whatever" in message:
        exact = Reading(case, [place for place in where if np.all(np.isfinite(place.z))], Exact())
        values = _wide(exact.loss.value[:, 0])
        apart = {f"{v:.5e}" for v in values if abs(v) < 1e30}  # none of them NaN
        slopes = _wide(exact.forward)
        if len(apart) > 1 and np.any(np.isfinite(slopes) & (slopes != 0)):
            yield Finding("refused, though it has values", case, message)


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


def _wrong(
    case: Case, places: Sequence[Place], outcome: Outcome, looking: Looking
) -> Iterator[Finding]:
    limits = np.finfo(case.dtype)
    exact = [Reading(case, places, Exact())]
    if exact[0].kinks:
        exact += [Reading(case, places, Exact(), side) for side in (-1, 1)]
    written = Reading(case, places, Written(case.dtype, looking.samples, 0))
    z = np.array([place.z for place in places])
    invalid = np.isnan(z).any(axis=1)[:, None]
    infinite = np.isinf(z).any(axis=1)[:, None]
    plus = np.isfinite(z).all(axis=1) & ~(np.signbit(z) & (z == 0)).any(axis=1)
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
        # 1/0 has no sign that is known here, but what comes of it may be the same for both.
        as_it_is = written_so[0]
        with np.errstate(invalid="ignore"):
            spread = np.abs(written_so - as_it_is).max(axis=0)
        agreed = spread <= 64 * limits.eps * np.abs(as_it_is)
        agreed &= unknown & np.isfinite(as_it_is) & plus[:, None]
        low, high = (np.where(agreed, as_it_is, each) for each in (low, high))
        right[0] = np.where(agreed, as_it_is, right[0])
        of_its_own = np.where(agreed, 0, of_its_own)
        unknown &= ~agreed
        size = np.minimum(np.maximum(np.abs(low), np.abs(high)), limits.max)
        few = np.where(
            size < 2 * limits.smallest_normal, 2 * limits.smallest_normal, ULPS * limits.eps * size
        )
        if out_of_range(case):  # NumPy's 0 for 1e-60 is no excuse: refuse it, or be about right
            of_its_own = np.where(size < limits.smallest_normal * 1e3, np.inf, size * 1e-3)
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
        if looking.gaps:
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
        ("float32, " if case.dtype == "float32" else "")
        + f"z = {_shown(place.z)}"
        + (f", t = {_shown(place.t)}" if "t" in case.loss_formula else "")
        + f": {kind.partition(': ')[2]} is {came[number, unit]:.{digits}g},"
        f" right is {right[number, unit]:.{digits}g},"
        f" as written {as_written[0, number, unit]:.{digits}g}"
        + (f" (unit {unit + 1})" if case.units > 1 else "")
    )
    yield Finding(kind, replace(case, place=place), detail, by_case=True)


def _shown(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.9g}" for value in values)
