"""canonical: every definition in a form that can be run: a product, a sum over samples, or loops.

Matrix products are definitions of their own, with a row for each of their rows where one is added
(z1 = Σ x·W1 + b1), and so are sums that are needed once a sample but stand in something computed
for every unit, and sums over samples that something is added to: the samples are gone through once,
and the rest is added at the end.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from sympy import Add, Expr, Indexed, Mul, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.indices import (
    SAMPLE,
    bounds,
    free_indices,
    operands,
    product,
    rebuild,
    reduction_like,
)
from symgrad.language.notation import undistributed
from symgrad.language.order import factors as factors_of
from symgrad.language.order import terms as terms_of
from symgrad.language.program import Definition, Program, array, name_of, reads
from symgrad.passes.share import name_for

# What the names of such a part begin with.
REST = "rest_of_"


@undistributed
def canonical(program: Program, least: int) -> Program:
    """`program` with definitions that are each Σ c·reduction + rest.

    Matrix products of `least` multiplications a sample or more are definitions of their own.
    """
    return _Canonical(program, least).run()


class _Canonical:
    def __init__(self, program: Program, least: int) -> None:
        self.program, self.least = program, least
        self.taken = {*program.given, *program.by_name}
        self.definitions: list[Definition] = []
        self.named: dict[Expr, Expr] = {}

    def run(self) -> Program:
        for definition in self.program.definitions:
            self.definitions.append(self._split(definition))
        return self.program.with_definitions(self.definitions)

    def _split(self, definition: Definition) -> Definition:
        if matrices(self.program, definition, self.least):
            return definition
        terms = terms_of(definition.value)
        summed = [term for term in terms if _sums_over_samples(term)]
        if definition.indices and len(summed) == len(terms) > 1 and self._has_products(definition):
            # what is no product is summed first, and the products on top of it
            products = [term for term in terms if self._is_product(term, definition)]
            rest = Add(*(self._term(term, definition) for term in terms if term not in products))
            name = f"{REST}{definition.name}"
            self.taken.add(name)
            part = array(name, *definition.indices)
            self.definitions.append(Definition(part, rest))
            return replace(definition, value=Add(part, *products))
        if definition.indices and summed and len(summed) < len(terms):
            rest = [self._term(term, definition) for term in terms if term not in summed]
            total = self._split(replace(definition, value=Add(*summed)))
            # as large as what it is a part of, so that it can be summed up in its place
            part = self._named(total.value, definition, definition.indices)
            return replace(definition, value=Add(*rest, part))
        return replace(definition, value=Add(*(self._term(term, definition) for term in terms)))

    def _is_product(self, term: Expr, definition: Definition) -> bool:
        return matrices(self.program, replace(definition, value=term), self.least) is not None

    def _has_products(self, definition: Definition) -> bool:
        return any(self._is_product(term, definition) for term in terms_of(definition.value))

    def _term(self, term: Expr, definition: Definition) -> Expr:
        """A term with the reductions in it named, unless it is c·Σ body and needed as often."""
        factors = factors_of(term)
        sums = [factor for factor in factors if isinstance(factor, ExprWithLimits)]
        others = [factor for factor in factors if not isinstance(factor, ExprWithLimits)]
        alone = len(sums) == 1 and not any(map(_has_reduction, others))
        if alone and isinstance(sums[0], Sum) and self._belongs(sums[0], definition):
            body = self._inside(sums[0].function, definition)
            whole = reduction_like(sums[0], body, bounds(sums[0]))
            part = Definition(definition.target, whole)
            if matrices(self.program, part, self.least):
                whole = self._named(whole, definition)
            return product([*others, whole])
        if alone and term == sums[0] == definition.value:
            return reduction_like(
                sums[0], self._inside(sums[0].function, definition), bounds(sums[0])
            )
        return self._inside(term, definition)

    def _belongs(self, reduction: Expr, definition: Definition) -> bool:
        """Whether it is needed for every element of the target, not once for many of them.

        Sums over samples are always taken as if: only derivatives by weights are summed from block
        to block, and a sum of its own for several of them would need a place of its own.
        """
        return (
            free_indices(reduction) == set(definition.indices)
            or not definition.indices
            or SAMPLE in bounds(reduction)
        )

    def _inside(self, value: Expr, definition: Definition) -> Expr:
        """`value` with every reduction in it defined apart."""
        parts = [self._inside(part, definition) for part in operands(value)]
        if parts and tuple(parts) != operands(value):
            value = rebuild(value, parts)
        return self._named(value, definition) if isinstance(value, ExprWithLimits) else value

    def _named(
        self, value: Expr, user: Definition, indices: tuple[Symbol, ...] | None = None
    ) -> Expr:
        """The name of `value`, which is defined here where it has none: for the indices that it
        has, or for those that are wanted."""
        if isinstance(value, Indexed):
            return value
        if value not in self.named:
            name = stem = _product_name(value) or name_for(value, user.name)
            while name in self.taken:
                name = f"{name}_" if name != stem else f"{stem}_of_{user.name}"
            self.taken.add(name)
            order = [i for i in user.indices if i in free_indices(value)]
            rest = sorted(free_indices(value) - set(order), key=lambda index: index.name)
            self.named[value] = array(name, *(indices or (*order, *rest)))
            self.definitions.append(Definition(self.named[value], value))
        return self.named[value]


def _has_reduction(value: Expr) -> bool:
    return isinstance(value, ExprWithLimits) or any(map(_has_reduction, operands(value)))


def _product_name(value: Expr) -> str | None:
    """x_W1 for Σ x·W1."""
    factors = operands(value.function) if isinstance(value, Sum) else ()
    if isinstance(value, Sum) and isinstance(value.function, Mul):
        if all(isinstance(factor, Indexed) for factor in factors):
            return "_".join(map(name_of, factors))
    return None


def matrices(
    program: Program, definition: Definition, least: int
) -> tuple[tuple[Indexed, Indexed], ...] | None:
    """The pairs of matrices whose products the definition is the sum of, on top of a row or of what
    is there, if it is one and none is smaller than `least`."""
    sums, start = sums_and_start(definition)
    if len(definition.indices) < 2 or definition.name in program.scattered:
        return None
    if program.scattered and program.scattered & {*map(name_of, reads(definition.value))}:
        return None
    pairs = [_pair(definition, value) for value in sums]
    small = (multiplied(program, definition, value) < least for value in sums)
    if not pairs or any(pair is None for pair in pairs) or any(small):
        return None
    if start is not None and start.indices == definition.indices and not is_rest(start):
        return None
    return tuple(pair for pair in pairs if pair is not None)


def _pair(definition: Definition, value: Expr) -> tuple[Indexed, Indexed] | None:
    """The two matrices of which a term is the product: arrays of two axes, or of more where the
    first are those of the result, or what is summed over, in the same order: the rows of one. Or
    arrays of any axes with a row for each sample, whose other indices are those of the result, all
    of the one, and then all of the other."""
    if not isinstance(value, Sum):
        return None
    over = [*bounds(value)]
    factors = factors_of(value.function)
    if len(factors) != 2 or not all(
        isinstance(f, Indexed) and len(f.indices) >= 2 for f in factors
    ):
        return None
    *rows, columns = definition.indices
    for left, right in (factors, factors[::-1]):
        if len(over) == 1 and len(left.indices) == len(right.indices) == len(rows) + 1 == 2:
            if {*left.indices} == {*rows, *over} and {*right.indices} == {*over, columns}:
                return left, right
        elif len(over) == 1 and len(right.indices) == 2:
            if left.indices == (*rows, *over) and {*right.indices} == {*over, columns}:
                return left, right
        elif len(rows) == 1:
            *summed, row = left.indices
            if right.indices == (*summed, columns) and {*summed} == {*over} and [row] == rows:
                return left, right
        if over == [left.indices[0]] == [right.indices[0]] == [SAMPLE]:
            if (*left.indices[1:], *right.indices[1:]) == definition.indices:
                return left, right
    return None


def sums_and_start(definition: Definition) -> tuple[list[Expr], Indexed | None]:
    """The terms of a value, and one that sums may start from: a row, the same for all rows of the
    target, or all of it."""
    terms = [*terms_of(definition.value)]
    if len(terms) > 1 and len(definition.indices) >= 2:
        for term in terms:
            whole = definition.indices
            if isinstance(term, Indexed) and term.indices in (whole, whole[-1:]):
                return [other for other in terms if other is not term], term
    return terms, None


def is_rest(read: Indexed) -> bool:
    """Whether it is the part of a sum over samples that is no product of matrices."""
    return name_of(read).startswith(REST)


def multiplied(program: Program, definition: Definition, value: Expr) -> int:
    """Multiplications that a product of matrices takes for one sample."""
    return (
        size(program, {*definition.indices, *free_indices(value.function)})
        if isinstance(value, Sum)
        else 0
    )


def multiplications(program: Program, definition: Definition) -> int:
    """The same for all of a definition."""
    sums, _ = sums_and_start(definition)
    return sum(multiplied(program, definition, value) for value in sums)


def size(program: Program, indices: Iterable[Symbol]) -> int:
    """Numbers that an array of these indices holds, of one sample."""
    return prod(int(program.extent(index)) for index in indices if index != SAMPLE)


def over_samples(definition: Definition) -> bool:
    """Whether it is computed sample by sample: it has samples, or sums over them."""
    return SAMPLE in definition.indices or any(map(_sums_over_samples, terms_of(definition.value)))


def sums_over_samples(definition: Definition) -> bool:
    """Whether it is a sum over the samples, complete when all have been gone through."""
    return SAMPLE not in definition.indices and over_samples(definition)


def _sums_over_samples(term: Expr) -> bool:
    return any(
        SAMPLE in bounds(factor)
        for factor in factors_of(term)
        if isinstance(factor, ExprWithLimits)
    )
