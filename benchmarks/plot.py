"""plot: how many times as long as symgrad each peer takes, row by row."""

from pathlib import Path

from benchmarks.gradients import summary
from benchmarks.peers import PEERS
from benchmarks.peers import title as title_of

MARKERS = "osD^v<>PX*hd"


def plot(result: dict, file: Path) -> None:
    """Draws the float32 rows of the main table; where symgrad is fastest, all lie right of 1."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "symgrad"
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    rows = [row for row in result["rows"] if row["dtype"] == "float32"] or result["rows"]
    rows = [row for row in rows if summary(row)["ours"]]
    figure, axes = pyplot.subplots(figsize=(9, 0.55 * len(rows) + 2.2), layout="constrained")
    shown = ("peer", "expert")
    keys = [peer.key for peer in PEERS if peer.kind in shown]
    for number, key in enumerate(keys):
        points = []
        for height, row in enumerate(rows):
            found = summary(row)
            if key in found["times"]:
                points.append((found["times"][key] / found["ours"], height))
        if points:
            across, up = zip(*points, strict=True)
            marker = MARKERS[number % len(MARKERS)]
            axes.scatter(
                across, up, 34, marker=marker, label=title_of(key), zorder=3, alpha=0.85
            )
    targets = [(row["target"], height) for height, row in enumerate(rows) if row["target"]]
    if targets:
        across, up = zip(*targets, strict=True)
        axes.scatter(across, up, 300, "0.6", marker="|", label="aim for the fastest peer", zorder=2)
    limits = [(summary(row)["times"].get("limit"), row, h) for h, row in enumerate(rows)]
    points = [(time / summary(row)["ours"], h) for time, row, h in limits if time]
    if points:
        across, up = zip(*points, strict=True)
        axes.scatter(across, up, 60, "black", marker="x", label="matrix products alone", zorder=2)
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_yticks(range(len(rows)), [row["row"].replace("x", ", batch ") for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="x", which="major", alpha=0.4)
    axes.set_xlabel("time of one loss and gradient, as a multiple of symgrad's (float32)")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.42, -0.12), ncols=4, frameon=False, fontsize=9
    )
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
