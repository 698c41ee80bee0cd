"""public: the functions of a network that people call: their arguments, and what they say of
themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from symgrad.runtime.named import columns_of, inputs_of, listed_names, outputs_of


@dataclass(frozen=True)
class Public:
    """A function; `says` is its docstring."""

    name: str
    arguments: tuple[str, ...]
    says: str


_PREDICT = (
    "The network's output y, of shape (samples, {outputs}), for x of shape (samples, {inputs})."
)
_LOSS = (
    "The loss E, a float, for x of shape (samples, {inputs}) and t of shape (samples, {outputs})."
)
_INTO = (
    "The loss E; its derivative by every weight is written into `gradient`, laid out like theta."
)
_STEP = (
    "One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."
)
_EPOCH = """\
An epoch: a step for each batch of the samples, in a new random order. Returns the mean of their
losses.

    theta, state and progress change in place; see `train_state` and `train_settings`. Each loss is
    the one before the step. One that is not finite is returned at once: theta is then as it was
    before that step. All samples in one batch are taken as they lie, without a random order.
    """
_STEPS = (
    "The same in an order of your own: batch k has the samples order[starts[k]:starts[k + 1]],"
    " whatever `batch` is."
)

# Characters in a line of a docstring.
_WIDTH = 96

# What the optimizer goes on with.
GOING_ON = ("state", "progress", "settings")


def data(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What the functions of a loss are given; `spec` as plain data."""
    loss = spec["loss"]
    penalties = (name for name in ("l1", "l2") if loss[name] == "argument")
    return ("theta", "x", "t", *["w"] * loss["sample_weights"], *penalties)


def columns(spec: Mapping[str, Any], **arrays: str) -> list[str]:
    """What the columns of arrays are called, a line each and more where it is long: `arrays` says
    of each by which name it goes and whose columns it has, those of x or those of t."""
    named = columns_of(spec)
    return [
        line
        for name, like in arrays.items()
        if like in named
        for line in wrap(f"Columns of {name}: {listed_names(named[like])}.", _WIDTH)
    ]


def _with_columns(says: str, lines: list[str]) -> str:
    """A docstring and such lines below it."""
    return "\n    ".join([f"{says}\n", *lines, ""]) if lines else says


def public(spec: Mapping[str, Any], trained: bool) -> tuple[Public, ...]:
    """The functions of a network, in the order that they stand in a module."""
    given = data(spec)
    shape = {"inputs": inputs_of(spec), "outputs": outputs_of(spec)}
    of_output, of_loss = columns(spec, x="x", y="t"), columns(spec, x="x", t="t")
    functions = [
        Public("predict", ("theta", "x"), _with_columns(_PREDICT.format(**shape), of_output)),
        Public("loss", given, _with_columns(_LOSS.format(**shape), of_loss)),
        Public(
            "loss_and_gradient",
            given,
            "The loss E and its derivative by every weight, an array like theta.",
        ),
        Public("loss_and_gradient_into", (*given, "gradient"), _INTO),
        Public("step", (*given, "rate"), _STEP),
    ]
    if trained:
        functions += [
            Public("train_epoch", (*given, *GOING_ON), _EPOCH),
            Public("train_steps", (*given, "order", "starts", *GOING_ON), _STEPS),
        ]
    return tuple(functions)
