"""training: an epoch of training as lowered functions: the order of the samples, their batches, the
step on each, and the checks before all of it. As in `drivers`, they are the same for every network.
"""

from collections.abc import Iterator
from dataclasses import replace

from symgrad.lowering.interface import (
    DATA,
    GRADIENT,
    INPUTS,
    NO_MORE,
    OUTPUTS,
    PENALTIES,
    SIZE,
    T,
    W,
    X,
    argument,
    called,
)
from symgrad.lowering.kernels import E_SUM, E
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
    Convert,
    Counted,
    Either,
    Element,
    Extent,
    Finite,
    Function,
    Given,
    Invoke,
    Last,
    Loop,
    Not,
    Nothing,
    Number,
    Overlap,
    Parameter,
    Part,
    Pick,
    Product,
    Quotient,
    Refuse,
    Return,
    Run,
    Skip,
    Statement,
    Together,
    Total,
    Value,
    Variable,
    equal,
    index,
    minus,
    plus,
    times,
    whole,
)

# SplitMix64's: the step of its state, and the factors that mix it.
STEP, MIX, MIX_AGAIN = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

W_SUM = Variable("w_sum", "double")
STATE, SETTINGS, BATCH_PLACE = map(index, ("STATE", "SETTINGS", "BATCH"))
BATCH, BATCHES, ROWS, START = map(index, ("batch", "batches", "rows", "start"))
ONE = whole(1)
GOING_ON = ("state", "progress", "settings")

_LEARN = """\
A step on one batch, if its loss E is finite; returns E.

    Where `threads` is None, Numba leaves out what stands after `else`, and compiles nothing of it.
    """

IN_ORDER = (
    Parameter("order", "whole", ("samples to see",)),
    Parameter("starts", "whole", ("batches + 1",)),
)
PROGRESS = Parameter("progress", "word", (2,))
GIVEN_SETTINGS = Parameter("settings", "double", ("SETTINGS",))
OF_EPOCH = (*DATA, Parameter("state", "real", ("STATE",)), PROGRESS, GIVEN_SETTINGS)
OF_STEPS = (*DATA, *IN_ORDER, *OF_EPOCH[len(DATA) :])
THREADS = Parameter("threads", "whole", optional=True)
BATCH_SETTING = Element("settings", (BATCH_PLACE,), "double")


def training() -> tuple[Function, ...]:
    """The functions in the order that they stand in a module; `_update` is the network's own."""
    checked = Run(called("_check_steps", OF_STEPS))
    return (
        _random(),
        _shuffled(),
        _check_training(),
        _check_steps(),
        _batches(),
        _gather(),
        _learn(),
        _steps(),
        _epoch(),
        Function("train_epoch", OF_EPOCH, (_run("_epoch", OF_EPOCH, Nothing()),), role="public"),
        Function(
            "train_steps",
            OF_STEPS,
            (checked, _run("_steps", OF_STEPS, Nothing())),
            role="public",
        ),
        Function(
            "_epoch_on_threads",
            OF_EPOCH,
            (_run("_epoch", OF_EPOCH, ONE),),
            "An epoch, large batches on several threads.",
        ),
        Function(
            "_steps_on_threads",
            OF_STEPS,
            (checked, _run("_steps", OF_STEPS, ONE)),
            "The same in an order of the caller's.",
        ),
    )


def _run(name: str, parameters: tuple[Parameter, ...], threads: Argument) -> Return:
    return Return((called(name, parameters, threads),))


def _random() -> Function:
    z, state = Variable("z", "word"), Element("progress", (WHOLE_ZERO,), "word")

    def mixed(shift: int) -> Bits:
        return Bits("^", z, Bits(">>", z, Number(shift, "word")))

    return Function(
        "_random",
        (PROGRESS,),
        (
            Accumulate(state, Number(STEP, "word")),
            Assign(z, state),
            Assign(z, times(mixed(30), Number(MIX, "word"))),
            Assign(z, times(mixed(27), Number(MIX_AGAIN, "word"))),
            Return((mixed(31),)),
        ),
        "The next of 2⁶⁴ random numbers: SplitMix64 (Steele, Lea and Flood 2014,"
        " doi:10.1145/2660193.2660195).",
    )


def _shuffled() -> Function:
    samples, last, place = index("samples"), index("last"), index("place")
    high, half = Variable("high", "word"), Number(32, "word")
    drawn = Bits(">>", Invoke("_random", (Array("progress"),), "word"), half)
    among = times(high, Convert(plus(last, ONE), "word"))
    ends = (Element("order", (last,), "whole"), Element("order", (place,), "whole"))
    fair = "of 2³²: no place is likelier by more than 1 in 2³²/samples"
    swap = (
        Assign(high, drawn, fair),
        Assign(place, Convert(Bits(">>", among, half), "whole")),
        Together(ends, ends[::-1]),
    )
    return Function(
        "_shuffled",
        (Parameter("samples", "whole"), PROGRESS),
        (
            Counted("order", samples),
            Loop("last", WHOLE_ZERO, swap, start=minus(samples, ONE), step=-1),
            Return((Array("order"),)),
        ),
        "The numbers of the samples in random order, every order as likely: Fisher and Yates,"
        " by Durstenfeld 1964.",
    )


