"""Weights of classes, as weights of their samples: all classes weigh the same."""

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.table import Table, listed
from symgrad.training.module import Array
from symgrad.training.trained import Label


def balanced(
    table: Table, t: Array, labels: tuple[Label, ...] | None, weights: Array | None
) -> tuple[Array, tuple[str, ...]]:
    """Sample weights, of shape (samples,), times samples/(classes·samples of the class), and a note
    with these. t is of shape (samples, outputs). DataError where there are no classes."""
    if labels is None:
        raise DataError(
            f"{table.place.source}: class weights are for classes, and the targets are numbers"
        )
    classes = t[:, 0].astype(np.int64) if t.shape[1] == 1 else t.argmax(axis=1)
    counts = np.bincount(classes, minlength=len(labels))
    factors = len(classes) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    shown = [
        f"{label} {factor:.4g}"
        for label, factor, count in zip(labels, factors, counts, strict=True)
        if count
    ]
    w = factors[classes] if weights is None else weights * factors[classes]
    return w, (f"each sample weighs by its class: {listed(shown)}",)
