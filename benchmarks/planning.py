"""planning: a model-predictive controller, that of docs/control.md, for whoever predicts and gives
slopes; what it is given, and what must come out.

A network says where the temperature of a tank will be in a minute. At each minute the heating of
the next twelve is planned: three steps of Gauss and Newton along the path that the network says.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.nets import Net, Row

NET = Net((3, 12, 1))  # from °C in the tank, °C in the room, and kW
ROW = Row(NET, 16)  # plans
HORIZON, ITERATIONS, MOST, DAMPING = 12, 3, 40.0, 1e-4

# How inputs are scaled for the network, and its output is brought back.
MEAN, SCALE = np.array([52.5, 20.0, 20.0]), np.array([24.5, 8.5, 11.5])
TARGET_MEAN, TARGET_SCALE = 52.5, 24.5

_ALLOWED = {"float32": 1e-3, "float64": 1e-9}  # of the largest power

Predict = Callable[[np.ndarray], np.ndarray]


def planner(predict: Predict, jacobian: Predict) -> Callable[..., np.ndarray]:
    """What gives the powers over the horizon: by predictions and slopes of points, of shape
    (points, 3), as a frozen module gives them. Numba can compile it."""

    def plan(celsius, room, wanted, powers):
        points = np.empty((HORIZON, 3))
        moves = np.zeros((HORIZON, HORIZON))  # of each temperature ahead with each power
        for _ in range(ITERATIONS):
            ahead = np.empty(HORIZON + 1)
            ahead[0] = celsius
            for k in range(HORIZON):
                points[k] = ahead[k], room, powers[k]
                ahead[k + 1] = predict(points[k : k + 1])[0, 0]
            slopes = jacobian(points)
            for j in range(HORIZON):
                moves[j, j] = slopes[j, 0, 2]
                for k in range(j + 1, HORIZON):
                    moves[k, j] = moves[k - 1, j] * slopes[k, 0, 0]
            curvature = moves.T @ moves + DAMPING * np.eye(HORIZON)
            powers = powers - np.linalg.solve(curvature, moves.T @ (ahead[1:] - wanted))
            powers = np.minimum(np.maximum(powers, 0.0), MOST)
        return powers

    return plan


def all_plans(plan: Callable[..., np.ndarray]) -> Callable[..., None]:
    """What plans for each situation; Numba can compile it, if `plan` is compiled."""

    def plans(x, t, into):
        for n in range(len(x)):
            into[n] = plan(x[n, 0], x[n, 1], t[n], x[n, 2:])

    return plans


def numbers(row: Row, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of a network that knows the tank; situations, each °C, °C in the room and the powers
    that were planned before; and the temperatures that are wanted."""
    random = np.random.default_rng(0)
    given = random.uniform((10, 5, 0), (95, 35, MOST), (2000, 3))
    (before, units, w, b), (_, _, w_out, b_out) = NET.layers
    theta = np.empty(NET.size)
    theta[w:b] = 0.15 * random.standard_normal(before * units)
    theta[b : b + units] = 0.15 * random.standard_normal(units)
    W, bias = theta[w:b].reshape(before, units), theta[b : b + units]
    # What the hidden layer gives is fitted to the tank by least squares, without any training.
    hidden = np.column_stack([np.tanh((given - MEAN) / SCALE @ W + bias), np.ones(len(given))])
    wanted = (tank(*given.T) - TARGET_MEAN) / TARGET_SCALE
    theta[w_out : b_out + 1] = np.linalg.lstsq(hidden, wanted, rcond=None)[0]
    x = np.column_stack(
        [
            random.uniform((20, 5), (70, 25), (row.batch, 2)),
            random.uniform(0, MOST, (row.batch, HORIZON)),
        ]
    )
    return theta.astype(dtype), x, x[:, 0] + random.uniform(0, 10, row.batch)


def tank(celsius, room, power):
    """A minute of a stirred tank of 200 kg of water."""
    for _ in range(6):
        losses = 0.12 * (celsius - room)
        losses = losses + 2e-9 * ((celsius + 273.0) ** 4 - (room + 273.0) ** 4)
        celsius = celsius + 10 * (0.95 * power - losses) / (200 * 4.18)
    return celsius


def by_hand(net: Net, theta: np.ndarray) -> tuple[Predict, Predict]:
    """Predictions and slopes in NumPy, both in the tank's units."""
    (before, units, w, b), (_, _, w_out, b_out) = net.layers
    W1, b1 = theta[w:b].reshape(before, units), theta[b : b + units]
    W2, b2, dtype = theta[w_out:b_out, None], theta[b_out:], theta.dtype

    def predict(points):
        a = np.tanh(((points - MEAN) / SCALE).astype(dtype) @ W1 + b1)
        return (a @ W2 + b2) * TARGET_SCALE + TARGET_MEAN

    back, units_of_slopes = (W1 * W2[:, 0]).T, TARGET_SCALE / SCALE

    def jacobian(points):
        a = np.tanh(((points - MEAN) / SCALE).astype(dtype) @ W1 + b1)
        return (((1 - a * a) @ back) * units_of_slopes)[:, None]

    return predict, jacobian


def wanted(net: Net, theta: np.ndarray, x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """The plans, by NumPy in float64."""
    into = np.empty((len(x), HORIZON))
    all_plans(planner(*by_hand(net, theta.astype(np.float64))))(x, t, into)
    return value(into)


def value(plans: np.ndarray) -> tuple[float, np.ndarray]:
    """Plans as tasks compare them; a loss they have not."""
    return 0.0, np.ravel(plans).astype(np.float64)


def off(net: Net, found: tuple[float, np.ndarray], expected: tuple[float, np.ndarray]) -> float:
    """In parts of the largest power that there may be."""
    if found[1].shape != expected[1].shape or not np.isfinite(found[1]).all():
        return np.inf
    return float(np.abs(found[1] - expected[1]).max() / MOST)


def allowed(net: Net, dtype: str) -> float:
    return _ALLOWED[dtype]
