"""values: values, conditions and arguments of lowered programs as LLVM IR."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias

from llvmlite import ir

from symgrad.lowering.program import (
    Accumulate,
    Argument,
    Array,
    Bits,
    Call,
    Choice,
    Compare,
    Condition,
    Constants,
    Convert,
    Either,
    Element,
    Extent,
    Finite,
    Given,
    Invoke,
    Kind,
    Last,
    Negative,
    Nonzero,
    Not,
    Nothing,
    Number,
    Overlap,
    Part,
    Power,
    Product,
    Quotient,
    Row,
    RowShape,
    Sum,
    Total,
    Value,
    Variable,
    joined,
    walk,
)
from symgrad.runtime.fma import fused
from symgrad.targets.llvm.arrays import (
    DOUBLE,
    SINGLE,
    WHOLE,
    Memory,
    part,
    place,
    product,
    row,
    size_of,
    type_of,
)
from symgrad.targets.llvm.operations import (
    FALSE,
    TRUE,
    comparison,
    constant,
    finite,
    floor_quotient,
    intrinsic,
    largest,
    least,
    rounded,
    suffix,
    threads,
    unary,
)
from symgrad.targets.llvm.operations import known as known_number

if TYPE_CHECKING:
    from symgrad.targets.llvm.functions import Functions

# What the functions of doubles are called that are written for them alone.
_OF_DOUBLES = {"cos": "cos64", "power": "power64", "power_whole": "power64_whole"}

# An argument of a function: an array, a number, or nothing where it is left out.
Passed: TypeAlias = "Memory | ir.Value | None"


class Values:
    """Writes values into one function. `arrays` and `variables` are what is known by name: arrays,
    None those that are left out, and where variables lie."""

    def __init__(self, functions: "Functions", builder: ir.IRBuilder) -> None:
        self.functions, self.builder = functions, builder
        self.single = functions.single
        self.arrays: dict[str, Memory | None] = {}
        self.variables: dict[str, ir.Value] = {}

    def type(self, kind: Kind) -> ir.Type:
        return type_of(kind, self.single)

    # Values

    def value(self, written: Value) -> ir.Value:
        builder = self.builder
        match written:
            case Number(number, kind):
                return self.number(number, kind)
            case Variable(name):
                return builder.load(self.variables[name])
            case Element(array, indices):
                return builder.load(self.place(array, indices))
            case Last(array):
                memory = self.memory(array)
                last = builder.sub(memory.extents[0], WHOLE(1), flags=("nsw",))
                return builder.load(place(builder, memory, [last]))
            case Extent(array, axis):
                return self.memory(array).extents[axis]
            case Sum(terms):
                return self.sum(terms, written.kind)
            case Product(factors, divisors):
                return self.product(factors, divisors, written.kind)
            case Power(base, exponent):
                kind = written.kind
                function = intrinsic(
                    builder.module, f"llvm.pow.{suffix(self.type(kind))}", self.type(kind), 2
                )
                return builder.call(
                    function, [self.as_kind(base, kind), self.as_kind(exponent, kind)]
                )
            case Negative(negated):
                return self.negated(self.value(negated))
            case Quotient(dividend, divisor, up):
                above = self.value(dividend)
                quotient = floor_quotient(
                    builder, builder.neg(above) if up else above, self.value(divisor)
                )
                return builder.neg(quotient) if up else quotient
            case Bits(operator, left, right):
                return self.bits(operator, written.kind, self.value(left), self.value(right))
            case Call():
                return self.called(written)
            case Invoke():
                (result,) = self.invoked(written)
                assert isinstance(result, ir.Value)
                return result
            case Total(vector):
                return self.total(vector)
            case Choice(condition, yes, no):
                return self.choice(condition, yes, no, written.kind)
            case Convert(value, kind):
                return self.converted(self.value(value), value.kind, kind)
        raise AssertionError(written)

    def number(self, number: float | int, kind: Kind) -> ir.Value:
        kind_ = self.type(kind)
        if isinstance(kind_, ir.IntType):
            return kind_(int(number) if kind != "word" else _signed(int(number)))
        return kind_(rounded(number, kind_))

    def as_kind(self, value: Value, kind: Kind) -> ir.Value:
        """A value where another kind is wanted: reals are widened."""
        return self.widened(self.value(value), kind)

    def widened(self, value: ir.Value, kind: Kind) -> ir.Value:
        if kind == "double" and value.type == SINGLE:
            return self.builder.fpext(value, DOUBLE)
        return value

    def sum(self, terms: Sequence[tuple[str, Value]], kind: Kind) -> ir.Value:
        """From the left; each step in the wider kind of what has been summed and the term."""
        (sign, first), *rest = terms
        result, so_far = self.value(first), first.kind
        if sign == "-":
            result = self.negated(result)
        for sign, term in rest:
            so_far = joined((so_far, term.kind))
            result = self.added(
                sign, self.widened(result, so_far), self.as_kind(term, so_far), so_far
            )
        return result

    def negated(self, value: ir.Value) -> ir.Value:
        whole = isinstance(value.type, ir.IntType)
        return self.builder.neg(value) if whole else self.builder.fneg(value)

    def added(self, sign: str, one: ir.Value, other: ir.Value, kind: Kind) -> ir.Value:
        builder = self.builder
        if kind in ("whole", "word"):
            flags = ("nsw",) if kind == "whole" else ()
            known = constant(one), constant(other)
            if kind == "whole" and known[0] is not None and known[1] is not None:
                return WHOLE(known[0] + known[1] if sign == "+" else known[0] - known[1])
            return (builder.add if sign == "+" else builder.sub)(one, other, flags=flags)
        return (builder.fadd if sign == "+" else builder.fsub)(one, other)

    def accumulated(self, statement: Accumulate) -> ir.Value:
        """What the target becomes, with its precision."""
        target, kind = statement.target, statement.target.kind
        before, added = self.value(target), self.as_kind(statement.value, kind)
        if statement.times is not None:
            times = self.as_kind(statement.times, kind)
            return fused(self.builder, self.functions.processor, added, times, before)
        if statement.operator == "*":
            multiply = self.builder.mul if kind in ("whole", "word") else self.builder.fmul
            return multiply(before, added)
        return self.added(statement.operator, before, added, kind)

    def product(self, factors: Sequence[Value], divisors: Sequence[Value], kind: Kind) -> ir.Value:
        builder = self.builder
        if kind == "whole":
            assert not divisors
            return product(builder, [*map(self.value, factors)])
        first, *rest = factors
        result, so_far = self.value(first), first.kind
        for factor in rest:
            so_far = joined((so_far, factor.kind))
            one, other = self.widened(result, so_far), self.as_kind(factor, so_far)
            result = builder.mul(one, other) if kind == "word" else builder.fmul(one, other)
        for divisor in divisors:
            so_far = joined((so_far, divisor.kind))
            result = builder.fdiv(self.widened(result, so_far), self.as_kind(divisor, so_far))
        return result

    def bits(self, operator: str, kind: Kind, one: ir.Value, other: ir.Value) -> ir.Value:
        builder = self.builder
        right = builder.lshr if kind == "word" else builder.ashr
        return {"^": builder.xor, "&": builder.and_, "<<": builder.shl, ">>": right}[operator](
            one, other
        )

    def called(self, call: Call) -> ir.Value:
        name, kind = call.function, call.kind
        if name == "threads":
            return self.builder.sext(threads(self.builder), WHOLE)
        whole = kind in ("whole", "word")
        arguments = [
            self.value(a) if whole or a.kind == "whole" else self.as_kind(a, kind)
            for a in call.arguments
        ]  # fmt: skip
        if name in ("min", "max") or (name == "minimum" and kind == "double"):
            return (largest if name == "max" else least)(self.builder, *arguments)
        if name in ("sqrt", "floor"):
            return unary(self.builder, name, *arguments)
        if name == "abs":
            return unary(self.builder, "fabs", *arguments)
        if kind == "double":
            return self.functions.of_doubles.call(self.builder, _OF_DOUBLES[name], arguments)
        return self.functions.of_reals.call(self.builder, name, arguments)

    def total(self, vector: Argument) -> ir.Value:
        """In order, from 0 on."""
        memory = self.argument(vector)
        assert isinstance(memory, Memory)
        kind = self.type(memory.kind)
        sum_ = self.alloca(kind)
        self.builder.store(kind(0.0), sum_)
        with self.counted(WHOLE(0), memory.extents[0]) as index:
            element = self.builder.load(place(self.builder, memory, [index]))
            self.builder.store(self.builder.fadd(self.builder.load(sum_), element), sum_)
        return self.builder.load(sum_)

    def choice(self, condition: Condition, yes: Value, no: Value, kind: Kind) -> ir.Value:
        decided = self.condition(condition)
        known = constant(decided)
        if known is not None:
            return self.as_kind(yes if known else no, kind)
        if not any(isinstance(node, Quotient) for each in (yes, no) for node in walk(each)):
            return self.builder.select(decided, self.as_kind(yes, kind), self.as_kind(no, kind))
        result = self.alloca(self.type(kind))  # by 0 nothing whole may be divided
        with self.builder.if_else(decided) as (then, otherwise):
            for branch, value in ((then, yes), (otherwise, no)):
                with branch:
                    self.builder.store(self.as_kind(value, kind), result)
        return self.builder.load(result)

    def converted(self, value: ir.Value, come: Kind, kind: Kind) -> ir.Value:
        builder, wanted = self.builder, self.type(kind)
        if value.type == wanted:
            return value
        if isinstance(wanted, ir.IntType):
            return builder.fptosi(value, wanted)
        if isinstance(value.type, ir.IntType):
            return (builder.uitofp if come == "word" else builder.sitofp)(value, wanted)
        return builder.fpext(value, wanted) if wanted == DOUBLE else builder.fptrunc(value, wanted)

    # Conditions

    def condition(self, condition: Condition) -> ir.Value:
        """As a truth; what is known when code is made is TRUE or FALSE."""
        builder = self.builder
        match condition:
            case Compare(operators, operands):
                values = [*map(self.value, operands)]
                result = TRUE
                pairs = zip(operators, operands, operands[1:], values, values[1:], strict=False)
                for operator, one, other, left, right in pairs:
                    holds = self.compared(operator, (left, one.kind), (right, other.kind))
                    result = holds if result is TRUE else builder.and_(result, holds)
                return result
            case Not(negated):
                found = self.condition(negated)
                known = constant(found)
                if known is not None:
                    return FALSE if known else TRUE
                return builder.not_(found)
            case Either(conditions):
                result = self.condition(conditions[0])
                for each in conditions[1:]:
                    result = builder.or_(result, self.condition(each))
                return result
            case Nonzero(number):
                value = self.value(number)
                known = constant(value)
                if known is not None:
                    return TRUE if known else FALSE
                return comparison(builder, "!=", value, known_number(0, value.type))
            case Finite(number):
                return finite(builder, self.value(number))
            case Overlap(one, other):
                return builder.and_(self.before(one, other), self.before(other, one))
            case RowShape(array, tuple(wanted)):
                result = ir.Constant(ir.IntType(1), 1)
                for found, extent in zip(self.memory(array).extents[1:], wanted, strict=True):
                    same = builder.icmp_signed("==", found, WHOLE(extent))
                    result = builder.and_(result, same)
                return result
            case Given(name):
                absent = self.arrays.get(name) is None and name not in self.variables
                return FALSE if absent else TRUE
        raise AssertionError(condition)

    def compared(
        self, operator: str, one: tuple[ir.Value, Kind], other: tuple[ir.Value, Kind]
    ) -> ir.Value:
        """Whole numbers and doubles are compared as doubles."""
        kinds = {one[1], other[1]}
        kind = "double" if len(kinds) > 1 else one[1]
        left, right = (self.converted(value, come, kind) for value, come in (one, other))
        return comparison(self.builder, operator, left, right)

    def before(self, one: str, other: str) -> ir.Value:
        """Whether an array begins before another ends."""
        begin, memory = self.memory(one), self.memory(other)
        size = product(self.builder, (*memory.extents, WHOLE(size_of(memory.kind, self.single))))
        end = self.builder.add(self.builder.ptrtoint(memory.data, WHOLE), size)
        return self.builder.icmp_unsigned("<", self.builder.ptrtoint(begin.data, WHOLE), end)

    # Arrays and arguments

    def memory(self, name: str) -> Memory:
        memory = self.arrays[name]
        assert memory is not None, name
        return memory

    def place(self, array: str, indices: Iterable[Value]) -> ir.Value:
        return place(self.builder, self.memory(array), [*map(self.value, indices)])

    def argument(self, argument: Argument) -> Passed:
        match argument:
            case Array(name):
                return self.arrays[name]
            case Part(name, start, end):
                if (memory := self.arrays[name]) is None:
                    return None
                first = WHOLE(0) if start is None else self.value(start)
                last = memory.extents[0] if end is None else self.value(end)
                return part(self.builder, memory, first, last)
            case Row(name, index):
                memory = self.arrays[name]
                return None if memory is None else row(self.builder, memory, self.value(index))
            case Constants(numbers):
                return self.functions.listed(self.builder, numbers)
            case Nothing():
                return None
            case Variable(name) if name not in self.variables:
                return None  # a number that is left out
        return self.value(argument)

    # What statements, which this is a part of, write

    def alloca(self, kind: ir.Type) -> ir.Value:
        raise NotImplementedError

    def counted(
        self, start: ir.Value, end: ir.Value, step: int = 1
    ) -> AbstractContextManager[ir.Value]:
        raise NotImplementedError

    def invoked(self, call: Invoke) -> tuple[Passed, ...]:
        raise NotImplementedError


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
