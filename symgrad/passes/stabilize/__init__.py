"""stabilize: rewrites that keep the value and cannot overflow or cancel where the original does.

What a rule makes of a formula is nowhere less exact than the formula as it is written, but for a
few units in the last place; and so is its derivative. Rules look through names: the log of `y` is
the log of what `y` was defined as, so that -t·log y after a softmax needs no exponential's
logarithm, without anybody having put that in. The rules stand in three files:

    quotients     quotients of sums of exponentials
    logarithms    logarithms of exponentials, products, powers and sums
    kinks         kinks that cancel, and roots of squares
"""

from sympy import Add, Expr

from symgrad.language.exponentials import ungrouped
from symgrad.language.indices import operands, rebuild, walk
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array, prune
from symgrad.passes.stabilize.kinks import KINKS, not_negative
from symgrad.passes.stabilize.logarithms import LOGARITHMS, log_of
from symgrad.passes.stabilize.names import Names, Rule
from symgrad.passes.stabilize.quotients import QUOTIENTS

RULES: tuple[Rule, ...] = (*LOGARITHMS, *QUOTIENTS, *KINKS)

# More rewrites of one expression than any chain of rules takes.
MOST_REWRITES = 100


@undistributed
def stabilize(program: Program) -> Program:
    """`program` with the same values in exact arithmetic, finite ones in floating point."""
    names = Names(program)
    for definition in program.definitions:
        names.user = definition.name
        names.define(definition.target, stable(definition.value, names))
        _define_logarithm(definition, names)
    return prune(program.with_definitions(names.definitions.values()), program.outputs)


def _define_logarithm(definition: Definition, names: Names) -> None:
    """log_y for a softmax y: the logarithm is what losses want. Dropped if none does."""
    target = array(f"log_{definition.name}", *definition.indices)
    value = names.definitions[definition.name].value
    if any(names.is_centered(node) for node in walk(value)):
        logarithm = log_of(value, names)
        if logarithm is not None:
            names.define(target, logarithm)


def stable(value: Expr, names: Names) -> Expr:
    """One value, from its leaves up, until no rule applies."""
    for _ in range(MOST_REWRITES):
        parts = operands(value)
        if not parts:
            return value
        changed = [stable(part, names) for part in parts]
        if tuple(changed) != parts:
            value = rebuild(value, changed)
        rewritten = _once(value, names)
        if rewritten is None:
            return value
        value = rewritten
    raise AssertionError(f"rules undo one another: {value}")


def _once(value: Expr, names: Names) -> Expr | None:
    """What the first rule that applies makes of `value`."""
    for rule in RULES:
        changed = rule(value, names)
        if changed is not None and changed != value:
            return changed
    flat = ungrouped(value) if isinstance(value, Add) else value
    if flat != value and (_order_is_no_matter(flat) or _once(flat, names) is not None):
        return flat
    return None


def _order_is_no_matter(total: Expr) -> bool:
    """Whether a sum may be added up in any order: where nothing cancels, each is as good."""
    terms = Add.make_args(total)
    return len(terms) < 3 or all(map(not_negative, terms))
