"""describe: what object code of a network is made from, out of what the passes made of its spec."""

from symgrad.lowering.lower import Layout
from symgrad.lowering.module import LoweredModule
from symgrad.spec.spec import Spec
from symgrad.targets import rendered
from symgrad.targets.elementary import OF_DOUBLES, with_callees
from symgrad.targets.llvm.program import Description, Program, entries
from symgrad.targets.numba.source import source

# How many batches there are is said by the lowered function beside those that check arguments.
BATCHES = "_batches"


def describe(spec: Spec, lowered: LoweredModule, layout: Layout) -> tuple[Description, Program]:
    """What Python has to know of a network, and what its object code is made from."""
    single = spec.dtype == "float32"
    functions = tuple(lowered.functions)
    step = lowered.step
    description = Description(
        spec=spec.normalised(),
        parameters=layout,
        threaded={
            "predict": lowered.prediction.threaded,
            "gradient": min(each.threaded for each in lowered.gradients),
            **{each.name: each.kernels.threaded for each in lowered.derivatives},
        },
        settings=spec.training.settings() if step is not None and spec.training else None,
        remembered=step.remembered if step is not None else (),
        checks="\n\n".join(
            source(function, single, ())
            for function in functions
            if function.name == BATCHES
            or function.name.startswith("_check")
            or function.name.endswith("_check")
        ),
    )
    elementary = _elementary(lowered, single), rendered.functions(rendered.OF_STEPS, OF_DOUBLES)
    return description, Program(single, functions, elementary, entries(description))


def _elementary(lowered: LoweredModule, single: bool) -> str:
    """The text of the elementary functions of reals that are called."""
    names, file = with_callees(lowered.elementary), rendered.name_of(single)
    others = tuple(name for name in names if not rendered.is_there(file, name))
    text = rendered.functions(file, (name for name in names if name not in others))
    if others:  # of so many terms
        from symgrad.targets.numba.emit import elementary_text

        text = f"{text}\n\n{elementary_text(others, single)}"
    return text
