"""write: a network, or a run, as a NeuralNetwork of PMML 4.4.

    DataDictionary            raw columns and targets, classes by their labels
    TransformationDictionary  a column cut at its ends (NormContinuous), shifted and scaled (Apply)
    NeuralLayer …             a neuron for each unit
    Targets                   outputs in raw units: their ends, a factor and a constant

A single output that tells two classes apart has two neurons of no activation behind it, p and
1 - p, which is how PMML has them.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from symgrad.interop.activations import BUILT_IN
from symgrad.interop.affine import EVERYWHERE, Affine, rounded
from symgrad.interop.around import Around, around
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Network
from symgrad.interop.pmml.words import ACTIVATIONS, APPLICATION, NAMESPACE, VERSION
from symgrad.spec.formula import listed, parse, quoted
from symgrad.spec.spec import Spec
from symgrad.training.atomic import write as write_whole
from symgrad.training.run import Run
from symgrad.training.trained import Label, Trained

_BEGINNING = 1 << 12


def write(network: Network | Run | Trained, path: str | os.PathLike[str]) -> Path:
    """Writes a file of PMML, in place of what is there, whole or not at all.

    It takes raw inputs by name and gives raw outputs, or classes by their labels, each with its
    probability. Raises InteropError for an activation that PMML has not, and for residual layers.
    """
    path = Path(path)
    write_whole(path, document_of(network))
    return path


def is_own(path: Path) -> bool:
    """Whether `write` has written a file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return f'<Application name="{APPLICATION}"'.encode() in file.read(_BEGINNING)


def document_of(network: Network | Run | Trained) -> bytes:
    """The bytes of the file."""
    made = around(network)
    root = Element("PMML", xmlns=NAMESPACE, version=VERSION)
    SubElement(SubElement(root, "Header"), "Application", name=APPLICATION)
    _Writer(root, made).write()
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="utf-8") + b"\n"


class _Writer:
    def __init__(self, root: Element, made: Around) -> None:
        self.root, self.made = root, made
        self.spec = made.network.spec
        self.labels = _labels(made)
        self.target = made.columns.targets[0] if self.labels and made.columns else "y"
        self.categories = made.columns.categories if made.columns else {}
        if made.fill is not None and self.categories:
            raise InteropError(
                "the run fills missing values, which PMML cannot where columns are categories"
            )
        self.columns = made.columns.inputs if made.columns else made.inputs
        self.targets = (self.target,) if self.labels else made.outputs
        names = [*self.columns, *self.targets]
        if len(set(names)) != len(names):
            raise InteropError("inputs and targets have to have names of their own in PMML")

    def write(self) -> None:
        self.dictionary()
        ids = self.transformations()
        kind = "classification" if self.labels else "regression"
        model = SubElement(
            self.root,
            "NeuralNetwork",
            modelName=self.spec.name,
            functionName=kind,
            activationFunction="identity",
        )
        self.schema(model)
        self.output(model)
        self.rescaling(model)
        inputs = SubElement(model, "NeuralInputs", numberOfInputs=str(len(ids)))
        for place, field in enumerate(ids):
            derived = SubElement(SubElement(inputs, "NeuralInput", id=f"0,{place}"), "DerivedField",
                                 optype="continuous", dataType="double")  # fmt: skip
            SubElement(derived, "FieldRef", field=field)
        self.neural_outputs(model, self.layers(model))

    # ---- Fields ----------------------------------------------------------------------------------

    def dictionary(self) -> None:
        fields = SubElement(
            self.root, "DataDictionary", numberOfFields=str(len(self.columns) + len(self.targets))
        )
        for name in self.columns:
            _data_field(fields, name, self.categories.get(name))
        for name in self.targets:
            _data_field(fields, name, self.labels)

    def transformations(self) -> list[str]:
        """Derived fields for all inputs; their names."""
        made = self.made
        place = SubElement(self.root, "TransformationDictionary")
        names = []
        pairs = [
            (name, level) for name in self.columns for level in self.categories.get(name, (None,))
        ]
        for number, ((column, level), map, cut) in enumerate(
            zip(pairs, made.before, made.cut, strict=True)
        ):
            source = column
            if level is not None:
                source = f"is({number})"
                _normed(_derived(place, source), column, _text(level))
            if cut != EVERYWHERE:
                inner = _derived(place, f"cut({number})")
                inner = SubElement(inner, "NormContinuous", field=source)
                inner.set("outliers", "asExtremeValues")
                for end in cut:
                    SubElement(inner, "LinearNorm", orig=repr(end), norm=repr(end))
                source = f"cut({number})"
            back = map.undone()
            _scaled(
                _derived(place, f"scaled({number})"),
                source,
                rounded(back.offset),
                rounded(back.factor),
            )
            names.append(f"scaled({number})")
        return names

    def schema(self, model: Element) -> None:
        fill = self.made.fill
        schema = SubElement(model, "MiningSchema")
        for place, name in enumerate(self.columns):
            field = SubElement(schema, "MiningField", name=name, usageType="active")
            if fill is not None:
                field.set("missingValueReplacement", repr(float(fill[place])))
        for name in self.targets:
            SubElement(schema, "MiningField", name=name, usageType="target")

    def output(self, model: Element) -> None:
        output = SubElement(model, "Output")
        for label in self.labels or ():
            name = f"probability({_text(label)})"
            field = SubElement(output, "OutputField", name=name, feature="probability")
            field.set("value", _text(label))
            field.set("optype", "continuous")
            field.set("dataType", "double")
        several = len(self.targets) > 1
        for target in self.targets:
            name = f"predicted({target})"
            field = SubElement(output, "OutputField", name=name, feature="predictedValue")
            field.set("optype", "categorical" if self.labels else "continuous")
            field.set("dataType", _type(self.labels) if self.labels else "double")
            if several:
                field.set("targetField", target)

    def rescaling(self, model: Element) -> None:
        made = self.made
        if self.labels is not None:
            if any(each != Affine() for each in made.after) or any(
                e != EVERYWHERE for e in made.ends
            ):
                raise InteropError("outputs of classes are scaled or cut, which PMML cannot")
            return
        if all(each == Affine() for each in made.after) and all(e == EVERYWHERE for e in made.ends):
            return
        targets = SubElement(model, "Targets")
        for name, map, ends in zip(self.targets, made.after, made.ends, strict=True):
            target = SubElement(targets, "Target", field=name, optype="continuous")
            target.set("rescaleFactor", repr(rounded(map.factor)))
            target.set("rescaleConstant", repr(rounded(map.offset)))
            if ends != EVERYWHERE:
                low, high = sorted(map.undone().at(end) for end in ends)
                target.set("min", repr(low))
                target.set("max", repr(high))

    # ---- Neurons ---------------------------------------------------------------------------------

    def layers(self, model: Element) -> list[str]:
        """The neurons of all layers; the ids of those that are the outputs."""
        spec = self.spec
        for number, (layer, (weight, bias)) in enumerate(
            zip(spec.layers, self.made.network.layers, strict=True), start=1
        ):
            if layer.residual:
                raise InteropError(f"layer {number} is residual, which no layer of PMML is")
            element = SubElement(model, "NeuralLayer", numberOfNeurons=str(layer.units))
            for key, value in _activation(spec, number, layer.activation).items():
                element.set(key, value)
            sources = [
                f"{place},{k}"
                for _, place in spec.sources(number)
                for k in range(spec.widths[place])
            ]
            biases = [None] * layer.units if bias is None else bias.tolist()
            for unit, column in enumerate(weight.T.tolist()):
                neuron = SubElement(element, "Neuron", id=f"{number},{unit}")
                if biases[unit] is not None:
                    neuron.set("bias", repr(biases[unit]))
                for source, value in zip(sources, column, strict=True):
                    SubElement(neuron, "Con", {"from": source, "weight": repr(value)})
        last = len(spec.layers)
        if self.labels is None or spec.outputs > 1:
            return [f"{last},{unit}" for unit in range(spec.outputs)]
        both = SubElement(model, "NeuralLayer", numberOfNeurons="2", activationFunction="identity")
        for unit, (constant, factor) in enumerate((("1.0", "-1.0"), ("0.0", "1.0"))):
            neuron = SubElement(both, "Neuron", id=f"{last + 1},{unit}", bias=constant)
            SubElement(neuron, "Con", {"from": f"{last},0", "weight": factor})
        return [f"{last + 1},{unit}" for unit in range(2)]

    def neural_outputs(self, model: Element, ids: Sequence[str]) -> None:
        outputs = SubElement(model, "NeuralOutputs", numberOfOutputs=str(len(ids)))
        for place, neuron in enumerate(ids):
            output = SubElement(outputs, "NeuralOutput", outputNeuron=neuron)
            if self.labels is None:
                derived = SubElement(output, "DerivedField", optype="continuous", dataType="double")
                SubElement(derived, "FieldRef", field=self.targets[place])
            else:
                derived = SubElement(
                    output, "DerivedField", optype="categorical", dataType=_type(self.labels)
                )
                _normed(derived, self.target, _text(self.labels[place]))


