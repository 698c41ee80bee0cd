"""What a tensor of an ONNX graph is, as the reading goes along.

    Value ::= Constant                        an array that the file holds
            | Sizes(array, other)             extents of a shape, for two numbers of samples
            | Features(units, scale, shift)   what layers pass on: a[n,i]·scale[i] + shift[i]
            | Expression(product, tree)       a formula in the numbers z[n,j] of a linear layer
            | Condition(indicator)            an expression that is 1 or 0
            | Shaped(value, shape)            Features or an Expression, with other axes than one
            | Column(value)                   the same, all samples below each other

A `Unit` is where one layer ends and the next begins: the input, or the output of a layer whose
activation is settled. A `Product` is a linear layer, z[n,j] = Σ_i a[n,i]·W[i,j] + b[j], of units
side by side; what is done to each z after it makes an `Expression`, until a linear layer, or the
output, settles it.

Scalars that multiply or shift z are kept as leaves c·z + d of the tree: if there is just one such
leaf, it goes into W and b, and the activation is a formula in z itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, rounded
from symgrad.interop.text import substituted
from symgrad.spec.formula import (
    MAX_DEPTH,
    MAX_LENGTH,
    Binary,
    Call,
    Negate,
    Number,
    Tree,
    Variable,
)

# A leaf c·z + d, exact.
Affine: TypeAlias = tuple[Fraction, Fraction]
PLAIN: Affine = (Fraction(1), Fraction(0))
OPPOSITE: Affine = (Fraction(-1), Fraction(0))

_Z = Variable("z")


@dataclass(frozen=True, eq=False)
class Constant:
    """An array of the file's, in its own dtype."""

    array: Array

    @property
    def wide(self) -> Array:
        """The same, half precisions as float32, which holds each of their numbers."""
        half = self.array.dtype == np.float16 or self.array.dtype.name == "bfloat16"
        return rounded(self.array, "float32") if half else self.array


@dataclass(frozen=True, eq=False)
class Sizes(Constant):
    """What was worked out of a tensor's shape, as the input's number of samples is not known.

    `array` is what it is for SAMPLES[0] of them, `other` for SAMPLES[1].
    """

    other: Array

    def extents(self) -> list[int | None]:
        """Each number that does not depend on the samples; None for their number itself, and OPEN
        for what else there is made of it."""
        pairs = zip(self.array.ravel().tolist(), self.other.ravel().tolist(), strict=True)
        return [
            None if (one, other) == SAMPLES else one if one == other else OPEN
            for one, other in pairs
        ]


# Numbers of samples that no width or constant is.
SAMPLES = (1_000_003, 1_000_033)
OPEN = -2


@dataclass(frozen=True, eq=False)
class Unit:
    """The input (without a `product`), or what a layer puts out; `width` None: not known yet."""

    width: int | None
    product: "Product | None" = None
    tree: Tree = _Z
    residual: bool = False
    where: str = ""


@dataclass(frozen=True, eq=False)
class Features:
    """units·scale + shift, each of shape (width,), () or None for what changes nothing; float64.

    The units stand side by side. `wide` says that the file does that in float64, whatever the
    layers around are.
    """

    units: tuple[Unit, ...]
    scale: Array | None = None
    shift: Array | None = None
    wide: bool = False

    @property
    def width(self) -> int | None:
        """How many there are, as far as it is known."""
        widths = [unit.width for unit in self.units]
        return None if None in widths else sum(width for width in widths if width is not None)

    @property
    def plain(self) -> bool:
        """Whether nothing is done to the units."""
        return self.scale is None and self.shift is None


@dataclass(frozen=True, eq=False)
class Product:
    """sources·W + b, in float64; `dtype` is that of the W in the file, `where` its node.

    The sources, all different, stand side by side. `wide` says that what comes in is scaled or
    shifted in float64 first.
    """

    sources: tuple[Unit, ...]
    weight: Array
    bias: Array | None
    dtype: np.dtype
    where: str
    wide: bool = False


