"""interface: what the functions that are the same for every network know of one: the constants that
it has its own numbers for, what arguments are called, and what its own functions are given.
"""

from collections.abc import Mapping
from dataclasses import replace

from symgrad.lowering.kernels import E_SUM
from symgrad.lowering.program import (
    Argument,
    Array,
    Assign,
    Buffer,
    Call,
    Convert,
    Invoke,
    Nonzero,
    Nothing,
    Number,
    Parameter,
    Pick,
    Value,
    Variable,
    index,
    whole,
)

# What each network has its own numbers for: of its weights, inputs and outputs, and of the memory
# that a chunk or a leaf of samples takes; whether samples have weights, and whether threads can
# share a leaf. And how many samples a leaf has.
SIZE, INPUTS, OUTPUTS, LEAF = map(index, ("SIZE", "INPUTS", "OUTPUTS", "LEAF"))
# How many targets a sample has, which are mostly as many as outputs.
TARGETS = index("TARGETS")
# How many numbers are summed over samples, SIZE in a gradient.
RESULT = index("RESULT")
# How many rows a symmetric matrix has of which what is on and above the diagonal is summed; or 0.
MIRRORED = index("MIRRORED")
# How many numbers the result has that is not written for each sample; and whether what a leaf sums
# is added to what leaves before it have.
WHOLE_RESULT, CHAINED = index("WHOLE_RESULT"), index("CHAINED")
PREDICTION_SCRATCH, GRADIENT_SCRATCH = map(index, ("PREDICTION_SCRATCH", "GRADIENT_SCRATCH"))
WEIGHTED, SHARED = index("WEIGHTED"), index("SHARED")

THETA = Parameter("theta", "real", ("SIZE",))
X = Parameter("x", "real", ("samples", "INPUTS"))
Y = Parameter("y", "real", ("samples", "OUTPUTS"))
T = Parameter("t", "real", ("samples", "TARGETS"))
W = Parameter("w", "real", ("samples",), optional=True)
L1, L2 = Parameter("l1", "double"), Parameter("l2", "double")
GRADIENT = Parameter("gradient", "real", ("WHOLE_RESULT",))

# What derivatives are given beside that, each where it is needed: ∂L/∂y of a loss of the caller's
# own, and vectors to multiply by; and what they write for each sample.
MORE = (
    replace(Y, name="d_y", optional=True),
    replace(THETA, name="v", optional=True),
    replace(X, name="v_x", optional=True),
    Parameter("by_sample", "real", ("samples",), optional=True),
)
RATE = Parameter("rate", "double")
DATA = (THETA, X, T, W, L1, L2)
PENALTIES = ("l1", "l2")

# Of these, what a gradient by the weights is given.
NO_MORE = (Nothing(),) * len(MORE)

# What drivers hand to a network's own functions, which take what they need of it, by name.
_OF_LEAF = (
    "theta", "x", "t", "w", "d_y", "v", "v_x", "l1", "l2", "N", "w_total", "by_sample", "gradient",
    "scratch",
)  # fmt: skip
KERNELS: Mapping[str, tuple[str, ...]] = {
    "_totals": ("x", "t", "w"),
    "_prediction_of_chunk": ("theta", "x", "by_sample", "scratch"),
    "_samples_of_leaf": (*_OF_LEAF, "first", "last"),
    "_sums_of_leaf": (*_OF_LEAF, "piece", "pieces"),
    "_gradient_of_leaf": _OF_LEAF,
    "_gradient_at_the_end": (
        "theta", "v", "l1", "l2", "N", "w_total", "gradient", "matrix", "E_sum",
    ),
}

K, DEPTH, LEAVES, SUBTREE, SUBTREES = map(index, ("k", "depth", "leaves", "subtree", "subtrees"))
WORKERS, SPAN, PIECE, MANY_PIECES = map(index, ("workers", "span", "piece", "pieces"))
N, W_TOTAL = Variable("N", "real"), Variable("w_total", "real")
ONE, TWO = whole(1), whole(2)
NO_SUM = Number(0.0, "double")


def argument(parameter: Parameter) -> Argument:
    """A parameter, handed on."""
    if parameter.extents:
        return Array(parameter.name)
    return Variable(parameter.name, parameter.kind)


def called(name: str, parameters: tuple[Parameter, ...], *more: Argument) -> Invoke:
    """A function that is given parameters of its caller."""
    return Invoke(name, (*map(argument, parameters), *more))


def kernel(name: str, **given: Argument) -> Invoke:
    """A network's own function, given what is said and else what has its name."""
    arrays = (
        "theta", "x", "t", "w", "d_y", "v", "v_x", "by_sample", "gradient", "matrix", "scratch",
    )  # fmt: skip
    known: dict[str, Argument] = {name: Array(name) for name in arrays}
    known |= {name: Variable(name, "real") for name in ("l1", "l2", "N", "w_total")}
    known |= {name: index(name) for name in ("first", "last", "piece", "pieces")}
    known["E_sum"] = E_SUM
    return Invoke(name, tuple((known | given)[each] for each in KERNELS[name]))


def as_reals() -> dict[str, Argument]:
    """Penalties come as Python has them, and go on in the module's precision."""
    return {name: Convert(Variable(name, "double"), "real") for name in PENALTIES}


def memory(size: Value, *more: Value) -> Pick:
    """Scratch memory, where the network takes some."""
    return Pick("scratch", Nonzero(size), Buffer("scratch", "real", (*more, size)), Nothing())


def workers() -> Assign:
    return Assign(WORKERS, Call("threads", (), "whole"))
