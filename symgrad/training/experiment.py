"""What is trained on what: a spec, complete with its training, samples, and where they are from."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

import symgrad
from symgrad.compiler import compile
from symgrad.errors import DataError, SpecError
from symgrad.spec.spec import Spec
from symgrad.spec.spec import read as read_spec
from symgrad.spec.training import WHOLE_BATCH, Training
from symgrad.spec.words import SAME_KEYS
from symgrad.training.caller import told
from symgrad.training.data import Samples, Selection, files_of, read
from symgrad.training.initial import Initial, read_initial
from symgrad.training.module import to_compile
from symgrad.training.record import Record
from symgrad.training.terms import TermSamples, parts_of, read_terms

SpecSource: TypeAlias = str | PathLike[str] | Mapping[str, Any] | Spec

# What a whole-batch method cannot be told.
_OF_STEPS = ("rate", "schedule", "warmup", "batch", "clip", "constants")


@dataclass(frozen=True)
class Options(Selection):
    """How the data is to be understood, and in how many folds it is gone through, if any."""

    folds: int | None = None


@dataclass(frozen=True)
class Experiment:
    """All that decides what comes out."""

    spec: Spec
    training: Training
    samples: Samples | TermSamples
    options: Options
    spec_file: str | None  # the name of the spec's file, if it is one
    source: Any  # the absolute path of the data, if it is a file, or of each; of each term by name
    sha256: str  # of that file's bytes, or of these of each; otherwise of the samples
    initial: Initial | None = None  # the weights to begin with, where they are not drawn


def new_experiment(
    spec: SpecSource, data: Any, options: Options, changes: Mapping[str, Any], initial: Any = None
) -> Experiment:
    """Reads spec and data, and weights to begin with if there are any; `changes` go over what the
    spec's [training] says.

    Raises SpecError and DataError for what is wrong with either.
    """
    given = read_spec(spec)
    if given.loss.arguments:
        raise SpecError(
            f"{given.name}: loss.{given.loss.arguments[0]} is left to be given at run time; write a"
            " number there, or train through the module's own train_epoch"
        )
    complete = with_training(given, changes)
    assert complete.training is not None
    source, sha256 = _origin(complete, data)
    if complete.of_terms:
        samples: Samples | TermSamples = read_terms(complete, data, options)
    else:
        samples = read(data, complete.normalised(), options)
    return Experiment(
        complete,
        complete.training,
        samples,
        options,
        given.file_name,
        source,
        sha256 or _digest(samples),
        read_initial(initial),
    )


def _origin(spec: Spec, data: Any) -> tuple[Any, str | None]:
    """Where data lies, by term if the loss has several, and a hash of its files; None for what is
    in memory."""
    if not spec.of_terms or not isinstance(data, Mapping):
        files = files_of(data)
        return _source(files), None if files is None else _digest_of_files(files)
    found = {name: files_of(source) for name, source in data.items()}
    if any(files is None for files in found.values()):
        return None, None
    each = [file for name in spec.of_terms for file in found.get(name) or ()]
    return {name: _source(files) for name, files in found.items()}, _digest_of_files(each)


def recorded_experiment(
    record: Record,
    data: Any = None,
    spec: SpecSource | None = None,
    epochs: int | None = None,
    initial: Any = None,
) -> Experiment:
    """The experiment of a run's record, the data read from where it lay, or from `data` if given,
    and likewise the weights that it began with.

    `spec` must be that of the record, if given; `epochs` may be more than there. Raises DataError
    where the data is not what it was.
    """
    recorded = Spec.recorded(record["spec"])
    if spec is not None and not _agrees(read_spec(spec), recorded):
        raise SpecError(
            f"{recorded.name}: the spec is not the one that the run began with; leave it out, or "
            "train anew in another folder"
        )
    if recorded.training is None:
        raise SpecError("the run's record cannot be read: its spec has no [training]")
    if epochs is not None and epochs < recorded.training.epochs:
        raise SpecError(
            f"the run is to have {recorded.training.epochs} epochs; a resumed one may have more, "
            f"not {epochs}"
        )
    given = data if data is not None else record["data"]["path"]
    if given is None:
        raise DataError(f"the run's data was no file: give it again, as {told('data', 'DATA')}")
    files = _files(given)
    for path in files or ():
        if not path.exists():
            raise DataError(
                f"{path}: the run's data is not there; if it has moved, give its new place as "
                f"{told('data', 'DATA')}"
            )
    options = _options(record)
    changes = {} if epochs is None else {"epochs": epochs}
    begun = record.get("initial")
    if begun is not None and initial is None:
        initial = _where_it_was(begun["path"])
    experiment = replace(
        new_experiment(recorded, given, options, changes, None if begun is None else initial),
        spec_file=record["spec_file"],
    )
    if begun is not None and experiment.initial and experiment.initial.sha256 != begun["sha256"]:
        raise DataError(
            "the weights to begin with are not those that the run began with; bring them back, or"
            " train anew in another folder"
        )
    if experiment.sha256 != record["data"]["sha256"]:
        what = ", ".join(map(str, files)) if files else "the data"
        raise DataError(
            f"{what}: not what the run began with (its SHA-256 is "
            f"{experiment.sha256[:12]}…, that of the run {record['data']['sha256'][:12]}…); "
            "bring the old data back, or train anew in another folder"
        )
    return experiment


def _where_it_was(path: str | None) -> Path:
    """The file of the weights that a run began with."""
    again = told("initial", "--initial")
    if path is None:
        raise DataError(f"the weights that the run began with were no file: give them as {again}")
    if not Path(path).exists():
        raise DataError(
            f"{path}: the weights that the run began with are not there; if they have moved, give"
            f" their new place as {again}"
        )
    return Path(path)


def with_training(spec: Spec, changes: Mapping[str, Any]) -> Spec:
    """The spec with a complete [training]; SpecError if a change is none that it may have.

    Another optimizer begins with its own usual rate and constants, not with those that the spec
    has for its own.
    """
    changes = _in_our_words(changes)
    given: dict[str, Any] = {} if spec.training is None else spec.training.normalised()
    optimizer = changes.get("optimizer")
    if optimizer is not None and optimizer != given.get("optimizer"):
        for name in _OF_STEPS if optimizer in WHOLE_BATCH else ("rate", "constants"):
            given.pop(name, None)
    return Spec.parse({**spec.normalised(), "training": {**given, **changes}})


def _in_our_words(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes by our names for keys that have others; SpecError for one that is there twice."""
    ours: dict[str, Any] = {}
    for name, value in changes.items():
        if (key := SAME_KEYS.get(name, name)) in ours:
            raise SpecError(f"training.{key} has other names, and is given twice: leave one out")
        ours[key] = value
    return ours


