"""Importance of inputs by permutation: how much worse a network does where one is shuffled."""

from collections.abc import Callable, Collection

import numpy as np

from symgrad.report.judged import Judged
from symgrad.showing.pages.blocks import Bars, Block, Section, Words, several
from symgrad.showing.pages.text import figure, name
from symgrad.training.metrics import predicted_classes
from symgrad.training.module import Array
from symgrad.training.run import Run
from symgrad.training.trained import Columns

REPEATS = 10

_SAMPLES = 2000  # at most, drawn by the seed
_BARS = 30
_CHARTS = 6


def importance(run: Run, judged: Judged, seed: int) -> Section:
    """Of each input of the data, for what is predicted of each output."""
    title, key = "Importance of inputs", "importance"
    if judged.decisive not in judged.parts:
        return Section(key, title, (Words("There are no samples to shuffle."),), {}, judged.missing)
    part, columns = judged.parts[judged.decisive], run.trained.columns
    random = np.random.default_rng(seed)
    rows: Array = np.arange(len(part.t))
    if len(rows) > _SAMPLES:
        rows = np.sort(random.choice(rows, _SAMPLES, replace=False))
    t, labels = part.t[rows], columns.labels
    score = accuracy(t) if labels is not None else r2(t)
    predict = run.module.predict

    def scored(x: Array) -> Array:
        return score(run.trained.scaling.outputs(predict(run.theta, x)))

    places = groups(columns)
    falls = falls_of(scored, part.x[rows], places.values(), random)
    outputs = run.trained.outputs if labels is None else ("",)
    what = "accuracy" if labels is not None else "R²"
    blocks: list[Block] = [
        Words(
            f"By permutation (Breiman 2001), on {several(len(rows), 'sample')} of"
            f" {judged.decisive}: the values of one input are shuffled among the samples,"
            f" {REPEATS} times by seed {seed}, and {what} falls by so much, on average; in brackets"
            " the standard deviation. Inputs that say the same stand in for each other: both may"
            " seem to matter little."
        )
    ]
    for output, called in list(enumerate(outputs))[:_CHARTS]:
        if np.isnan(falls[..., output]).any():
            blocks.append(
                Words(f"{name(called)}: its target is constant, or its error not finite.")
            )
            continue
        blocks.append(_bars([*places], falls[..., output], what, name(called)))
    if len(outputs) > _CHARTS:
        blocks.append(Words(f"Charts are of the first {_CHARTS} outputs."))
    return Section(key, title, tuple(blocks), {})


def groups(columns: Columns) -> dict[str, list[int]]:
    """The network's inputs that each column of the data makes: all levels of a category are
    shuffled together."""
    found, place = {}, 0
    for column in columns.inputs:
        width = len(columns.categories.get(column, ("",)))
        found[column] = list(range(place, place + width))
        place += width
    return found


def falls_of(
    scored: Callable[[Array], Array],
    x: Array,
    places: Collection[list[int]],
    random: np.random.Generator,
    repeats: int = REPEATS,
) -> Array:
    """How much lower each score is with inputs shuffled: of shape (places, repeats, scores)."""
    whole = scored(x)
    falls = np.empty((len(places), repeats, len(whole)))
    for row, inputs in enumerate(places):
        for repeat in range(repeats):
            shuffled = x.copy()
            shuffled[:, inputs] = x[random.permutation(len(x))][:, inputs]
            falls[row, repeat] = whole - scored(shuffled)
    return falls


def accuracy(t: Array) -> Callable[[Array], Array]:
    true = predicted_classes(t)
    return lambda y: np.array([np.mean(predicted_classes(y) == true)])


def r2(t: Array) -> Callable[[Array], Array]:
    """Of each output; NaN where its target is constant."""
    spread = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    spread = np.where(np.ptp(t, axis=0) > 0, spread, np.nan)
    return lambda y: 1 - ((y - t) ** 2).sum(axis=0) / spread


def _bars(columns: list[str], falls: Array, what: str, output: str) -> Bars:
    means, deviations = falls.mean(axis=1), falls.std(axis=1)
    order = np.argsort(-means, kind="stable")[:_BARS]
    rows = tuple(
        (f"{name(columns[place])} (± {figure(float(deviations[place]))})", float(means[place]))
        for place in order
    )
    of = f" of {output}" if output else ""
    most = f", the first {_BARS} of {len(columns):,} inputs" if len(columns) > _BARS else ""
    return Bars(f"Fall of {what}{of}{most}", f"fall of {what}", rows, log=False)
