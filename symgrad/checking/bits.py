"""bits: hashes of what a module computes for data that are the same anywhere."""

from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType

import numpy as np

from symgrad.checking.reference import inputs, takes, terms

SAMPLES = 1000
STEPS = 100
RATE = 0.01
BATCH = 32


@dataclass(frozen=True)
class Bits:
    """The first 16 hexadecimal digits of SHA-256, of the bytes of each in little-endian order."""

    prediction: str
    loss: str
    gradient: str
    steps: str


def bits(module: ModuleType) -> Bits:
    """The hashes for SAMPLES samples, and of the weights after STEPS steps: of the optimizer, on
    batches of BATCH, if the module has one, else of gradient descent on all samples."""
    spec, dtype = module.SPEC, module.SPEC["dtype"]
    theta = 0.5 * numbers(module.SIZE, 1)
    width, outputs = inputs(spec), spec["layers"][-1]["units"]
    given = {
        "x": 2 * numbers(SAMPLES * width, 2).reshape(SAMPLES, width),
        "t": (numbers(SAMPLES * outputs, 3).reshape(SAMPLES, outputs) + 1) / 2,
        "w": (numbers(SAMPLES, 4) + 1) / 2,
    }
    data = [given[each].astype(dtype) for term in terms(spec) for each in takes(spec, term)]
    penalties = [0.001 for name in ("l1", "l2") if spec["loss"][name] == "argument"]
    theta = theta.astype(dtype)
    loss, gradient = module.loss_and_gradient(theta, *data, *penalties)
    prediction = module.predict(theta, data[0])
    if hasattr(module, "train_steps"):
        in_order = [np.arange(STEPS * BATCH) % SAMPLES, np.arange(STEPS + 1) * BATCH]
        in_order *= len(terms(spec))
        state, progress = module.train_state(seed=0)
        settings = module.train_settings()
        module.train_steps(theta, *data, *penalties, *in_order, state, progress, settings)
    else:
        for _ in range(STEPS):
            module.step(theta, *data, *penalties, RATE)
    return Bits(*map(_hash, (prediction, np.float64(loss), gradient, theta)))


def numbers(count: int, seed: int) -> np.ndarray:
    """Numbers in [-1, 1) that float32 holds, by SplitMix64's mixing of their places."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.asarray((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1)


def _hash(array: np.ndarray) -> str:
    array = np.asarray(array)
    return sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16]
