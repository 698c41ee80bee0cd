"""A plain, slow interpreter of lowered programs: what the grammar says, statement by statement."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

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
)  # fmt: skip

WORD = (1 << 64) - 1
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
SHIFTED: dict[str, Callable[[int, int], int]] = {
    "^": lambda a, b: a ^ b, "&": lambda a, b: a & b,
    "<<": lambda a, b: a << b, ">>": lambda a, b: a >> b,
}  # fmt: skip
NOTHING = object()  # what a function gives that gives nothing, but ends
SKIPPED = object()  # what is left to do in this turn of a loop


class Refused(ValueError):
    pass


class Interpreter:
    """Runs functions by name; `elementary` computes the functions of reals. Memory holds NaN until
    it is written, and parallel loops run backwards."""

    def __init__(
        self,
        functions: list[Function],
        elementary: Callable[[str, list[Any]], Any],
        real: type = np.float64,
    ) -> None:
        self.functions = {function.name: function for function in functions}
        self.elementary = elementary
        self.dtypes = {"real": real, "double": np.float64, "whole": np.int64, "word": np.uint64}

    def call(self, name: str, *arguments: Any) -> Any:
        function = self.functions[name]
        assert len(arguments) <= len(function.parameters), name
        names = {parameter.name: None for parameter in function.parameters}
        names |= dict(zip(names, arguments, strict=False))
        return self.run(function.body, names)

    def run(self, body: tuple[Any, ...], names: dict[str, Any]) -> Any:
        """What the statements return; `names` holds what they compute."""
        with np.errstate(all="ignore"):
            return self._body(body, names)

    def _body(self, body: tuple[Any, ...], names: dict[str, Any]) -> Any:
        for statement in body:
            result = self._statement(statement, names)
            if result is not None:
                return result
        return None

    def _statement(self, statement: Any, names: dict[str, Any]) -> Any:
        def value(written: Any) -> Any:
            return self.value(written, names)

        match statement:
            case Comment():
                pass
            case Assign(target, assigned):
                self._store(target, value(assigned), names)
            case Together(targets, assigned):
                taken = [value(each) for each in assigned]
                (taken,) = taken if len(taken) < len(targets) else [taken]
                for target, each in zip(targets, taken, strict=True):
                    self._store(target, each, names)
            case Accumulate(target, operand, operator, factor):
                before, change = value(target), value(operand)
                if factor is not None:
                    change = change * value(factor)
                after = {"+": before + change, "-": before - change, "*": before * change}
                self._store(target, after[operator], names)
            case Loop(index, end, inner, start, step, parallel, lanes):
                turns = range(value(start), value(end), step)
                backwards = parallel or lanes
                return self._loop(index, reversed(turns) if backwards else turns, inner, names)
            case Each(name, vector, _, inner):
                return self._loop(name, names[vector], inner, names)
            case Branch(condition, yes, no):
                return self._body(yes if self.holds(condition, names) else no, names)
            case While(condition, inner):
                while self.holds(condition, names):
                    result = self._body(inner, names)
                    assert result is None, result
            case MatrixProduct(left, right, into, row, piece, onto):

                def flat(array):
                    return array.reshape(-1, array.shape[-1])

                found = (flat(names[m.array]) for m in (left, right))
                pairs = zip(found, (left, right), strict=True)
                one, other = (each.T if m.transposed else each for each, m in pairs)
                array = flat(names[into])
                place, pieces = (0, 1) if piece is None else map(value, piece)
                rows = range(place, len(array), pieces)  # which ones is for targets to say
                start = array[rows] if onto else 0 if row is None else names[row]
                array[rows] = start + np.zeros_like(array[rows])
                for term in range(len(other)):  # every number is a chain
                    array[rows] += np.multiply.outer(one[rows, term], other[term])
            case RowSum(array, into):
                names[into][...] = 0
                for row in names[array]:
                    names[into][...] += row
            case Run(call):
                value(call)
            case Return(values):
                results = tuple(value(each) for each in values) or (NOTHING,)
                return results if len(results) > 1 else results[0]
            case Refuse(parts):
                raise Refused(*(p if isinstance(p, str) else value(p) for p in parts))
            case Skip():
                return SKIPPED
            case Opaque(name, number):
                names[name] = number
            case View(name, vector, start, extents, rows):
                shape = [value(extent) for extent in extents]
                if names[vector] is None:
                    names[name] = None
                    return None
                start += 0 if rows is None else value(rows) * int(np.prod(shape[1:]))
                piece = names[vector].reshape(-1)[start : start + int(np.prod(shape))]
                names[name] = piece.reshape(shape)
            case Table(name, numbers):
                names[name] = np.array(numbers)
            case Local(buffer):
                names[buffer.name] = self._made(buffer, names)
            case Allocate(buffers):
                names |= {buffer.name: self._made(buffer, names) for buffer in buffers}
            case Windows(new, arrays, start, end):
                cut = slice(value(start), value(end))
                names |= {n: names[a][cut] for n, a in zip(new, arrays, strict=True)}
            case Alias(name, array):
                names[name] = names[array]
            case Pick(name, condition, yes, no):
                chosen = yes if self.holds(condition, names) else no
                made = isinstance(chosen, Buffer)
                names[name] = self._made(chosen, names) if made else value(chosen)
            case Counted(name, extent):
                names[name] = np.arange(value(extent))
            case _:
                raise AssertionError(statement)
        return None

    def _loop(self, index: str, turns: Any, body: tuple[Any, ...], names: dict[str, Any]) -> Any:
        for turn in turns:
            names[index] = turn
            result = self._body(body, names)
            if result is not None and result is not SKIPPED:
                return result
        return None

    def _store(self, target: Any, value: Any, names: dict[str, Any]) -> None:
        kind = self.dtypes[target.kind]
        value = int(value) & WORD if kind is np.uint64 else kind(value)
        if isinstance(target, Variable):
            names[target.name] = int(value) if target.kind in ("whole", "word") else value
        else:
            names[target.array][self._place(target, names)] = value

    def _place(self, element: Element, names: dict[str, Any]) -> tuple[int, ...]:
        place = tuple(self.value(each, names) for each in element.indices)
        shape = names[element.array].shape
        inside = len(place) == len(shape) and all(
            0 <= at < extent for at, extent in zip(place, shape, strict=True)
        )
        assert inside, (element, place, shape)
        return place

    def _made(self, buffer: Buffer, names: dict[str, Any]) -> np.ndarray:
        shape = [self.value(extent, names) for extent in buffer.extents]
        dtype = self.dtypes[buffer.kind]
        nothing = {np.int64: -(1 << 40), np.uint64: 1 << 40}.get(dtype, np.nan)
        return np.full(shape, nothing, dtype)

    def value(self, written: Any, names: dict[str, Any]) -> Any:
        def value(each: Any) -> Any:
            return self.value(each, names)

        match written:
            case Number(number, kind):
                return number if kind in ("whole", "word") else self.dtypes[kind](number)
            case Variable(name) | Array(name):
                return names[name]
            case Element(array):
                found = names[array][self._place(written, names)]
                return int(found) if written.kind in ("whole", "word") else found
            case Last(array):
                return int(names[array][-1])
            case Extent(array, axis):
                return names[array].shape[axis]
            case Sum(terms):
                (sign, first), *rest = terms
                result = -value(first) if sign == "-" else value(first)
                for sign, term in rest:
                    result = result + value(term) if sign == "+" else result - value(term)
                return result
            case Product(factors, divisors):
                result = value(factors[0])
                for factor in factors[1:]:
                    result = result * value(factor)
                for divisor in divisors:
                    result = result / value(divisor)
                return int(result) & WORD if written.kind == "word" else result
            case Power(base, exponent):
                return value(base) ** value(exponent)
            case Negative(negated):
                return -value(negated)
            case Quotient(dividend, divisor, up):
                return (
                    -(-value(dividend) // value(divisor))
                    if up
                    else value(dividend) // value(divisor)
                )
            case Bits(operator, left, right):
                return SHIFTED[operator](value(left), value(right))
            case Call(name, arguments, kind):
                return self._called(name, [value(each) for each in arguments], kind)
            case Invoke(name, arguments):
                return self.call(name, *map(value, arguments))
            case Total(vector):
                return value(vector).sum()
            case Choice(condition, yes, no):
                return value(yes) if self.holds(condition, names) else value(no)
            case Convert(converted, kind):
                number = value(converted)
                return int(number) if kind in ("whole", "word") else self.dtypes[kind](number)
            case Part(name, start, end):
                bounds = (None if each is None else value(each) for each in (start, end))
                return None if names[name] is None else names[name][slice(*bounds)]
            case Row(name, index):
                return None if names[name] is None else names[name][value(index)]
            case Constants(numbers):
                return numbers
            case Nothing():
                return None
        raise AssertionError(written)

    def _called(self, name: str, arguments: list[Any], kind: str) -> Any:
        known = {"sqrt": np.sqrt, "abs": abs, "min": min, "max": max, "threads": lambda: 3}
        if kind == "double":
            known |= {"cos": np.cos, "floor": np.floor, "minimum": min}
            known |= {"power": np.power, "power_whole": np.power}
        return known[name](*arguments) if name in known else self.elementary(name, arguments)

    def holds(self, condition: Any, names: dict[str, Any]) -> bool:
        def value(each: Any) -> Any:
            return self.value(each, names)

        match condition:
            case Compare(operators, operands):
                values = [value(each) for each in operands]
                pairs = zip(operators, values, values[1:], strict=False)
                return all(bool(COMPARED[operator](a, b)) for operator, a, b in pairs)
            case Not(negated):
                return not self.holds(negated, names)
            case Either(conditions):
                return any(self.holds(each, names) for each in conditions)
            case Nonzero(number):
                return bool(value(number) != 0)
            case Finite(number):
                return isfinite(value(number))
            case Overlap(one, other):
                return bool(np.may_share_memory(names[one], names[other]))
            case RowShape(array, extents):
                return names[array].shape[1:] == extents
            case Given(name):
                return names[name] is not None
        raise AssertionError(condition)
