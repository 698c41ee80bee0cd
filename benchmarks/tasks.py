"""tasks: what a peer's functions are given, and what they must come to before they are timed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks import asked, nets, planning, reference, training
from benchmarks.nets import Net, Row

Numbers = tuple[np.ndarray, np.ndarray, np.ndarray]
Value = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Task:
    numbers: Callable[[Row, str], Numbers]
    wanted: Callable[[Net, np.ndarray, np.ndarray, np.ndarray], Value]
    off: Callable[[Net, Value, Value], float]
    allowed: Callable[[Net, str], float]


GRADIENT = Task(
    nets.numbers,
    reference.loss_and_gradient,
    reference.disagreement,
    lambda net, dtype: reference.TOLERANCE[dtype],
)
TRAINING = Task(training.numbers, training.run, training.off, training.allowed)
CONTROL = Task(planning.numbers, planning.wanted, planning.off, planning.allowed)
DERIVATIVES = Task(asked.numbers, asked.wanted, asked.off, asked.allowed)

# By the name of the peer's function.
TASKS: Mapping[str, Task] = {
    "prepare": GRADIENT,
    "inside": GRADIENT,
    "train": TRAINING,
    "derive": DERIVATIVES,
    "control": CONTROL,
}
