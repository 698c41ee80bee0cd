"""What tests of training share: two small networks, their data, and the command as a process."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

# ½(y − t)² on two inputs, and two classes told apart by one probability.
PLANE: dict[str, Any] = {
    "name": "plane",
    "dtype": "float64",
    "inputs": 2,
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 1, "activation": "identity"}],
    "loss": {"kind": "squared"},
}
RINGS: dict[str, Any] = {
    "name": "rings",
    "dtype": "float32",
    "inputs": 2,
    "layers": [{"units": 4, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}],
    "loss": {"kind": "binary_cross_entropy"},
}


def plane(samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets t = 2x₀ − x₁ + 5, in units far from 1."""
    x = np.random.default_rng(3).normal(size=(samples, 2)) * [10, 0.1] + [100, 0]
    return x, 2 * x[:, :1] - x[:, 1:] + 5


def plane_csv(folder: Path, samples: int = 60) -> Path:
    x, t = plane(samples)
    rows = [f"{a!r},{b!r},{c!r}" for a, b, c in np.column_stack([x, t]).tolist()]
    return text(folder / "plane.csv", "\n".join(["a,b,height", *rows, ""]))


def rings_csv(folder: Path, samples: int = 120) -> Path:
    x = np.random.default_rng(1).normal(size=(samples, 2)).round(4)
    rows = [f"{a},{b},{'inner' if a * a + b * b < 1.4 else 'outer'}" for a, b in x.tolist()]
    return text(folder / "rings.csv", "\n".join(["u,v,ring", *rows, ""]))


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def weights(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "weights.npz") as file:
        return dict(file)


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whether two files hold the same, to the last bit."""
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """`symgrad …`, in a process of its own."""
    command = [sys.executable, "-m", "symgrad.cli.main", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def execute(*arguments: object, cwd: Path) -> SimpleNamespace:
    """`symgrad …` to its end: its exit code and what it wrote."""
    with start(*arguments, cwd=cwd) as process:
        out, err = process.communicate(timeout=120)
    return SimpleNamespace(code=process.returncode, out=out, err=err)
