"""The verifier of lowered programs: what must hold of every function, whoever has made it.

What is read was written or declared before, on every way to it. A name has one kind and one number
of axes; values of an operation have one kind, but that reals and doubles may meet; elements have an
index for each axis, whole numbers all. Extents of matrix products agree: as numbers, or as names
that were given the same values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from typing import Any

from symgrad.lowering.program import (
    Accumulate,
    Alias,
    Allocate,
    Argument,
    Array,
    Assign,
    Bits,
    Branch,
    Buffer,
    Call,
    Choice,
    Compare,
    Condition,
    Constants,
    Convert,
    Counted,
    Each,
    Element,
    Extent,
    Finite,
    Function,
    Given,
    Invoke,
    Kind,
    Last,
    Local,
    Loop,
    Matrix,
    MatrixProduct,
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
    Row,
    RowShape,
    RowSum,
    Statement,
    Sum,
    Table,
    Together,
    Value,
    Variable,
    View,
    While,
    Windows,
    minus,
    operands,
    values,
    whole,
)


class UnsoundLowering(AssertionError):
    """A lowered program breaks the rules: symgrad's fault, not the user's."""


# What an extent is known by: a number, or an expression in which names are replaced by what they
# stand for.
Known = Value | str


@dataclass(frozen=True)
class _Held:
    """An array's kind and extents."""

    kind: Kind
    extents: tuple[Known, ...]


@dataclass
class _Scope:
    """What is known at a place in a function."""

    numbers: dict[str, Kind] = field(default_factory=dict)
    arrays: dict[str, _Held] = field(default_factory=dict)
    stands_for: dict[str, Known] = field(default_factory=dict)

    def copy(self) -> "_Scope":
        return _Scope(dict(self.numbers), dict(self.arrays), dict(self.stands_for))


def verify(functions: Iterable[Function], outside: Iterable[str] = ()) -> None:
    """Raises `UnsoundLowering` with the function, the statement and the rule. `outside` are names
    of functions that may be called beside those that are given."""
    functions = tuple(functions)
    known = {function.name: function for function in functions}
    if len(known) < len(functions):
        raise UnsoundLowering("two functions have one name")
    for function in functions:
        _Checker(function.name, known, frozenset(outside)).function(function)


