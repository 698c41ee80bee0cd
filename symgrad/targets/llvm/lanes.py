"""lanes: loops over lanes as operations on vectors: each computes all lanes at once.

What is the same for all lanes is computed once, and stands in every place of a vector. A loop that
calls what does not do the same for all numbers is no such: it remains a loop.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from llvmlite import ir

from symgrad.lowering.program import (
    BUILT_IN,
    Accumulate,
    Assign,
    Call,
    Comment,
    Condition,
    Element,
    Invoke,
    Kind,
    Loop,
    Number,
    Power,
    Statement,
    Together,
    Total,
    Value,
    Variable,
    values,
    walk,
)
from symgrad.targets.llvm.arrays import DOUBLE, SINGLE, WHOLE, place
from symgrad.targets.llvm.operations import alike, element
from symgrad.targets.llvm.values import Values

if TYPE_CHECKING:
    from symgrad.targets.llvm.functions import Functions
    from symgrad.targets.llvm.statements import Statements

_SHORT = ir.IntType(32)


def goes_straight(functions: "Functions", loop: Loop) -> bool:
    """Whether a loop over lanes can be operations on vectors."""
    for statement in loop.body:
        if not isinstance(statement, Assign | Accumulate | Together | Comment):
            return False
        for value in values(statement):
            if not all(_is_straight(functions, node) for node in walk(value)):
                return False
    return True


def _is_straight(functions: "Functions", node: object) -> bool:
    match node:
        case Power() | Invoke() | Total():
            return False
        case Call(name, arguments, kind):
            if name in BUILT_IN - {"threads"} or (kind == "double" and name == "floor"):
                return True
            if kind != "real" or any(each.kind == "whole" for each in arguments):
                return False
            return functions.of_reals.goes_straight(name)
    return True


def write(writer: "Statements", loop: Loop) -> None:
    """Writes a loop over lanes, all of them at once."""
    assert isinstance(loop.end, Number)
    _Lanes(writer, loop.index, int(loop.end.value)).body(loop.body)


class _Lanes(Values):
    """Values of all lanes, each a vector."""

    def __init__(self, writer: "Statements", lane: str, count: int) -> None:
        self.functions, self.builder, self.single = writer.functions, writer.builder, writer.single
        self.arrays, self.variables = writer.arrays, writer.variables
        self.writer, self.lane, self.count = writer, lane, count

    def type(self, kind: Kind) -> ir.Type:
        return ir.VectorType(super().type(kind), self.count)

    # Statements

    def body(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            match statement:
                case Assign(target, assigned):
                    self.store(target, self.value(assigned), assigned.kind)
                case Together(targets, assigned):
                    found = [*map(self.value, assigned)]
                    for target, value, come in zip(targets, found, assigned, strict=True):
                        self.store(target, value, come.kind)
                case Accumulate():
                    self.store(statement.target, self.accumulated(statement), statement.target.kind)

    def store(self, target: Variable | Element, value: ir.Value, come: Kind) -> None:
        assert isinstance(target, Element)
        address = self.address(target)
        self.builder.store(self.converted(value, come, target.kind), address, self.align(target))

    # Values

    def value(self, written: Value) -> ir.Value:
        if isinstance(written, Element) and self.is_of_lane(written.indices[-1]):
            return self.builder.load(self.address(written), align=self.align(written))
        if not any(self.is_of_lane(node) for node in walk(written)):
            return self.everywhere(self.writer.value(written))
        return super().value(written)

    def condition(self, condition: Condition) -> ir.Value:
        if not any(self.is_of_lane(node) for node in walk(condition)):
            return self.everywhere(self.writer.condition(condition))
        return super().condition(condition)

    def is_of_lane(self, node: object) -> bool:
        return isinstance(node, Variable) and node.name == self.lane

    def address(self, of: Element) -> ir.Value:
        """Where the numbers of all lanes lie, one behind the other."""
        memory = self.memory(of.array)
        indices = [*map(self.writer.value, of.indices[:-1]), WHOLE(0)]
        return self.builder.bitcast(
            place(self.builder, memory, indices), self.type(of.kind).as_pointer()
        )

    def align(self, of: Element) -> int:
        """Memory that was made begins at the lines of the cache; callers' may not."""
        return 4 if of.kind == "real" and self.single else 8

    def everywhere(self, value: ir.Value) -> ir.Value:
        """A number in all places of a vector."""
        kind = ir.VectorType(value.type, self.count)
        if isinstance(value, ir.Constant):
            return ir.Constant(kind, [value] * self.count)
        empty = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(empty, value, _SHORT(0))
        places = ir.Constant(ir.VectorType(_SHORT, self.count), [_SHORT(0)] * self.count)
        return self.builder.shuffle_vector(first, empty, places)

    def widened(self, value: ir.Value, kind: Kind) -> ir.Value:
        if kind == "double" and element(value.type) == SINGLE:
            return self.builder.fpext(value, alike(value.type, DOUBLE))
        return value

    def negated(self, value: ir.Value) -> ir.Value:
        whole = isinstance(element(value.type), ir.IntType)
        return self.builder.neg(value) if whole else self.builder.fneg(value)

    def converted(self, value: ir.Value, come: Kind, kind: Kind) -> ir.Value:
        builder, wanted = self.builder, self.type(kind)
        if value.type == wanted:
            return value
        if isinstance(element(wanted), ir.IntType):
            return builder.fptosi(value, wanted)
        if isinstance(element(value.type), ir.IntType):
            return (builder.uitofp if come == "word" else builder.sitofp)(value, wanted)
        widen = element(wanted) == DOUBLE
        return (builder.fpext if widen else builder.fptrunc)(value, wanted)

    def alloca(self, kind: ir.Type) -> ir.Value:
        return self.writer.alloca(kind)

    def counted(
        self, start: ir.Value, end: ir.Value, step: int = 1
    ) -> AbstractContextManager[ir.Value]:
        return self.writer.counted(start, end, step)
