"""quantities: what names and derivatives in a loss formula mean, read by Python's grammar; nothing
of it comes from the compiler."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from symgrad.checking.names import named
from symgrad.errors import FormulaError


class Quantity(NamedTuple):
    """An array, "y", "t" or "x", or one column of it."""

    array: str
    place: int | None


class Derivative(NamedTuple):
    """Of an array or a column, by inputs one after the other; by all of them where `by` is None,
    and the sum of the second derivatives by each where it is "laplacian"."""

    of: Quantity
    by: tuple[int, ...] | str | None


def _inputs(spec: Mapping[str, Any]) -> int | Sequence[str]:
    """How many inputs there are, or their names."""
    given = spec["inputs"]
    return given.get("names", 0) if isinstance(given, dict) else given


def quantity(node: ast.expr, spec: Mapping[str, Any]) -> Quantity | None:
    """What a name or a subscript means; None if that is nothing of the network's."""
    if isinstance(node, ast.Subscript):
        array = quantity(node.value, {"inputs": 0, "layers": [{}]})
        if array is None or not isinstance(node.slice, ast.Constant):
            raise FormulaError(f"formulas don't have {ast.unparse(node)!r}")
        return Quantity(array.array, int(str(node.slice.value)))
    name = named(node) if isinstance(node, ast.Name) else None
    inputs, outputs = _inputs(spec), spec["layers"][-1].get("names") or ()
    if not isinstance(inputs, int) and name in inputs:
        return Quantity("x", list(inputs).index(str(name)))
    if name in outputs:
        return Quantity("y", list(outputs).index(str(name)))
    targets = spec.get("loss", {}).get("targets", ())
    if not isinstance(targets, int) and name in targets:
        return Quantity("t", list(targets).index(str(name)))
    array_of = {"y": "y", "t": "t", "target": "t", "x": "x"}
    return Quantity(array_of[name], None) if name in array_of else None


def derivative(node: ast.Call, spec: Mapping[str, Any]) -> Derivative | None:
    """What a call of D or laplacian means; None for others."""
    name = named(node)
    if name not in ("D", "laplacian"):
        return None
    of, *by = (quantity(argument, spec) for argument in node.args)
    assert of is not None
    if name == "laplacian":
        return Derivative(of, "laplacian")
    if [each for each in by if each is not None and each.place is None]:
        return Derivative(of, None)
    return Derivative(of, tuple(int(str(each.place)) for each in by if each is not None))
