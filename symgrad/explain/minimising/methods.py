"""Nine ways to minimise a function, six of them without its gradient, and a count of what they ask.

Every method sees the function through `Counted`, which counts what is asked for, and ends the run
at its limit; so that no method can exceed it, and none decides what its own count is. Methods go on
until then, unless they end by themselves. Nothing here knows what is minimised.
"""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, product
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from symgrad.explain.minimising.adam import AdamStep

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses matplotlib, which nothing here draws with
    import cma

Array = NDArray[np.float64]
Settings = Mapping[str, float]


@dataclass(frozen=True)
class Problem:
    """A function of a vector, and the same with its gradient."""

    loss: Callable[[Array], float]
    loss_and_gradient: Callable[[Array], tuple[float, Array]]
    gradient_cost: float = 1.0  # for how many evaluations one loss-and-gradient counts


@dataclass(frozen=True)
class Limit:
    """Where a run ends; at `target` it goes on, and notes when it got there."""

    evaluations: float
    seconds: float = math.inf
    target: float = -math.inf
    stop: Event = field(default_factory=Event)


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    best: float  # the smallest loss asked for
    curve: tuple[float, ...]  # the best within each of `marks(…)` evaluations, as far as it got
    to_target: (
        tuple[float, float] | None
    )  # evaluations and seconds until the target, if it got there
    losses: int  # calls of the loss alone
    gradients: int  # calls of the loss with its gradient
    seconds: float
    ended: str  # by "evaluations", "time", "stop", or by "itself"


class Ended(Exception):
    """The run is at its limit."""


class Counted:
    """A problem whose evaluations are counted; raises Ended rather than exceed the limit."""

    def __init__(self, problem: Problem, limit: Limit) -> None:
        self.problem = problem
        self.limit = limit
        self.losses = self.gradients = 0
        self.best = math.inf
        self.to_target: tuple[float, float] | None = None
        self.ended = "itself"
        self.curve: list[float] = []
        self._marks = marks(limit.evaluations)
        self._begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun

    @property
    def used(self) -> float:
        """Evaluations so far."""
        return self.losses + self.gradients * self.problem.gradient_cost

    def loss(self, theta: Array) -> float:
        self._pay(1.0)
        self.losses += 1
        value = float(self.problem.loss(theta))
        self._note(value)
        return value

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        self._pay(self.problem.gradient_cost)
        self.gradients += 1
        value, gradient = self.problem.loss_and_gradient(theta)
        self._note(float(value))
        return float(value), gradient

    def _pay(self, cost: float) -> None:
        used = self.used + cost
        if used > self.limit.evaluations:
            self._end("evaluations")
        if self.limit.stop.is_set():
            self._end("stop")
        if self.seconds > self.limit.seconds:
            self._end("time")
        # A mark that this call goes beyond shows the best of the calls before.
        while self._marks[len(self.curve)] < used:
            self.curve.append(self.best)

    def _note(self, value: float) -> None:
        if value < self.best:  # false for NaN
            self.best = value
            if value <= self.limit.target and self.to_target is None:
                self.to_target = (self.used, self.seconds)

    def _end(self, why: str) -> None:
        self.ended = why
        raise Ended

    def result(self) -> Run:
        missing = 0 if self.ended in ("time", "stop") else len(self._marks) - len(self.curve)
        rest = [self.best] * missing
        return Run(
            self.best,
            (*self.curve, *rest),
            self.to_target,
            self.losses,
            self.gradients,
            self.seconds,
            self.ended,
        )


def marks(evaluations: float, each_decade: int = 10) -> tuple[float, ...]:
    """The numbers of evaluations that curves are drawn at: 1, then 10 a decade, and the limit."""
    steps = math.ceil(each_decade * math.log10(max(evaluations, 1.0)))
    return (*(10 ** (k / each_decade) for k in range(steps)), float(evaluations))


# Calls the objective until that raises Ended, or returns when it is done by itself.
Search = Callable[[Counted, Array, Settings, np.random.Generator], None]


@dataclass(frozen=True)
class Method:
    name: str
    search: Search
    candidates: tuple[Settings, ...]  # the settings to choose among
    source: str
    with_gradient: bool = False


def minimise(
    method: Method,
    problem: Problem,
    start: Array,
    settings: Settings,
    limit: Limit,
    seed: Sequence[int],
) -> Run:
    """One run from `start`, which is left as it is; `seed` decides all that is random in it."""
    objective = Counted(problem, limit)
    # A rate that is too large ends in infinities: a bad run, and no reason for warnings.
    with np.errstate(all="ignore"), suppress(Ended):
        method.search(objective, start.copy(), settings, np.random.default_rng(seed))
    return objective.result()


def _descent(
    objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator
) -> None:
    while True:
        _, gradient = objective.loss_and_gradient(theta)
        theta -= settings["rate"] * gradient


def _adam(objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator) -> None:
    step = AdamStep(theta.size, theta.dtype, settings["rate"])
    while True:
        _, gradient = objective.loss_and_gradient(theta)
        step.take(theta, gradient)


def _lbfgs(objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator) -> None:
    # No tolerance and no limit of its own: it ends where its line search finds nothing better.
    options = {"maxcor": int(settings["pairs"]), "ftol": 0.0, "gtol": 0.0}
    endless = {"maxiter": 10**9, "maxfun": 10**9}
    minimize(
        objective.loss_and_gradient, theta, jac=True, method="L-BFGS-B", options=options | endless
    )


