"""Section 7: the same problems from the same starts, with the gradient and without it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from symgrad.explain.clock import Clock
from symgrad.explain.minimising.cases import POINTS, TARGET, Case, fit, weights_of
from symgrad.explain.minimising.contest import (
    TUNING_SHARE,
    TUNING_STARTS,
    Outcome,
    contest,
    full_runs,
)
from symgrad.explain.minimising.methods import METHODS, Limit, Run, marks
from symgrad.explain.minimising.zero_one import (
    STEP_HIDDEN,
    STEP_POINTS,
    ellipse,
    step_case,
    surrogate,
)
from symgrad.showing.pages.blocks import Block, Lines, Section, Series, Table, Words

SIZES = ((2,), (8, 8), (30, 30))  # hidden units: 9, 105 and 1,051 weights

EVALUATIONS = 5_000  # of a run, at most
PER_SECOND = 50  # evaluations of a run for each second of the clock, where that is fewer

# A run's time is such that so many methods may use it up in all their runs; most are far quicker.
SLOW_METHODS = 3
RESERVE = 0.15  # of the time is left alone, for what is compiled and for runs that end late

FLOOR = 1e-12  # charts end here: what lies below is rounding


def gradient_free(
    clock: Clock, *, seeds: int = 10, sizes: Sequence[tuple[int, ...]] = SIZES
) -> Section:
    """Nets with hidden layers of `sizes`, and one with a 0/1 loss: every method, `seeds` starts.

    `data`: `seeds`; `evaluations`, the limit of a run; `tuning`, with `candidates`, `starts` and
    `share` of the limits; `summary`, the most important in sentences; `sizes`, a list, and
    `zero_one`. Each of these has

    - `net`, `weights`, `target`, `seconds`, the limit of a run;
    - `loss_seconds`, `gradient_seconds` (the loss and its gradient), and `gradient_cost`, the
      second by the first: as so many evaluations a loss with its gradient counts;
    - `methods`, by name: `source`, `settings`; `tried`, a list of `settings` with the median `loss`
      when tuning; `reached` and `cut`, how many runs got to the target, and ended by time;
      `evaluations` and `seconds` to the target and final `loss`, each as [lower quartile, median,
      upper quartile], null where a run that never got there is among what they are taken from;
      and `runs`: `loss`, the smallest asked for; `evaluations` and `seconds` to the target, or
      null; `loss_calls`, `gradient_calls`, `took` (seconds) and `ended`, by "evaluations", "time"
      or "itself".

    A size has `curves` too, by method a list of [evaluations, median of the best loss so far], and
    `comparison`: `lbfgs`, its median evaluations to the target; `best`, the method without
    gradient that took fewest, `best_evaluations`, `times` (the second by the first), and
    `unreached`, the methods with no median; null for what there is not, and if methods are missing.

    `zero_one` has `starts`, the losses at the starts; `largest_gradient`, the largest entry of all
    gradients there; `constant`, the loss of the better constant answer; `improved`, by method, how
    many runs got below their start; and `surrogate`, the losses after L-BFGS on a smooth one.
    """
    evaluations = max(20, int(min(EVALUATIONS, PER_SECOND * clock.seconds)))
    nets = (*sizes, STEP_HIDDEN)
    # A case with more weights gets more of what is left of the time: 1 + log n.
    needs = [1 + math.log10(weights_of(hidden)) for hidden in nets]
    fits: list[_Part] = []
    steps: _Part | None = None
    complete = True
    # On busy cores threads that wait for each other take far longer than one: SciPy's L-BFGS and
    # CMA-ES call BLAS for small vectors and matrices.
    with threadpool_limits(1, user_api="blas"):
        for k, hidden in enumerate(nets):
            if clock.over:
                complete = False
                break
            seconds = clock.left * (1 - RESERVE) * needs[k] / sum(needs[k:])
            last = k == len(sizes)
            case = step_case(hidden) if last else fit(hidden)
            limit = Limit(
                evaluations, seconds / (SLOW_METHODS * full_runs(seeds)), case.target, clock.stop
            )
            done = sum(needs[:k]) / sum(needs), needs[k] / sum(needs)
            outcomes = contest(case, limit, seeds, clock, done)
            complete = complete and len(outcomes) == len(METHODS)
            if outcomes and last:
                steps = _about_zero_one(case, limit, outcomes)
            elif outcomes:
                fits.append(_about_size(case, limit, outcomes))
    growth = _growth([part.numbers for part in fits])
    parts = [*fits, growth] + ([steps] if steps else [])
    data = {
        "seeds": seeds,
        "evaluations": evaluations,
        "tuning": {
            "candidates": len(METHODS[0].candidates),
            "starts": TUNING_STARTS,
            "share": TUNING_SHARE,
        },
        "summary": growth.summary + (steps.summary if steps else []),
        "sizes": [part.numbers for part in fits],
    } | ({"zero_one": steps.numbers} if steps else {})
    setting = [Words(text) for text in _setting(seeds, evaluations)]
    blocks = (*setting, *(block for part in parts for block in part.blocks))
    return Section(
        "gradient_free", "Without gradients", blocks, data, "" if complete else clock.why
    )


@dataclass(frozen=True)
class _Part:
    """What one case comes to in the section."""

    blocks: list[Block]
    numbers: dict[str, Any]
    summary: list[str]


# --- the numbers ---


def _numbers(case: Case, limit: Limit, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "net": case.net,
        "weights": case.weights,
        "target": case.target,
        "seconds": limit.seconds,
        "loss_seconds": case.loss_seconds,
        "gradient_seconds": case.gradient_seconds,
        "gradient_cost": case.problem.gradient_cost,
        "methods": {each.method.name: _of_method(each) for each in outcomes},
    }


def _of_method(outcome: Outcome) -> dict[str, Any]:
    candidates = zip(outcome.method.candidates, outcome.tried, strict=True)
    return {
        "source": outcome.method.source,
        "settings": dict(outcome.settings),
        "tried": [{"settings": dict(each), "loss": _finite(loss)} for each, loss in candidates],
        "reached": outcome.reached,
        "cut": outcome.cut,
        "evaluations": list(outcome.evaluations),
        "seconds": list(outcome.seconds),
        "loss": list(outcome.loss),
        "runs": [_of_run(run) for run in outcome.runs],
    }


def _of_run(run: Run) -> dict[str, Any]:
    evaluations, seconds = run.to_target or (None, None)
    return {
        "loss": _finite(run.best),
        "evaluations": evaluations,
        "seconds": seconds,
        "loss_calls": run.losses,
        "gradient_calls": run.gradients,
        "took": run.seconds,
        "ended": run.ended,
    }


def _finite(value: float) -> float | None:
    """A run that had no time for a single loss has none."""
    return value if math.isfinite(value) else None


def _curves(limit: Limit, outcomes: Sequence[Outcome]) -> dict[str, list[list[float]]]:
    """By method the median of the best so far, as far as all its runs got."""
    return {
        each.method.name: [
            [used, float(np.median(bests))]
            # the shortest curve ends them all
            for used, *bests in zip(
                marks(limit.evaluations), *(run.curve for run in each.runs), strict=False
            )
            if np.isfinite(bests).all()
        ]
        for each in outcomes
    }


def _compare(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    if len(outcomes) < len(METHODS):
        return None
    medians = {each.method.name: each.evaluations[1] for each in outcomes}
    without = {
        each.method.name: each.evaluations[1]
        for each in outcomes
        if not each.method.with_gradient and each.evaluations[1] is not None
    }
    lbfgs = medians.get("L-BFGS")
    best = min(without, key=lambda name: without[name] or 0.0) if without else None
    fewest = without[best] if best else None
    return {
        "lbfgs": lbfgs,
        "best": best,
        "best_evaluations": fewest,
        "times": fewest / lbfgs if fewest and lbfgs else None,
        "unreached": [name for name, median in medians.items() if median is None],
    }


def _zero_one(case: Case, limit: Limit, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    x, t = ellipse()
    starts = [case.start(seed) for seed in range(len(outcomes[0].runs))]
    losses = [case.problem.loss(start) for start in starts]
    gradients = [case.problem.loss_and_gradient(start)[1] for start in starts]
    inside = float(t.mean())
    return {
        "starts": losses,
        "largest_gradient": float(np.abs(gradients).max()),
        "constant": min(inside, 1 - inside),
        "improved": {
            each.method.name: sum(
                run.best < loss for run, loss in zip(each.runs, losses, strict=True)
            )
            for each in outcomes
        },
        "surrogate": surrogate(case, limit, starts, x, t),
    }


# --- how it is shown ---


def _setting(seeds: int, evaluations: int) -> list[str]:
    candidates = len(METHODS[0].candidates)
    return [
        "Nets with two inputs, tanh layers and one output are fitted, in float64 and by the "
        "squared loss, to tanh(3u + v + 1) − tanh(3u − v − 1) at "
        f"{POINTS} fixed points of the square [−1, 1]²; its values are standardised, so that the "
        "best constant leaves a loss of 0.5. A 2-2-1 net can be exact. Every method begins at the "
        f"same {seeds} starts, and each run has "
        f"{evaluations:,} evaluations of the loss, {PER_SECOND} for each second that there is for "
        f"this section, {EVALUATIONS:,} at most. A loss with its gradient counts as the "
        "evaluations of the loss that take as long, measured here and now. What a run found is the "
        "smallest loss that it asked for; its seconds include the method's own work, "
        "with BLAS on one thread.",
        f"Each method has {candidates} candidates for its settings. Each of them is tried from "
        f"{TUNING_STARTS} other starts with {100 * TUNING_SHARE:.0f} % of a run's evaluations and "
        "seconds, and the one with the lowest median loss is taken. The methods: "
        + "; ".join(f"{method.name} ({method.source})" for method in METHODS)
        + ".",
    ]


def _about_size(case: Case, limit: Limit, outcomes: Sequence[Outcome]) -> _Part:
    numbers = _numbers(case, limit, outcomes)
    numbers |= {"curves": _curves(limit, outcomes), "comparison": _compare(outcomes)}
    rows = tuple(
        (
            each.method.name,
            f"{each.reached}/{len(each.runs)}",
            _whole(each.evaluations[1]),
            None if each.seconds[1] is None else _digits(1e3 * each.seconds[1]),
            *map(_digits, each.loss),
        )
        for each in outcomes
    )
    table = Table(
        (
            "method",
            "reached",
            "evaluations",
            "ms",
            "lower quartile",
            "final loss",
            "upper quartile",
        ),
        rows,
        title=f"{case.net}, {case.weights:,} weights: to a loss of {case.target:g}, and at the end",
        note="Evaluations and ms until the loss was reached, and the final loss, are medians; a "
        f"dash: too few runs reached it. {_costs(case, limit, outcomes)} {_settings(outcomes)}",
    )
    chart = Lines(
        f"{case.weights:,} weights: median of the best loss so far",
        "evaluations",
        "loss",
        tuple(
            Series(name, tuple((used, max(loss, FLOOR)) for used, loss in points))
            for name, points in numbers["curves"].items()
            if points
        ),
    )
    # No method can be called the best of those that were not all run.
    said = [Words(_sentence(numbers, outcomes))] if numbers["comparison"] else []
    return _Part([table, chart, *said], numbers, [])


def _costs(case: Case, limit: Limit, outcomes: Sequence[Outcome]) -> str:
    cut = [f"{each.method.name} ({each.cut})" for each in outcomes if each.cut]
    ended = f"; so ended, before their evaluations were used: {', '.join(cut)}" if cut else ""
    return (
        f"A loss takes {1e6 * case.loss_seconds:.2f} µs, with its gradient "
        f"{1e6 * case.gradient_seconds:.2f} µs: it counts as {case.problem.gradient_cost:.2f} "
        f"evaluations. A run is cut after {limit.seconds:.2g} s{ended}."
    )


def _settings(outcomes: Sequence[Outcome]) -> str:
    named = (
        f"{each.method.name}: "
        + ", ".join(f"{name} {value:g}" for name, value in each.settings.items())
        for each in outcomes
    )
    return f"Settings taken: {'; '.join(named)}."


def _sentence(numbers: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    found, target = numbers["comparison"], f"{numbers['target']:g}"
    if found["lbfgs"] is None:
        said = [f"{numbers['weights']:,} weights: too few runs of L-BFGS got to {target}."]
    else:
        said = [
            f"{numbers['weights']:,} weights: L-BFGS got to {target} in {found['lbfgs']:,.0f} "
            "evaluations (median)."
        ]
    if found["best"]:
        times = f": {_times(found['times'])} times as many" if found["times"] else ""
        said.append(
            f"Of the methods without gradient {found['best']} took fewest, "
            f"{found['best_evaluations']:,.0f}{times}."
        )
    if found["unreached"]:
        said.append(f"No median, as too few runs got there: {', '.join(found['unreached'])}.")
    for word, with_gradient in (("with", True), ("without", False)):
        if best := _lowest(outcomes, with_gradient):
            name, loss = best
            said.append(f"The lowest median loss {word} gradient is {loss:.1e}, by {name}.")
    return " ".join(said)


def _lowest(outcomes: Sequence[Outcome], with_gradient: bool) -> tuple[str, float] | None:
    """The method with the lowest median of final losses, and that."""
    found = [
        (each.loss[1], each.method.name)
        for each in outcomes
        if each.method.with_gradient == with_gradient and each.loss[1] is not None
    ]
    if not found:
        return None
    loss, name = min(found)
    return name, loss


def _growth(fits: Sequence[dict[str, Any]]) -> _Part:
    """How many times as many evaluations it takes without the gradient, by the weights."""
    compared = [(each["weights"], each["comparison"]) for each in fits if each["comparison"]]
    if not compared:
        return _Part([], {}, [])
    rows = tuple(
        (
            weights,
            _whole(found["lbfgs"]),
            found["best"],
            _whole(found["best_evaluations"]),
            _digits(found["times"]),
        )
        for weights, found in compared
    )
    table = Table(
        ("weights", "L-BFGS", "fewest without gradient", "evaluations", "times as many"),
        rows,
        title=f"Median evaluations to a loss of {TARGET:g}",
    )
    known = sorted((weights, found["times"]) for weights, found in compared if found["times"])
    if len(known) < 2:
        return _Part([table], {}, [])
    listed = ", ".join(f"{_times(times)} with {weights:,} weights" for weights, times in known)
    said = (
        "The best method without gradient takes so many times as many evaluations as L-BFGS to "
        f"the same loss: {listed}."
    )
    if all(a < b for (_, a), (_, b) in pairwise(known)):
        said += " On this problem it grows with the number of weights."
    return _Part([table, Words(said)], {}, [said])


def _about_zero_one(case: Case, limit: Limit, outcomes: Sequence[Outcome]) -> _Part:
    numbers = _numbers(case, limit, outcomes) | _zero_one(case, limit, outcomes)
    improved, runs = numbers["improved"], len(numbers["starts"])
    intro = (
        f"A loss that the gradient is no help with: a net {case.net} whose output is a step, 0 or "
        f"1, is to say which of {STEP_POINTS} points lie inside an ellipse, and its loss is the "
        "share that it gets wrong. That is constant almost everywhere, and jumps between. The "
        f"largest entry of the emitted gradients at the {runs} starts is "
        f"{numbers['largest_gradient']:g}. The starts get {_percent(_median(numbers['starts']))} "
        f"wrong (median), the better constant answer {_percent(numbers['constant'])}."
    )
    rows = tuple(
        (
            each.method.name,
            f"{improved[each.method.name]}/{runs}",
            f"{each.reached}/{runs}",
            _whole(each.evaluations[1]),
            *(None if loss is None else round(100 * loss, 1) for loss in each.loss),
        )
        for each in outcomes
    )
    table = Table(
        (
            "method",
            "below start",
            f"reached {100 * case.target:g} %",
            "evaluations",
            "lower quartile",
            "% wrong at the end",
            "upper quartile",
        ),
        rows,
        title=f"{case.net}, {case.weights:,} weights: a 0/1 loss",
        note=f"{_costs(case, limit, outcomes)} {_settings(outcomes)}",
    )
    said = _zero_one_sentences(numbers, outcomes)
    return _Part([Words(intro), table, Words(" ".join(said))], numbers, said)


def _zero_one_sentences(numbers: dict[str, Any], outcomes: Sequence[Outcome]) -> list[str]:
    said = []
    if stuck := [name for name, better in numbers["improved"].items() if not better]:
        said.append(f"On a 0/1 loss not one run got below its start with {', '.join(stuck)}.")
    best = _lowest(outcomes, with_gradient=False)
    if best and len(outcomes) == len(METHODS):
        name, loss = best
        said.append(
            f"Without gradient {name} does best on it, with {_percent(loss)} wrong (median)."
        )
    said.append(
        "The usual way out is descent on a smooth loss in its place: with a sigmoid for the step, "
        "and its cross-entropy, L-BFGS (untuned) from the same starts leaves "
        f"{_percent(_median(numbers['surrogate']))} wrong (median)."
    )
    return said


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _digits(value: float | None) -> float | None:
    """Three digits of it."""
    return None if value is None else float(f"{value:.3g}")
