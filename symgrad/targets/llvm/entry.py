"""entry: how Python calls a function in object code: as a function of C, for arrays as they are.

It looks at the arguments where Python has them. If they are not just what the function takes, if
samples are many, or if the function fails, it hands the call over to one of two functions of
Python's; many samples only if there is one for them.
"""

import ctypes
from functools import reduce

from llvmlite import ir

from symgrad.lowering.program import Argument, Array, Invoke, Kind, Nothing, Variable
from symgrad.runtime import arguments
from symgrad.runtime.kinds import Kind as KindOfArgument
from symgrad.runtime.python_c import TYPE_OFFSET
from symgrad.targets.llvm.arrays import DOUBLE, STATUS, WHOLE, Memory, type_of
from symgrad.targets.llvm.functions import Functions
from symgrad.targets.llvm.operations import external
from symgrad.targets.llvm.program import Entry
from symgrad.targets.llvm.statements import Statements

_POINTER = ctypes.sizeof(ctypes.c_void_p)
_HEAD = object.__basicsize__  # how many bytes of an object come before its own
_KINDS: dict[str, Kind] = {
    "float32": "real", "float64": "double", "int64": "whole", "uint64": "word",
}  # fmt: skip

# Arrays of doubles whatever the network's own numbers are.
_DOUBLES = ("settings", "losses", "l1", "l2")

# To which of Python's functions a call is handed over: for arguments that do not fit, or for which
# the function fails, and for many samples.
OTHERWISE, MANY = 0, 1


def enter(functions: Functions, symbol: str, entry: Entry, threads: bool) -> None:
    """Writes the function `symbol` of C, which gives what the function of `entry` does, a float."""
    kind = ir.FunctionType(WHOLE, [WHOLE] * 4)
    _Entry(functions, ir.Function(functions.module, kind, symbol), entry, threads).write()


class _Entry:
    def __init__(
        self, functions: Functions, function: ir.Function, entry: Entry, threads: bool
    ) -> None:
        self.writer = Statements(functions, function, fallible=True)
        self.module, self.builder = functions.module, self.writer.builder
        self.python, self.arguments, self.count, self.names = function.args
        self.entry = entry
        self.driver = functions.known[entry.on_threads if threads else entry.in_turn]
        self.many = None if threads or entry.epoch or not entry.x else entry.many

    def write(self) -> None:
        builder, writer = self.builder, self.writer
        with builder.if_then(builder.not_(self.fit())):
            self.hand_over(OTHERWISE)
        self.take()
        if self.many is not None:
            least = WHOLE(self.many)
            counts = (writer.memory(x).extents[0] for x in self.entry.x)
            each = (builder.icmp_signed(">=", samples, least) for samples in counts)
            many = reduce(builder.or_, each)
            with builder.if_then(arguments.both(builder, many, self.has_another)):
                self.hand_over(MANY)
        E = writer.alloca(DOUBLE)
        builder.store(DOUBLE(0.0), E)
        assert writer.status is not None
        builder.store(STATUS(0), writer.status)
        # what others of Python's threads may do meanwhile, they do
        thread = builder.call(external(self.module, "PyEval_SaveThread", WHOLE), [])
        for result in writer.invoked(self.call()):
            builder.store(result, E)
        builder.branch(writer.end)
        builder.position_at_end(writer.end)
        resume = external(self.module, "PyEval_RestoreThread", ir.VoidType(), WHOLE)
        builder.call(resume, [thread])
        done = builder.icmp_unsigned("==", builder.load(writer.status), STATUS(0))
        with builder.if_then(done):
            as_float = external(self.module, "PyFloat_FromDouble", WHOLE, DOUBLE)
            builder.ret(builder.call(as_float, [builder.load(E)]))
        self.hand_over(OTHERWISE)

    def other(self, place: int) -> ir.Value:
        """One of the two functions of Python's, or None."""
        item = external(self.module, "PyTuple_GetItem", WHOLE, WHOLE, WHOLE)
        return self.builder.call(item, [self.python, WHOLE(place)])

    def has_another(self) -> ir.Value:
        """Whether there is one for many samples."""
        return self.builder.not_(arguments.is_object(self.builder, self.other(MANY), "None"))

    def hand_over(self, to: int) -> None:
        call = external(self.module, "PyObject_Vectorcall", WHOLE, *[WHOLE] * 4)
        given = [self.other(to), self.arguments, self.count, self.names]
        self.builder.ret(self.builder.call(call, given))

    def thing(self, place: int) -> ir.Value:
        """The address of an argument."""
        return arguments.at(self.builder, self.arguments, place * _POINTER)

    def fit(self) -> ir.Value:
        """Whether there are just the arguments that the function takes, of these kinds."""
        builder, kinds = self.builder, self.entry.kinds
        number = builder.icmp_unsigned("==", self.count, WHOLE(len(kinds)))
        result = builder.and_(number, builder.icmp_unsigned("==", self.names, WHOLE(0)))
        for place, kind in enumerate(kinds.values()):

            def fits(place: int = place, kind: KindOfArgument = kind) -> ir.Value:
                thing = self.thing(place)
                if kind.axes:
                    return arguments.is_array(builder, thing, kind)
                of_type = arguments.at(builder, thing, TYPE_OFFSET)
                return arguments.is_object(builder, of_type, "float")

            result = arguments.both(builder, result, fits)
        return result

    def take(self) -> None:
        """The arguments, by name."""
        writer, builder = self.writer, self.builder
        for place, (name, kind) in enumerate(self.entry.kinds.items()):
            thing = self.thing(place)
            if kind.axes == 0:
                writer.variables[name] = writer.alloca(DOUBLE)
                number = arguments.at(builder, thing, _HEAD, DOUBLE)
                builder.store(number, writer.variables[name])
                continue
            number = _KINDS[kind.number]
            if number == "double" and not writer.single and name not in _DOUBLES:
                number = "real"
            of = type_of(number, writer.single)
            data, extents = arguments.address_and_extents(builder, thing, of, kind.axes)
            name = self.entry.names.get(name, name)
            if name == "gradient":  # a matrix is a vector to those who sum it
                extents = [reduce(builder.mul, extents)]
            writer.arrays[name] = Memory(number, data, tuple(extents))

    def call(self) -> Invoke:
        """The lowered function, given what has the names of its parameters."""
        given: list[Argument] = []
        known = {self.entry.names.get(name, name) for name in self.entry.kinds}
        for parameter in self.driver.parameters:
            if parameter.name not in known:
                given.append(Nothing())
            elif parameter.extents:
                given.append(Array(parameter.name))
            else:
                given.append(Variable(parameter.name, parameter.kind))
        return Invoke(self.driver.name, tuple(given))
