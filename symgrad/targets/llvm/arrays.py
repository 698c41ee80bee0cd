"""arrays: where the numbers of an array lie in LLVM IR: a pointer, extents, row by row.

Extents that are known are constants, so that LLVM sees how long loops are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from symgrad.lowering.program import Kind
from symgrad.runtime import fma

SINGLE, DOUBLE, WHOLE = fma.FLOAT, fma.DOUBLE, fma.INT64
BYTE, STATUS, TRUTH = ir.IntType(8), ir.IntType(32), ir.IntType(1)


def type_of(kind: Kind, single: bool) -> ir.Type:
    """The type of a number."""
    if kind == "real":
        return SINGLE if single else DOUBLE
    return {"double": DOUBLE, "whole": WHOLE, "word": WHOLE, "truth": TRUTH}[kind]


def size_of(kind: Kind, single: bool) -> int:
    """How many bytes a number takes."""
    return 4 if kind == "real" and single else 8


@dataclass(frozen=True)
class Memory:
    """An array: numbers of a kind from `data` on, as many along each axis as `extents` say."""

    kind: Kind
    data: ir.Value
    extents: tuple[ir.Value, ...]


def product(builder: ir.IRBuilder, factors: Sequence[ir.Value]) -> ir.Value:
    """The product of whole numbers; known ones are multiplied here."""
    known, rest = 1, []
    for factor in factors:
        if isinstance(factor, ir.Constant):
            known *= factor.constant
        else:
            rest.append(factor)
    if not rest:
        return WHOLE(known)
    result = rest[0]
    for factor in rest[1:]:
        result = builder.mul(result, factor, flags=("nsw",))
    return result if known == 1 else builder.mul(result, WHOLE(known), flags=("nsw",))


def place(builder: ir.IRBuilder, memory: Memory, indices: Sequence[ir.Value]) -> ir.Value:
    """The address of an element; of the first one of a row where there are fewer indices."""
    index = indices[0]
    for axis, more in enumerate(indices[1:], start=1):
        index = builder.mul(index, memory.extents[axis], flags=("nsw",))
        index = builder.add(index, more, flags=("nsw",))
    inner = memory.extents[len(indices) :]
    return builder.gep(memory.data, [product(builder, (index, *inner))], inbounds=True)


def part(builder: ir.IRBuilder, memory: Memory, start: ir.Value, end: ir.Value) -> Memory:
    """The rows from `start` on, before `end`."""
    rows = builder.sub(end, start, flags=("nsw",))
    return Memory(memory.kind, place(builder, memory, [start]), (rows, *memory.extents[1:]))


def row(builder: ir.IRBuilder, memory: Memory, index: ir.Value) -> Memory:
    """One row."""
    return Memory(memory.kind, place(builder, memory, [index]), memory.extents[1:])
