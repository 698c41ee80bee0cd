"""compiler: a spec, compiled: as formulas, as a program, and as a module that is called.

What the passes make of a spec is made when it is asked for; nothing of them is imported to call
what was compiled before.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.masks import refuse_masked
from symgrad.spec.formula import listed, quoted
from symgrad.spec.spec import Spec, read
from symgrad.targets import llvm
from symgrad.targets.cache import folders
from symgrad.targets.garbage import uncollected
from symgrad.targets.numba.beside import is_runtime, remove_strays
from symgrad.targets.numba.load import known, load, load_text
from symgrad.targets.public import data
from symgrad.targets.waiting import compiling, waiting
from symgrad.targets.write import write

if TYPE_CHECKING:
    from sympy import Expr

    from symgrad.language.program import Program
    from symgrad.passes.factor import Order
    from symgrad.pipeline import Stages
    from symgrad.targets.llvm.kept import Made

_LONG_AGO = 946_684_800  # 2000-01-01; ZIP files, for one, know no year before 1980

# The most equations that a notebook typesets at once.
DISPLAYED = 60


class Compiled:
    """A spec, compiled: the loss and its gradient as formulas, as a program, and as a module."""

    def __init__(self, spec: Spec, order: "Order" = "loss-first", into: Path | None = None) -> None:
        self.spec = spec
        self.order = order
        self._kept = llvm.network(spec.name, self._key, self._make)
        # The passes refuse what they cannot do; of several processes, one runs them.
        _ = self.stages if into is not None or self._kept is None else self._kept.description
        self._file = self.write(into) if into else None

    @cached_property
    def stages(self) -> "Stages":
        """What every pass has made of the spec."""
        with waiting(compiling(self.spec.name)), uncollected():
            from symgrad.pipeline import passes  # which takes longer to import than to run

            return passes(self.spec, self.order)

    @property
    def program(self) -> "Program":
        """Loss and gradient, every part defined once. Raises SymgradError for a loss of several
        terms, each of which has a program of its own."""
        if self.terms:
            first = next(iter(self.terms))
            raise SymgradError(
                f"{self.spec.name}: the loss has terms, {listed(self.terms)}, each a program of its"
                f" own: compiled.terms[{first!r}].program"
            )
        return self.stages.gradient

    @cached_property
    def terms(self) -> "Mapping[str, Compiled]":
        """The terms of the loss by name, each as a spec whose loss is that term, compiled by
        itself; the first has the penalties. Empty where the loss is of one kind or formula."""
        return {name: Compiled(term, self.order) for name, term in self.spec.of_terms.items()}

    @property
    def source(self) -> str:
        """The emitted module's text, which needs no other file."""
        return self.stages.source

    @cached_property
    def files(self) -> dict[str, str]:
        """The emitted module's text where it imports what all modules have in common, and the text
        of that, by file name."""
        from symgrad.targets.numba.emit import runtime, runtime_name

        text = self.stages.emitted(single_file=False)
        return {self._file_name: text, f"{runtime_name()}.py": runtime()}

    def of_term(self, name: str | None) -> "Compiled":
        """A term of the loss compiled by itself; the whole where no name is given. Raises
        SymgradError for the name of none."""
        if name is None:
            return self
        if name not in self.terms:
            known = f"there are {listed(self.terms)}" if self.terms else "its loss has none"
            raise SymgradError(f"{self.spec.name}: no term {quoted(name)}; {known}")
        return self.terms[name]

    @cached_property
    def loss(self) -> "Expr":
        """The loss as one formula in x, t and the weights; TooLarge where that is too large. Of a
        loss of several terms, in each term's x, t, w and number of samples, x_NAME and so on."""
        from symgrad.language.views import formula, sum_of_terms

        if self.terms:
            return sum_of_terms({name: term.loss for name, term in self.terms.items()})
        from symgrad.passes.expand import inner_derivatives

        stages = self.stages  # derivatives in a loss are names at first
        return formula(stages.share if inner_derivatives(self.spec) else stages.expand, "E")

    @cached_property
    def gradient(self) -> "Gradient":
        """The derivative of the loss by each weight as one formula: gradient["W2"][i1, i2]."""
        if self.terms:
            return Gradient({name: term.program for name, term in self.terms.items()})
        return Gradient({"": self.program})

    @cached_property
    def module(self) -> ModuleType:
        """The network's functions, called from Python in object code, which is made when it is
        called first, and kept in a cache. From compiled code they are those of the emitted
        module."""
        if self._kept is None:
            return self.emitted
        from symgrad.targets.llvm.module import NativeModule

        module = NativeModule(
            self._kept.description, self._kept.objects, lambda: self._path, lambda: self.emitted
        )
        return known(module)

    @cached_property
    def emitted(self) -> ModuleType:
        """The emitted module, imported, whose functions Numba compiles: from the folder given to
        `compile`, else from a cache, or a folder for this run; where no file can be written at all,
        from memory."""
        return load(self._path) if self._path else load_text(self.source, self.spec.name)

    def write(self, folder: str | os.PathLike[str], single_file: bool = False) -> Path:
        """Writes the module into a folder as NAME.py, and beside it the file that it imports, both
        or neither; or all of it as one file. Returns the path of NAME.py."""
        return write_all([self], folder, single_file)[0]

    def evaluate(
        self,
        theta: Any,
        x: Any = None,
        t: Any = None,
        w: Any = None,
        digits: int | None = None,
        **more: Any,
    ) -> tuple[Any, np.ndarray]:
        """The loss and its gradient by a plain, slow interpreter of the program.

        theta of shape (weights,), x (samples, inputs), t (samples, outputs), and w (samples,) where
        the spec has sample weights; l1 and l2 where it leaves these to be given; of a loss of
        several terms x_NAME, t_NAME, w_NAME of each as its functions take them, by name. Computes
        in float64, or with `digits` decimal digits (mpmath), where arrays hold mpf numbers. Returns
        (loss, gradient), the gradient laid out like theta. Raises ValueError for masked values.
        """
        if self.terms:
            return self._sum_of_terms(theta, digits, more)
        penalties = more
        refuse_masked(theta=theta, x=x, t=t, w=w)
        from symgrad.language.evaluate import Decimals, Floats, evaluate
        from symgrad.lowering.layout import parameters

        arithmetic = Decimals(digits) if digits else Floats()
        flat = arithmetic.array(theta)
        layout = parameters(self.program)
        if flat.shape != (self.spec.weights,):
            raise ValueError(f"theta must be of shape ({self.spec.weights},), came {flat.shape}")
        given = {"x": x, **self.spec.targets_by_head(arithmetic.array(t))}
        given |= {"w": w} if self.spec.loss.sample_weights else {}
        if set(penalties) != set(self.spec.loss.arguments):
            wanted = ", ".join(self.spec.loss.arguments) or "no penalty"
            came = ", ".join(penalties) or "none"
            raise TypeError(f"the spec has {wanted} to be given, came {came}")
        given |= penalties
        for name, (offset, shape) in layout.items():
            given[name] = flat[offset : offset + int(np.prod(shape))].reshape(shape)
        values = evaluate(self.program, given, arithmetic)
        gradient = np.concatenate([np.ravel(values[f"d_{name}"]) for name in layout])
        return values["E"], gradient

    def _sum_of_terms(
        self, theta: Any, digits: int | None, given: Mapping[str, Any]
    ) -> tuple[Any, np.ndarray]:
        wanted = data(self.spec.normalised())[1:]
        if {*given} != {*wanted}:
            came = ", ".join(given) or "none"
            raise TypeError(f"the loss is of {', '.join(wanted)}, given by name; came {came}")
        found = []
        for name, term in self.terms.items():
            own = {each: given[f"{each}_{name}"] for each in term.spec.data_of_term}
            own |= {key: given[key] for key in term.spec.loss.arguments}
            if "t" not in own:  # a loss by itself is given targets
                own["t"] = np.zeros((len(own["x"]), term.spec.targets))
            found.append(term.evaluate(theta, digits=digits, **own))
        values, gradients = zip(*found, strict=True)
        return sum(values[1:], values[0]), sum(gradients[1:], gradients[0])

    def __repr__(self) -> str:
        from symgrad.language.summary import summary

        if self.terms:
            parts = (f"{name}: {summary(term.program)}" for name, term in self.terms.items())
            return f"Compiled {self.spec.name}: {'; '.join(parts)}"

        return f"Compiled {self.spec.name}: {summary(self.program)}"

    def _repr_latex_(self) -> str:
        """The program's equations, as notebooks typeset them."""
        from symgrad.language.latex import displayed

        if self.terms:
            blocks = {name: term._repr_latex_() for name, term in self.terms.items()}
            return "\n\n".join(rf"$$\text{{{name}}}$$" + f"\n\n{b}" for name, b in blocks.items())
        return displayed(self.program, DISPLAYED)

    def _repr_html_(self) -> str:
        """The same with counts and a picture, for notebooks."""
        from symgrad.showing.notebook import html

        if self.terms:
            shown = "".join(html(term.program) for term in self.terms.values())
            return f"<div>{shown}</div>"
        return html(self.program, self.files[self._file_name])

    @property
    def _file_name(self) -> str:
        return f"{self.spec.name}.py"

    @cached_property
    def _path(self) -> Path | None:
        """The module's file: where it was written, or in a folder of this source's own; None where
        there is room for none."""
        if self._file is not None:
            return self._file
        for folder in folders(sha256(self.source.encode()).hexdigest()[:32]):
            with suppress(SymgradError):
                # A folder is for one content: whoever writes it, Numba finds the same file.
                return write({self._file_name: self.source}, folder, moment=_LONG_AGO)[0]
        return None

    @property
    def _key(self) -> str:
        """All that what is compiled depends on, besides the compiler."""
        return json.dumps([self.spec.normalised(), self.spec.file_name, self.order])

    def _make(self) -> "Made":
        return self.stages.described


