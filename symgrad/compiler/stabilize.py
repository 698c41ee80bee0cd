"""stabilize: rewrites that keep the value and cannot overflow or cancel where the original does.

Rules look through names: the log of `y` is the log of what `y` was defined as, so that -t·log y
after a softmax becomes t·(logsumexp z - z) without anybody having put that in.

    log exp u            →  u                       exp u / Σ exp u_k      →  exp(u - logsumexp u_k)
    log Σ_k exp u_k      →  logsumexp_k u_k         1 / (1 + exp(-u))      →  sigmoid u
    log(c + d·exp u)     →  log c + softplus(…)     exp u · sigmoid(-u)    →  sigmoid u
    log sigmoid u        →  -softplus(-u)           1 / (exp u + exp v)    →  exp(-v)·sigmoid(v - u)
    log(1 - sigmoid u)   →  -softplus u             (c + d·exp u)·sigmoid(-u)
                                                       →  c·sigmoid(-u) + d·sigmoid u
    log cosh u           →  log_cosh u              exp u - 1              →  expm1 u
    log(p·q), p > 0      →  log p + log q           log(1 + u)             →  log1p u
    xlogy(t, p)          →  t·log p, where the log has become harmless
"""

from collections.abc import Callable

from sympy import (
    Add,
    Expr,
    Indexed,
    Mul,
    Number,
    Pow,
    S,
    Sum,
    cosh,
    exp,
    log,
)

from symgrad.language.functions import (
    LogSumExp,
    expm1,
    integer_power,
    log1p,
    log_cosh,
    sigmoid,
    softplus,
    xlogy,
)
from symgrad.language.indices import operands, product, rebuild, rename
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array, name_of

# What a name stands for: an array element → its definition's value, None for inputs and weights.
Resolve = Callable[[Expr], Expr | None]


@undistributed
def stabilize(program: Program) -> Program:
    """`program` with the same values in exact arithmetic, finite ones in floating point."""
    done: dict[str, Definition] = {}

    def resolve(read: Expr) -> Expr | None:
        if not isinstance(read, Indexed) or name_of(read) not in done:
            return None
        definition = done[name_of(read)]
        return rename(definition.value, dict(zip(definition.indices, read.indices, strict=True)))

    for definition in program.definitions:
        value = stable(definition.value, resolve)
        if isinstance(value, exp) and value.has(LogSumExp):
            # the logarithm is what losses want: it gets a name, log_y, and y is exp(log_y)
            logarithm = array(f"log_{definition.name}", *definition.indices)
            done[name_of(logarithm)] = Definition(logarithm, value.args[0])
            value = exp(logarithm)
        done[definition.name] = Definition(definition.target, value)
    return program.with_definitions(done.values())


def stable(value: Expr, resolve: Resolve) -> Expr:
    """One value, from its leaves up, until no rule applies."""
    parts = operands(value)
    if not parts:
        return value
    value = _rebuilt(value, [stable(part, resolve) for part in parts])
    for rule in _RULES:
        changed = rule(value, resolve)
        if changed is not None and changed != value:
            return stable(changed, resolve)
    return value


def _rebuilt(value: Expr, parts: list[Expr]) -> Expr:
    return value if tuple(parts) == operands(value) else rebuild(value, parts)


# Logarithms


def _logarithm(value: Expr, resolve: Resolve) -> Expr | None:
    if isinstance(value, log):
        return log_of(value.args[0], resolve)
    return log_of(1 + value.args[0], resolve) if isinstance(value, log1p) else None


def _xlogy(value: Expr, resolve: Resolve) -> Expr | None:
    if not isinstance(value, xlogy):
        return None
    t, y = value.args
    logarithm = log_of(y, resolve)
    if (
        logarithm is None
        or logarithm.has(log1p)
        or any(not u.is_number for u in logarithm.atoms(log))
    ):
        return None
    return t * logarithm


def log_of(u: Expr, resolve: Resolve) -> Expr | None:
    """log u in a form that cannot overflow, or None where plain `log` is as good as any."""
    if isinstance(u, exp):
        return u.args[0]
    if isinstance(u, sigmoid):
        return -softplus(-u.args[0])
    if isinstance(u, cosh):
        return log_cosh(u.args[0])
    if isinstance(u, Sum) and (exponent := _exponent(u.function)) is not None:
        return LogSumExp(exponent, *u.limits)
    if isinstance(u, Add):
        return _log_of_sum(u, resolve)
    if isinstance(u, Mul):
        return _log_of_product(u, resolve)
    if isinstance(u, Pow) and _positive(u.base) and u.exp.is_number:
        inner = log_of(u.base, resolve)
        return None if inner is None else u.exp * inner
    if isinstance(u, Indexed) and (meaning := resolve(u)) is not None:
        return log_of(meaning, resolve)
    return None


def _log_of_sum(u: Add, resolve: Resolve) -> Expr | None:
    """log(1 - sigmoid), log of two positive terms one of which is an exponential, log(1 + u)."""
    if len(u.args) == 2:
        one, other = u.args if u.args[0].is_number else reversed(u.args)
        subtracted = resolve(-other) or -other
        if one == 1 and isinstance(subtracted, sigmoid):
            return -softplus(subtracted.args[0])
        first, second = map(_exponent, (one, other))
        if first is not None and second is not None:
            return first + softplus(second - first)
    rest = u - 1
    if any(term == 1 for term in u.args) and not rest.is_number:
        return log1p(rest)
    return None


