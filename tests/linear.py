"""A module as training takes it, in NumPy, for one layer y = x·W1 + b1 and the mean of ½(y − t)²:
for what is done with modules where no compiler is to be imported.
"""

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

INPUTS = 2
SIZE = INPUTS + 1
PARAMETERS = {"W1": (0, (INPUTS, 1)), "b1": (INPUTS, (1,))}
SPEC: dict[str, Any] = {
    "name": "linear",
    "dtype": "float64",
    "inputs": INPUTS,
    "layers": [{"units": 1, "activation": "identity", "bias": True, "residual": False}],
    "loss": {"kind": "squared", "l1": 0.0, "l2": 0.0, "sample_weights": False},
    "activations": {},
}


def init(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SIZE)


def unpack(theta: np.ndarray) -> dict[str, np.ndarray]:
    return {
        name: theta[start : start + math.prod(shape)].reshape(shape)
        for name, (start, shape) in PARAMETERS.items()
    }


def pack(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(arrays[name]) for name in PARAMETERS])


def predict(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    parts = unpack(theta)
    return x @ parts["W1"] + parts["b1"]


def loss_and_gradient(
    theta: np.ndarray, x: np.ndarray, t: np.ndarray, l2: float = 0.0
) -> tuple[float, np.ndarray]:
    W, error = unpack(theta)["W1"], predict(theta, x) - t
    E = float(np.mean(error * error) + l2 * np.vdot(W, W)) / 2
    return E, pack({"W1": x.T @ error / len(x) + l2 * W, "b1": error.mean(axis=0)})


def loss_and_gradient_into(
    theta: np.ndarray, x: np.ndarray, t: np.ndarray, l2: float, gradient: np.ndarray
) -> float:
    E, gradient[:] = loss_and_gradient(theta, x, t, l2)
    return E


def loss(theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> float:
    return loss_and_gradient(theta, x, t)[0]


def train_state(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros(1, np.uint64)


def train_settings(rate: float, **others: float) -> np.ndarray:
    return np.array([rate])


def train_epoch(
    theta: np.ndarray, x: np.ndarray, t: np.ndarray, *going_on: np.ndarray, l2: float = 0.0
) -> float:
    """A step down the gradient of all samples; the loss before it."""
    E, gradient = loss_and_gradient(theta, x, t, l2)
    theta -= going_on[-1][0] * gradient
    return E


def train_steps(
    theta: np.ndarray, x: np.ndarray, t: np.ndarray, l2: float, *going_on: np.ndarray
) -> float:
    return train_epoch(theta, x, t, *going_on, l2=l2)


# How much work a call of each is: never enough for threads.
for function in (predict, loss_and_gradient_into, train_steps):
    function.work = SimpleNamespace(many=math.inf)
