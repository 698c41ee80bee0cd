"""Networks between libraries: flat weights and layers, formulas and their names, files."""

from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.errors import SpecError, SymgradError
from symgrad.interop import InteropError, Network, activations, errors, files
from symgrad.interop.network import Layer, assemble, join, split
from symgrad.interop.numeric import evaluate
from symgrad.interop.text import text
from symgrad.spec.formula import parse
from symgrad.spec.spec import ACTIVATIONS, Loss, Spec

# What this file and its neighbours compare with: activations as NumPy has them.
NUMPY: dict[str, Any] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: (
        1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    ),
    "gelu": lambda z: z * scipy.special.ndtr(z),
    "silu": lambda z: z * scipy.special.expit(z),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "sigmoid": scipy.special.expit,
    "tanh": np.tanh,
    "sin": np.sin,
    "gaussian": lambda z: np.exp(-z * z),
    "softmax": lambda z: scipy.special.softmax(z, axis=-1),
}


def network(widths: list[int], names: list[str], dtype: str = "float64", **options: Any) -> Network:
    """Random weights; `residual` names layers from 1, `biasless` too, `own` holds formulas."""
    layers = [
        {
            "units": units,
            "activation": name,
            "residual": number in options.get("residual", ()),
            "bias": number not in options.get("biasless", ()),
        }
        for number, (units, name) in enumerate(zip(widths[1:], names, strict=True), start=1)
    ]
    own = {name: {"formula": formula} for name, formula in options.get("own", {}).items()}
    data = {"name": "net", "dtype": dtype, "inputs": widths[0], "layers": layers}
    # As a run may have it, for one-unit softmax comes from there only.
    spec = Spec.recorded({**data, "activations": own, **options.get("more", {})})
    theta = np.random.default_rng(options.get("seed", 0)).normal(size=spec.weights)
    return Network(spec, theta.astype(dtype))


def forward(net: Network, x: np.ndarray, own: dict[str, Any] | None = None) -> np.ndarray:
    """The network in float64, as a textbook has it."""
    made = [np.asarray(x, np.float64)]
    layers = zip(net.spec.layers, net.layers, strict=True)
    for number, (layer, (weight, bias)) in enumerate(layers, start=1):
        a = np.concatenate([made[place] for _, place in net.spec.sources(number)], axis=1)
        z = a @ weight.astype(np.float64) + (0 if bias is None else bias.astype(np.float64))
        y = {**NUMPY, **(own or {})}[layer.activation](z)
        made.append(y + a if layer.residual else y)
    return made[-1]


def test_the_weights_lie_as_a_module_has_them():
    net = network([3, 4, 2], ["tanh", "identity"], biasless=[1])
    assert list(net.arrays()) == ["W1", "W2", "b2"]
    module = symgrad.compile(net.spec).module
    for name, array in module.unpack(net.theta).items():
        assert np.array_equal(array, net.arrays()[name])
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert module.predict(net.theta, x) == pytest.approx(forward(net, x), rel=1e-12)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.data())
def test_split_and_join_are_inverse_to_the_bit(widths, data):
    count = len(widths) - 1
    biasless = data.draw(st.sets(st.integers(1, count)))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    net = network(widths, ["tanh"] * count, dtype, biasless=biasless)
    theta = net.theta.copy()
    theta[0], theta[-1] = np.nan, -0.0
    assert join(net.spec, split(net.spec, theta)).tobytes() == theta.tobytes()


