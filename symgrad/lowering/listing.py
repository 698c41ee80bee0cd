"""listing: a lowered program as plain text, every kind, extent and conversion said.

    gradient_of_leaf(theta: real[9], xs: real[samples, 2], N: real, …)
        E_sum: double := 0.0
        for n in 0 … rows:
            z1: real := x[n, 0] · W1[0, 0] + b1[0]

`:=` gives a name or an element its value, arrays come with their memory, and what stands in angle
brackets is converted to that kind: <real> rate.
"""

from collections.abc import Iterable, Iterator

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
    Variable,
    View,
    While,
    Windows,
)  # fmt: skip

_INDENT = "    "


def listing(functions: Iterable[Function]) -> str:
    """The functions one after the other, an empty line between two."""
    return "\n\n".join("\n".join(_function(function)) for function in functions) + "\n"


def _function(function: Function) -> Iterator[str]:
    parameters = ", ".join(map(_parameter, function.parameters))
    yield f"{function.name}({parameters})  {function.role}{', apart' * function.apart}"
    yield from _body(function.body, _INDENT)


def _parameter(parameter: Parameter) -> str:
    extents = f"[{', '.join(map(str, parameter.extents))}]" if parameter.extents else ""
    return f"{parameter.name}: {parameter.kind}{extents}{'?' * parameter.optional}"


def _body(statements: Iterable[Statement], indent: str) -> Iterator[str]:
    inner = indent + _INDENT
    for statement in statements:
        match statement:
            case Loop(index, end, body, start, step, parallel, lanes):
                head = "for each" if parallel else "at once for" if lanes else "for"
                by = f" by {step}" if step != 1 else ""
                yield f"{indent}{head} {index} in {shown(start)} … {shown(end)}{by}:"
                yield from _body(body, inner)
            case Each(name, vector, kind, body):
                yield f"{indent}for {name}: {kind} of {vector}:"
                yield from _body(body, inner)
            case While(condition, body):
                yield f"{indent}while {shown(condition)}:"
                yield from _body(body, inner)
            case Branch(condition, yes, no):
                yield f"{indent}if {shown(condition)}:"
                yield from _body(yes, inner)
                if no:
                    yield f"{indent}else:"
                    yield from _body(no, inner)
            case _:
                yield indent + _line(statement)


def _line(statement: Statement) -> str:
    match statement:
        case Comment(text):
            return f"# {text}"
        case Assign(target, value, _):
            return f"{_target(target)} := {shown(value)}"
        case Together(targets, values):
            return f"{', '.join(map(_target, targets))} := {_listed(values)}"
        case Accumulate(target, value, operator, factor):
            by = "" if factor is None else f" · {shown(factor)}"
            return f"{shown(target)} {operator}= {shown(value)}{by}"
        case MatrixProduct(left, right, into, row, piece, onto):
            product = f"{_matrix(left)} × {_matrix(right)}"
            start = "" if row is None else f", from {row}"
            part = "" if piece is None else f", piece {shown(piece[0])} of {shown(piece[1])}"
            return f"{into} {'+' if onto else ':'}= {product}{start}{part}"
        case RowSum(array, into):
            return f"{into} := the sum of the rows of {array}"
        case Run(call):
            return shown(call)
        case Return(values):
            return f"return {_listed(values)}".rstrip()
        case Refuse(parts):
            return f"refuse {' '.join(p if isinstance(p, str) else shown(p) for p in parts)}"
        case Skip():
            return "skip"
        case Opaque(name, number):
            return f"{name}: whole := {number}, unrolled nowhere"
        case View(name, vector, start, extents, rows):
            behind = "" if rows is None else f" and {shown(rows)} rows"
            return f"{name}[{_listed(extents)}] in {vector} from {start}{behind} on"
        case Table(name, numbers):
            shown_of = ", ".join(map(str, numbers[:3])) + ", …" * (len(numbers) > 3)
            return f"{name}: real[{len(numbers)}] := {shown_of}"
        case Local(buffer):
            return f"{_buffer(buffer)} on the stack"
        case Allocate(buffers):
            return ", ".join(map(_buffer, buffers))
        case Windows(names, arrays, start, end):
            of = ", ".join(f"{n} in {a}" for n, a in zip(names, arrays, strict=True))
            return f"{of}, rows {shown(start)} … {shown(end)}"
        case Alias(name, array, note):
            return f"{name} in {array}, {note}"
        case Pick(name, condition, yes, no):
            one, other = (_buffer(p) if isinstance(p, Buffer) else shown(p) for p in (yes, no))
            return f"{name} in {one} if {shown(condition)}, else in {other}"
        case Counted(name, extent):
            return f"{name}: whole[{shown(extent)}] := 0, 1, 2, …"
    raise AssertionError(statement)


