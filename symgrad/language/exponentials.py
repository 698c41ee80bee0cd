"""Sums of exponentials, c1·exp(u1) + c2·exp(u2) + …, whose inverse and logarithm are functions.

Computed as it stands, such a sum overflows where its inverse or its logarithm is an ordinary
number, and so do the parts of their derivatives. As functions of the exponents both have
derivatives that are made of the same functions, and of products of numbers between 0 and 1:

    ∂ log S / ∂u_j    =  c_j exp(u_j) / S    =  1 / Σ_k c_k/c_j exp(u_k - u_j)
    ∂ (1/S) / ∂u_j  =  -(1/S) · (c_j exp(u_j) / S),      where S = Σ_k c_k exp(u_k)

Nothing in them cancels: 1/(1 + exp(-z)) has a slope that is right in both tails, where s·(1 - s) is
not. (The named functions sigmoid and tanh have the slopes of the textbooks, s·(1 - s) and 1 - t².)
"""

from collections.abc import Iterable, Iterator

from sympy import Add, Expr, Function, Integer, Mul, cosh, exp

from symgrad.language.notation import grouped
from symgrad.language.order import is_constant, text

# A term c·exp(u), c a positive number.
Term = tuple[Expr, Expr]

MOST_TERMS = 8


class inverse_sum_exp(Function):
    """1/(c1·exp(u1) + c2·exp(u2) + …) of the arguments c1, u1, c2, u2, …"""

    is_real = True


class log_sum_exp(Function):
    """log(c1·exp(u1) + c2·exp(u2) + …) of the arguments c1, u1, c2, u2, …"""

    is_real = True


def pairs(arguments: Iterable[Expr]) -> Iterator[Term]:
    """The terms (c, u) of a call's arguments."""
    each = iter(arguments)
    return zip(each, each, strict=True)


def total(*arguments: Expr) -> Expr:
    """The sum as it stands: c1·exp(u1) + c2·exp(u2) + …"""
    return Add(*(c * exp(u) for c, u in pairs(arguments)))


def share_of(place: int, terms: tuple[Term, ...]) -> Expr:
    """What part of the sum one of its terms is: between 0 and 1."""
    coefficient, exponent = terms[place]
    return inverse([(c / coefficient, difference(u, exponent)) for c, u in terms])


def inverse(terms: Iterable[Term]) -> Expr:
    """1/Σ c·exp(u), in the one form that equal sums have."""
    terms = gathered(terms)
    if len(terms) == 1:
        ((coefficient, exponent),) = terms
        return exp(difference(Integer(0), exponent)) / coefficient
    common = terms[0][0] if len({c for c, _ in terms}) == 1 else Integer(1)
    flat = [part for c, u in terms for part in (c / common, u)]
    return inverse_sum_exp(*flat, evaluate=False) / common


def logarithm(terms: Iterable[Term]) -> Expr:
    """log Σ c·exp(u), in the one form that equal sums have."""
    flat = [part for term in gathered(terms) for part in term]
    return log_sum_exp(*flat, evaluate=False)


def gathered(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms of one exponent as one term, constants as coefficients, in an order of our own."""
    by_exponent: dict[Expr, Expr] = {}
    for coefficient, exponent in terms:
        exponent = difference(exponent, Integer(0))
        number = Add(*(part for part in Add.make_args(exponent) if is_constant(part)))
        rest = exponent - number
        by_exponent[rest] = by_exponent.get(rest, Integer(0)) + coefficient * exp(number)
    ordered = sorted(by_exponent, key=lambda u: (u != 0, text(u)))
    return tuple((by_exponent[u], u) for u in ordered if by_exponent[u] != 0)


def difference(u: Expr, v: Expr) -> Expr:
    """u - v with equal terms taken together: 2·z - z is z. Nothing but sums is expanded."""
    parts = dict(linear(u))
    for rest, coefficient in linear(v).items():
        parts[rest] = parts.get(rest, Integer(0)) - coefficient
    return Add(*(coefficient * rest for rest, coefficient in parts.items()))


def ungrouped(value: Expr) -> Expr:
    """A sum without groups within it."""
    if isinstance(value, grouped):
        return ungrouped(value.args[0])
    return Add(*map(ungrouped, value.args)) if isinstance(value, Add) else value


def linear(u: Expr) -> dict[Expr, Expr]:
    """u as a linear combination: what stands in its sums, and the number that it is taken times."""
    found: dict[Expr, Expr] = {}
    for term in Add.make_args(ungrouped(u)):
        coefficient, rest = term.as_coeff_Mul()
        rest = ungrouped(rest)
        inner = linear(rest) if isinstance(rest, Add) else {rest: Integer(1)}
        for part, number in inner.items():
            found[part] = found.get(part, Integer(0)) + coefficient * number
    return {part: number for part, number in found.items() if number != 0}


def terms_of(value: Expr) -> tuple[Term, ...] | None:
    """`value` as Σ c·exp(u) with numbers c of any sign, or None if it is something else.

    Numbers are terms with exponent 0, and at least one exponential must be there.
    """
    found: list[Term] = []
    for term in Add.make_args(value):
        coefficient, rest = term.as_coeff_Mul()
        if isinstance(rest, exp):
            found.append((coefficient, rest.args[0]))
        elif isinstance(rest, cosh):
            (u,) = rest.args
            found += [(coefficient / 2, u), (coefficient / 2, difference(Integer(0), u))]
        elif is_constant(rest) and rest.is_real:
            found.append((coefficient * rest, Integer(0)))
        elif isinstance(rest, Mul):
            numbers = [factor for factor in rest.args if is_constant(factor)]
            others = [factor for factor in rest.args if not is_constant(factor)]
            if len(others) != 1 or not isinstance(others[0], exp):
                return None
            found.append((coefficient * Mul(*numbers), others[0].args[0]))
        else:
            return None
    terms = gathered(found)
    return terms if 2 <= len(terms) <= MOST_TERMS else None


def positive_terms_of(value: Expr) -> tuple[Term, ...] | None:
    """The same if all its terms are positive: then it is, and log and inverse are defined."""
    terms = terms_of(value)
    return terms if terms and all(c.is_positive for c, _ in terms) else None
