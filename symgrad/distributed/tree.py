"""tree: how the sums of ranges of leaves are added, whoever has computed them: by the binary tree
over all leaves, whose shape follows from how many there are. A sum waits until its neighbour in the
tree is there; so they may come in any order, and all orders have the same bits.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from symgrad.lowering.arithmetic import LEAF
from symgrad.training.module import Array


def leaves_of(samples: int) -> int:
    """How many leaves so many samples have."""
    return -(-samples // LEAF)


def spans(first: int, leaves: int) -> Iterator[tuple[int, int]]:
    """The largest subtrees of a range of leaves, as `gradient_of_leaves` takes them: the first
    leaf of each, and how many it has, which is a power of two."""
    begin, end = first, first + leaves
    while begin < end:
        span = 1
        while not begin & (2 * span - 1) and begin + 2 * span <= end:
            span *= 2
        yield begin, span
        begin += span


def ranges(leaves: int, parts: int) -> list[tuple[int, int]]:
    """All leaves cut into so many ranges of nearly the same length, as their first leaves and how
    many there are in each; fewer ranges where there are fewer leaves.

    They begin at multiples of a power of two, so that each has few subtrees.
    """
    parts = max(1, min(parts, leaves))
    grain = 1
    while 2 * grain * _GRAINS * parts <= leaves:
        grain *= 2
    grains = -(-leaves // grain)
    cuts = [min(grain * (grains * part // parts), leaves) for part in range(parts + 1)]
    return [(one, other - one) for one, other in pairwise(cuts)]


# Ranges are cut at one of so many places a part, at least: they differ by less than 2 %.
_GRAINS = 64


class Tree:
    """The sum of all leaves, in the making."""

    def __init__(self, leaves: int) -> None:
        self.leaves = leaves
        self.waiting: dict[tuple[int, int], tuple[float, Array]] = {}

    def add(self, first: int, leaves: int, losses: Array, gradients: Array) -> None:
        """The sums of the subtrees of a range: the loss of each, and a row with its gradient. What
        is kept of them is copied."""
        for row, (begin, span) in enumerate(spans(first, leaves)):
            self._place(begin, span, float(losses[row]), gradients[row])

    def _place(self, begin: int, span: int, loss: float, gradient: Array) -> None:
        """One sum, added to its neighbour if that waits, this to its own, and so on."""
        own = False  # whether the array is this tree's
        while span < self.leaves:
            right = bool(begin & span)
            if right or begin + span < self.leaves:  # else there is no neighbour
                neighbour = self.waiting.pop((begin - span if right else begin + span, span), None)
                if neighbour is None:
                    break
                loss += neighbour[0]
                gradient, own = np.add(gradient, neighbour[1], out=neighbour[1]), True
                begin -= span if right else 0
            span *= 2
        if (begin, span) in self.waiting:
            raise ValueError(f"leaves {begin} to {begin + span} came twice")
        self.waiting[begin, span] = loss, gradient if own else gradient.copy()

    def sum(self) -> tuple[float, Array]:
        """The sum of all losses, and of their gradients; ValueError while some are missing."""
        (_, span), found = next(iter(self.waiting.items()), ((0, 0), (0.0, np.empty(0))))
        if len(self.waiting) > 1 or span < self.leaves:
            raise ValueError("not all leaves have come")
        return found
