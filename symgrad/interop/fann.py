"""fann: networks that FANN saves, files `.net` that begin with FANN_FLO.

    a0 = ((x - mean)/deviation + 1)·factor + new_min            where scale_included=1
    s = steepness·Σ weight·value,  cut at ±150/steepness       unit by unit; a bias is a unit of 1
    value = 1/(1 + exp(-2s))  or  tanh(s),  s,  exp(-s²), …
    y = ((aL - new_min)/factor + 1)·deviation + mean

The steepness goes into the weights. `fann_run` leaves out both scalings, as `scaling=False` does
here; callers of it add them by `fann_scale_input` and `fann_descale_output`. The cut shows where a
unit is not flat there: a linear output is never beyond ±150/steepness. `clip=False` leaves it out.
"""

import math
import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from symgrad.interop.activations import clipped, composed
from symgrad.interop.affine import EVERYWHERE, Affine, Range, of_inputs, of_outputs
from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network, assemble, rounded
from symgrad.interop.source import name_of, number, whole
from symgrad.interop.source import read as text_of
from symgrad.interop.units import Unit, arranged
from symgrad.spec.formula import listed, quoted
from symgrad.spec.limits import LAYERS, UNITS

KIND = "network of FANN's"
BEGINNING = "FANN_FLO_2.1"

# By FANN's numbers: the name, what s is multiplied by, and the formula in that.
# fmt: off
_FORMULAS: Mapping[int, tuple[str, float, str]] = {
    0:  ("linear",                 1.0, "identity"),
    3:  ("sigmoid",                2.0, "sigmoid"),
    5:  ("sigmoid_symmetric",      1.0, "tanh"),
    7:  ("gaussian",               1.0, "gaussian"),
    8:  ("gaussian_symmetric",     1.0, "2*exp(-z**2) - 1"),
    10: ("elliot",                 1.0, "z/2/(1 + abs(z)) + 0.5"),
    11: ("elliot_symmetric",       1.0, "softsign"),
    12: ("linear_piece",           1.0, "min(relu(z), 1)"),
    13: ("linear_piece_symmetric", 1.0, "min(max(z, -1), 1)"),
    14: ("sin_symmetric",          1.0, "sin"),
    15: ("cos_symmetric",          1.0, "cos(z)"),
    16: ("sin",                    1.0, "sin(z)/2 + 0.5"),
    17: ("cos",                    1.0, "cos(z)/2 + 0.5"),
}
_REFUSED: Mapping[int, tuple[str, str]] = {
    1: ("threshold",                  "which jumps, and has no slope to train by"),
    2: ("threshold_symmetric",        "which jumps, and has no slope to train by"),
    4: ("sigmoid_stepwise",           "which jumps at its ends; set it to FANN_SIGMOID"),
    6: ("sigmoid_symmetric_stepwise", "which jumps at its ends; set it to FANN_SIGMOID_SYMMETRIC"),
}
# fmt: on
_LINEAR = 0

# Those that are the same beyond ±30, to the last bit of a float64, as at ±30.
_FLAT = (3, 5, 7, 8, 12, 13)
_CUT, _FLAT_FROM = 150.0, 30.0

_NEURON = re.compile(r"\((\d+), (\d+), ([^(),]+)\)", re.A)
_CONNECTION = re.compile(r"\((\d+), ([^(),]+)\)", re.A)


@dataclass(frozen=True)
class _Neuron:
    sources: int
    activation: int
    steepness: float


def read(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    loss: LossLike | None = None,
    scaling: bool = True,
    clip: bool = True,
) -> Network:
    """The network in a file that `fann_save` has written, in float64. Raises InteropError."""
    text = text_of(path, KIND)
    try:
        return _network(_fields(text), name_of(path, name), loss, scaling, clip)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def _fields(text: str) -> dict[str, str]:
    """What the lines say, by what stands before their first = or blank."""
    first, _, rest = text.partition("\n")
    if first.strip() != BEGINNING:
        remedy = "; fann_save writes that of numbers in floating point" if "FANN" in first else ""
        raise InteropError(f"no {KIND}: it should begin with {BEGINNING}{remedy}")
    fields = {}
    for line in rest.splitlines():
        before, _, value = line.partition(")=" if "(" in line else "=")
        fields[before.split(" ", 1)[0]] = value.strip()
    return fields


def _field(fields: Mapping[str, str], key: str) -> str:
    if key not in fields:
        raise InteropError(f"there is no {key}")
    return fields[key]


