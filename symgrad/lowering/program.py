"""Lowered programs: functions of loops, assignments, matrix products and calls, as data.

    program    ::=  function*
    function   ::=  name parameter* statement*
    parameter  ::=  name kind extent*                      no extents: a number
    statement  ::=  Comment text
                 |  Assign target value                    target = value
                 |  Together (target value)*               all values are taken before any is stored
                 |  Accumulate target operator value [value]   target += value·value, -= or *=
                 |  Loop index start end step statement*
                 |  Each name vector statement*
                 |  While condition statement*
                 |  Branch condition statement* statement*
                 |  MatrixProduct matrix matrix array row piece    array = row + matrix·matrix
                 |  RowSum matrix array                        array = the sum of a matrix's rows
                 |  Run call | Return value* | Refuse part* | Skip
                 |  memory
    memory     ::=  Local name extent*                     of one call, small: on the stack
                 |  Allocate (name kind extent*)*          of one call
                 |  View name array start rows extent*     a piece of an array, row by row
                 |  Windows (name array)* start end        these rows of each
                 |  Alias name array                       another name for the same memory
                 |  Pick name condition array array        one of two
                 |  Counted name extent                    the numbers 0, 1, 2, …
                 |  Opaque name number                     how often loops run, not to unroll them
                 |  Table name number*                     reals that are known
    target     ::=  Variable | Element
    value      ::=  Number | Variable | Element array value* | Last array | Extent array axis
                 |  Sum (sign value)* | Product value* value* | Power value value | Negative value
                 |  Quotient value value | Bits operator value value
                 |  Call function value* | Invoke function argument* | Total array
                 |  Choice condition value value | Convert value kind
    condition  ::=  Compare operator* value* | Not condition | Either condition* | Nonzero value
                 |  Finite value | Overlap array array | Given name
    argument   ::=  value | Array | Part array start end | Row array index | Constants | Nothing
    kind       ::=  "real" | "double" | "whole" | "word" | "truth"

Every value has one kind: `real` is the module's own precision, float32 or float64, `double` is
float64, `whole` and `word` are integers of 64 bits with and without a sign. Nothing is converted
unsaid but for this: where a real and a double meet, the real is widened, which is exact. A view, a
part or a row of what was left out is left out.

Sums and products are chains, computed from the left: a·b/c is (a·b)/c. Nothing is reordered, nor
multiplied and added in one, but where an `Accumulate` or a product of matrices says so. A name has
one kind all through a function, and an array one shape; memory ends with the function that it is
declared in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["real", "double", "whole", "word", "truth"]
Sign = Literal["+", "-"]


# ---- Values --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """`label` is a name for readers, of a number that follows from the network."""

    value: float | int
    kind: Kind
    label: str = field(default="", compare=False)


@dataclass(frozen=True)
class Variable:
    name: str
    kind: Kind


@dataclass(frozen=True)
class Element:
    array: str
    indices: "tuple[Value, ...]"
    kind: Kind


@dataclass(frozen=True)
class Last:
    """The last number of a vector."""

    array: str
    kind: Kind


@dataclass(frozen=True)
class Extent:
    """How many rows, or columns, an array has."""

    array: str
    axis: int
    kind: Kind = "whole"


@dataclass(frozen=True)
class Sum:
    """The terms in order, each with its sign."""

    terms: "tuple[tuple[Sign, Value], ...]"

    @property
    def kind(self) -> Kind:
        return joined(term.kind for _, term in self.terms)


@dataclass(frozen=True)
class Product:
    """The factors multiplied in order, and then divided by each divisor in order."""

    factors: "tuple[Value, ...]"
    divisors: "tuple[Value, ...]" = ()

    @property
    def kind(self) -> Kind:
        return joined(factor.kind for factor in (*self.factors, *self.divisors))


@dataclass(frozen=True)
class Power:
    base: "Value"
    exponent: "Value"

    @property
    def kind(self) -> Kind:
        return joined((self.base.kind, self.exponent.kind))


@dataclass(frozen=True)
class Negative:
    value: "Value"

    @property
    def kind(self) -> Kind:
        return self.value.kind


@dataclass(frozen=True)
class Quotient:
    """Of whole numbers, rounded down, or up."""

    dividend: "Value"
    divisor: "Value"
    up: bool = False
    kind: Kind = "whole"


@dataclass(frozen=True)
class Bits:
    """Of words and whole numbers: ^ is exclusive or, & is and, << and >> are shifts."""

    operator: Literal["^", "&", "<<", ">>"]
    left: "Value"
    right: "Value"

    @property
    def kind(self) -> Kind:
        return self.left.kind


@dataclass(frozen=True)
class Call:
    """An elementary function; of reals the module's own, of doubles the target's."""

    function: str
    arguments: "tuple[Value, ...]"
    kind: Kind


@dataclass(frozen=True)
class Invoke:
    """A function of the program."""

    function: str
    arguments: "tuple[Argument, ...]"
    kind: Kind = "double"


@dataclass(frozen=True)
class Total:
    """The sum of a vector's numbers."""

    vector: "Argument"
    kind: Kind = "real"


