"""spec: what is read from TOML, JSON and Python, and every refusal by its message."""

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgrad.errors import SpecError
from symgrad.spec.formula import parse
from symgrad.spec.spec import (
    ACTIVATIONS,
    LOSSES,
    Activation,
    Layer,
    Loss,
    Spec,
    Training,
    read,
)

DIGITS = """\
name = "digits"            # a Python identifier; also the module's name
dtype = "float32"          # or float64
inputs = 64

[[layers]]
units = 32
activation = "swish_beta"

[[layers]]
units = 10
activation = "softmax"
bias = false

[loss]
kind = "cross_entropy"
l2 = 1e-4

[activations.swish_beta]   # a formula of one's own, in z
formula = "z / (1 + exp(-beta*z))"
constants = { beta = 1.5 }
"""

DIGITS_DATA: dict[str, Any] = {
    "name": "digits",
    "dtype": "float32",
    "inputs": 64,
    "layers": [
        {"units": 32, "activation": "swish_beta", "bias": True, "residual": False},
        {"units": 10, "activation": "softmax", "bias": False, "residual": False},
    ],
    "loss": {"kind": "cross_entropy", "l1": 0.0, "l2": 1e-4, "sample_weights": False},
    "activations": {
        "swish_beta": {"formula": "z / (1 + exp(-beta*z))", "constants": {"beta": 1.5}}
    },
}

KEYS = "name, dtype, inputs, outputs, layers, loss, activations, training, derivatives, members"
KNOWN = ", ".join(ACTIVATIONS)
ONE_UNIT = (
    "use 'sigmoid' for the probability of one of two classes, or give the layer a unit for each"
    " class"
)
NO_IDENTIFIER = (
    "is no identifier; use the letters a to z, digits and underscores, and begin with no digit"
)


def small(**changes: Any) -> dict[str, Any]:
    return {"name": "small", "inputs": 2, "layers": [{"units": 3}]} | changes


