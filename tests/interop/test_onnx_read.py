"""Reading ONNX graphs built by hand: what is folded, what becomes a formula, and each refusal."""

from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.errors import SpecError
from symgrad.interop import InteropError, Network
from symgrad.interop.numeric import evaluate
from symgrad.interop.onnx import is_own, model_of, read, write
from tests.interop.test_network import NUMPY, forward, network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(3)

from onnx import TensorProto, helper, numpy_helper, reference  # noqa: E402

W = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], np.float32)  # from 2 features to 3
B = np.array([0.5, -0.25, 2.0], np.float32)
V = np.array([[1.5], [-1.0], [0.75]], np.float32)  # from 3 to 1
X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32) * 2

Step = tuple[Any, ...]  # kind, inputs, output, and attributes


def graph(
    steps: list[Step],
    constants: dict[str, Any] | None = None,
    *,
    shape: Any = ("n", 2),
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    inputs: tuple[str, ...] = ("x",),
) -> Any:
    """A model of steps on x; W, B and V are always there, and nodes are named by their outputs."""
    arrays = {"W": W, "B": B, "V": V, **(constants or {})}
    used = {name for step in steps for name in step[1]}
    nodes = [
        helper.make_node(step[0], list(step[1]), [step[2]], f"n_{step[2]}", **dict(step[3:]))
        for step in steps
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "made by hand",
            [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
            [helper.make_tensor_value_info(name, kind, ("n", "m")) for name in outputs],
            [
                numpy_helper.from_array(np.asarray(array), name)
                for name, array in arrays.items()
                if name in used
            ],
        ),
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
    )


LINEAR: list[Step] = [("Gemm", ["x", "W", "B"], "z")]


def after(*steps: Step, **options: Any) -> Any:
    """A linear layer, and these steps on z."""
    return graph([*LINEAR, *steps], **options)


def expected(model: Any, x: np.ndarray = X) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


def value(net: Network, x: np.ndarray = X) -> np.ndarray:
    own = {
        name: (lambda z, tree=activation.tree: evaluate(tree, {"z": z}))
        for name, activation in net.spec.activations.items()
    }
    return forward(net, x, own)


def agrees(model: Any) -> Network:
    net = read(model)
    found, theirs = value(net), expected(model)
    assert found.shape == theirs.shape
    np.testing.assert_allclose(found, theirs, rtol=2e-5, atol=1e-5)
    return net


# ---- Linear layers -------------------------------------------------------------------------------


def test_a_plain_network_keeps_its_bits():
    steps = [*LINEAR, ("Relu", ["z"], "a"), ("MatMul", ["a", "V"], "y")]
    net = agrees(graph(steps))
    assert net.spec.widths == (2, 3, 1) and net.spec.dtype == "float32"
    assert [layer.activation for layer in net.spec.layers] == ["relu", "identity"]
    assert [layer.bias for layer in net.spec.layers] == [True, False]
    (w1, b1), (w2, b2) = net.layers
    assert w1.tobytes() == W.tobytes() and b1.tobytes() == B.tobytes()
    assert w2.tobytes() == V.tobytes() and b2 is None
    assert net.spec.name == "made_by_hand" and net.spec.loss.kind == "squared"


def test_the_emitted_module_predicts_what_the_graph_does():
    model = graph([*LINEAR, ("Selu", ["z"], "a"), ("MatMul", ["a", "V"], "y")])
    net = read(model, name="theirs", loss="huber")
    assert net.spec.name == "theirs" and net.spec.loss.kind == "huber"
    found = symgrad.compile(net.spec).module.predict(net.theta, X)
    np.testing.assert_allclose(found, expected(model), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "constants"),
    [
        ([("Gemm", ["x", "W", "B"], "y", ("alpha", 0.5), ("beta", 3.0))], {}),
        ([("Gemm", ["x", "Wt", "B"], "y", ("transB", 1))], {"Wt": W.T.copy()}),
        ([("Gemm", ["x", "W"], "y")], {}),
        ([("Gemm", ["x", "W", "c"], "y")], {"c": np.float32(2)}),
        ([("Gemm", ["x", "W", "c"], "y")], {"c": np.ones((1, 3), np.float32)}),
        ([("MatMul", ["x", "W"], "z"), ("Add", ["B", "z"], "y")], {}),
        ([("MatMul", ["x", "W"], "z"), ("Sub", ["z", "B"], "y")], {}),
        ([("MatMul", ["x", "W"], "z"), ("Sub", ["B", "z"], "y")], {}),
        ([*LINEAR, ("Mul", ["z", "B"], "y")], {}),
        ([*LINEAR, ("Div", ["z", "B"], "y")], {}),
        ([*LINEAR, ("Neg", ["z"], "y")], {}),
        ([*LINEAR, ("Mul", ["z", "c"], "s"), ("Add", ["s", "c"], "y")], {"c": np.float32(3)}),
        ([*LINEAR, ("Mul", ["z", "c"], "s"), ("Add", ["s", "B"], "y")], {"c": np.float32(3)}),
        (
            [("Sub", ["x", "m"], "a"), ("Div", ["a", "s"], "b"), ("Gemm", ["b", "W", "B"], "y")],
            {"m": np.float32([1, 2]), "s": np.float32([[3, 0.5]])},
        ),
        (
            [("Neg", ["x"], "a"), ("Add", ["a", "c"], "b"), ("Gemm", ["b", "W", "B"], "y")],
            {"c": np.float32(0.5)},
        ),
        (
            [("BatchNormalization", ["x", "g", "h", "m", "v"], "a"), ("MatMul", ["a", "W"], "y")],
            {name: np.float32([3, 4]) for name in "ghmv"},
        ),
        (
            [*LINEAR, ("BatchNormalization", ["z", "B", "B", "B", "v"], "y")],
            {"v": np.float32([1, 2, 3])},
        ),
    ],
)
def test_what_is_affine_goes_into_the_weights(steps, constants):
    net = agrees(graph(steps, constants))
    assert [layer.activation for layer in net.spec.layers] == ["identity"]


