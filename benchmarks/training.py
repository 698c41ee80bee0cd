"""training: what is trained and how, the same for every peer; and the reference, in plain NumPy.

All begin from the same weights and take steps of Adam, with its usual numbers. A network that
regresses sees all samples in every step, in their order; one that classifies sees them in batches,
in an order of its own for every epoch.
"""

from pathlib import Path

import numpy as np

from benchmarks import nets, reference
from benchmarks.nets import DIGITS, Net, Row

RATE, BETA1, BETA2, EPSILON = 0.001, 0.9, 0.999, 1e-8
BATCH = 32
CALL = 10  # epochs in one call of what is timed, so that a call from Python costs none of them much
LEARN = 10  # epochs after which the losses of all are compared

ROWS = [Row(Net((4, 32, 16, 4)), 10_000, 2), Row(DIGITS, 1_792, 2)]

# Orders differ from peer to peer where there are batches, and so do losses: between runs of one
# peer by up to a tenth. Without batches only rounding differs.
TOLERANCE = {"float32": 1e-3, "float64": 1e-6}
TOLERANCE_OF_ORDERS = 0.15


def batches(net: Net, samples: int) -> int:
    """Steps in an epoch."""
    return samples // BATCH if net.classifies else 1


def numbers(row: Row, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """theta as in the other tables; digits, standardised, or samples of a smooth function."""
    theta, x, _ = nets.numbers(row, dtype)
    if row.net.classifies:
        with np.load(Path(__file__).parent.parent / "data" / "digits.npz") as file:
            x, classes = file["x"][: row.batch].astype(np.float64), file["t"][: row.batch]
        x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-3)
        t = np.eye(row.net.widths[-1])[classes.astype(np.int64).reshape(-1)]
    else:
        t = np.sin(2 * x + np.arange(x.shape[1]))[:, : row.net.widths[-1]]
    return theta, np.ascontiguousarray(x, dtype), np.ascontiguousarray(t, dtype)


def run(net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """The reference: the loss of all samples after LEARN epochs, and the weights; in float64.

    Algorithm 1 of Kingma and Ba 2015.
    """
    theta = theta.astype(np.float64)
    m = v = np.zeros_like(theta)
    random, step = np.random.default_rng(0), 0
    for _ in range(LEARN):
        order = random.permutation(len(x)) if net.classifies else np.arange(len(x))
        for rows in np.split(order, batches(net, len(x))):
            _, g = reference.loss_and_gradient(net, theta, x[rows], t[rows])
            step += 1
            m = BETA1 * m + (1 - BETA1) * g
            v = BETA2 * v + (1 - BETA2) * g * g
            m_hat, v_hat = m / (1 - BETA1**step), v / (1 - BETA2**step)
            theta = theta - RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
    return reference.loss(net, theta, x, t), theta


def off(net: Net, found: tuple, wanted: tuple) -> float:
    """How far the loss is from the reference's, relative."""
    if not np.isfinite([found[0], *found[1]]).all():
        return np.inf
    return abs(found[0] - wanted[0]) / wanted[0]


def allowed(net: Net, dtype: str) -> float:
    return TOLERANCE_OF_ORDERS if net.classifies else TOLERANCE[dtype]
