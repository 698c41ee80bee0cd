"""The receiver operating characteristic of a score: how well it puts one class above the others."""

import numpy as np

from symgrad.training.module import Array


def curve(score: Array, positive: Array) -> tuple[Array, Array]:
    """The false and the true positive rate for each threshold, from (0, 0) to (1, 1).

    `score` and the bools `positive` are of shape (samples,); samples whose scores are alike pass a
    threshold together. Both classes must be there.
    """
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # of those alike
    found = np.cumsum(positive)[last]
    false = last + 1 - found
    return np.append(0, false / false[-1]), np.append(0, found / found[-1])


def area(score: Array, positive: Array) -> float | None:
    """The area under the curve; None where one of the two classes is not there, NaN where a score
    is not a number."""
    if positive.all() or not positive.any():
        return None
    if np.isnan(score).any():
        return float("nan")
    false, true = curve(score, positive)
    return float(np.sum(np.diff(false) * (true[1:] + true[:-1])) / 2)
