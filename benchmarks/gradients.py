"""gradients: one loss and full gradient, called from Python: the main table."""

import os
from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter

from benchmarks.crew import Crew
from benchmarks.options import Options
from benchmarks.peers import BY_KEY, PEERS, earlier_build
from benchmarks.peers import title as title_of
from benchmarks.table import digits, duration, table, verdict

KEYS = [peer.key for peer in PEERS if peer.key != "floor"]
DISTURBED = 0.1  # cores kept busy by other programs; beyond, a row is marked
GAINS = 50_000  # multiplications, about; below, threads gain nothing


def run(options: Options, say: Callable[[str], None]) -> dict:
    results = []
    with Crew(options.among(*KEYS), say) as crew:
        for dtype in options.dtypes:
            for row in options.rows:
                start = perf_counter()
                keys = set(KEYS)
                if row.batch * row.net.size < GAINS:
                    keys.discard("symgrad-1")
                rounds = options.rounds if dtype == "float32" else min(options.rounds, 3)
                found = crew.measure(row, dtype, rounds, options.seconds, keys=keys)
                timings = {key: asdict(timing) for key, timing in found.items()}
                results.append(
                    {
                        "row": row.name,
                        "dtype": dtype,
                        "target": row.target,
                        "others": crew.others,
                        "timings": timings,
                    }
                )
                say(f"  {line(results[-1])}; {perf_counter() - start:.0f} s")
        result = {"rows": results, "versions": crew.versions, "missing": crew.missing}
        if "build" in options.peers:
            result["build"] = os.environ[earlier_build.COMMIT]
        return result


def line(row: dict) -> str:
    """A row in one line, for who waits."""
    found = summary(row)
    text = f"{row['row']}, {row['dtype']}: symgrad {duration(found['ours'])}"
    if found["fastest"]:
        text += f", {title_of(found['fastest'])} {duration(found['times'][found['fastest']])}"
    if row["others"] > DISTURBED:
        text += f" (other programs kept {digits(row['others'], 2)} cores busy)"
    return text


def summary(row: dict) -> dict:
    """What a row comes to: the fastest peer, and how many times as long it takes."""
    times = {key: timing["median"] for key, timing in row["timings"].items() if timing["median"]}
    known = {key: time for key, time in times.items() if key in BY_KEY}  # results may be older
    peers = {key: time for key, time in known.items() if BY_KEY[key].kind == "peer"}
    fastest = min(peers, key=peers.__getitem__, default=None)
    ours = times.get("symgrad")
    ratio = peers[fastest] / ours if ours and fastest else None
    return {"times": times, "fastest": fastest, "ours": ours, "ratio": ratio}


def render(result: dict) -> str:
    parts = ["## Loss and gradient, called from Python\n"]
    for dtype in dict.fromkeys(row["dtype"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["dtype"] == dtype]
        parts += [f"### {dtype}\n", _against_targets(rows)]
        if "build" in result:
            parts.append(_against_build(rows, result["build"]))
        parts.append(_times(rows))
    parts += ["### Notes\n", _notes(result)]
    return "\n".join(parts)


def _against_targets(rows: list[dict]) -> str:
    lines = []
    for row in rows:
        found = summary(row)
        fastest, limit = found["fastest"], found["times"].get("limit")
        lines.append(
            [
                row["row"],
                duration(found["ours"]),
                f"{title_of(fastest)}, {duration(found['times'][fastest])}" if fastest else "–",
                f"{digits(found['ratio'])}×" if found["ratio"] else "–",
                verdict(found["ratio"], row["target"]),
                duration(limit),
                f"{digits(found['ours'] / limit)}×" if limit and found["ours"] else "–",
            ]
        )
    head = ["network × batch", "symgrad", "fastest peer", "its time, in symgrad's", "target"]
    return table([*head, "products alone", "symgrad, in theirs"], lines)


def _against_build(rows: list[dict], commit: str) -> str:
    lines = []
    for row in rows:
        times = summary(row)["times"]
        ours, before = times.get("symgrad"), times.get("build")
        ratio = f"{digits(before / ours)}×" if ours and before else "–"
        lines.append([row["row"], duration(ours), duration(before), ratio])
    head = ["against an earlier build", "symgrad", commit[:7], "its time, in symgrad's"]
    return table(head, lines)


def _times(rows: list[dict]) -> str:
    measured = {key for row in rows for key in row["timings"]}
    keys = [key for key in KEYS if key in measured and key != "limit"]
    lines = []
    for row in rows:
        cells = []
        for key in keys:
            timing = row["timings"].get(key, {})
            cells.append(duration(timing.get("median")))
        lines.append([row["row"], *cells])
    return table(["time of one call", *(title_of(key) for key in keys)], lines)


def _notes(result: dict) -> str:
    """Why some have no time, the rounds' spread, and the variants that were measured."""
    reasons: dict[tuple[str, str], list[str]] = {}
    lines = []
    for row in result["rows"]:
        for key, timing in row["timings"].items():
            if timing["reason"]:
                title = title_of(key)
                reasons.setdefault((title, timing["reason"]), []).append(
                    f"{row['row']} {row['dtype']}"
                )
            if timing["median"]:
                least, most = timing["spread"]
                lines.append(
                    [
                        f"{row['row']}, {row['dtype']}",
                        title_of(key),
                        timing["variant"],
                        duration(timing["median"]),
                        f"{duration(least)} to {duration(most)}",
                        f"{timing['disagreement']:.0e}" if timing["disagreement"] else "–",
                        duration(timing["preparing"]),
                    ]
                )
    text = [f"- {title}: {why} ({', '.join(where)})" for (title, why), where in reasons.items()]
    disturbed = [f"{r['row']} {r['dtype']}" for r in result["rows"] if r["others"] > DISTURBED]
    if disturbed:
        text.append(
            f"- **Not to be trusted**: other programs kept more than {DISTURBED:g} of a core busy"
            f" during {', '.join(disturbed)}"
        )
    text += [f"- {title_of(key)} is missing: {why}" for key, why in result["missing"].items()]
    head = ["row", "who", "variant", "median", "rounds", "off by", "preparing"]
    details = f"<details><summary>All measurements</summary>\n\n{table(head, lines)}\n</details>\n"
    return "\n".join(text) + ("\n\n" if text else "") + details
