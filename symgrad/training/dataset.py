"""Samples as the network takes them: a training set, a validation set, and their scaling."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.spec.spec import Spec
from symgrad.training.data import Samples, fit_scaling
from symgrad.training.module import Array, has_heads, outputs, reads_inputs
from symgrad.training.terms import TermSamples, parts_of
from symgrad.training.trained import Scaling

TRAINING, VALIDATION = "training", "validation"

# Losses by the distance of output and target: these mean the same in other units.
_DISTANCES = {"squared", "absolute", "huber", "log_cosh"}


@dataclass(frozen=True)
class Dataset:
    """Samples in raw units, and x, t, and perhaps w, in the dtype and layout of the module: what
    its functions take, of each term in turn where the loss has several."""

    samples: Samples | TermSamples
    arrays: tuple[Array, ...]
    spec: Spec

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def by_term(self) -> dict[str, tuple[Array, ...]]:
        """The arrays of each term by its name, under no name where the loss has no terms."""
        taken, found = iter(self.arrays), {}
        for name, part in parts_of(self.samples):
            given = (part.x, part.t, part.w)
            found[name] = tuple(next(taken) for each in given if each is not None)
        return found

    @property
    def judged(self) -> tuple[Array, Array, Array] | None:
        """All samples that have targets: x and t as the network takes them, and t in raw units;
        None where none has."""
        arrays = self.by_term
        found = [
            (*arrays[name][:2], part.t)
            for name, part in parts_of(self.samples)
            if part.t is not None and not _own_targets(self.spec, name)
        ]
        if not found:
            return None
        x, t, raw = ([*each] for each in zip(*found, strict=True))
        return _joined(x), _joined(t), _joined(raw)


@dataclass(frozen=True)
class Datasets:
    """What is trained on, what is held out (None if nothing is), and the scaling of both."""

    training: Dataset
    validation: Dataset | None
    scaling: Scaling
    notes: tuple[str, ...]

    def by_name(self) -> dict[str, Dataset]:
        """Those that are there, as figures and pictures name them."""
        both = {TRAINING: self.training, VALIDATION: self.validation}
        return {name: dataset for name, dataset in both.items() if dataset is not None}


def build_datasets(
    samples: Samples | TermSamples,
    rows: Any,
    held_out: Any,
    spec: Mapping[str, Any],
    standardize: bool,
    fill: bool,
    given: Scaling | None = None,
) -> Datasets:
    """Takes the rows of each set and scales them by what the training set shows, or as it is given
    with the weights that training begins with.

    `rows` and `held_out` are row numbers; `spec` a normalised spec; `fill` puts means in for
    missing inputs. Raises DataError for samples that the network's numbers cannot hold.
    """
    training, validation = samples.take(rows), samples.take(held_out)
    for name, part in parts_of(training):
        of = f"{name}: " if name else ""
        if not len(part):
            raise DataError(f"{of}no sample is left to train on; hold out a smaller share")
        if part.w is not None and not part.w.any():
            raise DataError(f"{of}the sample weights of the training part are all 0")
    known = Spec.recorded(spec)
    in_own_units = reads_inputs(spec)
    inputs_stay = in_own_units or bool(known.scaling_of_inputs)
    targets_stay = in_own_units or bool(known.scaling_of_outputs)
    scale = standardize and not inputs_stay
    scale_targets = (
        standardize and not targets_stay and _has_units(spec) and samples.columns.labels is None
    )
    fitted = training.together if isinstance(training, TermSamples) else training
    scaling, notes = fit_scaling(fitted, scale, scale_targets, fill)
    if not scale_targets:
        scaling = replace(scaling, **_unscaled(outputs(spec)))
    if given is not None:
        scaling = replace(given, fill=scaling.fill)
        notes = (*notes, "numbers are scaled as in the run that training begins with")
        if (inputs_stay and _moves(given.mean, given.scale)) or (
            targets_stay and _moves(given.target_mean, given.target_scale)
        ):
            raise DataError(
                "the run that training begins with has numbers standardized that this spec does"
                " not: give its weights by name"
            )
    elif standardize and in_own_units:
        notes = (*notes, "inputs are not standardized: the loss is a formula in them")
    elif standardize and inputs_stay:
        notes = (*notes, "inputs are not standardized: the spec has a scaling of its own for them")
    held_out_set = build_dataset(validation, scaling, spec) if len(validation) else None
    return Datasets(build_dataset(training, scaling, spec), held_out_set, scaling, tuple(notes))


def build_dataset(
    samples: Samples | TermSamples, scaling: Scaling, spec: Mapping[str, Any]
) -> Dataset:
    """Samples scaled and converted for the network of `spec`, targets and weights if there."""
    dtype, converted, known = np.dtype(spec["dtype"]), [], Spec.recorded(spec)
    for term, part in parts_of(samples):
        arrays = {"inputs": scaling.inputs(part.x)}
        if part.t is not None:
            own = _own_targets(known, term)
            arrays["targets"] = part.t if own else scaling.targets(part.t)
        if part.w is not None:
            arrays["weights"] = part.w
        for name, array in arrays.items():
            with np.errstate(over="ignore"):
                converted.append(np.ascontiguousarray(array, dtype=dtype))
            if not np.isfinite(converted[-1]).all():
                of = f"{term}: " if term else ""
                raise DataError(f"{of}the {name} hold numbers that are too large for {dtype}")
    return Dataset(samples, tuple(converted), known)


def _moves(shift: Array, scale: Array) -> bool:
    return bool(shift.any() or (scale != 1).any())


def _unscaled(outputs: int) -> dict[str, Array]:
    """Targets as they are, as many as outputs or not."""
    return {"target_mean": np.zeros(outputs), "target_scale": np.ones(outputs)}


def _own_targets(spec: Spec, term: str) -> bool:
    """Whether the targets of the loss, or of a term of it, are others than the outputs."""
    return spec.of_terms.get(term, spec).loss.targets is not None


def _joined(arrays: list[Array]) -> Array:
    """One below the other; one by itself as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _has_units(spec: Mapping[str, Any]) -> bool:
    """Whether targets in other units make the same problem of it."""
    kind, last = spec["loss"].get("kind"), spec["layers"][-1]
    return kind in _DISTANCES and not has_heads(spec) and last["activation"] == "identity"
