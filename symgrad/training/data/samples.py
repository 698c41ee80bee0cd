"""Samples for a network: inputs x, targets t, and sample weights w where the spec wants them."""

from dataclasses import dataclass, replace

import numpy as np

from symgrad.training.module import Array
from symgrad.training.trained import Columns


@dataclass(frozen=True)
class Samples:
    """Samples, one a row, in float64 and in the units of the data.

    `x` has the shape (samples, inputs) and holds NaN only for missing values that are to be filled;
    `t` the shape (samples, outputs), with 1 for a sample's own class and 0 elsewhere if there are
    classes, and is None where data to predict for has no targets; `w` the shape (samples,), if and
    only if the spec says `sample_weights = true`. `notes` are lines for the user: what was dropped,
    filled, or not used.
    """

    x: Array
    t: Array | None
    w: Array | None
    columns: Columns
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array) -> "Samples":
        """The samples of these row numbers, in this order; columns and notes as they are."""
        t = None if self.t is None else self.t[rows]
        w = None if self.w is None else self.w[rows]
        return replace(self, x=self.x[rows], t=t, w=w)

    @property
    def classes(self) -> Array | None:
        """The class number of each sample, of shape (samples,); None if there are no classes."""
        if self.columns.labels is None or self.t is None:
            return None
        return self.t[:, 0].astype(np.int64) if self.t.shape[1] == 1 else self.t.argmax(axis=1)
