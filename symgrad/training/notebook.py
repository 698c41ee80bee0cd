"""The losses of a training as a curve in a notebook, drawn anew while it runs."""

import sys
import time
from typing import Any

from symgrad.axes import by_powers
from symgrad.spec.training import Training
from symgrad.training.callback import Callback
from symgrad.training.checkpoint import Epoch
from symgrad.training.curve import Curve

_BETWEEN = 0.3  # seconds between two pictures


def in_notebook() -> bool:
    """Whether this is a notebook's kernel: IPython is there, and talks to one."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookCurve(Callback):
    """One picture for each fit, the last of which stays; none where there was no epoch."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._curve, self._words = Curve(), ""
        self._title, self._epochs = "", 0
        self._due = 0.0

    def on_fit_begin(
        self, training: Training, title: str, notes: tuple[str, ...], samples: int, done: int
    ) -> None:
        self._handle, self._curve = None, Curve()
        self._title, self._epochs = title, training.epochs
        self._due = time.monotonic() + _BETWEEN

    def on_epoch_end(self, number: int, epoch: Epoch) -> None:
        self._curve.add(number, epoch)
        if time.monotonic() >= self._due:
            self._show()
            self._due = time.monotonic() + _BETWEEN

    def on_fit_end(self) -> None:
        self._show()

    def _show(self) -> None:
        picture = drawn(self._curve, self._title, self._epochs)
        if picture is None:
            return
        if self._handle is None:
            from IPython.display import display

            self._handle = display(picture, raw=True, display_id=True)
        else:
            self._handle.update(picture, raw=True)


def drawn(curve: Curve, title: str, epochs: int) -> dict[str, str] | None:
    """A picture by its forms, if there is something to draw."""
    from symgrad.showing.pages.blocks import Lines, Series
    from symgrad.showing.pages.standalone import standalone
    from symgrad.showing.pages.text import name

    parts = curve.series()
    if curve.newest is None or not parts:
        return None
    number, epoch = curve.newest
    words = f"{name(title, 30)}: epoch {number:,} of {epochs:,}, loss {epoch.loss:.3g}"
    if epoch.validation_loss == epoch.validation_loss:
        words += f", validation {epoch.validation_loss:.3g}"
    log = by_powers([loss for points in parts.values() for _, loss in points])
    series = tuple(Series(part, points, marked=len(points) == 1) for part, points in parts.items())
    picture = standalone(Lines(words, "epoch", "loss", series, log_x=False, log_y=log), "curve")
    return None if picture is None else {"image/svg+xml": picture, "text/plain": words}
