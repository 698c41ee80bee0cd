"""object_code: LLVM's way from IR to object code."""

from functools import cache

from llvmlite import binding, ir

from symgrad.runtime.fma import Processor
from symgrad.targets.llvm.processor import features, machine

# LLVM's level of optimisation: all of it, for what computes; that of what only calls it; and none,
# for code that is written instruction by instruction.
FULL, LITTLE, AS_WRITTEN = 3, 1, 0


@cache
def host() -> Processor:
    """This machine's processor."""
    return Processor(binding.get_process_triple(), frozenset(features().split(",")))


def object_code(module: ir.Module, level: int = FULL, unrolled: bool = True) -> bytes:
    """A module of LLVM IR as object code for this machine; its loops may be `unrolled`, which
    takes long and gains nothing where they are of vectors already."""
    maker = machine(max(level, 1))
    module.triple = maker.triple
    module.data_layout = str(maker.target_data)
    parsed = binding.parse_assembly(str(module))
    if level != AS_WRITTEN:
        options = binding.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = True
        options.slp_vectorization = False
        options.loop_unrolling = unrolled and level == FULL
        builder = binding.create_pass_builder(maker, options)
        builder.getModulePassManager().run(parsed, builder)
    return bytes(maker.emit_object(parsed))