def test_maps_between_layers_go_into_the_next():
    steps = [
        *LINEAR,
        ("Tanh", ["z"], "a"),
        ("Mul", ["a", "B"], "s"),
        ("Add", ["s", "B"], "t"),
        ("MatMul", ["t", "V"], "y"),
    ]
    net = agrees(graph(steps))
    assert [layer.activation for layer in net.spec.layers] == ["tanh", "identity"]
    assert np.array_equal(net.layers[1][0], B[:, None] * V)


def test_folding_rounds_once():
    weights = np.float32(np.random.default_rng(0).normal(size=(2, 3)))
    factor = np.float32([0.1, 0.2, 0.3])
    steps = [("MatMul", ["x", "R"], "z"), ("Mul", ["z", "f"], "y")]
    net = read(graph(steps, {"R": weights, "f": factor}))
    exact = weights.astype(np.float64) * factor.astype(np.float64)
    assert net.layers[0][0].tobytes() == exact.astype(np.float32).tobytes()


def test_two_linear_layers_in_a_row_stay_two():
    net = agrees(graph([*LINEAR, ("MatMul", ["z", "V"], "y")]))
    assert [layer.activation for layer in net.spec.layers] == ["identity", "identity"]


@pytest.mark.parametrize(
    ("dtype", "kind", "expected"),
    [
        (np.float64, TensorProto.DOUBLE, "float64"),
        (np.float16, TensorProto.FLOAT16, "float32"),
    ],
)
def test_the_dtype_follows_the_weights(dtype, kind, expected):
    model = graph([("MatMul", ["x", "R"], "y")], {"R": W.astype(dtype)}, kind=kind)
    net = read(model)
    assert net.spec.dtype == expected
    assert np.array_equal(net.layers[0][0], W)


def test_constants_may_be_nodes_and_results_of_constants():
    steps: list[Step] = [
        ("Constant", [], "t", ("value", numpy_helper.from_array(W.T.copy()))),
        ("Transpose", ["t"], "R", ("perm", [1, 0])),
        ("Constant", [], "c", ("value_float", 2.0)),
        ("Constant", [], "o", ("value_floats", [1.0, 2.0, 3.0])),
        ("Constant", [], "s", ("value_ints", [-1, 3])),
        ("Mul", ["o", "c"], "b"),
        ("Cast", ["b"], "bb", ("to", TensorProto.FLOAT)),
        ("MatMul", ["x", "R"], "z"),
        ("Add", ["z", "bb"], "zz"),
        ("Reshape", ["zz", "s"], "y"),
    ]
    net = agrees(graph(steps))
    assert net.layers[0][1].tolist() == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    "step",
    [
        ("Identity", ["x"], "h"),
        ("Dropout", ["x"], "h"),
        ("Flatten", ["x"], "h"),
        ("Flatten", ["x"], "h", ("axis", -1)),
        ("Reshape", ["x", "r"], "h"),
        ("Reshape", ["x", "q"], "h"),
        ("Cast", ["x"], "h", ("to", TensorProto.FLOAT)),
    ],
)
def test_what_changes_nothing_is_passed_over(step):
    steps = [step, ("Gemm", ["h", "W", "B"], "y")]
    agrees(graph(steps, {"r": np.int64([-1, 2]), "q": np.int64([0, -1])}))


def test_what_the_output_does_not_need_is_passed_over():
    steps = [*LINEAR, ("Tanh", ["z"], "y"), ("Shape", ["z"], "other"), ("Relu", ["x"], "dead")]
    agrees(graph(steps))


def test_one_of_several_outputs_may_be_named():
    steps = [*LINEAR, ("Softmax", ["z"], "p"), ("ArgMax", ["z"], "label", ("axis", 1))]
    with pytest.raises(InteropError, match="2 outputs, 'z', 'p'; say which is the network's"):
        read(graph(steps, outputs=("z", "p")))
    model = graph(steps, outputs=("label", "p"))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    assert read(model).spec.layers[0].activation == "softmax"  # a label is no number
    assert read(model, output="p").spec.layers[0].activation == "softmax"
    assert read(model, output="z").spec.layers[0].activation == "identity"  # within the graph
    with pytest.raises(InteropError, match="it has no output 'q'; it has 'label', 'p'"):
        read(model, output="q")


# ---- Residuals -----------------------------------------------------------------------------------

SQUARE = np.float32([[0.5, -1, 0.25], [1, 0.125, 2], [-0.75, 1, 1]])


def test_residual_layers():
    steps = [
        ("MatMul", ["x", "W"], "z1"),
        ("Tanh", ["z1"], "a1"),
        ("MatMul", ["a1", "S"], "z2"),
        ("Relu", ["z2"], "r2"),
        ("Add", ["r2", "a1"], "a2"),
        ("Gemm", ["a2", "S", "B"], "z3"),
        ("Add", ["a2", "z3"], "y"),
    ]
    net = agrees(graph(steps, {"S": SQUARE}))
    assert [layer.residual for layer in net.spec.layers] == [False, True, True]
    assert [layer.activation for layer in net.spec.layers] == ["tanh", "relu", "identity"]


def test_a_residual_of_the_input():
    square = W[:, :2].copy()
    net = agrees(graph([("MatMul", ["x", "S"], "z"), ("Add", ["x", "z"], "y")], {"S": square}))
    assert net.spec.layers[0].residual


# ---- Activations ---------------------------------------------------------------------------------

Z = [("z", "y")]


