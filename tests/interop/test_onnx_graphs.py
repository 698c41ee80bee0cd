"""Reading ONNX graphs as exporters and optimisers leave them, each kind of node built by hand."""

from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.interop import InteropError
from symgrad.interop.onnx import read
from tests.interop.test_onnx_read import (
    LINEAR,
    B,
    Step,
    V,
    W,
    X,
    after,
    agrees,
    expected,
    graph,
    scalars,
    value,
)

onnx = pytest.importorskip("onnx")

S = W[:, :2].copy()  # from 2 features to 2
Z: list[Step] = [*LINEAR]
MICROSOFT = ("domain", "com.microsoft")


def ints(**arrays: Any) -> dict[str, Any]:
    return {name: np.array(array, np.int64) for name, array in arrays.items()}


# ---- Layers that take several, and what has no linear layer before it ----------------------------

JOINED: dict[str, tuple[list[Step], int]] = {  # steps, and the layers that they become
    "an activation first": ([("Tanh", ["x"], "a"), ("MatMul", ["a", "W"], "y")], 2),
    "a gate of the input": (
        [("Sigmoid", ["x"], "s"), ("Mul", ["x", "s"], "a"), ("MatMul", ["a", "W"], "y")], 2,
    ),
    "an activation after a residual": (
        [("MatMul", ["x", "S"], "z"), ("Add", ["x", "z"], "a"), ("Relu", ["a"], "y")], 2,
    ),
    "two branches": (
        [*Z, ("Tanh", ["z"], "t"), ("MatMul", ["x", "W"], "u"), ("Add", ["u", "t"], "y")], 2,
    ),
    "two linear branches": ([*Z, ("MatMul", ["x", "W"], "u"), ("Add", ["u", "z"], "y")], 1),
    "over two layers": (
        [("MatMul", ["x", "S"], "p"), ("Tanh", ["p"], "t"), ("MatMul", ["t", "S"], "b"),
         ("Add", ["x", "b"], "s"), ("Relu", ["s"], "y")], 2,
    ),
    "an activation, over two layers": (
        [("MatMul", ["x", "S"], "p"), ("Tanh", ["p"], "t"), ("MatMul", ["t", "S"], "b"),
         ("Relu", ["b"], "r"), ("Add", ["r", "x"], "s"), ("Sub", ["s", "t"], "y")], 3,
    ),
    "a difference": (
        [("MatMul", ["x", "S"], "z"), ("Tanh", ["z"], "t"), ("Sub", ["t", "x"], "y")], 2,
    ),
    "a scale after the end": ([*Z, ("Tanh", ["z"], "t"), ("Mul", ["t", "B"], "y")], 2),
    "a sum of three": (
        [*Z, ("Tanh", ["z"], "t"), ("Relu", ["z"], "r"), ("Sum", ["t", "r", "B"], "y")], 2,
    ),
    "a mean": ([*Z, ("Tanh", ["z"], "t"), ("Mean", ["t", "z"], "y")], 1),
    "side by side, then a layer": (
        [*Z, ("Tanh", ["z"], "t"), ("Concat", ["x", "t"], "c", ("axis", 1)),
         ("MatMul", ["c", "wide"], "y")], 2,
    ),
    "side by side, scaled": (
        [*Z, ("Tanh", ["z"], "t"), ("Mul", ["t", "B"], "m"),
         ("Concat", ["x", "m"], "c", ("axis", -1)), ("MatMul", ["c", "wide"], "y")], 2,
    ),
    "the same twice": (
        [*Z, ("Tanh", ["z"], "t"), ("Concat", ["x", "t", "x"], "c", ("axis", 1)),
         ("MatMul", ["c", "wider"], "y")], 2,
    ),
    "side by side at the end": (
        [*Z, ("Tanh", ["z"], "t"), ("Concat", ["x", "t"], "y", ("axis", 1))], 2,
    ),
    "one layer in two parts": (
        [*Z, ("Tanh", ["z"], "t"), ("MatMul", ["x", "S"], "u"), ("Tanh", ["u"], "v"),
         ("Concat", ["v", "t"], "y", ("axis", 1))], 1,
    ),
    "a slope for each unit": ([*Z, ("PRelu", ["z", "B"], "y")], 3),
    "a slope for each unit, as Keras has it": (
        [*Z, ("Relu", ["z"], "r"), ("Neg", ["z"], "n"), ("Relu", ["n"], "q"),
         ("Mul", ["B", "q"], "m"), ("Add", ["r", "m"], "y")], 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", JOINED)
def test_what_joins_layers_is_a_layer(case):
    steps, layers = JOINED[case]
    wide = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    net = agrees(graph(steps, {"S": S, "wide": wide[:5], "wider": wide}))
    assert len(net.spec.layers) == layers


def test_a_network_with_skips_compiles():
    steps, _ = JOINED["over two layers"]
    model = graph(steps, {"S": S})
    net = read(model)
    assert net.spec.layers[1].sources == ("x", "a1")
    found = symgrad.compile(net.spec).module.predict(net.theta, X)
    np.testing.assert_allclose(found, expected(model), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([*Z, ("MatMul", ["x", "W"], "u"), ("Mul", ["u", "z"], "y")], "it joins tensors of differ"),
        ([*Z, ("MatMul", ["x", "S"], "u"), ("Sub", ["z", "u"], "y")], "it joins 3 features with 2"),
        ([*Z, ("Concat", ["z", "z"], "y", ("axis", 0))], "axis = 0 joins samples"),
        ([*Z, ("PRelu", ["z", "x"], "y")], "its slope is not constant"),
        ([*Z, ("Max", ["z", "B"], "y")], r"a constant of shape \(3,\); understood is one number"),
    ],
)
def test_what_no_layer_does_is_refused(steps, message):
    with pytest.raises(InteropError, match=message):
        read(graph(steps, {"S": S}))


def test_an_input_of_unknown_width_has_no_diagonal_layer():
    steps: list[Step] = [("Tanh", ["x"], "a"), ("MatMul", ["a", "W"], "y")]
    with pytest.raises(InteropError, match=r"n_a.*does not say how many features come in"):
        read(graph(steps, shape=("n", "m")))


# ---- What optimisers put together ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (("Gelu", ["z"], "y", MICROSOFT), "gelu"),
        (("BiasGelu", ["z", "B"], "y", MICROSOFT), "gelu"),
        (("FastGelu", ["z", "B"], "y", MICROSOFT), None),
        (("FastGelu", ["z"], "y", MICROSOFT), None),
        (("QuickGelu", ["z"], "y", ("alpha", 1.0), MICROSOFT), "silu"),
        (("QuickGelu", ["z"], "y", MICROSOFT), None),
    ],
)
def test_activations_of_onnxruntime(step, name):
    (layer,) = agrees(after(step)).spec.layers
    assert layer.activation == (name or "activation_1")


