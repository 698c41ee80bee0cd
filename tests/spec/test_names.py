"""names: inputs and outputs by name, what a spec says of them, and every refusal by its message."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from symgrad.errors import SpecError
from symgrad.spec.spec import Layer, Spec

HEAT = """\
name = "heat"
inputs = ["x", "t"]

[[layers]]
units = 3
activation = "tanh"

[[layers]]
names = ["u"]
"""

HEAT_DATA: dict[str, Any] = {
    "name": "heat",
    "dtype": "float32",
    "inputs": ["x", "t"],
    "layers": [
        {"units": 3, "activation": "tanh", "bias": True, "residual": False},
        {"units": 1, "activation": "identity", "bias": True, "residual": False, "names": ["u"]},
    ],
    "loss": {"kind": "squared", "l1": 0.0, "l2": 0.0, "sample_weights": False},
    "activations": {},
}


def small(**changes: Any) -> dict[str, Any]:
    return {"name": "small", "inputs": ["x", "t"], "layers": [{"names": ["u"]}]} | changes


def refusal(source: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        Spec.parse(source)
    return str(caught.value)


def test_names_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "heat.toml"
    path.write_text(HEAT)
    spec = Spec.load(path)
    assert (spec.inputs, spec.input_names) == (2, ("x", "t"))
    assert (spec.outputs, spec.output_names) == (1, ("u",))
    assert spec.widths == (2, 3, 1)
    assert spec.normalised() == HEAT_DATA


def test_every_way_in_gives_the_same_spec() -> None:
    spec = Spec.parse(HEAT_DATA)
    layers = (Layer(units=3, activation="tanh"), Layer(names=("u",)))  # type: ignore[call-arg]
    ways = [
        Spec.parse(spec.normalised()),
        Spec.parse(json.loads(json.dumps(HEAT_DATA))),
        Spec(name="heat", inputs=("x", "t"), layers=layers),
        Spec.recorded(spec.normalised()),
        pickle.loads(pickle.dumps(spec)),
        copy.deepcopy(spec),
        spec.model_copy(),
    ]
    assert all(way == spec and way.digest() == spec.digest() for way in ways)
    assert all(way.input_names == ("x", "t") for way in ways)


def test_without_names_nothing_is_said_of_them() -> None:
    spec = Spec.parse(small(inputs=2, layers=[{"units": 1}]))
    assert spec.input_names is None and spec.output_names is None
    assert spec.normalised()["inputs"] == 2
    assert "names" not in spec.normalised()["layers"][-1]
    assert Spec.parse(small()).unnamed() == spec != Spec.parse(small())


def test_names_of_either_kind_stand_alone() -> None:
    assert Spec.parse(small(layers=[{"units": 1}])).output_names is None
    assert Spec.parse(small(inputs=2)).input_names is None
    assert Spec.parse(small(layers=[{"units": 1, "names": ["u"]}])) == Spec.parse(small())


def test_x_y_and_t_will_do_where_nothing_reads_them_otherwise() -> None:
    plane = Spec.parse(small(inputs=["x", "y"], layers=[{"names": ["t"]}]))
    assert (plane.input_names, plane.output_names) == (("x", "y"), ("t",))
    alone = small(inputs=["x"], layers=[{"names": ["y"]}], loss={"formula": "(y - t)**2"})
    assert Spec.parse(alone).output_names == ("y",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": []}, "inputs: must have at least one name"),
        ({"inputs": "x"}, "inputs: must be a whole number or a list of names, not 'x'"),
        ({"inputs": ["x", 3]}, "inputs[1]: must be text in quotes, not 3"),
        ({"inputs": ["x", "a b"]}, "inputs[1]: 'a b' is no identifier; use the letters a to z,"
         " digits and underscores, and begin with no digit"),
        ({"inputs": ["class"]}, "inputs[0]: 'class' is a keyword of Python; choose another name"),
        ({"inputs": ["exp"]},
         "inputs[0]: 'exp' is a function of formulas; choose another name"),
        ({"inputs": ["sum"]},
         "inputs[0]: 'sum' is a function of formulas; choose another name"),
        ({"inputs": ["D"]},
         "inputs[0]: 'D' is what formulas write derivatives with; choose another name"),
        ({"inputs": ["target"]},
         "inputs[0]: 'target' is what formulas call the target; choose another name"),
        ({"inputs": ["x", "t", "x"]}, "inputs[2]: 'x' is there already; names must differ"),
        ({"inputs": ["x", "u"]},
         "layers[0].names[0]: 'u' is the name of an input, too; choose another name"),
        ({"layers": [{"names": []}]}, "layers[0].names: must have at least one name"),
        ({"layers": [{"names": "u"}]}, "layers[0].names: must be a list of names, not 'u'"),
        ({"layers": [{"names": ["u", "u"]}]},
         "layers[0].names[1]: 'u' is there already; names must differ"),
        ({"layers": [{"units": 2, "names": ["u"]}]},
         "layers[0].names: 1 name for 2 units; leave one of the two out"),
        ({"layers": [{"names": ["v"]}, {"units": 1}]},
         "layers[0].names: names are for the last layer only, whose units are the outputs"),
        ({"layers": [{"bias": False}]},
         "layers[0]: 'units' is missing (how many outputs the layer has)"),
        ({"loss": {"formula": "y - u", "constants": {"u": 1.0}}},
         "loss.constants.u: 'u' is the name of an output, too; choose another name"),
        ({"loss": {"formula": "(y - t)**2"}}, "loss.formula: t is the name of an input here, which"
         " hides the target; write target for the target, and the outputs by their names"),
        ({"layers": [{"names": ["y", "v"]}], "loss": {"formula": "y**2"}}, "loss.formula: y means"
         " all outputs here, and is the name of an output, too; choose another name for that"),
    ],
)  # fmt: skip
def test_refusals(changes: dict[str, Any], message: str) -> None:
    assert refusal(small(**changes)) == message


def test_a_refusal_has_its_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "heat.toml"
    path.write_text(HEAT.replace('["u"]', '[\n  "u",\n  "x",\n]'))
    with pytest.raises(SpecError) as caught:
        Spec.load(path)
    assert str(caught.value) == (
        f"{path}, line 11, layers[1].names[1]: 'x' is the name of an input, too; choose another"
        " name"
    )


def test_the_json_schema_knows_names() -> None:
    schema = Spec.json_schema()
    number, names, table = schema["properties"]["inputs"]["anyOf"]
    assert table["properties"]["names"]["items"] == names["items"]
    assert {*table["properties"]} == {"count", "names", "shift", "scale", "clip"}
    assert number == {"type": "integer", "minimum": 1, "maximum": 65_536}
    assert (names["type"], names["uniqueItems"]) == ("array", True)
    layer = schema["$defs"]["Layer"]
    assert layer["anyOf"] == [
        {"required": [each]} for each in ("units", "names", "heads")
    ]
    assert layer["properties"]["names"]["items"] == names["items"]
    assert "required" not in layer
