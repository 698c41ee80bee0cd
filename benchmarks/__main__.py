"""python -m benchmarks: measures, and writes tables and a plot.

Every section writes a JSON file of its own, with the machine and the versions it was measured
with; the report is made of all those that are there. So sections can be run one by one.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from time import perf_counter

from benchmarks import (
    calls,
    compiling,
    control,
    derivatives,
    ensembles,
    epochs,
    estimators,
    gradients,
    growth,
    inside,
    jobs,
    memory,
    products,
    reading,
)
from benchmarks.crew import Disagreement
from benchmarks.machine import describe
from benchmarks.nets import QUICK, ROWS, parse
from benchmarks.options import Options
from benchmarks.peers import BY_KEY, PEERS, earlier_build
from benchmarks.report import report

SECTIONS = {
    "gradients": gradients,
    "inside": inside,
    "products": products,
    "derivatives": derivatives,
    "control": control,
    "epochs": epochs,
    "ensembles": ensembles,
    "estimators": estimators,
    "calls": calls,
    "growth": growth,
    "memory": memory,
    "compiling": compiling,
    "jobs": jobs,
    "reading": reading,
}
HERE = Path(__file__).parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows", help=f"of {', '.join(row.name for row in ROWS)}, or any like them"
    )
    parser.add_argument("--peers", help=f"of {', '.join(BY_KEY)}; symgrad is always there")
    parser.add_argument("--build", metavar="COMMIT", help="an earlier build of symgrad, beside it")
    parser.add_argument("--sections", help=f"of {', '.join(SECTIONS)}; for parts, gradients")
    parser.add_argument("--dtypes", help="float32, float64 or both, the default")
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds, float32 only")
    parser.add_argument("--check", action="store_true", help="time nothing: do all agree?")
    parser.add_argument("--into", type=Path, help="a folder; results/ here, for parts build/")
    parser.add_argument("--render", action="store_true", help="only make the report again")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    # Asked to end, end as by an exception: workers are stopped and their folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    partial = given.quick or given.check or given.rows or given.peers or given.build
    into = given.into or (Path("build/benchmarks") if partial else HERE / "results")
    into.mkdir(parents=True, exist_ok=True)
    if not given.render:
        names = given.sections or ("gradients" if given.rows or given.check else ",".join(SECTIONS))
        options = choose(given)
        for name in names.split(","):
            start = perf_counter()
            print(f"{name}:", flush=True)
            try:
                result = SECTIONS[name].run(options, lambda line: print(line, flush=True))
            except Disagreement as disagreement:
                print(f"stopped: {disagreement}")
                return 1
            seconds = round(perf_counter() - start)
            result = {"machine": describe(), "seconds": seconds, **result}
            (into / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))
            print(f"  {seconds} s", flush=True)
    found = {}
    for name in SECTIONS:
        if (into / f"{name}.json").exists():
            found[name] = json.loads((into / f"{name}.json").read_text())
    (into / "README.md").write_text(report(found, SECTIONS))
    if "gradients" in found:
        from benchmarks.plot import plot

        plot(found["gradients"], into / "ratios.svg")
    print(f"see {into / 'README.md'}")
    return 0


def choose(given: argparse.Namespace) -> Options:
    chosen: dict = {"quick": given.quick, "check": given.check}
    if given.rows:
        chosen["rows"] = tuple(map(parse, given.rows.split(",")))
    elif given.quick:
        chosen["rows"] = tuple(QUICK)
    if given.peers:
        unknown = set(given.peers.split(",")) - set(BY_KEY)
        if unknown:
            raise SystemExit(f"no peer is called {', '.join(sorted(unknown))}; see --help")
        bounds = [peer.key for peer in PEERS if peer.kind == "bound"]
        chosen["peers"] = ("symgrad", *given.peers.split(","), *bounds)
    if given.build:
        os.environ[earlier_build.COMMIT] = earlier_build.known(given.build)
        chosen["peers"] = (*chosen.get("peers", Options.peers), "build")
    if given.dtypes or given.quick:
        chosen["dtypes"] = tuple((given.dtypes or "float32").split(","))
    return Options(**chosen)


if __name__ == "__main__":
    raise SystemExit(main())
