"""drivers: the functions of a module that others call: what they check first, and how leaves of
samples are computed and their sums added, one after the other or on threads.

They are the same for every network, and are written once: for `CONSTANTS`, which each network has
its own numbers for, and for all arguments that any network has. `specialize` makes a network's own
functions of them.
"""

from collections.abc import Iterator
from dataclasses import replace

from symgrad.lowering.checks import check, fits
from symgrad.lowering.interface import (
    CHAINED,
    DATA,
    GRADIENT,
    GRADIENT_SCRATCH,
    LEAVES,
    MIRRORED,
    MORE,
    NO_MORE,
    NO_SUM,
    ONE,
    OUTPUTS,
    PREDICTION_SCRATCH,
    RATE,
    RESULT,
    SHARED,
    SIZE,
    THETA,
    W_TOTAL,
    WEIGHTED,
    WORKERS,
    K,
    N,
    X,
    Y,
    argument,
    as_reals,
    called,
    kernel,
    memory,
    workers,
)
from symgrad.lowering.kernels import E_SUM, SAMPLES, E
from symgrad.lowering.leaves import (
    OF_LEAVES,
    is_shared,
    leaf_count,
    one_leaf,
    sum_of_leaves,
    sum_of_shared_leaves,
    sum_of_subtrees,
    tree_of_parts,
    tree_of_sums,
)
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Convert,
    Element,
    Function,
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
)
from symgrad.lowering.subtrees import subtrees


def drivers() -> tuple[Function, ...]:
    """The functions in the order that they stand in a module."""
    fresh = Allocate((Buffer("gradient", "real", (SIZE,)),))
    with_rate = (*DATA, RATE)
    made = Allocate((Buffer("y", "real", (SAMPLES, OUTPUTS)),))
    predicted = Run(called("_prediction_in_turn", (THETA, X, Y)))
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
        sum_of_leaves(),
        is_shared(),
        sum_of_shared_leaves(),
        tree_of_sums(),
        tree_of_parts(),
        sum_of_subtrees(),
        _mirror(),
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
        *of_loss(DATA, NO_MORE),
        *subtrees(),
        descend(),
        Function("step", with_rate, stepping("loss_and_gradient_into", fresh, DATA), role="public"),
        Function(
            "_step_of_one_leaf",
            with_rate,
            stepping("_gradient_of_one_leaf", fresh, DATA, NO_MORE),
            "A step down the gradient, of samples of one leaf; unchecked.",
            role="written_out",
        ),
        Function(
            "_step_at_once",
            with_rate,
            stepping("_gradient_at_once", fresh, DATA, NO_MORE),
            "The same of any number of samples, unchecked.",
            role="written_out",
        ),
        Function(
            "_step_on_threads",
            with_rate,
            stepping("_gradient_on_threads", fresh, DATA, NO_MORE),
            "The same, many samples on several threads.",
        ),
    )


def of_loss(
    data: tuple[Parameter, ...], more: tuple[Argument, ...] = ()
) -> tuple[Function, ...]:
    """The loss and its gradient as others call them, given `data`; `more` is what the drivers are
    given besides."""
    fresh = Allocate((Buffer("gradient", "real", (SIZE,)),))
    with_gradient = (*data, GRADIENT)
    alone = called("_gradient_in_turn", data, *more, Nothing())
    in_turn = called("_gradient_in_turn", data, *more, Array("gradient"))
    made = called("loss_and_gradient_into", with_gradient)
    return (
        Function("loss", data, (Return((alone,)),), role="public"),
        Function("loss_and_gradient_into", with_gradient, (Return((in_turn,)),), role="public"),
        Function(
            "loss_and_gradient",
            data,
            (fresh, Return((made, Array("gradient")))),
            role="public",
        ),
    )


# Predictions


def _checked(*parameters: Parameter) -> Run:
    return Run(called("_check", parameters))


