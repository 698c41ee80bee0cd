"""growth: time against width, depth and batch."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from benchmarks.crew import Crew
from benchmarks.nets import Net, Row
from benchmarks.options import Options
from benchmarks.peers import title as title_of
from benchmarks.table import digits, duration, table

KEYS = ("symgrad", "numpy", "jax", "torch")

SWEEPS = {
    "width": ("two hidden layers of this width, 10 inputs, 1 output, batch 64",
              {w: Row(Net((10, w, w, 1)), 64) for w in (8, 16, 32, 64, 128, 256, 512)}),
    "depth": ("so many layers of 16, batch 64",
              {d: Row(Net((16,) * (d + 1)), 64) for d in (1, 2, 4, 8, 16, 32, 64)}),
    "batch": ("10-32-32-1, so many samples",
              {n: Row(Net((10, 32, 32, 1)), n) for n in (2**k for k in range(15))}),
}  # fmt: skip


def run(options: Options, say: Callable[[str], None]) -> dict:
    results: dict[str, dict] = {}
    with Crew(options.among(*KEYS), say) as crew:
        for sweep, (_, rows) in SWEEPS.items():
            points = list(rows.items())
            for size, row in points[::3] if options.quick else points:
                say(f"  {row.name}, by {sweep}")
                found = crew.measure(row, "float32", 3, options.seconds / 3)
                results.setdefault(sweep, {})[str(size)] = {k: asdict(t) for k, t in found.items()}
        return {"sweeps": results, "versions": crew.versions, "missing": crew.missing}


def exponent(sizes: list[float], times: list[float]) -> float | None:
    """b of time ≈ a·size^b, fitted to the upper half of the sizes."""
    half = max(2, len(sizes) // 2 + 1)
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes[-half:]), np.log(times[-half:]), 1)[0])


def render(result: dict) -> str:
    parts = ["## Growth, float32\n"]
    for sweep, points in result["sweeps"].items():
        keys = [key for key in KEYS if any(key in point for point in points.values())]
        lines, reasons = [], []
        for size, point in points.items():
            line = [size]
            for key in keys:
                time = point[key]["median"]
                each = f" ({duration(time / int(size))} each)" if time and sweep != "width" else ""
                line.append(duration(time) + each)
                if point[key]["reason"]:
                    reasons.append(f"- {title_of(key)}, {sweep} {size}: {point[key]['reason']}")
            lines.append(line)
        fits = []
        for key in keys:
            known = [(int(s), p[key]["median"]) for s, p in points.items() if p[key]["median"]]
            fit = exponent([s for s, _ in known], [t for _, t in known])
            fits.append("–" if fit is None else digits(fit))
        lines.append([f"grows as {sweep} to the power of (upper half)", *fits])
        head = [sweep, *(title_of(key) for key in keys)]
        parts += [f"By {sweep}: {SWEEPS[sweep][0]}.\n", table(head, lines), *reasons, ""]
    return "\n".join(parts)
