"""guard: in a derivative a factor that is 0 ends a product, though another be infinite.

sqrt(max(0, z)) is constant where z < 0. By the chain rule its slope there is 1/(2·sqrt(0))·0, which
floating point makes ∞·0, no number: and so it is wherever a function of infinite slope, or one that
overflows, is taken of something flat, or something flat is taken of it. So products in which a
factor may be infinite, in whatever order the factors came together, are computed by `times` and
`xdivy`, for which 0·∞ is 0. At the tip of a norm, sqrt(Σ u²), the slope is thereby 0, as that of
|u| is at 0.

What may be infinite is found by what it is made of; ordinary networks have nothing of the kind, and
their derivatives stay as they are. Neither do products change in which only arrays are read.

Second derivatives have powers beside what vanishes faster than any: z²·exp(-z²). The power would be
infinite first, so it is multiplied by one z after the other, from the exponential on.
"""

from dataclasses import dataclass, field, replace
from functools import reduce

from sympy import (
    Abs,
    Add,
    Expr,
    Function,
    Indexed,
    Mul,
    Pow,
    Sum,
    Symbol,
    cosh,
    exp,
    sign,
    sinh,
)

from symgrad.language import functions as f
from symgrad.language.exponentials import difference, inverse_sum_exp, pairs
from symgrad.language.indices import of_samples, operands, rebuild
from symgrad.language.notation import as_it_stands, group_factors, grouped, undistributed
from symgrad.language.order import factors, is_constant
from symgrad.language.program import Program, name_of
from symgrad.passes.stabilize.kinks import not_negative

# What can be infinite where its arguments are finite, and what is flat but for a step.
_OVERFLOWS = (exp, cosh, sinh, f.expm1)
_STEPS = (f.heaviside, f.nonpositive, sign)

# What vanishes faster than any power of its argument grows; so does exp(-z²).
_VANISHING = (f.gaussian, f.normal_pdf)


MOST_DIVISIONS = 3


@undistributed
def guard(program: Program, forward: Program | None = None) -> Program:
    """`program` with `times` in the products of its derivatives that need it: of what is called d_,
    or of all that `forward` has not."""
    known = _Known(second=forward is not None)
    definitions = []
    for definition in program.definitions:
        derived = definition.name.startswith("d_") or (
            forward is not None and definition.name not in forward.by_name
        )
        if derived:
            definition = replace(definition, value=_guarded(definition.value, known))
        if known.may_be_infinite(definition.value):
            known.infinite.add(definition.name)
        if known.never_zero(definition.value):
            known.positive.add(definition.name)
        if known.vanishes(definition.value):
            known.vanishing.add(definition.name)
        if _is_power(definition.value):
            known.powers.add(definition.name)
            if definition.value.exp % 2 == 0:
                known.even.add(definition.name)
        definitions.append(definition)
    return program.with_definitions(definitions)


@dataclass(frozen=True)
class _Known:
    """The arrays that may be infinite, those that are never 0, those that vanish fast, powers, and
    even ones, as far as can be seen. In functions of the second order exponentials count among what
    vanishes; gradients are multiplied up as they have always been."""

    second: bool = False

    infinite: set[str] = field(default_factory=set)
    positive: set[str] = field(default_factory=set)
    vanishing: set[str] = field(default_factory=set)
    powers: set[str] = field(default_factory=set)
    even: set[str] = field(default_factory=set)

    def may_be_infinite(self, value: Expr) -> bool:
        """Whether `value` can be infinite where all that it is computed from is finite."""
        if isinstance(value, Indexed | Symbol):
            return name_of(value) in self.infinite
        if is_constant(value) or _is_centered(value):
            return False
        if isinstance(value, Pow) and value.exp.is_negative:
            return not self.never_zero(value.base)
        if isinstance(value, inverse_sum_exp):
            return not _has_a_least(tuple(u for _, u in pairs(value.args)))
        if isinstance(value, f.xdivy):
            above, below = value.args
            return self.may_be_infinite(above) or not self.never_zero(below)
        if isinstance(value, exp) and self.never_positive(value.args[0]):
            return False
        if isinstance(value, _OVERFLOWS):
            return True
        if isinstance(value, Sum) and all(isinstance(e, Indexed) for e in factors(value.function)):
            return False  # a layer's Σ x·W is as large as its weights, not as its inputs
        if isinstance(value, Function) and not isinstance(value, f.times | grouped):
            return False
        return any(map(self.may_be_infinite, operands(value)))

    def vanishes(self, value: Expr) -> bool:
        if isinstance(value, Pow):
            return bool(value.exp.is_positive) and self.vanishes(value.base)
        if isinstance(value, Indexed):
            return name_of(value) in self.vanishing
        if isinstance(value, exp):
            return self.second and self.never_positive(value.args[0])
        return isinstance(value, _VANISHING)

    def never_positive(self, u: Expr) -> bool:
        """Whether u <= 0, also where squares in it have names."""
        if self.second:
            squares = (read for read in u.atoms(Indexed) if name_of(read) in self.even)
            u = u.xreplace({read: as_it_stands(Abs)(read) for read in squares})
        return not_negative(-u)

    def never_zero(self, u: Expr) -> bool:
        """Whether u > 0 also after rounding: a number, what is added to one, a sum of exponentials
        of which one is 1."""
        if isinstance(u, Indexed):
            return name_of(u) in self.positive
        if isinstance(u, Symbol):
            return True  # N, and sums over all samples
        if isinstance(u, Sum):
            return _is_centered(u.function)
        if isinstance(u, Mul):
            return all(map(self.never_zero, u.args))
        if isinstance(u, Pow):
            return self.never_zero(u.base)
        if isinstance(u, Add):
            positive = any(is_constant(part) and part.is_positive for part in u.args)
            return positive and all(map(not_negative, u.args))
        return is_constant(u)


