"""What emitted functions are made of: comments, lines, and loops with a body.

statement ::= Comment(text) | Line(source) | Loop(index, extent, statement*) | First(name*)
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Comment:
    text: str


@dataclass(frozen=True)
class Line:
    source: str


@dataclass(frozen=True)
class Loop:
    index: str
    extent: str
    body: "tuple[Statement, ...]"


@dataclass(frozen=True)
class First:
    """Sums over samples that begin at 0 when the first block is computed."""

    names: tuple[str, ...]


Statement = Comment | Line | Loop | First


def lines(statement: Statement) -> Iterator[str]:
    """The source of a statement, without comments."""
    if isinstance(statement, Line):
        yield statement.source
    elif isinstance(statement, Loop):
        yield f"for {statement.index} in range({statement.extent})"
        yield from (f" {line}" for inner in statement.body for line in lines(inner))


def comments(loop: Loop) -> Iterator[Comment]:
    for inner in loop.body:
        if isinstance(inner, Comment):
            yield inner
        elif isinstance(inner, Loop):
            yield from comments(inner)
