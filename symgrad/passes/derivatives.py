"""derivatives: other derivatives than the loss's by the weights, each a program made by the same
passes.

    forward     x, weights → y
    loss        y, t → E, the same loss with the network's output as what is given
    gradient    x, weights, t → E and d_W1, d_b1, …

`differentiate` takes what is differentiated and by what; a product of a derivative and a vector is
a derivative along a direction (Pearlmutter 1994, "Fast exact multiplication by the Hessian"); what
is linear in a vector has a matrix, its derivative by the vector. In which order partials are
multiplied is not said here: of all orders the one is taken that the fewest operations are counted
for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sympy import Add, Expr, Integer, Sum

from symgrad.language.count import for_each_sample, operations
from symgrad.language.indices import SAMPLE, SAMPLES, sum_over
from symgrad.language.notation import undistributed
from symgrad.language.order import terms
from symgrad.language.program import (
    Definition,
    Program,
    array,
    indices_of,
    name_of,
    prune,
    reads,
)
from symgrad.passes.collapse import collapse, restrict
from symgrad.passes.differentiate import Direction, differentiate
from symgrad.passes.expand import loss_of_output, outputs_of
from symgrad.passes.factor import ORDERS, Order, factor
from symgrad.passes.guard import guard
from symgrad.passes.joined import called, joined
from symgrad.passes.logarithms import Read, read_by_loss
from symgrad.passes.moments import moments
from symgrad.passes.share import share
from symgrad.passes.stabilize import stabilize
from symgrad.spec.spec import Spec

# What is given beside x, t, the weights of samples and of the network: vectors, along which is
# differentiated, and ∂L/∂y of a loss of the caller's own, d_y.
V = "v_"


@dataclass(frozen=True)
class Network:
    """What derivatives are made of: a spec, and the program of its loss, stable and shared."""

    spec: Spec
    shared: Program

    @cached_property
    def forward(self) -> Program:
        """From x and the weights to y."""
        program = prune(self.shared, outputs_of(self.spec))
        return replace(program, inputs=tuple(i for i in program.inputs if name_of(i) == "x"))

    @cached_property
    def loss(self) -> Program:
        """From y and t to E, without penalties."""
        return share(stabilize(loss_of_output(self.spec)))

    @cached_property
    def read(self) -> Read:
        """The same two, where the loss reads logarithms of y with these in place of y."""
        return read_by_loss(self.spec) or Read(self.forward, self.loss, ())

    @property
    def outputs(self) -> tuple[str, ...]:
        return outputs_of(self.spec)

    @cached_property
    def gradient(self) -> Program:
        """The loss and its derivative by the weights."""
        return share(factor(differentiate(self.shared)))

    @property
    def weights(self) -> tuple[str, ...]:
        return tuple(name_of(weight) for weight in self.shared.weights)


@dataclass(frozen=True)
class Derivative:
    """A derivative as a program, and what else it would have cost: operations for one sample by the
    orders in which partials could have been multiplied, the one that was taken first."""

    program: Program
    orders: Mapping[tuple[str, ...], int]


@undistributed
def derivative(name: str, network: Network) -> Derivative:
    """One of `DERIVATIVES`, in the order that takes the fewest operations."""
    made = dict(DERIVATIVES[name](network))
    count = for_each_sample if name in MATRICES else operations
    costs = {orders: count(program) for orders, program in made.items()}
    ranked = dict(sorted(costs.items(), key=lambda cost: cost[1]))
    return Derivative(guard(made[next(iter(ranked))], network.shared), ranked)


Ways = Iterator[tuple[tuple[str, ...], Program]]


def _along(name: str, form: str, moved: Iterable[Expr]) -> Direction:
    """The direction in which each of some arrays moves by a vector that is given."""
    moves = {name_of(target): _vector(target) for target in moved}
    return Direction(name, moves, form)


def _vector(target: Expr) -> Expr:
    return array(V + name_of(target), *indices_of(target))


def _jacobian(network: Network) -> Ways:
    for order in ORDERS:
        graph = differentiate(network.forward, network.outputs, ("x",))
        yield (order,), _only(factor(graph, order), *_by_x(network, 1))


def _second(network: Network) -> Ways:
    for (first,), jacobian in _jacobian(network):
        for order in ORDERS:
            graph = differentiate(jacobian, _by_x(network, 1), ("x",))
            yield (first, order), _only(factor(graph, order), *_by_x(network, 2))


def _by_x(network: Network, order: int) -> tuple[str, ...]:
    """What derivatives of the outputs by inputs are called."""
    return tuple(f"d_{name}{'_d_x' * order}" for name in network.outputs)


def _laplacian(network: Network) -> Ways:
    for orders, program in _second(network):
        traces = []
        for name in network.outputs:
            second = program.by_name[f"d_{name}_d_x_d_x"].target
            n, unit, one, _ = second.indices
            trace = sum_over(second.base[n, unit, one, one], one, program.extent(one))
            traces.append(Definition(array(f"laplacian{name.removeprefix('y')}", n, unit), trace))
        names = tuple(each.name for each in traces)
        yield orders, _only(collapse(prune(_with(program, *traces), names)), *names)


def _pullback(network: Network) -> Ways:
    yield from _pulled(network.forward, network.outputs, network.weights, ("x",))


def _pulled(
    forward: Program, of: tuple[str, ...], weights: tuple[str, ...], inputs: tuple[str, ...]
) -> Ways:
    """From ∂L/∂y to ∂L/∂W1, …: what is differentiated is L's part that is linear in y."""
    given, parts = [], []
    for name in of:
        y = forward.by_name[name].target
        given.append(y.func(array(f"d_{name}", *y.indices).base, *y.indices))
        part = given[-1] * y
        for index in y.indices[1:]:
            part = sum_over(part, index, forward.extent(index))
        parts.append(part)
    loss = Definition(array("E"), Sum(Add(*parts), (SAMPLE, 0, SAMPLES - 1)))
    program = replace(_with(forward, loss), inputs=(*forward.inputs, *given))
    names = [f"d_{name}" for name in (*weights, *inputs)]
    yield ("loss-first",), _only(factor(differentiate(program, by=(*weights, *inputs))), *names)


