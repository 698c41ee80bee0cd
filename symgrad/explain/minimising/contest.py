"""All methods on one problem, each tuned with the same budget, and what they came to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from symgrad.explain.clock import Clock
from symgrad.explain.minimising.cases import Case
from symgrad.explain.minimising.methods import METHODS, Limit, Method, Run, Settings, minimise

# Each candidate of a method's settings is tried from so many starts, with this share of a run's
# limits. The seeds of these starts begin with TUNING_SEED; those of the runs reported with 0.
TUNING_STARTS = 3
TUNING_SHARE = 1 / 3
TUNING_SEED = 1_000


@dataclass(frozen=True)
class Outcome:
    """What one method made of one case."""

    method: Method
    settings: Settings
    tried: tuple[float, ...]  # by candidate, the median of the best losses when tuning
    runs: tuple[Run, ...]

    @property
    def reached(self) -> int:
        return sum(run.to_target is not None for run in self.runs)

    @property
    def cut(self) -> int:
        """Runs that ended at their limit of time."""
        return sum(run.ended == "time" for run in self.runs)

    @property
    def loss(self) -> "Quartiles":
        return quartiles(run.best for run in self.runs)

    @property
    def evaluations(self) -> "Quartiles":
        """Until the target."""
        return quartiles(run.to_target[0] if run.to_target else math.inf for run in self.runs)

    @property
    def seconds(self) -> "Quartiles":
        """Until the target, with the method's own work."""
        return quartiles(run.to_target[1] if run.to_target else math.inf for run in self.runs)


# The lower quartile, the median and the upper quartile; None for what is not finite.
Quartiles = tuple[float | None, float | None, float | None]


def quartiles(values: Iterable[float]) -> Quartiles:
    """Interpolated, and None where one of the two values that it lies between is infinite."""
    ordered = sorted(values)

    def at(share: float) -> float | None:
        place = share * (len(ordered) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return low + (high - low) * (place % 1) if math.isfinite(high) else None

    return at(0.25), at(0.5), at(0.75)


class Over(Exception):
    """The clock is over."""


def contest(
    case: Case, limit: Limit, seeds: int, clock: Clock, done: tuple[float, float] = (0.0, 1.0)
) -> list[Outcome]:
    """All methods tuned and run; those that are not complete when the clock is over are left out.

    `done`: the share of all work that lies before, and that this is.
    """
    outcomes = []
    for k, method in enumerate(METHODS):
        share = done[0] + done[1] * k / len(METHODS)
        clock.progress(f"{case.weights:,} weights, {method.name}", share)
        try:
            outcomes.append(_outcome(method, case, limit, seeds, clock))
        except Over:
            break
    return outcomes


def _outcome(method: Method, case: Case, limit: Limit, seeds: int, clock: Clock) -> Outcome:
    tuning = replace(
        limit,
        evaluations=limit.evaluations * TUNING_SHARE,
        seconds=limit.seconds * TUNING_SHARE,
    )
    starts = range(TUNING_SEED, TUNING_SEED + TUNING_STARTS)
    tried = tuple(
        float(np.median([run.best for run in _runs(method, case, each, tuning, starts, clock)]))
        for each in method.candidates
    )
    settings = method.candidates[tried.index(min(tried))]
    return Outcome(
        method, settings, tried, _runs(method, case, settings, limit, range(seeds), clock)
    )


def _runs(
    method: Method, case: Case, settings: Settings, limit: Limit, seeds: range, clock: Clock
) -> tuple[Run, ...]:
    runs = []
    for seed in seeds:
        if clock.over:
            raise Over
        runs.append(
            minimise(method, case.problem, case.start(seed), settings, limit, (seed, case.weights))
        )
    if runs[-1].ended == "stop":
        raise Over
    return tuple(runs)


def full_runs(seeds: int) -> float:
    """For how many runs of full length a method's runs count, those for tuning included."""
    return seeds + TUNING_SHARE * TUNING_STARTS * len(METHODS[0].candidates)
