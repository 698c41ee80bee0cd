"""derivatives: the functions that a spec asks for beside the gradient, against the NumPy loss.

Each is multiplied by random vectors until a number for each sample and output is left, or one in
all, and held against the same derivative of `reference` along these vectors: by the complex step,
which is exact to rounding, and for a second order by differences of that, of order 8.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.checking.reference import (
    STENCIL,
    Array,
    Spec,
    delta,
    loss,
    loss_of_outputs,
    predict,
    takes,
    targets,
    terms,
    trained,
    without,
)

STEP = 2.0**-13  # so short that it seldom leads over a kink; what it divides is exact to rounding
TINY = 1e-40  # of the complex step: squares of it are nothing beside 1
DIAGONAL = 8  # entries of a diagonal that are judged


@dataclass(frozen=True)
class Judged:
    """A function, and its largest error relative to its largest value."""

    name: str
    error: float
    passed: bool


def judged(
    spec: Spec, module: Any, theta: Array, data: tuple[Array, ...], penalties: tuple[float, ...],
    tolerance: float, seed: int,
) -> Iterator[Judged]:  # fmt: skip
    """All functions that the spec asks for, at weights and data that the gradient was judged at."""
    case = _Case(spec, module, theta, data, penalties, np.random.default_rng(seed))
    for name in spec.get("derivatives", ()):
        pairs = list(getattr(case, name)())
        errors = [_error(np.asarray(found), np.asarray(wanted)) for found, wanted in pairs]
        # a second order is known to fewer digits
        error, limit = max(errors), max(tolerance, 1e-8)
        yield Judged(name, error, bool(error <= limit))


def _error(found: Array, wanted: Array) -> float:
    size = float(np.abs(wanted).max())
    difference = np.abs(found.astype(np.longdouble) - wanted).max()
    return float(difference / size if size else difference)


class _Case:
    def __init__(
        self, spec: Spec, module: Any, theta: Array, data: tuple[Array, ...],
        penalties: tuple[float, ...], random: np.random.Generator,
    ) -> None:  # fmt: skip
        self.spec, self.module, self.theta, self.data = spec, module, theta, data
        self.penalties = penalties
        # of a loss of several terms there are but derivatives of the network
        known = dict(zip(takes(spec, terms(spec)[0]), data, strict=False))
        self.x, self.w = known["x"], known.get("w")
        self.t = known.get("t", np.zeros((len(self.x), targets(spec, terms(spec)[0]))))

        def vector(like: Array) -> Array:
            return random.normal(size=like.shape).astype(theta.dtype)

        self.moving = trained(spec)
        # where Huber's kinks are nearer to each other, steps are shorter
        self.step = STEP * min(1, delta(spec))
        self.v, self.u = vector(theta), vector(theta)
        of_outputs = np.empty((len(self.x), spec["layers"][-1]["units"]))
        self.v_x, self.u_x, self.d_y = vector(self.x), vector(self.x), vector(of_outputs)

    # What the module gives

    def of_network(self, name: str, *more: Array) -> Array:
        return np.asarray(getattr(self.module, name)(self.theta, self.x, *more), np.longdouble)

    def of_loss(self, name: str, *more: Array, penalised: bool = True) -> Any:
        given = self.penalties if penalised else ()
        return getattr(self.module, name)(self.theta, *self.data, *given, *more)

    # What the NumPy loss says

    def y(self, theta: Array, x: Array) -> Array:
        return predict(self.spec, theta, x, dtype=np.clongdouble)

    def E(self, theta: Array, x: Array) -> Any:
        weights = () if self.w is None else (self.w,)
        return loss(self.spec, theta, x, self.t, *weights, dtype=np.clongdouble)

    def along(self, function: Callable[..., Any], v: Any = 0, v_x: Any = 0) -> Any:
        """The derivative of a function of weights and inputs along vectors; weights that are not
        trained do not move."""
        step = 1j * np.longdouble(TINY)
        theta = self.wide(self.theta) + step * (v * self.moving)
        value = function(theta, self.wide(self.x) + step * v_x)
        return np.imag(value) / np.longdouble(TINY)

    def curved_E(self, theta: Array, x: Array) -> Any:
        """The loss but for l1, which has no second derivative; a difference may lead over a kink
        of it."""
        spec = without(self.spec, "l1")
        weights = () if self.w is None else (self.w,)
        return loss(spec, theta, x, self.t, *weights, dtype=np.clongdouble)

    def twice(self, function: Callable[..., Any], first: Any, second: Any) -> Any:
        """The second derivative: along two pairs of vectors, for weights and for inputs."""

        def moved(k: int) -> Callable[..., Any]:
            step = np.longdouble(k * self.step)
            v, v_x = second[0] * self.moving, second[1]
            return lambda theta, x: function(theta + step * v, x + step * v_x)

        differences = (
            weight * (self.along(moved(k), *first) - self.along(moved(-k), *first))
            for k, weight in enumerate(STENCIL, start=1)
        )
        return sum(differences) / self.step

    @staticmethod
    def wide(array: Array) -> Array:
        return np.asarray(array, np.clongdouble)

    # One function each: pairs of what it gives and what it should

    def jacobian(self) -> Iterator[tuple[Any, Any]]:
        found = np.einsum("noi,ni->no", self.of_network("jacobian"), self.v_x)
        yield found, self.along(self.y, v_x=self.v_x)

    def second_derivatives(self) -> Iterator[tuple[Any, Any]]:
        second = self.of_network("second_derivatives")
        found = np.einsum("noij,ni,nj->no", second, self.v_x, self.u_x)
        yield found, self.twice(self.y, (0, self.v_x), (0, self.u_x))

    def laplacian(self) -> Iterator[tuple[Any, Any]]:
        units = np.eye(self.x.shape[1])
        wanted = sum(self.twice(self.y, (0, each), (0, each)) for each in units)
        yield self.of_network("laplacian"), wanted

    def pullback(self) -> Iterator[tuple[Any, Any]]:
        d_theta, d_x = np.empty_like(self.theta), np.empty_like(self.x)
        self.module.pullback(self.theta, self.x, self.d_y, d_theta, d_x)
        yield d_theta @ self.v, (self.d_y * self.along(self.y, self.v)).sum()
        yield (d_x * self.v_x).sum(), (self.d_y * self.along(self.y, v_x=self.v_x)).sum()

    def pushforward(self) -> Iterator[tuple[Any, Any]]:
        found = self.of_network("pushforward", self.v, self.v_x)
        yield found, self.along(self.y, self.v, self.v_x)

    def loss_and_input_gradient(self) -> Iterator[tuple[Any, Any]]:
        value, d_x = self.of_loss("loss_and_input_gradient")
        yield value, np.real(self.E(self.theta, self.x))
        yield (d_x * self.v_x).sum(), self.along(self.E, v_x=self.v_x)

    def gradients(self) -> Iterator[tuple[Any, Any]]:
        alone = without(self.spec, "l1", "l2")
        spec = {**alone, "loss": {**alone["loss"], "sample_weights": False}}
        rows = self.of_loss("gradients", penalised=False)
        wanted = [
            self.along(
                lambda theta, x, n=n: loss(
                    spec, theta, x[n : n + 1], self.t[n : n + 1], dtype=np.clongdouble
                ),
                self.v,
            )
            for n in range(len(self.x))
        ]
        yield rows @ self.v, np.array(wanted)

    def jacobian_by_weights(self) -> Iterator[tuple[Any, Any]]:
        yield self.of_network("jacobian_by_weights") @ self.v, self.along(self.y, self.v)

    def hessian_vector(self) -> Iterator[tuple[Any, Any]]:
        product = self.of_loss("hessian_vector", self.v)
        yield product @ self.u, self.twice(self.curved_E, (self.v, 0), (self.u, 0))

    def hessian(self) -> Iterator[tuple[Any, Any]]:
        matrix = np.asarray(self.of_loss("hessian"), np.longdouble)
        yield self.u @ matrix @ self.v, self.twice(self.curved_E, (self.v, 0), (self.u, 0))

    def hessian_diagonal(self) -> Iterator[tuple[Any, Any]]:
        places = np.linspace(0, len(self.theta) - 1, min(DIAGONAL, len(self.theta)), dtype=int)
        units = [(np.eye(1, len(self.theta), place)[0], 0) for place in places]
        wanted = [self.twice(self.curved_E, unit, unit) for unit in units]
        yield self.of_loss("hessian_diagonal")[places], np.array(wanted)

    def _curved(self) -> Any:
        """(J·v)·∂²E/∂y²·(J·u)."""
        by_v, by_u = self.along(self.y, self.v), self.along(self.y, self.u)
        y = self.y(self.theta, self.x)

        def of_y(theta: Any, x: Any) -> Any:
            # theta and x are how far to go along the two
            return loss_of_outputs(
                self.spec, y + theta * by_v + x * by_u, self.x, self.t, self.w, np.clongdouble
            )

        step = 1j * np.longdouble(TINY)
        differences = (
            weight * np.imag(of_y(step, k * self.step) - of_y(step, -k * self.step)) / TINY
            for k, weight in enumerate(STENCIL, start=1)
        )
        return sum(differences) / self.step

    def gauss_newton_vector(self) -> Iterator[tuple[Any, Any]]:
        product = self.of_loss("gauss_newton_vector", self.v, penalised=False)
        yield product @ self.u, self._curved()

    def gauss_newton(self) -> Iterator[tuple[Any, Any]]:
        matrix = np.asarray(self.of_loss("gauss_newton", penalised=False), np.longdouble)
        yield self.u @ matrix @ self.v, self._curved()
