"""public: the functions of a network that people call: their arguments, and what they say of
themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from textwrap import wrap
from typing import Any

from symgrad.runtime.kinds import Results
from symgrad.runtime.named import (
    columns_of,
    inputs_of,
    listed_names,
    outputs_of,
    targets_of,
    terms_of,
)
from symgrad.spec.derivatives import DERIVATIVES


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
    "The loss E, a float, for x of shape (samples, {inputs}) and t of shape (samples, {targets})."
)
_INTO = (
    "The loss E; its derivative by every weight is written into `gradient`, laid out like theta."
)
_STEP = (
    "One step of gradient descent: theta -= rate·gradient, in place. Returns the loss before it."
)
_LEAVES = """\
Of a range of leaves, for many workers: loss and gradient of each of its largest subtrees, into
    `losses` (float64) and rows of `gradients`. Returns how many. x, t{weights} have whole leaves,
    but for the last of all; `first` is the number of the first one here, `total` {total}."""
_COMPLETED = (
    "The loss E from the sum over all leaves, `loss`; `gradient`, their gradients' sum, becomes"
    " that of E."
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

# The same where the loss is a sum of terms.
_LOSS_OF_TERMS = (
    "The loss E, a float: the sum of its terms, each of samples of its own. Each x is of shape"
    " (samples, {inputs}),\n    and each t has as many columns as the term has targets."
)
_STEPS_OF_TERMS = (
    "The same in an order of your own: batch k of a term has the samples"
    " order[starts[k]:starts[k + 1]] of its x,\n    whatever `batch` is. There are as many steps"
    " as the term with most batches has; others begin anew."
)

# The functions of an ensemble.
_PREDICT_MEMBERS = (
    "The output of every member, of shape ({members}, samples, {outputs}). theta is of shape"
    " ({members}, {size}); x of\n    shape (samples, {inputs}), the same for all, or ({members},"
    " samples, {inputs})."
)
_MEMBERS_GRADIENTS = (
    "The loss of every member, of shape ({members},), and its derivative by that member's weights,"
    " an array like\n    theta, of shape ({members}, {size}). x and t have one axis more where"
    " members have samples of their own."
)
_TRAIN_MEMBERS = """\
Epochs of every member, as many as `losses`, of shape ({members}, epochs), has columns: each does
    what `train_epoch` does, with its own row of theta, state, progress and settings.

    theta, state and progress change in place; the loss of every epoch is written into `losses`.
    `batch` is the same in all rows of settings.
    """
MEMBERS = ("predict_members", "losses_and_gradients", "train_members")

PENALTIES = ("l1", "l2")

# Characters in a line of a docstring.
_WIDTH = 96

# What is given of a range of leaves, beside its samples, and is written.
RANGE = ("total", "first", "losses", "gradients")

# What the optimizer goes on with.
GOING_ON = ("state", "progress", "settings")


def data(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What the functions of a loss are given; `spec` as plain data."""
    loss = spec["loss"]
    penalties = (name for name in PENALTIES if loss[name] == "argument")
    of_terms = tuple(chain(*data_of_terms(spec).values()))
    samples = of_terms or ("x", "t", *["w"] * loss["sample_weights"])
    return ("theta", *samples, *penalties)


