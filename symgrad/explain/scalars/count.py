"""Counting scalar operations, by one rule, in what SymPy, SymEngine, wrenfold and CasADi make.

The rule is that of `symgrad.language.count`, whose code this does not use. For one sample, each
addition, subtraction, multiplication or division of two scalars is one operation, and a call of a
function is one. A sum or product of n is n - 1 operations, whatever order it is computed in; a
power k is k - 1 multiplications; the inverse of a number is a division, and so is an inverse among
other factors: a·b⁻¹ is one operation, not two. Any other power is one call.

Not counted are changes of sign, multiplications by a number (the ½ of a squared error and the 2
that cancels it, 2·x, x/2), and whatever has no symbol in it: that is computed before run time.

The tools' expressions differ in their classes alone. A `Dialect` reads a node of one of them, and
everything else is common to all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp


class Node(NamedTuple):
    """One node of an expression: its kind, its operands, and the exponent where it is a power."""

    kind: str  # number, symbol, sum, product, power (of a whole exponent) or call
    operands: Sequence[Any] = ()
    exponent: int = 1


Dialect = Callable[[Any], Node]


class Count(NamedTuple):
    """An expression written out as a tree: its operations, and how it counts among factors."""

    operations: int
    constant: bool = False  # it has no symbol in it
    inverse: bool = False  # it is a negative power: a product divides by it


def of_node(node: Node, operands: Sequence[Count]) -> Count:
    """The count of a node, given those of its operands."""
    if node.kind == "symbol":
        return Count(0)
    if all(operand.constant for operand in operands):
        return Count(0, constant=True)
    below = sum(operand.operations for operand in operands)
    if node.kind == "sum":
        constants = sum(operand.constant for operand in operands)  # they fold into one
        return Count(below + len(operands) - constants + min(constants, 1) - 1)
    if node.kind == "product":
        factors = [operand for operand in operands if not operand.constant]
        # each inverse holds its own division; among other factors that takes the place of a product
        absorbed = min(sum(factor.inverse for factor in factors), len(factors) - 1)
        return Count(below + len(factors) - 1 - absorbed)
    if node.kind == "power":
        inverse = node.exponent < 0
        return Count(below + abs(node.exponent) - 1 + inverse, inverse=inverse)
    return Count(below + 1)


def walk(roots: Iterable[Any], operands: Callable[[Any], Sequence[Any]]) -> Iterator[Any]:
    """Each distinct subexpression once, after its operands; as trees they would be millions.

    No recursion: the depth of an expression is that of the network, times that of its formulas.
    """
    done = set()
    waiting = [(root, False) for root in roots]
    while waiting:
        expression, ready = waiting.pop()
        if expression in done:
            continue
        if ready:
            done.add(expression)
            yield expression
        else:
            waiting.append((expression, True))
            waiting.extend((operand, False) for operand in operands(expression))


class Counter:
    """Counts in one dialect; it remembers what it has counted, and what the names stand for."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.known: dict[Any, Count] = {}

    def tree(self, expression: Any) -> int:
        """Operations of the expression written out, nothing shared."""
        return self._count(expression).operations

    def trees(self, expressions: Iterable[Any]) -> int:
        return sum(map(self.tree, expressions))

    def shared(self, statements: Iterable[tuple[Any, Any]], results: Iterable[Any]) -> int:
        """Operations of statements (name, value), in order, and of results that read them."""
        total = 0
        for name, value in statements:
            count = self._count(value)
            total += count.operations
            self.known[name] = Count(0, constant=count.constant)
        return total + self.trees(results)

    def _count(self, expression: Any) -> Count:
        if expression not in self.known:
            for part in walk([expression], self._unknown):
                if part not in self.known:
                    node = self.dialect(part)
                    operands = [self.known[operand] for operand in node.operands]
                    self.known[part] = of_node(node, operands)
        return self.known[expression]

    def _unknown(self, expression: Any) -> list[Any]:
        return [part for part in self.dialect(expression).operands if part not in self.known]


# --- dialects ---------------------------------------------------------------------------------


def sympy_node(expression: sp.Expr) -> Node:
    if expression.is_Symbol:
        return Node("symbol")
    if not expression.args:
        return Node("number")
    if expression.is_Add or expression.is_Mul:
        return Node("sum" if expression.is_Add else "product", expression.args)
    if expression.is_Pow and expression.exp.is_Integer:
        return Node("power", expression.args[:1], int(expression.exp))
    return Node("call", expression.args)


def symengine_node(expression: Any) -> Node:
    """SymEngine's exp(u) is e**u, one call like any other power that is not whole."""
    if expression.is_Symbol:
        return Node("symbol")
    operands = expression.args
    if not operands:
        return Node("number")
    kind = {"Add": "sum", "Mul": "product"}.get(type(expression).__name__)
    if kind:
        return Node(kind, operands)
    if expression.is_Pow and operands[1].is_Integer:
        return Node("power", operands[:1], int(operands[1]))
    return Node("call", operands)


def wrenfold_node(expression: Any) -> Node:
    """A truth value read as 0 or 1 costs nothing; the comparison that it comes from is a call."""
    kind, operands = expression.type_name, expression.args
    if kind == "Variable":
        return Node("symbol")
    if not operands:
        return Node("number")
    if kind in ("Addition", "Multiplication", "IversonBracket"):
        return Node("sum" if kind == "Addition" else "product", operands)
    if kind == "Power" and operands[1].type_name == "IntegerConstant":
        return Node("power", operands[:1], int(str(operands[1])))
    return Node("call", operands)


# --- CasADi: instructions on numbered places, not expressions ---------------------------------


def casadi_operations(function: Any) -> int:
    """Operations of the instructions of a CasADi function made of SX."""
    import casadi as ca

    places: dict[int, Count] = {}
    values: dict[int, float] = {}
    total = 0
    for k in range(function.n_instructions()):
        code = function.instruction_id(k)
        if code == ca.OP_OUTPUT:
            continue
        (place,) = function.instruction_output(k)
        if code == ca.OP_CONST:
            places[place] = Count(0, constant=True)
            values[place] = function.instruction_constant(k)
        elif code in (ca.OP_INPUT, ca.OP_PARAMETER):
            places[place] = Count(0)
        else:
            count = _of_instruction(ca, code, function.instruction_input(k), places, values)
            total += count.operations
            places[place] = Count(0, constant=count.constant)
            values.pop(place, None)  # places are used again
    return total


def _of_instruction(
    ca: Any,
    code: int,
    inputs: Sequence[int],
    places: Mapping[int, Count],
    values: Mapping[int, float],
) -> Count:
    operands = [places[place] for place in inputs]
    if code in (ca.OP_ASSIGN, ca.OP_NEG, ca.OP_TWICE):
        return Count(0, constant=operands[0].constant)
    if code in (ca.OP_ADD, ca.OP_SUB):
        return of_node(Node("sum"), operands)
    if code == ca.OP_MUL:
        return of_node(Node("product"), operands)
    if code == ca.OP_DIV:
        numerator, denominator = operands
        divisor = of_node(Node("power", exponent=-1), [denominator])
        return of_node(Node("product"), [numerator, divisor])
    if code in (ca.OP_SQ, ca.OP_INV):
        return of_node(Node("power", exponent=2 if code == ca.OP_SQ else -1), operands)
    if code in (ca.OP_CONSTPOW, ca.OP_POW):
        exponent = values.get(inputs[1], 0.5) if operands[1].constant else 0.5
        if exponent.is_integer():
            return of_node(Node("power", exponent=int(exponent)), operands[:1])
    return of_node(Node("call"), operands)
