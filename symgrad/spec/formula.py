"""A user's formula: untrusted text in, a small immutable tree out. Nothing is ever executed.

The grammar, loosest binding first; precedence and associativity are Python's:

    formula  ::= sum
    sum      ::= product (("+" | "-") product)*
    product  ::= unary (("*" | "/") unary)*
    unary    ::= ("-" | "+") unary | power
    power    ::= operand ["**" unary]              the exponent: a constant, at most 16 in size
    operand  ::= NUMBER | quantity | call | derived | "(" sum ")"
    call     ::= FUNCTION "(" sum ("," sum)* ")"   `sum(...)` not inside another `sum(...)`
    quantity ::= NAME ["[" NUMBER "]"]             a column of y, t or x: losses alone have these
    derived  ::= "D" "(" quantity ("," quantity)+ ")" | "laplacian" "(" quantity ")"

    NUMBER   ::= (DIGITS ["." [DIGITS]] | "." DIGITS) [("e" | "E") ["+" | "-"] DIGITS]
    NAME     ::= a variable or a declared constant, [A-Za-z_][A-Za-z0-9_]*
    FUNCTION ::= a name in FUNCTIONS

The tree is the text as written: nothing is folded but exponents, and declared constants become
numbers. Numbers are exact. A unary plus leaves no trace.

Every subexpression without variables is evaluated as soon as it is read, exactly as far as
+ - * / reach and in floating point beyond, so that `1/0` or `log(-1)` is refused where it stands.
(`sum(c)` depends on the number of units and is left alone: `sum(y) / sum(1)` is a mean.)
"""

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from symgrad.errors import FormulaError
from symgrad.language.dtypes import Dtype, misfit, remedy

MAX_LENGTH = 2_000  # characters in a formula
MAX_NESTING = 50  # parentheses, calls, signs and powers inside one another
MAX_DEPTH = 200  # levels of the tree; a + b + c + ... is as deep as it has terms
MAX_DIGITS = 64  # characters in a number
MAX_EXPONENT = 16  # absolute size of the constant to the right of **


@dataclass(frozen=True, slots=True)
class Number:
    """A literal or a declared constant, exact; only a constant or an exponent can be negative."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Variable:
    """`z` in an activation, `y` or `t` in a loss; with an index of `axis`, "outputs" or
    "inputs"."""

    name: str
    axis: str = "outputs"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an array that has one for each output, or input: `y[0]`, or its name."""

    array: str
    place: int


@dataclass(frozen=True, slots=True)
class Derivative:
    """∂y/∂x of all outputs or of one: by the inputs with these numbers, one after the other, by
    "each" input, or Σ ∂²y/∂x_i², the "laplacian"."""

    of: Variable | Column
    by: "tuple[int, ...] | Literal['each', 'laplacian']"


@dataclass(frozen=True, slots=True)
class Negate:
    """`-operand`."""

    operand: "Tree"


