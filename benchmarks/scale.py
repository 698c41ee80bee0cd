"""python -m benchmarks.scale: what a step costs where samples are shared among processes, or read
from files, against one process on one thread that has them in memory.

4-32-16-4 in float32, all samples a step. Each way runs in processes of its own, in rounds, A B C
A B C …; a result is the least of its steps, since what else runs on the machine only adds to them.
Before anything is timed its bits are compared with those of one process. What is not installed is
left out.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

LAYERS = [{"units": n, "activation": "tanh"} for n in (32, 16)] + [{"units": 4}]
SPEC = {
    "name": "scale", "dtype": "float32", "inputs": 4, "layers": LAYERS,
    "loss": {"kind": "squared"},
}  # fmt: skip
FEW = 100 * 128  # samples of 100 leaves
SEED = 1

# How many steps a round has, at least, and how many seconds.
STEPS, SECONDS = 5, 2.0


def samples(number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(SEED)
    return tuple(random.random((number, 4), np.float32) for _ in "xt")  # type: ignore[return-value]


def timed(step: Callable[[Any], Any], theta: Any) -> float:
    """Seconds a step takes: the least of several."""
    step(theta)
    begun, found = perf_counter(), []
    while len(found) < STEPS or perf_counter() - begun < SECONDS:
        start = perf_counter()
        step(theta)
        found.append(perf_counter() - start)
    return min(found)


@contextmanager
def way(name: str, module: Any, arrays: Any, folder: Path) -> Iterator[Any]:
    """A function of theta that gives loss and gradient; None where this process computes for
    another one."""
    from symgrad.distributed.sources import InMemory, Npy, Parquet

    if name.startswith("one"):
        yield lambda theta: module.loss_and_gradient(theta, *arrays)
        return
    if name == "mpi":
        from symgrad.distributed.mpi import Engine, led

        with led() as leads:
            if leads:
                with Engine()(module, arrays) as whole:
                    yield whole
            else:
                yield None
        return
    if name == "dask":
        from symgrad.distributed.dask import Engine as OfDask

        with OfDask("local", 2)(module, arrays) as whole:
            yield whole
        return
    if name == "joblib":
        from symgrad.distributed.joblib import Joblib

        with Joblib(module, InMemory(arrays), 2, "loky", folder) as whole:
            yield whole
        return
    from symgrad.distributed.out_of_core import OutOfCore

    files = tuple(folder / f"{array}.npy" for array in "xt")
    if name == "npy":
        for file, array in zip(files, arrays, strict=True):
            np.save(file, array)
        source: Any = Npy(files, "float32")
    else:
        import pyarrow
        from pyarrow import parquet

        names = [f"{array}{k}" for array in "xt" for k in range(4)]
        table = pyarrow.table(dict(zip(names, np.hstack(arrays).T, strict=True)))
        parquet.write_table(table, folder / "all.parquet", row_group_size=1 << 17)
        one, other = tuple(names[:4]), tuple(names[4:])
        source = Parquet((folder / "all.parquet",), one, other, "float32")
    with OutOfCore(module, source) as whole:
        yield whole


def worker(name: str, number: int) -> None:
    """Times one way, and prints what it found."""
    import symgrad

    module = symgrad.compile(SPEC).module
    theta, arrays = module.init(SEED), samples(number)
    with (
        tempfile.TemporaryDirectory() as folder,
        way(name, module, arrays, Path(folder)) as step,
    ):
        if step is not None:
            E, gradient = step(theta)
            expected, slope = module.loss_and_gradient(theta, *arrays)
            assert expected == E and (gradient == slope).all(), f"{name}: other bits"
            print(json.dumps(timed(step, theta)))


# Ways, their words, the packages they need, and how many threads a process has.
WAYS = {
    "one": ("one process, one thread", "numpy", 1),
    "dask": ("two processes by Dask", "distributed", 1),
    "mpi": ("two processes by MPI", "mpi4py", 1),
    "joblib": ("two processes by joblib", "joblib", 1),
    "one on threads": ("one process, all threads", "numpy", None),
    "npy": ("from NPY files, all threads", "numpy", None),
    "parquet": ("from Parquet, all threads", "pyarrow", None),
}


def run(name: str, number: int) -> float:
    """Seconds of a step, measured in a process of its own, or several."""
    threads = WAYS[name][2]
    environment = {**os.environ, **({} if threads is None else {"NUMBA_NUM_THREADS": str(threads)})}
    command = [sys.executable, "-m", "benchmarks.scale", "--way", name, "--samples", str(number)]
    if name == "mpi":
        command = [mpiexec(), "-n", "2", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def mpiexec() -> str:
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"


def table(number: int, ways: list[str], rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in ways:
            found[name].append(run(name, number))
    base = {None: "one on threads", 1: "one"}
    print(f"\n{number:,} samples, {-(-number // 128):,} leaves\n")
    print("| way | ms a step | in the slowest round | times as fast as one process |")
    print("|---|--:|--:|--:|")
    for name, times in found.items():
        words, _, threads = WAYS[name]
        ratio = min(found[base[threads]]) / min(times)
        print(
            f"| {words} | {1e3 * min(times):.3g} | {1e3 * max(times):.3g} | {ratio:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS), help="of these, with commas between")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        worker(given.way, given.samples)
        return
    ways = [name for name in given.ways.split(",") if importlib.util.find_spec(WAYS[name][1])]
    table(given.samples, ways, given.rounds)
    table(FEW, [name for name in ways if WAYS[name][2]], given.rounds)


if __name__ == "__main__":
    main()
