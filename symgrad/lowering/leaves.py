"""leaves: the sums over leaves of samples, in a binary tree: one leaf after the other, leaves that
threads share, or subtrees of leaves, a thread some of them. Who computes what changes no bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from symgrad.lowering.cost_model import (
    MOST_NUMBERS,
    MOST_SUBTREES,
    SHARED_AMONG,
    SHARED_LOSS,
    SHARED_ROWS,
)
from symgrad.lowering.interface import (
    CHAINED,
    DEPTH,
    GRADIENT,
    GRADIENT_SCRATCH,
    LEAF,
    LEAVES,
    MANY_PIECES,
    MORE,
    ONE,
    PIECE,
    RESULT,
    SHARED,
    SPAN,
    SUBTREE,
    SUBTREES,
    THETA,
    TWO,
    WORKERS,
    K,
    T,
    W,
    X,
    argument,
    kernel,
    memory,
    workers,
)
from symgrad.lowering.kernels import E_SUM, SAMPLES
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Bits,
    Branch,
    Buffer,
    Call,
    Choice,
    Compare,
    Either,
    Element,
    Function,
    Given,
    Invoke,
    Loop,
    Nonzero,
    Nothing,
    Number,
    Parameter,
    Part,
    Pick,
    Quotient,
    Return,
    Row,
    Run,
    Statement,
    Together,
    Value,
    Variable,
    While,
    equal,
    index,
    minus,
    plus,
    times,
    whole,
)

# A gradient of more numbers is added up on several threads, in so many pieces; of more than that,
# threads always share leaves where they can.
LARGE_GRADIENT = 4096
PIECES = 16

# In a chain of leaves so many are added to one sum.
IN_CHAIN = 8

# A gradient, or whatever else is summed.
SUMMED = replace(GRADIENT, extents=("RESULT",))

# What a sum over leaves is given: data as kernels take them, and where they write.
OF_LEAVES = (
    THETA, X, replace(T, optional=True), W, *MORE, Parameter("l1", "real"), Parameter("l2", "real"),
    Parameter("N", "real"), Parameter("w_total", "real"), replace(SUMMED, optional=True),
)  # fmt: skip
SCRATCH = Parameter("scratch", "real", ("scratch",), optional=True)
BOUNDS = (Parameter("first", "whole"), Parameter("last", "whole"))

# The drivers that a network has where threads can share a leaf.
SHARING = ("_is_shared", "_sum_of_shared_leaves")


def _into(place: Variable, name: str = "into") -> Pick:
    """Where gradient number `place` is: the first is the result, the others lie in `parts`, one
    behind the other."""
    part = Part("parts", times(minus(place, ONE), RESULT), times(place, RESULT))
    return Pick(name, Nonzero(place), part, Array("gradient"))


# A leaf's gradient computed into an array, and the sum of its losses.
OneLeaf = Callable[[Argument, Element | Variable], tuple[Statement, ...]]


def _leaf_sums(first: Value, last: Value, one_leaf: OneLeaf) -> Iterator[Statement]:
    """The sum of the losses of leaves from `first` on, before `last`, and its gradient."""
    chain, tree = _chain(first, last, one_leaf), _tree_of_leaves(first, last, one_leaf)
    yield Branch(Nonzero(CHAINED), tuple(chain), tuple(tree))


def _samples_of_a_leaf() -> tuple[Statement, ...]:
    start, end = index("start"), index("end")
    return (
        Assign(start, times(index("leaf"), LEAF)),
        Assign(end, Call("min", (plus(start, LEAF), SAMPLES), "whole")),
    )


def _chain(first: Value, last: Value, one_leaf: OneLeaf) -> Iterator[Statement]:
    """A few leaves are added one after the other to one sum, and such sums one after the other to
    the gradient, which is 0 at first."""
    losses, leaf = Variable("losses", "double"), index("leaf")
    part = Element("part", (K,), "real")
    begins = equal(Bits("&", leaf, whole(IN_CHAIN - 1)), WHOLE_ZERO)
    count = plus(leaf, ONE)
    ends = Either((equal(Bits("&", count, whole(IN_CHAIN - 1)), WHOLE_ZERO), equal(count, last)))
    body = (
        *_samples_of_a_leaf(),
        Branch(begins, (Loop("k", RESULT, (Assign(part, Number(0.0, "real")),)),)),
        *one_leaf(Array("part"), losses),
        Accumulate(E_SUM, losses),
        Branch(
            ends,
            (Loop("k", RESULT, (Accumulate(Element("gradient", (K,), "real"), part),)),),
        ),
    )
    yield Assign(E_SUM, Number(0.0, "double"))
    yield Allocate((Buffer("part", "real", (RESULT,)),))
    yield Loop("leaf", last, body, start=first)
    yield Return((E_SUM,))


def _tree_of_leaves(first: Value, last: Value, one_leaf: OneLeaf) -> Iterator[Statement]:
    """Leaves are added two by two, these sums likewise: those that wait to be added to others are
    on a stack."""
    leaf = index("leaf")
    levels, count, before = index("levels"), index("count"), index("before")
    from_0 = first == WHOLE_ZERO
    leaves, computed = (each if from_0 else minus(each, first) for each in (last, leaf))
    longer = Compare(("<",), (Bits("<<", ONE, levels), leaves))
    # two sums of equally many leaves are added, and all that wait after the last leaf
    ends = equal(plus(leaf, ONE), last)
    even = equal(Bits("&", count, ONE), WHOLE_ZERO)
    waiting = Compare((">",), (DEPTH, Choice(even, ONE, DEPTH)))
    yield Together((levels, DEPTH), (WHOLE_ZERO, WHOLE_ZERO))
    yield While(longer, (Accumulate(levels, ONE),))
    yield Allocate((Buffer("sums", "double", (plus(levels, ONE),)),))
    parts = Buffer("parts", "real", (times(levels, RESULT),))
    yield Pick("parts", Given("gradient"), parts, Nothing())
    part = Element("parts", (plus(times(before, RESULT), K),), "real")
    add = Accumulate(Element("onto", (K,), "real"), part)
    gradients = (_into(before, "onto"), Loop("k", RESULT, (add,)))
    yield Loop(
        "leaf",
        last,
        (
            *_samples_of_a_leaf(),
            _into(DEPTH),
            *one_leaf(Array("into"), _sum_at(DEPTH)),
            Assign(count, Choice(ends, WHOLE_ZERO, plus(computed, ONE))),
            Accumulate(DEPTH, ONE),
            While(
                waiting,
                (
                    Accumulate(DEPTH, ONE, "-"),
                    Assign(before, minus(DEPTH, ONE)),
                    Accumulate(Element("sums", (before,), "double"), _sum_at(DEPTH)),
                    Branch(Given("gradient"), gradients),
                    Assign(count, Bits(">>", count, ONE)),
                ),
            ),
        ),
        start=first,
    )
    yield Return((_sum_at(WHOLE_ZERO),))


def _sum_at(place: Value) -> Element:
    return Element("sums", (place,), "double")


def _in_leaf(into: Argument) -> dict[str, Argument]:
    """The samples of a leaf, and where its gradient goes."""
    start, end = index("start"), index("end")
    data = {name: Part(name, start, end) for name in ("x", "t", "w", "d_y", "v_x", "by_sample")}
    return {**data, "gradient": into}


def one_leaf(target: Variable | Element, **given: Argument) -> tuple[Statement, ...]:
    """The sum of a leaf's losses, and its gradient."""
    share: dict[str, Argument] = {
        "first": WHOLE_ZERO, "last": SAMPLES, "piece": WHOLE_ZERO, "pieces": ONE,
    }  # fmt: skip
    match given.get("x"):
        case Part(_, start, end) if start and end:
            share["last"] = minus(end, start)
    given = share | given
    in_parts = (
        Run(kernel("_samples_of_leaf", **given)),
        Assign(target, kernel("_sums_of_leaf", **given)),
    )
    alone = Assign(target, kernel("_gradient_of_leaf", **given))
    return (Branch(Nonzero(SHARED), in_parts, (alone,)),)


