"""estimators: a whole fit() of scikit-learn's, and of symgrad.sklearn's, on the same samples.

Both see the same weights and orders, so that what they learn is compared before anything is timed.
The first fit of a network is told apart: it compiles, in an empty cache.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.options import Options
from benchmarks.table import digits, duration, table

TOLERANCE = 1e-6  # between the weights, relative to the largest


@dataclass(frozen=True)
class Task:
    """An estimator by name, its parameters, and the data it fits."""

    title: str
    kind: str
    data: str
    options: dict[str, Any] = field(default_factory=dict)


COMMON = {"random_state": 0, "max_iter": 20, "n_iter_no_change": 1000}
TASKS = (
    Task("digits, the defaults: 64-100-10, Adam, batches of 200", "MLPClassifier", "digits"),
    Task(
        "digits, 64-64-32-10, Adam, batches of 32", "MLPClassifier", "digits",
        {"hidden_layer_sizes": (64, 32), "batch_size": 32},
    ),
    Task(
        "iris, 4-10-3, SGD, batches of 16", "MLPClassifier", "iris",
        {"hidden_layer_sizes": (10,), "batch_size": 16, "solver": "sgd"},
    ),
    Task(
        "10,000 samples, 10-32-32-1 tanh, Adam, batches of 200", "MLPRegressor", "numbers",
        {"hidden_layer_sizes": (32, 32), "activation": "tanh"},
    ),
    Task(
        "10,000 samples, 10-32-32-1 tanh, L-BFGS", "MLPRegressor", "numbers",
        {"hidden_layer_sizes": (32, 32), "activation": "tanh", "solver": "lbfgs"},
    ),
)  # fmt: skip

_FIRST = """
import sys
from time import perf_counter
from benchmarks.estimators import TASKS, ours, samples
task = TASKS[int(sys.argv[1])]
x, y = samples(task.data)
estimator = ours(task)
start = perf_counter()
estimator.fit(x, y)
print(perf_counter() - start)
"""


def samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y, in float64."""
    from sklearn import datasets

    if name == "numbers":
        x = np.random.default_rng(0).standard_normal((10_000, 10))
        return x, np.sin(x).sum(axis=1)
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x / x.max(axis=0).clip(1), y


def theirs(task: Task) -> Any:
    from sklearn import neural_network

    return getattr(neural_network, task.kind)(**COMMON | task.options)


def ours(task: Task) -> Any:
    import symgrad.sklearn

    return getattr(symgrad.sklearn, task.kind)(**COMMON | task.options)


def disagreement(task: Task, x: np.ndarray, y: np.ndarray) -> float:
    """How far apart the weights are that both have learnt, relative to the largest."""
    one, other = theirs(task).fit(x, y), ours(task).fit(x, y)
    pairs = list(zip(one.coefs_, other.coefs_, strict=True))
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def first(place: int) -> float:
    """Seconds of a fit in a new process, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-W", "ignore", "-c", _FIRST, str(place)]
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def run(options: Options, say: Callable[[str], None]) -> dict:
    try:
        found = {name: version(name) for name in ("scikit-learn", "scipy", "numpy", "numba")}
    except ModuleNotFoundError as error:
        return {"rows": [], "versions": {}, "missing": {"scikit-learn": str(error)}}
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place, task in enumerate(TASKS):
            say(f"  {task.title}")
            x, y = samples(task.data)
            apart = disagreement(task, x, y)
            agrees = apart <= TOLERANCE
            times: dict[str, list[float]] = {"symgrad": [], "scikit-learn": []}
            for _ in range(options.rounds if agrees else 0):
                for name, make in (("symgrad", ours), ("scikit-learn", theirs)):
                    estimator = make(task)
                    start = perf_counter()
                    estimator.fit(x, y)
                    times[name].append(perf_counter() - start)
            begun = first(place) if agrees and options.rounds else None
            rows.append({"task": task.title, "off": apart, "times": times, "first": begun})
    return {"rows": rows, "versions": found, "missing": {}}


def summary(row: dict) -> dict:
    """Medians in seconds by name, and how many times as long scikit-learn takes."""
    times = {name: median(each) for name, each in row["times"].items() if each}
    ratio = times["scikit-learn"] / times["symgrad"] if len(times) == 2 else None
    return {"times": times, "ratio": ratio}


def render(result: dict) -> str:
    lines = []
    for row in result["rows"]:
        found = summary(row)
        lines.append(
            [
                row["task"],
                *(duration(found["times"].get(name)) for name in ("symgrad", "scikit-learn")),
                f"{digits(found['ratio'])}×" if found["ratio"] else "–",
                duration(row["first"]),
                f"{row['off']:.0e}",
            ]
        )
    versions = ", ".join(f"{name} {each}" for name, each in result["versions"].items())
    head = ["fit() of 20 epochs", "symgrad.sklearn", "scikit-learn", "as long", "first of all"]
    notes = "".join(f"\n{name}: {why}\n" for name, why in result["missing"].items())
    return (
        "## scikit-learn's estimators\n\n"
        "The same samples, weights and orders; what both have learnt was compared first. The first"
        " fit of a network compiles it; all that follow, in any process, find it in the cache. "
        f"{versions}.\n\n{table([*head, 'weights off by'], lines)}{notes}"
    )
