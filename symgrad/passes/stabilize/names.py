"""The definitions so far, as the rules of `stabilize` see them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sympy import Expr, Indexed

from symgrad.language.functions import Peak
from symgrad.language.indices import (
    SAMPLE,
    bounds,
    canonical,
    free_indices,
    fresh,
    rename,
)
from symgrad.language.program import Definition, Program, array, name_of


@dataclass
class Names:
    """The definitions so far: what a name stands for, and new names where a rule needs them."""

    program: Program
    definitions: dict[str, Definition] = field(default_factory=dict)
    user: str = ""  # whose value is being rewritten

    def define(self, target: Expr, value: Expr) -> Expr:
        self.definitions[name_of(target)] = Definition(target, value)
        return target

    def resolve(self, read: Expr) -> Expr | None:
        """The value that an array element was defined with; None for inputs and weights."""
        if not isinstance(read, Indexed) or name_of(read) not in self.definitions:
            return None
        found = self.definitions[name_of(read)]
        return rename(found.value, dict(zip(found.indices, read.indices, strict=True)))

    def meaning(self, value: Expr) -> Expr:
        """What a name stands for; anything else is itself."""
        found = self.resolve(value)
        return value if found is None else found

    def centered(self, exponent: Expr, reduction: Expr) -> Expr:
        """u - max_k u for the exponent u of a Σ_k exp u, under a name of its own."""
        ((index, extent),) = bounds(reduction).items()
        order = sorted(free_indices(exponent), key=lambda i: (i != SAMPLE, i.name))
        own = canonical(order)
        here = own[order.index(index)]
        other = fresh(here, own)
        moved = rename(exponent, dict(zip(order, own, strict=True)))
        peak = Peak(rename(moved, {here: other}), (other, 0, extent - 1))
        stem = f"centered_{name_of(exponent) if isinstance(exponent, Indexed) else self.user}"
        name = stem
        while name in self.definitions and self.definitions[name].value != moved - peak:
            name += "_"
        self.define(array(name, *own), moved - peak)
        return array(name, *order)

    def named(self, stem: str, value: Expr) -> Expr:
        """An array with this value, named after the definition that needs it."""
        order = sorted(free_indices(value), key=lambda i: (i != SAMPLE, i.name))
        own = canonical(order)
        moved = rename(value, dict(zip(order, own, strict=True)))
        name = f"{stem}_{self.user}"
        while name in self.definitions and self.definitions[name].value != moved:
            name += "_"
        self.define(array(name, *own), moved)
        return array(name, *order)

    def is_centered(self, element: Expr) -> bool:
        return isinstance(element, Indexed) and name_of(element).startswith("centered_")


# What a rule makes of an expression, or None where it does not apply.
Rule = Callable[[Expr, Names], Expr | None]
