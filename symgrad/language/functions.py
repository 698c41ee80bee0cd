"""The elementary functions: SymPy's own where it has them, opaque ones where it has not.

An opaque function stays one symbol through all passes (`silu(z)` is not written out as
`z/(1+exp(-z))`), so that expressions stay small and read as people write them. `TABLE` says what
each means and what its derivative is; the derivatives are verified against SymPy's `diff` of the
meanings in tests, and differentiation uses nothing but this table. Conventions at kinks are part
of it: a condition is strict, so the derivative of relu and of |u| at 0 is 0.

Derivatives are written with the function's own value where that saves work (tanh' = 1 - tanh²): the
`share` pass then finds the value that the forward pass has computed already.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sympy
from sympy import (
    Abs,
    Expr,
    Function,
    Integer,
    Piecewise,
    Rational,
    S,
    Symbol,
    atan,
    cos,
    cosh,
    erf,
    exp,
    log,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    tanh,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language import constants
from symgrad.language.exponentials import (
    inverse,
    inverse_sum_exp,
    log_sum_exp,
    pairs,
    share_of,
    total,
)
from symgrad.language.notation import as_it_stands, group, group_factors, grouped


class Peak(ExprWithLimits):
    """max_k body: what exponents are shifted by, so that they cannot overflow.

    Only `stabilize` writes it, in expressions that are the same whatever value is subtracted; its
    derivative is left out, because all that it contributes cancels.
    """

    def __new__(cls, body: Expr, *limits: object) -> "Peak":
        result: Peak = ExprWithLimits.__new__(cls, body, *limits)
        return result


def _opaque(name: str, arguments: int = 1) -> type[Function]:
    return type(name, (Function,), {"nargs": arguments, "is_real": True, "__module__": __name__})


heaviside = _opaque("heaviside")
relu = _opaque("relu")
leaky_relu = _opaque("leaky_relu")
leaky_step = _opaque("leaky_step")
elu = _opaque("elu")
elu_slope = _opaque("elu_slope")
selu = _opaque("selu")
selu_slope = _opaque("selu_slope")
sigmoid = _opaque("sigmoid")
softplus = _opaque("softplus")
softsign = _opaque("softsign")
silu = _opaque("silu")
normal_cdf = _opaque("normal_cdf")
normal_pdf = _opaque("normal_pdf")
gelu = _opaque("gelu")
tanh_softplus = _opaque("tanh_softplus")
mish = _opaque("mish")
gaussian = _opaque("gaussian")
expm1 = _opaque("expm1")
log1p = _opaque("log1p")
log_cosh = _opaque("log_cosh")
huber = _opaque("huber")
clip = _opaque("clip")
sech = _opaque("sech")
maximum = _opaque("maximum", 2)
minimum = _opaque("minimum", 2)
xlogy = _opaque("xlogy", 2)
xdivy = _opaque("xdivy", 2)
nonpositive = _opaque("nonpositive")
times = _opaque("times", 2)
log_abs = _opaque("log_abs")
even_relu = _opaque("even_relu")
even_maximum = _opaque("even_maximum", 2)
even_minimum = _opaque("even_minimum", 2)

SELU_SCALE, SELU_ALPHA = Rational(constants.SELU_SCALE), Rational(constants.SELU_ALPHA)


@dataclass(frozen=True)
class Rule:
    """What a function means and what its partial derivatives are, at its arguments.

    `partials` has a function for each argument, or is one function that gives all of them where a
    call may have any number. `shared` names what a function is written out with, z·sigmoid(z) for
    silu, once that part is needed elsewhere too: then it is computed only once. `spelled` is how
    equations write what differs from a simpler expression in its derivative alone.
    """

    meaning: Callable[..., Expr]
    partials: tuple[Callable[..., Expr], ...] | Callable[..., tuple[Expr, ...]]
    shared: Callable[..., Expr] | None = None
    written_out: Callable[..., Expr] | None = None
    spelled: Callable[..., Expr] | None = None

    def slopes(self, *arguments: Expr) -> tuple[Expr, ...]:
        """The partial derivative by each argument."""
        if callable(self.partials):
            return self.partials(*arguments)
        return tuple(partial(*arguments) for partial in self.partials)


def _rule(meaning: Callable[..., Expr], *partials: Callable[..., Expr]) -> Rule:
    return Rule(meaning, partials)


def _gate(
    gate: Callable[..., Expr], meaning: Callable[..., Expr], slope: Callable[..., Expr]
) -> Rule:
    """A function z·gate(z)."""
    return Rule(meaning, (slope,), shared=gate, written_out=lambda z: z * gate(z))


def _spelled(spelled: Callable[..., Expr], *partials: Callable[..., Expr]) -> Rule:
    """A function that is another expression, but for its derivative at a kink."""
    return Rule(spelled, partials, spelled=spelled)


def _half_step(u: Expr) -> Expr:
    """The slope of relu, and ½ at the kink."""
    return (1 + as_it_stands(sign)(u)) / 2


def _other_half(u: Expr) -> Expr:
    """What is left of 1."""
    return (1 - as_it_stands(sign)(u)) / 2


def _inverse_slopes(*arguments: Expr) -> tuple[Expr, ...]:
    terms, value = tuple(pairs(arguments)), inverse(pairs(arguments))
    shares = [share_of(place, terms) for place in range(len(terms))]
    return tuple(
        part
        for (c, _), share in zip(terms, shares, strict=True)
        for part in (-value * share / c, -value * share)
    )


def _log_slopes(*arguments: Expr) -> tuple[Expr, ...]:
    terms = tuple(pairs(arguments))
    shares = [share_of(place, terms) for place in range(len(terms))]
    return tuple(
        part for (c, _), share in zip(terms, shares, strict=True) for part in (share / c, share)
    )


def _where(condition: object, yes: object, no: object) -> Expr:
    return Piecewise((yes, condition), (no, True), evaluate=False)


_l, _a = SELU_SCALE, SELU_ALPHA

# fmt: off
TABLE: dict[type[Expr], Rule] = {
    # one line a function: meaning, then derivative; all are defined on the whole real line but
    # log (u > 0), log1p (u > -1), and xlogy and xdivy (y > 0)
    exp:           _rule(exp,                                     exp),
    expm1:         _rule(lambda u: exp(u) - 1,                    exp),
    log:           _rule(log,                                     lambda u: 1 / u),
    log1p:         _rule(lambda u: log(1 + u),                    lambda u: 1 / (1 + group(u))),
    sin:           _rule(sin,                                     as_it_stands(cos)),
    cos:           _rule(cos,                                     lambda u: -as_it_stands(sin)(u)),
    sinh:          _rule(sinh,                                    as_it_stands(cosh)),
    cosh:          _rule(cosh,                                    as_it_stands(sinh)),
    sech:          _rule(lambda u: 1 / cosh(u),                   lambda u: -sech(u) * as_it_stands(tanh)(u)),
    tanh:          _rule(tanh,                                    lambda u: 1 - as_it_stands(tanh)(u)**2),
    atan:          _rule(atan,                                    lambda u: 1 / (1 + group_factors(u)**2)),
    erf:           _rule(erf,                                     lambda u: 2 / sqrt(pi) * exp(-group_factors(u)**2)),
    Abs:           _rule(lambda u: _where(u > 0, u, -u),          sign),
    sign:          _rule(lambda u: heaviside(u) - heaviside(-u),            lambda u: S.Zero),
    heaviside:     _rule(lambda u: _where(u > 0, 1, 0),           lambda u: S.Zero),
    nonpositive:   _rule(lambda u: _where(u > 0, 0, 1),           lambda u: S.Zero),
    relu:          _rule(lambda u: _where(u > 0, u, 0),           lambda u: heaviside(relu(u))),
    leaky_relu:    _rule(lambda u: _where(u > 0, u, u / 100),     lambda u: leaky_step(leaky_relu(u))),
    leaky_step:    _rule(lambda u: _where(u > 0, 1, Rational(1, 100)), lambda u: S.Zero),
    elu:           _rule(lambda u: _where(u > 0, u, exp(u) - 1),  lambda u: elu_slope(elu(u))),
    elu_slope:     _rule(lambda a: _where(a > 0, 1, a + 1),       lambda a: heaviside(-a)),
    selu:          _rule(lambda u: _where(u > 0, _l * u, _l * _a * (exp(u) - 1)),
                                                                  lambda u: selu_slope(selu(u))),
    selu_slope:    _rule(lambda a: _where(a > 0, _l, a + _l * _a), lambda a: heaviside(-a)),
    sigmoid:       _rule(lambda u: 1 / (1 + exp(-u)),             lambda u: sigmoid(u) * (1 - sigmoid(u))),
    softplus:      _rule(lambda u: log(1 + exp(u)),               sigmoid),
    softsign:      _rule(lambda u: u / (1 + Abs(u)),              lambda u: (1 - Abs(softsign(u)))**2),
    silu:          _gate(sigmoid,       lambda u: u * sigmoid(u), lambda u: sigmoid(u) + silu(u) * (1 - sigmoid(u))),
    normal_cdf:    _rule(lambda u: (1 + erf(u / sqrt(2))) / 2,    normal_pdf),
    normal_pdf:    _rule(lambda u: exp(-u**2 / 2) / sqrt(2 * pi), lambda u: -u * normal_pdf(u)),
    gelu:          _gate(normal_cdf, lambda u: u * normal_cdf(u), lambda u: normal_cdf(u) + u * normal_pdf(u)),
    tanh_softplus: _rule(lambda u: tanh(softplus(u)),             lambda u: sigmoid(u) * (1 - tanh_softplus(u)**2)),
    mish:          _gate(tanh_softplus, lambda u: u * tanh_softplus(u),
                                        lambda u: tanh_softplus(u) + u * sigmoid(u) * (1 - tanh_softplus(u)**2)),
    gaussian:      _rule(lambda u: exp(-u**2),                    lambda u: -2 * u * gaussian(u)),
    log_cosh:      _rule(lambda u: log(cosh(u)),                  as_it_stands(tanh)),
    huber:         _rule(lambda u: _where(Abs(u) > 1, Abs(u) - Rational(1, 2), u**2 / 2), clip),
    clip:          _rule(lambda u: _where(Abs(u) > 1, sign(u), u), lambda u: heaviside(1 - Abs(u))),
    maximum:       _rule(lambda a, b: b + relu(a - b),            lambda a, b: heaviside(a - b),
                                                                  lambda a, b: nonpositive(a - b)),
    minimum:       _rule(lambda a, b: b - relu(b - a),            lambda a, b: heaviside(b - a),
                                                                  lambda a, b: nonpositive(b - a)),
    xlogy:         _rule(lambda t, y: _where(Abs(t) > 0, t * log(y), 0), lambda t, y: log(y), lambda t, y: xdivy(t, y)),
    xdivy:         _rule(lambda t, y: _where(Abs(t) > 0, t / y, 0), lambda t, y: 1 / y, lambda t, y: -xdivy(t, y) / y),
    # a sum that is computed by itself where it is part of another: (y - t) + 1
    grouped:       _spelled(lambda u: u,                          lambda u: Integer(1)),
    # a product that is 0 where a factor is, though the other be infinite
    times:         _rule(lambda a, b: a * b,                      lambda a, b: b, lambda a, b: a),
    log_abs:       _spelled(lambda u: log(as_it_stands(Abs)(u)),  lambda u: 1 / u),
    # where kinks cancel each other: the mean of the slopes on both sides
    even_relu:     _spelled(relu,                                 _half_step),
    even_maximum:  _spelled(maximum,                              lambda a, b: _half_step(a - b), lambda a, b: _other_half(a - b)),
    even_minimum:  _spelled(minimum,                              lambda a, b: _half_step(b - a), lambda a, b: _other_half(b - a)),
    inverse_sum_exp: Rule(lambda *terms: 1 / total(*terms), _inverse_slopes, spelled=lambda *terms: 1 / total(*terms)),
    log_sum_exp:   Rule(lambda *terms: log(total(*terms)), _log_slopes, spelled=lambda *terms: log(total(*terms))),
}
# fmt: on

# The activations by their names in a spec; softmax is no function of one unit and is not here.
ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "identity": lambda z: z,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "gelu": gelu,
    "silu": silu,
    "mish": mish,
    "softplus": softplus,
    "softsign": softsign,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "sin": sin,
    "gaussian": gaussian,
}

# The functions by their names in a formula.
IN_FORMULAS: dict[str, Callable[..., Expr]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sqrt": sqrt,
    "abs": Abs,
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "atan": atan,
    "erf": erf,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "min": minimum,
    "max": maximum,
}


def meaning(call: Expr) -> Expr:
    """An opaque call written with simpler functions, down to SymPy's own and `Piecewise`."""
    return TABLE[call.func].meaning(*call.args)


def in_sympy(expression: Expr) -> Expr:
    """`expression` in SymPy's own functions throughout, for use outside symgrad."""
    while calls := [call for call in expression.atoms(Function) if is_opaque(call)]:
        expression = expression.xreplace({call: meaning(call) for call in calls})
    return expression


def spelled(expression: Expr) -> Expr:
    """The topmost call as equations write it."""
    rule = TABLE.get(type(expression))
    return rule.spelled(*expression.args) if rule and rule.spelled else expression


def constant(value: Expr) -> Expr:
    """A value in which nothing but numbers stands, in SymPy's own functions: relu(3) is 3."""
    return value if value.is_Rational else in_sympy(value).doit()


def is_opaque(call: Expr) -> bool:
    return isinstance(call, Function) and type(call).__module__.startswith("symgrad.")


def integer_power(expression: Expr) -> int | None:
    """The exponent of u**k for an integer k, else None."""
    if isinstance(expression, sympy.Pow) and isinstance(expression.exp, Integer):
        return int(expression.exp)
    return None


def placeholder(name: str) -> Symbol:
    """A real symbol to write a function's formula in."""
    return Symbol(name, real=True)
