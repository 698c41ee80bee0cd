"""operations: what LLVM has no single instruction for, or one of another meaning than Python's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from symgrad.runtime import fma
from symgrad.targets.llvm.arrays import DOUBLE, SINGLE, TRUTH, WHOLE


def element(kind: ir.Type) -> ir.Type:
    """The type of a number, or of each of a vector."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def alike(kind: ir.Type, number: ir.Type) -> ir.Type:
    """Numbers of a type, as many as another type has."""
    return ir.VectorType(number, kind.count) if isinstance(kind, ir.VectorType) else number


def known(value: float, kind: ir.Type) -> ir.Value:
    """A number that is known, or a vector of it."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [kind.element(value)] * kind.count)
    return kind(value)


def suffix(kind: ir.Type) -> str:
    """How LLVM's own functions are called for numbers of a type, or vectors."""
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    return lanes + {SINGLE: "f32", DOUBLE: "f64"}[element(kind)]


def external(module: ir.Module, name: str, result: ir.Type, *arguments: ir.Type) -> ir.Function:
    """A function that is not in this module."""
    return fma.external(module, name, ir.FunctionType(result, arguments))


def intrinsic(module: ir.Module, name: str, kind: ir.Type, arguments: int) -> ir.Function:
    """One of LLVM's own functions, of so many numbers of a type, or one of C's."""
    return external(module, name, kind, *[kind] * arguments)


def threads(builder: ir.IRBuilder) -> ir.Value:
    """How many threads Numba is to use."""
    return builder.call(external(builder.module, "get_num_threads", ir.IntType(32)), [])


def unary(builder: ir.IRBuilder, name: str, value: ir.Value) -> ir.Value:
    """sqrt, fabs or floor."""
    function = intrinsic(builder.module, f"llvm.{name}.{suffix(value.type)}", value.type, 1)
    return builder.call(function, [value])


def rounded(value: float, kind: ir.Type) -> float:
    """The nearest number of a type; infinite where there is none so large."""
    if kind == SINGLE:
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    return float(value)


def table(module: ir.Module, name: str, kind: ir.Type, numbers: Sequence[float]) -> ir.Value:
    """The address of numbers that are known, which stand in a module once."""
    if (found := module.globals.get(name)) is None:
        values = [kind(rounded(number, kind)) for number in numbers]
        type_of_all = ir.ArrayType(kind, len(values))
        found = ir.GlobalVariable(module, type_of_all, name)
        found.initializer = ir.Constant(type_of_all, values)
        found.global_constant, found.linkage = True, "private"
    return found.bitcast(kind.as_pointer())


def comparison(builder: ir.IRBuilder, operator: str, one: ir.Value, other: ir.Value) -> ir.Value:
    """Of NaN nothing is true but that it differs."""
    if isinstance(element(one.type), ir.IntType):
        return builder.icmp_signed(operator, one, other)
    compare = builder.fcmp_unordered if operator == "!=" else builder.fcmp_ordered
    return compare(operator, one, other)


def least(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    """The first where neither is less, as where it is NaN."""
    return builder.select(comparison(builder, "<", other, one), other, one)


def largest(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    """The first where neither is larger, as where it is NaN."""
    return builder.select(comparison(builder, ">", other, one), other, one)


def finite(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    infinite = known(float("inf"), value.type)
    return builder.fcmp_ordered("<", unary(builder, "fabs", value), infinite)


def floor_quotient(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    """Of whole numbers, rounded down."""
    quotient, rest = builder.sdiv(one, other), builder.srem(one, other)
    opposite = builder.icmp_signed("<", builder.xor(rest, other), rest.type(0))
    inexact = builder.icmp_signed("!=", rest, rest.type(0))
    down = builder.zext(builder.and_(inexact, opposite), quotient.type)
    return builder.sub(quotient, down)


def opaque(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """The number, unknown to LLVM: a loop that runs so often is vectorised, not unrolled before."""
    kind = ir.FunctionType(WHOLE, [WHOLE])
    return builder.asm(kind, "", "=r,0", [number], True)


def constant(value: Any) -> int | None:
    """A whole number that is known when code is made."""
    if isinstance(value, ir.Constant) and not isinstance(value.type, ir.VectorType):
        return value.constant
    return None


TRUE, FALSE = TRUTH(1), TRUTH(0)
