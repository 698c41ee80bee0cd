"""print_numba: lowered functions as Python source for Numba.

In a float32 module a real constant is written F(0.5): a bare 0.5 would make expressions float64.
"""

from collections.abc import Iterable, Iterator
from math import isinf

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
    Comment,
    Compare,
    Condition,
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
    Kind,
    Last,
    Local,
    Loop,
    Matrix,
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
    Run,
    Skip,
    Statement,
    Sum,
    Together,
    Total,
    Value,
    Variable,
    View,
    Windows,
)  # fmt: skip

# How tightly source text holds together: in a condition, a sum, a product, a power or a call.
CHOICE, SUM, PRODUCT, ATOM = range(4)

# What functions are called that Numba has itself: of reals as of doubles, and of doubles alone.
_OF_ALL = {"sqrt": "np.sqrt"}
_OF_DOUBLES = {"sqrt": "np.sqrt", "cos": "np.cos", "floor": "np.floor", "minimum": "min"}

_DTYPES: dict[Kind, str] = {
    "real": ", _DTYPE", "double": "", "whole": ", np.int64", "word": ", np.uint64"
}  # fmt: skip

# From here on a word is written in hexadecimal.
_LARGE_WORD = 1 << 16

_INDENT = "    "


def source(function: Function, single: bool) -> str:
    """A function as it stands in a module, from its decorator on; without a line's end."""
    decorator = [] if function.role == "public" else [f"@_{function.role}"]
    parameters = ", ".join(map(_parameter, function.parameters))
    says = [
        f'{_INDENT}"""{line}' if not n else line for n, line in enumerate(_lines(function.says))
    ]
    apart = [f"{_INDENT}_apart()"] * function.apart
    head = [*decorator, f"def {function.name}({parameters}):", *says, *apart]
    return "\n".join((*head, *statements(function.body, single)))


def _lines(says: str) -> list[str]:
    return f'{says}"""'.splitlines()


def _parameter(parameter: Parameter) -> str:
    return parameter.name + ("=None" if parameter.left_out else "")


def statements(body: Iterable[Statement], single: bool, indent: str = _INDENT) -> Iterator[str]:
    """The lines of statements."""
    return _Printer(single).lines(body, indent)