def _network(
    fields: Mapping[str, str], name: str, loss: LossLike | None, scaling: bool, clip: bool
) -> Network:
    sizes = [whole(n, "layer_sizes", 1, UNITS.value) for n in _field(fields, "layer_sizes").split()]
    if not 2 <= len(sizes) <= LAYERS.value:
        raise InteropError("layer_sizes should be two or more")
    neurons = [
        _Neuron(
            whole(n, "a neuron's inputs"), whole(kind, "an activation"), number(s, "a steepness")
        )
        for n, kind, s in _tuples(fields, "neurons", _NEURON)
    ]
    connections = [
        (whole(source, "a connection"), number(weight, "a weight"))
        for source, weight in _tuples(fields, "connections", _CONNECTION)
    ]
    if len(neurons) != sum(sizes) or len(connections) != sum(each.sources for each in neurons):
        raise InteropError("layer_sizes, neurons and connections do not fit each other")
    starts = list(accumulate(sizes, initial=0))
    ends = list(accumulate((each.sources for each in neurons), initial=0))
    inputs = sizes[0] - 1  # the last one is the bias
    ones = {inputs, *(k for k in range(sizes[0], len(neurons)) if not neurons[k].sources)}
    layers = [
        [
            _unit(k, neurons[k], connections[ends[k] : ends[k + 1]], ones, clip, end == starts[-1])
            for k in range(start, end)
            if k not in ones
        ]
        for start, end in pairwise(starts[1:])
    ]
    arranged_layers = arranged(range(inputs), layers)
    last = [neurons[k] for k in range(starts[-2], starts[-1]) if k not in ones]
    before, after = [Affine()] * inputs, [Affine()] * len(last)
    if scaling and _field(fields, "scale_included") == "1":
        before = _scale(fields, "in", inputs)
        after = [each.undone() for each in _scale(fields, "out", len(last))]
    cuts = [_cut(*each) for each in zip(last, after, strict=True)] if clip else ()
    return assemble(
        arranged_layers, name, "float64", loss, of_inputs(before), of_outputs(after, cuts)
    )


def _tuples(fields: Mapping[str, str], key: str, one: re.Pattern[str]) -> list[tuple[str, ...]]:
    """The tuples of numbers of a line that has nothing else."""
    text = _field(fields, key)
    if one.sub("", text).strip():
        raise InteropError(f"{key} should be tuples of numbers, not {quoted(one.sub('', text))}")
    return [found.groups() for found in one.finditer(text)]


def _unit(
    place: int,
    neuron: _Neuron,
    connections: Sequence[tuple[int, float]],
    ones: Container[int],
    clip: bool,
    last: bool,
) -> Unit:
    """A neuron with its steepness in its weights."""
    if neuron.activation not in _FORMULAS:
        known = listed([name for name, _, _ in _FORMULAS.values()])
        called, why = _REFUSED.get(
            neuron.activation,
            (f"number {neuron.activation}", f"not understood; understood are {known}"),
        )
        raise InteropError(f"neuron {place} has the activation {called}, {why}")
    if not 0 < neuron.steepness < math.inf:
        raise InteropError(
            f"neuron {place} has the steepness {neuron.steepness}, which is not above 0"
        )
    if len(dict(connections)) != len(connections):
        raise InteropError(f"neuron {place} takes a neuron twice")
    hint, factor, formula = _FORMULAS[neuron.activation]
    end = _CUT / neuron.steepness
    flat = neuron.activation in _FLAT and end >= _FLAT_FROM
    if clip and not flat and not (last and neuron.activation == _LINEAR):
        formula = composed(formula, clipped(-end * factor, end * factor))
    steepness = neuron.steepness * factor
    biases = [weight * steepness for source, weight in connections if source in ones]
    weights = {source: weight * steepness for source, weight in connections if source not in ones}
    bias = sum(biases) if biases else None
    return Unit(place, f"neuron {place}", weights, bias, formula, hint)


def _cut(neuron: _Neuron, after: Affine) -> Range:
    """Where an output ends in units of the data."""
    if neuron.activation != _LINEAR:
        return EVERYWHERE
    end = _CUT / neuron.steepness
    low, high = sorted((after.at(-end), after.at(end)))
    return low, high


def _scale(fields: Mapping[str, str], side: str, columns: int) -> list[Affine]:
    """What fann_scale_input does to each column, and fann_scale_output: nothing to a constant."""
    mean, deviation, low, factor = (
        [_single(number(each, key)) for each in _field(fields, key).split()]
        for key in (f"scale_{part}_{side}" for part in ("mean", "deviation", "new_min", "factor"))
    )
    if not len(mean) == len(deviation) == len(low) == len(factor) == columns:
        raise InteropError(f"scale_mean_{side} and those after it should be {columns} numbers each")
    return [
        Affine().plus(-m).over(d).plus(1.0).times(f).plus(new) if d else Affine()
        for m, d, new, f in zip(mean, deviation, low, factor, strict=True)
    ]


def _single(value: float) -> float:
    """As FANN keeps numbers of a scaling, whatever those of its networks are."""
    return float(rounded(np.array(value), "float32"))
