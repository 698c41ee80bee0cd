"""epochs: whole epochs of training with Adam, each peer's loop as compiled as it can be."""

from collections.abc import Callable
from dataclasses import asdict

from benchmarks import training
from benchmarks.crew import Crew
from benchmarks.gradients import DISTURBED
from benchmarks.options import Options
from benchmarks.peers import title as title_of
from benchmarks.table import digits, duration, table, verdict

KEYS = ("symgrad", "jax", "torch")


def run(options: Options, say: Callable[[str], None]) -> dict:
    results = []
    with Crew(options.among(*KEYS), say) as crew:
        for dtype in options.dtypes:
            for row in training.ROWS:
                say(f"  {row.name}, {dtype}, epochs")
                found = crew.measure(row, dtype, options.rounds, 2 * options.seconds, "train")
                timings = {key: asdict(timing) for key, timing in found.items()}
                steps = training.CALL * training.batches(row.net, row.batch)
                for timing in timings.values():
                    if timing["median"]:
                        timing["median"] /= steps
                        timing["spread"] = [time / steps for time in timing["spread"]]
                results.append(
                    {
                        "row": row.name,
                        "dtype": dtype,
                        "target": row.target,
                        "batches": training.batches(row.net, row.batch),
                        "others": crew.others,
                        "timings": timings,
                    }
                )
        return {"rows": results, "versions": crew.versions, "missing": crew.missing}


def summary(row: dict) -> dict:
    """Times by peer, the fastest of the others, and how many times as long it takes."""
    times = {key: timing["median"] for key, timing in row["timings"].items() if timing["median"]}
    fastest = min((key for key in times if key != "symgrad"), key=times.__getitem__, default=None)
    ours = times.get("symgrad")
    ratio = times[fastest] / ours if ours and fastest else None
    return {"times": times, "fastest": fastest, "ours": ours, "ratio": ratio}


def render(result: dict) -> str:
    lines, notes, details = [], [], []
    for row in result["rows"]:
        found, timings = summary(row), row["timings"]
        each = "an epoch of one step" if row["batches"] == 1 else "a step"
        name = f"{row['row']}, {row['dtype']}"
        lines.append(
            [
                f"{name}: {each}",
                *(duration(found["times"].get(key)) for key in KEYS),
                f"{digits(found['ratio'])}×" if found["ratio"] else "–",
                verdict(found["ratio"], row["target"]),
            ]
        )
        for key, timing in timings.items():
            if timing["reason"]:
                notes.append(f"- {title_of(key)}, {name}: {timing['reason']}")
            if timing["median"]:
                least, most = map(duration, timing["spread"])
                off = f"{timing['disagreement']:.0e}"
                rounds = f"{least} to {most}"
                details.append([name, title_of(key), timing["variant"], rounds, off])
        if row["others"] > DISTURBED:
            notes.append(
                f"- **Not to be trusted**: other programs kept more than {DISTURBED:g} of a core"
                f" busy during {name}"
            )
    head = ["network × samples", *(title_of(key) for key in KEYS), "the faster, in symgrad's"]
    return (
        "## Training\n\n"
        "Adam from the same weights: all samples in one batch, or shuffled batches of"
        f" {training.BATCH}. Before anything was timed, all trained for {training.LEARN} epochs,"
        " and the losses of all samples after them were compared with a float64 reference in"
        f" NumPy: within {training.TOLERANCE['float32']:g} (float32) where all samples are one"
        f" batch, within {training.TOLERANCE_OF_ORDERS:g} where every peer draws an order of its"
        f" own. JAX runs {training.CALL} epochs as one scan in one jit.\n\n"
        f"{table([*head, 'target'], lines)}\n"
        + "".join(f"{note}\n" for note in notes)
        + f"\n{table(['row', 'who', 'variant', 'rounds', 'loss off by'], details)}\n"
    )
