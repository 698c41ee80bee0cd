"""results: what the kernels of a function write, and where in it arrays lie.

A vector of sums over samples has the layout of theta, `mark` and a weight's name for each array in
it; a gradient may be left out. Results of each sample are arrays of their own, or parts of one that
has all weights along an axis, or the outputs of all heads: `packed` says where, also of what is
given. A matrix is made at the end, of sums over samples that have a vector of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Axis:
    """A place along an axis: `start`, and each of as many indices times its stride."""

    start: int
    strides: tuple[int, ...]


# An index as it is.
KEPT = Axis(0, (1,))


@dataclass(frozen=True)
class Packed:
    """An array that lies in another, whose element is found by its own indices, in their order,
    some for each axis of that one."""

    within: str
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class Results:
    """`kernel` begins the names of functions; `vector` is what sums over samples are written into,
    None where there are none; `rows` the argument that has a row for each sample, if there is one;
    `extents` the extents of arguments that are written and are not those of one array. Where `made`
    is given, that is the argument that is made at the end, of `moments`: the places and the shapes
    of these in the vector. If they are `chained`, a leaf's are added to what is in it."""

    kernel: str
    vector: str | None = None
    mark: str = "d_"
    optional: bool = False
    rows: str | None = None
    packed: Mapping[str, Packed] = field(default_factory=dict)
    extents: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    made: str | None = None
    moments: Mapping[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    chained: bool = False


PREDICTION = Results("prediction", rows="y")
GRADIENT = Results("gradient", vector="gradient", optional=True)

# The vector in which the sums lie that a matrix is made of.
MOMENTS = "moments"