def sum_of_leaves() -> Function:
    def here(into: Argument, losses: Element | Variable) -> tuple[Statement, ...]:
        return one_leaf(losses, **_in_leaf(into))

    return Function(
        "_sum_of_leaves",
        (*OF_LEAVES, SCRATCH, *BOUNDS),
        tuple(_leaf_sums(index("first"), index("last"), here)),
        "The sum of the losses of leaves from `first` on, before `last`, and its gradient: leaves"
        " are added two by two, these sums likewise, and so on.",
    )


def sum_of_shared_leaves() -> Function:
    rows, blocks = index("rows"), index("blocks")
    size = whole(SHARED_ROWS)
    bounds = tuple(
        Call("min", (times(Quotient(times(blocks, k), MANY_PIECES), size), rows), "whole")
        for k in (PIECE, plus(PIECE, ONE))
    )
    cut = Together((index("first"), index("last")), bounds)
    share = Element("shares", (PIECE,), "double")

    def one_leaf(into: Argument, losses: Element | Variable) -> tuple[Statement, ...]:
        samples = Run(kernel("_samples_of_leaf", **_in_leaf(into)))
        sums = Assign(share, kernel("_sums_of_leaf", **_in_leaf(into)))
        return (
            Assign(rows, minus(index("end"), index("start"))),
            Assign(blocks, Quotient(rows, size, up=True)),
            Loop("piece", MANY_PIECES, (cut, samples), parallel=True),
            Loop("piece", MANY_PIECES, (sums,), parallel=True),
            Assign(losses, Element("shares", (WHOLE_ZERO,), "double")),
        )

    return Function(
        "_sum_of_shared_leaves",
        (*OF_LEAVES, SCRATCH),
        (
            workers(),
            Assign(MANY_PIECES, Call("min", (WORKERS, whole(SHARED_AMONG)), "whole")),
            Allocate((Buffer("shares", "double", (MANY_PIECES,)),)),
            leaf_count(SAMPLES),
            *_leaf_sums(WHOLE_ZERO, LEAVES, one_leaf),
        ),
        "The same, of all leaves, of which each thread computes some samples, and then some of the"
        " sums.",
        role="threaded",
    )


