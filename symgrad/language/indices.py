"""Index notation: which indices an expression has, and renaming them without capture.

An index is an integer `Symbol`. `n` counts samples; `i0`, `i1`, … count the units of layer 0 (the
inputs), 1, …; further indices over the same units are `j1`, `k1`, …; `k` counts all weights, in the
one vector that they lie in. An index is *bound* inside the `Sum` (or other reduction) that runs
over it, and *free* elsewhere.

SymPy's own `xreplace` renames bound indices as well and lets a free one be captured by a sum
around it, so that every renaming in symgrad goes through `rename`.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from string import ascii_letters

from sympy import Expr, Function, Indexed, Integer, Mul, Pow, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.notation import as_it_stands, group, group_factors, grouped
from symgrad.language.order import arranged, factors

SAMPLE = Symbol("n", integer=True)
SAMPLES = Symbol("N", integer=True, positive=True)
WEIGHT = Symbol("k", integer=True)

_LETTERS = "ijklmpqrs"


def unit(layer: int | str) -> Symbol:
    """The index over the units of a layer, or of one of its heads, 2h1; layer 0 is the inputs."""
    return Symbol(f"i{layer}", integer=True)


def axis(index: Symbol) -> str:
    """What an index counts: "n" for samples, "k" for weights, the layer's number for units, or
    which of its heads."""
    return index.name.lstrip(ascii_letters) or ("k" if index.name.startswith("k") else "n")


def layer_of(axis: str) -> int | None:
    """The number of the layer whose units are along an axis; None where they are no units."""
    number, _, _ = axis.partition("h")
    return int(number) if number.isdigit() else None


def is_index(symbol: object) -> bool:
    return isinstance(symbol, Symbol) and symbol != SAMPLES and bool(symbol.is_integer)


def of_samples(value: Expr) -> bool:
    """Whether a value is made of N, the number of samples, alone: N, 1/N."""
    return (value.base if isinstance(value, Pow) else value) == SAMPLES


def fresh(index: Symbol, taken: Iterable[Symbol]) -> Symbol:
    """Another index over the same units as `index` that is not among those `taken`."""
    avoid = {symbol.name for symbol in taken}
    counts = axis(index)
    suffix, letters = {"n": ("", "nm"), "k": ("", "k")}.get(counts, (counts, _LETTERS))
    names = (
        letter * times + suffix for times in count(1) for letter in letters
    )  # i1, j1, …, then ii1, jj1, …
    return Symbol(next(name for name in names if name not in avoid), integer=True)


def canonical(indices: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """Standard names for indices that are to be told apart: i1, and j1 where i1 is taken."""
    chosen: list[Symbol] = []
    for index in indices:
        chosen.append(
            SAMPLE if axis(index) == "n" and SAMPLE not in chosen else fresh(index, chosen)
        )
    return tuple(chosen)


def bounds(reduction: Expr) -> dict[Symbol, Expr]:
    """The indices that a reduction binds, innermost first, and how many values each takes.

    There may be several: SymPy writes a sum of sums as one sum over two indices.
    """
    return {index: last + 1 for index, _, last in reduction.limits}


def reduction_like(reduction: Expr, body: Expr, over: Mapping[Symbol, Expr]) -> Expr:
    """The same kind of reduction, of another body over other indices."""
    return reduction.func(body, *((index, 0, extent - 1) for index, extent in over.items()))


class kronecker(Function):
    """δ(i,j): 1 where two indices have the same value, else 0. `delta` makes it."""

    nargs = 2
    is_real = True


def delta(one: Expr, other: Expr) -> Expr:
    """Kronecker's δ of two indices, of which one may be a number."""
    if one == other:
        return Integer(1)
    return kronecker(*sorted((one, other), key=lambda index: (index.is_Integer, str(index))))


def sum_over(body: Expr, index: Symbol, extent: Expr) -> Expr:
    """Σ_index body, with the factors that do not depend on the index pulled out of the sum; of
    δ(index,j) times something it is that something at j."""
    for place in factors(body):
        if isinstance(place, kronecker) and index in place.args:
            (at,) = (other for other in place.args if other != index)
            rest = product(factor for factor in factors(body) if factor != place)
            return rename(rest, {index: at})
    inside = [factor for factor in factors(body) if index in free_indices(factor)]
    outside = [factor for factor in factors(body) if index not in free_indices(factor)]
    summed = Sum(product(inside), (index, 0, extent - 1)) if inside else extent
    return product([*outside, summed])


