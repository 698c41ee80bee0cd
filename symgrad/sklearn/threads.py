"""Whether an estimator's work is worth threads: code for them takes seconds to compile."""

import math
from types import ModuleType

# Operations of a fit from which code for threads is worth its compilation: seconds on one.
WORTH_THREADS = 1e11


def decide_threads(module: ModuleType, rows: int, samples: int, epochs: int) -> None:
    """On threads from the first call on, or never: for so many samples in batches of so many rows,
    by what there is to do at most."""
    step = getattr(module, "train_steps", module.loss_and_gradient_into).work
    prediction = module.predict.work
    many = rows >= step.many or samples >= prediction.many
    threads = many and 6.0 * module.SIZE * samples * epochs > WORTH_THREADS
    for work in (step, prediction):
        work.calls_until_threads = 0 if threads else math.inf
