"""checks: what must hold of arguments before compiled code runs, which would read and write beyond
arrays of other shapes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symgrad.lowering.interface import (
    GRADIENT,
    INPUTS,
    L1,
    L2,
    MORE,
    OUTPUTS,
    PENALTIES,
    SIZE,
    TARGETS,
    THETA,
    WHOLE_RESULT,
    T,
    W,
    X,
)
from symgrad.lowering.kernels import SAMPLES
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Branch,
    Compare,
    Condition,
    Extent,
    Function,
    Given,
    Not,
    Number,
    Overlap,
    Refuse,
    Return,
    RowShape,
    Statement,
    Value,
    Variable,
    equal,
    whole,
)

# What callers call arguments that they have another name for: what a derivative writes, and the
# data of one of several terms.
CALLED = {"gradient": "{SUMMED}", "by_sample": "{BY_SAMPLE}"} | {
    name: f"{name}{{TERM}}" for name in ("x", "t", "w")
}


READ = ("theta", "x", "t", "w", "d_y", "v", "v_x")


def check() -> Function:
    """What must hold before compiled code runs."""
    given = (T, W, L1, L2, *MORE, GRADIENT)
    left_out = (replace(each, optional=False, left_out=True) for each in given)
    body: list[Statement] = [
        length("theta", SIZE),
        width("x", INPUTS),
        refused(
            equal(SAMPLES, WHOLE_ZERO), "x{TERM} must hold at least one sample, came", SAMPLES
        ),
        _where_given("t", width("t", TARGETS), _as_many("t")),
        _where_given("w", _as_many("w")),
        _where_given("d_y", width("d_y", OUTPUTS), _as_many("d_y")),
        _where_given("v", length("v", SIZE)),
        _where_given("v_x", width("v_x", INPUTS), _as_many("v_x")),
        _where_given("by_sample", _row_results()),
    ]
    for name in PENALTIES:
        number = Variable(name, "double")
        negative = Not(Compare((">=",), (number, Number(0.0, "double"))))
        says = f"{name} must be at least 0, came"
        body.append(_where_given(name, refused(negative, says, number)))
    body.append(_where_given("by_sample", *apart("by_sample")))
    own = length("gradient", WHOLE_RESULT)
    body.append(_where_given("gradient", own, *apart("gradient", "by_sample")))
    return Function(
        "_check",
        (THETA, X, *left_out),
        tuple(body),
        "The shapes of what is given: compiled code would read and write beyond other ones.",
    )


def apart(result: str, *more: str, read: Iterable[str] = READ) -> Iterator[Statement]:
    """What is written must not be what is read, or written too."""
    for name in (*read, *more):
        told = CALLED.get(result, result), CALLED.get(name, name)
        check = refused(Overlap(result, name), "{} must not overlap {} in memory".format(*told))
        yield check if name in ("theta", "x") else _where_given(name, check)


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


def length(name: str, length: Variable) -> Branch:
    found = Extent(name, 0)
    told = CALLED.get(name, name)
    says = f"{told} must be of shape ({{{length.name}}},), came one of length"
    return refused(differs(found, length), says, found)


def width(name: str, width: Variable) -> Branch:
    found = Extent(name, 1)
    told = CALLED.get(name, name)
    says = f"{told} must be of shape (samples, {{{width.name}}}), came one of width"
    return refused(differs(found, width), says, found)


def _as_many(name: str) -> Branch:
    found = Extent(name, 0)
    told = CALLED.get(name, name), CALLED["x"]
    says = "{} must have as many samples as {}, came".format(*told)
    return refused(differs(found, SAMPLES), says, found, "and", SAMPLES)


def _row_results() -> Branch:
    says = "{BY_SAMPLE} must have rows of shape {ROW_SHAPE}, came others"
    return refused(Not(RowShape("by_sample", "ROW_SHAPE")), says)


def positive(name: str) -> Branch:
    number = Variable(name, "double")
    above = Compare((">",), (number, Number(0.0, "double")))
    return refused(Not(above), f"{name} must be above 0, came", number)


def refused(condition: Condition, *parts: str | Value) -> Branch:
    return Branch(condition, (Refuse(parts),))


def _where_given(name: str, *checks: Statement) -> Branch:
    return Branch(Given(name), checks)


def differs(one: Value, other: Value) -> Compare:
    return Compare(("!=",), (one, other))
