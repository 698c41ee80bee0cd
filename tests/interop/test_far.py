"""Networks of older tools: read from files that these wrote, and compared with what they predict.

The files, their makers and how they were made: tests/interop/far/README.md. `predictions.json` has,
for each file, inputs and what the tool gave for them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.errors import SymgradError
from symgrad.interop import InteropError, Network, formats
from symgrad.interop.activations import BUILT_IN
from symgrad.interop.numeric import evaluate
from symgrad.spec.formula import parse

FAR = Path(__file__).parent / "far"
PREDICTIONS = json.loads((FAR / "predictions.json").read_text(encoding="utf-8"))

# OpenCV computes in float32.
FINE = {"rtol": 1e-12, "atol": 1e-14}
SINGLE = {"rtol": 2e-6, "atol": 2e-6}


def tolerance(name: str) -> dict[str, float]:
    return SINGLE if name.startswith("opencv") else FINE


def sigmoid_of_r(z: np.ndarray) -> np.ndarray:
    """Exactly 0 and 1 from ±15 on."""
    return np.where(np.abs(z) > 15, np.heaviside(z, 0.5), 1 / (1 + np.exp(-z)))


def read(file: str, **options: Any) -> Network:
    return formats.read(FAR / file, **options)


def by_hand(net: Network, x: Any, of_r: bool = False) -> np.ndarray:
    """The network from raw inputs to raw outputs, as docs/spec.md has it, in float64."""
    spec = net.spec

    def each(value: Any, otherwise: float) -> Any:
        return otherwise if value is None else np.asarray(value)

    before, after = spec.scaling_of_inputs, spec.scaling_of_outputs
    x = np.asarray(x, float)
    if before.ends is not None:
        x = np.clip(x, *map(np.asarray, before.ends))
    made = [(x - each(before.shift, 0.0)) / each(before.scale, 1.0)]
    for number, (layer, (weight, bias)) in enumerate(
        zip(spec.layers, net.layers, strict=True), start=1
    ):
        taken = np.concatenate([made[place] for _, place in spec.sources(number)], axis=1)
        z = taken @ weight + (0 if bias is None else bias)
        tree = spec.activation_tree(layer.activation) or parse(BUILT_IN[layer.activation], ("z",))
        cut = of_r and layer.activation == "sigmoid"
        made.append(sigmoid_of_r(z) if cut else evaluate(tree, {"z": z}))
    y = made[-1] * each(after.scale, 1.0) + each(after.shift, 0.0)
    return y if after.ends is None else np.clip(y, *map(np.asarray, after.ends))


def options_of(name: str) -> dict[str, Any]:
    return {"clip": False} if name == "own.nnet" else {}  # Marabou cuts nothing


@pytest.mark.parametrize("name", sorted(PREDICTIONS))
def test_networks_predict_what_their_tools_do(name):
    known = PREDICTIONS[name]
    y = by_hand(read(name, **options_of(name)), known["x"], of_r=name.startswith("r_"))
    np.testing.assert_allclose(y, known["y"], **tolerance(name))


@pytest.mark.parametrize("name", sorted(PREDICTIONS))
def test_so_they_do_compiled(name):
    known, net = PREDICTIONS[name], read(name, **options_of(name))
    y = symgrad.compile(net.spec).module.predict(net.theta, np.asarray(known["x"], float))
    # R's sigmoids are cut.
    np.testing.assert_allclose(y, by_hand(net, known["x"]), **FINE)
    np.testing.assert_allclose(y, known["y"], **(SINGLE if name[:2] == "r_" else tolerance(name)))


# ---- What is in them -----------------------------------------------------------------------------


def test_names_and_labels_and_losses_come_along():
    assert read("pmml_nyoka_iris_clf.pmml").labels == (0, 1, 2)
    two = read("pmml_nyoka_two.pmml")
    assert two.labels == ("no", "yes") and two.spec.widths == (3, 4, 1)
    assert two.spec.loss.kind == "binary_cross_entropy" and two.spec.input_names == ("a", "b", "c")
    assert read("r_iris.dput").labels == ("setosa", "versicolor", "virginica")
    assert read("r_iris.dput").spec.loss.kind == "cross_entropy"
    assert read("r_two.dput").labels == ("FALSE", "TRUE")
    assert read("r_multinom.dput").spec.widths == (2, 3)  # the intercept is a bias
    lwtnn = read("lwtnn.json")
    assert lwtnn.labels == ("bkg", "sig") and lwtnn.spec.input_names == ("pt", "eta", "phi")
    assert read("r_skip.dput").spec.layers[-1].sources == ("x", "a1")
    assert read("fann_shortcut.net").spec.layers[1].sources == ("x", "a1")
    assert read("opencv_default.xml", name="mine", loss="huber").spec.name == "mine"


def test_activations_have_their_names():
    assert read("fann_sigmoid.net").spec.layers[0].activation == "sigmoid"
    assert read("fann_scaled.net").spec.layers[0].activation == "tanh"
    assert not read("own_genfunction.m").spec.activations
    bell = read("opencv_gaussian.xml").spec
    assert bell.activations["bell"].formula == "2*exp(-(0.5*z)**2)"


def test_lwtnn_has_a_row_of_weights_for_each_unit():
    data = json.loads((FAR / "lwtnn.json").read_text())
    x = np.array([[40.0, 0.3, -1.0], [120.0, -2.0, 3.0]])
    a = (x + [i["offset"] for i in data["inputs"]]) * [i["scale"] for i in data["inputs"]]
    first, second = data["layers"]
    a = np.maximum(a @ np.reshape(first["weights"], (4, 3)).T + first["bias"], 0)
    z = np.exp(a @ np.reshape(second["weights"], (2, 4)).T + second["bias"])
    expected = z / z.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(by_hand(read("lwtnn.json"), x), expected, rtol=1e-12)


def test_nnet_readers_differ_and_options_say_how():
    net = read("own.nnet")
    assert net.spec.scaling_of_inputs.clip == ((-1.0, 1.0), (-2.0, 2.0), (0.0, 10.0))
    known = PREDICTIONS["own.nnet"]
    plain = read("own.nnet", scaling=False, clip=False)
    np.testing.assert_allclose(by_hand(plain, known["x"]), known["unscaled"], rtol=1e-12)
    beyond = np.array([[5.0, 0.0, 3.0]])
    assert np.array_equal(by_hand(net, beyond), by_hand(net, [[1.0, 0.0, 3.0]]))


def test_fann_cuts_linear_outputs_and_scales_where_asked():
    assert read("fann_scaled.net", scaling=False).spec.scaling_of_outputs.clip == (-300.0, 300.0)
    assert read("fann_scaled.net", clip=False).spec.scaling_of_outputs.clip is None
    assert read("fann_scaled.net").spec.scaling_of_inputs.shift is not None


def test_a_dead_input_keeps_its_place():
    net = read("pattern_cells.m")
    assert net.spec.inputs == 4 and not net.layers[0][0][1].any()


# ---- What is refused -----------------------------------------------------------------------------


def changed(folder: Path, name: str, *pairs: tuple[str, str]) -> Path:
    text = (FAR / name).read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


REFUSED: list[tuple[str, tuple[str, str], str]] = [
    (
        "own.nnet",
        ("0.1257302210933933", "__import__('os')"),
        "line 9: a row of W1 must be a number",
    ),
    ("own.nnet", ("-1,-2,0,", "-1,-2,"), "line 5: the minima should be 3, but there are 2"),
    ("own.nnet", ("3,4,2,", "3,4,5,"), "have not 3 inputs and 2 outputs"),
    ("own.nnet", ("3,4,2,", "3,99999999999,2,"), "must be a whole number from 1 to"),
    ("own.nnet", ("-1,-2,0,", "1,-2,0,"), "an input is held at 1.0"),
    ("own.nnet", ("0.094012297760874566,", ""), "it ends where a bias of layer 2 should stand"),
    ("own.nnet", ("0.094012297760874566,", "0.1,\n3,"), "there is more than the layers have"),
    ("fann_sigmoid.net", ("(3, 3, 5.0", "(3, 4, 5.0"), "sigmoid_stepwise, which jumps at its ends"),
    (
        "fann_sigmoid.net",
        ("(3, 3, 5.0", "(3, 5, 5.0"),
        "neuron 4 has another activation than neuron 3",
    ),
    (
        "fann_sigmoid.net",
        ("FANN_FLO_2.1", "FANN_FIX_2.0"),
        "fann_save writes that of numbers in fl",
    ),
    ("fann_sigmoid.net", ("layer_sizes=3 4 2", "layer_sizes=3 4 3"), "do not fit each other"),
    ("fann_sigmoid.net", ("(0, -1.53", "(7, -1.53"), "neuron 3 takes 7, which is no input"),
    ("opencv_default.xml", ("3 4 2", "3 4 3"), "layer 2 should be 15 numbers, but there are 10"),
    ("opencv_default.xml", ("SIGMOID_SYM", "HARD"), "the activation 'HARD' is not understood"),
    ("opencv.yml", ("layer_sizes", "sizes"), "there is no layer_sizes"),
    ("pmml_nyoka_reg.pmml", ('"tanh"', '"threshold"'), "activationFunction 'threshold' is not un"),
    ("pmml_nyoka_reg.pmml", ('from="00"', 'from="nowhere"'), "takes nowhere, which is no input"),
    ("pmml_nyoka_reg.pmml", ('function="+"', 'function="pow"'), "'pow' is not understood"),
    (
        "pmml_nyoka_reg.pmml",
        ("<PMML", "<!DOCTYPE x [<!ENTITY a 'b'>]><PMML"),
        "it has a document type",
    ),
    ("pmml_nyoka_reg.pmml", ('"UTF-8"', '"none-8"'), "no PMML file, or damaged"),
    ("pmml_nyoka_reg.pmml", ("</PMML>", ""), "no PMML file, or damaged"),
    ("pmml_nyoka_iris_clf.pmml", ('outputNeuron="10"', 'outputNeuron="00"'), "3 of the 3 neurons"),
    ("own_genfunction.m", ("a2 = repmat", "system('ls'); a2 = repmat"), "is not understood"),
    ("own_genfunction.m", ("LW2_1*a1", "LW2_1*(a1)"), "is not understood: a layer is b1 + IW1_1*x"),
    ("own_genfunction.m", ("[0.4;0.025]", "[0.4;0.025;1]"), "gain should be 2 numbers, not 3"),
    ("pattern_cells.m", ("logsig_apply", "hardlim_apply"), "the transfer function hardlim is"),
    (
        "pattern_cells.m",
        ("mapminmax_apply(temp", "processpca_apply(temp"),
        "the processing processpca",
    ),
    ("pattern_cells.m", ("IW1_1*Xp1", "IW1_1*X{2,ts}"), "'IW1_1*X{2,ts}' is not understood"),
    ("r_iris.dput", ("nunits = 11", 'n2 = system("ls"), nunits = 11'), ""),
    ("r_iris.dput", ("wts = c(", "wts = c(rm(1), "), "no value of numbers or text"),
    ("r_iris.dput", (" conn = c(", " conn = c(1, "), "nconn, conn and wts do not fit each other"),
    ("lwtnn.json", ('"dense"', '"lstm"'), "layer 1 is 'lstm', which is not understood; dense is"),
    ("lwtnn.json", ('"rectified"', '"maxout"'), "the activation 'maxout' is not understood"),
]


@pytest.mark.parametrize(("name", "pair", "message"), REFUSED)
def test_what_is_not_understood_is_refused(tmp_path, name, pair, message):
    path = changed(tmp_path, name, pair)
    if not message:  # what is not asked for is passed over, and not run
        assert formats.read(path).theta.tobytes() == read(name).theta.tobytes()
        return
    with pytest.raises(InteropError) as error:
        formats.read(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)


def test_what_opencv_cannot_scale_is_said():
    with pytest.raises(InteropError, match=r"OpenCV itself predicts NaN: .* NO_OUTPUT_SCALE"):
        read("opencv_relu_scaled.xml")


def test_what_lies_too_deep_or_is_too_large_is_refused(tmp_path, monkeypatch):
    deep = tmp_path / "deep.pmml"
    deep.write_text("<PMML>" + "<a>" * 10_000)
    with pytest.raises(InteropError, match="elements lie 100 deep"):
        formats.read(deep)
    nested = tmp_path / "deep.dput"
    nested.write_text("structure(list(n = c(" + "c(" * 10_000)
    with pytest.raises(InteropError, match="calls lie more than 50 deep"):
        formats.read(nested)
    monkeypatch.setattr("symgrad.interop.source.LARGEST", 100)
    with pytest.raises(InteropError, match="615 bytes are more than the 100 that are read"):
        read("own.nnet")
    with pytest.raises(InteropError, match="No such file"):
        formats.read(tmp_path / "none.nnet")


def test_options_are_for_formats_that_have_them():
    with pytest.raises(InteropError, match="clip is for files of nnet and fann, not of pmml"):
        read("pmml_nyoka_reg.pmml", clip=False)


def test_contents_tell_where_endings_do_not(tmp_path):
    for name in ("opencv.json", "lwtnn.json", "r_iris.dput", "pmml_nyoka_two.pmml", "opencv.yml"):
        path = shutil.copy(FAR / name, tmp_path / "unknown.txt")
        assert formats.format_of(path) == formats.format_of(FAR / name)


@pytest.mark.parametrize("name", sorted(PREDICTIONS))
def test_a_third_of_a_file_is_refused_in_words(tmp_path, name):
    content = (FAR / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(SymgradError, match=name):
        formats.read(tmp_path / name)


@pytest.mark.slow
@given(st.sampled_from(sorted(PREDICTIONS)), st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
def test_a_damaged_file_is_read_or_refused_in_words(tmp_path, name, data):
    content = bytearray((FAR / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 2))
        length = data.draw(st.integers(0, 12))
        content[place : place + length] = data.draw(st.binary(max_size=6))
    path = tmp_path / name
    path.write_bytes(content)
    try:
        assert formats.read(path).theta.dtype == np.float64
    except SymgradError as error:
        assert str(error)


def test_networks_of_r_come_as_json_too(tmp_path):
    """As jsonlite writes them, with or without auto_unbox."""
    net = read("r_two.dput")
    data = {
        "n": [2, 2, 1],
        "nconn": [0, 0, 0, 0, 3, 6, 9],
        "conn": [0, 1, 2, 0, 1, 2, 0, 3, 4],
        "nsunits": [6],
        "entropy": [True],
        "softmax": False,
        "wts": [*np.vstack([net.layers[0][1], net.layers[0][0]]).T.ravel()],
        "lev": ["FALSE", "TRUE"],
    }
    data["wts"] += [*net.layers[1][1], *net.layers[1][0].ravel()]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(data))
    again = formats.read(path)
    assert again.theta.tobytes() == net.theta.tobytes() and again.labels == net.labels
    assert again.spec.loss.kind == "binary_cross_entropy"
    path.write_text(json.dumps({**data, "nsunits": "all"}))
    with pytest.raises(InteropError, match="nsunits should be numbers"):
        formats.read(path)
    path.write_text(json.dumps({key: data[key] for key in ("n", "nconn", "conn", "wts")}))
    with pytest.raises(InteropError, match="there is no nsunits; needed are n, nconn, conn, nsun"):
        formats.read(path)
