"""Nodes of an ONNX graph as the reading takes them: attributes, names for messages, refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symgrad.interop.errors import InteropError
from symgrad.interop.onnx.values import Value
from symgrad.spec.formula import quoted


@dataclass(frozen=True, eq=False)
class Node:
    """An operation: its inputs by name ("" for one left out), and its attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    where: str
    proto: Any = None

    def refusal(self, reason: str) -> InteropError:
        return InteropError(f"{self.where}: {reason}")


@dataclass(frozen=True, eq=False)
class Call:
    """A node with what its inputs are; None for one left out. `kind` is the type of the first."""

    node: Node
    operands: tuple[Value | None, ...]
    kind: int | None
    opset: int
    batch: int | None  # how many samples the input says that it has, if it does

    def operand(self, place: int) -> Value:
        """An input that has to be there."""
        found = self.optional(place)
        if found is None:
            raise self.node.refusal(f"its input {place} is missing")
        return found

    def optional(self, place: int) -> Value | None:
        return self.operands[place] if place < len(self.operands) else None


def read_node(proto: Any) -> Node:
    """A node of a checked model."""
    from onnx import helper

    attributes = {each.name: helper.get_attribute_value(each) for each in proto.attribute}
    kind = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    return Node(
        kind, tuple(proto.input), tuple(proto.output), attributes, place(proto, kind), proto
    )


def type_name(number: int) -> str:
    """What ONNX calls a type of numbers."""
    from onnx import TensorProto

    known = {value: name for name, value in TensorProto.DataType.items()}
    return str(known.get(number, f"type {number}"))


def place(proto: Any, kind: str) -> str:
    """What a message calls a node."""
    if proto.name:
        return f"node {quoted(proto.name)} ({kind})"
    return f"the {kind} node that gives {quoted(proto.output[0] if proto.output else '')}"
