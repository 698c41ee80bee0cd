"""What training needs of an emitted module, and a few readings of its SPEC."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from symgrad.runtime.named import given_inputs
from symgrad.spec.formula import arrays_of, derivatives_of
from symgrad.spec.spec import Spec
from symgrad.spec.training import Training

Array = NDArray[Any]


class Module(Protocol):
    """The part of an emitted module's contract that training uses.

    The functions of the loss take the sample weights w after t if, and only if, the spec says
    `sample_weights = true`, and of each of several terms its own x, t, w; hence their loose
    signatures. The last three are there where the spec
    has a table [training] with an optimizer that is not a whole-batch method.
    """

    SPEC: Mapping[str, Any]
    SIZE: int
    PARAMETERS: Mapping[str, tuple[int, tuple[int, ...]]]

    init: Callable[..., Array]
    predict: Callable[..., Array]
    loss: Callable[..., float]
    loss_and_gradient: Callable[..., tuple[float, Array]]

    train_state: Callable[..., tuple[Array, Array]]
    train_settings: Callable[..., Array]
    train_epoch: Callable[..., float]


def to_compile(spec: Spec, training: Training | None) -> Spec:
    """The spec with as much of training in it as a network's code depends on."""
    structure = None if training is None or training.whole_batch else training.structure()
    return spec.model_copy(update={"training": structure})


def outputs(spec: Mapping[str, Any]) -> int:
    """The units of the last layer."""
    return int(spec["layers"][-1]["units"])


def has_own_targets(spec: Mapping[str, Any]) -> bool:
    """Whether targets are others than the outputs: no figures tell how near one comes to the
    other."""
    return "targets" in spec["loss"]


def has_heads(spec: Mapping[str, Any]) -> bool:
    """Whether groups of outputs have activations of their own."""
    return "heads" in spec["layers"][-1]


def takes_classes(spec: Mapping[str, Any]) -> bool:
    """Whether targets can be classes, an output for each: where there are heads, or targets are
    others than the outputs, they are numbers, a column for each."""
    return not has_own_targets(spec) and not has_heads(spec)


def target_names(spec: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What the spec calls the targets, if it does."""
    if not has_own_targets(spec):
        return output_names(spec)
    given = spec["loss"]["targets"]
    return None if isinstance(given, int) else tuple(given)


def input_names(spec: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What the spec calls the inputs; None where it has their number only."""
    given = given_inputs(spec)
    return None if isinstance(given, int) else tuple(given)


def output_names(spec: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What the spec calls the outputs, if it does."""
    names = spec["layers"][-1].get("names")
    return None if names is None else tuple(names)


def takes_weights(spec: Mapping[str, Any]) -> bool:
    """Whether the module's functions take sample weights after the targets."""
    return bool(spec["loss"].get("sample_weights", False))


def gives_probabilities(spec: Mapping[str, Any]) -> bool:
    """Whether the outputs are probabilities of classes: after softmax, or a sigmoid each."""
    last = spec["layers"][-1]
    return last.get("activation") in ("softmax", "sigmoid") and not last["residual"]


def reads_inputs(spec: Mapping[str, Any]) -> bool:
    """Whether the loss is a formula in the inputs, or in derivatives by them: it would be another
    one in other units."""
    known = Spec.recorded(spec)
    judged = known.loss.terms or (known.loss,)
    trees = [each.in_terms_of(known.quantities_of(each)) for each in judged]
    return any("x" in arrays_of(tree) or derivatives_of(tree) for tree in trees if tree is not None)