def refusal(source: Any) -> str:
    with pytest.raises(SpecError) as caught:
        read(source)
    return str(caught.value)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a file into the working folder; messages then show its bare name."""
    monkeypatch.chdir(tmp_path)

    def to_file(content: str | bytes, name: str = "net.toml") -> str:
        data = content if isinstance(content, bytes) else content.encode()
        Path(name).write_bytes(data)
        return name

    return to_file


# ---- What is read --------------------------------------------------------------------------------


def test_a_toml_file(write: Callable[..., str]) -> None:
    spec = Spec.load(write(DIGITS))
    assert spec.normalised() == DIGITS_DATA
    assert spec.file_name == "net.toml"
    assert (spec.widths, spec.outputs) == ((64, 32, 10), 10)
    assert spec.weights == 64 * 32 + 32 + 32 * 10
    assert spec.activation_tree("softmax") is None
    assert spec.activation_tree("swish_beta") == parse("z / (1 + exp(-1.5*z))", ("z",))


def test_every_way_in_gives_the_same_spec(write: Callable[..., str]) -> None:
    spec = read(write(DIGITS))
    ways = [
        read(Path(write(json.dumps(DIGITS_DATA), "net.JSON"))),
        read(write("\ufeff" + DIGITS.replace("\n", "\r\n"), "windows.toml")),
        read(DIGITS_DATA),
        read(spec),
        Spec.parse(spec.normalised()),
        Spec(
            name="digits",
            inputs=64,
            layers=(
                Layer(units=32, activation="swish_beta"),
                Layer(units=10, activation="softmax", bias=False),
            ),
            loss=Loss(kind="cross_entropy", l2=1e-4),
            activations={
                "swish_beta": Activation(formula="z / (1 + exp(-beta*z))", constants={"beta": 1.5})
            },
        ),
        pickle.loads(pickle.dumps(spec)),
        copy.deepcopy(spec),
    ]
    assert all(way == spec and way.digest() == spec.digest() for way in ways)
    assert len({spec, *ways}) == 1
    assert [way.file_name for way in ways[:4]] == ["net.JSON", "windows.toml", None, "net.toml"]


def test_defaults() -> None:
    spec = read(small())
    assert spec.dtype == "float32"
    assert spec.layers == (Layer(units=3, activation="identity", bias=True, residual=False),)
    assert spec.loss == Loss(kind="squared")
    assert (spec.loss.l1, spec.loss.l2, spec.loss.sample_weights) == (0.0, 0.0, False)
    assert spec.loss.tree is None
    assert spec != read(small(dtype="float64"))
    assert spec.digest() != read(small(dtype="float64")).digest()


def test_training() -> None:
    """The table is there where it is given, and what may be left out of it is."""
    plain = read(small())
    given = read(small(training={"optimizer": "lion", "constants": {"beta2": 0.5}, "batch": "all"}))
    assert plain.training is None and "training" not in plain.normalised()
    assert given.digest() != plain.digest() and read(given.normalised()) == given
    assert given.training is not None
    assert given.normalised()["training"] == {
        "optimizer": "lion", "schedule": "constant", "warmup": 0.0, "batch": "all", "epochs": 50,
        "seed": 0, "validation": 0.2, "standardize": True, "constants": {"beta2": 0.5},
    }  # fmt: skip
    assert given.training.settings() == {
        "rate": 0.0003, "batch": 0.0, "beta1": 0.9, "beta2": 0.5, "weight_decay": 0.0,
    }  # fmt: skip
    assert Training(optimizer="lbfgs", batch="all").settings() == {}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"optimizer": "adamm"}, "optimizer: must be one of sgd, momentum, nesterov, rmsprop, adam,"
         " adam_hat, adamw, adagrad, lion, lbfgs, bfgs, cg, newton_cg, tnc, slsqp, not 'adamm' (did"
         " you mean 'adam'?)"),
        ({"rate": 0.0}, "rate: must be more than 0, not 0.0"),
        ({"rate": float("nan")}, "rate: must be finite, not nan"),
        ({"batch": 0}, 'batch: must be a whole number from 1 on, or "all", not 0'),
        ({"batch": True}, 'batch: must be a whole number from 1 on, or "all", not true'),
        ({"batch": "some"}, "batch: must be a whole number from 1 on, or \"all\", not 'some'"),
        ({"validation": 1.0}, "validation: must be less than 1, not 1.0"),
        ({"epochs": 0}, "epochs: must be at least 1, not 0"),
        ({"warmup": -1.0}, "warmup: must be at least 0, not -1.0"),
        ({"patience": 3, "validation": 0.0}, "patience: to end early, samples must be held out:"
         " give a validation share above 0"),
        ({"optimizer": "cg", "rate": 0.1}, "rate: cg chooses its own steps; leave rate out"),
        ({"optimizer": "cg", "batch": 8}, "batch: cg chooses its own steps; leave batch out"),
        ({"constants": {"beta": 1.0}}, "constants.beta: no constant of adam with the schedule"
         " constant is called 'beta' (did you mean 'beta2'?); it has beta1, beta2, epsilon"),
        ({"optimizer": "sgd", "constants": {"x": 1.0}}, "constants.x: no constant of sgd with the"
         " schedule constant is called 'x'; it has none"),
        ({"constants": {"beta1": 1.0}}, "constants.beta1: must be at least 0 and less than 1, not"
         " 1.0"),
        ({"schedule": "step", "constants": {"every": 0.5}}, "constants.every: must be at least 1,"
         " not 0.5"),
    ],
)  # fmt: skip
def test_refusals_of_training(training: dict[str, Any], message: str) -> None:
    assert refusal(small(training=training)) == f"training.{message}"


def test_a_loss_formula() -> None:
    loss = {"formula": "log(cosh(k*(y - t)))", "constants": {"k": 2}}
    spec = read(small(loss=loss))
    assert spec.loss.tree == parse("log(cosh(2*(y - t)))", ("y", "t"))
    assert spec.normalised()["loss"] == {
        "formula": "log(cosh(k*(y - t)))",
        "constants": {"k": 2.0},
        "l1": 0.0,
        "l2": 0.0,
        "sample_weights": False,
    }
    assert Spec.parse(spec.normalised()) == spec


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str) -> None:
    assert read(small(layers=[{"units": 2, "activation": name, "residual": True}]))


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss(kind: str) -> None:
    assert read(small(loss={"kind": kind, "l1": 1, "l2": 0})).loss.kind == kind


def test_what_is_declared_may_stay_unused_and_sums_may_come_last() -> None:
    own = {"unused": {"formula": "z", "constants": {"lambda": 1}}, "s": {"formula": "z/sum(z)"}}
    spec = read(small(layers=[{"units": 3, "activation": "s"}], activations=own))
    assert list(spec.normalised()["activations"]) == ["s", "unused"]
    reordered = dict(reversed(own.items()))
    other = read(small(layers=[{"units": 3, "activation": "s"}], activations=reordered))
    assert (other, other.digest()) == (spec, spec.digest())


def test_a_spec_cannot_be_changed() -> None:
    spec = read(small())
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        spec.layers[0].units = 4


def test_the_digest_depends_on_nothing_else() -> None:
    code = (
        "from symgrad.spec.spec import read;"
        f"print(read({DIGITS_DATA!r}).digest(), read({DIGITS_DATA!r}).normalised())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "SYMGRAD_MAX_UNITS": limit},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, limit in (("0", "100"), ("1", "1000"))
    }
    assert outputs == {f"{read(DIGITS_DATA).digest()} {read(DIGITS_DATA).normalised()}\n"}


def test_the_json_schema() -> None:
    schema = Spec.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["name", "inputs", "layers"]
    layer, loss = schema["$defs"]["Layer"], schema["$defs"]["Loss"]
    assert layer["properties"]["activation"]["examples"] == list(ACTIVATIONS)
    assert layer["properties"]["units"]["maximum"] == 65_536
    assert schema["properties"]["layers"]["maxItems"] == 1_024
    others = ["crossentropy", "binary_crossentropy"]
    assert loss["properties"]["kind"]["enum"] == [*LOSSES, *others]
    assert loss["oneOf"] == [{"required": [key]} for key in ("kind", "formula", "terms")]
    for model in (schema, *schema["$defs"].values()):
        assert model["additionalProperties"] is False
        assert all("description" in part for part in model["properties"].values())
    json.dumps(schema)


# ---- What is refused: content --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # types
        ({"inputs": True}, "inputs: must be a whole number, not true"),
        ({"inputs": "3"}, "inputs: must be a whole number or a list of names, not '3'"),
        ({"inputs": 3.0}, "inputs: must be a whole number, not 3.0"),
        ({"inputs": None}, "inputs: must be a whole number, not null"),
        ({"inputs": [3]}, "inputs[0]: must be text in quotes, not 3"),
        ({"inputs": 0}, "inputs: must be at least 1, not 0"),
        ({"layers": [{"units": -5}]}, "layers[0].units: must be at least 1, not -5"),
        ({"layers": []}, "layers: must have at least one layer"),
        ({"layers": {"units": 3}},
         "layers: must be a list (in TOML: [[layers]] with two brackets), not a table"),
        ({"layers": [3]}, "layers[0]: must be a table with the keys units, activation, bias,"
         " residual, from, l1, l2, trainable, names, heads, not 3; write { units = 3 }"),
        ({"layers": [{}]}, "layers[0]: 'units' is missing (how many outputs the layer has)"),
        ({"layers": [{"units": 1, "bias": 1}]}, "layers[0].bias: must be true or false, not 1"),
        ({"layers": [{"units": 1, "l2": "argument"}]}, "layers[0].l2: a layer's penalty is a"
         ' number; "argument" stands in [loss], for all layers'),
        ({"layers": [{"units": 1, "l1": -1}]}, "layers[0].l1: must be at least 0, not -1"),
        ({"layers": [{"units": 1, "l1": "a"}]},
         "layers[0].l1: must be a number that a float64 can hold, not 'a'"),
        ({"layers": [{"units": 1, "l1": 1e-60}]}, "layers[0].l1: 1e-60 is too small for a float32;"
         ' dtype = "float64" has room for more'),
        ({"layers": [{"units": 1, "activation": 1}]},
         "layers[0].activation: must be text in quotes, not 1"),
        ({"name": 3}, "name: must be text in quotes, not 3"),
        ({"dtype": "float16"},
         "dtype: there is no 'float16': processors compute in float32 and float64; write float32"),
        ({"dtype": 32}, "dtype: must be one of float32, float64, not 32"),
        ({"loss": "kl"}, "loss: must be a table with the keys kind, formula, constants, targets,"
         " weight, sample_weights, terms, l1, l2, not 'kl'; write { kind = 'kl' }"),
        ({"loss": {"kind": "kl", "l2": "1"}},
         "loss.l2: must be a number that a float64 can hold, not '1'"),
        ({"loss": {"kind": "kl", "l2": True}},
         "loss.l2: must be a number that a float64 can hold, not true"),
        ({"loss": {"kind": "kl", "l2": 10**400}},
         "loss.l2: must be a number that a float64 can hold, not a number of more than 30 digits"),
        ({"activations": [1]}, "activations: must be a table, not a list"),
        ({"activations": {"q": "z"}},
         "activations.q: must be a table with the keys formula, constants, not 'z'; write"
         " { formula = 'z' }"),
        ({"activations": {3: {"formula": "z"}}}, "activations[3]: a key must be text, not 3"),
        ({3: 4}, "[3]: a key must be text, not 3"),
        ({"name": "\ud800"}, f"name: '\\ud800' {NO_IDENTIFIER}"),
        ({"\ud800": 1}, "a key or a text is no valid Unicode"),
        ({"inputs": 10**5_000}, "inputs: more than 10**30 units in one layer, over the limit of"
         " 65,536; the environment variable SYMGRAD_MAX_UNITS raises it"),
        # keys
        ({"layer": []}, f"layer: unknown key (did you mean 'layers'?); the keys here are {KEYS}"),
        ({"a\x1b[0m b": 1}, f"'a\\x1b[0m b': unknown key; the keys here are {KEYS}"),
        ({"layers": [{"units": 1, "biass": True}]}, "layers[0].biass: unknown key"
         " (did you mean 'bias'?); the keys here are units, activation, bias, residual, from,"
         " l1, l2, trainable, names, heads"),
        ({"activations": {"q": {"formula": "z", "z": 1}}},
         "activations.q.z: unknown key; the keys here are formula, constants"),
        # names
        ({"name": "../x"}, "name: '../x' is a path;"
         " a name is the bare name of the module, without folder or suffix"),
        ({"name": "a\\b"}, "name: 'a\\\\b' is a path;"
         " a name is the bare name of the module, without folder or suffix"),
        ({"name": ""}, f"name: '' {NO_IDENTIFIER}"),
        ({"name": "-rf"}, f"name: '-rf' {NO_IDENTIFIER}"),
        ({"name": "2d"}, f"name: '2d' {NO_IDENTIFIER}"),
        ({"name": "a b\n"}, f"name: 'a b\\n' {NO_IDENTIFIER}"),
        ({"name": "naïve"}, f"name: 'naïve' {NO_IDENTIFIER}"),
        ({"name": "net.py"}, f"name: 'net.py' {NO_IDENTIFIER}"),
        ({"name": "a" * 65}, f"name: '{'a' * 59}…' has 65 characters, over the limit of 64"),
        ({"name": "class"}, "name: 'class' is a keyword of Python; choose another name"),
        ({"name": "__init__"}, "name: '__init__' has the form __name__,"
         " which Python keeps to itself; choose another name"),
        *(
            ({"name": name}, f"name: '{name}' is the name of another module,"
             " which the emitted one would hide; choose another")
            for name in ("json", "random", "llvmlite", "numpy", "numba", "scipy", "symgrad")
        ),
        ({"name": "_symgrad_0123456789abcdef"}, "name: '_symgrad_0123456789abcdef' begins like the"
         " file that emitted modules import, _symgrad_….py; choose another"),
        # activations
        ({"layers": [{"units": 1, "activation": "ReLu"}]}, "layers[0].activation:"
         f" unknown activation 'ReLu' (did you mean 'relu'?); there are {KNOWN},"
         " and others can be declared as [activations.NAME]"),
        ({"layers": [{"units": 1, "activation": "swich"}],
          "activations": {"swish": {"formula": "z"}}}, "layers[0].activation:"
         f" unknown activation 'swich' (did you mean 'swish'?); there are {KNOWN}, swish,"
         " and others can be declared as [activations.NAME]"),
        ({"layers": [{"units": 1, "activation": "softmax"}, {"units": 1}]}, "layers[0].activation:"
         " 'softmax' is for the last layer only; use another activation here"),
        ({"layers": [{"units": 1, "activation": "mean"}, {"units": 1}],
          "activations": {"mean": {"formula": "z - sum(z)"}}}, "layers[0].activation: 'mean' is"
         " for the last layer only, since its formula has a sum; use another activation here"),
        ({"layers": [{"units": 3}, {"units": 1, "activation": "softmax"}]},
         f"layers[1].activation: 'softmax' of one unit is always 1; {ONE_UNIT}"),
        *(
            ({"layers": [{"units": 1, "activation": "own"}],
              "activations": {"own": {"formula": formula}}},
             f"layers[0].activation: 'own' of one unit is always {always}; {ONE_UNIT}")
            for formula, always in (
                ("exp(-z)/sum(exp(-z))", 1), ("z/sum(z)", 1), ("z - sum(z)", 0)
            )
        ),
        ({"activations": {"relu": {"formula": "z"}}},
         "activations.relu: 'relu' is built in; choose another name"),
        ({"activations": {"my act": {"formula": "z"}}},
         f"activations.'my act': 'my act' {NO_IDENTIFIER}"),
        ({"activations": {"def": {"formula": "z"}}},
         "activations.def: 'def' is a keyword of Python; choose another name"),
        ({"activations": {"q": {}}},
         "activations.q: 'formula' is missing (a formula in z and the declared constants)"),
        ({"activations": {"q": {"formula": ""}}}, "activations.q.formula:"
         " the formula is empty: a number, a name or '(' should follow"),
        ({"activations": {"q": {"formula": "1 + 1"}}},
         "activations.q.formula: the formula must use z, the argument: '1 + 1'"),
        ({"activations": {"q": {"formula": "z + 1/0"}}}, "activations.q.formula:"
         " '1/0' has no finite real value\n    z + 1/0\n        ^"),
        ({"activations": {"q": {"formula": "z +\n\t2z +\n1"}}}, "activations.q.formula:"
         " an operator is missing before 'z' (multiplication must be written, as in 2*z)\n"
         "     2z +\n      ^"),
        ({"activations": {"q": {"formula": "z + " * 60 + "\x1b"}}}, "activations.q.formula:"
         " '\\x1b' may not stand in a formula\n    " + "z + " * 15 + "?\n    " + " " * 60 + "^"),
        # constants
        ({"activations": {"q": {"formula": "z", "constants": {"b": float("nan")}}}},
         "activations.q.constants.b: must be finite, not nan"),
        ({"activations": {"q": {"formula": "z", "constants": {"b": "1"}}}},
         "activations.q.constants.b: must be a number that a float64 can hold, not '1'"),
        ({"activations": {"q": {"formula": "z", "constants": {"z": 1}}}},
         "activations.q.constants.z: 'z' is a variable of formulas; choose another name"),
        ({"activations": {"q": {"formula": "z", "constants": {"exp": 1}}}},
         "activations.q.constants.exp: 'exp' is a function of formulas; choose another name"),
        ({"activations": {"q": {"formula": "z", "constants": {"a-b": 1}}}},
         f"activations.q.constants.a-b: 'a-b' {NO_IDENTIFIER}"),
        # losses
        ({"loss": {"kind": "mean"}}, "loss.kind: must be one of squared, absolute, huber, log_cosh,"
         " cross_entropy, binary_cross_entropy, poisson, kl, not 'mean'"),
        ({"loss": {"l2": 1.0}},
         "loss: a loss has either a kind or a formula, or terms, but none is given"),
        ({"loss": {"kind": "kl", "formula": "y"}},
         "loss: a loss has either a kind or a formula, or terms, but both are given"),
        ({"loss": {"kind": "kl", "constants": {"k": 1}}},
         "loss.constants.k: no constant of kl is called 'k'; it has none"),
        ({"loss": {"kind": "huber", "constants": {"deltas": 1}}}, "loss.constants.deltas: no"
         " constant of huber is called 'deltas' (did you mean 'delta'?); it has delta"),
        ({"loss": {"kind": "huber", "constants": {"delta": 0}}},
         "loss.constants.delta: must be greater than 0, not 0.0"),
        ({"loss": {"kind": "huber", "constants": {"delta": 1e20}}}, "loss.constants.delta: the"
         ' square of 1e+20 is too large for a float32; dtype = "float64" has room for more'),
        ({"loss": {"terms": [{"name": "a", "kind": "squared", "constants": {"delta": 1}}]}},
         "loss.terms[0].constants.delta: no constant of squared is called 'delta'; it has none"),
        ({"loss": {"kind": "huber", "delta": 2}}, "loss.delta: unknown key; where"
         " Huber's loss becomes a line stands in constants = { delta = 2.0 } in [loss]"),
        ({"loss": {"formula": "t**2"}},
         "loss.formula: the formula must use y, the output: 't**2'"),
        ({"loss": {"formula": "y - z", "constants": {"t": 1}}},
         "loss.constants.t: 't' is a variable of formulas; choose another name"),
        ({"loss": {"kind": "kl", "l1": -0.5}}, "loss.l1: must be at least 0, not -0.5"),
        ({"loss": {"kind": "kl", "l2": float("inf")}}, "loss.l2: must be finite, not inf"),
        # widths
        ({"layers": [{"units": 3, "residual": True}]}, "layers[0].residual: a residual layer needs"
         " as many units as come in: it has 3, but the inputs are 2"),
        ({"layers": [{"units": 3}, {"units": 4, "residual": True}]}, "layers[1].residual: a"
         " residual layer needs as many units as come in: it has 4, but the layer before it has 3"),
        ({"layers": [{"units": 65_537}]}, "layers[0].units: 65,537 units in one layer, over the"
         " limit of 65,536; the environment variable SYMGRAD_MAX_UNITS raises it"),
        ({"layers": [{"units": 1}] * 1_025}, "layers: 1,025 layers, over the limit of 1,024;"
         " the environment variable SYMGRAD_MAX_LAYERS raises it"),
        ({"layers": [{"units": 10_000}] * 2}, "layers: 100,040,000 weights, over the limit of"
         " 100,000,000; the environment variable SYMGRAD_MAX_WEIGHTS raises it"),
    ],
)  # fmt: skip
def test_refusals(changes: dict[str, Any], message: str) -> None:
    assert refusal(small() | changes) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(units=0), "units: must be at least 1, not 0"),
        (lambda: Layer(unit=1, units=1), "unit: unknown key (did you mean 'units'?);"
         " the keys here are units, activation, bias, residual, from, l1, l2,"
         " trainable, names, heads"),
        (lambda: Loss(), "a loss has either a kind or a formula, or terms, but none is given"),
        (lambda: Activation(formula="z +"),
         "formula: the formula ends: a number, a name or '(' should follow\n    z +\n       ^"),
        (lambda: Spec(name="a", inputs=1, layers=()), "layers: must have at least one layer"),
    ],
)  # fmt: skip
def test_models_made_by_hand_refuse_in_the_same_words(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        make()
    assert str(caught.value) == message


def test_what_is_no_spec_at_all() -> None:
    assert refusal(3) == "a spec is a path, a mapping or a Spec, not 3"
    assert refusal(None) == "a spec is a path, a mapping or a Spec, not null"
    assert refusal([1]) == "a spec is a path, a mapping or a Spec, not a list"
    with pytest.raises(SpecError, match=f"^must be a table with the keys {KEYS}, not 3$"):
        Spec.parse(3)  # type: ignore[arg-type]


def test_several_problems_come_in_the_order_of_the_file(write: Callable[..., str]) -> None:
    text = DIGITS.replace("inputs = 64", "inputs = 0").replace("units = 10", "units = 10.5")
    text = text.replace("-beta*z", "-betta*z").replace("l2 =", "l_2 =")
    first, second, third, fourth, *pointer = refusal(write(text)).split("\n")
    assert first == "net.toml, line 3, inputs: must be at least 1, not 0"
    assert second == "net.toml, line 10, layers[1].units: must be a whole number, not 10.5"
    assert third == (
        "net.toml, line 16, loss.l_2: unknown key (did you mean 'l2'?);"
        " the keys here are kind, formula, constants, targets, weight, sample_weights, terms, l1,"
        " l2"
    )
    assert fourth.startswith(
        "net.toml, line 19, activations.swish_beta.formula: unknown name 'betta'"
        " (did you mean 'beta'?); a formula may use z, the constants beta, and the functions exp,"
    )
    assert pointer == ["    z / (1 + exp(-betta*z))", "                  ^"]


def test_problems_that_only_the_whole_shows_come_together() -> None:
    layers = [{"units": 70_000, "activation": "sofmax"}, {"units": 2, "residual": True}]
    places = [line.split(":")[0] for line in refusal(small(name="json", layers=layers)).split("\n")]
    assert places == ["name", "layers[0].activation", "layers[1].residual", "layers[0].units"]


def test_at_most_ten_problems_are_shown(write: Callable[..., str]) -> None:
    shown = refusal(write("\n".join(f"key{n} = 1" for n in range(20)))).split("\n")
    assert len(shown) == 11
    assert shown[0] == "net.toml: 'name' is missing (a Python identifier; also the name of the" \
        " emitted module)"  # fmt: skip
    assert shown[3].startswith("net.toml, line 1, key0: unknown key;")
    assert shown[10] == "and more than these 10 problems"
    layers = [{"units": 1, "activation": "x"}] * 1_000
    assert len(refusal(small(layers=layers)).split("\n")) == 11


def test_limits_are_raised_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = small(layers=[{"units": 70_000}])
    monkeypatch.setenv("SYMGRAD_MAX_UNITS", "70000")
    assert read(wide).outputs == 70_000
    monkeypatch.setenv("SYMGRAD_MAX_UNITS", " ")
    assert "over the limit of 65,536" in refusal(wide)
    monkeypatch.setenv("SYMGRAD_MAX_LAYERS", "1025")
    assert len(read(small(layers=[{"units": 1}] * 1_025)).layers) == 1_025
    monkeypatch.setenv("SYMGRAD_MAX_WEIGHTS", "8")
    assert refusal(small()).startswith("layers: 9 weights, over the limit of 8;")
    for nonsense in ("many", "-1", "0", "1e6", "1.0", "9" * 5_000, "١"):
        monkeypatch.setenv("SYMGRAD_MAX_WEIGHTS", nonsense)
        assert refusal(small()).startswith(
            "the environment variable SYMGRAD_MAX_WEIGHTS must be a whole number from 1 on, not '"
        )


# ---- What is refused: files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "net.yaml", "net.yaml: a spec file's name ends in .toml or .json"),
        ("", "net", "net: a spec file's name ends in .toml or .json"),
        (b"\xff\xfen\x00", "net.toml",
         "net.toml: this is no UTF-8 text (byte 0); save it as UTF-8"),
        (b"\x00\x01", "net.toml",
         "net.toml, line 1, column 1: this is no valid TOML: Invalid statement"),
        ("#" * (1 << 20) + "\n", "net.toml",
         "net.toml: this file is over the limit of 1,048,576 bytes for a spec"),
        ("a = 1\nb =\n", "net.toml",
         "net.toml, line 2, column 4: this is no valid TOML: Invalid value"),
        ("a = 1\na = 2\n", "net.toml", "net.toml, line 2, column 6: this is no valid TOML:"
         " Cannot overwrite a value"),
        ("a = \"\x1b[31m\"", "net.toml", "net.toml, line 1, column 6: this is no valid TOML:"
         " Illegal character '\\x1b'"),
        ("name", "net.toml", "net.toml, end of document: this is no valid TOML:"
         " Expected '=' after a key in a key/value pair"),
        ("a = " + "[" * 50_000, "net.toml", "net.toml: this is no spec: it is nested too deeply"),
        ("a = " + "9" * 5_000, "net.toml",
         "net.toml: this is no spec: a whole number in it has too many digits"),
        ("# '''\n" + "a." * 33 + "b = 1", "net.toml", "net.toml: a key of more than 32 parts"),
        ("a." * 300_000 + "b = 1", "net.toml", "net.toml: a key of more than 32 parts"),
        ("'a' . " * 33 + "b = 1", "net.toml", "net.toml: a key of more than 32 parts"),
        ("a = " + '"\\\"' * 300_000, "net.toml",
         "net.toml, line 1, column 9: this is no valid TOML: Expected newline or end of document"
         " after a statement"),
        ('{"a": 1,\n "b": }', "net.json",
         "net.json, line 2, column 7: this is no valid JSON: Expecting value"),
        ("", "net.json", "net.json, line 1, column 1: this is no valid JSON: Expecting value"),
        ("[" * 100_000, "net.json", "net.json: this is no spec: it is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "net.json",
         "net.json: this is no spec: a whole number in it has too many digits"),
        ('{"a": {"b": 1,\n"c": 2,\n"b": 3}}', "net.json",
         "net.json, line 3: the key 'b' is given twice; keep one of the two"),
        ('{"x": {"y": {"a": 1,\n"a": 2},:}}', "net.json",
         "net.json, line 2: the key 'a' is given twice; keep one of the two"),
        ('{"ab": 1, "a\\u0062": 2}', "net.json",
         "net.json: the key 'ab' is given twice; keep one of the two"),
        ("[1]", "net.json", f"net.json: must be a table with the keys {KEYS}, not a list"),
        ("null", "net.json", f"net.json: must be a table with the keys {KEYS}, not null"),
        ('{"name": "a", "inputs": 1, "layers": [{"units": 1}],\n"loss": {"kind": "kl",\n'
         '"l1": NaN,\n"l2": -Infinity}}', "net.json",
         "net.json, line 3, loss.l1: must be finite, not nan\n"
         "net.json, line 4, loss.l2: must be finite, not -inf"),
    ],
    ids=lambda value: None if len(value) > 60 else value,
)  # fmt: skip
def test_refused_files(
    write: Callable[..., str], content: str | bytes, name: str, message: str
) -> None:
    assert refusal(write(content, name)) == message


def test_files_that_are_none(write: Callable[..., str], tmp_path: Path) -> None:
    assert refusal("nowhere.toml") == "nowhere.toml: there is no such file"
    assert refusal("no\0where.toml") == "no\\x00where.toml: there is no such file"
    assert refusal(".") == ".: this is a folder, not a spec file"
    os.mkfifo("pipe.toml")
    assert refusal("pipe.toml") == "pipe.toml: this is no regular file"
    assert refusal("a" * 5_000).endswith("…: this file cannot be read: File name too long")
    write(DIGITS)
    assert refusal("net.toml/x.toml") == "net.toml/x.toml: there is no such file"


def test_an_unreadable_file(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission bits do not stop root, under which tests may run; the error is made instead."""

    def forbidden(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    name = write(DIGITS)
    monkeypatch.setattr(Path, "open", forbidden)
    assert refusal(name) == "net.toml: this file cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "a"\ninputs = 1\n\n[[layers]]\nunits = 1\n[[layers]]\n# units = 5\n'
         'activation = "x"\nunits = 1\n', 8),
        ('name = "a"\ninputs = 1\nlayers = [\n  { units = 1 }, # ] }\n'
         '  { units = 1, activation = "x" },\n]', 5),
        ('inputs = 1\nlayers = [{ units = 1 },\n{ units = 1,\tactivation = "x" }]\nname = "a"', 3),
        ('inputs = 1\nname = "a"\nlayers = [{ units = 1 }, { units = 1, activation = """\nx""" }]',
         3),
        ('inputs = 1\nname = "a"\n\'layers\' = [\n{ units = 1 },\n\n{ "units" = 1,'
         ' "activation" = "[}" }]', 6),
        ('inputs = 1\nname = "a"\nlayers = [\n{ units = 1 },\n\n{ units = 1, "a\\u0063tivation"'
         ' = "x" }]', 6),
        ('{"name": "a", "inputs": 1,\n"layers": [{"units": 1},\n{"units": 1,\n'
         '"activation": "x"}]}', 4),
        ('{"layers":\n[\n{"units": 1, "activation": "tanh"},\n{"units": 1, "activation":\n'
         '"x"}],\n"name": "a", "inputs": 1, "loss": {"kind": "kl"}}', 4),
    ],
)  # fmt: skip
def test_problems_are_found_in_the_file(write: Callable[..., str], text: str, line: int) -> None:
    name = write(text, "net.json" if text.startswith("{") else "net.toml")
    assert refusal(name).startswith(
        f"{name}, line {line}, layers[1].activation: unknown activation"
    )


