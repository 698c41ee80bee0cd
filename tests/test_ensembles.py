"""Ensembles: every member has the bits that it has alone."""

from types import SimpleNamespace

import numpy as np
import pytest

import symgrad
from symgrad.errors import SpecError, SymgradError
from symgrad.runtime.forks import several_threads
from symgrad.spec.training import SCHEDULES

MEMBERS, SAMPLES = 11, 40  # a block of 8 or 16, and a rest


def spec(**changes):
    return {
        "name": "some",
        "dtype": "float64",
        "inputs": 3,
        "layers": [{"units": 4, "activation": "tanh"}, {"units": 2, "activation": "softmax"}],
        "loss": {"kind": "cross_entropy", "sample_weights": True},
        "training": {"optimizer": "adam", "rate": 0.01, "epochs": 3, "batch": 16},
    } | changes


SPECS = {
    "small": spec(),
    "single": spec(dtype="float32", training={"optimizer": "momentum", "epochs": 2}),
    "products": spec(
        dtype="float32",
        layers=[
            {"units": 24, "activation": "relu"}, {"units": 21, "activation": "gelu"}, {"units": 2},
        ],
        loss={"kind": "squared", "l1": "argument", "l2": 0.01},
    ),
    # whose sine is no operation on vectors
    "turned": spec(
        layers=[{"units": 3, "activation": "sin"}, {"units": 2}], loss={"kind": "squared"}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ensembles():
    return {name: symgrad.ensemble(each, MEMBERS) for name, each in SPECS.items()}


def data(ensemble, own=False):
    """Samples, the same for all members or own ones, and what the loss is given besides."""
    random, loss = np.random.default_rng(0), ensemble.spec.loss
    sets = (MEMBERS,) if own else ()
    x = random.normal(size=(*sets, SAMPLES, 3))
    t = np.eye(2)[random.integers(0, 2, (*sets, SAMPLES))]
    more = {"w": random.integers(0, 3, (MEMBERS, SAMPLES))} if loss.sample_weights else {}
    more |= {"l1": np.linspace(0, 0.1, MEMBERS)} if loss.l1 == "argument" else {}
    dtype = np.dtype(ensemble.spec.dtype)
    arrays = {"x": x, "t": t, **more}
    return {name: a if name == "l1" else a.astype(dtype) for name, a in arrays.items()}


def of_member(given, k, own):
    """What a network alone is given."""
    shared = () if own else ("x", "t")
    return [a if name in shared else a[k] for name, a in given.items()]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", SPECS)
def test_predictions_losses_and_gradients_are_those_of_each_member_alone(ensembles, which, own):
    ensemble = ensembles[which]
    module, theta, given = ensemble.module, ensemble.init(), data(ensemble, own)
    y = ensemble.predict(theta, given["x"])
    losses, gradients = ensemble.loss_and_gradient(theta, *given.values())
    for k in range(MEMBERS):
        alone = of_member(given, k, own)
        loss, gradient = module.loss_and_gradient(theta[k], *alone)
        assert y[k].tobytes() == module.predict(theta[k], alone[0]).tobytes()
        assert loss == losses[k] and np.isfinite(loss)
        assert gradient.tobytes() == gradients[k].tobytes()


@pytest.mark.parametrize("batch", [0, 16])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", SPECS)
def test_training_is_that_of_each_member_alone(ensembles, which, own, batch):
    ensemble = ensembles[which]
    module, given = ensemble.module, data(ensemble, own)
    seeds, rates = [3 * k for k in range(MEMBERS)], np.geomspace(1e-3, 1e-1, MEMBERS)
    trained = ensemble.train(**given, epochs=4, seeds=seeds, rates=rates, batch=batch)
    for k, (seed, rate) in enumerate(zip(seeds, rates, strict=True)):
        theta, (state, progress) = module.init(seed), module.train_state(seed)
        settings = module.train_settings(rate=rate, batch=batch)
        alone = of_member(given, k, own)
        losses = [module.train_epoch(theta, *alone, state, progress, settings) for _ in range(4)]
        assert trained.losses[k].tolist() == losses and losses[-1] < losses[0]
        assert trained.theta[k].tobytes() == theta.tobytes()
        assert trained.state[k].tobytes() == state.tobytes()
        assert trained.progress[k].tolist() == progress.tolist()


def test_training_goes_on_where_it_ended(ensembles):
    ensemble = ensembles["small"]
    given = data(ensemble)
    whole = ensemble.train(**given, epochs=5)
    begun = ensemble.train(**given, epochs=2)
    rest = ensemble.train(**given, epochs=3, after=begun)
    assert whole.theta.tobytes() == rest.theta.tobytes()
    assert whole.losses.tolist() == np.hstack([begun.losses, rest.losses]).tolist()


def test_a_member_that_diverges_leaves_the_others_as_they_are(ensembles):
    ensemble = ensembles["single"]
    given, rates = data(ensemble), np.full(MEMBERS, 0.01)
    calm = ensemble.train(**given, epochs=3, rates=rates)
    theta = calm.theta.copy()
    theta[4] = np.inf
    start = SimpleNamespace(theta=theta, state=calm.state, progress=calm.progress)
    wild = ensemble.train(**given, epochs=3, rates=rates, after=start)
    more = ensemble.train(**given, epochs=3, rates=rates, after=calm)
    others = np.arange(MEMBERS) != 4
    assert not np.isfinite(wild.losses[4]).any()
    assert np.array_equal(wild.losses[others], more.losses[others])
    assert np.array_equal(wild.theta[others], more.theta[others])


def test_bootstrap_samples_are_as_many_as_there_are_and_of_each_seed(ensembles):
    ensemble = ensembles["small"]
    drawn = ensemble.bootstrap(1000, seeds=5)
    assert (drawn.sum(axis=1) == 1000).all() and len(np.unique(drawn, axis=0)) == MEMBERS
    assert 0.6 < (drawn > 0).mean() < 0.66  # 1 - 1/e of the samples
    assert np.array_equal(drawn[1], ensemble.bootstrap(1000, seeds=6)[0])
    given = data(ensemble)
    given.pop("w")
    one = ensemble.train(**given, epochs=2, bootstrap=True)
    other = ensemble.train(**given, epochs=2, w=ensemble.bootstrap(SAMPLES))
    assert one.theta.tobytes() == other.theta.tobytes()


def test_threads_change_no_bit():
    ensemble = symgrad.ensemble(SPECS["small"], 20)
    theta, given = ensemble.init(), data(ensemble)
    given["w"] = np.ones(SAMPLES)
    work = ensemble.module.losses_and_gradients.work
    alone = ensemble.loss_and_gradient(theta, *given.values())
    assert work.many <= len(theta) and not work.is_threaded
    work.seconds = 10.0
    found = ensemble.loss_and_gradient(theta, *given.values())
    assert work.is_threaded == several_threads()
    assert all(one.tobytes() == other.tobytes() for one, other in zip(alone, found, strict=True))


def test_what_does_not_fit_is_refused(ensembles):
    ensemble = ensembles["small"]
    theta, given = ensemble.init(), data(ensemble)
    with pytest.raises(ValueError, match=r"theta must be of shape \(11, 26\), came one of 3 26"):
        ensemble.predict(theta[:3], given["x"])
    with pytest.raises(ValueError, match=r"x must be of shape \(11, samples, 3\), or be the same"):
        ensemble.predict(theta, given["x"][:, :2])
    with pytest.raises(ValueError, match="11 seeds, came 2"):
        ensemble.init([1, 2])
    with pytest.raises(ValueError, match="rate must be a number or 11 of them"):
        ensemble.train(**given, rates=[0.1, 0.2])
    with pytest.raises(ValueError, match="batch must be the same for all members"):
        ensemble.train(**given, batch=np.arange(MEMBERS))
    with pytest.raises(TypeError, match="no setting is called speed"):
        ensemble.train(**given, speed=1)
    with pytest.raises(SymgradError, match="sample_weights = true"):
        ensembles["turned"].train(given["x"], given["t"], bootstrap=True)
    with pytest.raises(TypeError, match="misses l1"):
        ensembles["products"].train(given["x"], given["t"])
    with pytest.raises(SymgradError, match=r"no \[training\]"):
        symgrad.ensemble(spec(training=None), 2).train(given["x"], given["t"])


def test_specs_that_ensembles_cannot_have_are_refused():
    with pytest.raises(SpecError, match="no derivatives beside the gradient"):
        symgrad.ensemble(spec(derivatives=["jacobian"]), 3)
    with pytest.raises(SpecError, match="members"):
        symgrad.ensemble(spec(), 0)


def equal_trainings(ensemble, **given):
    """Whether every member of a training, from its seed, is what it is alone."""
    module, trained = ensemble.module, ensemble.train(**given)
    for k in range(ensemble.members):
        theta, (state, progress) = module.init(k), module.train_state(k)
        settings, epochs = module.train_settings(), trained.losses.shape[1]
        losses = [
            module.train_epoch(theta, *given.values(), state, progress, settings)
            for _ in range(epochs)
        ]
        if losses != trained.losses[k].tolist() or theta.tobytes() != trained.theta[k].tobytes():
            return False
    return True


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        ("adam", "cosine"),
        *(
            pytest.param(optimizer, schedule, marks=pytest.mark.slow)
            for optimizer, schedule in zip(
                ("sgd", "nesterov", "adamw", "rmsprop", "adagrad", "lion"),
                SCHEDULES * 2,
                strict=False,
            )
        ),
    ],
)
def test_every_optimizer_is_as_alone(optimizer, schedule):
    training = {"optimizer": optimizer, "schedule": schedule, "clip": 0.3, "epochs": 2, "batch": 16}
    ensemble = symgrad.ensemble(spec(loss={"kind": "squared"}, training=training), 3)
    given = data(ensemble)
    assert equal_trainings(ensemble, x=given["x"], t=given["t"])


