"""Concat: tensors side by side, as one layer's units, or as what the next layer takes."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from symgrad.interop.activations import BUILT_IN
from symgrad.interop.agreement import agree
from symgrad.interop.onnx.linear import features
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Expression,
    Features,
    Product,
    Settled,
    Value,
    applied,
    leaf,
    scaled,
    settle,
)
from symgrad.interop.text import substituted
from symgrad.spec.formula import Call as Formula
from symgrad.spec.formula import Negate, Tree, Variable, nodes, parse

_OPPOSITE = {"z": Negate(Variable("z"))}
_SIGMOID = parse(BUILT_IN["sigmoid"], ("z",))


def concat(call: Call, settled: Settled) -> Value:
    """Features side by side. Of two classes, 1 − p beside p is a softmax."""
    axis = call.node.attributes.get("axis")
    if axis not in (1, -1):
        raise call.node.refusal(f"axis = {axis} joins samples; understood is axis 1, of features")
    values = [call.operand(place) for place in range(len(call.operands))]
    if (stacked := _one_layer(call, values)) is not None:
        return stacked
    parts = [features(call, each, settled) for each in values]
    widths = [each.width for each in parts]
    known = [width for width in widths if width is not None]
    if len(known) < len(widths):
        raise call.node.refusal("the file does not say how many features come in")
    scales = [
        np.broadcast_to(1.0 if p.scale is None else p.scale, n)
        for p, n in zip(parts, known, strict=True)
    ]
    shifts = [
        np.broadcast_to(0.0 if p.shift is None else p.shift, n)
        for p, n in zip(parts, known, strict=True)
    ]
    return Features(
        tuple(unit for part in parts for unit in part.units),
        None if all(part.scale is None for part in parts) else np.concatenate(scales),
        None if all(part.shift is None for part in parts) else np.concatenate(shifts),
        any(part.wide for part in parts),
    )


def _one_layer(call: Call, values: list[Value]) -> Expression | None:
    """Expressions of one source and one formula, as one layer of more units; None if they are not.

    A formula in −z is that of the layer with opposite weights.
    """
    expressions = [each for each in values if isinstance(each, Expression)]
    if len(expressions) < len(values):
        return None
    ended = [settle(each) for each in expressions]
    sources, tree = ended[0][0].sources, ended[0][1]
    over_units = any(
        isinstance(each, Formula) and each.function in ("sum", "largest") for each in nodes(tree)
    )
    if over_units or any(product.sources != sources for product, _ in ended):
        return None
    if _sign(_SIGMOID, tree):
        tree = _SIGMOID
    signs = [_sign(other, tree) for _, other in ended]
    if 0 in signs:
        return None
    products = [
        product if sign > 0 else scaled(product, np.asarray(-1.0), None)
        for (product, _), sign in zip(ended, signs, strict=True)
    ]
    if tree == _SIGMOID and _are_two_classes(products):
        products[0] = scaled(products[0], np.asarray(0.0), None)
        tree = parse(BUILT_IN["softmax"], ("z",))
    return applied(call.node.where, tree, {"z": leaf(_stacked(products))})


def _sign(tree: Tree, other: Tree) -> int:
    """1 where two formulas are one function of z, −1 where one is the other's of −z; else 0."""
    if tree == other or agree(tree, other, "float32"):
        return 1
    return -1 if agree(substituted(tree, _OPPOSITE), other, "float32") else 0


def _are_two_classes(products: list[Product]) -> bool:
    """Whether there are two units, and what goes into them is opposite."""
    if len(products) != 2 or products[0].weight.shape[1] != 1:
        return False
    one, other = (
        np.append(each.weight, 0 if each.bias is None else each.bias) for each in products
    )
    return np.array_equal(one, -other)


def _stacked(products: list[Product]) -> Product:
    """The units of all, side by side."""
    bias = None
    if any(each.bias is not None for each in products):
        bias = np.concatenate(
            [
                np.zeros(each.weight.shape[1]) if each.bias is None else each.bias
                for each in products
            ]
        )
    weight = np.concatenate([each.weight for each in products], axis=1)
    return replace(products[0], weight=weight, bias=bias)


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {"Concat": concat}
