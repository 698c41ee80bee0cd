"""An epoch in compiled code, the samples in the order that scikit-learn sees them.

scikit-learn's α/2·ΣW² is divided by what a batch weighs. Equal batches weigh the same, and are one
call; where samples have weights, or are stored sparsely, each batch is a call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from scipy import sparse

from symgrad.sklearn.network import views

# The most numbers of a sparse matrix that are written out at a time.
AT_ONCE = 1 << 22


class NotFinite(ArithmeticError):
    """A step has no finite loss, and no gradient that could be followed."""


@dataclass(frozen=True)
class Data:
    """Samples as the module takes them: x dense, or sparse in rows; w None where all weigh 1."""

    x: Any
    t: np.ndarray
    w: np.ndarray | None

    @classmethod
    def of(cls, x: Any, t: np.ndarray, w: np.ndarray | None, dtype: np.dtype) -> "Data":
        x = x.tocsr() if sparse.issparse(x) else np.ascontiguousarray(x, dtype)
        t = np.ascontiguousarray(t, dtype).reshape(len(t), -1)
        return cls(x, t, None if w is None else np.ascontiguousarray(w, dtype))

    def __len__(self) -> int:
        return len(self.t)

    def chosen(self, places: np.ndarray | slice) -> tuple[np.ndarray, ...]:
        """Some samples, dense: x, t and, if there are any, w."""
        parts = (dense(self.x[places], self.t.dtype), self.t[places])
        return parts if self.w is None else (*parts, self.w[places])

    def blocks(self) -> Iterator[slice]:
        """All samples, so many at a time as may be dense; those that are so already, at once."""
        rows = len(self) if not sparse.issparse(self.x) else max(1, AT_ONCE // self.x.shape[1])
        return (slice(start, start + rows) for start in range(0, len(self), rows))

    @property
    def weight(self) -> float:
        """What all weigh together."""
        return float(len(self) if self.w is None else self.w.sum(dtype=np.float64))


def dense(x: Any, dtype: np.dtype) -> np.ndarray:
    """Samples as one matrix in memory, in rows."""
    return np.ascontiguousarray(x.toarray() if sparse.issparse(x) else x, dtype)


def penalty(module: ModuleType, theta: np.ndarray) -> float:
    """½ΣW² over all weights, without biases."""
    return sum(0.5 * float(np.vdot(W, W)) for W in views(module, theta)[0])


@dataclass(frozen=True)
class Epochs:
    """What stays the same from epoch to epoch.

    `mean` is whether the loss that is told is the mean over the outputs, as scikit-learn tells the
    squared one, whose sum it takes the gradient of. `constant` is what each sample's loss has
    besides, whatever the weights.
    """

    module: ModuleType
    data: Data
    alpha: float
    batch: int
    mean: bool
    constant: np.ndarray

    def run(self, theta: np.ndarray, order: np.ndarray, *going_on: np.ndarray) -> float:
        """A step for each batch, theta in place; `going_on` is state, progress and settings.

        Returns the mean of the losses over the samples. Raises NotFinite where one is not finite.
        """
        samples, starts = len(order), self.starts
        if self.data.w is not None or sparse.issparse(self.data.x) or self.mean:
            return self._one_by_one(theta, order, *going_on)
        total, equal = 0.0, samples - samples % self.batch
        for rows, part in ((self.batch, starts[starts <= equal]), (samples - equal, starts[-2:])):
            if rows and len(part) > 1:
                loss = self._steps(
                    theta, (self.data.x, self.data.t), self.alpha / rows, order, part, *going_on
                )
                total += loss * (part[-1] - part[0])
        return total / samples + float(self.constant.mean())

    @cached_property
    def starts(self) -> np.ndarray:
        """Where batches begin in the order, and where the last one ends."""
        return np.append(np.arange(0, len(self.data), self.batch), len(self.data))

    def _one_by_one(self, theta: np.ndarray, order: np.ndarray, *going_on: np.ndarray) -> float:
        total = 0.0
        for start, end in pairwise(self.starts):
            places, rows = order[start:end], int(end - start)
            batch, w = self.data.chosen(places), self.data.w
            weight = rows if w is None else float(w[places].sum(dtype=np.float64))
            if weight == 0:
                continue  # nothing is to be learnt from it
            l2 = self.alpha / weight
            if l2 < 0:
                raise ValueError(
                    f"sample_weight: those of a batch sum to {weight:g}; the penalty, which is "
                    "divided by it, would be negative"
                )
            rest = l2 * penalty(self.module, theta) if self.mean else 0.0
            whole = np.arange(rows), np.array([0, rows])
            loss = self._steps(theta, batch, l2, *whole, *going_on)
            if self.mean:
                loss = told(loss, rest, batch[1].shape[1])
            each = None if w is None else w[places]
            total += rows * (loss + float(np.average(self.constant[places], weights=each)))
        return total / len(order)

    def _steps(
        self, theta: np.ndarray, samples: tuple[np.ndarray, ...], l2: float, *rest: np.ndarray
    ) -> float:
        loss = float(self.module.train_steps(theta, *samples, l2, *rest))
        if not np.isfinite(loss):
            raise NotFinite
        return loss


def told(loss: float, penalty: float, outputs: int) -> float:
    """The mean over the outputs, and the penalty, of a loss that is the sum over them, and it."""
    return (loss - penalty) / outputs + penalty