def compile_module(experiment: Experiment) -> ModuleType:
    """The network's module, with as much of training in it as its code depends on."""
    return compile(to_compile(experiment.spec, experiment.training)).module


def describe(experiment: Experiment) -> Record:
    """The part of a run's record that says what is trained on what."""
    samples, begun = experiment.samples, experiment.initial
    return {
        "symgrad": symgrad.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "scipy")},
        "platform": platform.platform(),
        "spec": experiment.spec.normalised(),
        "spec_file": experiment.spec_file,
        "seed": experiment.training.seed,
        "options": experiment.options.as_data(),
        "data": {
            "path": experiment.source,
            "sha256": experiment.sha256,
            "samples": len(samples),
            "columns": samples.columns.as_data(),
        },
        **({} if begun is None else {"initial": {"path": begun.source, "sha256": begun.sha256}}),
    }


def run_id(experiment: Experiment, fold: int | None = None) -> str:
    """The id of a run of this experiment: the same whenever the same comes out, on one machine.

    It is made when a run begins, and then stays. More epochs are the same run gone on with, but
    where the rate depends on how many there are.
    """
    training = experiment.training.normalised()
    if "epochs" not in experiment.training.settings():
        del training["epochs"]
    decides = {
        "spec": {**experiment.spec.normalised(), "training": training},
        "options": experiment.options.as_data(),
        "data": experiment.sha256,
        "fold": fold,
        **({} if experiment.initial is None else {"initial": experiment.initial.sha256}),
    }
    content = json.dumps(decides, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _options(record: Record) -> Options:
    """The options of a record, which someone may have edited."""
    try:
        return TypeAdapter(Options).validate_python(record["options"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("options", *first["loc"])))
        raise DataError(f"the run's record cannot be read: {place}: {first['msg']}") from None


def _files(data: Any) -> list[Path] | None:
    """The files that data lies in, of all terms; None where it does not."""
    if not isinstance(data, Mapping):
        return files_of(data)
    found = [files_of(source) for source in data.values()]
    known = [files for files in found if files is not None]
    return [path for files in known for path in files] if len(known) == len(found) else None


def _agrees(spec: Spec, recorded: Spec) -> bool:
    """Whether a spec is the recorded one, of whose training options may have changed some."""
    return {**spec.normalised(), "training": None} == {**recorded.normalised(), "training": None}


def _source(files: list[Path] | None) -> str | list[str] | None:
    """The absolute places of files, for the record."""
    if files is None:
        return None
    places = [str(path.resolve()) for path in files]
    return places[0] if len(places) == 1 else places


def _digest_of_files(files: list[Path]) -> str:
    digests = [_digest_of_file(path) for path in files]
    joined = hashlib.sha256("".join(digests).encode()).hexdigest()
    return digests[0] if len(digests) == 1 else joined


def _digest_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _digest(samples: Samples | TermSamples) -> str:
    content = hashlib.sha256(json.dumps(samples.columns.as_data()).encode())
    for _, part in parts_of(samples):
        for array in (part.x, part.t, part.w):
            if array is not None:
                content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()
