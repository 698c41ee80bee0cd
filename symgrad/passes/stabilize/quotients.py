"""Quotients of sums of exponentials: no sum is left to overflow below, nor an exponential above.

What a rule makes of each:

    1 / (1 + exp(-u))                  →  inverse_sum_exp(1, 0, 1, -u), which cannot overflow
    exp(w) / (c·exp(u) + d·exp(v))     →  1 / (c·exp(u - w) + d·exp(v - w)), likewise
    (c·exp(w) + r) / (exp(u) + exp(v)) →  its terms, each divided by itself
    1 - 1 / (1 + exp(-u))              →  1 / (1 + exp(u)): what cancels is left out
    (exp(u) - 1) / (exp(u) + 1)        →  tanh(u/2)
    1 / cosh(u)                        →  sech(u);     sinh(u) / cosh(u)  →  tanh(u)
    exp(u) - 1                         →  expm1(u)

    exp v / Σ_k exp u_k                →  exp(v - m) / Σ_k exp(u_k - m), m = max_k u_k
"""

from sympy import Add, Expr, Integer, Mul, Pow, Sum, cosh, exp, log, sinh, tanh

from symgrad.language.exponentials import (
    Term,
    difference,
    gathered,
    inverse,
    inverse_sum_exp,
    linear,
    pairs,
    positive_terms_of,
    terms_of,
)
from symgrad.language.functions import Peak, expm1, integer_power, sech, sigmoid
from symgrad.language.indices import bounds, free_indices, product, rename
from symgrad.language.notation import as_it_stands
from symgrad.language.order import factors, is_constant, text
from symgrad.passes.stabilize.names import Names, Rule

# A power of a sum is written as so many factors at the most.
MOST_COPIES = 4

ZERO = Integer(0)
_tanh = as_it_stands(tanh)


def _inverse(value: Expr, names: Names) -> Expr | None:
    """(c·exp u + d·exp v + …)^-k; cosh(u)^-k as sech(u)^k."""
    power = value.exp if isinstance(value, Pow) else ZERO
    if not (power.is_Rational and power < 0):
        return None
    if isinstance(value.base, cosh):
        return sech(*value.base.args) ** -power
    terms = positive_terms_of(value.base) if isinstance(value.base, Add) else None
    return inverse(terms) ** -power if terms else None


def _softmax(value: Expr, names: Names) -> Expr | None:
    """exp v / Σ_k exp u_k → exp(v - m) / Σ_k exp(u_k - m), m the largest of the u_k."""
    if not isinstance(value, Mul):
        return None
    for place, factor in enumerate(factors(value)):
        if integer_power(factor) != -1 or not isinstance(factor.base, Sum):
            continue
        exponent = exponent_of(factor.base.function)
        if exponent is None or names.is_centered(exponent) or len(bounds(factor.base)) != 1:
            continue
        others = [*factors(value)[:place], *factors(value)[place + 1 :]]
        return _divided(others, exponent, factor.base, names)
    return None


def _divided(others: list[Expr], exponent: Expr, total: Expr, names: Names) -> Expr:
    centered = names.centered(exponent, total)
    normalizer = Sum(exp(centered), *total.limits)
    ((index, _),) = bounds(total).items()
    for place, other in enumerate(others):
        rest = [*others[:place], *others[place + 1 :], 1 / normalizer]
        if isinstance(other, exp):
            for here in sorted(free_indices(other.args[0]), key=text):
                if rename(exponent, {index: here}) == other.args[0]:
                    return product([*rest, exp(rename(centered, {index: here}))])
            return product([*rest, exp(other.args[0] - Peak(exponent, *total.limits))])
    return product([*others, exp(-Peak(exponent, *total.limits)), 1 / normalizer])


def exponent_of(term: Expr) -> Expr | None:
    """The v of a term exp(v), or c·exp(v) with a positive number c: what is log of it."""
    coefficient, rest = term.as_coeff_Mul()
    if not coefficient.is_positive or not isinstance(rest, exp):
        return None
    return log(coefficient) + rest.args[0]


