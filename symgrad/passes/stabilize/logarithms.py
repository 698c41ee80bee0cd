"""Logarithms: of what is known as an exponential, a product or a power, no other is taken.

What a rule makes of each:

    log exp u            →  u                   log(1 + exp u)        →  softplus(u)
    log sigmoid u        →  -softplus(-u)       log(exp u + exp v)    →  u + softplus(v - u)
    log cosh u           →  log_cosh u          log(c·exp u + d + …)  →  log_sum_exp(c, u, d, 0, …)
    log(1 + u)           →  log1p u             log(1/(c·exp u + …))  →  -log_sum_exp(c, u, …)
    log(p·q), p > 0      →  log p + log q       log(exp u - exp v)    →  u + log(-expm1(v - u))
    log(u²)              →  2·log |u|           softplus u - softplus(-u)  →  u
    u·log u              →  xlogy(u, u)         u·log(u·p), p > 0     →  xlogy(u, u) + u·log p
    xlogy(t, p)          →  t·log p, where that log is harmless

    log Σ_k exp u_k      →  m + log Σ_k exp(u_k - m)           with m = max_k u_k; any m would
                                                               do, with this one nothing overflows
    log Σ_k t_k·p_k      →  the same with u_k = log |t_k| + log p_k, the signs of t_k apart
"""

from sympy import Abs, Add, Expr, Indexed, Integer, Mul, Pow, Sum, cosh, exp, log, sign, sinh

from symgrad.language.exponentials import (
    Term,
    difference,
    inverse_sum_exp,
    logarithm,
    pairs,
    positive_terms_of,
    terms_of,
)
from symgrad.language.functions import (
    Peak,
    expm1,
    log1p,
    log_abs,
    log_cosh,
    maximum,
    sech,
    sigmoid,
    softplus,
    xlogy,
)
from symgrad.language.notation import as_it_stands
from symgrad.language.order import factors, is_constant
from symgrad.language.program import array, name_of
from symgrad.passes.stabilize.names import Names, Rule
from symgrad.passes.stabilize.quotients import exponent_of, inverted

# Where log t_k is -∞ for all k, m must not be: any number below all that are to be subtracted.
LOWEST = Integer(-(10**30))

ZERO = Integer(0)
_abs = as_it_stands(Abs)
_sign = as_it_stands(sign)


def _logarithm(value: Expr, names: Names) -> Expr | None:
    if isinstance(value, log):
        return log_of(value.args[0], names)
    return log_of(1 + value.args[0], names) if isinstance(value, log1p) else None


def _xlogy(value: Expr, names: Names) -> Expr | None:
    if not isinstance(value, xlogy):
        return None
    t, y = value.args
    logarithm = log_of(y, names)
    if (
        logarithm is None
        or logarithm.has(log1p)
        or any(not is_constant(u) for u in logarithm.atoms(log))
    ):
        return None
    return t * logarithm


def _times_logarithm(value: Expr, names: Names) -> Expr | None:
    """u·log u → xlogy(u, u), also where log u is a term of a sum: 0·log 0 is 0."""
    if not isinstance(value, Mul):
        return None
    for place, factor in enumerate(factors(value)):
        others = [*factors(value)[:place], *factors(value)[place + 1 :]]
        for nth, u in enumerate(others):
            logarithm = log(u)
            if not isinstance(logarithm, log) or logarithm not in Add.make_args(factor):
                continue
            rest = Mul(*others[:nth], *others[nth + 1 :])
            return rest * xlogy(u, u) + rest * u * (factor - logarithm)
    return None


def _softplus_and_mirrored(value: Expr, names: Names) -> Expr | None:
    """c·softplus u - c·softplus(-u) → c·u."""
    if not isinstance(value, Add):
        return None
    for term in value.args:
        for factor in factors(term):
            if not isinstance(factor, softplus):
                continue
            (u,) = factor.args
            rest = term / factor
            mirrored = -rest * softplus(difference(ZERO, u))
            if mirrored in value.args:
                return value - term - mirrored + rest * u
    return None


def log_of(u: Expr, names: Names) -> Expr | None:
    """log u in a form that cannot overflow, or None where plain `log` is as good as any."""
    if isinstance(u, exp):
        return u.args[0]
    if isinstance(u, sigmoid):
        return -softplus(difference(ZERO, u.args[0]))
    if isinstance(u, cosh):
        return log_cosh(u.args[0])
    if isinstance(u, sech):
        return -log_cosh(u.args[0])
    if isinstance(u, inverse_sum_exp):
        return -log_of_terms(tuple(pairs(u.args)))
    if isinstance(u, expm1):
        return u.args[0] + _log_of_rest(u.args[0])
    if isinstance(u, sinh):
        return u.args[0] - log(2) + _log_of_rest(2 * u.args[0])
    if isinstance(u, Sum):
        return _log_of_reduction(u, names)
    if isinstance(u, Add):
        return _log_of_sum(u, names)
    if isinstance(u, Mul):
        return _log_of_product(u, names)
    if isinstance(u, Pow) and u.exp.is_Rational:
        return _log_of_power(u, names)
    if isinstance(u, Indexed) and (meaning := names.resolve(u)) is not None:
        logarithm = array(f"log_{name_of(u)}", *u.indices)
        return log_of(meaning, names) if names.resolve(logarithm) is None else logarithm
    return None