def _guarded(value: Expr, known: _Known) -> Expr:
    parts = operands(value)
    if not parts or _is_step_of_backpropagation(value):
        return value
    changed = [_guarded(part, known) for part in parts]
    if tuple(changed) != parts:
        value = rebuild(value, changed)
    return _product(_from_the_smallest(value, known), known) if isinstance(value, Mul) else value


def _is_step_of_backpropagation(value: Expr) -> bool:
    """Whether it sums a derivative multiplied by a weight or an input: it may be a product of
    matrices, and stays one. (Weights first, derivatives are multiplied by each other.)"""
    if not isinstance(value, Sum):
        return False
    read = factors(value.function)
    return all(isinstance(each, Indexed) for each in read) and sum(map(_is_derivative, read)) < 2


def _from_the_smallest(value: Mul, known: _Known) -> Expr:
    """u²·v as u·(u·v), where v vanishes for large u; along a vector also u·w·v, where both are as
    large as what is given. A power that has a name is left to `times`."""
    small = [each for each in factors(value) if known.vanishes(each)]
    others = [each for each in factors(value) if each not in small]
    powers = list(filter(_is_power, others))
    large = [u for u, power in (each.args for each in powers) for _ in range(int(power))]
    if any(map(_is_along, others)):
        large += [each for each in others if isinstance(each, Indexed)]
    named = [e for e in others if isinstance(e, Indexed) and name_of(e) in known.powers]
    large = [each for each in large if each not in named]
    if not small or not (large or named):
        return value
    rest = [each for each in others if each not in (*powers, *large, *named)]
    product = reduce(lambda product, u: group_factors(u * product), large, Mul(*small))
    return Mul(*rest, reduce(lambda product, u: as_it_stands(f.times)(u, product), named, product))


def _is_power(value: Expr) -> bool:
    return isinstance(value, Pow) and bool(value.exp.is_Integer and value.exp > 1)


def _product(value: Expr, known: _Known) -> Expr:
    numbers = [each for each in factors(value) if is_constant(each) or of_samples(each)]
    others = [each for each in factors(value) if each not in numbers]
    if len(others) < 2:
        return value
    stepped = any(isinstance(each, _STEPS) for each in others)
    doubtful = [
        each for each in others if known.may_be_infinite(each) or (stepped and _reads_values(each))
    ]
    if not doubtful:
        return value
    sure = [each for each in others if each not in doubtful]
    above = [each for each in doubtful if not _is_inverse(each)]
    above += [Mul(*sure)] if sure or not above else []
    divisors = [by for each in doubtful if _is_inverse(each) for by in _divisors(1 / each)]
    for place, by in enumerate(divisors):
        # what is large is divided before it is multiplied by what is large as well
        place %= len(above)
        above[place] = as_it_stands(f.xdivy)(above[place], by)
    return Mul(*numbers, reduce(as_it_stands(f.times), reversed(above)))


def _is_derivative(value: Expr) -> bool:
    """∂E/∂u, and also a derivative along a vector, v_u."""
    return _is_along(value) or (isinstance(value, Indexed) and name_of(value).startswith("d_"))


def _is_along(value: Expr) -> bool:
    return isinstance(value, Indexed) and name_of(value).startswith("v_")


def _reads_values(value: Expr) -> bool:
    """Whether it is made of what is no derivative, without a function: it may be huge."""
    if isinstance(value, Indexed):
        return not _is_derivative(value)
    return isinstance(value, Pow | Mul | Add | f.times | f.xdivy) and any(
        map(_reads_values, operands(value))
    )


def _is_inverse(value: Expr) -> bool:
    return isinstance(value, Pow) and bool(value.exp.is_negative)


def _divisors(below: Expr) -> list[Expr]:
    """What is divided by in turn. A square is divided by twice: it might overflow where the
    quotient does not."""
    base, power = below.as_base_exp()
    whole = int(power) if power.is_Rational and power <= MOST_DIVISIONS else 0
    rest = base ** (power - whole)
    return [base] * whole + ([] if rest == 1 else [rest])


def _has_a_least(exponents: tuple[Expr, ...]) -> bool:
    """Whether Σ c·exp(u) can't be 0: with a number among the terms, or two exponents u and -u."""
    return any(u == 0 or difference(0 * u, u) in exponents for u in exponents)


def _is_centered(value: Expr) -> bool:
    """Whether it is an exponential that was shifted by the largest of its kind: 1 at most, and 1
    for one of them. `stabilize` and `share` have named what it is made of."""
    if isinstance(value, exp):
        (exponent,) = value.args
        return isinstance(exponent, Indexed) and name_of(exponent).startswith("centered_")
    return isinstance(value, Indexed) and name_of(value).startswith("exp_centered_")
