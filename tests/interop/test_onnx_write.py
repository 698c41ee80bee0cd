"""Written ONNX files: onnxruntime computes from them what the network says, at any argument."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.errors import SymgradError
from symgrad.interop import InteropError, Network
from symgrad.interop.onnx import is_own, model_of, read, write, writing
from symgrad.spec.formula import FUNCTIONS
from symgrad.spec.spec import ACTIVATIONS, Spec
from tests.interop.test_network import NUMPY, forward, network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(3)

DTYPES = ["float32", "float64"]
CLOSE = {"float32": {"rtol": 1e-5, "atol": 2e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def run(model: Any, x: np.ndarray) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})


def outputs(net: Network, x: np.ndarray) -> np.ndarray:
    x = x.astype(net.spec.dtype)
    (y,) = run(model_of(net), x)
    assert y.dtype == net.spec.dtype
    return y


def ladder(dtype: str) -> np.ndarray:
    """Arguments of every size on both sides, and what is no number."""
    sizes = np.logspace(-30, 30, 241)
    plain = np.linspace(-45, 45, 181)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan]
    return np.concatenate([-sizes, sizes, plain, odd]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_networks_of_every_activation(name, dtype):
    hidden = "tanh" if name == "softmax" else name
    net = network(
        [4, 4, 5, 3], [hidden, hidden, name], dtype, residual=[1], biasless=[2], own={"unused": "z"}
    )
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(dtype) * 2
    np.testing.assert_allclose(outputs(net, x), forward(net, x), **CLOSE[dtype])
    assert len(outputs(net, x[:1])) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_activations_neither_overflow_nor_cancel(name, dtype):
    net = network([1, 1], [name], dtype, biasless=[1])
    net.theta[:] = 1
    z = ladder(dtype)[:, None]
    z = z[np.abs(z) < 1e4, None] if name == "sin" else z
    with np.errstate(all="ignore"):
        expected = NUMPY[name](z.astype(np.float64))
    found = outputs(net, z.reshape(-1, 1)).reshape(expected.shape)
    finite = np.isfinite(z)
    # Of onnxruntime's own kernels some give NaN at infinity; what is put together here does too
    # where it multiplies 0 by it. At every finite argument the value has to be right.
    np.testing.assert_allclose(found[finite], expected[finite], **CLOSE[dtype])
    assert np.isnan(found[np.isnan(z)]).all() or name in ("relu", "leaky_relu")


# Each function of formulas, inside one that is defined for all z, and what it should be.
FORMULAS: dict[str, tuple[str, Any]] = {
    "exp": ("exp(-abs(z))", lambda z: np.exp(-np.abs(z))),
    "expm1": ("expm1(min(z, 5))", lambda z: np.expm1(np.minimum(z, 5))),
    "log": ("log(1 + z**2)", lambda z: np.log1p(z**2)),
    "log1p": ("log1p(abs(z))", lambda z: np.log1p(np.abs(z))),
    "sqrt": ("sqrt(z*z + 0.25)", lambda z: np.sqrt(z * z + 0.25)),
    "abs": ("abs(z)", np.abs),
    "sin": ("sin(z)", np.sin),
    "cos": ("cos(z)", np.cos),
    "tanh": ("tanh(z)", np.tanh),
    "sinh": ("sinh(z)", np.sinh),
    "cosh": ("cosh(z) - 3", lambda z: np.cosh(z) - 3),
    "atan": ("atan(z)", np.arctan),
    "erf": ("erf(z)", scipy.special.erf),
    "sigmoid": ("sigmoid(z)", scipy.special.expit),
    "softplus": ("softplus(z)", lambda z: np.logaddexp(0, z)),
    "relu": ("relu(z) - relu(-z)/4", lambda z: np.where(z > 0, z, z / 4)),
    "min": ("min(z, 1 - z)", lambda z: np.minimum(z, 1 - z)),
    "max": ("max(z, -z/8)", lambda z: np.maximum(z, -z / 8)),
    "sum": ("z - sum(z)/sum(1)", lambda z: z - z.mean(axis=-1, keepdims=True)),
}
OTHERS: dict[str, tuple[str, Any]] = {
    "powers": (
        "z**1 + z**3/6 - (1 + z**2)**-0.5",
        lambda z: z + z**3 / 6 - 1 / np.sqrt(1 + z**2),
    ),
    "logsumexp": ("z - log(sum(exp(z)))", lambda z: z - scipy.special.logsumexp(z, -1)[:, None]),
    "softmax": ("exp(z)/sum(exp(z))", lambda z: scipy.special.softmax(z, axis=-1)),
    "log_cosh": ("log(cosh(z))", lambda z: np.logaddexp(z, -z) - np.log(2)),
    "softplus": ("log(1 + exp(z))", lambda z: np.logaddexp(0, z)),
    "softplus again": ("log1p(exp(3*z))", lambda z: np.logaddexp(0, 3 * z)),
    "sigmoid": ("1/(1 + exp(-z))", scipy.special.expit),
    "opposite sigmoid": ("1/(1 + exp(2*z))", lambda z: scipy.special.expit(-2 * z)),
    "elu": ("exp(min(z, 0)) - 1", lambda z: np.expm1(np.minimum(z, 0))),
    "one for all": ("sum(z*z)", lambda z: np.sum(z * z, -1, keepdims=True) + 0 * z),
    "constants": ("z/(1 + exp(-1.5*z)) + (-2)", lambda z: z * scipy.special.expit(1.5 * z) - 2),
}


def test_every_function_has_its_formula():
    assert set(FORMULAS) == set(FUNCTIONS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", [*FORMULAS, *(f"{key}, otherwise" for key in OTHERS)])
def test_declared_formulas(key, dtype):
    formula, meaning = OTHERS[key[:-11]] if key.endswith(", otherwise") else FORMULAS[key]
    net = network([3, 4], ["mine"], dtype, own={"mine": formula})
    x = np.random.default_rng(1).normal(size=(20, 3)).astype(dtype) * 2
    expected = forward(net, x, {"mine": meaning})
    np.testing.assert_allclose(outputs(net, x), expected, **CLOSE[dtype])


STABLE = ["logsumexp", "log_cosh", "softplus", "softplus again", "sigmoid", "opposite sigmoid"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", STABLE)
def test_formulas_that_would_overflow_do_not(key, dtype):
    formula, meaning = OTHERS[key]
    net = network([1, 1], ["mine"], dtype, own={"mine": formula}, biasless=[1])
    net.theta[:] = 1
    z = ladder(dtype)[:, None]
    z = z[np.isfinite(z)][:, None]
    with np.errstate(all="ignore"):
        expected = meaning(z.astype(np.float64))
    np.testing.assert_allclose(outputs(net, z), expected, **CLOSE[dtype])


@pytest.mark.parametrize("key", ["sinh", "cosh", "atan", "erf", "expm1", "log1p"])
def test_functions_that_are_put_together_in_float64_hold_everywhere(key):
    formula, meaning = FORMULAS[key]
    net = network([1, 1], ["mine"], "float64", own={"mine": formula}, biasless=[1])
    net.theta[:] = 1
    z = ladder("float64")[:, None]
    z = z[~np.isnan(z)][:, None]
    with np.errstate(all="ignore"):
        expected = meaning(z)
    np.testing.assert_allclose(outputs(net, z), expected, rtol=1e-13, atol=0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.data(),
    st.sampled_from(DTYPES),
)
def test_random_networks(widths, data, dtype):
    count = len(widths) - 1
    names = data.draw(
        st.lists(st.sampled_from(ACTIVATIONS[:-1]), min_size=count, max_size=count), "activations"
    )
    equal = [k for k in range(1, count + 1) if widths[k - 1] == widths[k]]
    residual = data.draw(st.sets(st.sampled_from(equal)) if equal else st.just(set()))
    net = network(widths, names, dtype, residual=residual, biasless=data.draw(st.sets(
        st.integers(1, count))), seed=data.draw(st.integers(0, 99)))  # fmt: skip
    x = np.random.default_rng(1).normal(size=(3, widths[0])).astype(dtype)
    expected = forward(net, x)
    scale = 1 + np.abs(expected)
    error = np.abs(outputs(net, x) - expected) / scale
    assert np.all(error < (1e-4 if dtype == "float32" else 1e-11))
    again = read(model_of(net))
    assert again.spec == net.spec and again.theta.tobytes() == net.theta.tobytes()


def test_what_is_written_is_what_the_emitted_module_computes(tmp_path):
    more = {"loss": {"kind": "cross_entropy", "l2": 0.5}}
    net = network([5, 8, 8, 3], ["gelu", "mish", "softmax"], "float32", residual=[2], more=more)
    path = write(net, tmp_path / "net.onnx")
    x = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(y, symgrad.compile(net.spec).module.predict(net.theta, x), 2e-5)
    again = read(path)
    assert again.spec == net.spec and again.theta.tobytes() == net.theta.tobytes()


def test_weights_that_are_not_finite_go_through(tmp_path):
    net = network([3, 2], ["tanh"])
    net.theta[:3] = np.nan, np.inf, -0.0
    again = read(write(net, tmp_path / "odd.onnx"))
    assert again.theta.tobytes() == net.theta.tobytes()


def test_names_are_readable_and_the_batch_is_free():
    net = network([3, 4, 4, 2], ["gelu", "silu", "identity"], residual=[2], biasless=[3])
    graph = model_of(net).graph
    names = [node.output[0] for node in graph.node]
    assert [name for name in names if name in ("z1", "a1", "z2", "a2", "y")] == [
        "z1", "a1", "z2", "a2", "y",
    ]  # fmt: skip
    assert {"W1", "b1", "W2", "b2", "W3"} <= {each.name for each in graph.initializer}
    assert len(set(names)) == len(names) and all(node.name for node in graph.node)
    (x,) = graph.input
    batch, width = x.type.tensor_type.shape.dim
    assert x.name == "x" and batch.dim_param == "samples" and width.dim_value == 3


def test_the_same_network_gives_the_same_bytes(tmp_path):
    net = network([3, 4, 2], ["mine", "selu"], own={"mine": "z*erf(z)", "another": "z"})
    first, second = (write(net, tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second


def test_files_appear_whole_or_not_at_all(tmp_path):
    net = network([2, 1], ["tanh"])
    with pytest.raises(SymgradError, match="cannot be written"):
        write(net, tmp_path / "missing" / "net.onnx")
    write(net, tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_only_own_files_are_known_as_such(tmp_path):
    assert is_own(write(network([2, 1], ["tanh"]), tmp_path / "net.onnx"))
    for content in (b"", b"\xff\xff\xff\xff nothing", Path(__file__).read_bytes()):
        (tmp_path / "other").write_bytes(content)
        assert not is_own(tmp_path / "other")
    assert not is_own(tmp_path / "missing")


def test_what_no_file_can_hold_is_refused(monkeypatch):
    with pytest.raises(InteropError, match="written are a Network and a Run, not dict"):
        model_of({})  # type: ignore[arg-type]
    monkeypatch.setattr(writing, "LARGEST", 20)
    with pytest.raises(InteropError, match="3 weights of float64 are more than the 2 GiB"):
        model_of(network([2, 1], ["tanh"]))


def test_names_of_inputs_and_outputs_are_noted():
    spec = Spec.parse({"name": "net", "inputs": ["x", "t"], "layers": [{"names": ["u"]}]})
    model = model_of(Network(spec, np.zeros(3, "float32")))
    noted = {each.key: each.value for each in model.metadata_props}
    assert (noted["symgrad.inputs"], noted["symgrad.outputs"]) == ('["x", "t"]', '["u"]')
    assert read(model).spec == spec
