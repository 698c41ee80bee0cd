"""drivers: the functions of a module that others call: what they check first, in which chunks the
samples are computed, one after the other or on threads, and what becomes of the chunks' sums.

They are the same for every network, and are written once: for `CONSTANTS`, which each network has
its own numbers for, and for all arguments that any network has. `specialize` makes a network's own
functions of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from symgrad.lowering.kernels import E_SUM, SAMPLES, E
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Compare,
    Condition,
    Convert,
    Each,
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
    equal,
    index,
    plus,
    times,
    whole,
)

# What each network has its own numbers for: of its weights, inputs and outputs, of the memory that
# a chunk of samples takes, and the numbers of samples from which there are more chunks.
SIZE, INPUTS, OUTPUTS = map(index, ("SIZE", "INPUTS", "OUTPUTS"))
PREDICTION_SCRATCH, GRADIENT_SCRATCH = map(index, ("PREDICTION_SCRATCH", "GRADIENT_SCRATCH"))
WEIGHTED = index("WEIGHTED")  # 1 if samples are, else 0
PREDICTION_CHUNKS, GRADIENT_CHUNKS = "PREDICTION_CHUNKS", "GRADIENT_CHUNKS"

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
KERNELS: Mapping[str, tuple[str, ...]] = {
    "_totals": ("x", "t", "w"),
    "_prediction_of_chunk": ("theta", "x", "y", "scratch"),
    "_gradient_of_chunk": (
        "theta", "x", "t", "w", "l1", "l2", "N", "w_total", "gradient", "scratch",
    ),
    "_gradient_at_the_end": ("theta", "l1", "l2", "N", "w_total", "gradient", "E_sum"),
}  # fmt: skip

# A gradient of more numbers is added up on several threads, in so many pieces.
LARGE_GRADIENT = 4096
PIECES = 16

CHUNK, CHUNKS, K = index("chunk"), index("chunks"), index("k")
N, W_TOTAL = Variable("N", "real"), Variable("w_total", "real")
ALONE = equal(CHUNKS, whole(1))


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
        _chunks(),
        check(),
        fits(),
        _prediction(
            "_prediction_in_one_chunk",
            _predicted_in_one_chunk(),
            "The output y, written in one chunk.",
            role="written_out",
        ),
        _prediction("_prediction_in_turn", _predicted_in_turn(), "The same, chunk after chunk."),
        _prediction(
            "_prediction_on_threads",
            _predicted_on_threads(),
            "The same, each thread some chunks.",
            role="threaded",
        ),
        _gradient(
            "_gradient_in_one_chunk",
            _in_one_chunk(),
            "The loss E, and its gradient if that is given.",
            role="written_out",
        ),
        _gradient("_gradient_in_turn", _in_turn(), "The same, chunk after chunk."),
        _gradient(
            "_gradient_on_threads",
            _on_threads(),
            "The same: each thread some chunks, and their sums are added in order.",
            role="threaded",
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
            "_step_in_one_chunk",
            with_rate,
            _stepping("_gradient_in_one_chunk", fresh),
            "A step down the gradient, in one chunk.",
            role="written_out",
        ),
        Function(
            "_step_on_threads",
            with_rate,
            _stepping("_gradient_on_threads", fresh),
            "The same, many samples on several threads.",
        ),
    )


def _chunks() -> Function:
    """How many chunks there are."""
    threshold = index("threshold")
    reached = Compare((">=",), (index("samples"), threshold))
    twice = Branch(reached, (Accumulate(CHUNKS, whole(2), "*"),))
    return Function(
        "_chunks",
        (Parameter("samples", "whole"), Parameter("thresholds", "whole", ("levels",))),
        (
            Assign(CHUNKS, whole(1)),
            Each("threshold", "thresholds", "whole", (twice,)),
            Return((CHUNKS,)),
        ),
        "In how many chunks samples are computed: 1, and twice as many from each threshold on.",
    )


# Chunks


def _cut(*names: str) -> tuple[Together, dict[str, Argument]]:
    """Where a chunk starts and ends, and its part of the data."""
    start, end = index("start"), index("end")
    bounds = (
        Quotient(times(SAMPLES, CHUNK), CHUNKS),
        Quotient(times(SAMPLES, plus(CHUNK, whole(1))), CHUNKS),
    )
    return Together((start, end), bounds), {name: Part(name, start, end) for name in names}


def _kernel(name: str, **given: Argument) -> Invoke:
    """A network's own function, given what is said and else what has its name; penalties come as
    Python has them, and go on in the module's precision."""
    known: dict[str, Argument] = {
        **{name: Array(name) for name in ("theta", "x", "t", "w", "y", "gradient", "scratch")},
        **{name: Convert(Variable(name, "double"), "real") for name in PENALTIES},
        "N": N,
        "w_total": W_TOTAL,
        "E_sum": E_SUM,
    }
    return Invoke(name, tuple((known | given)[each] for each in KERNELS[name]))


def _counted(thresholds: str) -> Assign:
    return Assign(CHUNKS, Invoke("_chunks", (SAMPLES, Array(thresholds)), "whole"))


def _memory(size: Value, *more: Value) -> Pick:
    """Scratch memory, where the network takes some."""
    return Pick("scratch", Nonzero(size), Buffer("scratch", "real", (*more, size)), Nothing())


def _checked(*parameters: Parameter) -> Run:
    return Run(called("_check", parameters))


