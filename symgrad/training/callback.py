"""callback: told how a training goes, as the command's curve is, and that of a notebook."""

from symgrad.spec.training import Training
from symgrad.training.checkpoint import Epoch


class Callback:
    """Is told what happens; each of its methods does nothing, until a subclass has it do."""

    def on_fit_begin(
        self, training: Training, title: str, notes: tuple[str, ...], samples: int, done: int
    ) -> None:
        """A fit begins on so many training samples, after `done` epochs of an earlier process.

        `title` is the place of its folder, or the name of the network; `notes` are lines for the
        user on the data.
        """

    def on_epoch_end(self, number: int, epoch: Epoch) -> None:
        """An epoch is over, the first of all being number 1."""

    def on_fit_end(self) -> None:
        """The fit has ended, or was broken off."""

    def on_interrupt(self) -> None:
        """Ctrl-C was pressed; the epoch that runs is finished first. Called by a signal's handler:
        print nothing here through buffered streams."""
