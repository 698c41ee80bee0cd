"""A network: its spec and its weights; and the ways between flat weights and arrays of layers.

theta  ──split──▶  [(W1, b1), (W2, None), …]  ──join──▶  theta
layers as they were read  ──assemble──▶  Network
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import SpecError
from symgrad.interop.activations import Declarations
from symgrad.interop.errors import InteropError
from symgrad.masks import is_masked
from symgrad.spec.formula import quoted
from symgrad.spec.names import module_problem
from symgrad.spec.spec import Loss, Spec
from symgrad.training.labels import portable, problem
from symgrad.training.trained import Label

Array: TypeAlias = NDArray[Any]

# The weights of a layer: W of shape (inputs, outputs), and b of shape (outputs,) if it has a bias.
Weights: TypeAlias = tuple[Array, Array | None]

# What a caller may give for a loss: a kind, plain data as in a spec file, or the real thing.
LossLike: TypeAlias = str | Mapping[str, Any] | Loss


@dataclass(frozen=True, eq=False)
class Network:
    """A spec and weights for it.

    `theta` has the shape (spec.weights,) and the spec's dtype, laid out as emitted modules have it:
    W1, b1, W2, b2, …, each W of shape (inputs, outputs) in C order. It may hold NaN and infinities:
    what came in goes out. `labels` are the classes in the order of the outputs, or the two that a
    single output tells apart, if they have names. Raises InteropError for weights, or labels, that
    do not fit the spec.
    """

    spec: Spec
    theta: Array
    labels: tuple[Label, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", checked(self.spec, self.theta))
        if self.labels is not None:
            object.__setattr__(self, "labels", _checked_labels(self.spec, tuple(self.labels)))

    @property
    def layers(self) -> list[Weights]:
        """W and b of each layer, as views of theta, but for heads: see `split`."""
        return split(self.spec, self.theta)

    def arrays(self) -> dict[str, Array]:
        """The weights by the names that they have in a module: W1, b1, …; views of theta."""
        found: dict[str, Array] = {}
        offset = 0
        for name, shape in _shapes(self.spec):
            found[name] = self.theta[offset : offset + prod(shape)].reshape(shape)
            offset += prod(shape)
        return found

    def classes(self, y: Any) -> Array:
        """The labels that outputs y of shape (samples, outputs) stand for, of shape (samples,).

        That of the largest output, or of a single one the second label from ½ on. Raises
        InteropError where there are no labels, or y has another shape.
        """
        if self.labels is None:
            raise InteropError(f"{self.spec.name} has no labels; its outputs are numbers")
        array = np.asarray(y)
        if array.ndim != 2 or array.shape[1] != self.spec.outputs:
            raise InteropError(
                f"y must have the shape (samples, {self.spec.outputs}), but has {array.shape}"
            )
        number = array[:, 0] >= 0.5 if self.spec.outputs == 1 else array.argmax(axis=1)
        return np.array(portable(self.labels))[number.astype(np.int64)]


def _checked_labels(spec: Spec, labels: tuple[Label, ...]) -> tuple[Label, ...]:
    expected = max(spec.outputs, 2)
    if len(labels) != expected or len(set(labels)) != expected:
        raise InteropError(
            f"{expected} labels are needed, all different, not {list(map(str, labels))}"
        )
    for label in labels:
        if not isinstance(label, str | int | float) or (wrong := problem(label)):
            raise InteropError(
                wrong if isinstance(label, str | int | float) else f"{label!r} is no label"
            )
    return labels


def _shapes(spec: Spec) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The arrays that theta holds, in their order."""
    for number, layer in enumerate(spec.layers, start=1):
        for group in spec.groups(number):
            for name, source in spec.sources(number, group.label):
                yield name, (spec.widths[source], group.units)
            if layer.bias:
                yield f"b{number}{group.label}", (group.units,)


def checked(spec: Spec, theta: Any) -> Array:
    """theta as an array that fits the spec; raises InteropError if it does not."""
    if is_masked(theta):
        raise InteropError("theta has masked values; weights have to be there")
    array = np.asarray(theta)
    if array.shape != (spec.weights,) or array.dtype != np.dtype(spec.dtype):
        raise InteropError(
            f"theta must be {spec.dtype} of shape ({spec.weights},),"
            f" but is {array.dtype} of shape {array.shape}"
        )
    return np.ascontiguousarray(array)


def split(spec: Spec, theta: Any) -> list[Weights]:
    """W and b of each layer, views of theta where that is an array, but for heads, whose columns
    stand side by side; b is None without a bias."""
    theta = checked(spec, theta)
    layers: list[Weights] = []
    offset = 0
    for number, (width, layer) in enumerate(zip(spec.taken, spec.layers, strict=True), start=1):
        parts: list[Weights] = []
        for group in spec.groups(number):
            end = offset + width * group.units
            weight = theta[offset:end].reshape(width, group.units)
            offset = end + layer.bias * group.units
            parts.append((weight, theta[end:offset] if layer.bias else None))
        layers.append(parts[0] if len(parts) == 1 else _side_by_side(parts))
    return layers


def _side_by_side(heads: Sequence[Weights]) -> Weights:
    """W and b of all heads, as those of one layer."""
    biases = [bias for _, bias in heads if bias is not None]
    return np.hstack([weight for weight, _ in heads]), np.concatenate(biases) if biases else None