@pytest.mark.parametrize(
    ("activation", "options", "formula"),
    [
        ("Tanh", {}, "tanh"),
        ("Sigmoid", {}, "sigmoid"),
        ("LeakyRelu", {"activation_alpha": 0.25}, "relu(z) + 0.25*min(z, 0)"),
    ],
)
def test_products_with_their_activation(activation, options, formula):
    options = {"activation": activation, "transB": 1, **options}
    step: Step = ("FusedGemm", ["x", "Wt", "B"], "y", *options.items(), MICROSOFT)
    net = agrees(graph([step], {"Wt": W.T.copy()}))
    found = net.spec.layers[0].activation
    assert found == formula or net.spec.activations[found].formula == formula


@pytest.mark.parametrize("equation", ["bi,ij->bj", "nk, kl -> nl", "bi,ji->bj"])
def test_einsums_that_are_linear_maps(equation):
    weight = W.T.copy() if equation.endswith("ji->bj") else W
    step: Step = ("Einsum", ["x", "M"], "y", ("equation", equation))
    agrees(graph([step], {"M": weight}))
    flows, matrix = equation.split("->")[0].split(",")
    turned = f"{matrix},{flows}->{equation.split('->')[1]}"
    agrees(graph([("Einsum", ["M", "x"], "y", ("equation", turned))], {"M": weight}))