@dataclass(frozen=True, eq=False)
class Expression:
    """A formula over a product. `leaves` are what its variables z0, z1, … stand for.

    `length` and `depth` bound what the text will be: a subgraph that uses a tensor twice doubles
    it. `single` says that there is one number a sample, as of a sum over the units.
    """

    product: Product
    tree: Tree
    leaves: Mapping[str, Affine]
    length: int = 2
    depth: int = 1
    single: bool = False

    @property
    def affine(self) -> Affine | None:
        """(c, d) if this is c·z + d and nothing more."""
        return self.leaves[self.tree.name] if isinstance(self.tree, Variable) else None


@dataclass(frozen=True, eq=False)
class Condition:
    """What is true where an expression is 1, and false where it is 0: for a Where, or a Cast."""

    indicator: Expression


@dataclass(frozen=True, eq=False)
class Shaped:
    """A sample's numbers in an array of this shape, of one axis more or less than a row has.

    () is the shape of a single number. In C order they are those of the value.
    """

    value: Features | Expression
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Column:
    """The numbers of all samples below each other. At the end of a graph it is read as the rows."""

    value: Features | Expression


Value: TypeAlias = Constant | Features | Expression | Condition | Shaped | Column


@dataclass
class Settled:
    """Which units the expressions have become, so that each becomes one unit only.

    `narrowed` are the nodes that round what flows from float64 to float32.
    """

    units: dict[int, Unit] = field(default_factory=dict)
    diagonal: dict[int, Expression] = field(default_factory=dict)  # of features, by themselves
    narrowed: list[str] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)  # an id is good while its object lives

    def unit(self, expression: Expression, where: str) -> Unit:
        """The output of the layer that an expression ends."""
        if id(expression) not in self.units:
            product, tree = settle(expression)
            self.units[id(expression)] = Unit(product.weight.shape[1], product, tree, False, where)
            self.kept.append(expression)
        return self.units[id(expression)]

    def find(self, value: Value) -> tuple[Unit, ...] | None:
        """The units that a value is, as it stands; None if it is something more, or none yet."""
        if isinstance(value, Features):
            return value.units if value.plain else None
        if isinstance(value, Expression) and id(value) in self.units:
            return (self.units[id(value)],)
        return None


# ---- Making expressions --------------------------------------------------------------------------


def leaf(product: Product, affine: Affine = PLAIN) -> Expression:
    """c·z + d."""
    name = _name(affine)
    return Expression(product, Variable(name), {name: affine}, length=24)


def combine(where: str, make: str, *operands: "Expression | Fraction") -> Expression:
    """An operator of formulas, over expressions of one product and numbers.

    Raises InteropError where the formula becomes too long, or too deep.
    """
    names = [f"u{place}" for place in range(len(operands))]
    arguments = (Variable(name) for name in names)
    tree: Tree
    if make in ("+", "-", "*", "/", "**"):
        tree = Binary(make, *arguments)  # type: ignore[arg-type]
    else:
        tree = Call(make, tuple(arguments))
    return applied(where, tree, dict(zip(names, operands, strict=True)))


def applied(where: str, tree: Tree, operands: Mapping[str, "Expression | Fraction"]) -> Expression:
    """A formula with expressions of one product, and numbers, in place of its variables."""
    expressions = {name: each for name, each in operands.items() if isinstance(each, Expression)}
    length, depth = _size(tree, expressions)
    if length > 8 * MAX_LENGTH or depth >= MAX_DEPTH:
        raise InteropError(f"{where}: the formula of the activation that it ends is too long")
    meanings = {
        name: each.tree if isinstance(each, Expression) else constant(each)
        for name, each in operands.items()
    }
    leaves = {name: affine for each in expressions.values() for name, affine in each.leaves.items()}
    product = next(iter(expressions.values())).product
    single = all(each.single for each in expressions.values())
    return Expression(product, substituted(tree, meanings), leaves, length, depth, single)