def _labels(made: Around) -> tuple[Label, ...] | None:
    """Classes by name; by number, where a softmax tells them apart and they have none."""
    spec = made.network.spec
    if made.labels is None and made.columns is None and spec.layers[-1].activation == "softmax":
        return tuple(range(spec.outputs))
    return made.labels


def _activation(spec: Spec, number: int, name: str) -> Mapping[str, str]:
    """The attributes of a layer that say what its activation is."""
    if name == "softmax":
        return {"activationFunction": "identity", "normalizationMethod": "softmax"}
    tree = spec.activation_tree(name)
    for theirs, ours in ACTIVATIONS.items():
        if ours == name or (tree is not None and parse(BUILT_IN.get(ours, ours), ("z",)) == tree):
            return {"activationFunction": theirs}
    raise InteropError(
        f"layer {number} has the activation {quoted(name)};"
        f" PMML has {listed([*ACTIVATIONS, 'softmax'])}"
    )


def _data_field(fields: Element, name: str, values: Sequence[Label] | None) -> None:
    field = SubElement(fields, "DataField", name=name)
    field.set("optype", "continuous" if values is None else "categorical")
    field.set("dataType", "double" if values is None else _type(values))
    for value in values or ():
        SubElement(field, "Value", value=_text(value))


def _derived(place: Element, name: str) -> Element:
    return SubElement(place, "DerivedField", name=name, optype="continuous", dataType="double")


def _normed(place: Element, field: str, value: str) -> None:
    SubElement(place, "NormDiscrete", field=field, value=value)


def _scaled(place: Element, field: str, shift: float, scale: float) -> None:
    """(field - shift)/scale, or the field as it is."""
    expression = Element("FieldRef", field=field)
    for function, number, nothing in (("-", shift, 0.0), ("/", scale, 1.0)):
        if number != nothing:
            inner, expression = expression, Element("Apply", function=function)
            expression.append(inner)
            SubElement(expression, "Constant", dataType="double").text = repr(number)
    place.append(expression)


def _type(labels: Sequence[Label]) -> str:
    match labels[0]:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "double"
    return "string"


def _text(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
