"""PMML and .nnet files out: read back to the same weights, and evaluated by other code."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import symgrad
from symgrad.interop import InteropError, Network, nnet, pmml
from symgrad.spec.spec import Spec
from symgrad.training.predict import predict
from symgrad.training.trained import Trained
from tests import nets
from tests.interop.test_far import FAR, by_hand
from tests.interop.test_network import network
from tests.training.test_freeze import trained

X = np.random.default_rng(3).normal(size=(8, 3)) * 2
PMML = {"p": "http://www.dmg.org/PMML-4_4"}


def scaled(net: Network, **tables: Any) -> Network:
    data = {**net.spec.normalised(), **tables}
    return Network(Spec.parse(data), net.theta)


CLIPPED = scaled(
    network([3, 4, 2], ["relu", "identity"]),
    inputs={
        "count": 3,
        "shift": [1.0, -2.0, 0.1],
        "scale": [2.5, 0.3, 1.0],
        "clip": [[-1, 1], [-2, 2], [0, 1]],
    },
    outputs={"shift": 10.0, "scale": -3.0},
)
SKIPPING = scaled(
    network([3, 4, 2], ["tanh", "identity"]),
    layers=[
        {"units": 2, "activation": "sin"},
        {"units": 3, "activation": "sigmoid", "from": ["x", "a1"]},
    ],
    outputs={"clip": [0.2, 0.7]},
)


def pmml_by_hand(path: Path, row: dict[str, float]) -> dict[str, Any]:
    """What a document says of one sample, by the text of the standard."""
    root = ElementTree.parse(path).getroot()
    derived = {
        e.get("name"): e for e in root.iterfind("p:TransformationDictionary/p:DerivedField", PMML)
    }

    def value(e: Any) -> float:
        tag = e.tag.partition("}")[2]
        if tag == "Constant":
            return float(e.text)
        if tag == "FieldRef":
            name = e.get("field")
            return value(derived[name][0]) if name in derived else row[name]
        if tag == "NormContinuous":
            (low, at_low), (high, at_high) = [
                (float(p.get("orig")), float(p.get("norm"))) for p in e
            ]
            name = e.get("field")
            x = value(derived[name][0]) if name in derived else row[name]
            x = min(max(x, low), high) if e.get("outliers") == "asExtremeValues" else x
            return at_low + (x - low) / (high - low) * (at_high - at_low)
        if tag == "NormDiscrete":
            return float(str(row[e.get("field")]) == e.get("value"))
        a, b = map(value, e)
        return {"-": a - b, "/": a / b}[e.get("function")]

    model = root.find("p:NeuralNetwork", PMML)
    assert model is not None
    values = {
        e.get("id"): value(e[0][0]) for e in model.iterfind("p:NeuralInputs/p:NeuralInput", PMML)
    }
    functions = {
        "identity": lambda z: z,
        "tanh": np.tanh,
        "rectifier": lambda z: max(z, 0.0),
        "sine": np.sin,
        "logistic": lambda z: 1 / (1 + np.exp(-z)),
    }
    for layer in model.iterfind("p:NeuralLayer", PMML):
        made = {
            neuron.get("id"): functions[layer.get("activationFunction")](
                float(neuron.get("bias", "0"))
                + sum(float(c.get("weight")) * values[c.get("from")] for c in neuron)  # type: ignore[arg-type]
            )
            for neuron in layer
        }
        if layer.get("normalizationMethod") == "softmax":
            total = sum(map(np.exp, made.values()))
            made = {key: np.exp(z) / total for key, z in made.items()}
        values |= made
    targets = {e.get("field"): e for e in model.iterfind("p:Targets/p:Target", PMML)}
    found = {}
    for output in model.iterfind("p:NeuralOutputs/p:NeuralOutput", PMML):
        of = output[0][0]
        number = values[output.get("outputNeuron")]
        if (target := targets.get(of.get("field"))) is not None:
            number = min(
                max(number, float(target.get("min", "-inf"))), float(target.get("max", "inf"))
            )
            number = number * float(target.get("rescaleFactor", "1")) + float(
                target.get("rescaleConstant", "0")
            )
        found[of.get("value", of.get("field"))] = number
    return found


def rows(x: np.ndarray) -> list[dict[str, float]]:
    return [{f"x{k}": value for k, value in enumerate(row)} for row in x.tolist()]


@pytest.mark.parametrize("net", [CLIPPED, SKIPPING, network([3, 5, 4], ["tanh", "softmax"])])
def test_pmml_computes_what_the_network_does_and_comes_back(tmp_path, net):
    path = pmml.write(net, tmp_path / "net.pmml")
    expected = symgrad.compile(net.spec).module.predict(net.theta, X)
    found = [list(pmml_by_hand(path, row).values()) for row in rows(X)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    again = pmml.read(path)
    assert again.theta.tobytes() == net.theta.tobytes()
    assert again.spec.layers[:-1] == net.spec.layers[:-1]
    assert again.spec.scaling_of_inputs.normalised() == net.spec.scaling_of_inputs.normalised()
    assert again.spec.scaling_of_outputs.normalised() == net.spec.scaling_of_outputs.normalised()
    assert (
        pmml.is_own(path) and pmml.write(net, tmp_path / "b.pmml").read_bytes() == path.read_bytes()
    )


def a_run(kind: str, dtype: str = "float64") -> Trained:
    widths, names, loss, labels = {
        "classes": ([3, 4, 3], ["tanh", "softmax"], "cross_entropy", ("a", "b <&>", "c")),
        "two": ([3, 4, 1], ["relu", "sigmoid"], "binary_cross_entropy", (1, 7)),
        "numbers": ([3, 4, 2], ["relu", "identity"], "squared", None),
    }[kind]
    return trained(nets.net(widths, names, dtype=dtype, kind=loss), labels=labels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["classes", "two", "numbers"])
def test_runs_go_out_as_pmml_in_raw_units(tmp_path, kind, dtype):
    run = a_run(kind, dtype)
    path = pmml.write(run, tmp_path / "run.pmml")
    again = pmml.read(path)
    predicted = predict(run, X)
    expected = predicted.outputs
    close = {"rtol": 1e-12, "atol": 1e-14} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(by_hand(again, X), expected, **close)
    assert (
        np.array_equal(again.theta, run.theta.astype(np.float64))
        and again.labels == run.columns.labels
    )
    documented = [pmml_by_hand(path, row) for row in rows(X)]
    if kind == "two":
        assert all(each["1"] + each["7"] == pytest.approx(1) for each in documented)
        documented = [{"7": each["7"]} for each in documented]
    np.testing.assert_allclose(
        [list(each.values()) for each in documented], by_hand(again, X), rtol=1e-9
    )


def test_missing_values_are_filled_in_pmml(tmp_path):
    run = trained(nets.net([3, 1], ["identity"]), fill=True)
    text = pmml.write(run, tmp_path / "run.pmml").read_text()
    assert run.scaling.fill is not None
    for value in run.scaling.fill.tolist():
        assert f'missingValueReplacement="{value!r}"' in text
    with pytest.raises(
        InteropError, match=r"fills missing values, which a \.nnet file has no place"
    ):
        nnet.write(run, tmp_path / "run.nnet")


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            network([3, 4, 2], ["gelu", "identity"]),
            "layer 1 has the activation 'gelu'; PMML has ident",
        ),
        (network([3, 3], ["tanh"], residual=[1]), "layer 1 is residual, which no layer of PMML is"),
    ],
)
def test_what_pmml_cannot_hold_is_refused(tmp_path, net, message):
    with pytest.raises(InteropError, match=message):
        pmml.write(net, tmp_path / "net.pmml")
    assert not [*tmp_path.iterdir()]


def test_formulas_that_pmml_has_a_name_for_go_out(tmp_path):
    net = network(
        [3, 4, 2], ["arc", "mine"], own={"arc": "2*atan(z)/3.141592653589793", "mine": "z**2"}
    )
    again = pmml.read(pmml.write(net, tmp_path / "net.pmml"))
    np.testing.assert_allclose(by_hand(again, X), by_hand(net, X), rtol=1e-15)


# ---- .nnet ---------------------------------------------------------------------------------------


def nnet_by_hand(path: Path, x: np.ndarray) -> np.ndarray:
    """The numbers of a file one after the other, however they lie in lines."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    numbers = iter(float(each) for each in ",".join(lines).split(",") if each.strip())

    def take(*shape: int) -> np.ndarray:
        return np.array([next(numbers) for _ in range(int(np.prod(shape)))]).reshape(shape)

    layers, inputs, _, _ = (int(each) for each in take(4))
    widths = [int(each) for each in take(layers + 1)]
    take(1)
    low, high, means, ranges = take(inputs), take(inputs), take(inputs + 1), take(inputs + 1)
    a = (np.clip(x, low, high) - means[:-1]) / ranges[:-1]
    for place in range(layers):
        weight, bias = take(widths[place + 1], widths[place]), take(widths[place + 1])
        a = a @ weight.T + bias
        a = np.maximum(a, 0) if place < layers - 1 else a
    assert next(numbers, None) is None
    return a * ranges[-1] + means[-1]


