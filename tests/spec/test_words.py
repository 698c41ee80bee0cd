"""Words of others: those that mean just the same, and what is said of those that do not."""

import re
from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad.errors import SpecError
from symgrad.spec.parts import LOSSES, Layer, Loss
from symgrad.spec.spec import ACTIVATIONS, Spec
from symgrad.spec.training import OPTIMIZERS, SCHEDULE_CONSTANTS, Training
from symgrad.spec.words import (
    _ANSWERS,
    _FORMULAS,
    _MEANS,
    _SPELLED,
    MEANT,
    SAME_ACTIVATIONS,
    SAME_KEYS,
    SAME_LOSSES,
    answer,
)


def spec(units: int = 2, activation: str = "tanh", **changes: Any) -> dict[str, Any]:
    layers = [{"units": 3, "activation": activation}, {"units": units}]
    return {"name": "net", "dtype": "float64", "inputs": 2, "layers": layers, **changes}


def message(given: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        Spec.parse(given)
    return str(caught.value)


# ---- The same ------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", SAME_ACTIVATIONS)
def test_an_activation_by_another_name_is_the_same(other: str) -> None:
    ours = Spec.parse(spec(activation=SAME_ACTIVATIONS[other]))
    found = Spec.parse(spec(activation=other))
    assert found == ours and found.digest() == ours.digest()
    assert found.layers[0].activation == SAME_ACTIVATIONS[other] in ACTIVATIONS
    layers = (Layer(units=3, activation=other), Layer(units=2))
    assert Spec(name="net", dtype="float64", inputs=2, layers=layers) == ours


def test_what_a_spec_declares_is_what_its_name_means() -> None:
    own = Spec.parse(spec(activation="swish", activations={"swish": {"formula": "2*z"}}))
    assert own.layers[0].activation == "swish" and own.activation_tree("swish") is not None


@pytest.mark.parametrize("other", SAME_LOSSES)
def test_a_loss_by_another_name_is_the_same(other: str) -> None:
    ours, found = (Spec.parse(spec(loss={"kind": k})) for k in (SAME_LOSSES[other], other))
    assert found == ours and found.digest() == ours.digest()
    assert Loss(kind=other).kind == SAME_LOSSES[other] in LOSSES  # type: ignore[arg-type]
    terms = Spec.parse(spec(loss={"terms": [{"name": "a", "kind": other}]}))
    assert terms.loss.terms[0].kind == SAME_LOSSES[other]


@pytest.mark.parametrize("other", SAME_KEYS)
def test_a_key_by_another_name_is_the_same(other: str) -> None:
    ours, found = (Spec.parse(spec(training={key: 0.5})) for key in ("rate", other))
    assert found == ours and found.digest() == ours.digest()
    assert found.normalised()["training"]["rate"] == 0.5
    assert message(spec(training={other: -0.5})) == (
        f"training.{other}: must be more than 0, not -0.5"
    )
    assert message(spec(training={other: 0.5, "rate": 0.5})) == (
        f"training.{other}: unknown key; it is another word for rate, which is said already:"
        " leave one out"
    )


def test_a_module_has_our_names() -> None:
    found = symgrad.compile(spec(activation="linear", loss={"kind": "crossentropy"})).module
    assert found.SPEC["layers"][0]["activation"] == "identity"
    assert found.SPEC["loss"]["kind"] == "cross_entropy"


def test_the_schema_has_them() -> None:
    defined = Spec.json_schema()["$defs"]
    kinds = defined["Loss"]["properties"]["kind"]["enum"]
    assert kinds == defined["Term"]["properties"]["kind"]["enum"] == [*LOSSES, *SAME_LOSSES]
    training = defined["Training"]
    for other in SAME_KEYS:
        assert training["properties"][other]["exclusiveMinimum"] == 0
        assert {"required": ["rate", other]} in training["not"]["anyOf"]
    assert {"required": [*SAME_KEYS]} in training["not"]["anyOf"]
    assert "enum" not in defined["Layer"]["properties"]["activation"]


# ---- Not the same --------------------------------------------------------------------------------

Y = np.random.default_rng(0).uniform(0.05, 0.95, (5, 3))
T = np.random.default_rng(1).uniform(0.05, 0.95, (5, 3))


def of_one(word: str, y: Any, t: Any) -> Any:
    """What others mean by a word, for each output, before the mean."""
    d = np.abs(y - t)
    return {
        "mse": d**2, "mae": d, "bce": -(t * np.log(y) + (1 - t) * np.log(1 - y)),
        "smooth_l1": np.where(d < 1, 0.5 * d**2, d - 0.5), "logcosh": np.log(np.cosh(d)),
    }[word]  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("word", _MEANS)
def test_the_formula_that_is_said_is_theirs(word: str, outputs: int, scale: float) -> None:
    """Of an identity, so that y is what one likes."""
    said = message(spec(outputs, loss={"kind": word}))
    formula = re.findall(r'formula = "(.*?)"', said)[0]
    identity = {"name": "net", "dtype": "float64", "inputs": outputs}
    layers = [{"units": outputs, "bias": False}]
    module = symgrad.compile({**identity, "layers": layers, "loss": {"formula": formula}}).module
    y, t = Y[:, :outputs], (T if word == "bce" else scale * T)[:, :outputs]
    found = module.loss(np.eye(outputs).ravel(), y, t)
    assert found == pytest.approx(of_one(word, y, t).mean(), rel=1e-12)


def test_ours_is_said_as_it_is() -> None:
    assert message(spec(3, loss={"kind": "mse"})) == (
        'loss.kind: there is no \'mse\': "squared" is ½·(y - t)², summed over outputs and averaged'
        ' over samples; mse, a mean over outputs too, is formula = "(y - t)**2/3" in place of kind'
    )
    assert message(spec(1, loss="MSELoss")).endswith(
        'not \'MSELoss\'; "squared" is ½·(y - t)²; mse is formula = "(y - t)**2" in place of kind'
    )
    with pytest.raises(SpecError, match=r'"\(y - t\)\*\*2/m" in place of kind, m the number'):
        Loss(kind="mse")  # type: ignore[arg-type]


THEIRS = {
    "relu6": lambda z: np.clip(z, 0, 6),
    "prelu": lambda z: np.where(z < 0, 0.25 * z, z),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "hard_sigmoid": lambda z: np.clip(z + 3, 0, 6) / 6,
    "hard_swish": lambda z: z * np.clip(z + 3, 0, 6) / 6,
    "gelu_tanh": lambda z: z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
}


@pytest.mark.parametrize("word", _FORMULAS)
def test_what_is_said_to_declare_is_the_activation(word: str) -> None:
    said = message(spec(activation=word))
    assert said.startswith(f"layers[0].activation: unknown activation {word!r}; declare it:")
    (formula,) = re.findall(rf'\[activations.{word}\] with formula = "(.*?)"', said)
    layers = [{"units": 1, "activation": word, "bias": False}]
    declared = {"activations": {word: {"formula": formula}}}
    net = {"name": "net", "dtype": "float64", "inputs": 1, "layers": layers, **declared}
    z = np.linspace(-8, 8, 101)[:, None]
    found = symgrad.compile(net).module.predict(np.ones(1), z)
    assert np.allclose(found, THEIRS[word](z), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nll", "of probabilities y, and not of their logarithms"),
        ("NLLLoss", "of probabilities y, and not of their logarithms"),
        ("l2_loss", "a penalty on the weights is l2 = 1e-4 in [loss]"),
        ("categorical_crossentropy", 'write kind = "cross_entropy"'),
        ("BCEWithLogitsLoss", 'activation = "sigmoid" in the last layer'),
        ("kl_div", '"kl" is Σ t·log(t/y)'),
    ],
)
def test_a_loss_of_others_gets_an_answer(word: str, said: str) -> None:
    found = message(spec(loss={"kind": word}))
    assert found.startswith(f"loss.kind: there is no {word!r}: ") and said in found
    assert "did you mean" not in found