@pytest.mark.parametrize("equation", ["bi,ij->jb", "bi,bj->ij", "ii,ij->ij", "bi,ij->b"])
def test_other_einsums_are_refused(equation):
    with pytest.raises(InteropError, match=r"n_y.*its equation is"):
        read(graph([("Einsum", ["x", "W"], "y", ("equation", equation))], shape=(2, 2)))


def test_scalers_of_pipelines():
    attributes = {"offset": [1.0, -2.0], "scale": [0.5, 3.0], "domain": "ai.onnx.ml"}
    model = graph([("Scaler", ["x"], "s", *attributes.items()), ("MatMul", ["s", "W"], "y")])
    model.opset_import.add(domain="ai.onnx.ml", version=1)
    assert len(agrees(model).spec.layers) == 1


def test_weights_that_are_worked_out():
    """As of weight_norm: v·g/|v|."""
    steps: list[Step] = [
        ("ReduceL2", ["M", "one"], "n", ("keepdims", 1)),
        ("Div", ["M", "n"], "u"),
        ("Mul", ["u", "g"], "w"),
        ("Gemm", ["x", "w", "B"], "y", ("transB", 1)),
    ]
    agrees(
        graph(steps, {"M": W.T.copy(), "g": np.float32([[1], [2], [3]]), **ints(one=[1])}, opset=20)
    )


def test_constants_that_are_put_together():
    steps: list[Step] = [
        ("Unsqueeze", ["B", "zero"], "b"),
        ("Concat", ["b", "b"], "bb", ("axis", 0)),
        ("Gather", ["bb", "one"], "c", ("axis", 0)),
        ("MatMul", ["x", "W"], "z"),
        ("Add", ["z", "c"], "y"),
    ]
    assert len(agrees(graph(steps, ints(zero=[0], one=[1]))).spec.layers) == 1


# ---- Branches ------------------------------------------------------------------------------------

