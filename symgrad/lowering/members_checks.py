"""members_checks: what the functions of an ensemble are given, and what must hold of it before
compiled code runs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symgrad.lowering.program import (
    WHOLE_ZERO,
    Branch,
    Compare,
    Condition,
    Element,
    Extent,
    Function,
    Given,
    Loop,
    Not,
    Number,
    Overlap,
    Parameter,
    Refuse,
    Statement,
    Value,
    index,
    whole,
)

MEMBER = index("member")


@dataclass(frozen=True)
class Shape:
    """How many members an ensemble has, and the numbers of each: weights, inputs, outputs, targets,
    what the optimizer remembers, settings; which of these is the size of a batch; whether samples
    have weights, and which penalties are given."""

    members: int
    size: int
    inputs: int
    outputs: int
    targets: int
    weighted: bool
    penalties: tuple[str, ...]
    state: int = 0
    settings: int = 0
    batch: int = 0

    @property
    def theta(self) -> Parameter:
        return Parameter("theta", "real", (self.members, self.size))

    @property
    def x(self) -> Parameter:
        return Parameter("x", "real", ("sets of x", "samples", self.inputs))

    @property
    def data(self) -> tuple[Parameter, ...]:
        """What a loss is given: samples of all, as one set, or a set of each; and penalties."""
        t = Parameter("t", "real", ("sets of t", "samples", self.targets))
        w = Parameter("w", "real", ("sets of w", "samples"))
        penalties = (Parameter(name, "double", (self.members,)) for name in self.penalties)
        return (self.theta, self.x, t, *[w] * self.weighted, *penalties)

    @property
    def predicted(self) -> tuple[Parameter, ...]:
        y = Parameter("y", "real", (self.members, "samples", self.outputs))
        return (self.theta, self.x, y)

    @property
    def differentiated(self) -> tuple[Parameter, ...]:
        return (
            *self.data,
            Parameter("losses", "double", (self.members,)),
            Parameter("gradients", "real", (self.members, self.size)),
        )

    @property
    def trained(self) -> tuple[Parameter, ...]:
        return (
            *self.data,
            Parameter("state", "real", (self.members, self.state)),
            Parameter("progress", "word", (self.members, 2)),
            Parameter("settings", "double", (self.members, self.settings)),
            Parameter("losses", "double", (self.members, "epochs")),
        )


def checks(shape: Shape, trained: bool) -> Iterator[Function]:
    """The functions that check."""
    yield _check("predict_members", shape, shape.predicted, ("y",))
    yield _check("losses_and_gradients", shape, shape.differentiated, ("losses", "gradients"))
    if trained:
        body = (*_settings(shape), *_apart(shape))
        yield _check("train_members", shape, shape.trained, (), body)


def _check(
    name: str,
    shape: Shape,
    parameters: tuple[Parameter, ...],
    made: tuple[str, ...],
    more: Iterable[Statement] = (),
) -> Function:
    """`made` is written into memory that Python's callers do not give."""
    given = tuple(Parameter(p.name, p.kind, p.extents, left_out=p.name in made) for p in parameters)
    body: list[Statement] = []
    for each in parameters:
        found = [*_shape(each, shape)]
        body += [Branch(Given(each.name), tuple(found))] if each.name in made else found
    return Function(
        f"_check_{name}",
        given,
        (*body, *more),
        f"The shapes of what `{name}` is given.",
    )


def _shape(each: Parameter, shape: Shape) -> Iterator[Statement]:
    wanted = ", ".join(map(str, each.extents)) + "," * (len(each.extents) == 1)
    says = f"{each.name} must be of shape ({wanted}), came one of"
    sets = str(each.extents[0]).startswith("sets")
    if sets:
        own = f"({shape.members}, {', '.join(map(str, each.extents[1:]))})"
        says = f"{each.name} must be of shape {own}, or be the same for all members, came one of"
    found = tuple(Extent(each.name, axis) for axis in range(len(each.extents)))
    refused = (Refuse((says, *found)),)
    for axis, extent in enumerate(each.extents):
        if isinstance(extent, int):
            yield Branch(_differs(found[axis], whole(extent)), refused)
        elif extent == "samples" and each.name == "x":
            none = Compare(("<",), (found[axis], whole(1)))
            yield Branch(none, (Refuse(("x must hold at least one sample, came", found[axis])),))
        elif extent == "samples":
            yield Branch(_differs(found[axis], Extent("x", 1)), refused)
        elif sets and axis == 0:
            inner = Branch(_differs(found[axis], whole(shape.members)), refused)
            yield Branch(_differs(found[axis], whole(1)), (inner,))
    if each.kind == "double" and each.name in shape.penalties:
        number = Element(each.name, (MEMBER,), "double")
        least = Compare((">=",), (number, Number(0.0, "double")))
        refused = (Refuse((f"{each.name} must be at least 0, came", number)),)
        yield Loop("member", found[0], (Branch(Not(least), refused),))


def _settings(shape: Shape) -> Iterator[Statement]:
    """All members have batches of one size."""
    place = whole(shape.batch)
    first = Element("settings", (WHOLE_ZERO, place), "double")
    batch = Element("settings", (MEMBER, place), "double")
    least = Compare((">=",), (first, Number(0.0, "double")))
    says = "batch must be at least 1, or 0 for all samples, came"
    yield Branch(Not(least), (Refuse((says, first)),))
    other = Branch(
        _differs(batch, first),
        (Refuse(("batch must be the same for all members, came", first, "and", batch)),),
    )
    yield Loop("member", whole(shape.members), (other,))


def _apart(shape: Shape) -> Iterator[Statement]:
    """What changes is nothing else's memory."""
    names = [each.name for each in shape.trained]
    changed = ("theta", "state", "progress", "losses")
    for place, name in enumerate(changed):
        for other in (each for each in names if each not in changed[place:]):
            says = f"{name} must not overlap {other} in memory"
            yield Branch(Overlap(name, other), (Refuse((says,)),))


def _differs(one: Value, other: Value) -> Condition:
    return Compare(("!=",), (one, other))
