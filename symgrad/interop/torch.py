"""Weights and networks from PyTorch, and for it.

    torch.nn.Sequential ──read──▶ Network ──sequential──▶ torch.nn.Sequential
    state_dict ──load──▶ theta ──state_dict──▶ state_dict

PyTorch keeps the weights of a Linear as (outputs, inputs), a spec as (inputs, outputs).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from symgrad.interop import activations
from symgrad.interop.chain import Chain, widened
from symgrad.interop.errors import InteropError, needed, not_understood
from symgrad.interop.folding import folded
from symgrad.interop.network import Array, LossLike, Network, Weights, assemble, join, split
from symgrad.interop.state_dict import grouped, ordered
from symgrad.masks import is_masked
from symgrad.spec.spec import Spec


def read(model: Any, *, name: str = "network", loss: LossLike | None = None) -> Network:
    """The network that a `torch.nn.Sequential` is, in inference.

    Understood are Linear, activations, BatchNorm1d, which goes into the weights, and what changes
    nothing (Identity, Dropout, Flatten of two axes), in Sequentials inside one another. `loss` None
    stands for the usual one with the last activation. Raises InteropError, naming the module, for
    anything else: also for modules with forward hooks, parametrizations, or a `forward` of their
    own, which may compute anything.
    """
    torch = needed("torch", "reading PyTorch modules", "torch")
    _check_global_hooks(torch)
    table = _modules(torch.nn)
    chain = Chain()
    for called, module in _flat(model, torch):
        if type(module) is torch.nn.Linear:
            bias = None if module.bias is None else _array(module.bias, called)
            chain.linear(called, _array(module.weight, called).T, bias)
        elif type(module) is torch.nn.BatchNorm1d:
            chain.affine(called, *_batch_norm(module, called))
        elif type(module) in table:
            formula = table[type(module)](module, called)
            if formula is not None:
                chain.activation(called, formula, type(module).__name__.lower())
        else:
            raise InteropError(f"{called}: {not_understood(type(module).__name__, _AS_ONNX)}")
    return assemble(chain.layers, name, chain.dtype, loss)


# What a module of one's own does, its file says node by node.
_AS_ONNX = "torch.onnx.export writes it into a file that symgrad import may read"


def load(spec: Spec, state_dict: Mapping[str, Any], like: Any = None) -> Array:
    """The flat weights that a state dict holds, of shape (spec.weights,) and the spec's dtype.

    Its keys are ….weight, of shape (outputs, inputs), and ….bias. Which layer is which, numbers in
    the keys say (0, 2, 10; fc1, fc2), or else shapes. Where neither does, as with hidden, input and
    output of one shape, `like` does: a module, whose layers are in the order in which it made them,
    or the layers' names in order.

    Tensors may be PyTorch's, on any device, or arrays; PyTorch itself is not needed. Raises
    InteropError for keys or shapes that do not fit the spec.
    """
    groups = grouped(state_dict)
    weights = {prefix: _array(groups[prefix]["weight"], f"{prefix}weight") for prefix in groups}
    order = ordered(spec, {prefix: weight.shape for prefix, weight in weights.items()}, like)
    layers: list[Weights] = []
    for prefix in order:
        found = groups[prefix]
        bias = _array(found["bias"], f"{prefix}bias") if "bias" in found else None
        layers.append((weights[prefix].T, bias))
    return join(spec, layers, [prefix.rstrip(".") for prefix in order])


def state_dict(spec: Spec, theta: Any, like: Any = None) -> dict[str, Any]:
    """Weights as PyTorch tensors, in a dict for `load_state_dict`.

    The keys are those of a Sequential of Linear, activation, Linear, …: 0.weight, 0.bias, 2.weight,
    …; with `like`, a module or a state dict, they are its keys, in the order that `load` would take
    them in. The tensors are of the spec's dtype and share no memory with theta. Raises InteropError
    where `like` is of another shape, or does not say which layer is which.
    """
    torch = needed("torch", "making PyTorch tensors", "torch")
    layers = split(spec, theta)
    if like is None:
        named = {
            f"{2 * number}.": {"weight", "bias"} if bias is not None else {"weight"}
            for number, (_, bias) in enumerate(layers)
        }
    else:
        if not (isinstance(like, Mapping) or hasattr(like, "state_dict")):
            raise InteropError(f"like is a module or a state dict, not {type(like).__name__}")
        groups = grouped(like if isinstance(like, Mapping) else like.state_dict())
        shapes = {prefix: tuple(found["weight"].shape) for prefix, found in groups.items()}
        order = ordered(spec, shapes, None if isinstance(like, Mapping) else like)
        named = {prefix: set(groups[prefix]) for prefix in order}
    result: dict[str, Any] = {}
    for (prefix, keys), (weight, bias) in zip(named.items(), layers, strict=True):
        result[f"{prefix}weight"] = torch.from_numpy(weight.T.copy())
        if "bias" in keys:
            zeros = np.zeros(weight.shape[1], weight.dtype)
            result[f"{prefix}bias"] = torch.from_numpy(zeros if bias is None else bias.copy())
        elif bias is not None and np.any(bias != 0):
            raise InteropError(f"{prefix.rstrip('.')} has no bias, and the weights have one there")
    return result


def sequential(network: Network) -> Any:
    """The network as a `torch.nn.Sequential`: Linear, activation, Linear, …

    A scaling of the spec's is put into the weights. Raises InteropError for a residual layer, a
    clip, and an activation that PyTorch has not.
    """
    torch = needed("torch", "making PyTorch modules", "torch")
    network = folded(network)
    spec, nn = network.spec, torch.nn
    dtype = getattr(torch, spec.dtype)
    modules: list[Any] = []
    for number, (width, layer) in enumerate(zip(spec.widths, spec.layers, strict=False), start=1):
        if layer.residual:
            raise InteropError(f"layer {number} is residual, which no Sequential can be")
        if layer.heads is not None:
            raise InteropError(f"layer {number} has heads, which no Sequential can have")
        if layer.sources is not None:
            raise InteropError(f"layer {number} skips others, which no Sequential can do")
        if layer.activation not in _MAKERS:
            raise InteropError(
                f"layer {number} has the activation {layer.activation}, which PyTorch has not as a"
                f" module; it has {', '.join(_MAKERS)}"
            )
        modules.append(nn.Linear(width, layer.units, bias=layer.bias, dtype=dtype))
        modules.append(_MAKERS[layer.activation](nn))
    if isinstance(modules[-1], nn.Identity):
        modules.pop()
    result = nn.Sequential(*modules)
    result.load_state_dict(state_dict(spec, network.theta))
    return result.eval()


# fmt: off
_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "identity":   lambda nn: nn.Identity(),
    "relu":       lambda nn: nn.ReLU(),
    "leaky_relu": lambda nn: nn.LeakyReLU(0.01),
    "elu":        lambda nn: nn.ELU(),
    "selu":       lambda nn: nn.SELU(),
    "gelu":       lambda nn: nn.GELU(),
    "silu":       lambda nn: nn.SiLU(),
    "mish":       lambda nn: nn.Mish(),
    "softplus":   lambda nn: nn.Softplus(threshold=40),  # from 20 on, 2e-9 would be missing
    "softsign":   lambda nn: nn.Softsign(),
    "sigmoid":    lambda nn: nn.Sigmoid(),
    "tanh":       lambda nn: nn.Tanh(),
    "softmax":    lambda nn: nn.Softmax(dim=-1),
}
# fmt: on

# ---- Modules -------------------------------------------------------------------------------------

# What a module is, as a formula; None where it changes nothing.
_Reader = Callable[[Any, str], str | None]


def _modules(nn: Any) -> Mapping[type, _Reader]:
    """Modules without weights. Subclasses are others: their `forward` may do anything."""

    def fixed(formula: str | None) -> _Reader:
        return lambda module, called: formula

    # fmt: off
    return {
        nn.Identity:    fixed(None),
        nn.Dropout:     fixed(None),
        nn.AlphaDropout: fixed(None),
        nn.Flatten:     _flatten,
        nn.ReLU:        fixed("relu"),
        nn.LeakyReLU:   lambda module, called: activations.leaky_relu(module.negative_slope),
        nn.ELU:         lambda module, called: activations.elu(module.alpha),
        nn.CELU:        lambda module, called: activations.elu(module.alpha, rate=1 / module.alpha),
        nn.SELU:        fixed("selu"),
        nn.GELU:        _gelu,
        nn.SiLU:        fixed("silu"),
        nn.Mish:        fixed("mish"),
        nn.Softplus:    _softplus,
        nn.Softsign:    fixed("softsign"),
        nn.Sigmoid:     fixed("sigmoid"),
        nn.LogSigmoid:  fixed("-softplus(-z)"),
        nn.Tanh:        fixed("tanh"),
        nn.Tanhshrink:  fixed("z - tanh(z)"),
        nn.Softmax:     _over_units("softmax"),
        nn.LogSoftmax:  _over_units(activations.LOG_SOFTMAX),
        nn.Hardtanh:    lambda module, called: activations.clipped(module.min_val, module.max_val),
        nn.ReLU6:       fixed("min(relu(z), 6)"),
        nn.Hardsigmoid: fixed(activations.HARD_SIGMOID),
        nn.Hardswish:   fixed(activations.HARD_SWISH),
        nn.Softshrink:  lambda module, called: activations.soft_shrink(module.lambd),
        nn.PReLU:       _prelu,
    }
    # fmt: on


def _flatten(module: Any, called: str) -> str | None:
    if module.start_dim not in (1, -1) or module.end_dim not in (1, -1):
        raise InteropError(f"{called}: understood is one of two axes, from the second on")
    return None


def _batch_norm(module: Any, called: str) -> tuple[Array, Array]:
    """The scale and the shift that it is in inference."""
    if module.running_mean is None:
        raise InteropError(
            f"{called}: it has no running statistics, and goes by those of each batch"
        )
    mean, variance = (
        _array(each, called).astype(np.float64)
        for each in (module.running_mean, module.running_var)
    )
    scale = 1 / np.sqrt(variance + module.eps)
    if module.weight is not None:
        scale = scale * _array(module.weight, called)
    shift = -mean * scale
    return scale, shift if module.bias is None else shift + _array(module.bias, called)


def _prelu(module: Any, called: str) -> str:
    slopes = np.unique(_array(module.weight, called))
    if len(slopes) > 1:
        raise InteropError(f"{called}: its slope differs by unit; {_AS_ONNX}, as layers that do it")
    return activations.leaky_relu(activations.shortest(slopes[0]))


def _gelu(module: Any, called: str) -> str:
    return activations.GELU_TANH if module.approximate == "tanh" else "gelu"


def _softplus(module: Any, called: str) -> str:
    if module.threshold < 20:  # from 20 on, 1e-10 of the value is missing
        raise InteropError(
            f"{called}: it is cut at {module.threshold}; understood is a threshold of 20 or more"
        )
    return activations.softplus(module.beta)


def _over_units(formula: str) -> _Reader:
    def reader(module: Any, called: str) -> str:
        if module.dim not in (1, -1, None):
            raise InteropError(f"{called}: dim = {module.dim}; understood is 1 or -1, the units")
        return formula

    return reader


def _flat(model: Any, torch: Any) -> Iterator[tuple[str, Any]]:
    """The modules inside Sequentials, in order, with what messages call them."""
    waiting: list[tuple[str, Any]] = [("", model)]
    while waiting:
        place, module = waiting.pop()
        called = f"module {place or 'itself'} ({type(module).__name__})"
        if isinstance(module, torch.nn.Module):
            _check_plain(module, called)
        if type(module) is torch.nn.Sequential:
            children = [  # named_children() would leave out a module that stands there twice
                (f"{place}.{name}" if place else name, child)
                for name, child in module._modules.items()
            ]
            waiting += reversed(children)
        else:
            yield called, module


# ---- Modules that compute something else than their class says -----------------------------------

# PyTorch's own hooks that make weights anew at each call, and what leaves the last ones for good.
_REMOVED_BY: Mapping[str, str] = {
    "torch.nn.utils.weight_norm": "torch.nn.utils.remove_weight_norm(module)",
    "torch.nn.utils.spectral_norm": "torch.nn.utils.remove_spectral_norm(module)",
    "torch.nn.utils.prune": "torch.nn.utils.prune.remove(module, name)",
}
_OR_EXPORT = "or export the model to ONNX and read that"


def _check_plain(module: Any, called: str) -> None:
    if parametrized := getattr(module, "parametrizations", None):
        names = ", ".join(map(str, parametrized))
        raise InteropError(
            f"{called}: its {names} is computed at each call (a parametrization); make it plain by"
            f" torch.nn.utils.parametrize.remove_parametrizations(module, name), {_OR_EXPORT}"
        )
    if "forward" in vars(module):
        raise InteropError(
            f"{called}: its forward was replaced, and may do anything; delete it, {_OR_EXPORT}"
        )
    for hooks in (module._forward_pre_hooks, module._forward_hooks):
        for hook in hooks.values():
            known = [
                _REMOVED_BY[base.__module__]
                for base in type(hook).__mro__
                if base.__module__ in _REMOVED_BY
            ]
            remedy = known[0] if known else "the remove() of what registering it gave"
            shown = getattr(hook, "__qualname__", type(hook).__qualname__)
            raise InteropError(
                f"{called}: it has the forward hook {shown}, which may change what goes in, what"
                f" comes out, and the weights; take it off by {remedy}, {_OR_EXPORT}"
            )


def _check_global_hooks(torch: Any) -> None:
    """Hooks for all modules there are."""
    for name in ("_global_forward_pre_hooks", "_global_forward_hooks"):
        if getattr(torch.nn.modules.module, name, None):
            raise InteropError(
                "there are forward hooks on all modules, which may change what they compute; take"
                f" them off by the remove() of what registering them gave, {_OR_EXPORT}"
            )


# ---- Tensors -------------------------------------------------------------------------------------


def _array(tensor: Any, called: str) -> Array:
    """A tensor as an array; half precisions and less, which NumPy has not all of, are widened."""
    if hasattr(tensor, "detach"):
        try:
            tensor = tensor.detach().cpu()
            if re.fullmatch(r"torch\.(bfloat16|float16|float8_\w+)", str(tensor.dtype)):
                tensor = tensor.float()
            tensor = tensor.numpy()
        except (TypeError, RuntimeError) as error:  # sparse, quantised, without data, a subclass, …
            line = str(error).split("\n", 1)[0]
            raise InteropError(f"{called} cannot be taken as an array: {line}") from error
    if is_masked(tensor):
        raise InteropError(f"{called} has masked values; weights have to be there")
    array = np.asarray(tensor)
    if array.dtype.kind not in "fV":
        raise InteropError(f"{called} must be floating-point numbers, but is {array.dtype}")
    return widened(array)
