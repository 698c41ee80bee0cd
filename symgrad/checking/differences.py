"""Derivatives from values of the loss alone: differences, and the complex step.

All take the loss as a function of the weights and compute in longdouble, which has 64 bits of
mantissa on x86 (where it is no wider than double, expect 1e-9 instead of 1e-12). A difference
that straddles a kink means nothing. Kinks are recognised from the loss alone, never from the
gradient that is judged, and counted, so that a wrong gradient can't pass for a kink.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Loss: TypeAlias = Callable[[Array], Any]

STEPS = np.longdouble(0.5) ** np.arange(5, 22)  # 1/32 to 5e-7, below which rounding takes over
ROUNDING = np.finfo(np.longdouble).eps


def central_differences(loss: Loss, theta: Array, step: float) -> Array:
    """The textbook gradient (E(θ+h) - E(θ-h)) / 2h by every weight; its error is of order h²."""
    theta, h = np.asarray(theta, np.longdouble), np.longdouble(step)
    rises = [loss(theta + h * v) - loss(theta - h * v) for v in unit_vectors(theta.size)]
    return np.array(rises, np.longdouble) / (2 * h)


@np.errstate(all="ignore")
def complex_step(loss: Loss, theta: Array, directions: Iterable[Array]) -> Array:
    """Im E(θ + ihv) / h along each v: no difference is taken, so nothing cancels (Squire 1998)."""
    theta, h = np.asarray(theta, np.clongdouble), np.longdouble(1e-100)
    rises = [loss(theta + np.clongdouble(1j) * h * v).imag for v in directions]
    return np.array(rises, np.longdouble) / h


def unit_vectors(size: int, coordinates: Iterable[int] | None = None) -> Iterator[Array]:
    """One after the other: together they would be a matrix."""
    for coordinate in range(size) if coordinates is None else coordinates:
        vector = np.zeros(size, np.longdouble)
        vector[coordinate] = 1
        yield vector


def choose(sizes: Sequence[int], most: int, seed: int = 0) -> Array:
    """Coordinates of a flat vector of arrays: all, or a random share of `most` from each array."""
    offsets = np.cumsum([0, *sizes])
    if offsets[-1] <= most:
        return np.arange(offsets[-1])
    generator, share = np.random.default_rng(seed), max(1, most // len(sizes))
    chosen = [generator.choice(size, min(size, share), replace=False) for size in sizes]
    return np.sort(np.concatenate([c + o for c, o in zip(chosen, offsets, strict=False)]))


@dataclass(frozen=True)
class Slope:
    """A derivative along one direction."""

    value: Any
    error: Any  # an estimate of its size; infinity where nothing converged
    jump: Any  # right-hand minus left-hand derivative: a kink at the point, if not 0

    def trusted(self, tolerance: float) -> bool:
        return bool(self.error <= tolerance and abs(self.jump) <= tolerance)


@np.errstate(all="ignore")  # values that are not finite are looked for, not warned of
def slope(loss: Loss, theta: Array, direction: Array) -> Slope:
    """Central differences with halving steps, extrapolated to step 0 (Richardson; Ridders 1982).

    An entry of the table depends on its few last steps only, so a kink that the larger steps
    straddle is left behind. A kink nearer than the smallest step shows in the jump.
    """
    theta = np.asarray(theta, np.longdouble)

    def along(h: Any) -> Any:
        return loss(theta + h * direction)

    here = along(np.longdouble(0))
    value, error = np.longdouble(np.nan), np.longdouble(np.inf)
    row: list[Any] = []
    for h in STEPS:
        previous, row = row, [(along(h) - along(-h)) / (2 * h)]
        noise = 4 * ROUNDING * abs(here) / h
        for column, above in enumerate(previous[:6]):
            left = row[column]
            row.append(left + (left - above) / (4 ** (column + 1) - 1))
            doubt = max(abs(row[-1] - left), abs(row[-1] - above)) + noise
            if doubt < error:  # never where the loss was not finite
                value, error = row[-1], doubt
        if error <= max(1e-13 * abs(value), 2 * noise):
            break

    # R(h) - L(h) = jump + h E'' + O(h³), and extrapolation removes the middle term. A kink at the
    # point shows at both scales; one beside it at the larger only, and noise at the smaller.
    bends = [(along(h) - 2 * here + along(-h)) / h for h in (STEPS[8], STEPS[9], *STEPS[-2:])]
    jumps = [2 * fine - coarse for coarse, fine in (bends[:2], bends[2:])]
    return Slope(value, error, min(jumps, key=abs))


@dataclass(frozen=True)
class Shrinking:
    """How |central difference - gradient·v| shrinks as the step is halved, along a direction v."""

    steps: Array
    errors: Array
    final: float  # the error of step 0, by extrapolation
    floor: float  # up to which `final` is accepted
    kinked: int  # directions left out because of a kink within reach

    @property
    def ratios(self) -> Array:
        """Between successive errors while they stand clear of what remains: 4 is the law h²."""
        return self.errors[: self._clear - 1] / self.errors[1 : self._clear]

    @property
    def _clear(self) -> int:
        remains = 8 * max(self.final, self.floor / 100)
        return max(1, int(np.argmin([*~(self.errors <= remains), False])))

    @property
    def passed(self) -> bool:
        """The error vanishes, and just before it does it shrinks at least as fast as h²."""
        return bool(self.final <= self.floor and np.all(self.ratios[-2:] >= 3))


@np.errstate(all="ignore")
def shrinking_error(
    loss: Loss, theta: Array, gradient: Array, floor: float, seed: int = 0, most: int = 8
) -> Shrinking | None:
    """Evidence from all the weights at once, along a random direction of length 1.

    Errors up to `floor` pass. Directions on which the loss's own slope doesn't show the law have a
    kink within reach; up to `most` are tried, and None says that all were like that.
    """
    theta, gradient = np.asarray(theta, np.longdouble), np.asarray(gradient, np.longdouble)
    generator = np.random.default_rng(seed)
    for kinked in range(most):
        v = np.asarray(generator.standard_normal(theta.size), np.longdouble)
        v /= np.sqrt(v @ v)
        own = slope(loss, theta, v)
        if not own.trusted(floor / 10):
            continue
        rises = [loss(theta + h * v) - loss(theta - h * v) for h in STEPS]
        measured = np.array(rises, np.longdouble) / (2 * STEPS)
        law = Shrinking(STEPS, np.abs(measured - own.value), 0.0, floor, kinked)
        if law.passed:
            judged = gradient @ v
            final = float(abs(own.value - judged))
            return Shrinking(STEPS, np.abs(measured - judged), final, floor, kinked)
    return None
