"""curve: the losses of a fit, kept so that they can be drawn while it runs, however many epochs it
has."""

from collections.abc import Mapping
from typing import TypeAlias

from symgrad.axes import Scale, by_powers, scale_of
from symgrad.training.checkpoint import Epoch
from symgrad.training.dataset import TRAINING, VALIDATION

Points: TypeAlias = tuple[tuple[int, float], ...]

_MOST = 400  # epochs that are kept: more than a picture has columns
_HUGE = 1e300  # losses beyond that no axis has room for


class Curve:
    """Every so many-th epoch of a fit, and the newest. One thread may add while another draws."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Epoch]] = []
        self.newest: tuple[int, Epoch] | None = None
        self._every, self._due = 1, 0

    def add(self, number: int, epoch: Epoch) -> None:
        """An epoch, the first of all being number 1."""
        self.newest = newest = number, epoch
        if number < self._due:
            return
        self._kept.append(newest)
        if len(self._kept) > _MOST:
            self._kept, self._every = self._kept[::2], 2 * self._every
        self._due = self._kept[-1][0] + self._every

    def series(self) -> Mapping[str, Points]:
        """Numbers of epochs and losses, by part, of those parts that have any."""
        epochs = list(self._kept)
        newest = self.newest
        if newest is not None and (not epochs or epochs[-1][0] < newest[0]):
            epochs.append(newest)
        parts = {
            TRAINING: tuple((number, epoch.loss) for number, epoch in epochs),
            VALIDATION: tuple((number, epoch.validation_loss) for number, epoch in epochs),
        }
        found = {
            part: tuple((number, loss) for number, loss in points if abs(loss) < _HUGE)
            for part, points in parts.items()
        }
        return {part: points for part, points in found.items() if points}


def scale(series: Mapping[str, Points]) -> Scale:
    """The axis of the losses, of powers if they are of many sizes."""
    losses = [loss for points in series.values() for _, loss in points]
    return scale_of(losses, by_powers(losses))
