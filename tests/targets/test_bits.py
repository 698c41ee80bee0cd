"""The same bits, whatever the processor, the threads, and the samples beside a sample."""

import json
import math
import platform
import subprocess
import sys
from itertools import cycle
from os import environ

import numpy as np
import pytest
from numba import njit

from symgrad.checking.bits import bits, numbers
from symgrad.compiler import compile
from symgrad.lowering.arithmetic import VERSION
from symgrad.spec.formula import FUNCTIONS
from symgrad.spec.parts import ACTIVATIONS, LOSSES
from symgrad.spec.spec import Spec
from symgrad.spec.training import OPTIMIZERS, SCHEDULES
from tests.assembly import library_functions
from tests.nets import net
from tests.paths import ROOT, SPECS

SSE = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16"
AVX2 = f"{SSE},+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+movbe,+lzcnt"
ON_X86 = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64",
    reason="stands in for x86-64 alone",
)
# What stands in for a processor: its name keeps the host's features unless these are said too.
PROCESSORS = {
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "sandybridge": {"NUMBA_CPU_NAME": "sandybridge", "NUMBA_CPU_FEATURES": f"{SSE},+avx"},
    "nehalem": {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": SSE},
    "one thread": {"NUMBA_NUM_THREADS": "1"},
}
ABSENT = {
    "haswell": "zmm|[$]fmaf?",
    "sandybridge": "zmm|vfmadd|[$]fmaf?",
    "nehalem": "ymm|vfmadd|[$]fmaf?",
    "one thread": "^never$",
}

PROGRAM = """
import re, sys, tempfile
from symgrad.checking.bits import bits
from symgrad.compiler import compile

compiled = compile(sys.argv[1], into=tempfile.mkdtemp())
module = compiled.emitted
print(bits(compiled.module) == bits(module) and bits(module))
kernels = (getattr(module, f"_{part}_of_leaf", None) for part in ("gradient", "samples", "sums"))
assembly = "".join(k.inspect_asm(each) for k in kernels if k for each in k.signatures)
print(len(assembly) > 1000, bool(re.search(sys.argv[2], assembly)))
"""

# All that modules for the specs in its input compute: for Numba to print the assembly of that.
ALL_OF_IT = """
import json, sys, tempfile
import numpy as np
from symgrad.compiler import compile
from symgrad.spec.spec import Spec

for given in json.load(sys.stdin):
    module = compile(Spec.parse(given), into=tempfile.mkdtemp()).emitted
    dtype, theta = module.SPEC["dtype"], module.init(0)
    x = np.full((20, module.SPEC["inputs"]), 0.5, dtype)
    t = np.full((20, module.SPEC["layers"][-1]["units"]), 0.5, dtype)
    module.predict(theta, x)
    module.loss_and_gradient(theta, x, t)
    module.step(theta, x, t, 0.1)
    if "training" in given:
        module.train_epoch(theta, x, t, *module.train_state(), module.train_settings())
"""


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
QUICK = {("xor", "nehalem")}
PAIRS = [pair if pair in QUICK else pytest.param(*pair, marks=pytest.mark.slow) for pair in EVERY]


@ON_X86
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
def test_a_sample_does_not_depend_on_those_beside_it(widths, dtype, native):
    spec = net(widths, ["tanh"] * (len(widths) - 2) + ["softmax"], dtype=dtype)
    module = native(spec)
    theta = (0.5 * numbers(module.SIZE, 1)).astype(dtype)
    x = numbers(67 * widths[0], 2).reshape(67, widths[0]).astype(dtype)
    together = module.predict(theta, x)
    for place in range(67):
        alone = module.predict(theta, x[place : place + 1])
        np.testing.assert_array_equal(alone[0], together[place])


def every_function(dtype):
    """A network of all activations there are, and of all functions that formulas know."""
    own = {
        f"own_{name}": f"{name}({', '.join(['z', '0.5'][:arity])})"
        for name, arity in FUNCTIONS.items()
        if name != "sum"
    }
    names = [*(name for name in ACTIVATIONS if name != "softmax"), *own, "softmax"]
    return net([2, *[3] * len(names)], names, own=own, dtype=dtype, kind="cross_entropy")


def every_training(dtype):
    """Small networks with each loss, optimizer and schedule."""
    ends = {"cross_entropy": "softmax", "kl": "softmax", "binary_cross_entropy": "sigmoid"}
    for loss, optimizer, schedule in zip(LOSSES, cycle(OPTIMIZERS), cycle(SCHEDULES)):
        network = net([20, 33, 3], ["tanh", ends.get(loss, "softplus")], kind=loss, dtype=dtype)
        training = {"optimizer": optimizer, "schedule": schedule, "batch": 8, "epochs": 3}
        yield Spec.parse(network.normalised() | {"training": training})


def assembly(specs, processor):
    """Of all that a process compiles for them."""
    variables = environ | PROCESSORS[processor] | {"NUMBA_DUMP_ASSEMBLY": "1"}
    return subprocess.run(
        [sys.executable, "-c", ALL_OF_IT],
        input=json.dumps([spec.normalised() for spec in specs]),
        env=variables, capture_output=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip


@pytest.mark.slow
@ON_X86
def test_no_library_is_called_for_a_number():
    """In training too; the elementary functions are seen to by a test of their own."""
    of_cosines = next(s for s in every_training("float32") if s.training.schedule == "cosine")
    code = assembly([of_cosines], "nehalem")
    assert code.count("symgrad_product_") > 10
    assert library_functions(code) == set()


@pytest.mark.slow
@ON_X86
@pytest.mark.parametrize("processor", ["one thread", "nehalem"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_library_is_called_by_any_network(dtype, processor):
    code = assembly([every_function(dtype), *every_training(dtype)], processor)
    assert code.count("symgrad_product_") > 10
    assert library_functions(code) == set()


@ON_X86
def test_a_call_of_a_library_would_be_found():
    """The negative control."""

    @njit
    def called(x, y):
        return math.sin(x) + np.exp(y) + x**y

    called(0.5, 0.5)
    assert library_functions("".join(called.inspect_asm().values())) == {"sin", "exp", "pow"}


@pytest.mark.parametrize("name", ["xor", "digits"])
def test_the_bits_that_the_readme_has(name, here):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split(f"$ symgrad check specs/{name}.toml --bits\n")[1].splitlines()[:5]
    found = here(name)
    assert f"arithmetic version {VERSION}" in shown[0]
    hashes = [line.split()[-1] for line in shown[1:]]
    assert hashes == [found.prediction, found.loss, found.gradient, found.steps]
