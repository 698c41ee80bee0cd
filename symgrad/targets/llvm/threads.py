"""threads: loops whose turns may run at once, on the threads of Numba's layer.

A loop's body becomes a function of its own, which the layer calls for some of the turns: what it
reads of its surroundings is in a frame on the stack of the caller, who waits for all turns.
"""

from typing import TYPE_CHECKING

from llvmlite import ir

from symgrad.lowering.program import Loop, Variable
from symgrad.targets.llvm.arrays import BYTE, STATUS, WHOLE, Memory
from symgrad.targets.llvm.operations import constant, external, threads

if TYPE_CHECKING:
    from symgrad.targets.llvm.statements import Statements

_SHORT, _POINTER = ir.IntType(32), BYTE.as_pointer()

# A body as NumPy's generalised ufuncs have them: arguments, extents, steps, data.
_BODY = ir.FunctionType(
    ir.VoidType(), [_POINTER.as_pointer(), WHOLE.as_pointer(), WHOLE.as_pointer(), _POINTER]
)

# What runs a body on the layer's threads: given it, what it is given, and how many threads.
LAUNCH = "numba_parallel_for"


class Frame:
    """What a body reads of its surroundings; the first field is its status."""

    def __init__(self, writer: "Statements") -> None:
        self.arrays = dict(writer.arrays)
        self.variables = {name: place.type.pointee for name, place in writer.variables.items()}
        self.values: list[ir.Value] = []
        for memory in self.arrays.values():
            if memory is not None:
                self.values.append(memory.data)
                self.values += [each for each in memory.extents if constant(each) is None]
        self.values += [writer.builder.load(writer.variables[name]) for name in self.variables]
        self.type = ir.LiteralStructType([STATUS, *(value.type for value in self.values)])

    def store(self, builder: ir.IRBuilder, frame: ir.Value) -> None:
        builder.store(STATUS(0), field(builder, frame, 0))
        for place, value in enumerate(self.values, start=1):
            builder.store(value, field(builder, frame, place))

    def load(self, writer: "Statements", frame: ir.Value) -> None:
        """The same names for the body, as they are where it begins."""
        builder = writer.builder
        fields = iter(range(1, len(self.values) + 1))

        def next_value() -> ir.Value:
            return builder.load(field(builder, frame, next(fields)))

        for name, memory in self.arrays.items():
            if memory is None:
                writer.arrays[name] = None
                continue
            data = next_value()
            extents = tuple(
                each if constant(each) is not None else next_value() for each in memory.extents
            )
            writer.arrays[name] = Memory(memory.kind, data, extents)
        for name, kind in self.variables.items():
            writer.variables[name] = writer.alloca(kind)
            builder.store(next_value(), writer.variables[name])


def field(builder: ir.IRBuilder, frame: ir.Value, place: int) -> ir.Value:
    return builder.gep(frame, [_SHORT(0), _SHORT(place)], inbounds=True)


def parallel(writer: "Statements", loop: Loop, begin: "type[Statements]") -> None:
    """Runs the turns of a loop on as many threads as Numba has; the function fails if one does."""
    builder, functions = writer.builder, writer.functions
    frame = Frame(writer)
    name = f"{writer.function.name}.{loop.index}.{functions.numbered()}"
    function = ir.Function(builder.module, _BODY, name)
    function.linkage = "internal"
    _write_body(begin(functions, function, fallible=True), loop, frame)

    count = writer.value(loop.end)
    kept = writer.alloca(frame.type)
    frame.store(builder, kept)
    # The only argument is a number: the place of a turn, as an address that goes up by 1.
    arguments, extents, steps = (writer.alloca(kind) for kind in (_POINTER, WHOLE, WHOLE))
    builder.store(_POINTER(None), arguments)
    builder.store(count, extents)
    builder.store(WHOLE(1), steps)
    launch = external(
        builder.module, LAUNCH, ir.VoidType(),
        _POINTER, _POINTER.as_pointer(), *[WHOLE.as_pointer()] * 2, _POINTER, WHOLE, WHOLE, _SHORT,
    )  # fmt: skip
    several = threads(builder)
    body = builder.bitcast(function, _POINTER)
    data = builder.bitcast(kept, _POINTER)
    builder.call(launch, [body, arguments, extents, steps, data, WHOLE(0), WHOLE(1), several])
    status = builder.load(field(builder, kept, 0))
    writer.unless(builder.icmp_unsigned("!=", status, STATUS(0)), status)


def _write_body(writer: "Statements", loop: Loop, frame: Frame) -> None:
    builder = writer.builder
    arguments, extents, _, data = writer.function.args
    known = builder.bitcast(data, frame.type.as_pointer())
    frame.load(writer, known)
    first = builder.ptrtoint(builder.load(arguments), WHOLE)
    end = builder.add(first, builder.load(extents))
    with writer.counted(first, end) as turn:
        writer.assign(Variable(loop.index, "whole"), turn, "whole")
        writer.body(loop.body)
    if not builder.block.is_terminated:
        builder.branch(writer.end)
    assert writer.status is not None
    with builder.goto_entry_block():
        builder.store(STATUS(0), writer.status)
    builder.position_at_end(writer.end)
    writer.give_back()
    status = builder.load(writer.status)
    with builder.if_then(builder.icmp_unsigned("!=", status, STATUS(0))):
        builder.store(status, field(builder, known, 0))
    builder.ret_void()