def log_of_terms(terms: tuple[Term, ...]) -> Expr:
    """log Σ c·exp(u), c > 0: softplus and log_cosh where these are what it is."""
    if len(terms) == 2 and all(c == 1 for c, _ in terms):
        (_, u), (_, v) = terms
        return u + softplus(difference(v, u))
    return logarithm(terms)


def _log_of_rest(u: Expr) -> Expr:
    """log(1 - exp(-u)) for u > 0."""
    return log(-expm1(difference(ZERO, u)))


def _log_of_reduction(u: Sum, names: Names) -> Expr | None:
    """log Σ_k exp u_k, and log Σ_k t_k·p_k where log p_k is known."""
    exponent = exponent_of(u.function)
    if exponent is not None:
        if names.is_centered(exponent):
            return log(u)
        centered = names.centered(exponent, u)
        return Peak(exponent, *u.limits) + log(Sum(exp(centered), *u.limits))
    known = [factor for factor in factors(u.function) if _is_small(factor, names)]
    if len(u.limits) != 1 or not known:
        return None
    others = Mul(*(factor for factor in factors(u.function) if factor not in known))
    logs = [log_of(factor, names) for factor in known]
    size = names.named("log_part_of", Add(*logs, *([] if others == 1 else [log(_abs(others))])))
    peak = names.named("peak_of", as_it_stands(maximum)(Peak(size, *u.limits), LOWEST))
    signs = Integer(1) if others == 1 else _sign(others)
    return peak + log(Sum(signs * exp(size - peak), *u.limits))


def _is_small(factor: Expr, names: Names) -> bool:
    """Whether a factor may underflow though its logarithm is known: an output of softmax."""
    if not isinstance(factor, Indexed) or not _positive_through(factor, names):
        return False
    return log_of(factor, names) is not None


def _log_of_sum(u: Add, names: Names) -> Expr | None:
    """log of positive exponentials, of the difference of two, of 1 - sigmoid; log(1 + u)."""
    if (terms := positive_terms_of(u)) is not None:
        return log_of_terms(terms)
    if (of_difference := _log_of_difference(u)) is not None:
        return of_difference
    if len(u.args) == 2:
        one, other = u.args if is_constant(u.args[0]) else reversed(u.args)
        complement = _complement(names.meaning(-other)) if one == 1 else None
        if complement is not None:
            return log_of(complement, names)
    rest = u - 1
    if any(term == 1 for term in u.args) and not is_constant(rest):
        return log1p(rest)
    return None


def _complement(value: Expr) -> Expr | None:
    """1 - value for a sigmoid, by that name or written out."""
    if isinstance(value, sigmoid):
        return sigmoid(difference(ZERO, value.args[0]))
    terms = inverted(value) if isinstance(value, inverse_sum_exp) else None
    if terms and len(terms) == 2 and terms[0] == (1, ZERO):
        ((_, _), (c, u)) = terms
        return inverse_sum_exp(Integer(1), ZERO, 1 / c, difference(ZERO, u), evaluate=False)
    return None


def _log_of_difference(u: Add) -> Expr | None:
    """log(c·exp(v) - d·exp(w)) as log c + v + log(1 - d/c·exp(w - v)), d = c."""
    terms = terms_of(u)
    if terms is None or len(terms) != 2 or terms[0][0] != -terms[1][0]:
        return None
    (c, v), (_, w) = terms if terms[0][0].is_positive else terms[::-1]
    if v == 0:
        return None  # log(1 - exp w) is log1p's
    return log(c) + v + _log_of_rest(difference(v, w))


def _log_of_product(u: Mul, names: Names) -> Expr | None:
    """Σ log of the factors: sound when all of them but one are known to be positive."""
    if any(is_constant(factor) and not factor.is_positive for factor in u.args):
        return None  # NaN, as it stands
    doubtful = [factor for factor in u.args if not _positive_through(factor, names)]
    logs = [log_of(factor, names) for factor in u.args]
    if len(doubtful) > 1 or all(found is None for found in logs):
        return None
    pairs = zip(u.args, logs, strict=True)
    terms = [log(factor) if found is None else found for factor, found in pairs]
    return Add(*terms)


def _log_of_power(u: Pow, names: Names) -> Expr | None:
    """log(u^p) = p·log u; where an even power hides the sign of u, p·log |u|."""
    inner = log_of(u.base, names)
    if _positive_through(u.base, names):
        return None if inner is None else u.exp * inner
    if u.exp.is_Integer and u.exp % 2 == 0:
        return u.exp * log_abs(u.base)
    if u.exp < 0:
        return u.exp * (log(u.base) if inner is None else inner)
    return None


def _positive(u: Expr) -> bool:
    """Whether u > 0 whatever the values of its arrays."""
    if isinstance(u, exp | sigmoid | softplus | cosh | sech | inverse_sum_exp):
        return True
    if is_constant(u):
        return bool(u.is_positive)
    if isinstance(u, Add | Mul):
        return all(map(_positive, u.args))
    if isinstance(u, Sum):
        return _positive(u.function)
    return isinstance(u, Pow) and _positive(u.base)


def _positive_through(u: Expr, names: Names) -> bool:
    if isinstance(u, Pow):
        return _positive_through(u.base, names)
    if isinstance(u, Add) and len(u.args) == 2 and 1 in u.args:
        return _positive(u) or _complement(names.meaning(-(u - 1))) is not None
    return _positive(names.meaning(u))


LOGARITHMS: tuple[Rule, ...] = (_logarithm, _xlogy, _times_logarithm, _softplus_and_mirrored)