@dataclass(frozen=True)
class Choice:
    condition: "Condition"
    yes: "Value"
    no: "Value"

    @property
    def kind(self) -> Kind:
        return joined((self.yes.kind, self.no.kind))


@dataclass(frozen=True)
class Convert:
    """Rounded to the nearest, ties to even; to whole numbers towards zero."""

    value: "Value"
    kind: Kind


# ---- Conditions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compare:
    """One after the other, as in 0 <= place < samples. NaN compares as IEEE 754 has it."""

    operators: tuple[str, ...]
    operands: "tuple[Value, ...]"
    kind: Kind = "truth"


@dataclass(frozen=True)
class Not:
    condition: "Condition"
    kind: Kind = "truth"


@dataclass(frozen=True)
class Either:
    conditions: "tuple[Condition, ...]"
    kind: Kind = "truth"


@dataclass(frozen=True)
class Nonzero:
    value: "Value"
    kind: Kind = "truth"


@dataclass(frozen=True)
class Finite:
    value: "Value"
    kind: Kind = "truth"


@dataclass(frozen=True)
class RowShape:
    """Whether the axes of an array behind the first are so long: numbers, or a constant's name."""

    array: str
    extents: "str | tuple[int, ...]"
    kind: Kind = "truth"


@dataclass(frozen=True)
class Overlap:
    """Whether two arrays have memory in common."""

    one: str
    other: str
    kind: Kind = "truth"


@dataclass(frozen=True)
class Given:
    """Whether a parameter that may be left out was not."""

    name: str
    kind: Kind = "truth"


Condition = Compare | Not | Either | Nonzero | Finite | Overlap | RowShape | Given

Value = (
    Number | Variable | Element | Last | Extent | Sum | Product | Power | Negative | Quotient
    | Bits | Call | Invoke | Total | Choice | Convert
)  # fmt: skip


# ---- Arrays as arguments -------------------------------------------------------------------------


@dataclass(frozen=True)
class Array:
    name: str


@dataclass(frozen=True)
class Part:
    """The rows of an array from `start` on, before `end`: from the first, to the last if None."""

    name: str
    start: Value | None
    end: Value | None


@dataclass(frozen=True)
class Row:
    name: str
    index: Value


@dataclass(frozen=True)
class Constants:
    """A vector of whole numbers that are known."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Nothing:
    """What stands for a parameter that is left out."""


Argument = Value | Array | Part | Row | Constants | Nothing


# ---- Statements ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comment:
    """For readers: the equation that the statements below compute."""

    text: str


@dataclass(frozen=True)
class Assign:
    target: Variable | Element
    value: Value
    note: str = ""


@dataclass(frozen=True)
class Together:
    targets: tuple[Variable | Element, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Accumulate:
    """A term is added to a sum, after those before it: a value, or a product of two, which is
    multiplied and added in one operation that rounds once. Or it is subtracted, or multiplied."""

    target: Variable | Element
    value: Value
    operator: Literal["+", "-", "*"] = "+"
    times: Value | None = None


@dataclass(frozen=True)
class Loop:
    """The index takes the values from `start` on, before `end`; in any order if `parallel`. One
    over `lanes` takes all of them at once: it computes and stores numbers, each turn at its own
    places, and nothing else is done in it."""

    index: str
    end: Value
    body: "tuple[Statement, ...]"
    start: Value = Number(0, "whole")
    step: int = 1
    parallel: bool = False
    lanes: bool = False


@dataclass(frozen=True)
class Each:
    """The name takes the values of a vector's numbers."""

    name: str
    vector: str
    kind: Kind
    body: "tuple[Statement, ...]"


