"""Weights and networks from PyTorch, and for it.

    torch.nn.Sequential ──read──▶ Network ──sequential──▶ torch.nn.Sequential
    state_dict ──load──▶ theta ──state_dict──▶ state_dict

PyTorch keeps the weights of a Linear as (outputs, inputs), a spec as (inputs, outputs).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from symgrad.compiler.spec import Spec
from symgrad.interop import activations
from symgrad.interop.chain import Chain, widened
from symgrad.interop.errors import InteropError, needed
from symgrad.interop.network import Array, LossLike, Network, Weights, assemble, join, split
from symgrad.masks import is_masked


def read(model: Any, *, name: str = "network", loss: LossLike | None = None) -> Network:
    """The network that a `torch.nn.Sequential` is, in inference.

    Understood are Linear, activations, and what changes nothing (Identity, Dropout, Flatten of two
    axes), in Sequentials inside one another. `loss` None stands for the usual one with the last
    activation. Raises InteropError, naming the module, for anything else.
    """
    torch = needed("torch", "reading PyTorch modules", "torch")
    table = _modules(torch.nn)
    chain = Chain()
    for place, module in _flat(model, torch.nn.Sequential):
        called = f"module {place or 'itself'} ({type(module).__name__})"
        if type(module) is torch.nn.Linear:
            bias = None if module.bias is None else _array(module.bias, called)
            chain.linear(called, _array(module.weight, called).T, bias)
        elif type(module) in table:
            formula = table[type(module)](module, called)
            if formula is not None:
                chain.activation(called, formula, type(module).__name__.lower())
        else:
            known = ", ".join(sorted(each.__name__ for each in table))
            raise InteropError(f"{called}: not understood; understood are Linear, {known}")
    return assemble(chain.layers, name, chain.dtype, loss)


def load(spec: Spec, state_dict: Mapping[str, Any]) -> Array:
    """The flat weights that a state dict holds, of shape (spec.weights,) and the spec's dtype.

    Its keys are ….weight, of shape (outputs, inputs), and ….bias, layer by layer in their order.
    Tensors may be PyTorch's, on any device, or arrays; PyTorch itself is not needed. Raises
    InteropError for keys or shapes that do not fit the spec.
    """
    groups = _grouped(state_dict)
    weights = {prefix: _array(groups[prefix]["weight"], f"{prefix}weight") for prefix in groups}
    _check_shapes(spec, {prefix: weight.shape for prefix, weight in weights.items()})
    layers: list[Weights] = []
    for prefix, found in groups.items():
        bias = _array(found["bias"], f"{prefix}bias") if "bias" in found else None
        layers.append((weights[prefix].T, bias))
    return join(spec, layers, [prefix.rstrip(".") for prefix in groups])


def state_dict(spec: Spec, theta: Any, like: Any = None) -> dict[str, Any]:
    """Weights as PyTorch tensors, in a dict for `load_state_dict`.

    The keys are those of a Sequential of Linear, activation, Linear, …: 0.weight, 0.bias, 2.weight,
    …; with `like`, a module or a state dict, they are its keys. The tensors are of the spec's dtype
    and share no memory with theta. Raises InteropError where `like` is of another shape.
    """
    torch = needed("torch", "making PyTorch tensors", "torch")
    layers = split(spec, theta)
    if like is None:
        named = {
            f"{2 * number}.": {"weight", "bias"} if bias is not None else {"weight"}
            for number, (_, bias) in enumerate(layers)
        }
    else:
        given = like if isinstance(like, Mapping) else like.state_dict()
        groups = _grouped(given)
        _check_shapes(spec, {p: tuple(found["weight"].shape) for p, found in groups.items()})
        named = {prefix: set(found) for prefix, found in groups.items()}
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

    Raises InteropError for a residual layer, and for an activation that PyTorch has not.
    """
    torch = needed("torch", "making PyTorch modules", "torch")
    spec, nn = network.spec, torch.nn
    dtype = getattr(torch, spec.dtype)
    modules: list[Any] = []
    for number, (width, layer) in enumerate(zip(spec.widths, spec.layers, strict=False), start=1):
        if layer.residual:
            raise InteropError(f"layer {number} is residual, which no Sequential can be")
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
    }
    # fmt: on


def _flatten(module: Any, called: str) -> str | None:
    if module.start_dim not in (1, -1) or module.end_dim not in (1, -1):
        raise InteropError(f"{called}: understood is one of two axes, from the second on")
    return None


def _gelu(module: Any, called: str) -> str:
    return activations.GELU_TANH if module.approximate == "tanh" else "gelu"


def _softplus(module: Any, called: str) -> str:
    if module.threshold < 15:
        raise InteropError(
            f"{called}: it is cut at {module.threshold}; understood is a threshold of 15 or more"
        )
    return activations.softplus(module.beta)


def _over_units(formula: str) -> _Reader:
    def reader(module: Any, called: str) -> str:
        if module.dim not in (1, -1, None):
            raise InteropError(f"{called}: dim = {module.dim}; understood is 1 or -1, the units")
        return formula

    return reader


def _flat(model: Any, sequential: Any) -> Iterator[tuple[str, Any]]:
    """The modules inside Sequentials, in order, with their places, as 0.2."""
    waiting: list[tuple[str, Any]] = [("", model)]
    while waiting:
        place, module = waiting.pop()
        if type(module) is sequential:
            children = [  # named_children() would leave out a module that stands there twice
                (f"{place}.{name}" if place else name, child)
                for name, child in module._modules.items()
            ]
            waiting += reversed(children)
        else:
            yield place, module


# ---- State dicts ---------------------------------------------------------------------------------


def _grouped(tensors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """weight and bias of each layer, by what comes before them in the key."""
    groups: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        head, _, last = str(key).rpartition(".")
        if last not in ("weight", "bias"):
            raise InteropError(
                f"the key {key!r} is none of a Linear; understood are weight and bias"
            )
        groups.setdefault(f"{head}." if head else "", {})[last] = tensor
    for prefix, found in groups.items():
        if "weight" not in found:
            raise InteropError(f"{prefix}bias is there without {prefix}weight")
    return groups


def _check_shapes(spec: Spec, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Whether a state dict has the shapes of a spec's weights, as PyTorch has them."""
    layers = len(spec.layers)
    if len(shapes) != layers:
        raise InteropError(
            f"there are weights of {len(shapes)} layers, and {spec.name} has {layers} layers"
        )
    for (prefix, shape), width, layer in zip(
        shapes.items(), spec.widths, spec.layers, strict=False
    ):
        if shape != (layer.units, width):
            raise InteropError(
                f"{prefix}weight has the shape {shape}, but ({layer.units}, {width}) is needed"
            )


def _array(tensor: Any, called: str) -> Array:
    """A tensor as an array; half precisions, which NumPy has not all of, are widened."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if str(getattr(tensor, "dtype", "")) in ("torch.bfloat16", "torch.float16"):
            tensor = tensor.float()
        tensor = tensor.numpy()
    if is_masked(tensor):
        raise InteropError(f"{called} has masked values; weights have to be there")
    array = np.asarray(tensor)
    if array.dtype.kind not in "fV":
        raise InteropError(f"{called} must be floating-point numbers, but is {array.dtype}")
    return widened(array)
