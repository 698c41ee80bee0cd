"""Where formulas are tried: the edges of a dtype, and ordinary places between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

SIZES = {
    "float32": (1e-45, 1e-40, 1.2e-38, 1e-30, 1e-19, 1e-8, 1e-4, 0.03, 0.3, 0.7, 1.0, 1.5, 2.5, 5.0,
                10.0, 17.0, 20.0, 44.0, 88.0, 89.0, 100.0, 104.0, 710.0, 1e4, 1e10, 1e19, 2e19,
                1e30, 1e38, 3.4e38),
    "float64": (5e-324, 1e-310, 2.3e-308, 1e-200, 1e-154, 1e-17, 1e-8, 1e-4, 0.03, 0.3, 0.7, 1.0,
                1.5, 2.5, 5.0, 10.0, 20.0, 37.0, 88.0, 100.0, 354.0, 700.0, 710.0, 745.0, 800.0,
                1e4, 1e19, 1e38, 1e154, 2e154, 1e300, 1.7e308),
}  # fmt: skip
ORDINARY = (0.0, 0.3, -0.3, 1.0, -1.0, 2.0, -2.5, 10.0, -10.0)
TARGETS = (0.0, 1.0, 0.5, -1.0, 0.3, 2.0, 10.0)


@dataclass(frozen=True)
class Place:
    """What the units get before activation, and their targets."""

    z: tuple[float, ...]
    t: tuple[float, ...]


def edges(dtype: str) -> list[float]:
    sizes = [float(np.dtype(dtype).type(size)) for size in SIZES[dtype]]
    signed = [sign * size for size in sizes for sign in (1.0, -1.0)]
    return [0.0, -0.0, *signed, float("inf"), float("-inf"), float("nan")]


def places(rng: Random, dtype: str, units: int, pairs: bool, count: int = 40) -> list[Place]:
    """Every edge for one unit alone; a random choice where there are several numbers."""
    all_of_them = edges(dtype)
    if units == 1 and not pairs:
        return [Place((z,), (1.0,)) for z in all_of_them]
    return [_place(rng, all_of_them, units) for _ in range(count)]


def _place(rng: Random, everything: Sequence[float], units: int) -> Place:
    choice = rng.choice(("edge", "edge", "all edges", "equal", "ordinary"))
    if choice == "all edges":
        z = [rng.choice(everything) for _ in range(units)]
    elif choice == "equal":
        z = [rng.choice(everything)] * units
    else:
        z = [rng.choice(ORDINARY) for _ in range(units)]
        if choice == "edge":
            z[rng.randrange(units)] = rng.choice(everything)
    t = [rng.choice(TARGETS) for _ in range(units)]
    if rng.random() < 0.2:
        t = list(z)
    return Place(tuple(z), tuple(t))


def plainness(place: Place) -> float:
    """Smaller for places that a person would rather look at."""

    def each(value: float) -> float:
        if not np.isfinite(value):
            return 1e6
        digits = len(f"{value:.9g}".strip("-0."))
        return abs(np.log10(abs(value) or 1.0)) * 3 + digits + (value < 0) / 2

    return sum(map(each, (*place.z, *place.t)))
