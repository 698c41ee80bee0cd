"""across: functions of one network become functions of several at once, side by side in lanes.

What differs between the members of an ensemble follows from the data: what a function is given of
each, and all that is computed from that. An array that differs has the lanes as its last axis, so
that the same number of all of them lies together; a number is a small array. Statements that
compute what differs stand in a loop over the lanes, in which each does the same operations in the
same order as it would alone, and so has the same bits. What does not differ is computed once.

Products of matrices become loops, in tiles whose numbers stay in registers: every number is the
chain that a product has. What decides where a function goes on must not differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Alias,
    Allocate,
    Array,
    Assign,
    Branch,
    Buffer,
    Comment,
    Each,
    Element,
    Extent,
    Function,
    Given,
    Invoke,
    Kind,
    Last,
    Local,
    Loop,
    Matrix,
    MatrixProduct,
    Not,
    Nothing,
    Number,
    Parameter,
    Part,
    Pick,
    Quotient,
    Return,
    Row,
    RowSum,
    Run,
    Statement,
    Together,
    Total,
    Value,
    Variable,
    View,
    While,
    Windows,
    equal,
    every,
    index,
    plus,
    times,
    values,
    walk,
    whole,
)

LANE = index("lane")

# How many rows and columns of a product are computed at once: of vectors, as many as stay in
# registers; and one, where code is to be read.
TILE, PLAIN = (4, 4), (1, 1)

# What the names of such functions end in, and of those whose members have samples of their own.
ACROSS, OWN = "_across", "_own"
_DATA = {"x", "xs", "t", "ts"}

# The argument that a result which differs is written into.
RESULT = "result"


class Diverges(Exception):
    """Members of an ensemble would have to do different things."""


def across(
    functions: Iterable[Function],
    roots: Iterable[tuple[str, frozenset[str]]],
    lanes: int,
    tile: tuple[int, int] = TILE,
) -> tuple[Function, ...]:
    """Functions for so many lanes: each root, given what of its parameters differs, and all that it
    calls, those that are called first. A parameter that differs is given, if others may be left
    out."""
    program = _Program({function.name: function for function in functions}, lanes, tile)
    for name, differing in roots:
        program.of(name, differing)
    return tuple(program.made.values())


def called(name: str, differing: Iterable[str]) -> str:
    """The name of a function for lanes, given what of its parameters differs."""
    return f"{name}{ACROSS}{OWN * bool(_DATA & {*differing})}"


@dataclass(frozen=True)
class _Flow:
    """The names in a function that stand for what differs, and whether its result does."""

    names: frozenset[str]
    result: bool


class _Program:
    def __init__(self, known: Mapping[str, Function], lanes: int, tile: tuple[int, int]) -> None:
        self.known, self.lanes, self.tile = known, lanes, tile
        self.flows: dict[tuple[str, frozenset[str]], _Flow] = {}
        self.made: dict[str, Function] = {}

    def flow(self, name: str, differing: frozenset[str]) -> _Flow:
        key = name, differing
        if key not in self.flows:
            self.flows[key] = _flow(self, self.known[name], differing)
        return self.flows[key]

    def of(self, name: str, differing: frozenset[str]) -> Function:
        """The function for lanes, made if it is not yet."""
        flow = self.flow(name, differing)
        new = called(name, differing)
        if new not in self.made:
            function = _Lanes(self, self.known[name], flow).function(new)
            self.made[new] = function
        return self.made[new]

    def given(self, call: Invoke, names: Iterable[str]) -> frozenset[str]:
        """The parameters of a function that differ in a call of it."""
        names = {*names}
        pairs = zip(self.known[call.function].parameters, call.arguments, strict=True)
        return frozenset(parameter.name for parameter, each in pairs if differs(each, names))


def differs(value: Any, names: Iterable[str]) -> bool:
    """Whether a value, a condition or an argument differs where these names do."""
    names = {*names}
    return any(_name(node) in names for node in walk(value))


def _name(node: Any) -> str | None:
    """What is read by name."""
    match node:
        case Variable(name) | Array(name) | Part(name) | Row(name) | Last(name):
            return name
        case Element(array):
            return array
    return None


def _kind(value: Any) -> Kind:
    return value.kind


# What differs


def _flow(program: _Program, function: Function, differing: frozenset[str]) -> _Flow:
    names = set(differing)
    before = -1
    while len(names) > before:
        before = len(names)
        for statement in every(function.body):
            names |= _spread(program, statement, names)
    returned = (value for s in every(function.body) if isinstance(s, Return) for value in s.values)
    return _Flow(frozenset(names), any(_results_differ(program, each, names) for each in returned))


def _results_differ(program: _Program, value: Any, names: set[str]) -> bool:
    if isinstance(value, Invoke):
        return program.flow(value.function, program.given(value, names)).result
    return differs(value, names)


def _spread(program: _Program, statement: Statement, names: set[str]) -> set[str]:
    """What differs too, after a statement."""
    found: set[str] = set()
    for value in values(statement):
        for node in walk(value):
            if isinstance(node, Invoke):
                found |= _written(program, node, names)
    match statement:
        case Assign(target, Invoke() as call):
            if _results_differ(program, call, names):
                found.add(str(_name(target)))
        case Assign(target, value) | Accumulate(target, value):
            factor = statement.times if isinstance(statement, Accumulate) else None
            if differs(value, names) or (factor is not None and differs(factor, names)):
                found.add(str(_name(target)))
        case Together(targets, taken):
            pairs = zip(targets, taken, strict=True)
            found |= {str(_name(target)) for target, value in pairs if differs(value, names)}
        case MatrixProduct(left, right, into, row):
            if {left.array, right.array, row} & names:
                found.add(into)
        case RowSum(array, into):
            found |= {into} if array in names else set()
        case View(name, array) | Alias(name, array):
            found |= _one(names, name, array)
        case Windows(new, arrays):
            for name, array in zip(new, arrays, strict=True):
                found |= _one(names, name, array)
        case Pick(name, _, yes, no):
            found |= _one(names, name, *(str(_name(p)) for p in (yes, no) if _name(p)))
    return found


def _one(names: set[str], *same: str) -> set[str]:
    """Names of one memory."""
    return {*same} if names & {*same} else set()


def _written(program: _Program, call: Invoke, names: set[str]) -> set[str]:
    """The arrays that a function which is called makes differ."""
    given = program.given(call, names)
    flow = program.flow(call.function, given)
    pairs = zip(program.known[call.function].parameters, call.arguments, strict=True)
    return {
        str(_name(argument))
        for parameter, argument in pairs
        if parameter.extents and parameter.name in flow.names and _name(argument)
    }


# The function for lanes


@dataclass(frozen=True)
class _Side:
    """A statement that is done in each lane."""

    statement: Statement


class _Lanes:
    def __init__(self, program: _Program, function: Function, flow: _Flow) -> None:
        self.program, self.alone, self.names, self.flow = program, function, flow.names, flow
        self.lanes = program.lanes
        self.shapes: dict[str, tuple[Any, ...]] = {}
        self.numbers: dict[str, Variable] = {}  # what differs, and needs memory
        self.sums = 0  # how many numbers a tile has

    def function(self, name: str) -> Function:
        alone = self.alone
        parameters = [self._parameter(each) for each in alone.parameters]
        body = tuple(self._body(alone.body))
        if self.flow.result:
            returns = (each for each in every(alone.body) if isinstance(each, Return))
            kind = next(_kind(value) for each in returns for value in each.values)
            parameters.append(Parameter(RESULT, kind, (self.lanes,)))
        given = {parameter.name for parameter in alone.parameters}
        memory = tuple(
            Local(Buffer(each.name, each.kind, (whole(self.lanes),)))
            for each in (*self.numbers.values(), *self._tile())
            if each.name not in given
        )
        says = f"`{alone.name}`, of {self.lanes} members at once."
        role = alone.role if alone.role == "inlined" else "inner"
        return Function(name, tuple(parameters), (*memory, *body), says, role, alone.apart)

    def _tile(self) -> Iterator[Variable]:
        return (Variable(_sum(number), "real") for number in range(self.sums))

    def _parameter(self, parameter: Parameter) -> Parameter:
        self.shapes[parameter.name] = tuple(
            whole(each) if isinstance(each, int) else None for each in parameter.extents
        )
        if parameter.name not in self.names:
            return parameter
        extents = (*parameter.extents, self.lanes)
        return replace(parameter, extents=extents, optional=False, left_out=False)

    # Statements

    def _body(self, body: Iterable[Statement]) -> Iterator[Statement]:
        """Neighbours that are done in each lane share a loop."""
        together: list[Statement] = []
        for each in (new for statement in body for new in self._statement(statement)):
            if isinstance(each, _Side):
                together.append(each.statement)
            elif isinstance(each, Comment) and together:
                together.append(each)
            else:
                yield from self._loop(together)
                together = []
                yield each
        yield from self._loop(together)

    def _loop(self, body: list[Statement]) -> Iterator[Statement]:
        after: list[Statement] = []
        while body and isinstance(body[-1], Comment):
            after.insert(0, body.pop())
        if body:
            yield Loop(LANE.name, whole(self.lanes), tuple(body), lanes=True)
        yield from after

    def _side_by_side(self, *body: Statement) -> Statement:
        return Loop(LANE.name, whole(self.lanes), body, lanes=True)

    def _statement(self, statement: Statement) -> Iterator[Statement | _Side]:
        match statement:
            case Assign(target, Invoke() as call):
                yield from self._called(call, target)
            case Assign(target, Total(Array() as vector)) if _name(vector) in self.names:
                yield from self._total(target, vector.name)
            case Assign(target) | Accumulate(target):
                if not self._differs(target):
                    yield self._new(statement)
                else:
                    yield _Side(self._new(statement))
            case Together(targets):
                differing = {self._differs(target) for target in targets}
                if len(differing) > 1:
                    raise Diverges(f"{self.alone.name}: {statement}")
                yield _Side(self._new(statement)) if True in differing else self._new(statement)
            case Loop(_, end, body, start):
                self._same(end, start)
                yield replace(statement, body=tuple(self._body(body)))
            case Each(_, vector, _, body):
                self._same(Array(vector))
                yield replace(statement, body=tuple(self._body(body)))
            case While(condition, body):
                self._same(condition)
                yield replace(statement, body=tuple(self._body(body)))
            case Branch(Given(name), body, _) | Branch(Not(Given(name)), _, body) if (
                name in self.names
            ):
                for each in body:
                    yield from self._statement(each)
            case Branch(condition, yes, no):
                self._same(condition)
                yield Branch(condition, tuple(self._body(yes)), tuple(self._body(no)))
            case MatrixProduct(into=into) if into in self.names:
                yield from self._product(statement)
            case RowSum(array, into) if into in self.names:
                yield from self._sum_of_rows(array, into)
            case Run(call):
                yield from self._called(call, None)
            case Return(returned) if self.flow.result:
                yield from self._returned(returned)
            case _:
                yield self._memory(statement)

    def _same(self, *deciding: Any) -> None:
        """What decides how a function goes on does not differ."""
        if any(self._differs(each) for each in deciding):
            raise Diverges(f"{self.alone.name}: {deciding} differs between members")

    def _differs(self, value: Any) -> bool:
        return differs(value, self.names)

    def _called(self, call: Invoke, target: Any) -> Iterator[Statement]:
        """A function whose result differs writes it where it belongs."""
        given = self.program.given(call, self.names)
        if not self.program.flow(call.function, given).names:
            yield Run(call) if target is None else Assign(target, call)
            return
        function = self.program.of(call.function, given)
        taken: list[Any] = []
        for parameter, each in zip(
            self.program.known[call.function].parameters, call.arguments, strict=True
        ):
            if parameter.extents or not self._differs(each):
                taken.append(each)
            elif isinstance(each, Variable):
                taken.append(self._row(each))
            else:
                number = Variable(f"{parameter.name}_given", parameter.kind)
                taken.append(self._row(number))
                at = Element(number.name, (LANE,), number.kind)
                yield self._side_by_side(Assign(at, self._new(each)))
        if not self.program.flow(call.function, given).result:
            new = replace(call, function=function.name, arguments=tuple(taken))
            yield Run(new) if target is None else Assign(target, new)
            return
        row = isinstance(target, Element)
        into = Row(target.array, target.indices[0]) if row else self._row(target)
        yield Run(replace(call, function=function.name, arguments=(*taken, into)))

    def _row(self, number: Variable) -> Array:
        self._needs(number)
        return Array(number.name)

    def _needs(self, number: Variable) -> None:
        self.numbers[number.name] = number

    def _returned(self, returned: tuple[Any, ...]) -> Iterator[Statement | _Side]:
        (value,) = returned
        if isinstance(value, Invoke):
            yield from self._called(value, Variable(RESULT, value.kind))
            self.numbers.pop(RESULT, None)
        else:
            into = Element(RESULT, (LANE,), value.kind)
            yield self._side_by_side(Assign(into, self._new(value)))
        yield Return(())

    def _total(self, target: Any, vector: str) -> Iterator[Statement | _Side]:
        place, new = index("place"), self._new(target)
        yield _Side(Assign(new, Number(0.0, target.kind)))
        add = Accumulate(new, Element(vector, (place, LANE), "real"))
        yield Loop(place.name, Extent(vector, 0), (self._side_by_side(add),))

    # Memory

    def _memory(self, statement: Statement) -> Statement:
        lanes = whole(self.lanes)
        match statement:
            case Local(buffer):
                return Local(self._buffer(buffer))
            case Allocate(buffers):
                return Allocate(tuple(map(self._buffer, buffers)))
            case View(name, vector, start, extents):
                self.shapes[name] = extents
                start *= self.lanes if vector in self.names else 1
                if name in self.names:
                    extents = (*extents, lanes)
                return replace(statement, start=start, extents=extents)
            case Windows(names, arrays):
                for name, array in zip(names, arrays, strict=True):
                    self.shapes[name] = (None, *self.shapes[array][1:])
            case Alias(name, array):
                self.shapes[name] = self.shapes[array]
            case Pick(_, Given(given), Buffer() as yes, Nothing()) if given in self.names:
                return Allocate((self._buffer(yes),))
            case Pick(name, condition, yes, no):
                self._same(condition)
                one = self._buffer(yes) if isinstance(yes, Buffer) else yes
                other = self._buffer(no) if isinstance(no, Buffer) else no
                return replace(statement, yes=one, no=other)
        return statement

    def _buffer(self, buffer: Buffer) -> Buffer:
        self.shapes[buffer.name] = buffer.extents
        if buffer.name not in self.names:
            return buffer
        return replace(buffer, extents=(*buffer.extents, whole(self.lanes)))

    # Values

    def _new(self, node: Any) -> Any:
        """A part of the tree where what differs is that of a lane."""
        match node:
            case Variable(name) if name in self.names:
                self._needs(node)
                return Element(name, (LANE,), node.kind)
            case Element(array, indices):
                self._same(*indices)
                return replace(node, indices=(*indices, LANE)) if array in self.names else node
            case Total() | Invoke():
                self._same(node)
                return node
            case tuple():
                return tuple(map(self._new, node))
        if not is_dataclass(node) or isinstance(node, type):
            return node
        changed = {f.name: self._new(getattr(node, f.name)) for f in fields(node)}
        return replace(node, **changed)

    # Products

    def _product(self, product: MatrixProduct) -> Iterator[Statement]:
        """In tiles; of several pieces, all is the first."""
        tiles = _Tiles(self, product)
        body = (*tiles.views, *tiles.statements())
        self.sums = max(self.sums, tiles.most)
        if product.piece is None:
            yield from body
        else:
            yield Branch(equal(product.piece[0], WHOLE_ZERO), body)

    def _sum_of_rows(self, array: str, into: str) -> Iterator[Statement]:
        row, column = index("row"), index("column")
        self.sums = max(self.sums, 1)
        total = Element(_sum(0), (LANE,), "real")
        term = self.element(array, (row, column))
        at = Element(into, (column, LANE), "real")
        body = (
            self._side_by_side(Assign(total, Number(0.0, "real"))),
            Loop(row.name, Extent(array, 0), (self._side_by_side(Accumulate(total, term)),)),
            self._side_by_side(Assign(at, total)),
        )
        yield Loop(column.name, Extent(into, 0), body)

    def element(self, array: str, indices: tuple[Value, ...]) -> Element:
        return Element(array, (*indices, LANE) if self.has(array) else indices, "real")

    def has(self, array: str) -> bool:
        """Whether an array has lanes."""
        return array in self.names or array.removeprefix(_ROWS) in self.names


# What names of arrays begin with that are a matrix of all rows of one with more axes.
_ROWS = "rows_of_"


def _sum(number: int) -> str:
    return f"sum{number}"


class _Tiles:
    """A product of matrices, some rows and columns at a time."""

    def __init__(self, of: _Lanes, product: MatrixProduct) -> None:
        self.of, self.product, self.most = of, product, 0
        self.views: list[Statement] = []
        self.left, self.right = self._matrix(product.left), self._matrix(product.right)
        self.into = self._flat(product.into)
        self.rows = self._extent(product.into, rows=True)
        self.columns = self._extent(product.into, rows=False)
        left = product.left
        self.terms = self._extent(left.array, rows=left.transposed)

    def _matrix(self, matrix: Matrix) -> Matrix:
        return replace(matrix, array=self._flat(matrix.array))

    def _flat(self, array: str) -> str:
        """An array as a matrix: all its axes but the last are rows."""
        if len(self.of.shapes[array]) == 2:
            return array
        name = f"{_ROWS}{array}"
        lanes = (whole(self.of.lanes),) * self.of.has(array)
        extents = (self._extent(array, rows=True), self._extent(array, rows=False), *lanes)
        view = View(name, array, 0, extents)
        if view not in self.views and name not in self.of.shapes:
            self.views.append(view)
            self.of.shapes[name] = extents[:2]
        return name

    def _extent(self, array: str, rows: bool) -> Value:
        shape = self.of.shapes[array]
        last = len(shape) - 1
        axes = range(last) if rows else [last]
        found = [
            each if isinstance(each := shape[axis], Number) else Extent(array, axis)
            for axis in axes
        ]
        if all(isinstance(each, Number) for each in found):
            size = 1
            for each in found:
                size *= int(each.value)  # type: ignore[union-attr]
            return whole(size)
        return found[0] if len(found) == 1 else times(*found)

    def statements(self) -> Iterator[Statement]:
        tall, wide = self.of.program.tile
        if isinstance(self.rows, Number):
            tall = min(tall, int(self.rows.value))
        if isinstance(self.columns, Number):
            wide = min(wide, int(self.columns.value))
        for rows in self._cut(self.rows, tall):
            for columns in self._cut(self.columns, wide):
                yield from self._loops(rows, columns)

    def _cut(self, extent: Value, step: int) -> Iterator[tuple[Value, Value, int]]:
        """From where on, before where, and by how many: by some at a time, and the rest."""
        if isinstance(extent, Number):
            size = int(extent.value)
            even = size - size % step
            yield WHOLE_ZERO, whole(even), step
            if size > even:
                yield whole(even), whole(size), size - even
            return
        if step == 1:
            yield WHOLE_ZERO, extent, 1
            return
        even_part = times(Quotient(extent, whole(step)), whole(step))
        yield WHOLE_ZERO, even_part, step
        yield even_part, extent, 1

    def _loops(
        self, rows: tuple[Value, Value, int], columns: tuple[Value, Value, int]
    ) -> Iterator[Statement]:
        (top, bottom, tall), (left, right, wide) = rows, columns
        inside = Loop("column", right, tuple(self._tile(tall, wide)), left, wide)
        yield Loop("row", bottom, (inside,), top, tall)

    def _tile(self, tall: int, wide: int) -> Iterator[Statement]:
        row, column, term = index("row"), index("column"), index("term")
        places = [(r, c) for r in range(tall) for c in range(wide)]
        self.most = max(self.most, len(places))
        begin, add, end = [], [], []
        for number, (r, c) in enumerate(places):
            total = Element(_sum(number), (LANE,), "real")
            at = self.of.element(self.into, (_behind(row, r), _behind(column, c)))
            one = self._at(self.left, _behind(row, r), term)
            other = self._at(self.right, term, _behind(column, c))
            start: Value = Number(0.0, "real")
            if self.product.row is not None:
                start = self.of.element(self.product.row, (_behind(column, c),))
            if self.product.onto:
                start = at
            begin.append(Assign(total, start))
            add.append(Accumulate(total, one, times=other))
            end.append(Assign(at, total))
        yield self.of._side_by_side(*begin)
        yield Loop(term.name, self.terms, (self.of._side_by_side(*add),))
        yield self.of._side_by_side(*end)

    def _at(self, matrix: Matrix, row: Value, column: Value) -> Element:
        indices = (column, row) if matrix.transposed else (row, column)
        return self.of.element(matrix.array, indices)


def _behind(place: Variable, number: int) -> Value:
    return plus(place, whole(number)) if number else place