def is_shared() -> Function:
    leaves, rounds = LEAVES, index("rounds")
    among = Call("min", (WORKERS, whole(SHARED_AMONG)), "whole")
    pays = Compare(
        ("<",),
        (times(whole(5), index("samples")), times(whole(5 - SHARED_LOSS), rounds, LEAF, among)),
    )
    many = Compare((">",), (RESULT, whole(MOST_NUMBERS // PIECES)))
    return Function(
        "_is_shared",
        (Parameter("samples", "whole"),),
        (
            Branch(Nonzero(CHAINED), (Return((ONE,)),)),
            workers(),
            leaf_count(index("samples")),
            Assign(rounds, Quotient(leaves, WORKERS, up=True)),
            Return((Choice(Either((many, pays)), ONE, WHOLE_ZERO),)),
        ),
        "Whether threads do better by sharing leaves: there are few, or gradients are large.",
    )


def leaf_count(samples: Value) -> Assign:
    return Assign(LEAVES, Quotient(samples, LEAF, up=True))


def _tree(add: Callable[[Value, Value], Statement], prepare: tuple[Statement, ...] = ()) -> While:
    """Numbers 0 to `subtrees` are added two by two, these sums likewise, and so on."""
    pair, one, other = index("pair"), index("one"), index("other")
    pairs = Quotient(minus(SUBTREES, SPAN), times(TWO, SPAN), up=True)
    body = (
        Assign(one, times(TWO, SPAN, pair)),
        Assign(other, plus(one, SPAN)),
        *prepare,
        add(one, other),
    )
    return While(
        Compare(("<",), (SPAN, SUBTREES)),
        (Loop("pair", pairs, body), Accumulate(SPAN, TWO, "*")),
    )


def tree_of_sums() -> Function:
    def add(one: Value, other: Value) -> Statement:
        return Accumulate(Element("sums", (one,), "double"), Element("sums", (other,), "double"))

    return Function(
        "_tree_of_sums",
        (Parameter("sums", "double", ("subtrees",)), Parameter("subtrees", "whole")),
        (
            Assign(SPAN, ONE),
            _tree(add),
            Return((Element("sums", (WHOLE_ZERO,), "double"),)),
        ),
        "The sum of numbers, added two by two, these sums likewise, and so on.",
    )


def tree_of_parts() -> Function:
    start, end = index("start"), index("end")

    def add(one: Value, other: Value) -> Statement:
        place = plus(times(minus(other, ONE), RESULT), K)
        change = Accumulate(Element("into", (K,), "real"), Element("parts", (place,), "real"))
        return Loop("k", end, (change,), start=start)

    return Function(
        "_tree_of_parts",
        (
            SUMMED,
            Parameter("parts", "real", ("parts",)),
            *(Parameter(name, "whole") for name in ("subtrees", "start", "end")),
        ),
        (Assign(SPAN, ONE), _tree(add, (_into(index("one")),))),
        "The same of gradients, of weights from `start` on, before `end`; the first is `gradient`.",
    )


def sum_of_subtrees() -> Function:
    first, last, most = index("first"), index("last"), index("most")
    fit = Call("max", (WORKERS, Quotient(whole(MOST_NUMBERS), RESULT)), "whole")
    larger = Compare(("<",), (times(most, SPAN), LEAVES))
    each = Element("sums", (SUBTREE,), "double")
    arguments = [*map(argument, OF_LEAVES[:-1]), Array("into"), Row("scratch", SUBTREE)]
    here = Assign(each, Invoke("_sum_of_leaves", (*arguments, first, last)))
    piece, pieces = index("piece"), whole(PIECES)
    ends = (
        Quotient(times(piece, RESULT), pieces),
        Quotient(times(plus(piece, ONE), RESULT), pieces),
    )
    given = (Array("gradient"), Array("parts"), SUBTREES)
    in_pieces = Run(Invoke("_tree_of_parts", (*given, *ends)))
    at_once = Run(Invoke("_tree_of_parts", (*given, WHOLE_ZERO, RESULT)))
    added = Branch(
        Compare((">",), (RESULT, whole(LARGE_GRADIENT))),
        (Loop("piece", pieces, (in_pieces,), parallel=True),),
        (at_once,),
    )
    behind = Buffer("parts", "real", (times(minus(SUBTREES, ONE), RESULT),))
    return Function(
        "_sum_of_subtrees",
        OF_LEAVES,
        (
            workers(),
            leaf_count(SAMPLES),
            Assign(most, Call("min", (whole(MOST_SUBTREES), fit), "whole")),
            Assign(SPAN, ONE),
            While(larger, (Accumulate(SPAN, TWO, "*"),)),
            Assign(SUBTREES, Quotient(LEAVES, SPAN, up=True)),
            Allocate((Buffer("sums", "double", (SUBTREES,)),)),
            memory(GRADIENT_SCRATCH, SUBTREES),
            Pick("parts", Given("gradient"), behind, Nothing()),
            Loop(
                "subtree",
                SUBTREES,
                (
                    Assign(first, times(SUBTREE, SPAN)),
                    Assign(last, Call("min", (plus(first, SPAN), LEAVES), "whole")),
                    _into(SUBTREE),
                    here,
                ),
                parallel=True,
            ),
            Branch(Given("gradient"), (added,)),
            Return((Invoke("_tree_of_sums", (Array("sums"), SUBTREES)),)),
        ),
        "The same: each thread has some subtrees, and their sums are added by the tree.",
        role="threaded",
    )
