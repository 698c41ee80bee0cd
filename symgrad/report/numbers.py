"""Errors of outputs that are numbers, each in its own unit."""

from collections.abc import Sequence

import numpy as np

from symgrad.report.judged import Judged, thinned
from symgrad.showing.pages.blocks import Block, Cell, Lines, Section, Series, Table, Words
from symgrad.showing.pages.text import name

_POINTS = 250  # of each part, in a chart
_CHARTS = 6
_ROWS = 100


def numbers(judged: Judged, outputs: Sequence[str]) -> Section:
    """A row for each output and part, and the residuals of the first outputs."""
    blocks: list[Block] = [_losses(judged)]
    if table := _table(judged, outputs):
        blocks.append(table)
    if judged.parts:
        blocks.append(
            Words(
                "Charts have an output's errors over what was predicted: a network that has learnt"
                " what there is to learn leaves points evenly about 0, without a pattern."
            )
        )
        blocks += [
            _residuals(judged, output, name(each)) for output, each in enumerate(outputs[:_CHARTS])
        ]
        if len(outputs) > _CHARTS:
            blocks.append(Words(f"Charts are of the first {_CHARTS} outputs."))
    return Section("errors", "Errors by output", tuple(blocks), {}, judged.missing)


def _losses(judged: Judged) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for part, figures in judged.figures.items():
        rows.append((part, figures.samples, figures.loss))
        terms = figures.terms or {}
        rows += [(f"{part}: {name(term)}", None, value) for term, value in terms.items()]
    return Table(("part", "samples", "loss"), tuple(rows), "Loss, in the units of training")


def _table(judged: Judged, outputs: Sequence[str]) -> Table | None:
    rows: list[tuple[Cell, ...]] = []
    for place, output in enumerate(outputs[:_ROWS]):
        for part, figures in judged.figures.items():
            columns = (
                figures.rmse_by_output, figures.mae_by_output, figures.r2_by_output,
                figures.largest_by_output,
            )  # fmt: skip
            known = [None if each is None else each[place] for each in columns]
            if known[0] is not None:
                rows.append((name(output), part, *known))
    note = "" if len(outputs) <= _ROWS else f"The first {_ROWS} of {len(outputs):,} outputs."
    header = ("output", "part", "RMSE", "MAE", "R²", "largest error")
    return Table(header, tuple(rows), "Errors, in each output's own unit", note) if rows else None


def _residuals(judged: Judged, output: int, called: str) -> Lines:
    series = []
    for part, each in judged.parts.items():
        rows = thinned(len(each.t), _POINTS)
        y, t = each.y[rows, output], each.t[rows, output]
        points = tuple(zip(y.tolist(), (y - t).tolist(), strict=True))
        count = f"{len(rows):,} of {len(each.t):,}" if len(rows) < len(each.t) else f"{len(rows):,}"
        series.append(Series(f"{part}, {count} samples", points, joined=False))
    known = np.concatenate(
        [each.y[np.isfinite(each.y[:, output]), output] for each in judged.parts.values()]
    )
    if len(known):
        ends = ((float(known.min()), 0.0), (float(known.max()), 0.0))
        series.append(Series("exact", ends, marked=False))
    return Lines(
        f"Residuals of {called}", f"predicted {called}", "predicted − true", tuple(series),
        log_x=False, log_y=False,
    )  # fmt: skip