@pytest.mark.parametrize(
    ("kind", "attributes", "opset", "name"),
    [
        ("Relu", {}, 17, "relu"),
        ("LeakyRelu", {}, 17, "leaky_relu"),
        ("Elu", {}, 17, "elu"),
        ("Selu", {}, 17, "selu"),
        ("Gelu", {}, 20, "gelu"),
        ("Mish", {}, 18, "mish"),
        ("Softplus", {}, 17, "softplus"),
        ("Softsign", {}, 17, "softsign"),
        ("Sigmoid", {}, 17, "sigmoid"),
        ("Tanh", {}, 17, "tanh"),
        ("Sin", {}, 17, "sin"),
        ("Softmax", {}, 17, "softmax"),
        ("Softmax", {"axis": 1}, 11, "softmax"),
        ("LeakyRelu", {"alpha": 0.2}, 17, "relu(z) + 0.2*min(z, 0)"),
        ("Elu", {"alpha": 1.5}, 17, "relu(z) + 1.5*expm1(min(z, 0))"),
        ("Celu", {"alpha": 2.0}, 17, "relu(z) + expm1(0.5*min(z, 0))*2"),
        ("Gelu", {"approximate": "tanh"}, 20, None),
        ("HardSigmoid", {}, 17, "min(relu(0.2*z + 0.5), 1)"),
        ("HardSwish", {}, 17, "z*min(relu(z/6 + 0.5), 1)"),
        ("LogSoftmax", {}, 17, "z - log(sum(exp(z)))"),
        ("Cos", {}, 17, "cos(z)"),
        ("Sinh", {}, 17, "sinh(z)"),
        ("Cosh", {}, 17, "cosh(z)"),
        ("Atan", {}, 17, "atan(z)"),
        ("Asinh", {}, 17, None),
        ("Exp", {}, 17, "exp(z)"),
        ("Abs", {}, 17, "abs(z)"),
        ("Erf", {}, 17, "erf(z)"),
        ("Reciprocal", {}, 17, "1/z"),
    ],
)
def test_single_operations(kind, attributes, opset, name):
    net = read(after((kind, ["z"], "y", *attributes.items()), opset=opset))
    found = net.spec.layers[0].activation
    if found in net.spec.activations:
        found = net.spec.activations[found].formula
    if kind == "Celu":
        assert "expm1(0.5*min(z, 0))" in found
    elif name is not None:
        assert found == name
    model = after((kind, ["z"], "y", *attributes.items()), opset=opset)
    np.testing.assert_allclose(value(net), expected(model), rtol=2e-5, atol=1e-5)


def scalars(**numbers: float) -> dict[str, Any]:
    return {name: np.float32(number) for name, number in numbers.items()}


