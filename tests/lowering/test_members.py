"""The functions of an ensemble do for every member what a network's own do: to the bit, run by a
plain interpreter."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from symgrad.lowering.members import of_members
from symgrad.lowering.verify import verify
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from tests.interpreter import Interpreter, Refused
from tests.lowering.test_lowered import elementary

MEMBERS, LANES, SAMPLES = 3, 2, 7

SPEC = {
    "name": "few",
    "dtype": "float64",
    "inputs": 2,
    "layers": [{"units": 3, "activation": "tanh"}, {"units": 2}],
    "loss": {"kind": "squared"},
    "training": {"optimizer": "adam", "epochs": 3, "batch": 3},
    "members": MEMBERS,
}
WEIGHTED = {**SPEC, "loss": {"kind": "squared", "sample_weights": True, "l2": "argument"}}
MOMENTUM = {**SPEC, "training": {"optimizer": "momentum", "epochs": 3, "clip": 0.1}}
SPECS = {"adam": SPEC, "weighted": WEIGHTED, "momentum": MOMENTUM}


@cache
def machine(which):
    """The functions of a network and of an ensemble of two blocks; leaves of 3 samples."""
    module = passes(Spec.parse(SPECS[which])).lowered
    numbers = {**module.network.numbers, "LEAF": 3}
    module = replace(module, network=replace(module.network, numbers=numbers))
    alone = tuple(module.alone)
    functions = (*alone, *of_members(alone, module.ensemble, LANES))
    verify(functions)
    return module, Interpreter(list(functions), elementary)


def given(module, own):
    """What the functions of an ensemble are given, by name, and what a member is."""
    shape, random = module.ensemble, np.random.default_rng(1)
    sets = MEMBERS if own else 1
    arrays = {
        "theta": random.normal(0, 0.5, (MEMBERS, shape.size)),
        "x": random.normal(size=(sets, SAMPLES, shape.inputs)),
        "t": random.normal(size=(sets, SAMPLES, shape.targets)),
        "w": random.integers(0, 3, (MEMBERS, SAMPLES)).astype(float),
        "l2": np.array([0.0, 0.1, 0.2]),
    }
    names = [parameter.name for parameter in shape.data]
    return {name: arrays[name] for name in names}


def of_member(arrays, k):
    """What a network alone is given, of an ensemble's arrays."""
    return {name: (a[k] if len(a) > 1 else a[0]) for name, a in arrays.items()}


@pytest.mark.parametrize("own", [False, True])
def test_every_member_is_predicted_as_alone(own):
    module, run = machine("adam")
    arrays = given(module, own)
    y = np.full((MEMBERS, SAMPLES, 2), np.nan)
    run.call("_predict_members_in_turn", arrays["theta"], arrays["x"], y)
    for k in range(MEMBERS):
        alone = of_member(arrays, k)
        assert run.call("predict", alone["theta"], alone["x"]).tobytes() == y[k].tobytes()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", SPECS)
def test_every_members_gradient_is_that_alone(which, own):
    module, run = machine(which)
    arrays = given(module, own)
    losses, gradients = np.full(MEMBERS, np.nan), np.full(arrays["theta"].shape, np.nan)
    run.call("_losses_and_gradients_in_turn", *arrays.values(), losses, gradients)
    for k in range(MEMBERS):
        loss, gradient = run.call("loss_and_gradient", *of_member(arrays, k).values())
        assert np.isfinite(loss) and loss == losses[k]
        assert gradient.tobytes() == gradients[k].tobytes()


def training(module, which, epochs=3, batch=3.0):
    """What an ensemble goes on from: each member with its own seed and rate."""
    settings = np.array([*Spec.parse(SPECS[which]).training.settings().values()], float)
    settings = np.tile(settings, (MEMBERS, 1))
    settings[:, 0] = [0.1, 0.02, 0.3]
    settings[:, module.ensemble.batch] = batch
    progress = np.array([[seed, 0] for seed in (5, 6, 7)], np.uint64)
    state = np.zeros((MEMBERS, module.ensemble.state))
    return state, progress, settings, np.full((MEMBERS, epochs), np.nan)


@pytest.mark.parametrize("batch", [0.0, 3.0])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", SPECS)
def test_every_member_is_trained_as_alone(which, own, batch):
    module, run = machine(which)
    arrays = given(module, own)
    before = {name: array.copy() for name, array in arrays.items()}
    state, progress, settings, losses = training(module, which, batch=batch)
    run.call("_train_members_in_turn", *arrays.values(), state, progress, settings, losses)
    for k in range(MEMBERS):
        alone = of_member(before, k)
        own_state, own_progress, own_settings, _ = (
            a[k] for a in training(module, which, batch=batch)
        )
        found = [
            run.call("train_epoch", *alone.values(), own_state, own_progress, own_settings)
            for _ in range(3)
        ]
        assert np.array(found).tobytes() == losses[k].tobytes() and np.isfinite(found).all()
        assert alone["theta"].tobytes() == arrays["theta"][k].tobytes()
        assert own_state.tobytes() == state[k].tobytes()
        assert own_progress.tolist() == progress[k].tolist()


@pytest.mark.parametrize("batch", [0.0, 3.0])
def test_a_member_that_diverges_leaves_the_others_alone(batch):
    """One starts with a weight that is not finite, one has samples without weight."""
    module, run = machine("weighted")
    arrays = given(module, own=True)
    arrays["theta"][0, -1] = np.inf
    arrays["w"][1, :4] = 0
    before = {name: array.copy() for name, array in arrays.items()}
    state, progress, settings, losses = training(module, "weighted", batch=batch)
    run.call("_train_members_in_turn", *arrays.values(), state, progress, settings, losses)
    for k in range(MEMBERS):
        alone = of_member(before, k)
        own_state, own_progress, own_settings, _ = (
            a[k] for a in training(module, "weighted", batch=batch)
        )
        found = [
            run.call("train_epoch", *alone.values(), own_state, own_progress, own_settings)
            for _ in range(3)
        ]
        assert np.array_equal(found, losses[k], equal_nan=True)
        assert np.isfinite(found).all() == (k > 0)
        assert alone["theta"].tobytes() == arrays["theta"][k].tobytes()
        assert own_state.tobytes() == state[k].tobytes()
        assert own_progress.tolist() == progress[k].tolist()


def test_wrong_shapes_are_refused():
    module, run = machine("adam")
    arrays = given(module, own=False)
    wrong = {
        "theta": arrays["theta"][:2], "x": np.zeros((2, SAMPLES, 2)), "t": np.zeros((1, 3, 2)),
    }  # fmt: skip
    for name, array in wrong.items():
        losses, gradients = np.zeros(MEMBERS), np.zeros_like(arrays["theta"])
        with pytest.raises(Refused, match=f"{name} must be of shape"):
            run.call(
                "_losses_and_gradients_in_turn",
                *(arrays | {name: array}).values(),
                losses,
                gradients,
            )
