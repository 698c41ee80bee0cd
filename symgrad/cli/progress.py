"""How a training goes, on the terminal."""

import os
import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from symgrad.spec.training import Training
    from symgrad.training.checkpoint import Epoch


class ProgressBar:
    """A training watched: a bar on stderr, if that is a terminal, and a line for each beginning."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.bar = Progress(
            BarColumn(bar_width=8),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None)
        self.begun = False
        self.notes: tuple[str, ...] = ()
        self.samples = 0
        self.first = self.now = self.start = time.monotonic()
        self.done = self.epochs = 0

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        self.hide()

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
        self.bar.start()

    def on_epoch_end(self, number: int, epoch: "Epoch") -> None:
        now = time.monotonic()
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
        # Straight to the terminal: the handler may have come in the middle of a buffered write.
        os.write(2, b"\nstopping at the end of this epoch; once more to leave at once\n")

    def hide(self) -> None:
        self.bar.stop()


def _short(number: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
