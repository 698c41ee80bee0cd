"""Where, and the comparisons that it goes by.

What a comparison gives is kept as an expression that is 1 or 0: exporters negate it, join it with
others, and multiply by it. What becomes of all that, `pieces.py` says.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction

from symgrad.interop.onnx.arithmetic import ONE, ZERO, together
from symgrad.interop.onnx.constants import one_number
from symgrad.interop.onnx.linear import expression
from symgrad.interop.onnx.nodes import Call
from symgrad.interop.onnx.values import Condition, Constant, Expression, Settled, Value


def compare(call: Call, settled: Settled) -> Value:
    """Greater and the like."""
    left, right = (_side(call, place, settled) for place in (0, 1))
    if call.node.kind in ("Less", "GreaterOrEqual"):
        left, right = right, left
    holds = call.node.kind in ("Greater", "Less")
    return Condition(together(call, "where", left, right, *((ONE, ZERO) if holds else (ZERO, ONE))))


def joined(call: Call, settled: Settled) -> Value:
    """And, Or, Xor and Not."""
    given = [_indicator(call, place) for place in range(len(call.operands))]
    match call.node.kind:
        case "Not":
            return Condition(together(call, "-", ONE, *given))
        case "And":
            return Condition(together(call, "*", *given))
        case "Or":
            return Condition(together(call, "max", *given))
    return Condition(together(call, "abs", together(call, "-", *given)))


def where(call: Call, settled: Settled) -> Value:
    """One of two formulas."""
    condition = _indicator(call, 0)
    yes, no = (_side(call, place, settled) for place in (1, 2))
    return together(call, "where", condition, Fraction(1, 2), yes, no)


def _indicator(call: Call, place: int) -> Expression:
    value = call.operand(place)
    if not isinstance(value, Condition):
        raise call.node.refusal("its condition is not a comparison of a layer's output")
    return value.indicator


def _side(call: Call, place: int, settled: Settled) -> Expression | Fraction:
    value = call.operand(place)
    if not isinstance(value, Constant):
        return expression(call, value, settled)
    number = one_number(call, value)
    if number is None:
        raise call.node.refusal(
            "understood are functions of one linear layer's output, and numbers for all units"
        )
    return number


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), compare),
    **dict.fromkeys(("And", "Or", "Xor", "Not"), joined),
    "Where": where,
}
