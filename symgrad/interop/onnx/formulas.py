"""Declared formulas as nodes of ONNX, from their parsed trees.

What would overflow as it stands is written in another form, as the compiler's `stabilize` does:

    log(sum(exp(u)))       by the largest u         1/(1 + exp(-u))     sigmoid(u)
    exp(u)/sum(exp(u))     Softmax                  log(cosh(u))        |u| + log1p(exp(-2|u|)) - log 2
    log(1 + exp(u))        softplus(u)              log(1 + u)          log1p(u)
    log1p(exp(u))          softplus(u)              exp(u) - 1          expm1(u)
"""  # noqa: E501

from collections.abc import Callable
from fractions import Fraction

from symgrad.interop.onnx.functions import FUNCTIONS, expm1, log1p, log_cosh, log_sum_exp, softplus
from symgrad.interop.onnx.graph import Graph
from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable

_ONE = Number(Fraction(1))
_OPERATORS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}


def formula(graph: Graph, tree: Tree, z: str, ones: Callable[[], str]) -> str:
    """The formula's value at z: the name of its result. `ones` makes a tensor like z of ones."""

    def value(node: Tree) -> str:
        if (stable := _stable(graph, node, value)) is not None:
            return stable
        match node:
            case Number(number):
                return graph.number(float(number))
            case Variable():
                return z
            case Negate(operand):
                return graph.op("Neg", value(operand))
            case Binary("**", base, Number(exponent)):
                return _power(graph, value(base), exponent)
            case Binary(operator, left, right):
                return graph.op(_OPERATORS[operator], value(left), value(right))
            case Call("sum", (body,)):
                # A constant counts once a unit.
                return FUNCTIONS["sum"](graph, graph.op("Mul", value(body), ones()))
            case Call(function, arguments):
                return FUNCTIONS[function](graph, *map(value, arguments))
        raise AssertionError(node)

    return value(tree)


def _power(graph: Graph, base: str, exponent: Fraction) -> str:
    if exponent == 1:
        return base
    if exponent == 2:
        return graph.op("Mul", base, base)
    return graph.op("Pow", base, graph.number(float(exponent)))


def _stable(graph: Graph, node: Tree, value: Callable[[Tree], str]) -> str | None:
    """Another form of a subexpression, where its own could overflow or cancel."""
    match node:
        case Call("log", (Call("sum", (Call("exp", (u,)),)),)):
            return log_sum_exp(graph, value(u))
        case Binary("/", Call("exp", (u,)), Call("sum", (Call("exp", (v,)),))) if u == v:
            return graph.op("Softmax", value(u), axis=-1)
        case Call("log1p", (Call("exp", (u,)),)):
            return softplus(graph, value(u))
        case Call("log", (Call("cosh", (u,)),)):
            return log_cosh(graph, value(u))
        case Call("log", (Binary("+", left, right),)) if _ONE in (left, right):
            rest = right if left == _ONE else left
            if isinstance(rest, Call) and rest.function == "exp":
                return softplus(graph, value(rest.arguments[0]))
            return log1p(graph, value(rest))
        case Binary("-", Call("exp", (u,)), right) if right == _ONE:
            return expm1(graph, value(u))
        case Binary("/", left, Binary("+", first, second)) if left == _ONE and first == _ONE:
            if isinstance(second, Call) and second.function == "exp":
                (u,) = second.arguments
                opposite = value(u.operand) if isinstance(u, Negate) else None
                return graph.op("Sigmoid", opposite or graph.op("Neg", value(u)))
    return None