class Gradient(Mapping[str, "Expr"]):
    """The derivative by each weight array as one formula, written out when it is asked for."""

    def __init__(self, programs: "Mapping[str, Program]") -> None:
        from symgrad.pipeline import derivatives

        first = next(iter(programs.values()))
        self._names = [name.removeprefix("d_") for name in derivatives(first)]
        self._programs = programs

    def __getitem__(self, weight: str) -> "Expr":
        from symgrad.language.views import formula, sum_of_terms

        if weight not in self._names:
            raise KeyError(weight)
        parts = self._programs.items()
        return sum_of_terms({name: formula(program, f"d_{weight}") for name, program in parts})

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def compile(
    spec: str | os.PathLike[str] | Mapping[str, Any] | Spec,
    into: str | os.PathLike[str] | None = None,
    order: "Order" = "loss-first",
) -> Compiled:
    """Compiles a spec: a path to a TOML or JSON file, a dict of the same form, or a `Spec`.

    The module is written into the folder `into` if one is given. `order` is that of `factor`:
    "loss-first" is backpropagation. Raises SpecError, one message with the place in the file, if
    the spec is wrong.
    """
    return Compiled(read(spec), order, Path(into) if into is not None else None)


def write_all(
    compiled: list[Compiled], folder: str | os.PathLike[str], single_file: bool = False
) -> list[Path]:
    """Writes several modules into a folder, with what they import: all of it, or nothing. Returns
    the modules' paths. What no module in the folder imports any more is removed.

    Raises SymgradError if two have one name, or the folder can't be written.
    """
    names = [one.spec.name for one in compiled]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SymgradError(
            f"{min(twice)}: two specs of this name; a module would overwrite another"
        )
    texts: dict[str, str] = {}
    for one in compiled:
        texts |= {one._file_name: one.source} if single_file else one.files
    written = write(texts, folder)
    remove_strays(folder)
    return [path for path in written if not is_runtime(path)]
