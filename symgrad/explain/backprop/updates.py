"""Three ways to take one step of descent, all with one program.

- *at once*: all weights by the gradient at one point. One sweep forward, one backward.
- *layer by layer, afresh*: from the last layer to the first, each by the gradient of the network as
  it is by then; block coordinate descent (Gauss-Seidel). A whole gradient for every layer.
- *layer by layer, in the sweep*: one sweep, but each layer is updated as soon as its gradient is
  known, so that errors travel down through weights that have changed already. One gradient's cost,
  but no gradient of any point.

The program is the compiler's, in loss-first order, run by its interpreter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.language.evaluate import evaluate
from symgrad.language.program import Definition, Program, name_of, prune
from symgrad.pipeline import derivatives

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sweep:
    """Loss and gradient, whole, and in parts that end each with the gradient of a layer."""

    whole: Program
    parts: tuple[tuple[Program, tuple[str, ...]], ...]  # a part, and the weights it ends with


def sweep_of(program: Program) -> Sweep:
    """`program`, cut after every layer's gradient: each part has what that gradient needs and no
    more, so that nothing has read a weight before its time. The loss is computed in the first.
    """
    whole = prune(program, ("E", *derivatives(program)))
    weights = [name_of(weight) for weight in whole.weights]
    parts: list[tuple[Program, tuple[str, ...]]] = []
    known: tuple[Definition, ...] = ()
    for number in sorted({_layer(name) for name in weights}, reverse=True):
        own = tuple(name for name in weights if _layer(name) == number)
        wanted = [f"d_{name}" for name in own] + ([] if known else ["E"])
        new = tuple(d for d in prune(whole, wanted).definitions if d not in known)
        inputs = (*whole.inputs, *(d.target for d in known))
        outputs = tuple(d.name for d in new)
        parts.append((replace(whole, inputs=inputs, definitions=new, outputs=outputs), own))
        known += new
    return Sweep(whole, tuple(parts))


def _layer(weight: str) -> int:
    """Of W2, and of W2x and W2h1, which are of a source or a head alone."""
    return int(re.sub(r"[a-z].*", "", weight[1:]))


def at_once(sweep: Sweep, given: Values, weights: Values, rate: float) -> tuple[float, Values]:
    values = evaluate(sweep.whole, given | weights)
    return float(values["E"]), {n: w - rate * values[f"d_{n}"] for n, w in weights.items()}


def afresh(sweep: Sweep, given: Values, weights: Values, rate: float) -> tuple[float, Values]:
    before = None
    for _, names in sweep.parts:
        values = evaluate(sweep.whole, given | weights)
        before = float(values["E"]) if before is None else before
        weights = weights | {n: weights[n] - rate * values[f"d_{n}"] for n in names}
    assert before is not None
    return before, weights


def in_sweep(sweep: Sweep, given: Values, weights: Values, rate: float) -> tuple[float, Values]:
    values: dict[str, Any] = given | weights
    for part, names in sweep.parts:
        values |= evaluate(part, values)
        values |= {n: values[n] - rate * values[f"d_{n}"] for n in names}
    return float(values["E"]), {n: values[n] for n in weights}


Step = Callable[[Sweep, Values, Values, float], tuple[float, Values]]
STEPPERS: Mapping[str, Step] = {"at_once": at_once, "afresh": afresh, "in_sweep": in_sweep}
