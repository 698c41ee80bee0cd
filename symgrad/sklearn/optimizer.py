"""What stochastic training remembers from one epoch to the next, and how its rate changes."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

# Below this rate "adaptive" gives up.
SMALLEST_RATE = 1e-6


def name_of(estimator: Any) -> str | None:
    """The optimizer in the words of a spec; None where SciPy minimises."""
    match estimator.solver:
        case "adam":
            return "adam_hat"  # scikit-learn adds ε to √v before its bias is corrected
        case "sgd":
            nesterov = estimator.nesterovs_momentum and estimator.momentum > 0
            return "nesterov" if nesterov else "momentum"
    return None


@dataclass
class Optimizer:
    """`state` and `progress` as the module's `train_steps` takes them, and its numbers.

    As in scikit-learn what it begins with holds for all that follows by `partial_fit`, whatever the
    estimator's parameters become.
    """

    kind: str | None
    state: np.ndarray
    progress: np.ndarray
    learning_rate: float
    constants: dict[str, float]
    schedule: str  # "constant", "invscaling" or "adaptive"
    power_t: float

    def __post_init__(self) -> None:
        self.first_rate = self.learning_rate

    @classmethod
    def begun(cls, estimator: Any, kind: str | None, module: ModuleType) -> "Optimizer":
        """Before the first step."""
        adam = estimator.solver == "adam"
        if adam:
            constants = {"beta1": estimator.beta_1, "beta2": estimator.beta_2}
            constants["epsilon"] = estimator.epsilon
        else:
            constants = {"momentum": estimator.momentum}
        state, progress = module.train_state(0)
        return cls(
            kind,
            state,
            progress,
            float(estimator.learning_rate_init),
            constants,
            "constant" if adam else estimator.learning_rate,
            estimator.power_t,
        )

    def settings(self, module: ModuleType) -> np.ndarray:
        """The numbers that `train_steps` is given."""
        return module.train_settings(rate=self.learning_rate, **self.constants)

    def epoch_ends(self, seen: int) -> None:
        """With "invscaling" the rate falls with the samples that were seen."""
        if self.schedule == "invscaling":
            self._change(self.first_rate / (seen + 1) ** self.power_t)

    def gives_up(self, reason: str, verbose: bool) -> bool:
        """Whether training is to end for this reason; else it goes on at a fifth of the rate."""
        if self.schedule != "adaptive":
            outcome = "Stopping."
        elif self.learning_rate <= SMALLEST_RATE:
            outcome = "Learning rate too small. Stopping."
        else:
            self._change(self.learning_rate / 5)
            outcome = f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(f"{reason} {outcome}")
        return outcome.endswith("Stopping.")

    def _change(self, rate: float) -> None:
        """Momentum is of gradients here, and in scikit-learn of steps, which were rate·gradient."""
        if self.state.size:
            self.state *= self.learning_rate / rate
        self.learning_rate = rate
