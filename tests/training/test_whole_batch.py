"""SciPy's methods through the fit's interface: on a bowl in NumPy, and one compiled network."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import symgrad
from symgrad.spec.training import WHOLE_BATCH, Training
from symgrad.training.callback import Callback
from symgrad.training.checkpoint import Checkpoint, load
from symgrad.training.fit import Ending
from symgrad.training.runner import Interrupted
from symgrad.training.whole_batch import fit_whole
from tests.trainings import PLANE, plane_csv, same, weights

ARRAYS = (np.zeros((1, 1)), np.zeros((1, 1)))


def bowl(limit: float = math.inf) -> SimpleNamespace:
    """Σ k·(θ − 1)⁴ + (θ − 1)²; NaN beyond a distance of `limit` from 0."""
    k = np.array([1.0, 3.0, 10.0])

    def loss(theta, x, t):
        theta = theta.astype(np.float64)
        if np.abs(theta).max() > limit:
            return math.nan
        return float((k * (theta - 1) ** 4 + (theta - 1) ** 2).sum())

    def gradient(theta):
        return 4 * k * (theta - 1) ** 3 + 2 * (theta - 1)

    return SimpleNamespace(
        loss=loss, loss_and_gradient=lambda theta, x, t: (loss(theta, x, t), gradient(theta))
    )


def run(method, module, epochs=200, start=(-1.0, 0.5, 2.0), dtype=np.float64, go_on=None, **more):
    checkpoint = Checkpoint.start(np.array(start, dtype), np.empty(0), np.empty(0, np.uint64))
    ended = fit_whole(
        module,
        Training(optimizer=method, epochs=epochs, **more),
        ARRAYS,
        lambda theta: (module.loss(theta, *ARRAYS), 0.0),
        checkpoint,
        go_on or (lambda checkpoint: True),
    )
    return ended, checkpoint


@pytest.mark.parametrize("method", WHOLE_BATCH)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_method_finds_the_minimum(method, dtype):
    ended, checkpoint = run(method, bowl(), dtype=dtype)
    assert ended.ending is Ending.FINISHED and checkpoint.theta.dtype == dtype
    assert checkpoint.theta == pytest.approx([1, 1, 1], abs=2e-2)
    assert checkpoint.history[-1].loss < 1e-3 < checkpoint.history[0].loss
    assert f"ended by itself after {checkpoint.epoch} iterations" in ended.detail


@pytest.mark.parametrize("method", WHOLE_BATCH)
def test_an_epoch_is_an_iteration_and_there_are_no_more_than_wanted(method):
    seen = []
    ended, checkpoint = run(
        method, bowl(), epochs=2, go_on=lambda checkpoint: seen.append(checkpoint.epoch) or True
    )
    assert ended.ending is Ending.FINISHED and checkpoint.epoch == 2 and seen == [1, 2]


@pytest.mark.parametrize("method", WHOLE_BATCH)
def test_an_interrupt_leaves_the_method(method):
    ended, checkpoint = run(method, bowl(), go_on=lambda checkpoint: False)
    assert ended.ending is Ending.INTERRUPTED and checkpoint.epoch == 1


@pytest.mark.parametrize("method", WHOLE_BATCH)
def test_a_loss_that_is_never_finite_ends_the_method(method):
    ended, checkpoint = run(method, bowl(limit=0.1))
    assert ended.ending in (Ending.DIVERGED, Ending.FINISHED) and checkpoint.epoch == 0
    assert np.isfinite(checkpoint.theta).all()


def test_patience_counts_iterations():
    verdicts = iter([3.0, 2.0, 2.5, 2.5, 2.5])
    checkpoint = Checkpoint.start(np.array([-1.0, 0.5, 2.0]), np.empty(0), np.empty(0, np.uint64))
    ended = fit_whole(
        bowl(),
        Training(optimizer="cg", patience=2),
        ARRAYS,
        lambda theta: (next(verdicts), 0.0),
        checkpoint,
        lambda checkpoint: True,
    )
    assert ended.ending is Ending.STOPPED_EARLY
    assert (checkpoint.epoch, checkpoint.best_epoch) == (4, 2)


# ---------------------------------------------------------------------------- on a compiled network


class InterruptAt(Callback):
    def __init__(self, epoch: int) -> None:
        self.wanted = epoch

    def on_epoch_end(self, number, epoch) -> None:
        if number == self.wanted:
            import signal

            signal.raise_signal(signal.SIGINT)


def test_a_resumed_run_takes_its_steps_again_and_loses_nothing_meanwhile(tmp_path):
    data, cut = plane_csv(tmp_path), tmp_path / "cut"
    options = {"optimizer": "lbfgs", "epochs": 60}
    whole = symgrad.train(PLANE, data, tmp_path / "whole", **options)
    assert whole.figures["validation"].r2 > 0.999
    with pytest.raises(Interrupted):
        symgrad.train(PLANE, data, cut, callback=InterruptAt(8), **options)
    # cut off earlier than before: the checkpoint keeps what it has
    with pytest.raises(Interrupted):
        symgrad.resume(cut, callback=InterruptAt(3), checkpoint=0)
    assert load(cut / "checkpoint.npz").epoch == 8
    again = symgrad.resume(cut)
    assert again.history == whole.history
    assert same(weights(cut), weights(tmp_path / "whole"))


def test_what_a_method_says_at_its_end_is_noted(tmp_path):
    run = symgrad.train(PLANE, plane_csv(tmp_path), optimizer="lbfgs", epochs=5000)
    assert len(run.history) < 5000 and "L-BFGS-B ended by itself" in run.notes[-1]
