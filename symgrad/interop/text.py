"""A formula's tree as text, which parses to the same tree; and trees put into trees."""

from collections.abc import Mapping
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