def test_layers_that_are_not_trained_and_scaled_columns_are_as_alone():
    ensemble = symgrad.ensemble(
        spec(
            dtype="float32",
            inputs={"count": 3, "shift": 0.5, "scale": 2.0, "clip": 4.0},
            outputs={"scale": 3.0},
            layers=[
                {"units": 5, "activation": "tanh", "trainable": False},
                {"units": 5, "activation": "silu", "from": ["x", "a1"], "l2": 0.1},
                {"units": 5, "residual": True},
                {"units": 2},
            ],
            loss={"kind": "huber", "l2": 0.01},
        ),
        3,
    )
    given = data(ensemble)
    assert equal_trainings(ensemble, x=given["x"], t=given["t"])


def test_heads_are_as_alone():
    heads = [{"units": 2, "activation": "tanh"}, {"units": 1}]
    layers = [{"units": 4, "activation": "tanh"}, {"heads": heads}]
    ensemble = symgrad.ensemble(spec(layers=layers, loss={"kind": "squared"}), 3)
    x = data(ensemble)["x"]
    assert equal_trainings(ensemble, x=x, t=np.sin(x))


ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "softplus", "softsign", "gelu", "mish", "sin",
    "tanh",
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "activation", ["silu", *(pytest.param(a, marks=pytest.mark.slow) for a in ACTIVATIONS)]
)
def test_vectors_have_the_bits_of_numbers(activation, dtype):
    """Over all magnitudes, and for what is no number."""
    layers = [{"units": 3, "activation": activation}, {"units": 2}]
    ensemble = symgrad.ensemble(spec(dtype=dtype, layers=layers, loss={"kind": "squared"}), 3)
    random, theta = np.random.default_rng(0), ensemble.init()
    x = random.normal(size=(60, 3)) * 10 ** random.uniform(-30, 30, (60, 1))
    x[0], x[1] = np.inf, np.nan
    y = ensemble.predict(theta, x)
    for k in range(3):
        assert np.array_equal(ensemble.module.predict(theta[k], x), y[k], equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("which", SPECS)
def test_the_emitted_module_gives_the_same_bits(ensembles, which):
    import numba

    ensemble = ensembles[which]
    native, emitted = ensemble.module, ensemble.compiled.emitted
    theta, given = ensemble.init(), data(ensemble)
    y = emitted.predict_members(theta, given["x"])
    assert y.tobytes() == ensemble.predict(theta, given["x"]).tobytes()
    wanted = native.losses_and_gradients(theta, *given.values())
    function = emitted.losses_and_gradients
    inside = numba.njit(lambda *arguments: function(*arguments))
    sets = [a[None] if name in ("x", "t") else a for name, a in given.items()]
    for found in (function(theta, *given.values()), inside(theta, *sets)):
        assert found[0].tolist() == wanted[0].tolist()
        assert found[1].tobytes() == wanted[1].tobytes()
    trained = []
    settings = native.train_settings(batch=16)
    for module in (native, emitted):
        states = [module.train_state(seed) for seed in range(MEMBERS)]
        state, progress = map(np.stack, zip(*states, strict=True))
        weights, losses = theta.copy(), np.empty((MEMBERS, 2))
        module.train_members(weights, *given.values(), state, progress, settings, losses)
        trained.append((weights.tobytes(), state.tobytes(), progress.tolist(), losses.tolist()))
    assert trained[0] == trained[1]


def test_symgrad_train_says_that_it_trains_one():
    spec = {
        "name": "one",
        "inputs": 2,
        "layers": [{"units": 1}],
        "members": 4,
        "training": {"optimizer": "adam", "epochs": 1},
    }
    x = np.random.default_rng(0).normal(size=(30, 2))
    run = symgrad.train(spec, (x, x[:, :1]))
    assert any("all members are by symgrad.ensemble" in note for note in run.notes)
