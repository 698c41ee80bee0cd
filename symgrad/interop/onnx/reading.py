"""read: an ONNX graph becomes a network, node by node, from the input to the output.

file ──load──▶ checked model ──own──▶ Network, if symgrad wrote it
                             ──walk──▶ units ──chain──▶ layers ──assemble──▶ Network
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
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
    module_name,
    rounded,
    with_loss,
    with_name,
)
from symgrad.interop.onnx import (
    arithmetic,
    branches,
    classes,
    columns,
    elementwise,
    linear,
    over_units,
    shapes,
)
from symgrad.interop.onnx.constant_folding import fold
from symgrad.interop.onnx.constants import tensor
from symgrad.interop.onnx.load import load, opset_of
from symgrad.interop.onnx.nodes import Call, Node, read_node, type_name
from symgrad.interop.onnx.own import own
from symgrad.interop.onnx.pieces import plain
from symgrad.interop.onnx.values import (
    Column,
    Condition,
    Constant,
    Expression,
    Features,
    Settled,
    Shaped,
    Unit,
    Value,
)
from symgrad.interop.text import text
from symgrad.spec.formula import has_sum, quoted
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
        return Network(spec if loss is None else with_loss(spec, loss), known.theta, known.labels)
    opset = opset_of(model, shown)
    wanted = _output(model.graph, shown, output)
    settled = Settled()
    unit = _walk(model.graph, opset, shown, wanted, settled)
    layers, dtype = _layers(unit, settled)
    network = assemble(layers, name or _name(model, source), dtype, loss)
    return replace(network, labels=classes.labels(model, wanted, network.spec.outputs))


HANDLERS: Mapping[str, Callable[[Call, Settled], Value]] = {
    **elementwise.HANDLERS,
    **over_units.HANDLERS,
    **branches.HANDLERS,
    **shapes.HANDLERS,
    **columns.HANDLERS,
    **classes.HANDLERS,
    **arithmetic.HANDLERS,
    **linear.HANDLERS,
}

# What is done to each number by itself, however a sample's numbers are laid out.
BY_NUMBER = {
    *elementwise.BY_NUMBER,
    *branches.HANDLERS,
    *arithmetic.OPERATORS,
    *("Sum", "Mean"),
}


def _walk(graph: Any, opset: int, shown: str, wanted: str, settled: Settled) -> Unit:
    """A tensor of the graph, as the last of its units."""
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
        values[each.name], batch = _input(each, shown)
        kinds[each.name] = each.type.tensor_type.elem_type
    for node in needed_nodes:
        kind = kinds.get(node.inputs[0]) if node.inputs else None
        values |= _outcome(node, values, kind, opset, batch, settled)
        kinds |= dict.fromkeys(node.outputs[:1], _kind(node, kinds))
    if wanted not in values:
        raise InteropError(f"{shown}: no node gives {quoted(wanted)}")
    return _end(values[wanted], wanted, shown, kinds.get(wanted), settled)


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
    if node.kind not in _OF_CONDITIONS and any(isinstance(each, Condition) for each in given):
        raise node.refusal("it takes a comparison, which is understood in a Where and a Cast")
    if node.kind not in ("Identity", "Cast") and any(isinstance(each, Column) for each in given):
        raise node.refusal("what comes in has the samples' numbers below each other")
    if node.kind in shapes.HANDLERS or not any(isinstance(each, Shaped) for each in given):
        return {node.outputs[0]: handler(call, settled)}
    if node.kind not in BY_NUMBER:
        raise node.refusal("what comes in has other axes than samples by features")
    inner, shape = shapes.inside(call)
    return {node.outputs[0]: shapes.laid_out(handler(inner, settled), shape)}


_OF_CONDITIONS = {*branches.HANDLERS, "Cast", "Identity"}


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
    """The tensor that is the network's output: the one of numbers, beside the classes."""
    names = [str(each.name) for each in graph.output]
    listed = ", ".join(map(quoted, names))
    if output is not None:
        if output not in names and not any(output in node.output for node in graph.node):
            raise InteropError(f"{shown}: it has no output {quoted(output)}; it has {listed}")
        return output
    numbers = [str(each.name) for each in graph.output if _holds_numbers(each)]
    if len(names) == 1 or len(numbers) == 1:
        return numbers[0] if numbers else names[0]
    raise InteropError(
        f"{shown}: it has {len(names)} outputs, {listed}; say which is the network's,"
        f" by {told('output=', '--graph-output')}"
    )


