"""reading: what it takes to read a CSV file of numbers, in CPU seconds and in memory.

Each is a process of its own, with the import of what reads: symgrad through Arrow's reader, as it
does where pyarrow is installed, plainly, as it does elsewhere, and pandas. symgrad gives samples,
inputs and targets found and checked; pandas a frame. Memory is what the process adds at its peak,
against the numbers themselves in float64. Linux only.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

from benchmarks.memory import megabytes, status
from benchmarks.options import Options
from benchmarks.table import digits, table

COLUMNS = 20
ROWS = {"400,000 × 20": 400_000, "2,000,000 × 20": 2_000_000}
READERS = ("symgrad", "symgrad, plainly", "pandas")
_AT_ONCE = 20_000


def write(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    with path.open("w") as file:
        print(*(f"c{column}" for column in range(COLUMNS)), sep=",", file=file)
        for _ in range(0, rows, _AT_ONCE):
            np.savetxt(file, random.normal(size=(_AT_ONCE, COLUMNS)), "%.6g", ",")


def measure(reader: str, path: str) -> tuple[float, int]:
    """In this process, once: CPU seconds, and bytes added at the peak."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins again
    before, start = status("VmRSS"), process_time()
    if reader == "pandas":
        import pandas

        found = pandas.read_csv(path)
    else:
        from symgrad.training.data import arrow_csv, read

        if reader != "symgrad":
            arrow_csv.FROM_BYTES = sys.maxsize
        spec = {
            "inputs": COLUMNS - 1,
            "layers": [{"units": 1, "activation": "identity"}],
            "loss": {"kind": "squared"},
        }
        found = read(path, spec)
    seconds, peak = process_time() - start, status("VmHWM") - before
    del found
    return seconds, peak


def run(options: Options, say: Callable[[str], None]) -> dict:
    rows: dict[str, dict] = {}
    names = list(ROWS)[:1] if options.quick else list(ROWS)
    with tempfile.TemporaryDirectory(prefix="symgrad-benchmarks-") as folder:
        path = Path(folder, "data.csv")
        for name in names:
            write(path, ROWS[name])
            found: dict[str, list] = {}
            for _ in range(3):
                for reader in READERS:
                    say(f"  {name}, {reader}")
                    command = [sys.executable, "-m", "benchmarks.reading", reader, str(path)]
                    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300)
                    found.setdefault(reader, []).append(json.loads(done.stdout))
            rows[name] = {
                reader: [median(seconds for seconds, _ in each), median(peak for _, peak in each)]
                for reader, each in found.items()
            }
    return {"rows": rows}


def render(result: dict) -> str:
    head = ["CSV, rows × columns", "by", "CPU seconds", "added at the peak", "of the numbers"]
    lines = []
    for name, readers in result["rows"].items():
        size = 8 * ROWS[name] * COLUMNS
        for reader, (seconds, peak) in readers.items():
            lines.append(
                [name, reader, digits(seconds), megabytes(peak), f"{digits(peak / size)} ×"]
            )
    return f"## Reading of CSV files\n\n{__doc__.split(chr(10), 2)[2]}\n{table(head, lines)}"


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
