"""Formulas as activations and as losses: compiled or refused, and right at the edges of a dtype."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

from fuzz.arithmetic import Exact
from fuzz.crash import at_most, last_line, signature
from fuzz.formulas import CONSTANTS, formula, names, simpler
from fuzz.hunt import Finding, Kind
from fuzz.judging import Reading, wide, wrong
from fuzz.modules import compiled, interpreted
from fuzz.networks import ACTIVATIONS, LOSSES, Case, run
from fuzz.places import Place, places
from symgrad.errors import SpecError
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec

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
    found = list(wrong(case, where, outcome, looking.samples, looking.gaps))
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
        finite = [place for place in where if np.all(np.isfinite(place.z))]
        if not finite:
            return
        exact = Reading(case, finite, Exact())
        values = wide(exact.loss.value[:, 0])
        apart = {f"{v:.5e}" for v in values if abs(v) < 1e30}  # none of them NaN
        slopes = wide(exact.forward)
        if len(apart) > 1 and np.any(np.isfinite(slopes) & (slopes != 0)):
            yield Finding("refused, though it has values", case, message)
