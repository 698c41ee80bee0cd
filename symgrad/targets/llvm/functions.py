"""functions: lowered functions as the functions of a module of LLVM IR.

A function is written for the arguments that it is given: where one is left out, what depends on it
is too. An array is its address and a whole number for each of its extents. Functions that can fail
return a status, and write results where their caller says.
"""

from collections.abc import Iterator
from itertools import count

from llvmlite import ir

from symgrad.lowering.across import ACROSS, RESULT
from symgrad.lowering.program import (
    Argument,
    Array,
    Constants,
    Function,
    Invoke,
    Kind,
    Loop,
    Nothing,
    Parameter,
    Part,
    Return,
    Row,
    every,
)
from symgrad.runtime.fma import Processor
from symgrad.runtime.products import Form, declared, symbol
from symgrad.targets.llvm import threads
from symgrad.targets.llvm.arrays import STATUS, WHOLE, Memory, type_of
from symgrad.targets.llvm.elementary import Elementary
from symgrad.targets.llvm.program import Program
from symgrad.targets.llvm.statements import Statements
from symgrad.targets.llvm.values import Passed

# Roles of functions that are a part of each caller.
_INLINED = ("inlined", "written_out")

# Arguments that are no numbers.
_ARRAYS = (Array, Part, Row, Constants, Nothing)

# What stands in symbols before an argument that is left out.
WITHOUT = ".without_"


