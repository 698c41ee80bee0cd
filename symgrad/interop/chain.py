"""A chain of layers as other libraries have it: linear ones, affine maps of each feature, and
activations apart from them."""

from dataclasses import dataclass, field, replace

import numpy as np

from symgrad.interop.activations import composed
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Layer, rounded


@dataclass
class Chain:
    """The layers so far; each call names what it stands for, as messages call it.

    An affine map goes into the weights of the linear layer before it, or, where an activation is
    between them, of the one after it; where there is none, into one with a diagonal matrix.
    """

    done: list[Layer] = field(default_factory=list)
    waiting: tuple[str, Array, Array] | None = None  # a scale and a shift for the next layer
    wide: bool = False

    def linear(self, name: str, weight: Array, bias: Array | None) -> None:
        """W of shape (inputs, outputs), b of shape (outputs,)."""
        weight, bias = widened(weight), None if bias is None else widened(bias)
        self.wide |= any(each is not None and each.dtype.itemsize == 8 for each in (weight, bias))
        if self.waiting is not None:
            (called, scale, shift), self.waiting = self.waiting, None
            _check_fit(called, scale, shift, weight.shape[0])
            with np.errstate(all="ignore"):
                added = np.broadcast_to(shift, weight.shape[:1]) @ weight.astype(np.float64)
                weight = np.broadcast_to(scale, weight.shape[:1])[:, None] * weight
                bias = added if bias is None else bias + added
        self.done.append(Layer(weight, bias, name=name))

    def affine(self, name: str, scale: Array, shift: Array) -> None:
        """x·scale + shift for each feature, or for all of them, in float64."""
        last = self.done[-1] if self.done else None
        if self.waiting is not None:
            called, before, added = self.waiting
            self.waiting = (f"{called}, {name}", before * scale, added * scale + shift)
        elif last is None or last.activation != "z":
            self.waiting = (name, scale, shift)
        else:
            _check_fit(name, scale, shift, last.weight.shape[1])
            with np.errstate(all="ignore"):
                bias = (0 if last.bias is None else last.bias) * scale + shift
                bias = np.broadcast_to(bias, last.weight.shape[1:])
                self.done[-1] = replace(last, weight=last.weight * scale, bias=bias)

    def activation(self, name: str, formula: str, hint: str) -> None:
        """An activation, by its name here or by its formula; after another one it is of that."""
        self._diagonal()
        if not self.done:
            raise InteropError(f"{name}: an activation before the first layer with weights")
        last = self.done[-1]
        if last.activation != "z":
            formula, hint = composed(formula, last.activation), f"{last.hint}_{hint}"
        self.done[-1] = replace(last, activation=formula, hint=hint)

    def _diagonal(self) -> None:
        """A layer for a map that no other has taken in."""
        if self.waiting is None:
            return
        called, scale, _ = self.waiting
        width = self.done[-1].weight.shape[1] if self.done else np.size(scale)
        self.linear(called, np.eye(width, dtype=np.float32), None)

    @property
    def layers(self) -> list[Layer]:
        """All of them, from the input to the output."""
        self._diagonal()
        return self.done

    @property
    def dtype(self) -> str:
        """float64 if any weights are, else float32."""
        return "float64" if self.wide else "float32"


def _check_fit(name: str, scale: Array, shift: Array, width: int) -> None:
    for each in (scale, shift):
        if np.size(each) not in (1, width):
            raise InteropError(f"{name} is of {np.size(each)} features, and there are {width}")


def widened(array: Array) -> Array:
    """Half precisions as float32, which holds each of their numbers."""
    return rounded(array, "float32") if array.dtype.itemsize < 4 else array
