"""drivers: the functions of a module that others call: what they check first, and how leaves of
samples are computed and their sums added, one after the other or on threads.

They are the same for every network, and are written once: for `CONSTANTS`, which each network has
its own numbers for, and for all arguments that any network has. `specialize` makes a network's own
functions of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from symgrad.lowering.cost_model import (
    MOST_NUMBERS,
    MOST_SUBTREES,
    SHARED_AMONG,
    SHARED_LOSS,
    SHARED_ROWS,
)
from symgrad.lowering.kernels import E_SUM, SAMPLES, E
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
    Condition,
    Convert,
    Either,
    Element,
    Extent,
    Function,
    Given,
    Invoke,
    Loop,
    Nonzero,
    Not,
    Nothing,
    Number,
    Overlap,
    Parameter,
    Part,
    Pick,
    Quotient,
    Refuse,
    Return,
    Role,
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

# What each network has its own numbers for: of its weights, inputs and outputs, and of the memory
# that a chunk or a leaf of samples takes; whether samples have weights, and whether threads can
# share a leaf. And how many samples a leaf has.
SIZE, INPUTS, OUTPUTS, LEAF = map(index, ("SIZE", "INPUTS", "OUTPUTS", "LEAF"))
PREDICTION_SCRATCH, GRADIENT_SCRATCH = map(index, ("PREDICTION_SCRATCH", "GRADIENT_SCRATCH"))
WEIGHTED, SHARED = index("WEIGHTED"), index("SHARED")

THETA = Parameter("theta", "real", ("SIZE",))
X = Parameter("x", "real", ("samples", "INPUTS"))
Y = Parameter("y", "real", ("samples", "OUTPUTS"))
T = Parameter("t", "real", ("samples", "OUTPUTS"))
W = Parameter("w", "real", ("samples",), optional=True)
L1, L2 = Parameter("l1", "double"), Parameter("l2", "double")
GRADIENT = Parameter("gradient", "real", ("SIZE",))
RATE = Parameter("rate", "double")
DATA = (THETA, X, T, W, L1, L2)
PENALTIES = ("l1", "l2")

# What drivers hand to a network's own functions, which take what they need of it, by name.
_OF_LEAF = ("theta", "x", "t", "w", "l1", "l2", "N", "w_total", "gradient", "scratch")
KERNELS: Mapping[str, tuple[str, ...]] = {
    "_totals": ("x", "t", "w"),
    "_prediction_of_chunk": ("theta", "x", "y", "scratch"),
    "_samples_of_leaf": (*_OF_LEAF, "first", "last"),
    "_sums_of_leaf": (*_OF_LEAF, "piece", "pieces"),
    "_gradient_of_leaf": _OF_LEAF,
    "_gradient_at_the_end": ("theta", "l1", "l2", "N", "w_total", "gradient", "E_sum"),
}

# A gradient of more numbers is added up on several threads, in so many pieces; of more than that,
# threads always share leaves where they can.
LARGE_GRADIENT = 4096
PIECES = 16

K, DEPTH, LEAVES, SUBTREE, SUBTREES = map(index, ("k", "depth", "leaves", "subtree", "subtrees"))
WORKERS, SPAN, PIECE, MANY_PIECES = map(index, ("workers", "span", "piece", "pieces"))
N, W_TOTAL = Variable("N", "real"), Variable("w_total", "real")
ONE, TWO = whole(1), whole(2)
NO_SUM = Number(0.0, "double")

# What a sum over leaves is given: data as kernels take them, and where they write.
OF_LEAVES = (
    THETA, X, T, W, Parameter("l1", "real"), Parameter("l2", "real"), Parameter("N", "real"),
    Parameter("w_total", "real"), replace(GRADIENT, optional=True),
)  # fmt: skip
SCRATCH = Parameter("scratch", "real", ("scratch",), optional=True)
BOUNDS = (Parameter("first", "whole"), Parameter("last", "whole"))

# The drivers that a network has where threads can share a leaf.
SHARING = ("_is_shared", "_sum_of_shared_leaves")


def argument(parameter: Parameter) -> Argument:
    """A parameter, handed on."""
    if parameter.extents:
        return Array(parameter.name)
    return Variable(parameter.name, parameter.kind)


def called(name: str, parameters: tuple[Parameter, ...], *more: Argument) -> Invoke:
    """A function that is given parameters of its caller."""
    return Invoke(name, (*map(argument, parameters), *more))


def drivers() -> tuple[Function, ...]:
    """The functions in the order that they stand in a module."""
    fresh = Allocate((Buffer("gradient", "real", (SIZE,)),))
    with_gradient, with_rate = (*DATA, GRADIENT), (*DATA, RATE)
    made = Allocate((Buffer("y", "real", (SAMPLES, OUTPUTS)),))
    predicted = Run(called("_prediction_in_turn", (THETA, X, Y)))
    in_turn = called("_gradient_in_turn", with_gradient)
    return (
        check(),
        fits(),
        _prediction(
            "_prediction_at_once",
            _predicted_at_once(),
            "The output y, written on one thread, unchecked.",
            role="written_out",
        ),
        _prediction("_prediction_in_turn", _predicted_in_turn(), "The same, checked."),
        _prediction(
            "_prediction_on_threads",
            _predicted_on_threads(),
            "The same, each thread a chunk of the samples.",
            role="threaded",
        ),
        _sum_of_leaves(),
        _is_shared(),
        _sum_of_shared_leaves(),
        _tree_of_sums(),
        _tree_of_parts(),
        _sum_of_subtrees(),
        _gradient(
            "_gradient_of_one_leaf",
            _of_one_leaf(),
            "The loss E, and its gradient if that is given, of samples of one leaf; unchecked.",
            role="written_out",
        ),
        _gradient(
            "_gradient_at_once",
            _at_once(),
            "The same of any number of samples, unchecked.",
            role="written_out",
        ),
        _gradient("_gradient_in_turn", _in_turn(), "The same, checked."),
        _gradient(
            "_gradient_on_threads",
            _on_threads(),
            "The same on threads, which share leaves, or have subtrees of them.",
        ),
        Function(
            "predict",
            (THETA, X),
            (made, predicted, Return((Array("y"),))),
            role="public",
        ),
        Function(
            "loss",
            DATA,
            (Return((called("_gradient_in_turn", DATA, Nothing()),)),),
            role="public",
        ),
        Function("loss_and_gradient_into", with_gradient, (Return((in_turn,)),), role="public"),
        Function(
            "loss_and_gradient",
            DATA,
            (
                fresh,
                Return((called("loss_and_gradient_into", with_gradient), Array("gradient"))),
            ),
            role="public",
        ),
        _descend(),
        Function("step", with_rate, _stepping("loss_and_gradient_into", fresh), role="public"),
        Function(
            "_step_of_one_leaf",
            with_rate,
            _stepping("_gradient_of_one_leaf", fresh),
            "A step down the gradient, of samples of one leaf; unchecked.",
            role="written_out",
        ),
        Function(
            "_step_at_once",
            with_rate,
            _stepping("_gradient_at_once", fresh),
            "The same of any number of samples, unchecked.",
            role="written_out",
        ),
        Function(
            "_step_on_threads",
            with_rate,
            _stepping("_gradient_on_threads", fresh),
            "The same, many samples on several threads.",
        ),
    )


# Predictions


def _kernel(name: str, **given: Argument) -> Invoke:
    """A network's own function, given what is said and else what has its name."""
    arrays = ("theta", "x", "t", "w", "y", "gradient", "scratch")
    known: dict[str, Argument] = {name: Array(name) for name in arrays}
    known |= {name: Variable(name, "real") for name in ("l1", "l2", "N", "w_total")}
    known |= {name: index(name) for name in ("first", "last", "piece", "pieces")}
    known["E_sum"] = E_SUM
    return Invoke(name, tuple((known | given)[each] for each in KERNELS[name]))


