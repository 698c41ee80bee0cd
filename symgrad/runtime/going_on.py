"""going_on: what training goes on with from one epoch to the next."""

import numpy as np


class GoingOn:
    """Of `settings` by name, an optimizer's memory of so many numbers, and its dtype."""

    def __init__(self, settings, memory, native):
        def train_settings(**changes):
            """The vector `settings` for `train_epoch`: SETTINGS, with these changes."""
            if unknown := set(changes) - set(settings):
                names = ", ".join(sorted(unknown))
                raise TypeError(f"no setting is called {names}; there are {', '.join(settings)}")
            return np.array([*(settings | changes).values()], np.float64)

        def train_state(seed=0):
            """What `train_epoch` goes on from, at the start: the optimizer's memory `state`, and
            `progress`.

            state holds what STATE names, for each weight. progress holds two whole numbers: the
            state of the random numbers, which begins as the seed, and how many steps have been
            taken. Both can be stored, and training continued from them: it goes on as if it had
            not been interrupted.
            """
            return np.zeros(memory, native), np.array(
                [int(seed) & 0xFFFFFFFFFFFFFFFF, 0], np.uint64
            )

        self.train_settings, self.train_state = train_settings, train_state