PIECES: dict[str, tuple[list[Step], dict[str, Any]]] = {
    "elu, as tf2onnx has it": (
        [("Exp", ["z"], "e"), ("Sub", ["e", "one"], "m"), ("Greater", ["z", "zero"], "g"),
         ("Not", ["g"], "n"), ("Cast", ["g"], "gf", ("to", 1)), ("Cast", ["n"], "nf", ("to", 1)),
         ("Mul", ["z", "gf"], "p"), ("Mul", ["m", "nf"], "q"), ("Add", ["p", "q"], "y")],
        scalars(one=1, zero=0),
    ),
    "soft shrink by a sign": (
        [("Abs", ["z"], "a"), ("Greater", ["a", "half"], "g"), ("Sign", ["z"], "s"),
         ("Mul", ["s", "half"], "h"), ("Sub", ["z", "h"], "d"), ("Mul", ["z", "zero"], "n"),
         ("Where", ["g", "d", "n"], "y")],
        scalars(half=0.5, zero=0),
    ),
    "between two bounds": (
        [("Greater", ["z", "half"], "g"), ("Less", ["z", "low"], "l"), ("Or", ["g", "l"], "o"),
         ("Where", ["g", "half", "low"], "v"), ("Where", ["o", "v", "z"], "y")],
        scalars(half=0.5, low=-1),
    ),
    "not beyond two bounds": (
        [("LessOrEqual", ["z", "half"], "g"), ("GreaterOrEqual", ["z", "low"], "l"),
         ("And", ["g", "l"], "o"), ("Where", ["g", "low", "half"], "v"),
         ("Where", ["o", "z", "v"], "y")],
        scalars(half=0.5, low=-1),
    ),
    "the size by the sign": ([("Sign", ["z"], "s"), ("Mul", ["s", "z"], "y")], {}),
    "a line that turns elsewhere": (
        [("Mul", ["z", "two"], "d"), ("Add", ["d", "one"], "e"), ("Greater", ["e", "zero"], "g"),
         ("Where", ["g", "e", "zero"], "y")],
        scalars(two=2, one=1, zero=0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PIECES)
def test_pieces_that_meet_are_one_formula(case):
    steps, constants = PIECES[case]
    assert len(agrees(after(*steps, constants=constants)).spec.layers) == 1


def test_elu_in_pieces_has_its_name():
    steps, constants = PIECES["elu, as tf2onnx has it"]
    assert read(after(*steps, constants=constants)).spec.layers[0].activation == "elu"


@pytest.mark.parametrize(
    "steps",
    [
        [("Sign", ["z"], "y")],
        [("Greater", ["z", "c"], "g"), ("Cast", ["g"], "f", ("to", 1)), ("Mul", ["z", "f"], "y")],
        [("Abs", ["z"], "a"), ("Greater", ["a", "c"], "g"), ("Where", ["g", "z", "d"], "y")],
    ],
)
def test_what_jumps_is_no_formula(steps):
    with pytest.raises(InteropError, match="its branches do not meet, as those of what jumps"):
        read(after(*steps, constants=scalars(c=1, d=0)))


# ---- The largest of the units --------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
def test_a_softmax_that_does_not_overflow(log):
    steps: list[Step] = [
        ("ReduceMax", ["z"], "m", ("axes", [1]), ("keepdims", 1)),
        ("Sub", ["z", "m"], "d"),
        ("Exp", ["d"], "e"),
        ("ReduceSum", ["e", "axis"], "s"),
        ("Log", ["s"], "l"),
        ("Sub", ["d", "l"] if log else ["d", "d"], "y" if log else "n"),
        ("Div", ["e", "s"], "n" if log else "y"),
    ]
    net = agrees(after(*steps[:5], *steps[5:] if log else steps[6:], constants=ints(axis=[1])))
    (layer,) = net.spec.layers
    assert layer.activation == ("activation_1" if log else "softmax")


def test_the_largest_of_the_units_by_itself_is_refused():
    step: Step = ("ReduceMax", ["z"], "m", ("axes", [1]))
    with pytest.raises(InteropError, match="the largest of the units"):
        read(after(step, ("Sub", ["z", "m"], "y")))


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("ReduceSum", "identity"),
        ("ReduceMean", "activation_2"),
        ("ReduceL2", "activation_2"),
        ("ReduceSumSquare", "identity"),
        ("ReduceLogSumExp", "activation_2"),
    ],
)
def test_a_sum_over_the_units_is_a_layer_of_one(kind, last):
    net = agrees(after((kind, ["z", "axis"], "y"), constants=ints(axis=[1]), opset=18))
    assert net.spec.outputs == 1 and net.spec.layers[-1].activation == last
    flat = after((kind, ["z", "axis"], "y", ("keepdims", 0)), constants=ints(axis=[1]), opset=18)
    np.testing.assert_allclose(value(read(flat))[:, 0], expected(flat), rtol=1e-5)


# ---- Axes ----------------------------------------------------------------------------------------

