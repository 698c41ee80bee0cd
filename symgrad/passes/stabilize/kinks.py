"""Slopes at kinks: what stands there has one, by a convention that does not depend on the spelling.

(u²)^p is |u|^(2p): no square that overflows, and the slope of |u| at 0, which is 0. In sums such as
relu(u) + log1p(exp(-|u|)) the kinks of the terms cancel: there each gets the mean of its slopes on
both sides, and so the sum gets its derivative.
"""

from sympy import Abs, Add, Expr, Mul, Pow, Sum, cosh, exp

from symgrad.language import functions as f
from symgrad.language.exponentials import inverse_sum_exp
from symgrad.language.indices import operands, rebuild, walk
from symgrad.language.notation import as_it_stands
from symgrad.language.order import is_constant
from symgrad.passes.stabilize.names import Names, Rule
from symgrad.passes.stabilize.smooth import kinks_cancel

_NOT_NEGATIVE = (
    Abs, cosh, exp, f.gaussian, inverse_sum_exp, f.log_cosh, f.relu, f.sech, f.sigmoid,
    f.softplus,
)  # fmt: skip

_EVEN = {f.relu: f.even_relu, f.maximum: f.even_maximum, f.minimum: f.even_minimum}


def _power_of_power(value: Expr, names: Names) -> Expr | None:
    """(u^2k)^p → |u|^(2k·p): no square that overflows, and the kink of |u|."""
    if not isinstance(value, Pow) or value.exp.is_Integer or not isinstance(value.base, Pow):
        return None
    base, power = value.base.args
    if not (power.is_Integer and power % 2 == 0):
        return None
    return as_it_stands(Abs)(base) ** (power * value.exp)


def _smooth(value: Expr, names: Names) -> Expr | None:
    """A sum whose kinks cancel, with the mean slope in place of that on one side."""
    if not isinstance(value, Add):
        return None
    calls = [node for node in walk(value) if isinstance(node, (*_EVEN, Abs))]
    if len(calls) < 2 or not any(isinstance(call, tuple(_EVEN)) for call in calls):
        return None
    return _with_even_slopes(value) if kinks_cancel(value, calls) else None


def _with_even_slopes(value: Expr) -> Expr:
    parts = [_with_even_slopes(part) for part in operands(value)]
    even = _EVEN.get(type(value))
    if even is not None:
        return as_it_stands(even)(*parts)
    return rebuild(value, parts) if parts else value


def not_negative(u: Expr) -> bool:
    """Whether u >= 0 whatever the values of its arrays, as far as can be seen."""
    if is_constant(u):
        return bool(u.is_nonnegative)
    if isinstance(u, Pow):
        even = u.exp.is_Integer and u.exp % 2 == 0
        return bool(even) or not_negative(u.base)
    if isinstance(u, _NOT_NEGATIVE):
        return True
    if isinstance(u, Sum):
        return not_negative(u.function)
    return isinstance(u, Mul | Add) and all(map(not_negative, u.args))


KINKS: tuple[Rule, ...] = (_power_of_power, _smooth)