def _quotient(value: Expr, names: Names) -> Expr | None:
    """A product of inverse sums with exponentials, or with sums that have some."""
    if not isinstance(value, Mul):
        return None
    inverses: list[tuple[Term, ...]] = []
    above: list[Expr] = []  # sums in which exponentials stand
    rest: list[Expr] = []
    w: Expr = ZERO
    for factor in factors(value):
        base, power = (
            (factor.base, integer_power(factor) or 0) if isinstance(factor, Pow) else (factor, 1)
        )
        terms = inverted(base)
        if isinstance(factor, exp):
            w = w + factor.args[0]
        elif terms and 1 <= power <= MOST_COPIES:
            inverses += [terms] * power
        elif _has_exponentials(base) and 1 <= power <= MOST_COPIES:
            above += [base] * power
        else:
            rest.append(factor)
    if not inverses:
        return None
    if w != 0 and any(_related(w, terms) for terms in inverses):
        return product([*rest, *above, *_absorbed(w, inverses)])
    for place, total in enumerate(above):
        for nth, terms in enumerate(inverses):
            met = _met(total, terms)
            if met is not None:
                left = [*above[:place], *above[place + 1 :]]
                beside = [inverse(each) for k, each in enumerate(inverses) if k != nth]
                return product([*rest, *left, *beside, exp(w), met])
    return None


def inverted(value: Expr) -> tuple[Term, ...] | None:
    """The sum whose inverse `value` is, up to a number: of what is an inverse sum by its name."""
    if isinstance(value, inverse_sum_exp):
        return tuple(pairs(value.args))
    if isinstance(value, sigmoid):
        return gathered([(Integer(1), ZERO), (Integer(1), difference(ZERO, value.args[0]))])
    if isinstance(value, sech):
        half = Integer(1) / 2
        return gathered([(half, value.args[0]), (half, difference(ZERO, value.args[0]))])
    return None


def _has_exponentials(value: Expr) -> bool:
    if isinstance(value, expm1 | sinh | cosh):
        return True
    return isinstance(value, Add) and any(
        isinstance(factor, exp | expm1 | sinh | cosh)
        for term in value.args
        for factor in factors(term)
    )


def _related(w: Expr, terms: tuple[Term, ...]) -> bool:
    """Whether an exponential of w can meet its like in a sum."""
    return any(linear(w).keys() & linear(u).keys() for _, u in terms)


def _absorbed(w: Expr, inverses: list[tuple[Term, ...]]) -> list[Expr]:
    """exp(w) brought into inverse sums, so that what is left of it is as little as can be."""
    shifted: list[tuple[Term, ...]] = []
    for terms in inverses:
        by = min(
            (u for _, u in (*terms, (1, ZERO))), key=lambda u: (_size(difference(w, u)), text(u))
        )
        if _size(difference(w, by)) >= _size(w):
            by = ZERO
        w = difference(w, by)
        shifted.append(gathered((c, difference(u, by)) for c, u in terms))
    if w != 0:
        last = next(
            k for k, terms in enumerate(shifted) if _related(w, terms) or k == len(shifted) - 1
        )
        shifted[last] = gathered((c, difference(u, w)) for c, u in shifted[last])
    return [inverse(terms) for terms in shifted]


def _size(w: Expr) -> Expr:
    return Add(*(abs(number) for number in linear(w).values()))


def _met(total: Expr, terms: tuple[Term, ...]) -> Expr | None:
    """A sum of exponentials and other terms, divided by a sum: tanh, or term by term."""
    over = inverse(terms)
    if isinstance(total, expm1):
        # exp u - 1 = tanh(u/2)·(exp u + 1), and so it keeps what is exact of it near 0
        (u,) = total.args
        if not _related(u, terms):
            return None
        whole = [over, *_absorbed(u, [terms])]
        return _tanh(u / 2) * (_whole(whole) or Add(*whole))
    if isinstance(total, sinh):
        u = total.args[0]
        return _tanh(u) * _met_sum(cosh(u), terms) if _related(u, terms) else None
    if isinstance(total, Add) and (halves := _difference_of_two(total)) is not None:
        coefficient, u, v = halves
        if _related(difference(u, v), terms):
            sums = [_absorbed(each, [terms])[0] for each in (u, v)]
            half_way = _tanh(difference(u, v) / 2)
            return coefficient * half_way * (_whole(sums) or Add(*sums))
    return _met_sum(total, terms)


