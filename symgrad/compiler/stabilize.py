"""stabilize: rewrites that keep the value and cannot overflow or cancel where the original does.

Rules look through names: the log of `y` is the log of what `y` was defined as, so that -t·log y
after a softmax needs no exponential's logarithm, without anybody having put that in.

    log exp u            →  u                       1 / (1 + exp(-u))    →  sigmoid u
    log(c + d·exp u)     →  log c + softplus(…)     exp u · sigmoid(-u)  →  sigmoid u
    log sigmoid u        →  -softplus(-u)           (c + d·exp u)·sigmoid(-u)
    log(1 - sigmoid u)   →  -softplus u                 →  c·sigmoid(-u) + d·sigmoid u
    log cosh u           →  log_cosh u              1 / (exp u + exp v)
    log(1 + u)           →  log1p u                     →  ½·exp(-(u+v)/2)·sech((u-v)/2)
    exp u - 1            →  expm1 u                 (c·exp u + d·exp(-u))·sech u
    log(p·q), p > 0      →  log p + log q               →  c·(1 + tanh u) + d·(1 - tanh u)
    xlogy(t, p)          →  t·log p, where that log is harmless

    log Σ_k exp u_k      →  m + log Σ_k exp(u_k - m)           with m = max_k u_k; any m would
    exp v / Σ_k exp u_k  →  exp(v - m) / Σ_k exp(u_k - m)      do, with this one nothing overflows
"""

from collections.abc import Callable
from dataclasses import dataclass, field

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
    tanh,
)

from symgrad.language.functions import (
    Peak,
    expm1,
    integer_power,
    log1p,
    log_cosh,
    sech,
    sigmoid,
    softplus,
    xlogy,
)
from symgrad.language.indices import (
    SAMPLE,
    bounds,
    canonical,
    free_indices,
    fresh,
    operands,
    product,
    rebuild,
    rename,
    walk,
)
from symgrad.language.notation import as_it_stands, undistributed
from symgrad.language.program import Definition, Program, array, name_of, prune


@undistributed
def stabilize(program: Program) -> Program:
    """`program` with the same values in exact arithmetic, finite ones in floating point."""
    names = Names(program)
    for definition in program.definitions:
        names.user = definition.name
        names.define(definition.target, stable(definition.value, names))
        names.define_logarithm(definition)
    return prune(program.with_definitions(names.definitions.values()), program.outputs)


@dataclass
class Names:
    """The definitions so far: what a name stands for, and new names where a rule needs them."""

    program: Program
    definitions: dict[str, Definition] = field(default_factory=dict)
    user: str = ""  # whose value is being rewritten

    def define(self, target: Expr, value: Expr) -> Expr:
        self.definitions[name_of(target)] = Definition(target, value)
        return target

    def resolve(self, read: Expr) -> Expr | None:
        """The value that an array element was defined with; None for inputs and weights."""
        if not isinstance(read, Indexed) or name_of(read) not in self.definitions:
            return None
        found = self.definitions[name_of(read)]
        return rename(found.value, dict(zip(found.indices, read.indices, strict=True)))

    def define_logarithm(self, definition: Definition) -> None:
        """log_y for a softmax y: the logarithm is what losses want. Dropped if none does."""
        target = array(f"log_{definition.name}", *definition.indices)
        value = self.definitions[definition.name].value
        if any(self.is_centered(node) for node in walk(value)):
            logarithm = log_of(value, self)
            if logarithm is not None:
                self.define(target, logarithm)

    def centered(self, exponent: Expr, reduction: Expr) -> Expr:
        """u - max_k u for the exponent u of a Σ_k exp u, under a name of its own."""
        ((index, extent),) = bounds(reduction).items()
        order = sorted(free_indices(exponent), key=lambda i: (i != SAMPLE, i.name))
        own = canonical(order)
        here = own[order.index(index)]
        other = fresh(here, own)
        moved = rename(exponent, dict(zip(order, own, strict=True)))
        peak = Peak(rename(moved, {here: other}), (other, 0, extent - 1))
        stem = f"centered_{name_of(exponent) if isinstance(exponent, Indexed) else self.user}"
        name = stem
        while name in self.definitions and self.definitions[name].value != moved - peak:
            name += "_"
        self.define(array(name, *own), moved - peak)
        return array(name, *order)

    def is_centered(self, element: Expr) -> bool:
        return isinstance(element, Indexed) and name_of(element).startswith("centered_")


def stable(value: Expr, names: Names) -> Expr:
    """One value, from its leaves up, until no rule applies."""
    parts = operands(value)
    if not parts:
        return value
    value = _rebuilt(value, [stable(part, names) for part in parts])
    for rule in _RULES:
        changed = rule(value, names)
        if changed is not None and changed != value:
            return stable(changed, names)
    return value


def _rebuilt(value: Expr, parts: list[Expr]) -> Expr:
    return value if tuple(parts) == operands(value) else rebuild(value, parts)


# Logarithms


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
        or any(not u.is_number for u in logarithm.atoms(log))
    ):
        return None
    return t * logarithm


