"""PyTorch: weights by stand-ins where it is missing; modules, both ways, where it is there."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.interop import InteropError, errors, torch
from symgrad.interop.numeric import evaluate
from symgrad.spec.spec import ACTIVATIONS
from tests.interop.test_network import forward, network


class Tensor:
    """As much of a tensor as `load` uses."""

    def __init__(self, array: Any, dtype: str = "torch.float32") -> None:
        self.array, self.dtype = np.asarray(array), dtype

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def float(self) -> "Tensor":
        return Tensor(self.array.astype(np.float32))

    def numpy(self) -> np.ndarray:
        assert self.dtype != "torch.bfloat16", "NumPy has no bfloat16"
        return self.array


def state(net: Any, wrap: Any = Tensor) -> dict[str, Any]:
    """What a Sequential of Linear, activation, Linear, … would give."""
    result: dict[str, Any] = OrderedDict()
    for number, (weight, bias) in enumerate(net.layers):
        result[f"{2 * number}.weight"] = wrap(weight.T)
        if bias is not None:
            result[f"{2 * number}.bias"] = wrap(bias)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_state_dict_gives_the_flat_weights_to_the_bit(dtype):
    net = network([3, 5, 4, 2], ["tanh", "relu", "identity"], dtype, biasless=[2])
    for wrap in (Tensor, np.asarray):
        assert torch.load(net.spec, state(net, wrap)).tobytes() == net.theta.tobytes()


def test_half_precisions_are_widened():
    net = network([3, 2], ["tanh"], "float32")
    net.theta[:] = net.theta.astype(np.float16)
    for dtype in ("torch.bfloat16", "torch.float16"):
        halves = state(net, lambda array, dtype=dtype: Tensor(array, dtype))
        assert torch.load(net.spec, halves).tobytes() == net.theta.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": np.ones((2, 5))}, r"0\.weight has the shape \(2, 5\), but \("),
        ({"0.bias": np.ones(4)}, r"the bias must have the shape \(5,\), but have \(4,\)"),
        ({"3.running_mean": np.ones(4)}, "the key '3.running_mean' is none of a Linear"),
        ({"9.bias": np.ones(4)}, r"9\.bias is there without 9\.weight"),
        ({"9.weight": np.ones((1, 2))}, "weights of 3 layers, and net has 2 layers"),
        ({"0.weight": np.ones(5)}, r"0\.weight has the shape \(5,\), but \(5, 3\) is needed"),
        ({"0.weight": np.ones((5, 3), int)}, r"0\.weight must be floating-point numbers"),
    ],
)
def test_state_dicts_that_do_not_fit_are_refused(change, message):
    net = network([3, 5, 2], ["tanh", "identity"])
    with pytest.raises(InteropError, match=message):
        torch.load(net.spec, {**state(net), **change})


def test_without_pytorch_the_message_says_what_to_install(monkeypatch):
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="torch")

    monkeypatch.setattr(errors, "import_module", missing)
    net = network([3, 2], ["tanh"])
    with pytest.raises(errors.MissingPackage, match=r"needs the package torch: pip install 'symgr"):
        torch.sequential(net)
    with pytest.raises(errors.MissingPackage, match="making PyTorch tensors"):
        torch.state_dict(net.spec, net.theta)
    with pytest.raises(errors.MissingPackage, match="reading PyTorch modules"):
        torch.read(None)


# ---- Which layer is which ------------------------------------------------------------------------


def named(net: Any, names: list[str]) -> dict[str, Any]:
    """A state dict of a network with these names for its layers, its keys in the order of text."""
    tensors = {}
    for name, (weight, bias) in zip(names, net.layers, strict=True):
        tensors |= {f"{name}.weight": weight.T, f"{name}.bias": bias}
    return dict(sorted(tensors.items()))


SQUARES = network([4] * 8, ["tanh"] * 7)


@pytest.mark.parametrize(
    "names",
    [
        [str(2 * number) for number in range(7)],  # 0, 10, 12, 2, 4, 6, 8 by text
        [f"net.{2 * number}" for number in range(7)],
        [f"fc{number}" for number in range(5, 12)],
        [f"blocks.{number}.{'in' if number % 2 else 'out'}" for number in range(5, 12)],
        ["0.8", "0.10", "2", "10.0.1", "10.0.11", "10.2", "11"],
        [f"h{number // 2}_{9 + number % 2}" for number in range(7)],
        [f"{'0' * (number % 3)}{number}" for number in range(5, 12)],
    ],
)
def test_numbers_in_the_keys_order_the_layers(names):
    assert list(named(SQUARES, names)) != [f"{n}.{k}" for n in names for k in ("bias", "weight")]
    assert torch.load(SQUARES.spec, named(SQUARES, names)).tobytes() == SQUARES.theta.tobytes()


@pytest.mark.parametrize("names", [["input", "hidden", "output"], ["c.0", "b", "c.1"]])
def test_shapes_order_layers_that_numbers_do_not(names):
    net = network([3, 4, 5, 2], ["tanh"] * 3)
    assert torch.load(net.spec, named(net, names)).tobytes() == net.theta.tobytes()


def test_shapes_and_numbers_together_order_layers():
    net = network([3, 4, 4, 4, 2], ["tanh"] * 4)
    names = ["input", "hidden.9", "hidden.10", "a_last"]
    assert torch.load(net.spec, named(net, names)).tobytes() == net.theta.tobytes()


@pytest.mark.parametrize(
    ("widths", "names", "pair"),
    [
        ([4, 4, 4, 4], ["input", "hidden", "output"], "hidden or input"),
        ([4, 4, 4, 2], ["input", "hidden", "output"], "hidden or input"),
        ([4, 4, 4, 4], ["layer.0", "layer.1", "head"], "head or layer.0"),
        ([4, 4, 4, 4], ["0", "1", "01"], "0?1 or 0?1"),
        ([4, 4, 4, 4], ["0", "0.1", "2"], "0 or 0.1"),
    ],
)
def test_what_orders_no_layers_is_asked_for(widths, names, pair):
    """Whichever order the dict's keys have: it may be any."""
    net = network(widths, ["tanh"] * 3)
    tensors = named(net, names)
    for given in (tensors, dict(reversed(tensors.items()))):
        with pytest.raises(InteropError, match=f"which comes first, {pair}.*give like="):
            torch.load(net.spec, given)
    assert torch.load(net.spec, tensors, like=names).tobytes() == net.theta.tobytes()