WRITTEN_OUT: dict[str, tuple[list[Step], dict[str, Any]]] = {
    "gelu": (
        [
            ("Div", ["z", "r"], "u"),
            ("Erf", ["u"], "e"),
            ("Add", ["e", "one"], "f"),
            ("Mul", ["z", "f"], "g"),
            ("Mul", ["g", "half"], "y"),
        ],
        scalars(r=np.sqrt(2), one=1, half=0.5),
    ),
    "silu": ([("Sigmoid", ["z"], "s"), ("Mul", ["z", "s"], "y")], {}),
    "mish": (
        [("Softplus", ["z"], "s"), ("Tanh", ["s"], "t"), ("Mul", ["t", "z"], "y")],
        {},
    ),
    "gaussian": ([("Mul", ["z", "z"], "q"), ("Neg", ["q"], "n"), ("Exp", ["n"], "y")], {}),
    "softsign": (
        [("Abs", ["z"], "a"), ("Add", ["one", "a"], "b"), ("Div", ["z", "b"], "y")],
        scalars(one=1),
    ),
    "relu": ([("Max", ["zero", "z"], "y")], scalars(zero=0)),
    "sigmoid": (
        [
            ("Neg", ["z"], "n"),
            ("Exp", ["n"], "e"),
            ("Add", ["e", "one"], "f"),
            ("Div", ["one", "f"], "y"),
        ],
        scalars(one=1),
    ),
    "elu": (
        [
            ("Exp", ["z"], "e"),
            ("Sub", ["e", "one"], "f"),
            ("Greater", ["z", "zero"], "c"),
            ("Where", ["c", "z", "f"], "y"),
        ],
        scalars(one=1, zero=0),
    ),
    "softplus": (
        [
            ("Exp", ["z"], "e"),
            ("Add", ["e", "one"], "f"),
            ("Log", ["f"], "g"),
            ("LessOrEqual", ["z", "large"], "c"),
            ("Where", ["c", "g", "z"], "y"),
        ],
        scalars(one=1, large=20),
    ),
    "leaky_relu": (
        [
            ("Mul", ["z", "slope"], "s"),
            ("Less", ["z", "zero"], "c"),
            ("Where", ["c", "s", "z"], "y"),
        ],
        scalars(slope=0.01, zero=0),
    ),
    "softmax": (
        [("Exp", ["z"], "e"), ("ReduceSum", ["e", "axis"], "s"), ("Div", ["e", "s"], "y")],
        {"axis": np.int64([-1])},
    ),
    "tanh": ([("Clip", ["z", "", ""], "c"), ("Tanh", ["c"], "y")], {}),
    "identity": ([("Pow", ["z", "one"], "y")], scalars(one=1)),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_activations_that_are_written_out_get_their_names(name):
    steps, constants = WRITTEN_OUT[name]
    net = agrees(after(*steps, constants=constants))
    assert net.spec.layers[0].activation == name
    assert net.theta.tobytes() == np.concatenate([W.ravel(), B]).tobytes()


def test_scalars_on_z_go_into_the_weights_where_they_can():
    steps = [("Mul", ["z", "c"], "s"), ("Sigmoid", ["s"], "g"), ("Mul", ["s", "g"], "y")]
    net = agrees(after(*steps, constants=scalars(c=0.5)))
    assert net.spec.layers[0].activation == "silu"
    assert np.array_equal(net.layers[0][0], W / 2)
    steps[2] = ("Mul", ["z", "g"], "y")
    net = agrees(after(*steps, constants=scalars(c=1.702)))
    (declared,) = net.spec.activations.values()
    assert declared.formula == "z*sigmoid(1.702*z)"


@pytest.mark.parametrize(
    ("steps", "constants", "formula"),
    [
        ([("Clip", ["z", "a", "b"], "y")], scalars(a=0, b=6), "min(relu(z), 6)"),
        ([("Clip", ["z", "a"], "y")], scalars(a=-1), "max(z, -1)"),
        ([("Min", ["z", "a", "b"], "y")], scalars(a=1, b=2), "min(min(z, 1), 2)"),
        ([("PRelu", ["z", "a"], "y")], scalars(a=0.25), "relu(z) + 0.25*min(z, 0)"),
        (
            [("PRelu", ["z", "a"], "y")],
            {"a": np.float32([0.25, 0.25, 0.25])},
            "relu(z) + 0.25*min(z, 0)",
        ),
        ([("Tanh", ["z"], "t"), ("Pow", ["t", "a"], "y")], scalars(a=3), "tanh(z)**3"),
        ([("Tanh", ["z"], "t"), ("Pow", ["t", "a"], "y")], {"a": np.int64(2)}, "tanh(z)**2"),
        ([("Tanh", ["z"], "t"), ("Mul", ["t", "a"], "y")], scalars(a=2), "tanh(z)*2"),
        ([("Tanh", ["z"], "t"), ("Sub", ["a", "t"], "y")], scalars(a=2), "2 - tanh(z)"),
        ([("Tanh", ["z"], "t"), ("Neg", ["t"], "y")], {}, "-tanh(z)"),
        ([("Div", ["a", "z"], "y")], scalars(a=2), "2/z"),
        ([("Abs", ["z"], "t"), ("Log", ["t"], "y")], {}, "log(abs(z))"),
        ([("Abs", ["z"], "t"), ("Sqrt", ["t"], "y")], {}, "sqrt(abs(z))"),
    ],
)
def test_other_formulas_are_declared(steps, constants, formula):
    net = agrees(after(*steps, constants=constants))
    (declared,) = net.spec.activations.values()
    assert declared.formula == formula


def test_branches_that_meet_become_one_formula():
    steps = [("Greater", ["z", "c"], "g"), ("Where", ["g", "z", "c"], "y")]
    net = agrees(after(*steps, constants=scalars(c=-1)))
    (declared,) = net.spec.activations.values()
    assert declared.formula.startswith("max(z, -1) + ")


@pytest.mark.parametrize(
    ("c", "left", "right"),
    [(1e13, "six", "r"), (1e30, "six", "r"), (-1e20, "r", "six"), (1e-30, "r", "six")],
)
def test_branches_that_part_far_out_are_no_formula(c, left, right):
    steps = [
        ("Relu", ["z"], "r"),
        ("Greater", ["z", "c"], "g"),
        ("Where", ["g", left, right], "y"),
    ]
    with pytest.raises(InteropError, match="a Where that is no formula"):
        read(after(*steps, constants=scalars(c=c, six=6)))


@pytest.mark.parametrize("high", [1e4, 1e13, 3e38])
def test_a_clip_far_out_is_kept(high):
    model = after(("Clip", ["z", "a", "b"], "y"), constants=scalars(a=0, b=high))
    net = read(model)
    x = np.float32([[1e38, 0], [-1e38, 1e38], [1, 2]])
    np.testing.assert_allclose(value(net, x), expected(model, x), rtol=1e-6)
    assert net.spec.layers[0].activation != "relu"


def test_old_clips_have_their_bounds_as_attributes():
    net = read(after(("Clip", ["z"], "y", ("min", 0.0), ("max", 6.0)), opset=10))
    assert net.spec.activations["activation_1"].formula == "min(relu(z), 6)"
    unbounded = float(np.finfo(np.float32).max)
    net = read(after(("Clip", ["z"], "y", ("min", 0.0), ("max", unbounded)), opset=10))
    assert net.spec.layers[0].activation == "relu"


@pytest.mark.parametrize("name", [name for name in NUMPY if name != "identity"])
def test_written_files_are_read_without_their_notes(name):
    for dtype in ("float32", "float64"):
        net = network([3, 3, 2], ["tanh", name], dtype, residual=[1], biasless=[2])
        model = model_of(net)
        del model.metadata_props[:]
        again = read(model)
        assert again.theta.tobytes() == net.theta.tobytes()
        assert again.spec.layers == net.spec.layers


def test_a_written_file_that_was_edited_is_read_as_it_is():
    model = model_of(network([3, 2], ["tanh"], more={"loss": {"kind": "huber"}}))
    assert read(model).spec.loss.kind == "huber"
    assert read(model, name="other", loss="absolute").spec.name == "other"
    model.graph.node[-1].op_type = "Sigmoid"
    net = read(model)
    assert net.spec.layers[0].activation == "sigmoid" and net.spec.loss.kind != "huber"


@pytest.mark.parametrize("note", ["[" * 100_000, "{}", "no JSON", '{"name": 3}'])
def test_notes_that_are_none_are_passed_over(note):
    model = model_of(network([3, 2], ["tanh"]))
    model.metadata_props[0].value = note
    assert read(model).spec.layers[0].activation == "tanh"


# ---- Refusals ------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str]] = {
    "unknown": (
        after(("NonZero", ["z"], "y")),
        r"node 'n_y' \(NonZero\): not understood; read are linear layers and functions of each u",
    ),
    "convolution": (
        after(("Conv", ["z", "B"], "y")),
        r"node 'n_y' \(Conv\): not understood; there are no convolutions \(see Limits in the",
    ),
    "transA": (
        graph([("Gemm", ["x", "W"], "y", ("transA", 1))], shape=(2, 2)),
        r"node 'n_y' \(Gemm\): transA = 1 mixes the samples",
    ),
    "weights not constant": (
        graph([("Gemm", ["x", "x"], "y")], shape=(2, 2)),
        "its weights are not constant",
    ),
    "matrix on the left": (
        graph([("MatMul", ["V", "x"], "y")], shape=(1, 3)),
        "its weights are not constant",
    ),
    "bias not constant": (
        graph([("MatMul", ["x", "W"], "z"), ("Gemm", ["x", "W", "z"], "y")]),
        "its C is not constant",
    ),
    "bias for each sample": (
        graph([("Gemm", ["x", "W", "c"], "y")], {"c": np.ones((7, 3), np.float32)}),
        r"a constant of shape \(7, 3\) has no number for each of the 3 features",
    ),
    "weights of three axes": (
        graph([("MatMul", ["x", "c"], "y")], {"c": np.ones((1, 2, 3), np.float32)}),
        r"its weights are float32 of shape \(1, 2, 3\)",
    ),
    "widths": (
        graph([("MatMul", ["x", "V"], "y")]),
        "its weights take 3 features, but 2 come in",
    ),
    "residual of other widths": (
        graph([("MatMul", ["x", "W"], "z"), ("Add", ["z", "x"], "y")], shape=("n", 2)),
        "it adds 2 features to 3",
    ),
    "softmax inside": (
        after(("Softmax", ["z"], "p"), ("MatMul", ["p", "V"], "y")),
        "a sum over the units comes before it",
    ),
    "softmax over samples": (
        after(("Softmax", ["z"], "y", ("axis", 0))),
        r"it runs over the axes \[0\]",
    ),
    "sum of sums": (
        after(
            ("ReduceSum", ["z", "axis"], "s"),
            ("Add", ["s", "z"], "t"),
            ("ReduceSum", ["t", "axis"], "y"),
            constants={"axis": np.int64([1])},
        ),
        "a sum over the units comes before it",
    ),
    "power of two tensors": (
        after(("Pow", ["z", "z"], "y")),
        "powers of a layer's output by a constant number",
    ),
    "large power": (
        after(("Pow", ["z", "c"], "y"), constants=scalars(c=99)),
        "the exponent is 99.0, over 16 in size",
    ),
    "jump": (
        after(
            ("Greater", ["z", "c"], "g"),
            ("Where", ["g", "z", "d"], "y"),
            constants=scalars(c=1, d=0),
        ),
        "a Where that is no formula",
    ),
    "where of something": (
        after(
            ("IsNaN", ["z"], "g"), ("Where", ["g", "z", "z"], "y")
        ),
        r"node 'n_g' \(IsNaN\): not understood",
    ),
    "training": (
        graph(
            [("Dropout", ["x", "r", "t"], "h"), ("MatMul", ["h", "W"], "y")],
            {"r": np.float32(0.5), "t": np.bool_(True)},
        ),
        "it is in training mode",
    ),
    "flatten": (
        graph([("Flatten", ["x"], "h", ("axis", 0)), ("MatMul", ["h", "W"], "y")], shape=(1, 2)),
        "axis = 0 joins samples with features",
    ),
    "reshape": (
        graph([("Reshape", ["x", "r"], "h"), ("MatMul", ["h", "W"], "y")],
              {"r": np.int64([2, -1])}),
        r"it changes the shape \(samples, 2\) to \(2, -1\)",
    ),
    "three axes": (
        graph([("MatMul", ["x", "W"], "y")], shape=("n", 5, 2)),
        r"node 'n_y' \(MatMul\): what comes in has other axes than samples by features",
    ),
    "integers in": (
        graph([("Cast", ["x"], "h", ("to", 1)), ("MatMul", ["h", "W"], "y")],
              kind=TensorProto.INT64),
        "the input 'x' holds INT64; understood are floating-point numbers",
    ),
    "integers inside": (
        after(("Cast", ["z"], "i", ("to", TensorProto.INT64)),
              ("Cast", ["i"], "y", ("to", TensorProto.FLOAT))),
        "it makes INT64 of a layer's output",
    ),
    "two inputs": (
        graph([("Add", ["x", "x2"], "h"), ("MatMul", ["h", "W"], "y")], inputs=("x", "x2")),
        "it has 2 inputs, 'x', 'x2'; understood is one",
    ),
    "no input": (
        graph([("Mul", ["W", "B"], "y")]),
        "the output 'y' does not depend on the input",
    ),
    "no layer": (
        graph([("Identity", ["x"], "y")]),
        "there is no layer with weights",
    ),
    "infinite constant": (
        after(("Mul", ["z", "c"], "y"), constants=scalars(c=np.inf)),
        "the constant inf is not finite",
    ),
    "constants of other sizes": (
        after(("Mul", ["z", "c"], "y"), constants={"c": np.ones((1, 1, 3), np.float32)}),
        r"a constant of shape \(1, 1, 3\) has no number for each of the 3 features",
    ),
    "old": (
        after(("Relu", ["z"], "y"), opset=6),
        "it uses opset 6; understood are those from 7 on",
    ),
    "division by features": (
        graph([("Div", ["B", "z"], "y")][:0] + [*LINEAR, ("Div", ["B", "z"], "y")]),
        "it divides a number for each feature by a layer's output",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_perceptron_is_refused_where_it_stands(case):
    model, message = REFUSED[case]
    with pytest.raises(InteropError, match=message) as caught:
        read(model)
    assert "\n" not in str(caught.value)


def test_nodes_without_names_are_called_by_what_they_give():
    model = after(("NonZero", ["z"], "y"))
    model.graph.node[1].name = ""
    with pytest.raises(InteropError, match="the NonZero node that gives 'y': not understood"):
        read(model)


def test_numbers_of_an_unheard_of_type_are_refused():
    model = after(("Tanh", ["z"], "y"))
    model.graph.input[0].type.tensor_type.elem_type = 99
    with pytest.raises(InteropError, match="the input 'x' holds type 99; understood are floating"):
        read(model)


def test_a_name_or_loss_that_is_none_is_refused():
    with pytest.raises(SpecError, match="name"):
        read(after(("Tanh", ["z"], "y")), name="no name")
    with pytest.raises(SpecError, match="loss"):
        read(after(("Tanh", ["z"], "y")), loss="hinge")


@pytest.mark.parametrize("stem", ["my-net.v2", "numpy", "2nd", "ü", ""])
def test_names_come_from_files_as_far_as_they_can(tmp_path, stem):
    path = tmp_path / f"{stem}.onnx"
    onnx.save(after(("Tanh", ["z"], "y")), path)
    assert read(path).spec.name == {"my-net.v2": "my_net"}.get(stem, "network")


def test_long_graphs_are_no_matter_of_the_stack():
    steps: list[Step] = [("Identity", ["x"], "s0")]
    steps += [("Add", [f"s{k}", "c"], f"s{k + 1}") for k in range(5000)]
    steps += [("MatMul", ["s5000", "W"], "z")]
    steps += [("Mul", ["z" if k == 0 else f"t{k}", "d"], f"t{k + 1}") for k in range(5000)]
    steps += [("Identity", ["t5000"], "y")]
    net = read(graph(steps, scalars(c=0.001, d=1.0001)))
    np.testing.assert_allclose(net.layers[0][1], 5 * W.sum(0) * 1.0001**5000, rtol=1e-4)


def test_formulas_that_explode_are_refused():
    doubled: list[Step] = [("Tanh", ["z"], "s0")]
    doubled += [("Mul", [f"s{k}"] * 2, f"s{k + 1}") for k in range(60)]
    with pytest.raises(InteropError, match="the formula of the activation that it ends is too lo"):
        read(after(*doubled, outputs=("s60",)))
    deep: list[Step] = [("Tanh", ["z"], "s0")]
    deep += [("Tanh", [f"s{k}"], f"s{k + 1}") for k in range(300)]
    with pytest.raises(InteropError, match="too long"):
        read(after(*deep, outputs=("s300",)))
    with pytest.raises(InteropError, match="nested more than 50 levels deep"):
        read(after(*deep[:100], outputs=("s99",)))


# ---- Casts ---------------------------------------------------------------------------------------

FLOAT, DOUBLE, FLOAT16, BFLOAT16 = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
)
FINE = np.float32([[1.0009765625 + 2**-12, 1 / 3, -2.7182817], [1e-3, 7.1, 65000.25]])


def bfloat16(array: np.ndarray) -> np.ndarray:
    """The nearest numbers of 8 significant bits, ties to even, by what they are."""
    fraction, exponent = np.frexp(array.astype(np.float64))
    return np.ldexp(np.rint(fraction * 256) / 256, exponent).astype(np.float32)


@pytest.mark.parametrize(
    ("half", "rounded"),
    [(FLOAT16, lambda array: array.astype(np.float16).astype(np.float32)), (BFLOAT16, bfloat16)],
)
def test_weights_that_the_graph_rounds_are_rounded(half, rounded):
    steps: list[Step] = [
        ("Cast", ["R"], "h", ("to", half)),
        ("Cast", ["h"], "w", ("to", FLOAT)),
        ("MatMul", ["x", "w"], "y"),
    ]
    net = read(graph(steps, {"R": FINE}))
    assert not np.array_equal(net.layers[0][0], FINE)
    np.testing.assert_array_equal(net.layers[0][0], rounded(FINE))
    if half == FLOAT16:
        model = graph(steps, {"R": FINE})
        np.testing.assert_allclose(value(net), expected(model), rtol=1e-6)


def test_constants_are_worked_out_in_their_own_precision():
    """In float16 1 + 0.0004 is 1, and 0.1·0.1 is 0.00999."""
    steps: list[Step] = [
        ("Cast", ["B"], "h", ("to", FLOAT16)),
        ("Mul", ["h", "h"], "q"),
        ("Add", ["q", "tiny"], "s"),
        ("Cast", ["s"], "b", ("to", FLOAT)),
        ("Gemm", ["x", "W", "b"], "y"),
    ]
    tiny = np.float16([0.0004])
    model = graph(steps, {"B": np.float32([1, 0.1, -3.3]), "tiny": tiny})
    b = np.float16([1, 0.1, -3.3])
    np.testing.assert_array_equal(read(model).layers[0][1], np.float32(b * b + tiny))
    net = read(model)
    assert net.layers[0][1][0] == 1
    # onnxruntime's optimiser leaves out some roundings; the standard's own evaluator does not.
    standard = reference.ReferenceEvaluator(model).run(None, {"x": X})[0]
    np.testing.assert_allclose(value(net), standard, rtol=1e-6)


def test_a_scalar_of_half_precision_is_what_it_is():
    """float16's 0.1 is 0.09997558…, and the graph multiplies by that."""
    steps: list[Step] = [
        ("Cast", ["c"], "h", ("to", FLOAT16)),
        ("Cast", ["h"], "f", ("to", FLOAT)),
        ("Tanh", ["z"], "t"),
        ("Mul", ["t", "f"], "y"),
    ]
    net = agrees(after(*steps, constants=scalars(c=0.1)))
    np.testing.assert_allclose(
        value(net) / value(read(after(steps[2], outputs=("t",)))), float(np.float16(0.1)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (TensorProto.INT64, [2.9, -2.9, 0.5], [2, -2, 0]),
        (TensorProto.INT8, [127.5, -128.9, 1], [127, -128, 1]),
        (TensorProto.BOOL, [0.25, 0, -1], [1, 0, 1]),
    ],
)
def test_constants_become_integers_as_the_standard_says(kind, given, wanted):
    steps: list[Step] = [
        ("Cast", ["c"], "i", ("to", kind)),
        ("Cast", ["i"], "b", ("to", FLOAT)),
        ("Gemm", ["x", "W", "b"], "y"),
    ]
    model = graph(steps, {"c": np.float32(given)})
    assert read(model).layers[0][1].tolist() == wanted
    agrees(model)


def test_casts_of_constants_that_mean_nothing_are_refused():
    def model(number: float, kind: int) -> Any:
        steps: list[Step] = [
            ("Cast", ["c"], "i", ("to", kind)),
            ("Cast", ["i"], "b", ("to", FLOAT)),
            ("Gemm", ["x", "W", "b"], "y"),
        ]
        return graph(steps, {"c": np.float32([number] * 3)}, opset=19)

    for number, kind in ((128, TensorProto.INT8), (np.nan, TensorProto.INT64), (1e30, 7)):
        with pytest.raises(InteropError, match=r"n_i.*numbers in it are none of int"):
            read(model(number, kind))
    for kind in (TensorProto.FLOAT8E4M3FN, TensorProto.STRING, TensorProto.COMPLEX64):
        with pytest.raises(InteropError, match=r"n_i.*of constants, which is not understood"):
            read(model(1, kind))


@pytest.mark.parametrize("half", [FLOAT16, BFLOAT16])
@pytest.mark.parametrize("place", ["x", "z"])
def test_what_flows_is_not_rounded_to_half_precision(place, half):
    steps: dict[str, list[Step]] = {
        "x": [
            ("Cast", ["x"], "h", ("to", half)),
            ("Cast", ["h"], "f", ("to", FLOAT)),
            ("Gemm", ["f", "W", "B"], "y"),
        ],
        "z": [
            *LINEAR,
            ("Cast", ["z"], "h", ("to", half)),
            ("Cast", ["h"], "f", ("to", FLOAT)),
            ("Relu", ["f"], "y"),
        ],
    }
    with pytest.raises(InteropError, match=r"n_h' \(Cast\): it rounds what comes in to B?FLOAT16"):
        read(graph(steps[place]))


def double(steps: list[Step], **constants: Any) -> Any:
    return graph(steps, constants, kind=DOUBLE)


def test_inputs_of_float64_go_into_a_network_of_float32():
    """Its module rounds them, as the graph does."""
    steps: list[Step] = [("Cast", ["x"], "f", ("to", FLOAT)), ("Gemm", ["f", "W", "B"], "y")]
    net = read(double(steps))
    assert net.spec.dtype == "float32"
    x = X.astype(np.float64) + 1e-9
    found = symgrad.compile(net.spec).module.predict(net.theta, x)
    model = double(steps)
    model.graph.output[0].type.tensor_type.elem_type = FLOAT
    np.testing.assert_allclose(found, expected(model, x), rtol=1e-6)


def test_rounding_to_float32_within_a_network_of_float64_is_refused():
    wide = W.astype(np.float64) / 3
    rounding = r"n_f' \(Cast\): it rounds DOUBLE to FLOAT"
    there: list[Step] = [("Cast", ["x"], "f", ("to", FLOAT))]
    back: list[Step] = [("Cast", ["f"], "g", ("to", DOUBLE)), ("MatMul", ["g", "R"], "y")]
    with pytest.raises(InteropError, match=rounding):
        read(double([*there, *back], R=wide))
    with pytest.raises(InteropError, match=rounding):
        read(
            double(
                [
                    ("MatMul", ["x", "R"], "z"),
                    ("Cast", ["z"], "f", ("to", FLOAT)),
                    ("Tanh", ["f"], "y"),
                ],
                R=wide,
            )
        )
    kept = [("Cast", ["x"], "f", ("to", DOUBLE)), ("MatMul", ["f", "R"], "y")]
    assert read(graph(kept, {"R": wide})).spec.dtype == "float64"


def test_inputs_that_are_scaled_in_float64_keep_their_digits():
    """In float32 nothing would be left of them but their mean."""
    steps: list[Step] = [
        ("Sub", ["x", "m"], "c"),
        ("Cast", ["c"], "f", ("to", FLOAT)),
        ("MatMul", ["f", "W"], "y"),
    ]
    model = double(steps, m=np.float64([1e9, -1e9]))
    model.graph.output[0].type.tensor_type.elem_type = FLOAT
    net = read(model)
    assert net.spec.dtype == "float64"
    x = X.astype(np.float64) + [1e9, -1e9]
    np.testing.assert_allclose(value(net, x), expected(model, x), rtol=1e-5, atol=2e-6)


# ---- Shapes and bounds ---------------------------------------------------------------------------


def test_a_constant_keeps_axes_where_its_reshape_has_0():
    keeping: Step = ("Reshape", ["V", "s"], "w")
    for shape in ([0, 1], [0, -1], [-1, 0], [3, 0], [0, 0]):
        steps = [*LINEAR, keeping, ("MatMul", ["z", "w"], "y")]
        agrees(graph(steps, {"s": np.int64(shape)}))
    flat = [*LINEAR, keeping, ("Add", ["z", "w"], "y")]
    agrees(graph(flat, {"V": B, "s": np.int64([0])}))
    agrees(graph(flat, {"V": B.reshape(1, 3), "s": np.int64([0, 0])}))
    for shape, message in (
        ([0, 0, 0], "it keeps axis 2, which is not there"),
        ([0, 2], "fit each"),
    ):
        with pytest.raises(InteropError, match=message):
            read(graph([*LINEAR, keeping, ("MatMul", ["z", "w"], "y")], {"s": np.int64(shape)}))
    with pytest.raises(InteropError, match=r"n_w.*do not fit each other|weights are .* of shape"):
        none: Step = (*keeping, ("allowzero", 1))
        read(graph([*LINEAR, none, ("MatMul", ["z", "w"], "y")], {"s": np.int64([0, 1])}))


def test_what_flows_keeps_no_axis_of_length_0():
    for shape in ([0, -1], [0, 0], [0, 2], [-1, 0]):
        step: Step = ("Reshape", ["x", "r"], "h")
        agrees(graph([step, ("Gemm", ["h", "W", "B"], "y")], {"r": np.int64(shape)}))
        zero: Step = (*step, ("allowzero", 1))
        with pytest.raises(InteropError, match="it changes the shape"):
            read(graph([zero, ("Gemm", ["h", "W", "B"], "y")], {"r": np.int64(shape)}))


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div"])
def test_maps_of_an_input_of_unknown_width(kind):
    """The linear layer says how wide it is."""
    linear: Step = ("Gemm", ["h", "W", "B"], "y")
    for numbers in ([0.5, -2.0], [[0.5, -2.0]], [3.0]):
        constants = {"c": np.float32(numbers)}
        agrees(graph([(kind, ["x", "c"], "h"), linear], constants, shape=("n", "m")))
    for steps in (
        [(kind, ["x", "c"], "h"), linear],
        [(kind, ["x", "c"], "g"), (kind, ["g", "d"], "h"), linear],
        [("Identity", ["x"], "g"), (kind, ["g", "d"], "e"), (kind, ["e", "c"], "h"), linear],
    ):
        constants = {"c": np.float32([0.5, -2.0, 1.0]), "d": np.float32([1.0, 2.0])}
        message = (
            "take 2 features, but 3 come in|numbers for each feature meet that are not equally"
        )
        with pytest.raises(InteropError, match=message):
            read(graph(steps, constants, shape=("n", "m")))


def test_bounds_and_slopes_that_are_no_numbers_are_refused():
    inf = float("inf")
    for low, high, message in (
        (inf, 1, "min is inf"),
        (0, -inf, "max is -inf"),
        (np.nan, 1, "nan"),
    ):
        with pytest.raises(InteropError, match=message):
            read(after(("Clip", ["z", "a", "b"], "y"), constants=scalars(a=low, b=high)))
    net = agrees(after(("Clip", ["z", "a", "b"], "y"), constants=scalars(a=-inf, b=inf)))
    assert net.spec.layers[0].activation == "identity"
    for step in (("LeakyRelu", inf), ("Elu", np.nan)):
        with pytest.raises(InteropError, match="its alpha is"):
            read(after((step[0], ["z"], "y", ("alpha", step[1]))))
    with pytest.raises(InteropError, match="its min is inf"):
        read(after(("Clip", ["z"], "y", ("min", inf)), opset=10))


def test_maps_that_do_not_fit_into_weights_are_refused():
    steps: list[Step] = [("Mul", ["x", "c"], "h"), ("MatMul", ["h", "R"], "y")]
    with pytest.raises(InteropError, match=r"n_y.*too large for float32"):
        read(graph(steps, {"c": np.float32(1e30), "R": W * np.float32(1e10)}))
    with pytest.raises(InteropError, match=r"n_y.*weights are not finite"):
        read(graph(steps, {"c": np.float32(2), "R": W * np.float32(np.inf)}))
    bare = read(graph([("MatMul", ["x", "R"], "y")], {"R": W * np.float32(np.inf)}))
    assert np.isinf(bare.layers[0][0]).all()


# ---- Files ---------------------------------------------------------------------------------------

ENDINGS = [
    "onnx",
    "json",
    "onnxjson",
    "pbtxt",
    "textproto",
    "prototxt",
    "onnxtxt",
    "onnxtext",
    "pb",
]
OTHERS = {
    "text": b"hello, world",
    "object": b'{"layers": [1, 2], "inputs": 4}',
    "list": b"[1, 2]",
    "nested": b"[" * 100_000,
    "wrong types": b'{"graph": {"node": [{"input": [1]}]}}',
    "text of another message": b"graph { layer { } }",
    "deep": b"graph { node { attribute { g { " * 2000,
    "XML": b"<?xml version='1.0'?><a/>",
    "UTF-16": "graph {}".encode("utf-16"),
    "zeros": bytes(64),
    "all bytes": bytes(range(256)),
    "a name unknown": b"<ir_version: 7>\na (float[N] x) => (float[N] y) { y = Foo(x) }",
}


@pytest.mark.parametrize("content", OTHERS)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_other_forms_are_refused_in_one_line(tmp_path, ending, content):
    """Without a warning of onnx's, too: some forms it calls experimental."""
    path = tmp_path / f"net.{ending}"
    path.write_bytes(OTHERS[content])
    with pytest.raises(InteropError, match=rf"net\.{ending}: ") as raised:
        read(path)
    assert "\n" not in str(raised.value)
    assert not is_own(path)


@pytest.mark.parametrize("ending", ["json", "pbtxt"])
def test_forms_of_text_are_read(tmp_path, ending):
    path = tmp_path / f"net.{ending}"
    onnx.save(graph(LINEAR, outputs=("z",)), path)
    assert np.array_equal(read(path).layers[0][0], W)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds no graph"),
        (b"not an ONNX file at all", "no ONNX file, or damaged"),
        (None, "No such file"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path, content, message):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InteropError, match=message):
        read(path)


