"""Section 6: updating all the weights at once, against updating layer by layer.

The question reads backpropagation as an update of the last layer, then of the one before with the
gradient that the changed network has, and so on; see `symgrad.explain.backprop.updates`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from symgrad.compiler import Compiled
from symgrad.explain.backprop.updates import STEPPERS, Sweep, Values, sweep_of
from symgrad.explain.clock import Clock
from symgrad.language.evaluate import evaluate
from symgrad.language.indices import SAMPLES
from symgrad.language.program import Program, indices_of, name_of, prune
from symgrad.passes.factor import factor
from symgrad.passes.share import share
from symgrad.showing.pages.blocks import Block, Lines, Section, Series, Table, Words

SAMPLES_USED = 32
LARGEST = 200_000  # weights: beyond, the interpreter takes a second for a gradient
STEPS = 60
TRIED = 15  # steps that a rate is tried for
RATES = tuple(10.0 ** (-k / 2) for k in range(-1, 9))  # 3.2, 1, 0.32, …, 0.0001
FINER = (1.0, 0.1, 0.01, 0.001)  # of the rate: for how the difference shrinks


WAYS = {
    "at_once": "all at once",
    "afresh": "layer by layer, afresh",
    "in_sweep": "layer by layer, in the sweep",
}


def layerwise(compiled: Compiled, clock: Clock, seed: int = 0) -> Section:
    """One step, and a course of steps, in the three ways, from the same start on the same data.

    `data`: `samples`, `steps`, `rate`; `layers`: for each layer (the last first) and each `rate` in
    `rates` the size of (update layer by layer - update at once)/(update at once), `afresh` and
    `in_sweep`; `shrinks`, the exponent with which that difference shrinks with the rate; `course`:
    for each way the `losses` before each step and after the last, and `gradients`, how many whole
    gradients a step costs.
    """
    title = "All at once against layer by layer"
    if compiled.spec.weights > LARGEST:
        words = f"Left out: {compiled.spec.weights:,} weights, and it is run up to {LARGEST:,}."
        return Section("layerwise", title, (Words(words),), {}, "too many weights")
    program = share(factor(compiled.stages.differentiate, "loss-first"))
    sweep = sweep_of(program)
    given, start = _problem(program, seed)
    layers = len(sweep.parts)
    rate = _rate(sweep, given, start, clock)
    if rate is None:
        words = "No rate was found at which descent lowers this network's loss: nothing to compare."
        return Section("layerwise", title, (Words(words),), {}, clock.why if clock.over else "")
    first = [_first_updates(sweep, given, start, rate * finer) for finer in FINER]
    course: dict[str, list[float]] = {}
    missing = ""
    for k, way in enumerate(WAYS):
        clock.progress(WAYS[way], k / len(WAYS))
        course[way] = list(_course(sweep, given, start, rate, way, clock))
        if clock.over:
            missing = clock.why
            break
    costs = {"at_once": 1, "afresh": layers, "in_sweep": 1}
    data = {
        "samples": SAMPLES_USED,
        "steps": STEPS,
        "rate": rate,
        "rates": [rate * finer for finer in FINER],
        "layers": [
            {"layer": layers - k, **{way: [each[way][k] for each in first] for way in first[0]}}
            for k in range(layers)
        ],
        "shrinks": {way: _shrinking(way, first) for way in first[0]},
        "course": {
            way: {"losses": losses, "gradients": costs[way]} for way, losses in course.items()
        },
    }
    return Section("layerwise", title, tuple(_blocks(data)), data, missing)


def _problem(program: Program, seed: int) -> tuple[Values, Values]:
    """Data, and weights to start from: targets come from the same network with other weights."""
    random = np.random.default_rng([seed, 6])

    def shape(target: Any) -> tuple[int, ...]:
        return tuple(
            int(program.extent(index).subs(SAMPLES, SAMPLES_USED)) for index in indices_of(target)
        )

    def weights() -> Values:
        return {
            name_of(w): random.normal(size=shape(w)) / np.sqrt(shape(w)[0] if "W" in str(w) else 9)
            for w in program.weights
        }

    inputs = {name_of(i): random.normal(size=shape(i)) for i in program.inputs}
    if "w" in inputs:
        inputs["w"] = random.uniform(0.5, 1.5, inputs["w"].shape)
    teacher = weights()
    with np.errstate(all="ignore"):
        heads = {name: f"y{name[1:]}" for name in inputs if name == "t" or name.startswith("t_")}
        of_outputs = prune(program, [name for name in heads.values() if name in program.by_name])
        found = evaluate(of_outputs, inputs | teacher)
    for t, y in heads.items():
        if y in found and inputs[t].shape == found[y].shape:  # else targets are others
            inputs[t] = np.asarray(found[y])
    return inputs, weights()


def _rate(sweep: Sweep, given: Values, start: Values, clock: Clock) -> float | None:
    """The rate with which descent at once gets furthest in a few steps."""
    best: tuple[float, float] | None = None
    for k, rate in enumerate(RATES):
        clock.progress("looking for a rate", k / len(RATES))
        losses = list(_course(sweep, given, start, rate, "at_once", clock, TRIED))
        if clock.over:
            break
        if len(losses) > TRIED and losses[-1] < losses[0]:
            best = min(best, (losses[-1], rate)) if best else (losses[-1], rate)
    return best[1] if best else None


def _course(
    sweep: Sweep,
    given: Values,
    start: Values,
    rate: float,
    way: str,
    clock: Clock,
    steps: int = STEPS,
) -> Iterator[float]:
    """The loss before each step and after the last; ends before one that is not finite."""
    weights = start
    with np.errstate(all="ignore"):
        for _ in range(steps):
            before, weights = STEPPERS[way](sweep, given, weights, rate)
            if not np.isfinite(before):
                return
            yield before
            if clock.over:
                return
        after = float(evaluate(prune(sweep.whole, ("E",)), given | weights)["E"])
        if np.isfinite(after):
            yield after


def _first_updates(
    sweep: Sweep, given: Values, start: Values, rate: float
) -> dict[str, list[float | None]]:
    """By layer, the last first: how far the other ways' first update is from that at once.

    None where the update is not finite.
    """
    with np.errstate(all="ignore"):
        moved = {way: step(sweep, given, start, rate)[1] for way, step in STEPPERS.items()}
    result: dict[str, list[float | None]] = {"afresh": [], "in_sweep": []}
    for way, found in result.items():
        for _, names in sweep.parts:
            here, there = (
                np.concatenate([np.ravel(moved[each][n] - start[n]) for n in names])
                for each in ("at_once", way)
            )
            size = float(np.linalg.norm(here))
            apart = float(np.linalg.norm(there - here)) / size if size else 0.0
            found.append(apart if np.isfinite(apart) else None)
    return result


def _shrinking(way: str, first: list[dict[str, list[float | None]]]) -> float | None:
    """The exponent k of difference ∝ rateᵏ, at the two smallest rates, all layers together."""
    coarse, fine = (max(value or 0.0 for value in each[way]) for each in first[-2:])
    if not coarse or not fine:
        return None
    return round(float(np.log(coarse / fine) / np.log(FINER[-2] / FINER[-1])), 2)


def _blocks(data: Mapping[str, Any]) -> Iterator[Block]:
    yield Words(
        "The gradient by all the weights at once is one vector, and backpropagation is a way to "
        "compute it; whether one then updates all weights together or layer by layer is another "
        f"matter. Three ways, from the same start on the same {data['samples']} samples (their "
        "targets come from the same network with other random weights), with the rate "
        f"{data['rate']:.3g}, at which descent got furthest in {TRIED} steps of those tried."
    )
    ways = ("afresh", "in_sweep")
    yield Table(
        columns=("layer", *(f"{WAYS[w]}, rate {r:.1g}" for w in ways for r in data["rates"][:2])),
        rows=tuple(
            (layer["layer"], *(_share(value) for w in ways for value in layer[w][:2]))
            for layer in data["layers"]
        ),
        title="First update: |difference from all at once| / |update at once|",
    )
    shrinking = [
        f"{data['shrinks'][w]} ({WAYS[w]})" for w in ways if data["shrinks"][w] is not None
    ]
    if shrinking:
        yield Words(
            "The last layer's update is the same in all; that of the others differs, by an amount "
            f"that goes with the rate to the power of {' and '.join(shrinking)}, between the "
            "two smallest rates."
        )
    elif len(data["layers"]) == 1:
        yield Words("With one layer all three are the same.")
    course = data["course"]
    yield Table(
        columns=("", "gradients a step", "loss at the start", "after 10", "at the end"),
        rows=tuple(
            (
                WAYS[way],
                of["gradients"],
                of["losses"][0],
                of["losses"][10] if len(of["losses"]) > 10 else None,
                of["losses"][-1] if len(of["losses"]) > data["steps"] else None,
            )
            for way, of in course.items()
        ),
        title=f"The course of the loss, {data['steps']} steps",
    )
    yield Lines(
        "Loss by step",
        "step",
        "loss",
        tuple(
            Series(WAYS[way], tuple((float(k), loss) for k, loss in enumerate(of["losses"])))
            for way, of in course.items()
        ),
        log_x=False,
    )
    if set(course) == set(WAYS):
        yield Words(_outcome(data))


def _share(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.2g}"


def _outcome(data: Mapping[str, Any]) -> str:
    course, steps = data["course"], data["steps"]
    losses = {way: of["losses"] for way, of in course.items()}
    ends = {way: each[-1] for way, each in losses.items() if len(each) > steps}
    said = ""
    if ends:
        # in a tie to three digits the first of them, which is all at once
        best = min(ends, key=lambda way: float(f"{ends[way]:.3g}"))
        said = f"After {steps} steps the lowest loss here is that of {WAYS[best]}, {ends[best]:.4g}"
        if best != "at_once" and "at_once" in ends:
            said += f" (all at once: {ends['at_once']:.4g})"
        said += ". "
    for way, each in losses.items():
        if way not in ends:
            said += f"With this rate {WAYS[way]} diverged: no finite loss after {len(each)} steps. "
        elif ends[way] > each[0]:
            said += f"With this rate {WAYS[way]} went up instead of down. "
    if course["afresh"]["gradients"] > 1:
        said += (
            f"A step of {WAYS['afresh']} costs {course['afresh']['gradients']} gradients, one for "
            "every layer; the others cost one."
        )
    return said.strip()