Operator: TypeAlias = Literal["+", "-", "*", "/", "**"]


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`; to the right of `**` there is always one `Number`."""

    operator: Operator
    left: "Tree"
    right: "Tree"


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, a name in `FUNCTIONS` with as many arguments as that says."""

    function: str
    arguments: tuple["Tree", ...]


Tree: TypeAlias = Number | Variable | Column | Derivative | Negate | Binary | Call


@dataclass(frozen=True)
class Quantities:
    """What a loss can be a formula in: so many inputs and outputs, by their names if they have any,
    and so many targets, where these are not as many as the outputs. `known` is whether that is
    known yet; else every name may be one of them."""

    inputs: int = 0
    outputs: int = 0
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    given_targets: int | None = None
    target_names: tuple[str, ...] = ()
    known: bool = True

    @property
    def targets(self) -> int:
        return self.outputs if self.given_targets is None else self.given_targets

    @property
    def axis_of_targets(self) -> str | None:
        """What there is a target for: each output, or each input; None where there is neither."""
        widths = {self.inputs: "inputs", self.outputs: "outputs"}  # of equal ones the outputs
        return widths.get(self.targets)

    @property
    def arrays(self) -> dict[str, int]:
        """The arrays by the names that formulas have for them, and their columns. A name hides the
        array that is called so: an input t the target."""
        widths = {"y": self.outputs, "t": self.targets, "x": self.inputs}
        hidden = {*self.input_names, *self.output_names, *self.target_names}
        return {name: width for name, width in widths.items() if name not in hidden} | {
            TARGET: self.targets
        }

    @property
    def columns(self) -> dict[str, Column]:
        """What has a name of its own."""
        inputs = {name: Column("x", place) for place, name in enumerate(self.input_names)}
        outputs = {name: Column("y", place) for place, name in enumerate(self.output_names)}
        targets = {name: Column("t", place) for place, name in enumerate(self.target_names)}
        return inputs | outputs | targets


TARGET = "target"
MAX_ORDER = 4  # of a derivative


def parse(
    text: str,
    variables: Collection[str],
    constants: Mapping[str, float] = MappingProxyType({}),
    dtype: Dtype = "float64",
    quantities: Quantities | None = None,
) -> Tree:
    """The tree of `text`, in which `variables` stay names and `constants` become numbers; with
    `quantities`, in a loss, columns and derivatives may stand as well.

    Constants must be finite, and every number one of `dtype`. Raises `FormulaError` with the
    position of what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(text):,} characters, over the limit of {MAX_LENGTH:,}",
            MAX_LENGTH,
        )
    return _Parser(text, variables, constants, dtype, quantities).formula()


def variables_of(tree: Tree) -> frozenset[str]:
    """The variables that occur anywhere in the tree."""
    return frozenset(node.name for node in nodes(tree) if isinstance(node, Variable))


def arrays_of(tree: Tree) -> frozenset[str]:
    """The arrays that occur anywhere in the tree, whole or a column of them; a derivative is one
    of y."""
    found = set(variables_of(tree))
    for node in nodes(tree):
        match node:
            case Column(array):
                found.add(array)
            case Derivative():
                found.add("y")
    return frozenset(found)


def derivatives_of(tree: Tree) -> tuple[Derivative, ...]:
    """The derivatives that occur in the tree, each once."""
    return tuple(dict.fromkeys(node for node in nodes(tree) if isinstance(node, Derivative)))


def axes_outside_sums(tree: Tree) -> frozenset[str]:
    """The axes that an index is left of outside every `sum(...)`: "outputs", "inputs"."""
    return frozenset(filter(None, map(axis_of, nodes(tree, into_sums=False))))


def axis_of(node: Tree) -> str | None:
    """The axis of a leaf: of y the outputs, of x and the derivatives by each input those."""
    match node:
        case Derivative(_, "each"):
            return "inputs"
        case Variable(_, axis):
            return axis
        case Derivative(Variable(), _):
            return "outputs"
    return None


def has_sum(tree: Tree) -> bool:
    """Whether `sum(...)` occurs in the tree."""
    return any(isinstance(node, Call) and node.function == "sum" for node in nodes(tree))


def nodes(tree: Tree, into_sums: bool = True) -> Iterator[Tree]:
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case Negate(operand):
                pending.append(operand)
            case Binary(_, left, right):
                pending += (right, left)
            case Call(function, arguments) if into_sums or function != "sum":
                pending += reversed(arguments)


def quoted(text: str, limit: int = 60) -> str:
    """A user's text as a message may show it: in quotes, escaped, and cut to a sane length."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'relu'?)`, or nothing where no known name is near."""
    from difflib import get_close_matches  # a right spec does without

    # Comparing takes the product of the lengths, and the name is as long as a user likes.
    near = get_close_matches(name[:64].lower(), sorted(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def listed(names: Iterable[str], limit: int = 40) -> str:
    """Names as a message lists them, in the order given."""
    names = list(names)
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


# What each function is worth at a constant. Only finiteness is judged by it, so the plain
# formulas do, but none may overflow where the function itself does not.

_Value: TypeAlias = Fraction | float


def _sigmoid(x: _Value) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * float(x)))


def _softplus(x: _Value) -> float:
    return max(float(x), 0.0) + math.log1p(math.exp(-abs(float(x))))


def _relu(x: _Value) -> _Value:
    return max(x, Fraction(0))


_FUNCTIONS: Mapping[str, tuple[int, Callable[..., _Value] | None]] = {
    # name        arity  value at a constant
    "exp":        (1,    math.exp),
    "expm1":      (1,    math.expm1),
    "log":        (1,    math.log),
    "log1p":      (1,    math.log1p),
    "sqrt":       (1,    math.sqrt),
    "abs":        (1,    abs),
    "sin":        (1,    math.sin),
    "cos":        (1,    math.cos),
    "tanh":       (1,    math.tanh),
    "sinh":       (1,    math.sinh),
    "cosh":       (1,    math.cosh),
    "atan":       (1,    math.atan),
    "erf":        (1,    math.erf),
    "sigmoid":    (1,    _sigmoid),
    "softplus":   (1,    _softplus),
    "relu":       (1,    _relu),
    "min":        (2,    min),
    "max":        (2,    max),
    "sum":        (1,    None),
}  # fmt: skip

FUNCTIONS: Mapping[str, int] = MappingProxyType({name: row[0] for name, row in _FUNCTIONS.items()})


class _Infix(NamedTuple):
    strength: int
    operator: Operator
    value: Callable[..., _Value]


_SIGN = 3  # how strongly a sign binds: -z**2 is -(z**2), -z*2 is (-z)*2
_INFIX: Mapping[str, _Infix] = {
    "+": _Infix(1, "+", operator.add),
    "-": _Infix(1, "-", operator.sub),
    "*": _Infix(2, "*", operator.mul),
    "/": _Infix(2, "/", operator.truediv),
    "**": _Infix(4, "**", math.pow),
}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|[-+*/(),\[\]])"
)
_HINTS: Mapping[str, str] = {
    "^": "**",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DOT OPERATOR}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{SUPERSCRIPT TWO}": "**2",
    "\N{SUPERSCRIPT THREE}": "**3",
    "\N{SQUARE ROOT}": "sqrt(...)",
    "\N{N-ARY SUMMATION}": "sum(...)",
    "\N{GREEK CAPITAL LETTER SIGMA}": "sum(...)",
}


class _Token(NamedTuple):
    kind: str  # "number", "name", "symbol" or "end"
    text: str
    position: int


class _Part(NamedTuple):
    """A subexpression that has been read."""

    tree: Tree
    start: int  # its position in the text
    depth: int  # levels of the tree
    value: _Value | None  # None where it is no constant


class _Parser:
    """Precedence climbing (Pratt 1973), one token ahead."""

    def __init__(
        self,
        text: str,
        variables: Collection[str],
        constants: Mapping[str, float],
        dtype: Dtype,
        quantities: Quantities | None,
    ) -> None:
        self.quantities = quantities
        self.text = text
        self.variables = variables
        self.constants = constants
        self.dtype = dtype
        self.nesting = 0
        self.in_sum = False
        self.end = 0  # where the last token taken ended
        self.ahead: _Token | None = None

    # A token is scanned when it is looked at, never before: so __import__('os') is refused as a
    # call of what is no function, not for its quotes.

    def peek(self) -> _Token:
        if self.ahead is None:
            self.ahead = _scan(self.text, self.end, brackets=self.quantities is not None)
        return self.ahead

    def take(self) -> _Token:
        token, self.ahead = self.peek(), None
        self.end = token.position + len(token.text)
        return token

    # The grammar.

    def formula(self) -> Tree:
        part = self.expression(0)
        if self.peek().kind != "end":
            raise self.misplaced()
        return part.tree

    def expression(self, strength: int) -> _Part:
        """Operands joined by operators that bind at least as strongly as `strength`."""
        left = self.operand()
        while (infix := _INFIX.get(self.peek().text)) and infix.strength >= strength:
            self.take()
            if infix.operator == "**":
                left = self.power(left, self.nested(_SIGN))
            else:
                right = self.expression(infix.strength + 1)
                if infix.operator == "/" and right.value == 0:
                    raise self.not_finite(left.start)  # whatever stands above it
                tree = Binary(infix.operator, left.tree, right.tree)
                left = self.part(tree, left.start, (left, right), infix.value)
        return left

    def nested(self, strength: int) -> _Part:
        """An expression inside another. The only recursion of user-chosen depth, hence counted."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise FormulaError(
                f"the formula is nested more than {MAX_NESTING} levels deep", self.peek().position
            )
        part = self.expression(strength)
        self.nesting -= 1
        return part

    def operand(self) -> _Part:
        token = self.take()
        match token.kind, token.text:
            case "number", _:
                value = _exact(token, self.dtype)
                return _Part(Number(value), token.position, 1, value)
            case "name", ("D" | "laplacian") if self.quantities and self.peek().text == "(":
                return self.derived(token, self.quantities)
            case "name", _:
                return self.call(token) if self.peek().text == "(" else self.name(token)
            case _, "(":
                inner = self.nested(0)
                self.close(token)
                return inner._replace(start=token.position)
            case _, "+":
                return self.nested(_SIGN)._replace(start=token.position)
            case _, "-":
                inner = self.nested(_SIGN)
                return self.part(Negate(inner.tree), token.position, (inner,), operator.neg)
            case "end", _:
                wrong = "the formula is empty" if not self.text.strip() else "the formula ends"
                raise FormulaError(
                    f"{wrong}: a number, a name or '(' should follow", token.position
                )
        raise FormulaError(
            f"a number, a name or '(' should stand here, not {token.text!r}", token.position
        )

    def quantity(self, token: _Token, known: Quantities) -> Variable | Column | None:
        """An array or a column of one; None if the name is none of theirs."""
        name, bracket = token.text, self.peek()
        if name in known.columns:
            if bracket.text == "[":
                raise FormulaError(f"{name} is one column, and has no others", bracket.position)
            return known.columns[name]
        widths = known.arrays
        if name not in widths:
            if known.known or name in self.constants:
                return None
            if bracket.text != "[":
                return Variable(name)
        array = "t" if name == TARGET and known.known else name
        if bracket.text != "[":
            return Variable(array, self.axis(token, array, known) if known.known else "outputs")
        self.take()
        place = self.take()
        if place.kind != "number" or not place.text.isdigit():
            raise FormulaError(
                f"the number of a column should stand here: {name}[0]", place.position
            )
        if self.peek().text != "]":
            raise FormulaError("this '[' is never closed", bracket.position)
        self.take()
        if not known.known:
            return Column(array, int(place.text))
        if int(place.text) >= widths[name]:
            raise FormulaError(
                f"{name} has {widths[name]} column{'s' * (widths[name] > 1)}, from {name}[0] on",
                place.position,
            )
        return Column(array, int(place.text))

    def axis(self, token: _Token, array: str, known: Quantities) -> str:
        if array != "t":
            return "inputs" if array == "x" else "outputs"
        if (axis := known.axis_of_targets) is None:
            raise FormulaError(
                f"there are {known.targets} targets, neither one for each output nor for each"
                f" input; say which one, as {token.text}[0]",
                token.position,
            )
        return axis

    def derived(self, function: _Token, known: Quantities) -> _Part:
        opening = self.take()
        found: list[tuple[Variable | Column, int]] = []
        while True:
            token = self.take()
            what = self.quantity(token, known) if token.kind == "name" else None
            if what is None:
                raise FormulaError(
                    f"{function.text} takes outputs and inputs, as D(y[0], x[1]): a name of one"
                    f" should stand here, not {quoted(token.text)}",
                    token.position,
                )
            found.append((what, token.position))
            if self.peek().text != ",":
                break
            self.take()
        self.close(opening)
        tree = Derivative(Variable("y"), ())
        if known.known:
            tree = _derivative(function, found, known)
        return _Part(tree, function.position, 1, None)

    def name(self, token: _Token) -> _Part:
        name = token.text
        if self.quantities is not None:
            found = self.quantity(token, self.quantities)
            if found is not None:
                return _Part(found, token.position, 1, None)
        elif name in self.variables:
            return _Part(Variable(name), token.position, 1, None)
        if name in self.constants:
            value = Fraction(Decimal(repr(float(self.constants[name]))))
            if wrong := misfit(value, self.dtype):
                raise FormulaError(
                    f"{name} = {float(value):g} is {wrong}{remedy(self.dtype)}", token.position
                )
            return _Part(Number(value), token.position, 1, value)
        if name in FUNCTIONS:
            message = f"{name!r} is a function and needs its argument in parentheses"
        else:
            variables = self.named()
            known = [*variables, *self.constants, *FUNCTIONS]
            constants = f", the constants {listed(self.constants)}" if self.constants else ""
            message = (
                f"unknown name {quoted(name)}{suggestion(name, known)}; a formula may use"
                f" {listed(variables)}{constants}, and the functions {listed(FUNCTIONS)}"
            )
        raise FormulaError(message, token.position)

    def named(self) -> list[str]:
        """What a formula may be in."""
        known = self.quantities
        if known is None or not known.known:
            return [*self.variables]
        arrays = known.arrays
        targets = ["t"] if "t" in arrays else [TARGET]
        return [*(a for a in ("y", *targets, "x") if a in arrays or a in targets), *known.columns]

    def call(self, function: _Token) -> _Part:
        if function.text not in FUNCTIONS:
            raise FormulaError(self.no_function(function.text), function.position)
        is_sum = function.text == "sum"
        if is_sum and self.in_sum:
            raise FormulaError("a sum may not stand inside another sum", function.position)
        self.in_sum |= is_sum
        opening = self.take()
        arguments = [self.nested(0)] if self.peek().text != ")" else []
        while arguments and self.peek().text == ",":
            self.take()
            arguments.append(self.nested(0))
        self.close(opening)
        if is_sum:
            self.in_sum = False

        arity, value = _FUNCTIONS[function.text]
        if len(arguments) != arity:
            raise FormulaError(
                f"{function.text} takes {arity} argument{'s' * (arity > 1)}, not {len(arguments)}",
                function.position,
            )
        tree = Call(function.text, tuple(argument.tree for argument in arguments))
        return self.part(tree, function.position, tuple(arguments), value)

    def power(self, base: _Part, exponent: _Part) -> _Part:
        """`base ** exponent`, the exponent folded to one number."""
        if exponent.value is None:
            raise FormulaError(
                "the exponent of ** must be a constant, of numbers and declared constants only",
                exponent.start,
            )
        if not -MAX_EXPONENT <= exponent.value <= MAX_EXPONENT:
            raise FormulaError(
                f"the exponent of ** is {float(exponent.value):.17g}, over {MAX_EXPONENT} in size",
                exponent.start,
            )
        tree = Binary("**", base.tree, Number(Fraction(exponent.value)))
        return self.part(tree, base.start, (base, exponent._replace(depth=1)), math.pow)

    def close(self, opening: _Token) -> None:
        if self.peek().kind == "end":
            raise FormulaError("this '(' is never closed", opening.position)
        if self.peek().text != ")":
            raise self.misplaced()
        self.take()

    def part(
        self,
        tree: Tree,
        start: int,
        operands: tuple[_Part, ...],
        function: Callable[..., _Value] | None,
    ) -> _Part:
        """A node over its operands, if it is not too deep, and finite where it is constant."""
        depth = 1 + max(operand.depth for operand in operands)
        if depth > MAX_DEPTH:
            raise FormulaError(
                f"the formula's tree is more than {MAX_DEPTH} levels deep:"
                " use parentheses to group a long chain of operators",
                start,
            )
        values = [operand.value for operand in operands]
        if function is None or None in values:
            return _Part(tree, start, depth, None)
        try:
            value = function(*values)
            finite = math.isfinite(value)  # overflows for a fraction beyond float64
        except (ArithmeticError, ValueError):
            finite = False
        if not finite:
            raise self.not_finite(start)
        if (wrong := misfit(value, self.dtype)).startswith("too large"):
            shown = quoted(self.text[start : self.end])
            raise FormulaError(f"{shown} is {wrong}{remedy(self.dtype)}", start)
        return _Part(tree, start, depth, value)

    # Messages.

    def not_finite(self, start: int) -> FormulaError:
        """About the subexpression from `start` to the last token taken."""
        shown = quoted(self.text[start : self.end])
        return FormulaError(f"{shown} has no finite real value", start)

    def misplaced(self) -> FormulaError:
        """The token after a whole subexpression neither continues nor closes it."""
        token = self.peek()
        if token.text == ")":
            message = "this ')' has no '(' before it"
        elif token.text == ",":
            message = "a comma may only stand between the arguments of a function"
        else:
            message = (
                f"an operator is missing before {quoted(token.text)}"
                " (multiplication must be written, as in 2*z)"
            )
        return FormulaError(message, token.position)

    def no_function(self, name: str) -> str:
        if name in self.variables or name in self.constants:
            return f"{name!r} is no function and cannot be called (multiplication needs a *)"
        return (
            f"{quoted(name)} is no function that a formula may call{suggestion(name, FUNCTIONS)};"
            f" the functions are {listed(FUNCTIONS)}"
        )