def _log_of_product(u: Mul, resolve: Resolve) -> Expr | None:
    """Σ log of the factors: sound when all of them but one are known to be positive."""
    doubtful = [factor for factor in u.args if not _positive_through(factor, resolve)]
    logs = [log_of(factor, resolve) for factor in u.args]
    if len(doubtful) > 1 or all(found is None for found in logs):
        return None
    pairs = zip(u.args, logs, strict=True)
    terms = [log(factor) if found is None else found for factor, found in pairs]
    return Add(*terms)


def _exponent(term: Expr) -> Expr | None:
    """The v of a term exp(v), c·exp(v) or c with a positive number c: what is log of it."""
    coefficient, rest = term.as_coeff_Mul()
    if not (isinstance(coefficient, Number) and coefficient > 0):
        return None
    if rest == 1:
        return log(coefficient)
    return log(coefficient) + rest.args[0] if isinstance(rest, exp) else None


def _positive(u: Expr) -> bool:
    """Whether u > 0 whatever the values of its arrays."""
    if isinstance(u, exp | sigmoid | softplus | cosh):
        return True
    if isinstance(u, Number):
        return bool(u > 0)
    if isinstance(u, Add | Mul):
        return all(map(_positive, u.args))
    if isinstance(u, Sum):
        return _positive(u.function)
    return isinstance(u, Pow) and _positive(u.base)


def _positive_through(u: Expr, resolve: Resolve) -> bool:
    if isinstance(u, Pow) and isinstance(u.base, Indexed):
        return _positive_through(u.base, resolve)
    meaning = resolve(u) if isinstance(u, Indexed) else u
    return meaning is not None and _positive(meaning)


# Quotients of exponentials


def _reciprocal(value: Expr, resolve: Resolve) -> Expr | None:
    """(c·exp u + d·exp v)^-k, c and d positive → (exp(-first)·sigmoid(first - second))^k."""
    power = integer_power(value)
    if power is None or power >= 0 or not isinstance(value.base, Add) or len(value.base.args) != 2:
        return None
    first, second = map(_exponent, value.base.args)
    if first is None or second is None:
        return None
    if second.is_number:
        first, second = second, first
    return (exp(-first) * sigmoid(first - second)) ** (-power)


def _quotient(value: Expr, resolve: Resolve) -> Expr | None:
    """Products in which an exponential meets a denominator that is large with it."""
    if not isinstance(value, Mul):
        return None
    factors = list(value.args)
    for place, factor in enumerate(factors):
        others = factors[:place] + factors[place + 1 :]
        if (met := _softmax(factor, others)) is not None:
            return met
        if (met := _sigmoid_met(factor, others)) is not None:
            return met
    return None


def _softmax(factor: Expr, others: list[Expr]) -> Expr | None:
    """exp u · (Σ exp u_k)^-1 → exp(u - logsumexp u_k)."""
    if integer_power(factor) != -1 or not isinstance(factor.base, Sum):
        return None
    exponent = _exponent(factor.base.function)
    if exponent is None:
        return None
    total = LogSumExp(exponent, *factor.base.limits)
    for place, other in enumerate(others):
        if isinstance(other, exp):
            rest = others[:place] + others[place + 1 :]
            return product([*rest, exp(other.args[0] - total)])
    return product([*others, exp(-total)])


def _sigmoid_met(factor: Expr, others: list[Expr]) -> Expr | None:
    """exp u·sigmoid(-u) → sigmoid u, also under a power and where the exponential is in a sum."""
    power = 1
    if isinstance(factor, Pow) and (whole := integer_power(factor)) is not None and whole > 0:
        factor, power = factor.base, whole
    if not isinstance(factor, sigmoid):
        return None
    u = -factor.args[0]
    for place, other in enumerate(others):
        rest = [*others[:place], *others[place + 1 :], factor ** (power - 1)]
        if other == exp(u):
            return product([*rest, sigmoid(u)])
        if isinstance(other, exp) and (other.args[0] - u).is_number:
            return product([*rest, exp(other.args[0] - u), sigmoid(u)])
        if (parts := _constant_and_exponential(other, u)) is not None:
            constant, coefficient = parts
            return product([*rest, constant * sigmoid(-u) + coefficient * sigmoid(u)])
        if isinstance(other, exp):
            for total in rest:
                if isinstance(total, Add) and all(term.has(exp) for term in total.args):
                    spread = Add(*(other * term for term in total.args))
                    return product([*(r for r in rest if r is not total), factor, spread])
    return None


def _constant_and_exponential(total: Expr, u: Expr) -> tuple[Expr, Expr] | None:
    """(c, d) of c + d·exp(u), c and d numbers; exp(u) - 1 may stand as expm1(u) already."""
    constant: Expr = S.Zero
    coefficient: Expr = S.Zero
    for term in Add.make_args(total):
        number, rest = term.as_coeff_Mul()
        if rest == 1:
            constant += number
        elif rest == exp(u):
            coefficient += number
        elif rest == expm1(u):
            constant, coefficient = constant - number, coefficient + number
        else:
            return None
    return (constant, coefficient) if coefficient != 0 else None


def _expm1(value: Expr, resolve: Resolve) -> Expr | None:
    """exp u - 1 → expm1 u."""
    if not isinstance(value, Add):
        return None
    for term in value.args:
        number, rest = term.as_coeff_Mul()
        if isinstance(rest, exp) and -number in value.args and number in (1, -1):
            return value - term + number + number * expm1(rest.args[0])
    return None


Rule = Callable[[Expr, Resolve], Expr | None]
_RULES: tuple[Rule, ...] = (_logarithm, _xlogy, _reciprocal, _quotient, _expm1)
