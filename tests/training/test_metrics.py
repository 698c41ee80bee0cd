"""Metrics against values by hand, and against formulas of other forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import DataError
from symgrad.training import roc
from symgrad.training.metrics import Figures, figures, predicted_classes
from symgrad.training.roc import area


def test_several_classes_by_hand():
    y = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.25, 0.25], [0, 0.25, 0.75]])
    t = np.eye(3)[[0, 1, 0, 2]]
    result = figures(0.25, y, t, ("u", "v", "w"), probabilities=True)
    assert (result.samples, result.loss, result.accuracy) == (4, 0.25, 0.75)
    expected = -(math.log(0.7) + math.log(0.3) + math.log(0.5) + math.log(0.75)) / 4
    assert result.log_loss == pytest.approx(expected, rel=1e-12)
    assert result.confusion.tolist() == [[2, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert result.rmse is result.r2 is result.rmse_by_output is result.r2_by_output is None


def test_one_output_by_hand():
    y, t = np.array([[0.25], [0.5], [0.9], [0.8]]), np.array([[0.0], [1], [1], [0]])
    result = figures(1, y, t, (False, True), probabilities=True)
    assert result.accuracy == 0.75
    expected = -(math.log(0.75) + math.log(0.5) + math.log(0.9) + math.log(0.2)) / 4
    assert result.log_loss == pytest.approx(expected, rel=1e-12)
    assert result.confusion.tolist() == [[1, 1], [0, 2]]


def test_numbers_by_hand():
    t = np.array([[1.0, 10], [2, 20], [3, 60]])
    y = t + [[1, 0], [0, 3], [-1, 0]]
    result = figures(7, y, t, None, probabilities=False)
    assert result.rmse == pytest.approx(math.sqrt(11 / 6))
    assert result.rmse_by_output == pytest.approx((math.sqrt(2 / 3), math.sqrt(3)))
    assert result.r2_by_output == pytest.approx((0, 1 - 9 / 1400))
    assert result.r2 == pytest.approx((0 + 1 - 9 / 1400) / 2)
    assert result.accuracy is result.log_loss is result.confusion is None
    assert result.samples == 3


def test_a_constant_target_has_no_r2():
    t = np.column_stack([np.full(7, 0.1), np.arange(7)])
    result = figures(0, t + 1, t, None, False)
    assert result.r2 is None
    assert result.r2_by_output[0] is None and result.r2_by_output[1] == pytest.approx(0.75)
    assert result.rmse == pytest.approx(1)
    assert figures(0, t[:1], t[:1], None, False).r2 is None


def test_what_are_no_probabilities_has_no_log_loss():
    y, t = np.array([[-3.0], [2]]), np.array([[0.0], [1]])
    result = figures(0, y, t, (0, 1), probabilities=False)
    assert result.log_loss is None and result.accuracy == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_probability_that_underflowed_has_a_finite_log_loss(dtype):
    expected = -math.log(np.finfo(dtype).tiny)
    y, t = np.array([[1, 0]], dtype), np.array([[0.0, 1]])
    assert figures(np.inf, y, t, (0, 1), True).log_loss == pytest.approx(expected)
    y, t = np.array([[1]], dtype), np.array([[0.0]])
    result = figures(np.inf, y, t, (0, 1), True)
    assert result.log_loss == pytest.approx(expected)
    assert result.loss == np.inf


def test_a_sum_that_is_off_by_rounding_gains_nothing():
    y = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]], dtype=np.float32)
    assert figures(0, y, np.array([[1.0, 0]]), (0, 1), True).log_loss == 0


def test_nan_does_not_vanish():
    y, t = np.array([[np.nan, 0.5]]), np.array([[1.0, 0]])
    assert math.isnan(figures(np.nan, y, t, (0, 1), True).log_loss)
    assert math.isnan(figures(np.nan, y, t, None, False).rmse)


def test_predicted_classes():
    assert predicted_classes(np.array([[0.1, 0.9], [0.5, 0.5]])).tolist() == [1, 0]
    assert predicted_classes(np.array([[0.49], [0.5], [1.5]])).tolist() == [0, 1, 1]


def test_figures_are_compared_by_their_numbers():
    y, t = np.eye(2), np.eye(2)
    assert figures(0, y, t, (0, 1), True) == figures(0, y, t, (0, 1), True)
    assert figures(0, y, t, (0, 1), True) != Figures(2, 1.0)


def test_refusals():
    with pytest.raises(DataError, match=r"outputs of shape \(2, 2\) and targets of \(2, 1\)"):
        figures(0, np.eye(2), np.ones((2, 1)), None, False)
    with pytest.raises(DataError, match="no figures for outputs of shape"):
        figures(0, np.ones((0, 1)), np.ones((0, 1)), None, False)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 40))
def test_classes_against_loops(seed, count, samples):
    random = np.random.default_rng(seed)
    y = random.dirichlet(np.ones(count), samples)
    true = random.integers(0, count, samples)
    result = figures(0, y, np.eye(count)[true], tuple(range(count)), True)
    counts = [[0] * count for _ in range(count)]
    for probabilities, own in zip(y.tolist(), true.tolist(), strict=True):
        counts[own][max(range(count), key=probabilities.__getitem__)] += 1
    assert result.confusion.tolist() == counts
    assert result.accuracy == pytest.approx(sum(counts[c][c] for c in range(count)) / samples)
    assert result.log_loss == pytest.approx(
        -math.fsum(math.log(p[own]) for p, own in zip(y.tolist(), true, strict=True)) / samples
    )


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(2, 40))
def test_r2_of_a_least_squares_line_is_a_correlation_squared(seed, outputs, samples):
    random = np.random.default_rng(seed)
    x, t = random.normal(size=samples), random.normal(size=(samples, outputs))
    design = np.column_stack([x, np.ones(samples)])
    y = design @ np.linalg.lstsq(design, t, rcond=None)[0]
    result = figures(0, y, t, None, False)
    expected = [np.corrcoef(x, t[:, output])[0, 1] ** 2 for output in range(outputs)]
    assert np.allclose(result.r2_by_output, expected)
    assert result.r2 == pytest.approx(np.mean(expected))
    assert result.rmse == pytest.approx(np.linalg.norm(y - t) / math.sqrt(t.size))


def test_the_largest_errors_are_in_each_outputs_own_unit():
    t = np.array([[20.0, 1], [30, 2], [25, 3]])
    result = figures(0, t + [[-0.5, 0], [0.25, 0.125], [0, -0.0625]], t, None, False)
    assert result.largest_by_output == (0.5, 0.125) and result.several
    assert result.mae_by_output == (0.75 / 3, 0.1875 / 3)
    assert not figures(0, t[:, :1], t[:, :1], None, False).several
    assert math.isnan(figures(0, t * [np.nan, 1], t, None, False).largest_by_output[0])


def test_what_is_said_of_each_class_by_hand():
    y = np.eye(3)[[0, 0, 1, 1, 1, 0]]
    t = np.eye(3)[[0, 0, 0, 1, 2, 2]]
    result = figures(0, y, t, ("u", "v", "w"), probabilities=False)
    assert result.by_class == ((3, 2 / 3, 2 / 3, 2 / 3), (1, 1 / 3, 1, 0.5), (2, None, 0, 0))
    assert result.roc_area_by_class is None
    alone = figures(0, y[:2], t[:2], ("u", "v", "w"), probabilities=True)
    assert alone.by_class[1] == (0, None, None, None)
    assert alone.roc_area_by_class == (None, None, None)


def test_the_roc_area_counts_pairs():
    y, t = np.array([[0.1], [0.4], [0.4], [0.8]]), np.array([[0.0], [1], [0], [1]])
    # of four pairs three are in order and one is alike
    assert figures(0, y, t, (0, 1), True).roc_area_by_class == (0.875, 0.875)
    assert math.isnan(area(np.array([0.5, np.nan]), np.array([True, False])))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(2, 40))
def test_classes_against_scikit_learn(seed, count, samples):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn isn't installed")
    random = np.random.default_rng(seed)
    y = random.dirichlet(np.ones(count), samples).round(1)  # some alike
    true = random.integers(0, count, samples)
    result = figures(0, y, np.eye(count)[true], tuple(range(count)), True)
    predicted = predicted_classes(y)
    expected = metrics.precision_recall_fscore_support(
        true, predicted, labels=range(count), zero_division=np.nan
    )
    for place, found in enumerate(result.by_class):
        assert found.samples == expected[3][place]
        shares = [np.nan if share is None else share for share in found[1:]]
        assert np.allclose(shares, [each[place] for each in expected[:3]], equal_nan=True)
        own = true == place
        if own.any() and not own.all():
            assert result.roc_area_by_class[place] == pytest.approx(
                metrics.roc_auc_score(own, y[:, place])
            )
            false, found = roc.curve(y[:, place], own)
            wanted = metrics.roc_curve(own, y[:, place], drop_intermediate=False)
            assert np.allclose(false, wanted[0]) and np.allclose(found, wanted[1])
