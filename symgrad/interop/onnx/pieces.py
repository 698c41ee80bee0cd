"""What is in no formula of a spec: branches, and the largest of the units, put as formulas.

Exporters write some activations with branches all the same: softplus as z itself where that is
large, elu by the sign of z. These are replaced by what they amount to, where there is such a thing:
one branch of them, or, for pieces f, g, … that meet at c, d, …,

    f(min(z, c)) + (g(clip(z, c, d)) − g(c)) + …

The largest of the units is taken off before exponentials, so that none overflows; where it does not
matter to the result it is left out. Whether all this is the same is tried on numbers.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np

from symgrad.interop.agreement import agree
from symgrad.interop.errors import InteropError
from symgrad.interop.numeric import evaluate
from symgrad.interop.onnx.values import constant
from symgrad.interop.text import mapped, simplified, substituted
from symgrad.spec.formula import Binary, Call, Negate, Number, Tree, Variable, nodes

# A softplus that is z from 20 on is off by 1e-10 there.
_TOLERANCE = 1e-9

_Z = Variable("z")
_HALF = Number(Fraction(1, 2))
_YES, _NO = Number(Fraction(1)), Number(Fraction(0))


def plain(tree: Tree, where: str, dtype: str) -> Tree:
    """The same function of z as a spec may have it; raises InteropError if none is found."""
    tree = _without_largest(tree, where)
    if not any(_calls(tree, "where")):
        return tree
    tree = mapped(tree, _by_comparisons)
    found = _unbranched(tree, dtype) or _in_pieces(tree, dtype)
    if found is None:
        raise InteropError(
            f"{where}: before it stands a Where that is no formula: its branches do not meet, as"
            " those of what jumps, or it goes by more than z against a number"
        )
    return found


def _calls(tree: Tree, function: str) -> Iterator[Call]:
    return (each for each in nodes(tree) if isinstance(each, Call) and each.function == function)


# ---- The largest of the units --------------------------------------------------------------------


def _without_largest(tree: Tree, where: str) -> Tree:
    if not any(_calls(tree, "largest")):
        return tree

    def none(each: Tree) -> Tree:
        return _NO if isinstance(each, Call) and each.function == "largest" else each

    without = simplified(mapped(tree, none))
    z = np.random.default_rng(0).uniform(-20, 20, (40, 6))
    with_it, without_it = (evaluate(each, {"z": z}) for each in (tree, without))
    if not np.allclose(with_it, without_it, rtol=1e-9, atol=1e-9):
        raise InteropError(
            f"{where}: before it stands the largest of the units (ReduceMax), which is understood"
            " where it is taken off before a softmax"
        )
    return without


# ---- Branches ------------------------------------------------------------------------------------


def _by_comparisons(tree: Tree) -> Tree:
    """A Where by what is 1 or 0 as one by the comparison itself."""
    match tree:
        case Call("where", (Binary("-", one, c), half, yes, no)) if (one, half) == (_YES, _HALF):
            return _by_comparisons(Call("where", (c, _HALF, no, yes)))
        case Call("where", (Call("where", (left, right, a, b)), half, yes, no)) if half == _HALF:
            if (a, b) == (_YES, _NO):
                return Call("where", (left, right, yes, no))
            if (a, b) == (_NO, _YES):
                return Call("where", (left, right, no, yes))
    return tree


def _unbranched(tree: Tree, dtype: str) -> Tree | None:
    """Each Where by itself, the innermost first."""
    failed = False

    def replaced(each: Tree) -> Tree:
        nonlocal failed
        if failed or not (isinstance(each, Call) and each.function == "where"):
            return each
        found = _alone(each, dtype)
        failed = found is None
        return found or each

    found = mapped(tree, replaced)
    return None if failed else found


def _alone(branch: Call, dtype: str) -> Tree | None:
    left, right, yes, no = branch.arguments
    candidates = [no, yes]
    for threshold, above, below in ((right, yes, no), (left, no, yes)):
        if _is_number(threshold):
            upper = _at(above, Call("max", (_Z, threshold)))
            lower = _at(below, Call("min", (_Z, threshold)))
            candidates.append(Binary("+", upper, lower))
            candidates.append(Binary("+", upper, Binary("-", lower, _at(above, threshold))))
    return next((each for each in candidates if agree(each, branch, dtype, _TOLERANCE)), None)


def _at(tree: Tree, z: Tree) -> Tree:
    return substituted(tree, {"z": z})


def _is_number(tree: Tree) -> bool:
    return isinstance(tree, Number) or (
        isinstance(tree, Negate) and isinstance(tree.operand, Number)
    )


# ---- Pieces of the line --------------------------------------------------------------------------


def _in_pieces(tree: Tree, dtype: str) -> Tree | None:
    """The function piece by piece, between the numbers that its comparisons have."""
    cuts = sorted({cut for branch in _calls(tree, "where") for cut in _cuts(branch)})
    found: list[tuple[Fraction | None, Tree]] = []  # where it begins, and what it is from there on
    for low, high in pairwise([None, *cuts, None]):
        piece = _between(tree, _inside(low, high))
        if piece is None:
            return None
        if not found or found[-1][1] != piece:
            found.append((low, piece))
    (_, first), *later = found
    ends = [start for start, _ in later if start is not None]
    result = first if not ends else _at(first, Call("min", (_Z, constant(ends[0]))))
    for (start, piece), end in zip(later, [*ends[1:], None], strict=True):
        assert start is not None
        inner: Tree = Call("max", (_Z, constant(start)))
        if end is not None:
            inner = Call("min", (inner, constant(end)))
        before = float(evaluate(piece, {"z": np.array([float(start)])}).ravel()[0])
        if not np.isfinite(before):
            return None
        rise = Binary("-", _at(piece, inner), constant(Fraction(before)))
        result = Binary("+", result, rise)
    result = simplified(result)
    # What is multiplied by 0 far out may be infinite: the file gives NaN there.
    return result if agree(tree, result, dtype, _TOLERANCE) else None


def _cuts(branch: Call) -> Iterator[Fraction]:
    """Where a comparison may change: at 0, at its numbers, and where two lines meet."""
    left, right, _, _ = branch.arguments
    yield Fraction(0)
    for side in (left, right):
        for each in nodes(side):
            if isinstance(each, Number):
                yield from (each.value, -each.value)
    difference = Binary("-", left, right)
    at_0, at_1, at_2 = evaluate(difference, {"z": np.array([0.0, 1.0, 2.0])}) + np.zeros(3)
    slope = at_1 - at_0
    if np.isfinite(slope) and slope != 0 and abs(at_2 - at_1 - slope) < 1e-12 * abs(slope):
        yield Fraction(-at_0 / slope)


def _inside(low: Fraction | None, high: Fraction | None) -> np.ndarray:
    """Numbers between two."""
    if low is not None and high is not None:
        return float(low) + (float(high) - float(low)) * np.linspace(0, 1, 19)[1:-1]
    away = np.logspace(-4, 4, 17)
    if low is not None:
        return float(low) + away * max(abs(float(low)), 1)
    return (0 if high is None else float(high)) - away * max(abs(float(high or 0)), 1)


def _between(tree: Tree, points: np.ndarray) -> Tree | None:
    """The function without branches, as far as all these points take the same ones."""
    mixed = False

    def taken(each: Tree) -> Tree:
        nonlocal mixed
        if not (isinstance(each, Call) and each.function == "where"):
            return each
        left, right, yes, no = each.arguments
        holds = evaluate(left, {"z": points}) > evaluate(right, {"z": points})
        mixed = mixed or bool(holds.any() != holds.all())
        return yes if holds.any() else no

    found = simplified(mapped(tree, taken))
    return None if mixed else found
