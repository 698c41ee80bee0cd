"""Regions of classes: in the units of the data, with the class and the probability there."""

from dataclasses import replace

import numpy as np
import pytest

from symgrad.training.metrics import predicted_classes
from symgrad.training.regions import have_regions, raw_inputs, regions
from symgrad.training.trained import Columns, Scaling

COLUMNS = Columns(("u", "v"), ("kind",), labels=("a", "b"))
SCALING = Scaling(np.array([10.0, -1]), np.array([2.0, 0.5]), np.zeros(1), np.ones(1))
X = np.array([[8.0, -1.5], [12.0, -0.5], [9.0, -1.0]])


def sigmoid(x):
    """The second class right of where u is 10: x is u and v, scaled."""
    assert x.shape[1] == 2
    return (1 / (1 + np.exp(-x[:, :1]))).astype(np.float32)


def test_each_cell_has_the_class_at_its_middle_and_how_sure_it_is():
    found = regions(sigmoid, SCALING, COLUMNS, True, X, 40)
    (left, right), (low, high) = found.ends
    assert found.names == ("u", "v")
    assert left < 8 < 12 < right and low < -1.5 < -0.5 < high
    u = left + (right - left) * (np.arange(40) + 0.5) / 40
    p = 1 / (1 + np.exp(-(u - 10) / 2))
    assert (found.classes == (p >= 0.5)).all() and 0 < found.classes.mean() < 1
    assert found.shade == pytest.approx(np.tile(np.abs(2 * p - 1), (40, 1)), abs=1e-6)


def test_rows_go_up_with_the_second_input():
    def by_v(x):
        return np.column_stack([x[:, 1] < 0, x[:, 1] >= 0, 0 * x[:, 1]]).astype(float)

    columns, three = replace(COLUMNS, labels=("a", "b", "c")), np.zeros(3)
    scaling = replace(SCALING, target_mean=three, target_scale=three + 1)
    found = regions(by_v, scaling, columns, True, X, 10)
    assert (found.classes == np.repeat([0, 1], 5)[:, None]).all() and (found.shade == 1).all()
    # outputs that are no probabilities are of one shade
    assert (regions(by_v, scaling, columns, False, X, 10).shade == 0.5).all()


def test_where_nothing_spreads_there_is_still_a_plane():
    found = regions(sigmoid, SCALING, COLUMNS, True, np.array([[0.0, -1e9]]), 4)
    assert all(low < high for low, high in found.ends)
    nan = regions(lambda x: np.full((len(x), 1), np.nan), SCALING, COLUMNS, True, X, 4)
    assert (nan.shade == 0).all() and nan.classes.shape == (4, 4)


def test_inputs_come_back_to_their_units():
    assert raw_inputs(SCALING, SCALING.inputs(X)) == pytest.approx(X)
    assert predicted_classes(sigmoid(SCALING.inputs(X))).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "drawn"),
    [
        ({}, True),
        ({"labels": None}, False),
        ({"labels": tuple("abcdefg")}, False),
        ({"inputs": ("u",)}, False),
        ({"inputs": ("u", "v", "w")}, False),
        ({"inputs": ("u",), "categories": {"u": ("x", "y")}}, False),
    ],
)
def test_two_inputs_and_classes_have_them(changes, drawn):
    assert have_regions(replace(COLUMNS, **changes)) == drawn