def _pushforward(network: Network) -> Ways:
    forward = network.forward
    yield from _pushed(forward, network.outputs, (*forward.weights, *forward.inputs))


def _pushed(
    program: Program, of: tuple[str, ...], moved: tuple[Expr, ...], beside: tuple[str, ...] = ()
) -> Ways:
    """Derivatives along vectors for some of what is given: v_y, and v_d_W1; and what is wanted
    beside."""
    graph = differentiate(program, of, (), (_along("v", "v_{}", moved),))
    given = replace(program, inputs=(*program.inputs, *map(_vector, moved)))
    for order in ORDERS:
        made = replace(factor(graph, order), inputs=given.inputs)
        yield (order,), _only(made, *beside, *(f"v_{name}" for name in of))


def _input_gradient(network: Network) -> Ways:
    for order in ORDERS:
        program = factor(differentiate(network.shared, by=("x",)), order)
        yield (order,), _only(program, "E", "d_x")


def _gradients(network: Network) -> Ways:
    program = prune(network.shared, ("e",))
    for order in ORDERS:
        graph = differentiate(program, ("e",))
        yield (order,), _only(factor(graph, order), *(f"d_e_d_{w}" for w in network.weights))


def _jacobian_by_weights(network: Network) -> Ways:
    for order in ORDERS:
        graph = differentiate(network.forward, network.outputs)
        names = (f"d_{y}_d_{w}" for y in network.outputs for w in network.weights)
        yield (order,), _only(factor(graph, order), *names)


def _hessian_vector(network: Network) -> Ways:
    names = tuple(f"d_{weight}" for weight in network.weights)
    yield from _pushed(network.gradient, names, network.gradient.weights)