# Checks


def _check_training() -> Function:
    data = ("x", "t", "w")
    body: list[Statement] = [Run(called("_check", DATA))]
    for name, length in (("state", STATE), ("progress", whole(2)), ("settings", SETTINGS)):
        found = Extent(name, 0)
        shape = f"{{{length.name}}}" if isinstance(length, Variable) else length.value
        says = f"{name} must be of shape ({shape},), came one of length"
        body.append(Branch(Compare(("!=",), (found, length)), (Refuse((says, found)),)))
    least = Compare((">=",), (BATCH_SETTING, Number(0.0, "double")))
    says = "batch must be at least 1, or 0 for all samples, came"
    body.append(Branch(Not(least), (Refuse((says, BATCH_SETTING)),)))
    changed = ("theta", "state", "progress")
    for place, name in enumerate(changed):
        body += _no_overlap(name, [*data, *changed[:place], "settings"])
    return Function(
        "_check_training",
        OF_EPOCH,
        tuple(body),
        "The shapes of what `train_epoch` is given, and that what it changes is nothing else's"
        " memory.",
    )


def _check_steps() -> Function:
    order, starts, samples = Extent("order", 0), Extent("starts", 0), Extent("x", 0)
    first, last = _start(WHOLE_ZERO), Last("starts", "whole")
    here, after = _start(BATCH), _start(plus(BATCH, ONE))
    sample = Element("order", (index("place"),), "whole")
    too_few = (
        "starts must say where a batch begins and where the last one ends, came", starts,
        "numbers",
    )  # fmt: skip
    outside = (
        "starts must lie within order, whose length is", order, "and came from", first, "to",
        last,
    )  # fmt: skip
    unknown = ("order must hold numbers of samples; x has", samples, "and there came", sample)
    falling = Branch(
        Compare((">=",), (here, after)),
        (Refuse(("starts must increase, came", here, "before", after)),),
    )
    beyond = (Compare(("<",), (first, WHOLE_ZERO)), Compare((">",), (last, order)))
    within = Compare(("<=", "<"), (WHOLE_ZERO, sample, samples))
    body: list[Statement] = [
        Run(Invoke("_check_training", tuple(map(argument, OF_EPOCH)))),
        Branch(Compare(("<",), (starts, whole(2))), (Refuse(too_few),)),
        Branch(Either(beyond), (Refuse(outside),)),
        Loop("batch", minus(starts, ONE), (falling,)),
        Loop("place", order, (Branch(Not(within), (Refuse(unknown),)),)),
        *(s for name in ("theta", "state", "progress")
          for s in _no_overlap(name, ["order", "starts"])),
    ]  # fmt: skip
    return Function(
        "_check_steps",
        OF_STEPS,
        tuple(body),
        "The same for `train_steps`, and that `order` has samples of x, and `starts` places in it.",
    )


# Batches


def _batches() -> Function:
    batch, samples = Variable("batch", "double"), index("samples")
    several = Compare(("<=", "<"), (Number(1.0, "double"), batch, samples))
    number = Quotient(samples, Convert(batch, "whole"), up=True)
    return Function(
        "_batches",
        (Parameter("samples", "whole"), GIVEN_SETTINGS),
        (Assign(batch, BATCH_SETTING), Return((Choice(several, number, ONE),))),
        "How many steps an epoch has: of equal batches as far as that is possible, none larger"
        " than `batch`.",
    )


def _gather() -> Function:
    row, n, i, j = (index(name) for name in ("row", "n", "i", "j"))
    data = (X, T, W)
    return Function(
        "_gather",
        (
            IN_ORDER[0],
            Parameter("start", "whole"),
            Parameter("rows", "whole"),
            *data,
            *(replace(p, name=f"{p.name}s", extents=("longest", *p.extents[1:])) for p in data),
        ),
        (
            Loop(
                "row",
                ROWS,
                (
                    Assign(n, Element("order", (plus(START, row),), "whole")),
                    Loop("i", INPUTS, (_copied("x", row, n, i),)),
                    Loop("j", OUTPUTS, (_copied("t", row, n, j),)),
                    Branch(Given("w"), (_copied("w", row, n),)),
                ),
            ),
        ),
        "The samples of a batch, one below the other.",
    )


