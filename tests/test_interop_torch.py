"""PyTorch: weights by stand-ins where it is missing; modules, both ways, where it is there."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from test_interop_network import forward, network

import symgrad
from symgrad.compiler.spec import ACTIVATIONS
from symgrad.interop import InteropError, errors, torch
from symgrad.interop.numeric import evaluate


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


def test_other_models_are_refused_by_their_place(pytorch):
    nn = pytorch.nn

    class Own(nn.Linear):
        pass

    refused = [
        (nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Conv1d(1, 1, 1))), r"module 1\.0 \(Conv1"),
        (Own(2, 3), r"module itself \(Own\): not understood; understood are Linear, AlphaDropout"),
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
