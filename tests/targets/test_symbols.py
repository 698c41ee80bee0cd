"""Object code that LLVM makes for Windows, which it can do anywhere: what it calls, since LLVM ends
the process over what it does not find, and that it computes the same."""

import json
import os
import struct
import subprocess
import sys
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


X86 = pytest.mark.skipif(
    not binding.get_process_triple().startswith("x86_64"), reason="LLVM makes no code for x86-64"
)


@pytest.fixture
def on_windows(monkeypatch):
    """Code is made for it."""
    monkeypatch.setattr(binding, "get_process_triple", lambda: WINDOWS)
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


@X86
@pytest.mark.parametrize(
    ("name", "processor", "features"),
    [
        pytest.param("digits", "haswell", "+avx2,+fma", marks=pytest.mark.slow),
        ("spirals", "core2", ""),
    ],
)
def test_all_that_code_for_windows_calls_is_given_to_llvm(
    on_windows, monkeypatch, name, processor, features
):
    monkeypatch.setenv("NUMBA_CPU_NAME", processor)  # one with FMA, and one without SSE4
    monkeypatch.setenv("NUMBA_CPU_FEATURES", features)
    found = set()
    for unit in units(Spec.load(ROOT / "specs" / f"{name}.toml")):
        found |= {*undefined(unit.code)} - {*unit.needs}
    objects = {each for each in found if each.startswith("symgrad_")}
    assert found - objects <= {*symbols.OF_PYTHON, *symbols.OF_WINDOWS} | OF_NUMBA
    assert {*symbols.OF_PYTHON} <= found and objects
    if name == "digits":
        assert "__chkstk" in found  # blocks are as large as that


@X86
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the bridges are between Linux and Windows")
def test_code_for_windows_has_the_same_bits(tmp_path):
    """With Windows's way of calling functions, and its probes of the stack."""
    said, probes = {}, {}
    for where in ("here", "windows"):
        specs = [str(ROOT / "specs" / f"{name}.toml") for name in ("digits", "iris")]
        done = subprocess.run(
            [sys.executable, "-m", "tests.targets.win64", where, *specs],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / where), "NUMBA_NUM_THREADS": "1",
                 "PYTHONPATH": str(ROOT)},
            cwd=tmp_path, capture_output=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-1500:]
        said[where] = json.loads(done.stdout)
        files = (tmp_path / where).rglob("*.o")
        probes[where] = any(b"__chkstk" in file.read_bytes() for file in files)
    assert said["windows"] == said["here"] and {*said["here"]} == {"digits", "iris"}
    assert probes == {"here": False, "windows": True}