def _learn() -> Function:
    given = (*DATA, GRADIENT)
    differentiated = (*map(argument, DATA), *NO_MORE, Array("gradient"))
    step = Invoke("_update", (Array("theta"), Array("gradient"), *map(Array, GOING_ON), BATCHES))
    return Function(
        "_learn",
        (*given, *OF_EPOCH[len(DATA) :], Parameter("batches", "whole"), THREADS),
        (
            Branch(
                Not(Given("threads")),
                (Assign(E, Invoke("_gradient_in_turn", differentiated)),),
                (Assign(E, Invoke("_gradient_on_threads", differentiated)),),
            ),
            Branch(Finite(E), (Run(step),)),
            Return((E,)),
        ),
        _LEARN,
        role="written_out",
    )


def _learned(rows: Value | None = None) -> Invoke:
    """A step on all samples, or on the first rows of those that were gathered."""

    def batch(name: str) -> Argument:
        return Array(name) if rows is None else Part(f"{name}s", None, rows)

    arguments = (
        Array("theta"), *map(batch, ("x", "t", "w")),
        *(Variable(name, "double") for name in PENALTIES),
        Array("gradient"), *map(Array, GOING_ON), BATCHES, index("threads"),
    )  # fmt: skip
    return Invoke("_learn", arguments)


def _steps() -> Function:
    longest, weight = index("longest"), Variable("weight", "double")
    length = minus(_start(plus(BATCH, ONE)), _start(BATCH))
    gathered = ("x", "t", "w")
    taken = Invoke(
        "_gather",
        (Array("order"), START, ROWS, *map(Array, gathered),
         *(Array(f"{name}s") for name in gathered)),
    )  # fmt: skip
    nothing = "it has no loss, which would be an average over nothing"
    weighed = Branch(
        Given("w"),
        (
            Assign(weight, Total(Part("ws", None, ROWS))),
            Branch(equal(weight, Number(0.0, "double")), (Skip(nothing),)),
        ),
        (Assign(weight, Convert(ROWS, "double")),),
    )
    step = (
        Assign(START, _start(BATCH)),
        Assign(ROWS, minus(_start(plus(BATCH, ONE)), START)),
        Run(taken),
        weighed,
        Assign(E, _learned(ROWS)),
        Branch(Not(Finite(E)), (Return((E,)),)),
        Accumulate(E_SUM, times(weight, E)),
        Accumulate(W_SUM, weight),
    )
    nothing_yet = (Number(0.0, "double"),) * 2
    xs, ts = (
        Buffer(f"{p.name}s", "real", (longest, width)) for p, width in ((X, INPUTS), (T, OUTPUTS))
    )
    return Function(
        "_steps",
        (*OF_STEPS, THREADS),
        (
            Together((BATCHES, longest), (minus(Extent("starts", 0), ONE), WHOLE_ZERO)),
            Loop("batch", BATCHES, (Assign(longest, Call("max", (longest, length), "whole")),)),
            _fresh(),
            Allocate((xs, ts)),
            Pick("ws", Given("w"), Buffer("ws", "real", (longest,)), Nothing()),
            Together((E_SUM, W_SUM), nothing_yet),
            Loop("batch", BATCHES, step),
            Return((Product((E_SUM,), (W_SUM,)),)),
        ),
        "A step for each batch: batch k has the samples order[starts[k]:starts[k + 1]].",
    )


def _fresh() -> Allocate:
    return Allocate((Buffer("gradient", "real", (SIZE,)),))


def _epoch() -> Function:
    samples = index("samples")
    count = Invoke("_batches", (Extent("x", 0), Array("settings")), "whole")
    bound = plus(BATCHES, ONE)
    starts = Assign(_start(BATCH), Quotient(times(samples, BATCH), BATCHES))
    order = Invoke("_shuffled", (samples, Array("progress")), "whole")
    arguments = (
        *map(argument, DATA), order, Array("starts"), *map(Array, GOING_ON), index("threads"),
    )  # fmt: skip
    return Function(
        "_epoch",
        (*OF_EPOCH, THREADS),
        (
            Run(Invoke("_check_training", tuple(map(argument, OF_EPOCH)))),
            Together((samples, BATCHES), (Extent("x", 0), count)),
            Branch(equal(BATCHES, ONE), (_fresh(), Return((_learned(),)))),
            Allocate((Buffer("starts", "whole", (bound,)),)),
            Loop("batch", bound, (starts,)),
            Return((Invoke("_steps", arguments),)),
        ),
        "A step for each batch of the samples, in a new random order; returns the mean of"
        " their losses.",
    )


def _start(batch: Value) -> Element:
    return Element("starts", (batch,), "whole")


def _copied(name: str, row: Variable, n: Variable, *more: Variable) -> Assign:
    return Assign(Element(f"{name}s", (row, *more), "real"), Element(name, (n, *more), "real"))


def _no_overlap(changed: str, others: list[str]) -> Iterator[Branch]:
    for other in others:
        says = f"{changed} must not overlap {other} in memory"
        refused = Branch(Overlap(changed, other), (Refuse((says,)),))
        yield Branch(Given("w"), (refused,)) if other == "w" else refused
