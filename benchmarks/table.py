"""table: Markdown tables, and numbers as people read them."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The first column to the left, all others to the right."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def duration(seconds: float | None) -> str:
    """Three digits, in the unit that fits; a dash for none."""
    if seconds is None:
        return "–"
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms"), (1, "s")):
        if seconds * factor < 999.5 or unit == "s":
            break
    return f"{digits(seconds * factor)} {unit}"


def digits(value: float, count: int = 3) -> str:
    """The number with `count` digits, without an exponent."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.{count - 1}e}".split("e")[1])  # once it is rounded
    return f"{value:.{max(0, count - 1 - exponent)}f}"


def verdict(ratio: float | None, target: float | None, smaller: bool = False) -> str:
    """Whether a ratio is what was aimed at; within 10 % counts."""
    if ratio is None or target is None:
        return "–"
    goal = f"at most {target:g}" if smaller else f"{target:g}"
    if (ratio <= target * 1.1) if smaller else (ratio >= target * 0.9):
        return f"reached ({goal})"
    short = ratio / target if smaller else target / ratio
    return f"missed by {digits(short, 2)}× ({goal})"
