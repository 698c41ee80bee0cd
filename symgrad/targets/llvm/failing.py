"""failing: which functions of a lowered program can fail, and which check what they are given."""

from collections.abc import Iterable

from symgrad.lowering.program import (
    Allocate,
    Buffer,
    Counted,
    Function,
    Invoke,
    Loop,
    Pick,
    Refuse,
    Statement,
    every,
    values,
    walk,
)


def fallible(functions: Iterable[Function]) -> frozenset[str]:
    """Those that can fail: for want of memory, or because they refuse arguments."""
    functions = tuple(functions)
    return _and_callers(functions, {f.name for f in functions if any(map(_fails, every(f.body)))})


def checking(functions: Iterable[Function]) -> frozenset[str]:
    """Those that check what they are given: it may be of any extents for these."""
    functions = tuple(functions)
    return _and_callers(
        functions,
        {f.name for f in functions if any(isinstance(each, Refuse) for each in every(f.body))},
    )


def _and_callers(functions: tuple[Function, ...], some: set[str]) -> frozenset[str]:
    """Some functions, and all that call them."""
    callers = {function.name: _called(function) for function in functions}
    while more := {name for name, called in callers.items() if called & some} - some:
        some |= more
    return frozenset(some)


def _fails(statement: Statement) -> bool:
    match statement:
        case Refuse() | Allocate() | Counted():
            return True
        case Pick(_, _, yes, no):
            return isinstance(yes, Buffer) or isinstance(no, Buffer)
        case Loop():
            return statement.parallel
    return False


def _called(function: Function) -> set[str]:
    """The functions of the program that a function calls."""
    return {
        node.function
        for statement in every(function.body)
        for value in values(statement)
        for node in walk(value)
        if isinstance(node, Invoke)
    }
