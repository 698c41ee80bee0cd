"""Scaling fitted on the training part, and what it says of constant columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import DataError
from symgrad.training.data import Samples, fit_scaling
from symgrad.training.trained import Columns, Label

NAN = np.nan


def samples_of(x, t=None, labels: tuple[Label, ...] | None = None) -> Samples:
    x = np.asarray(x, dtype=float)
    t = x[:, :1] if t is None else np.asarray(t, dtype=float)
    inputs = tuple(f"x{column}" for column in range(x.shape[1]))
    targets = tuple(f"t{column}" for column in range(t.shape[1]))
    return Samples(x, t, None, Columns(inputs, targets, labels=labels))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_standardised_inputs_have_mean_0_and_deviation_1(seed, shift, spread):
    x = np.random.default_rng(seed).normal(shift, spread, (50, 3))
    scaling, notes = fit_scaling(samples_of(x), True, True, False)
    for scaled in (scaling.inputs(x), scaling.targets(x[:, :1])):
        assert np.allclose(scaled.mean(axis=0), 0, atol=1e-6)
        assert np.allclose(scaled.std(axis=0), 1)
    assert np.allclose(scaling.outputs(scaling.targets(x[:, :1])), x[:, :1])
    assert notes == () and scaling.fill is None


def test_by_default_numbers_are_left_as_they_are():
    scaling, _ = fit_scaling(samples_of([[1, 5], [2, 7]], [[3], [9]]), False, False, False)
    assert scaling.mean.tolist() == [0, 0] and scaling.scale.tolist() == [1, 1]
    assert scaling.target_mean.tolist() == [0] and scaling.target_scale.tolist() == [1]
    assert scaling.fill is None


def test_targets_are_scaled_by_output():
    scaling, _ = fit_scaling(samples_of([[1], [2]], [[0, 10], [4, 30]]), False, True, False)
    assert scaling.target_mean.tolist() == [2, 20]
    assert scaling.target_scale.tolist() == [2, 10]


def test_missing_inputs_do_not_count_and_are_filled_with_the_mean():
    x = [[1, NAN], [NAN, 4], [3, 8]]
    scaling, _ = fit_scaling(samples_of(x, [[0], [1], [2]]), True, False, True)
    assert scaling.mean.tolist() == [2, 6] and scaling.scale.tolist() == [1, 2]
    assert scaling.fill.tolist() == [2, 6]
    assert scaling.inputs(np.array(x)).tolist() == [[-1, 0], [0, -1], [1, 1]]
    scaling, _ = fit_scaling(samples_of(x, [[0], [1], [2]]), False, False, True)
    assert scaling.mean.tolist() == [0, 0]
    assert scaling.inputs(np.array(x)).tolist() == [[1, 6], [2, 4], [3, 8]]


def test_constant_inputs_are_left_unscaled_and_named():
    x = np.column_stack([np.full(10, 0.1), np.full(10, 1e9), np.arange(10.0)])
    x[3, 1] += 1e-7  # no more than rounding
    for standardize in (True, False):
        scaling, notes = fit_scaling(samples_of(x, x[:, 2:]), standardize, False, False)
        assert notes == (
            "columns 'x0', 'x1' are constant in the training part: they tell the network nothing",
        )
    scaling, _ = fit_scaling(samples_of(x), True, False, False)
    assert scaling.scale.tolist() == [1, 1, pytest.approx(2.8722813)]
    one = samples_of([[1, 2], [1, 3]], [[0], [1]])
    assert fit_scaling(one, True, False, False)[1] == (
        "column 'x0' is constant in the training part: it tells the network nothing",
    )


def test_many_constant_inputs_are_not_all_listed():
    notes = fit_scaling(samples_of(np.ones((3, 40)), [[0], [1], [2]]), True, False, False)[1]
    assert "'x11', … (40 in all) are constant" in notes[0]


def test_constant_targets_are_named_unless_they_are_classes():
    x, t = [[1], [2]], [[5, 1], [5, 2]]
    scaling, notes = fit_scaling(samples_of(x, t), False, True, False)
    assert notes == (
        "column 't0' is constant in the training part: there is nothing to learn in it",
    )
    assert scaling.target_mean.tolist() == [5, 1.5] and scaling.target_scale.tolist() == [1, 0.5]
    classes = samples_of(x, [[1, 0], [1, 0]], labels=("u", "v"))
    assert fit_scaling(classes, True, False, False)[1] == ()


def test_numbers_whose_squares_overflow_are_refused():
    large = samples_of([[1e200], [-1e200]], [[1], [2]])
    with pytest.raises(DataError, match="the inputs are too large to be standardised"):
        fit_scaling(large, True, False, False)
    assert fit_scaling(large, False, False, True)[0].fill.tolist() == [0]
    with pytest.raises(DataError, match="the inputs are too large"):
        fit_scaling(samples_of([[1.5e308], [1.5e308]], [[1], [2]]), False, False, True)
    with pytest.raises(DataError, match="the targets are too large to be standardised"):
        fit_scaling(samples_of([[1], [2]], [[1e200], [-1e200]]), True, True, False)


def test_what_cannot_be_fitted_is_refused():
    x, t = np.array([[1, NAN], [2, NAN]]), np.array([[1.0], [2]])
    with pytest.raises(DataError, match="column 'x1' holds no values in the training part"):
        fit_scaling(samples_of(x, t), True, False, True)
    with pytest.raises(DataError, match="no targets to train on"):
        fit_scaling(Samples(t, None, None, Columns(("a",), ("t",))), True, False, False)
