"""A graph as it is written: nodes in order, constants by name, and names that say what is what."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgrad.interop.network import Array


@dataclass
class Graph:
    """Nodes and initializers so far, all of one dtype; `stem` begins the names of what is inside a
    layer."""

    dtype: np.dtype
    nodes: list[Any] = field(default_factory=list)
    tensors: dict[str, Array] = field(default_factory=dict)
    stem: str = ""
    _count: dict[str, int] = field(default_factory=dict)
    _made: dict[tuple[Any, ...], str] = field(default_factory=dict)

    @property
    def double(self) -> bool:
        return self.dtype == np.float64

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """A node; returns what its result is called: `name`, or the stem, the kind and a number.

        The same operation on the same inputs is there once.
        """
        from onnx import helper

        key = (kind, inputs, tuple(sorted(attributes.items())))
        if name is None and key in self._made:
            return self._made[key]
        result = name or self._fresh(kind.lower())
        self._made.setdefault(key, result)
        self.nodes.append(helper.make_node(kind, list(inputs), [result], name=result, **attributes))
        return result

    def tensor(self, name: str, array: Array) -> str:
        """An array under a name of its own."""
        self.tensors[name] = array
        return name

    def number(self, value: float) -> str:
        """A number of the graph's dtype, as an initializer that is named for it."""
        number = self.dtype.type(value)
        return self.tensor(f"c_{number}", np.asarray(number))

    def axes(self) -> str:
        """The axis of the units, as reductions take it."""
        return self.tensor("units", np.array([-1], np.int64))

    def rename(self, result: str, name: str) -> str:
        """Another name for the result of the last node, which nothing has used yet."""
        if self.nodes and self.nodes[-1].output[0] == result and result not in self.tensors:
            node = self.nodes[-1]
            node.output[0] = node.name = name
            for key, made in self._made.items():
                if made == result:
                    self._made[key] = name
                    break
            return name
        return self.op("Identity", result, name=name)

    def _fresh(self, kind: str) -> str:
        stem = f"{self.stem}_{kind}" if self.stem else kind
        self._count[stem] = count = self._count.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}_{count}"