class _Printer:
    def __init__(self, single: bool) -> None:
        self.single = single

    # Statements

    def lines(self, body: Iterable[Statement], indent: str) -> Iterator[str]:
        for statement in body:
            match statement:
                case Loop():
                    yield f"{indent}for {statement.index} in {self._range(statement)}:"
                    yield from self.lines(statement.body, indent + _INDENT)
                case Each(name, vector, _, inner):
                    yield f"{indent}for {name} in {vector}:"
                    yield from self.lines(inner, indent + _INDENT)
                case Branch(condition, yes, no):
                    yield f"{indent}if {self.condition(condition)}:"
                    yield from self.lines(yes, indent + _INDENT)
                    if no:
                        yield f"{indent}else:"
                        yield from self.lines(no, indent + _INDENT)
                case Comment(text):
                    yield f"{indent}# {text}"
                case _:
                    note = getattr(statement, "note", "")
                    yield indent + self._line(statement) + (f"  # {note}" if note else "")

    def _range(self, loop: Loop) -> str:
        parts = [self.value(loop.end)]
        if loop.start != Number(0, "whole") or loop.step != 1:
            parts.insert(0, self.value(loop.start))
        parts += [str(loop.step)] * (loop.step != 1)
        return f"{'nb.prange' if loop.parallel else 'range'}({', '.join(parts)})"

    def _line(self, statement: Statement) -> str:
        match statement:
            case Assign(target, assigned, _):
                return f"{self.value(target)} = {self.value(assigned)}"
            case Together(targets, assigned):
                return f"{self._listed(targets)} = {self._listed(assigned)}"
            case Accumulate(target, operand, "+", factor, in_order) if factor or not in_order:
                term = self._listed((operand,) if factor is None else (operand, factor))
                return f"{self.value(target)} = plus({self.value(target)}, {term})"
            case Accumulate(target, operand, operator):
                return f"{self.value(target)} {operator}= {self.value(operand)}"
            case MatrixProduct(left, right, into, keep, at_once):
                given = [_matrix(left), _matrix(right), into, self.value(keep), self.value(at_once)]
                return f"_product({', '.join(given)})"
            case Run(call):
                return self.value(call)
            case Return(returned):
                return f"return {self._listed(returned)}"
            case Refuse(parts):
                said = [f'"{p}"' if isinstance(p, str) else self.value(p) for p in parts]
                return f"raise ValueError({', '.join(said)})"
            case Skip():
                return "continue"
            case Opaque(name, number):
                return f"{name} = _extent({number})"
            case View(name, vector, start, extents):
                return f"{name} = _view({vector}, {start}, {self._tuple(extents)})"
            case Local(buffer):
                return f"{buffer.name} = {self._local(buffer)}"
            case Allocate(buffers):
                return f"{_names(b.name for b in buffers)} = {', '.join(map(self._empty, buffers))}"
            case Windows(names, arrays, start, end):
                cut = f"[{self.value(start)}:{self.value(end)}]"
                return f"{_names(names)} = {', '.join(array + cut for array in arrays)}"
            case Alias(name, array, _):
                return f"{name} = {array}"
            case Pick(name, condition, yes, no):
                other = self._empty(no) if isinstance(no, Buffer) else self.argument(no)
                return f"{name} = {self.argument(yes)} if {self.condition(condition)} else {other}"
            case Counted(name, extent):
                return f"{name} = np.arange({self.value(extent)})"
        raise AssertionError(statement)

    def _listed(self, values: Iterable[Argument]) -> str:
        return ", ".join(map(self.argument, values))

    def _tuple(self, extents: tuple[Value, ...]) -> str:
        return f"({self._listed(extents)}{',' * (len(extents) == 1)})"

    def _local(self, buffer: Buffer) -> str:
        """A vector, and a view of it where there are more axes."""
        size = 1
        for extent in buffer.extents:
            assert isinstance(extent, Number), "a small array has a size that is known"
            size *= int(extent.value)
        vector = f"_local({size})"
        one = len(buffer.extents) == 1
        return vector if one else f"_view({vector}, 0, {self._tuple(buffer.extents)})"

    def _empty(self, buffer: Buffer) -> str:
        extents = buffer.extents
        shape = self.value(extents[0]) if len(extents) == 1 else self._tuple(extents)
        return f"np.empty({shape}{_DTYPES[buffer.kind]})"

    # Values

    def value(self, written: Value, place: int = CHOICE) -> str:
        text, holds = self._written(written)
        return text if holds >= place else f"({text})"

    def argument(self, written: Argument) -> str:
        match written:
            case Array(name):
                return name
            case Part(name, start, end):
                bounds = ("" if each is None else self.value(each) for each in (start, end))
                return f"{name}[{':'.join(bounds)}]"
            case Row(name, place):
                return f"{name}[{self.value(place)}]"
            case Constants(numbers):
                return str(numbers)
            case Nothing():
                return "None"
        return self.value(written)

    def _written(self, written: Value) -> tuple[str, int]:
        match written:
            case Number(number, kind):
                text = self._number(number, kind)
                return text, SUM if text.startswith("-") else ATOM
            case Variable(name):
                return name, ATOM
            case Element(array, indices):
                return f"{array}[{self._listed(indices)}]", ATOM
            case Last(array):
                return f"{array}[-1]", ATOM
            case Extent(array, axis):
                return f"{array}.shape[{axis}]", ATOM
            case Sum(terms):
                return self._sum(terms), SUM
            case Product(factors, divisors):
                text = " * ".join(self.value(factor, ATOM) for factor in factors)
                return text + "".join(f" / {self.value(d, ATOM)}" for d in divisors), PRODUCT
            case Power(base, exponent):
                return f"{self.value(base, ATOM)} ** {self.value(exponent, ATOM)}", PRODUCT
            case Negative(negated):
                return "-" + self.value(negated, PRODUCT), SUM
            case Quotient(dividend, divisor, up):
                sign = "-" if up else ""
                text = f"{sign}{self.value(dividend, PRODUCT)} // {self.value(divisor, ATOM)}"
                return (f"-({text})", SUM) if up else (text, PRODUCT)
            case Bits(operator, left, right):
                return f"{self.value(left, ATOM)} {operator} {self.value(right, ATOM)}", SUM
            case Call() | Invoke():
                return self._call(written), ATOM
            case Total(vector):
                return f"np.sum({self.argument(vector)})", ATOM
            case Choice(condition, yes, no):
                text = f"{self.value(yes)} if {self.condition(condition)} else {self.value(no)}"
                return text, CHOICE
            case Convert():
                return self._converted(written)
        raise AssertionError(written)

    def _number(self, number: float | int, kind: Kind) -> str:
        if kind == "word":
            assert isinstance(number, int)
            return f"np.uint64({f'0x{number:X}' if number > _LARGE_WORD else number})"
        if kind == "whole":
            return str(number)
        literal = ("-np.inf" if number < 0 else "np.inf") if isinf(number) else repr(float(number))
        return f"F({literal})" if kind == "real" and self.single else literal

    def _sum(self, terms: Iterable[tuple[str, Value]]) -> str:
        text = ""
        for sign, term in terms:
            shown = ("-" if sign == "-" else "") if not text else f" {sign} "
            text += shown + self.value(term, PRODUCT)
        return text

    def _call(self, call: Call | Invoke) -> str:
        name = call.function
        if isinstance(call, Call):
            name = (_OF_DOUBLES if call.kind == "double" else _OF_ALL).get(name, name)
        return f"{name}({', '.join(map(self.argument, call.arguments))})"

    def _converted(self, conversion: Convert) -> tuple[str, int]:
        come, kind = conversion.value.kind, conversion.kind
        if come == kind or (come == "double" and kind == "real" and not self.single):
            return self._written(conversion.value)
        names = {
            "double": "float",
            "whole": "int" if come == "double" else "np.int64",
            "word": "np.uint64",
        }
        name = ("F" if self.single else "float") if kind == "real" else names[kind]
        return f"{name}({self.value(conversion.value)})", ATOM

    # Conditions

    def condition(self, condition: Condition) -> str:
        match condition:
            case Compare(operators, (first, *rest)):
                compared = (
                    f" {o} {self.value(v, SUM)}" for o, v in zip(operators, rest, strict=True)
                )
                return self.value(first, SUM) + "".join(compared)
            case Not(Given(name)):
                return f"{name} is None"
            case Not(negated):
                return f"not {self.condition(negated)}"
            case Either(conditions):
                return " or ".join(map(self.condition, conditions))
            case Nonzero(number):
                return self.value(number, SUM)
            case Finite(number):
                return f"np.isfinite({self.value(number)})"
            case Overlap(one, other):
                return f"_overlap({one}, {other})"
            case Given(name):
                return f"{name} is not None"
        raise AssertionError(condition)


def _matrix(matrix: Matrix) -> str:
    return matrix.array + (".T" if matrix.transposed else "")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
