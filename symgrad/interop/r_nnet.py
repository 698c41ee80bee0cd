"""r_nnet: networks of R's package nnet, from `dput(fit, control = "digits17")` or from JSON.

    z = wts[k] + Σ wts[k+1 …]·value[conn[k+1 …]]       unit by unit, its weights from nconn on
    value = 1/(1 + exp(-z))                             of the first nsunits units
    value = z                                           of the others; then softmax, if it says so

Unit 0 is always 1, then come the inputs, the hidden units, and the outputs, which may take inputs
too (`skip`). R's sigmoid is exactly 0 or 1 beyond ±15, ours goes on: they differ by 3e-7 at most.
What R minimises, and calls `value`, is 2N times the loss here for squared errors, N times for
others, and its decay counts biases too: no penalty is read.

multinom's networks, whose first input is the intercept, come with that in their biases.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network, assemble
from symgrad.interop.r_values import read as values_of
from symgrad.interop.source import input_names, labels_of, name_of
from symgrad.interop.source import read as text_of
from symgrad.interop.units import Unit, arranged

KIND = "network of R's nnet"
_NEEDED = ("n", "nconn", "conn", "nsunits", "wts")
_WANTED = (*_NEEDED, "softmax", "censored", "entropy", "lev", "lab", "coefnames")
INTERCEPT = "(Intercept)"


def read(
    path: str | os.PathLike[str], *, name: str | None = None, loss: LossLike | None = None
) -> Network:
    """The network in a file of `dput` or JSON, in float64. Raises InteropError."""
    text = text_of(path, KIND)
    try:
        values, classes = _json(text) if text.lstrip()[:1] == "{" else values_of(text, _WANTED)
        return _network(values, "multinom" in classes, name_of(path, name), loss)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def recognised(start: str) -> bool:
    """Whether a file that begins so is one."""
    compact = "".join(start.split())
    return compact.startswith(("structure(list(n=c(", "list(n=c(")) or (
        compact.startswith("{") and '"nconn":' in compact
    )


def _json(text: str) -> tuple[Mapping[str, Any], Sequence[str]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InteropError(f"no JSON: {error}") from error
    return {key: data[key] for key in _WANTED if key in data}, ()


def _network(
    values: Mapping[str, Any], multinom: bool, name: str, loss: LossLike | None
) -> Network:
    if missing := [key for key in _NEEDED if key not in values]:
        raise InteropError(
            f"there is no {missing[0]}; needed are {', '.join(_NEEDED)}, as in a fitted nnet"
        )
    n, units = _units(values)
    softmax = _flag(values, "softmax")
    hidden, outputs = units[: n[1]], units[n[1] :]
    if softmax:
        if any(unit.activation != "identity" for unit in outputs):
            raise InteropError("a softmax of sigmoids is not understood: nsunits should be smaller")
        outputs = [replace(unit, activation="softmax") for unit in outputs]
    names = _texts(values, "coefnames")
    inputs = list(range(1, 1 + n[0]))
    if multinom and names[:1] == [INTERCEPT] and not hidden:
        names, inputs = names[1:], inputs[1:]
        outputs = [_without_intercept(unit) for unit in outputs]
    layers = arranged(inputs, [each for each in (hidden, outputs) if each])
    labels = labels_of(_texts(values, "lev") or _texts(values, "lab"))
    if loss is None:
        loss = "cross_entropy" if softmax else "squared"
        loss = "binary_cross_entropy" if _flag(values, "entropy") else loss
    table = input_names(names) if len(names) == len(inputs) else {}
    network = assemble(layers, name, "float64", loss, table)
    return Network(network.spec, network.theta, labels if _fits(labels, n[2]) else None)


def _units(values: Mapping[str, Any]) -> tuple[list[int], list[Unit]]:
    """How many inputs, hidden units and outputs there are; and the latter two, in their order."""
    n = _wholes(values, "n")
    starts, sources = _wholes(values, "nconn"), _wholes(values, "conn")
    weights, sigmoids = _numbers(values, "wts"), _wholes(values, "nsunits")[0]
    if len(n) != 3 or n[0] < 1 or n[2] < 1 or len(starts) != sum(n) + 2:
        raise InteropError(
            "n should be the numbers of inputs, hidden units and outputs, nconn two more than all"
        )
    if starts[-1] != len(sources) or len(weights) != len(sources) or sorted(starts) != starts:
        raise InteropError("nconn, conn and wts do not fit each other")
    first = 1 + n[0]
    if any(starts[: first + 1]):
        raise InteropError("nconn gives inputs weights")
    return n, [
        _unit(number, starts, sources, weights, number < sigmoids)
        for number in range(first, sum(n) + 1)
    ]


def _fits(labels: Sequence[Any] | None, outputs: int) -> bool:
    return labels is not None and len(labels) == max(outputs, 2)


def _unit(
    number: int,
    starts: Sequence[int],
    sources: Sequence[int],
    weights: Sequence[float],
    sigmoid: bool,
) -> Unit:
    taken = range(starts[number], starts[number + 1])
    into = {sources[k]: weights[k] for k in taken}
    if len(into) != len(taken):
        raise InteropError(f"unit {number} takes a unit twice")
    bias = into.pop(0, None)
    if any(source >= number for source in into):
        raise InteropError(f"unit {number} takes a unit that is not before it")
    return Unit(number, f"unit {number}", into, bias, "sigmoid" if sigmoid else "identity")


def _without_intercept(unit: Unit) -> Unit:
    """Its weight for an input that is always 1 is a part of its bias."""
    rest = {key: weight for key, weight in unit.weights.items() if key != 1}
    bias = (unit.bias or 0.0) + unit.weights.get(1, 0.0)
    return replace(unit, weights=rest, bias=bias)


def _numbers(values: Mapping[str, Any], key: str) -> list[float]:
    given = values[key]
    given = given if isinstance(given, list) else [given]
    if not all(
        type(each) is float or (type(each) is int and abs(each) < 1 << 53) for each in given
    ):
        raise InteropError(f"{key} should be numbers")
    return [float(each) for each in given]


def _wholes(values: Mapping[str, Any], key: str) -> list[int]:
    numbers = _numbers(values, key)
    if not numbers or any(not each.is_integer() or not 0 <= each < 1 << 31 for each in numbers):
        raise InteropError(f"{key} should be whole numbers from 0 on")
    return [int(each) for each in numbers]


def _texts(values: Mapping[str, Any], key: str) -> list[str]:
    given = values.get(key)
    given = given if isinstance(given, list) else [given]
    return given if all(isinstance(each, str) for each in given) else []


def _flag(values: Mapping[str, Any], key: str) -> bool:
    given = values.get(key, False)
    given = given[0] if isinstance(given, list) and len(given) == 1 else given
    if not isinstance(given, bool):
        raise InteropError(f"{key} should be TRUE or FALSE")
    return given
