"""derivatives: a derivative of a network as lowered functions: its own kernels, and the drivers of
the gradient, for these."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from sympy import Expr

from symgrad.language.notation import undistributed
from symgrad.language.program import Definition, Program, array, indices_of, name_of, reads
from symgrad.lowering import heads
from symgrad.lowering.canonical import sums_over_samples
from symgrad.lowering.cost_model import MOST_IN_TREE
from symgrad.lowering.drivers import drivers
from symgrad.lowering.interface import KERNELS, MORE, PENALTIES
from symgrad.lowering.kernels import Kernels, called_with, kernels
from symgrad.lowering.lower import Layout
from symgrad.lowering.program import Function
from symgrad.lowering.results import MOMENTS, Axis, Packed, Results
from symgrad.lowering.schedule import Schedule, schedule
from symgrad.lowering.specialize import ALWAYS, Network, numbers_of, specialize
from symgrad.spec.derivatives import DERIVATIVES, Extent, Result
from symgrad.spec.spec import Spec

# What of the drivers computes a gradient, and so a derivative.
_DRIVERS = (
    "_check", "_fits", "_sum_of_leaves", "_is_shared", "_sum_of_shared_leaves", "_tree_of_sums",
    "_tree_of_parts", "_sum_of_subtrees", "_gradient_of_one_leaf", "_gradient_at_once",
    "_gradient_in_turn", "_gradient_on_threads", "_mirror",
)  # fmt: skip
_SHARING = ("_is_shared", "_sum_of_shared_leaves")


@dataclass(frozen=True)
class LoweredDerivative:
    """A derivative's kernels, and what drivers have to know of it; `own` has the names of kernels
    by those that drivers know."""

    name: str
    kernels: Kernels
    results: Results
    network: Network
    own: Mapping[str, str]

    @property
    def drivers(self) -> Iterator[Function]:
        """What calls the kernels, for this network."""
        left_out = {*(() if self.kernels.shared else _SHARING)}
        left_out |= {"_mirror"} if self.network.numbers["MIRRORED"] == 0 else set()
        known = {*_DRIVERS} - left_out
        yield from specialize((f for f in drivers() if f.name in known), self.network)


def extents(result: Result, spec: Spec) -> tuple[int | str, ...]:
    """How long the axes of a result are."""
    known: dict[Extent, int | str] = {
        "samples": "samples",
        "outputs": spec.outputs,
        "inputs": spec.inputs,
        "weights": spec.weights,
    }
    return tuple(known[each] for each in result.extents)


@undistributed
def lower_derivative(name: str, spec: Spec, program: Program, layout: Layout) -> LoweredDerivative:
    """`program` computes it, as `passes.derivatives` makes it."""
    results = _results(name, spec, program, layout)
    program = _apart(program, frozenset(results.packed))
    plan = schedule(program, program.outputs)
    if results.made is not None:
        results = _with_moments(results, plan)
    own = kernels(results, plan, layout, spec.dtype == "float32")
    handed = handed_to_drivers(name, own)
    vector = None if results.vector is None else results.extents[results.vector]
    rows = None if results.rows is None else results.extents[results.rows]
    written = vector if results.made is None else results.extents[results.made]
    numbers = numbers_of(
        spec,
        WEIGHTED=int("_totals" in handed),
        GRADIENT_SCRATCH=own.scratch,
        RESULT=1 if vector is None else int(vector[0]),  # memory is divided by it
        WHOLE_RESULT=1 if written is None else int(prod(map(int, written))),
        MIRRORED=0 if results.made is None else spec.weights,
        CHAINED=int(results.chained),
        ROW_SHAPE=() if rows is None else tuple(map(int, rows[1:])),
        SHARED=int(own.shared),
        SUMMED=str(results.vector if results.made is None else results.made),
        BY_SAMPLE=str(results.rows),
    )
    return LoweredDerivative(
        name,
        own,
        results,
        Network(
            numbers=numbers,
            absent=_absent(name, spec),
            taken={known: tuple(called_with(f, results)) for known, f in handed.items()},
            given=KERNELS,
            extents={} if rows is None else {"by_sample": rows},
            names=own_names(name, handed),
            always=ALWAYS | {"gradient"},
        ),
        {known: f.name for known, f in handed.items()},
    )


def handed_to_drivers(name: str, own: Kernels) -> dict[str, Function]:
    """The functions of kernels called `name` by the names that drivers know them by."""
    names = {
        f.name.replace(f"_{name}_samples", "_samples")
        .replace(f"_{name}_sums", "_sums")
        .replace(f"_{name}_totals", "_totals")
        .replace(f"_{name}_", "_gradient_"): f
        for f in own.functions
    }
    return {known: f for known, f in names.items() if known in KERNELS}


def own_names(name: str, handed: Mapping[str, Function]) -> dict[str, str]:
    """What functions are called for `name`, by those that are the gradient's."""
    drivers = {driver: f"_{name}{driver}" for driver in _DRIVERS}
    return {known: f.name for known, f in handed.items()} | drivers


