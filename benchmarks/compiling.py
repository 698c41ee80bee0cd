"""compiling: from a spec to its source, and from the import of a module to the first gradient.

Every time is that of a process of its own, less a bare interpreter's: cold with empty caches, warm
for the next process after it. Peers keep what they can: Numba, PyTensor, Inductor and JAX are each
given a folder to cache in.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.crew import ENVIRONMENT
from benchmarks.nets import parse
from benchmarks.options import Options
from benchmarks.peers import BY_KEY
from benchmarks.peers import title as title_of
from benchmarks.table import duration, table, verdict

# row: targets in seconds, cold and warm, from the import of a module (and of Numba) to its gradient
ROWS: dict[str, tuple[float, float | None]] = {
    "2-8-1x4": (1.0, None),
    "784-128-64-10x64": (3.0, 0.6),
    "64-layers-of-16x64": (15.0, None),
}
PEERS = ("jax", "torch-compile", "pytensor", "casadi", "heyoka")
QUICK = ("jax", "casadi", "heyoka")  # those that build in seconds
SECONDS = 90
REPEATS = 3  # of symgrad; peers are run once


def process(*arguments: str, environment: dict[str, str]) -> dict:
    """Its whole time, and what it prints about the parts; or the reason why there is none."""
    start = perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"reason": f"more than {SECONDS} s"}
    except subprocess.CalledProcessError as failure:
        last = failure.stderr.strip().splitlines()[-1:] or ["failed"]
        return {"reason": last[0].removeprefix("benchmarks.peers.NotPractical: ")[:200]}
    whole = perf_counter() - start
    said = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    return {"whole": whole, **said}


def caches(folder: str) -> dict[str, str]:
    os.makedirs(folder, exist_ok=True)
    return {
        **os.environ,
        **ENVIRONMENT,
        "TMPDIR": folder,
        "NUMBA_CACHE_DIR": f"{folder}/numba",
        "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",
        "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
        "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def medians(runs: list[dict], bare: float) -> dict:
    """The middle of several runs, less a bare interpreter's time; or the first one's reason."""
    for run in runs:
        if "reason" in run:
            return run
    found = {name: median(run[name] for run in runs) for name in ("whole", "import", "first")}
    return {**found, "whole": found["whole"] - bare}


def run(options: Options, say: Callable[[str], None]) -> dict:
    results = []
    repeats = 1 if options.quick else REPEATS
    with tempfile.TemporaryDirectory(prefix="symgrad-benchmarks-") as folder:
        plain = [process("-c", "pass", environment=caches(folder))["whole"] for _ in range(5)]
        bare = median(plain)
        for name in ROWS:
            if options.quick and name.startswith("64-layers"):
                continue
            say(f"  {name}, compiling")
            results.append({"row": name, **_symgrad(name, folder, bare, repeats)})
            for key in options.among(*(QUICK if options.quick else PEERS)):
                results[-1][key] = _peer(name, key, folder, bare)
    return {"bare": bare, "rows": results}


def _symgrad(name: str, folder: str, bare: float, repeats: int) -> dict:
    file = Path(folder) / f"{parse(name).net.spec['name']}.py"
    arguments = ("-m", "benchmarks.first", "source", name, "float32", str(file))
    emitting = [process(*arguments, environment=caches(folder)) for _ in range(repeats)]
    found: dict = {"source": medians(emitting, bare)}
    if "reason" in found["source"]:
        return {**found, "cold": found["source"], "warm": found["source"]}
    cold, warm = [], []
    for number in range(repeats):
        environment = caches(f"{folder}/{name}-{number}")
        arguments = ("-m", "benchmarks.first", str(file), name, "float32")
        cold.append(process(*arguments, environment=environment))
        if "reason" in cold[-1]:
            break
        warm.append(process(*arguments, environment=environment))
    return {**found, "cold": medians(cold, bare), "warm": medians(warm or cold, bare)}


def _peer(name: str, key: str, folder: str, bare: float) -> dict:
    environment = {**caches(f"{folder}/{name}-{key}"), **dict(BY_KEY[key].environment)}
    arguments = ("-m", "benchmarks.first", key, name, "float32")
    cold = process(*arguments, environment=environment)
    warm = cold if "reason" in cold else process(*arguments, environment=environment)
    return {"cold": medians([cold], bare), "warm": medians([warm], bare)}


def render(result: dict) -> str:
    ours, theirs = [], []
    for row in result["rows"]:
        cold_target, warm_target = ROWS[row["row"]]
        for what, target in (("source", None), ("cold", cold_target), ("warm", warm_target)):
            found = row[what]
            label = "spec → source" if what == "source" else f"import → first gradient, {what}"
            reached = "–"
            if target and "reason" not in found:
                reached = verdict(found["import"] + found["first"], target, smaller=True)
            elif target and "reason" in found:
                reached = f"missed: {found['reason']} ({target:g})"
            ours.append([row["row"], label, *_cells(found), reached])
        for key in PEERS:
            if key in row:
                title = title_of(key)
                cold, warm = row[key]["cold"], row[key]["warm"]
                theirs.append([row["row"], title, *_cells(cold), *_cells(warm)])
        theirs.append([row["row"], "symgrad", *_cells(row["cold"]), *_cells(row["warm"])])
    head = ["network × batch", "step", "whole process", "imports alone", "after them", "target, s"]
    parts = [
        f"{when}: {what}" for when in ("cold", "warm") for what in ("whole", "import", "after")
    ]
    note = __doc__.split("\n\n", 1)[1]
    return (
        f"## Compiling, float32\n\n{note}\n(A bare interpreter: {duration(result['bare'])}.)"
        " The imports alone are Numba's for a module, and those of symgrad for its source.\n\n"
        f"{table(head, ours)}\nAgainst peers, build and first call in one:\n\n"
        f"{table(['network × batch', 'who', *parts], theirs)}"
    )


def _cells(found: dict) -> list[str]:
    if "reason" in found:
        return [found["reason"].replace("|", "/"), "–", "–"]
    return [duration(found.get(name)) for name in ("whole", "import", "first")]
