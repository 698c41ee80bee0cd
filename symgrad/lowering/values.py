"""values: SymPy's expressions as values of a lowered program."""

from collections.abc import Callable
from fractions import Fraction

from sympy import Abs, Add, Expr, Indexed, Mul, Pow, Rational, Symbol
from sympy import Function as SymPyFunction

from symgrad.errors import SpecError
from symgrad.language.dtypes import Dtype, misfit, remedy
from symgrad.language.exponentials import inverse_sum_exp, log_sum_exp, pairs
from symgrad.language.functions import (
    constant,
    even_maximum,
    even_minimum,
    even_relu,
    log_abs,
    spelled,
)
from symgrad.language.indices import SAMPLES, kronecker, operands
from symgrad.language.notation import grouped
from symgrad.language.order import arranged, is_constant
from symgrad.lowering.program import (
    Call,
    Choice,
    Kind,
    Negative,
    Number,
    Power,
    Product,
    Sign,
    Sum,
    Value,
    Variable,
    equal,
    index,
    whole,
)

# How many steps an optimizer has taken.
STEPS = "s"


class Lowering:
    """Lowers expressions that are computed in one kind, real or double.

    `element` and `scalar` say what is read for an array's element and for a symbol: that depends on
    where they live, and on the kind that they were computed in.
    """

    def __init__(
        self,
        kind: Kind,
        element: Callable[[Indexed], Value],
        scalar: Callable[[Symbol], Value],
        dtype: Dtype = "float64",
    ) -> None:
        self.kind, self.element, self.scalar, self.dtype = kind, element, scalar, dtype

    def value(self, value: Expr) -> Value:
        if is_constant(value):
            return self.constant(value)
        if isinstance(value, Indexed):
            return self.element(value)
        if isinstance(value, Symbol):
            return Variable("N", "real") if value == SAMPLES else self.scalar(value)
        if isinstance(value, Add):
            return self._sum(value)
        if isinstance(value, Mul):
            return self._product(value)
        if isinstance(value, Pow):
            return self._power(value)
        assert isinstance(value, SymPyFunction), value
        if isinstance(value, kronecker):
            one, other = (whole(int(i)) if i.is_Integer else index(i.name) for i in value.args)
            return Choice(equal(one, other), Number(1.0, self.kind), Number(0.0, self.kind))
        if isinstance(value, grouped):
            return self.value(spelled(value))
        if isinstance(value, log_abs | even_relu | even_maximum | even_minimum):
            return self._call(spelled(value))
        return self._call(value)

    def constant(self, value: Expr) -> Number:
        """The float64 nearest to a number; a real of less precision is what that is rounded to.

        Raises SpecError if the dtype has no such number.
        """
        value = constant(value)
        number = value if isinstance(value, Rational) else Rational(value.evalf(30))
        if wrong := misfit(Fraction(number.p, number.q), self.dtype):
            raise SpecError(
                f"a number in the formulas or their derivatives comes to {value.evalf(3)}, which is"
                f" {wrong}{remedy(self.dtype)}"
            )
        return Number(float(number), self.kind)

    def _sum(self, value: Add) -> Sum:
        terms: list[tuple[Sign, Value]] = []
        for term in arranged(value):
            coefficient, _ = term.as_coeff_Mul()
            negative = coefficient.is_negative
            terms.append(("-" if negative else "+", self.value(-term if negative else term)))
        return Sum(tuple(terms))

    def _product(self, value: Mul) -> Value:
        coefficient, rest = value.as_coeff_Mul()
        if coefficient == -1:
            return Negative(self.value(rest))
        above: list[Expr] = []
        below: list[Expr] = []
        for factor in arranged(value):
            inverse = isinstance(factor, Pow) and _is_quotient(factor.exp)
            (below if inverse else above).append(1 / factor if inverse else factor)
        if below and above and all(is_constant(factor) for factor in above):
            above = [Mul(*above)]
        divisors: list[Value] = []
        for factor in below:
            base, power = factor.as_base_exp()
            # by a square in two divisions: it might overflow where the quotient does not
            once, times = (base, int(power)) if power in (2, 3) else (factor, 1)
            divisors += [self.value(once)] * times
        factors = tuple(map(self.value, above)) or (self.constant(Rational(1)),)
        return Product(factors, tuple(divisors))

    def _power(self, value: Pow) -> Value:
        base, exponent = value.args
        if _is_quotient(exponent):
            return self._product(Mul(1, value, evaluate=False))
        if exponent == Rational(1, 2):
            return self._own("sqrt", base)
        if not is_constant(exponent):
            name = "power_whole" if _is_whole(exponent) else "power"
            return Call(name, (self.value(base), self.value(exponent)), self.kind)
        if not exponent.is_Integer:
            return Power(self.value(base), self.constant(exponent))
        if exponent == 2 and isinstance(base, Indexed | Symbol):
            return Product((self.value(base), self.value(base)))
        if exponent == 2:
            return self._own("square", base)
        return Call("power", (self.value(base), Number(int(exponent), "whole")), self.kind)

    def _call(self, call: Expr) -> Value:
        if isinstance(call, Abs):
            return self._own("abs", call.args[0])
        if isinstance(call, inverse_sum_exp | log_sum_exp):
            return self._of_sum(call)
        return self._own(type(call).__name__, *operands(call))

    def _of_sum(self, call: Expr) -> Value:
        """The inverse or the logarithm of a sum of exponentials."""
        terms = tuple(pairs(call.args))
        if isinstance(call, log_sum_exp):
            one_and = terms[0] == (1, 0)
            rest = terms[1:] if one_and else terms
            name = "log1p_sum_exp" if one_and else "log_sum_exp"
        elif len(terms) == 2 and terms[0] == (1, 0) and terms[1][0] == 1:
            return self._own("sigmoid", -terms[1][1])
        elif len(terms) == 2 and terms[0][0] == terms[1][0] == 1 and terms[0][1] == -terms[1][1]:
            positive = min((u for _, u in terms), key=lambda u: u.could_extract_minus_sign())
            return self._own("half_sech", positive)
        else:
            rest, name = terms, "inverse_sum_exp"
        return self._own(f"{name}_{len(rest)}", *(part for term in rest for part in term))

    def _own(self, name: str, *arguments: Expr) -> Call:
        return Call(name, tuple(map(self.value, arguments)), self.kind)


def _is_quotient(exponent: Expr) -> bool:
    """Whether a power is written 1/u^k; others keep a negative exponent: u^k may overflow."""
    whole = exponent.is_Integer or exponent == Rational(-1, 2)
    return bool(whole and exponent.is_negative)


def _is_whole(exponent: Expr) -> bool:
    """Whether an exponent that is computed is a whole number: of steps, or rounded down."""
    if isinstance(exponent, Symbol):
        return exponent.name == STEPS
    return exponent.func.__name__ == "floor"
