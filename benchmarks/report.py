"""report: one Markdown file of all sections that were measured."""

from collections.abc import Mapping
from typing import Protocol

from benchmarks.reference import TOLERANCE
from benchmarks.table import table


class Section(Protocol):
    def render(self, result: dict) -> str: ...


def report(found: Mapping[str, dict], sections: Mapping[str, Section]) -> str:
    allowed = ", ".join(f"{value:.0e} in {dtype}" for dtype, value in TOLERANCE.items())
    parts = [
        "# Results\n",
        "Written by `make bench`; [how it is measured](../README.md).",
        "Before anything was timed, every loss and every weight array's gradient was compared with"
        f" a float64 reference: the largest difference allowed, relative, is {allowed}.\n",
    ]
    if "gradients" in found:
        parts.append("![Ratios](ratios.svg)\n")
    for name, result in found.items():
        parts.append(sections[name].render(result))
    return "\n".join([*parts, _machines(found)])


def _machines(found: Mapping[str, dict]) -> str:
    """What was measured on and with, once where it is the same for all sections."""
    groups: dict[str, list[str]] = {}
    for name, result in found.items():
        lines = [*result["machine"].items(), *sorted(result.get("versions", {}).items())]
        text = table(["what", "which"], lines).replace("--:", "---")
        groups.setdefault(text, []).append(name)
    parts = ["## Machine and versions\n"]
    for text, names in groups.items():
        parts.append(f"For {', '.join(names)}:\n\n{text}" if len(groups) > 1 else text)
    times = ", ".join(f"{name} {result['seconds']} s" for name, result in found.items())
    return "\n".join([*parts, f"Running time: {times}.\n"])