def _gauss_newton_vector(network: Network) -> Ways:
    """Forward to v_y, through the second derivative of the loss by y, and back."""
    forward, names = network.read.forward, network.read.names
    curved = _curved(network.read)
    ((_, back),) = _pulled(forward, names, network.weights, ())
    for order, pushed in _pushed(forward, names, forward.weights, names):
        own = {*names, *map(name_of, pushed.inputs)}
        given = (i for i in network.read.loss.inputs if name_of(i) not in own)
        inputs = (*pushed.inputs, *given)
        inner = replace(pushed, inputs=inputs, definitions=joined(pushed, curved))
        made = replace(back, inputs=inputs, definitions=joined(inner, back, forward.by_name))
        yield order, _only(made, *(f"d_{weight}" for weight in network.weights))


def _curved(read: Read) -> Program:
    """From v_y to ∂²E/∂y²·v_y, or what takes its place for a logarithm; it is called d_y, as it is
    on the way back."""
    slopes = tuple(f"d_{name}" for name in read.names)
    slope = _only(factor(differentiate(read.loss, by=read.names)), *slopes)
    given = tuple(i for i in slope.inputs if name_of(i) in read.names)
    beside = tuple(f"d_{name}" for name in read.logarithms)
    ((_, pushed), *_) = _pushed(slope, slopes, given, beside)
    results = []
    for target in given:
        name = name_of(target)
        moved = array(f"v_d_{name}", *indices_of(target))
        if name in read.logarithms:
            moved = moved - array(f"d_{name}", *indices_of(target)) * _vector(target)
        results.append(Definition(array(f"curved_{name}", *indices_of(target)), moved))
    made = _only(_with(pushed, *results), *(d.name for d in results))
    names = {f"d_{name}": f"slope_{name}" for name in read.names}
    names |= {f"curved_{name}": f"d_{name}" for name in read.names}
    definitions = tuple(called(definition, names) for definition in made.definitions)
    return replace(made, definitions=definitions, outputs=slopes)


def _matrix(vector_product: Callable[[Network], Ways]) -> Callable[[Network], Ways]:
    """The matrix of what is linear in the vectors for the weights."""

    def made(network: Network) -> Ways:
        *_, (_, program) = vector_product(network)
        vectors = tuple(V + weight for weight in network.weights)
        names = tuple(program.outputs)
        for order in ORDERS:
            inner = _through_samples(program, vectors, order)
            graph = differentiate(inner, names, vectors)
            wanted = [
                graph.named(one, other)
                for place, one in enumerate(names)
                for other in vectors[place:]
            ]
            for last in ORDERS[:2]:
                matrix = factor(graph, last)
                given = tuple(i for i in matrix.inputs if not name_of(i).startswith(V))
                yield (order, last), _only(replace(matrix, inputs=given), *wanted)

    return made


def _of_moments(matrix: Callable[[Network], Ways]) -> Callable[[Network], Ways]:
    """The same matrix, of sums over samples that are as small as can be, and are outputs too."""

    def made(network: Network) -> Ways:
        for orders, program in matrix(network):
            shared = share(moments(program))
            # a sum may turn out to be another one, by another name
            sums = (n for n in shared.outputs if isinstance(shared.by_name[n].value, Sum))
            wanted = tuple(dict.fromkeys((*program.outputs, *sums)))
            yield orders, shared if len(wanted) == len(shared.outputs) else _only(shared, *wanted)

    return made


