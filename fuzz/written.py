"""What a formula says: its value and its slopes, without any of the compiler.

A formula is Python's syntax, so Python's `ast` reads it. It is computed operator by operator, as it
stands; slopes are carried forward along with the values, and can be carried back as well, from the
same local ones. What is flat ends a product: 0 · ∞ = 0 there. At a kink the slope is that of the
side asked for: -1 left, +1 right, 0 the convention.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from fuzz.arithmetic import Arithmetic


class Edge(NamedTuple):
    """What a part is by another: a factor, or 1 for each unit of a sum."""

    part: "Part"
    factor: Any
    sums: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """Values (…, units) and their slopes by each input (…, units, inputs)."""

    value: Any
    slope: Any
    edges: tuple[Edge, ...] = ()
    depends: bool = True


class Reader:
    """Computes formulas in one arithmetic, at z (…, units)."""

    def __init__(
        self, arithmetic: Arithmetic, constants: Mapping[str, float], units: int, side: int = 0
    ) -> None:
        self.arithmetic = arithmetic
        self.constants = constants
        self.units = units
        self.side = side
        self.kinks = False  # whether one was met
        self.parts: list[Part] = []

    def variable(self, value: Any, slope: Any) -> Part:
        return Part(value, slope)

    def read(self, text: str, variables: Mapping[str, Part]) -> Part:
        with np.errstate(all="ignore"):
            return self.part(ast.parse(text.strip(), mode="eval").body, variables)

    def part(self, node: ast.expr, variables: Mapping[str, Part]) -> Part:
        match node:
            case ast.Constant(value):
                return self.constant(Fraction(Decimal(repr(value))))
            case ast.Name(name) if name in variables:
                return variables[name]
            case ast.Name(name):
                return self.constant(Fraction(Decimal(repr(float(self.constants[name])))))
            case ast.UnaryOp(ast.USub(), operand):
                u = self.part(operand, variables)
                return self.made(-u.value, Edge(u, -1))
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.part(operand, variables)
            case ast.BinOp(left, ast.Pow(), right):
                return self.power(self.part(left, variables), folded(right, self.constants))
            case ast.BinOp(left, operator, right):
                u, v = self.part(left, variables), self.part(right, variables)
                return self.operation(operator, u, v)
            case ast.Call(ast.Name("sum"), [body]):
                return self.sum(self.part(body, variables))
            case ast.Call(ast.Name("min" | "max" as name), [left, right]):
                return self.choice(name, self.part(left, variables), self.part(right, variables))
            case ast.Call(ast.Name(name), [argument]):
                return self.call(name, self.part(argument, variables))
        raise AssertionError(ast.dump(node))

    def constant(self, value: Fraction) -> Part:
        number = self.arithmetic.number(value)
        return Part(number, (number * 0)[..., None], depends=False)

    def made(self, value: Any, *edges: Edge) -> Part:
        """A part, with the slopes that follow from those of what it is made of."""
        slopes = [self.along(edge, edge.part.slope, edge.factor) for edge in edges]
        slope = slopes[0] if len(slopes) == 1 else self.arithmetic.add(*slopes)
        part = Part(value, slope, edges, any(edge.part.depends for edge in edges))
        self.parts.append(part)
        return part

    def along(self, edge: Edge, slope: Any, factor: Any) -> Any:
        """A slope times a factor: numbers are exact, and a slope of 0 ends the product."""
        if isinstance(factor, int):
            return slope * factor
        if factor.dtype == bool:
            return np.where(factor[..., None], slope, np.zeros_like(slope))
        product = self.arithmetic.multiply(slope, factor[..., None])
        return np.where(slope == 0, np.zeros_like(slope), product)

    def operation(self, operator: ast.operator, u: Part, v: Part) -> Part:
        a = self.arithmetic
        match operator:
            case ast.Add():
                return self.made(a.add(u.value, v.value), Edge(u, 1), Edge(v, 1))
            case ast.Sub():
                return self.made(a.subtract(u.value, v.value), Edge(u, 1), Edge(v, -1))
            case ast.Mult():
                value = a.multiply(u.value, v.value)
                return self.made(value, Edge(u, v.value), Edge(v, u.value))
            case ast.Div():
                q = a.divide(u.value, v.value)
                inverse = a.divide(a.number(Fraction(1)), v.value)
                return self.made(q, Edge(u, inverse), Edge(v, a.divide(-q, v.value)))
        raise AssertionError(operator)

    def power(self, u: Part, exponent: Fraction) -> Part:
        a = self.arithmetic
        if exponent == 0:
            return self.constant(Fraction(1))
        if exponent == 1:
            return u
        factor = a.multiply(a.number(exponent), a.power(u.value, exponent - 1))
        return self.made(a.power(u.value, exponent), Edge(u, factor))

    def call(self, name: str, u: Part) -> Part:
        value = self.arithmetic.functions[name](u.value)
        if name not in ("abs", "relu"):
            return self.made(value, Edge(u, self.arithmetic.slope(name, u.value, value)))
        self.kinks |= bool(np.any(u.value == 0))
        right = (u.value > 0) | ((u.value == 0) & (self.side > 0))
        if name == "relu":
            return self.made(value, Edge(u, np.asarray(right, bool)))
        left = (u.value < 0) | ((u.value == 0) & (self.side < 0))
        falling = self.made(-u.value, Edge(u, -1))
        return self.made(
            value, Edge(u, np.asarray(right, bool)), Edge(falling, np.asarray(left, bool))
        )

    def choice(self, name: str, u: Part, v: Part) -> Part:
        """max(u, v) = v + relu(u - v), so that v is taken where they are equal."""
        equal = u.value == v.value
        self.kinks |= bool(np.any(equal))
        first = u.value > v.value if name == "max" else u.value < v.value
        first = np.asarray(first | (equal & (self.side > 0)), bool)
        invalid = (u.value != u.value) | (v.value != v.value)
        value = np.where(first, u.value, v.value)
        value = np.where(invalid, u.value + v.value, value)
        return self.made(value, Edge(u, first), Edge(v, ~first))

    def sum(self, u: Part) -> Part:
        value, slope = self.total(u.value), self.total(np.swapaxes(u.slope, -1, -2))
        part = Part(value, np.swapaxes(slope, -1, -2), (Edge(u, 1, sums=True),), u.depends)
        self.parts.append(part)
        return part

    def total(self, values: Any, units: int = 0) -> Any:
        """The sum over the last axis, one after the other; of so many equal ones where it is 1."""
        values = np.broadcast_to(values, (*np.shape(values)[:-1], units or self.units))
        total = values[..., :1]
        for unit in range(1, values.shape[-1]):
            total = self.arithmetic.add(total, values[..., unit : unit + 1])
        return total

    def back(self, whole: Part, leaf: Part) -> Any:
        """The slopes of `whole`, a number for each place, by `leaf`, from the end to the start."""
        one = np.ones_like(whole.value)
        slopes: dict[Part, Any] = {whole: one}
        with np.errstate(all="ignore"):
            for part in reversed(self.parts):
                if part in slopes:
                    for edge in part.edges:
                        if edge.part.depends:
                            self.pass_on(slopes, edge, slopes[part])
        return slopes.get(leaf, np.zeros_like(leaf.value))

    def pass_on(self, slopes: dict[Part, Any], edge: Edge, slope: Any) -> None:
        came = self.along(edge, slope[..., None], edge.factor)[..., 0]
        width = np.shape(edge.part.value)[-1]
        if edge.sums and width == 1 < self.units:
            came = self.total(came)
        came = np.broadcast_to(came, np.broadcast_shapes(came.shape, edge.part.value.shape))
        if width == 1 < came.shape[-1]:
            came = self.total(came, came.shape[-1])
        known = slopes.get(edge.part)
        slopes[edge.part] = came if known is None else self.arithmetic.add(known, came)


def folded(node: ast.expr, constants: Mapping[str, float]) -> Fraction:
    """An exponent, which is a constant, exactly."""
    match node:
        case ast.Constant(value):
            return Fraction(Decimal(repr(value)))
        case ast.Name(name):
            return Fraction(Decimal(repr(float(constants[name]))))
        case ast.UnaryOp(ast.USub(), operand):
            return -folded(operand, constants)
        case ast.UnaryOp(ast.UAdd(), operand):
            return folded(operand, constants)
        case ast.BinOp(left, ast.Add(), right):
            return folded(left, constants) + folded(right, constants)
        case ast.BinOp(left, ast.Sub(), right):
            return folded(left, constants) - folded(right, constants)
        case ast.BinOp(left, ast.Mult(), right):
            return folded(left, constants) * folded(right, constants)
        case ast.BinOp(left, ast.Div(), right):
            return folded(left, constants) / folded(right, constants)
    raise AssertionError(ast.dump(node))
