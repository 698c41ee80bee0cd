"""read: a file `.nnet`, in which verifiers of networks, as those of ACAS Xu, have theirs.

    x' = min(max(x, minimum), maximum)          a0 = (x' - mean)/range
    a1 = relu(W1·a0 + b1)   …   aL = WL·aL-1 + bL
    y = aL·range + mean                         one mean and one range for all outputs

Programs that read such files differ: some leave out the scaling, some the cut. `scaling=False` and
`clip=False` do as they do.
"""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np

from symgrad.interop.affine import EVERYWHERE, Affine, Range, of_inputs, of_outputs
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Layer, LossLike, Network, assemble
from symgrad.interop.source import name_of, number, whole
from symgrad.interop.source import read as text_of
from symgrad.spec.limits import LAYERS, UNITS, WEIGHTS

# What stands for no minimum and no maximum: readers may take numbers as float32.
FAR = 3.4028234663852886e38

_T = TypeVar("_T", int, float)


def read(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    loss: LossLike | None = None,
    scaling: bool = True,
    clip: bool = True,
) -> Network:
    """The network in a `.nnet` file, in float64. Raises InteropError."""
    lines = _Lines(path, text_of(path, ".nnet file"))
    layers, inputs, outputs, _ = lines.wholes("the numbers of layers, inputs and outputs", 4)
    widths = lines.wholes("the sizes of the layers", layers + 1)
    if widths[0] != inputs or widths[-1] != outputs:
        raise lines.refusal(
            f"layers of the sizes {widths} have not {inputs} inputs and {outputs} outputs"
        )
    if wrong := WEIGHTS.refusal(sum(a * b for a, b in pairwise(widths))):
        raise lines.refusal(wrong)
    lines.next("a flag that is no longer used")
    low, high = lines.numbers("the minima", inputs), lines.numbers("the maxima", inputs)
    means = lines.numbers("the means", inputs + 1)
    ranges = lines.numbers("the ranges", inputs + 1)
    made = []
    for place, (width, units) in enumerate(pairwise(widths), start=1):
        weight = np.array([lines.numbers(f"a row of W{place}", width) for _ in range(units)])
        bias = np.array([lines.numbers(f"a bias of layer {place}", 1)[0] for _ in range(units)])
        activation = "relu" if place < layers else "identity"
        made.append(Layer(weight.T, bias, activation, name=f"layer {place}"))
    lines.end()
    try:
        before, after = [Affine()] * inputs, [Affine()] * outputs
        if scaling:
            before = [
                Affine().plus(-mean).over(scale)
                for mean, scale in zip(means[:-1], ranges[:-1], strict=True)
            ]
            after = [Affine().times(ranges[-1]).plus(means[-1])] * outputs
        cut = [_range(*each) for each in zip(low, high, strict=True)] if clip else ()
        return assemble(
            made, name_of(path, name), "float64", loss, of_inputs(before, cut), of_outputs(after)
        )
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def _range(low: float, high: float) -> Range:
    if low <= -FAR and high >= FAR:
        return EVERYWHERE
    if low == high:
        raise InteropError(
            f"an input is held at {low}, its minimum and maximum; clip=False lets it go"
        )
    return low, high


class _Lines:
    """The lines after the comments, one by one."""

    def __init__(self, path: str | os.PathLike[str], text: str) -> None:
        self.path, self.number = path, 0
        self.lines: Iterator[tuple[int, str]] = (
            (number, line)
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.lstrip().startswith("//")
        )

    def refusal(self, said: str) -> InteropError:
        return InteropError(f"{self.path}, line {self.number}: {said}")

    def next(self, what: str) -> list[str]:
        """The fields of the next line."""
        following = next(self.lines, None)
        if following is None:
            raise InteropError(f"{self.path}: it ends where {what} should stand")
        self.number, line = following
        return [field.strip() for field in line.strip().rstrip(",").split(",")]

    def numbers(self, what: str, count: int) -> list[float]:
        return self._each(what, count, number)

    def wholes(self, what: str, count: int) -> list[int]:
        most = max(UNITS.value, LAYERS.value)
        return self._each(what, count, lambda field, what: whole(field, what, 1, most))

    def _each(self, what: str, count: int, read: Callable[[str, str], _T]) -> list[_T]:
        fields = self.next(what)
        if len(fields) != count:
            raise self.refusal(f"{what} should be {count}, but there are {len(fields)}")
        try:
            return [read(field, what) for field in fields]
        except InteropError as error:
            raise self.refusal(str(error)) from None

    def end(self) -> None:
        following = next(self.lines, None)
        if following is not None:
            self.number = following[0]
            raise self.refusal("there is more than the layers have")
