"""Operations over the units of a layer: softmax, and sums of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.interop import activations
from symgrad.interop.errors import InteropError
from symgrad.interop.onnx.elementwise import formula
from symgrad.interop.onnx.linear import expression
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import (
    Constant,
    Expression,
    Product,
    Settled,
    Shaped,
    Value,
    applied,
    leaf,
)
from symgrad.interop.text import mapped
from symgrad.spec.formula import Call as Formula
from symgrad.spec.formula import Number, Tree, Variable, nodes, parse


def softmax(call: Call, settled: Settled) -> Value:
    """Softmax and LogSoftmax over the units."""
    _check_axis(call, [call.node.attributes.get("axis", -1 if call.opset >= 13 else 1)])
    log = call.node.kind == "LogSoftmax"
    text = activations.LOG_SOFTMAX if log else activations.BUILT_IN["softmax"]
    return formula(call, text, settled)


_REDUCTIONS: Mapping[str, str] = {
    "ReduceSum": "sum(z)",
    "ReduceMean": "sum(z)/sum(1)",
    "ReduceLogSum": "log(sum(z))",
    "ReduceLogSumExp": "log(sum(exp(z)))",
    "ReduceSumSquare": "sum(z**2)",
    "ReduceL2": "sqrt(sum(z**2))",
    "ReduceL1": "sum(abs(z))",
}


def reduction(call: Call, settled: Settled) -> Value:
    """A sum over the units, or a function of one."""
    return _reduced(call, parse(_REDUCTIONS[call.node.kind], ("z",)), settled)


def largest(call: Call, settled: Settled) -> Value:
    """The largest of the units, which exporters take off before an exponential."""
    return _reduced(call, Formula("largest", (Variable("z"),)), settled)


def _reduced(call: Call, tree: Tree, settled: Settled) -> Value:
    axes: Any = call.node.attributes.get("axes")
    given = call.optional(1)
    if isinstance(given, Constant):
        axes = given.array.ravel().tolist()
    _check_axis(call, axes)
    value = expression(call, call.operand(0), settled)
    result = replace(applied(call.node.where, tree, {"z": value}), single=True)
    return result if call.node.attributes.get("keepdims", 1) else Shaped(result, ())


def in_one_unit(value: Expression, where: str, settled: Settled) -> Expression:
    """What is one number a sample as a layer of one unit: f(sum(g(z))), of which g is a layer."""
    sums = {each for each in nodes(value.tree, into_sums=False) if _is_sum(each)} - {_COUNT}
    if len(sums) != 1:
        raise InteropError(f"{where} is no function of one sum over the units")
    (body,) = next(each.arguments for each in sums if isinstance(each, Formula))
    inner = settled.unit(replace(value, tree=body, single=False), where)
    assert inner.width is not None
    ones = np.ones((inner.width, 1))
    product = Product((inner,), ones, None, value.product.dtype, where)

    def outside(each: Tree) -> Tree:
        count = Number(Fraction(inner.width or 0))
        return count if each == _COUNT else Variable("z") if _is_sum(each) else each

    return applied(where, mapped(value.tree, outside), {"z": leaf(product)})


_COUNT = Formula("sum", (Number(Fraction(1)),))


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Formula) and tree.function == "sum"


def _check_axis(call: Call, axes: Any) -> None:
    if axes is None or list(axes) not in ([1], [-1]):
        raise call.node.refusal(
            f"it runs over the axes {axes}; understood is axis 1, over a layer's units"
        )


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **dict.fromkeys(_REDUCTIONS, reduction),
    "ReduceMax": largest,
    "Softmax": softmax,
    "LogSoftmax": softmax,
}
