"""opencv: files that OpenCV's ANN_MLP saves, in XML, YAML or JSON.

    a0 = x·s + o                      input_scale: s and o, by turns, of each input
    a1 = f(W1·a0 + b1)   …            f behind every layer, the last one too
    y = aL·s + o                      output_scale, likewise

    f(z) = β·tanh(α·z/2)  SIGMOID_SYM          β·exp(-(α·z)²)  GAUSSIAN          z  IDENTITY
           max(z, 0)      RELU                 z, or α·z below 0  LEAKYRELU

α and β are f_param1 and f_param2. A row of weights has those of one unit to all units of the next
layer; the last row is their biases. `inv_output_scale` leads from raw targets to the network, and
is not needed.
"""

import json
import os
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from symgrad.interop import xml
from symgrad.interop.activations import leaky_relu
from symgrad.interop.activations import number as written
from symgrad.interop.affine import Affine, of_inputs, of_outputs
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Layer, LossLike, Network, assemble
from symgrad.interop.source import contents, name_of, number, unknown, whole
from symgrad.spec.formula import quoted
from symgrad.spec.limits import UNITS, WEIGHTS

ROOT = "opencv_ml_ann_mlp"
KIND = "network of OpenCV's ANN_MLP"

# A file's fields as text: numbers stand apart by blanks, each row of weights by itself.
Fields = Mapping[str, Any]


def read(
    path: str | os.PathLike[str], *, name: str | None = None, loss: LossLike | None = None
) -> Network:
    """The network in a file that ANN_MLP has saved, in float64. Raises InteropError."""
    content = contents(path, KIND)
    try:
        return _network(_fields(content), name_of(path, name), loss)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def _network(fields: Fields, name: str, loss: LossLike | None) -> Network:
    sizes = [whole(n, "layer_sizes", 1, UNITS.value) for n in _field(fields, "layer_sizes").split()]
    if len(sizes) < 2:
        raise InteropError("layer_sizes should be two or more")
    if wrong := WEIGHTS.refusal(sum(a * b for a, b in pairwise(sizes))):
        raise InteropError(wrong)
    activation, hint = _activation(fields)
    rows = fields.get("weights")
    if not isinstance(rows, list) or len(rows) != len(sizes) - 1:
        raise InteropError(f"there should be weights of {len(sizes) - 1} layers")
    layers = []
    for place, (row, width, units) in enumerate(zip(rows, sizes, sizes[1:], strict=False), 1):
        weights = _numbers(row, f"the weights of layer {place}", (width + 1) * units)
        matrix = np.array(weights).reshape(width + 1, units)
        layers.append(Layer(matrix[:-1], matrix[-1], activation, name=f"layer {place}", hint=hint))
    return assemble(
        layers,
        name,
        "float64",
        "squared" if loss is None else loss,
        of_inputs(_scale(fields, "input_scale", sizes[0])),
        of_outputs(_scale(fields, "output_scale", sizes[-1])),
    )


def _activation(fields: Fields) -> tuple[str, str]:
    """The formula of the file's activation, and what it may be called."""
    kind = _field(fields, "activation_function")
    if kind == "IDENTITY":
        return "identity", kind
    if kind == "RELU":
        return "relu", kind
    alpha = number(_field(fields, "f_param1"), "f_param1")
    if kind == "LEAKYRELU":
        return leaky_relu(alpha), "leaky"
    beta = number(_field(fields, "f_param2"), "f_param2")
    if kind == "SIGMOID_SYM":
        return f"{written(beta)}*tanh({written(alpha / 2)}*z)", "sigmoid_sym"
    if kind == "GAUSSIAN":
        return f"{written(beta)}*exp(-({written(alpha)}*z)**2)", "bell"
    known = ("SIGMOID_SYM", "GAUSSIAN", "IDENTITY", "RELU", "LEAKYRELU")
    raise unknown(f"the activation {quoted(kind)}", known)


def _scale(fields: Fields, key: str, columns: int) -> list[Affine]:
    text = _field(fields, key)
    if ".inf" in text.lower() or ".nan" in text.lower():
        raise InteropError(
            f"{key} is not finite, so that OpenCV itself predicts NaN: with an activation that has"
            " no bounds its training needs the flag NO_OUTPUT_SCALE"
        )
    numbers = _numbers(text, key, 2 * columns)
    return [
        Affine().times(factor).plus(offset)
        for factor, offset in zip(numbers[::2], numbers[1::2], strict=True)
    ]


def _numbers(text: str, what: str, count: int) -> list[float]:
    parts = text.split()
    if len(parts) != count:
        raise InteropError(f"{what} should be {count} numbers, but there are {len(parts)}")
    return [number(part, what) for part in parts]


def _field(fields: Fields, key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise InteropError(f"there is no {key}; saved by OpenCV 3 or 4 it has one")
    return value


# ---- The three forms -----------------------------------------------------------------------------


def recognised(start: str) -> bool:
    """Whether a file that begins so is one of OpenCV's ANN_MLP."""
    return ROOT in start


def _fields(content: bytes) -> Fields:
    begin = content.lstrip()[:1]
    if begin == b"<":
        return _of_xml(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InteropError(f"no {KIND}: it is no text in UTF-8") from error
    return _of_json(text) if begin == b"{" else _of_yaml(text)


def _of_xml(content: bytes) -> Fields:
    root = xml.parse(content, KIND).find(ROOT)
    if root is None:
        raise InteropError(f"no {KIND}: there is no <{ROOT}>")
    fields: dict[str, Any] = {each.tag: xml.text(each) for each in root}
    weights = root.find("weights")
    fields["weights"] = [] if weights is None else [xml.text(row) for row in weights]
    return fields


def _of_json(text: str) -> Fields:
    try:
        data = json.loads(text)[ROOT]
        rows = data["weights"]
        fields = {key: _joined(value) for key, value in data.items()}
        return {**fields, "weights": [_joined(row) for row in rows]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InteropError(f"no {KIND}, or damaged") from error


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_yaml(text: str) -> Fields:
    """The blocks of the only mapping: those lines belong to a key that are indented further."""
    _, found, body = text.partition(f"\n{ROOT}:")
    if not found:
        raise InteropError(f"no {KIND}: there is no {ROOT}")
    blocks: dict[str, str] = {}
    key = ""
    for line in body.splitlines()[1:]:
        if begun := re.match(r" {3}(\w+): ?(.*)", line, re.A):
            key = begun[1]
            blocks[key] = begun[2]
        elif not line.startswith("      "):
            break
        else:
            blocks[key] = f"{blocks.get(key, '')}\n{line}"
    fields: dict[str, Any] = {name: _items(block) for name, block in blocks.items()}
    rows = re.split(r"^ {6}-", blocks.get("weights", ""), flags=re.M)
    return {**fields, "weights": [_items(row) for row in rows[1:]]}


def _items(block: str) -> str:
    """The items of a list, in brackets or with a dash each."""
    return re.sub(r"[\[\],]|^ *-(?= |$)", " ", block, flags=re.M).strip().strip('"')
