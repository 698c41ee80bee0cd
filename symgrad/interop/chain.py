"""A chain of layers as other libraries have it: linear ones, and activations apart from them."""

from dataclasses import dataclass, field

from symgrad.interop.activations import composed
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Layer, rounded


@dataclass
class Chain:
    """The layers so far; each call names what it stands for, as messages call it."""

    layers: list[Layer] = field(default_factory=list)

    def linear(self, name: str, weight: Array, bias: Array | None) -> None:
        """W of shape (inputs, outputs), b of shape (outputs,)."""
        self.layers.append(
            Layer(widened(weight), None if bias is None else widened(bias), name=name)
        )

    def activation(self, name: str, formula: str, hint: str) -> None:
        """An activation, by its name here or by its formula; after another one it is of that."""
        if not self.layers:
            raise InteropError(f"{name}: an activation before the first layer with weights")
        last = self.layers[-1]
        if last.activation != "z":
            formula, hint = composed(formula, last.activation), f"{last.hint}_{hint}"
        self.layers[-1] = Layer(last.weight, last.bias, formula, False, last.name, hint)

    @property
    def dtype(self) -> str:
        """float64 if any weights are, else float32."""
        arrays = [array for layer in self.layers for array in (layer.weight, layer.bias)]
        wide = any(array is not None and array.dtype.itemsize == 8 for array in arrays)
        return "float64" if wide else "float32"


def widened(array: Array) -> Array:
    """Half precisions as float32, which holds each of their numbers."""
    return rounded(array, "float32") if array.dtype.itemsize < 4 else array
