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
    """`state` and `progress` as the module's `train_steps` takes them, and the rate."""

    state: np.ndarray
    progress: np.ndarray
    learning_rate: float

    @classmethod
    def begun(cls, estimator: Any, module: ModuleType) -> "Optimizer":
        """Before the first step."""
        state, progress = module.train_state(0)
        return cls(state, progress, float(estimator.learning_rate_init))

    def settings(self, estimator: Any, module: ModuleType) -> np.ndarray:
        """The numbers that `train_steps` is given."""
        if estimator.solver == "adam":
            constants = {"beta1": estimator.beta_1, "beta2": estimator.beta_2}
            constants["epsilon"] = estimator.epsilon
        else:
            constants = {"momentum": estimator.momentum}
        return module.train_settings(rate=self.learning_rate, **constants)

    def epoch_ends(self, estimator: Any) -> None:
        """With learning_rate="invscaling" the rate falls with the samples that were seen."""
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            seen = estimator.t_ + 1
            self._change(float(estimator.learning_rate_init) / seen**estimator.power_t)

    def gives_up(self, estimator: Any, reason: str) -> bool:
        """Whether training is to end for this reason; else it goes on at a fifth of the rate."""
        adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
        if not adaptive:
            outcome = "Stopping."
        elif self.learning_rate <= SMALLEST_RATE:
            outcome = "Learning rate too small. Stopping."
        else:
            self._change(self.learning_rate / 5)
            outcome = f"Setting learning rate to {self.learning_rate:f}"
        if estimator.verbose:
            print(f"{reason} {outcome}")
        return outcome.endswith("Stopping.")

    def _change(self, rate: float) -> None:
        """Momentum is of gradients here, and in scikit-learn of steps, which were rate·gradient."""
        if self.state.size:
            self.state *= self.learning_rate / rate
        self.learning_rate = rate
