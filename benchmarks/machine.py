"""machine: what was measured on."""

import os
import platform
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import symgrad


def _field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _caches() -> str:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = (
            (index / name).read_text().strip() for name in ("type", "level", "size")
        )
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)


def describe() -> dict[str, str]:
    """By name, as text."""
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    pools = [
        f"{p['internal_api']} {p['version']} ({p['num_threads']} threads)"
        for p in threadpool_info()
    ]
    distribution = ""
    if hasattr(platform, "freedesktop_os_release"):
        with suppress(OSError):
            distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    flags = _field("/proc/cpuinfo", "flags").split()
    return {
        "date": date.today().isoformat(),
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "instructions": ", ".join(f for f in ("avx2", "fma", "avx512f") if f in flags),
        "cores": str(os.cpu_count()),
        "caches": _caches(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "system": f"{distribution}, {platform.system()} {platform.release()}".lstrip(", "),
        "Python": sys.version.split()[0],
        "NumPy's BLAS": ", ".join(pools),
        "symgrad": symgrad.__version__,
    }