def _size(tree: Tree, expressions: Mapping[str, Expression]) -> tuple[int, int]:
    """About how long the text will be, and how deep the tree, with expressions put in."""
    match tree:
        case Variable(name) if name in expressions:
            return expressions[name].length, expressions[name].depth
        case Negate(operand):
            parts = [_size(operand, expressions)]
        case Binary(_, left, right):
            parts = [_size(left, expressions), _size(right, expressions)]
        case Call(_, arguments):
            parts = [_size(each, expressions) for each in arguments]
        case _:
            return 8, 1
    return 4 + sum(length for length, _ in parts), 1 + max(depth for _, depth in parts)


def shifted(expression: Expression, affine: Affine) -> Expression | None:
    """A c·z + d scaled and shifted once more; None if the expression is no such thing."""
    if (inner := expression.affine) is None:
        return None
    c, d = _short(affine[0] * inner[0]), _short(affine[0] * inner[1] + affine[1])
    return None if c is None or d is None else leaf(expression.product, (c, d))


def _short(value: Fraction) -> Fraction | None:
    """The value, rounded where its digits have become many; None if it is beyond float64."""
    try:
        nearest = float(value)
    except OverflowError:
        return None
    return value if value.denominator.bit_length() < 400 else Fraction(nearest)


def constant(value: Fraction) -> Tree:
    """A number as the parser would have read it."""
    return Number(value) if value >= 0 else Negate(Number(-value))


def exact(number: float, dtype: np.dtype) -> Fraction:
    """The shortest decimal that is this number in its precision: 0.1 for the float32 next to it."""
    if dtype.kind != "f":
        return Fraction(number)
    narrow: Any = np.asarray(number).astype(dtype)[()]
    shortest = np.format_float_scientific(narrow, unique=True, trim="-")
    return Fraction(Decimal(shortest))


def _name(affine: Affine) -> str:
    return f"z_{affine[0]}_{affine[1]}"


# ---- Settling them -------------------------------------------------------------------------------


def settle(expression: Expression) -> tuple[Product, Tree]:
    """A layer and the formula of its activation, in z."""
    product = expression.product
    # 1/(1 + exp(-z)) is better known than 1/(1 + exp(z)) of a layer with opposite weights.
    opposite = expression.affine is None and OPPOSITE in expression.leaves.values()
    if len(expression.leaves) == 1 and not opposite:
        ((name, (c, d)),) = expression.leaves.items()
        scale = None if c == 1 else np.asarray(float(c))
        shift = None if d == 0 else np.asarray(float(d))
        return scaled(product, scale, shift), substituted(expression.tree, {name: _Z})
    meanings = {name: _written(affine) for name, affine in expression.leaves.items()}
    return product, substituted(expression.tree, meanings)


def merged(units: tuple[Unit, ...], weight: Array) -> tuple[tuple[Unit, ...], Array]:
    """Each unit once, with the sum of the rows that it has in the matrix."""
    if len(set(units)) == len(units):
        return units, weight
    rows: dict[Unit, Array] = {}
    start = 0
    for unit in units:
        assert unit.width is not None
        found = weight[start : start + unit.width]
        rows[unit] = rows[unit] + found if unit in rows else found
        start += unit.width
    return tuple(rows), np.concatenate(list(rows.values()))


def scaled(product: Product, scale: Array | None, shift: Array | None) -> Product:
    """A product times `scale` plus `shift`: of shape () or (outputs,), None for 1 and 0."""
    if scale is None and shift is None:
        return product
    weight, bias = product.weight, product.bias
    with np.errstate(all="ignore"):
        if scale is not None:
            weight = weight * scale
            bias = None if bias is None else bias * scale
        if shift is not None:
            shift = np.broadcast_to(shift, weight.shape[1:])
            bias = shift.copy() if bias is None else bias + shift
    return replace(product, weight=weight, bias=bias)


def _written(affine: Affine) -> Tree:
    """c·z + d as a tree."""
    c, d = affine
    tree: Tree = _Z if c == 1 else Negate(_Z) if c == -1 else Binary("*", constant(c), _Z)
    if d == 0:
        return tree
    return Binary("+" if d > 0 else "-", tree, Number(abs(d)))
