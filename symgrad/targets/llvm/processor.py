"""processor: the machine that code is made for.

As in Numba, NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say which processor, where that is not this one.
"""

import os
from functools import cache

import llvmlite
from llvmlite import binding


def machine(level: int = 3) -> binding.TargetMachine:
    """What makes code for it, with as much of LLVM's pains. One for each use: whoever loads code
    makes it its own."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=_name(), features=features(), opt=level, jit=True,
        # as MCJIT wants it on x86, where code may lie far from what it calls
        reloc="static" if triple.startswith(("x86", "i386", "i686")) else "default",
        codemodel="jitdefault",
    )  # fmt: skip


def _name() -> str:
    return os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())


def features() -> str:
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
    return repr((triple, _name(), features(), llvmlite.__version__, binding.llvm_version_info))