def log_of(u: Expr, names: Names) -> Expr | None:
    """log u in a form that cannot overflow, or None where plain `log` is as good as any."""
    if isinstance(u, exp):
        return u.args[0]
    if isinstance(u, sigmoid):
        return -softplus(-u.args[0])
    if isinstance(u, cosh):
        return log_cosh(u.args[0])
    if isinstance(u, Sum) and (exponent := _exponent(u.function)) is not None:
        if names.is_centered(exponent):
            return log(u)
        centered = names.centered(exponent, u)
        return Peak(exponent, *u.limits) + log(Sum(exp(centered), *u.limits))
    if isinstance(u, Add):
        return _log_of_sum(u, names)
    if isinstance(u, Mul):
        return _log_of_product(u, names)
    if isinstance(u, Pow) and _positive(u.base) and u.exp.is_number:
        inner = log_of(u.base, names)
        return None if inner is None else u.exp * inner
    if isinstance(u, Indexed) and (meaning := names.resolve(u)) is not None:
        logarithm = array(f"log_{name_of(u)}", *u.indices)
        return log_of(meaning, names) if names.resolve(logarithm) is None else logarithm
    return None


def _log_of_sum(u: Add, names: Names) -> Expr | None:
    """log(1 - sigmoid), log of two positive terms one of which is an exponential, log(1 + u)."""
    if len(u.args) == 2:
        one, other = u.args if u.args[0].is_number else reversed(u.args)
        subtracted = names.resolve(-other) or -other
        if one == 1 and isinstance(subtracted, sigmoid):
            return -softplus(subtracted.args[0])
        first, second = map(_exponent, (one, other))
        if first is not None and second is not None:
            return first + softplus(second - first)
    rest = u - 1
    if any(term == 1 for term in u.args) and not rest.is_number:
        return log1p(rest)
    return None


def _log_of_product(u: Mul, names: Names) -> Expr | None:
    """Σ log of the factors: sound when all of them but one are known to be positive."""
    if any(factor.is_number and factor <= 0 for factor in u.args):
        return None  # NaN, as it stands
    doubtful = [factor for factor in u.args if not _positive_through(factor, names)]
    logs = [log_of(factor, names) for factor in u.args]
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


def _positive_through(u: Expr, names: Names) -> bool:
    if isinstance(u, Pow) and isinstance(u.base, Indexed):
        return _positive_through(u.base, names)
    meaning = names.resolve(u) if isinstance(u, Indexed) else u
    return meaning is not None and _positive(meaning)


# Quotients of exponentials


def _reciprocal(value: Expr, names: Names) -> Expr | None:
    """(c·exp u + d·exp v)^-k, c and d positive numbers, by sigmoid or sech to the power k."""
    power = integer_power(value)
    if power is None or power >= 0 or not isinstance(value.base, Add) or len(value.base.args) != 2:
        return None
    first, second = map(_exponent, value.base.args)
    if first is None or second is None:
        return None
    if second.is_number:
        first, second = second, first
    if first.is_number:
        return (exp(-first) * sigmoid(first - second)) ** (-power)
    return (exp(-(first + second) / 2) * sech((first - second) / 2) / 2) ** (-power)


def _quotient(value: Expr, names: Names) -> Expr | None:
    """Products in which an exponential meets a denominator that is large with it."""
    if not isinstance(value, Mul):
        return None
    factors = list(value.args)
    for place, factor in enumerate(factors):
        others = factors[:place] + factors[place + 1 :]
        if (met := _softmax(factor, others, names)) is not None:
            return met
        if (met := _sigmoid_met(factor, others)) is not None:
            return met
        if (met := _sech_met(factor, others)) is not None:
            return met
    return None


def _softmax(factor: Expr, others: list[Expr], names: Names) -> Expr | None:
    """exp v / Σ exp u_k → exp(v - m) / Σ exp(u_k - m), m the largest of the u_k."""
    if integer_power(factor) != -1 or not isinstance(factor.base, Sum):
        return None
    exponent = _exponent(factor.base.function)
    if exponent is None or names.is_centered(exponent):
        return None
    centered = names.centered(exponent, factor.base)
    normalizer = Sum(exp(centered), *factor.base.limits)
    ((index, _),) = bounds(factor.base).items()
    for place, other in enumerate(others):
        rest = [*others[:place], *others[place + 1 :], 1 / normalizer]
        if isinstance(other, exp):
            for here in free_indices(other.args[0]):
                if rename(exponent, {index: here}) == other.args[0]:
                    return product([*rest, exp(rename(centered, {index: here}))])
            return product([*rest, exp(other.args[0] - Peak(exponent, *factor.base.limits))])
    return product([*others, exp(-Peak(exponent, *factor.base.limits)), 1 / normalizer])


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
    return None


_tanh = as_it_stands(tanh)


def _sech_met(factor: Expr, others: list[Expr]) -> Expr | None:
    """(c·exp u + d·exp(-u))·sech u → c·(1 + tanh u) + d·(1 - tanh u)."""
    if not isinstance(factor, sech):
        return None
    u = factor.args[0]
    for place, other in enumerate(others):
        grown: Expr = S.Zero
        for term in Add.make_args(other):
            number, rest = term.as_coeff_Mul()
            if rest not in (exp(u), exp(-u)):
                break
            grown += number * (1 + _tanh(u) if rest == exp(u) else 1 - _tanh(u))
        else:
            return product([*others[:place], *others[place + 1 :], grown])
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


def _expm1(value: Expr, names: Names) -> Expr | None:
    """exp u - 1 → expm1 u."""
    if not isinstance(value, Add):
        return None
    for term in value.args:
        number, rest = term.as_coeff_Mul()
        if isinstance(rest, exp) and -number in value.args and number in (1, -1):
            return value - term + number + number * expm1(rest.args[0])
    return None


Rule = Callable[[Expr, Names], Expr | None]
_RULES: tuple[Rule, ...] = (_logarithm, _xlogy, _reciprocal, _quotient, _expm1)
