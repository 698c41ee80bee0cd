"""checks: what must hold of arguments before compiled code runs, which would read and write beyond
arrays of other shapes.
"""

from dataclasses import replace

from symgrad.lowering.interface import (
    GRADIENT,
    INPUTS,
    L1,
    L2,
    OUTPUTS,
    PENALTIES,
    SIZE,
    THETA,
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
    Statement,
    Value,
    Variable,
    equal,
    whole,
)


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
