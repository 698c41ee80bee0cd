"""Lowered functions as C99: a second printer, to show that the tree says all that a target needs.

An array is a pointer and a number for each of its extents, x and x_0, x_1. Memory that a call makes
is left to the end of the process; parallel loops run in turn.
"""

from collections.abc import Iterable, Iterator
from math import isinf
from typing import Any

from symgrad.lowering.program import (
    Accumulate,
    Alias,
    Allocate,
    Array,
    Assign,
    Bits,
    Branch,
    Buffer,
    Call,
    Choice,
    Comment,
    Compare,
    Constants,
    Convert,
    Counted,
    Each,
    Either,
    Element,
    Extent,
    Finite,
    Function,
    Given,
    Invoke,
    Last,
    Local,
    Loop,
    MatrixProduct,
    Negative,
    Nonzero,
    Not,
    Nothing,
    Number,
    Opaque,
    Overlap,
    Parameter,
    Part,
    Pick,
    Power,
    Product,
    Quotient,
    Refuse,
    Return,
    Row,
    RowShape,
    RowSum,
    Run,
    Skip,
    Sum,
    Table,
    Together,
    Total,
    Variable,
    View,
    While,
    Windows,
    every,
    whole,
)  # fmt: skip

TYPES = {"real": "real", "double": "double", "whole": "int64_t", "word": "uint64_t"}
ABSENT = {"real": "NAN", "double": "NAN", "whole": "-1"}

PRELUDE = """\
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
typedef double real;
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define minimum(a, b) min(a, b)
#define power(a, b) pow(a, b)
#define threads() 2
#define power_whole(a, b) pow(a, b)
static int64_t quotient(int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0)); }
static real total(const real *a, int64_t n) { real t = 0; while (n--) t += *a++; return t; }
static void product(const real *a, int64_t ar, int64_t ac, const real *b, int64_t br, int64_t bc,
                    real *c, int64_t m, int64_t k, int64_t n, const real *row, int64_t piece,
                    int64_t pieces, int64_t onto) {
    for (int64_t i = piece; i < m; i += pieces) for (int64_t j = 0; j < n; j++) {
        real t = onto ? c[i * n + j] : row ? row[j] : 0;
        for (int64_t l = 0; l < k; l++) t = fma(a[i * ar + l * ac], b[l * br + j * bc], t);
        c[i * n + j] = t;
    }
}
"""


def in_c(functions: Iterable[Function], elementary: str) -> str:
    """The source of all functions but those that return several values, or arrays to Python."""
    kept = [f for f in functions if f.name == "_shuffled" or not _gives_arrays(f)]
    printer = _Printer({function.name: function for function in kept})
    heads = [f"{printer.head(function)};" for function in kept]
    return "\n".join([PRELUDE, elementary, *heads, *map(printer.function, kept), ""])


def _returns(function: Function) -> list[Return]:
    return [s for s in every(function.body) if isinstance(s, Return) and s.values]


def _gives_arrays(function: Function) -> bool:
    return any(
        len(each.values) > 1 or isinstance(each.values[0], Array) for each in _returns(function)
    )


