"""source: lowered functions as Python source for Numba.

In a float32 module a real constant is written F(0.5): a bare 0.5 would make expressions float64. In
functions that are the same for every network, F is the dtype of the one that they are made for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import isinf, prod

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
    RowShape,
    RowSum,
    Run,
    Skip,
    Statement,
    Sum,
    Table,
    Together,
    Total,
    Value,
    Variable,
    View,
    While,
    Windows,
    every,
    whole,
)  # fmt: skip
from symgrad.lowering.results import MOMENTS

# How tightly source text holds together: in a condition, a sum, a product, a power or a call.
CHOICE, SUM, PRODUCT, ATOM = range(4)

# What functions are called that Numba has itself: of reals as of doubles, and of doubles alone.
_OF_ALL = {"sqrt": "np.sqrt", "threads": "nb.get_num_threads"}
_OF_DOUBLES = {
    "sqrt": "np.sqrt", "floor": "np.floor", "minimum": "min",
    "cos": "cos64", "power": "power64", "power_whole": "power64_whole",
}  # fmt: skip

# From here on a word is written in hexadecimal.
_LARGE_WORD = 1 << 16

_INDENT = "    "


# What a module's functions call of the runtime.
VOCABULARY = (
    "_overlap", "flat", "fma", "fresh", "local", "matmul", "matmul_onto", "matmul_piece",
    "matmul_piece_onto", "matmul_upper_onto", "noinline", "opaque", "sum_rows", "view",
)  # and build  # fmt: skip


def source(
    function: Function,
    single: bool,
    weights: Sequence[str],
    places: Mapping[str, str] | None = None,
) -> str:
    """A function of a network's own as it stands in its module, without a line's end; `weights` are
    the arrays in theta, in their order. The names of numbers that follow from the network stand in
    it, and `places` for where arrays begin in scratch memory, so that one unit more leaves the text
    as it is."""
    printer = _Printer(single, weights=weights, places=places or {})
    return "\n".join([*_head(function), *printer.lines(function.body, _INDENT)])


def generic(functions: Iterable[Function]) -> str:
    """Functions that are the same for every network, within a function that has what they are
    made for; without a line's end."""
    return "\n\n".join("\n".join(_generic(function)) for function in functions)


def _generic(function: Function) -> Iterator[str]:
    printer = _Printer(single=True, optional=_optional(function))
    lines = [*printer.lines(function.body, _INDENT)]
    texts = [f'{name} = f"{text}"' for name, text in printer.texts.items()]
    role = "inner" if function.role == "public" else function.role
    for line in (*texts, *[""] * bool(texts), f"@{role}", *_head(function), *lines):
        for part in line.splitlines():
            yield _INDENT + part if part else part


def _optional(function: Function) -> frozenset[str]:
    """The arrays that may be None."""
    parameters = {p.name for p in function.parameters if p.extents and (p.optional or p.left_out)}
    picked = {
        statement.name
        for statement in every(function.body)
        if isinstance(statement, Pick) and isinstance(statement.no, Nothing)
    }
    return frozenset(parameters | picked)


def vocabulary(text: str) -> list[str]:
    """What a module's text calls of the runtime."""
    return [name for name in VOCABULARY if re.search(rf"(?<![\w.]){name}\(", text)]


def _head(function: Function) -> list[str]:
    parameters = ", ".join(map(_parameter, function.parameters))
    says = _lines(function.says) if function.says else []
    noinline = [f"{_INDENT}noinline()"] * function.apart
    return [f"def {function.name}({parameters}):", *says, *noinline]


def _lines(says: str) -> list[str]:
    first, *rest = f'"""{says}"""'.splitlines()
    return [_INDENT + first, *rest]


def _parameter(parameter: Parameter) -> str:
    return parameter.name + ("=None" if parameter.left_out else "")


