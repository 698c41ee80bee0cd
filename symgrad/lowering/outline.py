"""outline: loops that differ in names only become one function, which each of them calls.

What they compute is then compiled once. The function is that of the first such loop, the names in
it from outside its parameters; two loops are alike if they are the same tree but for names.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from symgrad.lowering.program import (
    Alias,
    Array,
    Comment,
    Function,
    Invoke,
    Loop,
    Parameter,
    Run,
    Statement,
    Variable,
)

# The fields of the tree's classes that hold names of variables and arrays.
_NAMES = {"name", "array", "index", "vector", "into", "one", "other"}

# Names of indices, and of what is computed for one layer.
_OF_A_LAYER = re.compile(r"[a-z]+\d+")


@dataclass(frozen=True)
class Block:
    """Statements, and what they are for where they are one loop that others may share, else ""."""

    statements: tuple[Statement, ...]
    purpose: str


@dataclass(frozen=True)
class Names:
    """What names stand for: the array that each lives in, those from outside all loops, those that
    are variables of one loop, and what a function is given for one from outside."""

    place: Callable[[str], str]
    outside: Collection[str]
    within: Collection[str]
    parameter: Callable[[str], Parameter]


def outlined(
    blocks: Sequence[Block], names: Names, least: int, prefix: str
) -> tuple[list[Statement], tuple[Function, ...]]:
    """The statements of all blocks, where `least` or more loops are alike with calls of a function
    for them; and these functions, whose names begin with `prefix`."""
    forms = [_form(block, names) if block.purpose else None for block in blocks]
    counts = Counter(form for form, _ in filter(None, forms))
    functions: dict[Loop, Function] = {}
    members: dict[Loop, list[str]] = {}
    statements: list[Statement] = []
    for block, found in zip(blocks, forms, strict=True):
        if found is None or counts[found[0]] < least:
            statements += block.statements
            continue
        form, given = found
        (loop,) = (s for s in block.statements if isinstance(s, Loop))
        if form not in functions:
            functions[form] = _function(f"{prefix}_{block.purpose}", loop, given, names)
        members.setdefault(form, []).append(block.purpose)
        arguments = (Variable("rows", "whole"), *map(_argument, given))
        statements += _comments(loop)
        statements.append(Run(Invoke(functions[form].name, arguments)))
    return statements, tuple(
        replace(function, says=f"{first}, and alike {', '.join(others)}.")
        for form, function in functions.items()
        for first, *others in [members[form]]
    )


def _function(name: str, loop: Loop, given: tuple[Parameter, ...], names: Names) -> Function:
    again = sorted(each for each in set(named(loop)) if names.place(each) != each)
    aliases = (Alias(each, names.place(each)) for each in again)
    rows = Parameter("rows", "whole")
    return Function(name, (rows, *given), (*aliases, loop), role="inner", apart=True)


def _form(block: Block, names: Names) -> tuple[Loop, tuple[Parameter, ...]]:
    """A loop without its names, and what it is given from outside."""
    (loop,) = (s for s in block.statements if isinstance(s, Loop))
    numbers: dict[str, str] = {}

    def numbered(name: str) -> str:
        name = names.place(name)  # LLVM must see that two names are one array
        changes = name in names.outside or _OF_A_LAYER.fullmatch(name)
        return numbers.setdefault(name, f"#{len(numbers)}") if changes else name

    form = renamed(_without_comments(loop), numbered)
    given = [n for n in numbers if n in names.outside and n not in names.within]
    given += ["N"] if "N" in set(named(loop)) else []
    return form, tuple(map(names.parameter, given))


def _argument(parameter: Parameter) -> Variable | Array:
    """A parameter as it is called for what it has the name of."""
    array = Array(parameter.name)
    return array if parameter.extents else Variable(parameter.name, parameter.kind)


def renamed(node: Any, rename: Callable[[str], str]) -> Any:
    """A tree with other names, which are asked for in the order that they stand in."""
    if isinstance(node, tuple):
        return tuple(renamed(part, rename) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {}
    for field in fields(node):
        part = getattr(node, field.name)
        if field.name in _NAMES and isinstance(part, str):
            changed[field.name] = rename(part)
        elif not isinstance(part, str):
            changed[field.name] = renamed(part, rename)
    return replace(node, **changed)


def named(node: Any) -> Iterator[str]:
    """The names in a tree, in the order that they stand in."""
    found: list[str] = []

    def noted(name: str) -> str:
        found.append(name)
        return name

    renamed(node, noted)
    return iter(found)


def _without_comments(loop: Loop) -> Loop:
    inner = (_without_comments(s) if isinstance(s, Loop) else s for s in loop.body)
    return replace(loop, body=tuple(s for s in inner if not isinstance(s, Comment)))


def _comments(loop: Loop) -> Iterator[Comment]:
    for statement in loop.body:
        if isinstance(statement, Comment):
            yield statement
        elif isinstance(statement, Loop):
            yield from _comments(statement)
