"""What stands around a trained network: raw units into it and out of it, and classes by name.

    x ──missing filled──▶ ──(x − mean)/scale──▶ network ──▶ y·target_scale + target_mean
                                                        └─▶ label

Scaling is computed in float64, as `Scaling` does it.
"""

import json
from collections.abc import Callable, Mapping

import numpy as np

from symgrad.interop.network import Array
from symgrad.interop.onnx.graph import Graph
from symgrad.interop.onnx.names import INPUT, INPUTS, LABEL, LABELS, OUTPUT, OUTPUTS
from symgrad.training.labels import dtype_name, portable
from symgrad.training.trained import Label, Trained

# What a graph says of its tensors: the dtype, and the width; None for one number a sample.
Typed = dict[str, tuple[np.dtype, int | None]]


def around(graph: Graph, trained: Trained, network: Callable[[str, str], None]) -> Typed:
    """The graph from raw inputs to raw outputs; `network` writes the nodes between two tensors."""
    single = graph.dtype == np.float32
    classes = trained.columns.labels
    width, outputs = len(trained.scaling.mean), len(trained.scaling.target_mean)
    x = _scaled(graph, trained)
    if single:
        x = graph.op("Cast", x, to=_FLOAT, name="x_network")
    y = OUTPUT if classes is not None else "y_network"
    network(x, y)
    graph.stem = ""
    typed: Typed = {INPUT: (np.dtype(np.float64), width)}
    if classes is not None:
        typed[OUTPUT] = (graph.dtype, outputs)
        typed[LABEL] = (_label(graph, y, outputs, classes), None)
        return typed
    if single:
        y = graph.op("Cast", y, to=_DOUBLE, name="y_wide")
    scale = graph.tensor("target_scale", trained.scaling.target_scale)
    mean = graph.tensor("target_mean", trained.scaling.target_mean)
    graph.op("Add", graph.op("Mul", y, scale, name="y_scaled"), mean, name=OUTPUT)
    typed[OUTPUT] = (np.dtype(np.float64), outputs)
    return typed


# onnx.TensorProto.FLOAT, DOUBLE, INT64
_FLOAT, _DOUBLE, _INT64 = 1, 11, 7


def _scaled(graph: Graph, trained: Trained) -> str:
    """The inputs as the network takes them, in float64."""
    scaling, x = trained.scaling, INPUT
    if scaling.fill is not None:
        missing = graph.op("IsNaN", x, name="x_missing")
        x = graph.op("Where", missing, graph.tensor("fill", scaling.fill), x, name="x_filled")
    centred = graph.op("Sub", x, graph.tensor("mean", scaling.mean), name="x_centred")
    return graph.op("Div", centred, graph.tensor("scale", scaling.scale), name="x_scaled")


def _label(graph: Graph, y: str, outputs: int, classes: tuple[Label, ...]) -> np.dtype:
    """The output `label`, and its dtype: the largest output's class, or the second from ½ on."""
    if outputs == 1:
        second = graph.op("GreaterOrEqual", y, graph.number(0.5), name="is_second")
        wide = graph.op("Cast", second, to=_INT64, name="class_column")
        axis = graph.tensor("units", np.array([-1], np.int64))
        number = graph.op("Squeeze", wide, axis, name="class")
    else:
        number = graph.op("ArgMax", y, axis=-1, keepdims=0, name="class")
    kind = dtype_name(classes)
    labels: Array = np.array(portable(classes), object if kind == "str_" else kind)
    graph.op("Gather", graph.tensor("labels", labels), number, name=LABEL)
    return labels.dtype


def metadata(trained: Trained) -> Mapping[str, str]:
    """What is noted beside the graph: names of columns, and the classes."""
    columns = trained.columns
    noted = {INPUTS: list(columns.network_inputs), OUTPUTS: list(trained.outputs)}
    if columns.labels is not None:
        noted[LABELS] = list(columns.labels)  # type: ignore[arg-type]
    return {key: json.dumps(value, ensure_ascii=False) for key, value in noted.items()}
