"""share: what is computed twice is defined once.

Sub-expressions are hash-consed modulo the names of their indices, bound and free: `tanh(z1[n,i1])`
and `tanh(z1[n,i2])` are one array, read twice. What another definition has computed already is read
from there (tanh′ = 1 - tanh(z)² becomes 1 - a1²); what occurs twice elsewhere gets a definition of
its own, just before its first use and named after what it is; what only renames something
disappears.

The match is exact: two expressions that share are equal but for index names. Being a matter of
form, it does not see that x + y - y is x, nor a sum of two terms inside a sum of three.
"""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace

from sympy import Add, Expr, Function, Indexed, Mul, Pow, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.language.functions import TABLE
from symgrad.language.indices import (
    SAMPLE,
    axis,
    bounds,
    canonical,
    is_index,
    layer_of,
    operands,
    rebuild,
    rename,
    walk,
)
from symgrad.language.notation import grouped, undistributed
from symgrad.language.order import arranged
from symgrad.language.program import Definition, Program, array, name_of

# Expressions with equal keys are equal but for the names of their indices.
Key = tuple[object, ...]


@undistributed
def share(program: Program, of_weights: bool = True) -> Program:
    """`program` with every sub-expression computed once, and no definition that is a mere alias.

    What is made of weights alone is left where it stands if not `of_weights`: by weights it is to
    be differentiated yet, and a derivative by it would be a sum over all samples, which derivatives
    by the weights would have to wait for.
    """
    program = _without_aliases(program)
    while True:
        keys = _Keys()
        sharing = _Sharing(program, keys, _occurrences(program, keys), of_weights)
        shared = _write_out(sharing.run())
        if shared == program:
            return program
        program = shared


def key_of(value: Expr) -> tuple[Key, tuple[Symbol, ...]]:
    """A value's form without index names, and its free indices in the form's order."""
    return _Keys().of(value)


@dataclass
class _Keys:
    """Computes keys; remembers them, so that a value's parts are looked at once."""

    known: dict[Expr, tuple[Key, tuple[Symbol, ...]]] = field(default_factory=dict)

    def of(self, value: Expr) -> tuple[Key, tuple[Symbol, ...]]:
        if value not in self.known:
            self.known[value] = self._of(value)
        return self.known[value]

    def _of(self, value: Expr) -> tuple[Key, tuple[Symbol, ...]]:
        if isinstance(value, grouped):
            return self.of(value.args[0])
        if isinstance(value, Indexed):
            order = tuple(dict.fromkeys(filter(is_index, value.indices)))
            places = tuple(order.index(i) if is_index(i) else str(i) for i in value.indices)
            return ("read", name_of(value), places), order
        if is_index(value):
            return ("index",), (value,)
        if not operands(value):
            return ("atom", str(value)), ()
        if isinstance(value, ExprWithLimits):
            form, order = self.of(value.function)
            over = tuple((order.index(i), str(extent)) for i, extent in bounds(value).items())
            rest = tuple(place for place, i in enumerate(order) if i not in bounds(value))
            return (type(value).__name__, form, over, rest), tuple(order[place] for place in rest)
        parts = [self.of(part) for part in operands(value)]
        if isinstance(value, Add | Mul):
            # an order that does not look at index names first, so that renaming keeps it
            parts.sort(key=lambda part: (repr(part[0]), [i.name for i in part[1]]))
        order = tuple(dict.fromkeys(index for _, indices in parts for index in indices))
        forms = tuple((form, tuple(map(order.index, indices))) for form, indices in parts)
        return (type(value).__name__, forms), order


def _without_aliases(program: Program) -> Program:
    """What only renames an element, or is constant, is put in where it is read."""
    program = _shorter_names(program)
    names = program.by_name.keys() | program.given.keys()
    kept: list[Definition] = []
    aliases: dict[str, Definition] = {}
    for definition in program.definitions:
        definition = replace(definition, value=_put_in(definition.value, aliases))
        if definition.name not in program.outputs and _is_alias(definition.value, names):
            aliases[definition.name] = definition
        else:
            kept.append(definition)
    return program.with_definitions(kept)


