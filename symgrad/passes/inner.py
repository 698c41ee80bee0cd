"""inner: the derivatives that stand in a loss: what they are called becomes what they are.

`expand` has written the loss with names for them, as if they were given: d_u_d_x, d_u_d_x_d_x. Here
the network is differentiated along each input that is asked for, and what comes out once more for
the next order, by the same passes as for all other derivatives. What is differentiated by the
weights afterwards is one program again.

At kinks the second derivative is that of the slopes on both sides: of relu it is 0.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from sympy import Integer, Symbol

from symgrad.language.count import operations
from symgrad.language.indices import SAMPLE, delta, sum_over, unit
from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array, indices_of, name_of, prune
from symgrad.passes.collapse import collapse
from symgrad.passes.differentiate import Direction, differentiate
from symgrad.passes.expand import inner_derivatives, target
from symgrad.passes.factor import ORDERS, factor
from symgrad.passes.joined import joined
from symgrad.passes.share import share as shared
from symgrad.spec.formula import Column, Derivative
from symgrad.spec.spec import Spec


def share(program: Program) -> Program:
    return shared(program, of_weights=False)


@undistributed
def inner(program: Program, spec: Spec) -> Program:
    """`program` with all that it takes to compute the derivatives in its loss; as it is, where
    there are none."""
    wanted = {name_of(target(each, spec)): each for each in inner_derivatives(spec)}
    if not wanted:
        return program
    given = tuple(each for each in program.inputs if name_of(each) not in wanted)
    forward = prune(program, ("y",))
    own = {definition.name for definition in forward.definitions}
    known = replace(forward, inputs=program.inputs)  # whose names others must not have
    called = [*(spec.input_names or (f"x{place}" for place in range(spec.inputs)))]
    orders = [by for each in wanted.values() if not isinstance(by := each.by, str)]
    made = _along_inputs(known, orders, called)
    for name, each in wanted.items():
        if each.by == "each":
            made = _extended(made, _by_each_input(known, each), name, own)
        elif each.by == "laplacian":
            made = _extended(made, _laplacian(known), name, own)
    columns = (_column(name, each, spec, called) for name, each in wanted.items())
    rest = (d for d in program.definitions if d.name not in own)
    definitions = (*made.definitions, *columns, *rest)
    return share(replace(program, inputs=given, definitions=definitions))


def _column(name: str, derivative: Derivative, spec: Spec, called: list[str]) -> Definition:
    """What the loss calls a derivative, read from that of all outputs."""
    here = target(derivative, spec)
    of = derivative.of
    whole = array(
        _whole(name, derivative, called), SAMPLE, unit(len(spec.layers)), *_own_index(derivative)
    )
    place = Integer(of.place) if isinstance(of, Column) else unit(len(spec.layers))
    read = whole.base[(SAMPLE, place, *whole.indices[2:])]
    return Definition(here, read)


def _own_index(derivative: Derivative) -> tuple[Symbol, ...]:
    return (unit(0),) if derivative.by == "each" else ()


def _whole(name: str, derivative: Derivative, called: list[str]) -> str:
    """What the same derivative of all outputs is called."""
    if isinstance(derivative.by, str):
        return f"{name}_of_all"
    return _along_name(derivative.by, called)


def _along_name(by: tuple[int, ...], called: list[str]) -> str:
    return "_d_".join(["d_y", *(called[place] for place in by)])


def _along_inputs(
    program: Program, wanted: Iterable[tuple[int, ...]], called: list[str]
) -> Program:
    """∂y/∂x_i, ∂²y/∂x_i∂x_j, … for the inputs that are wanted, the lower orders first."""
    chains = {by[:order] for by in wanted for order in range(1, len(by) + 1)}
    x = program.given["x"]
    for order in range(1, max(map(len, chains), default=0) + 1):
        for place in sorted({by[-1] for by in chains if len(by) == order}):
            of = [by[:-1] for by in sorted(chains) if len(by) == order and by[-1] == place]
            names = [_along_name(by, called) if by else "y" for by in of]
            moves = {"x": delta(indices_of(x)[1], Integer(place))}
            direction = Direction(f"along {called[place]}", moves, f"d_{{}}_d_{called[place]}")
            program = _cheapest(program, names, direction)
    return program


def _cheapest(program: Program, of: list[str], direction: Direction) -> Program:
    """`program` and derivatives along a direction, in the order with the fewest operations."""
    outputs = tuple(dict.fromkeys((*program.outputs, *of)))
    graph = differentiate(program, of, (), (direction,))
    found = []
    for order in ORDERS:
        made = factor(graph, order)
        names = {d.name for d in program.definitions}
        more = tuple(d for d in made.definitions if d.name not in names)
        whole = replace(program, definitions=(*program.definitions, *more))
        found.append(share(replace(whole, outputs=(*outputs, *made.outputs[len(of) :]))))
    return min(found, key=operations)


def _by_each_input(program: Program, derivative: Derivative) -> Iterator[Program]:
    for order in ORDERS:
        made = factor(differentiate(program, ("y",), ("x",)), order)
        yield replace(made, outputs=("d_y_d_x",))


def _laplacian(program: Program) -> Iterator[Program]:
    for jacobian in _by_each_input(program, Derivative(Column("y", 0), "each")):
        for order in ORDERS:
            graph = differentiate(share(prune(jacobian, ("d_y_d_x",))), ("d_y_d_x",), ("x",))
            made = factor(graph, order)
            second = made.by_name["d_y_d_x_d_x"].target
            n, of, one, _ = second.indices
            trace = sum_over(second.base[n, of, one, one], one, made.extent(one))
            definitions = (*made.definitions, Definition(array("laplacian", n, of), trace))
            made = replace(made, definitions=definitions, outputs=("laplacian",))
            yield collapse(prune(made, ("laplacian",)))


def _extended(
    program: Program, ways: Iterator[Program], name: str, known: Collection[str]
) -> Program:
    """`program` and what is computed in one of some ways, that with the fewest operations, under
    this name; what is `known` both begin with. (d_z1_d_x may be along an input called x, or by all
    of x.)"""
    found = []
    for way in ways:
        way = share(way)
        (output,) = way.outputs
        whole = array(f"{name}_of_all", *way.by_name[output].indices)
        alias = Definition(whole, way.by_name[output].target)
        way = way.with_definitions((*way.definitions, alias))
        found.append(program.with_definitions(joined(program, way, known)))
    return min(found, key=operations)
