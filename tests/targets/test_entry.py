"""How Python enters compiled code: the same results by every way in, and nothing lost."""

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.paths import copy_generated
from tests.targets.test_module import SPECS  # what Numba compiled of one is taken by both

NAMES = ["predict", "loss", "loss_and_gradient", "loss_and_gradient_into", "step"]


SLOW = ("products",)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in SPECS],
)
def case(request, build):
    """A module, the same again where NumPy's memory layout is not the known one, and arguments."""
    spec = SPECS[request.param]
    module, other = build(spec), build(spec)
    other._LAYOUT_KNOWN = False
    random = np.random.default_rng(0)
    dtype = np.dtype(spec.dtype)
    data = [random.normal(size=(5, spec.inputs)), random.uniform(size=(5, spec.outputs))]
    data += [random.uniform(0.5, 1.5, 5)] if spec.loss.sample_weights else []
    return module, other, module.init(1), [array.astype(dtype) for array in data]


def called(module, name, theta, data):
    """What a function gives, and what is in the array that it writes."""
    theta = theta.copy()
    arguments = {
        "predict": data[:1],
        "loss_and_gradient_into": [*data, np.full_like(theta, np.nan)],
        "step": [*data, 0.5],
    }.get(name, data)
    result = getattr(module, name)(theta, *arguments)
    parts = result if isinstance(result, tuple) else (result,)
    return [*map(np.array, parts), theta, np.array(arguments[-1])]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_by_every_way_in(case, name):
    """The first call, those after it, and Numba's dispatcher where the layout is not known."""
    module, other, theta, data = case
    called(other, name, theta, data)
    expected = called(other, name, theta, data)
    for _ in range(3):
        for mine, theirs in zip(called(module, name, theta, data), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    entered = getattr(module, name).func
    assert entered.__name__ in (f"_enter_{name}", name)
    assert getattr(other, name).func.__name__ == "first"


@pytest.fixture(scope="module")
def only_what_is_new():
    """Leaves what other tests hold to itself: looking for garbage there takes seconds."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("name", NAMES)
def test_calls_keep_no_references(case, name, only_what_is_new):
    module, _, theta, data = case
    gradient, rate = np.empty_like(theta), 0.125
    arguments = [theta, *(data[:1] if name == "predict" else data)]
    arguments += {"loss_and_gradient_into": [gradient], "step": [rate]}.get(name, [])
    function = getattr(module, name)
    refused = [*arguments[:-1], "no array"]

    def calls():
        for _ in range(1000):
            function(*arguments)
        for _ in range(100):
            with pytest.raises((TypeError, ValueError)):
                function(*refused)
        gc.collect()
        return [sys.getrefcount(each) for each in (*arguments, None, np.ndarray, theta.dtype)]

    calls()
    before = calls()
    blocks = sys.getallocatedblocks()
    after = calls()
    # others hold NumPy's class and dtype as well, a few times more or less
    assert all(abs(mine - theirs) < 50 for mine, theirs in zip(after, before, strict=True))
    assert after[: len(arguments)] == before[: len(arguments)]
    assert sys.getallocatedblocks() < blocks + 200


def test_what_has_no_memory_says_so():
    """Scratch memory is asked for with Python's lock released, and must not be missed silently."""
    resource = pytest.importorskip("resource")
    assert resource
    program = """
import resource, numpy as np, symgrad
module = symgrad.compile({"name": "wide", "dtype": "float64", "inputs": 2,
    "layers": [{"units": 20000, "activation": "tanh"}, {"units": 1}],
    "loss": {"kind": "squared"}}).module
theta, x, t = module.init(0), np.ones((70, 2)), np.ones((70, 1))
before = module.loss(theta, x, t)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))
try:
    module.loss(theta, x, t)
except MemoryError as error:
    print("refused", error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(module.loss(theta, x, t) == before)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc here")
    # so that memory is asked of the system at every call, not taken from what was freed
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.stdout.startswith("refused ") and done.stdout.endswith("True\n"), done


def test_later_processes_take_the_code_from_the_cache(tmp_path):
    (tmp_path / "cached.toml").write_text(
        'name = "cached"\ndtype = "float32"\ninputs = 2\n[[layers]]\nunits = 20\n'
        'activation = "tanh"\n[[layers]]\nunits = 20\n[loss]\nkind = "squared"\n'
    )
    program = """
import numpy as np, symgrad
module = symgrad.compile("cached.toml", into=".").emitted
print(module.predict(module.init(0), np.ones((3, 2), "f4")).tobytes().hex())
work = module.predict.work
print(work.methods[work.few][1].cache_hits)
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    lines = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, text=True,
            capture_output=True, timeout=300, check=True,
        ).stdout.splitlines()
        for _ in range(2)
    ]  # fmt: skip
    assert lines[0][0] == lines[1][0]
    assert [hits for _, hits in lines] == ["0", "1"]


def test_what_python_calls_is_made_once_whoever_is_first(build):
    """Python keeps the address of its description: a second one would free the first."""
    module = build(SPECS["loops"])
    made, others = [], threading.Event()
    work = module.loss_and_gradient.work
    numba_caches = work.compiler.cached

    def waits(compiler, function, *signature, **options):
        made.append(function)
        assert others.wait(60)  # until a second thread wants the same
        return numba_caches(compiler, function, *signature, **options)

    def from_python(otherwise, arrived=[]):  # noqa: B006
        arrived.append(otherwise)
        if len(arrived) > 1:
            others.set()
        return type(work).from_python(work, otherwise)

    work.compiler.cached, work.from_python = waits, from_python
    theta, x, t = module.init(1), np.ones((3, 2)), np.ones((3, 2))
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(module.loss_and_gradient, theta, x, t) for _ in range(3)]
        calls += [pool.submit(module.loss_and_gradient_into, theta, x, t, theta + 0)]
        assert len({call.result()[0] for call in calls[:3]} | {calls[3].result()}) == 1
    assert len(made) == 1


@pytest.mark.slow
def test_callers_from_numba_s_cache_have_products(tmp_path):
    (tmp_path / "caller.py").write_text(
        "import numba, numpy as np, digits\n"
        "@numba.njit(cache=True)\n"
        "def mine(theta, x, t):\n"
        "    return digits.loss(theta, x, t)\n"
        'x, t = np.ones((3, 64), "f4"), np.ones((3, 10), "f4")\n'
        "print(mine(digits.init(0), x, t), sum(mine.stats.cache_hits.values()))\n"
    )
    copy_generated("digits", tmp_path)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    values, hits = zip(
        *(
            subprocess.run(
                [sys.executable, "caller.py"], cwd=tmp_path, env=environment, text=True,
                capture_output=True, timeout=300, check=True,
            ).stdout.split()
            for _ in range(2)
        ),
        strict=True,
    )  # fmt: skip
    assert values[0] == values[1]
    assert hits == ("0", "1")


def test_modules_imported_by_a_forked_process_compute_on_one_thread(tmp_path):
    """Numba's threads were started before the fork, by a parent that knew nothing of the module."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    copy_generated("xor", tmp_path)
    program = """
import multiprocessing, numba, numpy as np

@numba.njit(parallel=True)
def total(a):
    s = 0.0
    for i in numba.prange(a.size):
        s += a[i]
    return s

def work():
    import xor
    xor.loss.work.calls_until_threads = 0
    xor.loss(xor.init(0), np.ones((20000, 2)), np.ones((20000, 1)))

total(np.ones(1000))
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
print(child.exitcode)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "0", done.stderr
