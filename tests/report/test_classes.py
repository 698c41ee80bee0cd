"""Calibration by hand, and against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.report.classes import calibration


def test_by_hand():
    p = np.array([0.0, 0.05, 0.32, 0.38, 0.3, 1.0])
    positive = np.array([False, True, False, True, True, True])
    mean, share, count = calibration(p, positive)
    assert mean == pytest.approx([0.025, 1 / 3, 1])
    assert share == pytest.approx([1 / 2, 2 / 3, 1])
    assert count.tolist() == [2, 3, 1]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 200))
def test_against_scikit_learn(seed, samples):
    theirs = pytest.importorskip("sklearn.calibration", reason="scikit-learn isn't installed")
    random = np.random.default_rng(seed)
    p = random.random(samples)
    positive = random.random(samples) < p
    positive[:2] = False, True
    mean, share, count = calibration(p, positive)
    true, predicted = theirs.calibration_curve(positive, p, n_bins=10)
    assert np.allclose(share, true) and np.allclose(mean, predicted)
    assert count.sum() == samples
