"""A network, its loss and all their derivatives in 50 digits, written from the definitions: an
oracle that shares no code with the compiler, nor with its check.

Where a derivative asks for it, a network is run on power series in its weights and inputs.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tests import series
from tests.series import Kept, Series, mp, small

ACTIVATIONS: dict[str, Callable[[Series], Series]] = {
    "identity": lambda z: z,
    "relu": lambda z: z.of(series.relu),
    "leaky_relu": lambda z: z.of(series.leaky_relu),
    "elu": lambda z: z.of(series.elu),
    "selu": lambda z: z.of(series.selu),
    "gelu": lambda z: z * z.of(series.normal_cdf),
    "silu": lambda z: z * z.of(series.sigmoid),
    "mish": lambda z: z * z.of(series.softplus).of(series.tanh),
    "softplus": lambda z: z.of(series.softplus),
    "softsign": lambda z: z.of(series.softsign),
    "sigmoid": lambda z: z.of(series.sigmoid),
    "tanh": lambda z: z.of(series.tanh),
    "sin": lambda z: z.of(series.sin),
    "gaussian": lambda z: z.of(series.gaussian),
}


def xlogy(t: Any, y: Series) -> Series:
    return y.of(series.log) * t if t else y * 0


# One output's part in the loss, of y, 1 - y and t
LOSSES: dict[str, Callable[[Series, Series, Any], Series]] = {
    "squared": lambda y, _, t: (y - t) ** 2 * mp.mpf("0.5"),
    "absolute": lambda y, _, t: (y - t).of(series.absolute),
    "huber": lambda y, _, t: (y - t).of(series.huber),
    "log_cosh": lambda y, _, t: (y - t).of(series.log_cosh),
    "cross_entropy": lambda y, _, t: -xlogy(t, y),
    "binary_cross_entropy": lambda y, rest, t: -xlogy(t, y) - xlogy(1 - t, rest),
    "poisson": lambda y, _, t: y - xlogy(t, y),
    "kl": lambda y, _, t: (t * mp.log(t) if t else t) - xlogy(t, y),
}

# A loss of one's own: of the outputs of a sample, which are series in the inputs, and its x and t
Formula = Callable[[Sequence[Series], Any, Any], Series]


class ByHand:
    """A spec's plain dict, at weights and data. `formula` is what its loss's formula says, which
    takes derivatives by inputs up to an `order`; `second` says whether those of the second order by
    weights are wanted."""

    def __init__(
        self, spec: dict[str, Any], theta: Any, x: Any, t: Any, w: Any = None, *,
        formula: Formula | None = None, order: int = 0, second: bool = True,
    ) -> None:  # fmt: skip
        self.spec, self.loss, self.formula = spec, spec.get("loss", {}), formula
        self.kept = Kept(order, 2 if second else 1)
        self.theta, self.x, self.t = map(_exact, (theta, x, t))
        self.w = _exact(np.ones(len(x)) if w is None else w)
        self.weights = range(len(self.theta))
        self.inputs = [-1 - place for place in range(self.x.shape[1])]

    def outputs(self, n: int, kept: Kept) -> tuple[list[Series], list[Series]]:
        """y and 1 - y of a sample: where y is rounded to 1 there is more to the other."""
        a = [small(number, name, kept) for number, name in zip(self.x[n], self.inputs, strict=True)]
        weights = [small(number, name, kept) for name, number in enumerate(self.theta)]
        rest: list[Series] = []
        for layer in self.spec["layers"]:
            units = layer.get("units") or len(layer["names"])
            W = [[weights.pop(0) for _ in range(units)] for _ in a]
            b = [weights.pop(0) for _ in range(units)] if layer.get("bias", True) else [0] * units
            z = [_total(v * row[i] for v, row in zip(a, W, strict=True)) + b[i]
                 for i in range(units)]  # fmt: skip
            below, (a, rest) = a, _activated(layer.get("activation", "identity"), z)
            if layer.get("residual"):
                a = [one + other for one, other in zip(a, below, strict=True)]
                rest = [1 - each for each in a]
        assert not weights
        return a, rest

    def loss_of(self, n: int, y: list[Series], rest: list[Series]) -> Series:
        if self.formula is not None:
            return self.formula(y, self.x[n], self.t[n])
        loss = LOSSES[self.loss.get("kind", "squared")]
        return _total(map(loss, y, rest, self.t[n]))

    def penalty(self) -> Series:
        kept, total, start = Kept(weights=2), Series({}, Kept(weights=2)), 0
        below = self.x.shape[1]
        for layer in self.spec["layers"]:
            units = layer.get("units") or len(layer["names"])
            for name in range(start, start + below * units):
                W = small(self.theta[name], name, kept)
                total += W**2 * (_exact(str(self.loss.get("l2", 0))) / 2)
                total += W.of(series.absolute) * _exact(str(self.loss.get("l1", 0)))
            start, below = start + (below + layer.get("bias", True)) * units, units
        return total

    # The network's derivatives, a row for each sample

    @cached_property
    def of_inputs(self) -> list[list[Series]]:
        return [self.outputs(n, Kept(inputs=2))[0] for n in range(len(self.x))]

    @cached_property
    def of_weights(self) -> list[tuple[list[Series], list[Series]]]:
        return [self.outputs(n, self.kept) for n in range(len(self.x))]

    def jacobian(self) -> Any:
        return np.array([[y.gradient(self.inputs) for y in row] for row in self.of_inputs])

    def second_derivatives(self) -> Any:
        return np.array([[y.hessian(self.inputs) for y in row] for row in self.of_inputs])

    def laplacian(self) -> Any:
        return np.trace(self.second_derivatives(), axis1=2, axis2=3)

    def jacobian_by_weights(self) -> Any:
        return np.array([[y.gradient(self.weights) for y in row] for row, _ in self.of_weights])

    def pullback(self, d_y: Any) -> tuple[Any, Any]:
        d_y = _exact(d_y)
        d_theta = (d_y[:, :, None] * self.jacobian_by_weights()).sum(axis=(0, 1))
        return d_theta, (d_y[:, :, None] * self.jacobian()).sum(axis=1)

    def pushforward(self, v: Any, v_x: Any) -> Any:
        return self.jacobian_by_weights() @ _exact(v) + (
            self.jacobian() * _exact(v_x)[:, None]
        ).sum(axis=2)

    # The loss's

    @cached_property
    def losses(self) -> list[Series]:
        return [self.loss_of(n, *each) for n, each in enumerate(self.of_weights)]

    @cached_property
    def E(self) -> Series:
        total = _total(w * e for w, e in zip(self.w, self.losses, strict=True))
        return total * (1 / self.w.sum()) + self.penalty()

    def gradient(self) -> Any:
        return self.E.gradient(self.weights)

    def gradients(self) -> Any:
        return np.array([e.gradient(self.weights) for e in self.losses])

    def hessian(self) -> Any:
        return self.E.hessian(self.weights)

    def hessian_vector(self, v: Any) -> Any:
        return self.hessian() @ _exact(v)

    def hessian_diagonal(self) -> Any:
        return np.diag(self.hessian())

    def loss_and_input_gradient(self) -> tuple[Any, Any]:
        order = Kept(inputs=1)
        each = [self.loss_of(n, *self.outputs(n, order)) for n in range(len(self.x))]
        rows = np.array([e.gradient(self.inputs) for e in each])
        return self.E.value, rows * self.w[:, None] / self.w.sum()

    def gauss_newton(self) -> Any:
        total = 0
        for n, (y, rest) in enumerate(self.of_weights):
            kept, names = Kept(weights=2), range(len(y))
            free = [small(each.value, name, kept) for name, each in enumerate(y)]
            left = [Series({(): each.value, (name,): mp.mpf(-1)}, kept)
                    for name, each in enumerate(rest)]  # fmt: skip
            curved = self.loss_of(n, free, left).hessian(names)
            J = np.array([each.gradient(self.weights) for each in y])
            total = total + J.T @ curved @ J * (self.w[n] / self.w.sum())
        return total

    def gauss_newton_vector(self, v: Any) -> Any:
        return self.gauss_newton() @ _exact(v)


def _activated(name: str, z: list[Series]) -> tuple[list[Series], list[Series]]:
    if name == "softmax":
        peak = max(each.value for each in z)
        parts = [(each - peak).of(series.exp) for each in z]
        total = _total(parts)
        rest = [_total(p for q, p in enumerate(parts) if q != place) for place in range(len(z))]
        return [part / total for part in parts], [part / total for part in rest]
    a = [ACTIVATIONS[name](each) for each in z]
    if name == "sigmoid":
        return a, [(-each).of(series.sigmoid) for each in z]
    return a, [1 - each for each in a]


def _total(parts: Any) -> Any:
    first, *others = parts
    for each in others:
        first = first + each
    return first


def _exact(values: Any) -> Any:
    """Numbers of mpmath, exactly what floats are."""
    if isinstance(values, str):
        return mp.mpf(values)
    return np.frompyfunc(lambda v: mp.mpf(v) if isinstance(v, mp.mpf) else mp.mpf(float(v)), 1, 1)(
        np.asarray(values, object)
    )