def test_weights_that_do_not_fit_are_refused():
    net = network([3, 4, 2], ["tanh", "identity"], biasless=[2])
    layers = net.layers
    with pytest.raises(InteropError, match=r"float64 of shape \(24,\), but is float32"):
        Network(net.spec, net.theta.astype(np.float32))
    with pytest.raises(InteropError, match=r"but is float64 of shape \(23,\)"):
        Network(net.spec, net.theta[1:])
    with pytest.raises(InteropError, match="weights of 1 layer, and net has 2 layers"):
        join(net.spec, layers[:1])
    with pytest.raises(InteropError, match=r"layer 1: the weights must have the shape \(3, 4\)"):
        join(net.spec, [(layers[0][0].T, layers[0][1]), layers[1]])
    with pytest.raises(InteropError, match=r"layer 1: the bias must have the shape \(4,\)"):
        join(net.spec, [(layers[0][0], np.zeros(3)), layers[1]])
    with pytest.raises(InteropError, match="must be real numbers, but are complex128"):
        join(net.spec, [(layers[0][0] * 1j, layers[0][1]), layers[1]])
    with pytest.raises(InteropError, match="layer 2 has a bias, and layer 2 of net has none"):
        join(net.spec, [layers[0], (layers[1][0], np.ones(2))])
    assert join(net.spec, [layers[0], (layers[1][0], np.zeros(2))]).shape == (24,)


def test_a_bias_that_is_missing_is_zero_and_wide_weights_are_rounded():
    net = network([2, 1], ["identity"], "float32")
    theta = join(net.spec, [(np.array([[1.0], [1e300]]), None)])
    assert theta.dtype == np.float32 and theta.tolist() == [1.0, np.inf, 0.0]


def test_layers_that_do_not_follow_each_other_are_refused():
    layers = [Layer(np.ones((2, 3)), None, name="first"), Layer(np.ones((4, 1)), None, name="next")]
    with pytest.raises(InteropError, match="next takes 4 inputs, but first before it has 3 out"):
        assemble(layers, "n", "float32")
    with pytest.raises(InteropError, match="no layer with weights"):
        assemble([], "n", "float32")
    with pytest.raises(InteropError, match="first: softmax takes a sum over the units"):
        assemble(
            [Layer(np.ones((2, 3)), None, "softmax", name="first"), Layer(np.ones((3, 1)), None)],
            "n",
            "float32",
        )
    with pytest.raises(InteropError, match=r"its activation 'tan\(z\)' is no formula"):
        assemble([Layer(np.ones((2, 3)), None, "tan(z)")], "n", "float32")


@pytest.mark.parametrize(
    ("last", "given", "expected"),
    [
        ("softmax", None, {"kind": "cross_entropy"}),
        ("sigmoid", None, {"kind": "binary_cross_entropy"}),
        ("tanh", None, {"kind": "squared"}),
        ("tanh", "huber", {"kind": "huber"}),
        ("tanh", {"formula": "log(cosh(y - t))"}, {"formula": "log(cosh(y - t))"}),
        ("tanh", Loss(kind="absolute", l2=0.5), {"kind": "absolute", "l2": 0.5}),
    ],
)
def test_the_loss_is_the_usual_one_or_what_is_given(last, given, expected):
    net = assemble([Layer(np.ones((2, 3)), None, last)], "n", "float32", given)
    assert net.spec.loss == Loss(**expected)


def test_a_loss_that_is_none_is_refused():
    with pytest.raises(SpecError, match="a loss is a kind, a mapping or a Loss"):
        assemble([Layer(np.ones((2, 3)), None)], "n", "float32", 3)  # type: ignore[arg-type]


# ---- Formulas ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_built_in_activations_are_what_their_formulas_say(name):
    z = np.linspace(-9, 9, 200)
    found = evaluate(parse(activations.BUILT_IN[name], ("z",)), {"z": z})
    assert found == pytest.approx(NUMPY[name](z), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("0.5*z*(1 + erf(z*0.70710677))", "gelu"),
        ("z/(1 + exp(-z))", "silu"),
        ("log(1 + exp(z))", "softplus"),
        ("max(z, 0)", "relu"),
        ("0.505*z + 0.495*abs(z)", "leaky_relu"),
        ("(exp(z) - exp(-z))/(exp(z) + exp(-z))", "tanh"),
        ("1/(1 + exp(-z))", "sigmoid"),
        ("z*tanh(log1p(exp(z)))", "mish"),
        ("exp(z)/sum(exp(z))", "softmax"),
        ("relu(z) + 0.0101*min(z, 0)", None),
        ("min(relu(z), 6)", None),
        ("min(relu(z), 1000000)", None),
        ("relu(z - 0.001)", None),
        (activations.GELU_TANH, None),
        ("z*sigmoid(1.702*z)", None),
        ("z - log(sum(exp(z)))", None),
    ],
)
def test_a_formula_that_is_a_built_in_activation_gets_its_name(formula, name):
    assert activations.recognised(parse(formula, ("z",)), "float32") == name


