"""One layer with a formula, and a loss: as a spec, and run where it is tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzz.formulas import nodes
from fuzz.places import Place, plainness

# Built-in activations and losses as formulas.
ACTIVATIONS = {
    "identity": "z",
    "relu": "relu(z)",
    "leaky_relu": "max(z, 0.01*z)",
    "elu": "relu(z) + min(expm1(z), 0)",
    "selu": "1.0507009873554805*(relu(z) + 1.6732632423543772*min(expm1(z), 0))",
    "gelu": "z*(1 + erf(z/sqrt(2)))/2",
    "silu": "z*sigmoid(z)",
    "mish": "z*tanh(softplus(z))",
    "softplus": "softplus(z)",
    "softsign": "z/(1 + abs(z))",
    "sigmoid": "sigmoid(z)",
    "tanh": "tanh(z)",
    "sin": "sin(z)",
    "gaussian": "exp(-z**2)",
    "softmax": "exp(z)/sum(exp(z))",
}
LOSSES = {
    "squared": "(y - t)**2/2",
    "absolute": "abs(y - t)",
    "huber": "min(abs(y - t), 1)*(abs(y - t) - min(abs(y - t), 1)/2)",
    "log_cosh": "log(cosh(y - t))",
    "cross_entropy": "-t*log(y)",
    "binary_cross_entropy": "-t*log(y) - (1 - t)*log(1 - y)",
    "poisson": "y - t*log(y)",
    "kl": "t*log(t) - t*log(y)",
}


@dataclass(frozen=True)
class Case:
    """`activation` and `loss`: a formula, or the name of a built-in one."""

    activation: str = "identity"
    loss: str = "y"
    dtype: str = "float64"
    units: int = 1
    constants: tuple[tuple[str, float], ...] = ()
    place: Place | None = None

    @property
    def activation_formula(self) -> str:
        return ACTIVATIONS.get(self.activation, self.activation)

    @property
    def loss_formula(self) -> str:
        return LOSSES.get(self.loss, self.loss)

    def spec(self) -> dict[str, Any]:
        own = self.activation not in ACTIVATIONS
        data: dict[str, Any] = {
            "name": "net",
            "dtype": self.dtype,
            "inputs": 1,
            "layers": [
                {
                    "units": self.units,
                    "activation": "f" if own else self.activation,
                    "bias": False,
                }
            ],
            "loss": {"kind": self.loss}
            if self.loss in LOSSES
            else {"formula": self.loss, "constants": dict(self.constants)},
        }
        if own:
            data["activations"] = {
                "f": {"formula": self.activation, "constants": dict(self.constants)}
            }
        return data

    def data(self) -> dict[str, Any]:
        data = {name: value for name, value in self._fields() if value != getattr(PLAIN, name)}
        if self.place is not None:
            data["place"] = {"z": self.place.z, "t": self.place.t}
        return data

    def _fields(self) -> list[tuple[str, Any]]:
        names = ("activation", "loss", "dtype", "units", "constants")
        return [(name, getattr(self, name)) for name in names]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Case":
        place = data.get("place")
        if place is not None:
            place = Place(tuple(map(float, place["z"])), tuple(map(float, place["t"])))
        constants = tuple((name, value) for name, value in data.get("constants", ()))
        return cls(**{**data, "constants": constants, "place": place})

    def size(self) -> tuple[float, ...]:
        texts = (self.activation, self.loss)
        parts = sum(map(nodes, texts)) + 5 * self.units + 2 * len(self.constants)
        parts += self.dtype == "float32"
        plain = plainness(self.place) if self.place else 0.0
        return (parts, sum(map(len, texts)), plain)

    def __str__(self) -> str:
        loss = "" if self.loss == "y" else f"; loss {self.loss}"
        return f"{self.activation}{loss}"


PLAIN = Case()


@dataclass(frozen=True)
class Outcome:
    """What a module gives at places: y (places, units), E (places,), gradient (places, units)."""

    y: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray


def run(module: Any, case: Case, places: Sequence[Place]) -> Outcome:
    """z = 1 · W: the weights are what the layer's formula is given, one sample a place."""
    x = np.ones((1, 1), case.dtype)
    ys, losses, gradients = [], [], []
    for place in places:
        theta = np.array(place.z, case.dtype)
        t = np.array([place.t], case.dtype)
        loss, gradient = module.loss_and_gradient(theta, x, t)
        ys.append(np.array(module.predict(theta, x))[0])
        losses.append(loss)
        gradients.append(np.array(gradient))
    return Outcome(np.array(ys), np.array(losses), np.array(gradients))
