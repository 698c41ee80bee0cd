"""asked: networks whose derivatives by inputs are asked for, and what is asked, for every peer.

A row is known by its widths. `E` is the loss, a mean over samples, and `gradient` that by weights;
or, for a Jacobian, its sum and the Jacobian.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import nets, reference
from benchmarks.nets import Net, Row

NU = 0.0031830988  # of Burgers' equation: 0.01/π


@dataclass(frozen=True)
class Asked:
    """What is asked of a network; as a formula of symgrad's, none for a Jacobian."""

    title: str
    row: Row
    formula: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    activation: str = "tanh"

    @property
    def spec(self) -> dict:
        spec = self.row.net.spec
        *hidden, last = spec["layers"]
        hidden = [{**layer, "activation": self.activation} for layer in hidden]
        spec["layers"] = [*hidden, {"names": [*self.outputs]} if self.outputs else last]
        if self.inputs:
            spec["inputs"] = [*self.inputs]
        if self.formula:
            return {**spec, "loss": {"formula": self.formula}}
        return {**spec, "derivatives": ["jacobian"]}


ROWS = (
    Asked("Jacobian", Row(Net((3, 64, 5)), 128)),
    Asked(
        "Burgers' equation",
        Row(Net((2, 20, 20, 20, 1)), 2780),
        f"(D(u, t) + u*D(u, x) - {NU}*D(u, x, x))**2",
        ("x", "t"),
        ("u",),
    ),
    Asked(
        "Kovasznay flow",
        Row(Net((2, 50, 50, 50, 50, 3)), 2601),
        "(u*D(u, x) + v*D(u, y) + D(p, x) - 0.05*(D(u, x, x) + D(u, y, y)))**2"
        " + (u*D(v, x) + v*D(v, y) + D(p, y) - 0.05*(D(v, x, x) + D(v, y, y)))**2"
        " + (D(u, x) + D(v, y))**2",
        ("x", "y"),
        ("u", "v", "p"),
    ),
    Asked(
        "values and slopes",
        Row(Net((10, 20, 20, 20, 20, 1)), 256),
        "(y - t)**2 + sum((D(y, x) - x)**2)",
        activation="softplus",
    ),
    Asked("Hamiltonian field", Row(Net((8, 200, 200, 1)), 200), "sum((D(y, x) - x)**2)"),
    Asked("Laplacian", Row(Net((50, 256, 256, 1)), 256), "(laplacian(y) - 1)**2"),
)
BY_WIDTHS = {asked.row.net.widths: asked for asked in ROWS}


def wanted(net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """symgrad's own, in float64: each peer says whether it is right."""
    import symgrad  # in the process that compares; peers may lie where symgrad does not

    spec = {**BY_WIDTHS[net.widths].spec, "dtype": "float64"}
    given = [array.astype(np.float64) for array in (theta, x, t)]
    return values(symgrad.compile(spec).module, *given)


def values(module, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Of a module of symgrad's."""
    if hasattr(module, "jacobian"):
        return summed(module.jacobian(theta, x))
    E, gradient = module.loss_and_gradient(theta, x, t)
    return float(E), gradient


def call(module, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> Callable[[], object]:
    """What is timed of it, into an array that is there."""
    if hasattr(module, "jacobian"):
        into = np.empty_like(module.jacobian(theta, x))
        return partial(module.jacobian_into, theta, x, into)
    return partial(module.loss_and_gradient_into, theta, x, t, np.empty_like(theta))


def summed(jacobian: np.ndarray) -> tuple[float, np.ndarray]:
    """By samples, outputs and inputs."""
    return float(jacobian.sum(dtype=np.float64)), np.ravel(jacobian)


def off(net: Net, found: tuple[float, np.ndarray], expected: tuple[float, np.ndarray]) -> float:
    """Relative, by weight array; a bias on which nothing depends must have none."""
    if found[1].shape != expected[1].shape or not np.isfinite([found[0], *found[1]]).all():
        return np.inf
    if BY_WIDTHS[net.widths].formula is None:
        return float(np.abs(found[1] - expected[1]).max() / np.abs(expected[1]).max())
    worst = abs(found[0] - expected[0]) / abs(expected[0])
    for before, units, w, b in net.layers:
        for part in (slice(w, w + before * units), slice(b, b + units)):
            difference = np.abs(found[1][part] - expected[1][part]).max()
            largest = np.abs(expected[1][part]).max() or np.abs(expected[1]).max()
            worst = max(worst, difference / largest)
    return float(worst)


def allowed(net: Net, dtype: str) -> float:
    return reference.TOLERANCE[dtype]


numbers = nets.numbers
