"""Classes: what the outputs of a classifier are called, and nodes that say so.

skl2onnx gives probabilities a ZipMap, which makes a map from classes to numbers of each row; other
files have the classes in a tensor, from which the label is gathered, or as a note of symgrad's.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from symgrad.interop.network import Label
from symgrad.interop.onnx.constants import tensor
from symgrad.interop.onnx.names import LABELS
from symgrad.interop.onnx.nodes import Call, Node, read_node
from symgrad.interop.onnx.values import Settled, Value

# What a label goes through on its way out.
_PASSES = ("Cast", "Identity", "Reshape", "Squeeze", "Flatten")
_GATHERS = ("Gather", "ai.onnx.ml.ArrayFeatureExtractor")


def zip_map(call: Call, settled: Settled) -> Value:
    """The numbers, in the order of the classes."""
    return call.operand(0)


def labels(model: Any, wanted: str, outputs: int) -> tuple[Label, ...] | None:
    """The classes in the order of the outputs, two of them for a single one; None if none are
    named, or not as many."""
    nodes = {name: node for node in map(read_node, model.graph.node) for name in node.outputs}
    for found in _found(model, nodes, wanted):
        if len(found) == max(outputs, 2) and len(set(found)) == len(found):
            return found
    return None


def _found(model: Any, nodes: Mapping[str, Node], wanted: str) -> Iterator[tuple[Label, ...]]:
    if wanted in nodes and nodes[wanted].kind == "ai.onnx.ml.ZipMap":
        attributes = nodes[wanted].attributes
        yield _plain(attributes.get("classlabels_strings") or attributes.get("classlabels_int64s"))
    yield noted(model)
    tensors = {each.name: each for each in model.graph.initializer}
    for each in model.graph.output:
        node = nodes.get(each.name)
        while node is not None and node.kind in _PASSES:
            node = nodes.get(node.inputs[0])
        if node is not None and node.kind in _GATHERS and node.inputs[0] in tensors:
            array = tensor(tensors[node.inputs[0]], node.where)
            yield _plain(array.ravel().tolist())


def _plain(values: Any) -> tuple[Label, ...]:
    return tuple(
        each.decode("utf-8", "replace") if isinstance(each, bytes) else each
        for each in values or ()
    )


def noted(model: Any) -> tuple[Label, ...]:
    """The classes in a note of symgrad's; none if there is no such note, or it is none."""
    for text in [note.value for note in model.metadata_props if note.key == LABELS]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(each, str | int | float) for each in found):
            return tuple(found)
    return ()


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {"ai.onnx.ml.ZipMap": zip_map}