def _target(target: Variable | Element) -> str:
    return f"{target.name}: {target.kind}" if isinstance(target, Variable) else shown(target)


def _buffer(buffer: Buffer) -> str:
    return f"{buffer.name}: {buffer.kind}[{_listed(buffer.extents)}]"


def _matrix(matrix: Matrix) -> str:
    return matrix.array + "ᵀ" * matrix.transposed


def _listed(values: Iterable[Argument]) -> str:
    return ", ".join(map(shown, values))


def shown(value: Argument | Condition, inside: bool = False) -> str:
    """A value; within another, in parentheses where it is computed from several."""
    text = _text(value)
    several = Sum | Product | Power | Negative | Quotient | Bits | Choice | Compare | Either
    return f"({text})" if inside and isinstance(value, several) else text


def _text(value: Argument | Condition) -> str:
    def within(part: Argument | Condition) -> str:
        return shown(part, inside=True)

    match value:
        case Number(number):
            return repr(number)
        case Variable(name) | Array(name):
            return name
        case Element(array, indices):
            return f"{array}[{_listed(indices)}]"
        case Last(array):
            return f"last of {array}"
        case Extent(array, axis):
            return f"|{array}|{axis}"
        case Sum(((sign, first), *rest)):
            head = "-" * (sign == "-") + within(first)
            return head + "".join(f" {s} {within(term)}" for s, term in rest)
        case Product(factors, divisors):
            over = "".join(f" / {within(divisor)}" for divisor in divisors)
            return " · ".join(map(within, factors)) + over
        case Power(base, exponent):
            return f"{within(base)} ** {within(exponent)}"
        case Negative(negated):
            return f"-{within(negated)}"
        case Quotient(dividend, divisor, up):
            return f"{within(dividend)} {'⌈/⌉' if up else '⌊/⌋'} {within(divisor)}"
        case Bits(operator, left, right):
            return f"{within(left)} {operator} {within(right)}"
        case Call(name, arguments, _) | Invoke(name, arguments, _):
            return f"{name}({_listed(arguments)})"
        case Total(vector):
            return f"total of {shown(vector)}"
        case Choice(condition, yes, no):
            return f"{within(yes)} if {within(condition)} else {within(no)}"
        case Convert(converted, kind):
            return f"<{kind}> {within(converted)}"
        case Part(name, start, end):
            bounds = ["" if each is None else shown(each) for each in (start, end)]
            return f"{name}[{' … '.join(bounds)}]"
        case Row(name, index):
            return f"{name}[{shown(index)}]"
        case Constants(numbers):
            return f"[{', '.join(map(str, numbers))}]"
        case Nothing():
            return "nothing"
        case Compare(operators, (first, *compared)):
            pairs = zip(operators, compared, strict=True)
            return within(first) + "".join(f" {o} {within(other)}" for o, other in pairs)
        case Not(negated):
            return f"not {within(negated)}"
        case Either(conditions):
            return " or ".join(map(within, conditions))
        case Nonzero(number):
            return f"{within(number)} ≠ 0"
        case Finite(number):
            return f"{within(number)} is finite"
        case Overlap(one, other):
            return f"{one} overlaps {other}"
        case RowShape(array, extents):
            return f"rows of {array} are of shape {extents}"
        case Given(name):
            return f"{name} is given"
    raise AssertionError(value)
