"""pipeline: the passes, one after the other, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from symgrad.language.program import Program
from symgrad.lowering.heads import in_columns
from symgrad.lowering.layout import parameters
from symgrad.lowering.module import LoweredModule, lower_module
from symgrad.lowering.schedule import Schedule, schedule
from symgrad.passes.derivatives import Derivative, Network, derivative
from symgrad.passes.differentiate import DerivativeGraph, differentiate
from symgrad.passes.expand import expand, outputs_of
from symgrad.passes.factor import Order, factor
from symgrad.passes.guard import guard
from symgrad.passes.inner import inner
from symgrad.passes.share import share
from symgrad.passes.stabilize import stabilize
from symgrad.passes.update import update
from symgrad.spec.spec import Spec
from symgrad.targets.llvm.describe import describe
from symgrad.targets.llvm.kept import Made


@dataclass(frozen=True)
class Stages:
    """What every pass has made of a spec."""

    spec: Spec
    order: Order
    expand: Program
    stabilize: Program
    share: Program
    differentiate: DerivativeGraph
    factor: Program
    gradient: Program
    schedule: Mapping[str, Schedule]
    update: Program | None
    derivatives: Mapping[str, Derivative]
    lowered: LoweredModule
    terms: Mapping[str, "Stages"] = field(default_factory=dict)  # of the loss, if it has several

    @property
    def described(self) -> Made:
        """What object code is made from."""
        return describe(self.spec, self.lowered, parameters(self.gradient))

    @cached_property
    def source(self) -> str:
        """A module's text, with all it needs."""
        return self.emitted(single_file=True)

    def emitted(self, single_file: bool) -> str:
        """The text of the module; not a single file imports what all modules have in common."""
        from symgrad.targets.numba.emit import emit  # and templates with it

        return emit(
            self.spec,
            {name: term.gradient for name, term in self.terms.items()} or {"": self.gradient},
            self.schedule,
            self.order,
            self.update,
            single_file,
            self.derivatives,
        )


def passes(spec: Spec, order: Order = "loss-first") -> Stages:
    """The compiler: spec → expression → derivative by all weights at once → what is printed of
    it."""
    if spec.of_terms:
        return _of_terms(spec, order)
    expanded = expand(spec)  # the one loss expression, in shared form
    stable = stabilize(expanded)  # the same, finite in floating point
    shared = inner(share(stable), spec)  # the same, nothing computed twice
    graph = differentiate(shared)  # the local partial derivatives
    factored = factor(graph, order)  # the derivative by all weights at once
    gradient = guard(share(factored))  # forward and backward share what they have in common
    schedules = {
        "predict": schedule(in_columns(shared, spec, "y"), outputs_of(spec)),
        "gradient": schedule(in_columns(gradient, spec, "t"), ("E", *derivatives(gradient))),
    }  # which definitions are products and which share loops, and where arrays live
    step = _step(spec)
    asked = _asked(spec, shared)
    more = {name: each.program for name, each in asked.items()}
    lowered = lower_module(spec, schedules, parameters(gradient), step, more)  # loops, as data
    return Stages(
        spec=spec,
        order=order,
        expand=expanded,
        stabilize=stable,
        share=shared,
        differentiate=graph,
        factor=factored,
        gradient=gradient,
        schedule=schedules,
        update=step,
        derivatives=asked,
        lowered=lowered,
    )


def _of_terms(spec: Spec, order: Order) -> Stages:
    """Each term through all passes by itself. What is of the whole, and of no term, is lowered
    anew; the programs are those of the first."""
    terms = {name: passes(term, order) for name, term in spec.of_terms.items()}
    first = next(iter(terms.values()))
    schedules = {"predict": first.schedule["predict"]}
    schedules |= {name: term.schedule["gradient"] for name, term in terms.items()}
    step = _step(spec)
    asked = _asked(spec, first.share)
    more = {name: each.program for name, each in asked.items()}
    return replace(
        first,
        spec=spec,
        schedule=schedules,
        update=step,
        derivatives=asked,
        lowered=lower_module(spec, schedules, parameters(first.gradient), step, more),
        terms=terms,
    )


def _step(spec: Spec) -> Program | None:
    """What the optimizer does with a gradient."""
    if spec.training is None or spec.training.whole_batch:
        return None
    return share(update(spec.training, spec.weights))


def _asked(spec: Spec, shared: Program) -> dict[str, Derivative]:
    """Derivatives others than by the weights."""
    network = Network(spec, shared)
    return {name: derivative(name, network) for name in spec.derivatives}


def derivatives(program: Program) -> list[str]:
    return [name for name in program.outputs if name.startswith("d_")]