def product(values: Iterable[Expr]) -> Expr:
    result: Expr = Integer(1)
    for value in values:
        result = result * value
    return result


def free_indices(expression: Expr) -> frozenset[Symbol]:
    """The indices that a value is still to be given for."""
    if isinstance(expression, ExprWithLimits):
        return free_indices(expression.function) - bounds(expression).keys()
    if isinstance(expression, Indexed):
        return frozenset(filter(is_index, expression.indices))
    if isinstance(expression, Symbol):
        return frozenset([expression]) if is_index(expression) else frozenset()
    return frozenset[Symbol]().union(*map(free_indices, expression.args))


def rename(expression: Expr, names: Mapping[Symbol, Expr]) -> Expr:
    """`expression` with its free indices renamed, or replaced by numbers; sums that would capture
    one get a fresh index.

    Renaming is simultaneous: {i: j, j: i} swaps.
    """
    free = free_indices(expression)
    names = {old: new for old, new in names.items() if old != new and old in free}
    return _rename(apart(expression, names.values()), names) if names else expression


def _rename(expression: Expr, names: Mapping[Symbol, Expr]) -> Expr:
    if isinstance(expression, Indexed):
        return expression.base[tuple(names.get(index, index) for index in expression.indices)]
    if isinstance(expression, Symbol):
        return names.get(expression, expression)
    if not expression.args:
        return expression
    if isinstance(expression, ExprWithLimits):
        inner = {old: new for old, new in names.items() if old not in bounds(expression)}
        return reduction_like(expression, _rename(expression.function, inner), bounds(expression))
    changed = [_rename(argument, names) for argument in expression.args]
    if all(new is old for new, old in zip(changed, expression.args, strict=True)):
        return expression
    return delta(*changed) if isinstance(expression, kronecker) else rebuild(expression, changed)


def apart(expression: Expr, indices: Iterable[Symbol]) -> Expr:
    """`expression` with other names for bound indices that are among `indices`.

    What stands beside those indices, free, must not bind them as well: the two would be told apart
    by scope alone, and the first careless rewrite would mix them up.
    """
    reductions = [node for node in walk(expression) if isinstance(node, ExprWithLimits)]
    avoid = frozenset(indices)
    bound = frozenset(index for reduction in reductions for index in bounds(reduction))
    if not avoid & bound:
        return expression
    return _apart(expression, avoid, {*avoid, *bound, *free_indices(expression)})


def _apart(expression: Expr, avoid: frozenset[Symbol], taken: set[Symbol]) -> Expr:
    """Every new name is one that nothing in the whole expression has; `taken` grows by it."""
    parts = operands(expression)
    if not parts:
        return expression
    if not isinstance(expression, ExprWithLimits):
        return rebuild(expression, [_apart(part, avoid, taken) for part in parts])
    names: dict[Symbol, Symbol] = {}
    for index in bounds(expression):
        if index in avoid:
            names[index] = fresh(index, taken)
            taken.add(names[index])
    body = _rename(_apart(expression.function, avoid, taken), names)
    over = {names.get(index, index): extent for index, extent in bounds(expression).items()}
    return reduction_like(expression, body, over)


def walk(expression: Expr) -> Iterator[Expr]:
    """Every node that carries a value, parents first; limits and array names are left out."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(operands(node)))


def operands(expression: Expr) -> tuple[Expr, ...]:
    """The sub-expressions that an expression computes with, in our own order."""
    return arranged(expression)


def _over(body: Expr, reduction: Expr) -> Expr:
    """The same reduction of another body: where that has no such index, it is taken N times."""
    within = free_indices(body)
    over = bounds(reduction)
    kept = {index: extent for index, extent in over.items() if index in within}
    reduced = reduction_like(reduction, body, kept) if kept else body
    times = [extent for index, extent in over.items() if index not in within]
    return product([*times, reduced]) if isinstance(reduction, Sum) else reduced


def rebuild(expression: Expr, values: Iterable[Expr]) -> Expr:
    """`expression` with other operands."""
    if isinstance(expression, ExprWithLimits):
        (body,) = values
        return _over(body, expression)
    if isinstance(expression, grouped):
        (value,) = values
        return group_factors(value) if isinstance(value, Mul) else group(value)
    if isinstance(expression, Function):
        return as_it_stands(expression.func)(*values)
    return expression.func(*values)
