"""processor: the machine that code is made for, and LLVM's way from IR to object code for it.

As in Numba, NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say which processor, where that is not this one.
"""

import os
from functools import cache

import llvmlite
from llvmlite import binding, ir

from symgrad.runtime.fma import Processor

# LLVM's level of optimisation: all of it, for what computes; that of what only calls it; and none,
# for code that is written instruction by instruction.
FULL, LITTLE, AS_WRITTEN = 3, 1, 0


@cache
def host() -> Processor:
    """This machine's processor."""
    return Processor(binding.get_process_triple(), frozenset(_features().split(",")))


def machine(level: int = FULL) -> binding.TargetMachine:
    """What makes code for it. One for each use: whoever loads code makes it its own."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=_name(), features=_features(), opt=level, jit=True,
        # as MCJIT wants it on x86, where code may lie far from what it calls
        reloc="static" if triple.startswith(("x86", "i386", "i686")) else "default",
        codemodel="jitdefault",
    )  # fmt: skip


def _name() -> str:
    return os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())


def _features() -> str:
    """Those that are said; else this machine's, unless another processor is named."""
    said = os.environ.get("NUMBA_CPU_FEATURES")
    if said is not None:
        return said
    host_name = str(binding.get_host_cpu_name())
    return str(binding.get_host_cpu_features().flatten()) if _name() == host_name else ""


@cache
def described() -> str:
    """All that object code depends on besides its source: processor, features, LLVM."""
    triple = binding.get_process_triple()
    return repr((triple, _name(), _features(), llvmlite.__version__, binding.llvm_version_info))


def object_code(module: ir.Module, level: int = FULL) -> bytes:
    """A module of LLVM IR as object code for this machine."""
    maker = machine(max(level, 1))
    module.triple = maker.triple
    module.data_layout = str(maker.target_data)
    parsed = binding.parse_assembly(str(module))
    if level != AS_WRITTEN:
        options = binding.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = True
        options.slp_vectorization = False
        options.loop_unrolling = level == FULL
        builder = binding.create_pass_builder(maker, options)
        builder.getModulePassManager().run(parsed, builder)
    return bytes(maker.emit_object(parsed))
