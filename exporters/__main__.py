"""Runs the tools, each in an environment of its own, and prints a table of what came of it."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path

from exporters.table import table

ROOT = Path(__file__).parents[1]
ONNX = ("onnx==1.23.2", "onnxruntime==1.32.0")

# An environment, what is installed there, the module that is run, and variables.
TOOLS: dict[str, tuple[str, tuple[str, ...], str, dict[str, str]]] = {
    "torch": ("torch", ("torch==2.13.0", "onnxscript==0.7.2"), "with_torch", {}),
    "keras-torch": (
        "torch", ("torch==2.13.0", "onnxscript==0.7.2", "keras==3.15.1"), "with_keras",
        {"KERAS_BACKEND": "torch"},
    ),
    "keras-tensorflow": (
        "tensorflow", ("tensorflow-cpu==2.21.0", "keras==3.15.1", "tf2onnx==1.17.0"), "with_keras",
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
    ),
    "sklearn": ("sklearn", ("scikit-learn==1.9.1", "skl2onnx==1.20.0"), "with_sklearn", {}),
    "optimisers": ("optimisers", ("onnxsim==0.8.1", "onnxslim==0.1.98"), "with_optimisers", {}),
}  # fmt: skip


def main() -> int:
    """0 if every network was read and agrees, or was refused."""
    parser = argparse.ArgumentParser(prog="python -m exporters", description=__doc__)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--folder", type=Path, help="where environments and files are kept")
    options = parser.parse_args()
    chosen = options.tools or list(TOOLS)
    if unknown := [each for each in chosen if each not in TOOLS]:
        parser.error(f"no tool: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="exporters-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        rows = [row for tool in chosen for row in ran(tool, folder)]
    print(table(rows))
    wrong = [row for row in rows if row["result"] == "wrong"]
    for row in wrong:
        print(f"WRONG: {row['tool']}, {row['way']}: {row['network']}: {row['why']}")
    return bool(wrong)


def ran(tool: str, folder: Path) -> list[dict[str, str]]:
    """The rows of a tool's networks."""
    environment, packages, module, variables = TOOLS[tool]
    python = folder / environment / "bin" / "python"
    if not python.exists():
        venv.create(folder / environment, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *ONNX, *packages, "--editable", str(ROOT)], check=True)
    files = folder / "files" / tool
    files.mkdir(parents=True, exist_ok=True)
    print(f"{tool}: its networks are in {files}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [str(python), "-m", f"exporters.{module}", str(files)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
    )  # fmt: skip
    # Tools print as well.
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"tool"')]
    print(f"{tool}: {dict(Counter(row['result'] for row in rows))}", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
