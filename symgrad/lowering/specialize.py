"""specialize: functions that are the same for every network, for one network.

Its numbers take the place of constants, what it does not have is left out, what is decided by that
is decided, and its own functions are given what they take.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeAlias

from symgrad.lowering.arithmetic import LEAF
from symgrad.lowering.program import (
    Allocate,
    Array,
    Branch,
    Buffer,
    Choice,
    Compare,
    Constants,
    Convert,
    Function,
    Given,
    Invoke,
    Nonzero,
    Not,
    Nothing,
    Number,
    Parameter,
    Part,
    Pick,
    Refuse,
    Row,
    RowShape,
    Statement,
    Variable,
    whole,
)
from symgrad.spec.spec import Spec

Numbers: TypeAlias = dict[str, int | str | tuple[int, ...]]

_COMPARED = {">": lambda a, b: a > b, "==": lambda a, b: a == b}


ALWAYS = frozenset({"t", "w", "l1", "l2", "d_y", "v", "v_x", "by_sample"})


@dataclass(frozen=True)
class Network:
    """What a network is to functions that are the same for all.

    `numbers` has its constants by name, numbers, vectors and words; `absent` are the arguments that
    it does not have; `taken` has the parameters of its own functions, each by the name that callers
    know it by; `extents` those of parameters that differ in more than a number; `names` what
    functions are called in it; `always` are given wherever a network has them.
    """

    numbers: Mapping[str, int | str | tuple[int, ...]]
    absent: frozenset[str]
    taken: Mapping[str, tuple[str, ...]]
    given: Mapping[str, tuple[str, ...]]
    extents: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    always: frozenset[str] = ALWAYS


def numbers_of(spec: Spec, **own: int | str | tuple[int, ...]) -> Numbers:
    """The constants of a network's gradient, but for those that are its `own`."""
    known: Numbers = {
        "SIZE": spec.weights,
        "INPUTS": spec.inputs,
        "OUTPUTS": spec.outputs,
        "TARGETS": spec.targets,
        "WEIGHTED": int(spec.loss.sample_weights),
        "PREDICTION_SCRATCH": 0,
        "GRADIENT_SCRATCH": 0,
        "LEAF": LEAF,
        "RESULT": spec.weights,
        "WHOLE_RESULT": spec.weights,
        "MIRRORED": 0,
        "CHAINED": 0,
        "ROW_SHAPE": (),
        "SHARED": 0,
        "SUMMED": "gradient",
        "BY_SAMPLE": "y",
        "TERM": "",
    }
    return {**known, **own}


def specialize(functions: Iterable[Function], network: Network) -> tuple[Function, ...]:
    """The functions for one network, under the names that they had."""
    functions = tuple(functions)
    known = {function.name: function for function in functions}
    return tuple(_Specializer(network, known, f).function(f) for f in functions)


