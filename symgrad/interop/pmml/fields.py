"""fields: what PMML does to a field before it is an input of a network, or behind an output.

    expression ::= FieldRef | Constant | NormContinuous of a field
                 | Apply of +, -, * or / to expressions

Understood is what comes to factor·field + offset, and a field cut at the ends of NormContinuous, if
its outliers are asExtremeValues. A category is an input for each of its words, 1 where it is that
word: NormDiscrete.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from symgrad.interop import xml
from symgrad.interop.affine import EVERYWHERE, IDENTITY, Affine, Range, exact
from symgrad.interop.errors import InteropError
from symgrad.interop.source import number, unknown
from symgrad.spec.formula import quoted

_EXPRESSIONS = ("FieldRef", "Constant", "NormContinuous", "NormDiscrete", "Apply")


@dataclass(frozen=True)
class Scaled:
    """map(field), where the field is cut first; field is None for a constant."""

    field: str | None
    map: Affine = IDENTITY
    range: Range = EVERYWHERE


@dataclass(frozen=True)
class Fields:
    """The derived fields of a document, by name."""

    derived: Mapping[str, Element]

    @classmethod
    def of(cls, root: Element, model: Element) -> "Fields":
        places = (root.find("TransformationDictionary"), model.find("LocalTransformations"))
        found = [
            each for place in places if place is not None for each in place.findall("DerivedField")
        ]
        return cls({each.get("name", ""): each for each in found})

    def scaled(self, element: Element, called: str, depth: int = 0) -> Scaled:
        """What a DerivedField comes to; `called` is for messages."""
        if depth > xml.DEEPEST:
            raise InteropError(f"{called}: derived fields go round in circles")
        expressions = [each for each in element if each.tag in _EXPRESSIONS]
        others = [
            each.tag for each in element if each.tag not in (*_EXPRESSIONS, "Extension", "Value")
        ]
        if len(expressions) != 1 or others:
            raise unknown(f"{called}: {others[0] if others else 'no expression'}", _EXPRESSIONS)
        return self.expression(expressions[0], called, depth + 1)

    def expression(self, element: Element, called: str, depth: int) -> Scaled:
        match element.tag:
            case "FieldRef":
                return self.reference(element, called, depth)
            case "Constant":
                return Scaled(None, Affine().times(0.0).plus(number(xml.text(element), called)))
            case "NormContinuous":
                return _continuous(self.reference(element, called, depth), element, called)
            case "NormDiscrete":
                return Scaled(
                    f"{_attribute(element, 'field', called)}={_attribute(element, 'value', called)}"
                )
            case "Apply":
                return self.applied(element, called, depth)
        raise InteropError(f"{called}: {element.tag} is not understood")

    def reference(self, element: Element, called: str, depth: int) -> Scaled:
        name = _attribute(element, "field", called)
        if name not in self.derived:
            return Scaled(name)
        return self.scaled(self.derived[name], f"the field {name}", depth)

    def applied(self, element: Element, called: str, depth: int) -> Scaled:
        function = element.get("function", "")
        operands = [
            self.expression(each, called, depth + 1) for each in element if each.tag != "Extension"
        ]
        if function not in ("+", "-", "*", "/") or len(operands) != 2:
            raise InteropError(
                f"{called}: {quoted(function)} is not understood; understood are +, -, *, /"
            )
        left, right = operands
        if left.field is not None and right.field is not None:
            raise InteropError(f"{called}: it takes two fields, {left.field} and {right.field}")
        both = left if right.field is None else right
        a, b = left.map, right.map
        match function:
            case "+" | "-":
                sign = 1 if function == "+" else -1
                made = Affine(a.factor + sign * b.factor, a.offset + sign * b.offset)
            case "*":
                constant, other = (b, a) if right.field is None else (a, b)
                made = Affine(other.factor * constant.offset, other.offset * constant.offset)
            case _:
                if right.field is not None or b.offset == 0:
                    raise InteropError(f"{called}: it is divided by a field, or by 0")
                made = Affine(a.factor / b.offset, a.offset / b.offset)
        return replace(both, map=made)


def _continuous(field: Scaled, element: Element, called: str) -> Scaled:
    """The line through two points; what is beyond them stays on it, or is cut."""
    points = [
        tuple(number(_attribute(each, key, called), called) for key in ("orig", "norm"))
        for each in element.findall("LinearNorm")
    ]
    if len(points) != 2:
        raise InteropError(
            f"{called}: NormContinuous has {len(points)} points; understood are two, one line"
        )
    (low, at_low), (high, at_high) = points
    if low == high:
        raise InteropError(f"{called}: both points of NormContinuous are at {low}")
    factor = (exact(at_high) - exact(at_low)) / (exact(high) - exact(low))
    line = Affine(factor, exact(at_low) - exact(low) * factor)
    outliers = element.get("outliers", "asIs")
    if outliers not in ("asIs", "asExtremeValues"):
        raise InteropError(f"{called}: outliers that are {outliers} are not understood")
    made = Scaled(field.field, field.map.then(line), field.range)
    if outliers == "asIs":
        return made
    if field.range != EVERYWHERE:
        raise InteropError(f"{called}: it is cut twice")
    back = field.map.undone()
    ends = sorted((back.at(low), back.at(high)))
    return replace(made, range=(ends[0], ends[1]))


def _attribute(element: Element, key: str, called: str) -> str:
    value = element.get(key)
    if value is None:
        raise InteropError(f"{called}: {element.tag} has no {key}")
    return value
