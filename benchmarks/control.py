"""control: the plans of a model-predictive controller, the network's predictions and slopes in it.

Of docs/control.md, compiled whole, against the same in NumPy by hand, JAX and CasADi's C.
"""

from collections.abc import Callable
from dataclasses import asdict

from benchmarks.crew import Crew
from benchmarks.derivatives import one_core
from benchmarks.options import Options
from benchmarks.peers import title as title_of
from benchmarks.planning import HORIZON, ITERATIONS, ROW
from benchmarks.table import digits, duration, table

KEYS = ("symgrad", "numpy", "jax", "casadi")


def run(options: Options, say: Callable[[str], None]) -> dict:
    results = []
    with one_core(), Crew(options.among(*KEYS), say) as crew:
        for dtype in options.dtypes:
            say(f"  {ROW.net.name}, {dtype}, in a controller")
            found = crew.measure(ROW, dtype, options.rounds, options.seconds, "control")
            timings = {key: asdict(timing) for key, timing in found.items()}
            for timing in timings.values():  # of one plan
                if timing["median"]:
                    timing["median"] /= ROW.batch
                    timing["spread"] = [time / ROW.batch for time in timing["spread"]]
            results.append({"dtype": dtype, "others": crew.others, "timings": timings})
        return {"rows": results, "versions": crew.versions, "missing": crew.missing}


def render(result: dict) -> str:
    lines, notes = [], {}
    for row in result["rows"]:
        times = {key: timing["median"] for key, timing in row["timings"].items()}
        ours, peers = times.get("symgrad"), [key for key in KEYS if key != "symgrad"]
        ratios = [times[key] / ours if ours and times.get(key) else None for key in peers]
        lines.append(
            [
                row["dtype"],
                *(duration(times.get(key)) for key in KEYS),
                *(f"{digits(ratio)}×" if ratio else "–" for ratio in ratios),
            ]
        )
        for key, timing in row["timings"].items():
            if timing["reason"]:
                notes[f"- {title_of(key)}, {row['dtype']}: {timing['reason']}"] = None
    missing = result["missing"].items()
    notes |= {f"- {title_of(key)} is missing: {why}": None for key, why in missing}
    titles = [title_of(key) for key in KEYS]
    head = ["one plan", *titles, *(f"{title}, in symgrad's" for title in titles[1:])]
    predictions = HORIZON * ITERATIONS
    return (
        "## A controller\n\n"
        "One plan of the [model-predictive controller](../../docs/control.md), for"
        f" {HORIZON} minutes: {predictions} predictions one by one, {ITERATIONS} Jacobians of"
        f" {HORIZON} points, and as many solves; the network is {ROW.net.name}, its dtype as"
        f" said, all else in float64. Of {ROW.batch} plans, one after the other, on one core. All"
        " powers were compared first.\n\n"
        f"{table(head, lines)}\n" + "\n".join(notes) + "\n"
    )
