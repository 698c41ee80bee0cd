"""training: an epoch of training as lowered functions: the order of the samples, their batches, the
step on each, and the checks before all of it. As in `drivers`, they are the same for every network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from symgrad.lowering.interface import (
    DATA,
    GRADIENT,
    INPUTS,
    NO_MORE,
    SIZE,
    TARGETS,
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

PROGRESS = Parameter("progress", "word", (2,))
GIVEN_SETTINGS = Parameter("settings", "double", ("SETTINGS",))
AFTER_DATA = (Parameter("state", "real", ("STATE",)), PROGRESS, GIVEN_SETTINGS)
THREADS = Parameter("threads", "whole", optional=True)
BATCH_SETTING = Element("settings", (BATCH_PLACE,), "double")


@dataclass(frozen=True)
class Points:
    """Samples that are drawn together: all there are, or those of a term, whose name then ends the
    names of what is theirs."""

    data: tuple[Parameter, ...] = (X, T, W)
    suffix: str = ""

    def named(self, name: str) -> str:
        return f"{name}{self.suffix}"

    def index(self, name: str) -> Variable:
        return index(self.named(name))

    @property
    def x(self) -> str:
        return self.data[0].name

    @property
    def w(self) -> str | None:
        """The weights of samples, which may be left out where that is to be seen at run time."""
        return next((each.name for each in self.data if len(each.extents) == 1), None)

    @property
    def gathered(self) -> tuple[Parameter, ...]:
        """The samples of a batch."""
        longest = self.named("longest")
        return tuple(
            replace(p, name=self.batch(p.name), extents=(longest, *p.extents[1:]))
            for p in self.data
        )

    def batch(self, name: str) -> str:
        """What an array of data is called of a batch: x becomes xs, x_a becomes xs_a."""
        return f"{name.removesuffix(self.suffix)}s{self.suffix}"

    @property
    def in_order(self) -> tuple[Parameter, ...]:
        return (
            Parameter(self.named("order"), "whole", (self.named("samples to see"),)),
            Parameter(self.named("starts"), "whole", (self.named("batches + 1"),)),
        )

    def start(self, batch: Value) -> Element:
        return Element(self.named("starts"), (batch,), "whole")


ALL = Points()


@dataclass(frozen=True)
class TrainedOn:
    """What is trained on: all arguments of the loss, which data of several terms is drawn each by
    itself, and the functions that check and differentiate it, with what they are given besides."""

    data: tuple[Parameter, ...] = DATA
    points: tuple[Points, ...] = (ALL,)
    check: str = "_check"
    more: tuple[Argument, ...] = NO_MORE

    @property
    def epoch(self) -> tuple[Parameter, ...]:
        return (*self.data, *AFTER_DATA)

    @property
    def in_order(self) -> tuple[Parameter, ...]:
        return tuple(p for points in self.points for p in points.in_order)

    @property
    def steps(self) -> tuple[Parameter, ...]:
        return (*self.data, *self.in_order, *AFTER_DATA)

    @property
    def several(self) -> bool:
        return len(self.points) > 1 or bool(self.points[0].suffix)


def training(of: TrainedOn = TrainedOn()) -> tuple[Function, ...]:
    """The functions in the order that they stand in a module; `_update` is the network's own."""
    checked = Run(called("_check_steps", of.steps))
    return (
        _random(),
        _shuffled(),
        _check_training(of),
        _check_steps(of),
        _batches(),
        *map(_gather, of.points),
        _learn(of),
        _steps(of),
        _epoch(of),
        Function("train_epoch", of.epoch, (_run("_epoch", of.epoch, Nothing()),), role="public"),
        Function(
            "train_steps",
            of.steps,
            (checked, _run("_steps", of.steps, Nothing())),
            role="public",
        ),
        Function(
            "_epoch_on_threads",
            of.epoch,
            (_run("_epoch", of.epoch, ONE),),
            "An epoch, large batches on several threads.",
        ),
        Function(
            "_steps_on_threads",
            of.steps,
            (checked, _run("_steps", of.steps, ONE)),
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


def _check_training(of: TrainedOn) -> Function:
    data = [each.name for points in of.points for each in points.data]
    body: list[Statement] = [Run(called(of.check, of.data))]
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
        of.epoch,
        tuple(body),
        "The shapes of what `train_epoch` is given, and that what it changes is nothing else's"
        " memory.",
    )


def _check_steps(of: TrainedOn) -> Function:
    changed = ("theta", "state", "progress")
    orders = [p.name for p in of.in_order]
    return Function(
        "_check_steps",
        of.steps,
        (
            Run(Invoke("_check_training", tuple(map(argument, of.epoch)))),
            *(statement for points in of.points for statement in _check_order(points)),
            *(s for name in changed for s in _no_overlap(name, orders)),
        ),
        "The same for `train_steps`, and that `order` has samples of x, and `starts` places in it.",
    )


def _check_order(points: Points) -> Iterator[Statement]:
    order_name, starts_name = (p.name for p in points.in_order)
    order, starts, samples = Extent(order_name, 0), Extent(starts_name, 0), Extent(points.x, 0)
    first, last = points.start(WHOLE_ZERO), Last(starts_name, "whole")
    here, after = points.start(BATCH), points.start(plus(BATCH, ONE))
    sample = Element(order_name, (index("place"),), "whole")
    too_few = (
        f"{starts_name} must say where a batch begins and where the last one ends, came", starts,
        "numbers",
    )  # fmt: skip
    outside = (
        f"{starts_name} must lie within {order_name}, whose length is", order, "and came from",
        first, "to", last,
    )  # fmt: skip
    unknown = (
        f"{order_name} must hold numbers of samples; {points.x} has", samples, "and there came",
        sample,
    )  # fmt: skip
    falling = Branch(
        Compare((">=",), (here, after)),
        (Refuse((f"{starts_name} must increase, came", here, "before", after)),),
    )
    beyond = (Compare(("<",), (first, WHOLE_ZERO)), Compare((">",), (last, order)))
    within = Compare(("<=", "<"), (WHOLE_ZERO, sample, samples))
    yield Branch(Compare(("<",), (starts, whole(2))), (Refuse(too_few),))
    yield Branch(Either(beyond), (Refuse(outside),))
    yield Loop("batch", minus(starts, ONE), (falling,))
    yield Loop("place", order, (Branch(Not(within), (Refuse(unknown),)),))


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


def _gather(points: Points) -> Function:
    row, n = index("row"), index("n")
    order = points.in_order[0]
    copies: list[Statement] = []
    for each in points.data:
        into = points.batch(each.name)
        if each.name == points.w:
            copied = _copied(each.name, into, row, n)
            copies.append(Branch(Given(each.name), (copied,)) if each.optional else copied)
            continue
        column, width = (index("i"), INPUTS) if each.name == points.x else (index("j"), TARGETS)
        copies.append(Loop(column.name, width, (_copied(each.name, into, row, n, column),)))
    return Function(
        points.named("_gather"),
        (
            order,
            Parameter("start", "whole"),
            Parameter("rows", "whole"),
            *points.data,
            *points.gathered,
        ),
        (
            Loop(
                "row",
                ROWS,
                (Assign(n, Element(order.name, (plus(START, row),), "whole")), *copies),
            ),
        ),
        "The samples of a batch, one below the other.",
    )


def _learn(of: TrainedOn) -> Function:
    given = (*of.data, GRADIENT)
    differentiated = (*map(argument, of.data), *of.more, Array("gradient"))
    step = Invoke("_update", (Array("theta"), Array("gradient"), *map(Array, GOING_ON), BATCHES))
    return Function(
        "_learn",
        (*given, *AFTER_DATA, Parameter("batches", "whole"), THREADS),
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


def _learned(of: TrainedOn, gathered: bool = False) -> Invoke:
    """A step on all samples, or on the first rows of those that were gathered."""
    parts = {
        p.name: Part(points.batch(p.name), None, points.index("rows"))
        for points in of.points
        for p in points.data
    }
    data = (parts.get(p.name, argument(p)) if gathered else argument(p) for p in of.data)
    return Invoke(
        "_learn",
        (*data, Array("gradient"), *map(Array, GOING_ON), BATCHES, index("threads")),
    )


def _steps(of: TrainedOn) -> Function:
    weigh = _weigh_each(of) if of.several else _weigh_all(of.points[0])
    step = (
        *(statement for points in of.points for statement in _draw(points, of.several)),
        *weigh,
        Assign(E, _learned(of, gathered=True)),
        Branch(Not(Finite(E)), (Return((E,)),)),
        Accumulate(E_SUM, E if of.several else times(Variable("weight", "double"), E)),
        Accumulate(W_SUM, Number(1.0, "double") if of.several else Variable("weight", "double")),
    )
    nothing_yet = (Number(0.0, "double"),) * 2
    return Function(
        "_steps",
        (*of.steps, THREADS),
        (
            *(statement for points in of.points for statement in _longest(points)),
            *_most_batches(of),
            _fresh(),
            *(statement for points in of.points for statement in _room(points)),
            Together((E_SUM, W_SUM), nothing_yet),
            Loop("batch", BATCHES, step),
            Return((Product((E_SUM,), (W_SUM,)),)),
        ),
        _STEPS_OF_TERMS
        if of.several
        else "A step for each batch: batch k has the samples order[starts[k]:starts[k + 1]].",
    )


_STEPS_OF_TERMS = """\
Steps, as many as the term with most batches has of them.

    Batch k of a term has the samples order[starts[k]:starts[k + 1]] of its own; a term that has no
    further one begins anew with its first.
    """


def _longest(points: Points) -> Iterator[Statement]:
    """How many batches there are, and how many samples the longest has."""
    batches, longest = points.index("batches"), points.index("longest")
    length = minus(points.start(plus(BATCH, ONE)), points.start(BATCH))
    starts = points.in_order[1].name
    yield Together((batches, longest), (minus(Extent(starts, 0), ONE), WHOLE_ZERO))
    yield Loop("batch", batches, (Assign(longest, Call("max", (longest, length), "whole")),))


def _most_batches(of: TrainedOn) -> Iterator[Statement]:
    if of.several:
        first, *others = (points.index("batches") for points in of.points)
        yield Assign(BATCHES, first)
        for other in others:
            yield Assign(BATCHES, Call("max", (BATCHES, other), "whole"))


def _room(points: Points) -> Iterator[Statement]:
    """Memory for a batch."""
    longest = points.index("longest")
    widths = {"INPUTS": INPUTS, "TARGETS": TARGETS}
    made = [
        Buffer(p.name, "real", (longest, widths[str(p.extents[1])]))
        for p in points.gathered
        if len(p.extents) > 1
    ]
    yield Allocate(tuple(made))
    for each, p in zip(points.data, points.gathered, strict=True):
        if len(p.extents) == 1:
            room = Buffer(p.name, "real", (longest,))
            optional = Pick(p.name, Given(each.name), room, Nothing())
            yield optional if each.optional else Allocate((room,))


def _draw(points: Points, several: bool) -> Iterator[Statement]:
    """The batch of a step."""
    batch: Value = BATCH
    if several:
        batch, batches = points.index("here"), points.index("batches")
        yield Assign(batch, minus(BATCH, times(batches, Quotient(BATCH, batches))))
    start, rows = points.index("start"), points.index("rows")
    yield Assign(start, points.start(batch))
    yield Assign(rows, minus(points.start(plus(batch, ONE)), start))
    arrays = (Array(p.name) for p in (*points.data, *points.gathered))
    order = Array(points.in_order[0].name)
    yield Run(Invoke(points.named("_gather"), (order, start, rows, *arrays)))


_NOTHING = "it has no loss, which would be an average over nothing"


def _weigh_all(points: Points) -> Iterator[Statement]:
    weight = Variable("weight", "double")
    yield Branch(
        Given("w"),
        (
            Assign(weight, Total(Part("ws", None, ROWS))),
            Branch(equal(weight, Number(0.0, "double")), (Skip(_NOTHING),)),
        ),
        (Assign(weight, Convert(ROWS, "double")),),
    )


def _weigh_each(of: TrainedOn) -> Iterator[Statement]:
    for points in of.points:
        if points.w is not None:
            weight = Total(Part(points.batch(points.w), None, points.index("rows")))
            yield Branch(equal(weight, Number(0.0, "double")), (Skip(_NOTHING),))


def _fresh() -> Allocate:
    return Allocate((Buffer("gradient", "real", (SIZE,)),))


def _epoch(of: TrainedOn) -> Function:
    counts = [
        Together(
            (points.index("samples"), points.index("batches")),
            (
                Extent(points.x, 0),
                Invoke("_batches", (Extent(points.x, 0), Array("settings")), "whole"),
            ),
        )
        for points in of.points
    ]
    given = {p.name: argument(p) for p in of.steps}
    for points in of.points:
        drawn = Invoke("_shuffled", (points.index("samples"), Array("progress")), "whole")
        given[points.in_order[0].name] = drawn
    return Function(
        "_epoch",
        (*of.epoch, THREADS),
        (
            Run(Invoke("_check_training", tuple(map(argument, of.epoch)))),
            *counts,
            *_most_batches(of),
            Branch(equal(BATCHES, ONE), (_fresh(), Return((_learned(of),)))),
            *(statement for points in of.points for statement in _starts(points)),
            Return((Invoke("_steps", (*(given[p.name] for p in of.steps), index("threads"))),)),
        ),
        "A step for each batch of the samples, in a new random order; returns the mean of"
        " their losses.",
    )


def _starts(points: Points) -> Iterator[Statement]:
    batches = points.index("batches")
    bound = plus(batches, ONE)
    place = Quotient(times(points.index("samples"), BATCH), batches)
    yield Allocate((Buffer(points.named("starts"), "whole", (bound,)),))
    yield Loop("batch", bound, (Assign(points.start(BATCH), place),))


def _copied(name: str, into: str, row: Variable, n: Variable, *more: Variable) -> Assign:
    return Assign(Element(into, (row, *more), "real"), Element(name, (n, *more), "real"))


def _no_overlap(changed: str, others: Sequence[str]) -> Iterator[Branch]:
    for other in others:
        says = f"{changed} must not overlap {other} in memory"
        refused = Branch(Overlap(changed, other), (Refuse((says,)),))
        yield Branch(Given("w"), (refused,)) if other == "w" else refused