def _memory(size: Value, *more: Value) -> Pick:
    """Scratch memory, where the network takes some."""
    return Pick("scratch", Nonzero(size), Buffer("scratch", "real", (*more, size)), Nothing())


def _checked(*parameters: Parameter) -> Run:
    return Run(called("_check", parameters))


def _workers() -> Assign:
    return Assign(WORKERS, Call("threads", (), "whole"))


def _prediction(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    return Function(name, (THETA, X, Y), tuple(body), says, role)


def _predicted_at_once() -> Iterator[Statement]:
    yield _memory(PREDICTION_SCRATCH)
    yield Run(_kernel("_prediction_of_chunk"))
    yield Return((NO_SUM,))  # C functions for Python give a number, here too


def _predicted_in_turn() -> Iterator[Statement]:
    yield _checked(THETA, X, Y)
    yield _memory(PREDICTION_SCRATCH)
    yield Run(_kernel("_prediction_of_chunk"))


def _predicted_on_threads() -> Iterator[Statement]:
    chunk, start, end = index("chunk"), index("start"), index("end")
    bounds = (
        Quotient(times(SAMPLES, chunk), WORKERS),
        Quotient(times(SAMPLES, plus(chunk, ONE)), WORKERS),
    )
    data = {name: Part(name, start, end) for name in ("x", "y")}
    run = Run(_kernel("_prediction_of_chunk", **data, scratch=Row("scratch", chunk)))
    yield _checked(THETA, X, Y)
    yield _workers()
    yield _memory(PREDICTION_SCRATCH, WORKERS)
    yield Loop("chunk", WORKERS, (Together((start, end), bounds), run), parallel=True)


# Sums over leaves


def _into(place: Variable, name: str = "into") -> Pick:
    """Where gradient number `place` is: the first is the result, the others lie in `parts`, one
    behind the other."""
    part = Part("parts", times(minus(place, ONE), SIZE), times(place, SIZE))
    return Pick(name, Nonzero(place), part, Array("gradient"))


def _leaf_sums(first: Value, last: Value, one_leaf: tuple[Statement, ...]) -> Iterator[Statement]:
    """The sum of the losses of leaves from `first` on, before `last`, and its gradient: sums that
    wait to be added to others are on a stack. `one_leaf` computes one of them into `into`."""
    leaf, start, end = index("leaf"), index("start"), index("end")
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
    parts = Buffer("parts", "real", (times(levels, SIZE),))
    yield Pick("parts", Given("gradient"), parts, Nothing())
    part = Element("parts", (plus(times(before, SIZE), K),), "real")
    add = Accumulate(Element("onto", (K,), "real"), part)
    gradients = (_into(before, "onto"), Loop("k", SIZE, (add,)))
    yield Loop(
        "leaf",
        last,
        (
            Assign(start, times(leaf, LEAF)),
            Assign(end, Call("min", (plus(start, LEAF), SAMPLES), "whole")),
            _into(DEPTH),
            *one_leaf,
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


def _in_leaf() -> dict[str, Part | Array]:
    """The samples of a leaf, and where its gradient goes."""
    start, end = index("start"), index("end")
    data = {name: Part(name, start, end) for name in ("x", "t", "w")}
    return {**data, "gradient": Array("into")}


def _one_leaf(target: Variable | Element, **given: Argument) -> tuple[Statement, ...]:
    """The sum of a leaf's losses, and its gradient."""
    share: dict[str, Argument] = {
        "first": WHOLE_ZERO, "last": SAMPLES, "piece": WHOLE_ZERO, "pieces": ONE,
    }  # fmt: skip
    match given.get("x"):
        case Part(_, start, end) if start and end:
            share["last"] = minus(end, start)
    given = share | given
    in_parts = (
        Run(_kernel("_samples_of_leaf", **given)),
        Assign(target, _kernel("_sums_of_leaf", **given)),
    )
    alone = Assign(target, _kernel("_gradient_of_leaf", **given))
    return (Branch(Nonzero(SHARED), in_parts, (alone,)),)


def _sum_of_leaves() -> Function:
    here = _one_leaf(Element("sums", (DEPTH,), "double"), **_in_leaf())
    return Function(
        "_sum_of_leaves",
        (*OF_LEAVES, SCRATCH, *BOUNDS),
        tuple(_leaf_sums(index("first"), index("last"), here)),
        "The sum of the losses of leaves from `first` on, before `last`, and its gradient: leaves"
        " are added two by two, these sums likewise, and so on.",
    )


def _sum_of_shared_leaves() -> Function:
    rows, blocks = index("rows"), index("blocks")
    size = whole(SHARED_ROWS)
    bounds = tuple(
        Call("min", (times(Quotient(times(blocks, k), MANY_PIECES), size), rows), "whole")
        for k in (PIECE, plus(PIECE, ONE))
    )
    cut = Together((index("first"), index("last")), bounds)
    samples = Run(_kernel("_samples_of_leaf", **_in_leaf()))
    share = Element("shares", (PIECE,), "double")
    sums = Assign(share, _kernel("_sums_of_leaf", **_in_leaf()))
    one_leaf = (
        Assign(rows, minus(index("end"), index("start"))),
        Assign(blocks, Quotient(rows, size, up=True)),
        Loop("piece", MANY_PIECES, (cut, samples), parallel=True),
        Loop("piece", MANY_PIECES, (sums,), parallel=True),
        Assign(Element("sums", (DEPTH,), "double"), Element("shares", (WHOLE_ZERO,), "double")),
    )
    return Function(
        "_sum_of_shared_leaves",
        (*OF_LEAVES, SCRATCH),
        (
            _workers(),
            Assign(MANY_PIECES, Call("min", (WORKERS, whole(SHARED_AMONG)), "whole")),
            Allocate((Buffer("shares", "double", (MANY_PIECES,)),)),
            _leaves(SAMPLES),
            *_leaf_sums(WHOLE_ZERO, LEAVES, one_leaf),
        ),
        "The same, of all leaves, of which each thread computes some samples, and then some of the"
        " sums.",
        role="threaded",
    )


def _is_shared() -> Function:
    leaves, rounds = LEAVES, index("rounds")
    among = Call("min", (WORKERS, whole(SHARED_AMONG)), "whole")
    pays = Compare(
        ("<",),
        (times(whole(5), index("samples")), times(whole(5 - SHARED_LOSS), rounds, LEAF, among)),
    )
    many = Compare((">",), (SIZE, whole(MOST_NUMBERS // PIECES)))
    return Function(
        "_is_shared",
        (Parameter("samples", "whole"),),
        (
            _workers(),
            _leaves(index("samples")),
            Assign(rounds, Quotient(leaves, WORKERS, up=True)),
            Return((Choice(Either((many, pays)), ONE, WHOLE_ZERO),)),
        ),
        "Whether threads do better by sharing leaves: there are few, or gradients are large.",
    )


def _leaves(samples: Value) -> Assign:
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


def _tree_of_sums() -> Function:
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


def _tree_of_parts() -> Function:
    start, end = index("start"), index("end")

    def add(one: Value, other: Value) -> Statement:
        place = plus(times(minus(other, ONE), SIZE), K)
        change = Accumulate(Element("into", (K,), "real"), Element("parts", (place,), "real"))
        return Loop("k", end, (change,), start=start)

    return Function(
        "_tree_of_parts",
        (
            GRADIENT,
            Parameter("parts", "real", ("parts",)),
            *(Parameter(name, "whole") for name in ("subtrees", "start", "end")),
        ),
        (Assign(SPAN, ONE), _tree(add, (_into(index("one")),))),
        "The same of gradients, of weights from `start` on, before `end`; the first is `gradient`.",
    )


def _sum_of_subtrees() -> Function:
    first, last, most = index("first"), index("last"), index("most")
    fit = Call("max", (WORKERS, Quotient(whole(MOST_NUMBERS), SIZE)), "whole")
    larger = Compare(("<",), (times(most, SPAN), LEAVES))
    each = Element("sums", (SUBTREE,), "double")
    arguments = [*map(argument, OF_LEAVES[:-1]), Array("into"), Row("scratch", SUBTREE)]
    here = Assign(each, Invoke("_sum_of_leaves", (*arguments, first, last)))
    piece, pieces = index("piece"), whole(PIECES)
    ends = (
        Quotient(times(piece, SIZE), pieces),
        Quotient(times(plus(piece, ONE), SIZE), pieces),
    )
    given = (Array("gradient"), Array("parts"), SUBTREES)
    in_pieces = Run(Invoke("_tree_of_parts", (*given, *ends)))
    at_once = Run(Invoke("_tree_of_parts", (*given, WHOLE_ZERO, SIZE)))
    added = Branch(
        Compare((">",), (SIZE, whole(LARGE_GRADIENT))),
        (Loop("piece", pieces, (in_pieces,), parallel=True),),
        (at_once,),
    )
    behind = Buffer("parts", "real", (times(minus(SUBTREES, ONE), SIZE),))
    return Function(
        "_sum_of_subtrees",
        OF_LEAVES,
        (
            _workers(),
            _leaves(SAMPLES),
            Assign(most, Call("min", (whole(MOST_SUBTREES), fit), "whole")),
            Assign(SPAN, ONE),
            While(larger, (Accumulate(SPAN, TWO, "*"),)),
            Assign(SUBTREES, Quotient(LEAVES, SPAN, up=True)),
            Allocate((Buffer("sums", "double", (SUBTREES,)),)),
            _memory(GRADIENT_SCRATCH, SUBTREES),
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


# Losses and gradients


def _gradient(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    parameters = (*DATA, replace(GRADIENT, optional=True))
    return Function(name, parameters, (*body, Return((E,))), says, role)


def _given() -> dict[str, Argument]:
    """Penalties come as Python has them, and go on in the module's precision."""
    return {name: Convert(Variable(name, "double"), "real") for name in PENALTIES}


def _begun() -> Iterator[Statement]:
    """The number of samples, and what they weigh together."""
    yield Assign(N, Convert(SAMPLES, "real"))
    yield Assign(W_TOTAL, N)
    yield Branch(Nonzero(WEIGHTED), (Assign(W_TOTAL, replace(_kernel("_totals"), kind="real")),))


def _ended() -> Assign:
    return Assign(E, _kernel("_gradient_at_the_end", **_given()))


def _over_leaves(name: str, *more: Argument) -> Assign:
    """The sum of losses by one of the functions above."""
    known = {p.name: argument(p) for p in OF_LEAVES} | _given()
    return Assign(E_SUM, Invoke(name, (*(known[p.name] for p in OF_LEAVES), *more)))


def _of_one_leaf() -> Iterator[Statement]:
    yield from _begun()
    yield _memory(GRADIENT_SCRATCH)
    yield from _one_leaf(E_SUM, **_given())
    yield _ended()


def _at_once() -> Iterator[Statement]:
    yield from _begun()
    yield _memory(GRADIENT_SCRATCH)
    yield _leaves(SAMPLES)
    yield Branch(
        equal(LEAVES, ONE),
        _one_leaf(E_SUM, **_given()),
        (_over_leaves("_sum_of_leaves", Array("scratch"), WHOLE_ZERO, LEAVES),),
    )
    yield _ended()


def _in_turn() -> Iterator[Statement]:
    parameters = (*DATA, GRADIENT)
    yield _checked(*parameters)
    yield Assign(E, called("_gradient_at_once", parameters))


def _on_threads() -> Iterator[Statement]:
    shared = index("shared")
    yield _checked(*DATA, GRADIENT)
    yield from _begun()
    yield Assign(E_SUM, NO_SUM)
    yield Assign(shared, WHOLE_ZERO)
    sharing = (_memory(GRADIENT_SCRATCH), _over_leaves("_sum_of_shared_leaves", Array("scratch")))
    yield Branch(
        Nonzero(SHARED),
        (
            Assign(shared, Invoke("_is_shared", (SAMPLES,), "whole")),
            Branch(Nonzero(shared), sharing),
        ),
    )
    yield Branch(equal(shared, WHOLE_ZERO), (_over_leaves("_sum_of_subtrees"),))
    yield _ended()


# Steps


def _descend() -> Function:
    slope = Element("gradient", (K,), "real")
    change = times(Convert(Variable("rate", "double"), "real"), slope)
    down = Accumulate(Element("theta", (K,), "real"), change, "-")
    return Function(
        "_descend",
        (THETA, RATE, GRADIENT),
        (Loop("k", SIZE, (down,)),),
        "The weights go down the gradient, all at once.",
    )


def _stepping(differentiate: str, fresh: Allocate) -> tuple[Statement, ...]:
    down = (Array("theta"), Variable("rate", "double"), Array("gradient"))
    return (
        fresh,
        Assign(E, called(differentiate, (*DATA, GRADIENT))),
        Run(Invoke("_descend", down)),
        Return((E,)),
    )


# Checks


def check() -> Function:
    """What must hold before compiled code runs."""
    left_out = (replace(each, optional=False, left_out=True) for each in (T, W, L1, L2, GRADIENT))
    body: list[Statement] = [
        _length("theta", SIZE),
        _width("x", INPUTS),
        _refused(equal(SAMPLES, WHOLE_ZERO), "x must hold at least one sample, came", SAMPLES),
        _where_given("t", _width("t", OUTPUTS), _as_many("t")),
        _where_given("w", _as_many("w")),
    ]
    for name in PENALTIES:
        number = Variable(name, "double")
        negative = Not(Compare((">=",), (number, Number(0.0, "double"))))
        refused = _refused(negative, f"{name} must be at least 0, came", number)
        body.append(_where_given(name, refused))
    apart = [
        _refused(Overlap("gradient", name), f"gradient must not overlap {name} in memory")
        for name in ("theta", "x", "t", "w")
    ]
    apart[-1] = _where_given("w", apart[-1])
    body.append(_where_given("gradient", _length("gradient", SIZE), *apart))
    return Function(
        "_check",
        (THETA, X, *left_out),
        tuple(body),
        "The shapes of what is given: compiled code would read and write beyond other ones.",
    )


def fits() -> Function:
    """The same as a question: whether all of it holds."""
    checks = check()

    def asked(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(
            replace(statement, yes=asked(statement.yes))
            if isinstance(statement, Branch)
            else Return((whole(0),))
            for statement in body
        )

    body = (*asked(checks.body), Return((whole(1),)))
    return replace(
        checks, name="_fits", body=body, says="Whether they are of these shapes.", role="inlined"
    )


def _length(name: str, length: Variable) -> Branch:
    found = Extent(name, 0)
    says = f"{name} must be of shape ({{{length.name}}},), came one of length"
    return _refused(_differs(found, length), says, found)


def _width(name: str, width: Variable) -> Branch:
    found = Extent(name, 1)
    says = f"{name} must be of shape (samples, {{{width.name}}}), came one of width"
    return _refused(_differs(found, width), says, found)


def _as_many(name: str) -> Branch:
    found = Extent(name, 0)
    says = f"{name} must have as many samples as x, came"
    return _refused(_differs(found, SAMPLES), says, found, "and", SAMPLES)


def _refused(condition: Condition, *parts: str | Value) -> Branch:
    return Branch(condition, (Refuse(parts),))


def _where_given(name: str, *checks: Statement) -> Branch:
    return Branch(Given(name), checks)


def _differs(one: Value, other: Value) -> Compare:
    return Compare(("!=",), (one, other))
