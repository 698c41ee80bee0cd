"""Random formulas from the whole grammar, and simpler ones, as text."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "sinh", "cosh", "atan",
    "erf", "sigmoid", "softplus", "relu", "min", "max",
)  # fmt: skip
NUMBERS = ("1", "1", "1", "2", "2", "3", "0.5", "0", "0.1", "10", "0.3", "100", "1e-3", "1e-10",
           "1e-20", "1e-60", "1e30", "1e60")  # fmt: skip
EXPONENTS = ("2", "2", "2", "3", "-1", "-2", "0.5", "-0.5", "1.5", "-1.5", "0.25", "0.75", "1/3",
             "0", "1", "4", "-3", "7", "16", "-16", "c", "-c")  # fmt: skip
CONSTANTS = (0.7, -1.3, 2.0, 0.0, 1.0, -1.0, 0.5, 1e-3, 1e-30, 1e30, 12.0)


@dataclass(frozen=True)
class Taste:
    """Which functions and operators a formula is drawn from, each as often as it is listed."""

    functions: Sequence[str]
    operators: Sequence[str]
    numbers: Sequence[str]


TASTES = (
    # all of it, evenly
    Taste(FUNCTIONS, ("+", "-", "*", "/", "**", "neg"), NUMBERS),
    # what the rewrites for logarithms and exponentials look at
    Taste(("exp", "exp", "exp", "exp", "log", "log", "expm1", "log1p", "cosh", "sinh", "tanh",
           "sigmoid", "softplus"), ("+", "+", "-", "*", "/", "/", "neg", "**"),
          ("1", "1", "1", "2", "3", "0.5")),
    # kinks, flat places and infinite slopes
    Taste(("relu", "abs", "sqrt", "min", "max", "sqrt", "log", "log1p"),
          ("+", "-", "*", "/", "**", "**", "neg"), ("0", "1", "2", "0.5", "1e-60")),
)  # fmt: skip


def formula(
    rng: Random, variables: Sequence[str], constants: Sequence[str], sums: bool, size: int
) -> str:
    """A formula of about `size` operators and functions that uses the first of the variables."""
    while True:
        text = _Drawing(rng, rng.choice(TASTES), variables, constants).part(size, sums)
        tree = ast.parse(text, mode="eval")
        if variables[0] in names(text):
            return ast.unparse(tree)


@dataclass
class _Drawing:
    """A formula being drawn. What has been drawn may come again: what is shared is rewritten."""

    rng: Random
    taste: Taste
    variables: Sequence[str]
    constants: Sequence[str]
    drawn: list[str] = field(default_factory=list)  # outside sums and without any

    def part(self, size: int, sums: bool) -> str:
        rng = self.rng
        if size > 0 and self.drawn and rng.random() < 0.15:
            return rng.choice(self.drawn)
        text = self.operation(size, sums) if size > 0 else self.leaf()
        if size > 0 and "sum" not in text:
            self.drawn.append(text)
        return text

    def leaf(self) -> str:
        rng = self.rng
        what = rng.random()
        if what < 0.7:
            return rng.choice(self.variables)
        if what < 0.75:
            return f"{rng.choice(FUNCTIONS[:-2])}({rng.choice(('1', '2', '0.5'))})"
        if self.constants and what < 0.85:
            return rng.choice(self.constants)
        return rng.choice(self.taste.numbers)

    def operation(self, size: int, sums: bool) -> str:
        rng = self.rng
        if sums and rng.random() < 0.25:
            return f"sum({self.part(size - 1, False)})"
        first = rng.randrange(size)
        if rng.random() < 0.5:
            function = rng.choice(self.taste.functions)
            if function in ("min", "max"):
                return f"{function}({self.part(first, sums)}, {self.part(size - 1 - first, sums)})"
            return f"{function}({self.part(size - 1, sums)})"
        operator = rng.choice(self.taste.operators)
        if operator == "neg":
            return f"-({self.part(size - 1, sums)})"
        if operator == "**":
            exponents = [e for e in EXPONENTS if "c" not in e or "c" in self.constants]
            return f"({self.part(size - 1, sums)})**({rng.choice(exponents)})"
        return f"({self.part(first, sums)}) {operator} ({self.part(size - 1 - first, sums)})"


def names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def numbers(text: str) -> list[float]:
    """The numbers in a formula, as it has them."""
    tree = ast.parse(text)
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [float(number) for number in found if isinstance(number, int | float)]


def nodes(text: str) -> int:
    """How many parts a formula has."""
    return len(list(_parts(ast.parse(text, mode="eval").body)))


def simpler(text: str, variables: tuple[str, ...]) -> Iterator[str]:
    """Formulas with one part replaced by a part of it, by a variable, or by a number."""
    tree = ast.parse(text, mode="eval")
    for path, node in _parts(tree.body):
        for other in _instead(node, variables):
            yield ast.unparse(_with(tree.body, path, other))


def _children(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp(left, ast.Pow(), _):
            return [left]
        case ast.BinOp(left, _, right):
            return [left, right]
        case ast.UnaryOp(_, operand):
            return [operand]
        case ast.Call(_, arguments):
            return list(arguments)
    return []


Path = tuple[int, ...]


def _parts(node: ast.expr, path: Path = ()) -> Iterator[tuple[Path, ast.expr]]:
    yield path, node
    for place, child in enumerate(_children(node)):
        yield from _parts(child, (*path, place))


def _with(node: ast.expr, path: Path, other: ast.expr) -> ast.expr:
    """The tree with another part at a path."""
    if not path:
        return other
    place, rest = path[0], path[1:]
    children = _children(node)
    children[place] = _with(children[place], rest, other)
    match node:
        case ast.BinOp(_, ast.Pow() as operator, exponent):
            return ast.BinOp(children[0], operator, exponent)
        case ast.BinOp(_, operator, _):
            return ast.BinOp(children[0], operator, children[1])
        case ast.UnaryOp(operator, _):
            return ast.UnaryOp(operator, children[0])
        case ast.Call(function, _):
            return ast.Call(function, children, [])
    raise AssertionError(ast.dump(node))


def _instead(node: ast.expr, variables: tuple[str, ...]) -> Iterator[ast.expr]:
    yield from _children(node)
    match node:
        case ast.Constant(value):
            yield from (ast.Constant(n) for n in (1, 2) if n != value and repr(value) != str(n))
            return
        case ast.Name(name) if name in variables:
            if name != variables[0]:
                yield ast.Name(variables[0])
            yield ast.Constant(1)
            return
        case ast.BinOp(left, ast.Pow(), exponent) if not isinstance(exponent, ast.Constant):
            yield from (ast.BinOp(left, ast.Pow(), ast.Constant(n)) for n in (2, 0.5))
            yield from (
                ast.BinOp(left, ast.Pow(), ast.UnaryOp(ast.USub(), ast.Constant(n)))
                for n in (1, 2, 0.5)
            )
    yield from (ast.Name(variable) for variable in variables)
    yield ast.Constant(1)