def test_what_is_nested_deeply_is_passed_over(write: Callable[..., str]) -> None:
    deep = "[" * 30 + "1, {}, [2]" + "]" * 30
    name = write(
        f'{{"x": {deep},\n"name": "a", "layers": [{{"units": 1}}],\n"inputs": 0}}', "a.json"
    )
    assert refusal(name).split("\n") == [
        f"a.json, line 1, x: unknown key; the keys here are {KEYS}",
        "a.json, line 3, inputs: must be at least 1, not 0",
    ]
    text = (
        f"x = {deep.replace('{}', '{ a = 1, b = [{}] }')}\nlayers = [{{ units = 1 }}]\ninputs = 0"
    )
    assert refusal(write(text)).split("\n")[1:] == [
        f"net.toml, line 1, x: unknown key; the keys here are {KEYS}",
        "net.toml, line 3, inputs: must be at least 1, not 0",
    ]


# ---- Nothing but SpecError -----------------------------------------------------------------------

SOUP = [
    "name", "inputs", "layers", "units", "activation", "loss", "kind", "formula", "activations",
    "[[", "]]", "[", "]", "{", "}", "=", ":", ",", ".", "\n", '"', "'", '"""', "'''", "\\", "#",
    " ", "1", "-1", "1.5", "nan", "NaN", "true", '"a"', '"relu"', '"z"', "1979-05-27", "\x00", "é",
]  # fmt: skip


