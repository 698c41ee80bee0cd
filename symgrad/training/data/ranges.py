"""Targets that a loss has no meaning for: it would come out finite, and train towards nonsense."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.spec.spec import Spec
from symgrad.training.data.table import Column
from symgrad.training.module import Array

# The losses with the least and the greatest target, and what targets are to them.
RANGES = {
    "binary_cross_entropy": (0.0, 1.0, "targets are probabilities, from 0 to 1"),
    "cross_entropy": (0.0, math.inf, "targets are probabilities, or weights of classes, from 0 on"),
    "kl": (0.0, math.inf, "targets are probabilities, from 0 on"),
    "poisson": (0.0, math.inf, "targets are counts or rates, from 0 on"),
}


def refuse_outside(
    columns: Sequence[Column], t: Array, rows: Array, spec: Mapping[str, Any]
) -> None:
    """DataError for the first target that the spec's loss is not for.

    t, of shape (samples, targets), holds numbers, those of these rows and columns of a table.
    """
    known = Spec.recorded(spec)
    for judged in known.loss.terms or (known.loss,):
        head = known.head_of(judged)
        some = slice(None) if head is None else head.columns
        _refuse_outside(columns[some], t[:, some], rows, judged.kind or "")


def _refuse_outside(columns: Sequence[Column], t: Array, rows: Array, kind: str) -> None:
    if kind not in RANGES:
        return
    low, high, meaning = RANGES[kind]
    for sample, target in np.argwhere((t < low) | (t > high)):
        column = columns[target]
        raise DataError(
            f"{column.place.cell(int(rows[sample]), column.name)}: the target "
            f"{t[sample, target]:g} does not suit the loss {kind}, whose {meaning}; use another "
            "loss, or other targets"
        )