class _Printer:
    """`texts` are the messages that have numbers of a network in them, by name."""

    def __init__(
        self,
        single: bool,
        optional: frozenset[str] = frozenset(),
        weights: Sequence[str] = (),
        places: Mapping[str, str] | None = None,
    ) -> None:
        self.single, self.optional = single, optional
        self.weights, self.places = weights, places or {}
        self.dtype = "F" if single else "np.float64"
        self.texts: dict[str, str] = {}
        self.deep: set[str] = set()  # the arrays of more than two axes

    # Statements

    def lines(self, body: Iterable[Statement], indent: str) -> Iterator[str]:
        for flat, group in groupby(body, self._flat):
            if flat:
                yield indent + self._parameters(*flat, [*group])
                continue
            yield from self._each(group, indent)

    def _flat(self, statement: Statement) -> tuple[str, str] | None:
        """The vector in which an array lies that has the place of a weight's, and what the name of
        the array has before that weight's."""
        if isinstance(statement, View) and statement.vector not in ("scratch", MOMENTS):
            for weight in self.weights:
                if statement.name == weight or statement.name.endswith(f"_{weight}"):
                    return statement.vector, statement.name.removesuffix(weight)
        return None

    def _parameters(self, vector: str, mark: str, views: Iterable[Statement]) -> str:
        """The arrays of weights that lie in a vector, all in one line."""
        used = {view.name for view in views if isinstance(view, View)}
        names = [mark + name for name in self.weights]
        targets = _names(n if n in used else "_" for n in names)
        return f"{targets if len(names) > 1 else f'({targets},)'} = parameters({vector})"

    def _each(self, body: Iterable[Statement], indent: str) -> Iterator[str]:
        for statement in body:
            match statement:
                case Table():
                    pass  # the module has it
                case Loop():
                    yield f"{indent}for {statement.index} in {self._range(statement)}:"
                    yield from self.lines(statement.body, indent + _INDENT)
                case Each(name, vector, _, inner):
                    yield f"{indent}for {name} in {vector}:"
                    yield from self.lines(inner, indent + _INDENT)
                case While(condition, inner):
                    yield f"{indent}while {self.condition(condition)}:"
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
            case Accumulate(target, operand, "+", factor) if factor is not None:
                return f"{self.value(target)} = fma({self._listed((operand, factor, target))})"
            case Accumulate(target, operand, operator):
                return f"{self.value(target)} {operator}= {self.value(operand)}"
            case MatrixProduct(left, right, into, row, piece, onto, upper):
                given = [self._matrix(left), self._matrix(right), self._flat_of(into)]
                given += [row] if row else []
                given += [] if piece is None else map(self.value, piece)
                kind = "_upper" if upper else "_piece" if piece is not None else ""
                name = f"matmul{kind}{'_onto' * onto}"
                return f"{name}({', '.join(given)})"
            case RowSum(array, into):
                return f"sum_rows({array}, {into})"
            case Run(call):
                return self.value(call)
            case Return(returned):
                return f"return {self._listed(returned)}".rstrip()
            case Refuse(parts):
                said = [self._text(p) if isinstance(p, str) else self.value(p) for p in parts]
                return f"raise ValueError({', '.join(said)})"
            case Skip():
                return "continue"
            case Opaque(name, number, label):
                return f"{name} = opaque({label or number})"
            case View(name, vector, start, extents):
                self.deep |= {name} if len(extents) > 2 else set()
                return f"{name} = view({vector}, {self._start(statement)}, {self._tuple(extents)})"
            case Local(buffer):
                self.deep |= {buffer.name} if len(buffer.extents) > 2 else set()
                return f"{buffer.name} = {self._local(buffer)}"
            case Allocate(buffers):
                return f"{_names(b.name for b in buffers)} = {', '.join(map(self._empty, buffers))}"
            case Windows(names, arrays, start, end):
                cut = f"[{self.value(start)}:{self.value(end)}]"
                return f"{_names(names)} = {', '.join(array + cut for array in arrays)}"
            case Alias(name, array, _):
                self.deep |= {name} if array in self.deep else set()
                return f"{name} = {array}"
            case Pick(name, Given(vector), Buffer(extents=(size,)), Nothing()):
                return f"{name} = fresh({vector}, {self.value(size)})"
            case Pick(name, condition, yes, no):
                one, other = (
                    self._empty(p) if isinstance(p, Buffer) else self.argument(p) for p in (yes, no)
                )
                return f"{name} = {one} if {self.condition(condition)} else {other}"
            case Counted(name, extent):
                return f"{name} = np.arange({self.value(extent)})"
        raise AssertionError(statement)

    def _matrix(self, matrix: Matrix) -> str:
        return self._flat_of(matrix.array) + (".T" if matrix.transposed else "")

    def _flat_of(self, array: str) -> str:
        """An array of more axes as a matrix: all of them but the last are rows."""
        return f"flat({array})" if array in self.deep else array

    def _start(self, view: View) -> str:
        """Where a view begins: in scratch memory as the module's constants have it."""
        if view.vector == "scratch" and view.name in self.places:
            behind = map(self.value, (view.rows, *view.extents[1:])) if view.rows else ()
            return self.places[view.name] + (f" + {text}" if (text := " * ".join(behind)) else "")
        if view.rows is not None:
            return f"{view.start} + {' * '.join(map(self.value, (view.rows, *view.extents[1:])))}"
        size, *more = view.extents
        if view.vector == MOMENTS or more or not isinstance(size, Number):
            return str(view.start)
        place = view.start // int(size.value)
        return "0" if place == 0 else (size.label if place == 1 else f"{place} * {size.label}")

    def _listed(self, values: Iterable[Argument]) -> str:
        return ", ".join(map(self.argument, values))

    def _tuple(self, extents: tuple[Value, ...]) -> str:
        return f"({self._listed(extents)}{',' * (len(extents) == 1)})"

    def _local(self, buffer: Buffer) -> str:
        """A vector, and a view of it where there are more axes."""
        if len(buffer.extents) == 1:
            return f"local({self.value(buffer.extents[0])}, {self._number_type(buffer.kind)})"
        # a number: Numba takes a product of constants for none
        size = prod(int(e.value) for e in buffer.extents if isinstance(e, Number))
        made = f"local({size}, {self._number_type(buffer.kind)})"
        return f"view({made}, 0, {self._tuple(buffer.extents)})"

    def _number_type(self, kind: Kind) -> str:
        known = {"double": "np.float64", "whole": "np.int64", "word": "np.uint64"}
        return known.get(kind, self.dtype)

    def _empty(self, buffer: Buffer) -> str:
        extents = buffer.extents
        shape = self.value(extents[0]) if len(extents) == 1 else self._tuple(extents)
        return f"np.empty({shape}{self._dtype(buffer.kind)})"

    def _dtype(self, kind: Kind) -> str:
        if kind == "real":
            return ", F" if self.single else ""
        return {"double": "", "whole": ", np.int64", "word": ", np.uint64"}[kind]

    def _text(self, text: str) -> str:
        """A message; one with numbers of a network in it is made once."""
        if "{" not in text:
            return f'"{text}"'
        words = re.findall(r"\w+", text)
        name = "_".join(words[:2])
        if self.texts.setdefault(name, text) != text:
            name = "_".join(words)
            self.texts[name] = text
        return name

    # Values

    def value(self, written: Value, place: int = CHOICE) -> str:
        text, holds = self._written(written)
        return text if holds >= place else f"({text})"

    def argument(self, written: Argument) -> str:
        match written:
            case Array(name):
                return name
            case Part(name, start, end) if name in self.optional and end is not None:
                return f"_part({name}, {self.value(start or whole(0))}, {self.value(end)})"
            case Part(name, start, end):
                bounds = ("" if each is None else self.value(each) for each in (start, end))
                return f"{name}[{':'.join(bounds)}]"
            case Row(name, place) if name in self.optional:
                return f"_row({name}, {self.value(place)})"
            case Row(name, place):
                return f"{name}[{self.value(place)}]"
            case Constants(numbers):
                return str(numbers)
            case Nothing():
                return "None"
        return self.value(written)

    def _written(self, written: Value) -> tuple[str, int]:
        match written:
            case Number(number, kind, label):
                text = label or self._number(number, kind)
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
            # to Numba float() of a float32 is a float32
            "double": "np.float64" if come == "real" and self.single else "float",
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
            case Not(Either() as negated):
                return f"not ({self.condition(negated)})"
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
            case RowShape(array, extents):
                return f"{array}.shape[1:] == {extents}"
            case Given(name):
                return f"{name} is not None"
        raise AssertionError(condition)



def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
