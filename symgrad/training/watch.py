"""Watching a training: what the command's bar does, and what a notebook may do in its own way."""

from symgrad.spec.training import Training
from symgrad.training.checkpoint import Epoch


class Watch:
    """Is told what happens; each of its methods does nothing, until a subclass has it do."""

    def begins(
        self, training: Training, title: str, notes: tuple[str, ...], samples: int, done: int
    ) -> None:
        """A fit begins on so many training samples, after `done` epochs of an earlier process.

        `title` is the place of its folder, or the name of the network; `notes` are lines for the
        user on the data.
        """

    def epoch(self, number: int, epoch: Epoch) -> None:
        """An epoch is over, the first of all being number 1."""

    def stopping(self) -> None:
        """Ctrl-C was pressed; the epoch that runs is finished first. Called by a signal's handler:
        print nothing here through buffered streams."""