def _prediction(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    return Function(name, (THETA, X, Y), tuple(body), says, role)


def _predicted_at_once() -> Iterator[Statement]:
    yield memory(PREDICTION_SCRATCH)
    yield Run(kernel("_prediction_of_chunk", by_sample=Array("y")))
    yield Return((NO_SUM,))  # C functions for Python give a number, here too


def _predicted_in_turn() -> Iterator[Statement]:
    yield _checked(THETA, X)
    yield memory(PREDICTION_SCRATCH)
    yield Run(kernel("_prediction_of_chunk", by_sample=Array("y")))


def _predicted_on_threads() -> Iterator[Statement]:
    chunk, start, end = index("chunk"), index("start"), index("end")
    bounds = (
        Quotient(times(SAMPLES, chunk), WORKERS),
        Quotient(times(SAMPLES, plus(chunk, ONE)), WORKERS),
    )
    data = {name: Part(of, start, end) for name, of in (("x", "x"), ("by_sample", "y"))}
    run = Run(kernel("_prediction_of_chunk", **data, scratch=Row("scratch", chunk)))
    yield _checked(THETA, X)
    yield workers()
    yield memory(PREDICTION_SCRATCH, WORKERS)
    yield Loop("chunk", WORKERS, (Together((start, end), bounds), run), parallel=True)


# Losses and gradients


def _gradient(name: str, body: Iterator[Statement], says: str, role: Role = "inner") -> Function:
    parameters = (*DATA, *MORE, replace(GRADIENT, optional=True))
    return Function(name, parameters, (*body, Return((E,))), says, role)


def _begun() -> Iterator[Statement]:
    """The number of samples, and what they weigh together."""
    yield Assign(N, Convert(SAMPLES, "real"))
    yield Assign(W_TOTAL, N)
    yield Branch(Nonzero(WEIGHTED), (Assign(W_TOTAL, replace(kernel("_totals"), kind="real")),))


def _summed() -> Iterator[Statement]:
    """What is summed over samples: the gradient, or what a matrix is made of at the end."""
    moments = Buffer("moments", "real", (RESULT,))
    yield Pick("moments", Nonzero(MIRRORED), moments, Array("gradient"))
    zero = Assign(Element("moments", (K,), "real"), Number(0.0, "real"))
    yield Branch(Nonzero(CHAINED), (Loop("k", RESULT, (zero,)),))


def _ended() -> Iterator[Statement]:
    made = {"gradient": Array("moments"), "matrix": Array("gradient")}
    yield Assign(E, kernel("_gradient_at_the_end", **made, **as_reals()))
    yield Branch(Nonzero(MIRRORED), (Run(Invoke("_mirror", (Array("gradient"),))),))


def _mirror() -> Function:
    row, column = index("row"), index("column")

    def at(one: Value, other: Value) -> Element:
        return Element("gradient", (plus(times(one, MIRRORED), other),), "real")

    copied = Assign(at(row, column), at(column, row))
    return Function(
        "_mirror",
        (GRADIENT,),
        (Loop("row", MIRRORED, (Loop("column", row, (copied,)),)),),
        "What is below a matrix's diagonal becomes what is above it.",
    )


def _over_leaves(name: str, *more: Argument) -> Assign:
    """The sum of losses by one of the functions above."""
    known = {p.name: argument(p) for p in OF_LEAVES} | as_reals() | {"gradient": Array("moments")}
    return Assign(E_SUM, Invoke(name, (*(known[p.name] for p in OF_LEAVES), *more)))


def _of_one_leaf() -> Iterator[Statement]:
    yield from _begun()
    yield memory(GRADIENT_SCRATCH)
    yield from _summed()
    yield from one_leaf(E_SUM, gradient=Array("moments"), **as_reals())
    yield from _ended()


def _at_once() -> Iterator[Statement]:
    yield from _begun()
    yield memory(GRADIENT_SCRATCH)
    yield from _summed()
    yield leaf_count(SAMPLES)
    yield Branch(
        equal(LEAVES, ONE),
        one_leaf(E_SUM, gradient=Array("moments"), **as_reals()),
        (_over_leaves("_sum_of_leaves", Array("scratch"), WHOLE_ZERO, LEAVES),),
    )
    yield from _ended()


def _in_turn() -> Iterator[Statement]:
    parameters = (*DATA, *MORE, GRADIENT)
    yield _checked(*parameters)
    yield Assign(E, called("_gradient_at_once", parameters))


def _on_threads() -> Iterator[Statement]:
    shared = index("shared")
    yield _checked(*DATA, *MORE, GRADIENT)
    yield from _begun()
    yield from _summed()
    yield Assign(E_SUM, NO_SUM)
    yield Assign(shared, WHOLE_ZERO)
    sharing = (memory(GRADIENT_SCRATCH), _over_leaves("_sum_of_shared_leaves", Array("scratch")))
    yield Branch(
        Nonzero(SHARED),
        (
            Assign(shared, Invoke("_is_shared", (SAMPLES,), "whole")),
            Branch(Nonzero(shared), sharing),
        ),
    )
    yield Branch(equal(shared, WHOLE_ZERO), (_over_leaves("_sum_of_subtrees"),))
    yield from _ended()


# Steps


def descend() -> Function:
    slope = Element("gradient", (K,), "real")
    change = times(Convert(Variable("rate", "double"), "real"), slope)
    down = Accumulate(Element("theta", (K,), "real"), change, "-")
    return Function(
        "_descend",
        (THETA, RATE, GRADIENT),
        (Loop("k", SIZE, (down,)),),
        "The weights go down the gradient, all at once.",
    )


def stepping(
    differentiate: str,
    fresh: Allocate,
    data: tuple[Parameter, ...],
    more: tuple[Argument, ...] = (),
) -> tuple[Statement, ...]:
    """A step by what `differentiate` writes, given `data` and `more`."""
    down = (Array("theta"), Variable("rate", "double"), Array("gradient"))
    return (
        fresh,
        Assign(E, called(differentiate, data, *more, Array("gradient"))),
        Run(Invoke("_descend", down)),
        Return((E,)),
    )
