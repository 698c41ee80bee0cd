"""write: a network becomes an ONNX file, which onnxruntime and others run.

    z1 = Gemm(x, W1, b1)      a layer; MatMul where it has no bias
    a1 = Tanh(z1)             its activation, one node or the nodes that its formula takes
    …
    y                         the output

The same network gives the same bytes.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.interop.errors import InteropError, needed
from symgrad.interop.network import Array, Network
from symgrad.interop.onnx.activations import activation
from symgrad.interop.onnx.formulas import formula
from symgrad.interop.onnx.graph import Graph
from symgrad.interop.onnx.load import quietly, unreadable
from symgrad.interop.onnx.names import INPUT, INPUTS, LABELS, OUTPUT, OUTPUTS, PRODUCER, SPEC
from symgrad.interop.onnx.scaling import around, metadata
from symgrad.spec.formula import has_sum
from symgrad.spec.scaling import Numbers, Scaling
from symgrad.spec.spec import Group, Spec
from symgrad.training.atomic import write as write_whole
from symgrad.training.run import Run
from symgrad.training.trained import Trained

if TYPE_CHECKING:
    from onnx import ModelProto

# What is written is read from onnxruntime 1.18 on: Gelu came with opset 20.
OPSET, IR = 20, 9

# Protobuf holds no message of 2 GiB; this much is left for all but the weights.
LARGEST = 2**31 - 2**24


def write(network: Network | Run | Trained, path: str | os.PathLike[str]) -> Path:
    """Writes a network as an ONNX file, in place of what is there, whole or not at all.

    It has an input x of shape (samples, inputs) and an output y of shape (samples, outputs), in the
    spec's dtype. A run's network takes inputs in raw units, fills what is missing if it was trained
    to, and gives outputs in raw units, in float64; for classes y is what the network gives, and a
    second output, label, of shape (samples,), holds the predicted classes.

    Raises InteropError for a network that no ONNX file can hold.
    """
    model = model_of(network)
    path = Path(path)
    write_whole(path, model.SerializeToString(deterministic=True))
    return path


def is_own(path: Path) -> bool:
    """Whether `write` has written a file: no other is ever to be overwritten unasked."""
    onnx = needed("onnx", "writing ONNX files", "onnx")
    if not path.is_file():
        return False
    try:
        model = quietly(onnx, path, load_external_data=False)
    except unreadable(onnx):
        return False
    return bool(model.producer_name == PRODUCER)


def model_of(network: Network | Run | Trained) -> "ModelProto":
    """The model that `write` writes, checked by onnx."""
    onnx = needed("onnx", "writing ONNX files", "onnx")
    if isinstance(network, Run):
        network = network.trained
    if isinstance(network, Trained):
        from symgrad.training.consistency import check_consistency

        trained, spec = network, Spec.recorded(network.spec)
        check_consistency(trained, spec)
        network = Network(spec, trained.theta.astype(spec.dtype, copy=False))
        graph = Graph(np.dtype(spec.dtype))
        typed = around(graph, trained, lambda x, y: _layers(graph, network, x, y))
        noted: Mapping[str, str] = metadata(trained)
    elif isinstance(network, Network):
        graph = Graph(np.dtype(network.spec.dtype))
        _layers(graph, network, INPUT, OUTPUT)
        dtype = graph.dtype
        typed = {INPUT: (dtype, network.spec.inputs), OUTPUT: (dtype, network.spec.outputs)}
        noted = {SPEC: json.dumps(network.spec.normalised(), ensure_ascii=False)}
        for key, names in (
            (INPUTS, network.spec.input_names),
            (OUTPUTS, network.spec.output_names),
            (LABELS, network.labels),
        ):
            if names is not None:
                noted[key] = json.dumps(list(names))
    else:
        raise InteropError(f"written are a Network and a Run, not {type(network).__name__}")
    return _model(onnx, graph, network.spec, typed, noted)


def _layers(graph: Graph, network: Network, x: str, y: str) -> None:
    """The nodes from the tensor x to the tensor y."""
    spec = network.spec
    if network.theta.nbytes > LARGEST:
        raise InteropError(
            f"{spec.weights:,} weights of {spec.dtype} are more than the 2 GiB of an ONNX file"
        )
    made = [_scaled_in(graph, spec.scaling_of_inputs, x) if spec.scaling_of_inputs else x]
    last, after = len(spec.layers), spec.scaling_of_outputs
    for number, (layer, (weight, bias)) in enumerate(
        zip(spec.layers, network.layers, strict=True), start=1
    ):
        done = y if number == last and not after else f"a{number}"
        groups = spec.groups(number)
        bare = {group.activation for group in groups} == {"identity"} and not layer.residual
        z = done if bare else f"z{number}"
        w = graph.tensor(f"W{number}", weight)
        taken = [made[source] for _, source in spec.sources(number)]
        below = taken[0]
        if len(taken) > 1:
            below = graph.op("Concat", *taken, name=f"c{number}", axis=1)
        if bias is None:
            graph.op("MatMul", below, w, name=z)
        else:
            graph.op("Gemm", below, w, graph.tensor(f"b{number}", bias), name=z)
        if not bare:
            graph.stem = done
            a = _activations(graph, spec, groups, z)
            if layer.residual:
                graph.op("Add", a, below, name=done)
            else:
                graph.rename(a, done)
        made.append(done)
    if after:
        _scaled_out(graph, after, made[-1], y)


def _scaled_in(graph: Graph, scaling: Scaling, x: str) -> str:
    """The inputs in the network's own units."""
    graph.stem, a = "a0", _clipped(graph, scaling, "x", x)
    for key, operation in (("shift", "Sub"), ("scale", "Div")):
        if (numbers := getattr(scaling, key)) is not None:
            a = graph.op(operation, a, _columns(graph, f"x_{key}", numbers))
    return a