def test_an_order_that_is_given_has_just_the_layers():
    net = network([4, 4, 4], ["tanh"] * 2)
    tensors = named(net, ["a", "b"])
    for like in (["a"], ["a", "a"], ["a", "c"], ["a", "b", "c"]):
        with pytest.raises(InteropError, match=r"like has the layers a.*are weights of a, b"):
            torch.load(net.spec, tensors, like)
    for wrong in ("ab", 3, tensors):
        with pytest.raises(InteropError, match="like is a module, or the names of layers in order"):
            torch.load(net.spec, tensors, wrong)
    net = network([3, 4, 4], ["tanh"] * 2)
    with pytest.raises(InteropError, match=r"b\.weight has the shape \(4, 4\), but \(4, 3\) is"):
        torch.load(net.spec, named(net, ["a", "b"]), like=["b", "a"])


# ---- With PyTorch --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pytorch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_load_undoes_state_dict(pytorch, dtype):
    net = network([3, 5, 4, 2], ["tanh", "relu", "identity"], dtype, biasless=[2])
    net.theta[:2] = np.nan, -0.0
    made = torch.state_dict(net.spec, net.theta)
    assert list(made) == ["0.weight", "0.bias", "2.weight", "4.weight", "4.bias"]
    assert made["0.weight"].dtype == getattr(pytorch, dtype)
    assert torch.load(net.spec, made).tobytes() == net.theta.tobytes()
    made["0.weight"].zero_()
    assert np.isnan(net.theta[0])


def test_state_dicts_take_the_names_of_another(pytorch):
    nn = pytorch.nn
    net = network([3, 4, 2], ["tanh", "identity"], "float32", biasless=[2])
    like = nn.ModuleDict({"first": nn.Linear(3, 4), "last": nn.Linear(4, 2)})
    made = torch.state_dict(net.spec, net.theta, like)
    assert list(made) == ["first.weight", "first.bias", "last.weight", "last.bias"]
    like.load_state_dict(made)
    assert torch.load(net.spec, like.state_dict()).tobytes() == net.theta.tobytes()
    assert list(torch.state_dict(net.spec, net.theta, like.state_dict())) == list(made)
    with pytest.raises(InteropError, match=r"0\.weight has the shape \(4, 5\), but \(4, 3\) is"):
        torch.state_dict(net.spec, net.theta, nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2)))
    with pytest.raises(InteropError, match="weights of 1 layers, and net has 2"):
        torch.state_dict(net.spec, net.theta, nn.Sequential(nn.Linear(3, 4)))
    bare = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2))
    with pytest.raises(InteropError, match="0 has no bias, and the weights have one there"):
        torch.state_dict(net.spec, net.theta, bare)