def completing(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What `complete_gradient` is given beside the gradient."""
    penalties = (name for name in data(spec) if name in PENALTIES)
    return ("theta", *penalties, "total", "loss")


def data_of_terms(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What the functions of the loss are given of each of its terms: x_NAME, t_NAME where it is of
    targets, and w_NAME where samples have weights; none where it has no terms."""
    if not terms_of(spec):
        return {}
    from symgrad.spec.spec import Spec  # which nothing else here has need of

    return {
        name: tuple(f"{each}_{name}" for each in term.data_of_term)
        for name, term in Spec.recorded(spec).of_terms.items()
    }


def in_order(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What `train_steps` is given to say which samples come when."""
    suffixes = [f"_{name}" for name in terms_of(spec)] or [""]
    return tuple(f"{name}{suffix}" for suffix in suffixes for name in ("order", "starts"))


# What derivatives say of themselves.
_DERIVATIVES = {
    "jacobian": "∂y/∂x, of shape (samples, {outputs}, {inputs}): the derivative of every output by"
    " every input.",
    "second_derivatives": "∂²y/∂x², of shape (samples, {outputs}, {inputs}, {inputs}), symmetric in"
    " the last two axes.",
    "laplacian": "Σ_i ∂²y/∂x_i², of shape (samples, {outputs}).",
    "pullback": "From d_y = ∂L/∂y, of shape (samples, {outputs}), of a loss L of your own:"
    " ∂L/∂theta is written\n    into `d_theta`, laid out like theta, and ∂L/∂x into `d_x`, of"
    " shape (samples, {inputs}).",
    "pushforward": "∂y/∂theta·v_theta + ∂y/∂x·v_x, of shape (samples, {outputs}): how y moves with"
    " theta and x\n    along v_theta and v_x, vectors like these.",
    "loss_and_input_gradient": "The loss E and ∂E/∂x, of shape (samples, {inputs}).",
    "gradients": "The derivative of every sample's own loss by the weights, of shape (samples,"
    " {size}): without weights of\n    samples and penalties, and not divided by the number of"
    " samples. Their mean is the gradient of E.",
    "jacobian_by_weights": "∂y/∂theta, of shape (samples, {outputs}, {size}).",
    "hessian_vector": "∂²E/∂theta²·v, a vector like theta, for a vector v like theta.",
    "hessian": "∂²E/∂theta², of shape ({size}, {size}), symmetric to the bit.",
    "hessian_diagonal": "The diagonal of ∂²E/∂theta², a vector like theta.",
    "gauss_newton_vector": "Jᵀ·(∂²E/∂y²)·J·v for J = ∂y/∂theta, a vector like theta, for a vector v"
    " like theta. E is\n    taken without penalties.",
    "gauss_newton": "Jᵀ·(∂²E/∂y²)·J for J = ∂y/∂theta, of shape ({size}, {size}), symmetric to the"
    " bit. E is taken without\n    penalties.",
}
INTO = "_into"


def derivative(
    name: str, spec: Mapping[str, Any], given: tuple[str, ...], shape: Mapping[str, int]
) -> list[Public]:
    """The functions of a derivative: one that gives it, and one that writes it where one says."""
    signature = DERIVATIVES[name]
    arguments: tuple[str, ...] = ("theta", "x")
    if signature.loss:
        arguments = given if signature.penalised else tuple(g for g in given if g not in PENALTIES)
    arguments = (*arguments, *signature.more)
    results = tuple(result.name for result in signature.results)
    says = _DERIVATIVES[name].format(**shape) if shape else ""
    if signature.in_place:
        return [Public(name, (*arguments, *results), says)]
    written = " and ".join(f"`{each}`" for each in results)
    into = f"The same, written into {written}{'; returns E' * signature.value}."
    return [
        Public(name, arguments, says),
        Public(name + INTO, (*arguments, *results), into),
    ]


def names_of(name: str) -> dict[str, str]:
    """What drivers call the arguments of a derivative that have another name there."""
    results = {
        each.name: "by_sample" if each.by_sample else "gradient"
        for each in DERIVATIVES[name].results
    }
    return {"v_theta": "v", **results}


def results_of(name: str, shape: Mapping[str, int]) -> Results:
    """What a derivative gives in a network of this shape."""
    signature = DERIVATIVES[name]
    extents = {
        each.name: tuple(shape.get(extent, extent) for extent in each.extents)
        for each in signature.results
    }
    return Results(extents, signature.value)


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


def _of_leaves(spec: Mapping[str, Any]) -> str:
    weighted = bool(spec["loss"]["sample_weights"])
    total = "the sum of w over all samples" if weighted else "how many samples there are in all"
    return _LEAVES.format(weights=", w" * weighted, total=total)


def public(spec: Mapping[str, Any], size: int, trained: bool) -> tuple[Public, ...]:
    """The functions of a network of so many weights, in the order that they stand in a module."""
    given = data(spec)
    shape = {"inputs": inputs_of(spec), "outputs": outputs_of(spec), "size": size}
    shape["targets"] = targets_of(spec)
    of_output, of_loss = columns(spec, x="x", y="y"), columns(spec, x="x", t="t")
    loss, steps = (_LOSS_OF_TERMS, _STEPS_OF_TERMS) if terms_of(spec) else (_LOSS, _STEPS)
    functions = [
        Public("predict", ("theta", "x"), _with_columns(_PREDICT.format(**shape), of_output)),
        Public("loss", given, _with_columns(loss.format(**shape), of_loss)),
        Public(
            "loss_and_gradient",
            given,
            "The loss E and its derivative by every weight, an array like theta.",
        ),
        Public("loss_and_gradient_into", (*given, "gradient"), _INTO),
        Public("step", (*given, "rate"), _STEP),
    ]
    if not terms_of(spec):
        functions += [
            Public("gradient_of_leaves", (*given, *RANGE), _of_leaves(spec)),
            Public("complete_gradient", (*completing(spec), "gradient"), _COMPLETED),
        ]
    if trained:
        functions += [
            Public("train_epoch", (*given, *GOING_ON), _EPOCH),
            Public("train_steps", (*given, *in_order(spec), *GOING_ON), steps),
        ]
    for name in spec.get("derivatives", ()):
        functions += derivative(name, spec, given, shape)
    if "members" in spec:
        functions += _of_members(spec, given, trained, {**shape, "members": spec["members"]})
    return tuple(functions)


def _of_members(
    spec: Mapping[str, Any], given: tuple[str, ...], trained: bool, shape: Mapping[str, int]
) -> list[Public]:
    predict, gradients, train = MEMBERS
    functions = [
        Public(predict, ("theta", "x"), _PREDICT_MEMBERS.format(**shape)),
        Public(gradients, given, _MEMBERS_GRADIENTS.format(**shape)),
    ]
    if trained:
        arguments = (*given, *GOING_ON, "losses")
        functions.append(Public(train, arguments, _TRAIN_MEMBERS.format(**shape)))
    return functions


def made_of_members(name: str) -> tuple[str, ...]:
    """What a function of an ensemble writes that Python does not give it."""
    return {MEMBERS[0]: ("y",), MEMBERS[1]: ("losses", "gradients")}.get(name, ())