def test_nnet_computes_what_the_network_does_and_comes_back(tmp_path):
    path = nnet.write(CLIPPED, tmp_path / "net.nnet")
    expected = symgrad.compile(CLIPPED.spec).module.predict(CLIPPED.theta, X)
    np.testing.assert_allclose(nnet_by_hand(path, X), expected, rtol=1e-12)
    again = nnet.read(path)
    assert again.spec.normalised() == {**CLIPPED.spec.normalised(), "name": "net"}
    assert again.theta.tobytes() == CLIPPED.theta.tobytes()
    assert nnet.is_own(path) and not nnet.is_own(FAR / "own.nnet")


def test_runs_go_out_as_nnet(tmp_path):
    run = a_run("numbers")
    path = nnet.write(run, tmp_path / "run.nnet")
    expected = predict(run, X).outputs
    np.testing.assert_allclose(nnet_by_hand(path, X), expected, rtol=1e-12)  # scaled by two units
    np.testing.assert_allclose(by_hand(nnet.read(path), X), expected, rtol=1e-12)
    assert "// x: x0, x1, x2\n// y: y0, y1\n" in path.read_text()


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            network([3, 4, 2], ["tanh", "identity"]),
            "layer 1 has the activation tanh; in a .nnet file",
        ),
        (network([3, 4, 2], ["relu", "softmax"]), "layer 2 has the activation softmax"),
        (SKIPPING, "layer 1 has the activation sin"),
        (
            scaled(CLIPPED, outputs={"clip": 1.0}),
            "the spec cuts its outputs, which a .nnet file cannot",
        ),
        (network([3, 3, 1], ["relu", "identity"], residual=[1]), "layer 1 skips others"),
    ],
)
def test_what_a_nnet_file_cannot_hold_is_refused(tmp_path, net, message):
    with pytest.raises(InteropError, match=message):
        nnet.write(net, tmp_path / "net.nnet")
    assert not [*tmp_path.iterdir()]


def test_what_marabou_and_pmml4s_said_of_written_files_still_holds(tmp_path):
    """They read these very files: make_written.py."""
    said = json.loads((FAR / "written.json").read_text())
    for form, write in (("pmml", pmml.write), ("nnet", nnet.write)):
        path = write(CLIPPED, tmp_path / f"clipped.{form}")
        assert path.read_text() == (FAR / f"clipped.{form}").read_text()
        np.testing.assert_allclose(by_hand(CLIPPED, said["x"]), said[form], rtol=1e-12)
