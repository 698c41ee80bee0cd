"""Sums by ranks of MPI's, which are real processes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.trainings import PLANE, plane_csv, same, text, weights

pytest.importorskip("mpi4py")
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec"),
]

COMPARED = """
from symgrad.distributed.mpi import Mpi, led
from symgrad.distributed.sources import InMemory
from tests.distributed.samples import module_of, same_bits, samples_of

with led() as leads:
    if leads:
        for name, samples in (("weighted", 6000), ("plain", 100), ("plain", 260)):
            arrays, module = samples_of(name, samples), module_of(name)
            with Mpi(module, InMemory(arrays)) as whole:
                for seed in range(3):
                    theta = module.init(seed)
                    assert same_bits(whole(theta), module.loss_and_gradient(theta, *arrays))
        print("the same")
"""


def ranks(number, *command, cwd=ROOT, seconds=100):
    return subprocess.run(
        [MPIEXEC, "-n", str(number), sys.executable, *map(str, command)],
        cwd=cwd, capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 4])
def test_ranks_have_the_same_bits(number):
    """Also where there are fewer leaves than ranks."""
    done = ranks(number, "-c", COMPARED)
    assert done.returncode == 0 and done.stdout == "the same\n", done.stderr


def test_a_rank_that_fails_ends_all():
    wrong = COMPARED.replace("with led() as leads:", "with led() as leads:", 1).replace(
        "InMemory(arrays))", "Broken(arrays))"
    )
    broken = (
        "import os\nfrom symgrad.distributed import sources\n"
        "class Broken(sources.InMemory):\n"
        "    def read(self, start, end):\n"
        "        from mpi4py import MPI\n"
        "        assert MPI.COMM_WORLD.Get_rank() == 0\n"
        "        return super().read(start, end)\n"
        "sources.some = lambda source, start, end: Broken(source.read(start, end))\n"
    )
    done = ranks(2, "-c", broken + wrong)
    assert done.returncode != 0 and "AssertionError" in done.stderr


def test_training_by_ranks_ends_with_the_same_weights(tmp_path):
    spec = text(tmp_path / "plane.json", __import__("json").dumps(PLANE))
    data = plane_csv(tmp_path, 900)
    given = ["train", spec, data, "--optimizer", "lbfgs", "--epochs", 30, "--patience", 9]
    here = subprocess.run(
        [sys.executable, "-m", "symgrad.cli.main", *map(str, given), "-o", "here"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert here.returncode == 0, here.stderr
    there = ranks(2, "-m", "symgrad.cli.main", *given, "-o", "there", "--mpi", cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    assert same(weights(tmp_path / "here"), weights(tmp_path / "there"))
    wrong = ranks(2, "-m", "symgrad.cli.main", "train", spec, data, "--mpi", cwd=tmp_path)
    assert wrong.returncode == 2 and "adam takes a step for each batch" in wrong.stderr
