"""The table: for each way that networks come, how many were read, and why others were not."""

import re
from collections import Counter
from collections.abc import Sequence

# Refusals by what they say, as the table calls them.
REASONS = {
    r"tanh_gelu": "functions of one's own",
    r"convolution|Conv|Transpose": "convolutions",
    r"each sample by itself|largest of the units|it repeats": "normalisation by sample",
    r"sum over the units": "softmax, or a normalisation by sample, within",
    r"do not meet|jumps|Hardshrink|Threshold|activation hard_shrink": "activations that jump",
    r"slope differs": "a slope for each unit",
    r"rounds DOUBLE": "float64 rounded to float32 on the way",
    r"computed at each call": "weights that are computed at each call",
    r"plain chain|Own\)|takes \d axes|Reshape": "what is no chain",
    r"quantised": "quantised numbers",
    r"different layers": "products of layers (gates)",
    r"\d+ inputs": "constants that the file asks for at each call",
}


def table(rows: Sequence[dict[str, str]]) -> str:
    """In Markdown."""
    ways = list(dict.fromkeys((row["tool"], row["version"], row["way"]) for row in rows))
    lines = ["| tool | as | read | refused | why |", "|---|---|---|---|---|"]
    for tool, version, way in ways:
        of_way = [
            row for row in rows if (row["tool"], row["version"], row["way"]) == (tool, version, way)
        ]
        counts = Counter(row["result"] for row in of_way)
        reasons = Counter(_reason(row["why"]) for row in of_way if row["result"] == "refused")
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        lines.append(
            f"| {tool} {version} | {way} | {counts['read']} | {counts['refused']} | {why} |"
        )
    return "\n".join(lines)


def _reason(why: str) -> str:
    return next((called for pattern, called in REASONS.items() if re.search(pattern, why)), why)