def test_a_cut_file_is_refused(tmp_path):
    content = write(network([3, 4, 2], ["tanh", "tanh"]), tmp_path / "net.onnx").read_bytes()
    for length in range(1, len(content), 7):
        (tmp_path / "cut.onnx").write_bytes(content[:length])
        with pytest.raises(InteropError):
            read(tmp_path / "cut.onnx")


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_damaged_files_are_read_or_refused(tmp_path):
    """Whatever bit was flipped."""
    net = network([3, 4, 2], ["tanh", "softmax"])
    content = bytearray(write(net, tmp_path / "net.onnx").read_bytes())
    random = np.random.default_rng(0)
    outcomes = set()
    for place in random.integers(8 * len(content), size=300).tolist():
        damaged = content.copy()
        damaged[place // 8] ^= 1 << place % 8
        (tmp_path / "bad.onnx").write_bytes(damaged)
        try:
            outcomes.add(type(read(tmp_path / "bad.onnx")))
        except InteropError as error:
            assert "\n" not in str(error)
            outcomes.add(InteropError)
    assert outcomes == {Network, InteropError}


def test_tensors_that_do_not_fit_their_shapes_are_refused():
    model = graph(LINEAR, outputs=("z",))
    model.graph.initializer[0].dims[0] = 1_000_000
    with pytest.raises(InteropError, match=r"no valid ONNX model|do not fit its shape"):
        read(model)


def test_external_data_is_read_from_beside_the_file_only(tmp_path):
    model = graph(LINEAR, outputs=("z",))
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.bin", size_threshold=0)
    assert np.array_equal(read(path).layers[0][0], W)
    (tmp_path / "net.bin").unlink()
    with pytest.raises(InteropError, match=r"net\.onnx"):
        read(path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "net.bin").write_bytes(b"\0" * 100)
    lying = onnx.load(path, load_external_data=False)
    for tensor in lying.graph.initializer:
        tensor.external_data[0].value = "../net.bin"
    (tmp_path / "inside" / "net.onnx").write_bytes(lying.SerializeToString())
    with pytest.raises(InteropError, match=r"inside.net\.onnx"):
        read(tmp_path / "inside" / "net.onnx")


def test_external_data_of_a_model_in_memory_is_refused():
    model = graph(LINEAR, outputs=("z",))
    onnx.external_data_helper.convert_model_to_external_data(model, size_threshold=0)
    with pytest.raises(InteropError):
        read(model)


def test_what_is_no_model_is_refused():
    with pytest.raises(InteropError, match=r"a path or an onnx\.ModelProto, not int"):
        read(3)
