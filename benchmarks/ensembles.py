"""ensembles: a training of many members at once, against a loop over the same networks' own
functions, of one module, taken in turns."""

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import numpy as np

import symgrad
from benchmarks.options import Options
from benchmarks.table import digits, duration, table

EPOCHS = 5

# Name: widths, members, samples, and the last layer's activation and the loss.
CASES = {
    "1000 × 4-10-3, 150 samples": ((4, 10, 3), 1000, 150, "softmax", "cross_entropy"),
    "350 × 10-32-32-1, 256 samples": ((10, 32, 32, 1), 350, 256, "identity", "squared"),
}


def ensemble_of(case: str, dtype: str) -> symgrad.Ensemble:
    (inputs, *hidden, outputs), members, _, last, loss = CASES[case]
    layers = [{"units": units, "activation": "tanh"} for units in hidden]
    spec = {
        "name": "ensemble",
        "dtype": dtype,
        "inputs": inputs,
        "layers": [*layers, {"units": outputs, "activation": last}],
        "loss": {"kind": loss},
        "training": {"optimizer": "adam", "epochs": EPOCHS},
    }
    return symgrad.ensemble(spec, members)


def samples_of(case: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    (inputs, *_, outputs), _, samples, last, _ = CASES[case]
    random = np.random.default_rng(0)
    x, t = random.normal(size=(samples, inputs)), random.normal(size=(samples, outputs))
    t = np.eye(outputs)[t.argmax(axis=1)] if last == "softmax" else t
    return x.astype(dtype), t.astype(dtype)


def trainings(case: str, dtype: str, batch: int) -> dict[str, Callable[[], Any]]:
    """Trainings of the same members, each with its own rate, at once and one by one; from weights
    that are drawn before."""
    ensemble, (x, t) = ensemble_of(case, dtype), samples_of(case, dtype)
    module, count = ensemble.module, ensemble.members
    rates = np.geomspace(1e-3, 1e-2, count)
    begun = ensemble.train(x, t, epochs=0)
    settings = [module.train_settings(rate=rate, batch=batch) for rate in rates]

    def together() -> list[float]:
        trained = ensemble.train(x, t, rates=rates, batch=batch, after=begun)
        return trained.losses[:, -1].tolist()  # type: ignore[no-any-return]

    def one_by_one() -> list[float]:
        losses = []
        for k in range(count):
            own = (each[k].copy() for each in (begun.theta, begun.state, begun.progress))
            theta, state, progress = own
            for _ in range(EPOCHS):
                loss = module.train_epoch(theta, x, t, state, progress, settings[k])
            losses.append(loss)
        return losses

    return {"together": together, "one by one": one_by_one}


def run(options: Options, say: Callable[[str], None]) -> dict:
    results: dict[str, dict] = {}
    for case in CASES:
        for dtype in options.dtypes:
            for batch in (0, 32):
                say(f"  {case}, {dtype}, batch {batch or 'of all'}")
                ways = trainings(case, dtype, batch)
                losses = {name: way() for name, way in ways.items()}  # and code is compiled
                assert losses["together"] == losses["one by one"], case
                seconds: dict[str, list[float]] = {name: [] for name in ways}
                for _ in range(options.rounds):
                    for name, way in ways.items():
                        begun = process_time()
                        way()
                        seconds[name].append(process_time() - begun)
                results[f"{case}, {dtype}, {batch}"] = {
                    name: median(times) if times else None for name, times in seconds.items()
                }
    return {"trainings": results}


def render(result: dict) -> str:
    rows = []
    for case, seconds in result["trainings"].items():
        together, alone = seconds["together"], seconds["one by one"]
        ratio = "–" if together is None else f"{digits(alone / together)}×"
        rows.append([case, duration(together), duration(alone), ratio])
    head = ["members, dtype, batch", "together", "one by one", "faster"]
    return f"## Ensembles, {EPOCHS} epochs of Adam, CPU time\n\n{table(head, rows)}"
