"""Columns: Concat puts tensors side by side, Slice and Gather choose among a tensor's features.

What is side by side is one layer's units, or what the next layer takes. What is chosen are units of
a layer, the others of which are left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from symgrad.interop.activations import BUILT_IN
from symgrad.interop.agreement import agree
from symgrad.interop.onnx.linear import expression, features
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Constant,
    Expression,
    Features,
    Product,
    Settled,
    Sizes,
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


def sliced(call: Call, settled: Settled) -> Value:
    """Features from one number to another."""
    names = ("starts", "ends", "axes", "steps")
    given = [_numbers(call, place, name) for place, name in enumerate(names, start=1)]
    starts, ends = given[0] or [], given[1] or []
    axes, steps = given[2] or list(range(len(starts))), given[3] or [1] * len(starts)
    if len(starts) != 1 or axes not in ([1], [-1]):
        raise call.node.refusal(f"it slices the axes {axes}; understood is axis 1, of features")
    return _columns(call, lambda columns: columns[starts[0] : ends[0] : steps[0]], settled)


def gathered(call: Call, settled: Settled) -> Value:
    """Features by their numbers."""
    chosen = call.operand(1)
    axis = call.node.attributes.get("axis", 0)
    one = isinstance(chosen, Constant) and chosen.array.ndim == 1 and not isinstance(chosen, Sizes)
    if axis not in (1, -1) or not one:
        raise call.node.refusal("understood are features chosen by a list, along axis 1")
    assert isinstance(chosen, Constant)
    return _columns(call, lambda columns: columns[chosen.array], settled)


def extracted(call: Call, settled: Settled) -> Value:
    """Features by their numbers, as pipelines of scikit-learn choose them."""
    chosen = call.operand(1)
    if not isinstance(chosen, Constant):
        raise call.node.refusal("what it chooses is not constant")
    return _columns(call, lambda columns: columns[chosen.array.ravel()], settled)


def _numbers(call: Call, place: int, name: str) -> list[int] | None:
    value = call.optional(place)
    if value is None:
        return call.node.attributes.get(name)
    if not isinstance(value, Constant) or isinstance(value, Sizes):
        raise call.node.refusal(f"its {name} are not constant")
    return value.array.ravel().tolist()


def _columns(call: Call, chosen: Callable[[np.ndarray], np.ndarray], settled: Settled) -> Value:
    value = expression(call, call.operand(0), settled)
    if value.single or any(_over_units(each) for each in nodes(value.tree)):
        raise call.node.refusal(
            "what comes in depends on all units; understood are chosen ones of what each unit gives"
        )
    product = value.product
    try:
        columns = chosen(np.arange(product.weight.shape[1]))
    except IndexError as error:
        raise call.node.refusal(f"it chooses features that are not there ({error})") from error
    if not columns.size:
        raise call.node.refusal("it chooses no feature at all")
    bias = None if product.bias is None else product.bias[columns]
    return replace(value, product=replace(product, weight=product.weight[:, columns], bias=bias))


def _over_units(tree: Tree) -> bool:
    return isinstance(tree, Formula) and tree.function in ("sum", "largest")


def _one_layer(call: Call, values: list[Value]) -> Expression | None:
    """Expressions of one source and one formula, as one layer of more units; None if they are not.

    A formula in −z is that of the layer with opposite weights.
    """
    expressions = [each for each in values if isinstance(each, Expression)]
    if len(expressions) < len(values):
        return None
    ended = [settle(each) for each in expressions]
    sources, tree = ended[0][0].sources, ended[0][1]
    if any(_over_units(each) for each in nodes(tree)) or any(
        product.sources != sources for product, _ in ended
    ):
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


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    "Concat": concat,
    "Slice": sliced,
    "Gather": gathered,
    "ai.onnx.ml.ArrayFeatureExtractor": extracted,
}
