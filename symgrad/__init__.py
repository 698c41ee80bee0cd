"""symgrad: from the spec of an MLP to its loss, its symbolic gradient, and a readable module.

compiled = symgrad.compile("specs/xor.toml")
compiled.loss, compiled.gradient["W1"]      formulas, in SymPy
compiled.module.loss_and_gradient(…)        numbers, fast

run = symgrad.train("specs/iris.toml", "data/iris.csv", epochs=200)
run.figures["validation"].accuracy          how well it does on samples held out
run.predict(frame).labels                   what it says of new ones

members = symgrad.ensemble("specs/iris.toml", 1000)
members.train(x, t, epochs=100)             a thousand networks at once, each as it would be alone
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.compiler import Compiled, compile
    from symgrad.ensembles import Ensemble, ensemble
    from symgrad.spec.spec import Spec
    from symgrad.targets.numba.load import load
    from symgrad.training.run import Run
    from symgrad.training.train import cross_validate, resume, train

__version__ = "0.1.0"
__all__ = [
    "Compiled", "Ensemble", "Run", "Spec", "compile", "cross_validate", "ensemble", "load",
    "resume", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """SymPy and Numba take a second to import: only what is asked for is, when it is."""
    if name not in __all__:
        raise AttributeError(f"module 'symgrad' has no attribute {name!r}")
    if name == "load":
        from symgrad.targets.numba.load import load

        return load
    if name == "Spec":
        from symgrad.spec.spec import Spec

        return Spec
    if name == "Run":
        from symgrad.training.run import Run

        return Run
    if name in ("cross_validate", "resume", "train"):
        from symgrad.training import train

        return getattr(train, name)
    if name in ("Ensemble", "ensemble"):
        from symgrad import ensembles

        return getattr(ensembles, name)
    from symgrad import compiler

    return getattr(compiler, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
