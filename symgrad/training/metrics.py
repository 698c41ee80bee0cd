"""How well a network does: the figures that fit its task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from symgrad.errors import DataError
from symgrad.training.module import Array
from symgrad.training.roc import area
from symgrad.training.trained import Label


class OfClass(NamedTuple):
    """How one class does: its `samples`; `precision`, the share of those predicted to be of it
    that are; `recall`, the share of its own that are found; `f1`, the harmonic mean of both. None
    is a share of nothing."""

    samples: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Figures:
    """Figures over some samples, none of them weighted but in the loss; None is what does not fit,
    as the loss where it has terms and the samples are of none.

    For classes: `accuracy`, the share of samples in the right class; `log_loss`, the mean of
    −log p, p the probability that the network gives a sample's own class; `confusion`, counts of
    shape (classes, classes), the true class by the predicted one; and `roc_area_by_class`, the
    share of pairs of a sample of the class and one of another in which the former has the larger
    probability of it, pairs alike counting half.

    For numbers, in the units of the data: `rmse`, the root of the mean squared error over samples
    and outputs, and `r2`, the mean over outputs of 1 − Σ(y − t)²/Σ(t − mean of t)²; it does not
    exist where a target is constant. `rmse_by_output` and `r2_by_output` are the same for each, as
    `mae_by_output` is the mean of |y − t| and `largest_by_output` the largest. Where outputs have
    units of their own, only these mean anything, and `rmse` does not.

    `terms` has what each term of the loss adds to it, where it has several; other figures are then
    over all samples that have targets.
    """

    samples: int
    loss: float | None
    accuracy: float | None = None
    log_loss: float | None = None
    confusion: Array | None = field(default=None, compare=False)  # an array's == is no bool
    rmse: float | None = None
    r2: float | None = None
    rmse_by_output: tuple[float, ...] | None = None
    r2_by_output: tuple[float | None, ...] | None = None
    terms: Mapping[str, float] | None = None
    largest_by_output: tuple[float, ...] | None = None
    roc_area_by_class: tuple[float | None, ...] | None = None
    mae_by_output: tuple[float, ...] | None = None

    @property
    def several(self) -> bool:
        """Whether there are several outputs that are numbers, each with its own unit."""
        return self.rmse_by_output is not None and len(self.rmse_by_output) > 1

    @property
    def by_class(self) -> tuple[OfClass, ...] | None:
        """What the confusion matrix says of each class."""
        if self.confusion is None:
            return None
        right = np.diagonal(self.confusion).tolist()
        true, predicted = (self.confusion.sum(axis=axis).tolist() for axis in (1, 0))
        return tuple(
            OfClass(t, _share(r, p), _share(r, t), _share(2 * r, t + p))
            for r, t, p in zip(right, true, predicted, strict=True)
        )


def predicted_classes(y: Array) -> Array:
    """Class numbers of shape (samples,): the largest of several outputs, or one of at least ½."""
    if y.shape[1] == 1:
        return (y[:, 0] >= 0.5).astype(np.int64)
    return y.argmax(axis=1)


def confusion(true: Array, predicted: Array, classes: int) -> Array:
    """Counts of shape (classes, classes), the true class by the predicted one."""
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def figures(
    loss: float | None, y: Array, t: Array, labels: tuple[Label, ...] | None, probabilities: bool
) -> Figures:
    """The figures of outputs y against targets t, both in raw units, of shape (samples, outputs).

    `labels` are the classes, None for a regression. `probabilities` says that y are such, as those
    of softmax or sigmoid, so that there is a log loss.
    """
    if y.shape != t.shape or not len(y):
        raise DataError(f"no figures for outputs of shape {y.shape} and targets of {t.shape}")
    if labels is None:
        return _of_numbers(loss, y.astype(np.float64), t)
    true, predicted, count = predicted_classes(t), predicted_classes(y), len(labels)
    return Figures(
        len(y),
        loss,
        accuracy=float(np.mean(true == predicted)),
        log_loss=_log_loss(y, true) if probabilities else None,
        confusion=confusion(true, predicted, count),
        roc_area_by_class=_areas(y, true) if probabilities else None,
    )


def class_probabilities(y: Array) -> Array:
    """Probabilities of shape (samples, classes), of outputs that are such: one output is that of
    the second of two classes."""
    return y if y.shape[1] > 1 else np.column_stack([1 - y, y])


def _areas(y: Array, true: Array) -> tuple[float | None, ...]:
    """Of each class against the others. One output alone has both by the same pairs."""
    if y.shape[1] == 1:
        both = area(y[:, 0], true == 1)
        return (both, both)
    return tuple(area(y[:, number], true == number) for number in range(y.shape[1]))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _log_loss(y: Array, true: Array) -> float:
    """The mean of −log p. Like scikit-learn's it is always finite: a probability that underflowed
    to 0 counts as the smallest normal number of y's dtype (there: as its machine epsilon)."""
    if y.shape[1] == 1:
        p = np.where(true == 1, y[:, 0], 1 - y[:, 0])
    else:
        p = y[np.arange(len(y)), true]
    return float(-np.mean(np.log(np.clip(p, np.finfo(y.dtype).tiny, 1), dtype=np.float64)))


def _of_numbers(loss: float | None, y: Array, t: Array) -> Figures:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (y - t) ** 2
        spread = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
        r2 = 1 - squares.sum(axis=0) / np.where(spread > 0, spread, np.nan)
    # By its values, for those of a constant may differ from their mean in the last bit.
    constant = (np.ptp(t, axis=0) == 0) | (spread == 0)
    by_output = tuple(
        None if is_constant else float(value)
        for is_constant, value in zip(constant, r2, strict=True)
    )
    return Figures(
        len(y),
        loss,
        rmse=float(np.sqrt(squares.mean())),
        r2=None if constant.any() else float(r2.mean()),
        rmse_by_output=tuple(np.sqrt(squares.mean(axis=0)).tolist()),
        r2_by_output=by_output,
        largest_by_output=tuple(np.abs(y - t).max(axis=0).tolist()),
        mae_by_output=tuple(np.abs(y - t).mean(axis=0).tolist()),
    )
