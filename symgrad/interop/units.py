"""units: networks that are written unit by unit, brought into layers.

    z = bias + Σ weight·value[source]        a unit, whose sources are units of any layers before it

A layer takes what its units take; where that is not just the layer before, it has `sources`. A
weight that no unit has is 0. Units of a layer share an activation, or are refused by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from symgrad.interop.activations import composed
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Layer
from symgrad.spec.limits import WEIGHTS

Key: TypeAlias = int | str


@dataclass(frozen=True)
class Unit:
    """A unit: `key` is what others take it by, `called` what messages call it; `activation` as that
    of a Layer."""

    key: Key
    called: str
    weights: Mapping[Any, float]
    bias: float | None
    activation: str
    hint: str = "activation"


def arranged(inputs: Sequence[Key], layers: Sequence[Sequence[Unit]]) -> list[Layer]:
    """The layers of a network given by its units; layers that only copy are left out."""
    rows: list[Sequence[Key]] = [inputs]
    place = dict.fromkeys(inputs, 0)
    made: list[Layer] = []
    for number, units in enumerate(layers, start=1):
        if not units:
            raise InteropError(f"layer {number} has no units")
        made.append(_layer(number, units, rows, place))
        for unit in units:
            if unit.key in place:
                raise InteropError(f"{unit.called}: there are two of this name")
            place[unit.key] = number
        rows.append([unit.key for unit in units])
    return _without_copies(made)


def _layer(
    number: int, units: Sequence[Unit], rows: Sequence[Sequence[Key]], place: Mapping[Key, int]
) -> Layer:
    first = units[0]
    for unit in units:
        if unit.activation != first.activation:
            raise InteropError(
                f"{unit.called} has another activation than {first.called}, {unit.activation} and"
                f" not {first.activation}: units of a layer share one here"
            )
        if unknown := [key for key in unit.weights if key not in place]:
            raise InteropError(
                f"{unit.called} takes {unknown[0]}, which is no input and no unit of a layer before"
            )
    taken = sorted({place[key] for unit in units for key in unit.weights}) or [number - 1]
    columns = {key: k for k, key in enumerate(k for source in taken for k in rows[source])}
    if wrong := WEIGHTS.refusal(len(columns) * len(units)):
        raise InteropError(f"layer {number} has {wrong}")
    weight = np.zeros((len(columns), len(units)))
    for column, unit in enumerate(units):
        for key, value in unit.weights.items():
            weight[columns[key], column] = value
    bias = None
    if any(unit.bias is not None for unit in units):
        bias = np.array([unit.bias or 0.0 for unit in units])
    sources = None if taken == [number - 1] else tuple(taken)
    return Layer(
        weight, bias, first.activation, name=f"layer {number}", hint=first.hint, sources=sources
    )


def _without_copies(layers: Sequence[Layer]) -> list[Layer]:
    """Where a layer has the units before it as they are, its activation is theirs."""
    kept: list[Layer] = []
    number = {0: 0}  # of the layers as they were, what they are now
    for place, layer in enumerate(layers, start=1):
        others = [each for each in layers[place:] if place - 1 in (each.sources or ())]
        if kept and layer.sources is None and not others and copies(layer.weight, layer.bias):
            before = kept[-1]
            if layer.activation not in ("identity", "z"):
                one = before.activation in ("identity", "z")
                joined = layer.activation if one else composed(layer.activation, before.activation)
                kept[-1] = replace(before, activation=joined, hint=layer.hint)
            number[place] = len(kept)
            continue
        sources = layer.sources and tuple(number[source] for source in layer.sources)
        kept.append(replace(layer, sources=None if sources == (len(kept),) else sources))
        number[place] = len(kept)
    return kept


def copies(weight: Array, bias: Array | None) -> bool:
    """Whether a layer gives what it takes, before its activation."""
    rows, columns = weight.shape
    return rows == columns and np.array_equal(weight, np.eye(rows)) and not np.any(bias)
