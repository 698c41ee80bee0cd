"""lower_module: all functions of a module that compute, as one lowered program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from symgrad.language.program import Program
from symgrad.lowering.arithmetic import LEAF
from symgrad.lowering.derivatives import LoweredDerivative, lower_derivative
from symgrad.lowering.drivers import drivers
from symgrad.lowering.interface import KERNELS, MORE, PENALTIES
from symgrad.lowering.kernels import Kernels, called_with, kernels
from symgrad.lowering.leaves import SHARING
from symgrad.lowering.lower import Layout
from symgrad.lowering.program import Function, calls
from symgrad.lowering.results import GRADIENT, PREDICTION
from symgrad.lowering.schedule import Schedule
from symgrad.lowering.specialize import Network, specialize
from symgrad.lowering.training import training
from symgrad.lowering.update import Update, lower_update
from symgrad.spec.spec import Spec

# The kernels of a module: what each is called, and the schedule that it runs.
SCHEDULES = ((PREDICTION, "predict"), (GRADIENT, "gradient"))


@dataclass(frozen=True)
class LoweredModule:
    """The kernels, a step of the optimizer if the spec has one, and what the functions that are the
    same for all networks have to know of this one."""

    prediction: Kernels
    gradient: Kernels
    step: Update | None
    network: Network
    derivatives: tuple[LoweredDerivative, ...] = ()

    @property
    def kernels(self) -> tuple[Kernels, Kernels]:
        return self.prediction, self.gradient

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
        """These, and those that call them, for this network."""
        yield from self.own
        known = {"_mirror", *({*SHARING} if not self.gradient.shared else set())}
        functions = (f for f in drivers() if f.name not in known)
        shared = (*functions, *(training() if self.step is not None else ()))
        yield from specialize(shared, self.network)
        for derivative in self.derivatives:
            yield from derivative.drivers

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
    """`schedules` has "predict" and "gradient"; `update` is a step of the optimizer, `derivatives`
    has what else is computed, by the names of functions."""
    single = spec.dtype == "float32"
    prediction, gradient = (
        kernels(name, schedules[schedule], layout, single) for name, schedule in SCHEDULES
    )
    step = None
    if update is not None and spec.training is not None:
        step = lower_update(update, spec.training, spec.weights)
    network = Network(
        numbers=_numbers(spec, prediction, gradient, step),
        absent=_absent(spec),
        taken={
            f.name: tuple(called_with(f, results))
            for results, each in ((PREDICTION, prediction), (GRADIENT, gradient))
            for f in each.functions
            if f.name in KERNELS
        },
        given=KERNELS,
    )
    more = tuple(lower_derivative(name, spec, p, layout) for name, p in derivatives.items())
    return LoweredModule(prediction, gradient, step, network, more)


def _numbers(
    spec: Spec, prediction: Kernels, gradient: Kernels, step: Update | None
) -> dict[str, int | str | tuple[int, ...]]:
    """The constants of `drivers` and `training`."""
    numbers: dict[str, int | str | tuple[int, ...]] = {
        "SIZE": spec.weights,
        "INPUTS": spec.inputs,
        "OUTPUTS": spec.outputs,
        "WEIGHTED": int(spec.loss.sample_weights),
        "PREDICTION_SCRATCH": prediction.scratch,
        "GRADIENT_SCRATCH": gradient.scratch,
        "LEAF": LEAF,
        "RESULT": spec.weights,
        "WHOLE_RESULT": spec.weights,
        "CHAINED": 0,
        "ROW_SHAPE": (),
        "MIRRORED": 0,
        "SUMMED": "gradient",
        "BY_SAMPLE": "y",
        "SHARED": int(gradient.shared),
    }
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
    more = {parameter.name for parameter in MORE}
    return frozenset(weights | more | ({*PENALTIES} - {*spec.loss.arguments}))
