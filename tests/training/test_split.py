"""Which samples are held out, and folds: every sample once, every class in its share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import DataError
from symgrad.training.data import Samples, folds, holdout
from symgrad.training.trained import Columns


def plain(samples: int) -> Samples:
    x = np.arange(samples, dtype=float)[:, None]
    return Samples(x, 2 * x, None, Columns(("a",), ("t",)))


def labelled(counts: list[int]) -> Samples:
    """So many samples of each class, one class after the other."""
    classes = np.repeat(np.arange(len(counts)), counts)
    x, labels = np.arange(len(classes), dtype=float)[:, None], tuple(range(len(counts)))
    return Samples(x, np.eye(len(counts))[classes], None, Columns(("a",), ("t",), labels=labels))


def test_holdout_keeps_every_sample_once_and_follows_the_seed():
    samples = plain(41)
    first, again, other = (holdout(samples, 0.3, seed) for seed in (5, 5, 6))
    assert [len(part) for part in first] == [29, 12]
    assert sorted(np.concatenate(first).tolist()) == list(range(41))
    assert all(np.array_equal(part, np.sort(part)) for part in first)
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([50, 30, 20], [10, 6, 4]),
        ([7, 7, 7], [2, 1, 1]),
        ([18, 1, 1], [4, 0, 0]),  # a class of one sample stays in training
        ([5, 0, 5], [1, 0, 1]),
    ],
)
def test_holdout_is_stratified(counts, expected):
    samples = labelled(counts)
    train, held_out = holdout(samples, 0.2, 0)
    assert np.bincount(samples.classes[held_out], minlength=3).tolist() == expected
    assert len(train) + len(held_out) == sum(counts)


def test_holdout_of_a_single_output_is_stratified():
    t = np.repeat([0.0, 1.0], [30, 10])[:, None]
    samples = Samples(t, t, None, Columns(("a",), ("t",), labels=("no", "yes")))
    assert samples.classes[holdout(samples, 0.2, 3)[1]].tolist() == [0] * 6 + [1] * 2


def test_shares_that_leave_nothing():
    train, held_out = holdout(plain(10), 0, 0)
    assert (train.tolist(), held_out.tolist()) == (list(range(10)), [])
    with pytest.raises(
        DataError, match=r"a share of 0\.9 leaves none of the 2 samples to train on"
    ):
        holdout(plain(2), 0.9, 0)
    for share in (1, -0.1, float("nan")):
        with pytest.raises(DataError, match=f"at least 0 and less than 1, not {share}"):
            holdout(plain(2), share, 0)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5).filter(lambda counts: sum(counts) >= 2),
    st.integers(2, 12),
    st.integers(0, 2**32),
)
def test_folds_hold_every_sample_once_and_classes_evenly(counts, k, seed):
    samples, k = labelled(counts), min(k, sum(counts))
    parts = folds(samples, k, seed)
    assert len(parts) == k
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(samples)))
    assert all(np.array_equal(part, np.sort(part)) for part in parts)
    assert np.ptp([len(part) for part in parts]) <= 1
    classes = [np.bincount(samples.classes[part], minlength=len(counts)) for part in parts]
    assert (np.ptp(classes, axis=0) <= 1).all()
    assert all(map(np.array_equal, parts, folds(samples, k, seed)))


def test_folds_of_numbers_follow_the_seed():
    first, other = folds(plain(23), 4, 0), folds(plain(23), 4, 1)
    assert sorted(len(part) for part in first) == [5, 6, 6, 6]
    assert sorted(np.concatenate(first).tolist()) == list(range(23))
    assert not all(map(np.array_equal, first, other))


def test_folds_that_are_refused():
    with pytest.raises(DataError, match="at least 2 folds are needed, not 1"):
        folds(plain(5), 1, 0)
    with pytest.raises(DataError, match="6 folds need at least 6 samples, but there are 5"):
        folds(plain(5), 6, 0)
