"""The same bits, whatever the processor, the threads, and the samples beside a sample."""

import re
import subprocess
import sys
from os import environ

import numpy as np
import pytest

from symgrad.checking.bits import bits, numbers
from symgrad.compiler import compile
from symgrad.lowering.arithmetic import VERSION
from symgrad.spec.spec import Spec
from tests.nets import net
from tests.paths import ROOT, SPECS

SSE = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16"
AVX2 = f"{SSE},+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+movbe,+lzcnt"
# What stands in for a processor: its name keeps the host's features unless these are said too.
PROCESSORS = {
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "nehalem": {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": SSE},
    "one thread": {"NUMBA_NUM_THREADS": "1"},
}
ABSENT = {"haswell": "zmm", "nehalem": "ymm|vfmadd", "one thread": "^never$"}

PROGRAM = """
import re, sys, tempfile
from symgrad.checking.bits import bits
from symgrad.compiler import compile

compiled = compile(sys.argv[1], into=tempfile.mkdtemp())
print(bits(compiled.module))
module = compiled.module
kernels = (getattr(module, f"_{part}_of_leaf", None) for part in ("gradient", "samples", "sums"))
assembly = "".join(k.inspect_asm(each) for k in kernels if k for each in k.signatures)
print(len(assembly) > 1000, bool(re.search(sys.argv[2], assembly)))
"""
LIBRARY = {
    "sin",
    "cos",
    "tan",
    "tanh",
    "exp",
    "expm1",
    "log",
    "log1p",
    "pow",
    "erf",
    "cosh",
    "sinh",
}


def elsewhere(name: str, processor: str) -> list[str]:
    """What a process says that compiles for another processor."""
    spec = str(ROOT / "specs" / f"{name}.toml")
    command = [sys.executable, "-c", PROGRAM, spec, ABSENT[processor]]
    variables = environ | PROCESSORS[processor]
    return subprocess.run(
        command, env=variables, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()


@pytest.fixture(scope="module")
def here():
    known = {}

    def found(name):
        if name not in known:
            compiled = compile(ROOT / "specs" / f"{name}.toml")
            known[name] = bits(compiled.module)
        return known[name]

    return found


EVERY = [(path.stem, processor) for path in SPECS for processor in PROCESSORS]
QUICK = {("digits", "nehalem"), ("xor", "haswell"), ("xor", "one thread")}
PAIRS = [pair if pair in QUICK else pytest.param(*pair, marks=pytest.mark.slow) for pair in EVERY]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="stands in for x86-64 alone")
@pytest.mark.parametrize(("name", "processor"), PAIRS)
def test_other_processors_and_threads_have_the_same_bits(name, processor, here):
    found, assembly = elsewhere(name, processor)
    assert assembly == "True False"  # there is some, and it is that processor's
    assert found == str(here(name))


def test_other_weights_have_other_bits(here):
    """The negative control: little of one weight shows."""
    compiled = compile(ROOT / "specs" / "xor.toml")
    module = compiled.module
    theta, x = 0.5 * numbers(9, 1), numbers(20, 2).reshape(10, 2)
    moved = theta.copy()
    moved[0] *= 1 + 2.0**-40
    assert module.predict(theta, x).tobytes() != module.predict(moved, x).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("widths", [[3, 5, 2], [20, 33, 17, 3], [64, 64, 32, 10]])
def test_a_sample_does_not_depend_on_those_beside_it(widths, dtype, build):
    spec = net(widths, ["tanh"] * (len(widths) - 2) + ["softmax"], dtype=dtype)
    module = build(spec)
    theta = (0.5 * numbers(module.SIZE, 1)).astype(dtype)
    x = numbers(67 * widths[0], 2).reshape(67, widths[0]).astype(dtype)
    together = module.predict(theta, x)
    for place in range(67):
        alone = module.predict(theta, x[place : place + 1])
        np.testing.assert_array_equal(alone[0], together[place])


@pytest.mark.parametrize(
    "schedule",
    ["cosine", *(pytest.param(s, marks=pytest.mark.slow) for s in ("exponential", "step"))],
)
def test_no_library_is_called_for_a_number(schedule, build):
    """But for square roots; the IR of all that a training with each kind of power compiles."""
    spec = net([20, 33, 3], ["tanh", "softmax"], dtype="float32").normalised()
    training = {"optimizer": "adam", "schedule": schedule, "batch": 8, "epochs": 3}
    module = build(Spec.parse(spec | {"training": training}))
    theta = module.init(0)
    x, t = np.ones((20, 20), np.float32), np.ones((20, 3), np.float32)
    module.train_epoch(theta, x, t, *module.train_state(), module.train_settings())
    driver = module.train_epoch.work.whole
    texts = [module._update.inspect_llvm(s) for s in module._update.signatures]
    texts += [driver.inspect_llvm(s) for s in getattr(driver, "signatures", [])]
    called = {name for text in texts for name in re.findall(r"declare [^@]*@\"?([\w.]+)", text)}
    assert any(name.startswith("llvm.") for name in called)
    wrong = {n for n in called if n.removeprefix("llvm.").split(".")[0].rstrip("f") in LIBRARY}
    assert not wrong, (schedule, wrong)


@pytest.mark.parametrize("name", ["xor", "digits"])
def test_the_bits_that_the_readme_has(name, here):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split(f"$ symgrad check specs/{name}.toml --bits\n")[1].splitlines()[:5]
    found = here(name)
    assert f"arithmetic version {VERSION}" in shown[0]
    hashes = [line.split()[-1] for line in shown[1:]]
    assert hashes == [found.prediction, found.loss, found.gradient, found.steps]