class _Specializer:
    def __init__(self, network: Network, known: Mapping[str, Function], function: Function) -> None:
        self.network, self.known = network, known
        self.absent = set(network.absent)
        self.stand_for: dict[str, Array] = {}  # what is another array in this network
        # a parameter that every caller of this network gives
        self.given = {
            p.name for p in function.parameters if p.name in network.always and p.optional
        } - self.absent

    def function(self, function: Function) -> Function:
        parameters = tuple(
            replace(self._parameter(p), optional=p.optional and p.name not in self.given)
            for p in function.parameters
            if p.name not in self.absent
        )
        body = tuple(self._body(function.body))
        return replace(function, name=self._name(function.name), parameters=parameters, body=body)

    def _name(self, function: str) -> str:
        return self.network.names.get(function, function)

    def _parameter(self, parameter: Parameter) -> Parameter:
        if parameter.name in self.network.extents:
            return replace(parameter, extents=self.network.extents[parameter.name])
        return replace(parameter, extents=tuple(map(self._extent, parameter.extents)))

    def _extent(self, extent: int | str) -> int | str:
        number = self.network.numbers.get(extent) if isinstance(extent, str) else None
        return number if isinstance(number, int) else extent

    # Statements

    def _body(self, body: Iterable[Statement]) -> Iterator[Statement]:
        for statement in body:
            match statement:
                case Branch(condition, yes, no):
                    decided = self.condition(condition)
                    if isinstance(decided, bool):
                        yield from self._body(yes if decided else no)
                    else:
                        yield Branch(decided, tuple(self._body(yes)), tuple(self._body(no)))
                case Pick(name, condition, yes, no):
                    yield from self._picked(name, condition, yes, no)
                case Refuse(parts):
                    told = (
                        p.format(**self.network.numbers) if isinstance(p, str) else p for p in parts
                    )
                    yield Refuse(tuple(p if isinstance(p, str) else self.node(p) for p in told))
                case _:
                    yield self.node(statement)

    def _picked(self, name: str, condition: Any, yes: Any, no: Any) -> Iterator[Statement]:
        decided = self.condition(condition)
        if not isinstance(decided, bool):
            one, other = self.node(yes), self.node(no)
            if one == other == Nothing():
                self.absent.add(name)
            else:
                yield Pick(name, decided, one, other)
            return
        match yes if decided else no:
            case Nothing():
                self.absent.add(name)
            case Buffer() as buffer:
                yield Allocate((self.node(buffer),))
            case Array() as array:
                self.stand_for[name] = array
            case other:
                raise AssertionError(other)

    # All else

    def node(self, node: Any) -> Any:
        """A part of the tree, for this network."""
        match node:
            case Variable(name) | Array(name) if name in self.network.numbers:
                known = self.network.numbers[name]
                assert not isinstance(known, str), name
                return whole(known) if isinstance(known, int) else Constants(known)
            case Variable(name) if name in self.absent:
                return Number(0.0, "double")
            case Array(name) if name in self.stand_for:
                return self.node(self.stand_for[name])
            case Array(name) | Part(name) | Row(name) if name in self.absent:
                return Nothing()
            case Convert(Variable(name), kind) if name in self.absent:
                return Number(0.0, kind)
            case RowShape(array, str(name)):
                shape = self.network.numbers[name]
                assert isinstance(shape, tuple), name
                return RowShape(array, shape)
            case Choice(condition, yes, no):
                decided = self.condition(condition)
                if isinstance(decided, bool):
                    return self.node(yes if decided else no)
                return Choice(decided, self.node(yes), self.node(no))
            case Invoke():
                return self._invoked(node)
            case tuple() if node and all(map(_is_statement, node)):
                return tuple(self._body(node))
            case tuple():
                return tuple(map(self.node, node))
        if not is_dataclass(node) or isinstance(node, type):
            return node
        return replace(node, **{f.name: self.node(getattr(node, f.name)) for f in fields(node)})

    def _invoked(self, call: Invoke) -> Invoke:
        if call.function in self.network.taken:
            given = self.network.given[call.function]
            known = dict(zip(given, call.arguments, strict=True))
            taken = tuple(self.node(known[name]) for name in self.network.taken[call.function])
            return replace(call, function=self._name(call.function), arguments=taken)
        arguments = call.arguments
        if call.function in self.known:  # the others take what they are given
            pairs = zip(self.known[call.function].parameters, arguments, strict=False)
            arguments = tuple(a for p, a in pairs if p.name not in self.network.absent)
        arguments = tuple(map(self.node, arguments))
        return replace(call, function=self._name(call.function), arguments=arguments)

    def condition(self, condition: Any) -> Any:
        """A condition, or how it is decided."""
        match condition:
            case Given(name) if name in self.absent:
                return False
            case Given(name) if name in self.given:
                return True
            case Not(inner):
                decided = self.condition(inner)
                return not decided if isinstance(decided, bool) else Not(decided)
            case Nonzero(value):
                found = self.node(value)
                return found.value != 0 if isinstance(found, Number) else Nonzero(found)
            case Compare((operator,), operands) if operator in _COMPARED:
                one, other = map(self.node, operands)
                if isinstance(one, Number) and isinstance(other, Number):
                    return _COMPARED[operator](one.value, other.value)
                return Compare((operator,), (one, other))
        return self.node(condition)


def _is_statement(node: Any) -> bool:
    return isinstance(node, Statement)