def _difference_of_two(total: Add) -> tuple[Expr, Expr, Expr] | None:
    """(c, u, v) of c·exp(u) - c·exp(v)."""
    terms = terms_of(total)
    if terms is None or len(terms) != 2 or terms[0][0] != -terms[1][0]:
        return None
    (c, u), (_, v) = terms
    return c, u, v


def _met_sum(total: Expr, terms: tuple[Term, ...]) -> Expr | None:
    """Each term divided by the sum, where an exponential of one of them can meet it."""
    if isinstance(total, cosh):
        total = exp(total.args[0]) / 2 + exp(-total.args[0]) / 2
    met = False
    found: list[Expr] = []
    for term in Add.make_args(total):
        others = [factor for factor in factors(term) if not isinstance(factor, exp)]
        w = Add(*(factor.args[0] for factor in factors(term) if isinstance(factor, exp)))
        related = w != 0 and _related(w, terms)
        met |= related
        found.append(
            product([*others, *(_absorbed(w, [terms]) if related else [exp(w), inverse(terms)])])
        )
    return (_whole(found) or Add(*found)) if met else None


def _whole(shares: list[Expr]) -> Expr | None:
    """1, if these are all the shares of one sum: each as large as one of its terms."""
    families = [family for share in shares if (family := _family(share)) is not None]
    if len(families) < len(shares):
        return None
    (form, _), *_ = families
    if any(other != form for other, _ in families):
        return None
    above = gathered(term for _, term in families)
    return _proportion(above, form)


def _proportion(above: tuple[Term, ...], below: tuple[Term, ...]) -> Expr | None:
    if [u for _, u in above] != [u for _, u in below]:
        return None
    ratios = {c / d for (c, _), (d, _) in zip(above, below, strict=True)}
    return ratios.pop() if len(ratios) == 1 else None


def _family(value: Expr) -> tuple[tuple[Term, ...], Term] | None:
    """d/Σ c·exp(u) as a term of a sum over that sum, in one form for all that have the same."""
    coefficient, rest = value.as_coeff_Mul()
    terms = inverted(rest)
    if terms is None:
        return None
    forms = []
    for c, u in terms:
        moved = gathered((each / c, difference(v, u)) for each, v in terms)
        forms.append((moved, (coefficient / c, difference(ZERO, u))))
    return min(forms, key=lambda form: text(Add(*(each * exp(v) for each, v in form[0]))))


def _without_cancelling(value: Expr, names: Names) -> Expr | None:
    """k + d/S + … over one sum S: (k·S + d)/S, where terms vanish and all that is left has one
    sign."""
    if not isinstance(value, Add):
        return None
    numbers = [term for term in value.args if is_constant(term)]
    if not numbers:
        return None
    number = Add(*numbers)
    for term in value.args:
        if (family := _family(term)) is None:
            continue
        form, _ = family
        alike = [
            (each, found) for each in value.args if (found := _family(each)) and found[0] == form
        ]
        above = gathered([*((number * c, u) for c, u in form), *(found[1] for _, found in alike)])
        if above and (len(above) >= len(form) or len({c.is_positive for c, _ in above}) != 1):
            continue
        others = Add(
            *(
                each
                for each in value.args
                if each not in numbers and not any(each is a for a, _ in alike)
            )
        )
        shares = (c * inverse((d, difference(v, u)) for d, v in form) for c, u in above)
        return others + Add(*shares)
    return None


def _expm1(value: Expr, names: Names) -> Expr | None:
    """exp u - 1 → expm1 u."""
    if not isinstance(value, Add):
        return None
    for term in value.args:
        number, rest = term.as_coeff_Mul()
        if isinstance(rest, exp) and -number in value.args and number in (1, -1):
            return value - term + number + number * expm1(rest.args[0])
    return None


def _coefficient(value: Expr, names: Names) -> Expr | None:
    """Σ c·v → c·Σ v for a number c, as sums are written everywhere."""
    if not isinstance(value, Sum):
        return None
    coefficient, rest = value.function.as_coeff_Mul()
    return coefficient * Sum(rest, *value.limits) if coefficient != 1 and rest != 1 else None


QUOTIENTS: tuple[Rule, ...] = (
    _coefficient,
    _inverse,
    _softmax,
    _quotient,
    _without_cancelling,
    _expm1,
)
