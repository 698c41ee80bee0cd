"""Section 4: how each stage grows with the width of the layers and with their number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from math import exp, log
from typing import Any

import numpy as np

from symgrad.compiler.spec import Spec
from symgrad.explain.clock import Clock
from symgrad.explain.report import Block, Lines, Section, Series, Table, Words
from symgrad.explain.sections.counts import Counts, count

WIDTHS = (2, 4, 8, 16, 32, 64)
DEPTHS = (1, 2, 3, 4, 6, 8, 12)
DEEP = 4  # layers of the networks whose width grows, at most
NARROW = 4  # units of the layers whose number grows
FITTED = 3  # the last so many points: the leading term shows once the others are small beside it

SHOWN = {
    "loss": "loss",
    "textbook_trees": "trees",
    "shared_only": "shared",
    "weights_first": "weights first",
    "loss_first": "loss first",
    "hand_backprop": "by hand",
}
LONG = 10**7  # from here on a table has three digits of a figure; the JSON has them all


def growth(spec: Spec, clock: Clock) -> Section:
    """Networks like the reader's, wider and deeper, each counted as in `counts`.

    `data`: for `width` and `depth` each a list of `networks`, with `widths`, `weights` and the
    counts; and `exponents`, by stage: the k of operations ∝ widthᵏ or depthᵏ, fitted by least
    squares on the logarithms of the last 3 networks. `per_layer` is the factor that one more
    layer multiplies the operations by, at the last two.
    """
    layers = min(len(spec.layers), DEEP)
    families: Mapping[str, tuple[Sequence[int], Callable[[int], Spec]]] = {
        "width": (WIDTHS, lambda n: _like(spec, n, layers)),
        "depth": (DEPTHS, lambda n: _like(spec, NARROW, n)),
    }
    blocks: list[Block] = []
    data: dict[str, Any] = {}
    missing = ""
    for name, (values, make) in families.items():
        found: list[tuple[int, Spec, Counts]] = []
        for done, value in enumerate(values):
            clock.progress(f"counting, {name} {value}", done / len(values))
            if clock.over:
                missing = clock.why
                break
            network = make(value)
            found.append((value, network, count(network)))
        if len(found) > 1:
            drawn, numbers = _family(name, found, layers)
            blocks += drawn
            data[name] = numbers
    return Section("growth", "How each stage grows", tuple(blocks), data, missing)


def _like(spec: Spec, width: int, layers: int) -> Spec:
    """`spec` with so many layers, all of one width; its hidden layers are repeated as needed."""
    described = spec.normalised()
    *hidden, last = described["layers"]
    if not hidden:  # a softmax can only come last
        hidden = [last if last["activation"] != "softmax" else {**last, "activation": "tanh"}]
    chosen = [hidden[k % len(hidden)] for k in range(layers - 1)] + [last]
    return Spec.parse(
        {
            **described,
            "inputs": width,
            "layers": [{**layer, "units": width} for layer in chosen],
            "activations": {
                name: own
                for name, own in described.get("activations", {}).items()
                if name in {layer["activation"] for layer in chosen}
            },
        }
    )


def _family(
    name: str, found: list[tuple[int, Spec, Counts]], layers: int
) -> tuple[list[Block], Mapping[str, Any]]:
    curves = {
        key: [(value, n) for value, _, c in found if (n := asdict(c)[key]) is not None]
        for key in SHOWN
    }
    exponents = {key: round(_exponent(curve), 2) for key, curve in curves.items() if curve}
    rows = tuple(
        (value, network.weights, *(_short(asdict(c)[key]) for key in SHOWN))
        for value, network, c in found
    )
    fixed = (
        f"{layers} layers of n units and n inputs"
        if name == "width"
        else f"n layers of {NARROW} units"
    )
    blocks: list[Block] = [
        Table(("n", "weights", *SHOWN.values()), rows, title=f"Operations with {name}: {fixed}"),
        Lines(
            f"Operations with {name}",
            "units a layer" if name == "width" else "layers",
            "operations",
            tuple(
                Series(SHOWN[key], tuple((float(x), float(y)) for x, y in curve))
                for key, curve in curves.items()
                if curve and key != "hand_backprop"
            ),
        ),
    ]
    numbers: dict[str, Any] = {
        "networks": [
            {"widths": list(network.widths), "weights": network.weights, **asdict(c)}
            for _, network, c in found
        ],
        "exponents": exponents,
    }
    grows = "units" if name == "width" else "layers"
    blocks.append(
        Words(
            f"Fitted to the last {min(FITTED, len(found))} networks, operations grow with the "
            f"number of {grows} to the power of "
            + ", ".join(
                f"{exponents[key]:.2f} ({SHOWN[key]})"
                for key in exponents
                if (name, key) != ("depth", "textbook_trees")
            )
            + "."
        )
    )
    if name == "depth":
        trees = curves["textbook_trees"]
        (a, first), (b, second) = trees[-2:]
        factor = exp((log(second) - log(first)) / (b - a))
        numbers["per_layer"] = {"textbook_trees": round(factor, 2)}
        blocks.append(
            Words(
                f"The trees follow no power of the depth: each further layer multiplies them by "
                f"{factor:.1f}, at the end of the table."
            )
        )
    return blocks, numbers


def _short(number: int | None) -> int | float | None:
    return float(number) if number is not None and number >= LONG else number


def _exponent(curve: Sequence[tuple[int, int]]) -> float:
    """The slope of the logarithms; those of numbers too large for a float are taken exactly."""
    x = [log(value) for value, _ in curve[-FITTED:]]
    y = [log(n) for _, n in curve[-FITTED:]]
    return float(np.polyfit(x, y, 1)[0])
