"""Programs: one symbolic expression in shared form, an ordered list of definitions.

    program    ::=  inputs weights constant* definition* outputs
    definition ::=  target "=" value
    target     ::=  array[index, …]  |  scalar
    value      ::=  number | scalar | array[index, …]
                 |  value + … | value · … | value ** number | function(value, …)
                 |  Sum(value, (index, 0, extent - 1)) | Peak(value, (index, 0, extent - 1))

Values are SymPy expressions, arrays are `IndexedBase`s. Every name is defined once and before it is
used, so that substituting all definitions back gives the one expression again (`views` does it).

Names say what a thing is: `z1` is layer 1 before its activation, `a1` after it, `y` the output,
`e[n]` the loss of a sample, `E` the loss. `d_v` is ∂E/∂v and `d_v_d_u` is ∂v/∂u, Griewank and
Walther's v̄ and v̇ spelled out ("Evaluating Derivatives", 2nd edition, section 3.2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sympy import Expr, Indexed, IndexedBase, Rational, Symbol

from symgrad.language.indices import SAMPLES, axis, walk


@dataclass(frozen=True)
class Definition:
    """`target` = `value`: an array for all values of its indices, or a scalar."""

    target: Expr
    value: Expr

    @property
    def name(self) -> str:
        return name_of(self.target)

    @property
    def indices(self) -> tuple[Symbol, ...]:
        return indices_of(self.target)


@dataclass(frozen=True)
class Constant:
    """An array of numbers that are known, exactly as they are written."""

    target: Indexed
    values: tuple[Rational, ...]

    @property
    def name(self) -> str:
        return name_of(self.target)


@dataclass(frozen=True)
class Program:
    """An ordered list of definitions over inputs, weights and constants.

    `extents` says how many values the index of each axis takes: "n" the samples (a symbol), "0" the
    inputs, "1" the units of layer 1 and so on. `outputs` are the names that the program is for;
    those that are `scattered` lie in one array with others, and are no matrices in memory. Weights
    that are `fixed` are not to be trained: derivatives by them are 0.
    """

    name: str
    inputs: tuple[Indexed, ...]
    weights: tuple[Indexed, ...]
    extents: Mapping[str, Expr]
    definitions: tuple[Definition, ...]
    outputs: tuple[str, ...]
    scattered: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    constants: tuple[Constant, ...] = ()

    def extent(self, index: Symbol) -> Expr:
        return self.extents[axis(index)]

    def shape(self, target: Expr) -> tuple[Expr, ...]:
        return tuple(self.extent(index) for index in indices_of(target))

    @cached_property
    def by_name(self) -> dict[str, Definition]:
        return {definition.name: definition for definition in self.definitions}

    @cached_property
    def given(self) -> dict[str, Expr]:
        """Inputs, weights and constants by name."""
        constants = (constant.target for constant in self.constants)
        return {name_of(target): target for target in (*self.inputs, *self.weights, *constants)}

    def with_definitions(self, definitions: Iterable[Definition]) -> "Program":
        return replace(self, definitions=tuple(definitions))


def array(name: str, *indices: Symbol) -> Expr:
    """The array element name[indices], or the scalar `name` where there are no indices."""
    return IndexedBase(name, real=True)[indices] if indices else Symbol(name, real=True)


def name_of(target: Expr) -> str:
    return str(target.base.label.name) if isinstance(target, Indexed) else str(target.name)


def indices_of(target: Expr) -> tuple[Symbol, ...]:
    return tuple(target.indices) if isinstance(target, Indexed) else ()


def reads(value: Expr) -> tuple[Expr, ...]:
    """The array elements and scalars that a value reads, each once, in order of appearance."""
    return tuple(
        dict.fromkeys(
            node
            for node in walk(value)
            if isinstance(node, Indexed)
            or (isinstance(node, Symbol) and not node.is_integer and node != SAMPLES)
        )
    )


def prune(program: Program, outputs: Iterable[str]) -> Program:
    """`program` for these outputs alone: the definitions that they do not need are dropped."""
    outputs = tuple(outputs)
    needed = set(outputs)
    kept = []
    for definition in reversed(program.definitions):
        if definition.name in needed:
            kept.append(definition)
            needed.update(name_of(read) for read in reads(definition.value))
    return replace(program, definitions=tuple(reversed(kept)), outputs=outputs)