SHAPES: dict[str, list[Step]] = {
    "a maximum with zeros": [
        ("Shape", ["z"], "s"), ("ConstantOfShape", ["s"], "o"), ("Max", ["z", "o"], "y"),
    ],
    "a maximum with what is expanded": [
        ("Shape", ["z"], "s"), ("Expand", ["half", "s"], "o"), ("Max", ["z", "o"], "y"),
    ],
    "a shape of its own parts": [
        ("Shape", ["z"], "s"), ("Gather", ["s", "none"], "n"),
        ("Concat", ["n", "rest"], "r", ("axis", 0)),
        ("Reshape", ["z", "r"], "y"),
    ],
    "axes that come and go": [
        ("Unsqueeze", ["z", "one"], "u"), ("Tanh", ["u"], "t"), ("Squeeze", ["t", "one"], "y"),
    ],
    "a row as an array": [
        ("Reshape", ["z", "array"], "u"), ("Relu", ["u"], "t"), ("Flatten", ["t"], "y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("batch", ["n", 7])
@pytest.mark.parametrize("case", SHAPES)
def test_shapes_are_followed(case, batch):
    constants = {**scalars(half=0.5), **ints(none=[0], one=[1], rest=[3], array=[-1, 3, 1])}
    net = agrees(after(*SHAPES[case], constants=constants, shape=(batch, 2)))
    assert len(net.spec.layers) == 1


@pytest.mark.parametrize(
    "steps",
    [
        [("Squeeze", ["p", "one"], "y")],
        [("Squeeze", ["p"], "y")],
        [("Reshape", ["p", "flat"], "y")],
        [("Squeeze", ["p", "last"], "s"), ("Sigmoid", ["s"], "y")],
    ],
)
def test_a_single_output_may_lose_its_axis(steps):
    steps = [*Z, ("MatMul", ["z", "V"], "p"), *steps]
    model = graph(steps, ints(one=[1], last=[-1], flat=[-1]))
    model.graph.output[0].type.tensor_type.shape.dim.pop()
    np.testing.assert_allclose(value(read(model))[:, 0], expected(model), rtol=1e-5, atol=1e-6)


def test_images_are_rows_once_they_are_flattened():
    steps: list[Step] = [
        ("Div", ["x", "full"], "s"),
        ("Sub", ["s", "mean"], "c"),
        ("Flatten", ["c"], "f"),
        ("Gemm", ["f", "M", "B"], "y"),
    ]
    x = np.random.default_rng(1).uniform(0, 255, (5, 2, 3)).astype(np.float32)
    weight = np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32)
    constants = {"M": weight, **scalars(full=255), "mean": np.float32([[0.1], [0.3]])}
    model = graph(steps, constants, shape=("n", 2, 3))
    net = read(model)
    assert net.spec.widths == (6, 3)
    np.testing.assert_allclose(
        value(net, x.reshape(5, 6)), expected(model, x), rtol=1e-5, atol=1e-5
    )


def test_several_outputs_in_one_column_are_rows():
    """As skl2onnx ends a regression."""
    steps: list[Step] = [("Reshape", ["z", "column"], "c"), ("Identity", ["c"], "y")]
    model = after(*steps, constants=ints(column=[-1, 1]))
    np.testing.assert_allclose(value(read(model)).reshape(-1, 1), expected(model), rtol=1e-5)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("Reshape", ["z", "column"], "c"), ("Relu", ["c"], "y")], "numbers below each other"),
        ([("Unsqueeze", ["z", "none"], "y")], "an axis before the samples"),
        ([("Squeeze", ["z", "one"], "y")], "which stay"),
        ([("Expand", ["z", "more"], "y")], "it repeats what comes in"),
        ([("Unsqueeze", ["z", "one"], "u"), ("Softmax", ["u"], "y")], "other axes than samples"),
        ([("Unsqueeze", ["z", "one"], "u"), ("Add", ["u", "z"], "y")], "tensors of different axes"),
    ],
)
def test_axes_that_matter_are_refused(steps, message):
    constants = ints(column=[-1, 1], none=[0], one=[1], more=[2, 1, 3])
    with pytest.raises(InteropError, match=message):
        read(after(*steps, constants=constants))


# ---- Classes -------------------------------------------------------------------------------------


