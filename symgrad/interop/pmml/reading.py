"""read: a NeuralNetwork of PMML becomes a network.

    z = bias + Σ weight·value[from]      of each Neuron
    value = activationFunction(z)        then, over the layer, normalizationMethod
    y = value                            or what NeuralOutput's NormContinuous was of; then Targets

Inputs are those of NeuralInputs, in their order. Of two classes writers have one neuron p, and
behind it p and 1 - p, which is one output here. What stands for missing or invalid values, and what
OutputFields compute further, is left aside.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element

from symgrad.interop import xml
from symgrad.interop.activations import composed
from symgrad.interop.affine import EVERYWHERE, IDENTITY, Affine, Range, of_inputs, of_outputs
from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network, assemble
from symgrad.interop.pmml.fields import Fields, Scaled
from symgrad.interop.pmml.words import ACTIVATIONS, KIND, NORMALIZATIONS
from symgrad.interop.source import contents, input_names, labels_of, name_of, number, unknown
from symgrad.interop.units import Unit, arranged
from symgrad.spec.formula import listed, quoted


def read(
    path: str | os.PathLike[str], *, name: str | None = None, loss: LossLike | None = None
) -> Network:
    """The network in a file of PMML, in float64, with its labels. Raises InteropError."""
    content = contents(path, KIND)
    try:
        root = xml.parse(content, KIND)
        return _Document(root, _model(root)).network(name_of(path, name), loss)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def recognised(start: str) -> bool:
    """Whether a file that begins so is PMML."""
    return "<PMML" in start


def _model(root: Element) -> Element:
    if root.tag != "PMML":
        raise InteropError(f"no {KIND}: its root is {quoted(root.tag)}")
    models = [
        each for each in root if each.tag.endswith(("Model", "Network", "Machine", "Scorecard"))
    ]
    networks = [each for each in models if each.tag == "NeuralNetwork"]
    if len(models) != 1 or not networks:
        there = listed([each.tag for each in models]) if models else "none"
        raise InteropError(f"understood is a single model, a NeuralNetwork; there is {there}")
    return networks[0]


@dataclass(frozen=True)
class _Output:
    """What a NeuralOutput says: which neuron's value is which target, or which class of it."""

    neuron: str
    target: str
    label: str | None
    map: Affine = IDENTITY
    range: Range = EVERYWHERE


@dataclass(frozen=True)
class _Document:
    root: Element
    model: Element

    def network(self, name: str, loss: LossLike | None) -> Network:
        inputs = self.inputs()
        layers = self.layers()
        outputs = self.outputs()
        last = {unit.key: unit for unit in layers[-1]}
        if {each.neuron for each in outputs} != set(last) or len(outputs) != len(last):
            raise InteropError(
                f"NeuralOutputs has {len(outputs)} of the {len(last)} neurons of the last layer: it"
                " should have each of them once, for it says what a neuron stands for"
            )
        layers[-1] = [last[each.neuron] for each in outputs]
        classifies = self.model.get("functionName") == "classification"
        labels = self.labels(outputs) if classifies else None
        if classifies and (second := _second(layers)) is not None:
            layers = layers[:-1]
            if labels is not None:
                labels = (labels[1 - second], labels[second])
            outputs = [_Output(layers[-1][0].called, "", None)]
        fields = [each.field or "" for each in inputs.values()]
        if len(set(fields)) != len(fields):
            raise InteropError(f"{_twice(fields)} is an input twice, which is not understood")
        network = assemble(
            arranged(list(inputs), layers),
            name,
            "float64",
            "squared" if loss is None and not classifies else loss,
            {
                **input_names(fields),
                **of_inputs(
                    [each.map for each in inputs.values()], [each.range for each in inputs.values()]
                ),
            },
            of_outputs([each.map for each in outputs], [each.range for each in outputs]),
        )
        fits = labels is not None and len(labels) == max(network.spec.outputs, 2)
        return Network(network.spec, network.theta, labels if fits else None)

    def inputs(self) -> dict[str, Scaled]:
        """What each input is of a field, by the input's id."""
        known, found = Fields.of(self.root, self.model), dict[str, Scaled]()
        ends = self.ends()
        for each in _in(self.model, "NeuralInputs", "NeuralInput"):
            called = f"the input {each.get('id', '')}"
            derived = each.find("DerivedField")
            if derived is None or each.get("id", "") in found:
                raise InteropError(f"{called} should have a DerivedField, and an id of its own")
            scaled = known.scaled(derived, called)
            if scaled.field is None:
                raise InteropError(f"{called} is a constant; leave it out, and add it to biases")
            if (end := ends.get(scaled.field)) is not None:
                if scaled.range != EVERYWHERE:
                    raise InteropError(f"{called}: it is cut twice")
                scaled = replace(scaled, range=end)
            found[each.get("id", "")] = scaled
        if not found:
            raise InteropError("there are no NeuralInputs")
        return found

    def ends(self) -> dict[str, Range]:
        """The ends at which the MiningSchema cuts fields."""
        found = {}
        for field in _in(self.model, "MiningSchema", "MiningField"):
            name, outliers = field.get("name", ""), field.get("outliers", "asIs")
            if outliers == "asIs":
                continue
            if outliers != "asExtremeValues":
                raise InteropError(
                    f"the field {name}: outliers that are {outliers} are not understood"
                )
            low, high = (
                number(field.get(key, ""), f"{key} of {name}") for key in ("lowValue", "highValue")
            )
            found[name] = low, high
        return found

    def layers(self) -> list[list[Unit]]:
        found = []
        for place, layer in enumerate(self.model.findall("NeuralLayer"), start=1):
            function = layer.get("activationFunction", self.model.get("activationFunction", ""))
            method = layer.get("normalizationMethod", self.model.get("normalizationMethod", "none"))
            formula = _activation(place, function, method)
            found.append([_unit(each, formula, function) for each in layer.findall("Neuron")])
        if not found or not found[-1]:
            raise InteropError("there is no NeuralLayer with neurons")
        return found

    def outputs(self) -> list[_Output]:
        known, rescaled = Fields.of(self.root, self.model), self.rescaled()
        found = []
        for each in _in(self.model, "NeuralOutputs", "NeuralOutput"):
            neuron = each.get("outputNeuron", "")
            derived = each.find("DerivedField")
            if derived is None:
                raise InteropError(f"the output of {neuron} should have a DerivedField")
            discrete = derived.find("NormDiscrete")
            if discrete is not None:
                found.append(_Output(neuron, discrete.get("field", ""), discrete.get("value", "")))
                continue
            scaled = known.scaled(derived, f"the output of {neuron}")
            if scaled.field is None:
                raise InteropError(f"the output of {neuron} is of no field")
            after, ends = rescaled.get(scaled.field, (Affine(), EVERYWHERE))
            back = scaled.map.undone()
            if ends != EVERYWHERE and scaled.range != EVERYWHERE:
                raise InteropError(f"the output of {neuron}: it is cut twice")
            cut = _mapped(scaled.range if ends == EVERYWHERE else ends, after)
            found.append(_Output(neuron, scaled.field, None, back.then(after), cut))
        if not found:
            raise InteropError("there are no NeuralOutputs")
        return found

    def rescaled(self) -> dict[str | None, tuple[Affine, Range]]:
        """What Targets does to numbers, by target: min and max, then factor, then constant."""
        found: dict[str | None, tuple[Affine, Range]] = {}
        for target in _in(self.model, "Targets", "Target"):
            name = target.get("field")
            if target.get("castInteger"):
                raise InteropError(
                    f"the target {name} is rounded to integers, which is not understood"
                )
            factor, constant, low, high = (
                number(target.get(key, default), f"{key} of {name}")
                for key, default in (
                    ("rescaleFactor", "1"),
                    ("rescaleConstant", "0"),
                    ("min", "-inf"),
                    ("max", "inf"),
                )
            )
            found[name] = Affine().times(factor).plus(constant), (low, high)
        return found

    def labels(self, outputs: Sequence[_Output]) -> tuple[Any, ...] | None:
        """The classes in the order of the outputs, in the type that DataDictionary gives them."""
        types = {
            each.get("name"): each.get("dataType")
            for each in _in(self.root, "DataDictionary", "DataField")
        }
        if any(each.label is None for each in outputs):
            return None
        return labels_of([_typed(each.label or "", types.get(each.target)) for each in outputs])


