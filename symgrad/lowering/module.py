"""lower_module: all functions of a module that compute, as one lowered program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from symgrad.language.program import Program
from symgrad.lowering import heads, terms
from symgrad.lowering.across import PLAIN, TILE
from symgrad.lowering.derivatives import LoweredDerivative, lower_derivative
from symgrad.lowering.drivers import drivers
from symgrad.lowering.interface import KERNELS, MORE, PENALTIES
from symgrad.lowering.kernels import Kernels, called_with, kernels
from symgrad.lowering.leaves import SHARING
from symgrad.lowering.lower import Layout
from symgrad.lowering.members import lanes, of_members
from symgrad.lowering.members_checks import Shape
from symgrad.lowering.program import Function, calls
from symgrad.lowering.schedule import Schedule
from symgrad.lowering.specialize import Network, Numbers, numbers_of, specialize
from symgrad.lowering.terms import lower_term
from symgrad.lowering.training import training
from symgrad.lowering.update import Update, lower_update
from symgrad.spec.spec import Spec

# The drivers that a network has where terms have theirs of their own.
_OF_PREDICTION = (
    "_check", "_fits", "_prediction_at_once", "_prediction_in_turn", "_prediction_on_threads",
    "predict",
)  # fmt: skip


@dataclass(frozen=True)
class LoweredModule:
    """The kernels, a step of the optimizer if the spec has one, and what the functions that are the
    same for all networks have to know of this one."""

    prediction: Kernels
    gradient: Kernels | None  # None where the loss is a sum of terms
    step: Update | None
    network: Network
    derivatives: tuple[LoweredDerivative, ...] = ()
    terms: tuple[LoweredDerivative, ...] = ()
    summed: tuple[Function, ...] = ()  # the functions of the loss, where it is a sum of terms
    ensemble: Shape | None = None  # where there are members
    single: bool = False

    @property
    def kernels(self) -> tuple[Kernels, ...]:
        return (self.prediction, *self.gradients)

    @property
    def gradients(self) -> tuple[Kernels, ...]:
        """Those of the loss, or of each of its terms."""
        alone = () if self.gradient is None else (self.gradient,)
        return (*alone, *(term.kernels for term in self.terms))

    @property
    def own(self) -> Iterator[Function]:
        """The network's own functions, in the order that they stand in a module."""
        for each in self.kernels:
            yield from each.functions
        for derivative in self.derivatives:
            yield from derivative.kernels.functions
        if self.step is not None:
            yield self.step.function

    @property
    def functions(self) -> Iterator[Function]:
        """These, and those that call them, for this network; and those of its members."""
        yield from self.alone
        yield from self.members

    @cached_property
    def members(self) -> tuple[Function, ...]:
        """The functions of all members, where there are some."""
        return self._members(TILE)

    @cached_property
    def plain_members(self) -> tuple[Function, ...]:
        """The same, where they are to be read."""
        return self._members(PLAIN)

    def _members(self, tile: tuple[int, int]) -> tuple[Function, ...]:
        if self.ensemble is None:
            return ()
        return of_members(self.alone, self.ensemble, lanes(self.single), tile)

    @property
    def alone(self) -> Iterator[Function]:
        """The functions of one network."""
        yield from self.own
        if self.terms:
            functions = [f for f in drivers() if f.name in _OF_PREDICTION]
            functions += self.summed
        else:
            assert self.gradient is not None
            known = {"_mirror", *({*SHARING} if not self.gradient.shared else set())}
            functions = [f for f in drivers() if f.name not in known]
            functions += training() if self.step is not None else ()
        yield from specialize(functions, self.network)
        for family in (*self.terms, *self.derivatives):
            yield from family.drivers

    def sums(self, named: bool = False) -> tuple[Function, ...]:
        """The functions of all terms; with the name of how many weights there are, if `named`."""
        if not self.summed:
            return ()
        numbers = {k: n for k, n in self.network.numbers.items() if not named or k != "SIZE"}
        return specialize(self.summed, replace(self.network, numbers=numbers))

    @property
    def elementary(self) -> frozenset[str]:
        """The elementary functions of reals that they call."""
        return frozenset().union(*(calls(function.body) for function in self.own))


