"""The problems that are minimised: a network of symgrad's, with its starts and its costs."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

import symgrad
from symgrad.explain.minimising.methods import Array, Problem

POINTS = 64
TARGET = 0.005  # a hundredth of what the best constant leaves


@dataclass(frozen=True)
class Case:
    """A problem with its starts, and what its evaluations take on this machine."""

    net: str  # "2-8-8-1"
    weights: int
    problem: Problem
    start: Callable[[int], Array]  # by seed
    target: float
    loss_seconds: float
    gradient_seconds: float  # of the loss and its gradient


def fit(hidden: tuple[int, ...]) -> Case:
    """tanh(3u+v+1) − tanh(3u−v−1), standardised, on fixed points: a 2-2-1 net can be exact."""
    x = np.random.default_rng(7).uniform(-1, 1, (POINTS, 2))
    u, v = x.T
    t = np.tanh(3 * u + v + 1) - np.tanh(3 * u - v - 1)
    t = ((t - t.mean()) / t.std())[:, None]
    layers = [{"units": n, "activation": "tanh"} for n in hidden] + [{"units": 1}]
    return case_of(hidden, layers, {"loss": {"kind": "squared"}}, x, t, TARGET)


def module_of(name: str, layers: Sequence[dict[str, Any]], rest: dict[str, Any]) -> Any:
    spec = {"name": name, "dtype": "float64", "inputs": 2, "layers": list(layers), **rest}
    return symgrad.compile(spec).module


def case_of(
    hidden: tuple[int, ...],
    layers: Sequence[dict[str, Any]],
    rest: dict[str, Any],
    x: Array,
    t: Array,
    target: float,
) -> Case:
    module = module_of("net", layers, rest)
    problem = Problem(
        lambda theta: module.loss(theta, x, t),
        lambda theta: module.loss_and_gradient(theta, x, t),
    )
    start = module.init(seed=0)
    loss, both = _seconds((lambda: problem.loss(start), lambda: problem.loss_and_gradient(start)))
    return Case(
        "-".join(map(str, (2, *hidden, 1))),
        module.SIZE,
        replace(problem, gradient_cost=both / loss),
        lambda seed: module.init(seed=seed),
        target,
        loss,
        both,
    )


def _seconds(
    calls: Sequence[Callable[[], object]], rounds: int = 9, each: int = 200
) -> list[float]:
    """Seconds a call: the quickest of `rounds`, in which all take turns."""
    best = [math.inf] * len(calls)
    for _ in range(rounds + 1):  # what the first round compiles is in none of the quickest
        for k, call in enumerate(calls):
            begun = time.perf_counter()
            for _ in range(each):
                call()
            best[k] = min(best[k], (time.perf_counter() - begun) / each)
    return best


def weights_of(hidden: tuple[int, ...]) -> int:
    widths = (2, *hidden, 1)
    return sum((before + 1) * after for before, after in pairwise(widths))
