"""given: what Python gives: numbers, all of which are there."""

import sys

import numpy as np


def is_masked(value):
    """Whether a mask says that some of it is missing. Code that takes arrays sees what lies under
    it."""
    if isinstance(value, (list, tuple)):
        return any(map(is_masked, value))
    masks = sys.modules.get("numpy.ma")  # which takes long to import, and has to be to make one
    return masks is not None and isinstance(value, masks.MaskedArray) and masks.is_masked(value)


def unmasked(name, value):
    """The value, unless some of it is masked; then there is no number that would be right."""
    if is_masked(value):
        raise ValueError(
            f"{name} has masked values: give numbers for them, as {name}.filled(…),"
            " or leave them out"
        )
    return value


def real_array(name, value, shape):
    """An array-like as an array; refused where it holds no numbers, or some of them are masked."""
    try:
        array = np.asanyarray(value)  # what makes a masked array of itself keeps its mask
    except ValueError as error:
        raise ValueError(f"{name} must be of shape {shape}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, came {array.dtype}")
    unmasked(name, value)
    return np.asarray(unmasked(name, array))
