"""Runs the code of control.md, and measures what a minute of its controller takes.

    python docs/control.py
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

PAGE = Path(__file__).with_name("control.md").read_text(encoding="utf-8")
MINUTES, ROUNDS = 600, 21


def run(names: dict[str, Any]) -> None:
    """The code of the page, in this folder, the command between its blocks included."""
    for kind, code in re.findall(r"^```(python|sh)\n(.*?)^```", PAGE, flags=re.S | re.M):
        if kind == "python":
            exec(code, names)
        else:
            command = code.partition("#")[0].split()[1:]
            subprocess.run([sys.executable, "-m", "symgrad.cli.main", *command], check=True)


def main() -> None:
    names: dict[str, Any] = {}
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run(names)
        finally:
            os.chdir(here)
    control, taken = names["control"], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        control(MINUTES, 60.0)
        taken.append((time.perf_counter() - begun) / MINUTES)
    print(f"{median(taken) * 1e6:.0f} µs a minute of the plant, the median of {ROUNDS} rounds")


if __name__ == "__main__":
    main()