# Each is near a built-in activation over much of what there is, and far from it somewhere.
NEARLY = [
    "min(relu(z), 1e13)",
    "min(relu(z), 1e38)",
    "max(z, -1e37)",
    "max(min(z, 1e13), -1e13)",
    "min(relu(z), 1e4)",
    "relu(z) + 0.0100001*min(z, 0)",
    "relu(z) + 1e-10*min(z, 0)",
    "relu(z) + 1e-30*min(z, 0)",
    "relu(z) + 1.0000001*expm1(min(z, 0))",
    "1.0000001*tanh(z)",
    "max(tanh(z), -0.9999999)",
    "max(z, 1e-30)",
    "relu(z) + 1e-25",
    "max(z, 0) + max(min(z, 1.0e-20), 0)",
    "max(sigmoid(z), 1e-12)",
    "max(log(1 + exp(z)), 1e-20)",
    "softplus(z) + relu(z - 1e30)",
    "sin(1.0000001*z)",
    "exp(-z**2) + 1e-20",
    "z*(1 + erf(z*0.7071))/2",
    "z/(1.0000001 + abs(z))",
    "z + z**2*1e-30",
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("formula", NEARLY)
def test_what_differs_anywhere_in_the_dtype_is_another_function(formula, dtype):
    assert activations.recognised(parse(formula, ("z",)), dtype) is None


@pytest.mark.parametrize(
    ("formula", "dtype", "name"),
    [
        ("min(relu(z), 3.4028234663852886e38)", "float32", "relu"),  # the largest float32
        ("min(relu(z), 3.4028234663852886e38)", "float64", None),
        ("min(relu(z), 1e60)", "float32", "relu"),
        ("max(z, -1.7976931348623157e308)", "float64", "identity"),
    ],
)
def test_what_a_dtype_cannot_tell_apart_is_the_same(formula, dtype, name):
    assert activations.recognised(parse(formula, ("z",)), dtype) == name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("log(1 + exp(z))", "softplus"),
        ("relu(z) + log(1 + exp(-abs(z)))", "softplus"),
        ("exp(z)/(1 + exp(z))", "sigmoid"),
        ("(1 + tanh(z/2))/2", "sigmoid"),
        ("2/(1 + exp(-2*z)) - 1", "tanh"),
        ("max(z, 0) + (exp(min(z, 0)) - 1)", "elu"),
        ("z*((1 + exp(z))**2 - 1)/((1 + exp(z))**2 + 1)", "mish"),
        ("z*exp(z)/(exp(z) + 1)", "silu"),
        ("1/exp(z*z)", "gaussian"),
        ("z - z*abs(z)/(1 + abs(z))", "softsign"),
        ("z*(1 + erf(z*0.70710678118654757))*0.5", "gelu"),
        ("1.0507009873554805*relu(z) + 1.7580993408473766*(exp(min(z, 0)) - 1)", "selu"),
    ],
)
def test_forms_that_overflow_or_cancel_are_known_by_what_they_mean(formula, name, dtype):
    assert activations.recognised(parse(formula, ("z",)), dtype) == name


def test_formulas_made_to_take_long_do_not():
    """Numbers of as many digits as such an argument has would fill the memory."""
    for inner in ("((z**16)**16)**16", "exp(exp(exp(z**16)))", "sinh(cosh(sinh(z)))"):
        for outer in ("sin", "exp", "erf", "tanh", "atan", "softplus"):
            formula = parse(f"relu(z) + 0*{outer}({inner})", ("z",))
            assert activations.recognised(formula, "float64") in (None, "relu")


