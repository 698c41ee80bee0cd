"""What object code calls of the process it is loaded into, where LLVM makes it for Windows: LLVM
can do that anywhere, and ends the process over what it does not find there."""

import os
import struct
from collections.abc import Iterator

import pytest
from llvmlite import binding

from symgrad.compiler import Compiled
from symgrad.spec.spec import Spec
from symgrad.targets.llvm import symbols
from symgrad.targets.llvm.compile_unit import compile_unit
from symgrad.targets.llvm.object_code import host
from symgrad.targets.llvm.threads import LAUNCH
from symgrad.targets.llvm.units import Unit, unit_of
from tests.paths import ROOT

# llvmlite adds the last part on Windows itself.
WINDOWS = "x86_64-pc-windows-msvc" + ("" if os.name == "nt" else "-elf")
OF_NUMBA = {LAUNCH, "get_num_threads"}


@pytest.fixture(params=["haswell", "core2"])
def on_windows(request, monkeypatch):
    """Code is made for it: for a processor with FMA, and for one that has not even SSE4."""
    if not binding.get_process_triple().startswith("x86_64"):
        pytest.skip("this LLVM makes no code for x86-64")
    monkeypatch.setattr(binding, "get_process_triple", lambda: WINDOWS)
    monkeypatch.setenv("NUMBA_CPU_NAME", request.param)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2,+fma" if request.param == "haswell" else "")
    host.cache_clear()
    yield
    host.cache_clear()


def units(spec: Spec) -> Iterator[Unit]:
    """All that a network is compiled to."""
    _, program = Compiled(spec).stages.described
    wanted = [unit_of(name, threads) for name in program.entries for threads in (False, True)]
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            unit = compile_unit(name, program)
            wanted += unit.needs
            yield unit


def undefined(code: bytes) -> Iterator[str]:
    """The names in the symbol table of an ELF file that are nowhere in it."""
    assert code[:5] == b"\x7fELF\x02"
    (first,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [struct.unpack_from("<IIQQQQII", code, first + size * k) for k in range(count)]
    for _, kind, _, _, table, length, link, _ in sections:
        if kind == 2:  # a table of symbols; it says where their names are
            for at in range(table + 24, table + length, 24):
                name, _, section = struct.unpack_from("<IHH", code, at)
                if section == 0:
                    begin = sections[link][4] + name
                    yield code[begin : code.index(b"\0", begin)].decode()


@pytest.mark.parametrize("name", ["spirals", "digits"])
def test_all_that_code_for_windows_calls_is_given_to_llvm(on_windows, name):
    found = set()
    for unit in units(Spec.load(ROOT / "specs" / f"{name}.toml")):
        found |= {*undefined(unit.code)} - {*unit.needs}
    objects = {each for each in found if each.startswith("symgrad_")}
    assert found - objects <= {*symbols.OF_PYTHON, *symbols.OF_WINDOWS} | OF_NUMBA
    assert {*symbols.OF_PYTHON} <= found and objects
    if name == "digits":
        assert "__chkstk" in found  # blocks are as large as that
