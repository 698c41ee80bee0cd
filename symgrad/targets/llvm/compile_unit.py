"""compile_unit: the object code of a unit."""

from llvmlite import ir

from symgrad.lowering.across import ACROSS
from symgrad.lowering.kernels import SCRATCH
from symgrad.runtime import products
from symgrad.targets.llvm.entry import enter
from symgrad.targets.llvm.functions import Functions, named
from symgrad.targets.llvm.object_code import AS_WRITTEN, FULL, LITTLE, host, object_code
from symgrad.targets.llvm.program import Program
from symgrad.targets.llvm.units import ENTER, ON_THREADS, Unit, is_shared


def compile_unit(name: str, program: Program) -> Unit:
    """The object code of a unit of a network."""
    if is_shared(name):
        module = ir.Module(name)
        function = products.written(module, host(), products.form_of(name))
        function.linkage = "external"
        return Unit(object_code(module, AS_WRITTEN), ())
    functions = Functions(program, host(), root=name)
    if not name.startswith(ENTER):
        function, absent = named(name)
        functions.function(function, absent)
        known = functions.known[function].parameters
        in_tiles = ACROSS in function and any(each.name == SCRATCH for each in known)
        code = object_code(functions.module, FULL, unrolled=not in_tiles)
        return Unit(code, tuple(sorted(functions.needs)))
    threads = name.endswith(ON_THREADS)
    entry = program.entries[name.removeprefix(ENTER).removesuffix(ON_THREADS)]
    enter(functions, name, entry, threads)
    return Unit(object_code(functions.module, LITTLE), tuple(sorted(functions.needs)))
