"""inside: loss and gradient from a user's own compiled loop, without Python at the boundary."""

from collections.abc import Callable
from dataclasses import asdict

from benchmarks.crew import Crew
from benchmarks.nets import INSIDE
from benchmarks.options import Options
from benchmarks.peers import CALLS
from benchmarks.peers import title as title_of
from benchmarks.table import digits, duration, table, verdict

KEYS = ("symgrad", "numba", "casadi", "wrenfold")


def run(options: Options, say: Callable[[str], None]) -> dict:
    results = []
    with Crew(options.among(*KEYS), say) as crew:
        for dtype in options.dtypes:
            for row in INSIDE:
                say(f"  {row.name}, {dtype}, inside a compiled loop")
                found = crew.measure(row, dtype, options.rounds, options.seconds, "inside")
                timings = {key: asdict(timing) for key, timing in found.items()}
                for timing in timings.values():
                    if timing["median"]:
                        timing["median"] /= CALLS
                        timing["spread"] = [time / CALLS for time in timing["spread"]]
                results.append(
                    {"row": row.name, "dtype": dtype, "target": row.target, "timings": timings}
                )
        return {"rows": results, "versions": crew.versions, "missing": crew.missing}


def render(result: dict) -> str:
    lines, reasons = [], {}
    for row in result["rows"]:
        times = {key: timing["median"] for key, timing in row["timings"].items()}
        ours, by_hand = times.get("symgrad"), times.get("numba")
        ratio = ours / by_hand if ours and by_hand else None
        lines.append(
            [
                f"{row['row']}, {row['dtype']}",
                *(duration(times.get(key)) for key in KEYS),
                digits(ratio) if ratio else "–",
                verdict(ratio, row["target"], smaller=True),
            ]
        )
        for key, timing in row["timings"].items():
            if timing["reason"]:
                reasons[f"- {title_of(key)}, {row['row']}: {timing['reason']}"] = None
    titles = ["symgrad", "Numba by hand, plain loops", "CasADi's C", "wrenfold's C++"]
    head = ["one call", *titles, "symgrad / by hand", "target"]
    return (
        "## From inside a compiled loop\n\n"
        f"One `@njit` function calls it {CALLS:,} times and changes a weight in between.\n\n"
        f"{table(head, lines)}\n" + "\n".join(reasons) + "\n"
    )
