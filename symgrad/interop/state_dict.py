"""PyTorch's state dicts: weight and bias of each layer by name, and which layer is which.

A dict has its keys in some order, and that need not be the layers': a module lists its parts in
the order in which they were made, a file of safetensors in the order of text (0, 10, 2). So that
order says nothing here. Names that differ in a number first are ordered by it; other layers are
told apart by their shapes, or by who has the model.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from symgrad.interop.errors import InteropError
from symgrad.spec.spec import Spec

# Of each layer's weight, (outputs, inputs), by what comes before it in the key: "0.", "net.2.".
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


def grouped(tensors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """weight and bias of each layer, by what comes before them in the key."""
    groups: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        head, _, last = str(key).rpartition(".")
        if last not in ("weight", "bias"):
            raise InteropError(
                f"the key {key!r} is none of a Linear; understood are weight and bias"
            )
        groups.setdefault(f"{head}." if head else "", {})[last] = tensor
    for prefix, found in groups.items():
        if "weight" not in found:
            raise InteropError(f"{prefix}bias is there without {prefix}weight")
    return groups


def ordered(spec: Spec, shapes: Shapes, like: Any = None) -> list[str]:
    """The prefixes in the order of the spec's layers.

    `like` is a module, or the layers' names in order. Raises InteropError where shapes do not fit
    the spec's, and where nothing says which of two layers comes first.
    """
    if len(shapes) != len(spec.layers):
        raise InteropError(
            f"there are weights of {len(shapes)} layers,"
            f" and {spec.name} has {len(spec.layers)} layers"
        )
    if like is not None:
        return check_shapes(spec, shapes, _listed(shapes, like))
    by_number, needed = sorted(shapes, key=_numbered), _needed(spec)
    if _undecided(by_number) is None:
        return check_shapes(spec, shapes, by_number)
    if sorted(needed) != sorted(shapes.values()):
        return check_shapes(spec, shapes, by_number)  # which says where they differ
    of_shape: dict[tuple[int, ...], list[str]] = {shape: [] for shape in needed}
    for prefix in reversed(by_number):
        of_shape[shapes[prefix]].append(prefix)
    for shape, prefixes in of_shape.items():
        if pair := _undecided(prefixes[::-1]):
            first, second = (prefix.rstrip(".") for prefix in pair)
            raise InteropError(
                f"which comes first, {first} or {second}? Both weights have the shape {shape}, and"
                " no number in their names says it; give like=, the module or the layers' names in"
                " order"
            )
    return [of_shape[shape].pop() for shape in needed]


def check_shapes(spec: Spec, shapes: Shapes, order: list[str]) -> list[str]:
    """The order, if the weights in it have the shapes of the spec's, as PyTorch has them."""
    for prefix, needed in zip(order, _needed(spec), strict=True):
        if shapes[prefix] != needed:
            raise InteropError(
                f"{prefix}weight has the shape {shapes[prefix]}, but {needed} is needed"
            )
    return order


def _needed(spec: Spec) -> list[tuple[int, ...]]:
    return [(layer.units, width) for width, layer in zip(spec.taken, spec.layers, strict=True)]


def _listed(shapes: Shapes, like: Any) -> list[str]:
    """The order that was given, if it has just the layers that are there."""
    if hasattr(like, "state_dict"):
        order = list(grouped(like.state_dict()))
    elif isinstance(like, Sequence) and not isinstance(like, str):
        order = [f"{name}." if name else "" for name in map(str, like)]
    else:
        raise InteropError(
            f"like is a module, or the names of layers in order, not {type(like).__name__}"
        )
    if len(order) != len(shapes) or set(order) != set(shapes):
        came, there = (", ".join(name.rstrip(".") for name in each) for each in (order, shapes))
        raise InteropError(f"like has the layers {came}, but there are weights of {there}")
    return order


def _undecided(by_number: Sequence[str]) -> tuple[str, str] | None:
    """Two of the names that no number tells apart; None where there are no such two."""
    for one, other in pairwise(by_number):
        parts = zip(_numbered(one), _numbered(other), strict=False)
        first = next((pair for pair in parts if pair[0] != pair[1]), None)
        if first is None or first[0][0] != first[1][0]:
            return one, other
    return None


def _numbered(name: str) -> list[tuple[list[str], list[tuple[int, str]]]]:
    """What names are sorted by: of each part between dots its words, and the numbers in it.

    Numbers are compared by their length and their digits, as there may be many.
    """
    split = [re.split(r"0*([0-9]+)", part) for part in name.split(".")]
    return [(each[::2], [(len(digits), digits) for digits in each[1::2]]) for each in split]