@dataclass(frozen=True)
class While:
    condition: Condition
    body: "tuple[Statement, ...]"


@dataclass(frozen=True)
class Branch:
    condition: Condition
    yes: "tuple[Statement, ...]"
    no: "tuple[Statement, ...]" = ()


@dataclass(frozen=True)
class Matrix:
    array: str
    transposed: bool


@dataclass(frozen=True)
class MatrixProduct:
    """into = left·right, on top of 0 or of a row, which is added to each of its rows, or `onto`
    what is there. Every number of it is one chain of fused multiply-adds, from its start along the
    sum, in order. `piece` k of n pieces is some rows of the result; all pieces have all of them. Of
    an `upper` one, of as many rows as columns, what is below the diagonal may be anything."""

    left: Matrix
    right: Matrix
    into: str
    row: str | None = None
    piece: "tuple[Value, Value] | None" = None
    onto: bool = False
    upper: bool = False


@dataclass(frozen=True)
class RowSum:
    """into = the sum of the rows of an array, from 0 on, in order."""

    array: str
    into: str


@dataclass(frozen=True)
class Run:
    call: Invoke


@dataclass(frozen=True)
class Return:
    """Ends the function, with these results."""

    values: tuple[Argument, ...]


@dataclass(frozen=True)
class Refuse:
    """Ends the call with an error that says this."""

    parts: tuple[str | Value, ...]


@dataclass(frozen=True)
class Skip:
    """Goes on with the next turn of the loop."""

    note: str = ""


@dataclass(frozen=True)
class Buffer:
    """Memory for an array, row by row."""

    name: str
    kind: Kind
    extents: tuple[Value, ...]


@dataclass(frozen=True)
class Local:
    buffer: Buffer


@dataclass(frozen=True)
class Allocate:
    buffers: tuple[Buffer, ...]


@dataclass(frozen=True)
class View:
    """The array begins behind `start` numbers and so many rows of its own, if that is said."""

    name: str
    vector: str
    start: int
    extents: tuple[Value, ...]
    rows: Value | None = None


@dataclass(frozen=True)
class Windows:
    names: tuple[str, ...]
    arrays: tuple[str, ...]
    start: Value
    end: Value


@dataclass(frozen=True)
class Alias:
    name: str
    array: str
    note: str = "in the same memory"


@dataclass(frozen=True)
class Pick:
    """Each may be memory that is made for it, and that is left out if it is `Nothing`."""

    name: str
    condition: Condition
    yes: Array | Part | Row | Buffer
    no: Array | Part | Row | Buffer | Nothing


@dataclass(frozen=True)
class Counted:
    name: str
    extent: Value


@dataclass(frozen=True)
class Opaque:
    name: str
    number: int
    label: str = field(default="", compare=False)


@dataclass(frozen=True)
class Table:
    """Reals that are known: a module has them under this name, for all its functions."""

    name: str
    numbers: tuple[float, ...]


Memory = Local | Allocate | View | Windows | Alias | Pick | Counted | Opaque | Table
Statement = (
    Comment | Assign | Together | Accumulate | Loop | Each | While | Branch | MatrixProduct | RowSum
    | Run | Return | Refuse | Skip | Memory
)  # fmt: skip


# ---- Functions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A number, or an array of these extents, whole numbers or names for what callers choose.
    Optional ones may be given `Nothing`; the others that may be left out are it then."""

    name: str
    kind: Kind
    extents: tuple[int | str, ...] = ()
    optional: bool = False
    left_out: bool = False


# How a function is compiled. Threaded ones run their parallel loops on several threads;
# `written_out` ones are a part of each caller.
Role = Literal["public", "inner", "inlined", "threaded", "written_out"]


@dataclass(frozen=True)
class Function:
    """`apart` functions are not merged into their callers, and have the same bits for all."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    says: str = ""
    role: Role = "inner"
    apart: bool = False


# ---- Reading them --------------------------------------------------------------------------------


