"""The smallest case that still shows a finding."""

import ast
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from fuzz.judge import Finding, plainness
from fuzz.networks import Case
from fuzz.places import Place

Judge = Callable[[Case], list[Finding]]


def shrunk(finding: Finding, judge: Judge, seconds: float = 20) -> Finding:
    """Takes whatever smaller case shows a finding of the same kind, until none does."""
    end = time.monotonic() + seconds
    changed = True
    tried = {_key(finding.case)}
    while changed:
        changed = False
        for case in sorted(smaller(finding.case), key=_size):
            if time.monotonic() > end:
                return finding
            if _key(case) in tried:
                continue
            tried.add(_key(case))
            same = [each for each in judge(case) if each.kind == finding.kind]
            if same:
                finding, changed = same[0], True
                break
    return finding


def _key(case: Case) -> str:
    return case.text()


def _size(case: Case) -> tuple[int, int, float]:
    texts = (case.activation, case.loss)
    nodes = sum(len(list(ast.walk(ast.parse(text)))) for text in texts) + 5 * case.units
    nodes += len(case.constants)
    return (nodes, sum(map(len, texts)), plainness(case.place)[0] if case.place else 0.0)


def smaller(case: Case) -> Iterator[Case]:
    """Cases with one thing less."""
    mine = _size(case)
    for other in _simpler(case):
        if other.place is not None and len(other.place.z) != other.units:
            z, t = other.place.z, other.place.t
            for unit in range(len(z)):
                yield replace(other, place=Place((z[unit],) * other.units, (t[unit],) * other.units))
        elif _size(other) < mine or (other.dtype != case.dtype):
            yield other


def _simpler(case: Case) -> Iterator[Case]:
    if case.units > 1:
        yield replace(case, units=1)
        yield replace(case, units=case.units - 1)
    if case.dtype == "float32":
        yield replace(case, dtype="float64")
    if case.activation != "identity":
        yield replace(case, activation="identity")
    if case.loss != "y":
        yield replace(case, loss="y")
    for activation in simpler(case.activation, ("z",)):
        if activation != "z":
            yield replace(case, activation=activation)
    for loss in simpler(case.loss, ("y", "t")):
        yield replace(case, loss=loss)
    if case.constants and not any("c" in _names(text) for text in (case.activation, case.loss)):
        yield replace(case, constants={})
    for name, value in case.constants.items():
        for plain in (1.0, 0.5, 2.0):
            if plain != value:
                constants = case.constants | {name: plain}
                yield replace(case, constants=constants)
    if case.place is not None:
        for unit in range(len(case.place.z)):
            for number in (0.0, 1.0, -1.0, 2.0):
                z = list(case.place.z)
                t = list(case.place.t)
                z[unit] = number
                yield replace(case, place=Place(tuple(z), case.place.t))
                t[unit] = number
                yield replace(case, place=Place(case.place.z, tuple(t)))


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def simpler(text: str, variables: tuple[str, ...]) -> Iterator[str]:
    """Formulas with one part replaced by a part of it, by a variable, or by a number."""
    tree = ast.parse(text, mode="eval")
    for path, node in _parts(tree.body):
        for other in _instead(node, variables):
            yield ast.unparse(_with(tree.body, path, other))


def _children(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp(left, ast.Pow(), _):
            return [left]
        case ast.BinOp(left, _, right):
            return [left, right]
        case ast.UnaryOp(_, operand):
            return [operand]
        case ast.Call(_, arguments):
            return list(arguments)
    return []


Path = tuple[int, ...]


def _parts(node: ast.expr, path: Path = ()) -> Iterator[tuple[Path, ast.expr]]:
    yield path, node
    for place, child in enumerate(_children(node)):
        yield from _parts(child, (*path, place))


def _with(node: ast.expr, path: Path, other: ast.expr) -> ast.expr:
    """The tree with another part at a path."""
    if not path:
        return other
    place, rest = path[0], path[1:]
    children = _children(node)
    children[place] = _with(children[place], rest, other)
    match node:
        case ast.BinOp(_, ast.Pow() as operator, exponent):
            return ast.BinOp(children[0], operator, exponent)
        case ast.BinOp(_, operator, _):
            return ast.BinOp(children[0], operator, children[1])
        case ast.UnaryOp(operator, _):
            return ast.UnaryOp(operator, children[0])
        case ast.Call(function, _):
            return ast.Call(function, children, [])
    raise AssertionError(ast.dump(node))


def _instead(node: ast.expr, variables: tuple[str, ...]) -> Iterator[ast.expr]:
    yield from _children(node)
    match node:
        case ast.Constant(value):
            yield from (ast.Constant(n) for n in (1, 2) if n != value and repr(value) != str(n))
            return
        case ast.Name(name) if name in variables:
            if name != variables[0]:
                yield ast.Name(variables[0])
            yield ast.Constant(1)
            return
        case ast.BinOp(left, ast.Pow(), exponent) if not isinstance(exponent, ast.Constant):
            yield from (ast.BinOp(left, ast.Pow(), ast.Constant(n)) for n in (2, 0.5))
            yield from (
                ast.BinOp(left, ast.Pow(), ast.UnaryOp(ast.USub(), ast.Constant(n)))
                for n in (1, 2, 0.5)
            )
    yield from (ast.Name(variable) for variable in variables)
    yield ast.Constant(1)
