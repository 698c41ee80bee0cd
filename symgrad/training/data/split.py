"""Which samples train and which are held out, in shares or in folds. Decided by a seed alone."""

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.samples import Samples
from symgrad.training.module import Array


def holdout(samples: Samples, share: float, seed: int) -> tuple[Array, Array]:
    """Row numbers to train on and to hold out, `share` of all; ascending, the same for a seed.

    In a classification every class gives its share (the split is stratified), but always keeps one
    sample for training. A share of 0 holds nothing out. DataError for a share outside [0, 1), or
    one that leaves nothing to train on.
    """
    if not 0 <= share < 1:
        raise DataError(f"the share held out must be at least 0 and less than 1, not {share}")
    count, wanted = len(samples), round(share * len(samples))
    if wanted == count:
        raise DataError(
            f"holding out a share of {share} leaves none of the {count} samples to train on"
        )
    random, groups = np.random.default_rng(seed), _groups(samples)
    # Largest remainders: whole samples a class whose sum is what was wanted, if that is possible.
    exact = np.array([len(group) * wanted / count for group in groups])
    most = np.array([len(group) - 1 for group in groups])
    counts = np.minimum(np.floor(exact).astype(np.int64), most)
    for group in np.argsort(-(exact - np.floor(exact)), kind="stable"):
        if counts.sum() < wanted and counts[group] < most[group]:
            counts[group] += 1
    held_out = np.zeros(count, dtype=bool)
    for group, taken in zip(groups, counts, strict=True):
        held_out[random.permutation(group)[:taken]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def folds(samples: Samples, k: int, seed: int) -> list[Array]:
    """k sets of row numbers, ascending, which hold every sample once; the same for a seed.

    Their sizes differ by one at most, and so do the numbers of samples that they hold of a class.
    DataError for k below 2 or above the number of samples.
    """
    if k < 2:
        raise DataError(f"at least 2 folds are needed, not {k}")
    if k > len(samples):
        raise DataError(f"{k} folds need at least {k} samples, but there are {len(samples)}")
    random = np.random.default_rng(seed)
    # Dealt out like cards, class after class, without a new start between two classes.
    order = np.concatenate([random.permutation(group) for group in _groups(samples)])
    return [np.sort(order[fold::k]) for fold in range(k)]


def _groups(samples: Samples) -> list[Array]:
    """The rows of each class, or all rows."""
    classes = samples.classes
    if classes is None:
        return [np.arange(len(samples))]
    return [np.flatnonzero(classes == number) for number in np.unique(classes)]
