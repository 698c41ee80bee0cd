"""nets: the networks that are measured, the numbers they are given, and the targets."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Net:
    """A multilayer perceptron: tanh layers and a squared loss, or relu, softmax, cross-entropy.

    The loss is summed over outputs and averaged over samples; ½(y − t)² where it is squared.
    """

    widths: tuple[int, ...]  # inputs, hidden layers, outputs
    classifies: bool = False  # relu, softmax and cross-entropy instead of tanh and squared

    @property
    def name(self) -> str:
        depth = len(self.widths) - 1
        if depth > 3 and len(set(self.widths)) == 1:
            return f"{depth}-layers-of-{self.widths[0]}"
        return "-".join(map(str, self.widths))

    @property
    def layers(self) -> list[tuple[int, int, int, int]]:
        """By layer: units before, units, where W begins in theta, where b begins.

        W is of shape (units before, units), in C order; b follows it.
        """
        found, start = [], 0
        for before, units in pairwise(self.widths):
            found.append((before, units, start, start + before * units))
            start += (before + 1) * units
        return found

    @property
    def size(self) -> int:
        """The number of weights."""
        return sum((before + 1) * units for before, units in pairwise(self.widths))

    @property
    def spec(self) -> dict:
        """The same as symgrad's spec, but for the dtype."""
        hidden = "relu" if self.classifies else "tanh"
        output = "softmax" if self.classifies else "identity"
        layers = [{"units": units, "activation": hidden} for units in self.widths[1:-1]]
        layers.append({"units": self.widths[-1], "activation": output})
        return {
            "name": "net_" + self.name.replace("-", "_"),
            "inputs": self.widths[0],
            "layers": layers,
            "loss": {"kind": "cross_entropy" if self.classifies else "squared"},
        }


@dataclass(frozen=True)
class Row:
    """One line of the tables: a network, and how many samples a call is given."""

    net: Net
    batch: int
    target: float | None = None  # how many times as fast as the fastest peer we mean to be

    @property
    def name(self) -> str:
        return f"{self.net.name}x{self.batch}"


def numbers(row: Row, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """theta, x and t: the same for every peer, and the same to float32 in every dtype."""
    random = np.random.default_rng(row.net.size + row.batch)
    theta = np.empty(row.net.size)
    for before, units, w, b in row.net.layers:
        reach = np.sqrt(6 / (before + units))
        theta[w:b] = random.uniform(-reach, reach, before * units)
        theta[b : b + units] = random.uniform(-0.1, 0.1, units)
    x = random.standard_normal((row.batch, row.net.widths[0]))
    if row.net.classifies:
        t = np.eye(row.net.widths[-1])[random.integers(row.net.widths[-1], size=row.batch)]
    else:
        t = random.standard_normal((row.batch, row.net.widths[-1]))
    rounded = (np.ascontiguousarray(array, np.float32) for array in (theta, x, t))
    theta, x, t = (array.astype(dtype) for array in rounded)
    return theta, x, t


def parse(name: str) -> Row:
    """A row by its name: widths and batch, `10-32-32-1x64` or `8-layers-of-16x128`.

    Networks that are in ROWS are taken from there; others of ten outputs classify.
    """
    for row in ROWS + INSIDE:
        if row.name == name:
            return row
    if found := re.fullmatch(r"(\d+)-layers-of-(\d+)x(\d+)", name):
        depth, width, batch = map(int, found.groups())
        return Row(Net((width,) * (depth + 1)), batch)
    if not re.fullmatch(r"\d+(-\d+)+x\d+", name):
        raise ValueError(f"no row is called {name!r}; known are {', '.join(r.name for r in ROWS)}")
    shape, batch = name.split("x")
    widths = tuple(map(int, shape.split("-")))
    return Row(Net(widths, classifies=widths[-1] == 10), int(batch))


DIGITS = Net((64, 64, 32, 10), classifies=True)
LARGE = Net((784, 128, 64, 10), classifies=True)

ROWS = [
    Row(Net((2, 8, 1)), 4, 3),
    Row(Net((4, 8, 3)), 1, 2),
    Row(Net((10, 32, 32, 1)), 1, 4),
    Row(Net((10, 32, 32, 1)), 64, 4),
    Row(Net((10, 32, 32, 1)), 1024, 3),
    Row(Net((4, 32, 16, 4)), 10_000, 2.5),
    Row(DIGITS, 32, 2.5),
    Row(DIGITS, 256, 2.5),
    Row(LARGE, 64, 1.4),
    Row(LARGE, 256, 1.3),
    Row(Net((1024, 1024, 1024, 10), classifies=True), 256, 1.05),
    Row(Net((16,) * 9), 128, 4),
]

# From inside a compiled loop; the target is the time as a part of that of hand-written loops.
INSIDE = [
    Row(Net((2, 8, 1)), 1, 0.5),
    Row(Net((2, 8, 1)), 4, 0.4),
    Row(Net((10, 32, 32, 1)), 1, 0.65),
]

# Enough to see where things stand: one of every kind.
QUICK = [
    parse(name)
    for name in (
        "2-8-1x4",
        "10-32-32-1x64",
        "10-32-32-1x1024",
        "64-64-32-10x256",
        "784-128-64-10x64",
    )
]