def _scaled_out(graph: Graph, scaling: Scaling, a: str, y: str) -> None:
    """The outputs in the units of the data."""
    graph.stem = y
    for key, operation in (("scale", "Mul"), ("shift", "Add")):
        if (numbers := getattr(scaling, key)) is not None:
            a = graph.op(operation, a, _columns(graph, f"y_{key}", numbers))
    graph.rename(_clipped(graph, scaling, "y", a), y)


def _clipped(graph: Graph, scaling: Scaling, name: str, value: str) -> str:
    if scaling.ends is not None:
        low, high = scaling.ends
        value = graph.op("Max", value, _columns(graph, f"{name}_low", low))
        value = graph.op("Min", value, _columns(graph, f"{name}_high", high))
    return value


def _columns(graph: Graph, name: str, numbers: Numbers) -> str:
    """A number for all columns, or one for each."""
    return graph.tensor(name, np.array(numbers, graph.dtype))


def _activations(graph: Graph, spec: Spec, groups: Sequence[Group], z: str) -> str:
    """The activation of a layer, or of each of its heads, whose columns stand side by side."""
    if len(groups) == 1:
        return _activation(graph, spec, groups[0].activation, z, groups[0].units)
    made = []
    for group in groups:
        ends = [
            graph.tensor(f"column_{place}", np.array([place], np.int64))
            for place in (group.columns.start, group.columns.stop)
        ]
        own = graph.op("Slice", z, *ends, graph.axes(), name=f"{z}{group.label}")
        made.append(_activation(graph, spec, group.activation, own, group.units))
    return graph.op("Concat", *made, axis=1)


def _activation(graph: Graph, spec: Spec, name: str, z: str, units: int) -> str:
    tree = spec.activation_tree(name)
    if tree is None:
        return activation(graph, name, z)

    def ones() -> str:
        return graph.tensor(f"ones_{units}", np.ones((1, units), graph.dtype))

    result = formula(graph, tree, z, ones)
    # sum(exp(z)) alone has one number a sample, and each unit gets it.
    return graph.op("Mul", result, ones()) if has_sum(tree) else result


def _model(
    onnx: Any,
    graph: Graph,
    spec: Spec,
    typed: Mapping[str, tuple[np.dtype, int | None]],
    noted: Mapping[str, str],
) -> Any:
    helper, numpy_helper = onnx.helper, onnx.numpy_helper

    def info(name: str) -> Any:
        dtype, width = typed[name]
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        axes: list[str | int] = ["samples"] if width is None else ["samples", width]
        return helper.make_tensor_value_info(name, kind, axes)

    inputs, outputs = [INPUT], [name for name in typed if name != INPUT]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec.name,
            [info(name) for name in inputs],
            [info(name) for name in outputs],
            [
                numpy_helper.from_array(_little(array), name)
                for name, array in graph.tensors.items()
            ],
        ),
        producer_name=PRODUCER,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    for key in sorted(noted):
        model.metadata_props.add(key=key, value=noted[key])
    onnx.checker.check_model(model, full_check=True)
    return model


def _little(array: Array) -> Array:
    return array if array.dtype.kind in "OUb" else np.ascontiguousarray(array).reshape(array.shape)