def _derivative(
    function: _Token, found: list[tuple[Variable | Column, int]], known: Quantities
) -> Derivative:
    """D(u, x, x) and laplacian(u), if their arguments are what they have to be."""
    (of, _), *by = found
    if (of.array if isinstance(of, Column) else of.name) != "y":
        raise FormulaError(
            f"{function.text} is of an output, as y or y[0]; the first argument is none",
            found[0][1],
        )
    if function.text == "laplacian":
        if by:
            raise FormulaError("laplacian takes 1 argument, an output", by[0][1])
        return Derivative(of, "laplacian")
    if not by:
        raise FormulaError("D takes an output and what to differentiate it by", function.position)
    if len(by) > MAX_ORDER:
        raise FormulaError(f"derivatives go up to order {MAX_ORDER}", by[MAX_ORDER][1])
    if by[0][0] == Variable("x", "inputs") and len(by) == 1:
        if isinstance(of, Variable) and known.outputs > 1:
            raise FormulaError(
                "D of all outputs by all inputs is a matrix; say which output, as D(y[0], x)",
                found[0][1],
            )
        return Derivative(of if isinstance(of, Column) else Column("y", 0), "each")
    places = []
    for what, position in by:
        if not (isinstance(what, Column) and what.array == "x"):
            raise FormulaError(
                "D differentiates by inputs, as x[0]; this is none, or not one of them", position
            )
        places.append(what.place)
    return Derivative(of, tuple(sorted(places)))