def _apart(program: Program, packed: frozenset[str]) -> Program:
    """`program` with arrays of their own for what others read of the outputs that lie in one array
    with others; and of ∂L/∂y, which is multiplied as a matrix."""
    read = {name_of(each) for d in program.definitions for each in reads(d.value)}
    slopes = [i for i in program.inputs if name_of(i) in packed and name_of(i).startswith("d_y")]
    read &= packed & {*program.by_name, *map(name_of, slopes)}
    definitions = [
        Definition(array(f"{name_of(each)}_read", *indices_of(each)), each) for each in slopes
    ]
    for definition in program.definitions:
        value = _of_their_own(definition.value, read)
        if definition.name in read:
            own = array(f"{definition.name}_read", *definition.indices)
            definitions.append(Definition(own, value))
            value = own
        definitions.append(Definition(definition.target, value))
    return replace(program, definitions=tuple(definitions), scattered=packed)


def _of_their_own(value: Expr, names: Collection[str]) -> Expr:
    own = {
        read: array(f"{name_of(read)}_read", *indices_of(read))
        for read in reads(value)
        if name_of(read) in names
    }
    return value.xreplace(own)


def _absent(name: str, spec: Spec) -> frozenset[str]:
    """The arguments of the gradient's drivers that it does not have."""
    signature = DERIVATIVES[name]
    absent = {parameter.name for parameter in MORE} - {*signature.more}
    if "v_theta" in signature.more:
        absent -= {"v"}
    if not signature.loss:
        absent |= {"t"}
    if not (signature.loss and spec.loss.sample_weights):
        absent |= {"w", "ws"}
    absent |= {*PENALTIES} - ({*spec.loss.arguments} if signature.penalised else set())
    absent -= {"by_sample"} if signature.result(True) else set()
    return frozenset(absent | (set() if signature.result(False) else {"gradient"}))


def _results(name: str, spec: Spec, program: Program, layout: Layout) -> Results:
    signature = DERIVATIVES[name]
    summed, each = signature.result(by_sample=False), signature.result(by_sample=True)
    known = {result.name: extents(result, spec) for result in signature.results}
    known |= heads.extents(spec)
    packed: dict[str, Packed] = {}
    mark = ""
    made = None
    if summed is not None and len(summed.extents) == 2:
        made = summed.name
        packed = dict(_matrix(made, program, layout, spec.weights))
        known[made] = (spec.weights**2,)
    elif summed is not None:
        first = next(iter(layout))
        mark = next(o for o in program.outputs if o.endswith(f"_{first}")).removesuffix(first)
    if each is not None and each.extents[-1] == "weights":
        for output in program.outputs:
            (start, shape) = layout[output.rpartition("_d_")[2]]
            axes = heads.axes(spec, program.by_name[output], len(each.extents) - 1)
            packed[output] = Packed(each.name, (*axes, Axis(start, _strides(shape))))
    elif each is not None and spec.has_heads and "outputs" in each.extents:
        for output in program.outputs:
            axes = heads.axes(spec, program.by_name[output], len(each.extents))
            packed[output] = Packed(each.name, axes)
    packed |= heads.given(spec)
    return Results(
        kernel=name,
        vector=MOMENTS if made is not None else None if summed is None else summed.name,
        mark=mark,
        rows=None if each is None else each.name,
        packed=packed,
        extents=known,
        made=made,
    )


def _with_moments(results: Results, plan: Schedule) -> Results:
    """`results` with places for the sums over samples, one behind the other."""
    moments: dict[str, tuple[int, tuple[int, ...]]] = {}
    numbers = 0
    for output in plan.program.outputs:
        target = plan.program.by_name[output].target
        if output not in results.packed and sums_over_samples(plan.program.by_name[output]):
            shape = tuple(map(int, plan.program.shape(target)))
            moments[output] = numbers, shape
            numbers += prod(shape)
    return replace(
        results,
        moments=moments,
        extents={**results.extents, MOMENTS: (max(numbers, 1),)},
        chained=numbers > MOST_IN_TREE and bool(plan.sums),
    )


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))


def _matrix(
    within: str, program: Program, layout: Layout, size: int
) -> Iterator[tuple[str, Packed]]:
    """The blocks of a matrix whose rows and columns lie as theta does, in one vector."""
    for output in (o for o in program.outputs if not sums_over_samples(program.by_name[o])):
        one, _, other = output.removeprefix("d_").partition("_d_v_")
        (start, shape), (column, width) = layout[one.split("_")[-1]], layout[other]
        rows = tuple(stride * size for stride in _strides(shape))
        place = Axis(start * size + column, (*rows, *_strides(width)))
        yield output, Packed(within, (place,))