def _is_alias(value: Expr, names: Set[str]) -> bool:
    """Whether `value` is a read, up to its sign, or a constant: a number, 1/N."""
    if isinstance(value, Indexed | Symbol) or isinstance(-value, Indexed):
        return True
    return not any(
        isinstance(node, Indexed) or (isinstance(node, Symbol) and node.name in names)
        for node in walk(value)
    )


def _shorter_names(program: Program) -> Program:
    """Of two names for one array the shorter one stays: d_z3, and not d_centered_z3."""
    shorter: dict[str, Definition] = {}
    for definition in program.definitions:
        value = definition.value
        longer = program.by_name.get(name_of(value)) if isinstance(value, Indexed) else None
        if (
            longer is not None
            and value.indices == longer.indices == definition.indices
            and longer.name not in (*program.outputs, *shorter)
            and len(definition.name) < len(longer.name)
        ):
            shorter[longer.name] = Definition(longer.target, definition.target)
    gone = {name_of(alias.value) for alias in shorter.values()}
    return program.with_definitions(
        Definition(_put_in(definition.target, shorter), _put_in(definition.value, shorter))
        for definition in program.definitions
        if definition.name not in gone
    )


def _put_in(value: Expr, definitions: dict[str, Definition]) -> Expr:
    if not definitions:
        return value
    if isinstance(value, Indexed | Symbol):
        found = definitions.get(name_of(value))
        if found is None:
            return value
        indices = value.indices if isinstance(value, Indexed) else ()
        return rename(found.value, dict(zip(found.indices, indices, strict=True)))
    parts = operands(value)
    changed = [_put_in(part, definitions) for part in parts]
    return value if tuple(changed) == parts else rebuild(value, changed)


def _write_out(program: Program) -> Program:
    """silu(z) becomes z·sigmoid(z) where sigmoid(z) is needed elsewhere as well."""
    keys = _Keys()
    present = {
        keys.of(node)[0]
        for definition in program.definitions
        for node in walk(definition.value)
        if isinstance(node, Function)
    }

    def written(value: Expr) -> Expr:
        parts = operands(value)
        changed = [written(part) for part in parts]
        if tuple(changed) != parts:
            value = rebuild(value, changed)
        rule = TABLE.get(type(value))
        if rule and rule.shared and rule.written_out:
            if keys.of(rule.shared(*value.args))[0] in present:
                return rule.written_out(*value.args)
        return value

    return program.with_definitions(
        replace(definition, value=written(definition.value)) for definition in program.definitions
    )


def _occurrences(program: Program, keys: _Keys) -> Counter[Key]:
    """How often each form is computed, once all equal ones are one: its distinct parents."""
    counts: Counter[Key] = Counter()
    seen: set[Key] = set()
    for definition in program.definitions:
        stack = [definition.value]
        while stack:
            value = stack.pop()
            form = keys.of(value)[0]
            counts[form] += 1
            if form not in seen:
                seen.add(form)
                stack.extend(operands(value))
    return counts


