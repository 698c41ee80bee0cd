"""derivatives: those by inputs, against peers; and those by weights, in gradients of their own.

All on one core: a process and all its threads are kept on it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from statistics import median

import numpy as np

from benchmarks import asked, nets, timing
from benchmarks.crew import Crew
from benchmarks.gradients import DISTURBED
from benchmarks.options import Options
from benchmarks.peers import title as title_of
from benchmarks.table import digits, duration, table

KEYS = ("symgrad", "numpy", "jax", "torch")
PRODUCTS = nets.ROWS  # H·v is measured on the networks of the main table
BY_SAMPLE = [nets.parse(name) for name in ("10-32-32-1x64", "64-64-32-10x256")]
# Their Gauss-Newton matrices: a small one, and one of 2,110 weights.
MATRICES = (nets.Row(nets.Net((8, 8, 3)), 500), nets.Row(nets.Net((100, 10, 100)), 5000))


@contextmanager
def one_core() -> Iterator[None]:
    """This process, and those it starts, on one core; where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run(options: Options, say: Callable[[str], None]) -> dict:
    results: list[dict] = []
    own: list[dict] = []
    with one_core(), Crew(options.among(*KEYS), say) as crew:
        for what in asked.ROWS:
            say(f"  {what.title}, {what.row.name}")
            found = crew.measure(what.row, "float32", options.rounds, options.seconds, "derive")
            results.append(
                {
                    "title": what.title,
                    "row": what.row.name,
                    "others": crew.others,
                    "timings": {key: asdict(each) for key, each in found.items()},
                }
            )
        found_versions, missing = crew.versions, crew.missing
    if options.rounds:
        say("  by weights")
        with one_core():
            command = [sys.executable, "-m", "benchmarks.derivatives"]
            given = [str(options.rounds), str(options.seconds)]
            done = subprocess.run([*command, *given], check=True, stdout=subprocess.PIPE)
        own = json.loads(done.stdout)
    return {
        "rows": results,
        "own": own,
        "quick": options.quick,
        "versions": found_versions,
        "missing": missing,
    }


def by_weights(rounds: int, seconds: float) -> Iterator[dict]:
    """What symgrad's functions take, and the gradients of the same networks, in turns."""
    import symgrad

    def numbers_of(row: nets.Row, dtype: str, *names: str) -> tuple:
        module = symgrad.compile({**row.net.spec, "dtype": dtype, "derivatives": [*names]}).module
        theta, x, t = nets.numbers(row, dtype)
        gradient = partial(module.loss_and_gradient_into, theta, x, t, np.empty_like(theta))
        return module, theta, x, t, gradient

    def measured(row: nets.Row, dtype: str, function: str, **calls: Callable) -> dict:
        times: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            for _ in range(21):
                call()  # what is compiled for many samples is compiled with the twentieth
        for _ in range(rounds):
            for name, call in calls.items():
                times[name].append(timing.time(call, seconds)["median"])
        medians = {name: median(each) for name, each in times.items()}
        return {"row": row.name, "dtype": dtype, "function": function, "times": medians}

    for row in PRODUCTS:
        module, theta, x, t, gradient = numbers_of(row, "float32", "hessian_vector")
        v = np.random.default_rng(0).standard_normal(len(theta)).astype(np.float32)
        call = partial(module.hessian_vector_into, theta, x, t, v, np.empty_like(theta))
        yield measured(row, "float32", "hessian_vector", call=call, gradient=gradient)
    for row in BY_SAMPLE:
        module, theta, x, t, gradient = numbers_of(row, "float32", "gradients")
        into = np.empty((len(x), len(theta)), np.float32)
        call = partial(module.gradients_into, theta, x, t, into)
        fill = partial(into.fill, 0)
        yield measured(row, "float32", "gradients", call=call, gradient=gradient, fill=fill)
    for row in MATRICES:
        module, theta, x, t, gradient = numbers_of(row, "float64", "gauss_newton")
        into = np.empty((len(theta), len(theta)))
        call = partial(module.gauss_newton_into, theta, x, t, into)
        yield measured(row, "float64", "gauss_newton", call=call, gradient=gradient)


def render(result: dict) -> str:
    lines, notes, details = [], [], []
    for row in result["rows"]:
        timings = row["timings"]
        times = {key: each["median"] for key, each in timings.items() if each["median"]}
        fastest = min((key for key in times if key != "symgrad"), key=times.__getitem__, default="")
        ratio = times[fastest] / times["symgrad"] if fastest and "symgrad" in times else None
        name = f"{row['title']}, {row['row']}"
        lines.append(
            [
                name,
                *(duration(times.get(key)) for key in KEYS),
                title_of(fastest) if fastest else "–",
                f"{digits(ratio)}×" if ratio else "–",
            ]
        )
        for key, each in timings.items():
            if each["reason"] and key != "numpy":
                notes.append(f"- {title_of(key)}, {name}: {each['reason']}")
            if each["median"]:
                off, rounds = (
                    f"{each['disagreement']:.0e}",
                    " to ".join(map(duration, each["spread"])),
                )
                details.append([name, title_of(key), each["variant"], rounds, off])
        if row["others"] > DISTURBED:
            notes.append(
                f"- **Not to be trusted**: other programs kept {digits(row['others'], 2)} cores"
                f" busy during {name}"
            )
    notes += [f"- {title_of(key)} is missing: {why}" for key, why in result["missing"].items()]
    head = ["float32", *map(title_of, KEYS), "fastest peer", "its time, in symgrad's"]
    own = []
    for each in result["own"]:
        times = dict(each["times"])
        call, beside = times.pop("call"), sum(times.values())
        name = f"{each['function']}, {each['row']}, {each['dtype']}"
        than = "a gradient and filling as many bytes" if "fill" in times else "a gradient"
        own.append([name, duration(call), than, duration(beside), f"{digits(call / beside)}×"])
    quick = " A quick run: few rounds, short ones." if result["quick"] else ""
    return (
        "## Derivatives\n\n"
        f"On one core.{quick} A Jacobian of all samples; or a loss with derivatives by inputs, and"
        " its gradient by all weights. Before anything was timed, all values were compared with"
        " symgrad's own in float64, and so with one another. NumPy by hand is a Jacobian only.\n\n"
        f"{table(head, lines)}\n"
        + "".join(f"{note}\n" for note in notes)
        + f"\n{table(['row', 'who', 'variant', 'rounds', 'off by'], details)}\n"
        "Derivatives by weights, in the time of what they cannot do without, in one process:\n\n"
        f"{table(['function', 'takes', 'against', 'which takes', 'as long'], own)}"
    )


if __name__ == "__main__":
    print(json.dumps(list(by_weights(int(sys.argv[1]), float(sys.argv[2])))))