HAS = [name for name in ACTIVATIONS if name not in ("sin", "gaussian")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", HAS)
def test_modules_compute_what_the_network_does_and_are_read_back(pytorch, name, dtype):
    hidden = "identity" if name == "softmax" else name
    net = network([3, 5, 4, 2], [hidden, hidden, name], dtype, biasless=[2])
    module = torch.sequential(net)
    x = np.random.default_rng(1).normal(size=(6, 3)).astype(dtype)
    y = module(pytorch.from_numpy(x)).detach().numpy()
    close = {"rtol": 2e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(y, forward(net, x), **close)
    again = torch.read(module, name="net", loss=net.spec.loss)
    assert again.spec == net.spec and again.theta.tobytes() == net.theta.tobytes()


def test_a_module_agrees_with_the_emitted_one(pytorch):
    nn = pytorch.nn
    module = nn.Sequential(nn.Linear(3, 8), nn.GELU(approximate="tanh"), nn.Linear(8, 2))
    net = torch.read(module)
    x = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    y = module(pytorch.from_numpy(x)).detach().numpy()
    found = symgrad.compile(net.spec).module.predict(net.theta, x)
    np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-6)


def test_other_modules_are_read_as_formulas(pytorch):
    nn = pytorch.nn
    modules = [
        nn.LeakyReLU(0.2), nn.ELU(1.5), nn.CELU(2.0), nn.GELU(approximate="tanh"),
        nn.Softplus(beta=2.0), nn.LogSigmoid(), nn.Tanhshrink(), nn.Hardtanh(-2, 3), nn.ReLU6(),
        nn.Hardsigmoid(), nn.Hardswish(), nn.LogSoftmax(dim=1),
    ]  # fmt: skip
    x = pytorch.randn(50, 4, generator=pytorch.Generator().manual_seed(0)) * 3
    for activation in modules:
        model = nn.Sequential(
            nn.Identity(),
            nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Dropout(0.5)),
            activation,
        ).eval()
        net = torch.read(model)
        own = {
            name: (lambda z, tree=each.tree: evaluate(tree, {"z": z}))
            for name, each in net.spec.activations.items()
        }
        np.testing.assert_allclose(
            forward(net, x.numpy(), own), model(x).detach().numpy(), rtol=1e-4, atol=1e-5
        )
        assert len(net.spec.activations) == 1


def test_activations_in_a_row_become_one(pytorch):
    nn = pytorch.nn
    net = torch.read(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Tanh()))
    (declared,) = net.spec.activations.values()
    assert declared.formula == "tanh(relu(z))"


def test_half_precision_modules_are_read(pytorch):
    module = pytorch.nn.Sequential(pytorch.nn.Linear(2, 3)).to(pytorch.bfloat16)
    net = torch.read(module)
    assert net.spec.dtype == "float32"
    assert np.array_equal(net.layers[0][0].T, module[0].weight.detach().float().numpy())


def test_batch_normalisation_goes_into_the_weights(pytorch):
    nn = pytorch.nn
    parts = [nn.BatchNorm1d(4), nn.Linear(4, 3), nn.BatchNorm1d(3, affine=False), nn.PReLU()]
    module = nn.Sequential(*parts, nn.BatchNorm1d(3), nn.Linear(3, 2), nn.Tanh(), nn.BatchNorm1d(2))
    for _ in range(3):
        module(pytorch.randn(64, 4) * 3 + 1)
    net = torch.read(module.eval())
    assert net.spec.widths == (4, 3, 2, 2) and net.spec.dtype == "float32"
    x = pytorch.randn(7, 4)
    own = {name: each.tree for name, each in net.spec.activations.items()}
    functions = {name: lambda z, tree=tree: evaluate(tree, {"z": z}) for name, tree in own.items()}
    found = forward(net, x.numpy(), functions)
    np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_other_models_are_refused_by_their_place(pytorch):
    nn = pytorch.nn

    class Own(nn.Linear):
        pass

    slopes = nn.PReLU(3)
    slopes.weight.data[1] = 0.5
    refused = [
        (
            nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Conv1d(1, 1, 1))),
            r"1\.0 \(Conv1d\): .*"
            r"there are no convolutions",
        ),
        (Own(2, 3), r"module itself \(Own\): not understood; torch\.onnx\.export writes it"),
        (nn.Sequential(nn.Linear(2, 3), nn.Threshold(1, 0)), r"\(Threshold\): not .* torch\.onnx"),
        (nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)), "it normalises each sample by itself"),
        (nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False)), "of each b"),
        (nn.Sequential(nn.Linear(2, 3), slopes), "its slope differs by unit; torch.onnx.export"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 3)), r"module 0 \(ReLU\): an activation before"),
        (nn.Sequential(nn.Linear(2, 3), nn.Softmax(dim=0)), r"dim = 0; understood is 1 or -1"),
        (nn.Sequential(nn.Linear(2, 3), nn.Softplus(threshold=2)), "it is cut at 2"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(2, 3)), "understood is one of two axes"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3)), "takes 2 inputs, but module 0"),
        (nn.Sequential(nn.ReLU()), "an activation before the first layer"),
        (nn.Sequential(), "there is no layer with weights"),
        ("no module", r"module itself \(str\)"),
    ]
    for model, message in refused:
        with pytest.raises(InteropError, match=message):
            torch.read(model)