class _Sharing:
    """Rewrites the definitions in order, with the forms that have a name by then."""

    def __init__(
        self, program: Program, keys: _Keys, counts: Counter[Key], of_weights: bool
    ) -> None:
        self.program, self.keys, self.counts = program, keys, counts
        self.of_weights = of_weights
        self.named: dict[Key, tuple[Expr, tuple[Symbol, ...]]] = {}
        self.taken = {*program.given, *program.by_name}
        self.definitions: list[Definition] = []
        self.coming = {
            keys.of(d.value)[0]: d for d in reversed(program.definitions) if self._serves(d)
        }
        self.brought_forward: set[str] = set()

    def run(self) -> Program:
        for definition in self.program.definitions:
            if definition.name in self.brought_forward:
                continue
            value = definition.value
            form, order = self.keys.of(value)
            computed = self._read(form, order) if _is_work(value) else None
            if computed is None:
                parts = [self._shared(part, definition.name) for part in operands(value)]
                computed = rebuild(value, parts) if parts else value
                if self._serves(definition):
                    self.named.setdefault(form, (definition.target, order))
            self.definitions.append(Definition(definition.target, computed))
        return _without_aliases(self.program.with_definitions(self.definitions))

    def _serves(self, definition: Definition) -> bool:
        """Whether others can read its value there: not if it repeats it along an index."""
        return set(self.keys.of(definition.value)[1]) == set(definition.indices)

    def _shared(self, value: Expr, user: str) -> Expr:
        """`value` with what has a name read from there, and what deserves one given it."""
        if not operands(value):
            return value
        form, order = self.keys.of(value)
        if _is_work(value):
            if (found := self._read(form, order)) is not None:
                return found
            if self.counts[form] > 1 and (self.of_weights or _reads_samples(value)):
                self._define(value, user)
                found = self._read(form, order)
                assert found is not None
                return found
        parts = [self._shared(part, user) for part in operands(value)]
        return value if tuple(parts) == operands(value) else rebuild(value, parts)

    def _read(self, form: Key, order: tuple[Symbol, ...]) -> Expr | None:
        if form not in self.named:
            return None
        target, names = self.named[form]
        return rename(target, dict(zip(names, order, strict=True)))

    def _define(self, value: Expr, user: str) -> None:
        """A definition for `value`: one that comes later anyway is brought forward."""
        form, order = self.keys.of(value)
        if form in self.coming:
            self._bring_forward(form)
            return
        if isinstance(value, grouped):
            (value,) = value.args
        by_axis = sorted(
            order, key=lambda i: (axis(i) != "n", layer_of(axis(i)) or 0, i.name)
        )
        indices = canonical(by_axis)
        value = rename(value, dict(zip(by_axis, indices, strict=True)))
        parts = [self._shared(part, user) for part in operands(value)]
        name = _unused(name_for(rebuild(value, parts), user), self.taken)
        self.taken.add(name)
        target = array(name, *indices)
        self.definitions.append(Definition(target, rebuild(value, parts)))
        self.named[form] = (target, self.keys.of(value)[1])

    def _bring_forward(self, form: Key) -> None:
        definition = self.coming[form]
        self.brought_forward.add(definition.name)
        parts = [self._shared(part, definition.name) for part in operands(definition.value)]
        value = rebuild(definition.value, parts)
        self.definitions.append(Definition(definition.target, value))
        self.named[form] = (definition.target, self.keys.of(definition.value)[1])


def _reads_samples(value: Expr) -> bool:
    return any(isinstance(node, Indexed) and SAMPLE in node.indices for node in walk(value))


def _is_work(value: Expr) -> bool:
    """Whether computing `value` costs anything: not a read, a constant, or a change of sign."""
    if not operands(value) or not any(isinstance(node, Indexed) for node in walk(value)):
        return False
    if isinstance(value, Mul) and len(value.args) == 2 and value.args[0] == -1:
        return False
    # a quotient is exact where an inverse is not: of a very small number it would be infinite; but
    # a sum of exponentials that softmax divides by is an ordinary number
    return not (isinstance(value, Pow) and value.exp == -1 and not isinstance(value.base, Sum))


def name_for(value: Expr, user: str) -> str:
    """A name that says what `value` is, or whose part it is where that would be too long."""
    return _in_words(value) or f"part_of_{user}"


def _in_words(value: Expr) -> str | None:
    def words(parts: Iterable[Expr]) -> list[str] | None:
        named = [_in_words(part) for part in parts]
        return None if None in named else [word for word in named if word]

    if isinstance(value, Indexed):
        return name_of(value)
    if isinstance(value, Symbol):
        return str(value.name)
    if value.is_Integer and 0 <= value <= 9:
        return ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")[
            value
        ]
    result = None
    if isinstance(value, Add) and len(value.args) == 2:
        first, second = arranged(value)
        minus = second.could_extract_minus_sign()
        pair = words([first, -second if minus else second])
        result = pair and ("_minus_" if minus else "_plus_").join(pair)
    elif isinstance(value, Mul) and len(value.args) == 2:
        pair = words(arranged(value))
        result = pair and "_times_".join(pair)
    elif isinstance(value, Pow) and value.exp in (2, -1):
        base = _in_words(value.base)
        result = base and (f"{base}_squared" if value.exp == 2 else f"inverse_{base}")
    elif isinstance(value, Function | ExprWithLimits):
        called = type(value).__name__.lower()
        parts = words(operands(value))
        result = parts and "_".join([called, *parts])
    return result if result and len(result) <= 32 else None


def _unused(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