@pytest.mark.parametrize("name", ["dropout", "batch_norm", "BatchNorm1d", "conv2d", "Conv", "lstm"])
def test_what_there_is_not_is_said_wherever_it_stands(name: str) -> None:
    as_layer = {"units": 3, name: True}
    for given in (
        spec(activation=name),
        spec(**{name: 0.5}),
        spec(layers=[as_layer, {"units": 1}]),
        spec(training={name: True}),
    ):
        found = message(given)
        assert str(answer(name)) in found and "there " in found and "did you mean" not in found


def test_a_near_word_may_be_one_of_others() -> None:
    assert "unknown activation 'Swish' (did you mean 'swish'?);" in message(
        spec(activation="Swish")
    )
    assert message(spec(loss={"kind": "crossentropie"})).endswith("(did you mean 'crossentropy'?)")


# ---- Keys ----------------------------------------------------------------------------------------

LAYERS = (
    "the keys here are units, activation, bias, residual, from, l1, l2, trainable, names, heads"
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": [16, 16]}, "hidden: unknown key; each layer has a table: [[layers]] with units"
         ' = 16 and activation = "relu"'),
        ({"hidden_layer_sizes": [16]}, "hidden_layer_sizes: unknown key; each layer has a table:"),
        ({"layers": [{"units": 1, "activations": "relu"}]},
         f"layers[0].activations: unknown key (did you mean 'activation'?); {LAYERS}"),
        ({"layers": [{"units": 1, "neurons": 3}]},
         f"layers[0].neurons: unknown key (did you mean 'units'?); {LAYERS}"),
        ({"layers": [{"units": 1, "size": 3}]},
         f"layers[0].size: unknown key (did you mean 'units'?); {LAYERS}"),
        ({"layers": [{"units": 1, "inputs": 3}]},
         "layers[0].inputs: unknown key; inputs belongs at the top, before all tables"),
        ({"layers": [{"units": 1, "type": "dense"}]},
         "layers[0].type: unknown key; layers are dense, all of them, and have no type"),
        ({"layers": [{"units": 1, "type": "conv2d"}]}, "unknown key; there are no convolutions"),
        ({"layers": [{"units": 1, "name": "hidden_1"}]},
         "layers[0].name: unknown key; layers and losses have no name; outputs have, by names"),
        ({"layers": [16, {"units": 1}]}, "layers[0]: must be a table with the keys units,"
         " activation, bias, residual, from, l1, l2, trainable, names, heads, not 16;"
         " write { units = 16 }"),
        ({"loss": "absolute"}, "sample_weights, terms, l1, l2, not 'absolute'; write"
         " { kind = 'absolute' }"),
        ({"training": "sgd"}, "not 'sgd'; write { optimizer = 'sgd' }"),
        ({"optimizer": "adam"}, "optimizer: unknown key; optimizer belongs in [training]"),
        ({"learning_rate": 0.1}, "learning_rate: unknown key; rate belongs in [training]"),
        ({"batch_size": 8}, "batch_size: unknown key; batch belongs in [training]"),
        ({"training": {"batch_size": 8}}, "batch_size: unknown key (did you mean 'batch'?);"),
        ({"activation": "relu"}, "activation: unknown key; activation belongs in [[layers]]"),
        ({"outputs": 2}, "outputs: is a table with the keys shift, scale, clip; how many outputs"
         " there are is said by units, in the last of [[layers]]"),
        ({"training": {"l2": 0.1}}, "training.l2: unknown key; l2 belongs in [[layers]] or in"
         " [loss]"),
        ({"formula": "y"}, "formula: unknown key; formula belongs in [loss] or in"
         " [activations.NAME]"),
        ({"activations": "relu"}, "activations: must be a table of formulas by name (a layer's"
         " activation stands in [[layers]]), not 'relu'"),
        ({"training": {"momentum": 0.9}}, "training.momentum: unknown key; numbers of an optimizer"
         " or a schedule stand in constants = { … } in [training]"),
        ({"training": {"early_stopping": True}}, "unknown key; write patience = 20 in [training]"),
        ({"training": {"class_weight": "balanced"}}, "symgrad train --class-weight balanced, in"
         ' Python class_weight="balanced"'),
        ({"training": {"optimizer": "nadam"}}, "training.optimizer: there is no 'nadam': nearest"),
        ({"training": {"schedule": "plateau"}}, 'write schedule = "cosine", or patience = 20'),
        ({"dtype": "double"}, "dtype: there is no 'double': write float32 or float64"),
        ({"loss": {"terms": [{"name": "a", "kind": "kl", "l_2": 1}]}},
         "loss.terms[0].l_2: unknown key; the keys here are kind, formula, constants, targets,"
         " weight, sample_weights, name"),
    ],
)  # fmt: skip
def test_a_slip_in_a_key_is_led_to_the_right_place(changes: dict[str, Any], said: str) -> None:
    assert said in message({**spec(), **changes})


def test_what_is_no_spec_at_all_is_no_table() -> None:
    with pytest.raises(SpecError, match=r"training, derivatives, members, not 'mse'$"):
        Spec.parse("mse")  # type: ignore[arg-type]


def test_the_tables_of_words_are_right() -> None:
    known = {*Spec.model_fields, *Layer.model_fields, *Loss.model_fields, *Training.model_fields}
    assert {*MEANT.values()} <= known | {"inputs"}
    assert {*_SPELLED.values()} <= {*_ANSWERS, *_FORMULAS, *_MEANS}
    assert not {*MEANT} & {*Training.model_fields}
    constants = {name for given in OPTIMIZERS.values() for name in given.constants}
    constants |= {name for given in SCHEDULE_CONSTANTS.values() for name in given}
    assert all(answer(name) == _ANSWERS["constant"] for name in constants)
    assert not [name for name in (*ACTIVATIONS, *SAME_ACTIVATIONS) if answer(name)]


def test_what_is_said_can_be_printed() -> None:
    assert "\x1b" not in message(spec(loss={"kind": "m\x1bse"}))
    assert "\x1b" not in message(spec(activation="relu\x1b6"))