def test_a_module_says_which_layer_is_which(pytorch):
    nn = pytorch.nn
    net = network([4, 4, 4, 4], ["tanh"] * 3, "float32")
    names = ["input", "hidden", "output"]
    like = nn.ModuleDict({name: nn.Linear(4, 4) for name in names})
    made = torch.state_dict(net.spec, net.theta, like)
    by_text = dict(sorted(made.items()))
    assert torch.load(net.spec, by_text, like=like).tobytes() == net.theta.tobytes()
    like.load_state_dict(by_text)
    x = pytorch.randn(5, 4)
    y = x
    for name in names:
        y = pytorch.tanh(like[name](y))
    np.testing.assert_allclose(forward(net, x.numpy()), y.detach().numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(InteropError, match="which comes first, hidden or input"):
        torch.state_dict(net.spec, net.theta, by_text)
    with pytest.raises(InteropError, match="like is a module or a state dict, not list"):
        torch.state_dict(net.spec, net.theta, names)
    numbered = nn.Sequential(*(nn.Linear(4, 4) for _ in range(12)))
    net = network([4] * 13, ["tanh"] * 12, "float32")
    by_text = dict(sorted(numbered.state_dict().items()))
    numbered.load_state_dict(torch.state_dict(net.spec, net.theta, by_text))
    assert torch.load(net.spec, numbered.state_dict()).tobytes() == net.theta.tobytes()


def weight_norm(nn):
    return nn.utils.weight_norm(nn.Linear(3, 3))


def spectral_norm(nn):
    return nn.utils.spectral_norm(nn.Linear(3, 3))


def pruned(nn):
    from torch.nn.utils import prune

    return prune.random_unstructured(nn.Linear(3, 3), "weight", 0.5)


def pruned_twice(nn):
    from torch.nn.utils import prune

    return prune.l1_unstructured(pruned(nn), "weight", 0.5)


def parametrized(nn):
    return nn.utils.parametrizations.orthogonal(nn.Linear(3, 3))


def hooked(nn):
    module = nn.Linear(3, 3)
    module.register_forward_hook(lambda module, args, y: 2 * y)
    return module


def hooked_before(nn):
    module = nn.Linear(3, 3)
    module.register_forward_pre_hook(
        lambda module, args, named: ((2 * args[0],), named), with_kwargs=True
    )
    return module


def replaced(nn):
    module = nn.Linear(3, 3)
    module.forward = lambda x: 2 * nn.functional.linear(x, module.weight, module.bias)
    return module


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (weight_norm, r"hook WeightNorm, .* off by torch\.nn\.utils\.remove_weight_norm\(module\)"),
        (spectral_norm, r"hook SpectralNorm, .* off by torch\.nn\.utils\.remove_spectral_norm\("),
        (pruned, r"hook RandomUnstructured, .* off by torch\.nn\.utils\.prune\.remove\(module, n"),
        (pruned_twice, r"hook PruningContainer, .* off by torch\.nn\.utils\.prune\.remove\(modul"),
        (
            parametrized,
            r"its weight is computed at each call .*remove_parametrizations\(module, na",
        ),
        (hooked, r"forward hook hooked\.<locals>\.<lambda>, which may .* by the remove\(\) of wha"),
        (hooked_before, r"forward hook hooked_before\.<locals>\.<lambda>, which may change"),
        (replaced, "its forward was replaced, and may do anything; delete it, or export the mod"),
    ],
)
def test_modules_that_compute_otherwise_than_their_class_are_refused(pytorch, make, message):
    nn = pytorch.nn
    module = make(nn)
    for model, place in ((nn.Sequential(nn.Linear(3, 3), module), "1"), (module, "itself")):
        with pytest.raises(InteropError, match=rf"^module {place} \(\w*Linear\): .*{message}"):
            torch.read(model)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_what_the_message_says_makes_them_readable(pytorch):
    from torch.nn.utils import parametrize, prune

    nn, x = pytorch.nn, pytorch.randn(6, 3)
    for make, remedy in (
        (weight_norm, nn.utils.remove_weight_norm),
        (spectral_norm, nn.utils.remove_spectral_norm),
        (pruned, lambda module: prune.remove(module, "weight")),
        (pruned_twice, lambda module: prune.remove(module, "weight")),
        (parametrized, lambda module: parametrize.remove_parametrizations(module, "weight")),
    ):
        module = make(nn).eval()
        with pytorch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.5)  # as training would: weights read before are no longer its own
        y = module(x).detach().numpy()
        remedy(module)
        net = torch.read(module)
        np.testing.assert_allclose(forward(net, x.numpy()), y, rtol=1e-4, atol=1e-5)


