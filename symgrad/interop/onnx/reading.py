"""read: an ONNX graph becomes a network, node by node, from the input to the output.

file ──load──▶ checked model ──own──▶ Network, if symgrad wrote it
                             ──walk──▶ units ──chain──▶ layers ──assemble──▶ Network
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.interop.activations import is_softmax
from symgrad.interop.errors import InteropError, not_understood
from symgrad.interop.network import (
    Array,
    Layer,
    LossLike,
    Network,
    assemble,
    rounded,
    with_loss,
    with_name,
)
from symgrad.interop.onnx import elementwise, linear, shapes
from symgrad.interop.onnx.branches import compare, where, without_branches
from symgrad.interop.onnx.constants import fold, tensor
from symgrad.interop.onnx.load import load, opset_of
from symgrad.interop.onnx.nodes import Call, Node, read_node, type_name
from symgrad.interop.onnx.own import own
from symgrad.interop.onnx.values import (
    Condition,
    Constant,
    Expression,
    Features,
    Settled,
    Unit,
    Value,
)
from symgrad.interop.text import text
from symgrad.spec.formula import has_sum, quoted
from symgrad.spec.names import module_problem
from symgrad.training.caller import told


def read(
    source: str | os.PathLike[str] | Any,
    *,
    name: str | None = None,
    loss: LossLike | None = None,
    output: str | None = None,
) -> Network:
    """The network in an ONNX file, or in an `onnx.ModelProto`.

    `name` is the spec's, by default that of the file or graph; `loss` its loss, by default the
    usual one with the last activation. `output` says which of a graph's outputs is the network's,
    where it has several. A file that symgrad wrote gives back the very spec that it was written
    from. Raises InteropError, naming the node, for what is no multilayer perceptron.
    """
    model, shown = load(source)
    if output is None and (known := own(model)) is not None:
        spec = known.spec
        spec = spec if name is None else with_name(spec, name)
        return Network(spec if loss is None else with_loss(spec, loss), known.theta)
    opset = opset_of(model, shown)
    settled = Settled()
    unit = _walk(model.graph, opset, shown, output, settled)
    layers, dtype = _layers(unit, settled)
    return assemble(layers, name or _name(model, source), dtype, loss)


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **elementwise.HANDLERS,
    **shapes.HANDLERS,
    **dict.fromkeys(linear.OPERATORS, linear.arithmetic),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), compare),
    "Where": where,
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "BatchNormalization": linear.batch_norm,
}


def _walk(graph: Any, opset: int, shown: str, output: str | None, settled: Settled) -> Unit:
    """What the graph puts out, as the last of its units."""
    wanted = _output(graph, shown, output)
    values: dict[str, Value | None] = {
        each.name: Constant(tensor(each, f"the tensor {quoted(each.name)}"))
        for each in graph.initializer
    }
    kinds: dict[str, int | None] = {each.name: each.data_type for each in graph.initializer}
    nodes = [read_node(each) for each in graph.node]
    needed_nodes, needed_names = _ancestors(nodes, wanted)
    batch = None
    inputs = [each for each in graph.input if each.name in needed_names - values.keys()]
    if len(inputs) > 1:
        names = ", ".join(quoted(each.name) for each in inputs)
        raise InteropError(f"{shown}: it has {len(inputs)} inputs, {names}; understood is one")
    for each in inputs:
        width, batch = _input(each, shown)
        values[each.name] = Features(Unit(width))
        kinds[each.name] = each.type.tensor_type.elem_type
    for node in needed_nodes:
        kind = kinds.get(node.inputs[0]) if node.inputs else None
        values |= _outcome(node, values, kind, opset, batch, settled)
        kinds |= dict.fromkeys(node.outputs[:1], _kind(node, kinds))
    return _end(values.get(wanted), wanted, shown, settled)


def _outcome(
    node: Node,
    values: Mapping[str, Value | None],
    kind: int | None,
    opset: int,
    batch: int | None,
    settled: Settled,
) -> dict[str, Value | None]:
    """What a node's outputs are. Only the first ever matters to a network."""
    if node.kind == "Constant":
        return {node.outputs[0]: _constant(node)}
    for name in node.inputs:
        if name and name not in values:
            raise node.refusal(f"it takes {quoted(name)}, which no understood node gives")
    operands = tuple(values[name] if name else None for name in node.inputs)
    call = Call(node, operands, kind, opset, batch)
    if (folded := fold(call)) is not None:
        return {node.outputs[0]: folded}
    handler = HANDLERS.get(node.kind)
    if handler is None:
        raise node.refusal(not_understood(node.kind, _own(node.kind) or _READ))
    given = [each for each in call.operands if each is not None]
    if all(isinstance(each, Constant) for each in given):
        raise node.refusal("it works on constants alone, in a way that is not understood")
    if node.kind != "Where" and any(isinstance(each, Condition) for each in given):
        raise node.refusal("it takes a comparison, which is understood in a Where only")
    return {node.outputs[0]: handler(call, settled)}


_READ = (
    "read are linear layers and functions of each unit (docs/interop.md has all): leave what this"
    " node does to what is before the network, or after it"
)


def _own(kind: str) -> str:
    """Of an operator that is not ONNX's own, but somebody's."""
    domain = kind.rpartition(".")[0]
    return domain and f"it is {domain}'s: export the model without what puts such nodes in"