def join(spec: Spec, layers: Sequence[Weights], names: Sequence[str] | None = None) -> Array:
    """The flat weights of layers given by W and b: the inverse of `split`.

    Numbers of another precision are rounded to the spec's. A bias that the spec has not is refused
    unless it is zero; one that is missing counts as zero. `names` are what messages call the
    layers. Raises InteropError where a shape or a dtype does not fit.
    """
    called = list(names or (f"layer {number}" for number in range(1, len(layers) + 1)))
    if len(layers) != len(spec.layers):
        raise InteropError(
            f"there are weights of {_counted(len(layers), 'layer')},"
            f" and {spec.name} has {_counted(len(spec.layers), 'layer')}"
        )
    parts: list[Array] = []
    for number, (weight, bias) in enumerate(layers):
        width, layer, name = spec.taken[number], spec.layers[number], called[number]
        weight = _fitting(weight, (width, layer.units), f"{name}: the weights", spec)
        if bias is not None:
            bias = _fitting(bias, (layer.units,), f"{name}: the bias", spec)
        if bias is not None and not layer.bias and np.any(bias != 0):
            raise InteropError(f"{name} has a bias, and layer {number + 1} of {spec.name} has none")
        biases = np.zeros(layer.units, spec.dtype) if bias is None else bias
        for group in spec.groups(number + 1):
            parts.append(weight[:, group.columns].ravel())
            parts += [biases[group.columns]] * layer.bias
    return np.concatenate(parts)


def _fitting(array: Any, shape: tuple[int, ...], what: str, spec: Spec) -> Array:
    """An array in the spec's dtype, if it holds real numbers in this shape."""
    if is_masked(array):
        raise InteropError(f"{what} have masked values; weights have to be there")
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise InteropError(f"{what} must be real numbers, but are {array.dtype}")
    if array.shape != shape:
        raise InteropError(f"{what} must have the shape {shape}, but have {array.shape}")
    return rounded(array, spec.dtype)


def rounded(array: Array, dtype: str) -> Array:
    """In another precision; what is too large for it becomes infinite, without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(dtype)


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer as it was read: W of shape (inputs, outputs), b of shape (outputs,) or None.

    `activation` is the name of a built-in one, or a formula in z. `name` is what messages call it.
    """

    weight: Array
    bias: Array | None
    activation: str = "z"
    residual: bool = False
    name: str = "layer"
    hint: str = "activation"  # what a declared activation might be called
    sources: tuple[int, ...] | None = None  # numbers of the layers it takes, 0 the inputs


def assemble(
    layers: Sequence[Layer],
    name: str,
    dtype: str,
    loss: LossLike | None = None,
    inputs: Mapping[str, Any] = MappingProxyType({}),
    outputs: Mapping[str, Any] = MappingProxyType({}),
) -> Network:
    """The network of layers that were read one after the other; loss None asks for the usual one.
    `inputs` and `outputs` are more of the spec's tables of these: names, shift, scale, clip.

    Raises InteropError where layers do not fit each other, SpecError for a name or loss that is
    none.
    """
    if not layers:
        raise InteropError("there is no layer with weights: a network has at least one")
    for number, (before, after) in enumerate(pairwise(layers), start=1):
        if after.sources not in (None, (number,)):
            continue
        if before.weight.shape[1] != after.weight.shape[0]:
            raise InteropError(
                f"{after.name} takes {after.weight.shape[0]} inputs,"
                f" but {before.name} before it has {before.weight.shape[1]} outputs"
            )
    declared = Declarations(dtype)
    plain: list[dict[str, Any]] = [
        {
            "units": int(layer.weight.shape[1]),
            "activation": declared.name(layer.activation, layer.hint, layer.name),
            "bias": layer.bias is not None,
            "residual": layer.residual,
            **_from(layer, number),
        }
        for number, layer in enumerate(layers)
    ]
    for layer, data in zip(layers[:-1], plain, strict=False):
        if declared.mixes_units(data["activation"]):
            raise InteropError(
                f"{layer.name}: {data['activation']} takes a sum over the units, which only the"
                " last layer may do"
            )
    data = {
        "name": name,
        "dtype": dtype,
        "inputs": {"count": int(layers[0].weight.shape[0]), **inputs},
        "layers": plain,
        "outputs": dict(outputs),
        "loss": _loss(loss, {**plain[-1], "scaled": bool(outputs)}),
        "activations": declared.formulas,
    }
    spec = Spec.parse(data)
    return Network(spec, join(spec, [(layer.weight, layer.bias) for layer in layers]))


def _from(layer: Layer, before: int) -> dict[str, Any]:
    """What a layer takes, if that is not just what the layer before it gives."""
    if layer.sources in (None, (before,)):
        return {}
    return {"from": [f"a{number}" if number else "x" for number in layer.sources or ()]}


def module_name(given: str) -> str:
    """A spec's name from that of a file or a graph, as far as it may have it."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", given.split(".")[0]).strip("_")
    return name if name and module_problem(name) is None else "network"


def with_loss(spec: Spec, loss: LossLike) -> Spec:
    """The same network with another loss."""
    return Spec.parse({**spec.normalised(), "loss": _loss(loss, {})})


def with_name(spec: Spec, name: str) -> Spec:
    """The same network under another name."""
    return Spec.parse({**spec.normalised(), "name": name})


def _loss(loss: LossLike | None, last: Mapping[str, Any]) -> Any:
    """As plain data; where nothing is said, what is usual with the last layer's activation."""
    if loss is None:
        usual = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}
        own = not last["residual"] and not last["scaled"]
        return {"kind": usual.get(last["activation"], "squared") if own else "squared"}
    if isinstance(loss, str):
        return {"kind": loss}
    if isinstance(loss, Loss):
        data = loss.model_dump(exclude_defaults=True)
        return {key: value for key, value in data.items() if value is not None}
    if not isinstance(loss, Mapping):
        raise SpecError(f"a loss is a kind, a mapping or a Loss, not {quoted(repr(loss))}")
    return dict(loss)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
