"""Optimizers: one call takes a batch, updates theta in place, and returns the batch's loss before.

Each allocates its arrays once; an update allocates nothing.
"""

import math
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


class Adam:
    """Adam (Kingma and Ba, 2015), with both bias corrections:

    m ← β₁m + (1 − β₁)g,    v ← β₂v + (1 − β₂)g²,    θ ← θ − rate·m̂ / (√v̂ + ε)
    """

    def __init__(
        self,
        module: Module,
        rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.module = module
        self.rate, self.beta1, self.beta2, self.epsilon = rate, beta1, beta2, epsilon
        dtype: Any = module.SPEC["dtype"]
        self.gradient = np.zeros(module.SIZE, dtype)
        self.m = np.zeros(module.SIZE, dtype)
        self.v = np.zeros(module.SIZE, dtype)
        self.scratch = np.zeros(module.SIZE, dtype)
        self.updates = 0

    def update(self, theta: Array, *batch: Array) -> float:
        loss = float(self.module.loss_and_gradient_into(theta, *batch, self.gradient))
        self.updates += 1
        gradient, m, v, scratch = self.gradient, self.m, self.v, self.scratch

        m *= self.beta1
        np.multiply(gradient, 1 - self.beta1, out=scratch)
        m += scratch

        v *= self.beta2
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self.beta2
        v += scratch

        # √v̂ = √v / √(1 − β₂ᵏ), and the correction of m goes into the rate.
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - self.beta2**self.updates)
        scratch += self.epsilon
        np.divide(m, scratch, out=scratch)
        scratch *= self.rate / (1 - self.beta1**self.updates)
        theta -= scratch
        return loss


def make(name: str, module: Module, rate: float) -> Optimizer:
    """The optimizer of this name, `adam` or `sgd`."""
    return {"adam": Adam, "sgd": SGD}[name](module, rate)
