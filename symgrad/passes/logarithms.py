"""logarithms: what a loss reads of the outputs: them, and logarithms of them.

A Gauss–Newton matrix is Jᵀ·H·J with the loss's second derivative H by the outputs y. With a
cross-entropy that is t/y², which is infinite where a softmax has underflowed, though the product is
an ordinary number. Of l = log y, which such a network has in a form that cannot overflow, y² is no
part: l has the slope 1/u by what it is the logarithm of, and the second -1/u². So in

    ∂²E/∂y² = l′·∂²E/∂l²·l′ + ∂E/∂l·l″

l″ is -l′², for each output, and for sums of them as well, and nothing has to be divided by y:

    Jᵀ·∂²E/∂y²·J = Lᵀ·(∂²E/∂l² - ∂E/∂l)·L    with L the derivative of l by the weights

Of y as it stands the second derivative is 0, and that is the matrix as it was.
"""

from dataclasses import dataclass, field, replace

from sympy import Expr, Symbol, log

from symgrad.language.functions import log1p, xlogy
from symgrad.language.indices import SAMPLE, canonical, operands, rebuild, rename, walk
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array, name_of, prune, reads
from symgrad.passes.differentiate import partial
from symgrad.passes.expand import expand, loss_of_output, outputs_of
from symgrad.passes.share import Key, key_of, share
from symgrad.passes.stabilize import stabilize
from symgrad.spec.spec import Spec


@dataclass(frozen=True)
class Read:
    """`forward` gives, from the weights and x, the arrays that `loss`, without penalties, is given;
    `logarithms` are those of them that are."""

    forward: Program
    loss: Program
    logarithms: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.forward.outputs


@undistributed
def read_by_loss(spec: Spec) -> Read | None:
    """None where the loss reads nothing but the outputs: where it has no logarithms of them that
    the network has without taking one of y."""
    loss = loss_of_output(spec)
    outputs = outputs_of(spec)
    found = _Found(outputs)
    for definition in loss.definitions:
        found.search(definition.value)
    forward = _forward(spec, loss, tuple(found.logarithms.values()))
    for key, definition in list(found.logarithms.items()):
        if {*outputs} & {*prune(forward, (definition.name,)).by_name}:
            del found.logarithms[key]
    names = tuple(definition.name for definition in found.logarithms.values())
    if not names:
        return None
    definitions = tuple(replace(d, value=found.given(d.value)) for d in loss.definitions)
    needed = {name_of(read) for d in definitions for read in reads(d.value)}
    given = (*loss.inputs, *(definition.target for definition in found.logarithms.values()))
    inputs = tuple(each for each in given if name_of(each) in needed)
    loss = share(stabilize(replace(loss, inputs=inputs, definitions=definitions)))
    read = (name for name in outputs if name in needed)
    return Read(prune(forward, (*read, *names)), loss, names)


def _forward(spec: Spec, loss: Program, more: tuple[Definition, ...]) -> Program:
    """The network with logarithms of its outputs under names of their own."""
    program = prune(expand(spec), outputs_of(spec))
    needed = {name_of(read) for d in (*program.definitions, *more) for read in reads(d.value)}
    program = replace(
        program,
        inputs=tuple(each for each in program.inputs if name_of(each) in needed),
        definitions=(*program.definitions, *more),
        outputs=(*program.outputs, *(definition.name for definition in more)),
    )
    return share(stabilize(program))


@dataclass
class _Found:
    """The logarithms of outputs in a loss, by what they are of but for the names of indices."""

    outputs: tuple[str, ...]
    logarithms: dict[Key, Definition] = field(default_factory=dict)

    def search(self, value: Expr) -> None:
        for node in walk(value):
            if (inside := _inside(node, self.outputs)) is not None:
                key, order = _key(inside)
                own = canonical(order)
                value = log(rename(inside, dict(zip(order, own, strict=True))))
                target = array(f"logarithm{len(self.logarithms) + 1}", *own)
                self.logarithms.setdefault(key, Definition(target, value))

    def given(self, value: Expr) -> Expr:
        """A value that reads logarithms where it took them."""
        parts = operands(value)
        changed = [self.given(part) for part in parts]
        if (inside := _inside(value, self.outputs)) is not None:
            key, order = _key(inside)
            if key in self.logarithms:
                logarithm = array(self.logarithms[key].name, *order)
                return changed[0] * logarithm if isinstance(value, xlogy) else logarithm
        return rebuild(value, changed) if tuple(changed) != parts else value


def _key(value: Expr) -> tuple[Key, tuple[Symbol, ...]]:
    """A value's form, and its free indices, that of samples first."""
    key, order = key_of(value)
    return key, tuple(sorted(order, key=lambda index: index != SAMPLE))


def _inside(node: Expr, of: tuple[str, ...]) -> Expr | None:
    """What a logarithm is of, where that is linear in outputs."""
    if not isinstance(node, log | log1p | xlogy):
        return None
    inside = 1 + node.args[0] if isinstance(node, log1p) else node.args[-1]
    outputs = [read for read in reads(inside) if name_of(read) in of]
    slopes = [partial(inside, read) for read in outputs]
    linear = not any(name_of(read) in of for slope in slopes for read in reads(slope))
    return inside if outputs and linear else None
