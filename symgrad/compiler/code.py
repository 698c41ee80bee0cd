"""Expressions as Python source for Numba: in a float32 module every constant is a float32."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Abs, Add, Expr, Function, Indexed, Mul, Pow, Rational, Symbol

from symgrad.compiler.dtypes import Dtype, misfit, remedy
from symgrad.errors import SpecError
from symgrad.language.exponentials import inverse_sum_exp, log_sum_exp, pairs
from symgrad.language.functions import (
    constant,
    even_maximum,
    even_minimum,
    even_relu,
    log_abs,
    spelled,
)
from symgrad.language.indices import SAMPLES, operands
from symgrad.language.notation import grouped
from symgrad.language.order import arranged
from symgrad.language.program import name_of

# how tightly source text holds together: in a sum, a product, a power or a call
SUM, PRODUCT, ATOM = range(3)


@dataclass
class Printer:
    """Prints expressions; notes in `functions` which of the module's own functions they call.

    `element` says how an array element is read, which depends on where the array lives.
    """

    single: bool
    element: Callable[[Indexed], str]
    functions: set[str] = field(default_factory=set)

    def source(self, value: Expr, place: int = SUM) -> str:
        written, holds = self._written(value)
        return written if holds >= place else f"({written})"

    def constant(self, value: Expr) -> str:
        """A number in the module's precision: F(0.5) in float32, 0.5 in float64."""
        value = constant(value)
        dtype: Dtype = "float32" if self.single else "float64"
        number = value if isinstance(value, Rational) else Rational(value.evalf(30))
        if wrong := misfit(Fraction(number.p, number.q), dtype):
            raise SpecError(
                f"a number in the formulas or their derivatives comes to {value.evalf(3)}, which is"
                f" {wrong}{remedy(dtype)}"
            )
        return f"F({float(number)!r})" if self.single else repr(float(number))

    def _written(self, value: Expr) -> tuple[str, int]:
        if value.is_number:
            written = self.constant(value)
            return written, ATOM if not written.startswith("-") else SUM
        if isinstance(value, Indexed):
            return self.element(value), ATOM
        if isinstance(value, Symbol):
            return ("N" if value == SAMPLES else name_of(value)), ATOM
        if isinstance(value, Add):
            return self._sum(value), SUM
        if isinstance(value, Mul):
            return self._product(value)
        if isinstance(value, Pow):
            return self._power(value)
        assert isinstance(value, Function), value
        if isinstance(value, grouped):
            return self._written(spelled(value))
        if isinstance(value, log_abs | even_relu | even_maximum | even_minimum):
            return self._call(spelled(value)), ATOM
        return self._call(value), ATOM

    def _sum(self, value: Add) -> str:
        text = ""
        for term in arranged(value):
            coefficient, _ = term.as_coeff_Mul()
            negative = coefficient.is_negative
            sign = ("-" if negative else "") if not text else (" - " if negative else " + ")
            text += sign + self.source(-term if negative else term, PRODUCT)
        return text

    def _product(self, value: Mul) -> tuple[str, int]:
        coefficient, rest = value.as_coeff_Mul()
        if coefficient == -1:
            return "-" + self.source(rest, PRODUCT), SUM
        above: list[Expr] = []
        below: list[Expr] = []
        for factor in arranged(value):
            inverse = isinstance(factor, Pow) and _is_quotient(factor.exp)
            (below if inverse else above).append(1 / factor if inverse else factor)
        if below and above and all(factor.is_number for factor in above):
            above = [Mul(*above)]
        text = " * ".join(self.source(factor, ATOM) for factor in above) or self.constant(
            Rational(1)
        )
        for factor in below:
            base, power = factor.as_base_exp()
            # by a square in two divisions: it might overflow where the quotient does not
            once, times = (base, int(power)) if power in (2, 3) else (factor, 1)
            text += f" / {self.source(once, ATOM)}" * times
        return text, PRODUCT

    def _power(self, value: Pow) -> tuple[str, int]:
        base, exponent = value.args
        if _is_quotient(exponent):
            return self._product(Mul(1, value, evaluate=False))
        if exponent == Rational(1, 2):
            return f"np.sqrt({self.source(base)})", ATOM
        if not exponent.is_Integer:
            return f"{self.source(base, ATOM)} ** {self.constant(exponent)}", PRODUCT
        if exponent == 2 and isinstance(base, Indexed | Symbol):
            return f"{self.source(base)} * {self.source(base)}", PRODUCT
        if exponent == 2:
            return self._own("square", self.source(base)), ATOM
        return self._own("power", self.source(base), str(exponent)), ATOM

    def _call(self, call: Function) -> str:
        if isinstance(call, Abs):
            return f"abs({self.source(call.args[0])})"
        if isinstance(call, inverse_sum_exp | log_sum_exp):
            return self._of_sum(call)
        return self._own(type(call).__name__, *map(self.source, operands(call)))

    def _of_sum(self, call: Function) -> str:
        """The inverse or the logarithm of a sum of exponentials."""
        terms = tuple(pairs(call.args))
        if isinstance(call, log_sum_exp):
            one_and = terms[0] == (1, 0)
            rest = terms[1:] if one_and else terms
            name = "log1p_sum_exp" if one_and else "log_sum_exp"
        elif len(terms) == 2 and terms[0] == (1, 0) and terms[1][0] == 1:
            return self._own("sigmoid", self.source(-terms[1][1]))
        elif len(terms) == 2 and terms[0][0] == terms[1][0] == 1 and terms[0][1] == -terms[1][1]:
            positive = min((u for _, u in terms), key=lambda u: u.could_extract_minus_sign())
            return self._own("half_sech", self.source(positive))
        else:
            rest, name = terms, "inverse_sum_exp"
        arguments = [self.source(part) for term in rest for part in term]
        return self._own(f"{name}_{len(rest)}", *arguments)

    def _own(self, name: str, *arguments: str) -> str:
        """A call of a function that the module brings along."""
        self.functions.add(name)
        return f"{name}({', '.join(arguments)})"


def _is_quotient(exponent: Expr) -> bool:
    """Whether a power is written 1/u^k; others keep a negative exponent: u^k may overflow."""
    whole = exponent.is_Integer or exponent == Rational(-1, 2)
    return bool(whole and exponent.is_negative)
