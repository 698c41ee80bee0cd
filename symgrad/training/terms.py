"""terms: samples of a loss that is a sum of several, each of which has its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.spec.formula import listed, quoted
from symgrad.spec.spec import Spec
from symgrad.training.caller import told
from symgrad.training.data import Samples, Selection, folds, holdout, read, read_to_predict
from symgrad.training.data.csv_format import Format
from symgrad.training.data.from_arrays import counted_name
from symgrad.training.module import Array
from symgrad.training.trained import Columns, Scaling, Trained

Rows = Mapping[str, Array]


@dataclass(frozen=True)
class TermSamples:
    """The samples of each term, by its name, in the order of the spec; those of a term that is not
    of targets have none. `outputs` is what the network's are called where no term has any."""

    parts: Mapping[str, Samples]
    outputs: tuple[str, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    @cached_property
    def columns(self) -> Columns:
        """Those of the first term with targets, which are those of the network's outputs."""
        known = [part.columns for part in self.parts.values() if part.t is not None]
        known = [columns for columns in known if len(columns.targets) == len(self.outputs)] or known
        if known:
            return known[0]
        return replace(next(iter(self.parts.values())).columns, targets=self.outputs)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user, each with its term's name."""
        return tuple(f"{name}: {note}" for name, part in self.parts.items() for note in part.notes)

    def take(self, rows: Rows) -> "TermSamples":
        """The samples of these row numbers of each term."""
        parts = {name: part.take(rows[name]) for name, part in self.parts.items()}
        return replace(self, parts=parts)

    @property
    def together(self) -> Samples:
        """All inputs, and all targets there are, as scaling is fitted to them."""
        parts = [*self.parts.values()]
        columns, width = self.columns, len(self.columns.targets)
        targets = [part.t for part in parts if part.t is not None and part.t.shape[1] == width]
        if not targets:
            targets, columns = [np.zeros((1, 1))], replace(columns, labels=())
        x = np.concatenate([part.x for part in parts])
        return Samples(x, np.concatenate(targets), None, columns)


def read_terms(spec: Spec, data: Any, selection: Selection) -> TermSamples:
    """Samples for each term from `data`, which has a table, arrays or a path by each term's name.

    Columns are found as for a loss by itself; a term that is not of targets is given inputs, and
    weights where it takes some: as (x,), or (x, w). Raises DataError where a term has no data.
    """
    known = spec.of_terms
    if not isinstance(data, Mapping):
        raise DataError(
            f"the loss has terms, {listed(known)}, each with data of its own: give "
            + told("a mapping by these names", "NAME=FILE for each")
        )
    for name in data:
        if name not in known:
            raise DataError(f"no term {quoted(str(name))}; there are {listed(known)}")
    if absent := [name for name in known if name not in data]:
        raise DataError(f"no data for the term {quoted(absent[0])}; terms are {listed(known)}")
    if selection.categories:
        raise DataError(
            "categories: a loss of several terms takes numbers, for the tables of its terms may not"
            " have the same words; give each word a column of its own, 1 where it stands"
        )
    found: dict[str, Samples] = {}
    # Those with targets first: the inputs that patterns stand for there are those of all terms.
    for name, term in sorted(known.items(), key=lambda each: not each[1].reads_target):
        try:
            found[name] = _read(term, data[name], selection)
            if selection.inputs:
                selection = replace(selection, inputs=found[name].columns.inputs)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    parts = {name: found[name] for name in known}
    return TermSamples(parts, spec.output_names or tuple(f"y[{k}]" for k in range(spec.outputs)))


def _read(term: Spec, source: Any, selection: Selection) -> Samples:
    described = term.normalised()
    if term.reads_target:
        own = selection
        if not term.loss.sample_weights:
            own = replace(selection, weight=None, class_weight=None)
        return read(source, described, own)
    counted = tuple(counted_name(k) for k in range(term.inputs))
    names = term.input_names or selection.inputs or counted
    if isinstance(source, tuple) and len(source) == 2 and term.loss.sample_weights:
        source = (source[0], None, source[1])
    wanted = Format.given(selection.separator, selection.decimal)
    columns = Columns(
        names,
        (),
        selection.weight if term.loss.sample_weights else None,
        separator=wanted.separator,
        decimal=wanted.decimal,
    )
    nothing = np.zeros(0)
    unscaled = Scaling(nothing, nothing, nothing, nothing)
    return read_to_predict(source, Trained(described, nothing, columns, unscaled))


def split(
    samples: Samples | TermSamples, share: float, seed: int
) -> tuple[Any, Any, tuple[str, ...]]:
    """Row numbers to train on and to hold out, and notes; of each term by its name.

    A term of so few samples that none would be held out is judged on those that it is trained on.
    """
    if isinstance(samples, Samples):
        return *holdout(samples, share, seed), ()
    return _each(samples, lambda part: holdout(part, share, seed), share)


def split_fold(
    samples: Samples | TermSamples, k: int, seed: int, fold: int
) -> tuple[Any, Any, tuple[str, ...]]:
    """The same where fold number `fold` of k, from 1 on, is held out."""

    def of(part: Samples) -> tuple[Array, Array]:
        held_out = folds(part, k, seed)[fold - 1]
        return np.setdiff1d(np.arange(len(part)), held_out), held_out

    if isinstance(samples, Samples):
        return *of(samples), ()
    return _each(samples, of, 1.0)


def _each(
    samples: TermSamples, of: Callable[[Samples], tuple[Array, Array]], share: float
) -> tuple[Rows, Rows, tuple[str, ...]]:
    rows, held_out, notes = {}, {}, []
    for name, part in samples.parts.items():
        try:
            rows[name], held_out[name] = of(part)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    if any(map(len, held_out.values())):
        for name, kept in rows.items():
            if not len(held_out[name]):
                held_out[name] = kept
                notes.append(
                    f"{name}: a share of {share:g} holds out none of {len(kept)} samples; the term"
                    " is judged on those that it is trained on"
                )
    return rows, held_out, tuple(notes)


def count(rows: Any) -> int:
    """How many rows there are, of all terms."""
    return sum(map(len, rows.values())) if isinstance(rows, Mapping) else len(rows)


def parts_of(samples: Samples | TermSamples) -> Iterator[tuple[str, Samples]]:
    """The samples by the names of terms; under no name where the loss has none."""
    yield from samples.parts.items() if isinstance(samples, TermSamples) else [("", samples)]
