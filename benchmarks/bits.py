"""The hashes of `symgrad check --bits` here and on processors that QEMU emulates: `make bits`.

All of Python runs in the emulator, which says to LLVM what processor it is: Numba compiles for that
one, and nothing stands in for anything. It takes minutes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EMULATOR = "qemu-x86_64"
HERE = "this one"
PROCESSORS = (HERE, "EPYC", "Haswell", "Nehalem")
ROOT = Path(__file__).resolve().parent.parent
SPECS = ("xor", "digits", "iris")
MISSING = f"""\
{EMULATOR} is needed to compare with other processors, and was not found. It is in the package
qemu-user of Debian and Ubuntu (apt install qemu-user), and runs under Linux."""

PROGRAM = """
import json, sys, tempfile
from dataclasses import astuple
from llvmlite import binding
from symgrad.checking.bits import bits
from symgrad.compiler import compile

for spec in sys.argv[1:]:
    found = astuple(bits(compile(spec, into=tempfile.mkdtemp()).module))
    fused = binding.get_host_cpu_features()["fma"]
    print(json.dumps([binding.get_host_cpu_name(), fused, found]), flush=True)
"""


def rows(processor: str, specs: list[str]) -> list[tuple[str, bool, list[str]]]:
    """For each spec what LLVM takes the processor for, whether that has fma, and the hashes."""
    emulated = [] if processor == HERE else [EMULATOR, "-cpu", processor]
    run = subprocess.run(
        [*emulated, sys.executable, "-c", PROGRAM, *specs],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    if run.returncode:
        sys.exit(f"{processor}: Python ended with {run.returncode}\n{run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def main(names: list[str]) -> int:
    if shutil.which(EMULATOR) is None:
        print(MISSING, file=sys.stderr)
        return 2
    specs = [str(ROOT / "specs" / f"{name}.toml") for name in names]
    form = "{:10} {:14} {:4} {:8} {:17} {:17} {:17} {:17} {}".format
    results = ("prediction", "loss", "gradient", "100 steps")
    print(form("processor", "LLVM's name", "fma", "spec", *results, ""))
    right: dict[str, list[str]] = {}
    different = 0
    for processor in PROCESSORS:
        for name, (cpu, fused, hashes) in zip(names, rows(processor, specs), strict=True):
            same = hashes == right.setdefault(name, hashes)
            different += not same
            verdict = "" if processor == HERE else "the same" if same else "DIFFERENT"
            fma = "yes" if fused else "no"
            print(form(processor, cpu, fma, name, *hashes, verdict), flush=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*SPECS]))
