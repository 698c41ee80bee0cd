"""reference: loss and gradient in plain NumPy and float64, which every peer must agree with."""

import numpy as np

from benchmarks.nets import Net

# The largest difference that is allowed, as a part of the largest entry of the reference.
TOLERANCE = {"float32": 2e-4, "float64": 1e-9}


def loss(net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> float:
    return loss_and_gradient(net, theta, x, t)[0]


def loss_and_gradient(
    net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray
) -> tuple[float, np.ndarray]:
    """Written to be read; `tests/test_benchmarks.py` holds it against central differences."""
    theta, x, t = (np.asarray(array, np.float64) for array in (theta, x, t))
    weights = [(theta[w:b].reshape(m, k), theta[b : b + k]) for m, k, w, b in net.layers]
    activations = [x]
    for number, (W, b) in enumerate(weights, start=1):
        z = activations[-1] @ W + b
        if number == len(weights):
            activations.append(z)
        elif net.classifies:
            activations.append(np.maximum(z, 0))
        else:
            activations.append(np.tanh(z))
    y = activations[-1]
    if net.classifies:
        y = y - y.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(y).sum(axis=1, keepdims=True))
        e = -(t * (y - log_sum)).sum()
        d = np.exp(y - log_sum) * t.sum(axis=1, keepdims=True) - t
    else:
        e = 0.5 * ((y - t) ** 2).sum()
        d = y - t
    d /= len(x)
    parts = []
    for number in reversed(range(len(weights))):
        a = activations[number]
        parts += [d.sum(axis=0), (a.T @ d).ravel()]
        if number:
            d = d @ weights[number][0].T
            d *= a > 0 if net.classifies else 1 - a * a
    return float(e / len(x)), np.concatenate(parts[::-1])


def differences(
    net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray, h: float = 1e-6
) -> np.ndarray:
    """The gradient by central differences."""
    found = np.empty(net.size)
    for k in range(net.size):
        step = np.zeros(net.size)
        step[k] = h
        found[k] = (loss(net, theta + step, x, t) - loss(net, theta - step, x, t)) / (2 * h)
    return found


def disagreement(net: Net, found: tuple, wanted: tuple) -> float:
    """How far a loss and gradient are from the reference, relative; by weight array, the worst."""
    if not np.isfinite([found[0], *found[1]]).all():
        return np.inf
    worst = abs(found[0] - wanted[0]) / abs(wanted[0])
    for _, units, w, b in net.layers:
        for part in (slice(w, b), slice(b, b + units)):
            difference = np.abs(found[1][part] - wanted[1][part]).max()
            worst = max(worst, difference / np.abs(wanted[1][part]).max())
    return float(worst)
