"""An emitted gradient against three oracles that share no code with the compiler.

`scalars`       SymPy differentiates the written-out loss of a small network, weight by weight
`complex step`  the NumPy loss at θ + ihv: exact to rounding, kinks included
`differences`   extrapolated central differences: nothing but values of the loss

Beside them, a random direction through all the weights shows that the error of plain central
differences against the emitted gradient shrinks as h². Each oracle sees exactly the rounded numbers
that the module sees. Where a point is unfit to judge on, another is drawn; only the reference loss
has a say in that, never the gradient on trial.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from symgrad.checking import scalars
from symgrad.checking.derivatives import Judged
from symgrad.checking.derivatives import judged as judged_derivatives
from symgrad.checking.differences import (
    Loss,
    Shrinking,
    choose,
    complex_step,
    shrinking_error,
    slope,
    unit_vectors,
)
from symgrad.checking.reference import (
    Array,
    Spec,
    inputs,
    judged,
    loss,
    scaling,
    shapes,
    takes,
    targets,
    terms,
    trained,
)

TOLERANCES = {"float64": 1e-9, "float32": 1e-4}
MOST = 120  # weights judged one by one, some of every array; the direction goes through all
SKIPPED = 0.1  # the share of them that differences may leave out at kinks
POINTS = 40  # drawn before giving up
UNFIT = "outside the loss's domain, beside a kink, or so steep that rounding decides"


@dataclass(frozen=True)
class Row:
    """One array of weights; errors are relative to the largest entry of the whole gradient."""

    name: str
    shape: tuple[int, ...]
    largest: float
    errors: Mapping[str, float]  # by oracle; missing where it had no entry to compare
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """What one oracle says of all the weights it could judge; `note` says what it could not."""

    oracle: str
    compared: int = 0
    skipped: int = 0
    loss_error: float = math.nan  # relative
    error: float = math.nan
    passed: bool = True
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What was found at one random point; `note` says why nothing could be."""

    name: str
    dtype: str
    tolerance: float
    samples: int
    loss: float = math.nan
    rows: tuple[Row, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    shrinking: Shrinking | None = None  # None too where every direction met a kink
    derivatives: tuple[Judged, ...] = ()  # what the spec asks for beside the gradient
    note: str = ""

    @property
    def passed(self) -> bool:
        """There are judgements, and all are good."""
        return bool(
            self.rows
            and all(row.passed for row in self.rows)
            and all(verdict.passed for verdict in self.verdicts)
            and (self.shrinking is None or self.shrinking.passed)
            and all(each.passed for each in self.derivatives)
        )


class Point(NamedTuple):
    """Weights, data, and what the NumPy loss says about them."""

    theta: Array
    data: tuple[Array, ...]  # x, t and, if the loss has them, sample weights; term by term
    value: Any
    chosen: Array  # the coordinates that are judged one by one,
    exact: Array  # their derivatives by the complex step,
    near: Array  # and by differences, NaN at kinks
    scale: float  # the size that errors are relative to


class Answer(NamedTuple):
    """What an oracle says: the loss, and the gradient with NaN where it has nothing to say."""

    oracle: str
    loss: Any
    gradient: Array
    asked: int  # entries


# What a penalty is checked with that is given at run time; a float32 holds it exactly.
PENALTY = 0.125


def check(spec: Spec, module: Any, samples: int = 3, seed: int = 0) -> Report:
    """Compare `module.loss_and_gradient` with the oracles on random weights and data."""
    given = {name: PENALTY for name in ("l1", "l2") if spec["loss"][name] == "argument"}
    spec = {**spec, "loss": {**spec["loss"], **given}}
    tolerance = TOLERANCES[spec["dtype"]]
    report = Report(spec["name"], spec["dtype"], tolerance, samples)

    layout = _layout(spec)
    stated = {name: (offset, tuple(shape)) for name, (offset, shape) in module.PARAMETERS.items()}
    if list(stated.items()) != list(layout.items()):
        return replace(report, note=f"PARAMETERS is {stated}, but the spec says {layout}")
    point = find_point(spec, samples, seed)
    if point is None:
        return replace(report, note=f"all of {POINTS} random points are {UNFIT}")

    theta = point.theta
    value, gradient = module.loss_and_gradient(
        theta.copy(), *(data.copy() for data in point.data), *given.values()
    )
    gradient = np.asarray(gradient)
    if (gradient.dtype, gradient.shape) != (theta.dtype, theta.shape):
        wrong = f"the gradient is {gradient.dtype} of shape {gradient.shape}"
        return replace(report, note=f"{wrong}, theta {theta.dtype} of shape {theta.shape}")

    answers = _ask(spec, point)
    verdicts = [_judge(answer, value, gradient, point.scale, tolerance) for answer in answers]
    if not scalars.affordable(spec):
        several = "SymPy on scalars takes a loss of one formula or kind: its terms one by one"
        large = "the network is too large for SymPy on scalars"
        note = several if len(terms(spec)) > 1 else large
        verdicts.insert(0, Verdict("scalars", note=note))
    rows = [
        _row(name, place, answers, gradient, point.scale, tolerance)
        for name, place in layout.items()
    ]
    typical = float(np.sqrt(np.mean(point.exact**2))) or point.scale
    along = _loss_at(spec, point.data, np.longdouble, theta)
    shrinking = shrinking_error(along, theta, gradient, tolerance * typical, seed)
    more = tuple(given.values())
    found = judged_derivatives(spec, module, theta, point.data, more, tolerance, seed)
    return replace(
        report,
        loss=float(value),
        rows=tuple(rows),
        verdicts=tuple(verdicts),
        shrinking=shrinking,
        derivatives=tuple(found),
    )


def _ask(spec: Spec, point: Point) -> list[Answer]:
    answers = []
    if scalars.affordable(spec):
        value, derivatives = scalars.gradient(spec, point.theta, *point.data)
        literal = scalars.as_array([value, *derivatives])
        slopes = np.where(trained(spec), literal[1:], 0)
        answers.append(Answer("scalars", literal[0], slopes, len(derivatives)))
    for oracle, entries in ("complex step", point.exact), ("differences", point.near):
        spread = np.full(point.theta.shape, np.nan, np.longdouble)
        spread[point.chosen] = entries
        answers.append(Answer(oracle, point.value, spread, len(entries)))
    return answers


def _judge(
    answer: Answer, value: float, gradient: Array, scale: float, tolerance: float
) -> Verdict:
    known = ~np.isnan(answer.gradient)
    compared = int(known.sum())
    skipped = answer.asked - compared
    # a loss that is 0 but for rounding has only the gradient's size to be measured by
    loss_error = float(abs(value - answer.loss) / max(abs(answer.loss), 0.01 * scale))
    error = _error(answer, gradient, known, scale)
    # NaN fails every comparison, and so fails the check
    good = loss_error <= tolerance and error <= tolerance and skipped <= SKIPPED * answer.asked
    note = "kinks within reach of a difference are skipped" if skipped else ""
    return Verdict(answer.oracle, compared, skipped, loss_error, error, good, note)


def _row(
    name: str,
    place: tuple[int, tuple[int, ...]],
    answers: list[Answer],
    gradient: Array,
    scale: float,
    tolerance: float,
) -> Row:
    offset, shape = place
    inside = np.zeros(gradient.shape, bool)
    inside[offset : offset + math.prod(shape)] = True
    errors = {}
    for answer in answers:
        known = inside & ~np.isnan(answer.gradient)
        if known.any():
            errors[answer.oracle] = _error(answer, gradient, known, scale)
    good = bool(errors) and all(error <= tolerance for error in errors.values())
    return Row(name, shape, float(np.abs(gradient[inside]).max()), errors, good)


def _error(answer: Answer, gradient: Array, known: Array, scale: float) -> float:
    return float(np.abs(gradient[known] - answer.gradient[known]).max() / scale)


def _layout(spec: Spec) -> dict[str, tuple[int, tuple[int, ...]]]:
    """PARAMETERS as the spec says it: offset and shape of each array."""
    layout, offset = {}, 0
    for name, shape in shapes(spec).items():
        layout[name] = (offset, shape)
        offset += math.prod(shape)
    return layout


# --- random points ----------------------------------------------------------------------------


def find_point(spec: Spec, samples: int, seed: int) -> Point | None:
    """Random weights and data that a gradient can be judged on; None if none was found."""
    flat = None
    for attempt in range(POINTS):
        generator = np.random.default_rng([seed, attempt])
        theta, *data = _draw(spec, samples, generator, tame=attempt % 2 == 1)
        point = _examine(spec, theta, tuple(data), generator)
        if point is None:
            continue
        if float(np.abs(point.exact).max()) == point.scale:
            return point
        flat = flat or point  # next to no slope: true of some losses everywhere, so keep it
    return flat


def _draw(
    spec: Spec, samples: int, generator: np.random.Generator, tame: bool
) -> tuple[Array, ...]:
    """theta, x, t and, if the loss has them, w; tame ones lie where logarithms are defined.

    Positive inputs and weights make the outputs of most activations positive, small weights keep
    them below 1. The last layer's sign is left to chance: some formulas need it negative.
    """
    shrink, lift = generator.choice([0.1, 0.3, 1.0]), generator.choice([0.0, 0.3, 1.0])
    arrays = {}
    for name, shape in shapes(spec).items():
        array = generator.standard_normal(shape)
        array *= 1 / math.sqrt(shape[0]) if name.startswith("W") else 0.3
        if tame:
            array = shrink * np.abs(array) + (lift if name.startswith("b") else 0)
        arrays[name] = array
    if tame and generator.random() < 0.25:
        for name in arrays:
            if name.startswith(f"W{len(spec['layers'])}"):
                arrays[name] *= -1
    drawn = [np.concatenate([array.ravel() for array in arrays.values()])]
    for number, term in enumerate(terms(spec)):
        many = samples + number  # of each term others
        x = generator.standard_normal((many, inputs(spec)))
        before, _ = scaling(spec)  # drawn in the network's own units
        data = {"x": (np.abs(x) if tame else x) * before.get("scale", 1) + before.get("shift", 0)}
        by_part = [view for view, _, _ in judged({**spec, "loss": term})]
        drawn_for = [(view["loss"], (many, targets(view, view["loss"]))) for view in by_part]
        t = [_targets(part, shape, generator, tame) for part, shape in drawn_for]
        data["t"] = np.concatenate(t, axis=1)
        if term["sample_weights"]:
            data["w"] = generator.uniform(0.5, 2, many)
        drawn += [data[name] for name in takes(spec, term)]
    return tuple(array.astype(spec["dtype"]) for array in drawn)


def _targets(
    loss: Mapping[str, Any], shape: tuple[int, int], generator: np.random.Generator, tame: bool
) -> Array:
    match loss.get("kind"):
        case "cross_entropy" | "kl":  # probabilities and labels in turn
            shares = generator.uniform(0.1, 1, shape)
            t = shares / shares.sum(axis=1, keepdims=True)
            t[1::2] = np.eye(shape[1])[generator.integers(shape[1], size=len(t[1::2]))]
            return t
        case "binary_cross_entropy":
            return generator.uniform(0, 1, shape)
        case "poisson":
            return 1 + generator.poisson(2, shape)
        case None if tame:
            return generator.uniform(0.1, 0.9, shape)
    return generator.standard_normal(shape)


def _loss_at(spec: Spec, data: tuple[Array, ...], dtype: Any, constant: Array) -> Loss:
    """The loss by those weights that are trained; the others are `constant`."""
    moving = trained(spec)
    return lambda theta: loss(spec, np.where(moving, theta, constant), *data, dtype=dtype)


def _examine(
    spec: Spec, theta: Array, data: tuple[Array, ...], generator: np.random.Generator
) -> Point | None:
    """The point, if the loss is finite, steady under rounding, and mostly free of kinks there."""
    along = _loss_at(spec, data, np.longdouble, theta)
    value = along(theta)
    if not np.isfinite(value):
        return None
    chosen = choose([math.prod(shape) for shape in shapes(spec).values()], MOST)

    def exact_gradient(theta: Array, data: tuple[Array, ...]) -> Array:
        directions = unit_vectors(theta.size, chosen)
        return complex_step(_loss_at(spec, data, np.clongdouble, theta), theta, directions)

    def moved(array: Array) -> Array:
        """Every number off by some roundings, as the module's are on its way."""
        return array * (1 + 16 * np.finfo(array.dtype).eps * generator.uniform(-1, 1, array.shape))

    tolerance = TOLERANCES[spec["dtype"]]
    exact = exact_gradient(theta, data)
    unsteady = np.abs(exact - exact_gradient(moved(theta), tuple(map(moved, data)))).max()
    # Where the slope is next to nothing, what remains of rounding the loss is the measure.
    scale = max(float(np.abs(exact).max()), 0.01 * float(abs(value))) or 1.0
    if not unsteady <= tolerance / 4 * scale:  # nor if it is NaN
        return None

    slopes = [slope(along, theta, v) for v in unit_vectors(theta.size, chosen)]
    near = np.array([s.value if s.trusted(tolerance / 10 * scale) else np.nan for s in slopes])
    if np.isnan(near).sum() > SKIPPED * len(near):
        return None
    return Point(theta, data, value, chosen, exact, near, scale)