def joined(kinds: Iterator[Kind] | tuple[Kind, ...]) -> Kind:
    """The kind of what is computed from such operands: the wider one."""
    found = set(kinds)
    return "double" if found == {"real", "double"} else sorted(found)[0]


def operands(value: "Argument | Condition") -> tuple["Argument | Condition", ...]:
    """What a value, a condition or an argument is computed from."""
    match value:
        case Element(_, indices):
            return indices
        case Sum(terms):
            return tuple(term for _, term in terms)
        case Product(factors, divisors):
            return (*factors, *divisors)
        case Power(one, other) | Quotient(one, other) | Bits(_, one, other):
            return one, other
        case Negative(one) | Convert(one, _) | Nonzero(one) | Finite(one) | Not(one):
            return (one,)
        case Total(one) | Row(_, one):
            return (one,)
        case Call(_, arguments) | Invoke(_, arguments) | Either(arguments) | Compare(_, arguments):
            return tuple(arguments)
        case Choice(condition, yes, no):
            return condition, yes, no
        case Part(_, start, end):
            return tuple(each for each in (start, end) if each is not None)
    return ()


def values(statement: Statement) -> tuple["Argument | Condition", ...]:
    """The values, conditions and arguments that stand in a statement itself, targets first."""
    match statement:
        case Assign(target, value, _):
            return target, value
        case Accumulate(target, value, _, factor):
            return (target, value) if factor is None else (target, value, factor)
        case Together(targets, taken):
            return (*targets, *taken)
        case Loop(_, end, _, start):
            return start, end
        case Each(_, vector):
            return (Array(vector),)
        case Branch(condition) | While(condition):
            return (condition,)
        case MatrixProduct(left, right, into, row, piece):
            arrays = (left.array, right.array, into, *([] if row is None else [row]))
            return *map(Array, arrays), *(piece or ())
        case RowSum(array, into):
            return Array(array), Array(into)
        case Run(call):
            return (call,)
        case Return(returned):
            return returned
        case Refuse(parts):
            return tuple(part for part in parts if not isinstance(part, str))
        case Local(buffer):
            return buffer.extents
        case Allocate(buffers):
            return tuple(extent for buffer in buffers for extent in buffer.extents)
        case View(_, vector, _, extents, rows):
            return (Array(vector), *extents, *([] if rows is None else [rows]))
        case Windows(_, arrays, start, end):
            return (*map(Array, arrays), start, end)
        case Alias(_, array):
            return (Array(array),)
        case Pick(_, condition, yes, no):
            pieces = (p.extents if isinstance(p, Buffer) else (p,) for p in (yes, no))
            return condition, *(value for piece in pieces for value in piece)
        case Counted(_, extent):
            return (extent,)
    return ()


def walk(value: "Argument | Condition") -> Iterator["Argument | Condition"]:
    """A value and all that it is computed from, itself first."""
    yield value
    for operand in operands(value):
        yield from walk(operand)


def inner(statement: Statement) -> tuple[Statement, ...]:
    """The statements within a statement."""
    match statement:
        case Loop() | Each() | While():
            return statement.body
        case Branch():
            return (*statement.yes, *statement.no)
    return ()


def every(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    """All statements, also those within others, as they stand."""
    for statement in statements:
        yield statement
        yield from every(inner(statement))


def calls(statements: tuple[Statement, ...]) -> frozenset[str]:
    """The elementary functions of reals that statements call."""
    return frozenset(
        node.function
        for statement in every(statements)
        for value in values(statement)
        for node in walk(value)
        if isinstance(node, Call) and node.kind == "real" and node.function not in BUILT_IN
    )


# Functions that every target has itself, whatever the kind; `threads` is how many there are.
BUILT_IN = frozenset({"sqrt", "abs", "min", "max", "threads"})

WHOLE_ZERO = Number(0, "whole")


def whole(number: int, label: str = "") -> Number:
    return Number(number, "whole", label)


def index(name: str) -> Variable:
    return Variable(name, "whole")


def plus(*terms: Value) -> Sum:
    return Sum(tuple(("+", term) for term in terms))


def minus(one: Value, other: Value) -> Sum:
    return Sum((("+", one), ("-", other)))


def times(*factors: Value) -> Product:
    return Product(factors)


def equal(one: Value, other: Value) -> Compare:
    return Compare(("==",), (one, other))
