"""memory: how much a call adds to a process at its peak, as the batch doubles.

Each point is a process of its own, which compiles the module with a call on 64 samples, touches
all arrays of the call to be measured, resets the kernel's high-water mark of resident memory, and
calls once. What the mark then lies above the resident memory before is the peak that is added.
malloc gives memory of 64 KiB and more back to the system at once (MALLOC_MMAP_THRESHOLD_), so that
the first call leaves nothing to reuse. Linux only.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.nets import numbers, parse
from benchmarks.options import Options
from benchmarks.table import digits, table

ROWS = ("10-32-32-1", "784-128-64-10")
BATCHES = (256, 512, 1024, 2048, 4096, 8192, 16384)


def status(name: str) -> int:
    """Bytes, by a field of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def measure(name: str) -> int:
    """In this process, once: bytes that a call adds at its peak."""
    from benchmarks.peers.emitted import emitted

    row = parse(name)
    theta, x, t = numbers(row, "float32")
    gradient, module = np.zeros_like(theta), emitted(row.net, "float32")
    small = slice(64)
    module.loss_and_gradient_into(theta, x[small].copy(), t[small].copy(), gradient)
    module.loss_and_gradient_into.compile()  # for many samples, which other code computes
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins again
    before = status("VmRSS")
    module.loss_and_gradient_into(theta, x, t, gradient)
    return max(0, status("VmHWM") - before)


def run(options: Options, say: Callable[[str], None]) -> dict:
    found: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="symgrad-benchmarks-") as cache:
        environment = {
            **os.environ,
            "TMPDIR": cache,
            "NUMBA_CACHE_DIR": cache,
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_TRIM_THRESHOLD_": "65536",
        }
        for name in ROWS:
            for batch in BATCHES[::3] if options.quick else BATCHES:
                say(f"  {name}x{batch}, memory")
                command = [sys.executable, "-m", "benchmarks.memory", f"{name}x{batch}"]
                try:
                    done = subprocess.run(
                        command, env=environment, check=True, stdout=subprocess.PIPE, timeout=120
                    )
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
                    return {"rows": found, "failed": str(failure)}
                found.setdefault(name, {})[str(batch)] = json.loads(done.stdout)
    return {"rows": found}


def render(result: dict) -> str:
    lines = []
    for name, points in result["rows"].items():
        widths = parse(f"{name}x1").net.widths
        for batch, peak in points.items():
            whole = 2 * sum(widths[1:]) * int(batch) * 4
            lines.append([f"{name}x{batch}", megabytes(peak), megabytes(whole)])
    head = ["float32", "added at the peak", "activations and derivatives of all samples"]
    note = __doc__.split("\n\n", 1)[1]
    failed = f"\nNot measured to the end: {result['failed']}\n" if result.get("failed") else ""
    return f"## Memory of one loss_and_gradient_into\n\n{note}\n{table(head, lines)}{failed}"


def megabytes(size: float) -> str:
    return f"{digits(size / 2**20)} MiB"


if __name__ == "__main__":
    print(measure(sys.argv[1]))