def _mapped(ends: Range, map: Affine) -> Range:
    low, high = sorted((map.at(ends[0]), map.at(ends[1])))
    return low, high


def _typed(label: str, kind: str | None) -> Any:
    """A label in its type; as it stands, where it is none of that."""
    try:
        match kind:
            case "integer":
                return int(label)
            case "double" | "float":
                return float(label)
    except ValueError:
        return label
    if kind == "boolean" and label in ("true", "false"):
        return label == "true"
    return label


def _activation(place: int, function: str, method: str) -> str:
    for what, given, known in (
        ("activationFunction", function, ACTIVATIONS),
        ("normalizationMethod", method, NORMALIZATIONS),
    ):
        if given not in known:
            raise unknown(f"layer {place}: the {what} {quoted(given)}", known)
    formula, normalization = ACTIVATIONS[function], NORMALIZATIONS[method]
    if normalization is None:
        return formula
    return normalization if formula == "identity" else composed(normalization, formula)


def _unit(neuron: Element, formula: str, hint: str) -> Unit:
    key = neuron.get("id", "")
    called = f"the neuron {key}"
    connections = neuron.findall("Con")
    weights = {
        each.get("from", ""): number(each.get("weight", ""), f"a weight of {called}")
        for each in connections
    }
    if len(weights) != len(connections):
        raise InteropError(f"{called} takes a neuron twice")
    bias = neuron.get("bias")
    return Unit(
        key,
        called,
        weights,
        None if bias is None else number(bias, f"the bias of {called}"),
        formula,
        hint,
    )


def _second(layers: Sequence[Sequence[Unit]]) -> int | None:
    """Which of two outputs is the value p of the one neuron before them, if the other is 1 - p."""
    if len(layers) < 2 or len(layers[-1]) != 2 or len(layers[-2]) != 1:
        return None
    (p,) = layers[-2]
    if any(unit.activation != "identity" for unit in layers[-1]):
        return None
    said = [(dict(unit.weights), unit.bias or 0.0) for unit in layers[-1]]
    one, other = ({p.key: 1.0}, 0.0), ({p.key: -1.0}, 1.0)
    return {(True, False): 0, (False, True): 1}.get((said == [one, other], said == [other, one]))


def _in(element: Element, part: str, each: str) -> list[Element]:
    inside = element.find(part)
    return [] if inside is None else inside.findall(each)


def _twice(names: Sequence[str]) -> str:
    return next(name for name in names if names.count(name) > 1)
