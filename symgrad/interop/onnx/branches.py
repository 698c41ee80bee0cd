"""Where, and the comparisons that it goes by.

Formulas have no branches. Exporters write some activations with one all the same: softplus as z
itself where that is large, elu by the sign of z. Such a Where is replaced by what it amounts to,
where there is such a thing: one of its branches, or, for two that meet at c,

    Where(z > c, f(z), g(z))  =  f(max(z, c)) + (g(min(z, c)) − f(c))

Whether it is the same is tried on numbers.
"""

from fractions import Fraction

from symgrad.interop.agreement import agree
from symgrad.interop.errors import InteropError
from symgrad.interop.onnx import nodes
from symgrad.interop.onnx.constants import scalar
from symgrad.interop.onnx.linear import together
from symgrad.interop.onnx.values import Condition, Constant, Expression, Settled, Value
from symgrad.interop.text import substituted
from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable

# A softplus that is z from 20 on is off by 1e-10 there.
_TOLERANCE = 1e-9

_Z = Variable("z")


def compare(call: nodes.Call, settled: Settled) -> Value:
    """Greater and the like; kept until a Where asks for it."""
    left, right = (_side(call, place) for place in (0, 1))
    if call.node.kind in ("Less", "GreaterOrEqual"):
        left, right = right, left
    return Condition(left, right, call.node.kind in ("Greater", "Less"))


def where(call: nodes.Call, settled: Settled) -> Value:
    """One of two formulas."""
    condition = call.operand(0)
    if not isinstance(condition, Condition):
        raise call.node.refusal("its condition is not a comparison of a layer's output")
    yes, no = _side(call, 1), _side(call, 2)
    if not condition.holds:
        yes, no = no, yes
    return together(call, "where", condition.left, condition.right, yes, no)


def _side(call: nodes.Call, place: int) -> Expression | Fraction:
    value = call.operand(place)
    number = scalar(call, value) if isinstance(value, Constant) else None
    if number is not None:
        return number
    if not isinstance(value, Expression):
        raise call.node.refusal(
            "understood are functions of one linear layer's output, and numbers for all units"
        )
    return value


def without_branches(tree: Tree, where: str, dtype: str) -> Tree:
    """The same function of z without a Where; raises InteropError if none is found."""
    match tree:
        case Negate(operand):
            return Negate(without_branches(operand, where, dtype))
        case Binary(operator, left, right):
            sides = (without_branches(each, where, dtype) for each in (left, right))
            return Binary(operator, *sides)
        case Call(function, arguments):
            parts = tuple(without_branches(each, where, dtype) for each in arguments)
            plain = Call(function, parts)
            return _unbranched(plain, where, dtype) if function == "where" else plain
    return tree


def _unbranched(branch: Call, where: str, dtype: str) -> Tree:
    left, right, yes, no = branch.arguments
    candidates = [no, yes]
    for threshold, above, below in ((right, yes, no), (left, no, yes)):
        if _is_number(threshold):
            inside = {"z": Call("max", (_Z, threshold))}, {"z": Call("min", (_Z, threshold))}
            upper, lower = substituted(above, inside[0]), substituted(below, inside[1])
            candidates.append(Binary("+", upper, lower))
            meeting = substituted(above, {"z": threshold})
            candidates.append(Binary("+", upper, Binary("-", lower, meeting)))
    for candidate in candidates:
        if agree(candidate, branch, dtype, _TOLERANCE):
            return candidate
    raise InteropError(
        f"{where}: before it stands a Where that is no formula: its branches do not meet, or it"
        " goes by more than z against a number"
    )


def _is_number(tree: Tree) -> bool:
    return isinstance(tree, Number) or (
        isinstance(tree, Negate) and isinstance(tree.operand, Number)
    )