class _Printer:
    def __init__(self, functions: dict[str, Function]) -> None:
        self.functions = functions

    def head(self, function: Function) -> str:
        kind = "void"
        for each in _returns(function):
            value = each.values[0]
            kind = "int64_t *" if isinstance(value, Array) else TYPES[value.kind]
        parameters = ", ".join(map(self.parameter, function.parameters))
        return f"{kind} {function.name}({parameters})"

    def parameter(self, parameter: Parameter) -> str:
        if not parameter.extents:
            return f"{TYPES[parameter.kind]} {parameter.name}"
        extents = "".join(f", int64_t {parameter.name}_{n}" for n in range(len(parameter.extents)))
        return f"{TYPES[parameter.kind]} *{parameter.name}{extents}"

    def rows(self, array: str) -> str:
        """How many rows an array has as a matrix: all its axes but the last."""
        return " * ".join(f"{array}_{axis}" for axis in range(self.axes[array] - 1))

    def function(self, function: Function) -> str:
        self.kinds = {p.name: p.kind for p in function.parameters}
        self.axes = {p.name: len(p.extents) for p in function.parameters}
        self.array_names = {p.name for p in function.parameters if p.extents}
        numbers: dict[str, str] = {}
        for s in every(function.body):
            match s:
                case View(name, _, _, extents) | Local(Buffer(name, _, extents)):
                    self.axes[name] = len(extents)
                case Table(name):
                    self.axes[name] = 1
                case Allocate(buffers):
                    self.axes |= {b.name: len(b.extents) for b in buffers}
                case Windows(names, arrays):
                    self.axes |= {n: self.axes[a] for n, a in zip(names, arrays, strict=True)}
                case Alias(name, array):
                    self.axes[name] = self.axes.get(array, 2)
            match s:
                case Assign(Variable(name, kind)):
                    numbers[name] = kind
                case Together(targets):
                    numbers |= {t.name: t.kind for t in targets if isinstance(t, Variable)}
                case Loop(name) | Opaque(name):
                    numbers[name] = "whole"
                case Each(name, _, kind):
                    numbers[name] = kind
        declared = [f"{TYPES[k]} {n};" for n, k in numbers.items() if n not in self.kinds]
        body = [*declared, *self.body(function.body)]
        return "\n".join([f"{self.head(function)} {{", *body, "}"])

    def body(self, statements: Iterable[Any]) -> Iterator[str]:
        for statement in statements:
            yield from self.statement(statement)

    def block(self, head: str, statements: Iterable[Any]) -> Iterator[str]:
        yield head + " {"
        yield from self.body(statements)
        yield "}"

    def array(self, name: str, kind: str, data: str, extents: list[str]) -> str:
        self.kinds[name], self.axes[name] = kind, len(extents)
        self.array_names.add(name)
        sizes = "".join(f" int64_t {name}_{n} = {e};" for n, e in enumerate(extents))
        return f"{TYPES[kind]} *{name} = {data};{sizes}"

    def made(self, buffer: Buffer) -> tuple[str, list[str]]:
        extents = [self.value(extent) for extent in buffer.extents]
        return f"malloc(sizeof({TYPES[buffer.kind]}) * {' * '.join(extents)})", extents

    def statement(self, statement: Any) -> Iterator[str]:
        value = self.value
        match statement:
            case Comment(text):
                yield f"// {text}"
            case Assign(target, assigned):
                yield f"{value(target)} = {value(assigned)};"
            case Together(targets, assigned):
                yield "{"
                for n, (target, each) in enumerate(zip(targets, assigned, strict=True)):
                    yield f"{TYPES[target.kind]} taken{n} = {value(each)};"
                yield from (f"{value(t)} = taken{n};" for n, t in enumerate(targets))
                yield "}"
            case Accumulate(target, operand, operator, None):
                yield f"{value(target)} {operator}= {value(operand)};"
            case Accumulate(target, operand, _, factor):
                yield f"{value(target)} = fma({value(operand)}, {value(factor)}, {value(target)});"
            case Loop(i, end, inner, start, step):
                compared = "<" if step > 0 else ">"
                head = f"for ({i} = {value(start)}; {i} {compared} {value(end)}; {i} += {step})"
                yield from self.block(head, inner)
            case Each(name, vector, _, inner):
                head = f"for (int64_t at = 0; at < {vector}_0; at++)"
                yield f"{head} {{ {name} = {vector}[at];"
                yield from self.body(inner)
                yield "}"
            case Branch(condition, yes, no):
                yield from self.block(f"if ({self.condition(condition)})", yes)
                if no:
                    yield from self.block("else", no)
            case While(condition, inner):
                yield from self.block(f"while ({self.condition(condition)})", inner)
            case MatrixProduct(left, right, into, row, piece, onto):
                columns = {m: f"{m.array}_{self.axes[m.array] - 1}" for m in (left, right)}
                strides = [
                    f"{m.array}, {f'1, {columns[m]}' if m.transposed else f'{columns[m]}, 1'}"
                    for m in (left, right)
                ]
                inner = self.rows(left.array) if left.transposed else columns[left]
                sizes = f"{self.rows(into)}, {inner}, {into}_{self.axes[into] - 1}"
                place, pieces = ("0", "1") if piece is None else map(value, piece)
                part = f"{row or 'NULL'}, {place}, {pieces}, {int(onto)}"
                yield f"product({', '.join(strides)}, {into}, {sizes}, {part});"
            case RowSum(array, into):
                yield f"for (int64_t j = 0; j < {into}_0; j++) {{ {into}[j] = 0;"
                yield f"for (int64_t i = 0; i < {array}_0; i++)"
                yield f"{into}[j] += {array}[i * {array}_1 + j]; }}"
            case Run(call):
                yield f"{value(call)};"
            case Return(()):
                yield "return;"
            case Return((returned,)):
                yield f"return {returned.name if isinstance(returned, Array) else value(returned)};"
            case Refuse():
                yield "abort();"
            case Skip():
                yield "continue;"
            case Opaque(name, number):
                yield f"{name} = {number};"
            case View(name, vector, start, extents, rows):
                before = ["0"] if rows is None else [value(e) for e in (rows, *extents[1:])]
                data = f"{vector} ? {vector} + {start} + {' * '.join(before)} : NULL"
                yield self.array(name, self.kinds[vector], data, [value(e) for e in extents])
            case Table(name, numbers):
                listed = ", ".join(map(repr, numbers))
                data = f"(real[]) {{{listed}}}"
                yield self.array(name, "real", data, [str(len(numbers))])
            case Local(buffer):
                yield self.array(buffer.name, buffer.kind, *self.made(buffer))
            case Allocate(buffers):
                for buffer in buffers:
                    yield self.array(buffer.name, buffer.kind, *self.made(buffer))
            case Windows(names, arrays, start, end):
                for name, array in zip(names, arrays, strict=True):
                    yield self.bound(name, Part(array, start, end))
            case Alias(name, array):
                yield self.bound(name, Array(array))
            case Pick(name, condition, Buffer() as made, Nothing()):
                data, extents = self.made(made)
                data = f"{self.condition(condition)} ? {data} : NULL"
                yield self.array(name, made.kind, data, extents)
            case Pick(name, condition, yes, no):
                test = self.condition(condition)
                kind, data, extents = self.held(yes)
                other, sizes = self.made(no) if isinstance(no, Buffer) else self.held(no)[1:]
                either = [f"{test} ? {a} : {b}" for a, b in zip(extents, sizes, strict=True)]
                yield self.array(name, kind, f"{test} ? {data} : {other}", either)
            case Counted(name, extent):
                data, extents = self.made(Buffer(name, "whole", (extent,)))
                yield self.array(name, "whole", data, extents)
                yield f"for (int64_t at = 0; at < {name}_0; at++) {name}[at] = at;"
            case _:
                raise AssertionError(statement)

    def bound(self, name: str, argument: Any) -> str:
        return self.array(name, *self.held(argument))

    def held(self, argument: Any) -> tuple[str, str, list[str]]:
        """An array's kind, where it lies, and its extents."""
        name = argument.name
        kind, extents = self.kinds[name], [f"{name}_{n}" for n in range(self.axes[name])]
        width = " * ".join(["1", *extents[1:]])

        def part(first: str) -> str:
            return f"({name} ? {name} + {first} * {width} : NULL)"

        match argument:
            case Array():
                return kind, name, extents
            case Part(_, start, end):
                first = self.value(start or whole(0))
                last = extents[0] if end is None else self.value(end)
                return kind, part(first), [f"({last} - {first})", *extents[1:]]
            case Row(_, index):
                return kind, part(self.value(index)), extents[1:]
        raise AssertionError(argument)

    def value(self, written: Any) -> str:
        value = self.value
        match written:
            case Number(number, kind):
                if kind in ("whole", "word"):
                    return f"INT64_C({number})" if kind == "whole" else f"UINT64_C({number})"
                return (
                    ("-INFINITY" if number < 0 else "INFINITY") if isinf(number) else repr(number)
                )
            case Variable(name):
                return name
            case Element(array, indices):
                place = value(indices[0])
                for axis, index in enumerate(indices[1:], start=1):
                    place = f"({place}) * {array}_{axis} + {value(index)}"
                return f"{array}[{place}]"
            case Last(array):
                return f"{array}[{array}_0 - 1]"
            case Extent(array, axis):
                return f"{array}_{axis}"
            case Sum(((sign, first), *rest)):
                head = "-" * (sign == "-") + value(first)
                return f"({head}{''.join(f' {s} {value(term)}' for s, term in rest)})"
            case Product(factors, divisors):
                text = " * ".join(map(value, factors))
                return f"({text}{''.join(f' / {value(d)}' for d in divisors)})"
            case Power(base, exponent):
                return f"pow({value(base)}, {value(exponent)})"
            case Negative(negated):
                return f"(-{value(negated)})"
            case Quotient(dividend, divisor, up):
                sign = "-" * up
                return f"({sign}quotient({sign}{value(dividend)}, {value(divisor)}))"
            case Bits(operator, left, right):
                return f"({value(left)} {operator} {value(right)})"
            case Call(name, arguments):
                return f"{'fabs' if name == 'abs' else name}({', '.join(map(value, arguments))})"
            case Invoke():
                return self.invoked(written)
            case Total(vector):
                _, data, extents = self.held(vector)
                return f"total({data}, {extents[0]})"
            case Choice(condition, yes, no):
                return f"({self.condition(condition)} ? {value(yes)} : {value(no)})"
            case Convert(converted, kind):
                return f"(({TYPES[kind]}){value(converted)})"
        raise AssertionError(written)

    def invoked(self, call: Invoke) -> str:
        parameters = self.functions[call.function].parameters
        given = [*call.arguments, *[Nothing()] * (len(parameters) - len(call.arguments))]
        return f"{call.function}({', '.join(map(self.argument, parameters, given))})"

    def argument(self, parameter: Parameter, given: Any) -> str:
        match given:
            case Nothing():
                empty = ["NULL"] + ["0"] * len(parameter.extents)
                return ", ".join(empty) if parameter.extents else ABSENT[parameter.kind]
            case Constants(numbers):
                listed = ", ".join(map(str, numbers))
                return f"(int64_t[]){{{listed}}}, {len(numbers)}"
            case Array() | Part() | Row():
                _, data, extents = self.held(given)
                return ", ".join([data, *extents])
            case Invoke() if parameter.extents:  # numbers in some order, as many as it is asked for
                return f"{self.value(given)}, {self.value(given.arguments[0])}"
        return self.value(given)

    def condition(self, condition: Any) -> str:
        value = self.value
        match condition:
            case Compare(operators, operands):
                pairs = zip(operands, operators, operands[1:], strict=False)
                return f"({' && '.join(f'{value(a)} {o} {value(b)}' for a, o, b in pairs)})"
            case Not(negated):
                return f"!{self.condition(negated)}"
            case Either(conditions):
                return f"({' || '.join(map(self.condition, conditions))})"
            case Nonzero(number):
                return f"({value(number)} != 0)"
            case Finite(number):
                return f"isfinite({value(number)})"
            case Overlap(one, other):
                return f"({self.ends(one, other)} && {self.ends(other, one)})"
            case RowShape(array, tuple(extents)):
                pairs = (f"{array}_{axis} == {n}" for axis, n in enumerate(extents, start=1))
                return f"({' && '.join(pairs)})"
            case Given(name) if name in self.array_names:
                return f"({name} != NULL)"
            case Given(name):
                return f"({name} != -1)" if self.kinds[name] == "whole" else f"!isnan({name})"
        raise AssertionError(condition)

    def ends(self, one: str, other: str) -> str:
        """Whether one array begins before the other ends."""
        size = " * ".join(f"{other}_{n}" for n in range(self.axes[other]))
        return f"(uintptr_t){one} < (uintptr_t)({other} + {size})"
