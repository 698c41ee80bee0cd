"""The problem that no gradient helps with, a 0/1 loss, and the usual way out, a smooth one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.explain.minimising.cases import Case, case_of, module_of
from symgrad.explain.minimising.methods import METHODS, Array, Limit, Problem, minimise

STEP_HIDDEN = (8,)  # 33 weights
STEP_POINTS = 200
STEP_TARGET = 0.05  # five in a hundred classified wrongly


def step_case(hidden: tuple[int, ...]) -> Case:
    """Inside or outside an ellipse; the output is a step, 0 or 1, the loss the share of errors.

    The step is a ramp of width 1e-200, which no number of float64 that occurs lies on. Its
    derivative, as that of any condition, is 0 there: the gradient is emitted, and is 0.
    """
    x, t = ellipse()
    layers = [{"units": n, "activation": "tanh"} for n in hidden]
    layers += [{"units": 1, "activation": "step"}]
    rest = {
        "activations": {"step": {"formula": "max(min(z * 1e200, 1), 0)"}},
        "loss": {"formula": "abs(y - t)"},
    }
    return case_of(hidden, layers, rest, x, t, STEP_TARGET)


def ellipse() -> tuple[Array, Array]:
    """Points (samples, 2), and whether each lies inside, 0 or 1, (samples, 1)."""
    x = np.random.default_rng(8).uniform(-1, 1, (STEP_POINTS, 2))
    return x, (x[:, :1] ** 2 + 1.5 * x[:, 1:] ** 2 < 0.8).astype(np.float64)


def surrogate(case: Case, limit: Limit, starts: Sequence[Array], x: Array, t: Array) -> list[float]:
    """The 0/1 losses after L-BFGS on a smooth loss: the step a sigmoid, the loss its cross-entropy.

    The weights are the same, and so is which outputs are above ½.
    """
    layers = [{"units": n, "activation": "tanh"} for n in STEP_HIDDEN]
    layers += [{"units": 1, "activation": "sigmoid"}]
    smooth = module_of("smooth", layers, {"loss": {"kind": "binary_cross_entropy"}})
    return [case.problem.loss(_smoothly(smooth, start, case, limit, x, t)) for start in starts]


def _smoothly(smooth: Any, start: Array, case: Case, limit: Limit, x: Array, t: Array) -> Array:
    """The weights with the lowest smooth loss that L-BFGS finds, within the limits of any run."""
    lowest, found = math.inf, start

    def loss_and_gradient(theta: Array) -> tuple[float, Array]:
        nonlocal lowest, found
        loss, gradient = smooth.loss_and_gradient(theta, x, t)
        if loss < lowest:
            lowest, found = loss, theta.copy()
        return loss, gradient

    problem = Problem(
        lambda theta: smooth.loss(theta, x, t), loss_and_gradient, case.problem.gradient_cost
    )
    lbfgs = METHODS[0]
    minimise(lbfgs, problem, start, {"pairs": 10}, limit, (0,))
    return found
