"""Not a test: object code that LLVM makes for Windows, run on another system of the same processor.

Between both are functions that turn one system's calls into the other's. Threads are left out: they
call back. It prints hashes of results:

    python -m tests.targets.win64 here|windows SPEC ...
"""

import ctypes
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from llvmlite import binding, ir

import symgrad
from symgrad.targets.llvm import object_code, symbols
from symgrad.targets.llvm.objects import Objects
from symgrad.targets.llvm.processor import features, machine

WINDOWS = "x86_64-pc-windows-msvc-elf"
I64, DOUBLE, NONE = ir.IntType(64), ir.DoubleType(), ir.VoidType()

# What object code calls, and how.
CALLED = {
    "PyEval_SaveThread": (I64,),
    "PyEval_RestoreThread": (NONE, I64),
    "PyFloat_FromDouble": (I64, DOUBLE),
    "PyTuple_GetItem": (I64, I64, I64),
    "PyObject_Vectorcall": (I64, I64, I64, I64, I64),
    "PyMem_RawMalloc": (I64, I64),
    "PyMem_RawFree": (NONE, I64),
    "memset": (I64, I64, ir.IntType(32), I64),
    "memcpy": (I64, I64, I64, I64),
    "memmove": (I64, I64, I64, I64),
}
PROBE = """
.globl __chkstk
__chkstk:
    ret
"""  # it touches the pages of the stack, which this system does by itself


def bridge(name: str, address: int, kind: tuple[ir.Type, ...], to_windows: bool) -> ir.Module:
    """A function that calls the one at an address, which is of the other system."""
    result, *arguments = kind
    module = ir.Module()
    module.triple = binding.get_process_triple()
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    function.calling_convention = "" if to_windows else "win64cc"
    builder = ir.IRBuilder(function.append_basic_block())
    place = builder.inttoptr(I64(address), function.function_type.as_pointer())
    found = builder.call(place, function.args, cconv="win64cc" if to_windows else None)
    if result == NONE:
        builder.ret_void()
    else:
        builder.ret(found)
    return module


class Bridges:
    """What is between both systems, kept as long as it may be called."""

    def __init__(self) -> None:
        empty = binding.parse_assembly("")
        self.engine = binding.create_mcjit_compiler(empty, machine())
        self.called: set[str] = set()

    def add(self, module: ir.Module | str, name: str) -> int:
        self.engine.add_module(binding.parse_assembly(str(module)))
        self.engine.finalize_object()
        return int(self.engine.get_function_address(name))


def install() -> None:
    """Object code is made for Windows from here on, and called so."""
    assert symbols.add()
    binding.initialize_native_asmparser()
    bridges, process = Bridges(), ctypes.CDLL(None)
    for name, kind in CALLED.items():
        library = ctypes.pythonapi if name.startswith("Py") else process
        address = ctypes.cast(library[name], ctypes.c_void_p).value
        assert address is not None
        there = f"windows_{name}"
        binding.add_symbol(name, bridges.add(bridge(there, address, kind, False), there))
    probe = "\n".join(f'module asm "{line}"' for line in PROBE.strip().splitlines())
    binding.add_symbol("__chkstk", bridges.add(probe, "__chkstk"))

    def for_windows(level: int = 3) -> binding.TargetMachine:
        return binding.Target.from_triple(WINDOWS).create_target_machine(
            cpu=str(binding.get_host_cpu_name()), features=features(), opt=level, jit=True,
            reloc="static", codemodel="jitdefault",
        )  # fmt: skip

    object_code.machine = for_windows
    made: dict[int, int] = {}
    address_of = Objects.address

    def address(self: Objects, symbol: str) -> int:
        there = address_of(self, symbol)
        if there not in made:
            name = f"call_{len(made)}"
            made[there] = bridges.add(bridge(name, there, (I64, *[I64] * 4), True), name)
        return made[there]

    Objects.address = address


def results(spec: str) -> dict[str, str]:
    """Hashes of what a network's functions give."""
    module = symgrad.compile(spec).module
    dtype = module.SPEC["dtype"]
    theta, random = module.init(1), np.random.default_rng(0)
    x = random.normal(size=(300, module.SPEC["inputs"])).astype(dtype)
    y = module.predict(theta, x)
    t = np.eye(y.shape[1], dtype=dtype)[random.integers(y.shape[1], size=len(x))]
    found = {"predict": y, "gradient": module.loss_and_gradient(theta, x, t)}
    if "training" in module.SPEC:
        state, progress = module.train_state(seed=2)
        settings = module.train_settings(batch=32)
        loss = [module.train_epoch(theta, x, t, state, progress, settings) for _ in range(3)]
        found |= {"losses": loss, "theta": theta}
    return {name: digest(value) for name, value in found.items()}


def digest(value: object) -> str:
    parts = value if isinstance(value, tuple | list) else [value]
    return hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in parts)).hexdigest()


if __name__ == "__main__":
    where = sys.argv[1]
    if where == "windows":
        install()
    print(json.dumps({Path(each).stem: results(each) for each in sys.argv[2:]}))