def lower_module(
    spec: Spec,
    schedules: Mapping[str, Schedule],
    layout: Layout,
    update: Program | None,
    derivatives: Mapping[str, Program] = MappingProxyType({}),
) -> LoweredModule:
    """`schedules` has "predict", and "gradient" or, for a loss of several terms, the gradient of
    each by its name; `update` is a step of the optimizer, `derivatives` has what else is computed,
    by the names of functions."""
    single = spec.dtype == "float32"
    of_outputs, of_loss = heads.prediction(spec), heads.gradient(spec)
    prediction = kernels(of_outputs, schedules["predict"], layout, single)
    alone = None if spec.of_terms else kernels(of_loss, schedules["gradient"], layout, single)
    step = None
    if update is not None and spec.training is not None:
        step = lower_update(update, spec, spec.training)
    own = [(of_outputs, prediction), *([] if alone is None else [(of_loss, alone)])]
    network = Network(
        numbers=_numbers(spec, prediction, alone, step),
        absent=_absent(spec),
        taken={
            f.name: tuple(called_with(f, results))
            for results, each in own
            for f in each.functions
            if f.name in KERNELS
        },
        given=KERNELS,
    )
    more = tuple(lower_derivative(name, spec, p, layout) for name, p in derivatives.items())
    of_terms = tuple(
        lower_term(name, term, schedules[name], layout) for name, term in spec.of_terms.items()
    )
    summed = _summed(spec, of_terms, step is not None)
    ensemble = None if spec.members is None else _ensemble(spec, step)
    return LoweredModule(prediction, alone, step, network, more, of_terms, summed, ensemble, single)


def _ensemble(spec: Spec, step: Update | None) -> Shape:
    """What an ensemble is given."""
    settings = [] if step is None or spec.training is None else [*spec.training.settings()]
    return Shape(
        members=spec.members or 0,
        size=spec.weights,
        inputs=spec.inputs,
        outputs=spec.outputs,
        targets=spec.targets,
        weighted=spec.loss.sample_weights,
        penalties=spec.loss.arguments,
        state=0 if step is None else len(step.remembered) * spec.weights,
        settings=len(settings),
        batch=settings.index("batch") if settings else 0,
    )


def _summed(
    spec: Spec, of_terms: tuple[LoweredDerivative, ...], trained: bool
) -> tuple[Function, ...]:
    """The functions of all terms."""
    if not of_terms:
        return ()
    threaded = {term.name: term.kernels.threaded for term in of_terms}
    known = terms.of_spec(spec, threaded)
    return (*terms.drivers(known), *(training(terms.trained_on(known)) if trained else ()))


def _numbers(
    spec: Spec, prediction: Kernels, gradient: Kernels | None, step: Update | None
) -> Numbers:
    """The constants of `drivers` and `training`."""
    numbers = numbers_of(
        spec,
        PREDICTION_SCRATCH=prediction.scratch,
        GRADIENT_SCRATCH=gradient.scratch if gradient else 0,
        SHARED=int(gradient is not None and gradient.shared),
    )
    if step is not None and spec.training is not None:
        settings = [*spec.training.settings()]
        numbers |= {
            "STATE": len(step.remembered) * spec.weights,
            "SETTINGS": len(settings),
            "BATCH": settings.index("batch"),
        }
    return numbers


def _absent(spec: Spec) -> frozenset[str]:
    weights = set() if spec.loss.sample_weights else {"w", "ws"}
    weights |= {"t", "ts"} if spec.of_terms else set()  # which each has of its own
    more = {parameter.name for parameter in MORE}
    return frozenset(weights | more | ({*PENALTIES} - {*spec.loss.arguments}))
