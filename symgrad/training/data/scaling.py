"""Fits what stands between raw units and the network's, on the samples that train it."""

import numpy as np

from symgrad.errors import DataError
from symgrad.training.data.samples import Samples
from symgrad.training.data.table import SHOWN
from symgrad.training.module import Array
from symgrad.training.trained import Scaling


def fit_scaling(
    samples: Samples, standardize: bool, scale_targets: bool, fill: bool
) -> tuple[Scaling, tuple[str, ...]]:
    """The scaling for `samples`, the training part, and notes for the user on constant columns.

    `standardize`: inputs come to mean 0 and deviation 1 over the values that are there.
    `scale_targets`: likewise each output's targets. `fill`: missing inputs are filled with their
    means. A column that is constant, or varies by no more than rounding, keeps the scale 1.

    Raises DataError for numbers too large for it, and for an input without any value.
    """
    x, t, columns = samples.x, samples.t, samples.columns
    names = columns.network_inputs
    if t is None:
        raise DataError("there are no targets to train on")
    for column in np.flatnonzero(np.isnan(x).all(axis=0)):
        raise DataError(
            f"column {names[column]!r} holds no values in the training part; leave the "
            "column out, or train on more samples"
        )
    mean, scale, constant = _moments(x)
    if standardize or fill:
        _check_finite("inputs", mean, *([scale] if standardize else []))
    notes = _note([names[column] for column in np.flatnonzero(constant)], INPUTS)
    target_mean, target_scale, constant = _moments(t)
    if scale_targets:
        _check_finite("targets", target_mean, target_scale)
    if columns.labels is None:
        constants = [columns.targets[column] for column in np.flatnonzero(constant)]
        notes += _note(constants, TARGETS)
    scaling = Scaling(
        mean if standardize else np.zeros_like(mean),
        scale if standardize else np.ones_like(scale),
        target_mean if scale_targets else np.zeros_like(target_mean),
        target_scale if scale_targets else np.ones_like(target_scale),
        mean if fill else None,
    )
    return scaling, notes


INPUTS = ("it tells the network nothing", "they tell the network nothing")
TARGETS = ("there is nothing to learn in it", "there is nothing to learn in them")


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean and deviation of each column over the values that are there, and whether it is constant;
    the deviation of a constant is 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        rounding = 8 * np.finfo(np.float64).eps * np.nanmax(np.abs(values), axis=0)
        constant = (scale <= rounding) | (np.nanmax(values, axis=0) == np.nanmin(values, axis=0))
    scale[constant] = 1.0
    return mean, scale, constant


def _check_finite(what: str, *moments: Array) -> None:
    if not all(np.isfinite(moment).all() for moment in moments):
        raise DataError(f"the {what} are too large to be standardised: their squares overflow")


def _note(names: list[str], consequence: tuple[str, str]) -> tuple[str, ...]:
    if not names:
        return ()
    if len(names) == 1:
        return (f"column {names[0]!r} is constant in the training part: {consequence[0]}",)
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    shown = ", ".join(map(repr, names[:SHOWN])) + more
    return (f"columns {shown} are constant in the training part: {consequence[1]}",)
