"""Equations as text: z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]."""

from fractions import Fraction

from sympy import Abs, Add, Expr, Indexed, Mul, Pow, Rational, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.functions import spelled
from symgrad.language.indices import bounds, kronecker, operands
from symgrad.language.order import arranged
from symgrad.language.program import Definition, Program, indices_of, name_of

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_FRACTIONS = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}

# how tightly an expression holds together where it stands: in a sum, a product, a power
SUM, PRODUCT, POWER, ATOM = range(4)

# a text, and how tightly it holds together
Written = tuple[str, int]


def equation(definition: Definition) -> str:
    return f"{text(definition.target)} = {text(definition.value)}"


def listing(program: Program) -> str:
    """All definitions of a program, one a line, their = signs below one another."""
    rows = [(text(d.target), text(d.value)) for d in program.definitions]
    width = max((len(target) for target, _ in rows), default=0)
    return "\n".join(f"{target:<{width}} = {value}" for target, value in rows)


def text(expression: Expr) -> str:
    """`expression` on one line."""
    return Writer().write(expression)


class Writer:
    """Writes expressions as lines of text, in our own order of terms and factors.

    The methods from `element` on say how things look; another notation overrides those.
    """

    times = "·"

    def write(self, expression: Expr, place: int = SUM) -> str:
        """In parentheses where it would be misread at this place."""
        written, holds = self._written(expression)
        return written if holds >= place else self.grouped(written)

    def _written(self, expression: Expr) -> Written:
        expression = spelled(expression)
        if isinstance(expression, Indexed):
            return self.element(name_of(expression), indices_of(expression)), ATOM
        if isinstance(expression, Symbol):
            integer = bool(expression.is_integer)
            return self.index(expression) if integer else self.element(expression.name, ()), ATOM
        if isinstance(expression, Rational):
            return self._number(expression)
        if isinstance(expression, Add):
            return self._sum(expression), SUM
        if isinstance(expression, Mul):
            return self._product(expression), PRODUCT
        if isinstance(expression, Pow):
            return self._power(expression)
        if isinstance(expression, ExprWithLimits):
            over = [self.index(index) for index in reversed(bounds(expression))]
            sign = self.sign("Σ" if isinstance(expression, Sum) else "max", over)
            return f"{sign} {self.write(expression.function, PRODUCT)}", PRODUCT
        if isinstance(expression, kronecker):
            return self.delta(*map(self.place, expression.args)), ATOM
        if isinstance(expression, Abs):
            return f"|{self.write(expression.args[0])}|", ATOM
        if not operands(expression):
            return self.constant(type(expression).__name__), ATOM
        arguments = ", ".join(map(self.write, operands(expression)))
        return self.call(type(expression).__name__, arguments), ATOM

    def _number(self, value: Rational) -> Written:
        exact = Fraction(int(value.p), int(value.q))
        holds = SUM if exact < 0 else ATOM
        sign = "-" if exact < 0 else ""
        if abs(exact) in _FRACTIONS:
            return sign + self.fraction(abs(exact)), holds
        if exact.denominator == 1:
            return str(exact), holds
        decimal = repr(float(exact))
        if Fraction(decimal) == exact or len(str(exact)) > 16:
            return self.decimal(decimal), holds
        return sign + self.fraction(abs(exact)), SUM if exact < 0 else self.fraction_holds

    def _sum(self, expression: Add) -> str:
        written = ""
        for term in arranged(expression):
            negative = bool(term.as_coeff_Mul()[0].is_negative)
            sign = ("-" if negative else "") if not written else (" - " if negative else " + ")
            written += sign + self.write(-term if negative else term, PRODUCT)
        return written

    def _product(self, expression: Mul) -> str:
        coefficient, rest = expression.as_coeff_Mul()
        sign, size = "-" if coefficient.is_negative else "", abs(coefficient)
        above: list[Expr] = []
        below: list[Expr] = []
        for factor in map(spelled, arranged(rest) if isinstance(rest, Mul) else [rest]):
            inverse = isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative
            (below if inverse else above).append(1 / factor if inverse else factor)
        written = [self.write(size, POWER)] if size != 1 or not above else []
        written += [self._factor(factor, last=factor is above[-1]) for factor in above]
        top = self.times.join(written)
        return sign + (self.quotient(top, self.denominator(below)) if below else top)

    def denominator(self, below: list[Expr]) -> str:
        written = self.times.join(self.write(factor, POWER) for factor in below)
        return f"({written})" if len(below) > 1 else written

    def _factor(self, factor: Expr, last: bool) -> str:
        """A sum sign reaches to the end of its product, and needs parentheses before it."""
        if isinstance(factor, ExprWithLimits):
            return self.write(factor) if last else self.grouped(self.write(factor))
        return self.write(factor, POWER)

    def _power(self, expression: Pow) -> Written:
        base, exponent = expression.args
        if exponent == Rational(1, 2):
            return self.root(self.write(base)), ATOM
        if exponent.is_Rational and exponent < 0:
            return self.quotient("1", self.denominator([1 / expression])), PRODUCT
        return self.raised(self.write(base, ATOM), exponent), POWER

    # How things look

    fraction_holds = PRODUCT

    def element(self, name: str, indices: tuple[Symbol, ...]) -> str:
        return f"{name}[{','.join(map(self.place, indices))}]" if indices else name

    def place(self, index: Expr) -> str:
        """An index, or the number that stands for one."""
        return self.index(index) if isinstance(index, Symbol) else str(index)

    def delta(self, one: str, other: str) -> str:
        return f"δ({one},{other})"

    def index(self, index: Symbol) -> str:
        return str(index.name)

    def grouped(self, written: str) -> str:
        return f"({written})"

    def sign(self, sign: str, over: list[str]) -> str:
        return f"{sign}_{','.join(over)}"

    def call(self, name: str, arguments: str) -> str:
        return f"{name}({arguments})"

    def constant(self, name: str) -> str:
        return {"Pi": "π", "Exp1": "e"}[name]

    def fraction(self, value: Fraction) -> str:
        return _FRACTIONS.get(value, str(value))

    def decimal(self, literal: str) -> str:
        return literal

    def quotient(self, top: str, bottom: str) -> str:
        return f"{top}/{bottom}"

    def root(self, written: str) -> str:
        return f"sqrt({written})"

    def raised(self, base: str, exponent: Expr) -> str:
        if exponent.is_Integer:
            return base + str(exponent).translate(_SUPERSCRIPTS)
        return f"{base}**{self.write(exponent, ATOM)}"