# Forward differences balance truncation, ∝ h, with rounding, ∝ 1/h, near the root of the precision.
_STEP = math.sqrt(np.finfo(np.float64).eps)


def _finite_differences(
    objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator
) -> None:
    gradient = np.empty_like(theta)
    while True:
        here = objective.loss(theta)
        for k, kept in enumerate(theta.copy()):
            theta[k] = kept + _STEP
            gradient[k] = (objective.loss(theta) - here) / _STEP
            theta[k] = kept
        theta -= settings["rate"] * gradient


def _spsa(objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator) -> None:
    # The decays are Spall's; so is A, a tenth of the steps. The rate is that of the first step.
    delay = 0.1 * objective.limit.evaluations / 2 + 1
    for k in count():
        rate = settings["rate"] * (delay / (delay + k)) ** 0.602
        width = settings["width"] / (k + 1) ** 0.101
        signs = rng.integers(0, 2, theta.size) * 2.0 - 1.0
        up = objective.loss(theta + width * signs)
        down = objective.loss(theta - width * signs)
        theta -= rate * (up - down) / (2 * width) * signs  # 1/±1 = ±1


def _evolution(
    objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator
) -> None:
    width = settings["width"]
    pairs = _population(theta.size) // 2
    step = AdamStep(theta.size, theta.dtype, settings["rate"])
    while True:
        noise = rng.standard_normal((pairs, theta.size))
        slopes = [
            (objective.loss(theta + width * each) - objective.loss(theta - width * each))
            / (2 * width)
            for each in noise
        ]
        step.take(theta, slopes @ noise / pairs)


def _population(size: int) -> int:
    """Hansen's 4 + ⌊3·ln n⌋, which CMA-ES takes by itself."""
    return 4 + int(3 * math.log(size))


def _random(objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator) -> None:
    best = objective.loss(theta)
    while True:
        other = theta + settings["width"] * rng.standard_normal(theta.size)
        value = objective.loss(other)
        if value <= best:  # equals are taken too: on a plateau it wanders
            theta, best = other, value


def _nelder_mead(
    objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator
) -> None:
    corners = theta + settings["width"] * np.eye(theta.size + 1, theta.size, k=-1)
    options = {"adaptive": True, "initial_simplex": corners, "xatol": 0.0, "fatol": 0.0}
    endless = {"maxiter": math.inf, "maxfev": math.inf}
    minimize(objective.loss, theta, method="Nelder-Mead", options=options | endless)


def _cma_es(objective: Counted, theta: Array, settings: Settings, rng: np.random.Generator) -> None:
    # Its random numbers come from `rng`; a NaN keeps it from seeding NumPy's global generator.
    options: dict[str, Any] = {
        "randn": lambda *shape: rng.standard_normal(shape),
        "seed": math.nan,
        "verbose": -9,
        "verb_log": 0,  # no files
        "verb_disp": 0,
    }
    # Equal losses end nothing: a plateau is to be left. It ends by itself where its steps vanish.
    plateaus = {"tolfun": 0, "tolfunhist": 0, "tolflatfitness": math.inf, "tolstagnation": math.inf}
    strategy = cma.CMAEvolutionStrategy(theta, settings["width"], options | plateaus)
    while not strategy.stop():
        points = strategy.ask()
        strategy.tell(points, [objective.loss(point) for point in points])


def _grid(**values: Sequence[float]) -> tuple[Settings, ...]:
    return tuple(dict(zip(values, each, strict=True)) for each in product(*values.values()))


# All have as many candidates, eight.
METHODS = (
    Method(
        "L-BFGS",
        _lbfgs,
        _grid(pairs=(2, 3, 5, 7, 10, 15, 20, 30)),
        "Liu and Nocedal 1989; SciPy's L-BFGS-B",
        with_gradient=True,
    ),
    Method(
        "Adam",
        _adam,
        _grid(rate=(0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001)),
        "Kingma and Ba 2015, arXiv:1412.6980",
        with_gradient=True,
    ),
    Method(
        "descent",
        _descent,
        _grid(rate=(3.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005)),
        "θ ← θ − rate·gradient",
        with_gradient=True,
    ),
    Method(
        "finite differences",
        _finite_differences,
        _grid(rate=(3.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005)),
        "descent by forward differences: n + 1 evaluations a step",
    ),
    Method(
        "SPSA",
        _spsa,
        _grid(rate=(1.0, 0.3, 0.1, 0.03), width=(0.2, 0.01)),
        "Spall 1992: two evaluations a step",
    ),
    Method(
        "evolution strategy",
        _evolution,
        _grid(rate=(0.3, 0.1, 0.03, 0.01), width=(0.2, 0.02)),
        "Salimans et al. 2017, arXiv:1703.03864: antithetic pairs, steps of Adam; no ranks",
    ),
    Method(
        "CMA-ES",
        _cma_es,
        _grid(width=(2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)),
        "Hansen and Ostermeier 2001; the package cma",
    ),
    Method(
        "Nelder–Mead",
        _nelder_mead,
        _grid(width=(4.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02)),
        "Nelder and Mead 1965; SciPy's, adaptive (Gao and Han 2012)",
    ),
    Method(
        "random search",
        _random,
        _grid(width=(1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)),
        "Matyas 1965: Gaussian steps of a fixed width, kept unless worse",
    ),
)
