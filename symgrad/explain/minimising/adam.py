"""Adam's step, for the contest: whatever makes the gradient, the step is the same.

It allocates its arrays once; a step allocates nothing.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


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
