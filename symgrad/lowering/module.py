"""lower_module: all functions of a module that compute, as one lowered program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symgrad.language.program import Program
from symgrad.lowering.drivers import lower_drivers
from symgrad.lowering.kernels import Kernels, chunks, kernels
from symgrad.lowering.lower import Layout
from symgrad.lowering.program import Function, calls
from symgrad.lowering.schedule import Schedule
from symgrad.lowering.training import Shape, lower_training
from symgrad.lowering.update import Update, lower_update
from symgrad.spec.spec import Spec
from symgrad.spec.training import Training

# The functions of a module: what each is called, and the schedule that it runs.
KERNELS = {"prediction": "predict", "loss": "loss", "gradient": "gradient"}


@dataclass(frozen=True)
class LoweredModule:
    """The three families, the functions that others call, and those that train, if the spec has an
    optimizer of which `step` is one step."""

    prediction: Kernels
    loss: Kernels
    gradient: Kernels
    drivers: tuple[Function, ...]
    step: Update | None
    training: Mapping[str, Function]

    @property
    def families(self) -> tuple[Kernels, Kernels, Kernels]:
        return self.prediction, self.loss, self.gradient

    @property
    def functions(self) -> Iterator[Function]:
        """All of them in the order that they stand in a module."""
        if self.gradient.total is not None:
            yield self.gradient.total
        for each in self.families:
            yield from each.functions
        yield chunks()
        yield from self.drivers
        if self.step is not None:
            yield self.step.function
        yield from self.training.values()

    @property
    def elementary(self) -> frozenset[str]:
        """The elementary functions of reals that they call."""
        return frozenset().union(*(calls(function.body) for function in self.functions))


def lower_module(
    spec: Spec,
    schedules: Mapping[str, Schedule],
    layout: Layout,
    update: Program | None,
) -> LoweredModule:
    """`schedules` has "predict", "loss" and "gradient"; `update` is a step of the optimizer."""
    single = spec.dtype == "float32"
    prediction, loss, gradient = (
        kernels(name, schedules[schedule], layout, single) for name, schedule in KERNELS.items()
    )
    # What the loss needs of all samples, the gradient does too: one function is for both.
    assert loss.total in (None, gradient.total)
    drivers = lower_drivers(
        (prediction, loss, gradient),
        spec.inputs,
        spec.outputs,
        spec.weights,
        spec.loss.sample_weights,
        tuple(spec.loss.arguments),
    )
    step, training = None, {}
    if update is not None and spec.training is not None:
        step = lower_update(update, spec.training, spec.weights)
        training = lower_training(_shape(spec, spec.training, step))
    return LoweredModule(prediction, loss, gradient, drivers, step, training)


def _shape(spec: Spec, training: Training, step: Update) -> Shape:
    settings = [*training.settings()]
    return Shape(
        inputs=spec.inputs,
        outputs=spec.outputs,
        layers=len(spec.layers),
        weights=spec.weights,
        weighted=spec.loss.sample_weights,
        penalties=tuple(spec.loss.arguments),
        state=len(step.remembered) * spec.weights,
        settings=len(settings),
        batch=settings.index("batch"),
    )
