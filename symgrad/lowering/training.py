"""lower_training: an epoch of training as lowered functions: the order of the samples, their
batches, the step on each, and the checks before all of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from symgrad.lowering.kernels import argument
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

E, E_SUM, W_SUM = (Variable(name, "double") for name in ("E", "E_sum", "w_sum"))
BATCH, BATCHES, ROWS, START = map(index, ("batch", "batches", "rows", "start"))
ONE = whole(1)
GOING_ON = ("state", "progress", "settings")

_EPOCH = """\
An epoch: a step for each batch of the samples, in a new random order. Returns the mean of their losses.

    theta, state and progress change in place; see `train_state` and `train_settings`. Each loss is the one
    before the step. One that is not finite is returned at once: theta is then as it was before that step.
    All samples in one batch are taken as they lie, without a random order.
    """  # noqa: E501
_LEARN = """\
A step on one batch, if its loss E is finite; returns E.

    Where `threads` is None, Numba leaves out what stands after `else`, and compiles nothing of it.
    """


@dataclass(frozen=True)
class Shape:
    """What the functions depend on: the network's inputs, outputs, layers and weights, whether
    samples are weighted, which penalties are given, how many numbers an optimizer remembers, how
    many settings it has, and the place of `batch` among them."""

    inputs: int
    outputs: int
    layers: int
    weights: int
    weighted: bool
    penalties: tuple[str, ...]
    state: int
    settings: int
    batch: int


def lower_training(shape: Shape) -> dict[str, Function]:
    """The functions by name, in the order that they stand in a module."""
    functions = _Training(shape).functions()
    return {function.name: function for function in functions}


class _Training:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.arrays = ["t", *["w"] * shape.weighted]
        given = [
            Parameter("theta", "real", (shape.weights,)),
            Parameter("x", "real", ("samples", shape.inputs)),
            Parameter("t", "real", ("samples", shape.outputs)),
            *[Parameter("w", "real", ("samples",))] * shape.weighted,
            *(Parameter(name, "double") for name in shape.penalties),
        ]
        in_order = [
            Parameter("order", "whole", ("samples to see",)),
            Parameter("starts", "whole", ("batches + 1",)),
        ]
        going_on = [
            Parameter("state", "real", (shape.state,)),
            Parameter("progress", "word", (2,)),
            Parameter("settings", "double", (shape.settings,)),
        ]
        self.given, self.in_order, self.going_on = given, in_order, going_on
        self.of_epoch, self.of_steps = (*given, *going_on), (*given, *in_order, *going_on)
        self.threads = Parameter("threads", "whole", optional=True)
        self.batch_setting = Element("settings", (whole(shape.batch),), "double")

    def functions(self) -> Iterator[Function]:
        yield self.random()
        yield self.shuffled()
        yield self.check_training()
        yield self.check_steps()
        yield self.batches()
        yield self.gather()
        yield self.learn()
        yield self.steps()
        yield self.epoch()
        whole_epoch = (self.called("_epoch", self.of_epoch, Nothing()),)
        yield Function("train_epoch", self.of_epoch, whole_epoch, _EPOCH, role="public")
        yield Function(
            "train_steps",
            self.of_steps,
            (self.checked_steps(), self.called("_steps", self.of_steps, Nothing())),
            "The same in an order of your own: batch k has the samples"
            " order[starts[k]:starts[k + 1]], whatever `batch` is.",
            role="public",
        )
        yield Function(
            "_epoch_on_threads",
            self.of_epoch,
            (self.called("_epoch", self.of_epoch, ONE),),
            "An epoch, large batches on several threads.",
        )
        yield Function(
            "_steps_on_threads",
            self.of_steps,
            (self.checked_steps(), self.called("_steps", self.of_steps, ONE)),
            "The same in an order of your own.",
        )

    def called(self, name: str, parameters: tuple[Parameter, ...], *more: Argument) -> Return:
        return Return((Invoke(name, (*map(argument, parameters), *more)),))

    def checked_steps(self) -> Run:
        return Run(Invoke("_check_steps", tuple(map(argument, self.of_steps))))

    # The order of the samples

    def random(self) -> Function:
        z, state = Variable("z", "word"), Element("progress", (WHOLE_ZERO,), "word")

        def mixed(shift: int) -> Bits:
            return Bits("^", z, Bits(">>", z, Number(shift, "word")))

        return Function(
            "_random",
            (Parameter("progress", "word", (2,)),),
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

    def shuffled(self) -> Function:
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
            (Parameter("samples", "whole"), Parameter("progress", "word", (2,))),
            (
                Counted("order", samples),
                Loop("last", WHOLE_ZERO, swap, start=minus(samples, ONE), step=-1),
                Return((Array("order"),)),
            ),
            "The numbers of the samples in random order, every order as likely: Fisher and Yates,"
            " by Durstenfeld 1964.",
        )

    # Checks

    def check_training(self) -> Function:
        data = ["x", *self.arrays]
        body: list[Statement] = [Run(Invoke("_check", tuple(map(argument, self.given))))]
        for name, length in (
            ("state", self.shape.state), ("progress", 2), ("settings", self.shape.settings)
        ):  # fmt: skip
            found = Extent(name, 0)
            says = f"{name} must be of shape ({length},), came one of length"
            other = Compare(("!=",), (found, whole(length)))
            body.append(Branch(other, (Refuse((says, found)),)))
        least = Compare((">=",), (self.batch_setting, Number(0.0, "double")))
        says = "batch must be at least 1, or 0 for all samples, came"
        body.append(Branch(Not(least), (Refuse((says, self.batch_setting)),)))
        changed = ("theta", "state", "progress")
        for place, name in enumerate(changed):
            body += _no_overlap(name, [*data, *changed[:place], "settings"])
        return Function(
            "_check_training",
            self.of_epoch,
            tuple(body),
            "The shapes of what `train_epoch` is given, and that what it changes is nothing else's"
            " memory.",
        )

    def check_steps(self) -> Function:
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
            Run(Invoke("_check_training", tuple(map(argument, self.of_epoch)))),
            Branch(Compare(("<",), (starts, whole(2))), (Refuse(too_few),)),
            Branch(Either(beyond), (Refuse(outside),)),
            Loop("batch", minus(starts, ONE), (falling,)),
            Loop("place", order, (Branch(Not(within), (Refuse(unknown),)),)),
            *(s for name in ("theta", "state", "progress")
              for s in _no_overlap(name, ["order", "starts"])),
        ]  # fmt: skip
        return Function(
            "_check_steps",
            self.of_steps,
            tuple(body),
            "The same for `train_steps`, and that `order` has samples of x, and `starts` places in"
            " it.",
        )

    # Batches

    def batches(self) -> Function:
        batch, samples = Variable("batch", "double"), index("samples")
        several = Compare(("<=", "<"), (Number(1.0, "double"), batch, samples))
        number = Quotient(samples, Convert(batch, "whole"), up=True)
        return Function(
            "_batches",
            (Parameter("samples", "whole"), self.going_on[2]),
            (Assign(batch, self.batch_setting), Return((Choice(several, number, ONE),))),
            "How many steps an epoch has: of equal batches as far as that is possible, none larger"
            " than `batch`.",
        )

    def gather(self) -> Function:
        shape, row, n = self.shape, index("row"), index("n")
        i0, last = index("i0"), index(f"i{shape.layers}")
        taken = Assign(n, Element("order", (plus(START, row),), "whole"))
        body: list[Statement] = [
            taken,
            Loop(i0.name, whole(shape.inputs), (_copied("x", row, n, i0),)),
            Loop(last.name, whole(shape.outputs), (_copied("t", row, n, last),)),
        ]
        body += [_copied("w", row, n)] * shape.weighted
        extents = {p.name: p.extents[1:] for p in self.given if p.name in ("x", "t", "w")}
        return Function(
            "_gather",
            (
                self.in_order[0],
                Parameter("start", "whole"),
                Parameter("rows", "whole"),
                *(Parameter(name, "real", ("samples", *rest)) for name, rest in extents.items()),
                *(Parameter(f"{name}s", "real", ("most", *rest)) for name, rest in extents.items()),
            ),
            (Loop("row", ROWS, tuple(body)),),
            "The samples of a batch, one below the other.",
        )

    def learn(self) -> Function:
        gradient = Parameter("gradient", "real", (self.shape.weights,))
        given = tuple(map(argument, (*self.given, gradient)))
        step = Invoke(
            "_update",
            (Array("theta"), Array("gradient"), *map(Array, GOING_ON), BATCHES),
        )
        parameters = (*self.given, gradient, *self.going_on, Parameter("batches", "whole"))
        return Function(
            "_learn",
            (*parameters, self.threads),
            (
                Branch(
                    Not(Given("threads")),
                    (Assign(E, Invoke("loss_and_gradient_into", given)),),
                    (Assign(E, Invoke("_gradient_on_threads", given)),),
                ),
                Branch(Finite(E), (Run(step),)),
                Return((E,)),
            ),
            _LEARN,
            role="written_out",
        )

    def learned(self, rows: Value | None = None) -> Invoke:
        """A step on all samples, or on the first rows of those that were gathered."""

        def batch(name: str) -> Argument:
            return Array(name) if rows is None else Part(f"{name}s", None, rows)

        arguments = (
            Array("theta"), *map(batch, ("x", *self.arrays)),
            *(Variable(name, "double") for name in self.shape.penalties),
            Array("gradient"), *map(Array, GOING_ON), BATCHES, index("threads"),
        )  # fmt: skip
        return Invoke("_learn", arguments)

    def steps(self) -> Function:
        most, shape = index("most"), self.shape
        length = minus(_start(plus(BATCH, ONE)), _start(BATCH))
        longest = Assign(most, Call("max", (most, length), "whole"))
        gathered = ["x", *self.arrays]
        xs = Buffer("xs", "real", (most, whole(shape.inputs)))
        ts = Buffer("ts", "real", (most, whole(shape.outputs)))
        taken = Invoke(
            "_gather",
            (Array("order"), START, ROWS, *map(Array, gathered),
             *(Array(f"{name}s") for name in gathered)),
        )  # fmt: skip
        heavy = Variable("heavy", "real" if shape.weighted else "double")
        if shape.weighted:
            nothing = "it has no loss, which would be an average over nothing"
            weight: tuple[Statement, ...] = (
                Assign(heavy, Total(Part("ws", None, ROWS))),
                Branch(equal(heavy, Number(0.0, "double")), (Skip(nothing),)),
            )
        else:
            weight = (Assign(heavy, Convert(ROWS, "double")),)
        step = (
            Assign(START, _start(BATCH)),
            Assign(ROWS, minus(_start(plus(BATCH, ONE)), START)),
            Run(taken),
            *weight,
            Assign(E, self.learned(ROWS)),
            Branch(Not(Finite(E)), (Return((E,)),)),
            Accumulate(E_SUM, times(heavy, E)),
            Accumulate(W_SUM, heavy),
        )
        nothing_yet = (Number(0.0, "double"),) * 2
        return Function(
            "_steps",
            (*self.of_steps, self.threads),
            (
                Together((BATCHES, most), (minus(Extent("starts", 0), ONE), WHOLE_ZERO)),
                Loop("batch", BATCHES, (longest,)),
                self.gradient(),
                Allocate((xs, ts)),
                *[Allocate((Buffer("ws", "real", (most,)),))] * shape.weighted,
                Together((E_SUM, W_SUM), nothing_yet),
                Loop("batch", BATCHES, step),
                Return((Product((E_SUM,), (W_SUM,)),)),
            ),
            "A step for each batch: batch k has the samples order[starts[k]:starts[k + 1]].",
        )

    def gradient(self) -> Allocate:
        return Allocate((Buffer("gradient", "real", (whole(self.shape.weights),)),))

    def epoch(self) -> Function:
        samples = index("samples")
        count = Invoke("_batches", (Extent("x", 0), Array("settings")), "whole")
        bound = plus(BATCHES, ONE)
        starts = Assign(_start(BATCH), Quotient(times(samples, BATCH), BATCHES))
        order = Invoke("_shuffled", (samples, Array("progress")), "whole")
        arguments = (
            *map(argument, self.given), order, Array("starts"), *map(Array, GOING_ON),
            index("threads"),
        )  # fmt: skip
        return Function(
            "_epoch",
            (*self.of_epoch, self.threads),
            (
                Run(Invoke("_check_training", tuple(map(argument, self.of_epoch)))),
                Together((samples, BATCHES), (Extent("x", 0), count)),
                Branch(equal(BATCHES, ONE), (self.gradient(), Return((self.learned(),)))),
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
        yield Branch(Overlap(changed, other), (Refuse((says,)),))
