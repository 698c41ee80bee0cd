"""members: the functions of an ensemble, many networks of one spec: predictions, losses and their
gradients, and training, of all members.

Members are computed in blocks, one behind the other in the lanes of what `across` makes of a
network's own functions; a block's numbers are brought into lanes where it begins, and out of them
where it ends. Where the last block has lanes to spare, they do what the last member does, and
nothing comes of it. Samples are those of all members, or each has its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from symgrad.lowering.across import TILE, across, called
from symgrad.lowering.interface import K
from symgrad.lowering.members_checks import Shape, checks
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Call,
    Choice,
    Compare,
    Convert,
    Element,
    Extent,
    Finite,
    Function,
    Invoke,
    Kind,
    Loop,
    Nonzero,
    Not,
    Number,
    Parameter,
    Part,
    Product,
    Quotient,
    Return,
    Row,
    Run,
    Statement,
    Value,
    Variable,
    View,
    equal,
    index,
    minus,
    plus,
    times,
    whole,
)

# How many bytes a block's number takes: of the widest vectors that processors have.
_VECTOR = 64

# How many samples are predicted at once.
CHUNK = 512

LANE, FIRST, PLACE = index("lane"), index("first"), index("place")
ROW, COLUMN, START, ROWS = map(index, ("row", "column", "start", "rows"))
SAMPLES, BATCH, BATCHES, EPOCH = map(index, ("samples", "batch", "batches", "epoch"))
ONE, NONE = whole(1), Number(0.0, "double")

_ROOT, _PREDICTION, _STEP = "_gradient_at_once", "_prediction_at_once", "_update"
_STEPPED = frozenset({"theta", "gradient", "state", "progress", "settings"})
_OF_MEMBER = frozenset({"theta", "w", "l1", "l2"})
_KINDS: Mapping[Kind, str] = {"real": "", "double": "_doubles", "word": "_words"}


def lanes(single: bool) -> int:
    """How many members a block has."""
    return _VECTOR // (4 if single else 8)


def of_members(
    functions: Iterable[Function], shape: Shape, lanes: int, tile: tuple[int, int] = TILE
) -> tuple[Function, ...]:
    """The functions of an ensemble by those of a network, for so many members in a block; `tile` as
    in `across`."""
    known = {function.name: function for function in functions}
    return tuple(_Members(known, shape, lanes, tile).functions())


@dataclass(frozen=True)
class _Members:
    known: Mapping[str, Function]
    shape: Shape
    lanes: int
    tile: tuple[int, int]

    def functions(self) -> Iterator[Function]:
        roots = [
            (_PREDICTION, frozenset({"theta"})), (_PREDICTION, frozenset({"theta", "x"})),
            (_ROOT, self.differing(own=False)), (_ROOT, self.differing(own=True)),
        ]  # fmt: skip
        trained = _STEP in self.known
        roots += [(_STEP, _STEPPED)] if trained else []
        yield from across(self.known.values(), roots, self.lanes, self.tile)
        yield from checks(self.shape, trained)
        kinds: tuple[Kind, ...] = ("real", "double", "word") if trained else ("real",)
        for kind in kinds:
            yield self._into_lanes(kind)
        for kind in kinds[::2]:
            yield self._out_of_lanes(kind)
        yield self._rows_into_lanes()
        yield self._predicted()
        yield from self._over_blocks("predict_members", "_predict_block", self.predicted)
        yield self._differentiated()
        yield from self._over_blocks(
            "losses_and_gradients", "_gradients_block", self.differentiated
        )
        if trained:
            yield from (self._order(), self._copied(), self._gathered(), self._weights_of_batch())
            yield from (self._step_but(), self._trained_batch(), self._trained())
            yield from self._over_blocks("train_members", "_train_block", self.trained)

    # What functions are given

    @property
    def data(self) -> tuple[Parameter, ...]:
        """What a loss is given, of all members."""
        return self.shape.data

    @property
    def predicted(self) -> tuple[Parameter, ...]:
        return self.shape.predicted

    @property
    def differentiated(self) -> tuple[Parameter, ...]:
        return self.shape.differentiated

    @property
    def trained(self) -> tuple[Parameter, ...]:
        return self.shape.trained

    def differing(self, own: bool) -> frozenset[str]:
        """What differs between members of what a gradient is given."""
        names = _OF_MEMBER | ({"x", "t"} if own else set())
        return names & {parameter.name for parameter in self.known[_ROOT].parameters}

    @property
    def penalties(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.data if len(each.extents) == 1)

    @property
    def weighted(self) -> bool:
        return any(each.name == "w" for each in self.data)

    def buffer(self, name: str, *extents: Value, kind: Kind = "real") -> Buffer:
        return Buffer(name, kind, (*extents, whole(self.lanes)))

    # Blocks

    def _over_blocks(
        self, name: str, block: str, parameters: tuple[Parameter, ...]
    ) -> Iterator[Function]:
        """A function of all members, block by block; and the same on threads."""
        given = tuple(Array(parameter.name) for parameter in parameters)
        number = Quotient(whole(self.shape.members), whole(self.lanes), up=True)
        run = Run(Invoke(block, (*given, times(index("block"), whole(self.lanes)))))
        check = Run(Invoke(f"_check_{name}", given))
        for end, role in (("_in_turn", "inner"), ("_on_threads", "threaded")):
            loop = Loop("block", number, (run,), parallel=role == "threaded")
            yield Function(
                f"_{name}{end}",
                parameters,
                (check, loop, Return((NONE,))),
                "All members, block by block." if role == "inner" else "The same on threads.",
                role=role,  # type: ignore[arg-type]
            )

    def _member(self, of: str) -> Value:
        """Whose row of an array a lane takes: the only one, where it is that of all."""
        last = minus(Extent(of, 0), ONE)
        return Call("min", (plus(FIRST, LANE), last), "whole")

    def _each_lane(self, *body: Statement) -> Loop:
        return Loop(LANE.name, whole(self.lanes), body)

    def _each_member(self, *body: Statement) -> Loop:
        """Those of a block that there are."""
        end = Call("min", (minus(whole(self.shape.members), FIRST), whole(self.lanes)), "whole")
        return Loop(LANE.name, end, body)

    def _into_lanes(self, kind: Kind) -> Function:
        taken = Element("of", (self._member("of"), K), kind)
        copied = Assign(Element("into", (K, LANE), kind), taken)
        return Function(
            f"_into_lanes{_KINDS[kind]}",
            (
                Parameter("of", kind, ("of rows", "numbers")),
                Parameter("first", "whole"),
                Parameter("into", kind, ("numbers", self.lanes)),
            ),
            (Loop("k", Extent("into", 0), (self._each_lane(copied),)),),
            "The numbers of the members from `first` on, side by side.",
        )

    def _out_of_lanes(self, kind: Kind) -> Function:
        into = Element("into", (plus(FIRST, LANE), K), kind)
        copied = Assign(into, Element("of", (K, LANE), kind))
        return Function(
            f"_out_of_lanes{_KINDS[kind]}",
            (
                Parameter("of", kind, ("numbers", self.lanes)),
                Parameter("first", "whole"),
                Parameter("into", kind, ("members", "numbers")),
            ),
            (Loop("k", Extent("of", 0), (self._each_member(copied),)),),
            "And back, where they belong.",
        )

    def _rows_into_lanes(self) -> Function:
        taken = Element("of", (self._member("of"), plus(START, ROW), COLUMN), "real")
        copied = Assign(Element("into", (ROW, COLUMN, LANE), "real"), taken)
        columns = Loop("column", Extent("into", 1), (self._each_lane(copied),))
        return Function(
            "_rows_into_lanes",
            (
                Parameter("of", "real", ("sets", "all samples", "columns")),
                Parameter("first", "whole"),
                Parameter("start", "whole"),
                Parameter("into", "real", ("rows", "columns", self.lanes)),
            ),
            (Loop("row", Extent("into", 0), (columns,)),),
            "Samples from `start` on, of members of which each has its own.",
        )

    def _bring(self, name: str, numbers: int | Value, kind: Kind = "real") -> Iterator[Statement]:
        """An array with a row for each member, into lanes."""
        size = whole(numbers) if isinstance(numbers, int) else numbers
        yield Allocate((self.buffer(f"{name}_lanes", size, kind=kind),))
        given = (Array(name), FIRST, Array(f"{name}_lanes"))
        yield Run(Invoke(f"_into_lanes{_KINDS[kind]}", given))

    def _bring_penalties(self) -> Iterator[Statement]:
        for name in self.penalties:
            yield Allocate((self.buffer(f"{name}_lanes", kind="double"),))
            taken = Element(name, (self._member(name),), "double")
            at = Element(f"{name}_lanes", (LANE,), "double")
            yield self._each_lane(Assign(at, taken))

    def _shared(self, *names: str) -> Iterator[View]:
        """The samples of all, as a network alone has them."""
        for name in names:
            extents = (Extent(name, 1), Extent(name, 2))
            yield View(f"{name}_of_all", name, 0, extents)

    def _one_set(self, *names: str) -> Compare:
        """Whether samples are those of all."""
        return Compare(("==",) * len(names), (*(Extent(name, 0) for name in names), ONE))

    def _gradient(self, own: bool, **given: Argument) -> Run:
        known: dict[str, Argument] = {
            "theta": Array("theta_lanes"), "gradient": Array("gradient_lanes"),
            "w": Array("w_lanes"), "l1": Array("l1_lanes"), "l2": Array("l2_lanes"),
            "x": Array("x_lanes" if own else "x_of_all"),
            "t": Array("t_lanes" if own else "t_of_all"),
        } | given  # fmt: skip
        names = (parameter.name for parameter in self.known[_ROOT].parameters)
        arguments = (*(known[name] for name in names), Array("E"))
        return Run(Invoke(called(_ROOT, self.differing(own)), arguments))

    # Predictions

    def _predicted(self) -> Function:
        end = index("end")

        def predicted(own: bool, x: Argument) -> Run:
            name = called(_PREDICTION, {"theta", *(["x"] if own else [])})
            return Run(Invoke(name, (Array("theta_lanes"), x, Array("y_rows"))))

        of_member = (
            Run(Invoke("_rows_into_lanes", (Array("x"), FIRST, START, Array("x_rows")))),
            predicted(True, Array("x_rows")),
        )
        written = Assign(
            Element("y", (plus(FIRST, LANE), plus(START, ROW), COLUMN), "real"),
            Element("y_rows", (ROW, COLUMN, LANE), "real"),
        )
        longest = Call("min", (whole(CHUNK), SAMPLES), "whole")
        outputs, inputs = whole(self.shape.outputs), whole(self.shape.inputs)
        return Function(
            "_predict_block",
            (*self.predicted, Parameter("first", "whole")),
            (
                Assign(SAMPLES, Extent("x", 1)),
                *self._bring("theta", self.shape.size),
                *self._shared("x"),
                Allocate(
                    (
                        self.buffer("y_lanes", longest, outputs),
                        self.buffer("x_lanes", longest, inputs),
                    )
                ),
                Loop(
                    "start",
                    SAMPLES,
                    (
                        Assign(end, Call("min", (plus(START, whole(CHUNK)), SAMPLES), "whole")),
                        Assign(ROWS, minus(end, START)),
                        View("y_rows", "y_lanes", 0, (ROWS, outputs, whole(self.lanes))),
                        View("x_rows", "x_lanes", 0, (ROWS, inputs, whole(self.lanes))),
                        Branch(
                            self._one_set("x"),
                            (predicted(False, Part("x_of_all", START, end)),),
                            of_member,
                        ),
                        Loop(
                            "row",
                            ROWS,
                            (Loop("column", outputs, (self._each_member(written),)),),
                        ),
                    ),
                    step=CHUNK,
                ),
            ),
            "The outputs y of a block of members.",
        )

    # Losses and gradients

    def _differentiated(self) -> Function:
        at = Element("losses", (plus(FIRST, LANE),), "double")
        return Function(
            "_gradients_block",
            (*self.differentiated, Parameter("first", "whole")),
            (
                Assign(SAMPLES, Extent("x", 1)),
                *self._begin(),
                *self._shared("x", "t"),
                Branch(
                    self._one_set("x", "t"),
                    (self._gradient(own=False),),
                    (*self._own_samples(SAMPLES), self._gradient(own=True)),
                ),
                self._each_member(Assign(at, Element("E", (LANE,), "double"))),
                Run(Invoke("_out_of_lanes", (Array("gradient_lanes"), FIRST, Array("gradients")))),
            ),
            "The losses of a block of members, and their gradients.",
        )

    def _begin(self) -> Iterator[Statement]:
        """What a gradient is given of members, in lanes."""
        yield from self._bring("theta", self.shape.size)
        yield from self._bring_penalties()
        if self.weighted:
            yield from self._bring("w", SAMPLES)
        yield Allocate((self.buffer("gradient_lanes", whole(self.shape.size)),))
        yield Allocate((self.buffer("E", kind="double"),))

    def _room(self, rows: Value) -> Allocate:
        inputs, targets = whole(self.shape.inputs), whole(self.shape.targets)
        made = (self.buffer("x_lanes", rows, inputs), self.buffer("t_lanes", rows, targets))
        return Allocate(made)

    def _own_samples(self, rows: Value) -> Iterator[Statement]:
        yield self._room(rows)
        yield from self._fill()

    def _fill(self) -> Iterator[Statement]:
        for name in ("x", "t"):
            given = (Array(name), FIRST, WHOLE_ZERO, Array(f"{name}_lanes"))
            yield Run(Invoke("_rows_into_lanes", given))

    # Training

    def _order(self) -> Function:
        drawn = Invoke("_shuffled", (SAMPLES, Array("progress")), "whole")
        return Function(
            "_draw_order",
            (
                Parameter("samples", "whole"),
                Parameter("progress", "word", (2,)),
                Parameter("order", "whole", ("samples",)),
            ),
            (Run(Invoke("_copy_order", (drawn, Array("order")))),),
            "A member's own random order of the samples.",
        )

    def _copied(self) -> Function:
        copied = Assign(Element("order", (K,), "whole"), Element("drawn", (K,), "whole"))
        return Function(
            "_copy_order",
            (
                Parameter("drawn", "whole", ("samples",)),
                Parameter("order", "whole", ("samples",)),
            ),
            (Loop("k", Extent("order", 0), (copied,)),),
        )

    def _gathered(self) -> Function:
        """The samples of a batch, of each member in its own order."""
        at = Element("orders", (LANE, plus(START, ROW)), "whole")
        copies: list[Statement] = [Assign(PLACE, at)]
        for each in self.data:
            if len(each.extents) < 2 or each.name == "theta":
                continue
            into = f"{each.name}s"
            if each.name == "w":
                taken = Element("w", (self._member("w"), PLACE), "real")
                copies.append(Assign(Element(into, (ROW, LANE), "real"), taken))
                continue
            taken = Element(each.name, (self._member(each.name), PLACE, COLUMN), "real")
            copied = Assign(Element(into, (ROW, COLUMN, LANE), "real"), taken)
            copies.append(Loop("column", Extent(into, 1), (copied,)))
        data = tuple(each for each in self.data if len(each.extents) > 1 and each.name != "theta")
        gathered = tuple(
            Parameter(
                f"{each.name}s",
                "real",
                ("longest", *each.extents[2:], self.lanes),
            )
            for each in data
        )
        return Function(
            "_gather_batch",
            (
                Parameter("orders", "whole", (self.lanes, "samples")),
                Parameter("start", "whole"),
                Parameter("rows", "whole"),
                Parameter("first", "whole"),
                *data,
                *gathered,
            ),
            (Loop("row", ROWS, (self._each_lane(*copies),)),),
            "The samples of a batch, of each member in its own order.",
        )

    def _weights_of_batch(self) -> Function:
        """What the samples of a batch weigh together."""
        weight = Element("weights", (LANE,), "double")
        total = Variable("total", "real")
        body: tuple[Statement, ...] = (Assign(weight, Convert(ROWS, "double")),)
        parameters: tuple[Parameter, ...] = (
            Parameter("rows", "whole"),
            Parameter("weights", "double", (self.lanes,)),
        )
        if self.weighted:
            add = Accumulate(total, Element("ws", (ROW, LANE), "real"))
            body = (
                Assign(total, Number(0.0, "real")),
                Loop("row", ROWS, (add,)),
                Assign(weight, total),
            )
            parameters = (Parameter("ws", "real", ("longest", self.lanes)), *parameters)
        return Function(
            "_weigh_batch",
            parameters,
            (self._each_lane(*body),),
            "What the samples of a batch weigh together, of each member.",
        )

    def _step_but(self) -> Function:
        """A step of all lanes but those that rest."""
        kept = ("theta", "state", "progress")
        kinds: Mapping[str, Kind] = {"theta": "real", "state": "real", "progress": "word"}
        parameters = {
            "theta": Parameter("theta", "real", (self.shape.size, self.lanes)),
            "gradient": Parameter("gradient", "real", (self.shape.size, self.lanes)),
            "state": Parameter("state", "real", (self.shape.state, self.lanes)),
            "progress": Parameter("progress", "word", (2, self.lanes)),
            "settings": Parameter("settings", "double", (self.shape.settings, self.lanes)),
            "batches": Parameter("batches", "whole"),
        }

        def copy(into: str, of: str, kind: Kind) -> Assign:
            return Assign(Element(into, (K, LANE), kind), Element(of, (K, LANE), kind))

        def each(name: str, *body: Statement) -> Loop:
            return Loop("k", Extent(name, 0), (self._each_lane(*body),))

        rests = Nonzero(Element("rest", (LANE,), "whole"))
        names = [parameter.name for parameter in self.known[_STEP].parameters]
        given = (index(n) if n == "batches" else Array(n) for n in names)
        step = Run(Invoke(called(_STEP, _STEPPED), tuple(given)))
        before: list[Statement] = []
        after: list[Statement] = []
        for name in kept:
            aside, kind = f"{name}_before", kinds[name]
            size = Extent(name, 0)
            before += [Allocate((self.buffer(aside, size, kind=kind),))]
            before += [each(name, copy(aside, name, kind))]
            after += [each(name, Branch(rests, (copy(name, aside, kind),)))]
        return Function(
            "_step_but",
            (*(parameters[name] for name in names), Parameter("rest", "whole", (self.lanes,))),
            (*before, step, *after),
            "A step of all members of a block but those that rest.",
        )

    def _trained_batch(self) -> Function:
        """What follows from the losses of a batch: who takes a step, and what is summed."""
        E = Element("E", (LANE,), "double")
        weight, loss = (Element(name, (LANE,), "double") for name in ("weights", "loss"))
        E_sum, W_sum = (Element(name, (LANE,), "double") for name in ("E_sums", "W_sums"))
        rest, ended = (Element(name, (LANE,), "whole") for name in ("rest", "ended"))
        adds = (Accumulate(E_sum, times(weight, E)), Accumulate(W_sum, weight))
        ends = (Assign(rest, ONE), Assign(ended, ONE), Assign(loss, E))
        judged = Branch(Finite(E), adds, ends)
        weighed = Branch(equal(weight, NONE), (Assign(rest, ONE),), (judged,))
        doubles = ("E", "weights", "E_sums", "W_sums", "loss")
        return Function(
            "_after_batch",
            (
                *(Parameter(name, "double", (self.lanes,)) for name in doubles),
                *(Parameter(name, "whole", (self.lanes,)) for name in ("rest", "ended")),
            ),
            (
                Assign(index("resting"), WHOLE_ZERO),
                self._each_lane(
                    Assign(rest, WHOLE_ZERO),
                    Branch(Nonzero(ended), (Assign(rest, ONE),), (weighed,)),
                    Accumulate(index("resting"), rest),
                ),
                Return((index("resting"),)),
            ),
            "Whose step a batch is: not of a member without weight, or whose loss is not finite,"
            " which ends its epoch. How many these are.",
        )

    def _trained(self) -> Function:
        shape = self.shape
        longest = index("longest")
        doubles = ("weights", "E_sums", "W_sums", "loss")
        whole_batch = equal(BATCHES, ONE)
        at = Element("losses", (plus(FIRST, LANE), EPOCH), "double")
        loss, E = (Element(name, (LANE,), "double") for name in ("loss", "E"))
        E_sum, W_sum = (Element(name, (LANE,), "double") for name in ("E_sums", "W_sums"))
        ended, rest = (Element(name, (LANE,), "whole") for name in ("ended", "rest"))
        fresh = tuple(Assign(each, NONE) for each in (E_sum, W_sum))
        mean = Assign(loss, Product((E_sum,), (W_sum,)))
        once = (
            self._each_lane(Assign(loss, E), Assign(rest, Choice(Finite(E), WHOLE_ZERO, ONE))),
            Assign(index("resting"), WHOLE_ZERO),
            self._each_lane(Accumulate(index("resting"), rest)),
        )
        names = [parameter.name for parameter in self.known[_STEP].parameters]
        given = tuple(index(n) if n == "batches" else Array(f"{n}_lanes") for n in names)
        step = Branch(
            Nonzero(index("resting")),
            (Run(Invoke("_step_but", (*given, Array("rest")))),),
            (Run(Invoke(called(_STEP, _STEPPED), given)),),
        )
        everything = {n: Part(f"{n}_lanes", None, SAMPLES) for n in ("x", "t", "w")}
        alone = (
            Branch(
                self._one_set("x", "t"),
                (self._gradient(own=False),),
                (self._gradient(own=True, **everything),),
            ),
            *once,
            step,
        )
        return Function(
            "_train_block",
            (*self.trained, Parameter("first", "whole")),
            (
                Assign(SAMPLES, Extent("x", 1)),
                Assign(
                    BATCHES,
                    Invoke("_batches", (SAMPLES, Row("settings", WHOLE_ZERO)), "whole"),
                ),
                *self._begin(),
                *self._bring("state", shape.state),
                *self._bring("progress", 2, "word"),
                *self._bring("settings", shape.settings, "double"),
                Allocate(tuple(self.buffer(name, kind="double") for name in doubles)),
                Allocate(tuple(self.buffer(n, kind="whole") for n in ("rest", "ended"))),
                *self._shared("x", "t"),
                Assign(longest, Quotient(SAMPLES, BATCHES, up=True)),
                self._room(longest),
                *((Allocate((self.buffer("ws", longest),)),) if self.weighted else ()),
                Allocate((Buffer("orders", "whole", (whole(self.lanes), SAMPLES)),)),
                Allocate((Buffer("drawn", "word", (whole(2),)),)),
                Branch(
                    whole_batch,
                    (Branch(Not(self._one_set("x", "t")), tuple(self._fill())),),
                ),
                Loop(
                    "epoch",
                    Extent("losses", 1),
                    (
                        Branch(
                            whole_batch,
                            alone,
                            (
                                self._each_lane(*fresh, Assign(ended, WHOLE_ZERO)),
                                self._each_lane(*self._draw()),
                                Loop("batch", BATCHES, tuple(self._on_batch(step))),
                                self._each_lane(Branch(equal(ended, WHOLE_ZERO), (mean,))),
                            ),
                        ),
                        self._each_member(Assign(at, loss)),
                    ),
                ),
                *self._take_out(),
            ),
            "Epochs of a block of members; each has its own losses and random numbers.",
        )

    def _draw(self) -> Iterator[Statement]:
        state = Element("progress_lanes", (WHOLE_ZERO, LANE), "word")
        drawn = Element("drawn", (WHOLE_ZERO,), "word")
        yield Assign(drawn, state)
        given = (SAMPLES, Array("drawn"), Row("orders", LANE))
        yield Run(Invoke("_draw_order", given))
        yield Assign(state, drawn)

    def _on_batch(self, step: Statement) -> Iterator[Statement]:
        def place(batch: Value) -> Value:
            return Quotient(times(SAMPLES, batch), BATCHES)

        data = [each.name for each in self.data if each.name in ("x", "t", "w")]
        lanes_of = {"x": "x_lanes", "t": "t_lanes", "w": "ws"}
        taken = (*map(Array, data), *(Array(lanes_of[name]) for name in data))
        ws = (Array("ws"),) if self.weighted else ()
        parts = {name: Part(lanes_of[name], None, ROWS) for name in data}
        yield Assign(START, place(BATCH))
        yield Assign(ROWS, minus(place(plus(BATCH, ONE)), START))
        yield Run(Invoke("_gather_batch", (Array("orders"), START, ROWS, FIRST, *taken)))
        yield Run(Invoke("_weigh_batch", (*ws, ROWS, Array("weights"))))
        yield self._gradient(own=True, **parts)
        judged = ("E", "weights", "E_sums", "W_sums", "loss", "rest", "ended")
        yield Assign(index("resting"), Invoke("_after_batch", tuple(map(Array, judged)), "whole"))
        yield step

    def _take_out(self) -> Iterator[Statement]:
        for name in ("theta", "state"):
            yield Run(Invoke("_out_of_lanes", (Array(f"{name}_lanes"), FIRST, Array(name))))
        given = (Array("progress_lanes"), FIRST, Array("progress"))
        yield Run(Invoke("_out_of_lanes_words", given))
