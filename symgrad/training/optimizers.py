"""Optimizers: one call takes a batch, updates theta in place, and returns the batch's loss before.

Each allocates its arrays once; an update allocates nothing.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from symgrad.training.module import Array, Module

# Rates that suit most small networks on standardised inputs.
RATES = {"adam": 0.001, "sgd": 0.05}


class Optimizer(Protocol):
    def update(self, theta: Array, *batch: Array) -> float:
        """Changes theta; `batch` is x, t, and w where the module takes it."""
        ...


class SGD:
    """Gradient descent, θ ← θ − rate·g: the emitted module's own `step` does all of it."""

    def __init__(self, module: Module, rate: float) -> None:
        self.module = module
        self.rate = rate

    def update(self, theta: Array, *batch: Array) -> float:
        return float(self.module.step(theta, *batch, self.rate))


class AdamStep:
    """One step of Adam (Kingma and Ba, 2015), with both bias corrections:

    m ← β₁m + (1 − β₁)g,    v ← β₂v + (1 − β₂)g²,    θ ← θ − rate·m̂ / (√v̂ + ε)
    """

    def __init__(
        self,
        size: int,
        dtype: Any,
        rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.rate, self.beta1, self.beta2, self.epsilon = rate, beta1, beta2, epsilon
        self.m = np.zeros(size, dtype)
        self.v = np.zeros(size, dtype)
        self.scratch = np.zeros(size, dtype)
        self.steps = 0

    def take(self, theta: Array, gradient: Array) -> None:
        """Changes theta, of shape (weights,), by one step along `gradient`, laid out like it."""
        self.steps += 1
        m, v, scratch = self.m, self.v, self.scratch

        m *= self.beta1
        np.multiply(gradient, 1 - self.beta1, out=scratch)
        m += scratch

        v *= self.beta2
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self.beta2
        v += scratch

        # √v̂ = √v / √(1 − β₂ᵏ), and the correction of m goes into the rate.
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - self.beta2**self.steps)
        scratch += self.epsilon
        np.divide(m, scratch, out=scratch)
        scratch *= self.rate / (1 - self.beta1**self.steps)
        theta -= scratch


class Adam:
    """Adam on the emitted module's gradient; see `AdamStep`."""

    def __init__(self, module: Module, rate: float) -> None:
        self.module = module
        dtype: Any = module.SPEC["dtype"]
        self.gradient = np.zeros(module.SIZE, dtype)
        self.step = AdamStep(module.SIZE, dtype, rate)

    def update(self, theta: Array, *batch: Array) -> float:
        loss = float(self.module.loss_and_gradient_into(theta, *batch, self.gradient))
        self.step.take(theta, self.gradient)
        return loss


def make(name: str, module: Module, rate: float) -> Optimizer:
    """The optimizer of this name, `adam` or `sgd`."""
    optimizers: dict[str, Callable[[Module, float], Optimizer]] = {"adam": Adam, "sgd": SGD}
    return optimizers[name](module, rate)
