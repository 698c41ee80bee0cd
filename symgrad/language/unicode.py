"""Equations as text: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]."""

from collections.abc import Iterable
from fractions import Fraction

from sympy import Abs, Add, Expr, Indexed, Mul, Pow, Rational, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import bounds, operands
from symgrad.language.order import arranged
from symgrad.language.program import Definition, Program, name_of

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_FRACTIONS = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}

# how tightly an expression holds together where it stands: in a sum, a product, a power
SUM, PRODUCT, POWER, ATOM = range(4)


def equation(definition: Definition) -> str:
    return f"{text(definition.target)} = {text(definition.value)}"


def listing(program: Program) -> str:
    """All definitions of a program, one a line, their = signs below one another."""
    rows = [(text(d.target), text(d.value)) for d in program.definitions]
    width = max((len(target) for target, _ in rows), default=0)
    return "\n".join(f"{target:<{width}} = {value}" for target, value in rows)


def text(expression: Expr, place: int = SUM) -> str:
    """`expression` on one line; in parentheses where it would be misread at this place."""
    written, holds = _written(expression)
    return written if holds >= place else f"({written})"


def _written(expression: Expr) -> tuple[str, int]:
    if isinstance(expression, Indexed):
        return f"{name_of(expression)}[{','.join(i.name for i in expression.indices)}]", ATOM
    if isinstance(expression, Symbol):
        return str(expression.name), ATOM
    if isinstance(expression, Rational):
        return number(expression)
    if isinstance(expression, Add):
        return _sum(expression), SUM
    if isinstance(expression, Mul):
        return _product(expression), PRODUCT
    if isinstance(expression, Pow):
        return _power(expression)
    if isinstance(expression, ExprWithLimits):
        sign = "Σ" if isinstance(expression, Sum) else "logsumexp"
        over = ",".join(index.name for index in reversed(bounds(expression)))
        return f"{sign}_{over} {text(expression.function, PRODUCT)}", PRODUCT
    if isinstance(expression, Abs):
        return f"|{text(expression.args[0])}|", ATOM
    if not operands(expression):
        return {"Pi": "π", "Exp1": "e"}.get(type(expression).__name__, str(expression)), ATOM
    return f"{type(expression).__name__}({_list(operands(expression))})", ATOM


def _list(parts: Iterable[Expr]) -> str:
    return ", ".join(map(text, parts))


def number(value: Rational) -> tuple[str, int]:
    exact = Fraction(int(value.p), int(value.q))
    if abs(exact) in _FRACTIONS:
        return ("-" if exact < 0 else "") + _FRACTIONS[abs(exact)], SUM if exact < 0 else ATOM
    if exact.denominator == 1:
        return str(exact), SUM if exact < 0 else ATOM
    decimal = repr(float(exact))
    if Fraction(decimal) == exact or len(str(exact)) > 16:
        return decimal, SUM if exact < 0 else ATOM
    return str(exact), SUM if exact < 0 else PRODUCT


def _sum(expression: Add) -> str:
    parts = []
    for term in arranged(expression):
        written = text(term, PRODUCT) if not _starts_negative(term) else text(-term, PRODUCT)
        sign = "-" if _starts_negative(term) else "+"
        parts.append(f"{sign} {written}")
    joined = " ".join(parts)
    return joined[2:] if joined.startswith("+ ") else "-" + joined[2:]


def _starts_negative(term: Expr) -> bool:
    coefficient, _ = term.as_coeff_Mul()
    return bool(coefficient.is_negative)


def _product(expression: Mul) -> str:
    coefficient, rest = expression.as_coeff_Mul()
    sign = "-" if coefficient.is_negative else ""
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in arranged(rest) if isinstance(rest, Mul) else [rest]:
        inverse = isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative
        (below if inverse else above).append(1 / factor if inverse else factor)
    size = abs(coefficient)
    written = [text(size, POWER)] if size != 1 or not above else []
    written += [_factor(factor, last=place == len(above) - 1) for place, factor in enumerate(above)]
    top = "·".join(written)
    if not below:
        return sign + top
    bottom = "·".join(text(factor, POWER) for factor in below)
    return f"{sign}{top}/{f'({bottom})' if len(below) > 1 else bottom}"


def _factor(factor: Expr, last: bool) -> str:
    """A sum sign reaches to the end of its product, and needs parentheses before it."""
    if isinstance(factor, ExprWithLimits):
        return f"({text(factor)})" if not last else text(factor)
    return text(factor, POWER)


def _power(expression: Pow) -> tuple[str, int]:
    base, exponent = expression.args
    if exponent.is_Integer and exponent > 0:
        return text(base, ATOM) + str(exponent).translate(_SUPERSCRIPTS), POWER
    if exponent == Rational(1, 2):
        return f"sqrt({text(base)})", ATOM
    if exponent.is_Rational and exponent < 0:
        return f"1/{text(1 / expression, POWER)}", PRODUCT
    return f"{text(base, ATOM)}**{text(exponent, ATOM)}", POWER