def test_the_same_holds_for_sequentials_and_for_activations(pytorch):
    nn = pytorch.nn
    for change in (
        lambda module: module.register_forward_hook(lambda *args: None),
        lambda module: module.register_forward_pre_hook(lambda *args: None),
        lambda module: setattr(module, "forward", lambda x: x),
    ):
        for place in ("itself", "1", r"1\.1"):
            model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
            change({"itself": model, "1": model[1]}.get(place, model[1][1]))
            with pytest.raises(InteropError, match=f"^module {place} "):
                torch.read(model)


def test_hooks_on_all_modules_are_refused_and_those_backward_are_not(pytorch):
    nn = pytorch.nn
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model[0].register_full_backward_hook(lambda *args: None)
    model.register_full_backward_pre_hook(lambda *args: None)
    net = torch.read(model)
    for register in (
        nn.modules.module.register_module_forward_hook,
        nn.modules.module.register_module_forward_pre_hook,
    ):
        handle = register(lambda *args: None)
        with pytest.raises(InteropError, match="there are forward hooks on all modules"):
            torch.read(model)
        handle.remove()
    assert torch.read(model).theta.tobytes() == net.theta.tobytes()


def test_tensors_that_are_no_arrays_are_refused(pytorch):
    nn = pytorch.nn
    weight = pytorch.randn(3, 3)
    odd = [
        weight.to_sparse(),
        weight.to("meta"),
        pytorch.complex(weight, weight).conj().imag,
    ]
    for tensor in odd:
        with pytest.raises(InteropError, match=r"0\.weight cannot be taken as an array: \w+"):
            torch.load(network([3, 3], ["tanh"]).spec, {"0.weight": tensor})
    with pytest.raises(InteropError, match=r"module itself \(Linear\) cannot be taken as an arr"):
        torch.read(nn.Linear(3, 3, device="meta"))
    eight = weight.to(pytorch.float8_e4m3fn)
    found = torch.load(network([3, 3], ["tanh"], biasless=[1]).spec, {"0.weight": eight})
    np.testing.assert_array_equal(found.reshape(3, 3).T, eight.float().numpy())


def test_networks_that_no_module_can_be_are_refused(pytorch):
    with pytest.raises(InteropError, match="layer 1 has the activation gaussian, which PyTorch"):
        torch.sequential(network([2, 3], ["gaussian"]))
    with pytest.raises(InteropError, match="layer 1 is residual"):
        torch.sequential(network([2, 2], ["tanh"], residual=[1]))


def test_what_pytorch_exports_to_onnx_is_read(pytorch, tmp_path):
    pytest.importorskip("onnx")
    from symgrad.interop import onnx

    nn = pytorch.nn
    for activation in (nn.GELU(), nn.Mish(), nn.LeakyReLU(0.2), nn.Softplus()):
        model = nn.Sequential(nn.Linear(3, 4), activation, nn.Dropout(), nn.Linear(4, 2)).eval()
        path = tmp_path / "net.onnx"
        names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "samples"}}}
        pytorch.onnx.export(model, (pytorch.randn(5, 3),), path, dynamo=False, **names)
        mine, theirs = onnx.read(path), torch.read(model)
        assert mine.theta.tobytes() == theirs.theta.tobytes()
        formulas = [
            [each.formula for each in net.spec.activations.values()] for net in (mine, theirs)
        ]
        assert formulas[0] == formulas[1]
