"""Whether weights and what belongs to them are consistent: a file may be put together by hand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from symgrad.errors import DataError, SpecError
from symgrad.spec.spec import Spec
from symgrad.training.labels import problem
from symgrad.training.trained import Label, Trained


def load_weights(path: Path) -> Trained:
    """Reads a weights file; DataError, with its name, if it is none or is not consistent."""
    trained = Trained.load(path)
    try:
        check_consistency(trained, Spec.recorded(trained.spec))
    except (SpecError, DataError) as error:
        raise DataError(f"{path}: {error}") from error
    return trained


def check_consistency(trained: Trained, spec: Spec) -> None:
    """Raises DataError where weights, scaling or names are not those of a network of `spec`."""
    for wrong in (*_wrong_numbers(trained, spec), *_wrong_names(trained, spec)):
        raise DataError(f"these weights cannot be used: {wrong}")


def _wrong_numbers(trained: Trained, spec: Spec) -> Iterator[str]:
    theta, scaling = trained.theta, trained.scaling
    if theta.shape != (spec.weights,) or theta.dtype.newbyteorder("=") != np.dtype(spec.dtype):
        yield (
            f"theta must be {spec.dtype} of shape ({spec.weights},),"
            f" but is {theta.dtype} of shape {theta.shape}"
        )
    elif not np.isfinite(theta).all():
        yield "some of them are not finite"
    arrays = {
        "mean": (scaling.mean, spec.inputs),
        "scale": (scaling.scale, spec.inputs),
        "target_mean": (scaling.target_mean, spec.outputs),
        "target_scale": (scaling.target_scale, spec.outputs),
    }
    if scaling.fill is not None:
        arrays["fill"] = (scaling.fill, spec.inputs)
    for name, (array, size) in arrays.items():
        if array.shape != (size,) or array.dtype.newbyteorder("=") != np.dtype(np.float64):
            yield (
                f"{name} must be float64 of shape ({size},),"
                f" but is {array.dtype} of shape {array.shape}"
            )
        elif not np.isfinite(array).all():
            yield f"{name} holds numbers that are not finite"
        elif name.endswith("scale") and not array.all():
            yield f"{name} holds 0"


def _wrong_names(trained: Trained, spec: Spec) -> Iterator[str]:
    columns = trained.columns
    if not all(isinstance(name, str) for name in (*columns.inputs, *columns.targets)):
        yield "a column's name must be text"
    names = columns.network_inputs
    if len(names) != spec.inputs:
        yield f"{len(names)} inputs have names, and the network has {spec.inputs}"
    for name, levels in columns.categories.items():
        if name not in columns.inputs:
            yield f"the category {name!r} is none of the inputs"
        yield from _wrong_levels(levels)
    if columns.labels is not None:
        yield from _wrong_labels(columns.labels, max(spec.outputs, 2))
    elif len(columns.targets) not in {spec.outputs, spec.targets}:
        yield f"{len(columns.targets)} outputs have names, and the network has {spec.outputs}"


def _wrong_labels(labels: tuple[Label, ...], classes: int) -> Iterator[str]:
    if len(labels) != classes:
        yield f"there are {len(labels)} labels, and {classes} classes"
    else:
        yield from _wrong_levels(labels)


def _wrong_levels(labels: tuple[Label, ...]) -> Iterator[str]:
    kinds = {type(label) for label in labels}
    if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
        yield "labels must all be of one type: text, integers, floats or booleans"
    elif len(set(labels)) < len(labels):
        yield "two labels are equal"
    for wrong in filter(None, map(problem, labels)):
        yield f"the label {wrong}"
