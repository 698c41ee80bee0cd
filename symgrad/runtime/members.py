"""members: the functions of an ensemble as Python calls them. Samples, settings and penalties may
be the same for all members, or each has its own."""

import numpy as np

from symgrad.runtime.calling import Converting
from symgrad.runtime.kinds import NATIVE, Facts, Kind, _shape
from symgrad.runtime.named import inputs_of, outputs_of, targets_of

_DOUBLES = ("l1", "l2", "settings", "losses")

# What stands for all members with an axis less.
_SAME = ("x", "t", "w", "l1", "l2", "settings")


class FactsOfMembers(Facts):
    """What is known of the arguments of an ensemble's functions: of a network's, with the members
    as their first axis."""

    numbers: tuple = ()

    def __init__(self, name, spec, size, state, settings):
        super().__init__(name, spec, size, state, settings)
        members = self.members = spec["members"]
        inputs, targets, outputs = inputs_of(spec), targets_of(spec), outputs_of(spec)
        self.extents = {
            "theta": (members, size),
            "x": (members, "samples", inputs),
            "t": (members, "samples", targets),
            "w": (members, "samples"),
            "l1": (members,),
            "l2": (members,),
            "y": (members, "samples", outputs),
            "gradients": (members, size),
            "state": (members, state),
            "progress": (members, 2),
            "settings": (members, settings),
            "losses": (members, "epochs"),
        }
        self.shapes = {each: _shape(extents) for each, extents in self.extents.items()}

    def kinds(self, names, written):
        """The kinds of arguments; losses have an axis of epochs where these are trained."""
        epochs = "state" in names
        return {name: self.kind(name, written, epochs) for name in names}

    def kind(self, name, written=(), epochs=True):
        number = "float64" if name in _DOUBLES else "uint64" if name == "progress" else self.dtype
        axes = len(self.extents[name]) - (name == "losses" and not epochs)
        return Kind(number, axes, name in written)

    def with_members(self, name, value):
        """An argument that is the same for all members, with an axis for them."""
        array = np.asarray(value)
        if name not in _SAME or array.ndim != len(self.extents[name]) - 1:
            return value
        if name in ("x", "t", "w"):
            return array[np.newaxis]
        return np.broadcast_to(array, (self.members, *array.shape))

    def converted(self, name, value):
        value = self.with_members(name, value)
        if name not in _DOUBLES:
            return super().converted(name, value)
        array = np.require(value, np.float64, ["C", "A"])
        if array.ndim != len(self.extents[name]):
            raise ValueError(f"{name} must be of shape {self.shapes[name]}, came {array.shape}")
        return array

    def made(self, name, samples):
        """Memory for a result."""
        shape = {"losses": (self.members,)}.get(name, self.extents[name])
        shape = tuple(samples if extent == "samples" else extent for extent in shape)
        return np.empty(shape, NATIVE[self.kind(name).number])


class OfMembers(Converting):
    """A function of an ensemble. Its calls take long enough for Python to look at what it is
    given."""

    def first(self, /, *arguments, **named):
        return self.otherwise(*arguments, **named)

    def converted(self, given):
        """What is written in place is not converted."""
        fitting = []
        for name, value in given.items():
            kind = self.kinds[name]
            if not kind.written:
                fitting.append(self.facts.converted(name, value))
            elif wrong := self.facts.mismatch(name, value, kind):
                raise TypeError(wrong)
            else:
                fitting.append(self.facts.in_place(name, value, kind))
        return fitting

    def completed(self, arguments):
        given = tuple(arguments)
        made = [*self.work.kinds][len(given) :]
        return *given, *(self.facts.made(name, given[1].shape[1]) for name in made)

    def answer(self, result, complete):
        made = complete[len(self.kinds) :]
        return made[0] if len(made) == 1 else made or None