def _prediction(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    return Function(name, (THETA, X, Y), tuple(body), says, role)


def _predicted_in_one_chunk() -> Iterator[Statement]:
    yield _memory(PREDICTION_SCRATCH)
    yield Run(_kernel("_prediction_of_chunk"))
    yield Return((Number(0.0, "double"),))  # C functions for Python give a number, here too


def _predicted_in_turn() -> Iterator[Statement]:
    yield _checked(THETA, X, Y)
    yield _counted(PREDICTION_CHUNKS)
    yield _memory(PREDICTION_SCRATCH)
    bounds, data = _cut("x", "y")
    run = Run(_kernel("_prediction_of_chunk", **data))
    yield Loop("chunk", CHUNKS, (bounds, run))


def _predicted_on_threads() -> Iterator[Statement]:
    yield _checked(THETA, X, Y)
    yield _counted(PREDICTION_CHUNKS)
    yield _memory(PREDICTION_SCRATCH, CHUNKS)
    bounds, data = _cut("x", "y")
    run = Run(_kernel("_prediction_of_chunk", **data, scratch=Row("scratch", CHUNK)))
    yield Loop("chunk", CHUNKS, (bounds, run), parallel=True)


def _gradient(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    parameters = (*DATA, replace(GRADIENT, optional=True))
    return Function(name, parameters, (*body, Return((E,))), says, role)


def _begun() -> Iterator[Statement]:
    """The number of samples, and what they weigh together."""
    yield Assign(N, Convert(SAMPLES, "real"))
    yield Assign(W_TOTAL, N)
    weighed = Assign(W_TOTAL, replace(_kernel("_totals"), kind="real"))
    yield Branch(Nonzero(WEIGHTED), (weighed,))


def _ended() -> Assign:
    return Assign(E, _kernel("_gradient_at_the_end"))


def _in_one_chunk() -> Iterator[Statement]:
    yield from _begun()
    yield _memory(GRADIENT_SCRATCH)
    yield Assign(E_SUM, _kernel("_gradient_of_chunk"))
    yield _ended()


def _in_turn() -> Iterator[Statement]:
    yield _checked(*DATA, GRADIENT)
    yield from _begun()
    yield _counted(GRADIENT_CHUNKS)
    yield _memory(GRADIENT_SCRATCH)
    yield Assign(E_SUM, Number(0.0, "double"))
    bounds, data = _cut("x", "t", "w")
    loss = _kernel("_gradient_of_chunk", **data)
    both = _kernel("_gradient_of_chunk", **data, gradient=Array("into"))
    into = Pick("into", Nonzero(CHUNK), Array("part"), Array("gradient"))
    add = Branch(Nonzero(CHUNK), (_add_up(Element("part", (K,), "real")),))
    yield Branch(
        Given("gradient"),
        (
            Pick("part", ALONE, Array("gradient"), Buffer("part", "real", (SIZE,))),
            Loop("chunk", CHUNKS, (bounds, into, Accumulate(E_SUM, both), add)),
        ),
        (Loop("chunk", CHUNKS, (bounds, Accumulate(E_SUM, loss))),),
    )
    yield _ended()


def _add_up(part: Element, start: Value = WHOLE_ZERO, end: Value = SIZE) -> Loop:
    add = Accumulate(Element("gradient", (K,), "real"), part)
    return Loop("k", end, (add,), start=start)


def _on_threads() -> Iterator[Statement]:
    yield _checked(*DATA, GRADIENT)
    yield from _begun()
    yield _counted(GRADIENT_CHUNKS)
    yield Allocate((Buffer("sums", "double", (CHUNKS,)),))
    yield _memory(GRADIENT_SCRATCH, CHUNKS)
    bounds, data = _cut("x", "t", "w")
    each = Element("sums", (CHUNK,), "double")
    here: dict[str, Argument] = {**data, "scratch": Row("scratch", CHUNK)}
    loss = Assign(each, _kernel("_gradient_of_chunk", **here))
    both = Assign(each, _kernel("_gradient_of_chunk", **here, gradient=Array("into")))
    into = Pick("into", Nonzero(CHUNK), Row("parts", CHUNK), Array("gradient"))
    yield Branch(
        Given("gradient"),
        (
            Allocate((Buffer("parts", "real", (CHUNKS, SIZE)),)),
            Loop("chunk", CHUNKS, (bounds, into, both), parallel=True),
            _parts_added(),
        ),
        (Loop("chunk", CHUNKS, (bounds, loss), parallel=True),),
    )
    yield Assign(E_SUM, Number(0.0, "double"))
    yield Loop("chunk", CHUNKS, (Accumulate(E_SUM, each),))
    yield _ended()


def _parts_added() -> Branch:
    """The gradients of all chunks but the first, added to that one in order."""
    part, piece = Element("parts", (CHUNK, K), "real"), index("piece")
    start = Quotient(times(piece, SIZE), whole(PIECES))
    end = Quotient(times(plus(piece, whole(1)), SIZE), whole(PIECES))
    inner = Loop("chunk", CHUNKS, (_add_up(part, start, end),), start=whole(1))
    return Branch(
        Compare((">",), (SIZE, whole(LARGE_GRADIENT))),
        (Loop("piece", whole(PIECES), (inner,), parallel=True),),
        (Loop("chunk", CHUNKS, (_add_up(part),), start=whole(1)),),
    )


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