def _through_samples(program: Program, vectors: tuple[str, ...], order: Order) -> Program:
    """The same with all that lies between what the vectors come in by and what the results are
    summed from as one matrix for each sample and pair of these. What is multiplied by inputs and
    activations on both sides would otherwise be multiplied on the way as well, for all weights."""
    starts: dict[str, Definition] = {}
    definitions: list[Definition] = []
    for definition in program.definitions:
        given = [
            term
            for term in terms(definition.value)
            if any(name_of(read) in vectors for read in reads(term))
        ]
        if definition.name in program.outputs or not given:
            definitions.append(definition)
            continue
        start = Definition(array(f"from_{definition.name}", *definition.indices), Add(*given))
        starts[start.name] = start
        rest = [term for term in terms(definition.value) if term not in given]
        definitions.append(replace(definition, value=Add(start.target, *rest)))
    inputs = (*program.inputs, *(start.target for start in starts.values()))
    cut = replace(program, inputs=inputs, definitions=tuple(definitions))
    moving = _depending(cut, starts)
    ends = [
        name
        for name in dict.fromkeys(
            name_of(read) for output in program.outputs for read in reads(cut.by_name[output].value)
        )
        if name in moving
    ]
    # under names of their own, since one may be on the way to another
    copies = [
        Definition(array(f"end_{name}", *cut.by_name[name].indices), cut.by_name[name].target)
        for name in ends
    ]
    before = (d for d in definitions if d.name not in cut.outputs)
    inside = replace(cut, definitions=(*before, *copies))
    graph = differentiate(inside, tuple(copy.name for copy in copies), tuple(starts))
    solved = factor(graph, order)
    known = {d.name: d for d in solved.definitions}
    linear = []
    for name in ends:
        end = cut.by_name[name].target
        total = Integer(0)
        for start in starts.values():
            partial = known[graph.named(f"end_{name}", start.name)].target
            # of the samples both have the same; what is left of the partial's indices is the
            # start's own. A start has no samples where it is of weights alone: Σ W1²
            own = [index for index in partial.indices if index not in end.indices]
            samples = [index for index in start.indices if index == SAMPLE]
            moved = start.target.base[(*samples, *own)]
            part = partial * moved
            for index in own:
                part = sum_over(part, index, program.extent(index))
            total = total + part
        linear.append(Definition(end, total))
    gone = {*moving, *(copy.name for copy in copies)}
    kept = [d for d in solved.definitions if d.name not in gone]
    outputs = [d for d in definitions if d.name in program.outputs]
    return replace(
        program, definitions=(*kept, *starts.values(), *linear, *outputs), outputs=program.outputs
    )


def _depending(program: Program, on: Iterable[str]) -> set[str]:
    """The definitions that are computed from some of what is given."""
    found = {*on}
    for definition in program.definitions:
        if any(name_of(read) in found for read in reads(definition.value)):
            found.add(definition.name)
    return found - {*on}


def _hessian_diagonal(network: Network) -> Ways:
    for orders, program in _matrix(_hessian_vector)(network):
        diagonals = []
        for name in network.weights:
            block = program.by_name[f"d_v_d_{name}_d_v_{name}"].target
            own = block.indices[: len(block.indices) // 2]
            value = block.base[(*own, *own)]
            diagonals.append(Definition(array(f"diagonal_{name}", *own), value))
        program = _with(program, *diagonals)
        names = tuple(d.name for d in diagonals)
        yield orders, _only(restrict(prune(program, names)), *names)


DERIVATIVES: Mapping[str, Callable[[Network], Ways]] = {
    "jacobian": _jacobian,
    "second_derivatives": _second,
    "laplacian": _laplacian,
    "pullback": _pullback,
    "pushforward": _pushforward,
    "loss_and_input_gradient": _input_gradient,
    "gradients": _gradients,
    "jacobian_by_weights": _jacobian_by_weights,
    "hessian_vector": _hessian_vector,
    "hessian": _of_moments(_matrix(_hessian_vector)),
    "hessian_diagonal": _hessian_diagonal,
    "gauss_newton_vector": _gauss_newton_vector,
    "gauss_newton": _of_moments(_matrix(_gauss_newton_vector)),
}

# Those that are made at the end of what is summed over samples.
MATRICES = ("hessian", "gauss_newton")


def _only(program: Program, *outputs: str) -> Program:
    return share(prune(program, outputs))


def _with(program: Program, *definitions: Definition) -> Program:
    return program.with_definitions((*program.definitions, *definitions))
