"""subtrees: the sums of a range of leaves, where others are computed elsewhere: by another process,
on another machine, or later.

The range is cut into the largest subtrees of the whole tree that lie in it. Who adds their sums by
the tree has the bits of all leaves computed in one place.
"""

from collections.abc import Iterator

from symgrad.lowering.checks import apart, differs, length, positive, refused, width
from symgrad.lowering.interface import (
    DATA,
    GRADIENT,
    GRADIENT_SCRATCH,
    LEAF,
    LEAVES,
    MORE,
    ONE,
    PENALTIES,
    SIZE,
    SPAN,
    THETA,
    TWO,
    W_TOTAL,
    N,
    argument,
    as_reals,
    called,
    kernel,
    memory,
)
from symgrad.lowering.kernels import E_SUM, SAMPLES, E
from symgrad.lowering.leaves import OF_LEAVES, leaf_count
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Argument,
    Array,
    Assign,
    Bits,
    Call,
    Compare,
    Convert,
    Either,
    Element,
    Extent,
    Function,
    Invoke,
    Nonzero,
    Not,
    Nothing,
    Number,
    Parameter,
    Part,
    Return,
    Row,
    Run,
    Statement,
    Together,
    Value,
    Variable,
    While,
    index,
    minus,
    plus,
    times,
)

# What all samples weigh together, their number where they have no weights, and the number of the
# range's first leaf: numbers as Python has them, no larger than these hold exactly.
TOTAL, FIRST = Parameter("total", "double"), Parameter("first", "double")
_MOST = float(1 << 53)

# The sum of losses of each subtree, and its gradient; and of all of them.
LOSSES = Parameter("losses", "double", ("places",))
GRADIENTS = Parameter("gradients", "real", ("places", "SIZE"))
LOSS = Parameter("loss", "double")

OF_RANGE = (*DATA, TOTAL, FIRST, LOSSES, GRADIENTS)
OF_ALL = (THETA, *(each for each in DATA if each.name in PENALTIES), TOTAL, LOSS, GRADIENT)

_FIRST_LEAF, _BEGIN, _PLACE = index("leaf"), index("begin"), index("place")
_READ = ("theta", "x", "t", "w")


def subtrees() -> tuple[Function, ...]:
    """The functions in the order that they stand in a module."""
    return (
        _check_leaves(),
        _check_sums(),
        Function("gradient_of_leaves", OF_RANGE, tuple(_in_turn()), role="public"),
        Function(
            "_leaves_on_threads",
            OF_RANGE,
            tuple(_on_threads()),
            "The same, each subtree on several threads.",
        ),
        Function("complete_gradient", OF_ALL, tuple(_completed()), role="public"),
    )


def _check_leaves() -> Function:
    first, places, rows = Variable("first", "double"), Extent("losses", 0), Extent("gradients", 0)
    within = Compare(("<=", "<="), (Number(0.0, "double"), first, Number(_MOST, "double")))
    whole = Compare(("==",), (Convert(_leaf(), "double"), first))
    says = "first must be a whole number from 0 on, came"
    return Function(
        "_check_leaves",
        OF_RANGE,
        (
            Run(called("_check", DATA)),
            positive("total"),
            refused(Not(within), says, first),
            refused(Not(whole), says, first),
            width("gradients", SIZE),
            refused(differs(rows, places), "gradients must have as many rows as losses, came", rows,
                    "and", places),
            *apart("gradients", "losses", read=_READ),
            *apart("losses", read=_READ),
            *_walk(),
            refused(Compare((">",), (_PLACE, places)), "losses must have room for", _PLACE,
                    "subtrees, came", places),
        ),
        "The shapes of what is given for a range of leaves.",
    )  # fmt: skip


def _check_sums() -> Function:
    return Function(
        "_check_sums",
        OF_ALL,
        (
            length("theta", SIZE),
            positive("total"),
            length("gradient", SIZE),
            *apart("gradient", read=("theta",)),
        ),
        "The shapes of what is given for the sum of all leaves.",
    )


def _leaf() -> Value:
    return Convert(Variable("first", "double"), "whole")


def _walk(*body: Statement) -> Iterator[Statement]:
    """What is done for each of the largest subtrees, in turn: for `span` leaves from `begin` on,
    which are counted from the range's first."""
    twice = times(TWO, SPAN)
    odd = Nonzero(Bits("&", plus(_FIRST_LEAF, _BEGIN), minus(twice, ONE)))
    too_long = Compare((">",), (plus(_BEGIN, twice), LEAVES))
    yield leaf_count(SAMPLES)
    yield Together((_FIRST_LEAF, _BEGIN, _PLACE), (_leaf(), WHOLE_ZERO, WHOLE_ZERO))
    yield While(
        Compare(("<",), (_BEGIN, LEAVES)),
        (
            Assign(SPAN, ONE),
            While(Not(Either((odd, too_long))), (Accumulate(SPAN, TWO, "*"),)),
            *body,
            Accumulate(_BEGIN, SPAN),
            Accumulate(_PLACE, ONE),
        ),
    )


def _sums(by: Invoke, *before: Statement) -> Iterator[Statement]:
    """The sums of a range, each subtree's computed by one function or the other."""
    yield Run(called("_check_leaves", OF_RANGE))
    yield from _weighed()
    yield memory(GRADIENT_SCRATCH)
    yield from _walk(*before, Assign(Element("losses", (_PLACE,), "double"), by))
    yield Return((Convert(_PLACE, "double"),))


def _weighed() -> tuple[Statement, ...]:
    """What is divided by: samples, or their weights."""
    return Assign(N, Convert(Variable("total", "double"), "real")), Assign(W_TOTAL, N)


def _subtree(name: str, *more: Argument, **data: Argument) -> Invoke:
    """The sum of a subtree by one of the functions of leaves."""
    known = {p.name: argument(p) for p in OF_LEAVES} | {p.name: Nothing() for p in MORE}
    known |= as_reals() | {"gradient": Row("gradients", _PLACE)} | data
    return Invoke(name, (*(known[p.name] for p in OF_LEAVES), *more))


def _in_turn() -> Iterator[Statement]:
    bounds = _BEGIN, plus(_BEGIN, SPAN)
    yield from _sums(_subtree("_sum_of_leaves", Array("scratch"), *bounds))


def _on_threads() -> Iterator[Statement]:
    start, end = index("start"), index("end")
    last = Call("min", (times(plus(_BEGIN, SPAN), LEAF), SAMPLES), "whole")
    samples = Together((start, end), (times(_BEGIN, LEAF), last))
    data = {name: Part(name, start, end) for name in ("x", "t", "w")}
    yield from _sums(_subtree("_sum_of_subtrees", **data), samples)


def _completed() -> Iterator[Statement]:
    yield Run(called("_check_sums", OF_ALL))
    yield from _weighed()
    yield Assign(E_SUM, Variable("loss", "double"))
    both = dict.fromkeys(("gradient", "matrix"), Array("gradient"))
    given: dict[str, Argument] = {**both, "v": Nothing(), **as_reals()}
    yield Assign(E, kernel("_gradient_at_the_end", **given))
    yield Return((E,))
