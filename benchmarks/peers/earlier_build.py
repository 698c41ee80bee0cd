"""An earlier build of symgrad: what its compiler emits, loaded beside today's.

The commit is that of the variable COMMIT in the environment, which `--build` sets.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path

import numpy as np

from benchmarks.peers import Variant

COMMIT = "SYMGRAD_EARLIER_BUILD"
ROOT = Path(__file__).parents[2]

COMPILE = """
import json, sys
import symgrad
spec, folder = json.loads(sys.argv[1]), sys.argv[2]
print(symgrad.compile(spec).write(folder))
"""


def known(commit: str) -> str:
    """The commit's whole name; SystemExit where this is no checkout that has it."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    try:
        found = subprocess.run(command, capture_output=True, encoding="utf-8")
    except FileNotFoundError:
        raise SystemExit("an earlier build is taken from git, which is not installed") from None
    if found.returncode:
        raise SystemExit(f"there is no commit {commit} in the repository of {ROOT}")
    return found.stdout.strip()


@cache
def exported(commit: str) -> Path:
    """A folder with the commit's files."""
    command = ["git", "-C", str(ROOT), "archive", commit, "symgrad", "templates"]
    done = subprocess.run(command, capture_output=True, check=True)
    folder = Path(tempfile.mkdtemp(prefix="symgrad-earlier-build-"))
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def emitted(net, dtype):
    """The module that it emits, in its own process, as it stands."""
    folder = tempfile.mkdtemp(prefix="symgrad-benchmark-")
    spec = json.dumps({**net.spec, "dtype": dtype})
    environment = os.environ | {"PYTHONPATH": str(exported(os.environ[COMMIT]))}
    command = [sys.executable, "-c", COMPILE, spec, folder]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, cwd=folder, check=True
    )
    file = Path(folder, done.stdout.split()[-1])
    found = spec_from_file_location(file.stem, file)
    module = module_from_spec(found)
    sys.path.insert(0, str(file.parent))  # where what it imports lies beside it
    found.loader.exec_module(module)
    return module


def prepare(net, theta, x, t):
    module, gradient = emitted(net, theta.dtype.name), np.empty_like(theta)
    call = partial(module.loss_and_gradient_into, theta, x, t, gradient)

    def value():
        return float(call()), gradient.copy()

    for _ in range(25):
        call()  # what is compiled for many samples is compiled with the twentieth call
    yield Variant("loss_and_gradient_into", call, value)
