"""Adam's step, against the equations of its paper."""

import numpy as np

from symgrad.explain.minimising.adam import AdamStep


def test_adam_follows_its_paper():
    random = np.random.default_rng(1)
    theta = random.normal(size=3)
    expected, m, v = theta.copy(), np.zeros(3), np.zeros(3)
    step = AdamStep(3, np.float64, rate=0.1)
    for k in range(1, 6):
        gradient = random.normal(size=3)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 0.1 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        step.take(theta, gradient)
        assert np.allclose(theta, expected, rtol=1e-12)
