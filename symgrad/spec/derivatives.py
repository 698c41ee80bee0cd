"""derivatives: the functions that a module can be asked for beside the gradient: what each is given
and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

# How long an axis of a result is.
Extent: TypeAlias = Literal["samples", "outputs", "inputs", "weights"]


@dataclass(frozen=True)
class Result:
    """An array that is written: summed over samples, or with a row for each; a vector or a matrix
    of all weights, or with such an axis, has the arrays of weights in it as theta has them."""

    name: str
    extents: tuple[Extent, ...]

    @property
    def by_sample(self) -> bool:
        return self.extents[0] == "samples"


@dataclass(frozen=True)
class Signature:
    """`loss` says whether it is of the loss, and then given what a loss is, and `penalised` whether
    with its penalties; `more` is given as well. `value` says whether it returns the loss, and
    `in_place` whether there is but the form that writes into arrays of the caller's."""

    results: tuple[Result, ...]
    loss: bool = False
    penalised: bool = False
    more: tuple[str, ...] = ()
    value: bool = False
    in_place: bool = False

    def result(self, by_sample: bool) -> Result | None:
        return next((each for each in self.results if each.by_sample == by_sample), None)


def _of_outputs(name: str, *extents: Extent) -> Signature:
    return Signature((Result(name, ("samples", "outputs", *extents)),))


def _vector(name: str, penalised: bool, *more: str) -> Signature:
    return Signature((Result(name, ("weights",)),), True, penalised, more)


def _matrix(name: str, penalised: bool) -> Signature:
    return Signature((Result(name, ("weights", "weights")),), True, penalised)


DERIVATIVES: Mapping[str, Signature] = {
    "jacobian": _of_outputs("d_y_d_x", "inputs"),
    "second_derivatives": _of_outputs("d_y_d_x_d_x", "inputs", "inputs"),
    "laplacian": _of_outputs("laplacian"),
    "pullback": Signature(
        (Result("d_theta", ("weights",)), Result("d_x", ("samples", "inputs"))),
        more=("d_y",),
        in_place=True,
    ),
    "pushforward": Signature((Result("v_y", ("samples", "outputs")),), more=("v_theta", "v_x")),
    "loss_and_input_gradient": Signature(
        (Result("d_x", ("samples", "inputs")),), loss=True, penalised=True, value=True
    ),
    "gradients": Signature((Result("gradients", ("samples", "weights")),), loss=True),
    "jacobian_by_weights": _of_outputs("d_y_d_theta", "weights"),
    "hessian_vector": _vector("product", True, "v"),
    "hessian": _matrix("hessian", True),
    "hessian_diagonal": _vector("diagonal", True),
    "gauss_newton_vector": _vector("product", False, "v"),
    "gauss_newton": _matrix("matrix", False),
}

# Another name that a spec may have for one: a module's SPEC has the function's.
SHORT: Mapping[str, str] = {"input_gradient": "loss_and_input_gradient"}
