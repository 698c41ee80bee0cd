"""How a training goes, on the terminal."""

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from symgrad.cli.curve import LossCurve, can_draw
from symgrad.training.callback import Callback
from symgrad.training.curve import Curve

if TYPE_CHECKING:
    from symgrad.spec.training import Training
    from symgrad.training.checkpoint import Epoch

_STOPPING = "stopping at the end of this epoch; once more to leave at once"


class _Bar(Progress):
    """A bar, and above it what there is besides."""

    above: tuple[RenderableType, ...] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from self.above
        yield from super().get_renderables()


class ProgressBar(Callback):
    """A training watched: a bar on stderr, if that is a terminal, and a line for each beginning.

    Above the bar are the losses as a curve, unless it is to be `plain`, or stdout is no terminal;
    the curve is left standing when the training has ended.
    """

    def __init__(self, plain: bool = False) -> None:
        console = Console(stderr=True)
        self.drawing = not plain and sys.stdout.isatty() and can_draw(console)
        self.bar = _Bar(
            BarColumn(bar_width=8),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            refresh_per_second=5 if self.drawing else 10,
            disable=not console.is_terminal,
        )
        self.curve: Curve | None = None
        self.task = self.bar.add_task("", total=None)
        self.begun = False
        self.notes: tuple[str, ...] = ()
        self.samples = 0
        self.first = self.now = self.start = time.monotonic()
        self.done = self.epochs = 0

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def on_fit_begin(
        self, training: "Training", title: str, notes: tuple[str, ...], samples: int, done: int
    ) -> None:
        self.hide()
        for note in notes:
            if note not in self.notes:
                typer.echo(note, err=True)
        self.notes += notes
        typer.echo(f"{title}: going on after epoch {done:,}" if done else title, err=True)
        if not self.begun:
            self.start = time.monotonic()
        self.begun, self.samples, self.epochs, self.done = True, samples, training.epochs, 0
        self.bar.reset(self.task, total=self.epochs, completed=done, description="")
        if self.drawing:
            self.curve = Curve()
            self.bar.above = (LossCurve(self.curve),)
        self.bar.start()

    def on_epoch_end(self, number: int, epoch: "Epoch") -> None:
        now = time.monotonic()
        if self.curve is not None:
            self.curve.add(number, epoch)
        if not self.done:  # the first has been compiled, which says nothing of the next
            self.first, self.done = now, number
        if now - self.now < 0.1 and number < self.epochs:
            return
        self.now = now
        description = f"loss {epoch.loss:.3g}"
        if epoch.validation_loss == epoch.validation_loss:
            description += f", validation {epoch.validation_loss:.3g}"
        if now > self.first and number > self.done:
            rate = (number - self.done) * self.samples / (now - self.first)
            description += f", {_short(rate)} samples/s"
        self.bar.update(self.task, completed=number, description=description)

    def on_interrupt(self) -> None:
        if self.curve is not None:  # whose lines are counted: nothing may come between them
            self.bar.above = (LossCurve(self.curve), _STOPPING)
            return
        # Straight to the terminal: the handler may have come in the middle of a buffered write.
        os.write(2, f"\n{_STOPPING}\n".encode())

    def hide(self) -> None:
        self.bar.stop()

    def leave(self) -> None:
        """Ends with the curve, if there is one, and without the bar."""
        self.hide()
        if self.curve is not None:
            self.bar.console.print(LossCurve(self.curve), end="")
            self.curve = None


def _short(number: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
