"""calls: what a call from Python costs beyond the work."""

from collections.abc import Callable
from dataclasses import asdict

from benchmarks.crew import Crew
from benchmarks.nets import Row, parse
from benchmarks.options import Options
from benchmarks.peers import CALLS
from benchmarks.table import duration, table

ROW = "2-8-1x1"


def run(options: Options, say: Callable[[str], None]) -> dict:
    row: Row = parse(ROW)
    with Crew(["symgrad", "floor"], say) as crew:
        rounds, seconds = options.rounds, options.seconds
        called = crew.measure(row, "float32", rounds, seconds)
        within = crew.measure(row, "float32", rounds, seconds, "inside", keys=["symgrad"])
    return {
        "called": asdict(called["symgrad"]),
        "floor": asdict(called["floor"]),
        "within": within["symgrad"].median and within["symgrad"].median / CALLS,
        "versions": crew.versions,
        "missing": crew.missing,
    }


def render(result: dict) -> str:
    called, floor, within = result["called"]["median"], result["floor"]["median"], result["within"]
    if not (called and floor and within):
        return f"## A call from Python\n\nNot measured: {result['called']['reason']}\n"
    lines = [
        ["loss_and_gradient_into, called from Python", duration(called)],
        ["the same from a compiled loop", duration(within)],
        ["so the call costs", duration(called - within)],
        ["an empty compiled function of the same four arrays", duration(floor)],
        ["so beyond that floor", duration(called - within - floor)],
    ]
    return f"## A call from Python\n\n{table([f'{ROW}, float32', 'time'], lines)}"