def _holds_numbers(proto: Any) -> bool:
    """Whether an output is of floats, or of a ZipMap's maps of them."""
    kind = proto.type.WhichOneof("value")
    return kind != "tensor_type" or proto.type.tensor_type.elem_type in _floats()


def _floats() -> tuple[int, ...]:
    from onnx import TensorProto

    return (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _input(proto: Any, shown: str) -> tuple[Value, int | None]:
    """The input, and its number of samples, as far as the file says them."""
    tensor_type = proto.type.tensor_type
    where = f"{shown}: the input {quoted(proto.name)}"
    if tensor_type.elem_type not in _floats():
        kind = type_name(tensor_type.elem_type)
        raise InteropError(f"{where} holds {kind}; understood are floating-point numbers")
    samples, *shape = [each.dim_value or None for each in tensor_type.shape.dim] or [None]
    if len(shape) == 1:
        return Features((Unit(shape[0]),)), samples
    if not shape or None in shape:
        raise InteropError(
            f"{where} has {len(tensor_type.shape.dim)} axes; understood are two, samples by"
            " features, or more of known lengths"
        )
    known = tuple(each for each in shape if each is not None)
    return Shaped(Features((Unit(prod(known)),)), known), samples


def _end(value: Value | None, wanted: str, shown: str, kind: int | None, settled: Settled) -> Unit:
    """The last unit; what joins several, or scales one, is made a layer."""
    where = f"{shown}: the output {quoted(wanted)}"
    if isinstance(value, Shaped | Column):
        value = value.value
    if isinstance(value, Condition):
        raise InteropError(f"{where} holds what is true or false; understood are numbers")
    if not isinstance(value, Features | Expression):
        raise InteropError(f"{where} does not depend on the input")
    if isinstance(value, Expression) and value.single:
        value = over_units.in_one_unit(value, where, settled)
    if isinstance(value, Features) and value.plain and len(value.units) == 1:
        return value.units[0]
    end = Call(Node("", (), (), {}, where), (), kind, 0, None)
    return settled.unit(linear.expression(end, value, settled), where)


# ---- Units into layers ---------------------------------------------------------------------------


def _layers(last: Unit, settled: Settled) -> tuple[list[Layer], str]:
    """The layers from the input to the last unit, and the widest dtype of their weights.

    It is float64 too where inputs are scaled in that, which in float32 might leave nothing of them.
    """
    units = _ordered(last)
    numbers = {unit: number for number, unit in enumerate(units)}
    products = [unit.product for unit in units if unit.product]
    wide = any(product.dtype.itemsize == 8 for product in products)
    dtype = "float64" if wide or any(product.wide for product in products) else "float32"
    if wide and settled.narrowed:
        raise InteropError(
            f"{settled.narrowed[0]}: it rounds DOUBLE to FLOAT, which a network in float64 does not"
            " do; export the model in one precision"
        )
    layers = []
    for number, unit in enumerate(units[1:], start=1):
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
        tree = plain(unit.tree, unit.where, dtype)
        layers.append(
            Layer(
                product.weight,
                product.bias,
                "softmax" if is_softmax(tree) else text(tree),
                unit.residual,
                product.where,
                f"activation_{number}",
                tuple(numbers[source] for source in product.sources),
            )
        )
    return layers, dtype


def _ordered(last: Unit) -> list[Unit]:
    """The input, then the units that the last one depends on, each after those that it takes."""
    order: dict[Unit, None] = {}
    waiting = [last]
    while waiting:
        unit = waiting[-1]
        before = unit.product.sources if unit.product else ()
        missing = [each for each in before if each not in order]
        waiting += reversed(missing)
        if not missing:
            order.setdefault(waiting.pop())
    return list(order)


def _overflows(array: Array, dtype: str) -> bool:
    """Whether numbers become infinite that were not."""
    return bool(np.any(np.isfinite(array) & ~np.isfinite(rounded(array, dtype))))


def _name(model: Any, source: Any) -> str:
    """A name from the file's or the graph's, as far as a spec may have it."""
    if isinstance(source, str | os.PathLike):
        return module_name(Path(source).name)
    return module_name(str(model.graph.name))  # bytes where it is no text
