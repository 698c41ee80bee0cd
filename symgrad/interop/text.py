"""A formula's tree as text, which parses to the same tree; trees put into trees, and simplified."""

from collections.abc import Callable, Mapping
from fractions import Fraction

from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable

_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_SIGN, _ATOM = 3, 5


def text(tree: Tree) -> str:
    """The formula as one would write it; numbers to the last digit that a float64 has."""
    return _text(tree)[0]


def _text(tree: Tree) -> tuple[str, int]:
    """The text, and how strongly its outermost operator binds."""
    match tree:
        case Number(value):
            written = number(value)
            return written, _SIGN if written.startswith("-") else _ATOM
        case Variable(name):
            return name, _ATOM
        case Negate(operand):
            return f"-{_within(operand, _SIGN)}", _SIGN
        case Call(function, arguments):
            return f"{function}({', '.join(map(text, arguments))})", _ATOM
        case Binary("**", base, exponent):
            return f"{_within(base, _ATOM)}**{_within(exponent, _SIGN)}", 4
        case Binary(operator, left, right):
            strength = _STRENGTH[operator]
            space = " " if strength == 1 else ""
            written = f"{_within(left, strength)}{space}{operator}{space}"
            return written + _within(right, strength + 1), strength
    raise AssertionError(tree)


def _within(tree: Tree, strength: int) -> str:
    """An operand, in parentheses where it binds less than it has to."""
    written, own = _text(tree)
    return written if own >= strength else f"({written})"


def number(value: Fraction) -> str:
    """The shortest decimal for a number: whole ones without a point."""
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    return repr(float(value))


def substituted(tree: Tree, meanings: Mapping[str, Tree]) -> Tree:
    """The tree with other trees in place of its variables."""
    match tree:
        case Variable(name):
            return meanings[name]
        case Negate(operand):
            return Negate(substituted(operand, meanings))
        case Binary(operator, left, right):
            return Binary(operator, substituted(left, meanings), substituted(right, meanings))
        case Call(function, arguments):
            return Call(function, tuple(substituted(each, meanings) for each in arguments))
    return tree


def mapped(tree: Tree, function: Callable[[Tree], Tree]) -> Tree:
    """The tree with a function applied to each of its parts, the innermost first."""
    match tree:
        case Negate(operand):
            return function(Negate(mapped(operand, function)))
        case Binary(operator, left, right):
            return function(Binary(operator, mapped(left, function), mapped(right, function)))
        case Call(name, arguments):
            return function(Call(name, tuple(mapped(each, function) for each in arguments)))
    return function(tree)


def simplified(tree: Tree) -> Tree:
    """The tree without additions of 0, multiplications by 0 and 1, and arithmetic of numbers."""
    return mapped(tree, _simpler)


def _simpler(tree: Tree) -> Tree:
    zero, one = Number(Fraction(0)), Number(Fraction(1))
    match tree:
        case Negate(Number(value)) if value == 0:
            return zero
        case Binary("+" | "-" | "*" as operator, left, right) if _known(left, right):
            values = [_value(each) for each in (left, right)]
            result = {"+": values[0] + values[1], "-": values[0] - values[1]}.get(
                operator, values[0] * values[1]
            )
            return Number(result) if result >= 0 else Negate(Number(-result))
        case Binary("+", left, right) if left == zero:
            return right
        case Binary("+" | "-", left, right) if right == zero:
            return left
        case Binary("-", left, right) if left == zero:
            return Negate(right)
        case Binary("*", left, right) if zero in (left, right):
            return zero
        case Binary("*", left, right) if left == one:
            return right
        case Binary("*" | "/", left, right) if right == one:
            return left
    return tree


def _known(*trees: Tree) -> bool:
    return all(
        isinstance(each.operand if isinstance(each, Negate) else each, Number) for each in trees
    )


def _value(tree: Tree) -> Fraction:
    if isinstance(tree, Negate):
        return -_value(tree.operand)
    assert isinstance(tree, Number)
    return tree.value
