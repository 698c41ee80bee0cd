"""jobs: CPU seconds of whole jobs, with all processes that they start.

Each is a process of its own: cold, with empty caches; warm, when the same job has been done
before; and
the same by an earlier build, if one is named, and by peers. In every round all take their turn,
and the
tables have medians. JAX is left out where it is not installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.options import Options
from benchmarks.peers import earlier_build
from benchmarks.table import digits, table

ROOT = Path(__file__).parents[1]

FIRST = """
import numpy as np, symgrad
widths = {widths}
layers = [{{"units": n, "activation": "tanh"}} for n in widths[1:-1]] + [{{"units": widths[-1]}}]
spec = {{"name": "net", "inputs": widths[0], "layers": layers, "loss": {{"kind": "squared"}}}}
module = symgrad.compile(spec).module
x, t = np.ones((4, widths[0]), np.float32), np.ones((4, widths[-1]), np.float32)
print(module.loss_and_gradient(module.init(0), x, t)[0])
"""

EMITTED = """
import numpy as np, symgrad
widths = {widths}
layers = [{{"units": n, "activation": "tanh"}} for n in widths[1:-1]] + [{{"units": widths[-1]}}]
spec = {{"name": "net", "inputs": widths[0], "layers": layers, "loss": {{"kind": "squared"}}}}
module = symgrad.load(symgrad.compile(spec).write("."))
x, t = np.ones((4, widths[0]), np.float32), np.ones((4, widths[-1]), np.float32)
print(module.loss_and_gradient(module.init(0), x, t)[0])
"""

JAX = """
import jax, jax.numpy as jnp, numpy as np
widths = {widths}
def loss(theta, x, t):
    for W, b in theta[:-1]:
        x = jnp.tanh(x @ W + b)
    W, b = theta[-1]
    return 0.5 * ((x @ W + b - t) ** 2).sum() / len(x)
theta = [(np.ones((m, n), np.float32), np.zeros(n, np.float32)) for m, n in zip(widths, widths[1:])]
x, t = np.ones((4, widths[0]), np.float32), np.ones((4, widths[-1]), np.float32)
print(jax.jit(jax.value_and_grad(loss))(theta, x, t)[0])
"""

FIT = """
import warnings; warnings.simplefilter("ignore")
from sklearn.datasets import load_iris, load_digits
from {package} import MLPClassifier
x, y = load_{data}(return_X_y=True)
print(MLPClassifier(({hidden},), max_iter=200, random_state=0).fit(x / x.max(), y).loss_)
"""

GRID = """
import warnings; warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from {package} import MLPClassifier
if __name__ == "__main__":
    x, y = load_iris(return_X_y=True)
    grid = {grid}
    network = MLPClassifier(max_iter=50, random_state=0)
    print(GridSearchCV(network, grid, cv={folds}, n_jobs={jobs}).fit(x, y).best_score_)
"""
SIX = '{"hidden_layer_sizes": [(4,), (8,), (16,), (4, 4), (8, 8), (16, 8)]}'
TWELVE = SIX.replace("}", ', "alpha": [1e-4, 1e-2]}')


@dataclass(frozen=True)
class Job:
    """What is done, by symgrad and by a peer: a program of Python's, or arguments of `symgrad`."""

    title: str
    program: str | tuple[str, ...]
    peer: str | None = None
    of_peer: str | None = None


def _first(widths: str) -> Job:
    shape = [*map(int, widths.split("-"))]
    return Job(
        f"first gradient, {widths}", FIRST.format(widths=shape), "JAX", JAX.format(widths=shape)
    )


def _fit(data: str, hidden: int) -> Job:
    ours, theirs = (
        FIT.format(package=package, data=data, hidden=hidden)
        for package in ("symgrad.sklearn", "sklearn.neural_network")
    )
    return Job(f"estimator, fit on {data}", ours, "scikit-learn", theirs)


def _grid(title: str, **options: object) -> Job:
    ours, theirs = (
        GRID.format(package=package, **options)
        for package in ("symgrad.sklearn", "sklearn.neural_network")
    )
    return Job(title, ours, "scikit-learn", theirs)


DATA = str(ROOT / "data")
SPECS = str(ROOT / "specs")
JOBS = (
    _first("2-2-1"),
    _first("784-128-64-10"),
    Job("the emitted file alone, 2-2-1", EMITTED.format(widths=[2, 2, 1])),
    Job("symgrad train iris", ("train", f"{SPECS}/iris.toml", f"{DATA}/iris.csv")),
    Job("symgrad train digits", ("train", f"{SPECS}/digits.toml", f"{DATA}/digits.npz")),
    _fit("iris", 100),
    _fit("digits", 64),
    _grid("grid over 6 architectures", grid=SIX, folds=2, jobs=None),
    _grid("12 candidates × 3 folds, 2 processes", grid=TWELVE, folds=3, jobs=2),
)  # fmt: skip


def seconds(program: str | tuple[str, ...], package: Path, caches: Path, folder: Path) -> float:
    """CPU seconds of a process and all that it starts, with symgrad as it is in a folder."""
    environment = {
        **os.environ, "PYTHONPATH": str(package), "XDG_CACHE_HOME": str(caches),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
    }  # fmt: skip
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as what is installed has it
    if isinstance(program, str):
        file = folder / "job.py"
        file.write_text(program)
        command = [sys.executable, str(file)]
    else:
        start = "from symgrad.cli.main import main; main()"
        command = [sys.executable, "-c", start, *program]
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, command, stderr=said[-500:])
    return usage.ru_utime + usage.ru_stime


def run(options: Options, say: Callable[[str], None]) -> dict:
    rows = []
    commit = os.environ.get(earlier_build.COMMIT)
    before = earlier_build.exported(commit) if commit else None
    with tempfile.TemporaryDirectory(prefix="symgrad-benchmarks-") as root:
        for job in JOBS:
            found: dict[str, list[float]] = {}
            for _ in range(max(options.rounds // 2, 1)):
                say(f"  {job.title}")
                for name, package in (("now", ROOT), ("before", before)):
                    if package is None:
                        continue
                    caches, folder = Path(root, f"caches {name}"), Path(root, "there")
                    shutil.rmtree(caches, ignore_errors=True)
                    for state in ("cold", "warm"):
                        shutil.rmtree(folder, ignore_errors=True)
                        folder.mkdir()
                        taken = seconds(job.program, package, caches, folder)
                        found.setdefault(f"{name} {state}", []).append(taken)
                if job.of_peer is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    folder.mkdir()
                    try:
                        taken = seconds(job.of_peer, ROOT, caches, folder)
                    except subprocess.CalledProcessError as failure:
                        if b"ModuleNotFoundError" not in failure.stderr:
                            raise
                        continue
                    found.setdefault("peer", []).append(taken)
            times = {name: median(each) for name, each in found.items()}
            rows.append({"title": job.title, "peer": job.peer, "times": times})
    return {"rows": rows, "before": commit}


def render(result: dict) -> str:
    head = ["CPU seconds", "cold", "warm", "before, cold", "warm", "peer", ""]
    lines = []
    for row in result["rows"]:
        times = row["times"]
        names = ("now cold", "now warm", "before cold", "before warm", "peer")
        shown = [digits(times[name]) if name in times else "–" for name in names]
        lines.append([row["title"], *shown, row["peer"] or ""])
    return f"## Whole jobs\n\n{__doc__.split(chr(10), 2)[2]}\n{table(head, lines)}"
