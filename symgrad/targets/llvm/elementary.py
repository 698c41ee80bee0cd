"""elementary: the elementary functions as LLVM IR.

They are written once, in `templates/functions.py.jinja`, in the part of Python that this file
knows: numbers, comparisons, choices, the bits of numbers, loops while. Python's own parser reads
them; what is not known here is refused when they are compiled. A choice computes both values, as
vectors do.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from llvmlite import ir

from symgrad.runtime.fma import Processor, fused
from symgrad.targets.llvm.arrays import DOUBLE, SINGLE, TRUTH, WHOLE
from symgrad.targets.llvm.operations import (
    alike,
    comparison,
    element,
    floor_quotient,
    intrinsic,
    largest,
    least,
    opaque,
    rounded,
    suffix,
    unary,
)
from symgrad.targets.llvm.operations import known as known_number

_SHORT = ir.IntType(32)
_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_NUMBERS = {
    "np.float32": SINGLE, "np.float64": DOUBLE, "float": DOUBLE, "np.int32": _SHORT,
    "np.int64": WHOLE, "int": WHOLE,
}  # fmt: skip

# A number that a text has as it is takes the type of what it meets.
Written: TypeAlias = "int | float | ir.Value | tuple[Any, ...]"


class Elementary:
    """Functions of one precision in a module of IR, each written when it is first called."""

    def __init__(
        self,
        module: ir.Module,
        processor: Processor,
        text: str,
        single: bool,
        mark: str = "",
    ) -> None:
        self.module, self.processor, self.single = module, processor, single
        self.real = SINGLE if single else DOUBLE
        self.mark = mark or ("single" if single else "double")
        self.texts: dict[str, ast.FunctionDef] = {}
        self.tables: dict[str, ir.GlobalVariable] = {}
        self.lists: dict[str, ast.Assign] = {}
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                self.texts[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.lists[node.targets[0].id] = node
        self.functions: dict[tuple[str, tuple[str, ...]], ir.Function] = {}

    def call(self, builder: ir.IRBuilder, name: str, arguments: list[ir.Value]) -> ir.Value:
        """The value of a function; some of the arguments may be whole numbers."""
        function = self.function(name, [argument.type for argument in arguments])
        return builder.call(function, arguments)

    def goes_straight(self, name: str) -> bool:
        """Whether a function does the same for all numbers, so that there is one of vectors."""
        for node in ast.walk(self.texts[name]):
            match node:
                case ast.If() | ast.While() | ast.Subscript():
                    return False
                case ast.Call(ast.Name(called)):
                    if called in self.texts and not self.goes_straight(called):
                        return False
        return True

    def function(self, name: str, types: list[ir.Type]) -> ir.Function:
        key = name, tuple(map(str, types))
        if key not in self.functions:
            self.functions[key] = _Writer(self, self.texts[name], types).function
        return self.functions[key]

    def table(self, name: str) -> ir.GlobalVariable:
        """A list of whole numbers."""
        if name not in self.tables:
            call = self.lists[name].value
            assert isinstance(call, ast.Call)
            numbers = ast.literal_eval(call.args[0])
            kind = ir.ArrayType(WHOLE, len(numbers))
            table = ir.GlobalVariable(self.module, kind, f"{name}.{self.mark}")
            table.initializer, table.global_constant = ir.Constant(kind, numbers), True
            table.linkage = "internal"
            self.tables[name] = table
        return self.tables[name]


class _Writer:
    """One function; it gives a real, or a whole number and a real; of vectors, vectors."""

    def __init__(self, known: Elementary, text: ast.FunctionDef, types: list[ir.Type]) -> None:
        self.known = known
        self.like = types[0]
        pair = any(isinstance(node, ast.Tuple) for node in _returned(text))
        whole, real = self.of(WHOLE), self.of(known.real)
        result = ir.LiteralStructType([whole, real]) if pair else real
        name = ".".join(["symgrad", text.name, known.mark, *map(str, types)])
        self.function = ir.Function(known.module, ir.FunctionType(result, types), name)
        self.function.linkage = "internal"
        self.function.attributes.add("alwaysinline")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.places: dict[str, ir.Value] = {}
        for parameter, value in zip(text.args.args, self.function.args, strict=True):
            self.store(parameter.arg, value)
        self.body(text.body)

    def of(self, number: ir.Type) -> ir.Type:
        """Numbers of a type, as many as the function is given."""
        return alike(self.like, number)

    # Statements

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(ast.Constant(str())):
                pass
            case ast.Assign([ast.Name(name)], value):
                self.store(name, self.number(self.value(value)))
            case ast.Assign([ast.Tuple(targets)], value):
                for target, each in zip(targets, self.several(value), strict=True):
                    assert isinstance(target, ast.Name)
                    self.store(target.id, self.number(each))
            case ast.AugAssign(ast.Name(name), operator, value):
                left, right = self.load(name), self.value(value)
                self.store(name, self.number(self.operated(operator, left, right)))
            case ast.Return(value) if value is not None:
                self.returned(self.value(value))
            case ast.If(test, body, []):
                with self.builder.if_then(self.truth(self.value(test))):
                    self.body(body)
            case ast.While(test, body, []):
                self.loop(test, body)
            case _:
                raise AssertionError(ast.unparse(statement))

    def loop(self, test: ast.expr, body: list[ast.stmt]) -> None:
        head, inside, after = (self.function.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(self.truth(self.value(test)), inside, after)
        self.builder.position_at_end(inside)
        self.body(body)
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def returned(self, value: Written) -> None:
        if isinstance(value, tuple):
            result = ir.Constant(self.function.function_type.return_type, ir.Undefined)
            for place, (each, kind) in enumerate(zip(value, (WHOLE, self.known.real), strict=True)):
                result = self.builder.insert_value(result, self.converted(each, kind), place)
            self.builder.ret(result)
        else:
            self.builder.ret(self.converted(value, self.known.real))

    def store(self, name: str, value: ir.Value) -> None:
        """A name may stand for a number of another type later on."""
        if name not in self.places or self.places[name].type.pointee != value.type:
            with self.builder.goto_entry_block():
                self.places[name] = self.builder.alloca(value.type)
        self.builder.store(value, self.places[name])

    def load(self, name: str) -> ir.Value:
        return self.builder.load(self.places[name])

    # Values

    def number(self, value: Written) -> ir.Value:
        """A value that a name stands for."""
        if isinstance(value, int):
            return known_number(value, self.of(WHOLE))
        return known_number(value, self.of(DOUBLE)) if isinstance(value, float) else value

    def several(self, node: ast.expr) -> tuple[Written, ...]:
        value = self.value(node)
        if isinstance(value, tuple):
            return value
        assert isinstance(value, ir.Value)
        count = len(value.type.elements)
        return tuple(self.builder.extract_value(value, place) for place in range(count))

    def value(self, node: ast.expr) -> Written:
        builder = self.builder
        match node:
            case ast.Constant(int() | float() as constant):
                return constant
            case ast.Name(name):
                return self.load(name)
            case ast.Attribute(ast.Name("np"), "inf" | "nan" as name):
                return float(name)
            case ast.Tuple(elements):
                return tuple(map(self.value, elements))
            case ast.BinOp(left, operator, right):
                return self.operated(operator, self.value(left), self.value(right))
            case ast.UnaryOp(ast.USub(), operand):
                return self.negative(self.value(operand))
            case ast.Compare(left, [operator], [right]):
                return self.compared(operator, self.value(left), self.value(right))
            case ast.BoolOp(operator, operands):
                result, *rest = (self.truth(self.value(each)) for each in operands)
                combine = builder.and_ if isinstance(operator, ast.And) else builder.or_
                for each in rest:
                    result = combine(result, each)
                return result
            case ast.IfExp(test, yes, no):
                return self.chosen(self.truth(self.value(test)), self.value(yes), self.value(no))
            case ast.Subscript(ast.Name(table), place):
                index = self.number(self.value(place))
                begin = builder.gep(self.known.table(table), [WHOLE(0), index])
                return builder.load(begin)
            case ast.Call(ast.Attribute(number, "view"), [kind]):
                return builder.bitcast(self.value(number), self.of(_NUMBERS[self.named(kind)]))
            case ast.Call(function, arguments):
                return self.called(ast.unparse(function), [self.value(each) for each in arguments])
        raise AssertionError(ast.unparse(node))

    def named(self, kind: ast.expr) -> str:
        name = ast.unparse(kind)
        return {"F": "np.float32" if self.known.single else "np.float64"}.get(name, name)

    def called(self, name: str, arguments: list[Written]) -> Written:
        if name == "F" or name in _NUMBERS:
            return self.converted(arguments[0], self.known.real if name == "F" else _NUMBERS[name])
        operations: dict[str, Callable[..., Written]] = {
            "fma": self.fused, "min": self.least, "max": self.largest, "abs": self.absolute,
            "np.copysign": self.signed, "opaque": self.opaque,
        }  # fmt: skip
        if name in operations:
            return operations[name](*arguments)
        given = [self.number(each) for each in arguments]
        return self.known.call(self.builder, name, given)

    def alike(self, *values: Written) -> list[ir.Value]:
        """Numbers as those of the widest type among them."""
        types = [element(value.type) for value in values if isinstance(value, ir.Value)]
        types += [DOUBLE for value in values if isinstance(value, float)]
        widest = max(types, key=_rank, default=WHOLE)
        return [self.converted(value, widest) for value in values]

    def converted(self, value: Written, kind: ir.Type) -> ir.Value:
        """To numbers of other types as C does it; whole numbers lose their first bits."""
        builder = self.builder
        if not isinstance(value, ir.Value):
            assert not isinstance(value, tuple)
            number = int(value) if isinstance(kind, ir.IntType) else rounded(value, kind)
            return known_number(number, self.of(kind))
        come, all_of = element(value.type), self.of(kind)
        if come == kind:
            return value
        if isinstance(kind, ir.IntType):
            if not isinstance(come, ir.IntType):
                return builder.fptosi(value, all_of)
            widen = kind.width > come.width
            return (builder.sext if widen else builder.trunc)(value, all_of)
        if isinstance(come, ir.IntType):
            return builder.sitofp(value, all_of)
        return (builder.fpext if kind == DOUBLE else builder.fptrunc)(value, all_of)

    def operated(self, operator: ast.operator, left: Written, right: Written) -> Written:
        builder = self.builder
        one, other = self.alike(left, right)
        if isinstance(element(one.type), ir.IntType):
            whole = {
                ast.Add: builder.add, ast.Sub: builder.sub, ast.Mult: builder.mul,
                ast.LShift: builder.shl, ast.RShift: builder.ashr, ast.BitAnd: builder.and_,
                ast.FloorDiv: partial(floor_quotient, builder),
            }  # fmt: skip
            return whole[type(operator)](one, other)
        real = {
            ast.Add: builder.fadd, ast.Sub: builder.fsub, ast.Mult: builder.fmul,
            ast.Div: builder.fdiv,
        }  # fmt: skip
        return real[type(operator)](one, other)

    def negative(self, value: Written) -> Written:
        if not isinstance(value, ir.Value):
            assert not isinstance(value, tuple)
            return -value
        return (
            self.builder.neg(value)
            if isinstance(element(value.type), ir.IntType)
            else self.builder.fneg(value)
        )

    def compared(self, operator: ast.cmpop, left: Written, right: Written) -> ir.Value:
        one, other = self.alike(left, right)
        return comparison(self.builder, _COMPARED[type(operator)], one, other)

    def truth(self, value: Written) -> ir.Value:
        assert isinstance(value, ir.Value)
        if element(value.type) == TRUTH:
            return value
        return self.builder.icmp_signed("!=", value, known_number(0, value.type))

    def chosen(self, test: ir.Value, yes: Written, no: Written) -> Written:
        if isinstance(yes, tuple) and isinstance(no, tuple):
            return tuple(self.chosen(test, *pair) for pair in zip(yes, no, strict=True))
        return self.builder.select(test, *self.alike(yes, no))

    def fused(self, *factors: Written) -> ir.Value:
        return fused(self.builder, self.known.processor, *self.alike(*factors))

    def least(self, *values: Written) -> ir.Value:
        return least(self.builder, *self.alike(*values))

    def largest(self, *values: Written) -> ir.Value:
        return largest(self.builder, *self.alike(*values))

    def absolute(self, value: ir.Value) -> ir.Value:
        return unary(self.builder, "fabs", value)

    def signed(self, *values: Written) -> ir.Value:
        one, other = self.alike(*values)
        name = f"llvm.copysign.{suffix(one.type)}"
        return self.builder.call(intrinsic(self.builder.module, name, one.type, 2), [one, other])

    def opaque(self, value: ir.Value) -> ir.Value:
        return opaque(self.builder, self.converted(value, WHOLE))


def _returned(text: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a function gives; of a choice, one of both."""
    for node in ast.walk(text):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value.body if isinstance(node.value, ast.IfExp) else node.value


def _rank(kind: ir.Type) -> int:
    """Whole numbers before real ones, and more bits after fewer."""
    return kind.width if isinstance(kind, ir.IntType) else {SINGLE: 1000, DOUBLE: 2000}[kind]