def _kind(node: Node, kinds: Mapping[str, int | None]) -> int | None:
    """ONNX's type of a node's output."""
    if node.kind == "Cast":
        return int(node.attributes["to"])
    if node.kind == "Constant":
        return getattr(node.attributes.get("value"), "data_type", None)
    typed = node.inputs[1:] if node.kind == "Where" else node.inputs
    return kinds.get(typed[0]) if typed else None


def _constant(node: Node) -> Constant:
    attributes = node.attributes
    if "value" in attributes:
        return Constant(tensor(attributes["value"], node.where))
    if "value_float" in attributes or "value_floats" in attributes:
        found = attributes.get("value_float", attributes.get("value_floats"))
        return Constant(np.asarray(found, np.float32))
    if "value_int" in attributes or "value_ints" in attributes:
        found = attributes.get("value_int", attributes.get("value_ints"))
        return Constant(np.asarray(found, np.int64))
    raise node.refusal(f"a constant given by {', '.join(attributes) or 'nothing'}")


def _ancestors(nodes: list[Node], wanted: str) -> tuple[list[Node], set[str]]:
    """The nodes that the output depends on, in order, and all names that they read."""
    names, kept = {wanted}, []
    for node in reversed(nodes):
        if not names.isdisjoint(node.outputs):
            kept.append(node)
            names.update(name for name in node.inputs if name)
    return kept[::-1], names


def _output(graph: Any, shown: str, output: str | None) -> str:
    names = [each.name for each in graph.output]
    listed = ", ".join(map(quoted, names))
    if output is not None:
        if output not in names:
            raise InteropError(f"{shown}: it has no output {quoted(output)}; it has {listed}")
        return output
    if len(names) != 1:
        raise InteropError(
            f"{shown}: it has {len(names)} outputs, {listed}; say which is the network's, by"
            f" {told('output=', '--graph-output')}"
        )
    return str(names[0])


def _input(proto: Any, shown: str) -> tuple[int | None, int | None]:
    """The width of the input, and its number of samples, as far as the file says them."""
    from onnx import TensorProto

    tensor_type = proto.type.tensor_type
    where = f"{shown}: the input {quoted(proto.name)}"
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if tensor_type.elem_type not in floats:
        kind = type_name(tensor_type.elem_type)
        raise InteropError(f"{where} holds {kind}; understood are floating-point numbers")
    dims = [each.dim_value or None for each in tensor_type.shape.dim]
    if len(dims) != 2:
        raise InteropError(f"{where} has {len(dims)} axes; understood are two, samples by features")
    return dims[1], dims[0]


def _end(value: Value | None, wanted: str, shown: str, settled: Settled) -> Unit:
    where = f"{shown}: the output {quoted(wanted)}"
    if isinstance(value, Expression):
        return settled.unit(value, where)
    if not isinstance(value, Features):
        raise InteropError(f"{where} does not depend on the input")
    if value.scale is not None or value.shift is not None:
        raise InteropError(
            f"{where} is scaled or shifted by a number for each feature after the last activation;"
            " understood is that next to a linear layer, into which it goes"
        )
    return value.unit


# ---- Units into layers ---------------------------------------------------------------------------


def _layers(last: Unit, settled: Settled) -> tuple[list[Layer], str]:
    """The layers from the input to the last unit, and the widest dtype of their weights.

    It is float64 too where inputs are scaled in that, which in float32 might leave nothing of them.
    """
    units = list(_chain(last))[::-1]
    products = [unit.product for unit in units if unit.product]
    wide = any(product.dtype.itemsize == 8 for product in products)
    dtype = "float64" if wide or any(product.wide for product in products) else "float32"
    if wide and settled.narrowed:
        raise InteropError(
            f"{settled.narrowed[0]}: it rounds DOUBLE to FLOAT, which a network in float64 does not"
            " do; export the model in one precision"
        )
    layers = []
    for number, unit in enumerate(units, start=1):
        product = unit.product
        assert product is not None
        if has_sum(unit.tree) and unit is not last:
            raise InteropError(
                f"{unit.where}: a sum over the units comes before it; understood is that after"
                " the last linear layer"
            )
        for array in (product.weight, product.bias):
            if array is not None and _overflows(array, dtype):
                raise InteropError(
                    f"{product.where}: its weights, with what goes into them, are too large for"
                    f" {dtype}"
                )
        tree = without_branches(unit.tree, unit.where, dtype)
        formula = "softmax" if is_softmax(tree) else text(tree)
        layers.append(
            Layer(
                product.weight,
                product.bias,
                formula,
                unit.residual,
                product.where,
                f"activation_{number}",
            )
        )
    return layers, dtype


def _overflows(array: Array, dtype: str) -> bool:
    """Whether numbers become infinite that were not."""
    return bool(np.any(np.isfinite(array) & ~np.isfinite(rounded(array, dtype))))


def _chain(unit: Unit) -> Iterator[Unit]:
    while unit.previous is not None:
        yield unit
        unit = unit.previous


def _name(model: Any, source: Any) -> str:
    """A name from the file's or the graph's, as far as a spec may have it."""
    given = model.graph.name  # bytes where it is no text
    if isinstance(source, str | os.PathLike):
        given = Path(source).name.split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", str(given)).strip("_")
    return name if name and module_problem(name) is None else "network"