class Functions:
    """Functions of one program in a module of IR, each written when something calls it. Those that
    are not merged into their callers are in object code of their own, but for `root`; their symbols
    are in `needs`."""

    def __init__(
        self,
        program: Program,
        processor: Processor,
        root: str = "",
    ) -> None:
        self.program, self.single = program, program.single
        self.known = {function.name: function for function in program.functions}
        self.processor, self.root = processor, root
        self.needs: set[str] = set()
        self.module = ir.Module("symgrad")
        of_reals, of_doubles = program.elementary
        self.of_reals = Elementary(self.module, processor, of_reals, self.single)
        self.of_doubles = Elementary(self.module, processor, of_doubles, False, "step")
        self.written: dict[str, ir.Function] = {}
        self._numbers = count()

    @property
    def number(self) -> str:
        """The dtype of reals."""
        return "float32" if self.single else "float64"

    def product(self, form: Form) -> ir.Function:
        """The function of a form of matrix products."""
        self.needs.add(symbol(form))
        return declared(self.module, form)

    def numbered(self) -> int:
        """A number for what has no name of its own."""
        return next(self._numbers)

    # Writing

    def function(self, name: str, absent: frozenset[str] = frozenset()) -> ir.Function:
        """A function, written for arguments of which these are left out."""
        known = WITHOUT.join([name, *sorted(absent)])
        if known not in self.written:
            function = self.known[name]
            self.written[known] = self._declared(function, absent, known)
            if function.apart and known != self.root:
                self.needs.add(known)
            else:
                self._write(function, absent, self.written[known])
        return self.written[known]

    def _declared(self, function: Function, absent: frozenset[str], name: str) -> ir.Function:
        types: list[ir.Type] = []
        apart: list[int] = []  # addresses of what the function writes, which nothing else is at
        for parameter in function.parameters:
            if parameter.name in absent:
                continue
            kind = type_of(parameter.kind, self.single)
            if not parameter.extents:
                types.append(kind)
                continue
            if function.apart and parameter.name in _writes(function):
                apart.append(len(types))
            types += [kind.as_pointer(), *[WHOLE] * len(parameter.extents)]
        results = [type_of(kind, self.single) for kind in _results(function)]
        if function.name in self.program.fallible:
            kind, out = STATUS, results
        else:
            kind, out = (results[0], []) if len(results) == 1 else (ir.VoidType(), results)
        types += [each.as_pointer() for each in out]
        result = ir.Function(self.module, ir.FunctionType(kind, types), name)
        for place in apart:
            result.args[place].add_attribute("noalias")
        return result

    def _write(self, function: Function, absent: frozenset[str], into: ir.Function) -> None:
        if function.apart:
            into.attributes.add("noinline")
        elif function.role in _INLINED:
            into.attributes.add("alwaysinline")
        if not function.apart:
            into.linkage = "internal"
        writer = Statements(self, into, function.name in self.program.fallible)
        taken = iter(into.args)
        relies = function.name not in self.program.checking
        for parameter in function.parameters:
            if parameter.name in absent:
                writer.arrays[parameter.name] = None
            elif parameter.extents:
                writer.arrays[parameter.name] = _taken(parameter, taken, relies)
            else:
                value = next(taken)
                where = writer.alloca(value.type)
                writer.builder.store(value, where)
                writer.variables[parameter.name] = where
        writer.results = list(taken)
        alone: list[ir.Value] = []
        if function.name not in self.program.fallible and len(_results(function)) == 1:
            alone = [writer.alloca(into.function_type.return_type)]
            writer.results = alone
        writer.body(function.body)
        writer.finish(alone)

    # Calling

    def invoked(self, caller: Statements, call: Invoke) -> tuple[Passed, ...]:
        """The results of a function, which is written if it is not yet."""
        function = self.known[call.function]
        padded = [*call.arguments, *[Nothing()] * (len(function.parameters) - len(call.arguments))]
        given = [self._argument(caller, each) for each in padded]
        if any(
            isinstance(each, Array)
            for s in every(function.body)
            if isinstance(s, Return)
            for each in s.values
        ):
            return self._written_out(caller, function, given)
        pairs = [*zip(function.parameters, given, strict=True)]
        absent = frozenset(parameter.name for parameter, each in pairs if each is None)
        called = self.function(function.name, absent)
        arguments: list[ir.Value] = []
        for parameter, each in pairs:
            if isinstance(each, Memory):
                arguments += [each.data, *each.extents]
            elif each is not None:
                arguments.append(caller.widened(each, parameter.kind))
        results = [type_of(kind, self.single) for kind in _results(function)]
        fallible = function.name in self.program.fallible
        if not fallible and len(results) == 1:
            return (caller.builder.call(called, arguments),)
        places = [caller.alloca(kind) for kind in results]
        status = caller.builder.call(called, [*arguments, *places])
        if fallible:
            failed = caller.builder.icmp_unsigned("!=", status, STATUS(0))
            caller.unless(failed, status)
        return tuple(caller.builder.load(place) for place in places)

    def _argument(self, caller: Statements, argument: Argument) -> Passed:
        if isinstance(argument, Invoke):
            return caller.invoked(argument)[0]
        return caller.argument(argument)

    def _written_out(
        self, caller: Statements, function: Function, given: list[Passed]
    ) -> tuple[Passed, ...]:
        """The results of a function that gives arrays: its memory is the caller's."""
        arrays, variables = caller.arrays, caller.variables
        caller.arrays, caller.variables = {}, {}
        for parameter, each in zip(function.parameters, given, strict=True):
            if isinstance(each, ir.Value):
                where = caller.alloca(each.type)
                caller.builder.store(each, where)
                caller.variables[parameter.name] = where
            else:
                caller.arrays[parameter.name] = each
        *body, last = function.body
        assert isinstance(last, Return)
        caller.body(body)
        results = tuple(map(caller.argument, last.values))
        caller.arrays, caller.variables = arrays, variables
        return results

    def parallel(self, caller: Statements, loop: Loop) -> None:
        threads.parallel(caller, loop, Statements)

    def listed(self, builder: ir.IRBuilder, numbers: tuple[int, ...]) -> Memory:
        """A vector of whole numbers that are known."""
        kind = ir.ArrayType(WHOLE, len(numbers))
        table = ir.GlobalVariable(self.module, kind, f"numbers.{self.numbered()}")
        table.initializer, table.global_constant = ir.Constant(kind, list(numbers)), True
        table.linkage = "internal"
        data = builder.bitcast(table, WHOLE.as_pointer())
        return Memory("whole", data, (WHOLE(len(numbers)),))


def named(symbol: str) -> tuple[str, frozenset[str]]:
    """A function and the arguments that it is written without, from its symbol."""
    name, *absent = symbol.split(WITHOUT)
    return name, frozenset(absent)


def _taken(parameter: Parameter, taken: Iterator[ir.Value], relies: bool) -> Memory:
    """An array from a function's arguments; of the extents that are known, where they are
    checked."""
    data = next(taken)
    extents = []
    for extent in parameter.extents:
        given = next(taken)
        extents.append(WHOLE(extent) if relies and isinstance(extent, int) else given)
    return Memory(parameter.kind, data, tuple(extents))


def _results(function: Function) -> tuple[Kind, ...]:
    """The kinds of what a function returns."""
    for statement in every(function.body):
        if isinstance(statement, Return) and statement.values:
            return tuple(value.kind for value in statement.values if not isinstance(value, _ARRAYS))
    return ()


def _writes(function: Function) -> set[str]:
    """The arrays among the parameters of a kernel or of an optimizer's step that it writes to."""
    return {"y", "ys", "gradient", "scratch", RESULT} | (
        {"theta", "state"} if function.name in ("_update", f"_update{ACROSS}") else set()
    )
