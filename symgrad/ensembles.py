"""ensembles: many networks of one spec, computed and trained at once, each with its own weights,
seed, settings and samples, and each with the bits that it has alone.

    members = symgrad.ensemble("specs/iris.toml", 1000)
    trained = members.train(x, t, epochs=100, rates=np.geomspace(1e-3, 1e-1, 1000))
    y = members.predict(trained.theta, x)                     # of shape (1000, samples, outputs)
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad.compiler import Compiled
from symgrad.errors import SymgradError
from symgrad.spec.spec import Spec, read

# An interrupt is seen after as many seconds of training, and an epoch.
_AT_A_TIME = 0.5

# SplitMix64's, as in training; and what keeps bootstrap samples apart from the order of these.
_STEP, _MIX, _MIX_AGAIN = (
    np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_APART = np.uint64(0x626F6F7473747261)

Array = NDArray[Any]


@dataclass(frozen=True)
class TrainedMembers:
    """What training gives: the weights, of shape (members, weights), the loss of every epoch, of
    shape (members, epochs), and what training can go on from."""

    theta: Array
    losses: Array
    state: Array
    progress: Array


class Ensemble:
    """So many networks of one spec. `module` has the functions that compute them, which also those
    of one network are in."""

    def __init__(self, spec: Spec, members: int) -> None:
        self.spec = Spec.parse({**spec.normalised(), "members": members})
        self.members = members
        self.compiled = Compiled(self.spec)

    @property
    def module(self) -> ModuleType:
        return self.compiled.module

    def init(self, seeds: "int | Sequence[int] | None" = None) -> Array:
        """Random weights, of shape (members, weights): row k is what `init` of the module gives for
        seed k of `seeds`; of a number s these are s, s + 1, …"""
        return np.stack([self.module.init(seed) for seed in self._seeds(seeds)])

    def predict(self, theta: ArrayLike, x: ArrayLike) -> Array:
        """The outputs, of shape (members, samples, outputs), for x of shape (samples, inputs), the
        same for all members, or (members, samples, inputs)."""
        return self.module.predict_members(theta, x)

    def loss_and_gradient(self, theta: ArrayLike, *data: ArrayLike) -> tuple[Array, Array]:
        """The losses, of shape (members,), and their gradients, of shape (members, weights). `data`
        is what `loss` of the module takes: x, t, sample weights and penalties where the spec has
        them, each the same for all members or with one axis more."""
        return self.module.losses_and_gradients(theta, *data)

    def bootstrap(self, samples: int, seeds: "int | Sequence[int] | None" = None) -> Array:
        """Weights of samples, of shape (members, samples): how often each is among as many that are
        drawn at random with replacement, by each member anew."""
        places = np.arange(1, samples + 1, dtype=np.uint64)
        drawn = np.zeros((self.members, samples), self.module.init().dtype)
        for row, seed in zip(drawn, self._seeds(seeds), strict=True):
            z = (np.uint64(seed % (1 << 64)) ^ _APART) + _STEP * places
            z = (z ^ (z >> np.uint64(30))) * _MIX
            z = (z ^ (z >> np.uint64(27))) * _MIX_AGAIN
            high = (z ^ (z >> np.uint64(31))) >> np.uint64(32)
            row += np.bincount((high * np.uint64(samples)) >> np.uint64(32), minlength=samples)
        return drawn

    def train(
        self,
        x: ArrayLike,
        t: ArrayLike,
        epochs: int | None = None,
        *,
        seeds: "int | Sequence[int] | None" = None,
        rates: "float | ArrayLike | None" = None,
        w: ArrayLike | None = None,
        bootstrap: bool = False,
        after: TrainedMembers | None = None,
        l1: "float | ArrayLike | None" = None,
        l2: "float | ArrayLike | None" = None,
        **settings: "float | ArrayLike",
    ) -> TrainedMembers:
        """Trains all members: member k from the weights and with the random order of samples of
        seed k, and with rate k of `rates`. Each does what `train_epoch` of the module does, called
        once an epoch.

        x and t, sample weights w and penalties are the same for all members, or have one axis more;
        so have `settings`, by the names in the module's SETTINGS, of which `batch` is the same for
        all. `bootstrap` weighs the samples of each member by how often it has drawn them; the spec
        must have `sample_weights = true`. `after` is training to go on from, in place of seeds.
        Not given, epochs and settings are those of the spec. Raises SymgradError for what the spec
        has no place for.
        """
        training = self.spec.training
        if training is None or not hasattr(self.module, "train_members"):
            raise SymgradError(
                f"{self.spec.name}: its spec has no [training] that goes by epochs, and an ensemble"
                " is trained by these"
            )
        dtype = self.module.init().dtype
        x, t = (np.asarray(each, dtype) for each in (x, t))
        data = [x, t, *self._weights(x, w, bootstrap, seeds), *self._penalties(l1=l1, l2=l2)]
        if rates is not None:
            settings["rate"] = rates
        numbers = self._settings(settings)
        theta, state, progress = self._begun(seeds, after)
        epochs = training.epochs if epochs is None else epochs
        losses = np.empty((self.members, epochs))
        done, at_a_time = 0, 1
        while done < epochs:
            part = np.empty((self.members, min(at_a_time, epochs - done)))
            begun = time.perf_counter()
            self.module.train_members(theta, *data, state, progress, numbers, part)
            losses[:, done : done + part.shape[1]] = part
            done += part.shape[1]
            seconds = (time.perf_counter() - begun) / part.shape[1]
            at_a_time = max(1, int(_AT_A_TIME / max(seconds, 1e-9)))
        return TrainedMembers(theta, losses, state, progress)

    def _seeds(self, seeds: "int | Sequence[int] | None") -> list[int]:
        if seeds is None or isinstance(seeds, int | np.integer):
            first = int(seeds or 0)
            return [*range(first, first + self.members)]
        if len(seeds) != self.members:
            raise ValueError(f"there must be {self.members} seeds, came {len(seeds)}")
        return [int(seed) for seed in seeds]

    def _begun(
        self, seeds: "int | Sequence[int] | None", after: TrainedMembers | None
    ) -> tuple[Array, Array, Array]:
        if after is not None:
            return after.theta.copy(), after.state.copy(), after.progress.copy()
        states = [self.module.train_state(seed) for seed in self._seeds(seeds)]
        return self.init(seeds), *map(np.stack, zip(*states, strict=True))  # type: ignore[return-value]

    def _settings(self, changes: Mapping[str, Any]) -> Array:
        """A row of settings for each member."""
        self.module.train_settings(**dict.fromkeys(changes, 0.0))  # which refuses unknown ones
        columns = [changes.get(name, value) for name, value in self.module.SETTINGS.items()]
        rows = np.empty((self.members, len(columns)))
        for place, (name, column) in enumerate(zip(self.module.SETTINGS, columns, strict=True)):
            found = np.asarray(column, float)
            if found.shape not in ((), (self.members,)):
                raise ValueError(
                    f"{name} must be a number or {self.members} of them, came an array of shape"
                    f" {found.shape}"
                )
            rows[:, place] = found
        return rows

    def _weights(
        self,
        x: Array,
        w: ArrayLike | None,
        bootstrap: bool,
        seeds: "int | Sequence[int] | None",
    ) -> list[Array]:
        if not self.spec.loss.sample_weights:
            if w is not None or bootstrap:
                raise SymgradError(
                    f"{self.spec.name}: samples are weighed where the spec has `sample_weights ="
                    " true` in [loss], which this one has not"
                )
            return []
        weights = np.ones(x.shape[-2], x.dtype) if w is None else np.asarray(w, x.dtype)
        return [weights * self.bootstrap(x.shape[-2], seeds) if bootstrap else weights]

    def _penalties(self, **given: "float | ArrayLike | None") -> list[ArrayLike]:
        taken = self.spec.loss.arguments
        for name, value in given.items():
            if value is not None and name not in taken:
                raise SymgradError(
                    f"{self.spec.name}: {name} is given at run time where the spec has `{name} ="
                    f' "argument"` in [loss], which this one has not'
                )
        missing = [name for name in taken if given[name] is None]
        if missing:
            raise TypeError(f"train() misses {' and '.join(missing)}")
        return [given[name] for name in taken]  # type: ignore[misc]


def ensemble(spec: "str | PathLike[str] | Mapping[str, Any] | Spec", members: int) -> Ensemble:
    """So many networks of a spec, compiled to be computed at once. Raises SpecError for a spec with
    terms of the loss or with derivatives, which ensembles have not."""
    return Ensemble(read(spec), members)
