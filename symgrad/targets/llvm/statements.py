"""statements: the body of a lowered function as LLVM IR.

Variables lie on the stack, from where LLVM takes them into registers. Small memory of a known size
does too; other memory is asked for where it is declared, and given back where the function ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING

from llvmlite import ir

from symgrad.lowering.program import (
    Accumulate,
    Alias,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Comment,
    Condition,
    Counted,
    Each,
    Element,
    Invoke,
    Kind,
    Local,
    Loop,
    Matrix,
    MatrixProduct,
    Opaque,
    Pick,
    Refuse,
    Return,
    RowSum,
    Run,
    Skip,
    Statement,
    Table,
    Together,
    Variable,
    View,
    While,
    Windows,
)
from symgrad.runtime.products import multiply, sum_of_rows
from symgrad.targets.llvm import lanes
from symgrad.targets.llvm.arrays import (
    BYTE,
    STATUS,
    WHOLE,
    Memory,
    part,
    place,
    product,
    size_of,
)
from symgrad.targets.llvm.operations import constant, external, opaque, table
from symgrad.targets.llvm.values import Passed, Values

if TYPE_CHECKING:
    from symgrad.targets.llvm.functions import Functions

# Memory of a known size up to so many bytes is on the stack.
ON_STACK = 4096

# Memory begins at a multiple of so many bytes: of a line of the cache, and of the widest vectors.
ALIGNED = 64

# What functions return that can fail.
DONE, REFUSED, NO_MEMORY = STATUS(0), STATUS(1), STATUS(2)


class Statements(Values):
    """Writes statements into one function, which ends by `finish`."""

    def __init__(self, functions: "Functions", function: ir.Function, fallible: bool) -> None:
        super().__init__(functions, ir.IRBuilder(function.append_basic_block("entry")))
        self.function, self.fallible = function, fallible
        self.kinds: dict[str, Kind] = {}
        self.asked: list[ir.Value] = []  # where addresses of memory lie that is to be given back
        self.results: list[ir.Value] = []  # where results go
        self.continues: list[ir.Block] = []
        self.end = function.append_basic_block("end")
        self.status = self.alloca(STATUS) if fallible else None

    def alloca(self, kind: ir.Type) -> ir.Value:
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind)

    def finish(self, results: Sequence[ir.Value] = ()) -> None:
        """The end of the function: memory is given back, and the results returned."""
        builder = self.builder
        if not builder.block.is_terminated:
            self.leave(DONE)
        builder.position_at_end(self.end)
        self.give_back()
        if self.status is not None:
            builder.ret(builder.load(self.status))
        elif results:
            builder.ret(builder.load(results[0]))
        else:
            builder.ret_void()

    def give_back(self) -> None:
        """The memory that was asked for, where it was."""
        for address in self.asked:
            builder = self.builder
            free = external(builder.module, "PyMem_RawFree", ir.VoidType(), BYTE.as_pointer())
            builder.call(free, [builder.load(address)])

    def leave(self, status: ir.Value) -> None:
        """To the end of the function."""
        if self.status is not None:
            self.builder.store(status, self.status)
        self.builder.branch(self.end)

    # Variables

    def assign(self, target: Variable | Element, value: ir.Value, come: Kind) -> None:
        """Doubles do not become reals unsaid; reals become doubles."""
        if isinstance(target, Variable):
            kind = target.kind
            if target.name not in self.variables:
                self.variables[target.name] = self.alloca(self.type(kind))
            where = self.variables[target.name]
        else:
            kind, where = target.kind, self.place(target.array, target.indices)
        self.builder.store(self.converted(value, come, kind), where)

    # Statements

    def body(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if self.builder.block.is_terminated:
                return  # it is known that no more is done
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        builder, value = self.builder, self.value
        match statement:
            case Comment():
                pass
            case Assign(target, assigned):
                self.assign(target, value(assigned), assigned.kind)
            case Together(targets, assigned):
                values = [*map(value, assigned)]
                for target, each, come in zip(targets, values, assigned, strict=True):
                    self.assign(target, each, come.kind)
            case Accumulate():
                self.assign(statement.target, self.accumulated(statement), statement.target.kind)
            case Loop(parallel=True):
                self.functions.parallel(self, statement)
            case Loop(lanes=True) if lanes.goes_straight(self.functions, statement):
                lanes.write(self, statement)
            case Loop(index, end, body, start, step):
                with self.counted(value(start), value(end), step) as count:
                    self.assign(Variable(index, "whole"), count, "whole")
                    self.body(body)
            case Each(name, vector, kind, body):
                memory = self.memory(vector)
                with self.counted(WHOLE(0), memory.extents[0]) as count:
                    element = builder.load(place(builder, memory, [count]))
                    self.assign(Variable(name, kind), element, kind)
                    self.body(body)
            case While(condition, body):
                self.repeat(condition, body)
            case Branch(condition, yes, no):
                self.branch(condition, yes, no)
            case MatrixProduct():
                self.multiply(statement)
            case RowSum(array, into):
                matrix, row = self.memory(array), self.memory(into)
                form, number = self.functions.product, self.functions.number
                sum_of_rows(builder, form, number, matrix.data, row.data, *matrix.extents)
            case Run(call):
                self.invoked(call)
            case Return(values):
                self.give(values)
            case Refuse():
                self.leave(REFUSED)
            case Skip():
                builder.branch(self.continues[-1])
            case _:
                self.declare(statement)

    @contextmanager
    def counted(self, start: ir.Value, end: ir.Value, step: int = 1) -> Iterator[ir.Value]:
        """A loop; a body that goes on with the next turn branches to the last of `continues`."""
        builder, before = self.builder, self.builder.block
        head, inside, following, after = (self.function.append_basic_block() for _ in range(4))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(WHOLE)
        index.add_incoming(start, before)
        more = builder.icmp_signed("<" if step > 0 else ">", index, end)
        builder.cbranch(more, inside, after)
        builder.position_at_end(inside)
        self.continues.append(following)
        yield index
        self.continues.pop()
        if not builder.block.is_terminated:
            builder.branch(following)
        builder.position_at_end(following)
        index.add_incoming(builder.add(index, WHOLE(step), flags=("nsw",)), following)
        builder.branch(head)
        builder.position_at_end(after)

    def repeat(self, condition: Condition, body: Iterable[Statement]) -> None:
        builder = self.builder
        head, inside, after = (self.function.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(self.condition(condition), inside, after)
        builder.position_at_end(inside)
        self.continues.append(head)
        self.body(body)
        self.continues.pop()
        if not builder.block.is_terminated:
            builder.branch(head)
        builder.position_at_end(after)

    def branch(
        self, condition: Condition, yes: tuple[Statement, ...], no: tuple[Statement, ...]
    ) -> None:
        decided = self.condition(condition)
        known = constant(decided)
        if known is not None:
            self.body(yes if known else no)
            return
        builder = self.builder
        then, otherwise, after = (self.function.append_basic_block() for _ in range(3))
        builder.cbranch(decided, then, otherwise)
        for block, body in ((then, yes), (otherwise, no)):
            builder.position_at_end(block)
            self.body(body)
            if not builder.block.is_terminated:
                builder.branch(after)
        builder.position_at_end(after)

    def multiply(self, statement: MatrixProduct) -> None:
        def extents(matrix: Matrix) -> tuple[ir.Value, ...]:
            *rows, columns = self.memory(matrix.array).extents
            found = reduce(self.builder.mul, rows), columns
            return found[::-1] if matrix.transposed else found

        left, right, into = statement.left, statement.right, self.memory(statement.into)
        (m, k), (_, n) = extents(left), extents(right)
        row = None if statement.row is None else self.memory(statement.row).data
        piece = statement.piece and tuple(map(self.value, statement.piece))
        multiply(
            self.builder, self.functions.product, self.functions.number,
            self.memory(left.array).data, self.memory(right.array).data, into.data, m, k, n,
            left.transposed, right.transposed, row, piece, statement.onto, statement.upper,
        )  # fmt: skip

    def give(self, values: Sequence[Argument]) -> None:
        """Results go where they are wanted, and the function ends."""
        found = [self.argument(each) for each in values]
        for each, given, where in zip(values, found, self.results, strict=True):
            assert isinstance(given, ir.Value) and not isinstance(each, Array)
            self.builder.store(given, where)
        self.leave(DONE)

    # Memory

    def declare(self, statement: Statement) -> None:
        builder, value, arrays = self.builder, self.value, self.arrays
        match statement:
            case Table(name, numbers):
                data = table(builder.module, name, self.type("real"), numbers)
                arrays[name] = Memory("real", data, (WHOLE(len(numbers)),))
            case Local(buffer):
                arrays[buffer.name] = self.on_stack(buffer)
            case Allocate(buffers):
                for buffer in buffers:
                    arrays[buffer.name] = self.made(buffer)
            case View(name, vector, start, extents, rows):
                memory = self.arrays[vector]
                if memory is None:
                    arrays[name] = None
                    return
                sizes = tuple(map(value, extents))
                begin: ir.Value = WHOLE(start)
                if rows is not None:
                    begin = builder.add(begin, product(builder, (value(rows), *sizes[1:])))
                data = builder.gep(memory.data, [begin], inbounds=True)
                arrays[name] = Memory(memory.kind, data, sizes)
            case Windows(names, of, start, end):
                first, last = value(start), value(end)
                for name, array in zip(names, of, strict=True):
                    arrays[name] = part(builder, self.memory(array), first, last)
            case Alias(name, array):
                arrays[name] = arrays[array]
            case Pick(name, condition, yes, no):
                arrays[name] = self.picked(condition, yes, no)
            case Counted(name, extent):
                memory = self.made(Buffer(name, "whole", (extent,)))
                with self.counted(WHOLE(0), memory.extents[0]) as count:
                    builder.store(count, place(builder, memory, [count]))
                arrays[name] = memory
            case Opaque(name, number):
                self.assign(Variable(name, "whole"), opaque(builder, WHOLE(number)), "whole")
            case _:
                raise AssertionError(statement)

    def picked(
        self, condition: Condition, yes: Argument | Buffer, no: Argument | Buffer
    ) -> Memory | None:
        def found(choice: Argument | Buffer) -> Memory | None:
            memory = self.made(choice) if isinstance(choice, Buffer) else self.argument(choice)
            assert memory is None or isinstance(memory, Memory)
            return memory

        decided = self.condition(condition)
        known = constant(decided)
        if known is not None:
            return found(yes if known else no)
        assert not isinstance(yes, Buffer) and not isinstance(no, Buffer)
        one, other = found(yes), found(no)
        if one is None or other is None:
            return None
        select = self.builder.select
        extents = tuple(
            a if constant(a) is not None and constant(a) == constant(b) else select(decided, a, b)
            for a, b in zip(one.extents, other.extents, strict=True)
        )
        return Memory(one.kind, select(decided, one.data, other.data), extents)

    def on_stack(self, buffer: Buffer) -> Memory:
        """Memory of a known size, on the stack."""
        kind, extents = self.type(buffer.kind), tuple(map(self.value, buffer.extents))
        numbers = constant(product(self.builder, extents))
        assert numbers is not None, buffer
        memory = self.alloca(ir.ArrayType(kind, max(numbers, 1)))
        memory.align = ALIGNED
        return Memory(buffer.kind, self.builder.bitcast(memory, kind.as_pointer()), extents)

    def made(self, buffer: Buffer) -> Memory:
        """Memory for an array."""
        builder = self.builder
        kind, extents = self.type(buffer.kind), tuple(map(self.value, buffer.extents))
        numbers = product(builder, extents)
        size, known = size_of(buffer.kind, self.single), constant(numbers)
        if known is not None and known * size <= ON_STACK:
            return self.on_stack(buffer)
        address = self.alloca(BYTE.as_pointer())
        with builder.goto_entry_block():
            builder.store(BYTE.as_pointer()(None), address)
        self.asked.append(address)
        ask = external(builder.module, "PyMem_RawMalloc", BYTE.as_pointer(), WHOLE)
        room = builder.add(product(builder, (numbers, WHOLE(size))), WHOLE(ALIGNED))
        given = builder.call(ask, [room])
        builder.store(given, address)
        self.unless(builder.icmp_unsigned("==", given, given.type(None)), NO_MEMORY)
        up = builder.add(builder.ptrtoint(given, WHOLE), WHOLE(ALIGNED - 1))
        shift = builder.sub(builder.and_(up, WHOLE(-ALIGNED)), builder.ptrtoint(given, WHOLE))
        data = builder.bitcast(builder.gep(given, [shift]), kind.as_pointer())
        return Memory(buffer.kind, data, extents)

    def unless(self, failed: ir.Value, status: ir.Value) -> None:
        """Goes on, or ends the function with a status."""
        failure, on = (self.function.append_basic_block() for _ in range(2))
        self.builder.cbranch(failed, failure, on)
        self.builder.position_at_end(failure)
        self.leave(status)
        self.builder.position_at_end(on)

    # Calls

    def invoked(self, call: Invoke) -> tuple[Passed, ...]:
        return self.functions.invoked(self, call)