class _Checker:
    def __init__(self, name: str, known: dict[str, Function], outside: frozenset[str]) -> None:
        self.name, self.known, self.outside = name, known, outside
        self.kinds: dict[str, Kind] = {}  # of numbers, all through the function
        self.place: object = name

    def fail(self, rule: str) -> UnsoundLowering:
        return UnsoundLowering(f"{self.name}, {self.place}: {rule}")

    def function(self, function: Function) -> None:
        scope = _Scope()
        for parameter in function.parameters:
            if parameter.name in {*scope.numbers, *scope.arrays}:
                raise self.fail(f"two parameters are called {parameter.name}")
            self._take(parameter, scope)
        self.body(function.body, scope)

    def _take(self, parameter: Parameter, scope: _Scope) -> None:
        if not parameter.extents:
            self._define(Variable(parameter.name, parameter.kind), scope)
            return
        extents = (whole(e) if isinstance(e, int) else e for e in parameter.extents)
        scope.arrays[parameter.name] = _Held(parameter.kind, tuple(extents))

    # Statements

    def body(self, statements: tuple[Statement, ...], scope: _Scope) -> None:
        for statement in statements:
            self.place = statement
            for value in values(statement):
                if not (isinstance(statement, Assign | Together) and value in _targets(statement)):
                    self.value(value, scope)
            self._statement(statement, scope)

    def _statement(self, statement: Statement, scope: _Scope) -> None:
        match statement:
            case Assign(target, value, _):
                self._assign(target, value, scope)
            case Together(targets, taken):
                for place, target in enumerate(targets):
                    self._assign(target, taken[place if len(taken) == len(targets) else 0], scope)
            case Accumulate(target, value, _, factor):
                self._fits(target.kind, value)
                if factor is not None:
                    self._fits(target.kind, factor)
            case Loop(index, end, body, start):
                self._whole((start, end))
                inner = scope.copy()
                if index in scope.numbers:
                    raise self.fail(f"the loop's {index} has a meaning already")
                self._define(Variable(index, "whole"), inner)
                self.body(body, inner)
            case Each(name, _, kind, body):
                inner = scope.copy()
                self._define(Variable(name, kind), inner)
                self.body(body, inner)
            case Branch(_, yes, no):
                one, other = scope.copy(), scope.copy()
                self.body(yes, one)
                self.body(no, other)
                for name in one.numbers.keys() & other.numbers.keys():  # whichever way was taken
                    scope.numbers.setdefault(name, one.numbers[name])
            case While(_, body):
                self.body(body, scope.copy())
            case MatrixProduct():
                self._product(statement, scope)
            case RowSum(array, into):
                if self._array(array, scope).extents[1:] != self._array(into, scope).extents:
                    raise self.fail("a sum of rows is as long as they are")
            case _:
                self._memory(statement, scope)

    def _assign(self, target: Variable | Element, value: Value, scope: _Scope) -> None:
        self._fits(target.kind, value)
        if isinstance(target, Element):
            self.value(target, scope)
            return
        again = target.name in scope.numbers
        self._define(target, scope)
        scope.stands_for.pop(target.name, None)
        if target.kind == "whole" and not again:
            scope.stands_for[target.name] = self._known(value, scope)

    def _define(self, target: Variable, scope: _Scope) -> None:
        if target.name in scope.arrays:
            raise self.fail(f"{target.name} is an array")
        if self.kinds.setdefault(target.name, target.kind) != target.kind:
            raise self.fail(f"{target.name} is {self.kinds[target.name]} elsewhere")
        scope.numbers[target.name] = target.kind

    def _product(self, product: MatrixProduct, scope: _Scope) -> None:
        m, k = self._matrix(product.left, scope)
        other, n = self._matrix(product.right, scope)
        into = self._rows_and_columns(product.into, scope)
        if k != other or into != (m, n):
            raise self.fail(f"the product of {(m, k)} and {(other, n)} goes into {into}")
        if product.into in (product.left.array, product.right.array):
            raise self.fail("a product is written over one of its factors")
        if product.row is not None and self._array(product.row, scope).extents != (n,):
            raise self.fail("a product starts from a row of its result")
        if product.row is not None and product.onto:
            raise self.fail("a product starts from a row, or from what is there")
        self._whole(product.piece or ())

    def _matrix(self, matrix: Matrix, scope: _Scope) -> tuple[Any, Any]:
        rows, columns = self._rows_and_columns(matrix.array, scope)
        return (columns, rows) if matrix.transposed else (rows, columns)

    def _rows_and_columns(self, name: str, scope: _Scope) -> tuple[Any, Known]:
        """Of an array as a matrix: all its axes but the last are rows."""
        *rows, columns = self._array(name, scope).extents
        if not rows:
            raise self.fail(f"{name} is no matrix")
        return (rows[0] if len(rows) == 1 else tuple(rows)), columns

    def _memory(self, statement: Statement, scope: _Scope) -> None:
        match statement:
            case Opaque(name, number):
                self._define(Variable(name, "whole"), scope)
                scope.stands_for[name] = whole(number)
            case View(name, vector, start, extents, behind):
                self._whole(() if behind is None else (behind,))
                self._view(name, vector, start, extents, scope)
            case Table(name, numbers):
                self._declare(name, _Held("real", (whole(len(numbers)),)), scope)
            case Local(buffer):
                self._make(buffer, scope)
            case Allocate(buffers):
                for buffer in buffers:
                    self._make(buffer, scope)
            case Windows(names, arrays, start, end):
                rows = self._known(minus(end, start), scope)
                for name, array in zip(names, arrays, strict=True):
                    held = self._array(array, scope)
                    self._declare(name, _Held(held.kind, (rows, *held.extents[1:])), scope)
            case Alias(name, array):
                self._declare(name, self._array(array, scope), scope)
            case Pick(name, _, yes, Nothing()):
                self._declare(name, self._held(yes, scope), scope)
            case Pick(name, _, yes, no):
                one, other = self._held(yes, scope), self._held(no, scope)
                if (one.kind, len(one.extents)) != (other.kind, len(other.extents)):
                    raise self.fail(f"{name} is one of two arrays that differ in kind or axes")
                self._declare(name, one if one == other else other, scope)
            case Counted(name, extent):
                self._whole((extent,))
                self._declare(name, _Held("whole", (self._known(extent, scope),)), scope)

    def _view(
        self, name: str, vector: str, start: int, extents: tuple[Value, ...], scope: _Scope
    ) -> None:
        held = self._array(vector, scope)
        known = tuple(self._known(extent, scope) for extent in extents)
        size, whole_size = _size(known), _size(held.extents)
        if whole_size and size and start + size > whole_size:
            raise self.fail(f"{name} ends behind {vector}")
        self._declare(name, _Held(held.kind, known), scope)

    def _make(self, buffer: Buffer, scope: _Scope) -> None:
        self._whole(buffer.extents)
        extents = tuple(self._known(extent, scope) for extent in buffer.extents)
        self._declare(buffer.name, _Held(buffer.kind, extents), scope)

    def _declare(self, name: str, held: _Held, scope: _Scope) -> None:
        if name in scope.numbers:
            raise self.fail(f"{name} is a number")
        if name in scope.arrays:
            raise self.fail(f"{name} is declared twice")
        scope.arrays[name] = held

    def _array(self, name: str, scope: _Scope) -> _Held:
        if name not in scope.arrays:
            raise self.fail(f"the array {name} is not declared before")
        return scope.arrays[name]

    def _held(self, argument: Argument | Buffer, scope: _Scope) -> _Held:
        """The kind and the extents of an array, or of a part of one."""
        match argument:
            case Buffer(_, kind, extents):
                return _Held(kind, tuple(self._known(extent, scope) for extent in extents))
            case Array(name):
                return self._array(name, scope)
            case Part(name, start, end):
                held = self._array(name, scope)
                rows = "rest" if end is None else self._known(minus(end, start or whole(0)), scope)
                return _Held(held.kind, (rows, *held.extents[1:]))
            case Row(name):
                held = self._array(name, scope)
                return _Held(held.kind, held.extents[1:])
        raise self.fail("this is no array")

    # Values

    def value(self, value: Argument | Condition, scope: _Scope) -> None:
        """All that is read has been written, and kinds agree."""
        for operand in operands(value):
            self.value(operand, scope)
        match value:
            case Variable(name, kind):
                if name not in scope.numbers:
                    raise self.fail(f"{name} is read before it is written")
                if scope.numbers[name] != kind:
                    raise self.fail(f"{name} is {scope.numbers[name]}, and read as {kind}")
            case Element(array, indices, kind):
                held = self._array(array, scope)
                if held.kind != kind or len(held.extents) != len(indices):
                    raise self.fail(f"{array} has {len(held.extents)} axes and is {held.kind}")
                self._whole(indices)
            case Last(array) | Array(array) | Part(array) | Row(array):
                self._array(array, scope)
            case Extent(array, axis):
                if axis >= len(self._array(array, scope).extents):
                    raise self.fail(f"{array} has no axis {axis}")
            case Overlap(one, other):
                self._array(one, scope)
                self._array(other, scope)
            case RowShape(array, extents):
                axes = len(self._array(array, scope).extents)
                if isinstance(extents, tuple) and len(extents) != axes - 1:
                    raise self.fail(f"{array} has {axes} axes")
            case Given(name):
                if name not in {*scope.numbers, *scope.arrays}:
                    raise self.fail(f"{name} is no parameter")
            case Sum() | Product() | Power() | Choice() | Call():
                self._one_kind(value)
            case Quotient(dividend, divisor):
                self._whole((dividend, divisor))
            case Bits(_, left, right):
                if left.kind != right.kind or left.kind not in ("whole", "word"):
                    raise self.fail("bits are of words or of whole numbers")
            case Compare(_, compared):
                floating = {each.kind in ("real", "double") for each in compared}
                if "word" in {each.kind for each in compared} and len(floating) > 1:
                    raise self.fail("a word is compared with a float")
            case Finite(number):
                if number.kind not in ("real", "double"):
                    raise self.fail("only floats may be infinite")
            case Invoke():
                self._invoke(value, scope)

    def _one_kind(self, value: Sum | Product | Power | Choice | Call) -> None:
        of = operands(value)[1:] if isinstance(value, Choice) else operands(value)
        kinds = {operand.kind for operand in of if not isinstance(operand, _NO_VALUES)}
        if isinstance(value, Call) and value.function == "power":
            kinds = {value.arguments[0].kind}
        if isinstance(value, Call):
            kinds.add(value.kind)
        if len(kinds) > 1 and not kinds == {"real", "double"}:
            raise self.fail(f"{', '.join(sorted(kinds))} meet in one operation")
        if isinstance(value, Call) and kinds == {"real", "double"} and value.kind == "real":
            raise self.fail(f"{value.function} of reals is given a double")

    def _invoke(self, call: Invoke, scope: _Scope) -> None:
        if call.function not in self.known:
            if call.function not in self.outside:
                raise self.fail(f"there is no function {call.function}")
            return
        parameters = self.known[call.function].parameters
        missing = parameters[len(call.arguments) :]
        if len(call.arguments) > len(parameters) or not all(p.left_out for p in missing):
            raise self.fail(f"{call.function} takes {len(parameters)} arguments")
        names: dict[str, Known] = {}
        for parameter, argument in zip(parameters, call.arguments, strict=False):
            if isinstance(argument, Nothing):
                if not (parameter.optional or parameter.left_out):
                    raise self.fail(f"{call.function} needs {parameter.name}")
            elif parameter.extents:
                self._argument(call.function, parameter, argument, names, scope)
            elif isinstance(argument, _NO_VALUES) or argument.kind != parameter.kind:
                raise self.fail(f"{call.function} takes a {parameter.kind} for {parameter.name}")

    def _argument(
        self,
        function: str,
        parameter: Parameter,
        argument: Argument,
        names: dict[str, Known],
        scope: _Scope,
    ) -> None:
        """An array of its parameter's kind and axes, and where these are numbers, of them."""
        if not isinstance(argument, Array | Part | Row):
            return
        held = self._held(argument, scope)
        if held.kind != parameter.kind or len(held.extents) != len(parameter.extents):
            raise self.fail(f"{function} takes another array for {parameter.name}")
        for extent, wanted in zip(held.extents, parameter.extents, strict=True):
            if isinstance(wanted, int):
                if isinstance(extent, Number) and extent.value != wanted:
                    raise self.fail(f"{function} takes {wanted} numbers for {parameter.name}")
            elif names.setdefault(wanted, extent) != extent:
                raise self.fail(f"{function} takes as many {wanted} for {parameter.name}")

    def _fits(self, kind: Kind, value: Value) -> None:
        if value.kind != kind and (kind, value.kind) != ("double", "real"):
            raise self.fail(f"a {value.kind} is stored as {kind}")

    def _whole(self, numbers: Iterable[Value]) -> None:
        if any(number.kind != "whole" for number in numbers):
            raise self.fail("indices and extents are whole numbers")

    def _known(self, value: Value, scope: _Scope) -> Known:
        """An extent with names replaced by what they stand for."""
        match value:
            case Variable(name):
                return scope.stands_for.get(name, value)
            case Extent(array, axis) if array in scope.arrays:
                return scope.arrays[array].extents[axis]
            case Convert():
                return value
        return value


def _size(extents: tuple[Known, ...]) -> int:
    """How many numbers there are; 0 where that is not known."""
    return prod(int(each.value) if isinstance(each, Number) else 0 for each in extents)


# What is no value of its own: arrays, and conditions.
_NO_VALUES = (Array, Part, Row, Constants, Nothing)


def _targets(statement: Assign | Together) -> tuple[Value, ...]:
    return statement.targets if isinstance(statement, Together) else (statement.target,)