def classifier(steps: list[Step], classes: Any, zipped: bool = True) -> Any:
    """As skl2onnx makes it: of probabilities p a label, and maps."""
    kind = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_int64s"
    steps = [*steps, ("ArgMax", ["p"], "a", ("axis", 1))]
    if zipped:
        steps.append(("ZipMap", ["p"], "m", (kind, classes), ("domain", "ai.onnx.ml")))
    steps += [
        ("ArrayFeatureExtractor", ["names", "a"], "n", ("domain", "ai.onnx.ml")),
        ("Reshape", ["n", "flat"], "label"),
    ]
    names = np.array(classes, object if isinstance(classes[0], str) else np.int64)
    model = graph(
        steps, {"names": names, **ints(flat=[-1]), **scalars(one=1)}, outputs=("label", "p")
    )
    model.opset_import.add(domain="ai.onnx.ml", version=1)
    label, numbers = model.graph.output
    label.type.tensor_type.elem_type = 8 if isinstance(classes[0], str) else 7
    if zipped:
        key = 8 if isinstance(classes[0], str) else 7
        value = onnx.helper.make_tensor_type_proto(1, ())
        maps = onnx.helper.make_sequence_type_proto(onnx.helper.make_map_type_proto(key, value))
        numbers.CopyFrom(onnx.helper.make_value_info("m", maps))
    return model


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("classes", [["a", "b", "c"], [4, 2, 7]])
def test_classes_keep_their_names(classes, zipped):
    net = read(classifier([*Z, ("Softmax", ["z"], "p")], classes, zipped))
    assert net.labels == tuple(classes) and net.spec.layers[0].activation == "softmax"
    assert net.classes(np.eye(3)).tolist() == classes


@pytest.mark.parametrize("zipped", [False, True])
def test_two_classes_are_a_softmax(zipped):
    steps: list[Step] = [
        *Z,
        ("MatMul", ["z", "V"], "u"),
        ("Sigmoid", ["u"], "s"),
        ("Sub", ["one", "s"], "o"),
        ("Concat", ["o", "s"], "p", ("axis", 1)),
    ]
    net = read(classifier(steps, ["no", "yes"], zipped))
    assert net.labels == ("no", "yes") and net.spec.loss.kind == "cross_entropy"
    plain = graph(steps, scalars(one=1), outputs=("p",))
    np.testing.assert_allclose(value(net), expected(plain), rtol=1e-6, atol=1e-6)
    w, _ = net.layers[-1]
    assert np.array_equal(w, np.hstack([0 * V, V]))


def test_complements_of_several_are_sigmoids():
    steps: list[Step] = [
        *Z,
        ("Sigmoid", ["z"], "s"),
        ("Sub", ["one", "s"], "o"),
        ("Concat", ["o", "s"], "y", ("axis", 1)),
    ]
    net = agrees(graph(steps, scalars(one=1)))
    assert [layer.activation for layer in net.spec.layers] == ["sigmoid"]
    assert np.array_equal(net.layers[0][1], np.concatenate([-B, B]))


# ---- Chosen columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        ("Slice", ["t", "one", "three", "axis"], "y"),
        ("Gather", ["t", "pair"], "y", ("axis", 1)),
    ],
)
def test_columns_of_a_layer_are_a_narrower_layer(step):
    constants = ints(one=[1], three=[3], axis=[1], pair=[2, 0])
    net = agrees(after(("Tanh", ["z"], "t"), step, constants=constants))
    assert net.spec.widths == (2, 2)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("Gather", ["z", "far"], "y", ("axis", 1))], "it chooses features that are not there"),
        ([("Gather", ["z", "one"], "y", ("axis", 0))], "chosen by a list, along axis 1"),
        ([("Slice", ["z", "one", "one", "axis"], "y")], "it chooses no feature at all"),
        ([("Slice", ["z", "one", "far"], "y")], r"it slices the axes \[0\]"),
        ([("Softmax", ["z"], "p"), ("Gather", ["p", "one"], "y", ("axis", 1))], "on all units"),
    ],
)
def test_other_choices_are_refused(steps, message):
    with pytest.raises(InteropError, match=message):
        read(after(*steps, constants=ints(one=[1], far=[7], axis=[1])))
