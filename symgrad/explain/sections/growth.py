"""Section 4: how each stage grows with the width of the layers and with their number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from typing import Any

import numpy as np

from symgrad.explain.clock import Clock
from symgrad.explain.plain import REASON, is_plain
from symgrad.explain.sections.counts import Counts, count
from symgrad.showing.pages.blocks import Block, Lines, Section, Series, Table, Words, several
from symgrad.spec.spec import Spec

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


@dataclass(frozen=True)
class Family:
    """Networks like the reader's that differ in one respect."""

    key: str  # "width" or "depth"
    values: Sequence[int]
    make: Callable[[int], Spec]
    fixed: str  # what n is, and all else
    axis: str


@dataclass(frozen=True)
class Member:
    """One network of a family, counted."""

    n: int
    spec: Spec
    counts: Counts

    def of(self, stage: str) -> int | None:
        found: int | None = getattr(self.counts, stage)
        return found


def growth(spec: Spec, clock: Clock) -> Section:
    """Networks like the reader's, wider and deeper, each counted as in `counts`.

    `data`: for `width` and `depth` each a list of `networks`, with `widths`, `weights` and the
    counts; and `exponents`, by stage: the k of operations ∝ widthᵏ or depthᵏ, fitted by least
    squares on the logarithms of the last 3 networks. `per_layer` is the factor that one more
    layer multiplies the operations by, at the last two.
    """
    layers = min(len(spec.layers), DEEP)
    families = (
        Family(
            "width",
            WIDTHS,
            lambda n: _like(spec, n, layers),
            f"{several(layers, 'layer')} of n units and n inputs",
            "units a layer",
        ),
        Family(
            "depth",
            DEPTHS,
            lambda n: _like(spec, NARROW, n),
            f"n layers of {NARROW} units",
            "layers",
        ),
    )
    blocks: list[Block] = []
    if not is_plain(spec):
        yours = "has heads" if spec.has_heads else f"is {REASON}"
        blocks.append(Words(f"These networks have the squared error: yours {yours}."))
    data: dict[str, Any] = {}
    missing = ""
    for family in families:
        members = _counted(family, clock)
        if len(members) < len(family.values):
            missing = clock.why
        if len(members) > 1:
            data[family.key] = _numbers(family, members)
            blocks += _shown(family, members, data[family.key])
    return Section("growth", "How each stage grows", tuple(blocks), data, missing)


def _counted(family: Family, clock: Clock) -> list[Member]:
    """As many of a family as there is time for."""
    members: list[Member] = []
    for n in family.values:
        clock.progress(f"counting, {family.key} {n}", len(members) / len(family.values))
        if clock.over:
            break
        network = family.make(n)
        members.append(Member(n, network, count(network)))
    return members


def _like(spec: Spec, width: int, layers: int) -> Spec:
    """`spec` with so many layers, all of one width; its hidden layers are repeated as needed."""
    described = spec.unnamed().normalised() if is_plain(spec) else _plain(spec)
    *hidden, last = described["layers"]
    if not hidden:  # a softmax can only come last
        hidden = [last if last["activation"] != "softmax" else {**last, "activation": "tanh"}]
    chosen = [hidden[k % len(hidden)] for k in range(layers - 1)] + [last]
    return Spec.parse(
        {
            **described,
            "inputs": width,
            "layers": [_in_a_row(layer, width) for layer in chosen],
            "activations": {
                name: own
                for name, own in described.get("activations", {}).items()
                if name in {layer["activation"] for layer in chosen}
            },
        }
    )


def _in_a_row(layer: Mapping[str, Any], width: int) -> dict[str, Any]:
    """A layer that takes the output of the one before."""
    return {**{key: value for key, value in layer.items() if key != "from"}, "units": width}


def _plain(spec: Spec) -> dict[str, Any]:
    """The same network with a loss that any other shape can have, too."""
    described = spec.without_penalties().normalised()
    last = described["layers"][-1]
    last.pop("names", None)
    if last.pop("heads", None) is not None:
        last["activation"] = "identity"
    return {**described, "loss": {"kind": "squared"}, "derivatives": []}


def _numbers(family: Family, members: Sequence[Member]) -> Mapping[str, Any]:
    exponents = {stage: _exponent(_curve(members, stage)) for stage in SHOWN}
    numbers: dict[str, Any] = {
        "networks": [
            {"widths": list(m.spec.widths), "weights": m.spec.weights, **asdict(m.counts)}
            for m in members
        ],
        "exponents": {k: round(exponent, 2) for k, exponent in exponents.items() if exponent},
    }
    if family.key == "depth":
        (a, first), (b, second) = _curve(members, "textbook_trees")[-2:]
        factor = exp((log(second) - log(first)) / (b - a))
        numbers["per_layer"] = {"textbook_trees": round(factor, 2)}
    return numbers


def _shown(
    family: Family, members: Sequence[Member], numbers: Mapping[str, Any]
) -> Iterator[Block]:
    yield Table(
        ("n", "weights", *SHOWN.values()),
        tuple((m.n, m.spec.weights, *(_short(m.of(stage)) for stage in SHOWN)) for m in members),
        title=f"Operations with {family.key}: {family.fixed}",
    )
    yield Lines(
        f"Operations with {family.key}",
        family.axis,
        "operations",
        tuple(
            Series(title, tuple((float(x), float(y)) for x, y in _curve(members, stage)))
            for stage, title in SHOWN.items()
            if stage != "hand_backprop"  # lies on the one that is loss first
        ),
    )
    fitted = [
        f"{exponent:.2f} ({SHOWN[stage]})"
        for stage, exponent in numbers["exponents"].items()
        if (family.key, stage) != ("depth", "textbook_trees")  # grow by a factor, see below
    ]
    yield Words(
        f"Fitted to the last {min(FITTED, len(members))} networks, operations grow with the number "
        f"of {family.axis.split()[0]} to the power of {', '.join(fitted)}."
    )
    if "per_layer" in numbers:
        yield Words(
            "At the end of the table each further layer multiplies the trees by "
            f"{numbers['per_layer']['textbook_trees']:.1f}."
        )


def _curve(members: Sequence[Member], stage: str) -> list[tuple[int, int]]:
    return [(m.n, operations) for m in members if (operations := m.of(stage)) is not None]


def _short(number: int | None) -> int | float | None:
    return float(number) if number is not None and number >= LONG else number


def _exponent(curve: Sequence[tuple[int, int]]) -> float | None:
    """The slope of the logarithms; those of numbers too large for a float are taken exactly."""
    if len(curve) < 2:
        return None
    x, y = ([log(value) for value in values] for values in zip(*curve[-FITTED:], strict=True))
    return float(np.polyfit(x, y, 1)[0])