def test_in_float64_the_constants_have_to_be_right_to_the_last_digits():
    formula = parse("0.5*z*(1 + erf(z*0.70710677))", ("z",))
    assert activations.recognised(formula, "float64") is None


def test_declared_activations_get_names_of_their_own():
    declared = activations.Declarations("float32")
    formulas = [activations.elu(2), activations.elu(3), activations.elu(2), "relu(z)"]
    names = [declared.name(each, "elu", "layer 1") for each in formulas]
    assert names == ["elu_2", "elu_3", "elu_2", "relu"]
    assert declared.formulas["elu_3"] == {"formula": "relu(z) + 3*expm1(min(z, 0))"}


_TREES = st.recursive(
    st.sampled_from(["z", "2", "0.1", "1e-9"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"
        )
        | inner.map(lambda each: f"-({each})")
        | inner.map(lambda each: f"({each})**2")
        | inner.map(lambda each: f"({each})**-1.5" if "z" in each else f"({each})")
        | st.tuples(inner, inner).map(lambda parts: f"max({parts[0]}, tanh({parts[1]}))")
    ),
    max_leaves=8,
)


@given(_TREES)
def test_a_tree_as_text_is_the_same_tree(formula):
    tree = parse(formula, ("z",))
    assert parse(text(tree), ("z",)) == tree


# ---- Files and packages --------------------------------------------------------------------------


def test_a_network_is_stored_in_two_files_and_comes_back(tmp_path):
    net = network([3, 4, 2], ["mine", "tanh"], "float32", own={"mine": "z*2"}, biasless=[2])
    paths = files.save(net, tmp_path / "new")
    assert [path.name for path in paths] == ["net.json", "net.npz"]
    again = files.load(paths[0])
    assert again.spec == net.spec and again.theta.tobytes() == net.theta.tobytes()
    with np.load(paths[1]) as arrays:
        assert sorted(arrays.files) == ["W1", "W2", "b1", "theta"]
    assert "residual" not in paths[0].read_text()


def test_files_that_are_there_are_left_unless_forced(tmp_path):
    net = network([2, 1], ["tanh"])
    (tmp_path / "net.npz").write_bytes(b"mine")
    with pytest.raises(InteropError, match=r"net\.npz is there already; it was left as it is"):
        files.save(net, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
    files.save(net, tmp_path, force=True)
    assert np.array_equal(files.load(tmp_path / "net.json").theta, net.theta)


def test_both_files_or_none(tmp_path, monkeypatch):
    net = network([2, 1], ["tanh"])

    def full(path, arrays):
        raise files.Unwritable(f"{path} was not written: the disk is full", True)

    monkeypatch.setattr(files, "write_npz", full)
    with pytest.raises(SymgradError, match="the disk is full"):
        files.save(net, tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "net.json").write_text("before")
    with pytest.raises(SymgradError, match="the disk is full"):
        files.save(net, tmp_path, force=True)
    assert (tmp_path / "net.json").read_text() == "before"


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_weights_that_cannot_be_read_are_refused(tmp_path, content):
    files.save(network([2, 1], ["tanh"]), tmp_path)
    (tmp_path / "net.npz").unlink()
    if content is not None:
        (tmp_path / "net.npz").write_bytes(content)
    with pytest.raises(InteropError, match=r"net\.npz: "):
        files.load(tmp_path / "net.json")


def test_a_missing_package_is_named_with_the_way_to_it():
    with pytest.raises(errors.MissingPackage) as caught:
        errors.needed("no_such_package.part", "reading this", "extra")
    message = "reading this needs the package no_such_package: pip install 'symgrad[extra]'"
    assert str(caught.value) == message
    assert isinstance(caught.value, SymgradError)
