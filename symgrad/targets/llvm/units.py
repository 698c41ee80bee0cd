"""units: what is compiled at a time, so that nothing is compiled that is not called.

A unit is a function that Python calls, on one thread or on several; a kernel, which several of
these call; or a form of matrix products, which networks have in common.
"""

from dataclasses import dataclass

from llvmlite import ir

from symgrad.runtime import products
from symgrad.targets.llvm.entry import enter
from symgrad.targets.llvm.functions import Functions, named
from symgrad.targets.llvm.processor import AS_WRITTEN, FULL, LITTLE, host, object_code
from symgrad.targets.llvm.program import Program

ENTER, ON_THREADS = "enter_", "_on_threads"


@dataclass(frozen=True)
class Unit:
    """Object code, and the names of the other units that it calls."""

    code: bytes
    needs: tuple[str, ...]


def unit_of(entry: str, threads: bool = False) -> str:
    """The unit of a function that Python calls; it has the same name there."""
    return f"{ENTER}{entry}{ON_THREADS * threads}"


def is_shared(name: str) -> bool:
    """Whether networks have a unit in common."""
    return name.startswith(products.PREFIX)


def compile_unit(name: str, program: Program) -> Unit:
    """The object code of a unit of a network."""
    if is_shared(name):
        module = ir.Module(name)
        function = products.written(module, host(), products.form_of(name))
        function.linkage = "external"
        return Unit(object_code(module, AS_WRITTEN), ())
    functions = Functions(program.functions, program.single, host(), program.elementary, root=name)
    if not name.startswith(ENTER):
        functions.function(*named(name))
        return Unit(object_code(functions.module, FULL), tuple(sorted(functions.needs)))
    threads = name.endswith(ON_THREADS)
    entry = program.entries[name.removeprefix(ENTER).removesuffix(ON_THREADS)]
    enter(functions, name, entry, threads)
    return Unit(object_code(functions.module, LITTLE), tuple(sorted(functions.needs)))