def _scan(text: str, position: int, brackets: bool) -> _Token:
    """The token at or after a position."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    if position == len(text):
        return _Token("end", "", position)
    match = _TOKEN.match(text, position)
    if match is None or match.lastgroup is None or (match[0] in "[]" and not brackets):
        raise _stray(text[position], position)
    return _Token(match.lastgroup, match[0], position)


def _exact(token: _Token, dtype: Dtype) -> Fraction:
    """The exact value of a number, judged as float64 first: Fraction("1e999999") takes seconds."""
    if len(token.text) > MAX_DIGITS:
        raise FormulaError(
            f"a number of {len(token.text):,} characters, over the limit of {MAX_DIGITS}",
            token.position,
        )
    nearest = float(token.text)
    wrong = ""
    if math.isinf(nearest):
        wrong = f"too large for a {dtype}"
    elif nearest == 0:
        mantissa = re.split("[eE]", token.text)[0]
        if not mantissa.strip("0."):
            return Fraction(0)
        wrong = f"too small for a {dtype}"
    if wrong := wrong or misfit(Fraction(token.text), dtype):
        raise FormulaError(f"the number {token.text} is {wrong}{remedy(dtype)}", token.position)
    return Fraction(token.text)


def _stray(character: str, position: int) -> FormulaError:
    """A character that no token begins with."""
    hint = f": write {_HINTS[character]}" if character in _HINTS else ""
    code = "" if character.isascii() else f" (U+{ord(character):04X})"
    return FormulaError(f"{character!r}{code} may not stand in a formula{hint}", position)
