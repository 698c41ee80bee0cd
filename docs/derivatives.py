"""Draws the pictures of derivatives.md, from what the code on that page computes.

    python docs/derivatives.py
"""

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).parent
PAGE = (HERE / "derivatives.md").read_text(encoding="utf-8")
TRUTH = {"color": "0.6", "linewidth": 4}


def computed(section: str) -> dict[str, Any]:
    """What a section's code has left under its names."""
    (text,) = (each for each in PAGE.split("\n## ") if each.startswith(section))
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M):
        exec(code, names)
    return names


def burgers(axes: Any, of: dict[str, Any]) -> None:
    for time in (0, 0.25, 0.5, 0.75, 1):
        points = np.stack([of["line"], np.full_like(of["line"], time)], axis=1)
        axes.plot(of["line"], of["solution"](points), **TRUTH)
        axes.plot(of["line"], of["burgers"].predict(of["best"].x, points), "k--", linewidth=1)
    axes.set(xlabel="x", ylabel="u at five times; grey: the solution")


def slopes(axes: Any, of: dict[str, Any]) -> None:
    for label, found, color in (
        ("without slopes", of["without"], "tab:orange"),
        ("with slopes", of["with_slopes"], "tab:blue"),
    ):
        errors = (found - of["truth"])[:, :, 0].T
        lines = axes.plot(of["grid"], errors, color=color, linewidth=1)
        lines[0].set_label(label)
    axes.axhline(0, **TRUTH, zorder=0)
    axes.set(xlabel="spot", ylabel="error of the price, five draws")
    axes.legend()


def energy(axes: Any, of: dict[str, Any]) -> None:
    times = 0.1 * np.arange(len(of["kept"]))
    axes.axhline(of["kept"][0], **TRUTH)
    axes.plot(times, of["kept"], color="tab:blue", linewidth=1, label="from H")
    axes.plot(times, of["drifting"], color="tab:orange", linewidth=1, label="from the field")
    axes.set(xlabel="time", ylabel="energy; grey: the pendulum's", ylim=(0, None))
    axes.legend()


def control(axes: Any, of: dict[str, Any]) -> None:
    times = 0.05 * np.arange(1, len(of["balanced"]) + 1)
    axes.axhline(0, **TRUTH)
    axes.plot(times, of["balanced"], label=["angle", "speed"])
    axes.set(xlabel="time")
    axes.legend()


PICTURES = {
    burgers: "Burgers' equation",
    slopes: "Values and slopes",
    energy: "Energy that is kept",
    control: "A controller in compiled code",
}

for draw, section in PICTURES.items():
    figure, axes = plt.subplots(figsize=(6, 3.4), dpi=80, layout="constrained")
    draw(axes, computed(section))
    figure.savefig(HERE / f"derivatives-{draw.__name__}.png")
    plt.close(figure)
