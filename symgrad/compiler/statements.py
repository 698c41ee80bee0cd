"""What emitted functions are made of: comments, lines, and loops with a body.

statement ::= Comment(text) | Line(source) | Loop(index, extent, statement*) | First(name*)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


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


def as_data(statement: Statement) -> dict[str, Any]:
    """A statement as the templates take it; of sums that begin, only a family knows the place."""
    match statement:
        case Comment(text):
            return {"kind": "comment", "text": text}
        case Line(source):
            return {"kind": "line", "source": source}
        case Loop(index, extent, body):
            return block(f"for {index} in range({extent})", [*map(as_data, body)])
    raise AssertionError(statement)


def block(head: str, body: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "block", "head": head, "body": body}


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
