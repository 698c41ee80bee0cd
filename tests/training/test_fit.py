"""The loop over a stub of a module: it descends on θ² by a rate, in plain Python."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from symgrad.spec.training import Training
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.fit import Ending, ending_of, fit, select_weights


def stub(losses=None, ruins=None) -> SimpleNamespace:
    """Each epoch halves theta and adds a random number; `losses` are returned in place of theirs,
    and after the epoch `ruins` theta is infinite."""

    def train_epoch(theta, x, t, state, progress, settings):
        loss = float(theta @ theta)
        progress[1] += np.uint64(1)
        epoch = int(progress[1])
        state += theta
        theta *= 0.5
        theta += np.random.default_rng(epoch + int(progress[0])).normal(0, settings[0], theta.shape)
        if losses is not None and epoch <= len(losses):
            loss = losses[epoch - 1]
        if epoch == ruins:
            theta[0] = np.inf
        return loss

    return SimpleNamespace(
        SIZE=2,
        init=lambda seed=0: np.array([4.0, -2.0]),
        train_state=lambda seed=0: (np.zeros(2), np.array([seed, 0], np.uint64)),
        train_settings=lambda **changes: np.array([changes["rate"]]),
        train_epoch=train_epoch,
        loss=lambda theta, x, t: float(theta @ theta),
    )


ARRAYS = (np.zeros((1, 1)), np.zeros((1, 1)))


def begin(module) -> Checkpoint:
    return Checkpoint.start(module.init(), *module.train_state())


def nothing_held_out(theta):
    return math.nan, math.nan


def run(module, training, checkpoint=None, judge=nothing_held_out, go_on=lambda checkpoint: True):
    checkpoint = checkpoint or begin(module)
    return fit(module, training, ARRAYS, judge, checkpoint, go_on), checkpoint


def test_every_epoch_is_recorded_and_reported():
    seen = []
    module = stub()
    ended, checkpoint = run(
        module,
        Training(epochs=3),
        judge=lambda theta: (float(theta @ theta) + 1, 0.5),
        go_on=lambda checkpoint: seen.append(checkpoint.epoch) or True,
    )
    assert ended.ending is Ending.FINISHED and seen == [1, 2, 3]
    assert checkpoint.history[0].loss == 20.0
    assert checkpoint.history[-1].validation_loss == float(checkpoint.theta @ checkpoint.theta) + 1
    assert checkpoint.history[-1].metric == 0.5


def test_a_fit_in_two_pieces_is_the_fit_in_one():
    _, whole = run(stub(), Training(epochs=7))
    for cut in range(1, 7):
        _, pieces = run(stub(), Training(epochs=7), go_on=lambda each, cut=cut: each.epoch < cut)
        assert pieces.epoch == cut
        _, pieces = run(stub(), Training(epochs=7), pieces)
        for name in ("theta", "previous", "state", "progress"):
            assert getattr(pieces, name).tobytes() == getattr(whole, name).tobytes(), name
        np.testing.assert_array_equal(pieces.history, whole.history)


def test_an_interrupt_at_the_last_epoch_changes_nothing():
    ended, _ = run(stub(), Training(epochs=3), go_on=lambda checkpoint: checkpoint.epoch < 3)
    assert ended.ending is Ending.FINISHED
    ended, _ = run(stub(), Training(epochs=3), go_on=lambda checkpoint: checkpoint.epoch < 2)
    assert ended.ending is Ending.INTERRUPTED


def test_patience_ends_the_fit_and_keeps_the_best():
    verdicts = iter([5.0, 3.0, 4.0, math.nan, 3.0, 1.0])
    module, training = stub(), Training(epochs=50, patience=3)
    thetas = []

    def judge(theta):
        thetas.append(theta.copy())
        return next(verdicts), 0.0

    ended, checkpoint = run(module, training, judge=judge)
    assert ended.ending is Ending.STOPPED_EARLY and checkpoint.epoch == 5
    theta, epoch = select_weights(module, training, ARRAYS, checkpoint, module.init(0))
    assert epoch == 2 and theta.tobytes() == thetas[1].tobytes()
    # gone on with, it has still ended
    ended, again = run(module, Training(epochs=90, patience=3), checkpoint)
    assert ended.ending is Ending.STOPPED_EARLY and again.epoch == 5


def test_a_loss_that_is_never_finite_does_not_wear_out_patience_later():
    checkpoint = begin(stub())
    assert ending_of(checkpoint, Training(epochs=5, patience=2)) is None
    _, checkpoint = run(stub(), Training(epochs=5, patience=2))
    assert checkpoint.epoch == 2 and checkpoint.best_epoch == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_keeps_the_weights_before_the_epoch(loss):
    module, training = stub(losses=[1.0, 1.0, loss]), Training(epochs=9)
    ended, checkpoint = run(module, training)
    _, good = run(stub(), Training(epochs=2))
    assert ended.ending is Ending.DIVERGED and checkpoint.epoch == 2
    theta, epoch = select_weights(module, training, ARRAYS, checkpoint, module.init(0))
    assert epoch == 2 and theta.tobytes() == good.theta.tobytes()


def test_weights_that_are_not_finite_are_noticed_in_their_epoch():
    module, training = stub(ruins=3), Training(epochs=9)
    ended, checkpoint = run(module, training)
    assert ended.ending is Ending.DIVERGED and checkpoint.epoch == 2
    theta, _ = select_weights(module, training, ARRAYS, checkpoint, module.init(0))
    assert np.isfinite(theta).all()


def test_kept_weights_have_a_finite_loss_on_the_training_part():
    """The last step of an epoch may ruin weights without anyone having looked at the loss since."""
    module, training = stub(), Training(epochs=3)
    _, checkpoint = run(module, training)
    bad = [checkpoint.theta.tobytes()]
    module.loss = lambda theta, x, t: math.nan if theta.tobytes() in bad else 0.0
    theta, epoch = select_weights(module, training, ARRAYS, checkpoint, module.init(0))
    assert epoch == 2 and theta.tobytes() == checkpoint.previous.tobytes()
    bad.append(checkpoint.previous.tobytes())
    theta, epoch = select_weights(module, training, ARRAYS, checkpoint, module.init(0))
    assert epoch == 0 and theta.tolist() == [4.0, -2.0]


def test_the_numbers_of_the_spec_reach_the_module():
    seen = {}
    module = stub()
    module.train_settings = lambda **changes: seen.update(changes) or np.array([0.0])
    run(module, Training(optimizer="momentum", rate=0.25, batch="all", epochs=1, clip=2.0))
    assert seen == {"rate": 0.25, "batch": 0.0, "clip": 2.0, "momentum": 0.9}
