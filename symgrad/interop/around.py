"""around: a network, or a run, with what stands around it, for formats that have places for that.

    raw columns ──cut──▶ ──factor·x + offset──▶ layers ──factor·a + offset──▶ ──cut──▶ raw outputs

A run's own scaling and that of its spec are put together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.interop.affine import EVERYWHERE, Affine, Range
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Network
from symgrad.spec.scaling import Scaling
from symgrad.spec.spec import Spec
from symgrad.training.consistency import check_consistency
from symgrad.training.run import Run
from symgrad.training.trained import Columns, Label, Trained


@dataclass(frozen=True)
class Around:
    """A network from raw columns to raw outputs; `fill` is put in where a column is missing."""

    network: Network
    inputs: tuple[str, ...]
    before: list[Affine]
    cut: list[Range]
    outputs: tuple[str, ...]
    after: list[Affine]
    ends: list[Range]
    labels: tuple[Label, ...] | None
    columns: Columns | None = None
    fill: Array | None = None


def around(given: Network | Run | Trained) -> Around:
    """What is to be written. Raises InteropError for what is no network, DataError for a run whose
    parts do not fit."""
    if isinstance(given, Run):
        given = given.trained
    if isinstance(given, Network):
        return _around(given)
    if not isinstance(given, Trained):
        raise InteropError(f"written are a Network and a Run, not {type(given).__name__}")
    spec = Spec.recorded(given.spec)
    check_consistency(given, spec)
    made = _around(Network(spec, given.theta.astype(spec.dtype, copy=False)))
    scaling, columns = given.scaling, given.columns
    standard = [
        Affine().plus(-mean).over(scale)
        for mean, scale in zip(scaling.mean.tolist(), scaling.scale.tolist(), strict=True)
    ]
    back = [
        Affine().times(scale).plus(mean)
        for mean, scale in zip(
            scaling.target_mean.tolist(), scaling.target_scale.tolist(), strict=True
        )
    ]
    return Around(
        made.network,
        columns.network_inputs,
        [first.then(then) for first, then in zip(standard, made.before, strict=True)],
        [_mapped(ends, m.undone()) for ends, m in zip(made.cut, standard, strict=True)],
        given.outputs,
        [first.then(then) for first, then in zip(made.after, back, strict=True)],
        [_mapped(ends, m) for ends, m in zip(made.ends, back, strict=True)],
        columns.labels,
        columns,
        scaling.fill,
    )


def _around(network: Network) -> Around:
    spec = network.spec
    inputs, outputs = spec.scaling_of_inputs, spec.scaling_of_outputs
    return Around(
        network,
        spec.input_names or tuple(f"x{place}" for place in range(spec.inputs)),
        [
            Affine().plus(-shift).over(scale)
            for shift, scale in zip(
                _each(inputs.shift, 0.0, spec.inputs),
                _each(inputs.scale, 1.0, spec.inputs),
                strict=True,
            )
        ],
        _ranges(inputs, spec.inputs),
        spec.output_names or tuple(f"y{place}" for place in range(spec.outputs)),
        [
            Affine().times(scale).plus(shift)
            for shift, scale in zip(
                _each(outputs.shift, 0.0, spec.outputs),
                _each(outputs.scale, 1.0, spec.outputs),
                strict=True,
            )
        ],
        _ranges(outputs, spec.outputs),
        network.labels,
    )


def _each(given: Any, otherwise: float, count: int) -> list[float]:
    value = np.asarray(otherwise if given is None else given, float)
    return list(np.broadcast_to(value, count).tolist())


def _ranges(scaling: Scaling, count: int) -> list[Range]:
    if scaling.ends is None:
        return [EVERYWHERE] * count
    low, high = scaling.ends
    return list(zip(_each(low, 0.0, count), _each(high, 0.0, count), strict=True))


def _mapped(ends: Range, to: Affine) -> Range:
    """The ends in other units."""
    low, high = sorted((to.at(ends[0]), to.at(ends[1])))
    return low, high