def scramble(text: str) -> st.SearchStrategy[str]:
    """The text with a few pieces cut out or put in."""
    edit = st.tuples(st.integers(0, len(text)), st.integers(0, 12), st.sampled_from(["", *SOUP]))

    def apply(edits: list[tuple[int, int, str]]) -> str:
        result = text
        for start, length, piece in edits:
            result = result[:start] + piece + result[start + length :]
        return result

    return st.lists(edit, min_size=1, max_size=4).map(apply)


@settings(
    deadline=2_000, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(st.sampled_from(SOUP), max_size=60).map(lambda soup: "".join(soup).encode()),
        scramble(DIGITS).map(str.encode),
        scramble(json.dumps(DIGITS_DATA, indent=1)).map(str.encode),
    ),
    suffix=st.sampled_from([".toml", ".json"]),
)
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    try:
        spec = read(path)
    except SpecError as error:
        assert str(error).replace("\n", "").isprintable()
        assert len(str(error)) < 20_000
    else:
        assert Spec.parse(spec.normalised()) == spec


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(SOUP[:9]) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(deadline=2_000, max_examples=150)
@given(st.dictionaries(st.sampled_from([*SOUP[:9], "dtype"]), PLAIN, max_size=7))
def test_any_data_is_read_or_refused(data: dict[str, Any]) -> None:
    for mapping in (data, small() | data):
        try:
            read(mapping)
        except SpecError as error:
            assert str(error).replace("\n", "").isprintable()


def test_what_a_run_was_trained_with_is_still_read():
    """softmax of one unit could once be trained; what it predicts is 1, and stays so."""
    plain = small(layers=[{"units": 1, "activation": "softmax"}])
    with pytest.raises(SpecError, match="of one unit is always 1"):
        Spec.parse(plain)
    spec = Spec.recorded(plain)
    assert Spec.recorded(spec.normalised()) == spec
    with pytest.raises(SpecError, match="layers"):
        Spec.recorded({**plain, "layers": []})
    two = Spec.parse(small(layers=[{"units": 2, "activation": "softmax"}]))
    assert two.outputs == 2
