"""module: a network's module whose functions are object code: what the emitted one has, but that
Python's calls need neither Numba nor that it is emitted at all. What else is asked for is the
emitted module's.
"""

import inspect
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.runtime.calling import (
    Compiled,
    Converting,
    Derivative,
    Epoch,
    Into,
    LossAndGradient,
    Predict,
    renamed,
)
from symgrad.runtime.going_on import GoingOn
from symgrad.runtime.kinds import NATIVE
from symgrad.runtime.members import OfMembers
from symgrad.runtime.named import terms_of
from symgrad.runtime.weights import Weights
from symgrad.targets.llvm.objects import Objects
from symgrad.targets.llvm.program import Description, entries
from symgrad.targets.llvm.work import EpochWork, Work
from symgrad.targets.public import INTO, MEMBERS, Public, names_of, public

_CALLED = {"predict": Predict, "loss": Converting, "loss_and_gradient": LossAndGradient}

# What checks the arguments of a function that are not those of the loss.
_CHECKED = {
    "predict": "_check", "gradient_of_leaves": "_check_leaves", "complete_gradient": "_check_sums",
    "train_epoch": "_check_training", "train_steps": "_check_steps",
}  # fmt: skip


class NativeModule(ModuleType):
    """`emit` writes the emitted module and gives its path, or None where there is no place for it,
    and `load` imports it."""

    def __init__(
        self,
        description: Description,
        objects: Objects,
        emit: Callable[[], Path | None],
        load: Callable[[], ModuleType],
    ) -> None:
        spec = description.spec
        super().__init__(spec["name"])
        self._emit, self._load = emit, load
        functions = _functions(description, objects, self._emitted)
        names = {"PARAMETERS", "SIZE", "SPEC", "init", "pack", "unpack", *functions}
        self.SPEC, self.SIZE = spec, description.size
        self.PARAMETERS = {
            name: (first, tuple(s)) for name, (first, s) in description.parameters.items()
        }
        if description.settings is not None:
            self.SETTINGS, self.STATE = dict(description.settings), description.remembered
            native = NATIVE[spec["dtype"]]
            going_on = GoingOn(self.SETTINGS, description.memory, native)
            functions |= {
                each.__name__: each for each in (going_on.train_settings, going_on.train_state)
            }
            names |= {"SETTINGS", "STATE", "train_settings", "train_state"}
        weights = Weights(
            self.PARAMETERS,
            self.SIZE,
            NATIVE[spec["dtype"]].type,
            spec["layers"],
        )
        for each in (weights.init, weights.pack, weights.unpack):
            functions[each.__name__] = each
        for name, function in functions.items():
            if not isinstance(function, Compiled):
                function.__module__, function.__qualname__ = spec["name"], name
            setattr(self, name, function)
        self.__all__ = sorted(names)

    @cached_property
    def _numba(self) -> ModuleType:
        return self._load()

    def _emitted(self, name: str) -> Any:
        return getattr(self._numba, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        """The emitted module's."""
        return self._numba.__doc__

    def __getattr__(self, name: str) -> Any:
        if name == "__file__":
            path = self._emit()
            if path is None:
                raise AttributeError(f"module {self.__name__!r} has no file")
            self.__file__ = str(path)
            return self.__file__
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._numba, name)

    def __dir__(self) -> list[str]:
        return list(self.__all__)


def _functions(
    description: Description, objects: Objects, emitted: Callable[[str], Any]
) -> dict[str, Any]:
    """The functions of a network by name, each compiled when it is called."""
    facts, known = description.facts(), entries(description)
    checks = _checks(description.checks, facts.native)
    made: dict[str, Work] = {}
    for name, entry in known.items():
        if entry.epoch:
            made[name] = EpochWork(name, entry, objects, emitted, batches=checks["_batches"])
        else:
            made[name] = Work(name, entry, objects, emitted)
    made["loss_and_gradient"] = made["loss_and_gradient_into"]
    for name in facts.results:
        if name not in made:  # pullback has but the form in place
            made[name] = made[f"{name}{INTO}"]
    functions: dict[str, Any] = {}
    of_loss = "_check_terms" if terms_of(description.spec) else "_check"
    for each in public(description.spec, description.size, description.settings is not None):
        kind = (
            Epoch
            if known.get(each.name) and known[each.name].epoch
            else _CALLED.get(each.name, Compiled)
        )
        check = checks[_CHECKED.get(each.name, of_loss)]
        if each.name in MEMBERS:
            check, members = checks[f"_check_{each.name}"], description.facts_of_members()
            functions[each.name] = OfMembers(_body(each), made[each.name], check, members)
            continue
        name = each.name.removesuffix(INTO)
        if name in facts.results:
            kind = Into if each.name in known else Derivative
            check = renamed(checks[f"_{name}_check"], each.arguments, names_of(name))
        functions[each.name] = kind(_body(each), made[each.name], check, facts)
    return functions


def _body(function: Public) -> Callable[..., Any]:
    """What says how a function is called."""

    def body(*arguments: Any) -> Any:
        raise AssertionError("it is compiled")

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    body.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in function.arguments])  # type: ignore[attr-defined]
    body.__name__ = body.__qualname__ = function.name
    body.__doc__ = function.says
    return body


def _checks(text: str, native: np.dtype) -> dict[str, Any]:
    """The functions that say what is wrong with arguments."""
    known: dict[str, Any] = {"np": np, "_overlap": np.may_share_memory, "F": native.type}
    exec(compile(text, "<checks>", "exec"), known)
    return known
